//! PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7): their flags, and
//! the reason codes of 5.0.

use bytes::Bytes;

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Client;
use crate::finding::Outcome;
use crate::packets::{self, ack, frame, properties};
use squall_broker::wire::{Packet, PayloadFormat, Property, Publish, Qos, ReasonCode};

checks! {
    "puback-codes-are-its-own" ["MQTT5-3.4.2-1"] puback_codes;
    "pubrec-codes-are-its-own" ["MQTT5-3.5.2-1"] pubrec_codes;
    "pubrel-flags" ["MQTT311-3.6.1-1", "MQTT5-3.6.1-1"] pubrel_flags;
    "pubrel-codes-are-its-own" ["MQTT5-3.6.2-1"] pubrel_codes;
    "pubcomp-codes-are-its-own" ["MQTT5-3.7.2-1"] pubcomp_codes;
}

async fn puback_codes(bench: Bench) -> Outcome {
    received_codes(&bench, Qos::AtLeastOnce).await
}

async fn pubrec_codes(bench: Bench) -> Outcome {
    received_codes(&bench, Qos::ExactlyOnce).await
}

/// Messages that somebody subscribes to, that nobody does, that are no UTF-8
/// though they say so, and that are not allowed, if it is known what is not.
async fn received_codes(bench: &Bench, qos: Qos) -> Outcome {
    bench.capabilities().await?.need_qos(qos)?;
    let wanted = bench.topic("wanted");
    let mut watcher = bench.connect("watcher").await?;
    watcher.subscribe(&wanted, Qos::AtMostOnce).await?;
    let ill_formed = Publish {
        payload: Bytes::from_static(b"\xc3\x28"),
        properties: properties([Property::PayloadFormatIndicator(PayloadFormat::Utf8)]),
        ..packets::publish(&wanted, "", qos, 1)
    };
    let mut each = vec![
        packets::publish(&wanted, "m", qos, 1),
        packets::publish(&bench.topic("unwanted"), "m", qos, 1),
        ill_formed,
    ];
    if let Some(denied) = &bench.fixtures().denied_publish {
        each.push(packets::publish(denied, "m", qos, 1));
    }
    for publish in each {
        let mut client = bench.connect("client").await?;
        until_answered(&mut client, &Packet::Publish(publish)).await?;
    }
    Ok(())
}

/// Reads what answers a packet: the decoder takes no codes but those that are
/// listed. That none comes is for other checks to find; with some packets it may
/// be left out, or the connection ended.
async fn until_answered(client: &mut Client, packet: &Packet) -> Outcome {
    client.send(packet).await?;
    if !matches!(packet, Packet::Publish(_)) {
        client.send(&Packet::PingReq).await?;
    }
    client.next().await?;
    Ok(())
}

/// In the middle of a handshake. And those of the broker, which the decoder
/// takes with the right flags only.
async fn pubrel_flags(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::ExactlyOnce)?;
    let topic = bench.topic("t");
    for first in [0x60, 0x63] {
        let mut client = bench.connect("client").await?;
        let publish = packets::publish(&topic, "m", Qos::ExactlyOnce, 1);
        client.send(&Packet::Publish(publish)).await?;
        client.pubrec(1).await?;
        client.send_bytes(&frame(first, &[0, 1])).await?;
        let codes = [ReasonCode::MalformedPacket, ReasonCode::ProtocolError];
        let closed = client.closed(&codes).await;
        closed.map_err(|finding| finding.after(&format!("PUBREL {first:#04x}")))?;
    }
    delivers(&bench, &topic).await
}

/// A message of QoS 2 to a client that completes the handshake.
async fn delivers(bench: &Bench, topic: &str) -> Outcome {
    let mut publisher = bench.connect("publisher").await?;
    let mut client = bench.connect("subscriber").await?;
    client.subscribe(topic, Qos::ExactlyOnce).await?;
    publisher.publishes(topic, "m", Qos::ExactlyOnce).await?;
    client.message().await?;
    Ok(())
}

/// In answer to an identifier that is known and to one that is not.
async fn pubrel_codes(bench: Bench) -> Outcome {
    if bench.capabilities().await?.maximum_qos == Qos::ExactlyOnce {
        delivers(&bench, &bench.topic("t")).await?;
    }
    let mut client = bench.connect("client").await?;
    until_answered(&mut client, &Packet::PubRec(ack(7))).await
}

/// The same.
async fn pubcomp_codes(bench: Bench) -> Outcome {
    let mut client = bench.connect("client").await?;
    if bench.capabilities().await?.maximum_qos == Qos::ExactlyOnce {
        let topic = bench.topic("t");
        client.publishes(&topic, "m", Qos::ExactlyOnce).await?;
    }
    until_answered(&mut client, &Packet::PubRel(ack(7))).await
}
