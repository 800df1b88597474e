//! How sessions and connections end (sections 3.1.2.11.2, 3.14 and 4.1).

use super::{connect, connect_with, kept};
use crate::world::{World, clean, persistent, publish, seconds, will};
use rstest::rstest;
use squall_broker::wire::{Connect, Disconnect, Packet, Property, ReasonCode};
use squall_broker::{CloseReason, Config, Input};

fn disconnect(code: ReasonCode, properties: impl IntoIterator<Item = Property>) -> Packet {
    Packet::Disconnect(Disconnect {
        code,
        properties: properties.into_iter().collect(),
    })
}

/// [MQTT5-4.1.0-2] [MQTT5-3.1.2-23] [MQTT5-3.1.2-5] [MQTT5-3.1.2-6]
#[test]
fn a_session_is_kept_as_long_as_it_said() {
    let mut world = World::new();
    let conn = world.connect(kept("c", 10), false);
    world.subscribed(conn, "t", 1);
    // Its clock stands while it is connected.
    world.pass(seconds(100));
    world.cut(conn);
    world.pass(seconds(9));
    let conn = world.connect(kept("c", 10), true);
    world.cut(conn);
    world.pass(seconds(10));
    world.seen(|seen| assert_eq!(seen.sessions.last(), Some(&"c discarded 0".to_owned())));
    world.connect(kept("c", 10), false);
}

#[test]
fn a_session_ends_with_its_connection_or_never() {
    let mut world = World::new();
    let conn = world.connect(connect("c"), false);
    world.cut(conn);
    let conn = world.connect(kept("c", u32::MAX), false);
    world.cut(conn);
    world.pass(seconds(u64::from(u32::MAX) * 2));
    world.connect(kept("c", 0), true);
}

/// [MQTT5-3.1.2-4] [MQTT5-3.2.2-2]
#[test]
fn clean_start_forgets_what_there_was() {
    let mut world = World::new();
    let conn = world.connect(kept("c", 10), false);
    world.cut(conn);
    let afresh = Connect {
        clean_session: true,
        ..kept("c", 10)
    };
    let conn = world.connect(afresh, false);
    world.cut(conn);
    world.connect(kept("c", 10), true);
}

/// Sessions of both versions are the same sessions.
#[test]
fn a_session_passes_from_one_version_to_the_other() {
    let mut world = World::new();
    let publisher = world.clean("p");
    let old = world.persistent("c", false);
    world.subscribed(old, "t", 1);
    world.cut(old);
    world.published(publisher, "t", "1", 1);
    let new = world.connect(kept("c", 10), true);
    world.expect(new, &[publish("t", "1", 1, 1)]);
    world.cut(new);
    // To 3.1.1 it does not expire.
    let old = world.connect(persistent("c"), true);
    world.cut(old);
    world.pass(seconds(1000));
    world.persistent("c", true);
}

/// Section 3.14.2.2.2
#[test]
fn disconnect_may_change_how_long_the_session_is_kept() {
    let mut world = World::new();
    let conn = world.connect(kept("c", 10), false);
    let longer = [Property::SessionExpiryInterval(100)];
    world.send(conn, &disconnect(ReasonCode::Success, longer));
    world.expect_closed(conn, &[], &CloseReason::Disconnect);
    world.pass(seconds(99));
    let conn = world.connect(kept("c", 10), true);
    let not_at_all = [Property::SessionExpiryInterval(0)];
    world.send(conn, &disconnect(ReasonCode::Success, not_at_all));
    let conn = world.connect(connect("c"), false);
    // But not from nothing to something.
    let kept = [Property::SessionExpiryInterval(1)];
    world.send(conn, &disconnect(ReasonCode::Success, kept));
    world.expect_breach_5(conn, 0x82, "MQTT5 section 3.14.2.2.2");
}

/// [MQTT5-3.14.4-3] [MQTT5-3.1.2-8] [MQTT5-3.1.2-10]
#[rstest]
#[case::normal(0x00, false)]
#[case::with_will(0x04, true)]
#[case::unspecified(0x80, true)]
fn disconnect_says_whether_the_will_is_published(#[case] code: u8, #[case] published: bool) {
    let mut world = World::new();
    let watcher = world.clean("watcher");
    world.subscribed(watcher, "gone", 0);
    let connect = Connect {
        will: will("gone", "c", 0, false),
        ..connect("c")
    };
    let conn = world.connect(connect, false);
    let code = ReasonCode::from_byte(code).expect("a reason code");
    world.send(conn, &disconnect(code, []));
    assert_eq!(world.inbox(conn), []);
    let expected = published.then(|| publish("gone", "c", 0, 1));
    world.expect(watcher, expected.as_slice());
}

/// [MQTT5-3.1.4-3]
#[test]
fn who_is_taken_over_is_told() {
    let mut world = World::new();
    let old = world.connect(kept("c", 10), false);
    world.connect(clean("c"), false);
    let reason = world.expect_disconnect(old, 0x8e);
    assert_eq!(reason, CloseReason::TakenOver);
}

#[test]
fn who_is_connected_when_the_server_stops_is_told() {
    let mut world = World::new();
    let conn = world.connect(connect("c"), false);
    let waiting = world.open_any();
    world.broker.handle(world.now, Input::Stop);
    world.settle();
    // [MQTT5-3.14.0-1]
    assert_eq!(world.inbox(waiting), []);
    let reason = world.expect_disconnect(conn, 0x8b);
    assert_eq!(reason, CloseReason::Stopping);
}

/// [MQTT5-4.13.1-1] and the statement named in each case.
#[rstest]
#[case::reserved_type(b"\0\0", 0x81, "MQTT5-4.13.1-1")]
#[case::connack(b"\x20\x03\0\0\0", 0x82, "MQTT5-4.13.1-1")]
#[case::alias_0(b"\x30\x07\0\x01t\x03\x23\0\0", 0x94, "MQTT5-3.3.2-8")]
#[case::identifier(b"\x30\x06\0\x01t\x02\x0b\x01", 0x82, "MQTT5-3.3.4-6")]
#[case::no_local_shared(b"\x82\x10\0\x01\0\0\x0a$share/g/a\x04", 0x82, "MQTT5-3.8.3-4")]
// [MQTT5-3.14.1-1]
#[case::disconnect_flags(b"\xe1\0", 0x81, "MQTT5-3.14.1-1")]
#[case::auth(b"\xf0\x06\x18\x04\x15\0\x01m", 0x82, "MQTT5-4.12.0-7")]
fn a_violation_is_answered_with_its_code(
    #[case] bytes: &[u8],
    #[case] code: u8,
    #[case] rule: &str,
) {
    let mut world = World::new();
    let conn = world.connect(connect("c"), false);
    world.raw(conn, bytes);
    world.expect_breach_5(conn, code, rule);
}

/// [MQTT5-3.2.2-15]
#[test]
fn a_packet_that_is_too_large_ends_the_connection() {
    let mut config = Config::default();
    config.limits.packet_bytes = 100;
    let mut world = World::with(config);
    let conn = world.connect(connect("c"), false);
    world.raw(conn, b"\x30\x7f");
    world.expect_disconnect(conn, 0x95);
}

/// The time without a broker is not counted.
#[test]
fn a_session_expires_after_a_restart_too() {
    let mut world = World::durable(Config::default());
    for (name, expiry_s) in [("c", 10), ("for ever", u32::MAX)] {
        let conn = world.connect(kept(name, expiry_s), false);
        world.sync();
        world.cut(conn);
    }
    // A connection that changed its mind.
    let conn = world.connect(kept("d", 1000), false);
    world.sync();
    let sooner = [Property::SessionExpiryInterval(10)];
    world.send(conn, &disconnect(ReasonCode::Success, sooner));
    world.sync();
    world.crash(0);
    world.pass(seconds(9));
    assert_eq!(world.broker.next_timeout(), Some(seconds(10)));
    world.pass(seconds(1));
    world.sync();
    world.crash(0);
    for (name, session_present) in [("c", false), ("d", false), ("for ever", true)] {
        world.connect(kept(name, 10), session_present);
        world.sync();
    }
}

/// [MQTT5-3.14.2-3]
#[rstest]
#[case::room(100, true)]
#[case::no_room(42, false)]
fn the_words_are_left_out_for_a_client_that_takes_small_packets(
    #[case] most: u32,
    #[case] said: bool,
) {
    let most = std::num::NonZeroU32::new(most).expect("not zero");
    let mut world = World::new();
    let small = connect_with("c", [Property::MaximumPacketSize(most)]);
    let conn = world.connect(small, false);
    world.raw(conn, b"\x30\x07\0\x01t\x03\x23\0\0");
    let inbox = world.inbox(conn);
    let [Packet::Disconnect(Disconnect { properties, .. })] = &inbox[..] else {
        panic!("expected a DISCONNECT, found {inbox:?}");
    };
    let text = crate::world::text("the topic alias is 0 [MQTT5-3.3.2-8]");
    let words = said.then_some(Property::ReasonString(text));
    assert_eq!(*properties, words.into_iter().collect());
}
