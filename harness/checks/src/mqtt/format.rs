//! The format of control packets: fixed header, packet identifiers, property
//! length (section 2 of both versions).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::Outcome;
use crate::packets::{self, ack, data, frame};
use squall_broker::wire::{Packet, Qos, ReasonCode};

checks! {
    "fixed-header-flags-are-checked" ["MQTT311-2.2.2-2", "MQTT5-2.1.3-1"] flags_are_checked;
    "packet-id-zero" ["MQTT311-2.3.1-1", "MQTT5-2.2.1-3"] packet_id_zero;
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
