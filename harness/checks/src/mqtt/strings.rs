//! Strings (sections 1.5.3 of 3.1.1, 1.5.4 and 1.5.7 of 5.0).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Outcome, ensure};
use crate::packets::{self, data, frame, properties, text, variable};
use squall_broker::wire::{Packet, Property, Qos, ReasonCode};

checks! {
    "string-ill-formed" ["MQTT311-1.5.3-1", "MQTT5-1.5.4-1"] ill_formed;
    "string-with-nul" ["MQTT311-1.5.3-2", "MQTT5-1.5.4-2"] nul;
    "string-byte-order-mark" ["MQTT311-1.5.3-3", "MQTT5-1.5.4-3"] bom;
    "string-pair-ill-formed" ["MQTT5-1.5.7-1"] ill_formed_pair;
}

/// What ends the connection of a client that sends such a string.
const CODES: &[ReasonCode] = &[
    ReasonCode::MalformedPacket,
    ReasonCode::ProtocolError,
    ReasonCode::TopicNameInvalid,
    ReasonCode::TopicFilterInvalid,
];

/// A continuation that is missing, a surrogate, and an overlong form, each in a
/// topic name and in a filter.
async fn ill_formed(bench: Bench) -> Outcome {
    let variants: [(&str, &[u8]); 3] = [
        ("C3 28", &[0xc3, 0x28]),
        ("the surrogate ED A0 80", &[0xed, 0xa0, 0x80]),
        ("the overlong C0 AF", &[0xc0, 0xaf]),
    ];
    for (what, bytes) in variants {
        ends_connection(&bench, what, bytes).await?;
    }
    Ok(())
}

async fn nul(bench: Bench) -> Outcome {
    ends_connection(&bench, "U+0000", &[0]).await
}

/// Bytes in a topic name, then in a filter, end the connection.
async fn ends_connection(bench: &Bench, what: &str, bytes: &[u8]) -> Outcome {
    let string = data([bench.topic("a").as_bytes(), bytes].concat());
    let none: &[u8] = if bench.is_v5() { &[0] } else { &[] };
    let publish = frame(0x30, &[&string, none, b"message"].concat());
    let subscribe = frame(0x82, &[&[0, 1], none, &string, &[0]].concat());
    for (place, packet) in [("a topic name", publish), ("a filter", subscribe)] {
        let mut client = bench.connect("client").await?;
        client.send_bytes(&packet).await?;
        client
            .closed(CODES)
            .await
            .map_err(|finding| finding.after(&format!("{what} in {place}")))?;
    }
    Ok(())
}

/// In the name of a user property, then in its value.
async fn ill_formed_pair(bench: Bench) -> Outcome {
    let bad: &[u8] = &[0xc3, 0x28];
    for (what, name, value) in [("name", bad, &b"value"[..]), ("value", b"name", bad)] {
        let property = [&[0x26], &data(name)[..], &data(value)].concat();
        let length = variable(property.len() as u32);
        let topic = data(bench.topic("a"));
        let body = [&topic[..], &length, &property, b"message"].concat();
        let mut client = bench.connect("client").await?;
        client.send_bytes(&frame(0x30, &body)).await?;
        client
            .closed(CODES)
            .await
            .map_err(|finding| finding.after(&format!("C3 28 in a pair's {what}")))?;
    }
    Ok(())
}

/// U+FEFF is a character like any other: at the beginning of a topic it makes
/// another topic, and in 5.0 it stays in a user property.
async fn bom(bench: Bench) -> Outcome {
    let topic = bench.topic("t");
    let marked = format!("\u{feff}{topic}");
    let mut watcher = bench.connect("watcher").await?;
    watcher.subscribe(&topic, Qos::AtMostOnce).await?;
    let mut client = bench.connect("client").await?;
    client.subscribe(&marked, Qos::AtMostOnce).await?;
    let pair = || Property::UserProperty(text("\u{feff}name"), text("\u{feff}value"));
    let mut publish = packets::publish(&marked, "m", Qos::AtMostOnce, 0);
    if bench.is_v5() {
        publish.properties = properties([pair()]);
    }
    let mut publisher = bench.connect("publisher").await?;
    publisher.send(&Packet::Publish(publish)).await?;
    let came = client.publish().await?;
    let kept = !bench.is_v5() || came.properties.iter().any(|property| property == pair());
    ensure(
        came.topic.as_str() == marked && kept,
        "EF BB BF where it was",
        format!(
            "topic {:?} and properties {:?}",
            came.topic, came.properties
        ),
    )?;
    publisher
        .publishes(&topic, "marker", Qos::AtMostOnce)
        .await?;
    let next = watcher.publish().await?;
    ensure(
        next.payload == "marker",
        "no message for a filter without EF BB BF",
        format!("the message {:?}", next.payload),
    )
}
