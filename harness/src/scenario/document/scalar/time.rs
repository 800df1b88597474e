//! Durations, ranges of them, and how far clocks drift.

use std::time::Duration;

use schemars::{Schema, json_schema};

use super::super::super::text::{self, Complaint};
use super::Scalar;

/// A duration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time(pub(crate) Duration);

impl Scalar for Time {
    const EXPECTED: &'static str = "a duration such as \"150ms\"";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        text::duration(text).map(Self)
    }
    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        Self::from_text(&integer.to_string())
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": "string",
            "description": "A duration: one or more numbers, each with a unit of ns, us, ms, s, m, h or d.",
            "pattern": "^\\s*([0-9][0-9_.]*\\s*(ns|us|µs|ms|s|m|min|h|d)\\s*)+$",
            "examples": ["150ms", "20m", "1h30m"],
        });
        ("Duration", schema)
    }
}

/// A duration of whole seconds, as MQTT 5.0 says them in four bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds(pub(crate) u32);

impl Scalar for Seconds {
    const EXPECTED: &'static str = "whole seconds such as \"90s\"";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let time = text::duration(text)?;
        u32::try_from(time.as_secs())
            .ok()
            .filter(|_| time.subsec_nanos() == 0)
            .map(Self)
            .ok_or_else(|| {
                Complaint::new(
                    format!("MQTT cannot say `{text}`"),
                    "not 0 to 4,294,967,295 whole seconds",
                    "write whole seconds, such as \"90s\" or \"1h\"",
                )
            })
    }
    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        Self::from_text(&integer.to_string())
    }
    fn describe() -> (&'static str, Schema) {
        let mut schema = Time::describe().1;
        schema.insert(
            "description".to_owned(),
            "Whole seconds, up to 4,294,967,295.".into(),
        );
        schema.insert("examples".to_owned(), vec!["90s", "1h"].into());
        ("Seconds", schema)
    }
}

/// A duration, or a range of them: the shortest and the longest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeSpan(pub(crate) Duration, pub(crate) Duration);

impl Scalar for TimeSpan {
    const EXPECTED: &'static str = "a duration such as \"90s\", or a range such as \"1m..5m\"";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let Some((min, max)) = text.split_once("..") else {
            return text::duration(text).map(|time| Self(time, time));
        };
        let (min, max) = (text::duration(min)?, text::duration(max)?);
        if min > max {
            return Err(Complaint::new(
                format!("the range `{text}` ends before it begins"),
                "the wrong way round",
                format!("write \"{}..{}\"", text::written(max), text::written(min)),
            ));
        }
        Ok(Self(min, max))
    }
    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        Self::from_text(&integer.to_string())
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": "string",
            "description": "A duration, or a range of durations that the seed draws from, equally likely.",
            "pattern": "^\\s*([0-9][0-9_.]*?\\s*(ns|us|µs|ms|s|m|min|h|d)\\s*)+(\\.\\.\\s*([0-9][0-9_.]*\\s*(ns|us|µs|ms|s|m|min|h|d)\\s*)+)?$",
            "examples": ["90s", "1m..5m"],
        });
        ("DurationOrRange", schema)
    }
}

/// Parts per million.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drift(pub(crate) f64);

impl Scalar for Drift {
    const EXPECTED: &'static str = "a clock drift such as \"50 ppm\"";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        text::parts_per_million(text).map(Self)
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": "string",
            "description": "How far clocks run fast or slow, in parts per million; 50 ppm is 4.3 s a day.",
            "pattern": "^\\s*[0-9][0-9.]*\\s*ppm$",
            "examples": ["50 ppm"],
        });
        ("Drift", schema)
    }
}

/// Parts per million, fast or slow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedDrift(pub(crate) f64);

impl Scalar for SignedDrift {
    const EXPECTED: &'static str = "a clock drift such as \"50 ppm\" or \"-50 ppm\"";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        match text.trim().strip_prefix('-') {
            Some(slow) => text::parts_per_million(slow).map(|ppm| Self(-ppm)),
            None => text::parts_per_million(text).map(Self),
        }
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": "string",
            "description": "How fast a clock runs, or how slow if negative, in parts per million; 50 ppm is 4.3 s a day.",
            "pattern": "^\\s*-?[0-9][0-9.]*\\s*ppm$",
            "examples": ["50 ppm", "-200 ppm"],
        });
        ("SignedDrift", schema)
    }
}
