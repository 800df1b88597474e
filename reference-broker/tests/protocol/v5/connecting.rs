//! CONNECT and CONNACK (sections 3.1 and 3.2).

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use super::{connect, connect_with, kept, list, saying};
use crate::world::{World, clean, publish, refusal, seconds, will};
use rstest::rstest;
use squall_broker::wire::{Connect, Packet, Property, Qos, ReasonCode};
use squall_broker::{Capabilities, CloseReason, Config};

fn offering(change: impl FnOnce(&mut Capabilities)) -> World {
    let mut config = Config::default();
    change(&mut config.capabilities);
    World::with(config)
}

/// Section 3.2.2.3: what a client may assume is not said.
#[test]
fn by_default_only_the_topic_aliases_are_told() {
    let mut world = World::new();
    let (_, connack) = world.accepted(connect("c"));
    assert_eq!(list(&connack.properties), [Property::TopicAliasMaximum(16)]);
}

/// [MQTT5-3.2.2-9]
#[test]
fn what_is_not_offered_is_told() {
    let mut config = Config::default();
    config.limits.packet_bytes = 1000;
    let offer = &mut config.capabilities;
    offer.maximum_qos = Qos::AtLeastOnce;
    offer.retain = false;
    offer.wildcard_subscriptions = false;
    offer.subscription_identifiers = false;
    offer.shared_subscriptions = false;
    offer.receive_maximum = NonZeroU16::new(7).expect("not zero");
    offer.topic_alias_maximum = 0;
    offer.session_expiry_max = Some(seconds(60));
    offer.server_keep_alive_s = Some(30);
    let mut world = World::with(config);
    let (_, connack) = world.accepted(kept("c", 61));
    let expected = [
        Property::SessionExpiryInterval(60),
        Property::ReceiveMaximum(NonZeroU16::new(7).expect("not zero")),
        Property::MaximumQos(Qos::AtLeastOnce),
        Property::RetainAvailable(false),
        Property::MaximumPacketSize(NonZeroU32::new(1000).expect("not zero")),
        Property::WildcardSubscriptionAvailable(false),
        Property::SubscriptionIdentifierAvailable(false),
        Property::SharedSubscriptionAvailable(false),
        Property::ServerKeepAlive(30),
    ];
    assert_eq!(list(&connack.properties), expected);
}

/// [MQTT5-3.1.3-6] [MQTT5-3.1.3-7] [MQTT5-3.2.2-16]
#[test]
fn an_identifier_is_assigned_and_told() {
    let mut world = World::new();
    let assigned = |connack: squall_broker::wire::ConnAck| {
        list(&connack.properties)
            .into_iter()
            .find_map(|property| match property {
                Property::AssignedClientIdentifier(id) => Some(id),
                _ => None,
            })
    };
    let (first, connack) = world.accepted(kept("", 100));
    let id = assigned(connack).expect("an identifier");
    let (_, connack) = world.accepted(kept("", 100));
    assert_ne!(assigned(connack).as_ref(), Some(&id));
    // It is as if the client had sent it.
    world.cut(first);
    world.connect(kept(id.as_str(), 100), true);
    let (_, connack) = world.accepted(connect("d"));
    assert_eq!(assigned(connack), None);
}

/// [MQTT5-3.2.2-12] [MQTT5-3.2.2-13] [MQTT5-3.2.2-7]
#[rstest]
#[case::qos(will("w", "", 2, false), ReasonCode::QosNotSupported)]
#[case::retain(will("w", "", 0, true), ReasonCode::RetainNotSupported)]
fn a_connect_that_wants_too_much_is_refused(
    #[case] will: Option<squall_broker::wire::Will>,
    #[case] code: ReasonCode,
) {
    let mut world = offering(|offer| {
        offer.maximum_qos = Qos::AtLeastOnce;
        offer.retain = false;
    });
    let conn = world.open_any();
    let connect = Connect {
        will,
        ..connect("c")
    };
    world.send(conn, &Packet::Connect(Box::new(connect)));
    world.expect_closed(conn, &[refusal(code)], &CloseReason::Refused(code));
}

/// [MQTT5-3.1.4-1] [MQTT5-3.14.0-1]: a CONNACK, and no DISCONNECT.
#[rstest]
#[case::receive_maximum_0(
    b"\x10\x11\0\x04MQTT\x05\x02\0\0\x03\x21\0\0\0\x01c",
    0x82,
    "MQTT5 section 3.1.2.11.3"
)]
#[case::will_qos(b"\x10\x0e\0\x04MQTT\x05\x0a\0\0\0\0\x01c", 0x81, "MQTT5-3.1.2-11")]
fn a_malformed_connect_is_answered(#[case] bytes: &[u8], #[case] code: u8, #[case] rule: &str) {
    let mut world = World::new();
    let conn = world.open_any();
    world.raw(conn, bytes);
    world.expect_refused_breach(conn, code, rule);
}

/// Whose version nobody knows, or whose client has no code for it.
#[rstest]
#[case::no_connect(&[0xc0, 0], "MQTT311-3.1.0-1")]
#[case::cut(b"\x10\x05\0\x04MQT", "MQTT311-3.1.2-1")]
#[case::of_3_1_1(b"\x10\x0d\0\x04MQTT\x04\x03\0\0\0\x01c", "MQTT311-3.1.2-3")]
fn what_cannot_be_answered_is_closed(#[case] bytes: &[u8], #[case] rule: &str) {
    let mut world = World::new();
    let conn = world.open_any();
    world.raw(conn, bytes);
    world.expect_breach(conn, rule);
}

/// [MQTT5-3.1.0-2]
#[test]
fn a_second_connect_is_a_protocol_error() {
    let mut world = World::new();
    let conn = world.connect(connect("c"), false);
    world.send(conn, &Packet::Connect(Box::new(connect("c"))));
    world.expect_breach_5(conn, 0x82, "MQTT5-3.1.0-2");
}

/// [MQTT5-3.2.2-21]
#[test]
fn the_servers_keep_alive_counts() {
    let mut world = offering(|offer| offer.server_keep_alive_s = Some(10));
    let conn = world.connect(
        Connect {
            keep_alive_s: 1000,
            ..connect("c")
        },
        false,
    );
    // 3.1.1 cannot be told.
    let other = world.connect(
        Connect {
            keep_alive_s: 1000,
            ..clean("d")
        },
        false,
    );
    world.pass(Duration::from_millis(14_999));
    world.expect(conn, &[]);
    world.pass(Duration::from_millis(1));
    // [MQTT5-3.1.2-22]
    let reason = world.expect_disconnect(conn, 0x8d);
    assert_eq!(reason, CloseReason::KeepAliveExpired);
    world.expect(other, &[]);
}

/// [MQTT311-3.1.3-9] [MQTT5-3.1.3-8]
#[rstest]
#[case::not_wanted(connect("admin"), false)]
#[case::not_wanted_in_3_1_1(clean("admin"), false)]
#[case::none_given(connect(""), false)]
#[case::none_given_in_3_1_1(clean(""), false)]
#[case::another(connect("administrator"), true)]
fn some_client_identifiers_are_refused(#[case] connect: Connect, #[case] accepted: bool) {
    let mut world = offering(|offer| {
        offer.assigned_client_ids = false;
        offer.refused_client_ids = ["admin".to_owned()].into();
    });
    if accepted {
        world.connect(connect, false);
        return;
    }
    let conn = world.open_any();
    world.send(conn, &Packet::Connect(Box::new(connect)));
    let code = ReasonCode::ClientIdentifierNotValid;
    world.expect_closed(conn, &[refusal(code)], &CloseReason::Refused(code));
}

/// [MQTT5-3.1.2-28]: only to who asks for it.
#[rstest]
#[case(None, false)]
#[case(Some(false), false)]
#[case(Some(true), true)]
fn response_information_is_given_if_it_is_asked_for(
    #[case] asks: Option<bool>,
    #[case] given: bool,
) {
    let information = crate::world::text("replies/");
    let mut world = offering(|offer| offer.response_information = Some(information.clone()));
    let asks = asks.map(Property::RequestResponseInformation);
    let (_, connack) = world.accepted(connect_with("c", asks));
    let told = list(&connack.properties).contains(&Property::ResponseInformation(information));
    assert_eq!(told, given);
}

/// [MQTT5-3.3.2-9]: 0 is none at all.
#[test]
fn without_topic_aliases_the_first_ends_the_connection() {
    let mut world = offering(|offer| offer.topic_alias_maximum = 0);
    let conn = world.connect(connect("c"), false);
    let alias = Property::TopicAlias(NonZeroU16::MIN);
    world.send(conn, &saying(publish("t", "", 0, 1), [alias]));
    world.expect_breach_5(conn, 0x94, "MQTT5-3.2.2-18");
}
