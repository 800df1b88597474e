//! DISCONNECT (section 3.14 of both versions).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Finding, Outcome};
use crate::packets::will;
use squall_broker::wire::{Connect, Packet, Qos, ReasonCode};

checks! {
    "disconnect-flags" ["MQTT311-3.14.1-1", "MQTT5-3.14.1-1"] flags;
    "disconnect-unlisted-code" ["MQTT5-3.14.2-1"] unlisted_code;
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
