//! What a client says in CONNECT that it does not take or want (sections
//! 3.1.2.11.4 to 3.1.2.11.7 of 5.0).

use std::num::{NonZeroU16, NonZeroU32};

use crate::bench::Bench;
use crate::check::checks;
use crate::client::{Arrival, Client};
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, properties};
use squall_broker::wire::{Connect, Packet, Properties, Property, Qos};

checks! {
    "messages-fit-the-client" ["MQTT5-3.1.2-24"] messages_fit;
    "message-too-large-is-discarded" ["MQTT5-3.1.2-25"] too_large_is_discarded;
    "response-information-is-asked-for" ["MQTT5-3.1.2-28"] response_information;
    "problem-information-is-declined" ["MQTT5-3.1.2-29"] problem_information;
}

/// The largest packet that the client takes, in bytes.
const LIMIT: u32 = 128;

/// A message that does not fit, whatever its topic.
fn large() -> Vec<u8> {
    vec![b'x'; LIMIT as usize]
}

/// A client that takes no larger packets, and one message at once.
async fn limited(bench: &Bench, topic: &str, qos: Qos) -> Outcome<Client> {
    let change = |connect: &mut Connect| {
        let most = NonZeroU32::new(LIMIT).map(Property::MaximumPacketSize);
        let one = Property::ReceiveMaximum(NonZeroU16::MIN);
        connect.properties = properties(most.into_iter().chain([one]));
    };
    let mut client = bench.connect_as("limited", change).await?;
    client.subscribe(topic, qos).await?;
    Ok(client)
}

/// A small message, a large one, and another small one.
async fn messages_fit(bench: Bench) -> Outcome {
    let topic = bench.topic("t");
    let mut client = limited(&bench, &topic, Qos::AtMostOnce).await?;
    let mut publisher = bench.connect("publisher").await?;
    for payload in [&b"small"[..], &large(), b"last"] {
        publisher
            .publishes(&topic, payload, Qos::AtMostOnce)
            .await?;
    }
    loop {
        let message = client.publish().await?;
        let bytes = client.last_packet_bytes();
        ensure(
            bytes <= LIMIT as usize,
            format!("packets of {LIMIT} bytes at most"),
            format!("a PUBLISH of {bytes} bytes"),
        )?;
        if message.payload == "last" {
            return Ok(());
        }
    }
}

/// It counts as delivered: the next one comes, and the connection goes on.
async fn too_large_is_discarded(bench: Bench) -> Outcome {
    let qos = bench.qos_up_to(Qos::AtLeastOnce).await?;
    let topic = bench.topic("t");
    let mut client = limited(&bench, &topic, qos).await?;
    let mut publisher = bench.connect("publisher").await?;
    for payload in [&large()[..], b"small"] {
        publisher.publishes(&topic, payload, qos).await?;
    }
    let message = client.message().await?;
    ensure(
        message.payload == "small",
        "the message after the one that is too large",
        format!("a message of {} bytes", message.payload.len()),
    )?;
    client.until_ping().await.map(|_| ())
}

/// Not by a client that says 0, nor by one that says nothing.
async fn response_information(bench: Bench) -> Outcome {
    for asked in [Some(Property::RequestResponseInformation(false)), None] {
        let change = |connect: &mut Connect| connect.properties = properties(asked);
        let (_, connack) = bench.connect_for("client", change).await?;
        let is_it = |property: &Property| matches!(property, Property::ResponseInformation(_));
        ensure(
            !connack.properties.iter().any(|property| is_it(&property)),
            "no Response Information",
            "CONNACK has it",
        )?;
    }
    Ok(())
}

/// Neither in SUBACK nor in UNSUBACK or PUBACK, of what is refused as far as
/// that can be provoked.
async fn problem_information(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    let fixtures = bench.fixtures().clone();
    let declines = Property::RequestProblemInformation(false);
    let change = |connect: &mut Connect| connect.properties = properties([declines]);
    let mut client = bench.connect_as("client", change).await?;

    let filter = fixtures
        .denied_subscribe
        .unwrap_or_else(|| bench.topic("t"));
    let subscribe = packets::subscribe(1, &[(&filter, Qos::AtMostOnce)]);
    let unsubscribe = packets::unsubscribe(2, &[&bench.topic("never")]);
    let topic = fixtures
        .denied_publish
        .unwrap_or_else(|| bench.topic("unwanted"));
    let publish = packets::publish(&topic, "m", Qos::AtLeastOnce, 3);
    let mut sent = vec![
        Packet::Subscribe(subscribe),
        Packet::Unsubscribe(unsubscribe),
    ];
    if offered.maximum_qos >= Qos::AtLeastOnce {
        sent.push(Packet::Publish(publish));
    }
    for packet in sent {
        client.send(&packet).await?;
        let answer = match client.next().await? {
            Arrival::Packet(answer) => answer,
            other => {
                let expected = format!("an answer to {}", packet.name());
                return Err(Finding::fail(expected, client.in_words(&other)));
            }
        };
        let explains = match &answer {
            Packet::SubAck(suback) => explains(&suback.properties),
            Packet::UnsubAck(unsuback) => explains(&unsuback.properties),
            Packet::PubAck(puback) => explains(&puback.properties),
            _ => false,
        };
        ensure(
            !explains,
            format!("{} without Reason String and User Property", answer.name()),
            client.in_words(&Arrival::Packet(answer)),
        )?;
    }
    Ok(())
}

fn explains(properties: &Properties) -> bool {
    let is_it = |property: Property| {
        matches!(
            property,
            Property::ReasonString(_) | Property::UserProperty(..)
        )
    };
    properties.iter().any(is_it)
}
