//! CONNECT: when it comes, and what is done with it (sections 3.1 and 3.1.4 of
//! both versions).

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Arrival;
use crate::finding::{Finding, Outcome};
use crate::packets::{self, will};
use squall_broker::wire::{Connect, Packet, Qos, ReasonCode};

checks! {
    "connect-first" ["MQTT311-3.1.0-1", "MQTT5-3.1.0-1"] connect_first;
    "connect-once" ["MQTT311-3.1.0-2", "MQTT5-3.1.0-2", "MQTT5-3.2.0-2"] connect_once;
    "connect-reserved-flag" ["MQTT311-3.1.2-3", "MQTT5-3.1.2-3"] reserved_flag;
    "connect-is-accepted" ["MQTT311-3.1.4-4", "MQTT5-3.1.4-5"] is_accepted;
    "connect-takes-over" ["MQTT311-3.1.4-2", "MQTT5-3.1.4-3"] takes_over;
}

/// Where the connect flags are in a CONNECT of less than 128 bytes.
const FLAGS: usize = 9;

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

async fn reserved_flag(bench: Bench) -> Outcome {
    let mut client = bench.open("client").await?;
    let mut bytes = packets::encode_connect(&bench.connect_packet("client"));
    bytes[FLAGS] |= 0x01;
    client.send_bytes(&bytes).await?;
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
