//! The report of a run in GitHub's Markdown, for reviews and diffs.
//!
//! The words are the terminal's; the tables hold more, down to single bytes,
//! so that a change of behaviour shows as a change of a line.

use crate::{
    escape,
    figures::count,
    layout::clean,
    model::{Guarantee, Report, Verdict, Violation, Weather},
    table::Table,
    timeline::Timeline,
    words::{self, tables},
};

mod claims;
mod comparison;
mod conformance;
mod diff;
mod matrix;
mod summary;

pub use claims::render_claims;
pub use comparison::render_comparison;
pub use conformance::render_conformance;
pub use diff::render_diff;
pub use matrix::render_matrix;
pub use summary::render_summary;

/// Columns of the sparklines.
const SPARKLINE: usize = 60;

/// The report of one run, ending in a newline.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut sections = vec![
        format!("# {}\n", escape::inline(&clean(&report.title))),
        lead(report),
        code(&clean(&report.command)),
    ];
    let mut section = |title: &str, blocks: Vec<String>| {
        if !blocks.is_empty() {
            sections.push(format!("## {title}\n"));
            sections.extend(blocks);
        }
    };
    section("Weather", weather(&report.weather));
    section("Guarantees", guarantees(&report.guarantees));
    section("Expected", expected(report));
    section("Arrived", arrived(report));
    section("Latency", latency(report));
    section("Bytes", bytes(report));
    section(
        "Connections",
        vec![list(&words::connections(&report.connections))],
    );
    section("Settings", settings(report));
    let notes: Vec<String> = report.notes.iter().map(|note| clean(note)).collect();
    section("Notes", non_empty(list(&notes)));
    // Every block ends its last line; a blank one goes between two of them.
    sections.join("\n")
}

/// The verdict, and what ran.
fn lead(report: &Report) -> String {
    format!(
        "**{}**\n\nseed {} · {} · {} · squall {}\n",
        escape::inline(&words::verdict(report)),
        report.seed,
        words::size(report),
        words::extent(report),
        escape::inline(&clean(&report.version)),
    )
}

/// A block that is shown as it stands. The fence is longer than any run of
/// backticks inside.
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}text\n{text}\n{fence}\n")
}

fn list(phrases: &[String]) -> String {
    phrases
        .iter()
        .map(|phrase| format!("- {}\n", escape::block(phrase)))
        .collect()
}

fn non_empty(block: String) -> Vec<String> {
    if block.is_empty() {
        Vec::new()
    } else {
        vec![block]
    }
}

fn weather(weather: &Weather) -> Vec<String> {
    let tables = [tables::faults(weather), tables::sites(weather)];
    tables.iter().flatten().map(Table::markdown).collect()
}

fn guarantees(guarantees: &[Guarantee]) -> Vec<String> {
    if guarantees.is_empty() {
        return Vec::new();
    }
    let table = tables::guarantees(guarantees);
    let mut blocks = vec![table.markdown()];
    for guarantee in guarantees {
        if guarantee.verdict == Verdict::Violated {
            blocks.extend(violations(guarantee));
        }
    }
    blocks
}

fn violations(guarantee: &Guarantee) -> Vec<String> {
    let mut blocks = vec![format!(
        "### ✘ {}\n",
        escape::inline(&clean(&guarantee.name))
    )];
    for (violation, number) in guarantee.violations.iter().zip(1u64..) {
        if guarantee.violations_found > 1 {
            let found = count(guarantee.violations_found);
            blocks.push(format!("**{} of {found}**\n", count(number)));
        }
        blocks.push(violation_text(violation));
        if !violation.trace.is_empty() {
            let trace: Vec<String> = violation.trace.iter().map(|event| clean(event)).collect();
            blocks.push(code(&trace.join("\n")));
        }
        if let Some(command) = &violation.command {
            blocks.push(code(&clean(command)));
        }
    }
    blocks
}

fn violation_text(violation: &Violation) -> String {
    let mut lines: Vec<String> = violation
        .text
        .iter()
        .map(|line| escape::block(&clean(line)))
        .collect();
    lines.extend(
        violation
            .statement
            .as_deref()
            .map(|statement| escape::block(&clean(statement))),
    );
    // Two blanks would break a line as well, but do not survive an editor.
    format!("{}\n", lines.join("\\\n"))
}

fn expected(report: &Report) -> Vec<String> {
    let table = tables::expectations(report);
    table.iter().map(Table::markdown).collect()
}

fn arrived(report: &Report) -> Vec<String> {
    let mut blocks = if report.arrived.flows.is_empty() {
        vec!["nothing was published\n".to_owned()]
    } else {
        vec![words::arrived_table(&report.arrived).markdown()]
    };
    let receivers = tables::receivers(&report.arrived);
    blocks.extend(receivers.iter().map(Table::markdown));
    blocks
}

fn latency(report: &Report) -> Vec<String> {
    if report.arrived.latency.is_none() {
        return Vec::new();
    }
    let mut blocks = vec![words::latency_table(&report.arrived).markdown()];
    if let Some(timeline) = Timeline::new(&report.latency_over_time, report.ended_ns, SPARKLINE) {
        let [median, maximum] = timeline
            .lines
            .map(|line| format!("{}  {}  {}", line.name, line.drawn, line.highest));
        let axis = format!("         {}", timeline.axis);
        blocks.push(code(&[median, maximum, axis].join("\n")));
    }
    blocks
}

fn bytes(report: &Report) -> Vec<String> {
    let mut blocks = vec![format!("{}\n", words::bytes_headline(report))];
    blocks.extend(words::radio_headline(report).map(|radio| format!("{radio}\n")));
    blocks.push(tables::bytes(report).markdown());
    blocks.extend(tables::fleets(report).map(|table| table.markdown()));
    blocks
}

fn settings(report: &Report) -> Vec<String> {
    let table = tables::settings(report);
    table.iter().map(Table::markdown).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{comparison, diff, samples};

    #[rstest]
    #[case::empty("empty", samples::empty())]
    #[case::green("green", samples::green())]
    #[case::red("red", samples::red())]
    #[case::partial("partial", samples::partial())]
    #[case::hostile("hostile", samples::hostile())]
    fn a_report(#[case] name: &str, #[case] report: Report) {
        insta::assert_snapshot!(format!("markdown_{name}"), render(&report));
    }

    #[test]
    fn a_diff() {
        let text = render_diff(&diff::tests::sample());
        insta::assert_snapshot!("markdown_diff", text);
    }

    #[test]
    fn a_summary() {
        let text = render_summary(&samples::summary());
        insta::assert_snapshot!("markdown_summary", text);
    }

    #[rstest]
    #[case::sweep("sweep", comparison::samples::sweep())]
    #[case::grid("grid", comparison::samples::grid())]
    #[case::hostile("hostile", comparison::samples::hostile())]
    fn a_comparison(#[case] name: &str, #[case] comparison: comparison::Comparison) {
        let text = render_comparison(&comparison);
        insta::assert_snapshot!(format!("markdown_comparison_{name}"), text);
    }
}
