//! What survives a server that loses its power (what sections 3.1.2.4, 3.3.1.3,
//! 4.1 and 4.3 of both versions promise, whoever fails). For brokers that are
//! set up to keep what they have; each check has the broker to itself.

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Client;
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, ack, keeps_session, repeated};
use squall_broker::wire::{Delivery, Packet, Publish, Qos};

checks! {
    "retained-outlives-the-server" ["MQTT311-3.3.1-5", "MQTT5-3.3.1-5"] retained, alone;
    "cleared-retained-stays-cleared" ["MQTT311-3.3.1-10", "MQTT5-3.3.1-6"] cleared, alone;
    "subscription-outlives-the-server" ["MQTT311-4.1.0-1", "MQTT5-3.1.2-23"] subscription, alone;
    "acknowledged-qos-1-outlives-the-server" [
        "MQTT311-4.3.2-2", "MQTT5-4.3.2-4",
    ] acknowledged_qos_1, alone;
    "received-qos-2-outlives-the-server" [
        "MQTT311-4.3.3-2", "MQTT5-4.3.3-8", "MQTT5-4.3.3-10",
    ] received_qos_2, alone;
    "messages-under-way-outlive-the-server" ["MQTT311-4.4.0-1", "MQTT5-4.4.0-1"] under_way, alone;
    "pubrel-outlives-the-server" ["MQTT311-4.3.3-1", "MQTT5-4.3.3-5"] pubrel, alone;
    "order-outlives-the-server" ["MQTT311-4.6.0-6", "MQTT5-4.6.0-5"] order, alone;
}

/// Skips the check unless the server keeps what it has.
fn need_durable(bench: &Bench) -> Outcome {
    if bench.fixtures().durable {
        Ok(())
    } else {
        Err(Finding::skip(
            "sessions and messages that survive a restart",
        ))
    }
}

async fn need_durable_qos(bench: &Bench, qos: Qos) -> Outcome {
    need_durable(bench)?;
    bench.capabilities().await?.need_qos(qos)
}

/// A client whose session is kept, subscribed to the check's topic and away.
async fn absent_subscriber(bench: &Bench, qos: Qos) -> Outcome {
    let mut client = bench.connect_as("subscriber", keeps_session).await?;
    client.subscribe(&bench.topic("t"), qos).await?;
    client.leave().await
}

/// The messages that the subscriber finds, each once.
async fn finds(bench: &Bench, qos: Qos, payloads: &[&str]) -> Outcome {
    let mut publisher = bench.connect("later").await?;
    publisher.publishes(&bench.topic("t"), "last", qos).await?;
    let mut client = bench.connect_as("subscriber", keeps_session).await?;
    let messages = client.messages_until("last").await?;
    let found: Vec<_> = messages
        .iter()
        .map(|message| message.payload.escape_ascii().to_string())
        .collect();
    ensure(
        found == payloads,
        format!("the messages {payloads:?} after the restart, each once"),
        format!("the messages {found:?}"),
    )
}

/// The last value that was acknowledged, not the one before.
async fn retained(bench: Bench) -> Outcome {
    need_durable(&bench)?;
    let offered = bench.capabilities().await?;
    offered.need_retain()?;
    offered.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("t");
    let mut publisher = bench.connect("publisher").await?;
    for value in ["1", "2"] {
        publisher.retains(&topic, value, Qos::AtLeastOnce).await?;
    }
    bench.restart().await?;
    let mut client = bench.connect("client").await?;
    client.subscribe(&topic, Qos::AtLeastOnce).await?;
    let message = client.message().await?;
    ensure(
        message.payload == "2",
        "the value that was retained last",
        format!("the value {}", message.payload.escape_ascii()),
    )
}

async fn cleared(bench: Bench) -> Outcome {
    need_durable(&bench)?;
    let offered = bench.capabilities().await?;
    offered.need_retain()?;
    offered.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("t");
    let mut publisher = bench.connect("publisher").await?;
    for value in ["1", ""] {
        publisher.retains(&topic, value, Qos::AtLeastOnce).await?;
    }
    bench.restart().await?;
    let mut client = bench.connect("client").await?;
    client.subscribe(&topic, Qos::AtLeastOnce).await?;
    client.until_ping_without(&topic).await
}

/// Its session is present, and gets what is published from then on.
async fn subscription(bench: Bench) -> Outcome {
    need_durable(&bench)?;
    absent_subscriber(&bench, Qos::AtMostOnce).await?;
    bench.restart().await?;
    let (mut client, connack) = bench.connect_for("subscriber", keeps_session).await?;
    ensure(
        connack.session_present,
        "a session that is present after the restart",
        "a CONNACK without Session Present",
    )?;
    let mut publisher = bench.connect("publisher").await?;
    let topic = bench.topic("t");
    publisher.publishes(&topic, "m", Qos::AtMostOnce).await?;
    client.message().await?;
    Ok(())
}

/// The server is killed as soon as it has acknowledged the message, of which it
/// has accepted the ownership.
async fn acknowledged_qos_1(bench: Bench) -> Outcome {
    let qos = Qos::AtLeastOnce;
    need_durable_qos(&bench, qos).await?;
    absent_subscriber(&bench, qos).await?;
    let mut publisher = bench.connect("publisher").await?;
    publisher.publishes(&bench.topic("t"), "m", qos).await?;
    bench.restart().await?;
    finds(&bench, qos, &["m"]).await
}

/// The server is killed as soon as it has answered with PUBREC: the message is
/// there, and a repeat of it is known for one.
async fn received_qos_2(bench: Bench) -> Outcome {
    let qos = Qos::ExactlyOnce;
    need_durable_qos(&bench, qos).await?;
    absent_subscriber(&bench, qos).await?;
    let mut publisher = bench.connect_as("publisher", keeps_session).await?;
    let publish = packets::publish(&bench.topic("t"), "m", qos, 9);
    publisher.send(&Packet::Publish(publish.clone())).await?;
    publisher.pubrec(9).await?;
    bench.restart().await?;
    let mut publisher = bench.connect_as("publisher", keeps_session).await?;
    publisher.send(&repeated(&publish)).await?;
    publisher.pubrec(9).await?;
    publisher.send(&Packet::PubRel(ack(9))).await?;
    publisher.pubcomp(9).await?;
    finds(&bench, qos, &["m"]).await
}

/// A subscriber that has been sent a message.
async fn sent(bench: &Bench, qos: Qos) -> Outcome<(Client, Publish)> {
    let topic = bench.topic("t");
    let mut client = bench.connect_as("subscriber", keeps_session).await?;
    client.subscribe(&topic, qos).await?;
    let mut publisher = bench.connect("publisher").await?;
    publisher.publishes(&topic, "m", qos).await?;
    let publish = client.publish().await?;
    Ok((client, publish))
}

/// At QoS 1 and 2, with the packet identifiers that they had.
async fn under_way(bench: Bench) -> Outcome {
    need_durable_qos(&bench, Qos::AtLeastOnce).await?;
    let most = bench.capabilities().await?.maximum_qos;
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        if qos > most {
            continue;
        }
        let (_client, publish) = sent(&bench, qos).await?;
        bench.restart().await?;
        let mut client = bench.connect_as("subscriber", keeps_session).await?;
        let again = client.publish().await?;
        ensure(
            again.delivery == publish.delivery && again.payload == publish.payload,
            format!("the message again, with {:?}", publish.delivery),
            format!("{:?}", again.delivery),
        )?;
        client.acknowledge(&again).await?;
        client.until_ping().await?;
        client.leave().await?;
    }
    Ok(())
}

/// What was received is not sent again, and what is owed for it is.
async fn pubrel(bench: Bench) -> Outcome {
    need_durable_qos(&bench, Qos::ExactlyOnce).await?;
    let (mut client, publish) = sent(&bench, Qos::ExactlyOnce).await?;
    let Delivery::ExactlyOnce(id) = publish.delivery else {
        return Err(Finding::fail("a PUBLISH of QoS 2", "another QoS"));
    };
    client.send(&Packet::PubRec(ack(id.get()))).await?;
    client.pubrel(id.get()).await?;
    bench.restart().await?;
    let mut client = bench.connect_as("subscriber", keeps_session).await?;
    client.pubrel(id.get()).await?;
    client.send(&Packet::PubComp(ack(id.get()))).await
}

/// Of messages that waited.
async fn order(bench: Bench) -> Outcome {
    let qos = Qos::AtLeastOnce;
    need_durable_qos(&bench, qos).await?;
    absent_subscriber(&bench, qos).await?;
    let mut publisher = bench.connect("publisher").await?;
    let payloads = ["1", "2", "3", "4", "5"];
    for payload in payloads {
        publisher.publishes(&bench.topic("t"), payload, qos).await?;
    }
    bench.restart().await?;
    let mut client = bench.connect_as("subscriber", keeps_session).await?;
    let mut found = Vec::new();
    for _ in payloads {
        let message = client.message().await?;
        found.push(message.payload.escape_ascii().to_string());
    }
    ensure(
        found == payloads,
        format!("the messages {payloads:?} in this order"),
        format!("the messages {found:?}"),
    )
}
