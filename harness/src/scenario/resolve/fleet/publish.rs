//! What fleets publish: to whom, how often, and at which QoS.

use std::ops::Range;
use std::time::Duration;

use super::super::super::diagnostic::{ScenarioError, unknown};
use super::super::super::document::fleet::PublishTable;
use super::super::super::document::scalar::{Name, ReadingTopic, Time};
use super::super::super::document::value::At;
use super::super::super::fleet::{Lifecycle, MqttVersion, Publish, Qos};
use super::super::super::text::{Complaint, written};
use super::super::Resolver;
use super::payload::default_payload;

impl Resolver<'_> {
    pub(super) fn publish(
        &self,
        publish: At<PublishTable>,
        version: MqttVersion,
        lifecycle: &Lifecycle,
        fleet_names: &[String],
    ) -> Result<Publish, ScenarioError> {
        let At { value: table, span } = publish;
        let to = self.addressees(table.to.as_ref(), &table.topic, fleet_names)?;
        let every = self.every(
            table.every,
            lifecycle,
            table.readings.map(|count| count.0),
            &span,
        )?;
        let qos = match table.qos {
            None => vec![Qos::AtMostOnce],
            Some(At { value, span }) => {
                if value.0.is_empty() {
                    let complaint = Complaint::new(
                        "an empty list of QoS",
                        "which QoS?",
                        "write one, such as 1, or several that readings take in turn: [0, 1, 2]",
                    );
                    return Err(self.error(&span, complaint));
                }
                value.0.iter().map(|qos| qos.0).collect()
            }
        };
        self.only_in_5_0(version, "topic_alias", table.topic_alias.as_ref())?;
        Ok(Publish {
            topic: table.topic.value.0,
            to,
            qos,
            retain: table.retain.is_some_and(|retain| retain.value),
            message_expiry_s: self.message_expiry(version, table.message_expiry.as_ref())?,
            topic_alias: table.topic_alias.is_some_and(|alias| alias.value),
            every,
            jitter: self.jitter(table.jitter, every)?,
            readings: table.readings.map(|count| count.0),
            payload: match table.payload {
                None => default_payload(),
                Some(payload) => self.payload(payload.value)?,
            },
        })
    }

    /// The fleet that readings are addressed to, and whose devices their topic
    /// must then name.
    fn addressees(
        &self,
        to: Option<&At<Name>>,
        topic: &At<ReadingTopic>,
        fleet_names: &[String],
    ) -> Result<Option<usize>, ScenarioError> {
        let named = topic.value.0.contains("{target}");
        match to {
            None if named => Err(self.error(
                &topic.span,
                Complaint::new(
                    "a topic with `{target}`, and nobody the readings are addressed to",
                    "whose name?",
                    "add `to = \"…\"` with the name of a fleet",
                ),
            )),
            None => Ok(None),
            Some(to) if !named => Err(self.error(
                &to.span,
                Complaint::new(
                    format!(
                        "readings addressed to `{}`, in a topic that does not say to which device",
                        to.value.0
                    ),
                    "to all of them",
                    "put `{target}` into `topic`; or leave `to` out, and let that fleet subscribe to the topic",
                ),
            )),
            Some(to) => {
                let index = fleet_names.iter().position(|name| *name == to.value.0);
                let known: Vec<&str> = fleet_names.iter().map(String::as_str).collect();
                let unknown = || self.error(&to.span, unknown("fleet", &to.value.0, &known));
                index.map(Some).ok_or_else(unknown)
            }
        }
    }

    /// The time from one reading to the next, which comes from the lifecycle
    /// of a periodic device and must be given for every other.
    fn every(
        &self,
        every: Option<At<Time>>,
        lifecycle: &Lifecycle,
        readings: Option<u32>,
        publish: &Range<usize>,
    ) -> Result<Duration, ScenarioError> {
        match (every, lifecycle) {
            (Some(every), Lifecycle::Periodic { .. }) => Err(self.error(
                &every.span,
                Complaint::new(
                    "a periodic device publishes when it wakes",
                    "not of its own",
                    "leave it out; `lifecycle` has `every`, `readings` and `gap`",
                ),
            )),
            (None, Lifecycle::Periodic { gap, .. }) => Ok(*gap),
            (Some(every), _) => self.positive(&every, "readings without end at one moment"),
            (None, _) if readings == Some(1) => Ok(self.duration),
            (None, _) => Err(self.error(
                publish,
                Complaint::new(
                    "a device that publishes, but not when",
                    "how often?",
                    "add `every = \"1m\"`, or `readings = 1` for a single reading",
                ),
            )),
        }
    }

    pub(super) fn jitter(
        &self,
        jitter: Option<At<Time>>,
        every: Duration,
    ) -> Result<Duration, ScenarioError> {
        match jitter {
            None => Ok(Duration::ZERO),
            Some(jitter) if jitter.value.0 <= every / 2 => Ok(jitter.value.0),
            Some(jitter) => Err(self.error(
                &jitter.span,
                Complaint::new(
                    format!(
                        "a jitter of {} around every {}",
                        written(jitter.value.0),
                        written(every)
                    ),
                    "more than half of `every`",
                    "jitter goes to either side, and two turns must not swap places",
                ),
            )),
        }
    }
}
