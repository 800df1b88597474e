//! A client's session: what outlives its connections (sections 3.1.2.4, 4.1).

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

    /// Sends a message that matched a subscription to the connected client.
    pub(crate) fn send(
        &mut self,
        outgoing: Outgoing,
        connection: &mut Connection,
        limits: &Limits,
        watch: &mut Watch,
        woken: &mut VecDeque<ConnId>,
    ) {
        if outgoing.qos > Qos::AtMostOnce || self.must_wait(&outgoing) {
            self.enqueue(outgoing, limits, watch);
            self.pump(connection, limits, watch, woken);
        } else if connection.has_room(limits) {
            let Outgoing {
                message, retain, ..
            } = outgoing;
            // [MQTT311-4.3.1-1]
            connection.publish(false, Delivery::AtMostOnce, retain, &message, watch, woken);
        } else {
            self.report(&outgoing.message, DropCause::SlowSubscriber, watch);
        }
    }

    /// Whether a message that goes out at QoS 0 must stay behind what waits in
    /// the queue: when the queue may hold an older one of the same topic and
    /// published QoS, which it must not overtake [MQTT311-4.6.0-6].
    fn must_wait(&self, outgoing: &Outgoing) -> bool {
        !self.queue.is_empty()
            && (outgoing.message.qos > Qos::AtMostOnce || self.queue.holds_qos0())
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
                    connection.reply(&Packet::PubRel(Ack { packet_id }), watch, woken);
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
            let window = limits.inflight.clamp(1, usize::from(u16::MAX));
            let waits_for_window =
                |next: &Outgoing| next.qos > Qos::AtMostOnce && self.inflight.len() >= window;
            if self.queue.front().is_some_and(waits_for_window) {
                return;
            }
            let Some(outgoing) = self.queue.pop() else {
                return;
            };
            let (message, retain) = (Arc::clone(&outgoing.message), outgoing.retain);
            let delivery = match outgoing.qos {
                Qos::AtMostOnce => Delivery::AtMostOnce,
                Qos::AtLeastOnce | Qos::ExactlyOnce => self.inflight.begin(outgoing),
            };
            // A first sending, whatever the publisher's DUP was.
            // [MQTT311-3.3.1-3]
            connection.publish(false, delivery, retain, &message, watch, woken);
        }
    }

    fn report(&self, message: &Message, cause: DropCause, watch: &mut Watch) {
        watch.tell(|observer, now| observer.dropped(now, &self.client_id, message, cause));
    }
}
