//! How fleets speak MQTT, and how they connect again.

use std::time::Duration;

use super::super::super::diagnostic::ScenarioError;
use super::super::super::document::fleet::{MqttTable, ReconnectTable, VersionName};
use super::super::super::document::scalar::{Seconds, Time};
use super::super::super::document::value::At;
use super::super::super::fleet::{Mqtt, MqttVersion, Qos, Reconnect, Will};
use super::super::super::text::{Complaint, written};
use super::super::Resolver;

impl Resolver<'_> {
    pub(super) fn mqtt(&self, table: MqttTable) -> Result<Mqtt, ScenarioError> {
        let version = table.version.map_or(self.version, version);
        // [MQTT311-3.1.2-22] Without a user name there is no password.
        if let (MqttVersion::V3_1_1, None, Some(password)) =
            (version, &table.username, &table.password)
        {
            return Err(self.error(
                &password.span,
                Complaint::new(
                    "a password without a user name",
                    "whose?",
                    "MQTT 3.1.1 sends no password without a user name: add `username`, or speak MQTT 5.0",
                ),
            ));
        }
        let session_expiry = table.session_expiry.as_ref();
        let session_expiry_s = self.seconds(version, "session_expiry", session_expiry)?;
        self.only_in_5_0(version, "receive_maximum", table.receive_maximum.as_ref())?;
        let aliases = table.topic_alias_maximum.as_ref();
        self.only_in_5_0(version, "topic_alias_maximum", aliases)?;
        let will = match table.will {
            None => None,
            Some(will) => Some(Will {
                delay_s: self.seconds(version, "delay", will.delay.as_ref())?,
                message_expiry_s: self.message_expiry(version, will.message_expiry.as_ref())?,
                topic: will.topic.0,
                payload: self.short(will.payload)?.unwrap_or_default(),
                qos: will.qos.map_or(Qos::AtMostOnce, |qos| qos.0),
                retain: will.retain.unwrap_or(false),
            }),
        };
        Ok(Mqtt {
            version,
            client_id: table
                .client_id
                .map_or_else(|| "{device}".to_owned(), |client_id| client_id.0),
            keep_alive: table
                .keep_alive
                .map_or(Duration::from_secs(60), |time| time.0),
            clean_session: table.clean_session.unwrap_or(true),
            session_expiry_s,
            receive_maximum: table.receive_maximum.map(|most| most.value.0),
            topic_alias_maximum: table.topic_alias_maximum.map(|most| most.value.0),
            will,
            username: self.short(table.username)?,
            password: self.short(table.password)?,
            inflight: table.inflight.map_or(10, |count| count.0),
        })
    }

    /// Refuses to a fleet that speaks 3.1.1 a key that only 5.0 has words for.
    pub(super) fn only_in_5_0<T>(
        &self,
        version: MqttVersion,
        key: &str,
        given: Option<&At<T>>,
    ) -> Result<(), ScenarioError> {
        match (version, given) {
            (MqttVersion::V3_1_1, Some(given)) => Err(self.error(
                &given.span,
                Complaint::new(
                    format!("`{key}` for a fleet that speaks MQTT 3.1.1"),
                    "only MQTT 5.0 has it",
                    "give the fleet `mqtt = { version = \"5.0\" }`, or all fleets `mqtt = \"5.0\"` \
                     at the top",
                ),
            )),
            _ => Ok(()),
        }
    }

    fn seconds(
        &self,
        version: MqttVersion,
        key: &str,
        given: Option<&At<Seconds>>,
    ) -> Result<Option<u32>, ScenarioError> {
        self.only_in_5_0(version, key, given)?;
        Ok(given.map(|time| time.value.0))
    }

    /// A Message Expiry Interval, in seconds.
    pub(super) fn message_expiry(
        &self,
        version: MqttVersion,
        given: Option<&At<Seconds>>,
    ) -> Result<Option<u32>, ScenarioError> {
        match given {
            Some(At {
                value: Seconds(0),
                span,
            }) => Err(self.error(
                span,
                Complaint::new(
                    "a message that expires before it can be sent",
                    "zero",
                    "write a second or more; leave it out for a message that does not expire",
                ),
            )),
            given => self.seconds(version, "message_expiry", given),
        }
    }

    /// A text that fits the two bytes of its length in CONNECT.
    fn short(&self, text: Option<At<String>>) -> Result<Option<String>, ScenarioError> {
        match text {
            Some(text) if text.value.len() > usize::from(u16::MAX) => Err(self.error(
                &text.span,
                Complaint::new(
                    format!("a text of {} bytes", text.value.len()),
                    "too long",
                    "CONNECT has room for 65,535 bytes",
                ),
            )),
            text => Ok(text.map(|text| text.value)),
        }
    }

    pub(super) fn reconnect(&self, table: &ReconnectTable) -> Result<Reconnect, ScenarioError> {
        let time = |time: &Option<At<Time>>, otherwise: Duration| match time {
            None => Ok(otherwise),
            Some(time) => self.positive(time, "a wait of no time"),
        };
        let min = time(&table.min, Duration::from_secs(1))?;
        let max = time(&table.max, Duration::from_secs(120).max(min))?;
        let timeout = time(&table.timeout, Duration::from_secs(30))?;
        if let Some(given) = table.max.as_ref().filter(|_| max < min) {
            let complaint = Complaint::new(
                format!(
                    "a longest wait of {} after a first of {}",
                    written(max),
                    written(min)
                ),
                "shorter than `min`",
                "a wait doubles from `min` up to `max`",
            );
            return Err(self.error(&given.span, complaint));
        }
        if let Some(given) = table
            .timeout
            .as_ref()
            .filter(|_| timeout.subsec_nanos() != 0)
        {
            let complaint = Complaint::new(
                format!("a timeout of {}", written(timeout)),
                "not whole seconds",
                "the MQTT client counts in seconds",
            );
            return Err(self.error(&given.span, complaint));
        }
        Ok(Reconnect {
            min,
            max,
            jitter: table.jitter.map_or(0.5, |share| share.0),
            timeout,
        })
    }
}

pub(in super::super) fn version(name: VersionName) -> MqttVersion {
    match name {
        VersionName::V3_1_1 => MqttVersion::V3_1_1,
        VersionName::V5_0 => MqttVersion::V5_0,
    }
}
