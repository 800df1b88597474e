//! Flow control (section 4.9 of 5.0): the broker sends no more QoS 1 and 2
//! messages at a time than its client takes.

use std::num::NonZeroU16;

use crate::bench::Bench;
use crate::check::checks;
use crate::client::{Arrival, Client};
use crate::finding::{Outcome, ensure};
use crate::packets::{self, ack, properties};
use squall_broker::wire::{Ack, Connect, Delivery, Packet, Property, Publish, Qos};

checks! {
    "send-quota-begins-within-receive-maximum" ["MQTT5-4.9.0-1"] initial;
    "send-quota-is-used-up-and-given-back" ["MQTT5-4.9.0-2"] used_up;
    "other-packets-at-zero-quota" ["MQTT5-4.9.0-3"] at_zero;
}

/// A client that takes so many messages at a time, subscribed, and a publisher
/// that has published some more.
async fn under_quota(bench: &Bench, most: u16, count: usize) -> Outcome<(Client, Client)> {
    let offered = bench.capabilities().await?;
    offered.need_qos(Qos::AtLeastOnce)?;
    let most = NonZeroU16::new(most).map(Property::ReceiveMaximum);
    let change = |connect: &mut Connect| connect.properties = properties(most);
    let mut client = bench.connect_as("client", change).await?;
    let topic = bench.topic("t");
    client.subscribe(&topic, offered.maximum_qos).await?;
    let mut publisher = bench.connect("publisher").await?;
    for number in 0..count {
        let qos = match number % 2 {
            0 => Qos::AtLeastOnce,
            _ => offered.maximum_qos,
        };
        publisher.publishes(&topic, number.to_string(), qos).await?;
    }
    Ok((client, publisher))
}

/// With a receive maximum of 1, one message comes, and the next only after its
/// acknowledgement.
async fn initial(bench: Bench) -> Outcome {
    let (mut client, _publisher) = under_quota(&bench, 1, 3).await?;
    for _ in 0..3 {
        let publish = client.publish().await?;
        client.until_ping_without(&bench.topic("t")).await?;
        client.acknowledge(&publish).await?;
    }
    Ok(())
}

/// Each message takes a unit until its PUBACK or PUBCOMP, so that never more
/// than three are under way; and all of them come.
async fn used_up(bench: Bench) -> Outcome {
    const MOST: usize = 3;
    const COUNT: usize = 10;
    let (mut client, _publisher) = under_quota(&bench, MOST as u16, COUNT).await?;
    let mut open = Vec::<Publish>::new();
    for already in 0..MOST {
        open.push(client.publish_beside(already, MOST).await?);
    }
    let mut came = MOST;
    while came < COUNT || !open.is_empty() {
        while came < COUNT && open.len() < MOST {
            open.push(client.publish().await?);
            came += 1;
        }
        no_more(&mut client, open.len()).await?;
        let oldest = open.remove(0);
        if let Delivery::ExactlyOnce(id) = oldest.delivery {
            client.send(&Packet::PubRec(Ack::new(id))).await?;
            client.pubrel(id.get()).await?;
            // The identifier is still in use.
            no_more(&mut client, open.len() + 1).await?;
            client.send(&Packet::PubComp(Ack::new(id))).await?;
        } else {
            client.acknowledge(&oldest).await?;
        }
    }
    Ok(())
}

async fn no_more(client: &mut Client, open: usize) -> Outcome {
    for packet in client.until_ping().await? {
        ensure(
            !matches!(packet, Packet::Publish(_)),
            format!("no PUBLISH while {open} are not acknowledged"),
            client.in_words(&Arrival::Packet(packet)),
        )?;
    }
    Ok(())
}

/// PINGREQ, SUBSCRIBE, UNSUBSCRIBE and the client's own messages are answered.
/// Messages of QoS 0 may be held back as well (section 4.9).
async fn at_zero(bench: Bench) -> Outcome {
    let (mut client, _publisher) = under_quota(&bench, 1, 2).await?;
    let most = bench.capabilities().await?.maximum_qos;
    let publish = client.publish().await?;
    client.until_ping().await?;
    let other = bench.topic("other");
    client.subscribe(&other, Qos::AtMostOnce).await?;
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        if qos <= most {
            let id = client.next_id();
            let own = packets::publish(&bench.topic("own"), "m", qos, id);
            client.send_message(&own).await?;
        }
    }
    client.unsubscribe(&other).await?;
    if let Delivery::ExactlyOnce(id) = publish.delivery {
        client.send(&Packet::PubRec(ack(id.get()))).await?;
        client.pubrel(id.get()).await?;
    }
    Ok(())
}
