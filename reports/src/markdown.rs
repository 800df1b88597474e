//! The report of a run in GitHub's Markdown, for reviews and diffs.
//!
//! The words are the terminal's; the tables hold more, down to single bytes,
//! so that a change of behaviour shows as a change of a line.

use crate::{
    escape,
    figures::{NONE, count, percent},
    layout::clean,
    model::{Guarantee, PacketCounts, Report, Verdict, Violation, Weather},
    style::Tone,
    table::{Cell, Column, Table},
    timeline::Timeline,
    words,
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
    let mut blocks = Vec::new();
    if !weather.faults.is_empty() {
        let mut table = Table::new(["fault", "target", "when", "effect"].map(Column::text));
        for fault in words::faults(&weather.faults) {
            table.row([
                Cell::plain(fault.kind),
                Cell::plain(fault.target),
                Cell::plain(fault.when),
                Cell::plain(fault.effect),
            ]);
        }
        blocks.push(table.markdown());
    }
    if !weather.sites.is_empty() {
        let mut table = Table::new([
            Column::text("site"),
            Column::text("link"),
            Column::text("direction"),
            Column::figure("packets"),
            Column::figure("lost"),
            Column::figure("share"),
            Column::text("why"),
            Column::figure("duplicated"),
            Column::figure("reordered"),
        ]);
        for site in &weather.sites {
            let mut row = |name: &str, link: &str, direction: &str, packets: &PacketCounts| {
                let lost = packets.lost_total();
                table.row([
                    Cell::plain(name),
                    Cell::plain(link),
                    Cell::plain(direction),
                    Cell::plain(count(packets.sent)),
                    Cell::plain(count(lost)),
                    Cell::plain(percent(lost, packets.sent)),
                    Cell::plain(words::causes(packets).join(", ")),
                    Cell::plain(count(packets.duplicated)),
                    Cell::plain(count(packets.reordered)),
                ]);
            };
            row(&site.site, &site.link, "up", &site.up);
            row("", "", "down", &site.down);
        }
        blocks.push(table.markdown());
    }
    blocks
}

fn guarantees(guarantees: &[Guarantee]) -> Vec<String> {
    if guarantees.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(["", "guarantee", "evidence", "statement"].map(Column::text));
    for guarantee in guarantees {
        let (mark, tone) = words::mark(guarantee.verdict);
        table.row([
            Cell::new(tone, mark),
            Cell::plain(&guarantee.name),
            Cell::plain(&guarantee.summary),
            Cell::plain(guarantee.statement.as_deref().unwrap_or_default()),
        ]);
    }
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
    if report.expectations.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(["", "expectation", "actual", "bound"].map(Column::text));
    for expectation in &report.expectations {
        let (mark, tone) = words::mark(report.expectation_verdict(expectation));
        table.row([
            Cell::new(tone, mark),
            Cell::plain(&expectation.name),
            Cell::plain(&expectation.actual),
            Cell::plain(&expectation.bound),
        ]);
    }
    vec![table.markdown()]
}

fn arrived(report: &Report) -> Vec<String> {
    let mut blocks = if report.arrived.flows.is_empty() {
        vec!["nothing was published\n".to_owned()]
    } else {
        vec![words::arrived_table(&report.arrived).markdown()]
    };
    if !report.arrived.receivers.is_empty() {
        let mut table = Table::new([
            Column::text("subscribing fleet"),
            Column::figure("received"),
            Column::figure("retained"),
            Column::figure("repeated"),
        ]);
        for receiver in &report.arrived.receivers {
            table.row([
                Cell::plain(&receiver.fleet),
                Cell::plain(count(receiver.received)),
                Cell::plain(count(receiver.retained)),
                Cell::plain(count(receiver.duplicated)),
            ]);
        }
        blocks.push(table.markdown());
    }
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
    let bytes = &report.bytes;
    let mut table = Table::new([
        Column::text("layer"),
        Column::figure("up, B"),
        Column::figure("down, B"),
        Column::figure("both, B"),
        Column::figure("per delivered reading"),
        Column::figure("share"),
        Column::text("what it is"),
    ]);
    for layer in words::layers(report) {
        let per_reading = match report.arrived.total.delivered {
            0 => NONE.to_owned(),
            _ => words::layer_cost(report, layer),
        };
        table.row([
            Cell::plain(layer.name()),
            Cell::plain(count(bytes.up[layer])),
            Cell::plain(count(bytes.down[layer])),
            Cell::plain(count(bytes.both(layer))),
            Cell::plain(per_reading),
            Cell::plain(percent(bytes.both(layer), bytes.on_wire())),
            Cell::plain(words::layer_explanation(report, layer)),
        ]);
    }
    let per_reading = report.bytes_per_reading();
    table.row([
        Cell::new(Tone::Strong, "on the wire"),
        Cell::plain(count(bytes.on_wire_up)),
        Cell::plain(count(bytes.on_wire_down)),
        Cell::plain(count(bytes.on_wire())),
        Cell::plain(per_reading.map_or(NONE.to_owned(), |each| format!("{} B", count(each)))),
        Cell::plain(percent(bytes.on_wire(), bytes.on_wire())),
        Cell::plain(format!(
            "{} packets up, {} down",
            count(bytes.packets_up),
            count(bytes.packets_down)
        )),
    ]);
    vec![
        format!("{}\n", words::bytes_headline(report)),
        table.markdown(),
    ]
}

fn settings(report: &Report) -> Vec<String> {
    if report.settings.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(["setting", "value"].map(Column::text));
    for setting in &report.settings {
        table.row([Cell::plain(&setting.name), Cell::plain(&setting.value)]);
    }
    vec![table.markdown()]
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
