//! Seeds: one, or a range of them.

use std::ops::RangeInclusive;
use std::str::FromStr;

/// `A..B` without B, `A..=B` with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeedRange(pub(crate) RangeInclusive<u64>);

impl FromStr for SeedRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let help = || "write A..B (without B) or A..=B, such as 1..101".to_owned();
        let (first, last) = text.split_once("..").ok_or_else(help)?;
        let first: u64 = first.trim().parse().map_err(|_| help())?;
        let last = match last.strip_prefix('=') {
            Some(last) => last.trim().parse().ok(),
            None => last
                .trim()
                .parse::<u64>()
                .map_err(|_| help())?
                .checked_sub(1),
        };
        match last {
            Some(last) if first <= last => Ok(Self(first..=last)),
            _ => Err("the range has no seed in it".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("1..4", Some(1..=3))]
    #[case("1..=4", Some(1..=4))]
    #[case("7..8", Some(7..=7))]
    #[case("7..7", None)]
    #[case("0..0", None)]
    #[case("9..=3", None)]
    #[case("9", None)]
    #[case("a..b", None)]
    #[case("1..=", None)]
    fn ranges(#[case] text: &str, #[case] expected: Option<RangeInclusive<u64>>) {
        assert_eq!(
            text.parse::<SeedRange>().ok().map(|range| range.0),
            expected
        );
    }
}
