//! Failures that are known: which of them a run shows, and a list of them that
//! can only shrink.

use squall_reports::conformance::{
    Case, Conclusion, Conformance, ExpectedFailure, KnownFailure, Standing,
};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::targets::{Expected, Transport};

/// The tables of known failures in a file.
const TABLES: &str = "expected";

/// What a line of a list says of a case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// It is about something else, or nothing came of the case.
    Nothing,
    /// The failure is there.
    Failure,
    /// The case ended before it was known.
    Undecided,
    /// What used to fail passes.
    Pass,
}

/// Marks a case whose failure is known: of every statement that it breaks there
/// is a line in the list.
pub fn mark(case: &mut Case, list: &[Expected], transport: Option<Transport>) {
    let line = |broken: Option<&String>| {
        let mut lines = list.iter();
        lines.find(|line| tells(line, case, broken, transport))
    };
    let lines: Option<Vec<_>> = match broken(case) {
        [] => None,
        broken => broken.iter().map(|id| line(Some(id))).collect(),
    };
    case.expected = lines
        .and_then(|lines| lines.first().copied())
        .map(|line| ExpectedFailure {
            reason: line.reason.clone(),
            link: line.link.clone().unwrap_or_default(),
        });
}

/// The lines of the list, by their place in it, whose failures are gone: their
/// checks ran and all of them pass.
#[must_use]
pub fn gone(cases: &[Case], list: &[Expected], transport: Option<Transport>) -> Vec<usize> {
    let is_gone = |line: &Expected| {
        if line.sometimes {
            return false;
        }
        let shown: Vec<_> = cases
            .iter()
            .map(|case| shows(line, case, transport))
            .collect();
        shown.contains(&Shows::Pass)
            && !shown.contains(&Shows::Failure)
            && !shown.contains(&Shows::Undecided)
    };
    let lines = list.iter().enumerate();
    let gone = lines.filter(|(_, line)| is_gone(line));
    gone.map(|(place, _)| place).collect()
}

/// A line as reports tell it.
#[must_use]
pub fn told(line: &Expected) -> KnownFailure {
    KnownFailure {
        statement: line.statement.clone(),
        check: line.check.clone(),
        reason: line.reason.clone(),
        link: line.link.clone().unwrap_or_default(),
    }
}

/// The text of a list without the lines whose failures are gone, and with one
/// for each failure that is new. Everything else stays as it is.
///
/// # Errors
/// When the text is not TOML.
pub fn updated(
    text: &str,
    gone: &[usize],
    run: &Conformance,
) -> Result<String, toml_edit::TomlError> {
    let mut document: DocumentMut = text.parse()?;
    let entry = document.entry(TABLES);
    let Item::ArrayOfTables(tables) = entry.or_insert(Item::ArrayOfTables(ArrayOfTables::new()))
    else {
        return Ok(text.to_owned());
    };
    let mut place = 0;
    tables.retain(|_| {
        place += 1;
        !gone.contains(&(place - 1))
    });
    for case in &run.cases {
        if run.standing(case) != Standing::Fail {
            continue;
        }
        for id in broken(case) {
            let mut table = Table::new();
            table.insert("statement", value(id));
            table.insert("check", value(&case.check));
            table.insert("reason", value(reason(case)));
            tables.push(table);
        }
    }
    if tables.is_empty() {
        document.remove(TABLES);
    }
    Ok(document.to_string())
}

/// What the broker did, in one line.
fn reason(case: &Case) -> String {
    match &case.verdict {
        Conclusion::Fail { actual, .. } | Conclusion::NonStrict { actual, .. } => {
            actual.split_whitespace().collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

/// The statements that a case says are not kept as they should be.
fn broken(case: &Case) -> &[String] {
    match &case.verdict {
        Conclusion::Fail { broken, .. } => broken,
        Conclusion::NonStrict { .. } => &case.statements,
        _ => &[],
    }
}

/// Whether a line is about a case, and about this statement of it.
fn tells(
    line: &Expected,
    case: &Case,
    statement: Option<&String>,
    transport: Option<Transport>,
) -> bool {
    let of_transport = line.transports.is_empty()
        || transport.is_some_and(|transport| line.transports.contains(&transport));
    let of_check = line.check.as_ref().is_none_or(|name| *name == case.check);
    let of_statement = line.statement.is_none() || line.statement.as_ref() == statement;
    of_transport && of_check && of_statement
}

/// What a line says of a case.
fn shows(line: &Expected, case: &Case, transport: Option<Transport>) -> Shows {
    let decided = |id: &String| case.statements.contains(id);
    let is_about = line.statement.as_ref().is_none_or(decided)
        && tells(line, case, line.statement.as_ref(), transport);
    if !is_about {
        return Shows::Nothing;
    }
    let shown = |id: &String| broken(case).contains(id);
    match &case.verdict {
        Conclusion::Pass => Shows::Pass,
        Conclusion::Skip { .. } => Shows::Nothing,
        Conclusion::Error { .. } => Shows::Undecided,
        _ if line.statement.as_ref().is_none_or(shown) => Shows::Failure,
        _ => Shows::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use squall_reports::conformance::{CONFORMANCE_FORMAT, Protocol};

    fn line(check: Option<&str>, statement: Option<&str>) -> Expected {
        Expected {
            statement: statement.map(str::to_owned),
            check: check.map(str::to_owned),
            transports: Vec::new(),
            reason: "known".to_owned(),
            link: None,
            sometimes: false,
        }
    }

    fn case(check: &str, broken: &[&str]) -> Case {
        let ids = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
        Case {
            check: check.to_owned(),
            protocol: Protocol::Mqtt5,
            statements: ids(&["MQTT5-1", "MQTT5-2"]),
            verdict: match broken {
                [] => Conclusion::Pass,
                _ => Conclusion::Fail {
                    broken: ids(broken),
                    expected: String::new(),
                    actual: "it\n  stays".to_owned(),
                },
            },
            closing: None,
            expected: None,
            took_ns: 0,
            waits: Vec::new(),
            transcript: Vec::new(),
        }
    }

    fn run(cases: Vec<Case>) -> Conformance {
        Conformance {
            format: CONFORMANCE_FORMAT,
            squall: String::new(),
            target: String::new(),
            target_version: String::new(),
            transport: String::new(),
            command: String::new(),
            strict: false,
            took_ns: 0,
            planned: cases.len() as u64,
            partial: false,
            statements: Vec::new(),
            cases,
            fixed: Vec::new(),
        }
    }

    #[rstest]
    #[case::by_check(line(Some("a"), None), &["MQTT5-2"], true)]
    #[case::by_statement(line(None, Some("MQTT5-2")), &["MQTT5-2"], true)]
    #[case::by_both(line(Some("a"), Some("MQTT5-2")), &["MQTT5-2"], true)]
    #[case::another_check(line(Some("b"), None), &["MQTT5-2"], false)]
    #[case::another_statement(line(None, Some("MQTT5-1")), &["MQTT5-2"], false)]
    #[case::one_of_two(line(None, Some("MQTT5-1")), &["MQTT5-1", "MQTT5-2"], false)]
    #[case::a_pass(line(Some("a"), None), &[], false)]
    fn a_failure_is_known_if_all_of_it_is(
        #[case] line: Expected,
        #[case] broken: &[&str],
        #[case] known: bool,
    ) {
        let mut case = case("a", broken);
        mark(&mut case, &[line], None);
        assert_eq!(case.expected.is_some(), known);
    }

    #[rstest]
    #[case::it_passes(line(None, Some("MQTT5-1")), &[case("a", &[])], true)]
    #[case::one_check_still_fails(line(None, Some("MQTT5-1")), &[case("a", &[]), case("b", &["MQTT5-1"])], false)]
    #[case::the_check_named_passes(line(Some("a"), Some("MQTT5-1")), &[case("a", &[]), case("b", &["MQTT5-1"])], true)]
    #[case::it_ends_before(line(Some("a"), Some("MQTT5-1")), &[case("a", &["MQTT5-2"])], false)]
    #[case::it_was_not_run(line(Some("c"), None), &[case("a", &[])], false)]
    fn a_known_failure_is_gone_if_all_its_checks_pass(
        #[case] line: Expected,
        #[case] cases: &[Case],
        #[case] is_gone: bool,
    ) {
        assert_eq!(
            gone(cases, &[line], None),
            if is_gone { vec![0] } else { vec![] }
        );
    }

    #[test]
    fn what_shows_sometimes_is_known_and_never_gone() {
        let list = [Expected {
            sometimes: true,
            ..line(Some("a"), None)
        }];
        let mut failing = case("a", &["MQTT5-1"]);
        mark(&mut failing, &list, None);
        assert!(failing.expected.is_some());
        assert!(gone(&[case("a", &[])], &list, None).is_empty());
    }

    #[test]
    fn a_line_of_another_transport_says_nothing() {
        let mut one = line(Some("a"), None);
        one.transports.push(Transport::WebSocket);
        let list = [one];
        let mut failing = case("a", &["MQTT5-1"]);
        mark(&mut failing, &list, Some(Transport::Tcp));
        assert_eq!(failing.expected, None);
        assert!(gone(&[case("a", &[])], &list, Some(Transport::Tcp)).is_empty());
        mark(&mut failing, &list, Some(Transport::WebSocket));
        assert!(failing.expected.is_some());
    }

    #[test]
    fn an_updated_list_keeps_what_stays() {
        let text = "# why\n\n[[expected]]\nstatement = \"MQTT5-1\"\nreason = \"gone\"\n\n# still\n\
                    [[expected]]\ncheck = \"b\"\nreason = \"stays\" # really\n";
        let mut known = case("b", &["MQTT5-2"]);
        mark(&mut known, &[line(Some("b"), None)], None);
        let run = run(vec![known, case("c", &["MQTT5-2"])]);
        let updated = updated(text, &[0], &run).expect("TOML");
        let expected = "# still\n[[expected]]\ncheck = \"b\"\nreason = \"stays\" # really\n\n\
                        [[expected]]\nstatement = \"MQTT5-2\"\ncheck = \"c\"\n\
                        reason = \"it stays\"\n";
        assert!(updated.ends_with(expected), "{updated}");
    }
}
