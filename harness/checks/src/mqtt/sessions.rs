//! Sessions: whose they are, when they begin and when they end (sections 3.1.2.4
//! and 4.1 of both versions, 3.1.2.11.2 of 5.0).

use std::time::Duration;

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Client;
use crate::finding::{Outcome, ensure};
use crate::packets::{keeps_session, properties};
use squall_broker::wire::{Connect, Property, Qos, Version};

checks! {
    "session-starts-afresh" ["MQTT311-3.1.2-6", "MQTT311-3.1.4-3", "MQTT5-3.1.2-4", "MQTT5-3.1.4-4"] starts_afresh;
    "retained-outlives-session" ["MQTT311-3.1.2-7"] retained_outlives;
    "session-belongs-to-client-id" ["MQTT311-3.1.3-2", "MQTT5-3.1.3-2"] belongs_to_client_id;
    "session-is-kept" ["MQTT311-4.1.0-1", "MQTT5-3.1.2-23"] is_kept;
    "session-lasts-as-long-as-connection" ["MQTT311-4.1.0-2", "MQTT5-4.1.0-1"] lasts_as_long;
    "session-ends-after-its-expiry" ["MQTT5-4.1.0-2"] ends_after_expiry;
}

/// The next message of the topic is the one that is published now, not one
/// that was in a session.
async fn is_next(bench: &Bench, client: &mut Client, topic: &str) -> Outcome {
    let mut publisher = bench.connect("marks").await?;
    let qos = bench.qos_up_to(Qos::AtLeastOnce).await?;
    publisher.publishes(topic, "marker", qos).await?;
    let next = client.message().await?;
    ensure(
        next.payload == "marker",
        "nothing of the session that has ended",
        format!("the message {:?}", next.payload),
    )
}

/// Neither what a session that was kept has queued, nor its subscription, is
/// there after a clean start; and in 3.1.1 a clean session is gone after it.
async fn starts_afresh(bench: Bench) -> Outcome {
    let qos = bench.qos_up_to(Qos::AtLeastOnce).await?;
    let topic = bench.topic("t");
    let mut old = bench.connect_as("client", keeps_session).await?;
    old.subscribe(&topic, qos).await?;
    old.vanish().await?;
    let mut publisher = bench.connect("publisher").await?;
    publisher.publishes(&topic, "queued", qos).await?;
    let mut clean = bench.connect("client").await?;
    publisher.publishes(&topic, "unwanted", qos).await?;
    clean.subscribe(&topic, qos).await?;
    is_next(&bench, &mut clean, &topic).await?;
    clean.vanish().await?;
    if bench.is_v5() {
        return Ok(());
    }
    let (mut last, connack) = bench.connect_for("client", keeps_session).await?;
    ensure(
        !connack.session_present,
        "no session after a clean one",
        "Session Present 1",
    )?;
    publisher.publishes(&topic, "unwanted", qos).await?;
    last.subscribe(&topic, qos).await?;
    is_next(&bench, &mut last, &topic).await
}

/// The client that retained it subscribes to the topic as well.
async fn retained_outlives(bench: Bench) -> Outcome {
    let capabilities = bench.capabilities().await?;
    capabilities.need_retain()?;
    let topic = bench.topic("t");
    let qos = capabilities.maximum_qos.min(Qos::AtLeastOnce);
    let mut client = bench.connect("client").await?;
    client.retains(&topic, "retained", qos).await?;
    client.subscribe(&topic, qos).await?;
    client.leave().await?;
    let mut late = bench.connect("late").await?;
    late.subscribe(&topic, qos).await?;
    let message = late.message().await?;
    let actual = format!("the message {:?}", message.payload);
    ensure(
        message.payload == "retained",
        "the retained message",
        actual,
    )
}

/// Two identifiers that differ in case alone, each with a subscription of its
/// own.
async fn belongs_to_client_id(bench: Bench) -> Outcome {
    let qos = bench.qos_up_to(Qos::AtLeastOnce).await?;
    let names = ["client", "CLIENT"];
    for name in names {
        let mut client = bench.connect_as(name, keeps_session).await?;
        client.subscribe(&bench.topic(name), qos).await?;
        client.vanish().await?;
    }
    let mut publisher = bench.connect("publisher").await?;
    for name in names {
        let (mut client, connack) = bench.connect_for(name, keeps_session).await?;
        let expected = "the session of each identifier";
        ensure(connack.session_present, expected, "Session Present 0")?;
        for topic in names {
            publisher.publishes(&bench.topic(topic), topic, qos).await?;
        }
        // What the other one missed comes when it is back, and only to it.
        let message = client.message().await?;
        ensure(
            message.payload == name,
            format!("{name} to get what is published to {name}"),
            format!("the message {:?}", message.payload),
        )?;
        client.until_ping_without(&bench.topic(other(name))).await?;
        client.vanish().await?;
    }
    Ok(())
}

fn other(name: &str) -> &'static str {
    match name {
        "client" => "CLIENT",
        _ => "client",
    }
}

/// With its subscription, and the message that is not acknowledged.
async fn is_kept(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("t");
    let mut client = bench.connect_as("client", keeps_session).await?;
    client.subscribe(&topic, Qos::AtLeastOnce).await?;
    let mut publisher = bench.connect("publisher").await?;
    publisher
        .publishes(&topic, "unacknowledged", Qos::AtLeastOnce)
        .await?;
    client.publish().await?;
    client.vanish().await?;
    let (mut back, connack) = bench.connect_for("client", keeps_session).await?;
    ensure(
        connack.session_present,
        "the session to be there still",
        "Session Present 0",
    )?;
    publisher.publishes(&topic, "new", Qos::AtLeastOnce).await?;
    for payload in ["unacknowledged", "new"] {
        let message = back.message().await?;
        ensure(
            message.payload == payload,
            format!("the message {payload:?} from the session"),
            format!("the message {:?}", message.payload),
        )?;
    }
    Ok(())
}

/// Longer than its expiry in 5.0, and with Clean Session in 3.1.1.
async fn lasts_as_long(bench: Bench) -> Outcome {
    let topic = bench.topic("t");
    let change = |connect: &mut Connect| {
        if connect.version == Version::V5 {
            connect.properties = properties([Property::SessionExpiryInterval(1)]);
        }
    };
    let mut client = bench.connect_as("client", change).await?;
    client.subscribe(&topic, Qos::AtMostOnce).await?;
    let time = Duration::from_secs(2);
    bench
        .wait(time, "a connection longer than the session's expiry")
        .await;
    client.until_ping().await?;
    let mut publisher = bench.connect("publisher").await?;
    publisher.publishes(&topic, "m", Qos::AtMostOnce).await?;
    client.message().await.map(|_| ())
}

async fn ends_after_expiry(bench: Bench) -> Outcome {
    let qos = bench.qos_up_to(Qos::AtLeastOnce).await?;
    let topic = bench.topic("t");
    let change = |connect: &mut Connect| {
        keeps_session(connect);
        connect.properties = properties([Property::SessionExpiryInterval(1)]);
    };
    let mut client = bench.connect_as("client", change).await?;
    client.subscribe(&topic, qos).await?;
    client.vanish().await?;
    let mut publisher = bench.connect("publisher").await?;
    publisher.publishes(&topic, "queued", qos).await?;
    // A broker may count in whole seconds.
    let time = Duration::from_secs(3);
    bench.wait(time, "a session's expiry").await;
    let (mut back, connack) = bench.connect_for("client", change).await?;
    let expected = "no session any more";
    ensure(!connack.session_present, expected, "Session Present 1")?;
    back.subscribe(&topic, qos).await?;
    is_next(&bench, &mut back, &topic).await
}
