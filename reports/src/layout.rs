//! Text laid out by display width: padding, wrapping, tables and bars.
//!
//! Width is counted in terminal columns, not bytes or characters, so that a
//! name in Chinese or with an accent aligns like any other.

use unicode_width::UnicodeWidthStr;

/// Columns that `text` takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// `text` without what would break a line or steer a terminal: names and
/// titles are the user's, and may hold anything.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            // Marks that turn the reading direction around reorder the whole line.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// `text` if it fits `columns`, else its beginning and an ellipsis.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (head, _) = split_at_width(text, columns.saturating_sub(1));
    format!("{head}…")
}

/// `text` followed by spaces up to `columns`.
pub(crate) fn pad_end(text: &str, columns: usize) -> String {
    let spaces = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(spaces))
}

/// `text` after spaces, ending at `columns`.
pub(crate) fn pad_start(text: &str, columns: usize) -> String {
    let spaces = columns.saturating_sub(width(text));
    format!("{}{text}", " ".repeat(spaces))
}

/// The longest beginning of `text` that fits `columns`, and the rest.
fn split_at_width(text: &str, columns: usize) -> (&str, &str) {
    let end = text
        .char_indices()
        .map(|(index, c)| index + c.len_utf8())
        .take_while(|&end| width(&text[..end]) <= columns)
        .last()
        .unwrap_or(0);
    text.split_at(end)
}

/// Breaks `text` at spaces into lines of at most `columns`, but not between a
/// figure and its unit; a word longer than a line is broken anywhere. Text that
/// fits stays as it is.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    if width(text) <= columns {
        return vec![text.to_owned()];
    }
    // A line of two columns has room for every character.
    let columns = columns.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words(text) {
        let mut word = word.as_str();
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        while width(word) > columns {
            let (head, rest) = split_at_width(word, columns);
            lines.push(head.to_owned());
            word = rest;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// The words of `text`, a figure and its unit (`10 %`, `1.2 MB`) as one.
fn words(text: &str) -> Vec<String> {
    const UNIT_MAX: usize = 3;
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let unit = word.trim_end_matches([')', ',', '.', ';', ':']);
        match words.last_mut() {
            Some(last)
                if unit.len() <= UNIT_MAX
                    && !unit.starts_with(|c: char| c.is_ascii_digit())
                    && last.ends_with(|c: char| c.is_ascii_digit())
                    && !last.contains(' ') =>
            {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// Breaks a shell command into lines that may be copied together: a line that
/// goes on ends in a backslash, and no break falls inside quotes. A single
/// argument wider than `columns` stays whole.
pub(crate) fn wrap_command(command: &str, columns: usize) -> Vec<String> {
    const INDENT: &str = "  ";
    const GOES_ON: &str = " \\";
    if width(command) <= columns {
        return vec![command.to_owned()];
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for argument in arguments(command) {
        if !line.trim_start().is_empty()
            && width(&line) + 1 + width(argument) + width(GOES_ON) > columns
        {
            lines.push(format!("{line}{GOES_ON}"));
            line = INDENT.to_owned();
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(argument);
    }
    lines.push(line);
    lines
}

/// The arguments of a shell command, quotes and backslashes left in place.
fn arguments(command: &str) -> Vec<&str> {
    let mut arguments = Vec::new();
    let (mut start, mut quote, mut escaped) = (0, None, false);
    for (index, c) in command.char_indices() {
        match (c, quote) {
            _ if escaped => escaped = false,
            ('\\', None | Some('"')) => escaped = true,
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (' ', None) => {
                arguments.push(&command[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    arguments.push(&command[start..]);
    arguments.retain(|argument| !argument.is_empty());
    arguments
}

/// A bar of eighth blocks: `columns` long for `most`, in proportion for
/// `value`, and never empty unless `value` is 0.
pub(crate) fn bar(value: u64, most: u64, columns: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if value == 0 || most == 0 {
        return String::new();
    }
    let (value, most) = (u128::from(value.min(most)), u128::from(most));
    let eighths = (value * columns as u128 * 8 * 2 + most) / (2 * most);
    let eighths = usize::try_from(eighths).unwrap_or(columns * 8).max(1);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// A line of block elements, one per value, the tallest for the highest. No
/// value leaves a blank.
pub(crate) fn sparkline(values: &[Option<u64>]) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let highest = values.iter().flatten().copied().max().unwrap_or(0).max(1);
    values
        .iter()
        .map(|value| match value {
            None => ' ',
            Some(value) => {
                let level =
                    (u128::from(*value) * 7 * 2 + u128::from(highest)) / (2 * u128::from(highest));
                LEVELS[(level as usize).min(7)]
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("plain", 5, "plain")]
    #[case("plainer", 5, "plai…")]
    #[case("温度計温度計", 12, "温度計温度計")]
    #[case("温度計温度計", 10, "温度計温…")]
    #[case("温度計", 4, "温…")]
    #[case("é́e", 2, "é́e")]
    fn what_does_not_fit_ends_in_an_ellipsis(
        #[case] text: &str,
        #[case] columns: usize,
        #[case] fitted: &str,
    ) {
        assert_eq!(fit(text, columns), fitted);
    }

    #[rstest]
    #[case("one two  three", 20, &["one two  three"])]
    #[case("one two three", 7, &["one two", "three"])]
    #[case("a wordthatisfartoolong b", 8, &["a", "wordthat", "isfartoo", "long b"])]
    #[case("lost (10.0 %), 5 B", 12, &["lost", "(10.0 %),", "5 B"])]
    #[case("1 2 3 4", 3, &["1 2", "3 4"])]
    #[case("温度 温度", 4, &["温度", "温度"])]
    #[case("温度", 0, &["温", "度"])]
    #[case("", 0, &[""])]
    fn lines_break_at_spaces(#[case] text: &str, #[case] columns: usize, #[case] lines: &[&str]) {
        assert_eq!(wrap(text, columns), lines);
    }

    #[rstest]
    #[case("squall run a.toml --seed 7", 30, &["squall run a.toml --seed 7"])]
    #[case("squall run a.toml --seed 7", 20, &["squall run a.toml \\", "  --seed 7"])]
    #[case(
        "squall run 'my cell.toml' --set \"a b\"=c\\ d",
        14,
        &["squall run \\", "  'my cell.toml' \\", "  --set \\", "  \"a b\"=c\\ d"]
    )]
    fn a_broken_command_can_still_be_copied(
        #[case] command: &str,
        #[case] columns: usize,
        #[case] lines: &[&str],
    ) {
        assert_eq!(wrap_command(command, columns), lines);
    }

    #[rstest]
    #[case(0, 100, "")]
    #[case(0, 0, "")]
    #[case(100, 100, "████")]
    #[case(1, 1_000_000, "▏")]
    #[case(50, 100, "██")]
    #[case(41, 100, "█▋")]
    #[case(u64::MAX, u64::MAX, "████")]
    fn a_bar_is_in_proportion(#[case] value: u64, #[case] most: u64, #[case] drawn: &str) {
        assert_eq!(bar(value, most, 4), drawn);
    }

    #[rstest]
    #[case(&[], "")]
    #[case(&[None], " ")]
    #[case(&[Some(0), Some(0)], "▁▁")]
    #[case(&[Some(0), None, Some(50), Some(100)], "▁ ▅█")]
    #[case(&[Some(u64::MAX), Some(1)], "█▁")]
    fn a_sparkline_is_in_proportion(#[case] values: &[Option<u64>], #[case] drawn: &str) {
        assert_eq!(sparkline(values), drawn);
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(
            clean("a\u{1b}[31mb\nc\u{202e}d"),
            "a\u{fffd}[31mb c\u{fffd}d"
        );
    }
}
