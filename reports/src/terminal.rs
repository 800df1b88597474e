//! The report of a run for a person at a terminal.
//!
//! It answers four questions in order: did it hold, what arrived, what did it
//! cost, how do I see it again. The first line says what ran and the last
//! whether it held. Each section has its name in the left margin:
//!
//! ```text
//! squall 0.1.0 · Lossy cell · seed 7 · 1,001 devices, 2 sites, 1 server · 20 min in 1.4 s
//!
//! arrived     fleet        QoS  published  acknowledged   owed  delivered  lost  twice
//!             thermometer    1      8,000         8,000  8,000      8,000     0     12
//! ```

use std::time::Duration;

use crate::{
    figures::{self, percent},
    layout::{bar, clean, fit, width, wrap, wrap_command},
    model::Report,
    style::{Style, Tone},
    table::{Cell, Column, Table},
    timeline::Timeline,
    words,
};

mod checks;
mod comparison;
pub mod conformance;
mod diff;
mod explained;
mod matrix;
mod summary;
mod weather;

pub use comparison::render_comparison;
pub use conformance::render_conformance;
pub use diff::render_diff;
pub use explained::{Explained, Named, render_explained};
pub use matrix::render_matrix;
pub use summary::render_summary;

/// Columns of the left margin, which holds the sections' names.
const MARGIN: usize = 12;

/// Columns of the longest bar, and of the sparklines.
const BAR: usize = 40;
const SPARKLINE: usize = 40;

/// Columns that a sparkline leaves to its name and its scale.
const SCALE: usize = 38;

/// How long it took on the wall clock, which only the terminal shows: it is
/// not the same twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// From the start of the first run to the end of the last.
    pub wall: Duration,
}

impl Timing {
    fn text(self) -> String {
        let ns = u64::try_from(self.wall.as_nanos()).unwrap_or(u64::MAX);
        figures::duration(ns)
    }
}

/// The report of one run, ending in a newline. No line is wider than `style`
/// allows, except one that holds an argument of a command which is.
#[must_use]
pub fn render(report: &Report, style: Style, timing: Option<Timing>) -> String {
    let mut page = Page::new(style);
    page.header(&header(report, timing));
    page.section("weather", weather::lines(&report.weather, &page));
    page.section("guarantees", checks::guarantees(&report.guarantees, &page));
    page.section("expected", checks::expectations(report, &page));
    page.section("arrived", arrived(report, &page));
    page.section("latency", latency(report, &page));
    page.section("bytes", bytes(report, &page));
    let connections = words::connections(&report.connections);
    page.section("connections", page.list(Tone::Plain, &connections));
    page.section("settings", settings(report, &page));
    let notes = report.notes.iter().flat_map(|note| page.text(note));
    page.section("notes", notes.collect());
    page.section("again", wrap_command(&clean(&report.command), page.room()));
    let tone = match (report.held(), report.partial) {
        (false, _) => Tone::Bad,
        (true, true) => Tone::Strong,
        (true, false) => Tone::Good,
    };
    page.footer(tone, &words::verdict(report));
    page.text
}

/// Text with a margin on the left for the sections' names.
struct Page {
    style: Style,
    text: String,
}

impl Page {
    fn new(style: Style) -> Self {
        Self {
            style,
            text: String::new(),
        }
    }

    /// Columns right of the margin.
    fn room(&self) -> usize {
        self.style.columns() - MARGIN
    }

    fn paint(&self, tone: Tone, text: &str) -> String {
        self.style.paint(tone, text)
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// The first line, broken between its phrases if it must be.
    fn header(&mut self, phrases: &[String]) {
        for line in join(phrases, self.style.columns()) {
            let line = self.paint(Tone::Strong, &line);
            self.line(&line);
        }
    }

    /// `lines` beside the section's name; nothing if there are none.
    fn section(&mut self, name: &str, lines: Vec<String>) {
        if lines.is_empty() {
            return;
        }
        self.line("");
        for (index, line) in lines.iter().enumerate() {
            let margin = if index == 0 { name } else { "" };
            let margin = self.paint(Tone::Strong, margin) + &" ".repeat(MARGIN - width(margin));
            let line = format!("{margin}{line}");
            self.line(if line.trim().is_empty() { "" } else { &line });
        }
    }

    fn footer(&mut self, tone: Tone, verdict: &str) {
        for line in wrap(verdict, self.style.columns()) {
            let line = self.paint(tone, &line);
            self.line(&line);
        }
    }

    /// A sentence of the user's or the simulator's, wrapped.
    fn text(&self, text: &str) -> Vec<String> {
        wrap(&clean(text), self.room())
    }

    /// Phrases set apart by dots, wrapped between them.
    fn list(&self, tone: Tone, phrases: &[String]) -> Vec<String> {
        join(phrases, self.room())
            .iter()
            .map(|line| self.paint(tone, line))
            .collect()
    }

    /// `text` wrapped right of `lead`, whose `lead_width` columns may hold colour.
    fn hang(&self, lead: &str, lead_width: usize, tone: Tone, text: &str) -> Vec<String> {
        let lines = wrap(text, self.beside(lead_width));
        self.hang_lines(lead, lead_width, tone, &lines)
    }

    /// `phrases` set apart by dots, right of `lead`.
    fn hang_list(
        &self,
        lead: &str,
        lead_width: usize,
        tone: Tone,
        phrases: &[String],
    ) -> Vec<String> {
        let lines = join(phrases, self.beside(lead_width));
        self.hang_lines(lead, lead_width, tone, &lines)
    }

    fn hang_lines(
        &self,
        lead: &str,
        lead_width: usize,
        tone: Tone,
        lines: &[String],
    ) -> Vec<String> {
        lines
            .iter()
            .enumerate()
            .map(|(index, line)| {
                let line = self.paint(tone, line);
                if index == 0 {
                    format!("{lead}{line}").trim_end().to_owned()
                } else {
                    format!("{}{line}", " ".repeat(lead_width))
                }
            })
            .collect()
    }

    /// Columns right of a lead.
    fn beside(&self, lead_width: usize) -> usize {
        self.room().saturating_sub(lead_width).max(10)
    }
}

/// Phrases with a dot between two on the same line.
fn join(phrases: &[String], columns: usize) -> Vec<String> {
    const DOT: &str = " · ";
    let mut lines: Vec<String> = Vec::new();
    for phrase in phrases {
        match lines.last_mut() {
            Some(line) if width(line) + width(DOT) + width(phrase) <= columns => {
                line.push_str(DOT);
                line.push_str(phrase);
            }
            _ => lines.extend(wrap(phrase, columns)),
        }
    }
    lines
}

fn header(report: &Report, timing: Option<Timing>) -> Vec<String> {
    let extent = words::extent(report);
    let extent = match timing {
        Some(timing) => format!("{extent} in {}", timing.text()),
        None => extent,
    };
    vec![
        format!("squall {}", clean(&report.version)),
        fit(&clean(&report.title), 48),
        format!("seed {}", report.seed),
        words::size(report),
        extent,
    ]
}

fn arrived(report: &Report, page: &Page) -> Vec<String> {
    let arrived = &report.arrived;
    let mut lines = if arrived.flows.is_empty() {
        vec!["nothing was published".to_owned()]
    } else {
        words::arrived_table(arrived).terminal(page.style, page.room())
    };
    if !arrived.receivers.is_empty() {
        let lead = "received  ";
        let receivers = words::receivers(arrived);
        lines.extend(page.hang_list(lead, width(lead), Tone::Plain, &receivers));
    }
    lines
}

fn latency(report: &Report, page: &Page) -> Vec<String> {
    if report.arrived.latency.is_none() {
        return Vec::new();
    }
    let mut lines = words::latency_table(&report.arrived).terminal(page.style, page.room());
    if let Some(timeline) = Timeline::new(
        &report.latency_over_time,
        report.ended_ns,
        SPARKLINE.min(page.room() - SCALE),
    ) {
        for line in &timeline.lines {
            let drawn = page.paint(Tone::Drawn, &line.drawn);
            let lead = format!("{}  {drawn}  ", line.name);
            let lead_width = width(line.name) + width(&line.drawn) + 4;
            lines.extend(page.hang(&lead, lead_width, Tone::Dim, &line.highest));
        }
        let blank = " ".repeat(width(timeline.lines[0].name) + 2);
        lines.push(blank + &page.paint(Tone::Dim, &timeline.axis));
    }
    lines
}

fn bytes(report: &Report, page: &Page) -> Vec<String> {
    let mut lines = wrap(&words::bytes_headline(report), page.room());
    let radio = words::radio_headline(report);
    lines.extend(radio.iter().flat_map(|radio| wrap(radio, page.room())));
    let most = words::layers(report)
        .map(|layer| report.bytes.both(layer))
        .max()
        .unwrap_or(0);
    let mut table = Table::new([
        Column::text(""),
        Column::figure(""),
        Column::figure(""),
        Column::text(""),
    ]);
    for layer in words::layers(report) {
        let spent = report.bytes.both(layer);
        table.row([
            Cell::plain(layer.name()),
            Cell::plain(words::layer_cost(report, layer)),
            Cell::plain(percent(spent, report.bytes.on_wire())),
            Cell::new(Tone::Drawn, bar(spent, most, BAR.min(page.room() / 3))),
        ]);
    }
    lines.extend(table.terminal(page.style, page.room()));
    lines
}

fn settings(report: &Report, page: &Page) -> Vec<String> {
    let settings: Vec<String> = report
        .settings
        .iter()
        .map(|setting| clean(&format!("{} {}", setting.name, setting.value)))
        .collect();
    page.list(Tone::Dim, &settings)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{comparison, diff, samples};

    const WALL: Timing = Timing {
        wall: Duration::from_millis(1_437),
    };

    #[rstest]
    #[case::empty("empty", samples::empty())]
    #[case::green("green", samples::green())]
    #[case::red("red", samples::red())]
    #[case::partial("partial", samples::partial())]
    #[case::hostile("hostile", samples::hostile())]
    fn a_report(#[case] name: &str, #[case] report: Report) {
        insta::assert_snapshot!(
            format!("terminal_{name}"),
            render(&report, Style::PLAIN, Some(WALL))
        );
    }

    #[test]
    fn a_report_on_a_narrow_terminal() {
        let narrow = Style {
            color: false,
            width: 60,
        };
        insta::assert_snapshot!("terminal_red_narrow", render(&samples::red(), narrow, None));
    }

    #[test]
    fn a_summary() {
        let text = render_summary(&samples::summary(), Style::PLAIN, Some(WALL));
        insta::assert_snapshot!("terminal_summary", text);
    }

    #[rstest]
    #[case::sweep("sweep", comparison::samples::sweep())]
    #[case::grid("grid", comparison::samples::grid())]
    #[case::hostile("hostile", comparison::samples::hostile())]
    fn a_comparison(#[case] name: &str, #[case] comparison: comparison::Comparison) {
        let text = render_comparison(&comparison, Style::PLAIN, Some(WALL));
        insta::assert_snapshot!(format!("terminal_comparison_{name}"), text);
    }

    #[test]
    fn a_diff() {
        let text = render_diff(&diff::tests::sample(), Style::PLAIN);
        insta::assert_snapshot!("terminal_diff", text);
    }

    fn colored(columns: usize) -> Style {
        Style {
            color: true,
            width: columns,
        }
    }

    #[rstest]
    #[case::green("green", samples::green())]
    #[case::red("red", samples::red())]
    fn a_report_in_color(#[case] name: &str, #[case] report: Report) {
        let text = render(&report, colored(100), None).replace('\u{1b}', "␛");
        insta::assert_snapshot!(format!("terminal_{name}_color"), text);
    }

    /// `text` without its escape sequences.
    fn without_color(text: &str) -> String {
        let mut parts = text.split('\u{1b}');
        let mut plain = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (_, rest) = part.split_once('m').expect("a sequence that sets a color");
            plain.push_str(rest);
        }
        plain
    }

    #[rstest]
    fn color_only_adds(
        #[values(samples::green(), samples::red(), samples::hostile())] report: Report,
        #[values(60, 80, 100)] columns: usize,
    ) {
        let plain = Style {
            color: false,
            width: columns,
        };
        let color = render(&report, colored(columns), None);
        assert!(color.contains('\u{1b}'));
        assert_eq!(without_color(&color), render(&report, plain, None));
    }

    #[rstest]
    fn no_line_is_too_wide_or_ends_in_blanks(
        #[values(
            samples::empty(),
            samples::green(),
            samples::red(),
            samples::partial(),
            samples::hostile()
        )]
        report: Report,
        #[values(0, 60, 72, 80, 99, 100, 200)] columns: usize,
    ) {
        let style = Style {
            color: false,
            width: columns,
        };
        let summary = render_summary(&samples::summary(), style, Some(WALL));
        let comparison = render_comparison(&comparison::samples::grid(), style, Some(WALL));
        for line in render(&report, style, Some(WALL))
            .lines()
            .chain(summary.lines())
            .chain(comparison.lines())
        {
            assert!(width(line) <= style.columns(), "too wide: {line}");
            assert_eq!(line, line.trim_end());
        }
    }
}
