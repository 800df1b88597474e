//! A client at its limit never harms another (section 4.5 of both versions: what
//! a message is owed to its other subscribers does not depend on one).

use std::num::NonZeroU16;

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Client;
use crate::finding::{Outcome, ensure};
use crate::packets::properties;
use squall_broker::wire::{Connect, Property, Qos};

checks! {
    "unacknowledging-client-holds-up-nobody" [
        "MQTT311-4.5.0-1", "MQTT5-4.5.0-1",
    ] unacknowledging;
    "unreading-client-holds-up-nobody" ["MQTT311-4.5.0-1", "MQTT5-4.5.0-1"] unreading;
}

/// Messages that another client takes while one does not.
async fn all_come(
    bench: &Bench,
    publisher: &mut Client,
    other: &mut Client,
    count: usize,
    payload: &str,
) -> Outcome {
    let topic = bench.topic("t");
    for number in 0..count {
        let payload = format!("{number} {payload}");
        publisher
            .publishes(&topic, &payload, Qos::AtLeastOnce)
            .await?;
        let message = other.message().await?;
        ensure(
            message.payload == payload,
            format!("message {number} for the client that takes them"),
            format!("{:?}", message.payload.get(..16)),
        )?;
    }
    Ok(())
}

/// It was sent as much as may be under way to it, and answers nothing.
async fn unacknowledging(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("t");
    let v5 = bench.is_v5();
    let two = |connect: &mut Connect| {
        if v5 {
            connect.properties = properties(NonZeroU16::new(2).map(Property::ReceiveMaximum));
        }
    };
    let mut full = bench.connect_as("full", two).await?;
    full.subscribe(&topic, Qos::AtLeastOnce).await?;
    let mut other = bench.connect("other").await?;
    other.subscribe(&topic, Qos::AtLeastOnce).await?;
    let mut publisher = bench.connect("publisher").await?;
    // In 3.1.1 the broker says when it is enough.
    let count = if v5 { 20 } else { 300 };
    all_come(&bench, &mut publisher, &mut other, count, "").await
}

/// It reads nothing, until neither its connection nor the broker has room.
async fn unreading(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("t");
    let mut full = bench.connect("full").await?;
    full.subscribe(&topic, Qos::AtLeastOnce).await?;
    let mut other = bench.connect("other").await?;
    other.subscribe(&topic, Qos::AtLeastOnce).await?;
    let mut publisher = bench.connect("publisher").await?;
    let payload = "x".repeat(16_000);
    all_come(&bench, &mut publisher, &mut other, 40, &payload).await
}
