//! Commands as a shell takes them.

/// A word as a POSIX shell reads it back.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+%@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Words as one command.
#[must_use]
pub fn command(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("scenarios/a.toml", "scenarios/a.toml")]
    #[case("fleet.x.count=10", "fleet.x.count=10")]
    #[case("link.rate=20 kbit/s", "'link.rate=20 kbit/s'")]
    #[case("it's", r"'it'\''s'")]
    #[case("", "''")]
    fn words_are_quoted_where_a_shell_needs_it(#[case] word: &str, #[case] expected: &str) {
        assert_eq!(quoted(word), expected);
    }

    #[test]
    fn a_command_is_its_words() {
        let words = ["squall", "run", "my cell.toml"].map(str::to_owned);
        assert_eq!(command(&words), "squall run 'my cell.toml'");
    }
}
