//! What becomes of a PUBLISH (section 3.3.4 of 5.0, 3.3.5 of 3.1.1): which
//! subscriptions it is delivered for and how, and how many may be under way.

use std::num::NonZeroU16;

use super::publish_properties::refused;
use crate::bench::Bench;
use crate::check::checks;
use crate::client::Arrival;
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, ack, properties, subscription_ids};
use squall_broker::wire::{
    Connect, Packet, Property, Qos, ReasonCode, SubscribeCode, SubscriptionId,
};

checks! {
    "publish-is-answered" ["MQTT311-3.3.4-1", "MQTT5-3.3.4-1"] is_answered;
    "overlap-at-the-highest-qos" ["MQTT311-3.3.5-1", "MQTT5-3.3.4-2"] overlap;
    "subscription-identifiers-of-all-matches" [
        "MQTT5-3.3.4-3", "MQTT5-3.3.4-4", "MQTT5-3.3.4-5",
    ] identifiers;
    "publish-subscription-identifier" ["MQTT5-3.3.4-6"] identifier_in_publish;
    "receive-maximum-of-the-broker" ["MQTT5-3.3.4-7"] receive_maximum_of_the_broker;
    "receive-maximum-of-the-client" ["MQTT5-3.3.4-9"] receive_maximum_of_the_client;
    "receive-maximum-holds-messages-only" ["MQTT5-3.3.4-10"] holds_messages_only;
    "denied-publish-is-answered" ["MQTT311-3.3.5-2"] denied;
}

/// QoS 0 by nothing, 1 by PUBACK, a repeat too, and 2 by PUBREC.
async fn is_answered(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    client.publishes(&topic, "m", Qos::AtMostOnce).await?;
    let answers = client.until_ping().await?;
    let names: Vec<_> = answers.iter().map(Packet::name).collect();
    ensure(
        answers.is_empty(),
        "no answer to QoS 0",
        format!("{} came", names.join(", ")),
    )?;
    if offered.maximum_qos >= Qos::AtLeastOnce {
        for (id, dup) in [(1, false), (2, true)] {
            let mut publish = packets::publish(&topic, "m", Qos::AtLeastOnce, id);
            publish.dup = dup;
            client.send(&Packet::Publish(publish)).await?;
            client.puback(id).await?;
        }
    }
    if offered.maximum_qos >= Qos::ExactlyOnce {
        let publish = packets::publish(&topic, "m", Qos::ExactlyOnce, 3);
        client.send(&Packet::Publish(publish)).await?;
        client.pubrec(3).await?;
    }
    Ok(())
}

/// One copy for all, or one for each subscription.
async fn overlap(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    offered.need_wildcards()?;
    offered.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("a/b");
    let most = offered.maximum_qos;
    let mut client = bench.connect("client").await?;
    let mut publisher = bench.connect("publisher").await?;
    client
        .subscribe(&bench.topic("a/#"), Qos::AtMostOnce)
        .await?;
    let suback = client.subscribe(&topic, most).await?;
    let granted = match suback.codes[..] {
        [SubscribeCode::Granted(qos)] => qos.min(most),
        _ => most,
    };
    publisher.publishes(&topic, "m", most).await?;
    let mut came = Vec::new();
    for _ in 0..2 {
        let Arrival::Packet(Packet::Publish(message)) = client.next().await? else {
            break;
        };
        client.acknowledge(&message).await?;
        if message.qos() == granted {
            return Ok(());
        }
        came.push(message.qos() as u8);
    }
    Err(Finding::fail(
        format!("a copy at QoS {}, the highest granted", granted as u8),
        format!("copies at QoS {came:?} alone"),
    ))
}

/// One copy says the identifiers of both subscriptions that match, or each of
/// two says its own.
async fn identifiers(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    offered.need_wildcards()?;
    offered.need_subscription_identifiers()?;
    let mut client = bench.connect("client").await?;
    for (number, filter) in [(1, "a/#"), (2, "a/b"), (3, "c")] {
        let id = client.next_id();
        let mut packet = packets::subscribe(id, &[(&bench.topic(filter), Qos::AtMostOnce)]);
        let number = SubscriptionId::new(number).map(Property::SubscriptionIdentifier);
        packet.properties = properties(number);
        client.subscribe_with(&packet).await?;
    }
    client
        .publishes(&bench.topic("a/b"), "m", Qos::AtMostOnce)
        .await?;
    bench.deciding(&["MQTT5-3.3.4-3", "MQTT5-3.3.4-4"]);
    let mut first = subscription_ids(&client.message().await?);
    first.sort_unstable();
    let actual = format!("identifiers {first:?} with the first copy");
    let [one @ (1 | 2)] = first[..] else {
        return ensure(first == [1, 2], "identifiers 1 and 2", actual);
    };
    let expected = format!("identifier {}, with this copy or with another", 3 - one);
    let other = client
        .expect(&expected, |packet| match packet {
            Packet::Publish(publish) => Some(publish.clone()),
            _ => None,
        })
        .await?;
    bench.deciding(&["MQTT5-3.3.4-5"]);
    let ids = subscription_ids(&other);
    ensure(
        ids == [3 - one],
        format!(
            "identifier {} with the second copy, of its own subscription",
            3 - one
        ),
        format!("identifiers {ids:?}"),
    )
}

async fn identifier_in_publish(bench: Bench) -> Outcome {
    let what = "a subscription identifier in PUBLISH";
    refused(&bench, what, &[0x0b, 1], ReasonCode::ProtocolError).await
}

/// The most messages that are sent to see that a broker takes no more.
const MESSAGES_MAX: u16 = 1_000;

/// One more than it says, at QoS 2, none of them released.
async fn receive_maximum_of_the_broker(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    offered.need_qos(Qos::ExactlyOnce)?;
    if offered.receive_maximum > MESSAGES_MAX {
        return Err(Finding::skip(format!(
            "a Receive Maximum of {MESSAGES_MAX} at most"
        )));
    }
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    for id in 1..=offered.receive_maximum + 1 {
        let publish = packets::publish(&topic, "m", Qos::ExactlyOnce, id);
        client.send(&Packet::Publish(publish)).await?;
    }
    client.closed(&[ReasonCode::ReceiveMaximumExceeded]).await
}

/// Has the client take so many messages unacknowledged.
fn receive_maximum(most: u16) -> impl FnOnce(&mut Connect) {
    let property = NonZeroU16::new(most).map(Property::ReceiveMaximum);
    move |connect| connect.properties = properties(property)
}

/// Two are taken; each that is acknowledged makes room for one.
async fn receive_maximum_of_the_client(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("t");
    let mut client = bench.connect_as("client", receive_maximum(2)).await?;
    let mut publisher = bench.connect("publisher").await?;
    client.subscribe(&topic, Qos::AtLeastOnce).await?;
    for _ in 0..5 {
        publisher.publishes(&topic, "m", Qos::AtLeastOnce).await?;
    }
    let mut held = client.publish().await?;
    let mut next = client.publish_beside(1, 2).await?;
    for _ in 0..3 {
        client.until_ping_without(&topic).await?;
        client.acknowledge(&held).await?;
        held = next;
        next = client.publish().await?;
    }
    client.until_ping_without(&topic).await?;
    client.acknowledge(&held).await?;
    client.acknowledge(&next).await
}

/// A client that has as many messages as it takes is answered.
async fn holds_messages_only(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let (topic, other) = (bench.topic("t"), bench.topic("other"));
    let mut client = bench.connect_as("client", receive_maximum(1)).await?;
    let mut publisher = bench.connect("publisher").await?;
    client.subscribe(&topic, Qos::AtLeastOnce).await?;
    for _ in 0..2 {
        publisher.publishes(&topic, "m", Qos::AtLeastOnce).await?;
    }
    client.publish().await?;
    client.until_ping().await?;
    client.subscribe(&other, Qos::AtMostOnce).await?;
    client.unsubscribe(&other).await?;
    client.publishes(&other, "m", Qos::AtLeastOnce).await
}

/// As if it was allowed, or by the end of the connection; delivered in neither
/// case.
async fn denied(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    offered.need_qos(Qos::AtLeastOnce)?;
    let Some(topic) = &bench.fixtures().denied_publish else {
        return Err(Finding::skip("a topic that its clients may not publish to"));
    };
    let mut watcher = bench.connect("watcher").await?;
    let subscribe = packets::subscribe(1, &[(topic, Qos::AtMostOnce)]);
    watcher.send(&Packet::Subscribe(subscribe)).await?;
    watcher.suback(1).await?;
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        if qos > offered.maximum_qos {
            continue;
        }
        let mut client = bench.connect("client").await?;
        let publish = packets::publish(topic, "m", qos, 1);
        client.send(&Packet::Publish(publish)).await?;
        match client.next().await? {
            Arrival::Packet(Packet::PubAck(answer))
                if qos == Qos::AtLeastOnce && answer == ack(1) => {}
            Arrival::Packet(Packet::PubRec(answer))
                if qos == Qos::ExactlyOnce && answer == ack(1) =>
            {
                client.send(&Packet::PubRel(ack(1))).await?;
                client.pubcomp(1).await?;
            }
            Arrival::Ended | Arrival::Reset => {}
            other => {
                let expected = format!(
                    "the acknowledgement of QoS {}, or the end of the connection",
                    qos as u8
                );
                return Err(Finding::fail(expected, client.in_words(&other)));
            }
        }
    }
    watcher.until_ping_without(topic).await
}
