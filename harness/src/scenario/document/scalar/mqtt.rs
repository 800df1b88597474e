//! What MQTT has words for: QoS, topics, client identifiers, Keep Alive.

use std::time::Duration;

use schemars::{Schema, json_schema};

use super::super::super::fleet::Qos as ResolvedQos;
use super::super::super::text::{self, Complaint};
use super::super::super::topic;
use super::{Scalar, Time};

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
