//! CONNACK: Session Present, and refusals (section 3.2 of both versions), with
//! what they say of sessions (section 3.1.2.4).

use std::num::{NonZeroU16, NonZeroU32};

use super::connect::{REFUSED_CONNECT_CODES, accepts_all, need_refusal, refused_connect};
use crate::bench::Bench;
use crate::check::checks;
use crate::client::Client;
use crate::finding::{Outcome, ensure};
use crate::packets::{self, RawPacket, keeps_session, properties, text};
use squall_broker::wire::{ConnAck, Connect, Packet, Property, Qos, Will};

checks! {
    "connack-comes-first" ["MQTT311-3.2.0-1", "MQTT5-3.2.0-1"] comes_first;
    "connack-flags" ["MQTT5-3.2.2-1"] flags;
    "connack-session-present" ["MQTT311-3.2.2-2", "MQTT311-3.2.2-3", "MQTT5-3.1.2-6", "MQTT5-3.2.2-3"] session_present;
    "connack-after-clean-start" ["MQTT311-3.2.2-1", "MQTT5-3.2.2-2"] after_clean_start;
    "connack-refusal-has-no-session" ["MQTT311-3.2.2-4", "MQTT5-3.2.2-6"] refusal_has_no_session;
    "connack-refusal-ends-connection" ["MQTT311-3.2.2-5", "MQTT5-3.2.2-7"] refusal_ends_connection;
    "session-outlives-connection" ["MQTT311-3.1.2-4", "MQTT311-3.1.2-5", "MQTT5-3.1.2-5"] outlives_connection;
    "connack-codes" ["MQTT311-3.2.2-6", "MQTT5-3.2.2-8"] codes;
    "connack-fits-the-client" ["MQTT5-3.2.2-19", "MQTT5-3.2.2-20"] fits;
}

fn says(connack: &ConnAck, present: bool) -> Outcome {
    ensure(
        connack.session_present == present,
        format!("CONNACK with Session Present {}", u8::from(present)),
        format!("Session Present {}", u8::from(connack.session_present)),
    )
}

/// Not for an identifier that was never used, but when it comes back.
async fn session_present(bench: Bench) -> Outcome {
    let (client, connack) = bench.connect_for("client", keeps_session).await?;
    says(&connack, false)?;
    client.vanish().await?;
    if bench.is_v5() {
        bench.deciding(&["MQTT5-3.2.2-3"]);
    } else {
        bench.deciding(&["MQTT311-3.2.2-2"]);
    }
    let (_, connack) = bench.connect_for("client", keeps_session).await?;
    says(&connack, true)
}

/// Although there is a session, it is not present to whoever starts afresh.
async fn after_clean_start(bench: Bench) -> Outcome {
    let client = bench.connect_as("client", keeps_session).await?;
    client.vanish().await?;
    let (_, connack) = bench.connect_for("client", |_| {}).await?;
    says(&connack, false)
}

/// A subscription and what it matches wait for the client, be its connection
/// gone or taken over.
async fn outlives_connection(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("a");
    let mut subscriber = bench.connect_as("subscriber", keeps_session).await?;
    subscriber.subscribe(&topic, Qos::AtLeastOnce).await?;
    subscriber.vanish().await?;
    let mut publisher = bench.connect("publisher").await?;
    publisher
        .publishes(&topic, "absent", Qos::AtLeastOnce)
        .await?;
    let mut back = bench.connect_as("subscriber", keeps_session).await?;
    let message = back.message().await?;
    ensure(
        &message.payload[..] == b"absent",
        "the message that was published meanwhile",
        format!("{:?}", message.payload),
    )?;
    // Nothing is subscribed to again.
    let taken_over = back;
    let mut again = bench.connect_as("subscriber", keeps_session).await?;
    publisher
        .publishes(&topic, "present", Qos::AtLeastOnce)
        .await?;
    let first = again.message().await?;
    // Its acknowledgement may have been lost with the connection. DUP does not
    // tell: the new message may have been on its way to the old connection.
    let last = match &first.payload[..] {
        b"absent" => again.message().await?,
        _ => first,
    };
    ensure(
        &last.payload[..] == b"present",
        "the message that was published after the takeover",
        format!("{:?}", last.payload),
    )?;
    drop(taken_over);
    match bench.is_v5() {
        true => queue_outlives_takeover(&bench).await,
        false => Ok(()),
    }
}

/// What waits for the client to acknowledge something first is there after a
/// takeover.
async fn queue_outlives_takeover(bench: &Bench) -> Outcome {
    let topic = bench.topic("b");
    let one_at_once = |connect: &mut Connect| {
        keeps_session(connect);
        let one = Property::ReceiveMaximum(NonZeroU16::MIN);
        let all: Vec<_> = connect.properties.iter().chain([one]).collect();
        connect.properties = properties(all);
    };
    let mut old = bench.connect_as("slow", one_at_once).await?;
    old.subscribe(&topic, Qos::AtLeastOnce).await?;
    let mut publisher = bench.connect("publisher").await?;
    for payload in ["first", "second"] {
        publisher
            .publishes(&topic, payload, Qos::AtLeastOnce)
            .await?;
    }
    old.publish().await?;
    let mut new = bench.connect_as("slow", one_at_once).await?;
    for payload in ["first", "second"] {
        let message = new.message().await?;
        ensure(
            message.payload == payload,
            format!("the message {payload:?} after the takeover"),
            format!("{:?}", message.payload),
        )?;
    }
    Ok(())
}

/// A connection whose CONNECT any broker refuses.
async fn refused(bench: &Bench) -> Outcome<Client> {
    need_refusal(bench).await?;
    let mut client = bench.open("client").await?;
    client.send_connect(&refused_connect(bench)).await?;
    Ok(client)
}

/// 5.0 lets a server end the connection without a CONNACK.
async fn refusal_has_no_session(bench: Bench) -> Outcome {
    let keeper = bench.connect_as("client", keeps_session).await?;
    keeper.vanish().await?;
    let mut client = refused(&bench).await?;
    // A refusal that says otherwise is no CONNACK that a server may send.
    client.refused(REFUSED_CONNECT_CODES).await
}

async fn refusal_ends_connection(bench: Bench) -> Outcome {
    let mut client = refused(&bench).await?;
    client.refused(REFUSED_CONNECT_CODES).await
}

/// Before messages that wait in the session, and the answers to what the client
/// sends without waiting.
async fn comes_first(bench: Bench) -> Outcome {
    let qos = bench.qos_up_to(Qos::AtLeastOnce).await?;
    let topic = bench.topic("t");
    let mut client = bench.connect_as("client", keeps_session).await?;
    client.subscribe(&topic, qos).await?;
    client.vanish().await?;
    let mut publisher = bench.connect("publisher").await?;
    for _ in 0..10 {
        publisher.publishes(&topic, "queued", qos).await?;
    }
    let mut connect = bench.connect_packet("client");
    keeps_session(&mut connect);
    let other = bench.topic("other");
    let subscribe = packets::subscribe(1, &[(&other, Qos::AtMostOnce)]);
    let all = [Packet::Subscribe(subscribe), Packet::PingReq]
        .map(|packet| packets::encode(&packet, bench.version()))
        .concat();
    let mut back = bench.open("client").await?;
    let connect = packets::encode_connect(&connect);
    back.send_bytes(&[connect, all].concat()).await?;
    back.connack().await.map(|_| ())
}

/// Of one that accepts, and of one that refuses.
async fn flags(bench: Bench) -> Outcome {
    let connects = [bench.connect_packet("accepted"), refused_connect(&bench)];
    for connect in connects {
        let mut client = bench.open("client").await?;
        client.send_connect(&connect).await?;
        let Some(connack) = client.packet_in_bytes().await? else {
            continue;
        };
        let flags = connack.body.first().copied().unwrap_or_default();
        ensure(
            connack.first != 0x20 || flags & 0xfe == 0,
            "CONNACK flags whose bits 7 to 1 are 0",
            format!("CONNACK flags {flags:#010b}"),
        )?;
    }
    Ok(())
}

/// The reason codes of 5.0 that refuse (section 3.2.2.2).
const CODES: [u8; 21] = [
    0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99,
    0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
];

/// Of every refusal that can be provoked. It may come without a CONNACK.
async fn codes(bench: Bench) -> Outcome {
    let valid = bench.connect_packet("client");
    let mut connects = vec![refused_connect(&bench)];
    if let Some(login) = bench.fixtures().bad_login.clone() {
        connects.push(Connect {
            user_name: Some(text(&login.user)),
            password: Some(login.password),
            ..valid.clone()
        });
    }
    if let Some(id) = bench.fixtures().denied_client_id.clone() {
        connects.push(Connect {
            client_id: text(&id),
            ..valid.clone()
        });
    }
    let will = Will {
        qos: Qos::ExactlyOnce,
        retain: true,
        ..packets::will(&bench.topic("will"), "gone")
    };
    if bench.is_v5() && bench.capabilities().await?.maximum_qos < will.qos {
        let will = Some(will);
        connects.push(Connect { will, ..valid });
    }
    let mut every_one = true;
    for connect in connects {
        let mut client = bench.open("client").await?;
        client.send_connect(&connect).await?;
        let connack = client.packet_in_bytes().await?;
        let code = connack.map(|connack| connack.body.get(1).copied().unwrap_or_default());
        // One that is accepted breaks what other checks decide.
        every_one &= code == Some(0);
        let Some(code) = code.filter(|code| *code != 0) else {
            continue;
        };
        ensure(
            match bench.is_v5() {
                true => CODES.contains(&code),
                false => (1..=5).contains(&code),
            },
            "a code that there is in CONNACK",
            format!("CONNACK with {code:#04x}"),
        )?;
    }
    match every_one {
        true => Err(accepts_all()),
        false => Ok(()),
    }
}

/// The largest packet that a client takes which is refused, in bytes.
const LIMIT: usize = 24;

async fn fits(bench: Bench) -> Outcome {
    let mut connect = refused_connect(&bench);
    let most = NonZeroU32::new(LIMIT as u32).map(Property::MaximumPacketSize);
    let all: Vec<_> = connect.properties.iter().chain(most).collect();
    connect.properties = properties(all);
    let mut client = bench.open("client").await?;
    client.send_connect(&connect).await?;
    match client.packet_in_bytes().await? {
        Some(connack) => fits_in(
            &bench,
            &connack,
            2,
            LIMIT,
            ["MQTT5-3.2.2-19", "MQTT5-3.2.2-20"],
        ),
        None => Ok(()),
    }
}

/// A packet whose properties begin at `at` takes no more than this, or fails by
/// the statement on its reason string, or on its user properties.
pub(super) fn fits_in(
    bench: &Bench,
    packet: &RawPacket,
    at: usize,
    limit: usize,
    [reason_string, user_property]: [&'static str; 2],
) -> Outcome {
    let has = |id| packet.properties_at(at).iter().any(|(one, _)| *one == id);
    bench.deciding(&match (has(0x1f), has(0x26)) {
        (true, false) => vec![reason_string],
        (false, true) => vec![user_property],
        _ => vec![reason_string, user_property],
    });
    ensure(
        packet.bytes() <= limit,
        format!("a packet of {limit} bytes at most, as the client takes"),
        format!("one of {} bytes", packet.bytes()),
    )
}
