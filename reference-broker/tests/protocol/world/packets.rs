//! Packets in few words.

use std::time::Duration;

use bytes::Bytes;
use squall_broker::wire::{
    Ack, ConnAck, Connect, Delivery, Packet, PacketId, Properties, Publish, Qos, ReasonCode,
    SubAck, Subscribe, SubscribeCode, Subscription, Text, TopicFilter, TopicName, UnsubAck,
    Unsubscribe, Will,
};

pub(crate) fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not zero")
}

pub(crate) fn text(text: &str) -> Text {
    Text::new(text.to_owned()).expect("well-formed")
}

pub(crate) fn clean(client_id: &str) -> Connect {
    Connect {
        clean_session: true,
        client_id: text(client_id),
        ..Connect::default()
    }
}

pub(crate) fn persistent(client_id: &str) -> Connect {
    Connect {
        clean_session: false,
        client_id: text(client_id),
        ..Connect::default()
    }
}

pub(crate) fn will(topic: &str, message: &str, qos: u8, retain: bool) -> Option<Will> {
    Some(Will {
        topic: TopicName::new(topic.to_owned()).expect("a topic"),
        message: Bytes::from(message.to_owned()),
        qos: Qos::from_level(qos).expect("a level"),
        retain,
        properties: Properties::NONE,
    })
}

/// PUBLISH, first copy, RETAIN 0; the identifier counts above QoS 0 only.
pub(crate) fn publish(topic: &str, payload: &str, qos: u8, packet_id: u16) -> Packet {
    let delivery = match Qos::from_level(qos).expect("a level") {
        Qos::AtMostOnce => Delivery::AtMostOnce,
        Qos::AtLeastOnce => Delivery::AtLeastOnce(id(packet_id)),
        Qos::ExactlyOnce => Delivery::ExactlyOnce(id(packet_id)),
    };
    Packet::Publish(Publish {
        dup: false,
        delivery,
        retain: false,
        topic: TopicName::new(topic.to_owned()).expect("a topic"),
        properties: Properties::NONE,
        payload: Bytes::from(payload.to_owned()),
    })
}

/// The same with DUP 1.
pub(crate) fn dup(packet: Packet) -> Packet {
    match packet {
        Packet::Publish(publish) => Packet::Publish(Publish {
            dup: true,
            ..publish
        }),
        other => panic!("{other:?} has no DUP"),
    }
}

/// The same with RETAIN 1.
pub(crate) fn retain(packet: Packet) -> Packet {
    match packet {
        Packet::Publish(publish) => Packet::Publish(Publish {
            retain: true,
            ..publish
        }),
        other => panic!("{other:?} has no RETAIN"),
    }
}

pub(crate) fn puback(packet_id: u16) -> Packet {
    Packet::PubAck(Ack::new(id(packet_id)))
}

pub(crate) fn pubrec(packet_id: u16) -> Packet {
    Packet::PubRec(Ack::new(id(packet_id)))
}

pub(crate) fn pubrel(packet_id: u16) -> Packet {
    Packet::PubRel(Ack::new(id(packet_id)))
}

pub(crate) fn pubcomp(packet_id: u16) -> Packet {
    Packet::PubComp(Ack::new(id(packet_id)))
}

pub(crate) fn subscribe(packet_id: u16, filters: &[(&str, u8)]) -> Packet {
    let one = |&(filter, qos): &(&str, u8)| {
        let filter = TopicFilter::new(filter.to_owned()).expect("a filter");
        Subscription::new(filter, Qos::from_level(qos).expect("a level"))
    };
    let subscriptions = filters.iter().map(one).collect();
    Packet::Subscribe(Subscribe {
        packet_id: id(packet_id),
        subscriptions,
        properties: Properties::NONE,
    })
}

/// 0x80 stands for a failure.
pub(crate) fn suback(packet_id: u16, codes: &[u8]) -> Packet {
    let code = |code: &u8| {
        let refused = SubscribeCode::Refused(ReasonCode::UnspecifiedError);
        Qos::from_level(*code).map_or(refused, SubscribeCode::Granted)
    };
    Packet::SubAck(SubAck {
        packet_id: id(packet_id),
        codes: codes.iter().map(code).collect(),
        properties: Properties::NONE,
    })
}

pub(crate) fn unsubscribe(packet_id: u16, filters: &[&str]) -> Packet {
    let one = |filter: &&str| TopicFilter::new((*filter).to_owned()).expect("a filter");
    let filters = filters.iter().map(one).collect();
    Packet::Unsubscribe(Unsubscribe {
        packet_id: id(packet_id),
        filters,
        properties: Properties::NONE,
    })
}

pub(crate) fn unsuback(packet_id: u16) -> Packet {
    Packet::UnsubAck(UnsubAck::new(id(packet_id)))
}

pub(crate) fn refusal(code: ReasonCode) -> Packet {
    Packet::ConnAck(ConnAck::refused(code))
}

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
