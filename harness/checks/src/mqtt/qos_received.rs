//! How messages travel at QoS 1 and 2, the broker receiving them (sections 4.3.2
//! and 4.3.3 of both versions).

use std::time::Duration;

use crate::bench::Bench;
use crate::check::checks;
use crate::client::{Arrival, Client};
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, ack, properties, repeated};
use squall_broker::wire::{Packet, Property, Publish, Qos, ReasonCode};

checks! {
    "puback-has-the-packet-identifier" ["MQTT311-4.3.2-2", "MQTT5-4.3.2-4"] puback;
    "qos-1-identifier-after-puback" ["MQTT311-4.3.2-2", "MQTT5-4.3.2-5"] after_puback;
    "pubrec-has-the-packet-identifier" ["MQTT311-4.3.3-2", "MQTT5-4.3.3-8"] pubrec;
    "qos-2-identifier-after-refusal" ["MQTT5-4.3.3-9"] after_refusal;
    "qos-2-repeats-are-answered-once-delivered" [
        "MQTT311-4.3.3-2", "MQTT5-4.3.3-10",
    ] repeats;
    "pubcomp-answers-pubrel" ["MQTT311-4.3.3-2", "MQTT5-4.3.3-11"] pubcomp;
    "qos-2-identifier-after-pubcomp" ["MQTT311-4.3.3-2", "MQTT5-4.3.3-12"] after_pubcomp;
    "qos-2-handshake-outlives-its-message" ["MQTT5-4.3.3-13"] outlives;
}

/// Identifiers of one byte, of two, and the highest.
const IDS: [u16; 4] = [1, 256, 0x1234, u16::MAX];

/// A publisher, and a subscriber of what it publishes to `bench.topic("t")`.
async fn pair(bench: &Bench, qos: Qos) -> Outcome<(Client, Client)> {
    bench.capabilities().await?.need_qos(qos)?;
    let mut subscriber = bench.connect("subscriber").await?;
    subscriber.subscribe(&bench.topic("t"), qos).await?;
    let publisher = bench.connect("publisher").await?;
    Ok((publisher, subscriber))
}

/// What the subscriber gets up to a message that is published now has to have
/// these payloads.
async fn gets(
    bench: &Bench,
    publisher: &mut Client,
    subscriber: &mut Client,
    qos: Qos,
    payloads: &[&str],
) -> Outcome {
    let last = packets::publish(&bench.topic("t"), "last", qos, 40_000);
    publisher.send_message(&last).await?;
    let messages = subscriber.messages_until("last").await?;
    let got: Vec<_> = messages
        .iter()
        .map(|message| message.payload.escape_ascii().to_string())
        .collect();
    ensure(
        got == payloads,
        format!("the messages {payloads:?}, each once"),
        format!("the messages {got:?}"),
    )
}

async fn puback(bench: Bench) -> Outcome {
    let qos = Qos::AtLeastOnce;
    let (mut publisher, mut subscriber) = pair(&bench, qos).await?;
    for id in IDS {
        let publish = packets::publish(&bench.topic("t"), "m", qos, id);
        publisher.send(&Packet::Publish(publish)).await?;
        publisher.puback(id).await?;
    }
    let all = ["m"; IDS.len()];
    gets(&bench, &mut publisher, &mut subscriber, qos, &all).await
}

/// It is free, so that what comes with it is new even if DUP is set.
async fn after_puback(bench: Bench) -> Outcome {
    let qos = Qos::AtLeastOnce;
    let (mut publisher, mut subscriber) = pair(&bench, qos).await?;
    let topic = bench.topic("t");
    let first = packets::publish(&topic, "1", qos, 7);
    publisher.send_message(&first).await?;
    let second = packets::publish(&topic, "2", qos, 7);
    publisher.send(&repeated(&second)).await?;
    publisher.puback(7).await?;
    let all = ["1", "2"];
    gets(&bench, &mut publisher, &mut subscriber, qos, &all).await
}

async fn pubrec(bench: Bench) -> Outcome {
    let (mut publisher, mut subscriber) = pair(&bench, Qos::ExactlyOnce).await?;
    for id in IDS {
        let publish = packets::publish(&bench.topic("t"), "m", Qos::ExactlyOnce, id);
        publisher.send(&Packet::Publish(publish)).await?;
        publisher.pubrec(id).await?;
        release(&mut publisher, id).await?;
    }
    let all = ["m"; IDS.len()];
    gets(
        &bench,
        &mut publisher,
        &mut subscriber,
        Qos::ExactlyOnce,
        &all,
    )
    .await
}

async fn release(publisher: &mut Client, id: u16) -> Outcome {
    publisher.send(&Packet::PubRel(ack(id))).await?;
    publisher.pubcomp(id).await?;
    Ok(())
}

/// A PUBREC that refuses the message frees its identifier.
async fn after_refusal(bench: Bench) -> Outcome {
    let Some(denied) = bench.fixtures().denied_publish.clone() else {
        return Err(Finding::skip("a topic that may not be published to"));
    };
    let qos = Qos::ExactlyOnce;
    let (mut publisher, mut subscriber) = pair(&bench, qos).await?;
    let refused = packets::publish(&denied, "1", qos, 5);
    publisher.send(&Packet::Publish(refused)).await?;
    match publisher.next().await? {
        Arrival::Packet(Packet::PubRec(ack)) if ack.code.is_failure() => {}
        // It may also say nothing of it, or hang up [MQTT5-3.3.5-2].
        _ => return Err(Finding::skip("a PUBREC that refuses a message")),
    }
    let allowed = packets::publish(&bench.topic("t"), "2", qos, 5);
    publisher.send(&repeated(&allowed)).await?;
    let pubrec = publisher.pubrec(5).await?;
    ensure(
        !pubrec.code.is_failure(),
        "a PUBREC that takes the message",
        format!("PUBREC {:#04x} ({:?})", pubrec.code as u8, pubrec.code),
    )?;
    release(&mut publisher, 5).await?;
    gets(&bench, &mut publisher, &mut subscriber, qos, &["2"]).await
}

/// Before PUBREL, with DUP set.
async fn repeats(bench: Bench) -> Outcome {
    let qos = Qos::ExactlyOnce;
    let (mut publisher, mut subscriber) = pair(&bench, qos).await?;
    let publish = packets::publish(&bench.topic("t"), "m", qos, 9);
    publisher.send(&Packet::Publish(publish.clone())).await?;
    publisher.pubrec(9).await?;
    for _ in 0..2 {
        publisher.send(&repeated(&publish)).await?;
        publisher.pubrec(9).await?;
    }
    release(&mut publisher, 9).await?;
    gets(&bench, &mut publisher, &mut subscriber, qos, &["m"]).await
}

/// The PUBREL of a message, and a repeat of it, of which 5.0 may be told that
/// the identifier is not known any more.
async fn pubcomp(bench: Bench) -> Outcome {
    let (mut publisher, _subscriber) = pair(&bench, Qos::ExactlyOnce).await?;
    let publish = packets::publish(&bench.topic("t"), "m", Qos::ExactlyOnce, 0x1234);
    publisher.send(&Packet::Publish(publish)).await?;
    publisher.pubrec(0x1234).await?;
    release(&mut publisher, 0x1234).await?;
    release(&mut publisher, 0x1234).await
}

/// It is free, so that what comes with it is new even if DUP is set.
async fn after_pubcomp(bench: Bench) -> Outcome {
    let qos = Qos::ExactlyOnce;
    let (mut publisher, mut subscriber) = pair(&bench, qos).await?;
    let topic = bench.topic("t");
    let first = packets::publish(&topic, "1", qos, 9);
    publisher.send_message(&first).await?;
    let second = packets::publish(&topic, "2", qos, 9);
    publisher.send(&repeated(&second)).await?;
    publisher.pubrec(9).await?;
    release(&mut publisher, 9).await?;
    let all = ["1", "2"];
    gets(&bench, &mut publisher, &mut subscriber, qos, &all).await
}

/// The PUBREL comes when the message has expired, and is answered as one whose
/// identifier is known.
async fn outlives(bench: Bench) -> Outcome {
    let (mut publisher, _subscriber) = pair(&bench, Qos::ExactlyOnce).await?;
    let publish = Publish {
        properties: properties([Property::MessageExpiryInterval(1)]),
        ..packets::publish(&bench.topic("t"), "m", Qos::ExactlyOnce, 9)
    };
    publisher.send(&Packet::Publish(publish)).await?;
    publisher.pubrec(9).await?;
    let why = "the message expires";
    bench.wait(Duration::from_secs(2), why).await;
    publisher.send(&Packet::PubRel(ack(9))).await?;
    let pubcomp = publisher.pubcomp(9).await?;
    ensure(
        pubcomp.code == ReasonCode::Success,
        "a PUBCOMP that ends the exchange",
        format!("PUBCOMP {:#04x} ({:?})", pubcomp.code as u8, pubcomp.code),
    )
}
