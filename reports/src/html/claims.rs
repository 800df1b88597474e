//! The ledger of claims as a web page.

use serde::Serialize;

use super::page;
use crate::{
    claims::{Claim, Figures, Ledger, Ruling},
    layout::clean,
    words::claims as words,
};

#[derive(Serialize)]
struct Page {
    version: String,
    tally: String,
    claims: Vec<Told>,
}

/// A claim in words.
#[derive(Serialize)]
struct Told {
    number: u8,
    said: String,
    mark: &'static str,
    ruling: String,
    class: &'static str,
    finding: String,
    figures: Vec<Tabled>,
    notes: Vec<String>,
    measured_by: String,
    commands: Vec<String>,
}

#[derive(Serialize)]
struct Tabled {
    title: String,
    heads: Vec<String>,
    rows: Vec<Case>,
}

#[derive(Serialize)]
struct Case {
    case: String,
    figures: Vec<String>,
}

/// The ledger as one self-contained web page.
#[must_use]
pub fn render_claims(ledger: &Ledger) -> String {
    let content = Page {
        version: clean(&ledger.version),
        tally: words::tally(ledger),
        claims: ledger.claims.iter().map(told).collect(),
    };
    page("claims.html", content)
}

fn told(claim: &Claim) -> Told {
    Told {
        number: claim.number,
        said: clean(&claim.said),
        mark: words::mark(claim.ruling),
        ruling: words::ruling(claim),
        class: match claim.ruling {
            Ruling::Holds => "good",
            Ruling::HoldsWhen => "non-strict",
            Ruling::DoesNotHold => "bad",
        },
        finding: clean(&claim.finding),
        figures: claim.figures.iter().map(tabled).collect(),
        notes: claim.notes.iter().map(|note| clean(note)).collect(),
        measured_by: words::measured_by(claim),
        commands: claim
            .commands
            .iter()
            .map(|command| clean(command))
            .collect(),
    }
}

fn tabled(figures: &Figures) -> Tabled {
    let rows = figures.rows.iter().map(|row| Case {
        case: clean(&row.case),
        figures: row
            .figures
            .iter()
            .map(|figure| words::figure(*figure))
            .collect(),
    });
    Tabled {
        title: clean(&figures.title),
        heads: figures.heads.iter().map(|head| clean(head)).collect(),
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::sample;

    #[test]
    fn a_ledger() {
        let page = render_claims(&sample());
        let body = page.split_once("<body>").expect("a body").1;
        insta::assert_snapshot!("html_claims", body);
    }
}
