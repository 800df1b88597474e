//! Enhanced authentication (section 4.12).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rstest::rstest;
use sha2::{Digest as _, Sha256};
use squall_broker::wire::{
    Ack, Auth, ConnAck, Connect, Packet, Property, ReasonCode, SubscribeCode, TopicFilter,
};
use squall_broker::{
    Access, CloseReason, Config, ConnId, Entropy, Password, Rights, ScramKeys, User,
};

use super::{connect, list};
use crate::world::{World, id, publish, seconds, subscribe, text, will};

const METHOD: &str = "SCRAM-SHA-256";

/// `valley` and `office` have keys, `cellar` has only a password.
fn world() -> World {
    let user = |password: &'static str, scram: bool| User {
        password: Password::Known(Bytes::from_static(password.as_bytes())),
        scram: scram
            .then(|| ScramKeys::derive(password.as_bytes(), b"salt", ScramKeys::ITERATIONS)),
        rights: Rights::new(
            None,
            Some(vec![TopicFilter::new("own/#").expect("a filter")]),
        ),
    };
    let users = [
        ("valley".to_owned(), user("pencil", true)),
        ("office".to_owned(), user("stapler", true)),
        ("cellar".to_owned(), user("bottle", false)),
    ];
    let access = Access {
        users: users.into(),
        ..Access::default()
    };
    World::with(Config {
        access,
        ..Config::default()
    })
}

fn method(name: &str) -> Property {
    Property::AuthenticationMethod(text(name))
}

fn data(data: &str) -> Property {
    Property::AuthenticationData(data.to_owned().into())
}

fn auth(code: ReasonCode, properties: impl IntoIterator<Item = Property>) -> Packet {
    Packet::Auth(Auth {
        code,
        properties: properties.into_iter().collect(),
    })
}

fn next(said: &str) -> Packet {
    auth(
        ReasonCode::ContinueAuthentication,
        [method(METHOD), data(said)],
    )
}

/// A CONNECT that begins with this message of SCRAM.
fn beginning(client_id: &str, first: &str) -> Connect {
    Connect {
        properties: [method(METHOD), data(first)].into_iter().collect(),
        ..connect(client_id)
    }
}

fn first(user: &str) -> String {
    format!("n,,n={user},r=abc")
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The client's last message to this answer, and what the server has to say to it.
fn last(user: &str, password: &str, answer: &str) -> (String, String) {
    let parts: Vec<_> = answer.split(',').collect();
    let [nonce, salt, iterations] = parts[..] else {
        panic!("unexpected {answer}");
    };
    assert!(
        nonce.starts_with("r=abc") && nonce.len() > 5 + 20,
        "{nonce}"
    );
    let salt = BASE64.decode(&salt[2..]).expect("base64");
    let iterations = iterations[2..].parse().expect("a number");
    let mut salted = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, iterations, &mut salted);
    let client_key = hmac(&salted, "Client Key");
    let unproved = format!("c=biws,{nonce}");
    let signed = format!("n={user},r=abc,{answer},{unproved}");
    let mut proof = hmac(&Sha256::digest(client_key), &signed);
    proof
        .iter_mut()
        .zip(client_key)
        .for_each(|(byte, key)| *byte ^= key);
    let signature = hmac(&hmac(&salted, "Server Key"), &signed);
    let last = format!("{unproved},p={}", BASE64.encode(proof));
    (last, format!("v={}", BASE64.encode(signature)))
}

/// The one packet that has come is an AUTH with this code; its data.
#[track_caller]
fn asked(world: &mut World, conn: ConnId, code: ReasonCode) -> String {
    let inbox = world.inbox(conn);
    let [Packet::Auth(auth)] = &inbox[..] else {
        panic!("expected an AUTH, found {inbox:?}");
    };
    assert_eq!(auth.code, code);
    let properties = list(&auth.properties);
    // [MQTT5-4.12.0-5]
    assert_eq!(properties[0], method(METHOD));
    match &properties[1..] {
        [] => String::new(),
        [Property::AuthenticationData(data)] => {
            String::from_utf8(data.to_vec()).expect("SCRAM is text")
        }
        other => panic!("unexpected {other:?}"),
    }
}

/// Sends a CONNECT that begins to authenticate, and returns the answer.
#[track_caller]
fn begun(world: &mut World, connect: Connect) -> (ConnId, String) {
    let conn = world.open_any();
    world.send(conn, &Packet::Connect(Box::new(connect)));
    let answer = asked(world, conn, ReasonCode::ContinueAuthentication);
    (conn, answer)
}

/// A client that has shown that it knows the password of `valley`.
#[track_caller]
fn shown(world: &mut World, connect: Connect) -> ConnId {
    let (conn, answer) = begun(world, connect);
    let (last, signature) = last("valley", "pencil", &answer);
    world.send(conn, &next(&last));
    let inbox = world.inbox(conn);
    let [
        Packet::ConnAck(ConnAck {
            code, properties, ..
        }),
    ] = &inbox[..]
    else {
        panic!("expected a CONNACK, found {inbox:?}");
    };
    assert_eq!(*code, ReasonCode::Success);
    let properties = list(properties);
    let expected = [
        Property::TopicAliasMaximum(16),
        method(METHOD),
        data(&signature),
    ];
    assert_eq!(properties, expected);
    conn
}

/// [MQTT5-4.12.0-2] [MQTT5-4.12.0-5]
#[test]
fn who_knows_the_password_is_accepted_and_is_that_user() {
    let mut world = world();
    let conn = shown(&mut world, beginning("c", &first("valley")));
    world.send(conn, &subscribe(1, &[("own/a", 1), ("other", 1)]));
    let inbox = world.inbox(conn);
    let [Packet::SubAck(suback)] = &inbox[..] else {
        panic!("expected a SUBACK, found {inbox:?}");
    };
    let refused = SubscribeCode::Refused(ReasonCode::NotAuthorized);
    assert_eq!(suback.codes[1], refused);
    assert_ne!(suback.codes[0], refused);
}

/// Section 4.12: whether the client says something first depends on the method.
#[test]
fn a_client_without_data_is_asked_for_it() {
    let mut world = world();
    let connect = Connect {
        properties: [method(METHOD)].into_iter().collect(),
        ..connect("c")
    };
    let (conn, question) = begun(&mut world, connect);
    assert_eq!(question, "");
    world.send(conn, &next(&first("valley")));
    let answer = asked(&mut world, conn, ReasonCode::ContinueAuthentication);
    let (last, _) = last("valley", "pencil", &answer);
    world.send(conn, &next(&last));
    assert!(matches!(&world.inbox(conn)[..], [Packet::ConnAck(connack)]
        if connack.code == ReasonCode::Success));
}

/// [MQTT5-4.12.0-4]
#[rstest]
#[case::wrong_password("valley", "pen", None)]
#[case::no_such_user("nobody", "pencil", None)]
#[case::user_without_keys("cellar", "bottle", None)]
#[case::other_user_in_connect("valley", "pencil", Some("office"))]
fn who_does_not_show_it_is_refused(
    #[case] user: &str,
    #[case] password: &str,
    #[case] named: Option<&str>,
) {
    let mut world = world();
    let connect = Connect {
        user_name: named.map(text),
        ..beginning("c", &first(user))
    };
    let (conn, answer) = begun(&mut world, connect);
    let (last, _) = last(user, password, &answer);
    world.send(conn, &next(&last));
    expect_refused(&mut world, conn, ReasonCode::NotAuthorized);
    assert!(world.seen(|seen| seen.sessions.is_empty()));
}

#[track_caller]
fn expect_refused(world: &mut World, conn: ConnId, code: ReasonCode) {
    let refusal = Packet::ConnAck(ConnAck::refused(code));
    world.expect_closed(conn, &[refusal], &CloseReason::Refused(code));
}

#[rstest]
#[case::first("n,,r=abc")]
#[case::channel_binding("p=tls-exporter,,n=valley,r=abc")]
fn what_is_not_scram_is_refused(#[case] first: &str) {
    let mut world = world();
    let conn = world.open_any();
    world.send(conn, &Packet::Connect(Box::new(beginning("c", first))));
    expect_refused(&mut world, conn, ReasonCode::NotAuthorized);
}

/// [MQTT5-4.12.0-1]
#[rstest]
#[case::unknown("NONE", true)]
#[case::nobody_has_keys(METHOD, false)]
fn a_method_that_is_not_supported_is_refused(#[case] name: &str, #[case] with_users: bool) {
    let mut world = if with_users { world() } else { World::new() };
    let connect = Connect {
        properties: [method(name)].into_iter().collect(),
        ..connect("c")
    };
    let conn = world.open_any();
    world.send(conn, &Packet::Connect(Box::new(connect)));
    expect_refused(&mut world, conn, ReasonCode::BadAuthenticationMethod);
}

/// [MQTT5-3.1.2-30] [MQTT5-4.12.0-5]
#[rstest]
#[case::publish(publish("a", "1", 1, 1), "MQTT5-3.1.2-30")]
#[case::ping(Packet::PingReq, "MQTT5-3.1.2-30")]
#[case::connect(Packet::Connect(Box::new(connect("c"))), "MQTT5-3.1.2-30")]
#[case::again(auth(ReasonCode::ReAuthenticate, [method(METHOD)]), "MQTT5 section 4.12.1")]
#[case::other_method(
    auth(ReasonCode::ContinueAuthentication, [method("NONE")]),
    "MQTT5-4.12.0-5"
)]
fn only_its_method_goes_on_before_connack(#[case] packet: Packet, #[case] rule: &str) {
    let mut world = world();
    let (conn, _) = begun(&mut world, beginning("c", &first("valley")));
    world.send(conn, &packet);
    world.expect_refused_breach(conn, 0x82, rule);
}

#[test]
fn a_client_may_leave_or_fall_silent_while_it_authenticates() {
    let mut world = world();
    let mut leaving = beginning("c", &first("valley"));
    leaving.will = will("own/will", "gone", 0, false);
    let (conn, _) = begun(&mut world, leaving);
    world.disconnect(conn);
    world.expect_closed(conn, &[], &CloseReason::Disconnect);
    let (conn, _) = begun(&mut world, beginning("c", &first("valley")));
    world.pass(seconds(10));
    world.expect_closed(conn, &[], &CloseReason::ConnectTimeout);
    assert!(world.seen(|seen| seen.sessions.is_empty()));
}

/// [MQTT5-4.12.1-1] [MQTT5-4.12.1-2]
#[test]
fn a_client_authenticates_again_while_its_messages_flow() {
    let mut world = world();
    let conn = shown(&mut world, beginning("c", &first("valley")));
    for _ in 0..2 {
        let again = [method(METHOD), data(&first("valley"))];
        world.send(conn, &auth(ReasonCode::ReAuthenticate, again));
        let answer = asked(&mut world, conn, ReasonCode::ContinueAuthentication);
        world.send(conn, &publish("own/a", "1", 1, 7));
        let nobody = Packet::PubAck(Ack {
            code: ReasonCode::NoMatchingSubscribers,
            ..Ack::new(id(7))
        });
        world.expect(conn, &[nobody]);
        let (last, signature) = last("valley", "pencil", &answer);
        world.send(conn, &next(&last));
        assert_eq!(asked(&mut world, conn, ReasonCode::Success), signature);
    }
}

/// [MQTT5-4.12.1-2]
#[rstest]
#[case::wrong_password("valley", "pen")]
#[case::other_user("office", "stapler")]
fn who_fails_to_authenticate_again_is_disconnected(#[case] user: &str, #[case] password: &str) {
    let mut world = world();
    let conn = shown(&mut world, beginning("c", &first("valley")));
    let again = [method(METHOD), data(&first(user))];
    world.send(conn, &auth(ReasonCode::ReAuthenticate, again));
    let answer = asked(&mut world, conn, ReasonCode::ContinueAuthentication);
    let (last, _) = last(user, password, &answer);
    world.send(conn, &next(&last));
    let reason = world.expect_disconnect(conn, 0x87);
    assert_eq!(reason, CloseReason::NotShownAgain);
}

#[rstest]
#[case::other_method(
    auth(ReasonCode::ReAuthenticate, [method("NONE")]),
    "MQTT5-4.12.1-1"
)]
#[case::not_begun(next("c=biws,r=abc,p=AA=="), "MQTT5 section 4.12")]
fn an_auth_out_of_place_is_a_protocol_error(#[case] packet: Packet, #[case] rule: &str) {
    let mut world = world();
    let conn = shown(&mut world, beginning("c", &first("valley")));
    world.send(conn, &packet);
    world.expect_breach_5(conn, 0x82, rule);
}

/// [MQTT5-4.12.0-6] [MQTT5-4.12.0-7]
#[test]
fn without_a_method_there_is_no_auth() {
    let mut world = world();
    let connect = Connect {
        user_name: Some(text("valley")),
        password: Some(Bytes::from_static(b"pencil")),
        ..connect("c")
    };
    let (conn, connack) = world.accepted(connect);
    assert_eq!(list(&connack.properties), [Property::TopicAliasMaximum(16)]);
    let again = [method(METHOD), data(&first("valley"))];
    world.send(conn, &auth(ReasonCode::ReAuthenticate, again));
    world.expect_breach_5(conn, 0x82, "MQTT5-4.12.0-7");
}

/// Each nonce is another, and none is known without the entropy.
#[test]
fn the_nonce_comes_from_the_entropy() {
    let nonces = |entropy| {
        let mut config = world().broker.config().clone();
        config.entropy = entropy;
        let mut world = World::with(config);
        ["c", "d"].map(|id| begun(&mut world, beginning(id, &first("valley"))).1)
    };
    let known = nonces(Entropy::default());
    assert_eq!(known, nonces(Entropy::default()));
    assert_ne!(known[0], known[1]);
    assert_ne!(known, nonces(Entropy::new([1; 32])));
}
