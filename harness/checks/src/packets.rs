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
