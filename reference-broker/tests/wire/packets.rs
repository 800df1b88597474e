//! Any packet of either version.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use squall_broker::wire::{
    Ack, Auth, ConnAck, Connect, Delivery, Disconnect, Packet, PacketId, PayloadFormat, Properties,
    Property, Publish, Qos, ReasonCode, RetainHandling, Sender, SubAck, Subscribe, SubscribeCode,
    Subscription, SubscriptionId, SubscriptionOptions, Text, TopicFilter, TopicName, UnsubAck,
    Unsubscribe, Version, Will,
};

/// One side's packets, in one version.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    pub(crate) version: Version,
    pub(crate) sender: Sender,
    pub(crate) packets: Vec<Packet>,
}

impl Conversation {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for packet in &self.packets {
            packet.encode(self.version, &mut bytes);
        }
        bytes
    }
}

pub(crate) fn conversation(packets: usize) -> impl Strategy<Value = Conversation> {
    let version = select(vec![Version::V3_1_1, Version::V5]);
    let sender = select(vec![Sender::Client, Sender::Server]);
    (version, sender).prop_flat_map(move |(version, sender)| {
        vec(packet(version, sender), 0..packets).prop_map(move |packets| Conversation {
            version,
            sender,
            packets,
        })
    })
}

/// What a client says, from its CONNECT on.
pub(crate) fn connection(packets: usize) -> impl Strategy<Value = Conversation> {
    select(vec![Version::V3_1_1, Version::V5]).prop_flat_map(move |version| {
        let rest = vec(packet(version, Sender::Client), 0..packets);
        (connect(version), rest).prop_map(move |(connect, rest)| Conversation {
            version,
            sender: Sender::Client,
            packets: std::iter::once(connect).chain(rest).collect(),
        })
    })
}

/// Any packet that this side may send.
pub(crate) fn packet(version: Version, sender: Sender) -> BoxedStrategy<Packet> {
    match sender {
        Sender::Client => from_client(version).boxed(),
        Sender::Server => from_server(version).boxed(),
    }
}

fn id() -> impl Strategy<Value = PacketId> {
    any::<NonZeroU16>()
}

fn text() -> impl Strategy<Value = Text> {
    "[^\\x00]{0,40}".prop_map(|text| Text::new(text).expect("well-formed"))
}

fn topic() -> impl Strategy<Value = TopicName> {
    "[^\\x00+#]{1,40}".prop_map(|topic| TopicName::new(topic).expect("a topic"))
}

/// None that begins with `$share/`, except a well-formed one in 5.0.
fn filter(version: Version) -> impl Strategy<Value = TopicFilter> {
    let level = prop_oneof![Just("+".to_owned()), "[^\\x00+#/]{0,6}"];
    let shared = prop::option::weighted(0.2, "[^\\x00+#/]{1,6}");
    (vec(level, 1..5), any::<bool>(), shared).prop_filter_map(
        "not empty",
        move |(levels, hash, shared)| {
            let filter = levels.join("/") + if hash { "/#" } else { "" };
            let filter = TopicFilter::new(filter).ok()?;
            match shared.filter(|_| version == Version::V5) {
                Some(name) => TopicFilter::new(format!("$share/{name}/{filter}")).ok(),
                None => Some(filter),
            }
        },
    )
}

fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..most).prop_map(Bytes::from)
}

fn qos() -> impl Strategy<Value = Qos> {
    select(vec![Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce])
}

/// A property with this identifier.
fn property(id: u8) -> BoxedStrategy<Property> {
    match id {
        0x01 => select(vec![PayloadFormat::Unspecified, PayloadFormat::Utf8])
            .prop_map(Property::PayloadFormatIndicator)
            .boxed(),
        0x02 => any::<u32>()
            .prop_map(Property::MessageExpiryInterval)
            .boxed(),
        0x03 => text().prop_map(Property::ContentType).boxed(),
        0x08 => topic().prop_map(Property::ResponseTopic).boxed(),
        0x09 => bytes(20).prop_map(Property::CorrelationData).boxed(),
        0x0b => (1_u32..=268_435_455)
            .prop_map(|id| {
                Property::SubscriptionIdentifier(SubscriptionId::new(id).expect("in range"))
            })
            .boxed(),
        0x11 => any::<u32>()
            .prop_map(Property::SessionExpiryInterval)
            .boxed(),
        0x12 => text().prop_map(Property::AssignedClientIdentifier).boxed(),
        0x13 => any::<u16>().prop_map(Property::ServerKeepAlive).boxed(),
        0x15 => text().prop_map(Property::AuthenticationMethod).boxed(),
        0x16 => bytes(20).prop_map(Property::AuthenticationData).boxed(),
        0x17 => any::<bool>()
            .prop_map(Property::RequestProblemInformation)
            .boxed(),
        0x18 => any::<u32>().prop_map(Property::WillDelayInterval).boxed(),
        0x19 => any::<bool>()
            .prop_map(Property::RequestResponseInformation)
            .boxed(),
        0x1a => text().prop_map(Property::ResponseInformation).boxed(),
        0x1c => text().prop_map(Property::ServerReference).boxed(),
        0x1f => text().prop_map(Property::ReasonString).boxed(),
        0x21 => any::<NonZeroU16>()
            .prop_map(Property::ReceiveMaximum)
            .boxed(),
        0x22 => any::<u16>().prop_map(Property::TopicAliasMaximum).boxed(),
        0x23 => any::<NonZeroU16>().prop_map(Property::TopicAlias).boxed(),
        0x24 => select(vec![Qos::AtMostOnce, Qos::AtLeastOnce])
            .prop_map(Property::MaximumQos)
            .boxed(),
        0x25 => any::<bool>().prop_map(Property::RetainAvailable).boxed(),
        0x26 => (text(), text())
            .prop_map(|(name, value)| Property::UserProperty(name, value))
            .boxed(),
        0x27 => any::<NonZeroU32>()
            .prop_map(Property::MaximumPacketSize)
            .boxed(),
        0x28 => any::<bool>()
            .prop_map(Property::WildcardSubscriptionAvailable)
            .boxed(),
        0x29 => any::<bool>()
            .prop_map(Property::SubscriptionIdentifierAvailable)
            .boxed(),
        0x2a => any::<bool>()
            .prop_map(Property::SharedSubscriptionAvailable)
            .boxed(),
        _ => unreachable!("not a property"),
    }
}

/// Some of these properties in any order, each once, but user properties up to
/// three times. Mostly none.
fn properties(version: Version, ids: &'static [u8]) -> BoxedStrategy<Properties> {
    if version == Version::V3_1_1 {
        return Just(Properties::NONE).boxed();
    }
    let mut all = ids.to_vec();
    if ids.contains(&0x26) {
        all.extend([0x26; 2]);
    }
    let count = all.len();
    let some = subsequence(all, 0..=count)
        .prop_shuffle()
        .prop_flat_map(|ids| ids.into_iter().map(property).collect::<Vec<_>>())
        .prop_map(|properties| properties.into_iter().collect());
    prop_oneof![Just(Properties::NONE), some].boxed()
}

fn connect(version: Version) -> impl Strategy<Value = Packet> {
    const WILL: &[u8] = &[0x18, 0x01, 0x02, 0x03, 0x08, 0x09, 0x26];
    const CONNECT: &[u8] = &[0x11, 0x21, 0x27, 0x22, 0x19, 0x17, 0x26, 0x15];
    let will = (
        topic(),
        bytes(40),
        qos(),
        any::<bool>(),
        properties(version, WILL),
    )
        .prop_map(|(topic, message, qos, retain, properties)| Will {
            topic,
            message,
            qos,
            retain,
            properties,
        });
    let user = (prop::option::of(text()), prop::option::of(bytes(40)));
    (
        any::<bool>(),
        any::<u16>(),
        properties(version, CONNECT),
        text(),
        prop::option::of(will),
        user,
    )
        .prop_map(
            move |(clean_session, keep_alive_s, properties, client_id, will, user)| {
                let (user_name, password) = user;
                let password = password.filter(|_| version == Version::V5 || user_name.is_some());
                Packet::Connect(Box::new(Connect {
                    version,
                    clean_session,
                    keep_alive_s,
                    properties,
                    client_id,
                    will,
                    user_name,
                    password,
                }))
            },
        )
}

fn publish(version: Version, sender: Sender) -> impl Strategy<Value = Packet> {
    let ids: &[u8] = match sender {
        Sender::Client => &[0x01, 0x02, 0x23, 0x08, 0x09, 0x26, 0x03],
        Sender::Server => &[0x01, 0x02, 0x23, 0x08, 0x09, 0x26, 0x03, 0x0b, 0x0b],
    };
    let delivery = prop_oneof![
        Just((false, Delivery::AtMostOnce)),
        (any::<bool>(), id().prop_map(Delivery::AtLeastOnce)),
        (any::<bool>(), id().prop_map(Delivery::ExactlyOnce)),
    ];
    (
        delivery,
        any::<bool>(),
        topic(),
        properties(version, ids),
        bytes(300),
        any::<bool>(),
    )
        .prop_map(
            |((dup, delivery), retain, topic, properties, payload, aliased)| {
                let has_alias = properties
                    .iter()
                    .any(|property| matches!(property, Property::TopicAlias(_)));
                let topic = if has_alias && aliased {
                    TopicName::ALIASED
                } else {
                    topic
                };
                Packet::Publish(Publish {
                    dup,
                    delivery,
                    retain,
                    topic,
                    properties,
                    payload,
                })
            },
        )
}

/// PUBACK and its like, with one of these codes.
fn ack(version: Version, codes: &[u8]) -> BoxedStrategy<Ack> {
    let code = match version {
        Version::V5 => reason(codes),
        _ => reason(&[0]),
    };
    (id(), code, properties(version, &[0x1f, 0x26]))
        .prop_map(|(packet_id, code, properties)| Ack {
            packet_id,
            code,
            properties,
        })
        .boxed()
}

fn reason(codes: &[u8]) -> BoxedStrategy<ReasonCode> {
    let code = |code: &u8| ReasonCode::from_byte(*code).expect("a reason code");
    select(codes.iter().map(code).collect::<Vec<_>>()).boxed()
}

fn exchange(version: Version, sender: Sender) -> impl Strategy<Value = Packet> {
    const RECEIVED: &[u8] = &[0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    prop_oneof![
        publish(version, sender),
        ack(version, RECEIVED).prop_map(Packet::PubAck),
        ack(version, RECEIVED).prop_map(Packet::PubRec),
        ack(version, &[0, 0x92]).prop_map(Packet::PubRel),
        ack(version, &[0, 0x92]).prop_map(Packet::PubComp),
    ]
}

fn subscription(version: Version) -> impl Strategy<Value = Subscription> {
    let handling = select(vec![
        RetainHandling::Send,
        RetainHandling::SendIfNew,
        RetainHandling::DoNotSend,
    ]);
    (
        filter(version),
        qos(),
        any::<bool>(),
        any::<bool>(),
        handling,
    )
        .prop_map(
            move |(filter, qos, no_local, retain_as_published, retain_handling)| {
                let options = SubscriptionOptions {
                    no_local: no_local && filter.shared().is_none(),
                    retain_as_published,
                    retain_handling,
                };
                match version {
                    Version::V5 => Subscription {
                        filter,
                        qos,
                        options,
                    },
                    _ => Subscription::new(filter, qos),
                }
            },
        )
}

fn from_client(version: Version) -> impl Strategy<Value = Packet> {
    let subscribe = (
        id(),
        vec(subscription(version), 1..6),
        properties(version, &[0x0b, 0x26]),
    )
        .prop_map(|(packet_id, subscriptions, properties)| {
            Packet::Subscribe(Subscribe {
                packet_id,
                subscriptions,
                properties,
            })
        });
    let unsubscribe = (
        id(),
        vec(filter(version), 1..6),
        properties(version, &[0x26]),
    )
        .prop_map(|(packet_id, filters, properties)| {
            Packet::Unsubscribe(Unsubscribe {
                packet_id,
                filters,
                properties,
            })
        });
    let codes = [
        0, 4, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
    ];
    prop_oneof![
        connect(version),
        exchange(version, Sender::Client),
        subscribe,
        unsubscribe,
        Just(Packet::PingReq),
        disconnect(version, &codes, &[0x11, 0x1f, 0x26]),
        auth(version, &[0x18, 0x19]),
    ]
}

fn disconnect(version: Version, codes: &[u8], ids: &'static [u8]) -> BoxedStrategy<Packet> {
    match version {
        Version::V5 => (reason(codes), properties(version, ids))
            .prop_map(|(code, properties)| Packet::Disconnect(Disconnect { code, properties }))
            .boxed(),
        _ => Just(Packet::Disconnect(Disconnect::default())).boxed(),
    }
}

/// 3.1.1 has a PUBACK in its place.
fn auth(version: Version, codes: &[u8]) -> BoxedStrategy<Packet> {
    if version == Version::V3_1_1 {
        return ack(version, &[0]).prop_map(Packet::PubAck).boxed();
    }
    let method = text().prop_map(Property::AuthenticationMethod);
    let rest = properties(version, &[0x16, 0x1f, 0x26]);
    (reason(codes), method, rest)
        .prop_map(|(code, method, rest)| {
            let properties = std::iter::once(method).chain(rest.iter()).collect();
            Packet::Auth(Auth { code, properties })
        })
        .boxed()
}

fn connack(version: Version) -> impl Strategy<Value = Packet> {
    let refusals: &[u8] = match version {
        Version::V5 => &[
            0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95,
            0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
        ],
        // Return codes 1 to 5, in their order.
        _ => &[0x84, 0x85, 0x88, 0x86, 0x87],
    };
    let ids = &[
        0x11, 0x21, 0x24, 0x25, 0x27, 0x12, 0x22, 0x1f, 0x26, 0x28, 0x29, 0x2a, 0x13, 0x1a, 0x1c,
        0x15,
    ];
    let answer = prop_oneof![
        any::<bool>().prop_map(|present| (present, ReasonCode::Success)),
        reason(refusals).prop_map(|code| (false, code)),
    ];
    (answer, properties(version, ids)).prop_map(|((session_present, code), properties)| {
        Packet::ConnAck(ConnAck {
            session_present,
            code,
            properties,
        })
    })
}

fn from_server(version: Version) -> impl Strategy<Value = Packet> {
    let refusals: &[u8] = match version {
        Version::V5 => &[0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
        _ => &[0x80],
    };
    let code = prop_oneof![
        qos().prop_map(SubscribeCode::Granted),
        reason(refusals).prop_map(SubscribeCode::Refused),
    ];
    let suback = (id(), vec(code, 1..200), properties(version, &[0x1f, 0x26])).prop_map(
        |(packet_id, codes, properties)| {
            Packet::SubAck(SubAck {
                packet_id,
                codes,
                properties,
            })
        },
    );
    let codes = reason(&[0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91]);
    let count = if version == Version::V5 { 1..20 } else { 0..1 };
    let unsuback = (id(), vec(codes, count), properties(version, &[0x1f, 0x26])).prop_map(
        |(packet_id, codes, properties)| {
            Packet::UnsubAck(UnsubAck {
                packet_id,
                codes,
                properties,
            })
        },
    );
    let codes = [
        0, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95,
        0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
    ];
    let farewell = match version {
        Version::V5 => disconnect(version, &codes, &[0x1f, 0x26, 0x1c]),
        _ => Just(Packet::PingResp).boxed(),
    };
    prop_oneof![
        connack(version),
        exchange(version, Sender::Server),
        suback,
        unsuback,
        Just(Packet::PingResp),
        farewell,
        auth(version, &[0, 0x18]),
    ]
}
