#![doc = include_str!("../FORMAT.md")]

use crate::{
    claims::Ledger,
    comparison::{COMPARISON_FORMAT, Comparison},
    conformance::{CONFORMANCE_FORMAT, Conformance, Matrix},
    diff::Document,
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

/// A conformance run as JSON, indented, ending in a newline.
#[must_use]
pub fn render_conformance(run: &Conformance) -> String {
    pretty(run)
}

/// The runs of many brokers as JSON, indented, ending in a newline.
#[must_use]
pub fn render_matrix(matrix: &Matrix) -> String {
    pretty(matrix)
}

/// The ledger of claims as JSON, indented, ending in a newline.
#[must_use]
pub fn render_claims(ledger: &Ledger) -> String {
    pretty(ledger)
}

/// A comparison as JSON, indented, ending in a newline.
#[must_use]
pub fn render_comparison(comparison: &Comparison) -> String {
    pretty(comparison)
}

/// Reads the report of one run back.
///
/// # Errors
/// The text is not JSON, not a report, or of another version of the format.
pub fn parse(text: &str) -> Result<Report, ParseError> {
    checked(text, FORMAT)
}

/// Reads the summary of many runs back.
///
/// # Errors
/// The text is not JSON, not a summary, or of another version of the format.
pub fn parse_summary(text: &str) -> Result<Summary, ParseError> {
    checked(text, FORMAT)
}

/// Reads a conformance run back.
///
/// # Errors
/// The text is not JSON, not such a run, or of another version of the format.
pub fn parse_conformance(text: &str) -> Result<Conformance, ParseError> {
    checked(text, CONFORMANCE_FORMAT)
}

/// Reads the runs of many brokers back.
///
/// # Errors
/// The text is not JSON, not such runs, or of another version of the format.
pub fn parse_matrix(text: &str) -> Result<Matrix, ParseError> {
    checked(text, CONFORMANCE_FORMAT)
}

/// Reads a comparison back.
///
/// # Errors
/// The text is not JSON, not a comparison, or of another version of the format.
pub fn parse_comparison(text: &str) -> Result<Comparison, ParseError> {
    checked(text, COMPARISON_FORMAT)
}

/// Reads a report of one run or a comparison back, whichever it is.
///
/// # Errors
/// The text is neither, or of another version of the format.
pub fn parse_document(text: &str) -> Result<Document, ParseError> {
    let Kind { cells, arrived } = serde_json::from_str(text)?;
    match (cells, arrived) {
        (Some(_), _) => {
            parse_comparison(text).map(|document| Document::Comparison(Box::new(document)))
        }
        (None, Some(_)) => parse(text).map(|document| Document::Report(Box::new(document))),
        (None, None) => Err(ParseError::WithoutFigures),
    }
}

/// What only one kind of document has. Of another version nothing else is known.
#[derive(serde::Deserialize)]
struct Kind {
    cells: Option<serde::de::IgnoredAny>,
    arrived: Option<serde::de::IgnoredAny>,
}

/// Why a text is no report.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// It is not JSON, or lacks a field, or a field has the wrong type.
    #[error("not a report of Squall: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It is neither the report of one run nor a comparison.
    #[error("neither the report of one run nor a comparison")]
    WithoutFigures,
    /// It is of a version of the format that this version of Squall cannot read.
    #[error("the report has format version {found}; this version of Squall reads {read}")]
    Version {
        /// The version it states.
        found: u64,
        /// The version that can be read.
        read: u32,
    },
}

/// What both documents begin with. Read first, since of another version
/// nothing else is known.
#[derive(serde::Deserialize)]
struct Version {
    format: u64,
}

fn checked<T: serde::de::DeserializeOwned>(text: &str, read: u32) -> Result<T, ParseError> {
    let Version { format } = serde_json::from_str(text)?;
    if format != u64::from(read) {
        return Err(ParseError::Version {
            found: format,
            read,
        });
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rstest::rstest;
    use serde_json::Value;

    use super::*;
    use crate::{comparison, conformance, samples};

    #[rstest]
    #[case::empty("empty", samples::empty())]
    #[case::green("green", samples::green())]
    #[case::red("red", samples::red())]
    #[case::partial("partial", samples::partial())]
    #[case::hostile("hostile", samples::hostile())]
    fn a_report(#[case] name: &str, #[case] report: Report) {
        let text = render(&report);
        assert_eq!(parse(&text).unwrap(), report);
        insta::assert_snapshot!(format!("json_{name}"), text);
    }

    #[test]
    fn a_summary() {
        let summary = samples::summary();
        let text = render_summary(&summary);
        assert_eq!(parse_summary(&text).unwrap(), summary);
        insta::assert_snapshot!("json_summary", text);
    }

    #[rstest]
    #[case::mosquitto("mosquitto", conformance::samples::mosquitto())]
    #[case::hostile("hostile", conformance::samples::hostile())]
    fn a_conformance_run(#[case] name: &str, #[case] run: Conformance) {
        let text = render_conformance(&run);
        assert_eq!(parse_conformance(&text).unwrap(), run);
        insta::assert_snapshot!(format!("json_conformance_{name}"), text);
    }

    #[test]
    fn a_matrix_is_read_back() {
        let matrix = conformance::samples::matrix();
        assert_eq!(parse_matrix(&render_matrix(&matrix)).unwrap(), matrix);
    }

    #[test]
    fn a_comparison() {
        let comparison = comparison::samples::grid();
        let text = render_comparison(&comparison);
        assert_eq!(parse_comparison(&text).unwrap(), comparison);
        insta::assert_snapshot!("json_comparison", text);
    }

    #[rstest]
    #[case(
        "",
        "not a report of Squall: EOF while parsing a value at line 1 column 0"
    )]
    #[case(
        "{}",
        "not a report of Squall: missing field `format` at line 1 column 2"
    )]
    #[case(
        r#"{"format":2,"anything":null}"#,
        "the report has format version 2; this version of Squall reads 1"
    )]
    #[case(
        r#"{"format":1}"#,
        "not a report of Squall: missing field `version` at line 1 column 12"
    )]
    fn what_is_no_report_is_refused(#[case] text: &str, #[case] error: &str) {
        assert_eq!(parse(text).unwrap_err().to_string(), error);
    }

    #[test]
    fn a_document_is_read_as_what_it_is() {
        let report = render(&samples::green());
        assert!(matches!(parse_document(&report), Ok(Document::Report(_))));
        let comparison = render_comparison(&comparison::samples::grid());
        assert!(matches!(
            parse_document(&comparison),
            Ok(Document::Comparison(_))
        ));
        let summary = render_summary(&samples::summary());
        let error = parse_document(&summary).unwrap_err().to_string();
        assert_eq!(error, "neither the report of one run nor a comparison");
        assert!(parse_document("[]").is_err());
    }

    /// A layer that was dropped in silence would leave the sum short.
    #[test]
    fn an_unknown_layer_is_refused() {
        let text = render(&samples::green()).replace("\"pure_ack\"", "\"impure\"");
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains("no such layer: `impure`"), "{error}");
    }

    #[test]
    fn a_new_field_is_skipped() {
        let text = render(&samples::green()).replacen('{', "{\"new\":[1],", 1);
        assert_eq!(parse(&text).unwrap(), samples::green());
    }

    /// Keys of all objects in `value`, but for maps whose keys are data.
    fn fields(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    found.insert(key.clone());
                    if key != "lost" && key != "failed" {
                        fields(value, found);
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| fields(value, found)),
            _ => {}
        }
    }

    #[rstest]
    #[case::report(render(&samples::red()))]
    #[case::summary(render_summary(&samples::summary()))]
    #[case::matrix(render_matrix(&conformance::samples::matrix()))]
    #[case::comparison(render_comparison(&comparison::samples::sweep()))]
    fn every_field_is_documented(#[case] text: String) {
        let mut found = BTreeSet::new();
        fields(&serde_json::from_str(&text).unwrap(), &mut found);
        // In code spans: `a`, `.a`, `x.a`, `x[].a`.
        let documented: BTreeSet<&str> = include_str!("../FORMAT.md")
            .split('`')
            .skip(1)
            .step_by(2)
            .flat_map(|span| span.split('.'))
            .map(|part| part.trim_end_matches("[]"))
            .collect();
        let missing: Vec<&String> = found
            .iter()
            .filter(|field| !documented.contains(field.as_str()))
            .collect();
        assert!(missing.is_empty(), "not in FORMAT.md: {missing:?}");
        assert!(found.len() > 10, "no fields found");
    }
}
