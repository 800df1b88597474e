//! What is sent again, and when (section 4.4 of both versions).

use crate::bench::Bench;
use crate::check::checks;
use crate::client::{Arrival, Client};
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{ack, keeps_session};
use squall_broker::wire::{Ack, Connect, Delivery, Packet, PacketId, Publish, Qos, ReasonCode};

checks! {
    "resumed-session-gets-the-unacknowledged" ["MQTT311-4.4.0-1", "MQTT5-4.4.0-1"] resumed;
    "nothing-is-resent-meanwhile" ["MQTT5-4.4.0-1"] not_meanwhile;
    "refused-message-is-not-resent" ["MQTT5-4.4.0-2"] refused;
}

/// A client that has three messages under way, the first of QoS 1, the others of
/// QoS 2, and the PUBREL of the third.
struct UnderWay {
    client: Client,
    publishes: Vec<Publish>,
}

async fn under_way(bench: &Bench, change: impl FnOnce(&mut Connect)) -> Outcome<UnderWay> {
    bench.capabilities().await?.need_qos(Qos::ExactlyOnce)?;
    let topic = bench.topic("t");
    let mut client = bench.connect_as("client", change).await?;
    client.subscribe(&topic, Qos::ExactlyOnce).await?;
    let mut publisher = bench.connect("publisher").await?;
    let sent = [
        ("1", Qos::AtLeastOnce),
        ("2", Qos::ExactlyOnce),
        ("3", Qos::ExactlyOnce),
    ];
    for (payload, qos) in sent {
        publisher.publishes(&topic, payload, qos).await?;
    }
    let mut publishes = Vec::new();
    for _ in sent {
        match client.next().await? {
            Arrival::Packet(Packet::Publish(publish)) => publishes.push(publish),
            Arrival::Silence if !publishes.is_empty() => {
                return Err(Finding::skip("three messages under way at once"));
            }
            other => return Err(Finding::fail("a PUBLISH", client.in_words(&other))),
        }
    }
    // Between messages of different QoS no order is promised.
    publishes.sort_by(|one, other| one.payload.cmp(&other.payload));
    if let Some(id) = id_of(&publishes[2]) {
        client.send(&Packet::PubRec(Ack::new(id))).await?;
        client.pubrel(id.get()).await?;
    }
    Ok(UnderWay { client, publishes })
}

fn id_of(publish: &Publish) -> Option<PacketId> {
    publish.delivery.packet_id()
}

/// Each with the identifier that it had.
async fn resumed(bench: Bench) -> Outcome {
    let UnderWay { client, publishes } = under_way(&bench, keeps_session).await?;
    client.vanish().await?;
    let mut client = bench.connect_as("client", keeps_session).await?;
    let mut came = Vec::new();
    while came.len() < publishes.len()
        && let Arrival::Packet(packet) = client.next().await?
    {
        came.push(packet);
    }
    for publish in &publishes[..2] {
        let again = came.iter().any(|packet| match packet {
            Packet::Publish(one) => id_of(one) == id_of(publish) && one.payload == publish.payload,
            _ => false,
        });
        let id = id_of(publish).map_or(0, PacketId::get);
        ensure(
            again,
            format!("the PUBLISH of packet identifier {id} again"),
            names(&came),
        )?;
    }
    let released = came.iter().any(
        |packet| matches!(packet, Packet::PubRel(ack) if Some(ack.packet_id) == id_of(&publishes[2])),
    );
    ensure(released, "the PUBREL again", names(&came))
}

fn names(packets: &[Packet]) -> String {
    match packets {
        [] => "nothing came".to_owned(),
        some => {
            let names: Vec<_> = some.iter().map(Packet::name).collect();
            format!("only {} came", names.join(", "))
        }
    }
}

/// As long as the connection lasts, however long the acknowledgements take.
async fn not_meanwhile(bench: Bench) -> Outcome {
    if bench.capabilities().await?.server_keep_alive_s.is_some() {
        return Err(Finding::skip("a keep-alive time of the client's choice"));
    }
    let longest = |connect: &mut Connect| connect.keep_alive_s = u16::MAX;
    let UnderWay { mut client, .. } = under_way(&bench, longest).await?;
    bench.quiet("nothing is sent again").await;
    match client.until_ping().await?.first() {
        None => Ok(()),
        Some(packet) => Err(Finding::fail(
            "nothing again while the connection lasts",
            client.in_words(&Arrival::Packet(packet.clone())),
        )),
    }
}

/// By PUBACK or PUBREC, on whichever connection.
async fn refused(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::ExactlyOnce)?;
    let topic = bench.topic("t");
    let mut client = bench.connect_as("client", keeps_session).await?;
    client.subscribe(&topic, Qos::ExactlyOnce).await?;
    let mut publisher = bench.connect("publisher").await?;
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        publisher.publishes(&topic, "m", qos).await?;
        let publish = client.publish().await?;
        let refusal = |id: PacketId| Ack {
            code: ReasonCode::UnspecifiedError,
            ..ack(id.get())
        };
        let answer = match publish.delivery {
            Delivery::AtMostOnce => return Err(Finding::fail("a higher QoS", "QoS 0")),
            Delivery::AtLeastOnce(id) => Packet::PubAck(refusal(id)),
            Delivery::ExactlyOnce(id) => Packet::PubRec(refusal(id)),
        };
        client.send(&answer).await?;
        client.until_ping_without(&topic).await?;
    }
    client.vanish().await?;
    let mut client = bench.connect_as("client", keeps_session).await?;
    client.until_ping_without(&topic).await
}
