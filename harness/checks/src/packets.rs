//! Packets and their parts, made from plain values; and bytes that are no
//! packet of any codec.
//!
//! What is given here is written in the checks themselves, so a value that no
//! packet can carry is a mistake there, and a panic.

use bytes::Bytes;
use squall_broker::wire::{
    Ack, Connect, Delivery, Packet, PacketId, Properties, Property, Publish, Qos, Subscribe,
    Subscription, Text, TopicFilter, TopicName, Unsubscribe, Version, Will,
};

/// Every quality of service, from the lowest.
pub const EACH_QOS: [Qos; 3] = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];

/// A string.
///
/// # Panics
/// If it is not a UTF-8 string of MQTT.
#[must_use]
pub fn text(text: &str) -> Text {
    Text::new(text.as_bytes().to_vec()).expect("a string of MQTT")
}

/// A topic name.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn topic(name: &str) -> TopicName {
    TopicName::new(name.as_bytes().to_vec()).expect("a topic name")
}

/// A topic filter.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn filter(filter: &str) -> TopicFilter {
    TopicFilter::new(filter.as_bytes().to_vec()).expect("a topic filter")
}

/// A packet identifier.
///
/// # Panics
/// If it is 0.
#[must_use]
pub fn packet_id(id: u16) -> PacketId {
    PacketId::new(id).expect("a packet identifier is not 0")
}

/// A PUBLISH: not retained, no repeat, no properties. `id` is not looked at for
/// QoS 0.
#[must_use]
pub fn publish(name: &str, payload: impl AsRef<[u8]>, qos: Qos, id: u16) -> Publish {
    Publish {
        dup: false,
        delivery: match qos {
            Qos::AtMostOnce => Delivery::AtMostOnce,
            Qos::AtLeastOnce => Delivery::AtLeastOnce(packet_id(id)),
            Qos::ExactlyOnce => Delivery::ExactlyOnce(packet_id(id)),
        },
        retain: false,
        topic: topic(name),
        properties: Properties::NONE,
        payload: Bytes::copy_from_slice(payload.as_ref()),
    }
}

/// A PUBLISH as it is sent again, with DUP set.
#[must_use]
pub fn repeated(publish: &Publish) -> Packet {
    Packet::Publish(Publish {
        dup: true,
        ..publish.clone()
    })
}

/// A SUBSCRIBE of filters, each with its maximum QoS.
#[must_use]
pub fn subscribe(id: u16, filters: &[(&str, Qos)]) -> Subscribe {
    let subscription = |(name, qos): &(&str, Qos)| Subscription::new(filter(name), *qos);
    Subscribe {
        packet_id: packet_id(id),
        subscriptions: filters.iter().map(subscription).collect(),
        properties: Properties::NONE,
    }
}

/// An UNSUBSCRIBE of filters.
#[must_use]
pub fn unsubscribe(id: u16, filters: &[&str]) -> Unsubscribe {
    Unsubscribe {
        packet_id: packet_id(id),
        filters: filters.iter().map(|name| filter(name)).collect(),
        properties: Properties::NONE,
    }
}

/// A will: QoS 0, not retained, no properties.
#[must_use]
pub fn will(name: &str, message: impl AsRef<[u8]>) -> Will {
    Will {
        topic: topic(name),
        message: Bytes::copy_from_slice(message.as_ref()),
        qos: Qos::AtMostOnce,
        retain: false,
        properties: Properties::NONE,
    }
}

/// The body of a PUBACK, PUBREC, PUBREL or PUBCOMP.
#[must_use]
pub fn ack(id: u16) -> Ack {
    Ack::new(packet_id(id))
}

/// Properties.
#[must_use]
pub fn properties(properties: impl IntoIterator<Item = Property>) -> Properties {
    properties.into_iter().collect()
}

/// The subscription identifiers of a message, in its order.
#[must_use]
pub fn subscription_ids(message: &Publish) -> Vec<u32> {
    let each = message.properties.iter();
    let ids = each.filter_map(|property| match property {
        Property::SubscriptionIdentifier(id) => Some(id.get()),
        _ => None,
    });
    ids.collect()
}

/// A packet's bytes.
#[must_use]
pub fn encode(packet: &Packet, version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes);
    bytes
}

/// A CONNECT's bytes.
#[must_use]
pub fn encode_connect(connect: &Connect) -> Vec<u8> {
    encode(&Packet::Connect(Box::new(connect.clone())), connect.version)
}

/// Has a CONNECT resume its session, or begin one, and keep it for a minute.
pub fn keeps_session(connect: &mut Connect) {
    connect.clean_session = false;
    if connect.version == Version::V5 {
        connect.properties = properties([Property::SessionExpiryInterval(60)]);
    }
}

/// Bytes framed as a packet: the first byte as it is given, the remaining
/// length, the body.
#[must_use]
pub fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    bytes.extend(variable(body.len() as u32));
    bytes.extend_from_slice(body);
    bytes
}

/// A variable byte integer, in as few bytes as it takes.
#[must_use]
pub fn variable(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number % 128) as u8;
        number /= 128;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Bytes with their two-byte length before them, as strings and binary data
/// travel.
///
/// # Panics
/// If they are more than 65,535.
#[must_use]
pub fn data(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let length = u16::try_from(bytes.len()).expect("a length of two bytes");
    let mut out = length.to_be_bytes().to_vec();
    out.extend_from_slice(bytes);
    out
}

/// A packet in bytes, for what no codec shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawPacket {
    /// Its type, in the upper half, and flags.
    pub first: u8,
    /// The remaining length as it is written, in one to four bytes.
    pub length: Vec<u8>,
    /// The rest of it.
    pub body: Vec<u8>,
}

/// How long the packet is that bytes begin with; `None` if it is not whole.
pub(crate) fn first_len(bytes: &[u8]) -> Option<usize> {
    let (length, rest) = split_variable(bytes.get(1..)?)?;
    let body = number(length) as usize;
    (body <= rest.len()).then_some(1 + length.len() + body)
}

impl RawPacket {
    /// The packet that bytes begin with; `None` if it is not whole.
    #[must_use]
    pub fn first_of(bytes: &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first()?;
        let (length, rest) = split_variable(rest)?;
        let body = rest.get(..number(length) as usize)?;
        Some(Self {
            first: *first,
            length: length.to_vec(),
            body: body.to_vec(),
        })
    }

    /// The properties of a packet that has them from here on, as
    /// [`split_properties`] has them; none if they are not there or are none.
    #[must_use]
    pub fn properties_at(&self, at: usize) -> Vec<(u8, &[u8])> {
        let all = self.body.get(at..).and_then(split_variable);
        let block = all.and_then(|(length, rest)| rest.get(..number(length) as usize));
        block.and_then(split_properties).unwrap_or_default()
    }

    /// How many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        1 + self.length.len() + self.body.len()
    }
}

/// The variable byte integer that bytes begin with, as it is written, and what
/// follows it.
#[must_use]
pub fn split_variable(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let last = bytes.iter().take(4).position(|byte| byte & 0x80 == 0)?;
    Some(bytes.split_at(last + 1))
}

/// What a variable byte integer says.
#[must_use]
pub fn number(variable: &[u8]) -> u32 {
    let low = |byte: &u8| u32::from(byte & 0x7f);
    variable
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 7 | low(byte))
}

/// The properties in a block without its length: the identifier and the value of
/// each, as bytes. `None` if it is no block of properties.
#[must_use]
pub fn split_properties(mut block: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut properties = Vec::new();
    while let Some((id, rest)) = block.split_first() {
        let data = |bytes: &[u8]| {
            let length = bytes.first_chunk::<2>()?;
            Some(2 + usize::from(u16::from_be_bytes(*length)))
        };
        let length = match id {
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a => 1,
            0x13 | 0x21 | 0x22 | 0x23 => 2,
            0x02 | 0x11 | 0x18 | 0x27 => 4,
            0x0b => split_variable(rest)?.0.len(),
            0x26 => {
                let name = data(rest)?;
                name + data(rest.get(name..)?)?
            }
            0x03 | 0x08 | 0x09 | 0x12 | 0x15 | 0x16 | 0x1a | 0x1c | 0x1f => data(rest)?,
            _ => return None,
        };
        properties.push((*id, rest.get(..length)?));
        block = &rest[length..];
    }
    Some(properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_comes_apart_as_it_was_put_together() {
        let body = vec![7; 300];
        let mut bytes = frame(0x30, &body);
        let packet = RawPacket::first_of(&bytes).expect("whole");
        assert_eq!((packet.first, number(&packet.length)), (0x30, 300));
        assert_eq!((packet.bytes(), &packet.body), (bytes.len(), &body));
        bytes.pop();
        assert_eq!(RawPacket::first_of(&bytes), None);
        assert_eq!(
            RawPacket::first_of(&[0xc0, 0x80, 0x80, 0x80, 0x80, 0]),
            None
        );
    }

    #[test]
    fn properties_come_apart_as_they_were_put_together() {
        let pair = Property::UserProperty(text("name"), text("value"));
        let block = [
            Property::MaximumQos(Qos::AtLeastOnce),
            Property::ServerKeepAlive(258),
            pair,
            Property::ReasonString(text("why")),
        ];
        let publish = Publish {
            properties: properties(block),
            ..publish("t", "", Qos::AtMostOnce, 0)
        };
        let bytes = encode(&Packet::Publish(publish), Version::V5);
        let block = &bytes[6..];
        let split = split_properties(block).expect("properties");
        let ids: Vec<_> = split.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [0x24, 0x13, 0x26, 0x1f]);
        assert_eq!(split[1].1, [1, 2]);
        assert_eq!(split[3].1, data("why"));
        assert_eq!(split_properties(&block[..block.len() - 1]), None);
    }
}
