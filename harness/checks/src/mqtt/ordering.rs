//! The order of messages (section 4.6 of both versions).

use std::num::NonZeroU16;

use crate::bench::Bench;
use crate::check::checks;
use crate::client::{Arrival, Client};
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, ack, keeps_session, properties};
use squall_broker::wire::{Ack, Connect, Delivery, Packet, Property, Publish, Qos};

checks! {
    "messages-keep-their-order" [
        "MQTT311-4.6.0-5", "MQTT311-4.6.0-6", "MQTT5-4.6.0-5", "MQTT5-4.6.0-6",
    ] keep_their_order;
    "queued-messages-keep-their-order" [
        "MQTT311-4.6.0-5", "MQTT311-4.6.0-6", "MQTT5-4.6.0-5", "MQTT5-4.6.0-6",
    ] queued;
    "resent-messages-keep-their-order" ["MQTT311-4.6.0-6", "MQTT5-4.6.0-6"] resent;
    "pubrels-follow-the-order-of-pubrecs" ["MQTT311-4.6.0-6"] pubrels;
}

/// More messages than most brokers have under way at once.
const MANY: usize = 300;

/// Fewer, yet more than a client takes at once that says so.
const SOME: usize = 40;

/// Messages that a publisher has under way at once.
const BURST: usize = 10;

/// The number in a payload.
fn number(publish: &Publish) -> Option<usize> {
    std::str::from_utf8(&publish.payload).ok()?.parse().ok()
}

/// Numbers have to ascend; at QoS 0 some may be missing.
fn ascend(qos: Qos, messages: &[Publish]) -> Outcome {
    let numbers: Vec<_> = messages.iter().filter_map(number).collect();
    let descent = numbers.windows(2).find(|pair| pair[0] >= pair[1]);
    let actual = match descent {
        Some(pair) => format!("{} before {} at QoS {}", pair[0], pair[1], qos as u8),
        None => String::new(),
    };
    let expected = "the messages of one publisher, topic and QoS in their order";
    ensure(descent.is_none(), expected, actual)
}

/// Publishes messages numbered from 1 on, some at a time.
async fn publish_all(
    publisher: &mut Client,
    topic: &str,
    qos: Qos,
    burst: usize,
    count: usize,
) -> Outcome {
    let numbers: Vec<_> = (1..=count).collect();
    for burst in numbers.chunks(burst) {
        for number in burst {
            let id = 1 + (number % 1000) as u16;
            let publish = packets::publish(topic, number.to_string(), qos, id);
            publisher.send(&Packet::Publish(publish)).await?;
        }
        let mut open = match qos {
            Qos::AtMostOnce => 0,
            _ => burst.len(),
        };
        while open > 0 {
            match publisher.packet("an acknowledgement").await? {
                Packet::PubAck(_) | Packet::PubComp(_) => open -= 1,
                Packet::PubRec(received) => {
                    let release = Packet::PubRel(ack(received.packet_id.get()));
                    publisher.send(&release).await?;
                }
                other => {
                    let actual = publisher.in_words(&Arrival::Packet(other));
                    return Err(Finding::fail("an acknowledgement", actual));
                }
            }
        }
    }
    publisher.until_ping().await?;
    Ok(())
}

/// At each QoS, to a client that acknowledges them only after all were
/// published, so that what does not fit has to wait.
async fn keep_their_order(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    let burst = BURST.min(usize::from(offered.receive_maximum));
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
        if qos > offered.maximum_qos {
            continue;
        }
        let topic = bench.topic(&format!("qos{}", qos as u8));
        let v5 = bench.is_v5();
        let takes_ten = |connect: &mut Connect| {
            if v5 {
                connect.properties = properties(NonZeroU16::new(10).map(Property::ReceiveMaximum));
            }
        };
        let mut client = bench.connect_as("client", takes_ten).await?;
        client.subscribe(&topic, qos).await?;
        let mut publisher = bench.connect("publisher").await?;
        // In 3.1.1 the broker says how many may be under way.
        let count = match qos {
            Qos::AtLeastOnce if !v5 => MANY,
            _ => SOME,
        };
        publish_all(&mut publisher, &topic, qos, burst, count).await?;
        let messages: Vec<_> = if qos == Qos::AtMostOnce {
            let came = client.until_ping().await?.into_iter();
            came.filter_map(|packet| match packet {
                Packet::Publish(publish) => Some(publish),
                _ => None,
            })
            .collect()
        } else {
            next_messages(&mut client, count).await?
        };
        ascend(qos, &messages)?;
    }
    Ok(())
}

/// While their client is away.
async fn queued(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    offered.need_qos(Qos::AtLeastOnce)?;
    let burst = BURST.min(usize::from(offered.receive_maximum));
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        if qos > offered.maximum_qos {
            continue;
        }
        let topic = bench.topic(&format!("qos{}", qos as u8));
        let mut client = bench.connect_as("client", keeps_session).await?;
        client.subscribe(&topic, qos).await?;
        client.vanish().await?;
        let mut publisher = bench.connect("publisher").await?;
        publish_all(&mut publisher, &topic, qos, burst, 20).await?;
        let mut client = bench.connect_as("client", keeps_session).await?;
        let messages = next_messages(&mut client, 20).await?;
        client.until_ping().await?;
        client.leave().await?;
        ascend(qos, &messages)?;
    }
    Ok(())
}

/// The next messages: not up to a last one, which may be the first that comes.
async fn next_messages(client: &mut Client, count: usize) -> Outcome<Vec<Publish>> {
    let mut messages = Vec::new();
    while messages.len() < count {
        messages.push(next_message(client).await?);
    }
    Ok(messages)
}

/// The next message; it and what was released before it are acknowledged.
async fn next_message(client: &mut Client) -> Outcome<Publish> {
    loop {
        match client.packet("a PUBLISH").await? {
            Packet::Publish(publish) => {
                match publish.delivery {
                    Delivery::AtMostOnce => {}
                    Delivery::AtLeastOnce(id) => client.send(&Packet::PubAck(Ack::new(id))).await?,
                    Delivery::ExactlyOnce(id) => client.send(&Packet::PubRec(Ack::new(id))).await?,
                }
                return Ok(publish);
            }
            Packet::PubRel(ack) => {
                let complete = Packet::PubComp(Ack::new(ack.packet_id));
                client.send(&complete).await?;
            }
            other => {
                let actual = client.in_words(&Arrival::Packet(other));
                return Err(Finding::fail("a PUBLISH", actual));
            }
        }
    }
}

/// What was under way when the connection broke comes again in the order in
/// which it came first.
async fn resent(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    offered.need_qos(Qos::AtLeastOnce)?;
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        if qos > offered.maximum_qos {
            continue;
        }
        let topic = bench.topic(&format!("qos{}", qos as u8));
        let mut client = bench.connect_as("client", keeps_session).await?;
        client.subscribe(&topic, qos).await?;
        let mut publisher = bench.connect("publisher").await?;
        publish_all(&mut publisher, &topic, qos, 1, 5).await?;
        client.publish().await?;
        client.until_ping().await?;
        client.vanish().await?;
        let mut client = bench.connect_as("client", keeps_session).await?;
        let mut messages = Vec::new();
        for _ in 0..5 {
            match next_message(&mut client).await {
                Err(Finding::Fail { .. }) if messages.is_empty() => return Err(not_resent()),
                message => messages.push(message?),
            }
        }
        client.until_ping().await?;
        client.leave().await?;
        ascend(qos, &messages)?;
    }
    Ok(())
}

/// What is not sent again has neither an order nor an identifier to judge, and
/// breaks another statement.
pub(super) fn not_resent() -> Finding {
    Finding::skip("packets that are sent again as soon as their client is back")
}

/// On one connection, and again on the next.
async fn pubrels(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::ExactlyOnce)?;
    let topic = bench.topic("t");
    let mut client = bench.connect_as("client", keeps_session).await?;
    client.subscribe(&topic, Qos::ExactlyOnce).await?;
    let mut publisher = bench.connect("publisher").await?;
    publish_all(&mut publisher, &topic, Qos::ExactlyOnce, 1, 3).await?;
    let mut ids = Vec::new();
    for already in 0..3 {
        let publish = client.publish_beside(already, 3).await?;
        ids.extend(publish.delivery.packet_id());
    }
    for id in &ids {
        client.send(&Packet::PubRec(ack(id.get()))).await?;
    }
    for id in &ids {
        client.pubrel(id.get()).await?;
    }
    client.vanish().await?;
    let mut client = bench.connect_as("client", keeps_session).await?;
    for (at, id) in ids.iter().enumerate() {
        match client.next().await? {
            Arrival::Packet(Packet::PubRel(ack)) if ack.packet_id == *id => {}
            Arrival::Silence if at == 0 => return Err(not_resent()),
            other => {
                let expected = format!("a PUBREL of {}", id.get());
                return Err(Finding::fail(expected, client.in_words(&other)));
            }
        }
    }
    for id in &ids {
        client.send(&Packet::PubComp(ack(id.get()))).await?;
    }
    Ok(())
}
