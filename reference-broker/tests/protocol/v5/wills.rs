//! Wills that wait for their clients (section 3.1.3.2.2).

use super::kept;
use crate::world::{World, publish, seconds, will};
use rstest::rstest;
use squall_broker::wire::{Connect, Disconnect, Packet, Property, Will};
use squall_broker::{Config, ConnId};

pub(super) fn delayed(expiry_s: u32, delay_s: u32) -> Connect {
    let will = will("gone", "c", 0, false).map(|will| Will {
        properties: [Property::WillDelayInterval(delay_s)].into_iter().collect(),
        ..will
    });
    Connect {
        will,
        ..kept("c", expiry_s)
    }
}

fn watcher(world: &mut World) -> ConnId {
    let watcher = world.clean("watcher");
    world.subscribed(watcher, "gone", 0);
    watcher
}

/// [MQTT5-3.1.2-8]: at the end of the delay or of the session, whichever comes
/// first.
#[rstest]
#[case::no_delay(100, 0, 0)]
#[case::delay(100, 10, 10)]
#[case::session_ends_first(10, 100, 10)]
#[case::session_ends_at_once(0, 100, 0)]
#[case::session_never_ends(u32::MAX, 7, 7)]
fn a_will_comes_when_its_time_has_come(
    #[case] expiry_s: u32,
    #[case] delay_s: u32,
    #[case] after_s: u64,
) {
    let mut world = World::new();
    let watcher = watcher(&mut world);
    let conn = world.connect(delayed(expiry_s, delay_s), false);
    world.cut(conn);
    if after_s > 0 {
        world.pass(seconds(after_s - 1));
        world.expect(watcher, &[]);
        world.pass(seconds(1));
    }
    world.expect(watcher, &[publish("gone", "c", 0, 1)]);
    // And not again. [MQTT5-3.1.2-10]
    world.pass(seconds(1000));
    world.expect(watcher, &[]);
}

/// [MQTT5-3.1.3-9]
#[test]
fn a_client_that_comes_back_in_time_keeps_its_will_from_being_published() {
    let mut world = World::new();
    let watcher = watcher(&mut world);
    let conn = world.connect(delayed(100, 10), false);
    world.cut(conn);
    world.pass(seconds(9));
    let conn = world.connect(kept("c", 100), true);
    world.cut(conn);
    world.pass(seconds(50));
    world.expect(watcher, &[]);
    // The same when it takes its own place.
    world.connect(delayed(100, 10), true);
    world.connect(kept("c", 100), true);
    world.pass(seconds(50));
    world.expect(watcher, &[]);
}

/// Clean Start ends the session, and that is the will's time.
#[test]
fn a_client_that_starts_afresh_does_not() {
    let mut world = World::new();
    let watcher = watcher(&mut world);
    let conn = world.connect(delayed(100, 10), false);
    world.cut(conn);
    let afresh = Connect {
        clean_session: true,
        ..kept("c", 100)
    };
    world.connect(afresh, false);
    world.expect(watcher, &[publish("gone", "c", 0, 1)]);
}

/// [MQTT5-3.14.4-3]
#[test]
fn a_goodbye_leaves_nothing_to_wait_for() {
    let mut world = World::new();
    let watcher = watcher(&mut world);
    let conn = world.connect(delayed(100, 10), false);
    world.send(conn, &Packet::Disconnect(Disconnect::default()));
    world.pass(seconds(200));
    world.expect(watcher, &[]);
}

/// What waits when the process dies is published when there is a broker again.
#[test]
fn a_will_that_waits_survives_a_restart() {
    let mut world = World::durable(Config::default());
    let conn = world.connect(delayed(u32::MAX, 10), false);
    let watcher = world.persistent("watcher", false);
    world.sync();
    world.subscribed(watcher, "gone", 1);
    world.sync();
    world.cut(conn);
    world.cut(watcher);
    world.sync();
    world.crash(0);
    let sent = |world: &World| world.seen(|seen| seen.dropped.clone());
    world.pass(seconds(9));
    assert_eq!(sent(&world), []);
    world.pass(seconds(1));
    let sent = sent(&world);
    assert_eq!(sent.last().map(|drop| drop.1.as_str()), Some("c"));
}
