//! Users: what each may do, and passwords that are checked elsewhere.

use bytes::Bytes;
use rstest::rstest;
use squall_broker::wire::{Connect, Packet, ReasonCode, TopicFilter};
use squall_broker::{Access, CloseReason, Config, ConnId, DropCause, Password, Rights, User};

use crate::world::*;

fn filters(filters: &[&'static str]) -> Option<Vec<TopicFilter>> {
    let filter = |filter: &&'static str| TopicFilter::new(*filter).expect("a filter");
    Some(filters.iter().map(filter).collect())
}

fn user(password: Password, rights: Rights) -> User {
    User {
        password,
        scram: None,
        rights,
    }
}

/// `reader` may only read `public/#`, `writer` only write it, and only publish
/// below its own topic; who names no user may do nothing but connect. The
/// password of `writer` is checked elsewhere.
fn world() -> World {
    let known = Password::Known(Bytes::from_static(b"right"));
    let reader = Rights::new(filters(&[]), filters(&["public/#"]));
    let writer = Rights::new(filters(&["public/+", "will/#"]), filters(&[]));
    let access = Access {
        anonymous: Some(Rights::new(filters(&[]), filters(&[]))),
        users: [
            ("admin".to_owned(), user(known.clone(), Rights::default())),
            ("reader".to_owned(), user(known, reader)),
            ("writer".to_owned(), user(Password::Checked, writer)),
        ]
        .into(),
        ..Access::default()
    };
    World::with(Config {
        access,
        ..Config::default()
    })
}

fn named(user_name: &'static str, password: &'static str) -> Connect {
    Connect {
        user_name: Some(text(user_name)),
        password: Some(Bytes::from_static(password.as_bytes())),
        ..clean(user_name)
    }
}

fn send_connect(world: &mut World, connect: Connect) -> ConnId {
    let conn = world.open();
    world.send(conn, &Packet::Connect(Box::new(connect)));
    conn
}

/// A writer whose password was found to be right.
fn writer(world: &mut World, connect: Connect) -> ConnId {
    let conn = send_connect(world, connect);
    let check = world.next_check().expect("a password to check");
    assert_eq!(check.conn, conn);
    assert_eq!(check.user_name, "writer");
    assert_eq!(check.password, Bytes::from_static(b"secret"));
    world.checked(conn, true);
    let connack = world.inbox(conn).remove(0);
    assert_eq!(connack, refusal(ReasonCode::Success));
    conn
}

/// [MQTT311-3.9.3-1]
#[rstest]
#[case(Some("reader"), &[0x00, 0x00, 0x80, 0x80, 0x80])]
#[case(Some("admin"), &[0x00, 0x00, 0x00, 0x00, 0x00])]
#[case(None, &[0x80, 0x80, 0x80, 0x80, 0x80])]
fn a_user_subscribes_only_to_what_it_may(
    #[case] user_name: Option<&'static str>,
    #[case] codes: &[u8],
) {
    let mut world = world();
    let conn = match user_name {
        Some(user_name) => world.connect(named(user_name, "right"), false),
        None => world.clean("nobody"),
    };
    let asked = ["public/a", "public/#", "#", "+/a", "private"].map(|filter| (filter, 0));
    world.send(conn, &subscribe(1, &asked));
    world.expect(conn, &[suback(1, codes)]);
}

/// [MQTT311-3.3.5-2]
#[test]
fn a_user_publishes_only_to_what_it_may_and_so_does_its_will() {
    let mut world = world();
    let admin = world.connect(named("admin", "right"), false);
    world.subscribed(admin, "#", 0);
    let connect = Connect {
        will: will("will/a", "gone", 0, false),
        ..named("writer", "secret")
    };
    let conn = writer(&mut world, connect);
    world.published(conn, "private", "no", 1);
    world.published(conn, "public/a/b", "no", 0);
    world.published(conn, "public/a", "yes", 1);
    world.expect(admin, &[publish("public/a", "yes", 0, 1)]);
    world.cut(conn);
    world.expect(admin, &[publish("will/a", "gone", 0, 1)]);

    let connect = Connect {
        will: will("private", "gone", 0, false),
        ..named("writer", "secret")
    };
    let conn = writer(&mut world, connect);
    world.cut(conn);
    world.expect(admin, &[]);
    let dropped = world.seen(|seen| seen.dropped.clone());
    let of_writer = |payload: &str| {
        let cause = DropCause::NotAuthorized;
        ("writer".to_owned(), payload.to_owned(), cause)
    };
    assert_eq!(dropped, ["no", "no", "gone"].map(of_writer));
}

/// A client need not wait for its CONNACK: what it sends before its password is
/// checked waits, and is acted upon in order.
#[test]
fn what_follows_a_connect_waits_until_its_password_is_checked() {
    let mut world = world();
    let conn = send_connect(&mut world, named("writer", "secret"));
    assert!(!world.may_read(conn), "nothing more is read meanwhile");
    world.send(conn, &publish("public/a", "one", 1, 1));
    world.send(conn, &Packet::PingReq);
    world.expect(conn, &[]);
    assert_eq!(world.next_check().expect("one").conn, conn);
    assert_eq!(world.next_check(), None, "it is asked for once");
    world.checked(conn, true);
    let accepted = refusal(ReasonCode::Success);
    world.expect(conn, &[accepted, puback(1), Packet::PingResp]);
    assert!(world.may_read(conn));
}

/// [MQTT311-3.1.4-5]
#[test]
fn a_wrong_password_is_refused_and_what_followed_is_not_looked_at() {
    let mut world = world();
    let admin = world.connect(named("admin", "right"), false);
    world.subscribed(admin, "#", 0);
    let conn = send_connect(&mut world, named("writer", "wrong"));
    world.send(conn, &publish("public/a", "one", 1, 1));
    world.checked(conn, false);
    let code = ReasonCode::BadUserNameOrPassword;
    world.expect_closed(conn, &[refusal(code)], &CloseReason::Refused(code));
    world.expect(admin, &[]);
}

#[test]
fn a_check_that_takes_too_long_is_no_harm() {
    let mut world = world();
    let conn = send_connect(&mut world, named("writer", "secret"));
    world.pass(seconds(11));
    world.expect_closed(conn, &[], &CloseReason::ConnectTimeout);
    assert_eq!(world.next_check(), None, "nobody waits for it");
    world.checked(conn, true);

    let conn = send_connect(&mut world, named("writer", "secret"));
    world.cut(conn);
    world.checked(conn, true);
    writer(&mut world, named("writer", "secret"));
}

/// Two users with one client identifier: the session is the first one's, whether
/// it is there or not.
#[rstest]
#[case::taken_up(false, true)]
#[case::taken_over(false, false)]
#[case::ended(true, true)]
fn a_session_is_taken_up_by_its_own_user_only(#[case] afresh: bool, #[case] absent: bool) {
    let mut world = world();
    let owner = world.connect(shared("admin"), false);
    world.subscribed(owner, "public/a", 1);
    if absent {
        world.cut(owner);
    }
    let other = Connect {
        clean_session: afresh,
        ..shared("reader")
    };
    let nobody = Connect {
        user_name: None,
        password: None,
        ..other.clone()
    };
    for stranger in [other, nobody] {
        let conn = send_connect(&mut world, stranger);
        let code = ReasonCode::NotAuthorized;
        world.expect_closed(conn, &[refusal(code)], &CloseReason::Refused(code));
    }
    if !absent {
        world.expect(owner, &[]);
    }
    let owner = world.connect(shared("admin"), true);
    world.published(owner, "public/a", "still mine", 1);
    world.expect(owner, &[publish("public/a", "still mine", 1, 1)]);
}

/// One user's session, whoever that is in the test, under one client identifier.
fn shared(user_name: &'static str) -> Connect {
    Connect {
        clean_session: false,
        client_id: text("shared"),
        ..named(user_name, "right")
    }
}

/// Or whoever names no user could keep users out.
#[test]
fn a_session_of_nobody_becomes_that_of_the_user_who_takes_it_up() {
    let mut world = world();
    let nobody = Connect {
        user_name: None,
        password: None,
        ..shared("")
    };
    let conn = world.connect(nobody.clone(), false);
    world.cut(conn);
    let conn = world.connect(shared("reader"), true);
    world.cut(conn);
    let conn = send_connect(&mut world, nobody);
    let code = ReasonCode::NotAuthorized;
    world.expect_closed(conn, &[refusal(code)], &CloseReason::Refused(code));
}

/// As long as there are no users, a user name is but a name.
#[test]
fn without_users_a_session_is_taken_up_under_any_name() {
    let mut world = World::new();
    let conn = world.connect(shared("admin"), false);
    world.cut(conn);
    world.connect(shared("reader"), true);
}

#[test]
fn a_session_is_its_users_after_a_restart_too() {
    let config = world().broker.config().clone();
    let mut world = World::durable(config);
    world.connect(shared("admin"), false);
    world.crash(usize::MAX);
    let conn = send_connect(&mut world, shared("reader"));
    let code = ReasonCode::NotAuthorized;
    world.expect_closed(conn, &[refusal(code)], &CloseReason::Refused(code));
    world.connect(shared("admin"), true);
}
