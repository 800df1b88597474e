//! The format of control packets: fixed header, packet identifiers, property
//! length (section 2 of both versions).

use std::collections::BTreeMap;

use bytes::Bytes;

use super::ordering::not_resent;
use crate::bench::Bench;
use crate::check::checks;
use crate::client::{Arrival, Client};
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, RawPacket, ack, data, frame, keeps_session, properties};
use squall_broker::wire::{Packet, Property, Qos, ReasonCode, Subscribe, SubscriptionId};

checks! {
    "variable-integers-are-short" ["MQTT5-1.5.5-1"] variable_integers;
    "fixed-header-flags-of-the-broker" ["MQTT311-2.2.2-1"] flags_of_the_broker;
    "fixed-header-flags-are-checked" ["MQTT311-2.2.2-2", "MQTT5-2.1.3-1"] flags_are_checked;
    "packet-id-zero" ["MQTT311-2.3.1-1", "MQTT5-2.2.1-3"] packet_id_zero;
    "packet-ids-of-the-broker" ["MQTT311-2.3.1-4", "MQTT5-2.2.1-4"] ids_of_the_broker;
    "no-packet-id-at-qos-0" ["MQTT311-2.3.1-5", "MQTT5-2.2.1-2"] no_id_at_qos_0;
    "acknowledgement-repeats-packet-id" ["MQTT311-2.3.1-6", "MQTT5-2.2.1-5"] acknowledgement_repeats_id;
    "suback-repeats-packet-id" ["MQTT311-2.3.1-7", "MQTT5-2.2.1-6"] suback_repeats_id;
    "property-length-missing" ["MQTT5-2.2.2-1"] property_length_missing;
}

/// Identifiers with bits set in either byte, and the first and the last.
const IDS: [u16; 4] = [1, 0x1234, 0x8001, u16::MAX];

/// Of PINGREQ and of a PUBACK that is due.
async fn flags_are_checked(bench: Bench) -> Outcome {
    let codes = &[ReasonCode::MalformedPacket, ReasonCode::ProtocolError];
    let mut client = bench.connect("client").await?;
    client.send_bytes(&[0xc1, 0x00]).await?;
    client.closed(codes).await?;

    if bench.capabilities().await?.maximum_qos < Qos::AtLeastOnce {
        return Ok(());
    }
    let topic = bench.topic("a");
    let mut subscriber = bench.connect("subscriber").await?;
    subscriber.subscribe(&topic, Qos::AtLeastOnce).await?;
    let mut publisher = bench.connect("publisher").await?;
    publisher
        .publishes(&topic, "message", Qos::AtLeastOnce)
        .await?;
    let publish = subscriber.publish().await?;
    let id = publish
        .packet_id()
        .map_or([0, 1], |id| id.get().to_be_bytes());
    subscriber.send_bytes(&frame(0x41, &id)).await?;
    subscriber.closed(codes).await
}

/// In a SUBSCRIBE, an UNSUBSCRIBE, and PUBLISH at QoS 1 and 2.
async fn packet_id_zero(bench: Bench) -> Outcome {
    let most = bench.capabilities().await?.maximum_qos;
    let filter = data(bench.topic("a"));
    let none: &[u8] = if bench.is_v5() { &[0] } else { &[] };
    let mut sent = vec![
        frame(0x82, &[&[0, 0], none, &filter, &[0]].concat()),
        frame(0xa2, &[&[0, 0], none, &filter].concat()),
    ];
    for (qos, first) in [(Qos::AtLeastOnce, 0x32), (Qos::ExactlyOnce, 0x34)] {
        if most >= qos {
            sent.push(frame(
                first,
                &[&filter[..], &[0, 0], none, b"message"].concat(),
            ));
        }
    }
    for bytes in sent {
        let mut client = bench.connect("client").await?;
        client.send_bytes(&bytes).await?;
        client
            .closed(&[ReasonCode::ProtocolError, ReasonCode::MalformedPacket])
            .await?;
    }
    Ok(())
}

/// PUBACK, PUBREC and PUBCOMP have the identifier of the PUBLISH.
async fn acknowledgement_repeats_id(bench: Bench) -> Outcome {
    let capabilities = bench.capabilities().await?;
    capabilities.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("a");
    let mut client = bench.connect("client").await?;
    for id in IDS {
        let publish = packets::publish(&topic, "message", Qos::AtLeastOnce, id);
        client.send(&Packet::Publish(publish)).await?;
        client.puback(id).await?;
        if capabilities.maximum_qos == Qos::ExactlyOnce {
            let publish = packets::publish(&topic, "message", Qos::ExactlyOnce, id);
            client.send(&Packet::Publish(publish)).await?;
            client.pubrec(id).await?;
            client.send(&Packet::PubRel(ack(id))).await?;
            client.pubcomp(id).await?;
        }
    }
    Ok(())
}

/// SUBACK and UNSUBACK have the identifier of what they answer.
async fn suback_repeats_id(bench: Bench) -> Outcome {
    let filter = bench.topic("a");
    let mut client = bench.connect("client").await?;
    for id in IDS {
        let subscribe = packets::subscribe(id, &[(&filter, Qos::AtMostOnce)]);
        client.send(&Packet::Subscribe(subscribe)).await?;
        client.suback(id).await?;
        let unsubscribe = packets::unsubscribe(id, &[&filter]);
        client.send(&Packet::Unsubscribe(unsubscribe)).await?;
        client.unsuback(id).await?;
    }
    Ok(())
}

/// A PUBLISH that ends with its topic.
async fn property_length_missing(bench: Bench) -> Outcome {
    let mut client = bench.connect("client").await?;
    let body = data(bench.topic("a"));
    client.send_bytes(&frame(0x30, &body)).await?;
    client
        .closed(&[ReasonCode::MalformedPacket, ReasonCode::ProtocolError])
        .await
}

/// Of every type of packet that has an answer.
async fn flags_of_the_broker(bench: Bench) -> Outcome {
    let most = bench.capabilities().await?.maximum_qos;
    let topic = bench.topic("t");
    let mut client = bench.open("client").await?;
    client.send_connect(&bench.connect_packet("client")).await?;
    comes(&mut client, 0x20).await?;
    let subscribe = packets::subscribe(1, &[(&topic, Qos::ExactlyOnce)]);
    client.send(&Packet::Subscribe(subscribe)).await?;
    comes(&mut client, 0x90).await?;
    client.send(&Packet::PingReq).await?;
    comes(&mut client, 0xd0).await?;
    if most >= Qos::AtLeastOnce {
        let publish = packets::publish(&bench.topic("other"), "m", Qos::AtLeastOnce, 2);
        client.send(&Packet::Publish(publish)).await?;
        comes(&mut client, 0x40).await?;
    }
    if most == Qos::ExactlyOnce {
        let publish = packets::publish(&bench.topic("other"), "m", Qos::ExactlyOnce, 3);
        client.send(&Packet::Publish(publish)).await?;
        comes(&mut client, 0x50).await?;
        client.send(&Packet::PubRel(ack(3))).await?;
        comes(&mut client, 0x70).await?;
        let mut publisher = bench.connect("publisher").await?;
        publisher.publishes(&topic, "m", Qos::ExactlyOnce).await?;
        let message = comes(&mut client, 0x30).await?;
        // The identifier is what follows the topic.
        let at = 2 + topic.len();
        if let Some(&[high, low]) = message.body.get(at..at + 2) {
            let received = ack(u16::from_be_bytes([high, low]).max(1));
            client.send(&Packet::PubRec(received)).await?;
            comes(&mut client, 0x60).await?;
        }
    }
    let unsubscribe = packets::unsubscribe(4, &[&topic]);
    client.send(&Packet::Unsubscribe(unsubscribe)).await?;
    comes(&mut client, 0xb0).await.map(|_| ())
}

/// The next packet of this type, which has the flags that it must have.
async fn comes(client: &mut Client, kind: u8) -> Outcome<RawPacket> {
    let expected = match kind {
        0x60 => 0x02,
        _ => 0x00,
    };
    while let Some(packet) = client.packet_in_bytes().await? {
        if packet.first & 0xf0 != kind {
            continue;
        }
        let flags = packet.first & 0x0f;
        ensure(
            kind == 0x30 || flags == expected,
            format!("flags {expected:#06b} in a packet of type {}", kind >> 4),
            format!("flags {flags:#06b}"),
        )?;
        return Ok(packet);
    }
    let expected = format!("a packet of type {}", kind >> 4);
    Err(Finding::fail(expected, "none came"))
}

/// Of messages that the client has not acknowledged; and in 3.1.1 they are the
/// same when it comes back.
async fn ids_of_the_broker(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("t");
    let mut client = bench.connect_as("client", keeps_session).await?;
    client.subscribe(&topic, Qos::AtLeastOnce).await?;
    let mut publisher = bench.connect("publisher").await?;
    for number in 0..MESSAGES {
        let payload = format!("{number}");
        publisher
            .publishes(&topic, payload, Qos::AtLeastOnce)
            .await?;
    }
    let sent = unacknowledged(&mut client).await?;
    match sent.len() {
        0 => return Err(Finding::fail("messages of QoS 1", "none came")),
        1 => return Err(Finding::too_few_under_way(2)),
        _ => {}
    }
    client.vanish().await?;
    if bench.is_v5() {
        return Ok(());
    }
    let mut back = bench.connect_as("client", keeps_session).await?;
    let again = unacknowledged(&mut back).await?;
    if again.is_empty() {
        return Err(not_resent());
    }
    for (payload, id) in again {
        let before = sent.get(&payload);
        ensure(
            before.is_none_or(|before| *before == id),
            format!("the packet identifier that it had before, {before:?}"),
            format!("{id}"),
        )?;
    }
    Ok(())
}

/// How many messages are under way at once, if the broker sends that many.
const MESSAGES: usize = 8;

/// The messages that come without being acknowledged, each with an identifier of
/// its own.
async fn unacknowledged(client: &mut Client) -> Outcome<BTreeMap<Bytes, u16>> {
    let mut messages = BTreeMap::new();
    while messages.len() < MESSAGES {
        let publish = match client.next().await? {
            Arrival::Packet(Packet::Publish(publish)) => publish,
            Arrival::Silence => break,
            other => {
                let expected = "messages of QoS 1";
                return Err(Finding::fail(expected, client.in_words(&other)));
            }
        };
        let id = publish.packet_id().map_or(0, |id| id.get());
        ensure(
            id > 0 && !messages.values().any(|one| *one == id),
            "a packet identifier that is not in use",
            format!("{id} again"),
        )?;
        messages.insert(publish.payload, id);
    }
    Ok(messages)
}

/// Whatever QoS they were published at.
async fn no_id_at_qos_0(bench: Bench) -> Outcome {
    let most = bench.capabilities().await?.maximum_qos;
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    client.subscribe(&topic, Qos::AtMostOnce).await?;
    let mut publisher = bench.connect("publisher").await?;
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
        if qos > most {
            break;
        }
        publisher.publishes(&topic, "payload", qos).await?;
        let message = client.publish().await?;
        ensure(
            message.qos() == Qos::AtMostOnce && message.payload == "payload",
            "a message of QoS 0 with its payload right behind its head",
            format!("{message:?}"),
        )?;
    }
    Ok(())
}

/// Those of the broker; and one of five bytes, which there is not, ends the
/// connection.
async fn variable_integers(bench: Bench) -> Outcome {
    let identifiers = bench.capabilities().await?.subscription_identifiers;
    let topic = bench.topic("t");
    let mut client = bench.open("client").await?;
    client.send_connect(&bench.connect_packet("client")).await?;
    is_shortest(&comes(&mut client, 0x20).await?, 2)?;
    let id = SubscriptionId::new(200).filter(|_| identifiers);
    let subscribe = Subscribe {
        properties: properties(id.map(Property::SubscriptionIdentifier)),
        ..packets::subscribe(1, &[(&topic, Qos::AtMostOnce)])
    };
    client.send(&Packet::Subscribe(subscribe)).await?;
    is_shortest(&comes(&mut client, 0x90).await?, 2)?;
    for payload in [&b"m"[..], &[b'x'; 200]] {
        let publish = packets::publish(&topic, payload, Qos::AtMostOnce, 0);
        client.send(&Packet::Publish(publish)).await?;
        is_shortest(&comes(&mut client, 0x30).await?, 2 + topic.len())?;
    }
    let unsubscribe = packets::unsubscribe(2, &[&topic]);
    client.send(&Packet::Unsubscribe(unsubscribe)).await?;
    is_shortest(&comes(&mut client, 0xb0).await?, 2)?;

    let five = [0x80, 0x80, 0x80, 0x80, 0x00];
    let ping = [&[0xc0], &five[..]].concat();
    let publish = frame(0x30, &[&data(&topic)[..], &five].concat());
    for bytes in [ping, publish] {
        let mut client = bench.connect("client").await?;
        client.send_bytes(&bytes).await?;
        client
            .closed(&[ReasonCode::MalformedPacket, ReasonCode::ProtocolError])
            .await?;
    }
    Ok(())
}

/// The variable byte integers of a packet whose properties begin at `at`.
fn is_shortest(packet: &RawPacket, at: usize) -> Outcome {
    let properties = packet.body.get(at..).and_then(packets::split_variable);
    let length = properties.map(|(length, _)| length.to_vec());
    let ids = packet.properties_at(at).into_iter();
    let ids = ids.filter(|(id, _)| *id == 0x0b).map(|(_, id)| id.to_vec());
    for integer in [packet.length.clone()].into_iter().chain(length).chain(ids) {
        let number = packets::number(&integer);
        ensure(
            packets::variable(number).len() == integer.len(),
            format!("{number} in as few bytes as it takes"),
            format!(
                "{} bytes in a packet of type {}",
                integer.len(),
                packet.first >> 4
            ),
        )?;
    }
    Ok(())
}
