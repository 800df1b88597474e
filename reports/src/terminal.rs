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
    layout::{bar, clean, fit, pad_end, width, wrap, wrap_command},
    model::{Expectation, Guarantee, Report, Verdict, Violation, Weather},
    style::{Style, Tone},
    table::{Cell, Column, Table},
    timeline::Timeline,
    words,
};

mod summary;

pub use summary::render_summary;

/// Columns of the left margin, which holds the sections' names.
const MARGIN: usize = 12;

/// Violations of one guarantee that are printed in full.
const VIOLATIONS_SHOWN: usize = 3;

/// Columns of the longest bar, and of the sparklines.
const BAR: usize = 40;
const SPARKLINE: usize = 40;

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
    page.section("weather", weather(&report.weather, &page));
    page.section("guarantees", guarantees(&report.guarantees, &page));
    page.section("expected", expectations(&report.expectations, &page));
    page.section("arrived", arrived(report, &page));
    page.section("latency", latency(report, &page));
    page.section("bytes", bytes(report, &page));
    let connections = words::connections(&report.connections);
    page.section("connections", page.list(Tone::Plain, &connections));
    page.section("settings", settings(report, &page));
    let notes = report.notes.iter().flat_map(|note| page.text(note));
    page.section("notes", notes.collect());
    page.section("again", wrap_command(&clean(&report.command), page.room()));
    let tone = if report.held() { Tone::Good } else { Tone::Bad };
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
        let room = self.room().saturating_sub(lead_width).max(20);
        wrap(text, room)
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

fn weather(weather: &Weather, page: &Page) -> Vec<String> {
    struct Row {
        when: String,
        what: String,
        effect: String,
        details: Vec<String>,
    }
    let faults = weather.faults.iter().map(|fault| Row {
        when: words::when(fault),
        what: clean(&format!("{} {}", fault.kind, fault.target)),
        effect: clean(&fault.effect),
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
    let rows: Vec<Row> = faults.chain(sites).collect();
    let widest = |text: fn(&Row) -> &str, most: usize| {
        let widths = rows.iter().map(|row| width(text(row)));
        widths.max().unwrap_or(0).min(most)
    };
    let (when, what) = (
        widest(|row| &row.when, 30),
        widest(|row| &row.what, page.room() / 3),
    );
    rows.iter()
        .flat_map(|row| {
            // A description that is too long gets a line of its own.
            let overlong = width(&row.what) > what;
            let lead = format!(
                "{}  {}  ",
                pad_end(&row.when, when),
                pad_end(&row.what, what)
            );
            let lead_width = when + what + 4;
            let mut lines = if overlong {
                let when = format!("{}  ", pad_end(&row.when, when));
                let mut lines = page.hang(&when, width(&when), Tone::Plain, &row.what);
                lines.extend(page.hang(
                    &" ".repeat(lead_width),
                    lead_width,
                    Tone::Plain,
                    &row.effect,
                ));
                lines
            } else {
                page.hang(&lead, lead_width, Tone::Plain, &row.effect)
            };
            if !row.details.is_empty() {
                let blank = " ".repeat(lead_width);
                lines.extend(page.hang(&blank, lead_width, Tone::Dim, &row.details.join(" · ")));
            }
            lines
        })
        .collect()
}

fn guarantees(guarantees: &[Guarantee], page: &Page) -> Vec<String> {
    let names = guarantees.iter().map(|guarantee| width(&guarantee.name));
    let name_width = names.max().unwrap_or(0).min(28);
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
        Verdict::Held | Verdict::Violated => Tone::Plain,
    };
    let mut lines = page.hang(&lead, lead_width, text_tone, &clean(&guarantee.summary));
    if guarantee.verdict != Verdict::Violated {
        return lines;
    }
    if let Some(statement) = &guarantee.statement {
        let blank = " ".repeat(lead_width);
        lines.extend(page.hang(&blank, lead_width, Tone::Dim, &clean(statement)));
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

fn violation_lines(violation: &Violation, page: &Page) -> Vec<String> {
    let mut lines = Vec::new();
    let mut block = |indent: usize, tone, text: &str| {
        lines.extend(page.hang(&" ".repeat(indent), indent, tone, &clean(text)));
    };
    for text in &violation.text {
        block(4, Tone::Plain, text);
    }
    if let Some(statement) = &violation.statement {
        block(4, Tone::Dim, statement);
    }
    for event in &violation.trace {
        block(6, Tone::Dim, event);
    }
    if let Some(command) = &violation.command {
        let command = wrap_command(&clean(command), page.room() - 4);
        lines.extend(command.iter().map(|line| format!("    {line}")));
    }
    lines
}

fn expectations(expectations: &[Expectation], page: &Page) -> Vec<String> {
    let widest = |text: fn(&Expectation) -> &str, most: usize| {
        let widths = expectations
            .iter()
            .map(|expectation| width(text(expectation)));
        widths.max().unwrap_or(0).min(most)
    };
    let (name, actual) = (
        widest(|expectation| &expectation.name, 28),
        widest(|expectation| &expectation.actual, 28),
    );
    expectations
        .iter()
        .flat_map(|expectation| {
            let (mark, tone) = words::held_mark(expectation.held);
            let lead = format!(
                "{} {}  ",
                page.paint(tone, mark),
                pad_end(&fit(&clean(&expectation.name), name), name)
            );
            let text = format!(
                "{}  bound {}",
                pad_end(&clean(&expectation.actual), actual),
                clean(&expectation.bound)
            );
            page.hang(&lead, name + 4, Tone::Plain, &text)
        })
        .collect()
}

fn arrived(report: &Report, page: &Page) -> Vec<String> {
    let arrived = &report.arrived;
    let mut lines = if arrived.flows.is_empty() {
        vec!["nothing was published".to_owned()]
    } else {
        words::arrived_table(arrived).terminal(page.style, page.room())
    };
    let receivers = words::receivers(arrived);
    if !receivers.is_empty() {
        let mut phrases = vec!["received".to_owned()];
        phrases.extend(receivers);
        lines.extend(page.list(Tone::Plain, &phrases));
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
        SPARKLINE.min(page.room() / 2),
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
