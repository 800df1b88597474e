//! What the network did, for a person at a terminal: a row for each fault and
//! each site.

use crate::{
    layout::{clean, pad_end, width},
    model::Weather,
    style::Tone,
    terminal::Page,
    words,
};

/// Columns an effect needs beside what caused it, or it goes below.
const EFFECT_MIN: usize = 36;

struct Row {
    when: String,
    what: String,
    effect: String,
    details: Vec<String>,
}

pub(super) fn lines(weather: &Weather, page: &Page) -> Vec<String> {
    let rows = rows(weather);
    let widest = |text: fn(&Row) -> &str| rows.iter().map(|row| width(text(row))).max();
    let when = widest(|row| &row.when).unwrap_or(0);
    let beside = page.room().saturating_sub(when + 4 + EFFECT_MIN);
    let what = rows.iter().map(|row| width(&row.what));
    let what = what.filter(|&what| what <= beside).max().unwrap_or(0);
    rows.iter()
        .flat_map(|row| row_lines(row, when, what, page))
        .collect()
}

/// The faults in their order, then the sites.
fn rows(weather: &Weather) -> Vec<Row> {
    let faults = words::faults(&weather.faults).into_iter().map(|row| Row {
        when: row.when,
        what: clean(&format!("{} {}", row.kind, row.target)),
        effect: clean(&row.effect),
        details: Vec::new(),
    });
    let sites = weather.sites.iter().map(|site| {
        let (effect, details) = words::link_effect(site);
        Row {
            when: "whole run".to_owned(),
            what: clean(&format!("{}: {}", site.site, site.link)),
            effect,
            details,
        }
    });
    faults.chain(sites).collect()
}

/// One row; a `what` too wide for its column has the effect below it.
fn row_lines(row: &Row, when: usize, what: usize, page: &Page) -> Vec<String> {
    let lead = format!("{}  ", pad_end(&row.when, when));
    let stacked = width(&row.what) > what;
    let indent = if stacked { when + 4 } else { when + what + 4 };
    let mut lines = Vec::new();
    if stacked {
        lines.extend(page.hang(&lead, when + 2, Tone::Plain, &row.what));
    } else {
        let lead = format!("{lead}{}  ", pad_end(&row.what, what));
        lines.extend(page.hang(&lead, indent, Tone::Plain, &row.effect));
    }
    let blank = " ".repeat(indent);
    if stacked && !row.effect.is_empty() {
        lines.extend(page.hang(&blank, indent, Tone::Plain, &row.effect));
    }
    if !row.details.is_empty() {
        lines.extend(page.hang_list(&blank, indent, Tone::Dim, &row.details));
    }
    lines
}
