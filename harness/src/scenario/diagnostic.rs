//! One mistake, shown where it stands: file, line, caret, and the way out.

use std::ops::Range;
use std::path::Path;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, NamedSource, SourceSpan};

use super::document::value::COMPLAINT_SEPARATOR;
use super::text::Complaint;

/// A scenario that cannot be run, and why.
///
/// It is a [`miette::Diagnostic`]; [`render`](Self::render) shows it as text.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub struct ScenarioError(Box<Details>);

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
struct Details {
    message: String,
    label: String,
    #[help]
    help: Option<String>,
    #[source_code]
    source_code: Option<NamedSource<String>>,
    #[label("{label}")]
    span: Option<SourceSpan>,
}

impl ScenarioError {
    /// A mistake that stands in no text, such as a file that cannot be read,
    /// and the way out.
    #[must_use]
    pub fn new(message: impl Into<String>, help: Option<String>) -> Self {
        Self(Box::new(Details {
            message: message.into(),
            label: String::new(),
            help,
            source_code: None,
            span: None,
        }))
    }

    /// A mistake in `text`, which goes by `name`, at these bytes of it.
    pub(crate) fn in_text(
        name: &str,
        text: &str,
        span: Range<usize>,
        complaint: Complaint,
    ) -> Self {
        let span = caret(text, span.start, span.end);
        Self(Box::new(Details {
            message: complaint.what,
            label: complaint.label,
            help: Some(complaint.help).filter(|help| !help.is_empty()),
            source_code: Some(NamedSource::new(name, text.to_owned())),
            span: Some(SourceSpan::new(span.start.into(), span.len())),
        }))
    }

    /// As a person reads it, on a terminal or in a log. Ends with a newline.
    #[must_use]
    pub fn render(&self, color: bool, width: usize) -> String {
        let theme = if color {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let mut text = String::new();
        // Formatting into a String fails only if a Display implementation does,
        // and then the plain message still says what is wrong.
        match GraphicalReportHandler::new_themed(theme)
            .with_width(width)
            .with_links(false)
            .render_report(&mut text, &*self.0)
        {
            Ok(()) => text,
            Err(_) => format!("{self}\n"),
        }
    }
}

impl Diagnostic for ScenarioError {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.0.help()
    }
    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.0.source_code()
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        self.0.labels()
    }
}

/// The texts a scenario came from: its file, then each override, as if they
/// stood one after another.
#[derive(Debug)]
pub(crate) struct Sources {
    file: (String, String),
    /// Where each override begins, and its text.
    overrides: Vec<(usize, String)>,
}

impl Sources {
    pub(crate) fn new(path: &Path, text: &str, overrides: &[String]) -> Self {
        let mut begin = text.len();
        let mut placed = Vec::with_capacity(overrides.len());
        for text in overrides {
            // One apart, so that an empty span at an end is not ambiguous.
            begin += 1;
            placed.push((begin, text.clone()));
            begin += text.len();
        }
        Self {
            file: (path.display().to_string(), text.to_owned()),
            overrides: placed,
        }
    }

    /// Every override, and where it begins.
    pub(crate) fn overrides(&self) -> impl Iterator<Item = (usize, &str)> {
        self.overrides
            .iter()
            .map(|(begin, text)| (*begin, text.as_str()))
    }

    pub(crate) fn error(&self, span: Range<usize>, complaint: Complaint) -> ScenarioError {
        let placed = self
            .overrides
            .iter()
            .rev()
            .find(|(begin, _)| span.start >= *begin);
        let (name, text, begin) = match placed {
            Some((begin, text)) => ("--set", text, *begin),
            None => (self.file.0.as_str(), &self.file.1, 0),
        };
        let span = span.start - begin..span.end.saturating_sub(begin);
        ScenarioError::in_text(name, text, span, complaint)
    }

    /// An error of the TOML parser or of serde, in our words.
    pub(crate) fn toml_error(&self, error: &toml::de::Error) -> ScenarioError {
        self.error(error.span().unwrap_or(0..0), reworded(error.message()))
    }
}

/// A span that stays within its text and on its first line.
fn caret(text: &str, start: usize, end: usize) -> Range<usize> {
    let mut start = start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let line = text[start..].split('\n').next().unwrap_or_default();
    let mut end = end
        .clamp(start, start + line.trim_end().len().max(1))
        .min(text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// What a parser says, in our words.
fn reworded(message: &str) -> Complaint {
    if let [what, label, help] = message.split(COMPLAINT_SEPARATOR).collect::<Vec<_>>()[..] {
        return Complaint::new(what, label, help);
    }
    let quoted = |text: &str| -> Vec<String> {
        text.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    if let Some((found, known)) = message
        .strip_prefix("unknown field ")
        .and_then(|rest| rest.split_once(", "))
    {
        return unknown("key", &quoted(found).concat(), &quoted(known));
    }
    if let Some((found, known)) = message
        .strip_prefix("unknown variant ")
        .and_then(|rest| rest.split_once(", "))
    {
        return unknown("choice", &quoted(found).concat(), &quoted(known));
    }
    if let Some((found, known)) = message
        .strip_prefix("unexpected keys in table: ")
        .and_then(|rest| rest.split_once(", available keys: "))
    {
        let known: Vec<String> = known
            .split(", ")
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
            .collect();
        let first = found.split(", ").next().unwrap_or(found);
        return unknown("key", first, &known);
    }
    if let Some(key) = message.strip_prefix("missing field ") {
        return Complaint::new(
            format!("missing key {key}"),
            "in this table",
            format!("add {key}"),
        );
    }
    if let Some((found, expected)) = message
        .strip_prefix("invalid type: ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        return wrong_type(found, expected);
    }
    if message == "wanted string or table" {
        return Complaint::new(
            "expected a string, the name of a choice",
            "wrong type",
            "protocols: \"mqtt\", \"mqtt-ws\", \"websocket\" or \"http\"; \
             MQTT versions: \"3.1.1\" or \"5.0\"; congestion control: \"none\", \"reno\" or \"cubic\"; \
             kinds of fault: \"partition\", \"server-crash\", \"vanish\" and more",
        );
    }
    Complaint::new(message, "here", "")
}

/// serde's words for types, in TOML's.
fn wrong_type(found: &str, expected: &str) -> Complaint {
    let found = found
        .replace("map", "a table")
        .replace("sequence", "a list")
        .replace("string", "the string");
    let help = match (found.as_str(), expected) {
        ("a table", "a sequence") => "there can be several: write it in double brackets, [[…]]",
        (_, "a boolean") => "write true or false, without quotes",
        _ => "",
    };
    let expected = expected.replace("a sequence", "a list");
    Complaint::new(
        format!("expected {expected}, found {found}"),
        "wrong type",
        help,
    )
}

/// A name that is not known, with the nearest that is.
pub(crate) fn unknown<S: AsRef<str>>(kind: &str, found: &str, known: &[S]) -> Complaint {
    let what = format!("unknown {kind} `{found}`");
    let label = format!("no such {kind}");
    if known.is_empty() {
        return Complaint::new(what, label, format!("no {kind} may stand here"));
    }
    let list = known
        .iter()
        .map(AsRef::as_ref)
        .collect::<Vec<_>>()
        .join(", ");
    let help = match nearest(found, known) {
        Some(nearest) => format!("did you mean `{nearest}`? (known: {list})"),
        None => format!("known: {list}"),
    };
    Complaint::new(what, label, help)
}

/// The known name that a mistyped one most likely means.
pub(crate) fn nearest<'a, S: AsRef<str>>(found: &str, known: &'a [S]) -> Option<&'a str> {
    known
        .iter()
        .map(AsRef::as_ref)
        .map(|name| {
            let (found, known) = (found.to_lowercase(), name.to_lowercase());
            (name, strsim::jaro_winkler(&found, &known))
        })
        .filter(|(_, similarity)| *similarity > 0.75)
        // The first of equals wins, in the order the names are known.
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("nbiot", Some("nb-iot"))]
    #[case("ethernt", Some("ethernet"))]
    #[case("WiFi", Some("wifi"))]
    #[case("carrier pigeon", None)]
    fn the_nearest_name(#[case] found: &str, #[case] expected: Option<&str>) {
        let known = ["ethernet", "wifi", "lte-m", "nb-iot", "2g", "satellite"];
        assert_eq!(nearest(found, &known), expected);
    }

    #[rstest]
    #[case("abc\ndef", 1, 6, 1..3)]
    #[case("abc", 3, 3, 3..3)]
    #[case("abc", 9, 12, 3..3)]
    #[case("aéb", 2, 3, 1..3)]
    fn a_caret_stays_on_its_line(
        #[case] text: &str,
        #[case] start: usize,
        #[case] end: usize,
        #[case] expected: Range<usize>,
    ) {
        assert_eq!(caret(text, start, end), expected);
    }
}
