//! Flow control and topic aliases (sections 3.3.2.3.4, 3.3.4 and 4.9).

use std::num::{NonZeroU16, NonZeroU32};

use super::{connect, connect_with, kept, saying};
use crate::world::{World, dup, id, puback, pubcomp, publish, pubrec, pubrel, subscribe};
use squall_broker::wire::{
    Disconnect, Packet, Properties, Property, Publish, ReasonCode, TopicName,
};
use squall_broker::{CloseReason, Config, ConnId};

fn receive_maximum(most: u16) -> Property {
    Property::ReceiveMaximum(NonZeroU16::new(most).expect("not zero"))
}

/// [MQTT5-3.3.4-9] [MQTT5-4.9.0-1] [MQTT5-4.9.0-2] [MQTT5-4.9.0-3]
#[test]
fn a_client_gets_no_more_at_once_than_it_takes() {
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.connect(connect_with("c", [receive_maximum(2)]), false);
    world.subscribed(conn, "t", 2);
    for payload in ["1", "2", "3", "4"] {
        world.published(publisher, "t", payload, 2);
    }
    world.expect(conn, &[publish("t", "1", 2, 1), publish("t", "2", 2, 2)]);
    // PUBREC is not enough, nor does a full window hold up anything else.
    world.send(conn, &pubrec(1));
    world.send(conn, &Packet::PingReq);
    world.expect(conn, &[pubrel(1), Packet::PingResp]);
    world.published(publisher, "t", "0", 0);
    world.send(conn, &pubcomp(1));
    let inbox = world.inbox(conn);
    assert!(inbox.contains(&publish("t", "3", 2, 3)), "{inbox:?}");
    assert!(!inbox.contains(&publish("t", "4", 2, 4)), "{inbox:?}");
}

/// [MQTT5-4.4.0-1]: what is sent again counts too.
#[test]
fn a_smaller_window_after_a_reconnect_is_kept() {
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.connect(kept("c", 100), false);
    world.subscribed(conn, "t", 1);
    for payload in ["1", "2", "3"] {
        world.published(publisher, "t", payload, 1);
    }
    assert_eq!(world.inbox(conn).len(), 3);
    world.cut(conn);
    let expiry = Property::SessionExpiryInterval(100);
    let conn = world.connect(connect_with("c", [receive_maximum(1), expiry]), true);
    for number in 1..=3 {
        let payload = number.to_string();
        world.expect(conn, &[dup(publish("t", &payload, 1, number))]);
        world.send(conn, &puback(number));
    }
    world.expect(conn, &[]);
}

/// [MQTT5-3.3.4-7]
#[test]
fn a_client_that_sends_too_much_at_once_is_stopped() {
    let mut config = Config::default();
    config.capabilities.receive_maximum = NonZeroU16::new(2).expect("not zero");
    let mut world = World::with(config);
    let conn = world.connect(connect("c"), false);
    for packet_id in 1..=2 {
        world.send(conn, &publish("t", "", 2, packet_id));
        // QoS 1 is acknowledged before the next packet is read.
        world.send(conn, &publish("t", "", 1, packet_id + 10));
    }
    world.send(conn, &dup(publish("t", "", 2, 2)));
    assert_eq!(world.inbox(conn).len(), 5);
    world.send(conn, &publish("t", "", 2, 3));
    world.expect_breach_5(conn, 0x93, "MQTT5-3.3.4-7");
}

fn aliased(packet: Packet, alias: u16) -> Packet {
    saying(packet, [Property::TopicAlias(id(alias))])
}

fn without_topic(packet: Packet) -> Packet {
    match packet {
        Packet::Publish(publish) => Packet::Publish(Publish {
            topic: TopicName::ALIASED,
            ..publish
        }),
        other => panic!("{other:?} has no topic"),
    }
}

fn watched(world: &mut World) -> (ConnId, ConnId) {
    let watcher = world.clean("watcher");
    world.subscribed(watcher, "#", 0);
    (watcher, world.connect(connect("c"), false))
}

/// [MQTT5-3.3.2-12] [MQTT5-3.3.2-7]
#[test]
fn an_alias_stands_for_the_topic_it_was_given() {
    let mut world = World::new();
    let (watcher, conn) = watched(&mut world);
    let by_alias = |payload, alias| without_topic(aliased(publish("-", payload, 0, 1), alias));
    for packet in [
        aliased(publish("a", "1", 0, 1), 1),
        aliased(publish("b", "2", 0, 1), 16),
        by_alias("3", 1),
        by_alias("4", 16),
        // It may change its meaning.
        aliased(publish("c", "5", 0, 1), 1),
        by_alias("6", 1),
    ] {
        world.send(conn, &packet);
    }
    let expected = [
        ("a", "1"),
        ("b", "2"),
        ("a", "3"),
        ("b", "4"),
        ("c", "5"),
        ("c", "6"),
    ]
    .map(|(topic, payload)| publish(topic, payload, 0, 1));
    world.expect(watcher, &expected);
    // It means nothing on another connection.
    world.cut(conn);
    let conn = world.connect(connect("c"), false);
    world.send(conn, &by_alias("7", 1));
    world.expect_breach_5(conn, 0x82, "MQTT5 section 3.3.2.3.4");
    world.expect(watcher, &[]);
}

/// [MQTT5-3.2.2-17]
#[test]
fn an_alias_above_the_maximum_ends_the_connection() {
    let mut world = World::new();
    let (watcher, conn) = watched(&mut world);
    world.send(conn, &aliased(publish("a", "1", 0, 1), 17));
    world.expect_breach_5(conn, 0x94, "MQTT5-3.2.2-17");
    world.expect(watcher, &[]);
}

/// [MQTT5-3.3.2-11] [MQTT5-3.1.2-26] [MQTT5-3.1.2-27]
#[test]
fn the_servers_aliases_stay_below_the_clients_maximum() {
    let mut world = World::new();
    let publisher = world.clean("p");
    let two = [Property::TopicAliasMaximum(2)];
    let conn = world.connect(connect_with("c", two), false);
    world.subscribed(conn, "#", 0);
    for topic in ["a", "b", "c", "a", "b", "c"] {
        world.published(publisher, topic, "", 0);
    }
    let full = |topic| publish(topic, "", 0, 1);
    let expected = [
        aliased(full("a"), 1),
        aliased(full("b"), 2),
        full("c"),
        without_topic(aliased(full("-"), 1)),
        without_topic(aliased(full("-"), 2)),
        full("c"),
    ];
    world.expect(conn, &expected);
}

/// [MQTT5-3.1.2-24]: an answer that its client does not take ends the connection,
/// since it would be waited for; what can still be said is.
#[test]
fn no_answer_is_larger_than_its_client_takes() {
    let mut world = World::new();
    // A CONNACK that says nothing but that has 5 bytes, and one that assigns an
    // identifier more than 10.
    let packet_bytes = Property::MaximumPacketSize(NonZeroU32::new(10).expect("not zero"));
    let conn = world.open_any();
    let connect = connect_with("", [packet_bytes.clone()]);
    world.send(conn, &Packet::Connect(Box::new(connect)));
    let code = ReasonCode::PacketTooLarge;
    world.expect_closed(conn, &[], &CloseReason::Unsupported(code));

    let conn = world.connect(connect_with("c", [packet_bytes]), false);
    let filters = ["a", "b", "c", "d", "e", "f"].map(|filter| (filter, 0));
    world.send(conn, &subscribe(1, &filters));
    let farewell = Packet::Disconnect(Disconnect {
        code,
        properties: Properties::NONE,
    });
    world.expect_closed(conn, &[farewell], &CloseReason::Unsupported(code));
}
