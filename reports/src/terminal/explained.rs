//! What a statement asks for and what is known of it, for a person at a terminal.

use crate::{
    conformance::{Case, Conclusion, Protocol, Statement},
    layout::{clean, pad_end, width, wrap},
    style::{Style, Tone},
    terminal::{Page, conformance::transcript},
};

/// Columns that the name of a check or a quirk takes at most, beside its text.
const NAMES_MAX: usize = 32;

/// A statement and all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The statement.
    pub statement: Statement,
    /// The protocol it belongs to.
    pub protocol: Protocol,
    /// Whom it binds: `client`, `server` or `both`.
    pub actor: String,
    /// How its breach is seen.
    pub observed: String,
    /// How it is put to the test.
    pub probe: String,
    /// Why no check decides it, if none is to.
    pub waived: Option<String>,
    /// The checks that decide it.
    pub checks: Vec<String>,
    /// The quirks of the reference broker that break it.
    pub quirks: Vec<Named>,
    /// Brokers that are known to break it, and what they do.
    pub brokers: Vec<Named>,
    /// Its checks, run against a broker that keeps it.
    pub cases: Vec<Case>,
}

/// A name and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// What is to be said.
    pub text: String,
}

/// The page of one statement, ending in a newline.
#[must_use]
pub fn render_explained(explained: &Explained, style: Style) -> String {
    let statement = &explained.statement;
    let mut page = Page::new(style);
    page.header(&[
        clean(&statement.id),
        explained.protocol.title().to_owned(),
        clean(&statement.section),
    ]);
    let asks = wrap(&clean(&statement.summary), page.room());
    page.section(&statement.level, asks);
    let binds = match explained.actor.as_str() {
        "both" => "client and server".to_owned(),
        actor => clean(actor),
    };
    page.section("binds", vec![binds]);
    page.section("seen", page.text(&explained.observed));
    page.section("probe", page.text(&explained.probe));
    let decided = match (&explained.waived, explained.checks.is_empty()) {
        (Some(reason), true) => page.text(&format!("by no check: {reason}")),
        (None, true) => page.text("by no check yet"),
        (_, false) => explained.checks.iter().map(|name| clean(name)).collect(),
    };
    page.section("decided", decided);
    let quirks = named(&explained.quirks, &page);
    page.section("quirks", quirks);
    let brokers = named(&explained.brokers, &page);
    page.section("brokers", brokers);
    for case in &explained.cases {
        let packets = packets(case, &page);
        page.section("packets", packets);
    }
    if !explained.checks.is_empty() && explained.protocol != Protocol::WebSocket {
        let command = format!(
            "squall conform --target sim --select {}",
            clean(&statement.id)
        );
        page.section("try", vec![command]);
    }
    page.text
}

/// Names and what is said of them, in two columns.
fn named(list: &[Named], page: &Page) -> Vec<String> {
    let widths = list.iter().map(|one| width(&clean(&one.name)));
    let names = widths.max().unwrap_or(0).min(NAMES_MAX);
    let each = |one: &Named| {
        let name = clean(&one.name);
        let lead = format!("{}  ", pad_end(&name, names));
        page.hang(&lead, width(&lead), Tone::Plain, &clean(&one.text))
    };
    list.iter().flat_map(each).collect()
}

/// What a check sends and receives when nothing is wrong.
fn packets(case: &Case, page: &Page) -> Vec<String> {
    if case.verdict != Conclusion::Pass {
        return Vec::new();
    }
    let mut lines = vec![page.paint(Tone::Dim, &clean(&case.check))];
    lines.extend(transcript(case, page.room(), page));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::samples;

    #[test]
    fn a_statement() {
        let run = samples::mosquitto();
        let named = |name: &str, text: &str| Named {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        let mut case = run.cases[3].clone();
        case.verdict = Conclusion::Pass;
        let explained = Explained {
            statement: run.statements[4].clone(),
            protocol: Protocol::Mqtt5,
            actor: "client".to_owned(),
            observed: "by a connection that is closed, or stays open".to_owned(),
            probe: "PUBLISH with property 0x0B; the broker must close the connection.".to_owned(),
            waived: None,
            checks: vec![case.check.clone()],
            quirks: vec![named(
                "takes-subscription-identifier",
                "it overlooks the identifier",
            )],
            brokers: vec![named("mosquitto", "forwards it (https://broker.example/1)")],
            cases: vec![case],
        };
        insta::assert_snapshot!(
            "terminal_explained",
            render_explained(&explained, Style::PLAIN)
        );
        let waived = Explained {
            waived: Some("Only a server can see whether a client keeps it.".to_owned()),
            checks: Vec::new(),
            cases: Vec::new(),
            ..explained
        };
        let text = render_explained(&waived, Style::PLAIN);
        assert!(text.contains("by no check: Only a server"), "{text}");
        assert!(!text.contains("--select"), "{text}");
    }
}
