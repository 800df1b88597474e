//! The order of messages (section 4.6 of both versions).

use crate::bench::Bench;
use crate::check::checks;
use crate::client::{Arrival, Client};
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, ack, keeps_session};
use squall_broker::wire::{Packet, Publish, Qos};

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

/// Messages of each QoS: more than most brokers have under way at once.
const MESSAGES: usize = 300;

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

/// Publishes messages of these numbers, some at a time, and the last one.
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
        let mut client = bench.connect("client").await?;
        client.subscribe(&topic, qos).await?;
        let mut publisher = bench.connect("publisher").await?;
        publish_all(&mut publisher, &topic, qos, burst, MESSAGES).await?;
        let messages: Vec<_> = if qos == Qos::AtMostOnce {
            let came = client.until_ping().await?.into_iter();
            came.filter_map(|packet| match packet {
                Packet::Publish(publish) => Some(publish),
                _ => None,
            })
            .collect()
        } else {
            publisher.publishes(&topic, "last", qos).await?;
            client.messages_until("last").await?
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
        let mut messages = Vec::new();
        // Not to the last one: it may be the first that comes.
        for _ in 0..20 {
            messages.push(next_message(&mut client).await?);
        }
        client.until_ping().await?;
        client.leave().await?;
        ascend(qos, &messages)?;
    }
    Ok(())
}

/// The next message; it and what was released before it are acknowledged.
async fn next_message(client: &mut Client) -> Outcome<Publish> {
    use squall_broker::wire::{Ack, Delivery};
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
            messages.push(next_message(&mut client).await?);
        }
        client.until_ping().await?;
        client.leave().await?;
        ascend(qos, &messages)?;
    }
    Ok(())
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
    for _ in 0..3 {
        match client.next().await? {
            Arrival::Packet(Packet::Publish(publish)) => ids.extend(publish.delivery.packet_id()),
            Arrival::Silence if !ids.is_empty() => {
                return Err(Finding::skip("three messages under way at once"));
            }
            other => return Err(Finding::fail("a PUBLISH", client.in_words(&other))),
        }
    }
    for id in &ids {
        client.send(&Packet::PubRec(ack(id.get()))).await?;
    }
    for id in &ids {
        client.pubrel(id.get()).await?;
    }
    client.vanish().await?;
    let mut client = bench.connect_as("client", keeps_session).await?;
    for id in &ids {
        client.pubrel(id.get()).await?;
    }
    for id in &ids {
        client.send(&Packet::PubComp(ack(id.get()))).await?;
    }
    Ok(())
}
