#![doc = include_str!("../FORMAT.md")]

use crate::{
    model::{FORMAT, Report},
    summary::Summary,
};

/// The report of one run as JSON, indented, ending in a newline.
///
/// The same report gives the same bytes on every machine.
#[must_use]
pub fn render(report: &Report) -> String {
    pretty(report)
}

/// The summary of many runs as JSON, indented, ending in a newline.
#[must_use]
pub fn render_summary(summary: &Summary) -> String {
    pretty(summary)
}

/// Reads the report of one run back.
///
/// # Errors
/// The text is not JSON, not a report, or of another version of the format.
pub fn parse(text: &str) -> Result<Report, ParseError> {
    checked(text)
}

/// Reads the summary of many runs back.
///
/// # Errors
/// The text is not JSON, not a summary, or of another version of the format.
pub fn parse_summary(text: &str) -> Result<Summary, ParseError> {
    checked(text)
}

/// Why a text is no report.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// It is not JSON, or lacks a field, or a field has the wrong type.
    #[error("not a report of Squall: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It is of a version of the format that this version of Squall cannot read.
    #[error("the report has format version {found}; this version of Squall reads {FORMAT}")]
    Version {
        /// The version it states.
        found: u64,
    },
}

/// What both documents begin with. Read first, since of another version
/// nothing else is known.
#[derive(serde::Deserialize)]
struct Version {
    format: u64,
}

fn checked<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ParseError> {
    let Version { format } = serde_json::from_str(text)?;
    if format != u64::from(FORMAT) {
        return Err(ParseError::Version { found: format });
    }
    Ok(serde_json::from_str(text)?)
}

fn pretty<T: serde::Serialize>(document: &T) -> String {
    #[expect(
        clippy::expect_used,
        reason = "the model holds integers, text and maps keyed by text, all of which JSON can say"
    )]
    let mut text = serde_json::to_string_pretty(document).expect("the model is representable");
    text.push('\n');
    text
}
