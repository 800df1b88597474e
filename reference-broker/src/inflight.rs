//! QoS 1 and 2 messages under way to one client: packet identifiers, order,
//! and what is sent again when the client comes back (sections 4.3, 4.4, 4.6).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::message::Message;
use crate::queue::Outgoing;
use crate::wire::{Delivery, PacketId, Qos, Violation};

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
}

#[derive(Debug)]
struct Unacknowledged {
    id: PacketId,
    outgoing: Outgoing,
}

#[derive(Debug)]
struct Released {
    id: PacketId,
    /// The message, if it is to be sent again all the same: never, but for
    /// [`Quirk::RepublishesAfterPubrec`](crate::Quirk::RepublishesAfterPubrec).
    kept: Option<Outgoing>,
}

/// What is to be sent next on the connection.
pub(crate) enum Resend {
    PubRel(PacketId),
    Publish {
        delivery: Delivery,
        retain: bool,
        message: Arc<Message>,
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
    pub(crate) fn begin(&mut self, outgoing: Outgoing) -> Delivery {
        let id = self.unused_id();
        let delivery = delivery(outgoing.qos, id);
        self.unacknowledged
            .push_back(Unacknowledged { id, outgoing });
        self.sent = self.unacknowledged.len();
        delivery
    }

    fn unused_id(&mut self) -> PacketId {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if let Some(id) = PacketId::new(self.last_id)
                && !self.unacknowledged.iter().any(|one| one.id == id)
                && !self.is_released(id)
            {
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

    /// Gives up every QoS 1 message.
    pub(crate) fn forget_qos1(&mut self) {
        self.unacknowledged
            .retain(|one| one.outgoing.qos != Qos::AtLeastOnce);
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
    pub(crate) fn next_resend(&mut self) -> Option<Resend> {
        if let Some(released) = self.released.get(self.released_sent) {
            self.released_sent += 1;
            return Some(Resend::PubRel(released.id));
        }
        let one = self.unacknowledged.get(self.sent)?;
        self.sent += 1;
        Some(Resend::Publish {
            delivery: delivery(one.outgoing.qos, one.id),
            retain: one.outgoing.retain,
            message: Arc::clone(&one.outgoing.message),
        })
    }

    /// PUBACK: a QoS 1 message is delivered. An identifier that is not known is
    /// an echo of a session long gone, and no reason to hang up.
    pub(crate) fn puback(&mut self, id: PacketId) -> Result<(), Violation> {
        match self.position(id) {
            Some(at) if self.unacknowledged[at].outgoing.qos == Qos::AtLeastOnce => {
                self.remove(at);
                Ok(())
            }
            None if !self.is_released(id) => Ok(()),
            // [MQTT311-3.3.4-1]
            _ => Err(Violation::new(
                "MQTT311-3.3.4-1",
                "a QoS 2 message is answered with PUBACK",
            )),
        }
    }

    /// PUBREC: a QoS 2 message is delivered. PUBREL answers it in any case
    /// [MQTT311-4.3.3-1], and the PUBLISH is not sent again, unless the message
    /// is `kept` for that.
    pub(crate) fn pubrec(&mut self, id: PacketId, kept: bool) -> Result<(), Violation> {
        match self.position(id) {
            Some(at) if self.unacknowledged[at].outgoing.qos == Qos::ExactlyOnce => {
                let kept = self.remove(at).filter(|_| kept);
                // What goes out in answer now need not be resent; while older
                // PUBRELs still wait for that, it queues behind them.
                self.released.push_back(Released { id, kept });
                Ok(())
            }
            None => Ok(()),
            Some(_) => Err(Violation::new(
                "MQTT311-3.3.4-1",
                "a QoS 1 message is answered with PUBREC",
            )),
        }
    }

    /// Whether the PUBREL for this PUBREC goes out through
    /// [`next_resend`](Self::next_resend), in its turn.
    pub(crate) fn pubrel_is_queued(&self, id: PacketId) -> bool {
        self.released
            .iter()
            .skip(self.released_sent)
            .any(|one| one.id == id)
    }

    /// PUBCOMP: the exchange is over and its identifier free.
    pub(crate) fn pubcomp(&mut self, id: PacketId) -> Result<(), Violation> {
        if let Some(at) = self.released.iter().position(|one| one.id == id) {
            self.released.remove(at);
            if at < self.released_sent {
                self.released_sent -= 1;
            }
            return Ok(());
        }
        match self.position(id) {
            Some(_) => Err(Violation::new(
                "MQTT311 section 4.3.3",
                "PUBCOMP for a message whose PUBREL has not been sent",
            )),
            None => Ok(()),
        }
    }

    /// Acknowledgements come in order as a rule, so this ends at once.
    fn position(&self, id: PacketId) -> Option<usize> {
        self.unacknowledged.iter().position(|one| one.id == id)
    }

    fn is_released(&self, id: PacketId) -> bool {
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
