//! CONNECT: when it comes, and what is done with it (sections 3.1 and 3.1.4 of
//! both versions).

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Arrival;
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, RawPacket, frame, properties, text, variable, will};
use squall_broker::wire::{Connect, Packet, Property, Qos, ReasonCode};

checks! {
    "connect-first" ["MQTT311-3.1.0-1", "MQTT5-3.1.0-1"] connect_first;
    "connect-once" ["MQTT311-3.1.0-2", "MQTT5-3.1.0-2", "MQTT5-3.2.0-2"] connect_once;
    "connect-protocol-name" ["MQTT311-3.1.2-1", "MQTT5-3.1.2-1"] protocol_name;
    "connect-protocol-level" ["MQTT311-3.1.2-2", "MQTT5-3.1.2-2"] protocol_level;
    "connect-reserved-flag" ["MQTT311-3.1.2-3", "MQTT5-3.1.2-3"] reserved_flag;
    "connect-malformed" ["MQTT311-3.1.4-1", "MQTT5-3.1.4-1"] malformed;
    "connect-with-a-wrong-password" ["MQTT5-3.1.4-2"] wrong_password;
    "connect-is-accepted" ["MQTT311-3.1.4-4", "MQTT5-3.1.4-5"] is_accepted;
    "connect-takes-over" ["MQTT311-3.1.4-2", "MQTT5-3.1.4-3"] takes_over;
    "nothing-follows-a-refusal" ["MQTT311-3.1.4-5", "MQTT5-3.1.4-6"] nothing_follows;
}

/// Where the fields of a CONNECT are in its body.
const NAME: std::ops::Range<usize> = 2..6;
const LEVEL: usize = 6;
const FLAGS: usize = 7;
const KEEP_ALIVE: usize = 8;

/// The body of a valid CONNECT.
fn body(bench: &Bench) -> Vec<u8> {
    let bytes = packets::encode_connect(&bench.connect_packet("client"));
    let connect = RawPacket::first_of(&bytes);
    connect.map(|connect| connect.body).unwrap_or_default()
}

/// A QoS 0 PUBLISH and a SUBSCRIBE before the CONNECT, and a PINGREQ, each on a
/// connection of its own.
async fn connect_first(bench: Bench) -> Outcome {
    let topic = bench.topic("early");
    let early = [
        Packet::PingReq,
        Packet::Publish(packets::publish(&topic, "early", Qos::AtMostOnce, 0)),
        Packet::Subscribe(packets::subscribe(1, &[(&topic, Qos::AtMostOnce)])),
    ];
    for packet in early {
        let mut client = bench.open("client").await?;
        client.send(&packet).await?;
        client
            .closed(&[ReasonCode::ProtocolError, ReasonCode::MalformedPacket])
            .await?;
    }
    Ok(())
}

/// It ends the connection; 5.0 says as well that there is one CONNACK at most.
async fn connect_once(bench: Bench) -> Outcome {
    let mut client = bench.connect("client").await?;
    client.send_connect(&bench.connect_packet("client")).await?;
    if !bench.is_v5() {
        return client.closed(&[]).await;
    }
    bench.deciding(&["MQTT5-3.2.0-2"]);
    let first = client.next().await?;
    if let Arrival::Packet(Packet::ConnAck(_)) = first {
        return Err(Finding::fail("no second CONNACK", client.in_words(&first)));
    }
    bench.deciding(&["MQTT5-3.1.0-2"]);
    client.closed(&[ReasonCode::ProtocolError]).await
}

/// 3.1.1 leaves it to the broker what becomes of such a client, but for taking
/// it for one of 3.1.1.
async fn protocol_name(bench: Bench) -> Outcome {
    for name in ["MQTX", "mqtt"] {
        let mut body = body(&bench);
        body[NAME].copy_from_slice(name.as_bytes());
        let mut client = bench.open("client").await?;
        client.send_bytes(&frame(0x10, &body)).await?;
        if bench.is_v5() {
            client
                .refused(&[
                    ReasonCode::UnsupportedProtocolVersion,
                    ReasonCode::MalformedPacket,
                    ReasonCode::ProtocolError,
                ])
                .await?;
        } else if let Some(answer) = client.packet_in_bytes().await? {
            ensure(
                answer.first != 0x20 || answer.body.get(1) != Some(&0),
                format!("no client whose protocol is {name} to be served"),
                "a CONNACK accepts it",
            )?;
        }
    }
    Ok(())
}

/// 3.1.1 wants return code 1 said of it, in a CONNACK of 3.1.1.
async fn protocol_level(bench: Bench) -> Outcome {
    for level in [6, 0x7f] {
        let mut body = body(&bench);
        body[LEVEL] = level;
        let mut client = bench.open("client").await?;
        client.send_bytes(&frame(0x10, &body)).await?;
        if bench.is_v5() {
            let codes = [ReasonCode::UnsupportedProtocolVersion];
            client.refused(&codes).await?;
            continue;
        }
        let connack = client.connack().await?;
        ensure(
            connack.code == ReasonCode::UnsupportedProtocolVersion,
            format!("CONNACK with return code 1 for level {level}"),
            format!("CONNACK that means {:?}", connack.code),
        )?;
        client.closed(&[]).await?;
    }
    Ok(())
}

/// One that is cut short, one with more than its fields, and in 5.0 one with a
/// property twice. 3.1.1 wants no CONNACK, and 5.0 none that accepts it.
async fn malformed(bench: Bench) -> Outcome {
    let body = body(&bench);
    let mut variants = vec![body[..=KEEP_ALIVE].to_vec(), [&body[..], b"more"].concat()];
    if bench.is_v5() {
        let twice = [0x11, 0, 0, 0, 0].repeat(2);
        let (head, payload) = body.split_at(KEEP_ALIVE + 2);
        variants.push([head, &variable(10), &twice, &payload[1..]].concat());
    }
    for body in variants {
        let mut client = bench.open("client").await?;
        client.send_bytes(&frame(0x10, &body)).await?;
        if bench.is_v5() {
            let codes = [ReasonCode::MalformedPacket, ReasonCode::ProtocolError];
            client.refused(&codes).await?;
            continue;
        }
        match client.next().await? {
            Arrival::Ended | Arrival::Reset => {}
            other => {
                let expected = "the connection to end without a CONNACK";
                return Err(Finding::fail(expected, client.in_words(&other)));
            }
        }
    }
    Ok(())
}

async fn wrong_password(bench: Bench) -> Outcome {
    let login = bench.fixtures().bad_login.clone();
    let login = login.ok_or_else(|| Finding::skip("a login that is refused"))?;
    let mut client = bench.open("client").await?;
    let mut connect = bench.connect_packet("client");
    connect.user_name = Some(text(&login.user));
    connect.password = Some(login.password);
    client.send_connect(&connect).await?;
    client
        .refused(&[ReasonCode::BadUserNameOrPassword, ReasonCode::NotAuthorized])
        .await
}

/// A PUBLISH in the same segment as a CONNECT that any broker refuses reaches
/// nobody.
async fn nothing_follows(bench: Bench) -> Outcome {
    need_refusal(&bench).await?;
    let topic = bench.topic("t");
    let mut watcher = bench.connect("watcher").await?;
    watcher.subscribe(&topic, Qos::AtMostOnce).await?;
    let connect = refused_connect(&bench);
    let publish = packets::publish(&topic, "unwanted", Qos::AtMostOnce, 0);
    let publish = packets::encode(&Packet::Publish(publish), bench.version());
    let mut client = bench.open("client").await?;
    let both = [packets::encode_connect(&connect), publish].concat();
    client.send_bytes(&both).await?;
    client.refused(REFUSED_CONNECT_CODES).await?;
    let mut publisher = bench.connect("publisher").await?;
    publisher
        .publishes(&topic, "marker", Qos::AtMostOnce)
        .await?;
    let next = watcher.message().await?;
    ensure(
        next.payload == "marker",
        "nothing of a client that is refused",
        format!("its message {:?}", next.payload),
    )
}

/// A CONNECT that any broker refuses: of 3.1.1 one without an identifier that is
/// not clean `[MQTT311-3.1.3-8]`, of 5.0 one with an authentication method that
/// nobody knows `[MQTT5-4.12.0-1]`.
pub(super) fn refused_connect(bench: &Bench) -> Connect {
    let mut connect = bench.connect_packet("client");
    connect.clean_session = false;
    if bench.is_v5() {
        let method = Property::AuthenticationMethod(text("squall-no-such-method"));
        connect.properties = properties([method]);
    } else {
        connect.client_id = text("");
    }
    connect
}

/// Skips where that is accepted: such a broker breaks what other checks decide,
/// and shows no refusal.
pub(super) async fn need_refusal(bench: &Bench) -> Outcome {
    let mut client = bench.open("probe").await?;
    client.send_connect(&refused_connect(bench)).await?;
    let answer = client.connack().await;
    if answer.is_ok_and(|connack| !connack.code.is_failure()) {
        return Err(accepts_all());
    }
    Ok(())
}

/// There is no refusal to judge.
pub(super) fn accepts_all() -> Finding {
    Finding::skip("a CONNECT that it refuses")
}

/// What it is refused with.
pub(super) const REFUSED_CONNECT_CODES: &[ReasonCode] = &[
    ReasonCode::BadAuthenticationMethod,
    ReasonCode::NotAuthorized,
    ReasonCode::ClientIdentifierNotValid,
];

async fn reserved_flag(bench: Bench) -> Outcome {
    let mut client = bench.open("client").await?;
    let mut body = body(&bench);
    body[FLAGS] |= 0x01;
    client.send_bytes(&frame(0x10, &body)).await?;
    client
        .refused(&[ReasonCode::MalformedPacket, ReasonCode::ProtocolError])
        .await
}

/// With the shortest and the longest keep-alive, without one, and with a will.
async fn is_accepted(bench: Bench) -> Outcome {
    for keep_alive_s in [60, 0, 1, u16::MAX] {
        let change = |connect: &mut Connect| connect.keep_alive_s = keep_alive_s;
        bench.connect_as("client", change).await?.leave().await?;
    }
    let topic = bench.topic("will");
    let change = |connect: &mut Connect| connect.will = Some(will(&topic, "gone"));
    bench.connect_as("client", change).await?.leave().await
}

/// The client that was there is disconnected, and the new one is served.
async fn takes_over(bench: Bench) -> Outcome {
    let mut old = bench.connect("client").await?;
    let mut new = bench.connect("client").await?;
    old.closed(&[ReasonCode::SessionTakenOver]).await?;
    new.until_ping().await.map(|_| ())
}
