//! What had to hold, for a person at a terminal: guarantees with what
//! contradicts them, and expectations.

use crate::{
    figures,
    layout::{clean, fit, pad_end, width, wrap_command},
    model::{Expectation, Guarantee, Report, Verdict, Violation},
    style::Tone,
    terminal::Page,
    words,
};

/// Violations of one guarantee that are printed in full.
const VIOLATIONS_SHOWN: usize = 3;

pub(super) fn guarantees(guarantees: &[Guarantee], page: &Page) -> Vec<String> {
    let names = guarantees
        .iter()
        .map(|guarantee| width(&clean(&guarantee.name)));
    let name_width = names.max().unwrap_or(0).min(page.room() / 3);
    guarantees
        .iter()
        .flat_map(|guarantee| guarantee_lines(guarantee, name_width, page))
        .collect()
}

fn guarantee_lines(guarantee: &Guarantee, name_width: usize, page: &Page) -> Vec<String> {
    let (mark, tone) = words::mark(guarantee.verdict);
    let name = pad_end(&fit(&clean(&guarantee.name), name_width), name_width);
    let lead = format!("{} {name}  ", page.paint(tone, mark));
    let lead_width = 2 + name_width + 2;
    let text_tone = match guarantee.verdict {
        Verdict::NotApplicable => Tone::Dim,
        Verdict::Held | Verdict::Violated | Verdict::Measured => Tone::Plain,
    };
    let mut lines = page.hang(&lead, lead_width, text_tone, &clean(&guarantee.summary));
    if guarantee.verdict != Verdict::Violated {
        return lines;
    }
    if let Some(statement) = &guarantee.statement {
        let statement = clean(statement);
        let taken = lead_width + width(&clean(&guarantee.summary));
        match page.room().checked_sub(taken + 2 + width(&statement)) {
            // At the right edge of the same line, where there is room.
            Some(space) => {
                let statement = page.paint(Tone::Dim, &statement);
                lines[0].push_str(&format!("{}{statement}", " ".repeat(space + 2)));
            }
            None => {
                let blank = " ".repeat(lead_width);
                lines.extend(page.hang(&blank, lead_width, Tone::Dim, &statement));
            }
        }
    }
    for violation in guarantee.violations.iter().take(VIOLATIONS_SHOWN) {
        lines.extend(violation_lines(violation, page));
    }
    let shown = guarantee.violations.len().min(VIOLATIONS_SHOWN) as u64;
    let more = guarantee.violations_found.saturating_sub(shown);
    if more > 0 && shown > 0 {
        let text = format!("    and {} more", figures::count(more));
        lines.push(page.paint(Tone::Dim, &text));
    }
    lines
}

/// One violation, marked off from the one before by a bullet.
fn violation_lines(violation: &Violation, page: &Page) -> Vec<String> {
    let mut lines = Vec::new();
    let mut block = |lead: &str, tone, text: &str| {
        lines.extend(page.hang(lead, width(lead), tone, &clean(text)));
    };
    for (index, text) in violation.text.iter().enumerate() {
        block(if index == 0 { "  • " } else { "    " }, Tone::Plain, text);
    }
    if let Some(statement) = &violation.statement {
        block("    ", Tone::Dim, statement);
    }
    for event in &violation.trace {
        block("      ", Tone::Dim, event);
    }
    if let Some(command) = &violation.command {
        let command = wrap_command(&clean(command), page.room() - 4);
        lines.extend(command.iter().map(|line| format!("    {line}")));
    }
    lines
}

pub(super) fn expectations(report: &Report, page: &Page) -> Vec<String> {
    let expectations = &report.expectations;
    let widths = |text: fn(&Expectation) -> &str| {
        expectations
            .iter()
            .map(move |expectation| width(&clean(text(expectation))))
    };
    let names = widths(|expectation| &expectation.name);
    let name_width = names.max().unwrap_or(0).min(page.room() / 3);
    // A long text must not push all bounds to the right.
    let actuals = widths(|expectation| &expectation.actual);
    let actuals = actuals.filter(|&width| width <= page.room() / 5);
    let actual_width = actuals.max().unwrap_or(0);
    expectations
        .iter()
        .flat_map(|expectation| {
            let (mark, tone) = words::mark(report.expectation_verdict(expectation));
            let name = fit(&clean(&expectation.name), name_width);
            let lead = format!(
                "{} {}  ",
                page.paint(tone, mark),
                pad_end(&name, name_width)
            );
            let lead_width = 2 + name_width + 2;
            let actual = clean(&expectation.actual);
            let bound = format!("bound {}", clean(&expectation.bound));
            let line = format!("{}  {bound}", pad_end(&actual, actual_width));
            if width(&line) <= page.beside(lead_width) {
                return page.hang(&lead, lead_width, Tone::Plain, &line);
            }
            let blank = " ".repeat(lead_width);
            let mut lines = page.hang(&lead, lead_width, Tone::Plain, &actual);
            lines.extend(page.hang(&blank, lead_width, Tone::Plain, &bound));
            lines
        })
        .collect()
}
