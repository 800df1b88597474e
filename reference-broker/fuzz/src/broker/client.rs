//! What one connection's client sees, and what a server may not show it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use squall_broker::wire::{
    Ack, Connect, Decoder, Delivery, Packet, Property, Publish, Qos, ReasonCode, Sender, Version,
};
use squall_broker::{ConnId, Limits};

/// A client, as long as its connection. It decodes as strictly as the broker
/// does, and insists on what a server promises:
///
/// - CONNACK comes first, once, and nothing after one that refuses
/// - no packet exceeds the Maximum Packet Size, no alias the Topic Alias Maximum,
///   and each alias was given a topic before it stands alone
/// - no more messages are in flight than the Receive Maximum and the limit of the
///   broker allow, each under an identifier of its own
/// - DUP says that a message may have come before, which needs a session
/// - nothing is acknowledged that was not asked for
pub(crate) struct Client {
    pub(crate) conn: ConnId,
    pub(crate) version: Version,
    /// What the broker hears.
    pub(crate) uplink: Decoder,
    /// Takes no bytes while set.
    pub(crate) stalled: bool,
    /// Bytes that the broker has written and the stream has not accepted.
    pub(crate) untaken: usize,
    downlink: Decoder,
    receive_maximum: usize,
    alias_maximum: u16,
    aliases: BTreeSet<u16>,
    /// Whether it was accepted, and into a session.
    connected: Option<bool>,
    /// It was refused, or was told that the connection ends.
    ended: bool,
    /// Sent something that is no packet of ours: what is acknowledged is not
    /// looked at.
    wild: bool,
    /// Identifiers of messages received and not answered to the end.
    in_flight: BTreeMap<u16, Qos>,
    /// What was asked for: the name of the answer, and its identifier.
    asked: BTreeMap<(&'static str, u16), usize>,
    /// What it has to answer.
    answers: VecDeque<Packet>,
}

impl Client {
    pub(crate) fn new(conn: ConnId, packet_bytes_max: usize, connect: &Connect) -> Self {
        let (mut receive_maximum, mut alias_maximum) = (usize::from(u16::MAX), 0);
        let mut packet_bytes = usize::MAX;
        for property in connect.properties.iter() {
            match property {
                Property::ReceiveMaximum(most) => receive_maximum = most.get().into(),
                Property::TopicAliasMaximum(most) => alias_maximum = most,
                Property::MaximumPacketSize(most) => packet_bytes = most.get() as usize,
                _ => {}
            }
        }
        Self {
            conn,
            version: connect.version,
            uplink: Decoder::negotiating(packet_bytes_max),
            stalled: false,
            untaken: 0,
            downlink: Decoder::new(connect.version, Sender::Server, packet_bytes),
            receive_maximum,
            alias_maximum,
            aliases: BTreeSet::new(),
            connected: None,
            ended: false,
            wild: false,
            in_flight: BTreeMap::new(),
            asked: BTreeMap::new(),
            answers: VecDeque::new(),
        }
    }

    /// One of the answers that it owes, not always the oldest.
    pub(crate) fn next_answer(&mut self, which: u8) -> Option<Packet> {
        let count = self.answers.len().max(1);
        self.answers.remove(usize::from(which) % count)
    }

    /// It is about to send this packet, or bytes that may be any.
    pub(crate) fn sends(&mut self, packet: Option<&Packet>) {
        let mut ask = |answer, id: u16| *self.asked.entry((answer, id)).or_default() += 1;
        match packet {
            Some(Packet::Publish(publish)) => match publish.delivery {
                Delivery::AtMostOnce => {}
                Delivery::AtLeastOnce(id) => ask("PUBACK", id.get()),
                Delivery::ExactlyOnce(id) => ask("PUBREC", id.get()),
            },
            Some(Packet::PubRel(ack)) => ask("PUBCOMP", ack.packet_id.get()),
            Some(Packet::Subscribe(subscribe)) => ask("SUBACK", subscribe.packet_id.get()),
            Some(Packet::Unsubscribe(unsubscribe)) => ask("UNSUBACK", unsubscribe.packet_id.get()),
            Some(Packet::PingReq) => ask("PINGRESP", 0),
            Some(Packet::PubAck(ack) | Packet::PubComp(ack)) => self.frees(ack),
            Some(Packet::PubRec(ack)) if self.refuses(ack) => self.frees(ack),
            Some(_) => {}
            None => self.wild = true,
        }
    }

    /// 3.1.1 has no codes.
    fn refuses(&self, ack: &Ack) -> bool {
        self.version == Version::V5 && ack.code != ReasonCode::Success
    }

    fn frees(&mut self, ack: &Ack) {
        self.in_flight.remove(&ack.packet_id.get());
    }

    /// Sent what is malformed: nothing more is heard of it.
    pub(crate) fn breaks_off(&mut self) {
        self.wild = true;
    }

    /// Takes what the broker writes.
    ///
    /// # Panics
    /// If a server may not write that.
    pub(crate) fn reads(&mut self, bytes: &[u8], limits: &Limits) {
        let mut rest = bytes;
        loop {
            match self.downlink.decode(&mut rest) {
                Ok(Some(packet)) => self.read(packet, limits),
                Ok(None) => return,
                Err(error) => panic!("{:?}: {error} in {bytes:02x?}", self.version),
            }
        }
    }

    fn read(&mut self, packet: Packet, limits: &Limits) {
        assert!(!self.ended, "{packet:?} after the end");
        let name = packet.name();
        match packet {
            Packet::ConnAck(connack) => {
                assert_eq!(self.connected, None, "a second CONNACK");
                self.ended = connack.code != ReasonCode::Success;
                self.connected = (!self.ended).then_some(connack.session_present);
                assert!(!(self.ended && connack.session_present), "{connack:?}");
            }
            _ if self.connected.is_none() => panic!("{packet:?} before CONNACK"),
            Packet::Publish(publish) => self.receives(&publish, limits),
            Packet::PubRel(ack) => {
                self.answers
                    .push_back(Packet::PubComp(Ack::new(ack.packet_id)));
            }
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack) => {
                self.answered(name, ack.packet_id.get());
            }
            Packet::SubAck(suback) => self.answered(name, suback.packet_id.get()),
            Packet::UnsubAck(unsuback) => self.answered(name, unsuback.packet_id.get()),
            Packet::PingResp => self.answered(name, 0),
            Packet::Disconnect(_) => self.ended = true,
            other => panic!("{other:?} to a client that did not ask for it"),
        }
    }

    fn answered(&mut self, answer: &'static str, id: u16) {
        let asked = self
            .asked
            .get_mut(&(answer, id))
            .filter(|asked| **asked > 0);
        match asked {
            Some(asked) => *asked -= 1,
            None => assert!(self.wild, "{answer} {id} answers nothing"),
        }
    }

    fn receives(&mut self, publish: &Publish, limits: &Limits) {
        let alias = publish
            .properties
            .iter()
            .find_map(|property| match property {
                Property::TopicAlias(alias) => Some(alias.get()),
                _ => None,
            });
        if let Some(alias) = alias {
            assert!(
                alias <= self.alias_maximum,
                "{publish:?} of {}",
                self.alias_maximum
            );
        }
        if publish.topic.as_str().is_empty() {
            let known = alias.is_some_and(|alias| self.aliases.contains(&alias));
            assert!(known, "{publish:?} has no topic");
        } else {
            self.aliases.extend(alias);
        }
        assert!(
            !publish.dup || self.connected == Some(true),
            "{publish:?} is no repeat"
        );
        let Some(id) = publish.packet_id() else {
            return;
        };
        let before = self.in_flight.insert(id.get(), publish.qos());
        assert_eq!(before, None, "{publish:?}: the identifier is in use");
        let most = self.receive_maximum.min(limits.inflight);
        assert!(
            self.in_flight.len() <= most,
            "{:?} are more than {most}",
            self.in_flight
        );
        self.answers.push_back(match publish.qos() {
            Qos::ExactlyOnce => Packet::PubRec(Ack::new(id)),
            _ => Packet::PubAck(Ack::new(id)),
        });
    }
}
