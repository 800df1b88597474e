//! Seeds: one, or a range of them.

use std::ops::RangeInclusive;
use std::str::FromStr;

/// `A..B`: from A to B, both of them. A thousand seeds are `1..1000`, as one
/// says it; `A..=B` means the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeedRange(pub(crate) RangeInclusive<u64>);

impl FromStr for SeedRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let help = || "write A..B, such as 1..100 for a hundred seeds".to_owned();
        let (first, last) = text.split_once("..").ok_or_else(help)?;
        let first: u64 = first.trim().parse().map_err(|_| help())?;
        let last = last.strip_prefix('=').unwrap_or(last);
        let last: u64 = last.trim().parse().map_err(|_| help())?;
        if first > last {
            return Err("the range has no seed in it".to_owned());
        }
        Ok(Self(first..=last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("1..4", Some(1..=4))]
    #[case("1..=4", Some(1..=4))]
    #[case("7..7", Some(7..=7))]
    #[case("0..18446744073709551615", Some(0..=u64::MAX))]
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
