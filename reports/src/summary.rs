//! The outcome of many runs: several seeds, several scenarios, or both.

use serde::{Deserialize, Serialize};

use crate::model::{FORMAT, Report, Verdict, Violation};

/// What many runs found, in few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of this format, [`FORMAT`].
    pub format: u32,
    /// The version of Squall that ran the scenarios.
    pub version: String,
    /// How many runs were asked for; more than `runs` holds if interrupted.
    pub planned: u64,
    /// What went wrong, the same thing once; scenarios and names in order of
    /// their first appearance.
    pub groups: Vec<Group>,
    /// The runs, ordered by scenario as given, then by seed.
    pub runs: Vec<Run>,
}

/// One run, reduced to its checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Path of the scenario file, as given on the command line.
    pub scenario: String,
    /// The scenario's title; the path again if the scenario could not be read.
    pub title: String,
    /// The seed.
    pub seed: u64,
    /// The one command that runs this again.
    pub command: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why the harness could not finish the run, for [`Outcome::Error`].
    pub error: Option<String>,
    /// Guarantees and expectations with their verdicts; empty after an error.
    pub checks: Vec<Check>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every check held.
    Held,
    /// At least one check was violated.
    Violated,
    /// The run was interrupted, and nothing was violated up to then.
    Partial,
    /// The harness or its environment failed: says nothing about the broker.
    Error,
}

/// One guarantee or expectation of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Which of the two it is.
    pub kind: CheckKind,
    /// Its name.
    pub name: String,
    /// Whether it was kept.
    pub verdict: Verdict,
    /// One line of evidence.
    pub summary: String,
    /// What contradicts it, line by line; empty unless violated.
    pub details: Vec<String>,
}

/// What a check stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// A guarantee of the protocol.
    Guarantee,
    /// A bound the scenario states.
    Expectation,
}

/// The runs that failed in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Path of the scenario.
    pub scenario: String,
    /// The check that was violated, or `harness error`.
    pub name: String,
    /// The evidence at the smallest seed.
    pub summary: String,
    /// The seeds, ascending. The first is the smallest.
    pub seeds: Vec<u64>,
    /// The command that runs the smallest seed again.
    pub command: String,
}

impl From<&Report> for Run {
    fn from(report: &Report) -> Self {
        let outcome = match (report.held(), report.partial) {
            (false, _) => Outcome::Violated,
            (true, true) => Outcome::Partial,
            (true, false) => Outcome::Held,
        };
        let guarantees = report.guarantees.iter().map(|guarantee| Check {
            kind: CheckKind::Guarantee,
            name: guarantee.name.clone(),
            verdict: guarantee.verdict,
            summary: guarantee.summary.clone(),
            details: guarantee.violations.iter().flat_map(details).collect(),
        });
        let expectations = report.expectations.iter().map(|expectation| Check {
            kind: CheckKind::Expectation,
            name: expectation.name.clone(),
            verdict: report.expectation_verdict(expectation),
            summary: format!("{}, bound {}", expectation.actual, expectation.bound),
            details: Vec::new(),
        });
        Self {
            scenario: report.scenario.clone(),
            title: report.title.clone(),
            seed: report.seed,
            command: report.command.clone(),
            outcome,
            error: None,
            checks: guarantees.chain(expectations).collect(),
        }
    }
}

/// What contradicts a guarantee, line by line.
fn details(violation: &Violation) -> Vec<String> {
    let trace = violation.trace.iter().map(|event| format!("  {event}"));
    let mut lines = violation.text.clone();
    lines.extend(violation.statement.clone());
    lines.extend(trace);
    lines.extend(violation.command.clone());
    lines
}

impl Run {
    /// A run that the harness could not finish, and why.
    ///
    /// `scenario` stands in for the title, which may be unknown.
    #[must_use]
    pub fn failed(scenario: &str, seed: u64, command: &str, error: &str) -> Self {
        Self {
            scenario: scenario.to_owned(),
            title: scenario.to_owned(),
            seed,
            command: command.to_owned(),
            outcome: Outcome::Error,
            error: Some(error.to_owned()),
            checks: Vec::new(),
        }
    }

    /// Name and evidence of everything that went wrong.
    fn wrongs(&self) -> impl Iterator<Item = (&str, &str)> {
        let error = self.error.as_deref().map(|text| ("harness error", text));
        let violated = self
            .checks
            .iter()
            .filter(|check| check.verdict == Verdict::Violated)
            .map(|check| (check.name.as_str(), check.summary.as_str()));
        error.into_iter().chain(violated)
    }
}

impl Summary {
    /// Sums up `runs`, of `planned` that were asked for.
    ///
    /// The order in which the runs ended, which parallel runs leave to chance,
    /// makes no difference: scenarios keep the order of `scenarios`, seeds ascend.
    #[must_use]
    pub fn new(version: &str, planned: u64, scenarios: &[String], mut runs: Vec<Run>) -> Self {
        let position = |run: &Run| {
            scenarios
                .iter()
                .position(|scenario| *scenario == run.scenario)
                .unwrap_or(scenarios.len())
        };
        runs.sort_by(|a, b| {
            (position(a), &a.scenario, a.seed).cmp(&(position(b), &b.scenario, b.seed))
        });
        Self {
            format: FORMAT,
            version: version.to_owned(),
            planned,
            groups: group(&runs),
            runs,
        }
    }

    /// How many runs ended in `outcome`.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.runs
            .iter()
            .filter(|run| run.outcome == outcome)
            .count()
    }

    /// The runs that were violated or ended in an error, in order.
    pub fn failing(&self) -> impl Iterator<Item = &Run> {
        self.runs
            .iter()
            .filter(|run| matches!(run.outcome, Outcome::Violated | Outcome::Error))
    }

    /// Whether all planned runs were finished and held.
    #[must_use]
    pub fn held(&self) -> bool {
        self.count(Outcome::Held) as u64 == self.planned
    }
}

/// Groups what went wrong by scenario and name. `runs` are ordered by seed
/// within a scenario, so the first run of a group has its smallest seed.
fn group(runs: &[Run]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for run in runs {
        for (name, summary) in run.wrongs() {
            match groups
                .iter_mut()
                .find(|group| group.scenario == run.scenario && group.name == name)
            {
                Some(group) => group.seeds.push(run.seed),
                None => groups.push(Group {
                    scenario: run.scenario.clone(),
                    name: name.to_owned(),
                    summary: summary.to_owned(),
                    seeds: vec![run.seed],
                    command: run.command.clone(),
                }),
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn the_order_in_which_runs_end_makes_no_difference() {
        let summary = samples::summary();
        let mut runs = summary.runs.clone();
        runs.reverse();
        let scenarios = [
            summary.runs[0].scenario.clone(),
            summary.runs[4].scenario.clone(),
        ];
        assert_ne!(scenarios[0], scenarios[1]);
        assert_eq!(Summary::new("0.1.0", 6, &scenarios, runs), summary);
    }

    #[test]
    fn what_failed_alike_is_one_group_with_the_smallest_seed_first() {
        let summary = samples::summary();
        let groups: Vec<(&str, &[u64])> = summary
            .groups
            .iter()
            .map(|group| (group.name.as_str(), group.seeds.as_slice()))
            .collect();
        assert_eq!(
            groups,
            [
                ("retained latest", &[2, 9][..]),
                ("latency_p99", &[2, 9]),
                ("harness error", &[1]),
            ]
        );
        assert!(summary.groups[0].command.ends_with("--seed 2"));
    }

    #[test]
    fn a_summary_holds_only_if_every_planned_run_did() {
        let held = Run::from(&samples::green());
        let holds = |planned, runs: &[Run]| Summary::new("", planned, &[], runs.to_vec()).held();
        let partial = Run {
            outcome: Outcome::Partial,
            ..held.clone()
        };
        assert!(holds(1, std::slice::from_ref(&held)));
        assert!(!holds(2, std::slice::from_ref(&held)));
        assert!(!holds(1, &[partial]));
        assert!(!holds(1, &[Run::failed("a.toml", 1, "squall", "broke")]));
    }
}
