//! Messages that wait for one client: because it is absent, because its
//! in-flight window is full, or because it takes them slowly.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::journal::Stored;
use crate::limits::{Limits, QueueFull};
use crate::message::Message;
use crate::shares::{GroupKey, Share};
use crate::wire::{Qos, SubscriptionId};

/// A message on its way to one client.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) message: Arc<Message>,
    /// At which quality of service: the lower of the published and the granted.
    pub(crate) qos: Qos,
    /// Whether it goes out because of a new subscription.
    pub(crate) retain: bool,
    /// The identifiers of the subscriptions it is sent for.
    pub(crate) subscription_ids: Option<Box<[SubscriptionId]>>,
    /// The group of which this client is one member, if the message is for it.
    pub(crate) share: Option<Arc<Share>>,
    /// Where it is in the store, if it is.
    pub(crate) stored: Option<Box<Stored>>,
}

impl Outgoing {
    /// Whether it is for one of a group's members, and which one is such a group.
    pub(crate) fn is_shared(&self, which: impl Fn(GroupKey) -> bool) -> bool {
        self.share.as_ref().is_some_and(|share| which(share.group))
    }

    pub(crate) fn subscription_ids(&self) -> &[SubscriptionId] {
        self.subscription_ids.as_deref().unwrap_or_default()
    }
}

/// Nothing is allocated for none.
pub(crate) fn boxed(ids: &[SubscriptionId]) -> Option<Box<[SubscriptionId]>> {
    (!ids.is_empty()).then(|| ids.into())
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Outgoing>,
    bytes: usize,
    qos0: usize,
}

impl Queue {
    /// Appends a message. What a full queue gives up for it is returned: the
    /// message itself, or others.
    pub(crate) fn push(&mut self, outgoing: Outgoing, limits: &Limits) -> Vec<Outgoing> {
        let mut dropped = Vec::new();
        while !self.has_room(&outgoing.message, limits) {
            let oldest = match limits.queue_full {
                QueueFull::DropOldest => self.pop(),
                QueueFull::DropNewest => None,
            };
            match oldest {
                Some(oldest) => dropped.push(oldest),
                None => {
                    dropped.push(outgoing);
                    return dropped;
                }
            }
        }
        self.restore(outgoing);
        dropped
    }

    /// Appends a message for which there is room, or was.
    pub(crate) fn restore(&mut self, outgoing: Outgoing) {
        self.bytes += outgoing.message.bytes();
        self.qos0 += usize::from(outgoing.qos == Qos::AtMostOnce);
        self.waiting.push_back(outgoing);
    }

    pub(crate) fn front(&self) -> Option<&Outgoing> {
        self.waiting.front()
    }

    /// The message appended last.
    pub(crate) fn back_mut(&mut self) -> Option<&mut Outgoing> {
        self.waiting.back_mut()
    }

    pub(crate) fn pop(&mut self) -> Option<Outgoing> {
        let outgoing = self.waiting.pop_front()?;
        self.bytes -= outgoing.message.bytes();
        self.qos0 -= usize::from(outgoing.qos == Qos::AtMostOnce);
        Some(outgoing)
    }

    /// Takes the message appended last, as only a quirk has it be.
    pub(crate) fn pop_last(&mut self) -> Option<Outgoing> {
        let outgoing = self.waiting.pop_back()?;
        self.bytes -= outgoing.message.bytes();
        self.qos0 -= usize::from(outgoing.qos == Qos::AtMostOnce);
        Some(outgoing)
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether messages that go out at QoS 0 wait here.
    pub(crate) fn holds_qos0(&self) -> bool {
        self.qos0 > 0
    }

    /// Takes out what goes out at QoS 0, when its client leaves.
    pub(crate) fn remove_qos0(&mut self) -> Vec<Outgoing> {
        if self.qos0 == 0 {
            return Vec::new();
        }
        self.take_out(|outgoing| outgoing.qos == Qos::AtMostOnce)
    }

    /// Takes out what the members of such groups share.
    pub(crate) fn take_shared(&mut self, which: impl Fn(GroupKey) -> bool) -> Vec<Outgoing> {
        self.take_out(|outgoing| outgoing.is_shared(&which))
    }

    /// Whether a message need not replace another.
    pub(crate) fn has_room(&self, message: &Message, limits: &Limits) -> bool {
        self.waiting.len() < limits.queue_messages
            && self.bytes.saturating_add(message.bytes()) <= limits.queue_bytes
    }

    fn take_out(&mut self, which: impl Fn(&Outgoing) -> bool) -> Vec<Outgoing> {
        let (removed, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(which);
        self.waiting = kept.into();
        for outgoing in &removed {
            self.bytes -= outgoing.message.bytes();
            self.qos0 -= usize::from(outgoing.qos == Qos::AtMostOnce);
        }
        removed
    }
}
