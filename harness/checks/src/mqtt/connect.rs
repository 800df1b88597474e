//! CONNECT: when it comes, and what is done with it (sections 3.1 and 3.1.4 of
//! both versions).

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Arrival;
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, text, will};
use squall_broker::wire::{Connect, Packet, Qos, ReasonCode};

checks! {
    "connect-first" ["MQTT311-3.1.0-1", "MQTT5-3.1.0-1"] connect_first;
    "connect-once" ["MQTT311-3.1.0-2", "MQTT5-3.1.0-2", "MQTT5-3.2.0-2"] connect_once;
    "connect-reserved-flag" ["MQTT311-3.1.2-3", "MQTT5-3.1.2-3"] reserved_flag;
    "connect-client-id-of-23" ["MQTT311-3.1.3-5", "MQTT5-3.1.3-5"] client_id_of_23;
    "connect-empty-client-id-unclean" ["MQTT311-3.1.3-7", "MQTT311-3.1.3-8"] empty_client_id_unclean;
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

/// Identifiers of 23 bytes that have every letter and digit between them.
async fn client_id_of_23(bench: Bench) -> Outcome {
    let letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let own = bench.client_id("");
    let room = 23_usize.saturating_sub(own.len()).max(1);
    let mut rest = letters;
    while !rest.is_empty() {
        let (some, more) = rest.split_at(room.min(rest.len()));
        let id = format!("{own}{some:0<room$}");
        let change = |connect: &mut Connect| connect.client_id = text(&id);
        bench.connect_as("client", change).await?.leave().await?;
        rest = more;
    }
    Ok(())
}

/// An empty identifier without Clean Session gets return code 2, and the
/// connection ends.
async fn empty_client_id_unclean(bench: Bench) -> Outcome {
    let mut client = bench.open("client").await?;
    let connect = Connect {
        clean_session: false,
        client_id: text(""),
        ..bench.connect_packet("client")
    };
    client.send_connect(&connect).await?;
    let connack = client.connack().await?;
    ensure(
        connack.code == ReasonCode::ClientIdentifierNotValid,
        "CONNACK with return code 2",
        format!("CONNACK that means {:?}", connack.code),
    )?;
    client.closed(&[]).await
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
