//! A client's session: what outlives its connections (sections 3.1.2.4, 4.1).
//! It lasts at least as long as each of them [MQTT311-4.1.0-1]
//! [MQTT311-4.1.0-2].

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::connection::{ConnId, Connection};
use crate::inflight::{Inflight, Resend};
use crate::limits::Limits;
use crate::message::Message;
use crate::observer::{DropCause, Watch};
use crate::queue::{Outgoing, Queue};
use crate::wire::{Ack, Delivery, Packet, PacketId, Qos, TopicFilter};

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client_id: Arc<str>,
    /// Whether it ends with its connection [MQTT311-3.1.2-6].
    pub(crate) clean: bool,
    /// The slot of the connection it is attached to.
    pub(crate) connection: Option<usize>,
    /// Its filters; what is granted to each is in the subscription trie.
    pub(crate) filters: BTreeSet<TopicFilter>,
    /// Identifiers of QoS 2 messages received and not yet released: a repeat of
    /// one is not delivered again [MQTT311-4.3.3-2].
    pub(crate) received: BTreeSet<PacketId>,
    pub(crate) inflight: Inflight,
    pub(crate) queue: Queue,
}

impl Session {
    pub(crate) fn new(client_id: Arc<str>, clean: bool) -> Self {
        Self {
            client_id,
            clean,
            connection: None,
            filters: BTreeSet::new(),
            received: BTreeSet::new(),
            inflight: Inflight::default(),
            queue: Queue::default(),
        }
    }

    /// Messages that its client has not acknowledged or not been sent.
    pub(crate) fn undelivered(&self) -> usize {
        self.inflight.undelivered() + self.queue.len()
    }

    /// Appends to the queue, and reports what the queue gives up for it.
    pub(crate) fn enqueue(&mut self, outgoing: Outgoing, limits: &Limits, watch: &mut Watch) {
        for dropped in self.queue.push(outgoing, limits) {
            self.report(&dropped.message, DropCause::QueueFull, watch);
        }
    }

    /// Takes a message for a client that is not connected.
    pub(crate) fn store(&mut self, outgoing: Outgoing, limits: &Limits, watch: &mut Watch) {
        // [MQTT311-3.1.2-5]
        if outgoing.qos > Qos::AtMostOnce || limits.queue_qos0 {
            self.enqueue(outgoing, limits, watch);
        } else {
            self.report(&outgoing.message, DropCause::Offline, watch);
        }
    }

    /// The client has gone and its session stays.
    pub(crate) fn detach(&mut self, limits: &Limits, watch: &mut Watch) {
        self.connection = None;
        if !limits.queue_qos0 {
            for dropped in self.queue.remove_qos0() {
                self.report(&dropped.message, DropCause::Offline, watch);
            }
        }
    }

    /// Sends a message that matched a subscription to the connected client, or
    /// has it wait its turn. What must wait is sent by [`pump`](Self::pump),
    /// which runs whenever there is room again or an acknowledgement comes.
    pub(crate) fn send(
        &mut self,
        outgoing: Outgoing,
        connection: &mut Connection,
        limits: &Limits,
        watch: &mut Watch,
        woken: &mut VecDeque<ConnId>,
    ) {
        let room = connection.has_room(limits);
        let overtakes = outgoing.qos == Qos::AtMostOnce && !self.must_wait(&outgoing);
        if room && (overtakes || (self.queue.is_empty() && self.may_begin(&outgoing, limits))) {
            self.transmit(outgoing, connection, watch, woken);
        } else if overtakes {
            self.report(&outgoing.message, DropCause::SlowSubscriber, watch);
        } else {
            self.enqueue(outgoing, limits, watch);
        }
    }

    /// Whether a message that goes out at QoS 0 must stay behind what waits in
    /// the queue: when the queue may hold an older one of the same topic and
    /// published QoS, which it must not overtake [MQTT311-4.6.0-6].
    fn must_wait(&self, outgoing: &Outgoing) -> bool {
        !self.queue.is_empty()
            && (outgoing.message.qos > Qos::AtMostOnce || self.queue.holds_qos0())
    }

    /// Whether the window has room for a message, if it needs any, and nothing
    /// older has to be sent again first.
    fn may_begin(&self, outgoing: &Outgoing, limits: &Limits) -> bool {
        let window = limits.inflight.clamp(1, usize::from(u16::MAX));
        outgoing.qos == Qos::AtMostOnce
            || (self.inflight.len() < window && !self.inflight.must_resend())
    }

    /// Sends what is owed, in order, as far as the connection has room and the
    /// window allows.
    pub(crate) fn pump(
        &mut self,
        connection: &mut Connection,
        limits: &Limits,
        watch: &mut Watch,
        woken: &mut VecDeque<ConnId>,
    ) {
        while connection.has_room(limits) {
            match self.inflight.next_resend() {
                Some(Resend::PubRel(packet_id)) => {
                    connection.reply(&Packet::PubRel(Ack::new(packet_id)), watch, woken);
                    continue;
                }
                Some(Resend::Publish {
                    delivery,
                    retain,
                    message,
                }) => {
                    // [MQTT311-3.3.1-1]
                    connection.publish(true, delivery, retain, &message, watch, woken);
                    continue;
                }
                None => {}
            }
            match self.queue.front() {
                Some(next) if self.may_begin(next, limits) => {}
                _ => return,
            }
            if let Some(outgoing) = self.queue.pop() {
                self.transmit(outgoing, connection, watch, woken);
            }
        }
    }

    /// Sends a message for the first time.
    fn transmit(
        &mut self,
        outgoing: Outgoing,
        connection: &mut Connection,
        watch: &mut Watch,
        woken: &mut VecDeque<ConnId>,
    ) {
        let (message, retain) = (Arc::clone(&outgoing.message), outgoing.retain);
        let delivery = match outgoing.qos {
            // [MQTT311-4.3.1-1]
            Qos::AtMostOnce => Delivery::AtMostOnce,
            Qos::AtLeastOnce | Qos::ExactlyOnce => self.inflight.begin(outgoing),
        };
        // Whatever the publisher's DUP was. [MQTT311-3.3.1-3]
        connection.publish(false, delivery, retain, &message, watch, woken);
    }

    fn report(&self, message: &Message, cause: DropCause, watch: &mut Watch) {
        watch.tell(|observer, now| observer.dropped(now, &self.client_id, message, cause));
    }
}
