//! Failures that are known: which cases of a run they tell of.

use squall_reports::conformance::{Case, Conclusion, ExpectedFailure, KnownFailure};

use crate::targets::{Expected, Transport};

/// Marks the failures that a target's file, or a file of expected failures, tells
/// of, and returns what it tells of and did not show, though its checks ran over
/// this transport: none for the simulator.
pub fn mark_known(
    cases: &mut [Case],
    expected: &[Expected],
    transport: Option<Transport>,
) -> Vec<KnownFailure> {
    let mut fixed = Vec::new();
    for known in expected {
        let here = known.transports.is_empty()
            || transport.is_some_and(|transport| known.transports.contains(&transport));
        let (mut ran, mut failed) = (false, false);
        for case in cases.iter_mut().filter(|case| here && decides(known, case)) {
            match &case.verdict {
                Conclusion::Skip { .. } | Conclusion::Error { .. } => {}
                Conclusion::Pass => ran = true,
                // In a strict run it fails.
                Conclusion::NonStrict { .. } => {
                    (ran, failed) = (true, true);
                    case.expected.get_or_insert_with(|| told(known));
                }
                Conclusion::Fail { broken, .. } => {
                    ran = true;
                    let statement = known.statement.as_ref();
                    if statement.is_none_or(|id| broken.contains(id)) {
                        failed = true;
                        case.expected.get_or_insert_with(|| told(known));
                    }
                }
            }
        }
        if ran && !failed {
            fixed.push(KnownFailure {
                statement: known.statement.clone(),
                check: known.check.clone(),
                reason: known.reason.clone(),
                link: known.link.clone().unwrap_or_default(),
            });
        }
    }
    fixed
}

/// Whether this case could show it.
fn decides(known: &Expected, case: &Case) -> bool {
    let of_check = known.check.as_ref().is_none_or(|name| *name == case.check);
    let statement = known.statement.as_ref();
    of_check && statement.is_none_or(|id| case.statements.contains(id))
}

fn told(known: &Expected) -> ExpectedFailure {
    ExpectedFailure {
        reason: known.reason.clone(),
        link: known.link.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use squall_reports::conformance::Protocol;

    fn expected(check: Option<&str>, statement: Option<&str>) -> Expected {
        Expected {
            statement: statement.map(str::to_owned),
            check: check.map(str::to_owned),
            transports: vec![Transport::WebSocket],
            reason: "known".to_owned(),
            link: None,
        }
    }

    fn case(broken: Option<&str>) -> Case {
        Case {
            check: "a-check".to_owned(),
            protocol: Protocol::Mqtt5,
            statements: vec!["MQTT5-1".to_owned(), "MQTT5-2".to_owned()],
            verdict: match broken {
                None => Conclusion::Pass,
                Some(id) => Conclusion::Fail {
                    broken: vec![id.to_owned()],
                    expected: String::new(),
                    actual: String::new(),
                },
            },
            closing: None,
            expected: None,
            took_ns: 0,
            waits: Vec::new(),
            transcript: Vec::new(),
        }
    }

    #[rstest]
    #[case::by_check(Some("a-check"), None, Some("MQTT5-2"), true)]
    #[case::another_check(Some("another"), None, Some("MQTT5-2"), false)]
    #[case::by_statement(None, Some("MQTT5-2"), Some("MQTT5-2"), true)]
    #[case::another_statement(None, Some("MQTT5-1"), Some("MQTT5-2"), false)]
    #[case::not_by_both(Some("another"), Some("MQTT5-1"), Some("MQTT5-1"), false)]
    #[case::a_pass(Some("a-check"), Some("MQTT5-1"), None, false)]
    fn a_failure_is_known_where_it_is_told_of(
        #[case] check: Option<&str>,
        #[case] statement: Option<&str>,
        #[case] broken: Option<&str>,
        #[case] known: bool,
    ) {
        let mut cases = [case(broken)];
        let expected = [expected(check, statement)];
        let elsewhere = mark_known(&mut cases, &expected, Some(Transport::Tcp));
        assert_eq!((cases[0].expected.is_some(), elsewhere.len()), (false, 0));
        let fixed = mark_known(&mut cases, &expected, Some(Transport::WebSocket));
        assert_eq!(cases[0].expected.is_some(), known);
        // One whose check ran and did not show it is news; one whose check did
        // not run is none.
        let of_this_check = check != Some("another");
        assert_eq!(fixed.len(), usize::from(of_this_check && !known));
    }
}
