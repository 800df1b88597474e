//! The scalars of the language: each parses into a valid figure or complains,
//! and describes itself to editors.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use squall_broker::Quirk;

use super::super::diagnostic::unknown;
use super::super::fleet::Qos as ResolvedQos;
use super::super::text::{self, Complaint};
use super::super::topic;
use crate::invariants::Invariant;

/// A value that is one string or one number.
trait Scalar: Sized {
    /// What serde says was expected, after "expected".
    const EXPECTED: &'static str;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        Err(mismatch::<Self>(&format!("the string \"{text}\"")))
    }

    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        Err(mismatch::<Self>(&format!("the number {integer}")))
    }

    fn from_float(float: f64) -> Result<Self, Complaint> {
        Err(mismatch::<Self>(&format!("the number {float}")))
    }

    /// Name and JSON Schema.
    fn describe() -> (&'static str, Schema);
}

fn mismatch<T: Scalar>(found: &str) -> Complaint {
    Complaint::new(
        format!("expected {}, found {found}", T::EXPECTED),
        "wrong type",
        "",
    )
}

struct ScalarVisitor<T>(PhantomData<T>);

impl<T: Scalar> Visitor<'_> for ScalarVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }
    fn visit_str<E: de::Error>(self, value: &str) -> Result<T, E> {
        T::from_text(value).map_err(E::custom)
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        T::from_integer(value).map_err(E::custom)
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
        T::from_float(value).map_err(E::custom)
    }
}

macro_rules! scalars {
    ($($name:ident),+ $(,)?) => { $(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(ScalarVisitor(PhantomData))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                Self::describe().0.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                Self::describe().1
            }
        }
    )+ };
}

scalars!(
    Time,
    TimeSpan,
    Rate,
    Size,
    Queue,
    Share,
    Drift,
    SignedDrift,
    Count,
    Bytes,
    Name,
    Line,
    Qos,
    TopicName,
    ReadingTopic,
    TopicFilter,
    ClientId,
    KeepAlive,
    UnitName,
    Decimals,
    QuirkName,
    GuaranteeName
);

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

/// Bits a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate(pub(crate) u64);

impl Scalar for Rate {
    const EXPECTED: &'static str = "a rate such as \"20 kbit/s\"";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        text::rate(text).map(Self)
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": "string",
            "description": "A rate: a number and a unit of bit/s, kbit/s, Mbit/s or Gbit/s (powers of 1,000).",
            "pattern": "^\\s*[0-9][0-9_.]*\\s*[kMG]?bit/s$",
            "examples": ["20 kbit/s", "1.5 Mbit/s"],
        });
        ("Rate", schema)
    }
}

/// Bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size(pub(crate) u64);

impl Scalar for Size {
    const EXPECTED: &'static str = "a size such as \"4 KiB\", or a number of bytes";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        text::size(text).map(Self)
    }
    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        Self::from_text(&integer.to_string())
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": ["string", "integer"],
            "minimum": 0,
            "description": "A size: a number of bytes, or a number and a unit of B, kB, MB, GB (powers of 1,000), KiB, MiB or GiB (powers of 1,024).",
            "pattern": "^\\s*[0-9][0-9_.]*\\s*([kMG]?B|[KMG]iB)$",
            "examples": ["4 KiB", 1500],
        });
        ("Size", schema)
    }
}

/// How much may wait: bytes, or full packets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Queue {
    Bytes(u64),
    Packets(u64),
}

impl Scalar for Queue {
    const EXPECTED: &'static str = "a size such as \"64 KiB\", or \"50 packets\"";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let number = text
            .trim()
            .strip_suffix("packets")
            .or_else(|| text.trim().strip_suffix("packet"));
        match number {
            Some(number) => text::count(number).map(Self::Packets).ok_or_else(|| {
                Complaint::new(
                    format!("`{text}` is not a number of packets"),
                    "not a number",
                    "write \"50 packets\", or a size such as \"64 KiB\"",
                )
            }),
            None => text::size(text).map(Self::Bytes),
        }
    }
    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        Self::from_text(&integer.to_string())
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": ["string", "integer"],
            "minimum": 0,
            "description": "How much may wait before the tail is dropped: a size, or a number of full packets.",
            "pattern": "^\\s*[0-9][0-9_.]*\\s*([kMG]?B|[KMG]iB|packets?)$",
            "examples": ["64 KiB", "50 packets"],
        });
        ("Queue", schema)
    }
}

/// A probability, 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share(pub(crate) f64);

impl Share {
    fn checked(share: f64, written: &str) -> Result<Self, Complaint> {
        if (0.0..=1.0).contains(&share) {
            Ok(Self(share))
        } else {
            Err(Complaint::new(
                format!("`{written}` is not a probability"),
                "not between 0 and 1",
                "write a percentage from \"0%\" to \"100%\", or a number from 0 to 1",
            ))
        }
    }
}

impl Scalar for Share {
    const EXPECTED: &'static str = "a probability such as \"10%\" or 0.1";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        Self::checked(text::percentage(text)?, text)
    }
    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "only 0 and 1 pass, and they are exact"
        )]
        Self::checked(integer as f64, &integer.to_string())
    }
    fn from_float(float: f64) -> Result<Self, Complaint> {
        Self::checked(float, &float.to_string())
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": ["string", "number"],
            "minimum": 0,
            "maximum": 1,
            "description": "A probability: a percentage, or a number from 0 to 1.",
            "pattern": "^\\s*[0-9][0-9.]*\\s*%$",
            "examples": ["10%", 0.1],
        });
        ("Probability", schema)
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

/// A number of things, at least 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count(pub(crate) u32);

impl Scalar for Count {
    const EXPECTED: &'static str = "a whole number from 1";

    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        u32::try_from(integer)
            .ok()
            .filter(|&count| count >= 1)
            .map(Self)
            .ok_or_else(|| {
                Complaint::new(
                    format!("expected a whole number from 1, found {integer}"),
                    "out of range",
                    "write a whole number from 1 to 4,294,967,295",
                )
            })
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({ "type": "integer", "minimum": 1, "maximum": u32::MAX });
        ("Count", schema)
    }
}

/// A small size in bytes, such as an MTU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes(pub(crate) u16);

impl Scalar for Bytes {
    const EXPECTED: &'static str = "a number of bytes from 1 to 65,535";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        text::size(text)
            .ok()
            .and_then(|bytes| u16::try_from(bytes).ok())
            .filter(|&bytes| bytes >= 1)
            .map(Self)
            .ok_or_else(|| {
                Complaint::new(
                    format!("`{text}` is not a number of bytes from 1 to 65,535"),
                    "out of range",
                    "write a number of bytes, such as 1500",
                )
            })
    }
    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        Self::from_text(&integer.to_string())
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": ["string", "integer"],
            "minimum": 1,
            "maximum": u16::MAX,
            "description": "A number of bytes from 1 to 65,535.",
            "examples": [1500],
        });
        ("Bytes", schema)
    }
}

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

/// A quality of service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Qos(pub(crate) ResolvedQos);

impl Scalar for Qos {
    const EXPECTED: &'static str = "a quality of service, 0, 1 or 2";

    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        match integer {
            0 => Ok(Self(ResolvedQos::AtMostOnce)),
            1 => Ok(Self(ResolvedQos::AtLeastOnce)),
            2 => Ok(Self(ResolvedQos::ExactlyOnce)),
            // [MQTT311-3.3.1-4]
            _ => Err(Complaint::new(
                format!("there is no QoS {integer}"),
                "not a QoS",
                "0 is at most once, 1 at least once, 2 exactly once",
            )),
        }
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": "integer",
            "enum": [0, 1, 2],
            "description": "Quality of service: 0 at most once, 1 at least once, 2 exactly once.",
        });
        ("Qos", schema)
    }
}

/// A topic to publish to.
#[derive(Clone, Debug)]
pub(crate) struct TopicName(pub(crate) String);

impl Scalar for TopicName {
    const EXPECTED: &'static str = "a topic such as \"valley/{device}/temperature\"";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        topic::check_name(text, &topic::PLACEHOLDERS).map(|()| Self(text.to_owned()))
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": "string",
            "description": "A topic; `{device}` and `{fleet}` stand for their names.",
            "pattern": "^[^+#]+$",
            "examples": ["valley/{device}/temperature"],
        });
        ("Topic", schema)
    }
}

/// A topic of readings, which may be addressed to somebody.
#[derive(Clone, Debug)]
pub(crate) struct ReadingTopic(pub(crate) String);

impl Scalar for ReadingTopic {
    const EXPECTED: &'static str = TopicName::EXPECTED;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        topic::check_name(text, &topic::PLACEHOLDERS_OF_READINGS).map(|()| Self(text.to_owned()))
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": "string",
            "description": "A topic; `{device}` and `{fleet}` stand for their names, `{target}` for that of the device addressed.",
            "pattern": "^[^+#]+$",
            "examples": ["valley/{device}/temperature", "command/{target}"],
        });
        ("ReadingTopic", schema)
    }
}

/// A client identifier.
#[derive(Clone, Debug)]
pub(crate) struct ClientId(pub(crate) String);

impl Scalar for ClientId {
    const EXPECTED: &'static str = "a client identifier such as \"{device}\"";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        topic::check_client_id(text).map(|()| Self(text.to_owned()))
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": "string",
            "description": "A client identifier; `{device}` and `{fleet}` stand for their names.",
            "minLength": 1,
            "examples": ["{device}", "{fleet}"],
        });
        ("ClientId", schema)
    }
}

/// A topic filter to subscribe to.
#[derive(Clone, Debug)]
pub(crate) struct TopicFilter(pub(crate) String);

impl Scalar for TopicFilter {
    const EXPECTED: &'static str = "a topic filter such as \"valley/+/temperature\"";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        topic::check_filter(text).map(|()| Self(text.to_owned()))
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({
            "type": "string",
            "description": "A topic filter; `{device}` and `{fleet}` stand for their names.",
            "minLength": 1,
            "examples": ["valley/+/temperature"],
        });
        ("TopicFilter", schema)
    }
}

/// MQTT's Keep Alive: whole seconds that fit two bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeepAlive(pub(crate) Duration);

impl Scalar for KeepAlive {
    const EXPECTED: &'static str = "a keep-alive such as \"30s\"";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let time = text::duration(text)?;
        if time.subsec_nanos() != 0 || time.as_secs() > u64::from(u16::MAX) {
            return Err(Complaint::new(
                format!("MQTT cannot say a keep-alive of `{text}`"),
                "not 0 to 65,535 whole seconds",
                "write whole seconds up to \"65535s\" (18h12m15s); \"0s\" switches it off",
            ));
        }
        Ok(Self(time))
    }
    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        Self::from_text(&integer.to_string())
    }
    fn describe() -> (&'static str, Schema) {
        let mut schema = Time::describe().1;
        schema.insert(
            "description".to_owned(),
            "Whole seconds, up to 65,535; \"0s\" switches it off.".into(),
        );
        ("KeepAlive", schema)
    }
}

/// The name of a deliberate defect of the broker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuirkName(pub(crate) Quirk);

impl Scalar for QuirkName {
    const EXPECTED: &'static str = "the name of a quirk";

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let known = Quirk::ALL
            .iter()
            .map(|quirk| quirk.name())
            .collect::<Vec<_>>();
        Quirk::from_name(text)
            .map(Self)
            .ok_or_else(|| unknown("quirk", text, &known))
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

/// Digits after the decimal point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimals(pub(crate) u8);

impl Scalar for Decimals {
    const EXPECTED: &'static str = "a number of digits from 0 to 9";

    fn from_integer(integer: i64) -> Result<Self, Complaint> {
        u8::try_from(integer)
            .ok()
            .filter(|&digits| digits <= 9)
            .map(Self)
            .ok_or_else(|| {
                Complaint::new(
                    format!("expected {}, found {integer}", Self::EXPECTED),
                    "out of range",
                    "sensors rarely have more than 2",
                )
            })
    }
    fn describe() -> (&'static str, Schema) {
        let schema = json_schema!({ "type": "integer", "minimum": 0, "maximum": 9 });
        ("Decimals", schema)
    }
}
