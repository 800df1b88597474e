//! What a person calls checks by: a section, a statement, or a check's name.

use squall_checks::catalogue::{Statement, statements};
use squall_checks::{Check, Selected};
use squall_reports::conformance::Protocol;

use crate::scenario::ScenarioError;
use crate::scenario::diagnostic::nearest;

/// What a statement's id begins with where both versions of MQTT are meant.
const BOTH_VERSIONS: &str = "MQTT-";

/// The checks in the order of the specification, each once for every one of
/// `protocols` that it runs in. Of `wanted`, each is a section (`3.3`), a
/// statement (`MQTT5-3.3.1-5`, or `MQTT-3.3.1-5` for both versions), or the name
/// of a check; nothing wanted is everything.
///
/// # Errors
/// When something is wanted that is not there; the error names what is nearest.
pub fn select(protocols: &[Protocol], wanted: &[String]) -> Result<Vec<Selected>, ScenarioError> {
    let mut all = Selected::all(protocols);
    if wanted.is_empty() {
        return Ok(all);
    }
    let mut chosen = vec![false; all.len()];
    for wanted in wanted {
        let meant = Meant::of(wanted)?;
        let mut any = false;
        for (chosen, selected) in chosen.iter_mut().zip(&all) {
            if meant.includes(selected) {
                (any, *chosen) = (true, true);
            }
        }
        if !any {
            return Err(meant.undecided(wanted, protocols));
        }
    }
    let mut chosen = chosen.into_iter();
    all.retain(|_| chosen.next() == Some(true));
    Ok(all)
}

/// The statements that a section or an id names.
///
/// # Errors
/// When there are none; the error names what is nearest.
pub fn statements_of(wanted: &str) -> Result<Vec<&'static Statement>, ScenarioError> {
    match Meant::of(wanted)? {
        Meant::Statements(statements) => Ok(statements),
        Meant::Check(check) => {
            let decided = statements().iter();
            let decided = decided.filter(|one| check.statements.contains(&one.id.as_str()));
            Ok(decided.collect())
        }
    }
}

/// What a word on the command line stands for.
enum Meant {
    Check(&'static Check),
    Statements(Vec<&'static Statement>),
}

impl Meant {
    fn of(wanted: &str) -> Result<Self, ScenarioError> {
        if let Some(check) = squall_checks::find(wanted) {
            return Ok(Self::Check(check));
        }
        let named = |statement: &&Statement| is_named(statement, wanted);
        let named: Vec<_> = statements().iter().filter(named).collect();
        if named.is_empty() {
            return Err(unknown(wanted));
        }
        Ok(Self::Statements(named))
    }

    fn includes(&self, selected: &Selected) -> bool {
        match self {
            Self::Check(check) => check.name == selected.check.name,
            Self::Statements(statements) => {
                let mut decided = selected.check.decides(selected.protocol);
                decided.any(|id| statements.iter().any(|statement| statement.id == id))
            }
        }
    }

    /// Why nothing is to be run for something that is there.
    fn undecided(&self, wanted: &str, protocols: &[Protocol]) -> ScenarioError {
        let titles: Vec<_> = protocols.iter().map(|protocol| protocol.title()).collect();
        let titles = titles.join(" or ");
        let waiver = match self {
            Self::Statements(statements) => statements.first().and_then(|one| one.waiver()),
            Self::Check(_) => None,
        };
        let help = match waiver {
            Some(waiver) => format!("{}: {}", waiver.statement, waiver.reason),
            None => {
                "`squall coverage` lists every statement with the checks that decide it".to_owned()
            }
        };
        ScenarioError::new(
            format!("no check in {titles} decides `{wanted}`"),
            Some(help),
        )
    }
}

/// Whether a statement's id or section is what is wanted.
fn is_named(statement: &Statement, wanted: &str) -> bool {
    let number = statement.number();
    let below = || {
        number
            .strip_prefix(wanted)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    let versionless = || {
        let (_, rest) = statement.id.split_once('-').unwrap_or_default();
        statement.protocol() != Protocol::WebSocket
            && wanted.strip_prefix(BOTH_VERSIONS) == Some(rest)
    };
    statement.id == wanted || number == wanted || below() || versionless()
}

fn unknown(wanted: &str) -> ScenarioError {
    let looks_like_a_number = wanted.starts_with(|c: char| c.is_ascii_digit());
    let looks_like_an_id =
        wanted.to_uppercase().starts_with("MQTT") || wanted.to_uppercase().starts_with("RFC");
    let (what, known): (_, Vec<String>) = if looks_like_a_number {
        let numbers = statements()
            .iter()
            .map(|statement| statement.number().to_owned());
        ("section", numbers.collect())
    } else if looks_like_an_id {
        let ids = statements().iter().flat_map(ids);
        ("statement", ids.collect())
    } else {
        let names = squall_checks::all().map(|check| check.name.to_owned());
        ("check, section or statement", names.collect())
    };
    let help = match nearest(wanted, &known) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "write a section such as 3.3, a statement such as MQTT5-3.3.1-5, or the name of a \
                 check; `squall coverage` lists them"
            .to_owned(),
    };
    ScenarioError::new(format!("unknown {what} `{wanted}`"), Some(help))
}

/// What a statement may be called.
fn ids(statement: &Statement) -> Vec<String> {
    match (statement.protocol(), statement.id.split_once('-')) {
        (Protocol::Mqtt311 | Protocol::Mqtt5, Some((_, rest))) => {
            vec![statement.id.clone(), format!("{BOTH_VERSIONS}{rest}")]
        }
        _ => vec![statement.id.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const MQTT: [Protocol; 2] = [Protocol::Mqtt311, Protocol::Mqtt5];

    fn names(protocols: &[Protocol], wanted: &[&str]) -> Result<Vec<String>, String> {
        let wanted: Vec<_> = wanted.iter().map(|&word| word.to_owned()).collect();
        let selected = select(protocols, &wanted).map_err(|error| error.render(false, 100))?;
        let name =
            |selected: &Selected| format!("{} {}", selected.check.name, selected.protocol.title());
        Ok(selected.iter().map(name).collect())
    }

    #[rstest]
    #[case::by_name(&["pingreq-is-answered"], &["pingreq-is-answered MQTT 3.1.1", "pingreq-is-answered MQTT 5.0"])]
    #[case::by_statement(&["MQTT5-3.12.4-1"], &["pingreq-is-answered MQTT 5.0"])]
    #[case::by_statement_of_both(&["MQTT-3.12.4-1"], &["pingreq-is-answered MQTT 3.1.1", "pingreq-is-answered MQTT 5.0"])]
    #[case::by_section(&["3.12"], &["pingreq-is-answered MQTT 3.1.1", "pingreq-is-answered MQTT 5.0"])]
    #[case::twice(&["3.12.4", "pingreq-is-answered"], &["pingreq-is-answered MQTT 3.1.1", "pingreq-is-answered MQTT 5.0"])]
    fn checks_are_selected(#[case] wanted: &[&str], #[case] expected: &[&str]) {
        assert_eq!(names(&MQTT, wanted).expect("there are some"), expected);
    }

    #[test]
    fn a_section_does_not_include_one_whose_number_begins_alike() {
        let of_3_1 = names(&MQTT, &["3.1"]).expect("there are some");
        assert!(!of_3_1.is_empty());
        assert!(!of_3_1.contains(&"pingreq-is-answered MQTT 5.0".to_owned()));
    }

    #[rstest]
    #[case::name("pingreq-is-anwsered", "did you mean `pingreq-is-answered`?")]
    #[case::statement("MQTT5-3.12.4-9", "did you mean `MQTT5-3.12.4-1`?")]
    #[case::section("3.99", "unknown section `3.99`")]
    #[case::waived("MQTT311-2.3.1-2", "Only a server can see")]
    fn what_is_not_there_is_answered_with_what_is(#[case] wanted: &str, #[case] says: &str) {
        let error = names(&MQTT, &[wanted]).expect_err("not there");
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn a_statement_of_another_version_is_not_run() {
        let error = names(&[Protocol::Mqtt311], &["MQTT5-3.12.4-1"]).expect_err("not there");
        assert!(
            error.contains("no check in MQTT 3.1.1 decides `MQTT5-3.12.4-1`"),
            "{error}"
        );
    }
}
