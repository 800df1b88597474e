//! An application message inside the broker.

use std::num::NonZeroU16;
use std::time::Duration;

use bytes::Bytes;

use crate::quirks::{Quirk, Quirks};
use crate::wire::{Properties, Property, Qos, SubscriptionId, TopicName};

/// An application message inside the broker, shared by every queue that holds
/// it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// What it is about.
    pub topic: TopicName,
    /// What it says.
    pub payload: Bytes,
    /// The quality of service it was published with.
    pub qos: Qos,
    /// Whether it was published to be retained.
    pub retain: bool,
    /// What is passed on as it came, in its order: payload format indicator,
    /// content type, response topic, correlation data and user properties
    /// `[MQTT5-3.3.2-4]` `[MQTT5-3.3.2-15]` `[MQTT5-3.3.2-16]`
    /// `[MQTT5-3.3.2-17]` `[MQTT5-3.3.2-18]` `[MQTT5-3.3.2-20]`.
    pub properties: Properties,
    /// When it is of no use any more, if ever.
    pub expiry: Option<Expiry>,
}

/// How long a message is of use (section 3.3.2.3.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Expiry {
    /// Until when, as time since the broker's start.
    pub at: Duration,
    /// How long from when the broker took it on, in seconds.
    pub interval_s: u32,
}

impl Expiry {
    /// The seconds that are left. One that has begun counts [MQTT5-3.3.2-6].
    fn left_s(self, now: Duration) -> u32 {
        let left = self.at.saturating_sub(now);
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }
}

impl Message {
    /// What it counts against a queue's limit: topic, properties and payload, in
    /// bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.topic.as_bytes().len() + self.properties.as_bytes().len() + self.payload.len()
    }

    /// Whether it is too late for it [MQTT5-3.3.2-5].
    pub(crate) fn has_expired(&self, now: Duration) -> bool {
        self.expiry.is_some_and(|expiry| expiry.at <= now)
    }

    /// The same, whose expiry has counted from zero and begins now.
    pub(crate) fn begun(mut self, now: Duration) -> Self {
        if let Some(expiry) = &mut self.expiry {
            expiry.at = expiry.at.saturating_add(now);
        }
        self
    }

    /// What a PUBLISH of it says to a client: what is passed on, how long it is
    /// still of use, for which subscriptions it is sent [MQTT5-3.3.4-3]
    /// [MQTT5-3.3.4-4], and an alias of its topic.
    pub(crate) fn properties_for(
        &self,
        now: Duration,
        ids: &[SubscriptionId],
        alias: Option<NonZeroU16>,
    ) -> Properties {
        if self.expiry.is_none() && ids.is_empty() && alias.is_none() {
            return self.properties.clone();
        }
        // What is under way already is finished even if it is too late.
        // [MQTT5-4.3.3-7] [MQTT5-4.3.3-13]
        let left = self.expiry.map(|expiry| expiry.left_s(now));
        let left = left.map(Property::MessageExpiryInterval);
        let ids = ids.iter().copied().map(Property::SubscriptionIdentifier);
        let alias = alias.map(Property::TopicAlias);
        self.properties
            .and(left.into_iter().chain(ids).chain(alias))
    }
}

/// What a message keeps of the properties of a PUBLISH or a will, and when it
/// expires if the broker takes it on now.
pub(crate) fn kept(
    properties: &Properties,
    now: Duration,
    quirks: Quirks,
) -> (Properties, Option<Expiry>) {
    let is_passed_on = |property: &Property| {
        matches!(
            property,
            Property::PayloadFormatIndicator(_)
                | Property::ContentType(_)
                | Property::ResponseTopic(_)
                | Property::CorrelationData(_)
                | Property::UserProperty(..)
        )
    };
    let expiry = properties.iter().find_map(|property| match property {
        Property::MessageExpiryInterval(interval_s) => Some(Expiry {
            at: now.saturating_add(Duration::from_secs(interval_s.into())),
            interval_s,
        }),
        _ => None,
    });
    let passed_on = if properties.iter().all(|property| is_passed_on(&property)) {
        properties.clone()
    } else {
        properties.iter().filter(is_passed_on).collect()
    };
    let passed_on = if quirks.is_empty() {
        passed_on
    } else {
        spoiled(&passed_on, quirks)
    };
    (passed_on, expiry)
}

/// Properties as quirks leave them.
fn spoiled(properties: &Properties, quirks: Quirks) -> Properties {
    let is_dropped = |property: &Property| match property {
        Property::PayloadFormatIndicator(_) => quirks.has(Quirk::DropsPayloadFormat),
        Property::ContentType(_) => quirks.has(Quirk::DropsContentType),
        Property::ResponseTopic(_) => quirks.has(Quirk::DropsResponseTopic),
        Property::CorrelationData(_) => quirks.has(Quirk::DropsCorrelationData),
        Property::UserProperty(_, value) => {
            value.is_empty() && quirks.has(Quirk::DropsUserProperties)
        }
        _ => false,
    };
    let mut left: Vec<_> = properties.iter().collect();
    left.retain(|property| !is_dropped(property));
    if quirks.has(Quirk::ReversesUserProperties) {
        left.reverse();
    }
    left.into_iter().collect()
}
