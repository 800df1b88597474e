//! Reason codes of acknowledgements (sections 3.4 to 3.7, 3.9, 3.11).

use super::{connect, kept};
use crate::world::{
    World, id, puback, pubcomp, publish, pubrec, pubrel, refusal, seconds, subscribe, unsubscribe,
    will,
};
use squall_broker::wire::{Ack, Connect, Packet, Qos, ReasonCode, SubAck, SubscribeCode, UnsubAck};
use squall_broker::{CloseReason, Config, ConnId};

fn with_code(packet: Packet, code: ReasonCode) -> Packet {
    let change = |ack: Ack| Ack { code, ..ack };
    match packet {
        Packet::PubAck(ack) => Packet::PubAck(change(ack)),
        Packet::PubRec(ack) => Packet::PubRec(change(ack)),
        Packet::PubRel(ack) => Packet::PubRel(change(ack)),
        Packet::PubComp(ack) => Packet::PubComp(change(ack)),
        other => panic!("{other:?} has no reason code"),
    }
}

/// Sections 3.6.2.1 and 3.7.2.1
#[test]
fn an_identifier_that_is_not_known_is_answered_so() {
    let mut world = World::new();
    let conn = world.connect(connect("c"), false);
    let unknown = ReasonCode::PacketIdentifierNotFound;
    world.send(conn, &pubrel(5));
    world.expect(conn, &[with_code(pubcomp(5), unknown)]);
    world.send(conn, &pubrec(6));
    world.expect(conn, &[with_code(pubrel(6), unknown)]);
    // One that is known.
    world.send(conn, &publish("t", "", 2, 5));
    let _ = world.inbox(conn);
    world.send(conn, &pubrel(5));
    world.expect(conn, &[pubcomp(5)]);
}

/// A subscriber to `t` at QoS 2, and a publisher.
fn pair(world: &mut World) -> (ConnId, ConnId) {
    let conn = world.connect(kept("c", 100), false);
    world.subscribed(conn, "t", 2);
    (conn, world.clean("p"))
}

/// [MQTT5-4.4.0-2] [MQTT5-4.3.3-4]
#[test]
fn what_a_client_refuses_does_not_come_again() {
    let mut world = World::new();
    let (conn, publisher) = pair(&mut world);
    world.published(publisher, "t", "1", 1);
    world.published(publisher, "t", "2", 2);
    world.expect(conn, &[publish("t", "1", 1, 1), publish("t", "2", 2, 2)]);
    let refused = ReasonCode::QuotaExceeded;
    world.send(conn, &with_code(puback(1), refused));
    world.send(conn, &with_code(pubrec(2), refused));
    // No PUBREL for what was refused.
    world.expect(conn, &[]);
    world.cut(conn);
    let conn = world.connect(kept("c", 100), true);
    world.expect(conn, &[]);
    // Its identifier may be used again.
    world.published(publisher, "t", "3", 2);
    world.expect(conn, &[publish("t", "3", 2, 3)]);
}

/// [MQTT5-3.9.3-1] [MQTT5-3.9.3-2] [MQTT5-3.8.4-7]
#[test]
fn suback_says_why_a_filter_is_refused() {
    let mut config = Config::default();
    config.limits.subscriptions_per_session = 1;
    let denied = squall_broker::wire::TopicFilter::new("secret/#").expect("a filter");
    config.access.deny_subscribe = vec![denied];
    let mut world = World::with(config);
    let conn = world.connect(connect("c"), false);
    world.send(conn, &subscribe(7, &[("secret/a", 0), ("a", 1), ("b", 0)]));
    let codes = vec![
        SubscribeCode::Refused(ReasonCode::NotAuthorized),
        SubscribeCode::Granted(Qos::AtLeastOnce),
        SubscribeCode::Refused(ReasonCode::QuotaExceeded),
    ];
    let suback = SubAck {
        packet_id: id(7),
        codes,
        properties: squall_broker::wire::Properties::NONE,
    };
    world.expect(conn, &[Packet::SubAck(suback)]);
}

/// [MQTT5-3.11.3-1] [MQTT5-3.11.3-2] [MQTT5-3.10.4-4] [MQTT5-3.10.4-5]
#[test]
fn unsuback_says_what_there_was() {
    let mut world = World::new();
    let conn = world.connect(connect("c"), false);
    world.subscribed(conn, "a", 0);
    world.send(conn, &unsubscribe(7, &["b", "a", "a"]));
    let none = ReasonCode::NoSubscriptionExisted;
    let unsuback = UnsubAck {
        codes: vec![none, ReasonCode::Success, none],
        ..UnsubAck::new(id(7))
    };
    world.expect(conn, &[Packet::UnsubAck(unsuback)]);
}

/// Sections 3.1.4, 3.4.2.1, 3.5.2.1 and 3.9.3: each packet has a code for it.
#[test]
fn a_topic_that_is_too_deep_is_refused_by_name() {
    let mut config = Config::default();
    config.limits.topic_levels = 1;
    let mut world = World::with(config);
    let conn = world.connect(connect("c"), false);
    let name_invalid = ReasonCode::TopicNameInvalid;
    world.send(conn, &publish("a/b", "", 1, 1));
    world.expect(conn, &[with_code(puback(1), name_invalid)]);
    world.send(conn, &publish("a/b", "", 2, 2));
    world.expect(conn, &[with_code(pubrec(2), name_invalid)]);
    // What counts of a share is its filter.
    world.send(
        conn,
        &subscribe(3, &[("$share/g/a", 0), ("$share/g/a/b", 0)]),
    );
    let suback = SubAck {
        packet_id: id(3),
        codes: vec![
            SubscribeCode::Granted(Qos::AtMostOnce),
            SubscribeCode::Refused(ReasonCode::TopicFilterInvalid),
        ],
        properties: squall_broker::wire::Properties::NONE,
    };
    world.expect(conn, &[Packet::SubAck(suback)]);
    let conn = world.open_any();
    let connect = Connect {
        will: will("a/b", "", 0, false),
        ..connect("d")
    };
    world.send(conn, &Packet::Connect(Box::new(connect)));
    let refused = CloseReason::Refused(name_invalid);
    world.expect_closed(conn, &[refusal(name_invalid)], &refused);
}

/// No keep-alive, and yet silent for too long.
#[test]
fn who_is_silent_for_too_long_is_told() {
    let mut config = Config::default();
    config.limits.silence = Some(seconds(60));
    let mut world = World::with(config);
    let conn = world.connect(connect("c"), false);
    world.pass(seconds(60));
    let reason = world.expect_disconnect(conn, 0x98);
    assert_eq!(reason, CloseReason::Silent);
}
