//! AUTH and enhanced authentication (sections 3.15 and 4.12 of 5.0). What needs
//! a method that the broker speaks is tried with SCRAM-SHA-256.

use std::num::NonZeroU32;

use super::connack::fits_in;
use super::connect::refused_connect;
use crate::bench::Bench;
use crate::check::checks;
use crate::client::Client;
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{data, frame, properties, text};
use crate::scram::{METHOD, Scram};
use crate::server::Login;
use squall_broker::wire::{Auth, ConnAck, Packet, Properties, Property, ReasonCode};

checks! {
    "auth-flags" ["MQTT5-3.15.1-1"] flags;
    "auth-unlisted-code" ["MQTT5-3.15.2-1"] unlisted_code;
    "auth-fits-the-client" ["MQTT5-3.15.2-2", "MQTT5-3.15.2-3"] fits;
    "authentication-method-unknown" ["MQTT5-4.12.0-1"] method_unknown;
    "authentication-goes-on" ["MQTT5-4.12.0-2"] goes_on;
    "authentication-fails" ["MQTT5-4.12.0-4"] fails;
    "authentication-method-is-repeated" ["MQTT5-4.12.0-5"] method_is_repeated;
    "authentication-is-asked-for" ["MQTT5-4.12.0-6"] is_asked_for;
    "auth-without-a-method" ["MQTT5-4.12.0-7"] without_a_method;
    "re-authentication-by-another-method" ["MQTT5-4.12.1-1"] again_by_another_method;
    "re-authentication-fails" ["MQTT5-4.12.1-2"] again_fails;
}

/// What a client is told whom the broker does not take for who it says it is.
const NOT_SHOWN: &[ReasonCode] = &[
    ReasonCode::NotAuthorized,
    ReasonCode::BadUserNameOrPassword,
    ReasonCode::BadAuthenticationMethod,
];

/// The user that the broker knows.
fn user(bench: &Bench) -> Outcome<Login> {
    let user = bench.fixtures().scram.clone();
    user.ok_or_else(|| Finding::skip("a user of SCRAM-SHA-256"))
}

/// The same with another password.
fn impostor(bench: &Bench) -> Outcome<Login> {
    Ok(Login {
        password: "squall-wrong-password".into(),
        ..user(bench)?
    })
}

/// An AUTH of the method.
fn auth(code: ReasonCode, method: &str, said: &str) -> Packet {
    Packet::Auth(Auth {
        code,
        properties: of_method(method, said),
    })
}

fn of_method(method: &str, said: &str) -> Properties {
    properties([
        Property::AuthenticationMethod(text(method)),
        Property::AuthenticationData(said.to_owned().into()),
    ])
}

/// A client that has sent its CONNECT with its first message; nothing else shows
/// who it is.
async fn begins(bench: &Bench, scram: &Scram, more: Option<Property>) -> Outcome<Client> {
    let mut connect = bench.connect_packet("client");
    (connect.user_name, connect.password) = (None, None);
    let said = of_method(METHOD, &scram.first_message());
    connect.properties = said.iter().chain(more).collect();
    let mut client = bench.open("client").await?;
    client.send_connect(&connect).await?;
    Ok(client)
}

/// The broker's AUTH.
async fn asked(client: &mut Client) -> Outcome<Auth> {
    client
        .expect("an AUTH", |packet| match packet {
            Packet::Auth(auth) => Some(auth.clone()),
            _ => None,
        })
        .await
}

/// The client's last message.
fn last_message(scram: &Scram, asked: &Auth) -> Outcome<String> {
    let said = asked.properties.iter().find_map(|property| match property {
        Property::AuthenticationData(said) => String::from_utf8(said.to_vec()).ok(),
        _ => None,
    });
    let last = said.and_then(|said| scram.last_message(&said));
    last.ok_or_else(|| {
        let actual = format!("{:?}", asked.properties);
        Finding::fail("the server's first message of SCRAM", actual)
    })
}

/// A client that has shown who it is, as far as its CONNACK.
async fn shows(bench: &Bench) -> Outcome<(Client, ConnAck)> {
    let scram = Scram::new(user(bench)?, &bench.client_id("nonce"));
    let mut client = begins(bench, &scram, None).await?;
    let last = last_message(&scram, &asked(&mut client).await?)?;
    client
        .send(&auth(ReasonCode::ContinueAuthentication, METHOD, &last))
        .await?;
    let connack = client.connack().await?;
    ensure(
        connack.code == ReasonCode::Success,
        "a CONNACK that accepts the connection",
        format!("CONNACK that means {:?}", connack.code),
    )?;
    Ok((client, connack))
}

fn names_method(properties: &Properties) -> bool {
    let method = Property::AuthenticationMethod(text(METHOD));
    properties.iter().any(|property| property == method)
}

async fn flags(bench: Bench) -> Outcome {
    let mut client = bench.connect("client").await?;
    client.send_bytes(&[0xf1, 0x00]).await?;
    client
        .closed(&[ReasonCode::MalformedPacket, ReasonCode::ProtocolError])
        .await
}

/// 0x01, of a client that may send AUTH if there is a user who may.
async fn unlisted_code(bench: Bench) -> Outcome {
    let mut client = match user(&bench) {
        Ok(_) => shows(&bench).await?.0,
        Err(_) => bench.connect("client").await?,
    };
    let method = [&[0x15], &data(METHOD)[..]].concat();
    let body = [&[0x01, method.len() as u8], &method[..]].concat();
    client.send_bytes(&frame(0xf0, &body)).await?;
    client
        .closed(&[ReasonCode::MalformedPacket, ReasonCode::ProtocolError])
        .await
}

/// The largest packet that the client takes, in bytes.
const LIMIT: u32 = 512;

async fn fits(bench: Bench) -> Outcome {
    let scram = Scram::new(user(&bench)?, &bench.client_id("nonce"));
    let most = NonZeroU32::new(LIMIT).map(Property::MaximumPacketSize);
    let mut client = begins(&bench, &scram, most).await?;
    let statements = ["MQTT5-3.15.2-2", "MQTT5-3.15.2-3"];
    match client.packet_in_bytes().await? {
        Some(asked) => fits_in(&bench, &asked, 1, LIMIT as usize, statements),
        None => Err(Finding::fail("an AUTH", "none came")),
    }
}

async fn method_unknown(bench: Bench) -> Outcome {
    let mut client = bench.open("client").await?;
    client.send_connect(&refused_connect(&bench)).await?;
    client.refused(NOT_SHOWN).await
}

async fn goes_on(bench: Bench) -> Outcome {
    let scram = Scram::new(user(&bench)?, &bench.client_id("nonce"));
    let mut client = begins(&bench, &scram, None).await?;
    let asked = asked(&mut client).await?;
    ensure(
        asked.code == ReasonCode::ContinueAuthentication,
        "an AUTH with reason code 0x18",
        format!("reason code {:#04x}", asked.code as u8),
    )
}

async fn fails(bench: Bench) -> Outcome {
    let scram = Scram::new(impostor(&bench)?, &bench.client_id("nonce"));
    let mut client = begins(&bench, &scram, None).await?;
    let last = last_message(&scram, &asked(&mut client).await?)?;
    client
        .send(&auth(ReasonCode::ContinueAuthentication, METHOD, &last))
        .await?;
    client.refused(NOT_SHOWN).await
}

/// By the broker, in AUTH and CONNACK; and a client that names another in AUTH
/// is disconnected.
async fn method_is_repeated(bench: Bench) -> Outcome {
    let scram = Scram::new(user(&bench)?, &bench.client_id("other"));
    let mut client = begins(&bench, &scram, None).await?;
    let asked = asked(&mut client).await?;
    let actual = format!("{:?}", asked.properties);
    let expected = "an AUTH that repeats the method";
    ensure(names_method(&asked.properties), expected, actual)?;
    let last = last_message(&scram, &asked)?;
    client
        .send(&auth(
            ReasonCode::ContinueAuthentication,
            "squall-another",
            &last,
        ))
        .await?;
    client
        .refused(&[
            ReasonCode::ProtocolError,
            ReasonCode::BadAuthenticationMethod,
        ])
        .await?;
    let (_, connack) = shows(&bench).await?;
    let actual = format!("{:?}", connack.properties);
    let expected = "a CONNACK that repeats the method";
    ensure(names_method(&connack.properties), expected, actual)
}

/// A client that names no method gets no AUTH and none in CONNACK.
async fn is_asked_for(bench: Bench) -> Outcome {
    let (_, connack) = bench.connect_for("client", |_| {}).await?;
    let is_method = |property: &Property| matches!(property, Property::AuthenticationMethod(_));
    ensure(
        !connack
            .properties
            .iter()
            .any(|property| is_method(&property)),
        "a CONNACK without an authentication method",
        "it names one",
    )
}

/// To go on with, and to begin anew.
async fn without_a_method(bench: Bench) -> Outcome {
    let codes = [
        ReasonCode::ContinueAuthentication,
        ReasonCode::ReAuthenticate,
    ];
    for code in codes {
        let mut client = bench.connect("client").await?;
        client.send(&auth(code, METHOD, "")).await?;
        let codes = [
            ReasonCode::ProtocolError,
            ReasonCode::BadAuthenticationMethod,
        ];
        client.closed(&codes).await?;
    }
    Ok(())
}

async fn again_by_another_method(bench: Bench) -> Outcome {
    let (mut client, _) = shows(&bench).await?;
    let again = auth(ReasonCode::ReAuthenticate, "squall-another", "");
    client.send(&again).await?;
    client
        .closed(&[
            ReasonCode::ProtocolError,
            ReasonCode::BadAuthenticationMethod,
        ])
        .await
}

async fn again_fails(bench: Bench) -> Outcome {
    let (mut client, _) = shows(&bench).await?;
    let scram = Scram::new(impostor(&bench)?, &bench.client_id("again"));
    let first = scram.first_message();
    client
        .send(&auth(ReasonCode::ReAuthenticate, METHOD, &first))
        .await?;
    let last = last_message(&scram, &asked(&mut client).await?)?;
    client
        .send(&auth(ReasonCode::ContinueAuthentication, METHOD, &last))
        .await?;
    client.closed(NOT_SHOWN).await
}
