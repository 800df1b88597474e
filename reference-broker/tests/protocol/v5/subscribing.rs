//! Subscription options and identifiers (sections 3.8.2.1.2 and 3.8.3.1).

use super::{connect, kept, saying};
use crate::world::{World, id, publish, retain};
use rstest::rstest;
use squall_broker::wire::{
    Packet, Properties, Property, Qos, ReasonCode, RetainHandling, SubAck, Subscribe,
    SubscribeCode, Subscription, SubscriptionId, SubscriptionOptions, TopicFilter,
};
use squall_broker::{Config, ConnId};

/// Subscribes at QoS 1 and expects it to be granted.
fn subscribe(
    world: &mut World,
    conn: ConnId,
    filter: &str,
    options: SubscriptionOptions,
    number: u32,
) {
    let code = SubscribeCode::Granted(Qos::AtLeastOnce);
    world.send(conn, &request(filter, options, number));
    let mut inbox = world.inbox(conn);
    let suback = inbox.remove(0);
    assert_eq!(suback, answer(code));
    world.put_back(conn, &inbox);
}

fn request(filter: &str, options: SubscriptionOptions, number: u32) -> Packet {
    let filter = TopicFilter::new(filter.to_owned()).expect("a filter");
    let number = SubscriptionId::new(number).map(Property::SubscriptionIdentifier);
    Packet::Subscribe(Subscribe {
        packet_id: id(0x5b),
        subscriptions: vec![Subscription {
            filter,
            qos: Qos::AtLeastOnce,
            options,
        }],
        properties: number.into_iter().collect(),
    })
}

fn answer(code: SubscribeCode) -> Packet {
    Packet::SubAck(SubAck {
        packet_id: id(0x5b),
        codes: vec![code],
        properties: Properties::NONE,
    })
}

fn plain() -> SubscriptionOptions {
    SubscriptionOptions::default()
}

fn ids(numbers: &[u32]) -> Vec<Property> {
    let one = |number: &u32| SubscriptionId::new(*number).expect("in range");
    let ids = numbers.iter().map(one);
    ids.map(Property::SubscriptionIdentifier).collect()
}

/// [MQTT5-3.8.3-3]
#[test]
fn no_local_keeps_a_clients_own_messages_from_it() {
    let no_local = SubscriptionOptions {
        no_local: true,
        ..plain()
    };
    let mut world = World::new();
    let conn = world.connect(connect("c"), false);
    let other = world.connect(connect("d"), false);
    subscribe(&mut world, conn, "t", no_local, 0);
    subscribe(&mut world, other, "t", no_local, 0);
    world.send(conn, &publish("t", "1", 0, 1));
    world.expect(conn, &[]);
    world.expect(other, &[publish("t", "1", 0, 1)]);
    // Another subscription of its own lets them through.
    subscribe(&mut world, conn, "+", plain(), 0);
    world.send(conn, &publish("t", "2", 0, 1));
    world.expect(conn, &[publish("t", "2", 0, 1)]);
}

/// [MQTT5-3.3.1-12] [MQTT5-3.3.1-13]
#[rstest]
#[case(false, false)]
#[case(true, true)]
fn retain_as_published_keeps_the_flag(#[case] retain_as_published: bool, #[case] kept: bool) {
    let options = SubscriptionOptions {
        retain_as_published,
        ..plain()
    };
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.connect(connect("c"), false);
    subscribe(&mut world, conn, "t", options, 0);
    world.retained(publisher, "t", "1", 0);
    world.published(publisher, "t", "2", 0);
    let first = publish("t", "1", 0, 1);
    let first = if kept { retain(first) } else { first };
    world.expect(conn, &[first, publish("t", "2", 0, 1)]);
}

/// [MQTT5-3.3.1-9] [MQTT5-3.3.1-10] [MQTT5-3.3.1-11] [MQTT5-3.8.4-4]
#[rstest]
#[case(RetainHandling::Send, [true, true])]
#[case(RetainHandling::SendIfNew, [true, false])]
#[case(RetainHandling::DoNotSend, [false, false])]
fn retain_handling_says_when_retained_messages_come(
    #[case] retain_handling: RetainHandling,
    #[case] sent: [bool; 2],
) {
    let options = SubscriptionOptions {
        retain_handling,
        ..plain()
    };
    let mut world = World::new();
    let publisher = world.clean("p");
    world.retained(publisher, "t", "1", 0);
    let conn = world.connect(connect("c"), false);
    for sent in sent {
        subscribe(&mut world, conn, "t", options, 0);
        let expected = sent.then(|| retain(publish("t", "1", 0, 1)));
        world.expect(conn, expected.as_slice());
    }
}

/// [MQTT5-3.3.4-3] [MQTT5-3.3.4-4] [MQTT5-3.3.4-2]
#[test]
fn a_message_names_every_subscription_it_is_sent_for() {
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.connect(kept("c", 100), false);
    subscribe(&mut world, conn, "a/#", plain(), 300);
    subscribe(&mut world, conn, "a/b", plain(), 7);
    subscribe(&mut world, conn, "+/b", plain(), 0);
    let other = world.connect(connect("d"), false);
    subscribe(&mut world, other, "a/b", plain(), 9);
    world.published(publisher, "a/b", "1", 0);
    world.expect(conn, &[saying(publish("a/b", "1", 0, 1), ids(&[7, 300]))]);
    world.expect(other, &[saying(publish("a/b", "1", 0, 1), ids(&[9]))]);
    world.published(publisher, "x/b", "2", 0);
    world.expect(conn, &[publish("x/b", "2", 0, 1)]);
    // A new SUBSCRIBE replaces it; what waits in a queue keeps the one it had.
    world.cut(conn);
    world.published(publisher, "a/b", "3", 1);
    let conn = world.connect(kept("c", 100), true);
    world.expect(conn, &[saying(publish("a/b", "3", 1, 1), ids(&[7, 300]))]);
    subscribe(&mut world, conn, "a/#", plain(), 0);
    world.published(publisher, "a/b", "4", 0);
    world.expect(conn, &[saying(publish("a/b", "4", 0, 1), ids(&[7]))]);
}

#[test]
fn a_retained_message_names_the_subscription_too() {
    let mut world = World::new();
    let publisher = world.clean("p");
    world.retained(publisher, "t", "1", 0);
    let conn = world.connect(connect("c"), false);
    subscribe(&mut world, conn, "t", plain(), 5);
    world.expect(conn, &[saying(retain(publish("t", "1", 0, 1)), ids(&[5]))]);
}

/// [MQTT5-3.2.2-10] and section 3.9.3
#[test]
fn what_is_not_offered_is_not_granted() {
    let mut config = Config::default();
    config.capabilities.wildcard_subscriptions = false;
    config.capabilities.subscription_identifiers = false;
    config.capabilities.maximum_qos = Qos::AtMostOnce;
    let mut world = World::with(config);
    let conn = world.connect(connect("c"), false);
    for (filter, number, code) in [
        (
            "a/#",
            0,
            SubscribeCode::Refused(ReasonCode::WildcardSubscriptionsNotSupported),
        ),
        (
            "a",
            1,
            SubscribeCode::Refused(ReasonCode::SubscriptionIdentifiersNotSupported),
        ),
        ("a", 0, SubscribeCode::Granted(Qos::AtMostOnce)),
    ] {
        world.send(conn, &request(filter, plain(), number));
        world.expect(conn, &[answer(code)]);
    }
}

/// Options and identifiers outlive the broker's process.
#[test]
fn a_subscription_is_the_same_after_a_restart() {
    let options = SubscriptionOptions {
        no_local: true,
        retain_as_published: true,
        ..plain()
    };
    let mut world = World::durable(Config::default());
    let conn = world.connect(kept("c", u32::MAX), false);
    world.sync();
    world.send(conn, &request("t", options, 8));
    world.sync();
    world.crash(0);
    let conn = world.connect(kept("c", u32::MAX), true);
    let publisher = world.clean("p");
    world.sync();
    let _ = world.inbox(conn);
    world.retained(publisher, "t", "1", 0);
    world.send(conn, &publish("t", "own", 0, 1));
    world.sync();
    world.expect(conn, &[saying(retain(publish("t", "1", 0, 1)), ids(&[8]))]);
}
