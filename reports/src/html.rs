//! Runs, comparisons, conformance runs and the ledger of claims as web pages: one
//! file each, with nothing to fetch.
//!
//! A page is readable without its script, which only filters, zooms and draws
//! what stands in tables already. The templates are
//! in `html/`; what they are filled with is escaped by the template engine.

use minijinja::{AutoEscape, Environment};
use serde::Serialize;

use crate::{
    conformance::{Case, Conformance, Standing, Statement, Tally},
    layout::clean,
    words::conformance as words,
};

mod chart;
mod claims;
mod comparison;
mod conformance;
mod matrix;
mod run;

pub use claims::render_claims;
pub use comparison::render_comparison;
pub use conformance::render_conformance;
pub use matrix::render_matrix;
pub use run::render_run;

/// How every page looks: colours in both themes, type, tables.
pub const STYLE: &str = include_str!("html/style.css");

/// The templates and what they include, by name.
const TEMPLATES: [(&str, &str); 11] = [
    ("comparison.html", include_str!("html/comparison.html")),
    ("run.html", include_str!("html/run.html")),
    ("table.html", include_str!("html/table.html")),
    ("claims.html", include_str!("html/claims.html")),
    ("conformance.html", include_str!("html/conformance.html")),
    ("matrix.html", include_str!("html/matrix.html")),
    ("evidence.html", include_str!("html/evidence.html")),
    ("style.css", STYLE),
    ("filter.js", include_str!("html/filter.js")),
    ("timeline.js", include_str!("html/timeline.js")),
    ("sequence.js", include_str!("html/sequence.js")),
];

/// A page of the template of this name.
fn page(template: &str, content: impl Serialize) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|name| match name.ends_with(".html") {
        true => AutoEscape::Html,
        false => AutoEscape::None,
    });
    let rendered = TEMPLATES
        .into_iter()
        .try_for_each(|(name, text)| environment.add_template(name, text))
        .and_then(|()| environment.get_template(template))
        .and_then(|template| template.render(content));
    match rendered {
        Ok(mut page) => {
            page.push('\n');
            page
        }
        Err(error) => panic!("the templates are part of the program and tested: {error:#}"),
    }
}

/// A case with all that is known of it.
#[derive(Serialize)]
struct Evidence {
    /// What links call it.
    id: String,
    /// The broker and its version.
    broker: String,
    protocol: &'static str,
    name: String,
    standing: &'static str,
    mark: &'static str,
    short: String,
    statements: Vec<Told>,
    findings: Vec<Named>,
    steps: Vec<Packet>,
    again: String,
    /// Where a known failure is told, if that is a web address.
    link: Option<String>,
}

/// A statement.
#[derive(Serialize)]
struct Told {
    id: String,
    level: String,
    section: String,
    summary: String,
}

impl From<&Statement> for Told {
    fn from(statement: &Statement) -> Self {
        Self {
            id: clean(&statement.id),
            level: clean(&statement.level),
            section: clean(&statement.section),
            summary: clean(&statement.summary),
        }
    }
}

/// A text and what it is.
#[derive(Serialize)]
struct Named {
    name: String,
    text: String,
}

/// A step of a transcript.
#[derive(Serialize)]
struct Packet {
    at: String,
    client: String,
    arrow: &'static str,
    says: String,
    hex: String,
}

/// How many cases stand somewhere.
#[derive(Serialize)]
struct Count {
    name: &'static str,
    mark: &'static str,
    number: u64,
}

impl Evidence {
    fn new(run: &Conformance, case: &Case, id: String) -> Self {
        let standing = run.standing(case);
        let findings = words::findings(case).into_iter();
        let findings = findings.map(|(name, text)| Named {
            name: name.to_owned(),
            text: clean(&text),
        });
        let steps = match standing {
            // What nobody doubts needs no evidence, and most cases pass.
            Standing::Pass | Standing::Skip => Vec::new(),
            _ => words::steps(&case.transcript),
        };
        let steps = steps.into_iter().map(|step| Packet {
            at: step.at,
            client: clean(&step.client),
            arrow: step.arrow,
            says: clean(&step.says),
            hex: clean(&step.hex),
        });
        let link = case.expected.as_ref().map(|known| clean(&known.link));
        let web = |link: &String| link.starts_with("https://") || link.starts_with("http://");
        Self {
            id,
            broker: clean(&words::tested(run)),
            protocol: case.protocol.title(),
            name: clean(&case.check),
            standing: standing.name(),
            mark: words::standing_mark(standing).0,
            short: clean(&words::in_short(case)),
            statements: run.concerns(case).map(Told::from).collect(),
            findings: findings.collect(),
            steps: steps.collect(),
            again: clean(&run.again(case)),
            link: link.filter(web),
        }
    }
}

/// How many cases stand where; only where there are any.
fn counts(tally: &Tally) -> Vec<Count> {
    let standings = Standing::ALL.into_iter();
    standings
        .map(|standing| Count {
            name: standing.name(),
            mark: words::standing_mark(standing).0,
            number: tally.count(standing),
        })
        .filter(|count| count.number > 0)
        .collect()
}
