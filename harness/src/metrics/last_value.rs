//! The last value of each topic, and what each subscriber saw last of it.
//!
//! A topic's last value is the payload of the PUBLISH that reached the server
//! last. Two publishers may set it at once, and which of them was last, only the
//! server can tell: going by the publishers' clocks would be going by chance. A
//! repeat at QoS 2 is no second value; one at QoS 1 is, as it is for the server
//! [MQTT311-4.3.2-2]. Wills are nobody's readings, and are left out on both
//! sides. Only the broker's clients count: it alone tells what reached it.

use super::filter::filter_matches;
use super::{Metrics, reading_mut};
use crate::scenario::Server;
use crate::trace::{Message, TextId, Texts};
use rustc_hash::FxHashMap;
use squall_devices::{MessageId, Qos};
use std::collections::BTreeMap;

/// The hash of an application message's payload.
type PayloadHash = u64;

impl Metrics {
    /// A PUBLISH reached the server.
    pub(super) fn reached_server(
        &mut self,
        id: Option<MessageId>,
        dup: bool,
        mut message: Message,
    ) {
        // The PUBLISH may have had an alias where its topic would be.
        let reading = id.and_then(|id| reading_mut(&mut self.readings, id));
        message.topic = reading.map_or(message.topic, |reading| reading.topic);
        self.last_values.received(id, dup, &message);
    }

    /// Of all subscribers, topic by topic, those that ended with the topic's last
    /// value, and how many there are. Who shares its subscription, or has
    /// unsubscribed, is to have no topic's.
    pub(crate) fn last_value_share(&self, texts: &Texts) -> (u64, u64) {
        let (mut ended_there, mut all) = (0, 0);
        for (&topic, &value) in &self.last_values.set {
            let setter = value.id.map(|id| id.device().0);
            let setter = setter.and_then(|device| self.by_device.get(&device));
            for (index, subscriber) in self.subscribers.iter().enumerate() {
                if subscriber.server != Server::Broker {
                    continue;
                }
                let own = setter == Some(&index);
                let mut filters = subscriber.filters.iter().zip(&subscriber.left);
                if filters.any(|(wanted, left)| {
                    !(*left || own && wanted.no_local)
                        && filter_matches(&wanted.filter, texts.text(topic))
                }) {
                    all += 1;
                    ended_there += u64::from(self.last_values.ended_at(index, topic, value));
                }
            }
        }
        (ended_there, all)
    }
}

/// What was set last, and seen last.
#[derive(Default)]
pub(super) struct LastValues {
    /// By topic.
    set: BTreeMap<TextId, Value>,
    /// By subscriber and topic.
    seen: FxHashMap<(usize, TextId), PayloadHash>,
}

/// What a topic was set to.
#[derive(Clone, Copy)]
struct Value {
    /// The reading, if it is one of ours.
    id: Option<MessageId>,
    payload: PayloadHash,
    /// Retained and empty: whoever subscribes now gets nothing
    /// [MQTT311-3.3.1-10].
    cleared: bool,
}

impl LastValues {
    fn received(&mut self, id: Option<MessageId>, dup: bool, message: &Message) {
        if dup && message.qos == Qos::ExactlyOnce {
            return;
        }
        let value = Value {
            id,
            payload: message.payload_hash,
            cleared: message.retain && message.payload_bytes == 0,
        };
        self.set.insert(message.topic, value);
    }

    /// A message reached a subscriber.
    pub(super) fn delivered(
        &mut self,
        subscriber: usize,
        id: Option<MessageId>,
        message: &Message,
    ) {
        let is_will = id.is_none() && message.payload_bytes > 0;
        if !is_will {
            let seen = (subscriber, message.topic);
            self.seen.insert(seen, message.payload_hash);
        }
    }

    /// Whether what a subscriber saw last of a topic is this value.
    fn ended_at(&self, subscriber: usize, topic: TextId, value: Value) -> bool {
        match self.seen.get(&(subscriber, topic)) {
            Some(seen) => *seen == value.payload,
            None => value.cleared,
        }
    }
}
