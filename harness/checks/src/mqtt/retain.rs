//! The RETAIN flag of PUBLISH (section 3.3.1.3 of both versions).

use std::collections::BTreeSet;

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Client;
use crate::finding::{Outcome, ensure};
use crate::packets::{self, subscribe};
use squall_broker::wire::{Packet, Publish, Qos, RetainHandling};

checks! {
    "retained-is-stored" ["MQTT311-3.3.1-5", "MQTT5-3.3.1-5"] is_stored;
    "retained-of-each-topic" ["MQTT311-3.3.1-6"] of_each_topic;
    "retained-gives-way-to-qos-0" ["MQTT311-3.3.1-7", "MQTT5-3.3.1-5"] gives_way_to_qos_0;
    "retained-has-retain-set" ["MQTT311-3.3.1-8"] has_retain_set;
    "retain-is-cleared-for-established" ["MQTT311-3.3.1-9", "MQTT5-3.3.1-12"] is_cleared;
    "retained-is-removed-by-empty" ["MQTT311-3.3.1-10", "MQTT5-3.3.1-6"] removed_by_empty;
    "empty-is-not-retained" ["MQTT311-3.3.1-11", "MQTT5-3.3.1-7"] empty_is_not_retained;
    "retained-stays-without-retain" ["MQTT311-3.3.1-12", "MQTT5-3.3.1-8"] stays;
    "retain-handling-0" ["MQTT5-3.3.1-9"] handling_0;
    "retain-handling-1" ["MQTT5-3.3.1-10"] handling_1;
    "retain-handling-2" ["MQTT5-3.3.1-11"] handling_2;
    "retain-as-published" ["MQTT5-3.3.1-13"] as_published;
}

/// Every quality of service, from the lowest.
const EACH_QOS: [Qos; 3] = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];

/// A publisher, and the highest QoS it may use; skips without retained messages.
async fn publisher(bench: &Bench) -> Outcome<(Client, Qos)> {
    let offered = bench.capabilities().await?;
    offered.need_retain()?;
    Ok((bench.connect("publisher").await?, offered.maximum_qos))
}

/// A new client subscribes and has this retained message.
async fn finds(bench: &Bench, topic: &str, payload: &str) -> Outcome<Publish> {
    let mut client = bench.connect("client").await?;
    client.subscribe(topic, Qos::ExactlyOnce).await?;
    let message = client.message().await?;
    let actual = format!("{:?}", message.payload);
    ensure(
        message.payload == *payload,
        format!("{payload:?} retained"),
        actual,
    )?;
    Ok(message)
}

/// A new client subscribes and has none.
async fn finds_none(bench: &Bench, topic: &str) -> Outcome {
    let mut client = bench.connect("client").await?;
    client.subscribe(topic, Qos::ExactlyOnce).await?;
    client.until_ping_without(topic).await
}

/// In place of what was; at QoS 1 and 2, since one of QoS 0 may be discarded at
/// any time. 3.1.1 has its QoS stored, too.
async fn is_stored(bench: Bench) -> Outcome {
    let (mut publisher, most) = publisher(&bench).await?;
    for qos in EACH_QOS
        .into_iter()
        .filter(|qos| *qos <= most && *qos > Qos::AtMostOnce)
    {
        let topic = bench.topic(&format!("{}", qos as u8));
        for payload in ["old", "new"] {
            publisher.retains(&topic, payload, qos).await?;
        }
        let came = finds(&bench, &topic, "new").await?.qos();
        let expected = format!("QoS {}, as it was published", qos as u8);
        ensure(
            bench.is_v5() || came == qos,
            expected,
            format!("QoS {}", came as u8),
        )?;
    }
    Ok(())
}

async fn of_each_topic(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    offered.need_wildcards()?;
    offered.need_qos(Qos::AtLeastOnce)?;
    let (mut publisher, _) = publisher(&bench).await?;
    for (name, payload) in [("a", "a"), ("b", "old"), ("b", "b"), ("c/d", "d")] {
        publisher
            .retains(&bench.topic(name), payload, Qos::AtLeastOnce)
            .await?;
    }
    let mut client = bench.connect("client").await?;
    client
        .subscribe(&bench.topic("#"), Qos::AtLeastOnce)
        .await?;
    let mut missing = BTreeSet::from(["a", "b", "d"].map(str::as_bytes));
    while !missing.is_empty() {
        let message = client.message().await?;
        ensure(
            missing.remove(&*message.payload),
            "the last retained message of each topic, once",
            format!("{:?} of {:?}", message.payload, message.topic),
        )?;
    }
    Ok(())
}

/// The new one may be there or not, but never the old one.
async fn gives_way_to_qos_0(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let (mut publisher, _) = publisher(&bench).await?;
    let topic = bench.topic("t");
    publisher.retains(&topic, "old", Qos::AtLeastOnce).await?;
    publisher.retains(&topic, "new", Qos::AtMostOnce).await?;
    publisher.until_ping().await?;
    let mut client = bench.connect("client").await?;
    client.subscribe(&topic, Qos::ExactlyOnce).await?;
    for packet in client.until_ping().await? {
        if let Packet::Publish(message) = packet {
            ensure(
                message.payload != "old",
                "nothing retained but the message of QoS 0",
                "the message that it replaced came",
            )?;
        }
    }
    Ok(())
}

async fn has_retain_set(bench: Bench) -> Outcome {
    let (mut publisher, most) = publisher(&bench).await?;
    for qos in EACH_QOS
        .into_iter()
        .filter(|qos| *qos <= most && *qos > Qos::AtMostOnce)
    {
        let topic = bench.topic(&format!("{}", qos as u8));
        publisher.retains(&topic, "m", qos).await?;
        let message = finds(&bench, &topic, "m").await?;
        ensure(message.retain, "RETAIN 1 on a retained message", "RETAIN 0")?;
    }
    Ok(())
}

async fn is_cleared(bench: Bench) -> Outcome {
    let (mut publisher, _) = publisher(&bench).await?;
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    client.subscribe(&topic, Qos::AtMostOnce).await?;
    publisher.retains(&topic, "m", Qos::AtMostOnce).await?;
    let message = client.message().await?;
    ensure(
        !message.retain,
        "RETAIN 0 to an established subscription",
        "RETAIN 1",
    )
}

/// And the empty message is passed on like any other.
async fn removed_by_empty(bench: Bench) -> Outcome {
    let (mut publisher, _) = publisher(&bench).await?;
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    client.subscribe(&topic, Qos::AtMostOnce).await?;
    for payload in ["m", ""] {
        publisher.retains(&topic, payload, Qos::AtMostOnce).await?;
        let message = client.message().await?;
        let actual = format!("{:?}", message.payload);
        ensure(
            message.payload == *payload,
            format!("{payload:?} passed on"),
            actual,
        )?;
    }
    finds_none(&bench, &topic).await
}

async fn empty_is_not_retained(bench: Bench) -> Outcome {
    let (mut publisher, _) = publisher(&bench).await?;
    let topic = bench.topic("t");
    publisher.retains(&topic, "", Qos::AtMostOnce).await?;
    publisher.until_ping().await?;
    finds_none(&bench, &topic).await
}

/// Neither a message without RETAIN nor an empty one alters what is retained.
async fn stays(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let (mut publisher, _) = publisher(&bench).await?;
    let topic = bench.topic("t");
    publisher.retains(&topic, "kept", Qos::AtLeastOnce).await?;
    for payload in ["other", ""] {
        publisher
            .publishes(&topic, payload, Qos::AtLeastOnce)
            .await?;
        finds(&bench, &topic, "kept").await?;
    }
    Ok(())
}

/// Subscribes with a retain handling, and says whether the message came that is
/// retained.
async fn comes(client: &mut Client, topic: &str, handling: RetainHandling) -> Outcome<bool> {
    let id = client.next_id();
    let mut packet = subscribe(id, &[(topic, Qos::AtMostOnce)]);
    packet.subscriptions[0].options.retain_handling = handling;
    client.subscribe_with(&packet).await?;
    let before = client.until_ping().await?;
    Ok(before
        .iter()
        .any(|packet| matches!(packet, Packet::Publish(_))))
}

async fn handling(bench: &Bench, handling: RetainHandling, right: &[bool]) -> Outcome<Client> {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let (mut publisher, _) = publisher(bench).await?;
    let topic = bench.topic("t");
    publisher.retains(&topic, "m", Qos::AtLeastOnce).await?;
    let mut client = bench.connect("client").await?;
    for (time, right) in right.iter().enumerate() {
        let expected = match right {
            true => "the retained message",
            false => "no retained message",
        };
        let expected = format!("{expected} after subscription {}", time + 1);
        let came = comes(&mut client, &topic, handling).await?;
        ensure(came == *right, expected, format!("a message came: {came}"))?;
    }
    Ok(client)
}

/// Each time.
async fn handling_0(bench: Bench) -> Outcome {
    handling(&bench, RetainHandling::Send, &[true, true]).await?;
    Ok(())
}

/// Only the first time, and again once it was unsubscribed.
async fn handling_1(bench: Bench) -> Outcome {
    let topic = bench.topic("t");
    let mut client = handling(&bench, RetainHandling::SendIfNew, &[true, false]).await?;
    client.unsubscribe(&topic).await?;
    let came = comes(&mut client, &topic, RetainHandling::SendIfNew).await?;
    ensure(
        came,
        "the retained message to a new subscription",
        "none came",
    )
}

async fn handling_2(bench: Bench) -> Outcome {
    handling(&bench, RetainHandling::DoNotSend, &[false, false]).await?;
    Ok(())
}

async fn as_published(bench: Bench) -> Outcome {
    let (mut publisher, _) = publisher(&bench).await?;
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    let id = client.next_id();
    let mut packet = packets::subscribe(id, &[(&topic, Qos::AtMostOnce)]);
    packet.subscriptions[0].options.retain_as_published = true;
    client.subscribe_with(&packet).await?;
    publisher.retains(&topic, "m", Qos::AtMostOnce).await?;
    let message = client.message().await?;
    ensure(message.retain, "RETAIN 1, as it was published", "RETAIN 0")?;
    publisher.publishes(&topic, "m", Qos::AtMostOnce).await?;
    let message = client.message().await?;
    ensure(!message.retain, "RETAIN 0, as it was published", "RETAIN 1")
}
