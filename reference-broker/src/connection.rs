//! One connection, from its opening until its stream is gone: what is to be
//! written to it, and how much of that its peer has yet to take.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::access::Rights;
use crate::aliases::Aliases;
use crate::broker::Authentication;
use crate::effects::Effects;
use crate::limits::Limits;
use crate::message::Message;
use crate::queue::Outgoing;
use crate::quirks::{Quirk, Quirks};
use crate::terms::Terms;
use crate::topics::SessionKey;
use crate::wills::Stated;
use crate::wire::{
    Connect, Delivery, Packet, PacketId, Properties, Property, Publish, Qos, ReasonCode,
    SubscribeCode, SubscriptionId, Text, TopicName, Version, publish,
};

/// Names one connection. No two connections of one broker have the same.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnId {
    serial: u64,
    slot: usize,
}

impl ConnId {
    pub(crate) fn new(serial: u64, slot: usize) -> Self {
        Self { serial, slot }
    }

    /// Its number in the order in which connections were opened, from 1.
    #[must_use]
    pub fn serial(self) -> u64 {
        self.serial
    }

    /// A small number that no other connection has at the same time.
    pub(crate) fn slot(self) -> usize {
        self.slot
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serial.fmt(f)
    }
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// Opened; a CONNECT must come next.
    AwaitingConnect,
    /// Its CONNECT came, and its password is being checked elsewhere.
    Checking,
    /// Its CONNECT came, and it is showing who it is, by AUTH.
    Authenticating,
    /// Accepted, and attached to this session.
    Connected(SessionKey),
    /// Ended; what is in its buffer is still to be written.
    Finishing,
    /// Ended; nothing is to be written any more.
    Aborted,
}

/// Output that promises what is not durable yet.
#[derive(Debug)]
struct Hold {
    /// Where it begins.
    from: usize,
    /// The batch that must be durable first.
    batch: u64,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnId,
    pub(crate) version: Version,
    pub(crate) phase: Phase,
    /// Packets written and not yet taken by the shim.
    output: Vec<u8>,
    /// From where on the output waits for the store, in order.
    holds: Vec<Hold>,
    /// Bytes taken by the shim and not yet reported as accepted by the stream.
    in_transit: usize,
    /// Bytes of replies since the peer last had less than its fill.
    replies: usize,
    /// Whether it is on the list of those the shim should look at.
    woken: bool,
    pub(crate) last_packet: Duration,
    /// One and a half times the keep-alive time; `None` for no limit.
    pub(crate) silence_max: Option<Duration>,
    /// Its entry in the deadlines.
    pub(crate) armed: Option<Duration>,
    pub(crate) will: Option<Stated>,
    pub(crate) rights: Rights,
    pub(crate) terms: Terms,
    pub(crate) aliases: Aliases,
    /// The user it has shown to be.
    pub(crate) user: Option<Arc<str>>,
    /// Its way of showing so, if it is not a password.
    pub(crate) authentication: Option<Box<Authentication>>,
    /// What came while its password is being checked.
    pub(crate) held: Option<Box<Held>>,
    /// The CONNACK that accepts it has left.
    pub(crate) is_told: bool,
    /// A reply was larger than its client takes, so that the connection has to
    /// end.
    pub(crate) has_unanswered: bool,
}

/// A message on its way into a connection.
#[derive(Clone, Copy)]
pub(crate) struct Sending<'a> {
    pub(crate) dup: bool,
    pub(crate) delivery: Delivery,
    pub(crate) retain: bool,
    pub(crate) message: &'a Message,
    pub(crate) subscription_ids: &'a [SubscriptionId],
}

/// A CONNECT whose password is being checked, and what followed it: a client need
/// not wait for its CONNACK. No more is read meanwhile, so that it is one
/// buffer's worth at most.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) connect: Connect,
    pub(crate) packets: Vec<Packet>,
}

impl Connection {
    pub(crate) fn new(id: ConnId, now: Duration) -> Self {
        Self {
            id,
            version: Version::V3_1_1,
            phase: Phase::AwaitingConnect,
            output: Vec::new(),
            holds: Vec::new(),
            in_transit: 0,
            replies: 0,
            woken: false,
            last_packet: now,
            silence_max: None,
            armed: None,
            will: None,
            rights: Rights::default(),
            terms: Terms::default(),
            aliases: Aliases::default(),
            user: None,
            authentication: None,
            held: None,
            is_told: false,
            has_unanswered: false,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(
            self.phase,
            Phase::AwaitingConnect | Phase::Checking | Phase::Authenticating | Phase::Connected(_)
        )
    }

    fn outstanding(&self) -> usize {
        self.output.len() + self.in_transit
    }

    /// Whether another message may be written; always, if nothing waits.
    pub(crate) fn has_room(&self, limits: &Limits) -> bool {
        self.outstanding() < limits.outbound_bytes.max(1)
    }

    /// Whether its peer takes the replies to what it sends; if not, it is not
    /// read from. Messages alone never stop the reading, since a slow link's
    /// PINGREQs must be heard.
    pub(crate) fn may_read(&self, limits: &Limits) -> bool {
        self.is_open()
            && self.phase != Phase::Checking
            && (self.has_room(limits) || self.replies < limits.outbound_bytes)
    }

    /// Whether its client takes a reply of this size [MQTT5-3.1.2-24].
    pub(crate) fn takes_reply(&self, packet: &Packet) -> bool {
        let mut bytes = Vec::new();
        if self.terms.packet_bytes_max != usize::MAX {
            packet.encode(self.version, &mut bytes);
        }
        bytes.len() <= self.terms.packet_bytes_max
    }

    /// Writes a reply, or notes that its client would not take it.
    pub(crate) fn reply(&mut self, packet: &Packet, effects: &mut Effects) {
        let before = self.output.len();
        match self.spoiled(packet, effects.quirks) {
            None if !self.takes_reply(packet) => {
                self.has_unanswered = true;
                return;
            }
            None => packet.encode(self.version, &mut self.output),
            Some(spoiled) => spoiled.encode(self.version, &mut self.output),
        }
        if let Packet::SubAck(suback) = packet
            && let Some(SubscribeCode::Refused(_)) = suback.codes.last()
            && let Some(code) = self.output.last_mut()
            && effects.quirks.has(Quirk::MisstatesRefusedFilter)
        {
            *code = ReasonCode::BadUserNameOrPassword as u8;
        }
        if let (Packet::UnsubAck(_), [first, length, ..]) = (packet, &mut self.output[before..]) {
            let quirks = effects.quirks;
            if self.version == Version::V3_1_1 && quirks.has(Quirk::SetsUnsubackFlag) {
                *first |= 0x01;
            }
            if self.version == Version::V5 && quirks.has(Quirk::WritesLengthsLong) {
                *length |= 0x80;
                self.output.insert(before + 2, 0);
            }
        }
        if let Packet::ConnAck(connack) = packet
            && connack.code.is_failure()
        {
            self.spoil_refusal(before, effects.quirks);
        }
        self.replies += self.output.len() - before;
        let watch = &mut effects.watch;
        watch.tell(|observer, now| observer.sent(now, self.id, packet));
        self.appended(before, effects);
    }

    /// Makes of the CONNACK that was written from here on what quirks do.
    fn spoil_refusal(&mut self, at: usize, quirks: Quirks) {
        if let [_, _, flags, code, ..] = &mut self.output[at..] {
            if self.version == Version::V5 && quirks.has(Quirk::SetsConnackFlags) {
                *flags |= 0x80;
            }
            if quirks.has(Quirk::MisstatesRefusal) {
                *code = match self.version {
                    Version::V3_1_1 => 6,
                    Version::V5 => ReasonCode::SessionTakenOver as u8,
                };
            }
        }
    }

    /// An answer as quirks have it that explain it, or make it larger than the
    /// client takes.
    fn spoiled(&self, packet: &Packet, quirks: Quirks) -> Option<Packet> {
        let most = self.terms.packet_bytes_max;
        let text = || Text::new("more".repeat(most / 4 + 1)).ok();
        let property = if most == usize::MAX {
            let explained = matches!(packet, Packet::UnsubAck(_))
                && self.version == Version::V5
                && quirks.has(Quirk::ExplainsUnasked);
            let reason = || Text::new("there was none").ok();
            explained.then(reason).flatten().map(Property::ReasonString)
        } else if quirks.has(Quirk::OverfillsReasonStrings) {
            text().map(Property::ReasonString)
        } else if quirks.has(Quirk::OverfillsUserProperties) {
            text().map(|text| Property::UserProperty(text.clone(), text))
        } else {
            None
        };
        let property = property?;
        let properties = [property.clone()].into_iter().collect();
        let mut spoiled = packet.clone();
        match &mut spoiled {
            Packet::PubAck(ack)
            | Packet::PubRec(ack)
            | Packet::PubRel(ack)
            | Packet::PubComp(ack) => ack.properties = properties,
            Packet::SubAck(suback) => suback.properties = properties,
            Packet::UnsubAck(unsuback) => unsuback.properties = properties,
            Packet::ConnAck(connack) if connack.code.is_failure() => {
                connack.properties = properties;
            }
            Packet::Disconnect(disconnect) => disconnect.properties = properties,
            Packet::Auth(auth) => {
                auth.properties = auth.properties.iter().chain([property]).collect();
            }
            _ => return None,
        }
        Some(spoiled)
    }

    /// How many QoS 1 and 2 messages may be under way to it
    /// [MQTT5-3.3.4-9] [MQTT5-4.9.0-1].
    pub(crate) fn window(&self, limits: &Limits, quirks: Quirks) -> usize {
        let most = limits.inflight.clamp(1, usize::from(u16::MAX));
        if quirks.has(Quirk::IgnoresReceiveMaximum) {
            return most;
        }
        most.min(usize::from(self.terms.receive_maximum))
    }

    /// Whether its client takes a packet of the size that this message has
    /// [MQTT5-3.1.2-24].
    pub(crate) fn takes(&self, outgoing: &Outgoing, effects: &Effects) -> bool {
        let any = effects.quirks.has(Quirk::IgnoresMaximumPacketSize);
        if any || self.terms.packet_bytes_max == usize::MAX {
            return true;
        }
        let message = &outgoing.message;
        let now = effects.watch.now;
        // An alias beside the topic would make it longer; there is none then.
        let properties = message.properties_for(now, outgoing.subscription_ids(), None);
        let parts = publish::Parts {
            dup: false,
            delivery: match outgoing.qos {
                Qos::AtMostOnce => Delivery::AtMostOnce,
                Qos::AtLeastOnce | Qos::ExactlyOnce => Delivery::AtLeastOnce(PacketId::MIN),
            },
            retain: false,
            topic: &message.topic,
            properties: &properties,
            payload: &message.payload,
        };
        parts.packet_bytes(self.version) <= self.terms.packet_bytes_max
    }

    /// Writes a message.
    pub(crate) fn publish(&mut self, sending: &Sending<'_>, effects: &mut Effects) {
        let before = self.output.len();
        let Sending {
            dup,
            delivery,
            retain,
            message,
            subscription_ids,
        } = *sending;
        let (mut said, mut properties) = (None, Properties::NONE);
        if self.version == Version::V5 {
            let mut alias = None;
            // Where sizes are limited, each topic is said in full, so that what
            // fits does not depend on what was sent before.
            let mut most = self.terms.topic_alias_maximum;
            if most > 0 && effects.quirks.has(Quirk::ExceedsTopicAliasMaximum) {
                most += 1;
            }
            if most > 0 && self.terms.packet_bytes_max == usize::MAX {
                let (topic, known) = self.aliases.say(&message.topic, most);
                (said, alias) = (Some(topic), known);
            }
            let mut at = effects.watch.now;
            if effects.quirks.has(Quirk::ForwardsWholeExpiry)
                && let Some(expiry) = message.expiry
            {
                let interval = Duration::from_secs(expiry.interval_s.into());
                at = expiry.at.saturating_sub(interval);
            }
            properties = message.properties_for(at, subscription_ids, alias);
        }
        if effects.quirks.has(Quirk::LowercasesTopics)
            && let Ok(lower) = TopicName::new(message.topic.as_str().to_ascii_lowercase())
        {
            said = Some(lower);
        }
        let leaves_id = delivery == Delivery::AtMostOnce
            && message.qos == Qos::AtLeastOnce
            && effects.quirks.has(Quirk::WritesIdAtQos0);
        let marked = leaves_id.then(|| Bytes::from([&[0, 1], &message.payload[..]].concat()));
        let parts = publish::Parts {
            dup,
            delivery,
            retain,
            topic: said.as_ref().unwrap_or(&message.topic),
            properties: &properties,
            payload: marked.as_ref().unwrap_or(&message.payload),
        };
        parts.write(self.version, &mut self.output);
        effects.watch.tell(|observer, now| {
            let publish = Publish {
                dup,
                delivery,
                retain,
                topic: message.topic.clone(),
                properties: properties.clone(),
                payload: message.payload.clone(),
            };
            observer.sent(now, self.id, &Packet::Publish(publish));
        });
        self.appended(before, effects);
    }

    /// Has what was written from `before` on looked at, once it may leave.
    fn appended(&mut self, before: usize, effects: &mut Effects) {
        if let Some(batch) = effects.journal.awaited()
            && self.holds.last().is_none_or(|hold| hold.batch < batch)
        {
            if self.holds.is_empty() {
                effects.unsynced.push(self.id);
            }
            let from = before;
            self.holds.push(Hold { from, batch });
        }
        if self.holds.is_empty() {
            self.wake(&mut effects.woken);
        }
    }

    /// Whether there is output that waits for the store.
    pub(crate) fn awaits_store(&self) -> bool {
        !self.holds.is_empty()
    }

    /// Lets go what waited for a batch that is durable, and has it looked at.
    pub(crate) fn release(&mut self, batch: u64, effects: &mut Effects) {
        let due = self.holds.partition_point(|hold| hold.batch <= batch);
        if due > 0 {
            self.holds.drain(..due);
            self.wake(&mut effects.woken);
        }
    }

    pub(crate) fn wake(&mut self, woken: &mut VecDeque<ConnId>) {
        if !self.woken {
            self.woken = true;
            woken.push_back(self.id);
        }
    }

    /// Takes it off the list, and says whether it was on it.
    pub(crate) fn unwake(&mut self) -> bool {
        std::mem::take(&mut self.woken)
    }

    /// Moves what is to be written into `into`, which is empty, and leaves its
    /// allocation behind for what comes next if it has one.
    /// What waits for the store stays.
    pub(crate) fn take_output(&mut self, into: &mut Vec<u8>) {
        match self.holds.first() {
            None => std::mem::swap(&mut self.output, into),
            Some(&Hold { from, .. }) => {
                into.extend(self.output.drain(..from));
                for hold in &mut self.holds {
                    hold.from -= from;
                }
            }
        }
        self.in_transit += into.len();
        // Nothing is written to a client that is connected before its CONNACK.
        self.is_told |= matches!(self.phase, Phase::Connected(_)) && !into.is_empty();
    }

    /// The stream has accepted bytes that were taken.
    pub(crate) fn written(&mut self, bytes: usize, limits: &Limits) {
        self.in_transit = self.in_transit.saturating_sub(bytes);
        if self.has_room(limits) {
            self.replies = 0;
        }
    }

    pub(crate) fn discard_output(&mut self) {
        self.output = Vec::new();
        self.holds = Vec::new();
    }
}
