//! Writes down what changes in the state that must outlive the process, as
//! batches for a [`Store`](crate::Store); without a store it does nothing.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::entry::{self, OutgoingEntry, SessionEntry, WillEntry};
use crate::message::Message;
use crate::queue::Outgoing;
use crate::store::{Batch, Change};
use crate::topics::Grant;
use crate::wills::Stated;
use crate::wire::{PacketId, Qos, TopicFilter, TopicName};

#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// Whether there is a store.
    on: bool,
    /// Whether nothing waits for the store: see
    /// [`Quirk::AcknowledgesBeforeDurable`](crate::Quirk::AcknowledgesBeforeDurable).
    hasty: bool,
    /// When the broker started, on the clock that goes on over its restarts.
    started: Duration,
    /// Changes that are in no batch yet.
    changes: Vec<Change>,
    /// The number of the batch that was taken last.
    taken: u64,
    /// The number of the batch that is durable, with all before it.
    synced: u64,
    /// The number given last, to a body or a place in an order.
    number: u64,
    /// How many outgoing messages refer to each body.
    bodies: FxHashMap<u64, u32>,
    /// The newest body: a message that goes to many is written once.
    newest: Option<(Arc<Message>, u64)>,
}

/// Where an outgoing message stands in the store.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    order: u64,
    body: u64,
}

impl Journal {
    pub(crate) fn with_store(started: Duration, hasty: bool) -> Self {
        Self {
            on: true,
            hasty,
            started,
            ..Self::default()
        }
    }

    /// The batch of all changes since the one before, if there are any.
    pub(crate) fn take_batch(&mut self) -> Option<Batch> {
        if self.changes.is_empty() {
            return None;
        }
        self.taken += 1;
        Some(Batch {
            number: self.taken,
            changes: std::mem::take(&mut self.changes),
        })
    }

    /// Whether there are changes that are in no batch yet.
    pub(crate) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// A batch, and all before it, is durable.
    pub(crate) fn synced(&mut self, number: u64) {
        self.synced = self.synced.max(number);
    }

    /// Whether everything so far is durable.
    pub(crate) fn is_synced(&self) -> bool {
        self.changes.is_empty() && self.taken <= self.synced
    }

    /// The batch that must be durable before what is sent now may leave; `None`
    /// if everything so far is.
    pub(crate) fn awaited(&self) -> Option<u64> {
        let newest = self.taken + u64::from(!self.changes.is_empty());
        (newest > self.synced && !self.hasty).then_some(newest)
    }

    /// A session is there. When it ends is said as time since the broker's start.
    pub(crate) fn session(&mut self, client_id: &str, mut session: SessionEntry) {
        session.ends = self.lasting(session.ends);
        self.put(
            || entry::session_key(client_id),
            || entry::session_value(&session),
        );
    }

    /// A time since the broker's start, as one that a restart does not change.
    fn lasting(&self, time: Option<Duration>) -> Option<Duration> {
        time.map(|time| time.saturating_add(self.started))
    }

    pub(crate) fn session_removed(&mut self, client_id: &str) {
        self.remove(|| entry::session_key(client_id));
    }

    pub(crate) fn subscribed(&mut self, client_id: &str, filter: &TopicFilter, grant: &Grant) {
        self.put(
            || entry::subscription_key(client_id, filter),
            || entry::grant_value(grant),
        );
    }

    pub(crate) fn unsubscribed(&mut self, client_id: &str, filter: &TopicFilter) {
        self.remove(|| entry::subscription_key(client_id, filter));
    }

    /// A QoS 2 message came with this identifier.
    pub(crate) fn received(&mut self, client_id: &str, id: PacketId) {
        self.put(|| entry::received_key(client_id, id), Vec::new);
    }

    /// The client released the identifier.
    pub(crate) fn received_released(&mut self, client_id: &str, id: PacketId) {
        self.remove(|| entry::received_key(client_id, id));
    }

    /// A PUBREL is due; its place among those of the client.
    pub(crate) fn pubrel_due(&mut self, client_id: &str, id: PacketId) -> u64 {
        self.number += 1;
        let order = self.number;
        self.put(
            || entry::released_key(client_id, order),
            || id.get().to_be_bytes().to_vec(),
        );
        order
    }

    /// The PUBCOMP to the PUBREL at this place came.
    pub(crate) fn pubrel_done(&mut self, client_id: &str, order: u64) {
        self.remove(|| entry::released_key(client_id, order));
    }

    /// A message is the client's from now on: waiting, or sent with an
    /// identifier. QoS 0 is not kept.
    pub(crate) fn outgoing(
        &mut self,
        client_id: &str,
        outgoing: &mut Outgoing,
        id: Option<PacketId>,
    ) {
        if !self.on || outgoing.qos == Qos::AtMostOnce {
            return;
        }
        let (order, body) = match outgoing.stored.as_deref() {
            Some(stored) => (stored.order, stored.body),
            None => {
                let body = self.body(&outgoing.message);
                self.number += 1;
                let order = self.number;
                outgoing.stored = Some(Box::new(Stored { order, body }));
                (order, body)
            }
        };
        let value = OutgoingEntry {
            body,
            qos: outgoing.qos,
            retain: outgoing.retain,
            id,
            share: outgoing.share.as_ref().map(|share| share.filter.clone()),
            subscription_ids: outgoing.subscription_ids().to_vec(),
        };
        self.put(
            || entry::outgoing_key(client_id, order),
            || entry::outgoing_value(&value),
        );
    }

    /// A message is the client's no more: delivered, or given up.
    pub(crate) fn settled(&mut self, client_id: &str, outgoing: &mut Outgoing) {
        let Some(stored) = outgoing.stored.take() else {
            return;
        };
        self.remove(|| entry::outgoing_key(client_id, stored.order));
        if let Some(references) = self.bodies.get_mut(&stored.body) {
            *references -= 1;
            if *references == 0 {
                self.bodies.remove(&stored.body);
                self.newest.take_if(|(_, number)| *number == stored.body);
                self.remove(|| entry::body_key(stored.body));
            }
        }
    }

    /// What a topic retains, if anything.
    pub(crate) fn retained(&mut self, topic: &TopicName, message: Option<&Message>) {
        let started = self.started;
        match message {
            Some(message) => self.put(
                || entry::retained_key(topic),
                || entry::message_value(message, started),
            ),
            None => self.remove(|| entry::retained_key(topic)),
        }
    }

    /// A client has a will; it is due at this time since the broker's start, if
    /// the client has gone.
    pub(crate) fn will(&mut self, client_id: &str, will: &Stated, due: Option<Duration>) {
        let due = self.lasting(due);
        let value = || WillEntry {
            message: Arc::clone(&will.message),
            delay: will.delay,
            due,
        };
        self.put(
            || entry::will_key(client_id),
            || entry::will_value(&value()),
        );
    }

    /// A client has no will any more.
    pub(crate) fn will_removed(&mut self, client_id: &str) {
        self.remove(|| entry::will_key(client_id));
    }

    /// Takes up what an outgoing message that was read refers to.
    pub(crate) fn restore(&mut self, order: u64, body: u64) -> Box<Stored> {
        self.number = self.number.max(order).max(body);
        *self.bodies.entry(body).or_default() += 1;
        Box::new(Stored { order, body })
    }

    /// A place in an order is taken.
    pub(crate) fn restore_order(&mut self, order: u64) {
        self.number = self.number.max(order);
    }

    /// The number of a message's body, to which one more refers.
    fn body(&mut self, message: &Arc<Message>) -> u64 {
        let newest = self.newest.as_ref();
        let known = newest.filter(|(newest, _)| Arc::ptr_eq(newest, message));
        let number = match known {
            Some((_, number)) => *number,
            None => {
                self.number += 1;
                let (number, started) = (self.number, self.started);
                self.put(
                    || entry::body_key(number),
                    || entry::message_value(message, started),
                );
                self.newest = Some((Arc::clone(message), number));
                number
            }
        };
        *self.bodies.entry(number).or_default() += 1;
        number
    }

    fn put(&mut self, key: impl FnOnce() -> Vec<u8>, value: impl FnOnce() -> Vec<u8>) {
        if self.on {
            self.changes.push(Change {
                key: key(),
                value: Some(value()),
            });
        }
    }

    fn remove(&mut self, key: impl FnOnce() -> Vec<u8>) {
        if self.on {
            self.changes.push(Change {
                key: key(),
                value: None,
            });
        }
    }
}
