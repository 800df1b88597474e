//! How fleets speak MQTT, and how they connect again.

use std::time::Duration;

use super::super::super::diagnostic::ScenarioError;
use super::super::super::document::fleet::{MqttTable, ReconnectTable, VersionName};
use super::super::super::document::scalar::Time;
use super::super::super::document::value::At;
use super::super::super::fleet::{Mqtt, MqttVersion, Qos, Reconnect, Will};
use super::super::super::text::{Complaint, written};
use super::super::Resolver;

impl Resolver<'_> {
    pub(super) fn mqtt(&self, table: MqttTable) -> Result<Mqtt, ScenarioError> {
        // [MQTT311-3.1.2-22] Without a user name there is no password.
        if let (None, Some(password)) = (&table.username, &table.password) {
            return Err(self.error(
                &password.span,
                Complaint::new(
                    "a password without a user name",
                    "whose?",
                    "MQTT 3.1.1 sends no password without a user name: add `username`",
                ),
            ));
        }
        let will = match table.will {
            None => None,
            Some(will) => Some(Will {
                topic: will.topic.0,
                payload: self.short(will.payload)?.unwrap_or_default(),
                qos: will.qos.map_or(Qos::AtMostOnce, |qos| qos.0),
                retain: will.retain.unwrap_or(false),
            }),
        };
        Ok(Mqtt {
            version: match table.version {
                None | Some(VersionName::V3_1_1) => MqttVersion::V3_1_1,
                Some(VersionName::V5_0) => MqttVersion::V5_0,
            },
            client_id: table
                .client_id
                .map_or_else(|| "{device}".to_owned(), |client_id| client_id.0),
            keep_alive: table
                .keep_alive
                .map_or(Duration::from_secs(60), |time| time.0),
            clean_session: table.clean_session.unwrap_or(true),
            will,
            username: self.short(table.username)?,
            password: self.short(table.password)?,
            inflight: table.inflight.map_or(10, |count| count.0),
        })
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
