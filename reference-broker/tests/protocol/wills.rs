//! Wills (section 3.1.2.5 to 3.1.2.7).

use crate::world::{World, clean, persistent, publish, retain, seconds, will};
use rstest::rstest;
use squall_broker::wire::{Connect, Packet};

#[derive(Clone, Copy, Debug)]
enum End {
    Cut,
    Silence,
    Violation,
    Takeover,
    Disconnect,
}

fn end(world: &mut World, conn: squall_broker::ConnId, how: End) {
    match how {
        End::Cut => world.cut(conn),
        End::Silence => world.pass(seconds(15)),
        End::Violation => world.raw(conn, &[0xc1, 0]),
        End::Takeover => {
            world.clean("c");
        }
        End::Disconnect => world.disconnect(conn),
    }
}

/// [MQTT311-3.1.2-8] [MQTT311-3.14.4-3] [MQTT311-3.1.2-24] [MQTT311-3.1.3-1]
#[rstest]
#[case(End::Cut, true)]
#[case(End::Silence, true)]
#[case(End::Violation, true)]
#[case(End::Takeover, true)]
#[case(End::Disconnect, false)]
fn a_will_is_published_unless_the_client_said_goodbye(#[case] how: End, #[case] due: bool) {
    let mut world = World::new();
    let watcher = world.clean("watcher");
    world.subscribed(watcher, "#", 2);
    let user_name = Some(crate::world::text("u"));
    let password = Some(bytes::Bytes::from_static(b"p"));
    let will = will("gone/c", "last words", 1, false);
    let connect = Connect {
        keep_alive_s: 10,
        will,
        user_name,
        password,
        ..clean("c")
    };
    let conn = world.connect(connect, false);
    world.pass(seconds(14));
    world.expect(watcher, &[]);
    end(&mut world, conn, how);
    let expected = [publish("gone/c", "last words", 1, 1)];
    world.expect(watcher, if due { &expected } else { &[] });
    // Once.
    world.pass(seconds(1000));
    world.expect(watcher, &[]);
}

/// [MQTT311-3.1.2-10] [MQTT311-3.1.2-12]
#[rstest]
#[case(End::Cut)]
#[case(End::Disconnect)]
fn a_will_does_not_outlive_its_connection(#[case] how: End) {
    let mut world = World::new();
    let watcher = world.clean("watcher");
    world.subscribed(watcher, "#", 0);
    let connect = Connect {
        will: will("gone", "1", 0, false),
        ..persistent("c")
    };
    let conn = world.connect(connect, false);
    end(&mut world, conn, how);
    world.inbox(watcher);
    let conn = world.persistent("c", true);
    world.cut(conn);
    world.expect(watcher, &[]);
}

/// [MQTT311-3.1.2-16] [MQTT311-3.1.2-17]
#[rstest]
#[case(false)]
#[case(true)]
fn a_will_is_retained_if_it_says_so(#[case] retained: bool) {
    let mut world = World::new();
    let watcher = world.clean("watcher");
    world.subscribed(watcher, "gone", 0);
    let connect = Connect {
        will: will("gone", "1", 0, retained),
        ..clean("c")
    };
    let conn = world.connect(connect, false);
    world.cut(conn);
    world.expect(watcher, &[publish("gone", "1", 0, 1)]);
    let late = world.clean("late");
    world.subscribed(late, "gone", 0);
    let expected = [retain(publish("gone", "1", 0, 1))];
    world.expect(late, if retained { &expected } else { &[] });
}

/// A will of an empty message clears, as any such message does.
/// [MQTT311-3.3.1-10]
#[test]
fn an_empty_retained_will_clears() {
    let mut world = World::new();
    let watcher = world.clean("watcher");
    world.retained(watcher, "state", "on", 1);
    let connect = Connect {
        will: will("state", "", 1, true),
        ..clean("c")
    };
    let conn = world.connect(connect, false);
    world.cut(conn);
    world.subscribed(watcher, "state", 0);
    world.expect(watcher, &[]);
}

/// The old connection's will is published before the new one is attached, so a
/// resumed session that asked for it has it, behind the CONNACK.
/// [MQTT311-3.1.4-2] [MQTT311-3.2.0-1]
#[test]
fn a_takeover_publishes_the_will_into_the_session_itself() {
    let mut world = World::new();
    let connect = Connect {
        will: will("gone", "old", 1, false),
        ..persistent("c")
    };
    let old = world.connect(connect, false);
    world.subscribed(old, "gone", 1);
    let new = world.persistent("c", true);
    world.expect(new, &[publish("gone", "old", 1, 1)]);
}

/// A client that never connected has no will to publish.
#[test]
fn a_refused_will_is_not_published() {
    let mut world = World::new();
    let watcher = world.clean("watcher");
    world.subscribed(watcher, "#", 0);
    let conn = world.open();
    let connect = Connect {
        will: will("gone", "1", 0, false),
        ..persistent("")
    };
    world.send(conn, &Packet::Connect(Box::new(connect)));
    world.expect(watcher, &[]);
}
