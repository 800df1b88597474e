//! Brokers side by side: what each makes of each statement.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CONFORMANCE_FORMAT, Case, Conclusion, Conformance, Protocol, Statement};

/// Many brokers, each with its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    /// Version of this format, [`CONFORMANCE_FORMAT`].
    pub format: u32,
    /// The version of Squall that ran the checks.
    pub squall: String,
    /// One run of each broker, in the order of the columns, with the transcripts of
    /// what needs evidence.
    pub brokers: Vec<Conformance>,
    /// Brokers that are here and not among them.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
}

/// A broker that is not set beside the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Which.
    pub target: String,
    /// Its version as it tells it.
    pub target_version: String,
    /// What about it says nothing beside the others.
    pub why: String,
}

/// What a broker makes of a statement: the worst of what the checks that decide
/// it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// No check that ran decides it: none was selected, or the one that does
    /// failed over another statement first.
    Open,
    /// The broker lacks what it is about.
    Skip,
    /// It is kept.
    Pass,
    /// It is kept, and not as it should be.
    NonStrict,
    /// The connection or the harness failed.
    Error,
    /// It is broken.
    Fail,
}

impl Decision {
    /// Every decision, in the order in which a legend explains them.
    pub const ALL: [Self; 6] = [
        Self::Pass,
        Self::NonStrict,
        Self::Fail,
        Self::Skip,
        Self::Error,
        Self::Open,
    ];

    /// Its name: `open`, `skip`, `pass`, `non-strict`, `error` or `fail`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Skip => "skip",
            Self::Pass => "pass",
            Self::NonStrict => "non-strict",
            Self::Error => "error",
            Self::Fail => "fail",
        }
    }
}

/// A statement and what each broker makes of it.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// The protocol it belongs to.
    pub protocol: Protocol,
    /// The statement.
    pub statement: &'a Statement,
    /// One cell for each broker.
    pub cells: Vec<Cell<'a>>,
}

/// What one broker makes of one statement.
#[derive(Clone, Debug)]
pub struct Cell<'a> {
    /// In one word.
    pub decision: Decision,
    /// The cases that it rests on, the worst first; empty if it is open.
    pub cases: Vec<&'a Case>,
}

impl Matrix {
    /// These brokers, side by side. Nobody asks for the packets of a check that
    /// passed or did not apply, which most do: they are not kept.
    #[must_use]
    pub fn new(squall: &str, mut brokers: Vec<Conformance>, left_out: Vec<LeftOut>) -> Self {
        for case in brokers.iter_mut().flat_map(|run| &mut run.cases) {
            if matches!(case.verdict, Conclusion::Pass | Conclusion::Skip { .. }) {
                case.transcript.clear();
            }
        }
        Self {
            format: CONFORMANCE_FORMAT,
            squall: squall.to_owned(),
            brokers,
            left_out,
        }
    }

    /// One row for each statement that some run decides, in the order of the
    /// specifications.
    #[must_use]
    pub fn rows(&self) -> Vec<Row<'_>> {
        let mut rows: Vec<Row<'_>> = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for run in &self.brokers {
            // Of a statement that this run has and those before it have not,
            // the place is after the one it follows here.
            let mut after = 0;
            for statement in &run.statements {
                match places.get(statement.id.as_str()) {
                    Some(&place) => after = place + 1,
                    None => {
                        for place in places.values_mut().filter(|place| **place >= after) {
                            *place += 1;
                        }
                        places.insert(&statement.id, after);
                        let row = Row {
                            protocol: self.protocol_of(&statement.id),
                            statement,
                            cells: Vec::new(),
                        };
                        rows.insert(after, row);
                        after += 1;
                    }
                }
            }
        }
        for row in &mut rows {
            let cells = self.brokers.iter();
            row.cells = cells.map(|run| cell(run, &row.statement.id)).collect();
        }
        rows
    }

    fn protocol_of(&self, id: &str) -> Protocol {
        let mut cases = self.brokers.iter().flat_map(|run| &run.cases);
        let deciding = cases.find(|case| case.statements.iter().any(|decided| decided == id));
        deciding.map_or(Protocol::WebSocket, |case| case.protocol)
    }
}

/// What a run says of a statement.
fn cell<'a>(run: &'a Conformance, id: &str) -> Cell<'a> {
    let decided = |case: &&'a Case| case.statements.iter().any(|decided| decided == id);
    let mut cases: Vec<_> = run.cases.iter().filter(decided).collect();
    cases.retain(|case| decision(case, id) != Decision::Open);
    cases.sort_by_key(|case| std::cmp::Reverse(decision(case, id)));
    Cell {
        decision: cases
            .first()
            .map_or(Decision::Open, |case| decision(case, id)),
        cases,
    }
}

/// What a case says of one of its statements.
fn decision(case: &Case, id: &str) -> Decision {
    match &case.verdict {
        Conclusion::Pass => Decision::Pass,
        Conclusion::NonStrict { .. } => Decision::NonStrict,
        Conclusion::Skip { .. } => Decision::Skip,
        Conclusion::Error { .. } => Decision::Error,
        Conclusion::Fail { broken, .. } if broken.iter().any(|broken| broken == id) => {
            Decision::Fail
        }
        Conclusion::Fail { .. } => Decision::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::samples;

    fn decisions(matrix: &Matrix) -> Vec<(String, Vec<Decision>)> {
        let row = |row: Row<'_>| {
            let cells = row.cells.iter().map(|cell| cell.decision);
            (row.statement.id.clone(), cells.collect())
        };
        matrix.rows().into_iter().map(row).collect()
    }

    #[test]
    fn a_failure_counts_for_the_statements_it_names() {
        let mut matrix = samples::matrix();
        let two = |decisions: &[(String, Vec<Decision>)], id: &str| {
            let row = decisions.iter().find(|(row, _)| row == id);
            row.expect("a row").1[0]
        };
        let before = decisions(&matrix);
        assert_eq!(two(&before, "MQTT5-3.3.4-6"), Decision::Fail);
        assert_eq!(two(&before, "MQTT5-3.3.1-4"), Decision::Pass);
        // The check also decides this one, and did not come to it.
        let broker = &mut matrix.brokers[0];
        let fails = broker.cases.iter_mut().find(|case| {
            matches!(case.verdict, Conclusion::Fail { .. }) && case.protocol == Protocol::Mqtt5
        });
        let fails = fails.expect("a failing case");
        fails.statements.push("MQTT5-3.1.2-3".to_owned());
        broker
            .cases
            .retain(|case| case.check != "connect-reserved-flag");
        assert_eq!(two(&decisions(&matrix), "MQTT5-3.1.2-3"), Decision::Open);
    }

    #[test]
    fn the_packets_of_what_needs_no_evidence_are_not_kept() {
        let run = samples::mosquitto();
        let kept = |run: &Conformance, wanted: fn(&Conclusion) -> bool| {
            let cases = run.cases.iter().filter(|case| wanted(&case.verdict));
            cases.filter(|case| !case.transcript.is_empty()).count()
        };
        let mut seen = run.clone();
        for case in &mut seen.cases {
            case.transcript = run.cases[3].transcript.clone();
        }
        let matrix = Matrix::new("", vec![seen], Vec::new());
        let needless = |verdict: &_| matches!(verdict, Conclusion::Pass | Conclusion::Skip { .. });
        let run = &matrix.brokers[0];
        assert_eq!(kept(run, needless), 0);
        assert_eq!(
            kept(run, |_| true),
            4,
            "two failures, a departure and an error"
        );
    }

    #[test]
    fn statements_that_only_one_run_has_stand_where_the_specification_has_them() {
        let mut matrix = samples::matrix();
        let all: Vec<_> = decisions(&matrix).into_iter().map(|row| row.0).collect();
        matrix.brokers[0].statements.remove(2);
        matrix.brokers[1].statements.pop();
        let merged: Vec<_> = decisions(&matrix).into_iter().map(|row| row.0).collect();
        assert_eq!(merged, all);
    }
}
