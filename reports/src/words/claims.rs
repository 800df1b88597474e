//! The words for the ledger of claims that its renderers share.

use crate::{
    claims::{Claim, Figure, Ledger, Ruling},
    figures::{self, NONE, bytes, count, counted, duration, percent},
    layout::clean,
};

/// The mark of a ruling.
pub(crate) fn mark(ruling: Ruling) -> &'static str {
    match ruling {
        Ruling::Holds => "✔",
        Ruling::HoldsWhen => "≈",
        Ruling::DoesNotHold => "✘",
    }
}

/// The ruling on a claim, with its condition if it has one: `holds when a session
/// is short`.
pub(crate) fn ruling(claim: &Claim) -> String {
    match &claim.condition {
        Some(condition) => format!("{} {}", claim.ruling.name(), clean(condition)),
        None => claim.ruling.name().to_owned(),
    }
}

/// How many claims there are of each ruling: `3 hold, 15 hold under a condition,
/// 7 do not hold`.
pub(crate) fn tally(ledger: &Ledger) -> String {
    let number = |ruling| {
        let claims = ledger.claims.iter();
        count(claims.filter(|claim| claim.ruling == ruling).count() as u64)
    };
    format!(
        "{}: {} as they are said, {} under a condition, {} not",
        counted(ledger.claims.len() as u64, "claim"),
        number(Ruling::Holds),
        number(Ruling::HoldsWhen),
        number(Ruling::DoesNotHold),
    )
}

/// What stands above a claim's commands: `measured by 6 commands`.
pub(crate) fn measured_by(claim: &Claim) -> String {
    format!(
        "measured by {}",
        counted(claim.commands.len() as u64, "command")
    )
}

/// A figure as a person reads it. Bytes stand to the last one: they are what
/// claims are about.
pub(crate) fn figure(figure: Figure) -> String {
    match figure {
        Figure::Count(number) => count(number),
        Figure::Bytes(number) if number < 100_000 => format!("{} B", count(number)),
        Figure::Bytes(number) => bytes(number),
        Figure::BytesEach { bytes, among } => match tenths(bytes, among) {
            Some(each) => format!("{each} B"),
            None => NONE.to_owned(),
        },
        Figure::Each { count, among } => tenths(count, among).unwrap_or_else(|| NONE.to_owned()),
        Figure::Share { part, whole } => percent(part, whole),
        Figure::Time(ns) => duration(ns),
        Figure::None => NONE.to_owned(),
    }
}

/// A quotient to one decimal, without it where it is none: `34`, `34.3`.
fn tenths(sum: u64, among: u64) -> Option<String> {
    let twice = u128::from(sum) * 20;
    let tenths = (twice + u128::from(among)).checked_div(2 * u128::from(among))?;
    let whole = figures::count(u64::try_from(tenths / 10).unwrap_or(u64::MAX));
    Some(match tenths % 10 {
        0 => whole,
        tenth => format!("{whole}.{tenth}"),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Figure::BytesEach { bytes: 34_250, among: 1_000 }, "34.3 B")]
    #[case(Figure::BytesEach { bytes: 34_000, among: 1_000 }, "34 B")]
    #[case(Figure::BytesEach { bytes: 1, among: 0 }, "–")]
    #[case(Figure::Each { count: 7, among: 2 }, "3.5")]
    #[case(Figure::Bytes(65_536), "65,536 B")]
    #[case(Figure::Bytes(10_485_760), "10 MB")]
    #[case(Figure::Share { part: 1, whole: 8 }, "12.5 %")]
    fn figures_are_read_by_people(#[case] of: Figure, #[case] text: &str) {
        assert_eq!(figure(of), text);
    }
}
