//! What expires goes on to expire while no broker runs: sessions (section
//! 3.1.2.11.2), messages (section 3.3.2.3.3) and the delay of wills (section
//! 3.1.3.2.2).

use super::wills;
use super::{connect, kept, saying};
use crate::world::{World, dup, publish, retain, seconds};
use rstest::rstest;
use squall_broker::wire::{Connect, Disconnect, Packet, Property, Qos, ReasonCode, Will};
use squall_broker::{CloseReason, Config, ConnId, Input};

fn world() -> World {
    World::durable(Config::default())
}

/// Its client was gone for 40 s of its 100 s.
fn absent(world: &mut World) {
    let conn = world.connect(kept("c", 100), false);
    world.subscribed(conn, "t", 1);
    world.cut(conn);
    world.pass(seconds(40));
}

/// [MQTT5-4.1.0-2]
#[rstest]
#[case::in_time(59, true)]
#[case::too_late(60, false)]
#[case::long_over(3600, false)]
fn a_session_ends_when_its_time_is_over(#[case] down_s: u64, #[case] present: bool) {
    let mut world = world();
    absent(&mut world);
    world.crash_for(seconds(down_s), 0);
    world.connect(kept("c", 100), present);
}

/// Over two restarts, and with time passing in between.
#[test]
fn a_session_ends_while_the_broker_runs_again() {
    let mut world = world();
    absent(&mut world);
    world.crash_for(seconds(30), 0);
    world.pass(seconds(10));
    world.crash_for(seconds(10), 0);
    world.pass(seconds(9));
    assert_eq!(world.seen(|seen| seen.sessions.len()), 1, "created");
    world.pass(seconds(1));
    let ended = world.seen(|seen| seen.sessions.last().cloned());
    assert_eq!(ended.as_deref(), Some("c discarded 0"));
    assert!(world.store().image.is_empty(), "nothing of it is kept");
}

/// The client was there when the broker's process died: its session counts from
/// the next start, and from there over all that follow.
#[test]
fn a_session_whose_client_was_there_counts_from_the_restart() {
    let mut world = world();
    world.connect(kept("c", 100), false);
    world.crash_for(seconds(1000), 0);
    world.pass(seconds(60));
    world.crash_for(seconds(39), 0);
    world.connect(kept("c", 100), true);
    // It is back: nothing of that counts any more.
    world.pass(seconds(1000));
    world.crash_for(seconds(1000), 0);
    world.pass(seconds(99));
    world.connect(kept("c", 100), true);
}

/// A session without end does not end, however long the broker is away.
#[test]
fn a_session_that_never_expires_is_there_after_years() {
    let mut world = world();
    let conn = world.connect(kept("c", u32::MAX), false);
    world.cut(conn);
    world.crash_for(seconds(10 * 365 * 24 * 3600), 0);
    world.connect(kept("c", u32::MAX), true);
}

/// [MQTT5-3.14.2-2] leaves DISCONNECT to change it.
#[test]
fn an_expiry_that_disconnect_changes_counts_after_a_restart() {
    let mut world = world();
    let conn = world.connect(kept("c", 1000), false);
    let disconnect = Disconnect {
        properties: [Property::SessionExpiryInterval(10)].into_iter().collect(),
        ..Disconnect::default()
    };
    world.send(conn, &Packet::Disconnect(disconnect));
    world.crash_for(seconds(9), 0);
    world.pass(seconds(1));
    world.connect(kept("c", 1000), false);
}

/// A broker that is told to stop says when each session was left.
#[test]
fn sessions_count_from_an_orderly_stop() {
    let mut world = world();
    world.connect(kept("c", 100), false);
    world.broker.handle(world.now, Input::Stop);
    world.settle();
    world.crash_for(seconds(100), 0);
    world.connect(kept("c", 100), false);
}

fn expiring(topic: &str, payload: &str, expiry_s: u32) -> Packet {
    let interval = Property::MessageExpiryInterval(expiry_s);
    saying(publish(topic, payload, 1, 7), [interval])
}

/// [MQTT5-3.3.2-5] [MQTT5-3.3.2-6]: queued and retained.
#[rstest]
#[case::in_time(29, Some(1))]
#[case::too_late(30, None)]
fn a_message_is_as_old_as_if_there_had_been_no_restart(
    #[case] down_s: u64,
    #[case] left_s: Option<u32>,
) {
    let mut world = world();
    absent(&mut world);
    let publisher = world.connect(connect("p"), false);
    world.send(publisher, &expiring("t", "queued", 50));
    world.send(publisher, &retain(expiring("r", "retained", 50)));
    world.pass(seconds(20));
    world.crash_for(seconds(down_s), 0);
    let conn = world.connect(kept("c", 100), true);
    let left = |packet: Packet| {
        let left = left_s.map(Property::MessageExpiryInterval);
        left.map(|left| saying(packet, [left]))
    };
    world.expect(conn, left(publish("t", "queued", 1, 1)).as_slice());
    world.subscribed(conn, "r", 0);
    let retained = left(retain(publish("r", "retained", 0, 1)));
    world.expect(conn, retained.as_slice());
}

/// A will at QoS 1.
fn delayed(expiry_s: u32, delay_s: u32) -> Connect {
    let connect = wills::delayed(expiry_s, delay_s);
    let qos = Qos::AtLeastOnce;
    Connect {
        will: connect.will.map(|will| Will { qos, ..will }),
        ..connect
    }
}

/// A world with a subscriber to that will, whose session stays.
fn watched() -> World {
    let mut world = world();
    let watcher = world.persistent("watcher", false);
    world.subscribed(watcher, "gone", 1);
    world
}

/// That subscriber, back again.
fn watcher(world: &mut World) -> ConnId {
    world.persistent("watcher", true)
}

/// [MQTT5-3.1.2-8]
#[test]
fn a_will_that_waited_is_published_when_it_is_due() {
    let mut world = watched();
    let conn = world.connect(delayed(1000, 100), false);
    world.cut(conn);
    world.pass(seconds(40));
    world.crash_for(seconds(40), 0);
    let conn = watcher(&mut world);
    world.pass(seconds(19));
    world.expect(conn, &[]);
    world.pass(seconds(1));
    world.expect(conn, &[publish("gone", "c", 1, 1)]);
    // And not again [MQTT5-3.1.2-10].
    world.crash_for(seconds(1000), 0);
    let conn = watcher(&mut world);
    world.expect(conn, &[dup(publish("gone", "c", 1, 1))]);
}

#[test]
fn a_will_that_was_due_meanwhile_is_published_at_once() {
    let mut world = watched();
    let conn = world.connect(delayed(1000, 100), false);
    world.cut(conn);
    world.crash_for(seconds(100), 0);
    // Its client comes too late to stop it.
    world.connect(delayed(1000, 100), true);
    let watcher = watcher(&mut world);
    world.expect(watcher, &[publish("gone", "c", 1, 1)]);
}

/// The session ends before the delay does, while no broker runs.
#[test]
fn a_will_is_published_with_the_end_of_its_session() {
    let mut world = watched();
    let conn = world.connect(delayed(10, 1000), false);
    world.cut(conn);
    world.crash_for(seconds(11), 0);
    let watcher = watcher(&mut world);
    world.expect(watcher, &[publish("gone", "c", 1, 1)]);
}

/// The client was there when the broker's process died, so that its connection
/// ended with it: the delay begins at the start after that.
#[test]
fn a_will_whose_client_was_there_waits_from_the_restart() {
    let mut world = watched();
    world.connect(delayed(1000, 100), false);
    world.crash_for(seconds(500), 0);
    world.pass(seconds(60));
    world.crash_for(seconds(39), 0);
    let watcher = watcher(&mut world);
    world.expect(watcher, &[]);
    world.pass(seconds(1));
    world.expect(watcher, &[publish("gone", "c", 1, 1)]);
}

/// [MQTT5-3.1.3-9]
#[test]
fn a_client_that_is_back_in_time_keeps_its_will_from_being_published() {
    let mut world = watched();
    let conn = world.connect(delayed(1000, 100), false);
    world.cut(conn);
    world.crash_for(seconds(50), 0);
    let conn = world.connect(kept("c", 1000), true);
    world.disconnect(conn);
    world.pass(seconds(500));
    world.crash_for(seconds(50), 0);
    let watcher = watcher(&mut world);
    world.expect(watcher, &[]);
}

/// [MQTT5-3.14.0-1]: one whose CONNACK waits for the disk has not been accepted.
#[test]
fn no_disconnect_comes_before_a_connack_that_was_not_durable_yet() {
    let mut world = World::durable(Config::default());
    world.store().slow = true;
    let conns = [world.open_any(), world.open_any()];
    for conn in conns {
        world.send(conn, &Packet::Connect(Box::new(kept("c", 100))));
    }
    world.sync();
    world.expect_closed(conns[0], &[], &CloseReason::TakenOver);
    let inbox = world.inbox(conns[1]);
    let [Packet::ConnAck(connack)] = &inbox[..] else {
        panic!("expected a CONNACK, found {inbox:?}");
    };
    assert_eq!(
        (connack.code, connack.session_present),
        (ReasonCode::Success, true)
    );
}
