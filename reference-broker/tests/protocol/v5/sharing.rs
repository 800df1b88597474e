//! Shared subscriptions (section 4.8.2).

use super::{connect, kept, saying};
use crate::world::{
    World, clean, dup, id, puback, publish, pubrec, retain, seconds, subscribe, unsubscribe,
};
use rstest::rstest;
use squall_broker::wire::{
    Ack, Disconnect, Packet, Property, Publish, ReasonCode, SubAck, SubscribeCode, TopicFilter,
};
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
    // With nobody there, it waits for the first who comes.
    world.cut(two);
    for payload in ["c", "d"] {
        world.published(publisher, "t", payload, 1);
    }
    let two = world.connect(kept("2", 10), true);
    let one = world.connect(kept("1", 10), true);
    // What waited for itself goes first.
    assert_eq!(payloads(&mut world, two), ["a", "b", "d", "c"]);
    world.expect(one, &[]);
}

/// A world in which two messages may be in flight to a client, with a group whose
/// first member has one in flight at QoS 1, one at QoS 2, and one at each that was
/// not sent. The second, who stays for 10 s, was away meanwhile.
fn unfinished(config: Config) -> (World, [ConnId; 3]) {
    let mut config = config;
    config.limits.inflight = 2;
    let mut world = World::with(config);
    let [one, two, publisher] = group(&mut world);
    world.cut(two);
    for (payload, qos) in [
        ("in flight at 1", 1),
        ("in flight at 2", 2),
        ("not sent at 2", 2),
        ("not sent at 1", 1),
    ] {
        world.published(publisher, "t", payload, qos);
    }
    assert_eq!(payloads(&mut world, one).len(), 2);
    let two = world.connect(kept("2", 10), true);
    world.expect(two, &[]);
    (world, [one, two, publisher])
}

/// Acknowledges at QoS 1, up to this identifier.
fn acknowledge(world: &mut World, conn: ConnId, up_to: u16) {
    (1..=up_to).for_each(|packet_id| world.send(conn, &puback(packet_id)));
}

/// [MQTT5-4.8.2-4]
#[test]
fn a_member_that_goes_leaves_to_others_what_may_be_left() {
    let (mut world, [one, two, _]) = unfinished(Config::default());
    world.cut(one);
    let left = [
        publish("t", "in flight at 1", 1, 1),
        publish("t", "not sent at 2", 2, 2),
    ];
    world.expect(two, &left);
    world.send(two, &puback(1));
    world.expect(two, &[publish("t", "not sent at 1", 1, 3)]);
    // The rest is for the member that it was sent to.
    let one = world.connect(kept("1", 10), true);
    world.expect(one, &[dup(publish("t", "in flight at 2", 2, 2))]);
}

/// [MQTT5-4.8.2-5]
#[rstest]
#[case::at_once(0)]
#[case::later(10)]
fn a_session_that_ends_takes_with_it_what_was_sent_at_qos_2(#[case] expiry_s: u32) {
    let (mut world, [one, two, _]) = unfinished(Config::default());
    let expiry = Property::SessionExpiryInterval(expiry_s);
    let disconnect = Disconnect {
        properties: [expiry].into_iter().collect(),
        ..Disconnect::default()
    };
    world.send(one, &Packet::Disconnect(disconnect));
    world.pass(seconds(expiry_s.into()));
    acknowledge(&mut world, two, 1);
    let got = payloads(&mut world, two);
    assert_eq!(got, ["in flight at 1", "not sent at 2", "not sent at 1"]);
}

/// With nobody else in the group, what was left waits for its member.
#[test]
fn a_group_of_one_leaves_nothing() {
    let (mut world, [one, two, _]) = unfinished(Config::default());
    world.send(two, &unsubscribe(1, &["$share/g/t"]));
    let _ = world.inbox(two);
    world.cut(one);
    world.expect(two, &[]);
    let one = world.connect(kept("1", 10), true);
    let again = [
        dup(publish("t", "in flight at 1", 1, 1)),
        dup(publish("t", "in flight at 2", 2, 2)),
    ];
    world.expect(one, &again);
}

/// Whoever subscribes while the members are away gets what waits for one.
#[test]
fn a_new_member_gets_what_waits() {
    let (mut world, [one, two, _]) = unfinished(Config::default());
    world.cut(two);
    world.cut(one);
    let new = world.connect(connect("3"), false);
    world.subscribed(new, "$share/g/t", 1);
    acknowledge(&mut world, new, 3);
    let got = payloads(&mut world, new);
    assert_eq!(got, ["in flight at 1", "not sent at 2", "not sent at 1"]);
}

/// A connection that takes over another's session goes on where that was.
#[test]
fn a_takeover_leaves_nothing_to_others() {
    let (mut world, [one, two, _]) = unfinished(Config::default());
    let next = world.connect(kept("1", 10), true);
    let again = [
        dup(publish("t", "in flight at 1", 1, 1)),
        dup(publish("t", "in flight at 2", 2, 2)),
    ];
    world.expect(next, &again);
    world.expect(two, &[]);
    assert_ne!(one, next);
}

/// Who takes nothing does not hold up what others could take.
#[test]
fn a_slow_member_is_passed_over() {
    let mut config = Config::default();
    config.limits.inflight = 1;
    let mut world = World::with(config);
    let [one, two, publisher] = group(&mut world);
    world.published(publisher, "t", "a", 1);
    for (payload, packet_id) in [("b", 1), ("c", 2), ("d", 3)] {
        world.published(publisher, "t", payload, 1);
        world.expect(two, &[publish("t", payload, 1, packet_id)]);
        world.send(two, &puback(packet_id));
    }
    // The first has not acknowledged the one that it got.
    assert_eq!(payloads(&mut world, one), ["a"]);
}

/// A member whose queue is full loses nothing of a group in which another has
/// room, there or not.
#[test]
fn a_full_member_is_passed_over() {
    let mut config = Config::default();
    config.limits.inflight = 1;
    config.limits.queue_messages = 1;
    let mut world = World::with(config);
    let [one, two, publisher] = group(&mut world);
    world.cut(one);
    for payload in ["a", "b", "c"] {
        world.published(publisher, "t", payload, 1);
    }
    assert_eq!(world.seen(|seen| seen.dropped.len()), 0);
    assert_eq!(payloads(&mut world, two), ["a"]);
    world.published(publisher, "t", "d", 1);
    let dropped = world.seen(|seen| seen.dropped.clone());
    assert_eq!(dropped.len(), 1, "nobody has room");
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
    world.expect(one, &[dup(publish("t", "a", 2, 1))]);
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

/// After a restart, too, what is not finished goes to who comes first; what was
/// sent at QoS 2 waits for its member.
#[test]
fn what_a_group_has_left_is_shared_after_a_restart() {
    let mut world = World::durable(Config::default());
    let [one, two] = ["1", "2"].map(|name| {
        let conn = world.connect(kept(name, u32::MAX), false);
        world.subscribed(conn, "$share/g/t", 2);
        conn
    });
    let publisher = world.clean("p");
    world.cut(two);
    world.published(publisher, "t", "in flight at 1", 1);
    world.published(publisher, "t", "in flight at 2", 2);
    world.cut(one);
    world.published(publisher, "t", "not sent", 2);
    world.crash(usize::MAX);
    let two = world.connect(kept("2", u32::MAX), true);
    assert_eq!(payloads(&mut world, two), ["not sent", "in flight at 1"]);
    world.crash(usize::MAX);
    let one = world.connect(kept("1", u32::MAX), true);
    let got = payloads(&mut world, one);
    assert_eq!(got, ["in flight at 2", "in flight at 1"]);
}
