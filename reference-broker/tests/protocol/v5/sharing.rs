//! Shared subscriptions (section 4.8.2).

use super::{connect, kept, saying};
use crate::world::{
    World, clean, id, puback, publish, pubrec, retain, seconds, subscribe, unsubscribe,
};
use rstest::rstest;
use squall_broker::wire::{Ack, Packet, Publish, ReasonCode, SubAck, SubscribeCode, TopicFilter};
use squall_broker::{Config, ConnId};

/// Two members of group `g` for `t`, at QoS 2, and a publisher.
fn group(world: &mut World) -> [ConnId; 3] {
    let [one, two] = ["1", "2"].map(|name| {
        let conn = world.connect(kept(name, 10), false);
        world.subscribed(conn, "$share/g/t", 2);
        conn
    });
    [one, two, world.clean("p")]
}

fn payloads(world: &mut World, conn: ConnId) -> Vec<String> {
    let inbox = world.inbox(conn);
    let payload = |packet: &Packet| match packet {
        Packet::Publish(Publish { payload, .. }) => String::from_utf8_lossy(payload).into_owned(),
        other => panic!("unexpected {other:?}"),
    };
    inbox.iter().map(payload).collect()
}

/// Section 4.8.2
#[test]
fn each_message_goes_to_one_member_of_each_group() {
    let mut world = World::new();
    let [one, two, publisher] = group(&mut world);
    let other_group = world.connect(connect("3"), false);
    world.subscribed(other_group, "$share/h/+", 0);
    let alone = world.connect(connect("4"), false);
    world.subscribed(alone, "t", 0);
    for payload in ["a", "b", "c", "d"] {
        world.published(publisher, "t", payload, 0);
    }
    assert_eq!(payloads(&mut world, one), ["a", "c"]);
    assert_eq!(payloads(&mut world, two), ["b", "d"]);
    assert_eq!(payloads(&mut world, other_group), ["a", "b", "c", "d"]);
    assert_eq!(payloads(&mut world, alone), ["a", "b", "c", "d"]);
    // Who leaves the group gets no more.
    world.send(one, &unsubscribe(1, &["$share/g/t"]));
    let _ = world.inbox(one);
    world.published(publisher, "t", "e", 0);
    world.published(publisher, "t", "f", 0);
    world.expect(one, &[]);
    assert_eq!(payloads(&mut world, two), ["e", "f"]);
}

/// [MQTT5-4.8.2-3]
#[test]
fn each_member_gets_what_it_was_granted() {
    let mut world = World::new();
    let [one, _, publisher] = group(&mut world);
    let low = world.connect(connect("2"), true);
    world.subscribed(low, "$share/g/t", 0);
    world.published(publisher, "t", "a", 2);
    world.published(publisher, "t", "b", 2);
    world.expect(one, &[publish("t", "a", 2, 1)]);
    world.expect(low, &[publish("t", "b", 0, 1)]);
}

#[test]
fn who_is_there_goes_before_who_is_not() {
    let mut world = World::new();
    let [one, two, publisher] = group(&mut world);
    world.cut(one);
    for payload in ["a", "b"] {
        world.published(publisher, "t", payload, 1);
    }
    assert_eq!(payloads(&mut world, two), ["a", "b"]);
    // With nobody there, it waits for one of them.
    world.cut(two);
    world.published(publisher, "t", "c", 1);
    let two = world.connect(kept("2", 10), true);
    let one = world.connect(kept("1", 10), true);
    let all = [payloads(&mut world, one), payloads(&mut world, two)].concat();
    assert_eq!(all, ["c", "a", "b"]);
}

/// [MQTT5-4.8.2-4] [MQTT5-4.8.2-5]
#[test]
fn a_session_that_ends_leaves_to_others_what_may_be_left() {
    let mut config = Config::default();
    config.limits.inflight = 2;
    let mut world = World::with(config);
    let [one, two, publisher] = group(&mut world);
    world.cut(two);
    world.published(publisher, "t", "in flight at 1", 1);
    world.published(publisher, "t", "in flight at 2", 2);
    world.published(publisher, "t", "not sent at 2", 2);
    assert_eq!(payloads(&mut world, one).len(), 2);
    let two = world.connect(kept("2", 10), true);
    world.cut(one);
    world.pass(seconds(9));
    world.expect(two, &[]);
    world.pass(seconds(1));
    assert_eq!(
        payloads(&mut world, two),
        ["in flight at 1", "not sent at 2"]
    );
}

/// [MQTT5-4.8.2-4]
#[test]
fn a_member_that_comes_back_finishes_what_it_began() {
    let mut world = World::new();
    let [one, two, publisher] = group(&mut world);
    world.published(publisher, "t", "a", 2);
    world.expect(one, &[publish("t", "a", 2, 1)]);
    world.cut(one);
    let one = world.connect(kept("1", 10), true);
    world.expect(one, &[crate::world::dup(publish("t", "a", 2, 1))]);
    world.expect(two, &[]);
}

/// [MQTT5-4.8.2-6]
#[test]
fn what_one_member_refuses_nobody_gets() {
    let mut world = World::new();
    let [one, two, publisher] = group(&mut world);
    world.published(publisher, "t", "a", 1);
    world.published(publisher, "t", "b", 2);
    let refused = |packet_id| Ack {
        code: ReasonCode::UnspecifiedError,
        ..Ack::new(id(packet_id))
    };
    let _ = (world.inbox(one), world.inbox(two));
    world.send(one, &Packet::PubAck(refused(1)));
    world.send(two, &Packet::PubRec(refused(1)));
    world.cut(one);
    world.pass(seconds(20));
    world.expect(two, &[]);
}

/// Sections 3.8.4 and 4.8.2
#[test]
fn a_share_gets_no_retained_messages() {
    let mut world = World::new();
    let publisher = world.clean("p");
    world.retained(publisher, "t", "a", 0);
    let conn = world.connect(connect("c"), false);
    world.subscribed(conn, "$share/g/t", 0);
    world.expect(conn, &[]);
    world.subscribed(conn, "t", 0);
    world.expect(conn, &[retain(publish("t", "a", 0, 1))]);
}

/// What a client may not subscribe to it may not share either.
#[rstest]
#[case::denied("$share/g/secret/#", ReasonCode::NotAuthorized)]
#[case::not_offered("$share/g/a", ReasonCode::SharedSubscriptionsNotSupported)]
fn a_share_may_be_refused(#[case] filter: &str, #[case] code: ReasonCode) {
    let mut config = Config::default();
    config.capabilities.shared_subscriptions = false;
    config.access.deny_subscribe = vec![TopicFilter::new("secret/a").expect("a filter")];
    let mut world = World::with(config);
    let conn = world.connect(connect("c"), false);
    world.send(conn, &subscribe(1, &[(filter, 0)]));
    let suback = SubAck {
        packet_id: id(1),
        codes: vec![SubscribeCode::Refused(code)],
        properties: squall_broker::wire::Properties::NONE,
    };
    world.expect(conn, &[Packet::SubAck(suback)]);
}

/// To 3.1.1 it is a filter like any other.
#[test]
fn older_clients_share_nothing() {
    let mut world = World::new();
    let older = world.connect(clean("older"), false);
    world.subscribed(older, "$share/g/t", 0);
    let publisher = world.clean("p");
    world.published(publisher, "t", "a", 0);
    world.published(publisher, "$share/g/t", "b", 0);
    world.expect(older, &[publish("$share/g/t", "b", 0, 1)]);
}

/// A group outlives the broker's process.
#[test]
fn a_group_is_the_same_after_a_restart() {
    let mut world = World::durable(Config::default());
    for name in ["1", "2"] {
        let conn = world.connect(kept(name, u32::MAX), false);
        world.sync();
        world.subscribed(conn, "$share/g/t", 1);
        world.sync();
    }
    world.crash(0);
    let conns = ["1", "2"].map(|name| world.connect(kept(name, u32::MAX), true));
    let publisher = world.connect(connect("p"), false);
    world.sync();
    world.send(publisher, &publish("t", "a", 1, 1));
    world.send(publisher, &publish("t", "b", 1, 2));
    world.sync();
    for (conn, payload) in conns.into_iter().zip(["a", "b"]) {
        world.expect(conn, &[saying(publish("t", payload, 1, 1), [])]);
        world.send(conn, &puback(1));
        world.send(conn, &pubrec(9));
    }
}
