//! Text that stands for itself in Markdown, readable raw as far as possible.

/// `text` for a table cell or the middle of a line.
pub(crate) fn inline(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or(' ');
        let special = match c {
            '\\' | '|' | '`' | '*' | '[' | ']' | '~' | '$' => true,
            // A bound as `<= 3s` reads as it is; only a tag or an entity does not.
            '<' => next.is_ascii_alphabetic() || "/!?".contains(next),
            '&' => next.is_ascii_alphanumeric() || next == '#',
            // Inside a word, as most names have it, an underscore is plain.
            '_' => !(escaped.ends_with(char::is_alphanumeric) && next.is_alphanumeric()),
            _ => false,
        };
        if special {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// `text` for the beginning of a line, where it must not start a heading, a
/// list or a quotation either.
pub(crate) fn block(text: &str) -> String {
    let escaped = inline(text.trim_start());
    let after_digits = escaped.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = escaped.len() - after_digits.len();
    if digits > 0 && after_digits.starts_with(['.', ')']) {
        return format!("{}\\{after_digits}", &escaped[..digits]);
    }
    if escaped.starts_with(['#', '+', '-', '=', '>']) {
        return format!("\\{escaped}");
    }
    escaped
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("latency_p99 <= 3s, a & b", "latency_p99 <= 3s, a & b")]
    #[case("a|b", r"a\|b")]
    #[case("_a_ `b` *c* [d] ~e~ \\", r"\_a\_ \`b\` \*c\* \[d\] \~e\~ \\")]
    #[case("<b> </b> <!-- a &amp; &#7;", r"\<b> \</b> \<!-- a \&amp; \&#7;")]
    #[case("$SYS/#", r"\$SYS/#")]
    fn a_line_reads_as_itself(#[case] text: &str, #[case] escaped: &str) {
        assert_eq!(inline(text), escaped);
    }

    #[rstest]
    #[case("# no heading", r"\# no heading")]
    #[case("  - no list", r"\- no list")]
    #[case("12. no list", r"12\. no list")]
    #[case("12 of 13", "12 of 13")]
    #[case("> no quotation", r"\> no quotation")]
    #[case("", "")]
    fn a_beginning_reads_as_itself(#[case] text: &str, #[case] escaped: &str) {
        assert_eq!(block(text), escaped);
    }
}
