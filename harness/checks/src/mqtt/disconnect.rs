//! DISCONNECT (section 3.14 of both versions).

use std::num::NonZeroU32;

use super::connack::fits_in;
use super::connect::refused_connect;
use crate::bench::Bench;
use crate::check::checks;
use crate::client::{Arrival, Client};
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, RawPacket, data, frame, properties, will};
use squall_broker::wire::{Connect, Packet, Property, Qos, ReasonCode};

checks! {
    "disconnect-not-before-connack" ["MQTT5-3.14.0-1"] not_before_connack;
    "disconnect-flags" ["MQTT311-3.14.1-1", "MQTT5-3.14.1-1"] flags;
    "disconnect-unlisted-code" ["MQTT5-3.14.2-1"] unlisted_code;
    "disconnect-has-no-session-expiry" ["MQTT5-3.14.2-2"] no_session_expiry;
    "disconnect-fits-the-client" ["MQTT5-3.14.2-3", "MQTT5-3.14.2-4"] fits;
    "disconnect-is-the-last-packet" ["MQTT5-3.14.4-1"] is_the_last_packet;
    "disconnect-ends-connection" ["MQTT5-3.14.4-2"] ends_connection;
    "disconnect-removes-will" ["MQTT311-3.14.4-3", "MQTT5-3.14.4-3"] removes_will;
}

async fn flags(bench: Bench) -> Outcome {
    let mut client = bench.connect("client").await?;
    client.send_bytes(&[0xe1, 0x00]).await?;
    client.closed(&[ReasonCode::MalformedPacket]).await
}

/// Reason code 0x03, which there is in no packet.
async fn unlisted_code(bench: Bench) -> Outcome {
    let mut client = bench.connect("client").await?;
    client.send_bytes(&[0xe0, 0x01, 0x03]).await?;
    client
        .closed(&[ReasonCode::MalformedPacket, ReasonCode::ProtocolError])
        .await
}

/// Once the same client is back and has published to the will's topic, its will
/// would have come before.
async fn removes_will(bench: Bench) -> Outcome {
    let topic = bench.topic("will");
    let mut watcher = bench.connect("watcher").await?;
    watcher.subscribe(&topic, Qos::AtMostOnce).await?;
    let change = |connect: &mut Connect| connect.will = Some(will(&topic, "gone"));
    bench.connect_as("client", change).await?.leave().await?;
    let mut back = bench.connect("client").await?;
    back.publishes(&topic, "back", Qos::AtMostOnce).await?;
    let (before, _) = watcher
        .until(
            "the message that the client publishes later",
            |packet| matches!(packet, Packet::Publish(publish) if &publish.payload[..] == b"back"),
        )
        .await?;
    match before.first() {
        None => Ok(()),
        Some(_) => Err(Finding::fail(
            "no will of a client that sent DISCONNECT",
            "its will was published",
        )),
    }
}

/// Neither to what is no CONNECT, nor to one that is malformed or refused.
async fn not_before_connack(bench: Bench) -> Outcome {
    let refused = packets::encode_connect(&refused_connect(&bench));
    let malformed = frame(0x10, &[&data("MQTT")[..], &[5, 0x03]].concat());
    let ping = vec![0xc0, 0x00];
    for bytes in [refused, malformed, ping] {
        let mut client = bench.open("client").await?;
        client.send_bytes(&bytes).await?;
        if let Arrival::Packet(packet @ Packet::Disconnect(_)) = client.next().await? {
            let actual = client.in_words(&Arrival::Packet(packet));
            return Err(Finding::fail("no DISCONNECT before CONNACK", actual));
        }
    }
    Ok(())
}

/// A client that has sent a second CONNECT, which has the broker end its
/// connection.
async fn violator(bench: &Bench, change: impl FnOnce(&mut Connect)) -> Outcome<Client> {
    let mut client = bench.connect_as("client", change).await?;
    client.send_connect(&bench.connect_packet("client")).await?;
    Ok(client)
}

/// The DISCONNECT that the broker sends; none if it ends the connection without.
async fn farewell(client: &mut Client) -> Outcome<Option<RawPacket>> {
    while let Some(packet) = client.packet_in_bytes().await? {
        if packet.first >> 4 == 14 {
            return Ok(Some(packet));
        }
    }
    Ok(None)
}

/// In that of a violation, and of a takeover.
async fn no_session_expiry(bench: Bench) -> Outcome {
    let violator = violator(&bench, |_| {}).await?;
    let taken_over = bench.connect("another").await?;
    let _new = bench.connect("another").await?;
    for mut client in [violator, taken_over] {
        let Some(disconnect) = farewell(&mut client).await? else {
            continue;
        };
        let has = disconnect
            .properties_at(1)
            .iter()
            .any(|(id, _)| *id == 0x11);
        let expected = "a DISCONNECT without Session Expiry Interval";
        ensure(!has, expected, "it has one")?;
    }
    Ok(())
}

/// The largest packet that the client takes, in bytes.
const LIMIT: u32 = 64;

async fn fits(bench: Bench) -> Outcome {
    let most = NonZeroU32::new(LIMIT).map(Property::MaximumPacketSize);
    let change = |connect: &mut Connect| connect.properties = properties(most);
    let mut client = violator(&bench, change).await?;
    let statements = ["MQTT5-3.14.2-3", "MQTT5-3.14.2-4"];
    match farewell(&mut client).await? {
        Some(disconnect) => fits_in(&bench, &disconnect, 1, LIMIT as usize, statements),
        None => Ok(()),
    }
}

/// Although the client has more that is to be answered, and messages are on
/// their way to it.
async fn is_the_last_packet(bench: Bench) -> Outcome {
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    client.subscribe(&topic, Qos::AtMostOnce).await?;
    let publish = packets::publish(&topic, "m", Qos::AtMostOnce, 0);
    let traffic = [Packet::Publish(publish), Packet::PingReq]
        .map(|packet| packets::encode(&packet, bench.version()))
        .concat();
    let again = packets::encode_connect(&bench.connect_packet("client"));
    client
        .send_bytes(&[&traffic[..], &again, &traffic].concat())
        .await?;
    if farewell(&mut client).await?.is_none() {
        return Ok(());
    }
    match client.next().await? {
        Arrival::Packet(packet) => {
            let actual = client.in_words(&Arrival::Packet(packet));
            Err(Finding::fail("nothing after DISCONNECT", actual))
        }
        _ => Ok(()),
    }
}

async fn ends_connection(bench: Bench) -> Outcome {
    let mut client = violator(&bench, |_| {}).await?;
    match farewell(&mut client).await? {
        Some(_) => client.closed(&[]).await,
        None => Ok(()),
    }
}
