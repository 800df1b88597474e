//! What a broker has to bear: bytes in any pieces, packets without a pause, long
//! ones, short ones, and what is no MQTT at all (sections 2, 3.1.0 and 4.2 of
//! both versions).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, encode, encode_connect, frame, keeps_session};
use squall_broker::wire::{Packet, Qos, ReasonCode};

checks! {
    "packets-byte-by-byte" ["MQTT311-7.1.1-1", "MQTT5-4.2.0-1"] byte_by_byte;
    "packets-without-a-pause" ["MQTT311-7.1.1-1", "MQTT5-4.2.0-1"] without_a_pause;
    "unfinished-connections-hold-up-nobody" ["MQTT311-7.1.1-1", "MQTT5-4.2.0-1"] unfinished;
    "packets-of-any-length" ["MQTT311-4.5.0-1", "MQTT5-4.5.0-1"] any_length;
    "no-mqtt-at-all" ["MQTT311-3.1.0-1", "MQTT5-3.1.0-1"] no_mqtt;
    "packet-that-ends-early" ["MQTT311-3.1.2-8", "MQTT5-3.1.2-7"] ends_early;
    "packets-of-the-wrong-length" ["MQTT311-4.8.0-1", "MQTT5-4.13.1-1"] wrong_length;
}

/// The longest remaining length that is tried: three bytes of it, which with the
/// first byte make a header of four.
const LONG: usize = 100_000;

/// A whole conversation, one byte at a time.
async fn byte_by_byte(bench: Bench) -> Outcome {
    let qos = bench.qos_up_to(Qos::AtLeastOnce).await?;
    let topic = bench.topic("t");
    let mut connect = bench.connect_packet("client");
    keeps_session(&mut connect);
    let mut client = bench.connect_as("client", keeps_session).await?;
    client.subscribe(&topic, qos).await?;
    client.leave().await?;
    let mut client = bench.open("client").await?;
    client.send_in_pieces(&encode_connect(&connect), 1).await?;
    client.connack().await?;
    let publish = Packet::Publish(packets::publish(&topic, "in pieces", qos, 1));
    let is_message =
        |packet: &Packet| matches!(packet, Packet::Publish(one) if one.payload == "in pieces");
    let bytes = encode(&publish, bench.version());
    client.send_in_pieces(&bytes, 1).await?;
    let what = "the message that was sent byte by byte";
    client.until(what, is_message).await?;
    let bytes = encode(&Packet::PingReq, bench.version());
    client.send_in_pieces(&bytes, 1).await?;
    let is_answer = |packet: &Packet| *packet == Packet::PingResp;
    client.until("a PINGRESP", is_answer).await?;
    Ok(())
}

/// Hundreds of small packets in one piece, each acted upon.
async fn without_a_pause(bench: Bench) -> Outcome {
    const COUNT: usize = 150;
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    client.subscribe(&topic, Qos::AtMostOnce).await?;
    let mut bytes = Vec::new();
    for number in 0..COUNT {
        let publish = packets::publish(&topic, number.to_string(), Qos::AtMostOnce, 0);
        bytes.extend(encode(&Packet::Publish(publish), bench.version()));
        bytes.extend(encode(&Packet::PingReq, bench.version()));
    }
    client.send_bytes(&bytes).await?;
    let mut answers = 0;
    while answers < COUNT {
        match client.packet("a PINGRESP for each PINGREQ").await? {
            Packet::PingResp => answers += 1,
            Packet::Publish(_) => {}
            other => {
                let came = other.name();
                return Err(Finding::fail("a PINGRESP for each PINGREQ", came));
            }
        }
    }
    Ok(())
}

/// Connections of which a byte of the CONNECT has come, while others are served;
/// then the rest comes.
async fn unfinished(bench: Bench) -> Outcome {
    let mut open = Vec::new();
    for number in 0..10 {
        let name = format!("open{number}");
        let mut client = bench.open(&name).await?;
        let bytes = encode_connect(&bench.connect_packet(&name));
        client.send_in_pieces(&bytes[..1], 1).await?;
        open.push((client, bytes));
    }
    let topic = bench.topic("t");
    let mut served = bench.connect("served").await?;
    served.subscribe(&topic, Qos::AtMostOnce).await?;
    served.publishes(&topic, "m", Qos::AtMostOnce).await?;
    served.message().await?;
    for (mut client, bytes) in open {
        client.send_bytes(&bytes[1..]).await?;
        let connack = client.connack().await?;
        ensure(
            connack.code == ReasonCode::Success,
            "a connection whose CONNECT comes in two pieces to be accepted",
            format!("CONNACK {:#04x}", connack.code as u8),
        )?;
    }
    Ok(())
}

/// Payloads whose packets have a remaining length at either side of where it
/// takes another byte, and long ones, up to what the broker says it takes.
async fn any_length(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    let qos = Qos::AtLeastOnce.min(offered.maximum_qos);
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    client.subscribe(&topic, qos).await?;
    let mut publisher = bench.connect("publisher").await?;
    // What a PUBLISH has beside its payload, behind the remaining length.
    let id_bytes = if qos == Qos::AtMostOnce { 0 } else { 2 };
    let around = 2 + topic.len() + id_bytes + usize::from(bench.is_v5());
    let most = offered
        .maximum_packet_size
        .map_or(usize::MAX, |most| most as usize);
    let mut lengths = vec![around, 127, 128, 16_383, 16_384];
    if bench.is_v5() {
        // To a client of 3.1.1 it cannot say where it ends.
        lengths.push(LONG.min(most.saturating_sub(4)));
    }
    lengths.retain(|length| length + 4 <= most);
    for remaining in lengths {
        let payload: Vec<_> = (0..remaining - around).map(|at| at as u8).collect();
        publisher.publishes(&topic, &payload, qos).await?;
        let message = client.message().await?;
        ensure(
            message.payload == payload,
            format!("a message of remaining length {remaining} as it was sent"),
            format!("another payload, of {} bytes", message.payload.len()),
        )?;
    }
    Ok(())
}

/// Other protocols, zeros, ones, and MQTT out of place: nothing is accepted, and
/// the connection ends.
async fn no_mqtt(bench: Bench) -> Outcome {
    let v5 = bench.is_v5();
    let publish = packets::publish(&bench.topic("t"), "m", Qos::AtMostOnce, 0);
    let rubbish: [(&str, Vec<u8>); 7] = [
        ("zeros", vec![0; 64]),
        ("ones", vec![0xff; 64]),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n".to_vec()),
        ("SSH", b"SSH-2.0-client\r\n".to_vec()),
        ("a PINGREQ", frame(0xc0, &[])),
        ("a DISCONNECT", frame(0xe0, if v5 { &[0] } else { &[] })),
        (
            "a PUBLISH",
            encode(&Packet::Publish(publish), bench.version()),
        ),
    ];
    for (what, bytes) in rubbish {
        let mut client = bench.open("client").await?;
        client.send_bytes(&bytes).await?;
        let codes = [ReasonCode::MalformedPacket, ReasonCode::ProtocolError];
        match client.refused(&codes).await {
            Err(Finding::Fail { expected, actual }) => {
                return Err(Finding::fail(format!("{expected} after {what}"), actual));
            }
            // What is not MQTT need not be answered by any.
            outcome => outcome?,
        }
    }
    Ok(())
}

/// The connection ends within a PUBLISH: it is not acted upon, and the will is,
/// since no DISCONNECT came.
async fn ends_early(bench: Bench) -> Outcome {
    let (topic, will) = (bench.topic("t"), bench.topic("will"));
    let mut watcher = bench.connect("watcher").await?;
    watcher.subscribe(&topic, Qos::AtMostOnce).await?;
    watcher.subscribe(&will, Qos::AtMostOnce).await?;
    let with_will = |connect: &mut squall_broker::wire::Connect| {
        connect.will = Some(packets::will(&will, "gone"));
    };
    let mut client = bench.connect_as("client", with_will).await?;
    let publish = packets::publish(&topic, "cut short", Qos::AtMostOnce, 0);
    let bytes = encode(&Packet::Publish(publish), bench.version());
    client.send_bytes(&bytes[..bytes.len() - 1]).await?;
    client.vanish().await?;
    let message = watcher.message().await?;
    ensure(
        message.topic.as_str() == will,
        "the will, and nothing of the packet that ended early",
        format!("a message of {}", message.topic),
    )?;
    watcher.until_ping_without(&topic).await
}

/// Bodies that are longer or shorter than their packets have.
async fn wrong_length(bench: Bench) -> Outcome {
    let wrong: [(&str, Vec<u8>); 6] = [
        ("a PINGREQ with a body", frame(0xc0, &[0])),
        ("a PUBACK of one byte", frame(0x40, &[0])),
        ("a SUBSCRIBE of one byte", frame(0x82, &[0])),
        ("an UNSUBSCRIBE of nothing", frame(0xa2, &[])),
        ("a PUBLISH of one byte", frame(0x30, &[0])),
        (
            "a remaining length of five bytes",
            vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x01],
        ),
    ];
    for (what, bytes) in wrong {
        let mut client = bench.connect("client").await?;
        client.send_bytes(&bytes).await?;
        let codes = [ReasonCode::MalformedPacket, ReasonCode::ProtocolError];
        match client.closed(&codes).await {
            Err(Finding::Fail { expected, actual }) => {
                return Err(Finding::fail(format!("{expected} after {what}"), actual));
            }
            outcome => outcome?,
        }
    }
    Ok(())
}
