//! What holds for every packet and every sequence of bytes.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use squall_broker::wire::{
    Ack, ConnAck, Connect, ConnectCode, Decoder, Delivery, Packet, PacketId, Publish, Qos, Sender,
    SubAck, Subscribe, SubscribeCode, Subscription, Text, TopicFilter, TopicName, UnsubAck,
    Unsubscribe, Version, Will, WireError,
};

fn id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_map(|id| PacketId::new(id).expect("not zero"))
}

fn ack() -> impl Strategy<Value = Ack> {
    id().prop_map(|packet_id| Ack { packet_id })
}

fn text() -> impl Strategy<Value = Text> {
    "[^\\x00]{0,40}".prop_map(|text| Text::new(text).expect("well-formed"))
}

fn topic() -> impl Strategy<Value = TopicName> {
    "[^\\x00+#]{1,40}".prop_map(|topic| TopicName::new(topic).expect("a topic"))
}

fn filter() -> impl Strategy<Value = TopicFilter> {
    let level = prop_oneof![Just("+".to_owned()), "[^\\x00+#/]{0,6}"];
    (vec(level, 1..5), any::<bool>())
        .prop_map(|(levels, hash)| levels.join("/") + if hash { "/#" } else { "" })
        .prop_filter_map("not empty", |filter| TopicFilter::new(filter).ok())
}

fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..most).prop_map(Bytes::from)
}

fn qos() -> impl Strategy<Value = Qos> {
    prop_oneof![
        Just(Qos::AtMostOnce),
        Just(Qos::AtLeastOnce),
        Just(Qos::ExactlyOnce)
    ]
}

fn connect() -> impl Strategy<Value = Packet> {
    let will =
        (topic(), bytes(40), qos(), any::<bool>()).prop_map(|(topic, message, qos, retain)| Will {
            topic,
            message,
            qos,
            retain,
        });
    let user = prop::option::of((text(), prop::option::of(bytes(40))));
    (
        any::<bool>(),
        any::<u16>(),
        text(),
        prop::option::of(will),
        user,
    )
        .prop_map(|(clean_session, keep_alive_s, client_id, will, user)| {
            let (user_name, password) =
                user.map_or((None, None), |(name, word)| (Some(name), word));
            let connect = Connect {
                clean_session,
                keep_alive_s,
                client_id,
                will,
                user_name,
                password,
            };
            Packet::Connect(Box::new(connect))
        })
}

fn publish() -> impl Strategy<Value = Packet> {
    let delivery = prop_oneof![
        Just((false, Delivery::AtMostOnce)),
        (any::<bool>(), id().prop_map(Delivery::AtLeastOnce)),
        (any::<bool>(), id().prop_map(Delivery::ExactlyOnce)),
    ];
    (delivery, any::<bool>(), topic(), bytes(300)).prop_map(
        |((dup, delivery), retain, topic, payload)| {
            Packet::Publish(Publish {
                dup,
                delivery,
                retain,
                topic,
                payload,
            })
        },
    )
}

fn exchange() -> impl Strategy<Value = Packet> {
    prop_oneof![
        publish(),
        ack().prop_map(Packet::PubAck),
        ack().prop_map(Packet::PubRec),
        ack().prop_map(Packet::PubRel),
        ack().prop_map(Packet::PubComp),
    ]
}

fn from_client() -> impl Strategy<Value = Packet> {
    let subscription = (filter(), qos()).prop_map(|(filter, qos)| Subscription { filter, qos });
    let subscribe =
        (id(), vec(subscription, 1..6)).prop_map(|(packet_id, subscriptions)| Subscribe {
            packet_id,
            subscriptions,
        });
    let unsubscribe = (id(), vec(filter(), 1..6))
        .prop_map(|(packet_id, filters)| Unsubscribe { packet_id, filters });
    prop_oneof![
        connect(),
        exchange(),
        subscribe.prop_map(Packet::Subscribe),
        unsubscribe.prop_map(Packet::Unsubscribe),
        Just(Packet::PingReq),
        Just(Packet::Disconnect),
    ]
}

fn from_server() -> impl Strategy<Value = Packet> {
    let connack = prop_oneof![
        any::<bool>().prop_map(|present| (present, ConnectCode::Accepted)),
        Just((false, ConnectCode::UnacceptableProtocolVersion)),
        Just((false, ConnectCode::IdentifierRejected)),
        Just((false, ConnectCode::ServerUnavailable)),
        Just((false, ConnectCode::BadUserNameOrPassword)),
        Just((false, ConnectCode::NotAuthorized)),
    ]
    .prop_map(|(session_present, code)| ConnAck {
        session_present,
        code,
    });
    let code = prop_oneof![
        qos().prop_map(SubscribeCode::Granted),
        Just(SubscribeCode::Failure)
    ];
    let suback =
        (id(), vec(code, 1..200)).prop_map(|(packet_id, codes)| SubAck { packet_id, codes });
    prop_oneof![
        connack.prop_map(Packet::ConnAck),
        exchange(),
        suback.prop_map(Packet::SubAck),
        id().prop_map(|packet_id| Packet::UnsubAck(UnsubAck { packet_id })),
        Just(Packet::PingResp),
    ]
}

/// One side's packets.
fn conversation() -> impl Strategy<Value = (Sender, Vec<Packet>)> {
    prop_oneof![
        vec(from_client(), 0..8).prop_map(|packets| (Sender::Client, packets)),
        vec(from_server(), 0..8).prop_map(|packets| (Sender::Server, packets)),
    ]
}

/// Everything that comes out of the pieces, up to the first error.
fn decode<'a>(
    sender: Sender,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Packet>, Option<WireError>) {
    let mut decoder = Decoder::new(Version::V3_1_1, sender, 4096);
    let mut packets = Vec::new();
    for mut piece in pieces {
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(error) => return (packets, Some(error)),
            }
        }
        assert!(piece.is_empty(), "all of the input is taken");
    }
    (packets, None)
}

/// Cuts bytes at the given places, whichever of them there are.
fn split<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for to in at.into_iter().chain([bytes.len()]) {
        pieces.push(&bytes[from..to]);
        from = to;
    }
    pieces
}

proptest! {
    #[test]
    fn packets_come_back_from_any_split_of_their_bytes(
        (sender, packets) in conversation(),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut bytes = Vec::new();
        for packet in &packets {
            packet.encode(Version::V3_1_1, &mut bytes);
        }
        prop_assert_eq!(decode(sender, split(&bytes, &cuts)), (packets.clone(), None));
        prop_assert_eq!(decode(sender, bytes.chunks(1)), (packets, None));
    }

    /// Damaged packets give the same answer however they are cut, and never a
    /// panic.
    #[test]
    fn damage_is_found_alike_in_any_split(
        (sender, packets) in conversation(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut bytes = Vec::new();
        for packet in &packets {
            packet.encode(Version::V3_1_1, &mut bytes);
        }
        prop_assume!(!bytes.is_empty());
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let whole = decode(sender, [&bytes[..]]);
        prop_assert_eq!(&decode(sender, split(&bytes, &cuts)), &whole);
        // What was decoded is a packet: it survives another round.
        for packet in whole.0 {
            let mut again = Vec::new();
            packet.encode(Version::V3_1_1, &mut again);
            prop_assert_eq!(decode(sender, [&again[..]]), (vec![packet], None));
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..600)) {
        for sender in [Sender::Client, Sender::Server] {
            decode(sender, [&bytes[..]]);
            decode(sender, bytes.chunks(1));
        }
    }
}
