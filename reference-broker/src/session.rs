//! A client's session: what outlives its connections (sections 3.1.2.4, 4.1).
//! It lasts at least as long as each of them [MQTT311-4.1.0-1]
//! [MQTT311-4.1.0-2].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::connection::{Connection, Sending};
use crate::effects::Effects;
use crate::entry::SessionEntry;
use crate::inflight::{Inflight, Resend};
use crate::journal::Journal;
use crate::limits::Limits;
use crate::message::Message;
use crate::observer::DropCause;
use crate::queue::{Outgoing, Queue};
use crate::quirks::{Quirk, Quirks};
use crate::shares::{GroupKey, Readiness};
use crate::wills::Pending;
use crate::wire::{Ack, Delivery, Packet, PacketId, Qos, TopicFilter};

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client_id: Arc<str>,
    /// The user it belongs to, as whom alone it may be taken up: knowing another
    /// client's identifier is no right to its messages.
    pub(crate) user: Option<Arc<str>>,
    /// Whether it ended with its connection from the start, so that the store
    /// knows nothing of it.
    pub(crate) clean: bool,
    /// How long it is kept once its connection has ended; `None` for ever. Not
    /// at all, if it is clean [MQTT311-3.1.2-6].
    pub(crate) expiry: Option<Duration>,
    /// When it ends, and its entry in the deadlines of sessions.
    pub(crate) armed: Option<Duration>,
    /// The will of its last connection, while it waits; and its entry in the
    /// deadlines of wills.
    pub(crate) will: Option<Pending>,
    pub(crate) will_armed: Option<Duration>,
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
    pub(crate) fn new(
        client_id: Arc<str>,
        user: Option<Arc<str>>,
        expiry: Option<Duration>,
    ) -> Self {
        Self {
            client_id,
            user,
            clean: expiry == Some(Duration::ZERO),
            expiry,
            armed: None,
            will: None,
            will_armed: None,
            connection: None,
            filters: BTreeSet::new(),
            received: BTreeSet::new(),
            inflight: Inflight::default(),
            queue: Queue::default(),
        }
    }

    /// Has the store know who it belongs to, and how long it lasts.
    pub(crate) fn write(&self, journal: &mut Journal) {
        if !self.clean {
            let kept = SessionEntry {
                user: self.user.clone(),
                expiry: self.expiry,
                ends: self.armed,
            };
            journal.session(&self.client_id, kept);
        }
    }

    /// Removes what the store has of it.
    pub(crate) fn erase(mut self, journal: &mut Journal) {
        let client_id = &self.client_id;
        for filter in &self.filters {
            journal.unsubscribed(client_id, filter);
        }
        for id in &self.received {
            journal.received_released(client_id, *id);
        }
        let (unacknowledged, released) = self.inflight.end();
        for order in released {
            journal.pubrel_done(client_id, order);
        }
        for mut outgoing in unacknowledged {
            journal.settled(client_id, &mut outgoing);
        }
        while let Some(mut outgoing) = self.queue.pop() {
            journal.settled(client_id, &mut outgoing);
        }
        journal.session_removed(client_id);
    }

    /// Gives up messages under way, as only quirks have it do.
    pub(crate) fn forget(&mut self, which: impl Fn(&Outgoing) -> bool, journal: &mut Journal) {
        for mut forgotten in self.inflight.take_out(which) {
            journal.settled(&self.client_id, &mut forgotten);
        }
    }

    /// Takes out what another member of such groups may get instead: what has not
    /// been sent, and what was sent at a QoS of at most that and is not
    /// acknowledged.
    pub(crate) fn take_shared(
        &mut self,
        which: impl Fn(GroupKey) -> bool,
        sent_at_most: Qos,
        journal: &mut Journal,
    ) -> Vec<Outgoing> {
        let is_shared = |one: &Outgoing| one.qos <= sent_at_most && one.is_shared(&which);
        let mut shared = self.inflight.take_out(is_shared);
        shared.extend(self.queue.take_shared(which));
        for outgoing in &mut shared {
            journal.settled(&self.client_id, outgoing);
        }
        shared
    }

    /// How well it is placed to take a message of its group.
    pub(crate) fn readiness(
        &self,
        message: &Message,
        connection: Option<&Connection>,
        limits: &Limits,
        quirks: Quirks,
    ) -> Readiness {
        let room = self.queue.has_room(message, limits);
        match connection {
            Some(connection)
                if self.queue.is_empty()
                    && connection.has_room(limits)
                    && self.inflight.len() < connection.window(limits, quirks) =>
            {
                Readiness::Ready
            }
            Some(_) if room => Readiness::Busy,
            None if room => Readiness::Away,
            _ => Readiness::Full,
        }
    }

    /// Messages that its client has not acknowledged or not been sent.
    pub(crate) fn undelivered(&self) -> usize {
        self.inflight.undelivered() + self.queue.len()
    }

    /// Appends to the queue, and reports what the queue gives up for it.
    pub(crate) fn enqueue(&mut self, outgoing: Outgoing, limits: &Limits, effects: &mut Effects) {
        for mut dropped in self.queue.push(outgoing, limits) {
            effects.journal.settled(&self.client_id, &mut dropped);
            self.report(&dropped.message, DropCause::QueueFull, effects);
        }
        // The last one is another if the queue had no room.
        if !self.clean
            && let Some(last) = self.queue.back_mut()
            && last.stored.is_none()
        {
            effects.journal.outgoing(&self.client_id, last, None);
        }
    }

    /// Gives up what waits, without a report.
    pub(crate) fn lose_queue(&mut self, effects: &mut Effects) {
        while let Some(mut lost) = self.queue.pop() {
            effects.journal.settled(&self.client_id, &mut lost);
        }
    }

    /// Takes a message for a client that is not connected.
    pub(crate) fn store(&mut self, outgoing: Outgoing, limits: &Limits, effects: &mut Effects) {
        // [MQTT311-3.1.2-5]
        if outgoing.qos > Qos::AtMostOnce || limits.queue_qos0 {
            self.enqueue(outgoing, limits, effects);
        } else {
            self.report(&outgoing.message, DropCause::Offline, effects);
        }
    }

    /// The client has gone and its session stays.
    pub(crate) fn detach(&mut self, limits: &Limits, effects: &mut Effects) {
        self.connection = None;
        if !limits.queue_qos0 {
            for dropped in self.queue.remove_qos0() {
                self.report(&dropped.message, DropCause::Offline, effects);
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
        effects: &mut Effects,
    ) {
        let room = connection.has_room(limits);
        let overtakes = outgoing.qos == Qos::AtMostOnce && !self.must_wait(&outgoing);
        let may_begin =
            self.queue.is_empty() && self.may_begin(&outgoing, connection, limits, effects.quirks);
        if room && (overtakes || may_begin) {
            self.transmit(outgoing, false, connection, effects);
        } else if overtakes {
            self.report(&outgoing.message, DropCause::SlowSubscriber, effects);
        } else {
            self.enqueue(outgoing, limits, effects);
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
    fn may_begin(
        &self,
        outgoing: &Outgoing,
        connection: &Connection,
        limits: &Limits,
        quirks: Quirks,
    ) -> bool {
        let window = connection.window(limits, quirks);
        let under_way = match quirks.has(Quirk::FreesQuotaAtPubrec) {
            true => self.inflight.undelivered(),
            false => self.inflight.len(),
        };
        outgoing.qos == Qos::AtMostOnce || (under_way < window && !self.inflight.must_resend())
    }

    /// Sends what is owed, in order, as far as the connection has room and the
    /// window allows.
    pub(crate) fn pump(
        &mut self,
        connection: &mut Connection,
        limits: &Limits,
        effects: &mut Effects,
    ) {
        let quirks = effects.quirks;
        while connection.has_room(limits) {
            match self.inflight.next_resend(connection.window(limits, quirks)) {
                Some(Resend::PubRel(packet_id)) => {
                    connection.reply(&Packet::PubRel(Ack::new(packet_id)), effects);
                    continue;
                }
                Some(Resend::Publish { delivery, outgoing }) => {
                    self.resend(delivery, &outgoing, connection, effects);
                    continue;
                }
                None => {}
            }
            match self.queue.front() {
                Some(next) if self.may_begin(next, connection, limits, quirks) => {}
                _ => return,
            }
            let next = match quirks.has(Quirk::DeliversQueueBackwards) {
                true => self.queue.pop_last(),
                false => self.queue.pop(),
            };
            if let Some(outgoing) = next {
                let dup =
                    effects.quirks.has(Quirk::MarksQueuedDup) && outgoing.qos > Qos::AtMostOnce;
                self.transmit(outgoing, dup, connection, effects);
            }
        }
    }

    /// Sends a message again, unless its client has become one that takes no
    /// packet of its size.
    fn resend(
        &mut self,
        delivery: Delivery,
        outgoing: &Outgoing,
        connection: &mut Connection,
        effects: &mut Effects,
    ) {
        let expires = outgoing.qos == Qos::ExactlyOnce
            && outgoing.message.has_expired(effects.watch.now)
            && effects.quirks.has(Quirk::ExpiresInFlight);
        if expires || !connection.takes(outgoing, effects) {
            let given_up = delivery
                .packet_id()
                .and_then(|id| self.inflight.give_up(id));
            if let Some(given_up) = given_up {
                self.give_up(given_up, DropCause::PacketTooLarge, effects);
            }
            return;
        }
        let sending = Sending {
            // [MQTT311-3.3.1-1] [MQTT5-3.3.1-1]
            dup: !effects.quirks.has(Quirk::ResendsWithoutDup),
            delivery,
            retain: outgoing.retain,
            message: &outgoing.message,
            subscription_ids: outgoing.subscription_ids(),
        };
        connection.publish(&sending, effects);
    }

    /// Sends a message for the first time, if it is not too late for it
    /// [MQTT5-3.3.2-5], and its client takes a packet of its size
    /// [MQTT5-3.1.2-25].
    /// `dup` is only ever set by a quirk, whatever the publisher's DUP was
    /// [MQTT311-3.3.1-3] [MQTT5-3.3.1-3].
    fn transmit(
        &mut self,
        outgoing: Outgoing,
        mut dup: bool,
        connection: &mut Connection,
        effects: &mut Effects,
    ) {
        if outgoing.message.has_expired(effects.watch.now)
            && !effects.quirks.has(Quirk::IgnoresMessageExpiry)
        {
            return self.give_up(outgoing, DropCause::Expired, effects);
        }
        if !connection.takes(&outgoing, effects) {
            if outgoing.qos > Qos::AtMostOnce && effects.quirks.has(Quirk::BlocksOnOversize) {
                self.inflight.begin(outgoing, effects.quirks);
                return;
            }
            return self.give_up(outgoing, DropCause::PacketTooLarge, effects);
        }
        dup |= effects.quirks.has(Quirk::MarksDowngradedDup)
            && outgoing.qos == Qos::AtMostOnce
            && outgoing.message.qos == Qos::ExactlyOnce;
        let (message, retain) = (Arc::clone(&outgoing.message), outgoing.retain);
        let subscription_ids = outgoing.subscription_ids.clone();
        let delivery = match outgoing.qos {
            // [MQTT311-4.3.1-1]
            Qos::AtMostOnce => Delivery::AtMostOnce,
            Qos::AtLeastOnce | Qos::ExactlyOnce => {
                let (delivery, id, begun) = self.inflight.begin(outgoing, effects.quirks);
                if !self.clean {
                    let journal = &mut effects.journal;
                    journal.outgoing(&self.client_id, begun, Some(id));
                }
                delivery
            }
        };
        let sending = Sending {
            dup,
            delivery,
            retain,
            message: &message,
            subscription_ids: subscription_ids.as_deref().unwrap_or_default(),
        };
        connection.publish(&sending, effects);
    }

    fn give_up(&self, mut outgoing: Outgoing, cause: DropCause, effects: &mut Effects) {
        effects.journal.settled(&self.client_id, &mut outgoing);
        self.report(&outgoing.message, cause, effects);
    }

    fn report(&self, message: &Message, cause: DropCause, effects: &mut Effects) {
        effects
            .watch
            .tell(|observer, now| observer.dropped(now, &self.client_id, message, cause));
    }
}
