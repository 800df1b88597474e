//! Lists on a command line: values with commas between.

use std::ops::Range;

use crate::scenario::text::Complaint;

/// The values of a list that begins at byte `from` of `text`, trimmed, each with
/// its place. A comma within brackets or quotes does not end one.
pub(super) fn split(text: &str, from: usize) -> Vec<(Range<usize>, &str)> {
    let mut values = Vec::new();
    let (mut start, mut depth, mut quote) = (from, 0_usize, None);
    let mut push = |range: Range<usize>| {
        let value = &text[range.clone()];
        let trimmed = value.trim();
        let start = range.start + (value.len() - value.trim_start().len());
        values.push((start..start + trimmed.len(), trimmed));
    };
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < from) {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('"' | '\'', None) => quote = Some(c),
            ('[' | '{', None) => depth += 1,
            (']' | '}', None) => depth = depth.saturating_sub(1),
            (',', None) if depth == 0 => {
                push(start..at);
                start = at + 1;
            }
            _ => {}
        }
    }
    push(start..text.len());
    values
}

/// A value that was given before.
pub(super) fn twice(value: &str) -> Complaint {
    Complaint::new(
        format!("`{value}` is there twice"),
        "again",
        "give it once: both would show the same",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a,b", 0, &["a", "b"])]
    #[case("k= 1 , 2", 2, &["1", "2"])]
    #[case("", 0, &[""])]
    #[case("a,,b", 0, &["a", "", "b"])]
    #[case("[1,2],{a=1,b=2}", 0, &["[1,2]", "{a=1,b=2}"])]
    #[case(r#""a,b",'c,d'"#, 0, &[r#""a,b""#, "'c,d'"])]
    #[case("],a", 0, &["]", "a"])]
    #[case("é,ü", 0, &["é", "ü"])]
    fn commas_part_values(#[case] text: &str, #[case] from: usize, #[case] expected: &[&str]) {
        let values = split(text, from);
        for (span, value) in &values {
            assert_eq!(&text[span.clone()], *value);
        }
        let values: Vec<&str> = values.into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, expected);
    }
}
