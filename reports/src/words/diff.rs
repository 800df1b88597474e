//! The words and tables for what has changed between two reports.

use crate::{
    diff::{Change, Diff},
    figures::{count, counted, percent},
    model::Verdict,
    style::Tone,
    table::{Cell, Column, Table},
};

/// What a verdict is called.
pub(crate) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "held",
        Verdict::Violated => "violated",
        Verdict::NotApplicable => "does not apply",
        Verdict::Measured => "measured",
    }
}

/// By how much a figure has changed: `+6.4 %`; empty if it was nothing.
pub(crate) fn by(old: u64, new: u64) -> String {
    let sign = if new < old { "−" } else { "+" };
    match old {
        0 => String::new(),
        _ => format!("{sign}{}", percent(old.abs_diff(new), old)),
    }
}

/// The tolerance: `2 %`.
pub(crate) fn tolerance(diff: &Diff) -> String {
    percent(diff.tolerance_ppm, 1_000_000)
}

/// Changes, one a row.
pub(crate) fn table<'a>(changes: impl Iterator<Item = &'a Change>) -> Table {
    let changes: Vec<&Change> = changes.collect();
    let placed = changes.iter().any(|change| !change.place.is_empty());
    let place = placed.then(|| Column::text("where"));
    let columns = [
        Column::text("what"),
        Column::figure("old"),
        Column::figure("new"),
        Column::figure("change"),
    ];
    let mut table = Table::new(place.into_iter().chain(columns));
    for change in changes {
        let tone = if change.worse { Tone::Bad } else { Tone::Good };
        let place = placed.then(|| Cell::plain(&change.place));
        let cells = [
            Cell::plain(&change.what),
            Cell::plain(&change.old),
            Cell::new(tone, &change.new),
            Cell::new(tone, &change.by),
        ];
        table.row(place.into_iter().chain(cells));
    }
    table
}

/// Whether it has become worse, in one line.
pub(crate) fn conclusion(diff: &Diff) -> (Tone, String) {
    let (worse, better) = (diff.worse().count() as u64, diff.better().count() as u64);
    let same = diff.compared.saturating_sub(worse + better);
    let beyond = match diff.tolerance_ppm {
        0 => String::new(),
        _ => format!(" by more than {}", tolerance(diff)),
    };
    let text = format!(
        "{} of {} worse{beyond}, {} better, {} as before",
        count(worse),
        counted(diff.compared, "figure"),
        count(better),
        count(same)
    );
    (if worse > 0 { Tone::Bad } else { Tone::Good }, text)
}
