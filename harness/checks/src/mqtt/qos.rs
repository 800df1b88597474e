//! How messages travel at each quality of service, the broker sending them
//! (sections 4.3.1 to 4.3.3 of both versions). What it receives is in
//! `qos_received`.

use std::time::Duration;

use crate::bench::Bench;
use crate::check::checks;
use crate::client::{Arrival, Client};
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, ack, keeps_session, properties};
use squall_broker::wire::{Delivery, Packet, Property, Publish, Qos};

checks! {
    "qos-0-is-sent-as-such" ["MQTT311-4.3.1-1", "MQTT5-4.3.1-1"] qos_0;
    "qos-1-identifiers-differ" ["MQTT311-4.3.2-1", "MQTT5-4.3.2-1"] qos_1_identifiers;
    "qos-1-first-copy" ["MQTT311-4.3.2-1", "MQTT5-4.3.2-2"] qos_1_first_copy;
    "qos-1-waits-for-puback" [
        "MQTT311-4.3.2-1", "MQTT311-4.4.0-1", "MQTT5-4.3.2-3", "MQTT5-4.4.0-1",
    ] waits_for_puback;
    "qos-2-identifiers-differ" ["MQTT311-4.3.3-1", "MQTT5-4.3.3-1"] qos_2_identifiers;
    "qos-2-first-copy" ["MQTT311-4.3.3-1", "MQTT5-4.3.3-2"] qos_2_first_copy;
    "qos-2-waits-for-pubrec" [
        "MQTT311-4.3.3-1", "MQTT311-4.4.0-1", "MQTT5-4.3.3-3", "MQTT5-4.4.0-1",
    ] waits_for_pubrec;
    "pubrel-answers-pubrec" ["MQTT311-4.3.3-1", "MQTT5-4.3.3-4"] pubrel_answers;
    "pubrel-waits-for-pubcomp" [
        "MQTT311-4.3.3-1", "MQTT311-4.4.0-1", "MQTT5-4.3.3-5", "MQTT5-4.4.0-1",
    ] waits_for_pubcomp;
    "no-publish-after-pubrel" ["MQTT311-4.3.3-1", "MQTT5-4.3.3-6"] no_publish_after_pubrel;
    "qos-2-in-flight-does-not-expire" ["MQTT5-4.3.3-7"] in_flight_does_not_expire;
}

/// Subscribes a client that keeps its session, publishes numbered messages from
/// 1 on, and returns the client with their PUBLISH packets, unacknowledged.
async fn in_flight(bench: &Bench, qos: Qos, count: usize) -> Outcome<(Client, Vec<Publish>)> {
    bench.capabilities().await?.need_qos(qos)?;
    let topic = bench.topic("t");
    let mut client = bench.connect_as("client", keeps_session).await?;
    client.subscribe(&topic, qos).await?;
    let mut publisher = bench.connect("publisher").await?;
    for number in 1..=count {
        publisher.publishes(&topic, number.to_string(), qos).await?;
    }
    let mut publishes = Vec::new();
    while publishes.len() < count {
        let publish = client.publish_beside(publishes.len(), count).await?;
        publishes.push(publish);
    }
    Ok((client, publishes))
}

/// The packet identifier of a PUBLISH, which has to be of this QoS.
fn id_of(publish: &Publish, qos: Qos) -> Outcome<u16> {
    match publish.delivery.packet_id() {
        Some(id) if publish.qos() == qos => Ok(id.get()),
        _ => Err(Finding::fail(
            format!("a PUBLISH of QoS {}", qos as u8),
            format!("QoS {}", publish.qos() as u8),
        )),
    }
}

/// Published at any QoS, to a subscription of QoS 0; and published at QoS 0 to
/// one of QoS 2.
async fn qos_0(bench: Bench) -> Outcome {
    let most = bench.capabilities().await?.maximum_qos;
    let topic = bench.topic("t");
    let mut publisher = bench.connect("publisher").await?;
    let every = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];
    for (published, granted) in every
        .map(|qos| (qos, Qos::AtMostOnce))
        .into_iter()
        .chain([(Qos::AtMostOnce, most)])
        .filter(|(qos, _)| *qos <= most)
    {
        let mut client = bench.connect("client").await?;
        client.subscribe(&topic, granted).await?;
        publisher.publishes(&topic, "m", published).await?;
        let message = client.publish().await?;
        let delivery = message.delivery;
        ensure(
            delivery == Delivery::AtMostOnce && !message.dup,
            "QoS 0 and DUP 0",
            format!("QoS {}, DUP {}", message.qos() as u8, u8::from(message.dup)),
        )?;
    }
    Ok(())
}

async fn qos_1_identifiers(bench: Bench) -> Outcome {
    let (_client, publishes) = in_flight(&bench, Qos::AtLeastOnce, 3).await?;
    differ(&publishes, Qos::AtLeastOnce)
}

/// Also from those whose PUBCOMP is still to come.
async fn qos_2_identifiers(bench: Bench) -> Outcome {
    let (mut client, mut publishes) = in_flight(&bench, Qos::ExactlyOnce, 3).await?;
    let first = id_of(&publishes[0], Qos::ExactlyOnce)?;
    client.send(&Packet::PubRec(ack(first))).await?;
    client.pubrel(first).await?;
    differ(&publishes, Qos::ExactlyOnce)?;
    let mut publisher = bench.connect("publisher").await?;
    let topic = bench.topic("t");
    publisher.publishes(&topic, "4", Qos::ExactlyOnce).await?;
    if let Arrival::Packet(Packet::Publish(publish)) = client.next().await? {
        publishes.push(publish);
    }
    differ(&publishes, Qos::ExactlyOnce)
}

fn differ(publishes: &[Publish], qos: Qos) -> Outcome {
    let ids: Outcome<Vec<_>> = publishes.iter().map(|one| id_of(one, qos)).collect();
    let ids = ids?;
    let unlike = |at: usize| !ids[..at].contains(&ids[at]);
    ensure(
        (0..ids.len()).all(unlike),
        "a packet identifier that is not in use for each message",
        format!("the identifiers {ids:?}"),
    )
}

async fn qos_1_first_copy(bench: Bench) -> Outcome {
    first_copy(bench, Qos::AtLeastOnce).await
}

async fn qos_2_first_copy(bench: Bench) -> Outcome {
    first_copy(bench, Qos::ExactlyOnce).await
}

/// One that comes at once, and one that had to wait for its client.
async fn first_copy(bench: Bench, qos: Qos) -> Outcome {
    let (mut client, publishes) = in_flight(&bench, qos, 1).await?;
    is_first(&publishes[0], qos)?;
    client.acknowledge(&publishes[0]).await?;
    client.until_ping().await?;
    client.vanish().await?;
    let mut publisher = bench.connect("publisher").await?;
    publisher.publishes(&bench.topic("t"), "2", qos).await?;
    let mut client = bench.connect_as("client", keeps_session).await?;
    let waited = client.publish().await?;
    is_first(&waited, qos)?;
    client.acknowledge(&waited).await
}

fn is_first(publish: &Publish, qos: Qos) -> Outcome {
    id_of(publish, qos)?;
    ensure(
        !publish.dup,
        "DUP 0 on a message that is sent for the first time",
        "DUP 1",
    )
}

/// Until it comes, each new connection brings the message again; then none does.
/// A broker that has forgotten the message and one that does not send it again
/// look alike.
async fn waits_for_puback(bench: Bench) -> Outcome {
    let qos = Qos::AtLeastOnce;
    let (mut client, publishes) = in_flight(&bench, qos, 1).await?;
    let id = id_of(&publishes[0], qos)?;
    for _ in 0..2 {
        client.vanish().await?;
        client = bench.connect_as("client", keeps_session).await?;
        comes_again(&mut client, id, qos).await?;
    }
    client.send(&Packet::PubAck(ack(id))).await?;
    nothing_after(&bench, client).await
}

async fn waits_for_pubrec(bench: Bench) -> Outcome {
    let qos = Qos::ExactlyOnce;
    let (mut client, publishes) = in_flight(&bench, qos, 1).await?;
    let id = id_of(&publishes[0], qos)?;
    for _ in 0..2 {
        client.vanish().await?;
        client = bench.connect_as("client", keeps_session).await?;
        comes_again(&mut client, id, qos).await?;
    }
    client.acknowledge(&publishes[0]).await?;
    nothing_after(&bench, client).await
}

/// The message that was sent with this identifier comes, and with it.
async fn comes_again(client: &mut Client, id: u16, qos: Qos) -> Outcome {
    let again = client.publish().await?;
    ensure(
        id_of(&again, qos)? == id,
        format!("the PUBLISH of packet identifier {id} again"),
        client.in_words(&Arrival::Packet(Packet::Publish(again))),
    )
}

/// What has been acknowledged does not come on a new connection.
async fn nothing_after(bench: &Bench, mut client: Client) -> Outcome {
    client.until_ping().await?;
    client.vanish().await?;
    let mut client = bench.connect_as("client", keeps_session).await?;
    match client.until_ping().await?.first() {
        None => Ok(()),
        Some(packet) => Err(Finding::fail(
            "nothing of what has been acknowledged",
            client.in_words(&Arrival::Packet(packet.clone())),
        )),
    }
}

/// Of two messages under way each is answered by itself.
async fn pubrel_answers(bench: Bench) -> Outcome {
    let (mut client, publishes) = in_flight(&bench, Qos::ExactlyOnce, 2).await?;
    for publish in &publishes {
        let id = id_of(publish, Qos::ExactlyOnce)?;
        client.send(&Packet::PubRec(ack(id))).await?;
        client.pubrel(id).await?;
    }
    for publish in &publishes {
        let id = id_of(publish, Qos::ExactlyOnce)?;
        client.send(&Packet::PubComp(ack(id))).await?;
    }
    nothing_after(&bench, client).await
}

async fn waits_for_pubcomp(bench: Bench) -> Outcome {
    let (mut client, id) = released(&bench).await?;
    for _ in 0..2 {
        client.vanish().await?;
        client = bench.connect_as("client", keeps_session).await?;
        client.pubrel(id).await?;
    }
    client.send(&Packet::PubComp(ack(id))).await?;
    nothing_after(&bench, client).await
}

/// A client that has taken a PUBREL and not answered it, and its identifier.
async fn released(bench: &Bench) -> Outcome<(Client, u16)> {
    let (mut client, publishes) = in_flight(bench, Qos::ExactlyOnce, 1).await?;
    let id = id_of(&publishes[0], Qos::ExactlyOnce)?;
    client.send(&Packet::PubRec(ack(id))).await?;
    client.pubrel(id).await?;
    Ok((client, id))
}

async fn no_publish_after_pubrel(bench: Bench) -> Outcome {
    let (client, id) = released(&bench).await?;
    client.vanish().await?;
    let mut client = bench.connect_as("client", keeps_session).await?;
    for packet in client.until_ping().await? {
        ensure(
            !matches!(packet, Packet::Publish(_)),
            "no PUBLISH once its PUBREL was sent",
            client.in_words(&Arrival::Packet(packet)),
        )?;
    }
    client.send(&Packet::PubComp(ack(id))).await
}

/// It was sent in time, and its client comes back when it would have expired.
async fn in_flight_does_not_expire(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::ExactlyOnce)?;
    let topic = bench.topic("t");
    let mut client = bench.connect_as("client", keeps_session).await?;
    client.subscribe(&topic, Qos::ExactlyOnce).await?;
    let mut publisher = bench.connect("publisher").await?;
    let message = Publish {
        properties: properties([Property::MessageExpiryInterval(2)]),
        ..packets::publish(&topic, "m", Qos::ExactlyOnce, 1)
    };
    publisher.send_message(&message).await?;
    let sent = client.publish().await?;
    let id = id_of(&sent, Qos::ExactlyOnce)?;
    client.vanish().await?;
    let why = "the message would have expired";
    bench.wait(Duration::from_secs(3), why).await;
    let mut client = bench.connect_as("client", keeps_session).await?;
    comes_again(&mut client, id, Qos::ExactlyOnce).await?;
    client.acknowledge(&sent).await
}
