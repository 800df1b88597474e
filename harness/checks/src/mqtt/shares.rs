//! Shared subscriptions (section 4.8.2 of 5.0).

use std::time::Duration;

use super::topics::{refused, subscribe};
use crate::bench::Bench;
use crate::check::checks;
use crate::client::Client;
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{ack, keeps_session, properties};
use squall_broker::wire::{Ack, Connect, Delivery, Packet, PacketId, Property, Qos, ReasonCode};

checks! {
    "share-name-is-not-empty" ["MQTT5-4.8.2-1"] name_is_not_empty;
    "share-name-and-filter" ["MQTT5-4.8.2-2"] name_and_filter;
    "share-at-the-granted-qos" ["MQTT5-4.8.2-3"] granted_qos;
    "share-finishes-qos-2-with-its-member" ["MQTT5-4.8.2-4"] finishes;
    "share-gives-qos-2-to-nobody-else" ["MQTT5-4.8.2-5"] nobody_else;
    "share-drops-what-is-refused" ["MQTT5-4.8.2-6"] drops_refused;
}

async fn need_shares(bench: &Bench, qos: Qos) -> Outcome {
    let offered = bench.capabilities().await?;
    offered.need_shared_subscriptions()?;
    offered.need_qos(qos)
}

async fn name_is_not_empty(bench: Bench) -> Outcome {
    need_shares(&bench, Qos::AtMostOnce).await?;
    let filter = format!("$share//{}", bench.topic("t"));
    let bytes = subscribe(&bench, filter.as_bytes());
    refused(&bench, "an empty share name", &bytes).await
}

/// With a wildcard in its name, without a filter, and with an empty one.
async fn name_and_filter(bench: Bench) -> Outcome {
    need_shares(&bench, Qos::AtMostOnce).await?;
    let topic = bench.topic("t");
    let wrong = [
        format!("$share/g+/{topic}"),
        format!("$share/+/{topic}"),
        format!("$share/g#/{topic}"),
        "$share/g".to_owned(),
        "$share/g/".to_owned(),
    ];
    for filter in wrong {
        let bytes = subscribe(&bench, filter.as_bytes());
        let what = format!("the filter {filter}");
        refused(&bench, &what, &bytes).await?;
    }
    Ok(())
}

/// Of two members, one at QoS 2 and one at 0, each gets what it was granted; and
/// each message comes once. At QoS 0 one may be lost.
async fn granted_qos(bench: Bench) -> Outcome {
    need_shares(&bench, Qos::AtLeastOnce).await?;
    let most = bench.capabilities().await?.maximum_qos;
    let mut members = Vec::new();
    for (name, granted) in [("low", Qos::AtMostOnce), ("high", most)] {
        let mut member = bench.connect(name).await?;
        member.subscribe(&bench.share("t"), granted).await?;
        members.push((member, granted));
    }
    let mut publisher = bench.connect("publisher").await?;
    let topic = bench.topic("t");
    for number in 0..6 {
        publisher
            .publishes(&topic, number.to_string(), most)
            .await?;
    }
    let mut copies = Vec::new();
    for (member, granted) in &mut members {
        for packet in member.until_ping().await? {
            let Packet::Publish(publish) = packet else {
                continue;
            };
            ensure(
                publish.qos() <= *granted,
                format!("QoS {} at most, as it was granted", *granted as u8),
                format!("QoS {}", publish.qos() as u8),
            )?;
            copies.push(publish.payload);
        }
    }
    let all = copies.len();
    copies.sort();
    copies.dedup();
    ensure(
        copies.len() == all,
        "each message for one member",
        "a message for both",
    )
}

/// A session that outlives its connection for this long.
fn kept_for(seconds: u32) -> impl FnOnce(&mut Connect) {
    move |connect| {
        keeps_session(connect);
        connect.properties = properties([Property::SessionExpiryInterval(seconds)]);
    }
}

/// A member that has been sent a QoS 2 message, its identifier, and another who
/// joined the group afterwards.
async fn sent_to_one(
    bench: &Bench,
    change: impl FnOnce(&mut Connect),
) -> Outcome<(Client, PacketId, Client)> {
    need_shares(bench, Qos::ExactlyOnce).await?;
    let mut one = bench.connect_as("one", change).await?;
    one.subscribe(&bench.share("t"), Qos::ExactlyOnce).await?;
    let mut publisher = bench.connect("publisher").await?;
    let topic = bench.topic("t");
    publisher.publishes(&topic, "m", Qos::ExactlyOnce).await?;
    let publish = one.publish().await?;
    let Delivery::ExactlyOnce(id) = publish.delivery else {
        let actual = format!("QoS {}", publish.qos() as u8);
        return Err(Finding::fail("a PUBLISH of QoS 2", actual));
    };
    let mut other = bench.connect("other").await?;
    other.subscribe(&bench.share("t"), Qos::ExactlyOnce).await?;
    Ok((one, id, other))
}

/// The member comes back and gets it again; the other never does.
async fn finishes(bench: Bench) -> Outcome {
    let (one, id, mut other) = sent_to_one(&bench, keeps_session).await?;
    let topic = bench.topic("t");
    one.vanish().await?;
    other.until_ping_without(&topic).await?;
    let mut one = bench.connect_as("one", keeps_session).await?;
    let again = one.publish().await?;
    ensure(
        again.delivery == Delivery::ExactlyOnce(id),
        format!("the PUBLISH of packet identifier {id} again"),
        format!("{:?}", again.delivery),
    )?;
    one.acknowledge(&again).await?;
    one.until_ping().await?;
    other.until_ping_without(&topic).await
}

/// Its session ends, because its client begins another and because it expires.
async fn nobody_else(bench: Bench) -> Outcome {
    let topic = bench.topic("t");
    let (one, _, mut other) = sent_to_one(&bench, keeps_session).await?;
    one.vanish().await?;
    let afresh = bench.connect("one").await?;
    other.until_ping_without(&topic).await?;
    other.leave().await?;
    afresh.leave().await?;

    let (one, _, mut other) = sent_to_one(&bench, kept_for(1)).await?;
    one.vanish().await?;
    let why = "the session of the member expires";
    bench.wait(Duration::from_secs(3), why).await;
    other.until_ping_without(&topic).await
}

/// By PUBACK and by PUBREC: nobody gets it.
async fn drops_refused(bench: Bench) -> Outcome {
    need_shares(&bench, Qos::AtLeastOnce).await?;
    let most = bench.capabilities().await?.maximum_qos;
    let topic = bench.topic("t");
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        if qos > most {
            continue;
        }
        let mut one = bench.connect("one").await?;
        one.subscribe(&bench.share("t"), qos).await?;
        let mut publisher = bench.connect("publisher").await?;
        publisher.publishes(&topic, "m", qos).await?;
        let publish = one.publish().await?;
        let mut other = bench.connect("other").await?;
        other.subscribe(&bench.share("t"), qos).await?;
        let refusal = |id: PacketId| Ack {
            code: ReasonCode::UnspecifiedError,
            ..ack(id.get())
        };
        match publish.delivery {
            Delivery::AtMostOnce => return Err(Finding::fail("a higher QoS", "QoS 0")),
            Delivery::AtLeastOnce(id) => one.send(&Packet::PubAck(refusal(id))).await?,
            Delivery::ExactlyOnce(id) => one.send(&Packet::PubRec(refusal(id))).await?,
        }
        one.until_ping_without(&topic).await?;
        other.until_ping_without(&topic).await?;
        // Nor is it there for the other when the one is gone.
        one.leave().await?;
        other.until_ping_without(&topic).await?;
        other.leave().await?;
    }
    Ok(())
}
