//! Brokers side by side as a web page.

use serde::Serialize;

use super::{Evidence, page};
use crate::{
    conformance::{Cell, Conclusion, Conformance, Decision, Matrix, Protocol, Row, Standing},
    layout::clean,
    words::conformance as words,
};

#[derive(Serialize)]
struct Page {
    squall: String,
    decisions: Vec<Count>,
    brokers: Vec<Broker>,
    left_out: Vec<String>,
    protocols: Vec<OfProtocol>,
    opened: Vec<Evidence>,
}

/// How many statements a broker decides so.
#[derive(Serialize)]
struct Count {
    name: &'static str,
    mark: &'static str,
    meaning: &'static str,
    number: u64,
}

#[derive(Serialize)]
struct Broker {
    index: usize,
    name: String,
    version: String,
    transport: String,
    counts: Vec<Count>,
}

#[derive(Serialize)]
struct OfProtocol {
    title: &'static str,
    chapters: Vec<Chapter>,
}

#[derive(Serialize)]
struct Chapter {
    title: String,
    rows: Vec<OfStatement>,
}

#[derive(Serialize)]
struct OfStatement {
    id: String,
    section: String,
    level: String,
    summary: String,
    cells: Vec<OfBroker>,
}

#[derive(Serialize)]
struct OfBroker {
    broker: usize,
    decision: &'static str,
    mark: &'static str,
    known: bool,
    title: String,
    /// The evidence that the cell opens.
    opens: Option<String>,
}

/// The matrix as one self-contained web page.
#[must_use]
pub fn render_matrix(matrix: &Matrix) -> String {
    let rows = matrix.rows();
    let brokers = matrix.brokers.iter().enumerate();
    let brokers = brokers.map(|(index, run)| Broker {
        index,
        name: clean(&run.target),
        version: clean(&run.target_version),
        transport: clean(&run.transport),
        counts: counts(rows.iter().map(|row| row.cells[index].decision)),
    });
    let protocols = [Protocol::Mqtt311, Protocol::Mqtt5, Protocol::WebSocket];
    let protocols = protocols.map(|protocol| {
        let of_protocol: Vec<_> = rows.iter().filter(|row| row.protocol == protocol).collect();
        let chapters = of_protocol.chunk_by(|a, b| a.statement.chapter == b.statement.chapter);
        let chapters = chapters.map(|rows| Chapter {
            title: clean(&rows[0].statement.chapter),
            rows: rows.iter().map(|row| of_statement(matrix, row)).collect(),
        });
        OfProtocol {
            title: protocol.title(),
            chapters: chapters.collect(),
        }
    });
    let protocols = protocols.into_iter();
    let left_out = matrix.left_out.iter().map(words::left_out);
    let content = Page {
        squall: clean(&matrix.squall),
        decisions: counts([]),
        brokers: brokers.collect(),
        left_out: left_out.map(|told| clean(&told)).collect(),
        protocols: protocols
            .filter(|protocol| !protocol.chapters.is_empty())
            .collect(),
        opened: opened(matrix),
    };
    page("matrix.html", content)
}

fn counts(decided: impl IntoIterator<Item = Decision>) -> Vec<Count> {
    let decided: Vec<_> = decided.into_iter().collect();
    let count = |decision: Decision| {
        let (mark, meaning) = words::decision(decision);
        Count {
            name: decision.name(),
            mark,
            meaning,
            number: decided.iter().filter(|other| **other == decision).count() as u64,
        }
    };
    Decision::ALL.map(count).into_iter().collect()
}

fn of_statement(matrix: &Matrix, row: &Row<'_>) -> OfStatement {
    let cells = row.cells.iter().zip(&matrix.brokers).enumerate();
    OfStatement {
        id: clean(&row.statement.id),
        section: clean(&row.statement.section),
        level: clean(&row.statement.level),
        summary: clean(&row.statement.summary),
        cells: cells
            .map(|(index, (cell, run))| of_broker(cell, run, index))
            .collect(),
    }
}

fn of_broker(cell: &Cell<'_>, run: &Conformance, index: usize) -> OfBroker {
    let (mark, meaning) = words::decision(cell.decision);
    let worst = cell.cases.first();
    let standing = worst.map(|case| run.standing(case));
    let told = worst.map_or(String::new(), |case| words::in_short(case));
    let title = match told.as_str() {
        "" => meaning.to_owned(),
        told => format!("{}: {told}", run.target),
    };
    let place = worst.and_then(|worst| {
        let mut cases = run.cases.iter();
        let opens = !matches!(worst.verdict, Conclusion::Pass | Conclusion::Skip { .. });
        let place = cases.position(|case| std::ptr::eq(case, *worst));
        place.filter(|_| opens)
    });
    OfBroker {
        broker: index,
        decision: cell.decision.name(),
        mark,
        known: standing == Some(Standing::Known),
        title: clean(&title),
        opens: place.map(|place| id(index, place)),
    }
}

/// What links call a case of a broker.
fn id(broker: usize, case: usize) -> String {
    format!("evidence-{broker}-{case}")
}

/// What the cells open.
fn opened(matrix: &Matrix) -> Vec<Evidence> {
    let of_run = |(broker, run)| opened_of(run, broker);
    matrix.brokers.iter().enumerate().flat_map(of_run).collect()
}

fn opened_of(run: &Conformance, broker: usize) -> impl Iterator<Item = Evidence> {
    let cases = run.cases.iter().enumerate();
    let opens = cases
        .filter(|(_, case)| !matches!(case.verdict, Conclusion::Pass | Conclusion::Skip { .. }));
    opens.map(move |(place, case)| Evidence::new(run, case, id(broker, place)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::samples;

    #[test]
    fn a_matrix() {
        insta::assert_snapshot!("html_matrix", render_matrix(&samples::matrix()));
    }

    #[test]
    fn every_cell_that_opens_has_something_to_open() {
        let page = render_matrix(&samples::matrix());
        let mut opened = 0;
        for link in page.split("data-opens=\"").skip(1) {
            let id = link.split('"').next().unwrap_or_default();
            assert!(page.contains(&format!("<dialog id=\"{id}\">")), "{id}");
            opened += 1;
        }
        assert_eq!(opened, 4, "two failures, a departure and an error");
    }
}
