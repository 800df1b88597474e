//! What a message carries, and how long (section 3.3.2.3).

use super::{connect, connect_with, kept, saying};
use crate::world::{World, puback, publish, retain, seconds, text, will};
use bytes::Bytes;
use rstest::rstest;
use squall_broker::wire::{
    Ack, Connect, Packet, PayloadFormat, Property, Qos, ReasonCode, TopicFilter, TopicName, Will,
};
use squall_broker::{Config, DropCause};

fn everything() -> Vec<Property> {
    vec![
        Property::UserProperty(text("b"), text("1")),
        Property::PayloadFormatIndicator(PayloadFormat::Utf8),
        Property::ContentType(text("text/plain")),
        Property::UserProperty(text("a"), text("2")),
        Property::ResponseTopic(TopicName::new("r").expect("a topic")),
        Property::CorrelationData(Bytes::from_static(b"\0\xff")),
        Property::UserProperty(text("b"), text("3")),
    ]
}

/// [MQTT5-3.3.2-4] [MQTT5-3.3.2-15] [MQTT5-3.3.2-16] [MQTT5-3.3.2-17]
/// [MQTT5-3.3.2-18] [MQTT5-3.3.2-20]
#[test]
fn properties_are_passed_on_as_they_came() {
    let mut world = World::new();
    let publisher = world.connect(connect("p"), false);
    let subscriber = world.connect(connect("s"), false);
    let older = world.clean("older");
    world.subscribed(subscriber, "t", 0);
    world.subscribed(older, "t", 0);
    let message = saying(retain(publish("t", "hi", 0, 1)), everything());
    world.send(publisher, &message);
    let delivered = saying(publish("t", "hi", 0, 1), everything());
    world.expect(subscriber, &[delivered]);
    // To 3.1.1 there is nothing to pass on.
    world.expect(older, &[publish("t", "hi", 0, 1)]);
    // What is retained keeps them.
    let late = world.connect(connect("late"), false);
    world.subscribed(late, "t", 0);
    world.expect(late, &[message]);
}

/// What concerns only the publisher's connection goes no further.
#[test]
fn an_alias_is_not_passed_on() {
    let mut world = World::new();
    let publisher = world.connect(connect("p"), false);
    let subscriber = world.connect(connect("s"), false);
    world.subscribed(subscriber, "t", 0);
    let alias = Property::TopicAlias(crate::world::id(3));
    let user = Property::UserProperty(text("k"), text("v"));
    let message = saying(publish("t", "hi", 0, 1), [alias, user.clone()]);
    world.send(publisher, &message);
    world.expect(subscriber, &[saying(publish("t", "hi", 0, 1), [user])]);
}

/// [MQTT5-3.1.3-10]
#[test]
fn a_will_carries_its_properties() {
    let mut world = World::new();
    let watcher = world.connect(connect("w"), false);
    world.subscribed(watcher, "gone", 0);
    let mut properties = everything();
    properties.push(Property::MessageExpiryInterval(9));
    let will = will("gone", "c", 0, false).map(|will| Will {
        properties: properties.iter().cloned().collect(),
        ..will
    });
    let conn = world.connect(
        Connect {
            will,
            ..connect("c")
        },
        false,
    );
    // Its time begins when it is published.
    world.pass(seconds(100));
    world.cut(conn);
    world.expect(watcher, &[saying(publish("gone", "c", 0, 1), properties)]);
}

fn expiring(seconds: u32) -> [Property; 1] {
    [Property::MessageExpiryInterval(seconds)]
}

/// [MQTT5-3.3.2-5] [MQTT5-3.3.2-6]
#[test]
fn a_message_that_waited_too_long_is_not_delivered() {
    let mut world = World::new();
    let publisher = world.connect(connect("p"), false);
    let conn = world.connect(kept("c", 1000), false);
    world.subscribed(conn, "t", 1);
    world.cut(conn);
    world.send(publisher, &saying(publish("t", "1", 1, 1), expiring(10)));
    world.send(publisher, &saying(publish("t", "2", 1, 2), expiring(60)));
    world.send(publisher, &publish("t", "3", 1, 3));
    world.pass(seconds(10));
    let conn = world.connect(kept("c", 1000), true);
    let second = saying(publish("t", "2", 1, 1), expiring(50));
    world.expect(conn, &[second, publish("t", "3", 1, 2)]);
    let dropped = ("c".to_owned(), "1".to_owned(), DropCause::Expired);
    world.seen(|seen| assert_eq!(seen.dropped, [dropped]));
}

/// [MQTT5-4.3.3-7] [MQTT5-4.3.3-13]
#[test]
fn what_was_sent_in_time_is_sent_again() {
    let mut world = World::new();
    let publisher = world.connect(connect("p"), false);
    let conn = world.connect(kept("c", 1000), false);
    world.subscribed(conn, "t", 2);
    world.send(publisher, &saying(publish("t", "1", 2, 1), expiring(10)));
    world.expect(conn, &[saying(publish("t", "1", 2, 1), expiring(10))]);
    world.cut(conn);
    world.pass(seconds(20));
    let conn = world.connect(kept("c", 1000), true);
    let again = crate::world::dup(saying(publish("t", "1", 2, 1), expiring(0)));
    world.expect(conn, &[again]);
}

/// Section 3.3.1.3
#[test]
fn a_retained_message_expires_too() {
    let mut world = World::new();
    let publisher = world.connect(connect("p"), false);
    world.send(
        publisher,
        &saying(retain(publish("t", "1", 0, 1)), expiring(10)),
    );
    world.pass(seconds(9));
    let conn = world.connect(connect("c"), false);
    world.subscribed(conn, "t", 0);
    world.expect(
        conn,
        &[saying(retain(publish("t", "1", 0, 1)), expiring(1))],
    );
    world.pass(seconds(1));
    world.subscribed(conn, "t", 0);
    world.expect(conn, &[]);
}

/// [MQTT5-3.4.2-1] [MQTT5-3.5.2-1] [MQTT5-4.3.3-9]
#[rstest]
#[case::nobody_wants_it("a", ReasonCode::NoMatchingSubscribers)]
#[case::somebody_does("t", ReasonCode::Success)]
#[case::not_allowed("secret/a", ReasonCode::NotAuthorized)]
fn the_publisher_is_told_what_became_of_it(#[case] topic: &str, #[case] code: ReasonCode) {
    let denied = TopicFilter::new("secret/#").expect("a filter");
    let mut config = Config::default();
    config.access.deny_publish = vec![denied];
    let mut world = World::with(config);
    let watcher = world.clean("watcher");
    world.subscribed(watcher, "t", 0);
    world.subscribed(watcher, "secret/#", 0);
    let conn = world.connect(connect("c"), false);
    let ack = |id| Ack {
        code,
        ..Ack::new(crate::world::id(id))
    };
    world.send(conn, &publish(topic, "", 1, 1));
    world.expect(conn, &[Packet::PubAck(ack(1))]);
    // The identifier of what was refused is free: the same is a new message.
    for _ in 0..2 {
        world.send(conn, &publish(topic, "", 2, 2));
        let answered = world.inbox(conn);
        let repeated = Packet::PubRec(Ack::new(crate::world::id(2)));
        let expected = Packet::PubRec(ack(2));
        assert!(answered == [expected] || (!code.is_failure() && answered == [repeated]));
    }
    let refused = world.seen(|seen| seen.dropped.len());
    assert_eq!(refused, if code.is_failure() { 3 } else { 0 });
}

/// [MQTT5-3.2.2-11] [MQTT5-3.2.2-14]
#[rstest]
#[case::qos(publish("t", "", 2, 1), 0x9b)]
#[case::retain(retain(publish("t", "", 0, 1)), 0x9a)]
fn a_message_that_is_not_offered_ends_the_connection(#[case] packet: Packet, #[case] code: u8) {
    let mut config = Config::default();
    config.capabilities.maximum_qos = Qos::AtLeastOnce;
    config.capabilities.retain = false;
    let mut world = World::with(config);
    let conn = world.connect(connect("c"), false);
    world.send(conn, &publish("t", "", 1, 1));
    let _ = world.inbox(conn);
    world.send(conn, &packet);
    world.expect_disconnect(conn, code);
}

/// [MQTT5-3.1.2-24] [MQTT5-3.1.2-25]
#[test]
fn what_is_too_large_for_a_client_is_as_if_it_had_been_delivered() {
    let limited = || {
        let most = Property::MaximumPacketSize(std::num::NonZeroU32::new(20).expect("not zero"));
        connect_with("c", [most, Property::SessionExpiryInterval(100)])
    };
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.connect(kept("c", 100), false);
    world.subscribed(conn, "t", 1);
    world.published(publisher, "t", "fits when it is sent first", 1);
    assert_eq!(world.inbox(conn).len(), 1);
    world.cut(conn);
    let conn = world.connect(limited(), true);
    world.expect(conn, &[]);
    // 2 + 3 + 2 + 1 bytes around the payload.
    world.published(publisher, "t", "thirteen byte", 1);
    world.published(publisher, "t", "twelve bytes", 1);
    let inbox = world.inbox(conn);
    assert_eq!(inbox, [publish("t", "twelve bytes", 1, 2)]);
    world.send(conn, &puback(2));
    let causes: Vec<_> = world.seen(|seen| seen.dropped.iter().map(|drop| drop.2).collect());
    assert_eq!(causes, [DropCause::PacketTooLarge; 2]);
}

/// What a message carries outlives the broker's process.
#[test]
fn properties_survive_a_restart() {
    let mut world = World::durable(Config::default());
    let publisher = world.connect(connect("p"), false);
    let conn = world.connect(kept("c", u32::MAX), false);
    world.sync();
    world.subscribed(conn, "t", 1);
    world.sync();
    world.cut(conn);
    let mut properties = everything();
    properties.push(Property::MessageExpiryInterval(60));
    world.send(
        publisher,
        &saying(publish("t", "hi", 1, 1), properties.clone()),
    );
    world.sync();
    world.crash(0);
    let conn = world.connect(kept("c", u32::MAX), true);
    world.sync();
    world.expect(conn, &[saying(publish("t", "hi", 1, 1), properties)]);
}
