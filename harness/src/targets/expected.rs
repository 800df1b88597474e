//! Failures that are known, as `[[expected]]` tables: of a target's file, or of a
//! file of their own.
//!
//! ```
//! use std::path::Path;
//! use squall::targets::Expected;
//!
//! let list = Expected::parse_list(Path::new("known.toml"), r#"
//! [[expected]]
//! statement = "MQTT5-3.1.2-3"
//! check     = "connect-reserved-flag"   # where not all of the statement's checks fail
//! transport = ["ws", "wss"]             # over all unless given
//! reason    = "the flag is not looked at"
//! link      = "https://broker.example/issues/1"
//! sometimes = true                      # where the broker races with itself
//! "#).map_err(|error| error.render(false, 100)).expect("no mistake");
//! assert_eq!(list[0].reason, "the flag is not looked at");
//! ```

use std::path::Path;

use serde::Deserialize;
use squall_checks::catalogue::{statement, statements};

use super::Target;
use super::file::TransportName;
use super::target::Expected;
use crate::scenario::ScenarioError;
use crate::scenario::diagnostic::{Sources, nearest};
use crate::scenario::document::scalar::Line;
use crate::scenario::document::value::{At, OneOrMore};
use crate::scenario::text::Complaint;

/// What only the file of a target has.
const OF_A_TARGET: &str = "start";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table about a known failure")]
pub(super) struct ExpectedTable {
    statement: Option<At<String>>,
    check: Option<At<String>>,
    transport: Option<OneOrMore<TransportName>>,
    reason: Line,
    link: Option<Line>,
    #[serde(default)]
    sometimes: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    expected: Vec<At<ExpectedTable>>,
}

impl Expected {
    /// Reads a list of known failures from its file's text; `path` is what errors
    /// call it. Of a target's file, the list is what is read.
    ///
    /// # Errors
    /// One that shows the first mistake where it stands.
    pub fn parse_list(path: &Path, text: &str) -> Result<Vec<Self>, ScenarioError> {
        let is_target = text
            .parse::<toml::Table>()
            .is_ok_and(|table| table.contains_key(OF_A_TARGET));
        if is_target {
            return Ok(Target::parse(path, text)?.expected);
        }
        let sources = Sources::new(path, text, &[]);
        let list = toml::from_str::<List>(text).map_err(|error| sources.toml_error(&error))?;
        resolved(list.expected, &sources)
    }
}

/// Known failures, each of statements and checks that are there.
pub(super) fn resolved(
    tables: Vec<At<ExpectedTable>>,
    sources: &Sources,
) -> Result<Vec<Expected>, ScenarioError> {
    let tables = tables.into_iter();
    tables.map(|table| one(table, sources)).collect()
}

fn one(table: At<ExpectedTable>, sources: &Sources) -> Result<Expected, ScenarioError> {
    let At { value, span } = table;
    if value.statement.is_none() && value.check.is_none() {
        let help = "add `statement = \"MQTT5-3.3.4-6\"`, or `check` with the name of one";
        let complaint = Complaint::new("a failure of nothing", "what fails?", help);
        return Err(sources.error(span, complaint));
    }
    if let Some(id) = &value.statement
        && statement(&id.value).is_none()
    {
        let known: Vec<_> = statements().iter().map(|one| one.id.as_str()).collect();
        return Err(unknown("statement", id, &known, sources));
    }
    if let Some(name) = &value.check
        && squall_checks::find(&name.value).is_none()
    {
        let known: Vec<_> = squall_checks::all().map(|check| check.name).collect();
        return Err(unknown("check", name, &known, sources));
    }
    let transports = value.transport.map(|some| some.0).unwrap_or_default();
    Ok(Expected {
        statement: value.statement.map(|id| id.value),
        check: value.check.map(|name| name.value),
        transports: transports.into_iter().map(Into::into).collect(),
        reason: value.reason.0,
        link: value.link.map(|line| line.0),
        sometimes: value.sometimes,
    })
}

/// There are too many to list them all.
fn unknown(kind: &str, name: &At<String>, known: &[&str], sources: &Sources) -> ScenarioError {
    let help = match nearest(&name.value, known) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "`squall coverage` lists every statement and the checks that decide it".to_owned(),
    };
    let what = format!("unknown {kind} `{}`", name.value);
    let complaint = Complaint::new(what, format!("no such {kind}"), help);
    sources.error(name.span.clone(), complaint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn parse(text: &str) -> Result<Vec<Expected>, String> {
        let parsed = Expected::parse_list(Path::new("known.toml"), text);
        parsed.map_err(|error| error.render(false, 100))
    }

    #[rstest]
    #[case::empty("", 0)]
    #[case::of_a_statement("[[expected]]\nstatement = \"MQTT5-3.1.2-3\"\nreason = \"x\"", 1)]
    #[case::of_a_check("[[expected]]\ncheck = \"connect-reserved-flag\"\nreason = \"x\"", 1)]
    fn a_list_is_read(#[case] text: &str, #[case] count: usize) {
        assert_eq!(parse(text).expect("no mistake").len(), count);
    }

    #[rstest]
    #[case::nothing("[[expected]]\nreason = \"x\"", "a failure of nothing")]
    #[case::statement(
        "[[expected]]\nstatement = \"MQTT5-3.1.2-33\"\nreason = \"x\"",
        "did you mean `MQTT5-3.1.2-3`?"
    )]
    #[case::check(
        "[[expected]]\ncheck = \"conect-reserved-flag\"\nreason = \"x\"",
        "did you mean `connect-reserved-flag`?"
    )]
    #[case::no_reason("[[expected]]\nstatement = \"MQTT5-3.1.2-3\"", "missing")]
    #[case::another_table("[[expcted]]\nreason = \"x\"", "expcted")]
    fn a_mistake_is_shown(#[case] text: &str, #[case] says: &str) {
        let error = parse(text).expect_err("a mistake");
        assert!(error.contains(says), "{error}");
    }
}
