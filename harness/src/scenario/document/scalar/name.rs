//! Names, of things in the file and of what Squall knows by name, and lines
//! of text.

use schemars::{Schema, json_schema};

use squall_broker::Quirk;

use super::super::super::diagnostic::{nearest, unknown};
use super::super::super::text::Complaint;
use super::Scalar;
use crate::invariants::Invariant;

/// The name of a site or a fleet.
#[derive(Clone, Debug)]
pub(crate) struct Name(pub(crate) String);

impl Scalar for Name {
    const EXPECTED: &'static str = "a name";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if text.is_empty() || text.len() > 40 || !text.chars().all(allowed) {
            // Names end up in client ids and topic levels.
            return Err(Complaint::new(
                format!("`{text}` is not a name"),
                "not a name",
                "a name has 1 to 40 letters, digits, `-` and `_`",
            ));
        }
        Ok(Self(text.to_owned()))
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": "string",
            "description": "A name: 1 to 40 letters, digits, `-` and `_`.",
            "pattern": "^[A-Za-z0-9_-]{1,40}$",
        });
        ("Name", schema)
    }
}

/// A text of one line that says something.
#[derive(Clone, Debug)]
pub(crate) struct Line(pub(crate) String);

impl Scalar for Line {
    const EXPECTED: &'static str = "a line of text";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            return Err(Complaint::new(
                "a text that is not one line",
                "not a line of text",
                "write one line, with something in it",
            ));
        }
        Ok(Self(text.to_owned()))
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": "string",
            "description": "A line of text.",
            "minLength": 1,
        });
        ("Line", schema)
    }
}

/// The unit of a reading, which is a JSON key too.
#[derive(Clone, Debug)]
pub(crate) struct UnitName(pub(crate) String);

impl Scalar for UnitName {
    const EXPECTED: &'static str = "a unit such as \"degC\"";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let escaped = |c: char| c.is_control() || c == '"' || c == '\\';
        if text.is_empty() || text.len() > 40 || text.chars().any(escaped) {
            return Err(Complaint::new(
                format!("`{}` is not a unit", text.escape_debug()),
                "not a unit",
                "a unit has 1 to 40 bytes that JSON does not escape: \"degC\", \"kWh\", \"%\"",
            ));
        }
        Ok(Self(text.to_owned()))
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": "string",
            "description": "A unit: 1 to 40 bytes that JSON does not escape.",
            "pattern": "^[^\"\\\\\\x00-\\x1f]{1,40}$",
            "examples": ["degC"],
        });
        ("Unit", schema)
    }
}

/// The name of a deliberate defect of the broker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuirkName(pub(crate) Quirk);

impl Scalar for QuirkName {
    const EXPECTED: &'static str = "the name of a quirk";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        Quirk::from_name(text)
            .map(Self)
            .ok_or_else(|| no_such_quirk(text))
    }
    fn describe() -> (&'static str, Schema) {
        let choice = |quirk: &Quirk| {
            json_schema!({
                "const": quirk.name(),
                "description": format!("The broker {} [{}].", quirk.summary(), quirk.statements().join(", ")),
            })
        };
        let schema = json_schema!({
            "description": "A deliberate defect of the broker.",
            "oneOf": Quirk::ALL.iter().map(choice).collect::<Vec<_>>(),
        });
        ("Quirk", schema)
    }
}

/// There are too many quirks for a diagnostic to list them.
fn no_such_quirk(found: &str) -> Complaint {
    let known = Quirk::ALL.iter().map(|quirk| quirk.name());
    let help = match nearest(found, &known.collect::<Vec<_>>()) {
        Some(nearest) => format!("did you mean `{nearest}`? `squall quirks` lists them all"),
        None => "`squall quirks` lists them".to_owned(),
    };
    Complaint::new(format!("unknown quirk `{found}`"), "no such quirk", help)
}

/// A guarantee of MQTT, by its id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuaranteeName(pub(crate) Invariant);

impl Scalar for GuaranteeName {
    const EXPECTED: &'static str = "the name of a guarantee";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let known = Invariant::ALL.map(Invariant::id);
        Invariant::from_id(text)
            .map(Self)
            .ok_or_else(|| unknown("guarantee", text, &known))
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": "string",
            "description": "A guarantee of MQTT.",
            "enum": Invariant::ALL.map(Invariant::id),
        });
        ("Guarantee", schema)
    }
}
