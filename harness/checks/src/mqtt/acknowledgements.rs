//! PUBREL and PUBCOMP (sections 3.6.2 and 3.7.2 of 5.0), and how many messages
//! may wait for an acknowledgement (section 3.3.4).

use std::num::NonZeroU16;

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Arrival;
use crate::finding::{Outcome, ensure};
use crate::packets::{ack, properties};
use squall_broker::wire::{Packet, Property, Qos};

checks! {
    "receive-maximum-of-the-client" ["MQTT5-3.3.4-9"] receive_maximum;
    "pubrel-codes-are-its-own" ["MQTT5-3.6.2-1"] pubrel_codes;
    "pubcomp-codes-are-its-own" ["MQTT5-3.7.2-1"] pubcomp_codes;
}

/// Two are taken; each that is acknowledged makes room for one.
async fn receive_maximum(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("t");
    let two = NonZeroU16::new(2).map(Property::ReceiveMaximum);
    let change = |connect: &mut squall_broker::wire::Connect| connect.properties = properties(two);
    let mut client = bench.connect_as("client", change).await?;
    let mut publisher = bench.connect("publisher").await?;
    client.subscribe(&topic, Qos::AtLeastOnce).await?;
    for _ in 0..5 {
        publisher.publishes(&topic, "m", Qos::AtLeastOnce).await?;
    }
    let mut held = client.publish().await?;
    for _ in 0..4 {
        let next = client.publish().await?;
        client.until_ping_without(&topic).await?;
        client.acknowledge(&held).await?;
        held = next;
    }
    client.acknowledge(&held).await
}

/// The decoder takes no other. An unknown identifier may also be answered by
/// nothing, or by the end of the connection.
async fn pubrel_codes(bench: Bench) -> Outcome {
    let mut client = bench.connect("client").await?;
    client.send(&Packet::PubRec(ack(7))).await?;
    unknown(client.next().await?, |packet| {
        matches!(packet, Packet::PubRel(_))
    })
}

async fn pubcomp_codes(bench: Bench) -> Outcome {
    let mut client = bench.connect("client").await?;
    client.send(&Packet::PubRel(ack(7))).await?;
    unknown(client.next().await?, |packet| {
        matches!(packet, Packet::PubComp(_))
    })
}

/// What may follow an identifier that is not known.
fn unknown(arrival: Arrival, is_answer: impl Fn(&Packet) -> bool) -> Outcome {
    match arrival {
        Arrival::Packet(Packet::Disconnect(_)) => Ok(()),
        Arrival::Packet(packet) => ensure(
            is_answer(&packet),
            "an answer of its kind",
            format!("{} came", packet.name()),
        ),
        Arrival::Ended | Arrival::Reset | Arrival::Silence => Ok(()),
    }
}
