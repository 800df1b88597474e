//! Runs as JUnit XML, for continuous integration.
//!
//! A run is a test suite, and each of its guarantees and expectations a test
//! case: passed, failed with what contradicts it, or skipped with the reason it
//! does not apply. A run the harness could not finish, or that was interrupted,
//! or that checks nothing, has a test case `run`. The suite's properties are
//! the seed and the command that runs it again. There are no times in it: the
//! same runs give the same bytes.

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use crate::{
    layout::clean,
    model::{Report, Verdict},
    summary::{Check, CheckKind, Outcome, Run, Summary},
};

mod conformance;

pub use conformance::{render_conformance, render_matrix};

/// The report of one run, ending in a newline.
#[must_use]
pub fn render(report: &Report) -> String {
    document([&Run::from(report)])
}

/// Many runs, a test suite each, ending in a newline.
#[must_use]
pub fn render_summary(summary: &Summary) -> String {
    document(&summary.runs)
}

fn document<'a>(runs: impl IntoIterator<Item = &'a Run>) -> String {
    written(runs.into_iter().map(suite))
}

fn written(suites: impl IntoIterator<Item = TestSuite>) -> String {
    let mut document = quick_junit::Report::new("squall");
    document.add_test_suites(suites);
    #[expect(
        clippy::expect_used,
        reason = "writing to memory cannot fail, and quick-junit drops what XML cannot say"
    )]
    document.to_string().expect("written to memory")
}

fn suite(run: &Run) -> TestSuite {
    let mut suite = TestSuite::new(clean(&format!("{}, seed {}", run.scenario, run.seed)));
    suite.add_property(("title", clean(&run.title).as_str()));
    suite.add_property(("seed", run.seed.to_string().as_str()));
    suite.add_property(("command", clean(&run.command).as_str()));
    if let Some(status) = run_status(run) {
        suite.add_test_case(case(run, "run", status));
    }
    for check in &run.checks {
        suite.add_test_case(case(run, &check.name, check_status(run, check)));
    }
    suite
}

fn case(run: &Run, name: &str, status: TestCaseStatus) -> TestCase {
    // Class and name together tell cases apart, so one of them has the seed.
    let mut case = TestCase::new(clean(&format!("{name}, seed {}", run.seed)), status);
    case.set_classname(clean(&run.scenario));
    case
}

/// What is to be said of the run apart from its checks.
fn run_status(run: &Run) -> Option<TestCaseStatus> {
    match (run.outcome, &run.error) {
        (Outcome::Error, error) => {
            let text = error.as_deref().unwrap_or("harness error");
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status
                .set_type("harness error")
                .set_message(text.lines().next().unwrap_or_default())
                .set_description(format!("{text}\n\n{}", run.command));
            Some(status)
        }
        (Outcome::Partial, _) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message("interrupted before its end");
            Some(status)
        }
        _ if run.checks.is_empty() => Some(TestCaseStatus::success()),
        _ => None,
    }
}

fn check_status(run: &Run, check: &Check) -> TestCaseStatus {
    match check.verdict {
        // What was not promised cannot be broken.
        Verdict::Held | Verdict::Measured => TestCaseStatus::success(),
        Verdict::NotApplicable => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(clean(&check.summary));
            status
        }
        Verdict::Violated => {
            let mut lines = vec![check.summary.as_str()];
            lines.extend(check.details.iter().map(String::as_str));
            lines.extend(["", &run.command]);
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status
                .set_type(match check.kind {
                    CheckKind::Guarantee => "guarantee",
                    CheckKind::Expectation => "expectation",
                })
                .set_message(clean(&check.summary))
                .set_description(lines.join("\n"));
            status
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::samples;

    #[rstest]
    #[case::empty("empty", samples::empty())]
    #[case::green("green", samples::green())]
    #[case::red("red", samples::red())]
    #[case::partial("partial", samples::partial())]
    #[case::hostile("hostile", samples::hostile())]
    fn a_report(#[case] name: &str, #[case] report: Report) {
        insta::assert_snapshot!(format!("junit_{name}"), render(&report));
    }

    #[test]
    fn a_summary() {
        insta::assert_snapshot!("junit_summary", render_summary(&samples::summary()));
    }
}
