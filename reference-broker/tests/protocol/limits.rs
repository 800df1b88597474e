//! Limits and back-pressure: nobody is held up, nothing grows for ever, and
//! what is given up is reported.

use crate::world::{
    World, clean, dup, persistent, puback, publish, refusal, seconds, suback, subscribe, will,
};
use rstest::rstest;
use squall_broker::wire::{Connect, Disconnect, Packet, ReasonCode, WireError};
use squall_broker::{CloseReason, Config, DropCause, Limits, QueueFull, Transmit};

fn world(set: impl FnOnce(&mut Limits)) -> World {
    let mut config = Config::default();
    set(&mut config.limits);
    World::with(config)
}

fn drops(world: &World) -> Vec<(String, DropCause)> {
    world.seen(|seen| {
        let drops = seen.dropped.iter();
        drops
            .map(|(_, payload, cause)| (payload.clone(), *cause))
            .collect()
    })
}

/// Return code 3 of section 3.2.2.3.
#[test]
fn connections_are_limited() {
    let mut world = world(|limits| limits.connections = 2);
    let one = world.clean("1");
    world.clean("2");
    let conn = world.open();
    world.send(conn, &Packet::Connect(Box::new(clean("3"))));
    let code = ReasonCode::ServerUnavailable;
    world.expect_closed(conn, &[refusal(code)], &CloseReason::Refused(code));
    // A takeover needs no more room, and who leaves makes some.
    world.clean("2");
    world.cut(one);
    world.clean("3");
}

#[test]
fn sessions_are_limited() {
    let mut world = world(|limits| limits.sessions = 2);
    let one = world.persistent("1", false);
    let two = world.clean("2");
    world.cut(one);
    let conn = world.open();
    world.send(conn, &Packet::Connect(Box::new(persistent("3"))));
    let code = ReasonCode::ServerUnavailable;
    world.expect_closed(conn, &[refusal(code)], &CloseReason::Refused(code));
    world.persistent("1", true);
    world.cut(two);
    world.persistent("3", false);
}

#[test]
fn packets_are_limited() {
    let mut world = world(|limits| limits.packet_bytes = 100);
    let watcher = world.clean("watcher");
    world.subscribed(watcher, "t", 0);
    let conn = world.clean("c");
    world.published(conn, "t", &"x".repeat(95), 0);
    world.expect(watcher, &[publish("t", &"x".repeat(95), 0, 1)]);
    world.send(conn, &publish("t", &"x".repeat(96), 0, 1));
    let error = WireError::TooLarge {
        packet_bytes: 101,
        limit_bytes: 100,
    };
    world.expect_closed(conn, &[], &CloseReason::Wire(error));
    world.expect(watcher, &[]);
}

/// A peer that vanished is let go however long its keep-alive time is, or if it
/// has none; whoever gives a sign of life stays.
#[rstest]
#[case::no_keep_alive(0)]
#[case::a_long_one(1000)]
fn silence_is_limited(#[case] keep_alive_s: u16) {
    let mut world = world(|limits| limits.silence = Some(seconds(60)));
    let connect = |client_id| Connect {
        keep_alive_s,
        ..clean(client_id)
    };
    let vanished = world.connect(connect("1"), false);
    let there = world.connect(connect("2"), false);
    world.pass(seconds(59));
    world.send(there, &Packet::PingReq);
    world.expect(there, &[Packet::PingResp]);
    world.expect(vanished, &[]);
    world.pass(seconds(1));
    world.expect_closed(vanished, &[], &CloseReason::Silent);
    world.pass(seconds(58));
    world.expect(there, &[]);
    world.pass(seconds(1));
    world.expect_closed(there, &[], &CloseReason::Silent);
}

/// It does not give more time than the keep-alive does.
#[test]
fn a_shorter_keep_alive_ends_a_silence_first() {
    let mut world = world(|limits| limits.silence = Some(seconds(60)));
    let connect = Connect {
        keep_alive_s: 20,
        ..clean("c")
    };
    let conn = world.connect(connect, false);
    world.pass(seconds(30));
    world.expect_closed(conn, &[], &CloseReason::KeepAliveExpired);
}

#[test]
fn topics_are_limited_in_depth() {
    let mut world = world(|limits| limits.topic_levels = 3);
    let conn = world.clean("c");
    world.send(
        conn,
        &subscribe(1, &[("a/b/c", 0), ("a/b/c/d", 0), ("#", 0)]),
    );
    world.expect(conn, &[suback(1, &[0, 0x80, 0])]);
    world.published(conn, "a/b/c/d", "too deep", 1);
    world.retained(conn, "a/b/c/d", "too deep", 1);
    world.published(conn, "a/b/c", "as deep as may be", 1);
    world.expect(conn, &[publish("a/b/c", "as deep as may be", 0, 1)]);
    let too_deep = ("too deep".to_owned(), DropCause::TopicTooDeep);
    assert_eq!(drops(&world), [too_deep.clone(), too_deep]);
    let late = world.clean("late");
    world.subscribed(late, "#", 0);
    world.expect(late, &[]);

    let refused = world.open();
    let connect = Connect {
        will: will("a/b/c/d", "", 0, false),
        ..clean("refused")
    };
    world.send(refused, &Packet::Connect(Box::new(connect)));
    let code = ReasonCode::TopicNameInvalid;
    let answer = refusal(ReasonCode::ServerUnavailable);
    world.expect_closed(refused, &[answer], &CloseReason::Refused(code));
}

/// Order holds whichever end of the queue gives way. [MQTT311-4.6.0-6]
#[rstest]
#[case(QueueFull::DropNewest, &["1", "2", "3"], &["4", "5"])]
#[case(QueueFull::DropOldest, &["3", "4", "5"], &["1", "2"])]
fn a_full_queue_follows_its_policy(
    #[case] queue_full: QueueFull,
    #[case] kept: &[&str],
    #[case] dropped: &[&str],
    #[values(true, false)] by_bytes: bool,
) {
    let mut world = world(|limits| {
        limits.queue_full = queue_full;
        if by_bytes {
            limits.queue_bytes = 7;
        } else {
            limits.queue_messages = 3;
        }
    });
    let publisher = world.clean("p");
    let conn = world.persistent("c", false);
    world.subscribed(conn, "t", 1);
    world.cut(conn);
    for payload in ["1", "2", "3", "4", "5"] {
        // Acknowledged all the same: the subscriber holds up nobody.
        world.published(publisher, "t", payload, 1);
    }
    let expected: Vec<_> = dropped
        .iter()
        .map(|payload| (payload.to_string(), DropCause::QueueFull))
        .collect();
    assert_eq!(drops(&world), expected);
    let conn = world.persistent("c", true);
    let expected: Vec<_> = kept
        .iter()
        .zip(1..)
        .map(|(payload, id)| publish("t", payload, 1, id))
        .collect();
    world.expect(conn, &expected);
}

#[test]
fn a_message_that_no_queue_can_hold_is_dropped() {
    let mut world = world(|limits| {
        limits.queue_full = QueueFull::DropOldest;
        limits.queue_bytes = 10;
    });
    let publisher = world.clean("p");
    let conn = world.persistent("c", false);
    world.subscribed(conn, "t", 1);
    world.cut(conn);
    world.published(publisher, "t", "short", 1);
    world.published(publisher, "t", "far too long", 1);
    let full = |payload: &str| (payload.to_owned(), DropCause::QueueFull);
    assert_eq!(drops(&world), [full("short"), full("far too long")]);
}

/// Without a queue, a client that is there is served all the same.
#[test]
fn a_queue_of_nothing_only_matters_to_the_absent() {
    let mut world = world(|limits| {
        limits.queue_messages = 0;
        limits.outbound_bytes = 0;
    });
    let publisher = world.clean("p");
    let conn = world.persistent("c", false);
    world.subscribed(conn, "t", 2);
    for qos in 0..=2 {
        world.published(publisher, "t", "hi", qos);
    }
    let expected = [
        publish("t", "hi", 0, 1),
        publish("t", "hi", 1, 1),
        publish("t", "hi", 2, 2),
    ];
    world.expect(conn, &expected);
    world.cut(conn);
    world.published(publisher, "t", "lost", 1);
    assert_eq!(drops(&world), [("lost".to_owned(), DropCause::QueueFull)]);
}

/// Section 3.1.2.4 leaves it open.
#[test]
fn qos_0_is_queued_for_absent_clients_if_so_set() {
    let mut world = world(|limits| limits.queue_qos0 = true);
    let publisher = world.clean("p");
    let conn = world.persistent("c", false);
    world.subscribed(conn, "t", 1);
    world.cut(conn);
    world.published(publisher, "t", "1", 0);
    world.published(publisher, "t", "2", 1);
    world.published(publisher, "t", "3", 0);
    let conn = world.persistent("c", true);
    let expected = [
        publish("t", "1", 0, 1),
        publish("t", "2", 1, 1),
        publish("t", "3", 0, 1),
    ];
    world.expect(conn, &expected);
}

#[test]
fn the_inflight_window_is_limited() {
    let mut world = world(|limits| limits.inflight = 2);
    let publisher = world.clean("p");
    let conn = world.persistent("c", false);
    world.subscribed(conn, "t", 1);
    for payload in ["1", "2", "3", "4"] {
        world.published(publisher, "t", payload, 1);
    }
    // QoS 0 does not wait for it.
    world.published(publisher, "t", "zero", 0);
    let (one, two) = (publish("t", "1", 1, 1), publish("t", "2", 1, 2));
    world.expect(conn, &[one, two.clone(), publish("t", "zero", 0, 1)]);
    world.send(conn, &puback(1));
    let three = publish("t", "3", 1, 3);
    world.expect(conn, std::slice::from_ref(&three));
    world.cut(conn);
    let conn = world.persistent("c", true);
    world.expect(conn, &[dup(two), dup(three)]);
    world.send(conn, &puback(3));
    world.expect(conn, &[publish("t", "4", 1, 4)]);
}

/// A subscriber that takes nothing: QoS 0 is dropped beyond its fill, QoS 1
/// waits, others are served, and all that is owed comes in the end.
#[test]
fn a_slow_subscriber_holds_up_nobody() {
    let mut world = world(|limits| limits.outbound_bytes = 100);
    let publisher = world.clean("p");
    let slow = world.clean("slow");
    let fast = world.clean("fast");
    for conn in [slow, fast] {
        world.subscribed(conn, "t/#", 1);
    }
    world.inbox(slow);
    world.stall(slow);
    let mut expected_fast = Vec::new();
    for n in 0..50_u16 {
        let payload = format!("{n:02}");
        world.published(publisher, "t/0", &payload, 0);
        expected_fast.push(publish("t/0", &payload, 0, 1));
        world.published(publisher, "t/1", &payload, 1);
        expected_fast.push(publish("t/1", &payload, 1, n + 1));
    }
    world.expect(fast, &expected_fast);
    let held = world.inbox(slow);
    // 100 bytes of packets of 9 and 11 bytes, and the one that goes over.
    assert_eq!(held, expected_fast[..held.len()]);
    assert_eq!(held.len(), 10);
    let lost: Vec<_> = (5..50)
        .map(|n| (format!("{n:02}"), DropCause::SlowSubscriber))
        .collect();
    assert_eq!(drops(&world), lost);
    world.unstall(slow);
    let owed: Vec<_> = expected_fast[held.len()..]
        .iter()
        .filter(|packet| !is_qos_0(packet))
        .cloned()
        .collect();
    world.expect(slow, &owed);
}

fn is_qos_0(packet: &Packet) -> bool {
    matches!(packet, Packet::Publish(publish) if publish.packet_id().is_none())
}

/// Whoever sends and never takes the answers is not read from any more; but a
/// slow link's signs of life are.
#[test]
fn replies_that_are_not_taken_stop_the_reading() {
    let mut world = world(|limits| limits.outbound_bytes = 100);
    let publisher = world.clean("p");
    let conn = world.connect(
        Connect {
            keep_alive_s: 10,
            ..clean("c")
        },
        false,
    );
    world.subscribed(conn, "t", 1);
    world.inbox(conn);
    world.stall(conn);
    for _ in 0..100 {
        world.published(publisher, "t", "0123456789", 1);
    }
    for _ in 0..49 {
        world.send(conn, &Packet::PingReq);
        world.pass(seconds(10));
        assert_eq!(
            world.broker.transmit(conn),
            Transmit::Open { may_read: true }
        );
    }
    world.send(conn, &Packet::PingReq);
    assert_eq!(
        world.broker.transmit(conn),
        Transmit::Open { may_read: false }
    );
    world.unstall(conn);
    assert_eq!(
        world.broker.transmit(conn),
        Transmit::Open { may_read: true }
    );
}

/// What was waiting for a client that left, at QoS 0, is not kept for it.
#[test]
fn waiting_retained_messages_of_qos_0_go_with_the_connection() {
    let mut world = world(|limits| limits.outbound_bytes = 1);
    let publisher = world.clean("p");
    world.retained(publisher, "a", "1", 0);
    world.retained(publisher, "b", "2", 1);
    let conn = world.persistent("c", false);
    world.stall(conn);
    world.subscribed(conn, "+", 1);
    world.cut(conn);
    assert_eq!(drops(&world), [("1".to_owned(), DropCause::Offline)]);
    let conn = world.persistent("c", true);
    world.expect(conn, &[crate::world::retain(publish("b", "2", 1, 1))]);
}

/// A connection that was ended and takes nothing is given up in the end.
#[test]
fn a_connection_does_not_linger_for_ever() {
    let mut world = World::new();
    let conn = world.clean("c");
    world.broker.handle(
        world.now,
        squall_broker::Input::Packet(conn, Packet::Disconnect(Disconnect::default())),
    );
    assert_eq!(world.broker.transmit(conn), Transmit::Finish);
    assert_eq!(world.broker.next_timeout(), Some(seconds(5)));
    world
        .broker
        .handle(seconds(5), squall_broker::Input::Timeout);
    assert_eq!(world.broker.transmit(conn), Transmit::Abort);
    assert_eq!(world.broker.next_timeout(), None);
}
