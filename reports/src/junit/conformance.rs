//! A conformance run as JUnit XML: a test suite for each protocol, a test case
//! for each check.
//!
//! The statements that a check decides are properties of its case. What the
//! broker lacks, and what is known to fail, is skipped with the reason; a known
//! failure that is gone fails.

use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use crate::{
    conformance::{Case, Conformance, Matrix, Protocol, Standing},
    layout::clean,
    words::conformance as words,
};

/// The run, ending in a newline.
#[must_use]
pub fn render_conformance(run: &Conformance) -> String {
    super::written(suites(run))
}

/// The runs of many brokers, ending in a newline.
#[must_use]
pub fn render_matrix(matrix: &Matrix) -> String {
    super::written(matrix.brokers.iter().flat_map(suites))
}

fn suites(run: &Conformance) -> Vec<TestSuite> {
    let protocols = run.protocols();
    let mut suites: Vec<_> = protocols.into_iter().map(|each| suite(run, each)).collect();
    suites.extend((!run.fixed.is_empty()).then(|| gone(run)));
    suites
}

fn name(run: &Conformance, what: &str) -> String {
    clean(&format!(
        "{}, {}, {what}",
        words::tested(run),
        run.transport
    ))
}

fn suite(run: &Conformance, protocol: Protocol) -> TestSuite {
    let mut suite = TestSuite::new(name(run, protocol.title()));
    suite.add_property(("target", clean(&run.target).as_str()));
    suite.add_property(("version", clean(&run.target_version).as_str()));
    suite.add_property(("transport", clean(&run.transport).as_str()));
    suite.add_property(("command", clean(&run.command).as_str()));
    if run.partial {
        let mut status = TestCaseStatus::skipped();
        status.set_message(format!("interrupted after {}", words::extent(run)));
        suite.add_test_case(TestCase::new("run", status));
    }
    for chapter in run.chapters() {
        if chapter.protocol == protocol {
            let cases = chapter.cases.iter();
            suite.add_test_cases(cases.map(|case| test_case(run, case, chapter.title)));
        }
    }
    suite
}

fn test_case(run: &Conformance, case: &Case, chapter: &str) -> TestCase {
    let mut test_case = TestCase::new(clean(&case.check), status(run, case));
    test_case.set_classname(clean(&format!("{}.{chapter}", case.protocol.title())));
    for statement in &case.statements {
        let statement = clean(statement);
        test_case.add_property(Property::new("statement", statement.as_str()));
    }
    test_case
}

fn status(run: &Conformance, case: &Case) -> TestCaseStatus {
    let standing = run.standing(case);
    let mut status = match standing {
        Standing::Pass | Standing::NonStrict => return TestCaseStatus::success(),
        Standing::Skip | Standing::Known => TestCaseStatus::skipped(),
        Standing::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Standing::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let known = case.expected.as_ref();
    let message = match (standing, known) {
        (Standing::Known, Some(known)) => format!("known failure: {}", known.reason),
        _ => words::in_short(case),
    };
    status.set_message(clean(&message));
    if matches!(standing, Standing::Fail | Standing::Error) {
        status.set_type(standing.name());
        status.set_description(evidence(run, case));
    }
    status
}

/// Everything that is known of a failure, line by line.
fn evidence(run: &Conformance, case: &Case) -> String {
    let mut lines = Vec::new();
    for statement in run.concerns(case) {
        lines.push(format!(
            "{}  {} ({})",
            statement.id, statement.summary, statement.level
        ));
    }
    let findings = words::findings(case);
    lines.extend(
        findings
            .iter()
            .map(|(name, text)| format!("{name}: {text}")),
    );
    lines.push(String::new());
    lines.extend(words::transcript(case));
    lines.push(String::new());
    lines.push(run.again(case));
    let lines: Vec<_> = lines.iter().map(|line| clean(line)).collect();
    lines.join("\n")
}

/// Known failures that are gone: news, so that lists of them shrink.
fn gone(run: &Conformance) -> TestSuite {
    let mut suite = TestSuite::new(name(run, "known failures that are gone"));
    for known in &run.fixed {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status
            .set_type("gone")
            .set_message(clean(&format!("no longer fails: {}", known.reason)));
        suite.add_test_case(TestCase::new(clean(&words::known_failure(known)), status));
    }
    suite
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::conformance::samples;

    #[rstest]
    #[case::mosquitto("mosquitto", samples::mosquitto())]
    #[case::partial("partial", samples::partial())]
    #[case::hostile("hostile", samples::hostile())]
    fn a_run(#[case] name: &str, #[case] run: Conformance) {
        insta::assert_snapshot!(
            format!("junit_conformance_{name}"),
            render_conformance(&run)
        );
    }
}
