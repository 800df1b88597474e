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

/// A publisher, and the highest QoS it may use; skips without retained messages.
async fn publisher(bench: &Bench) -> Outcome<(Client, Qos)> {
    let offered = bench.capabilities().await?;
    offered.need_retain()?;
    Ok((bench.connect("publisher").await?, offered.maximum_qos))
}

/// A message that is not retained comes, and the subscription is established:
/// what is retained may be looked for after the SUBACK.
async fn establishes(client: &mut Client, publisher: &mut Client, topic: &str) -> Outcome {
    publisher.publishes(topic, "0", Qos::AtMostOnce).await?;
    client.message().await.map(drop)
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
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let (mut publisher, most) = publisher(&bench).await?;
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        if qos > most {
            continue;
        }
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
    let mut watcher = bench.connect("watcher").await?;
    watcher.subscribe(&topic, Qos::AtMostOnce).await?;
    publisher.retains(&topic, "old", Qos::AtLeastOnce).await?;
    publisher.retains(&topic, "new", Qos::AtMostOnce).await?;
    // Once the watcher has it, and what followed it is acknowledged, the broker
    // has dealt with it.
    let is_new =
        |packet: &Packet| matches!(packet, Packet::Publish(message) if message.payload == "new");
    watcher.until("the message of QoS 0", is_new).await?;
    publisher
        .publishes(&bench.topic("after"), "m", Qos::AtLeastOnce)
        .await?;
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
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let (mut publisher, most) = publisher(&bench).await?;
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        if qos > most {
            continue;
        }
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
    establishes(&mut client, &mut publisher, &topic).await?;
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
    establishes(&mut client, &mut publisher, &topic).await?;
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

/// Subscribes with a retain handling, after which the message that is retained
/// has to come, or not.
async fn comes(client: &mut Client, topic: &str, handling: RetainHandling, right: bool) -> Outcome {
    let id = client.next_id();
    let mut packet = subscribe(id, &[(topic, Qos::AtMostOnce)]);
    packet.subscriptions[0].options.retain_handling = handling;
    client.subscribe_with(&packet).await?;
    if !right {
        return client.until_ping_without(topic).await;
    }
    let what = "the retained message once the client has subscribed";
    let is_message = |packet: &Packet| matches!(packet, Packet::Publish(_)).then_some(());
    client.expect(what, is_message).await
}

/// A client that subscribes so often, and whether the message comes each time.
async fn handling(bench: &Bench, handling: RetainHandling, right: &[bool]) -> Outcome<Client> {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let (mut publisher, _) = publisher(bench).await?;
    let topic = bench.topic("t");
    publisher.retains(&topic, "m", Qos::AtLeastOnce).await?;
    let mut client = bench.connect("client").await?;
    for right in right {
        comes(&mut client, &topic, handling, *right).await?;
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
    comes(&mut client, &topic, RetainHandling::SendIfNew, true).await
}

/// Never, though what is published then does.
async fn handling_2(bench: Bench) -> Outcome {
    let topic = bench.topic("t");
    let mut client = handling(&bench, RetainHandling::DoNotSend, &[false, false]).await?;
    client.publishes(&topic, "live", Qos::AtMostOnce).await?;
    let message = client.message().await?;
    ensure(
        message.payload == "live",
        "the message that was published last, and no retained one",
        "the retained one came",
    )
}

async fn as_published(bench: Bench) -> Outcome {
    let (mut publisher, _) = publisher(&bench).await?;
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    let id = client.next_id();
    let mut packet = packets::subscribe(id, &[(&topic, Qos::AtMostOnce)]);
    packet.subscriptions[0].options.retain_as_published = true;
    client.subscribe_with(&packet).await?;
    establishes(&mut client, &mut publisher, &topic).await?;
    publisher.retains(&topic, "m", Qos::AtMostOnce).await?;
    let message = client.message().await?;
    ensure(message.retain, "RETAIN 1, as it was published", "RETAIN 0")?;
    publisher.publishes(&topic, "m", Qos::AtMostOnce).await?;
    let message = client.message().await?;
    ensure(!message.retain, "RETAIN 0, as it was published", "RETAIN 1")
}
