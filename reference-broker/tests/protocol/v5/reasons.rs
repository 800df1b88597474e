//! Reason codes of acknowledgements (sections 3.4 to 3.7, 3.9, 3.11).

use super::{connect, kept};
use crate::world::{World, id, puback, pubcomp, publish, pubrec, pubrel, subscribe, unsubscribe};
use squall_broker::wire::{Ack, Packet, Qos, ReasonCode, SubAck, SubscribeCode, UnsubAck};
use squall_broker::{Config, ConnId};

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
