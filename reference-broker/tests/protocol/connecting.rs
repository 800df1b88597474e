//! CONNECT, CONNACK, keep-alive, PINGREQ, DISCONNECT (sections 3.1, 3.2, 3.12
//! and 3.14).

use crate::world::{World, clean, persistent, publish, refusal, seconds, suback, subscribe, text};
use bytes::Bytes;
use rstest::rstest;
use squall_broker::wire::{Connect, Packet, ReasonCode};
use squall_broker::{Access, CloseReason, Config, Entropy, Password, Rights, User};
use std::time::Duration;

/// [MQTT311-3.1.4-4] [MQTT311-3.2.2-3] [MQTT311-3.1.3-5] [MQTT311-7.1.1-1]
#[rstest]
#[case("a")]
#[case("0123456789abcdefghijklm")]
#[case("NOPQRSTUVWXYZnopqrstuvw")]
#[case("any other ch\u{e4}racters, and more than 23 bytes of them")]
fn a_valid_connect_is_accepted(#[case] client_id: &str) {
    let mut world = World::new();
    for connect in [clean(client_id), persistent(client_id)] {
        let conn = world.connect(connect, false);
        world.expect(conn, &[]);
        world.disconnect(conn);
    }
}

/// [MQTT311-3.1.2-2] [MQTT311-3.1.4-5] [MQTT311-3.2.2-4] [MQTT311-3.2.2-5]
#[rstest]
#[case(3)]
#[case(5)]
#[case(9)]
#[case(0x7f)]
fn another_protocol_level_gets_code_1_and_nothing_after_it_counts(#[case] level: u8) {
    let mut world = World::new();
    let watcher = world.clean("watcher");
    world.subscribed(watcher, "#", 0);
    world.persistent("c", false);
    let conn = world.open();
    let connect = [b"\x10\x0d\0\x04MQTT", &[level][..], b"\x02\0\0\0\x01c"].concat();
    world.raw(conn, &[&connect[..], b"\x31\x05\0\x01thi"].concat());
    let code = ReasonCode::UnsupportedProtocolVersion;
    world.expect_closed(conn, &[refusal(code)], &CloseReason::Refused(code));
    world.expect(watcher, &[]);
    world.subscribed(watcher, "t", 0);
    world.expect(watcher, &[]);
}

/// [MQTT311-3.1.3-8] [MQTT311-3.1.3-7]
#[test]
fn an_empty_identifier_needs_a_clean_session() {
    let mut world = World::new();
    let conn = world.open();
    world.send(conn, &Packet::Connect(Box::new(persistent(""))));
    let code = ReasonCode::ClientIdentifierNotValid;
    world.expect_closed(conn, &[refusal(code)], &CloseReason::Refused(code));
}

/// [MQTT311-3.1.3-6]
#[test]
fn an_empty_identifier_is_replaced_by_a_unique_one() {
    // Entropy that is the same draws the same.
    let mut world = World::new();
    let drawn = [(); 3].map(|()| {
        world.clean("");
        world
            .seen(|seen| seen.sessions.last().cloned())
            .expect("one")
    });
    let [first, second, third] = &drawn;
    let mut world = World::new();
    let squatter = world.clean(second.trim_end_matches(" created"));
    let conns = [world.clean(""), world.clean(""), world.clean("")];
    for conn in conns {
        world.subscribed(conn, "t", 0);
    }
    world.published(squatter, "t", "hi", 0);
    for conn in conns {
        world.expect(conn, &[publish("t", "hi", 0, 1)]);
    }
    world.expect(squatter, &[]);
    world.seen(|seen| {
        assert_eq!(
            [&seen.sessions[0], &seen.sessions[1], &seen.sessions[2]],
            [second, first, third]
        )
    });
    let mut world = World::with(Config {
        entropy: Entropy::new([1; 32]),
        ..Config::default()
    });
    world.clean("");
    world.seen(|seen| assert_ne!(seen.sessions[0], *first));
}

/// [MQTT311-3.1.3-9]
#[test]
fn an_identifier_over_the_limit_is_rejected() {
    let mut config = Config::default();
    config.limits.client_id_bytes = 30;
    let mut world = World::with(config);
    world.clean(&"x".repeat(30));
    let conn = world.open();
    world.send(conn, &Packet::Connect(Box::new(clean(&"x".repeat(31)))));
    let code = ReasonCode::ClientIdentifierNotValid;
    world.expect_closed(conn, &[refusal(code)], &CloseReason::Refused(code));
}

/// [MQTT311-3.2.2-4] [MQTT311-3.2.2-5] [MQTT311-3.2.2-6]
#[rstest]
#[case(Some("u"), Some("right"), None)]
#[case(Some("u"), Some("wrong"), Some(ReasonCode::BadUserNameOrPassword))]
#[case(Some("u"), None, Some(ReasonCode::BadUserNameOrPassword))]
#[case(Some("x"), Some("right"), Some(ReasonCode::BadUserNameOrPassword))]
#[case(None, None, Some(ReasonCode::NotAuthorized))]
fn users_are_checked(
    #[case] user_name: Option<&'static str>,
    #[case] password: Option<&'static str>,
    #[case] refused: Option<ReasonCode>,
) {
    let user = User {
        password: Password::Known(Bytes::from_static(b"right")),
        scram: None,
        rights: Rights::default(),
    };
    let access = Access {
        anonymous: None,
        users: [("u".to_owned(), user)].into(),
        ..Access::default()
    };
    let mut world = World::with(Config {
        access,
        ..Config::default()
    });
    let right = Connect {
        user_name: Some(text("u")),
        password: Some(Bytes::from_static(b"right")),
        ..persistent("c")
    };
    // There is a session, of which a refusal must not speak.
    let before = world.connect(right, false);
    let conn = world.open();
    let connect = Connect {
        user_name: user_name.map(text),
        password: password.map(|password| Bytes::from_static(password.as_bytes())),
        ..persistent("c")
    };
    world.send(conn, &Packet::Connect(Box::new(connect)));
    match refused {
        None => world.expect_closed(before, &[], &CloseReason::TakenOver),
        Some(code) => {
            world.expect_closed(conn, &[refusal(code)], &CloseReason::Refused(code));
            // Nor does it take anything over.
            world.expect(before, &[]);
        }
    }
}

/// [MQTT311-3.1.0-1]
#[rstest]
#[case(&[0xc0, 0])]
#[case(b"\x30\x05\0\x01thi")]
#[case(b"\x82\x06\0\x01\0\x01a\0")]
#[case(&[0xe0, 0])]
#[case(&[0x40, 2, 0, 1])]
fn the_first_packet_is_a_connect(#[case] bytes: &[u8]) {
    let mut world = World::new();
    let conn = world.open();
    world.raw(conn, bytes);
    world.expect_breach(conn, "MQTT311-3.1.0-1");
}

/// [MQTT311-3.1.0-2]
#[rstest]
#[case(b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01c")]
#[case(b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01d")]
#[case(b"\x10\x0d\0\x04MQTT\x09\x02\0\0\0\x01c")]
fn the_second_packet_is_not(#[case] bytes: &[u8]) {
    let mut world = World::new();
    let conn = world.clean("c");
    world.raw(conn, bytes);
    world.expect_breach(conn, "MQTT311-3.1.0-2");
    // Not even one that follows at once.
    let conn = world.open();
    world.raw(
        conn,
        &[b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01c", bytes].concat(),
    );
    let packets = world.inbox(conn);
    assert_eq!(packets, [refusal(ReasonCode::Success)]);
    world.expect_breach(conn, "MQTT311-3.1.0-2");
}

/// Section 3.1.4, first step.
#[test]
fn a_connect_must_come_in_time() {
    let mut world = World::new();
    let conn = world.open();
    world.raw(conn, b"\x10\x0d\0\x04MQTT");
    world.pass(Duration::from_millis(9_999));
    world.expect(conn, &[]);
    world.pass(Duration::from_millis(1));
    world.expect_closed(conn, &[], &CloseReason::ConnectTimeout);
}

/// [MQTT311-3.1.2-24]
#[rstest]
#[case(2, Some(3_000))]
#[case(1, Some(1_500))]
#[case(65_535, Some(98_302_500))]
#[case(0, None)]
fn silence_ends_a_connection(#[case] keep_alive_s: u16, #[case] after_ms: Option<u64>) {
    let mut world = World::new();
    let conn = world.connect(
        Connect {
            keep_alive_s,
            ..clean("c")
        },
        false,
    );
    let Some(after_ms) = after_ms else {
        world.pass(seconds(1_000_000));
        world.expect(conn, &[]);
        return;
    };
    // Any packet is a sign of life.
    for packet in [
        Packet::PingReq,
        publish("t", "", 0, 1),
        subscribe(1, &[("a", 0)]),
    ] {
        world.pass(Duration::from_millis(after_ms - 1));
        world.send(conn, &packet);
    }
    world.expect(conn, &[Packet::PingResp, suback(1, &[0])]);
    // Half a packet is not.
    world.pass(Duration::from_millis(after_ms - 1));
    world.raw(conn, &[0xc0]);
    world.expect(conn, &[]);
    world.pass(Duration::from_millis(1));
    world.expect_closed(conn, &[], &CloseReason::KeepAliveExpired);
}

/// [MQTT311-3.12.4-1]
#[test]
fn a_ping_is_answered() {
    let mut world = World::new();
    let conn = world.clean("c");
    world.raw(conn, &[0xc0, 0, 0xc0, 0]);
    world.expect(conn, &[Packet::PingResp, Packet::PingResp]);
}

/// [MQTT311-3.14.4-3] is in `wills`; section 3.14.4.
#[test]
fn disconnect_ends_the_connection_and_what_follows_is_ignored() {
    let mut world = World::new();
    let conn = world.clean("c");
    world.raw(conn, &[0xe0, 0, 0xc0, 0]);
    world.expect_closed(conn, &[], &CloseReason::Disconnect);
}

/// [MQTT311-3.1.4-2]
#[test]
fn a_second_connection_takes_over() {
    let mut world = World::new();
    let old = world.clean("c");
    let new = world.clean("c");
    world.expect_closed(old, &[], &CloseReason::TakenOver);
    world.send(new, &Packet::PingReq);
    world.expect(new, &[Packet::PingResp]);
}

/// [MQTT311-3.2.0-1]
#[test]
fn connack_comes_before_what_was_waiting() {
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.persistent("c", false);
    world.subscribed(conn, "t", 1);
    world.cut(conn);
    world.published(publisher, "t", "hi", 1);
    let conn = world.open();
    let pipelined = b"\x10\x0d\0\x04MQTT\x04\0\0\0\0\x01c\x82\x06\0\x01\0\x01a\0\xc0\0";
    world.raw(conn, pipelined);
    let inbox = world.inbox(conn);
    assert!(matches!(&inbox[0], Packet::ConnAck(connack) if connack.session_present));
    assert_eq!(
        inbox[1..],
        [publish("t", "hi", 1, 1), suback(1, &[0]), Packet::PingResp]
    );
}

/// [MQTT311-4.1.0-2]
#[test]
fn a_session_lasts_as_long_as_its_connection() {
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.connect(
        Connect {
            keep_alive_s: 60,
            ..clean("c")
        },
        false,
    );
    world.subscribed(conn, "t", 0);
    for _ in 0..10_000 {
        world.pass(seconds(60));
        world.send(conn, &Packet::PingReq);
        world.expect(conn, &[Packet::PingResp]);
    }
    world.published(publisher, "t", "hi", 0);
    world.expect(conn, &[publish("t", "hi", 0, 1)]);
}

#[test]
fn the_observer_sees_a_connection_from_its_opening_to_its_end() {
    let mut world = World::new();
    let conn = world.clean("c");
    world.send(conn, &Packet::PingReq);
    world.disconnect(conn);
    let expected = [
        "1 opened",
        "1 > CONNECT",
        "1 < CONNACK",
        "1 > PINGREQ",
        "1 < PINGRESP",
        "1 > DISCONNECT",
        "1 closed",
    ];
    world.seen(|seen| assert_eq!(seen.packets, expected));
    world.seen(|seen| assert_eq!(seen.sessions, ["c created", "c discarded 0"]));
}
