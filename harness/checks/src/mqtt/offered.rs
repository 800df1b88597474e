//! What the broker tells in CONNACK that it does not offer, and what becomes of
//! clients that ask for it all the same (section 3.2.2.3 of 5.0).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Finding, Outcome};
use crate::packets::{self, encode, frame};
use squall_broker::wire::{Connect, Packet, Property, Publish, Qos, ReasonCode, Will};

checks! {
    "maximum-qos-is-told" ["MQTT5-3.2.2-9"] maximum_qos_is_told;
    "subscribe-above-maximum-qos" ["MQTT5-3.2.2-10"] subscribe_above_maximum_qos;
    "publish-above-maximum-qos" ["MQTT5-3.2.2-11"] publish_above_maximum_qos;
    "will-above-maximum-qos" ["MQTT5-3.2.2-12"] will_above_maximum_qos;
    "will-retain-unavailable" ["MQTT5-3.2.2-13"] will_retain_unavailable;
    "publish-retain-unavailable" ["MQTT5-3.2.2-14"] publish_retain_unavailable;
    "publish-above-maximum-packet-size" ["MQTT5-3.2.2-15"] above_maximum_packet_size;
}

/// The largest maximum packet size that is tried, in bytes.
const PACKET_BYTES_TRIED: u32 = 1024 * 1024;

/// Whoever tells of none takes QoS 1 and 2.
async fn maximum_qos_is_told(bench: Bench) -> Outcome {
    let (mut client, connack) = bench.connect_for("client", |_| {}).await?;
    let is_limit = |property: &Property| matches!(property, Property::MaximumQos(_));
    if connack.properties.iter().any(|one| is_limit(&one)) {
        return Ok(());
    }
    let topic = bench.topic("t");
    client.publishes(&topic, "m", Qos::AtLeastOnce).await?;
    client.publishes(&topic, "m", Qos::ExactlyOnce).await
}

/// The QoS just above the maximum.
async fn above_maximum(bench: &Bench) -> Outcome<Qos> {
    match bench.capabilities().await?.maximum_qos {
        Qos::AtMostOnce => Ok(Qos::AtLeastOnce),
        Qos::AtLeastOnce => Ok(Qos::ExactlyOnce),
        Qos::ExactlyOnce => Err(Finding::skip("a Maximum QoS")),
    }
}

/// Whatever QoS is asked for, the subscription is granted, at less perhaps.
async fn subscribe_above_maximum_qos(bench: Bench) -> Outcome {
    above_maximum(&bench).await?;
    let mut client = bench.connect("client").await?;
    for (name, qos) in [
        ("0", Qos::AtMostOnce),
        ("1", Qos::AtLeastOnce),
        ("2", Qos::ExactlyOnce),
    ] {
        client.subscribe(&bench.topic(name), qos).await?;
    }
    Ok(())
}

async fn publish_above_maximum_qos(bench: Bench) -> Outcome {
    let qos = above_maximum(&bench).await?;
    let publish = packets::publish(&bench.topic("t"), "m", qos, 1);
    let mut client = bench.connect("client").await?;
    client.send(&Packet::Publish(publish)).await?;
    client
        .closed(&[ReasonCode::QosNotSupported, ReasonCode::ProtocolError])
        .await
}

async fn will_above_maximum_qos(bench: Bench) -> Outcome {
    let will = Will {
        qos: above_maximum(&bench).await?,
        ..packets::will(&bench.topic("will"), "gone")
    };
    refused(&bench, will, ReasonCode::QosNotSupported).await
}

/// A client with this will is refused.
async fn refused(bench: &Bench, will: Will, code: ReasonCode) -> Outcome {
    let connect = Connect {
        will: Some(will),
        ..bench.connect_packet("client")
    };
    let mut client = bench.open("client").await?;
    client.send_connect(&connect).await?;
    client.refused(&[code, ReasonCode::ProtocolError]).await
}

async fn needs_no_retain(bench: &Bench) -> Outcome {
    match bench.capabilities().await?.retain {
        true => Err(Finding::skip("a Retain Available of 0")),
        false => Ok(()),
    }
}

async fn will_retain_unavailable(bench: Bench) -> Outcome {
    needs_no_retain(&bench).await?;
    let will = Will {
        retain: true,
        ..packets::will(&bench.topic("will"), "gone")
    };
    refused(&bench, will, ReasonCode::RetainNotSupported).await
}

async fn publish_retain_unavailable(bench: Bench) -> Outcome {
    needs_no_retain(&bench).await?;
    let publish = Publish {
        retain: true,
        ..packets::publish(&bench.topic("t"), "m", Qos::AtMostOnce, 0)
    };
    let mut client = bench.connect("client").await?;
    client.send(&Packet::Publish(publish)).await?;
    client
        .closed(&[ReasonCode::RetainNotSupported, ReasonCode::ProtocolError])
        .await
}

/// By one byte.
async fn above_maximum_packet_size(bench: Bench) -> Outcome {
    let most = bench.capabilities().await?.maximum_packet_size;
    let Some(most) = most.filter(|most| *most <= PACKET_BYTES_TRIED) else {
        return Err(Finding::skip("a Maximum Packet Size of 1 MiB at most"));
    };
    let empty = packets::publish(&bench.topic("t"), "", Qos::AtMostOnce, 0);
    let head = encode(&Packet::Publish(empty), bench.version())[2..].to_vec();
    let wanted = most as usize + 1;
    let sized = |payload: usize| frame(0x30, &[&head[..], &vec![b'x'; payload]].concat());
    // However many bytes the remaining length takes.
    let fixed = (2..=5).map(|header| wanted.saturating_sub(head.len() + header));
    let Some(bytes) = fixed.map(sized).find(|bytes| bytes.len() == wanted) else {
        return Err(Finding::skip(
            "a Maximum Packet Size that a PUBLISH can exceed by one",
        ));
    };
    let mut client = bench.connect("client").await?;
    client.send_bytes(&bytes).await?;
    client.closed(&[ReasonCode::PacketTooLarge]).await
}
