//! QoS 1 and 2 messages under way to one client: packet identifiers, order,
//! and what is sent again when the client comes back (sections 4.3, 4.4, 4.6).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::queue::Outgoing;
use crate::quirks::{Quirk, Quirks};
use crate::wire::{Delivery, PacketId, Qos, Rule};

#[derive(Debug, Default)]
pub(crate) struct Inflight {
    /// PUBLISH packets without their PUBACK or PUBREC, in the order of their
    /// first sending [MQTT311-4.6.0-1].
    unacknowledged: VecDeque<Unacknowledged>,
    /// How many of them, from the front, have been sent on this connection.
    sent: usize,
    /// PUBRELs without their PUBCOMP, in the order their PUBRECs came
    /// [MQTT311-4.6.0-4].
    released: VecDeque<Released>,
    /// How many of them, from the front, have been sent on this connection.
    released_sent: usize,
    /// The packet identifier given last.
    last_id: u16,
    /// How many that follow it are known not to be in use.
    unused: u16,
}

#[derive(Debug)]
struct Unacknowledged {
    id: PacketId,
    outgoing: Outgoing,
}

#[derive(Debug)]
struct Released {
    id: PacketId,
    /// Its place in the store.
    order: u64,
    /// The message, if it is to be sent again all the same: never, but for
    /// [`Quirk::RepublishesAfterPubrec`](crate::Quirk::RepublishesAfterPubrec).
    kept: Option<Outgoing>,
}

/// What is to be sent next on the connection.
pub(crate) enum Resend {
    PubRel(PacketId),
    Publish {
        delivery: Delivery,
        /// A copy that the store does not know of.
        outgoing: Outgoing,
    },
}

impl Inflight {
    /// How many packet identifiers are in use.
    pub(crate) fn len(&self) -> usize {
        self.unacknowledged.len() + self.released.len()
    }

    /// How many messages have not been acknowledged.
    pub(crate) fn undelivered(&self) -> usize {
        self.unacknowledged.len()
    }

    /// Takes a message in for its first sending, which is now, and gives it a
    /// packet identifier that is not in use [MQTT311-2.3.1-4]. It stays here
    /// until it is acknowledged [MQTT311-4.3.2-1] [MQTT311-4.3.3-1]. At most 65,535
    /// are in flight at once, so there is one; nothing is to be resent.
    pub(crate) fn begin(
        &mut self,
        outgoing: Outgoing,
        quirks: Quirks,
    ) -> (Delivery, PacketId, &mut Outgoing) {
        let mut id = self.unused_id();
        if quirks.has(Quirk::ReusesIdentifiers)
            && self.unacknowledged.len() > 1
            && let Some(before) = self.unacknowledged.back()
        {
            id = before.id;
        }
        let delivery = delivery(outgoing.qos, id);
        let at = self.unacknowledged.len();
        self.unacknowledged
            .push_back(Unacknowledged { id, outgoing });
        self.sent = self.unacknowledged.len();
        (delivery, id, &mut self.unacknowledged[at].outgoing)
    }

    /// Takes up a message that was sent before the process began.
    pub(crate) fn restore(&mut self, id: PacketId, outgoing: Outgoing) {
        self.last_id = id.get();
        self.unacknowledged
            .push_back(Unacknowledged { id, outgoing });
    }

    /// Takes up a PUBREL that was due before the process began.
    pub(crate) fn restore_pubrel(&mut self, id: PacketId, order: u64) {
        let kept = None;
        self.released.push_back(Released { id, order, kept });
    }

    /// Looks at what is in use only where it was not known before, so that a
    /// message does not cost more the more are in flight.
    fn unused_id(&mut self) -> PacketId {
        loop {
            let next = self.last_id.wrapping_add(1);
            if self.unused == 0 {
                let unacknowledged = self.unacknowledged.iter().map(|one| one.id);
                let in_use = unacknowledged.chain(self.released.iter().map(|one| one.id));
                // How far off each is; zero is no identifier.
                let ahead = in_use.map(|id| id.get().wrapping_sub(next));
                self.unused = ahead.chain([0u16.wrapping_sub(next)]).min().unwrap_or(0);
            }
            self.last_id = next;
            if self.unused > 0
                && let Some(id) = PacketId::new(next)
            {
                self.unused -= 1;
                return id;
            }
        }
    }

    /// The client has a new connection: what was not acknowledged is sent again
    /// on it, and only then [MQTT311-4.4.0-1].
    pub(crate) fn restart(&mut self) {
        self.sent = 0;
        self.released_sent = 0;
        for at in (0..self.released.len()).rev() {
            if let Some(outgoing) = self.released[at].kept.take() {
                let id = self.released[at].id;
                self.released.remove(at);
                self.unacknowledged
                    .push_front(Unacknowledged { id, outgoing });
            }
        }
    }

    /// Gives up messages that are not acknowledged.
    pub(crate) fn take_out(&mut self, which: impl Fn(&Outgoing) -> bool) -> Vec<Outgoing> {
        let (taken, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.unacknowledged)
            .into_iter()
            .partition(|one| which(&one.outgoing));
        self.unacknowledged = kept.into();
        taken.into_iter().map(|one| one.outgoing).collect()
    }

    /// Gives up the PUBRELs that are not answered, and returns their places in
    /// the store.
    pub(crate) fn forget_pubrels(&mut self) -> Vec<u64> {
        let forgotten = self.released.drain(..);
        forgotten.map(|released| released.order).collect()
    }

    /// Has the PUBREL that was sent last be sent again first.
    pub(crate) fn reverse_pubrels(&mut self) {
        self.released.make_contiguous().reverse();
    }

    /// Has every PUBREL be sent again.
    pub(crate) fn resend_pubrels(&mut self) {
        self.released_sent = 0;
    }

    /// Has a PUBREL not be sent if others are not answered.
    pub(crate) fn skip_second_pubrel(&mut self) {
        if self.released.len() > 1 {
            self.released_sent = self.released.len();
        }
    }

    /// Has what was sent last be sent again first.
    pub(crate) fn reverse(&mut self) {
        self.unacknowledged.make_contiguous().reverse();
    }

    /// Whether there is a packet to be sent again.
    pub(crate) fn must_resend(&self) -> bool {
        self.released_sent < self.released.len() || self.sent < self.unacknowledged.len()
    }

    /// The next packet to be sent again: the PUBRELs first, then the PUBLISH
    /// packets, each in its order, with its original packet identifier.
    /// No more than the window takes.
    pub(crate) fn next_resend(&mut self, window: usize) -> Option<Resend> {
        if let Some(released) = self.released.get(self.released_sent) {
            self.released_sent += 1;
            return Some(Resend::PubRel(released.id));
        }
        if self.sent + self.released.len() >= window {
            return None;
        }
        let one = self.unacknowledged.get(self.sent)?;
        self.sent += 1;
        Some(Resend::Publish {
            delivery: delivery(one.outgoing.qos, one.id),
            outgoing: Outgoing {
                message: Arc::clone(&one.outgoing.message),
                subscription_ids: one.outgoing.subscription_ids.clone(),
                share: one.outgoing.share.clone(),
                stored: None,
                ..one.outgoing
            },
        })
    }

    /// Gives up the message that has this identifier.
    pub(crate) fn give_up(&mut self, id: PacketId) -> Option<Outgoing> {
        self.position(id).and_then(|at| self.remove(at))
    }

    /// PUBACK: a QoS 1 message is delivered. An identifier that is not known is
    /// an echo of a session long gone, and no reason to hang up.
    pub(crate) fn puback(&mut self, id: PacketId) -> Result<Option<Outgoing>, Rule> {
        match self.position(id) {
            Some(at) if self.unacknowledged[at].outgoing.qos == Qos::AtLeastOnce => {
                Ok(self.remove(at))
            }
            None if !self.is_released(id) => Ok(None),
            // [MQTT311-3.3.4-1]
            _ => Err(Rule::protocol(
                "MQTT311-3.3.4-1",
                "MQTT5-3.3.4-1",
                "a QoS 2 message is answered with PUBACK",
            )),
        }
    }

    /// PUBREC: a QoS 2 message is delivered. PUBREL answers it in any case
    /// [MQTT311-4.3.3-1], and the PUBLISH is not sent again; of a message that
    /// was in flight, [`release`](Self::release) is to follow.
    pub(crate) fn pubrec(&mut self, id: PacketId) -> Result<Option<Outgoing>, Rule> {
        match self.position(id) {
            Some(at) if self.unacknowledged[at].outgoing.qos == Qos::ExactlyOnce => {
                Ok(self.remove(at))
            }
            None => Ok(None),
            Some(_) => Err(Rule::protocol(
                "MQTT311-3.3.4-1",
                "MQTT5-3.3.4-1",
                "a QoS 1 message is answered with PUBREC",
            )),
        }
    }

    /// A PUBREL is due from now on, at this place in the store. What goes out in
    /// answer now need not be resent; while older PUBRELs still wait for that, it
    /// queues behind them.
    pub(crate) fn release(&mut self, id: PacketId, order: u64, kept: Option<Outgoing>) {
        self.released.push_back(Released { id, order, kept });
    }

    /// Whether the PUBREL for this PUBREC goes out through
    /// [`next_resend`](Self::next_resend), in its turn.
    pub(crate) fn pubrel_is_queued(&self, id: PacketId) -> bool {
        self.released
            .iter()
            .skip(self.released_sent)
            .any(|one| one.id == id)
    }

    /// PUBCOMP: the exchange is over and its identifier free. Returns the place
    /// of its PUBREL in the store.
    pub(crate) fn pubcomp(&mut self, id: PacketId) -> Result<Option<u64>, Rule> {
        if let Some(at) = self.released.iter().position(|one| one.id == id) {
            let released = self.released.remove(at);
            if at < self.released_sent {
                self.released_sent -= 1;
            }
            return Ok(released.map(|released| released.order));
        }
        match self.position(id) {
            Some(_) => Err(Rule::protocol(
                "MQTT311 section 4.3.3",
                "MQTT5 section 4.3.3",
                "PUBCOMP for a message whose PUBREL has not been sent",
            )),
            None => Ok(None),
        }
    }

    /// Ends them all: the messages not acknowledged, and the places in the store
    /// of the PUBRELs.
    pub(crate) fn end(self) -> (Vec<Outgoing>, Vec<u64>) {
        let unacknowledged = self.unacknowledged.into_iter();
        let released = self.released.into_iter();
        (
            unacknowledged.map(|one| one.outgoing).collect(),
            released.map(|one| one.order).collect(),
        )
    }

    /// Acknowledgements come in order as a rule, so this ends at once.
    fn position(&self, id: PacketId) -> Option<usize> {
        self.unacknowledged.iter().position(|one| one.id == id)
    }

    pub(crate) fn is_released(&self, id: PacketId) -> bool {
        self.released.iter().any(|one| one.id == id)
    }

    fn remove(&mut self, at: usize) -> Option<Outgoing> {
        let removed = self.unacknowledged.remove(at);
        if at < self.sent {
            self.sent -= 1;
        }
        removed.map(|one| one.outgoing)
    }
}

fn delivery(qos: Qos, id: PacketId) -> Delivery {
    match qos {
        Qos::AtMostOnce => Delivery::AtMostOnce,
        Qos::AtLeastOnce => Delivery::AtLeastOnce(id),
        Qos::ExactlyOnce => Delivery::ExactlyOnce(id),
    }
}
