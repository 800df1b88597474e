//! The handshakes of QoS 1 and 2 with the broker at the sending end, broken off
//! by a lost connection at each step (sections 4.3.2, 4.3.3 and 4.4 of both
//! versions): each packet lost, sent again although it had arrived, or sent
//! behind one of another exchange.

use crate::bench::Bench;
use crate::check::checks;
use crate::client::{Arrival, Client};
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{ack, encode, encode_connect, keeps_session};
use squall_broker::wire::{Packet, Publish, Qos};

checks! {
    "sent-qos-1-with-losses" [
        "MQTT311-4.3.2-1", "MQTT311-4.4.0-1", "MQTT5-4.3.2-3", "MQTT5-4.4.0-1",
    ] qos_1_losses;
    "sent-qos-1-with-repeats" [
        "MQTT311-4.3.2-1", "MQTT311-4.4.0-1", "MQTT5-4.3.2-3", "MQTT5-4.4.0-1",
    ] qos_1_repeats;
    "sent-qos-1-out-of-turn" [
        "MQTT311-4.3.2-1", "MQTT311-4.4.0-1", "MQTT5-4.3.2-3", "MQTT5-4.4.0-1",
    ] qos_1_out_of_turn;
    "sent-qos-2-with-losses" [
        "MQTT311-4.3.3-1", "MQTT311-4.4.0-1", "MQTT5-4.3.3-3", "MQTT5-4.3.3-5",
        "MQTT5-4.3.3-6", "MQTT5-4.4.0-1",
    ] qos_2_losses;
    "sent-qos-2-with-repeats" [
        "MQTT311-4.3.3-1", "MQTT311-4.4.0-1", "MQTT5-4.3.3-4", "MQTT5-4.3.3-5",
        "MQTT5-4.3.3-6", "MQTT5-4.4.0-1",
    ] qos_2_repeats;
    "sent-qos-2-out-of-turn" [
        "MQTT311-4.3.3-1", "MQTT311-4.4.0-1", "MQTT5-4.3.3-3", "MQTT5-4.3.3-4",
        "MQTT5-4.3.3-5", "MQTT5-4.4.0-1",
    ] qos_2_out_of_turn;
}

/// A subscriber whose connections break, and somebody who publishes.
struct Scene {
    bench: Bench,
    qos: Qos,
    topic: String,
    client: Client,
    publisher: Client,
}

impl Scene {
    async fn new(bench: &Bench, qos: Qos) -> Outcome<Self> {
        bench.capabilities().await?.need_qos(qos)?;
        let topic = bench.topic("t");
        let mut client = bench.connect_as("client", keeps_session).await?;
        client.subscribe(&topic, qos).await?;
        Ok(Self {
            bench: bench.clone(),
            qos,
            topic,
            client,
            publisher: bench.connect("publisher").await?,
        })
    }

    /// Publishes a message, takes its PUBLISH, and returns the identifier.
    async fn takes(&mut self, payload: &str) -> Outcome<u16> {
        self.takes_beside(0, payload).await
    }

    /// The same while so many others are under way.
    async fn takes_beside(&mut self, already: usize, payload: &str) -> Outcome<u16> {
        self.publisher
            .publishes(&self.topic, payload, self.qos)
            .await?;
        let publish = self.client.publish_beside(already, already + 1).await?;
        self.id_of(&publish, payload)
    }

    /// The identifier of a PUBLISH that has to carry this message.
    fn id_of(&self, publish: &Publish, payload: &str) -> Outcome<u16> {
        match publish.delivery.packet_id() {
            Some(id) if publish.qos() == self.qos && publish.payload == payload => Ok(id.get()),
            _ => Err(Finding::fail(
                format!("the message {payload} at QoS {}", self.qos as u8),
                format!(
                    "{} at QoS {}",
                    publish.payload.escape_ascii(),
                    publish.qos() as u8
                ),
            )),
        }
    }

    /// Breaks the client's connection, and takes up its session in a new one.
    async fn breaks(self) -> Outcome<Self> {
        self.client.vanish().await?;
        let client = self.bench.connect_as("client", keeps_session).await?;
        Ok(Self { client, ..self })
    }

    /// The same in the middle of a packet.
    async fn breaks_within(mut self, packet: &Packet) -> Outcome<Self> {
        let bytes = encode(packet, self.bench.version());
        let cut = &bytes[..bytes.len() - 1];
        self.client.send_bytes(cut).await?;
        self.breaks().await
    }

    /// The message comes again, with its identifier.
    async fn comes_again(&mut self, payload: &str, id: u16) -> Outcome {
        let publish = self.client.publish().await?;
        let again = self.id_of(&publish, payload)?;
        ensure(
            again == id,
            format!("the message again, with packet identifier {id}"),
            format!("packet identifier {again}"),
        )
    }

    /// A new connection brings nothing, since nothing is owed.
    async fn owes_nothing(mut self) -> Outcome {
        self.client.until_ping().await?;
        let mut scene = self.breaks().await?;
        if let Some(packet) = scene.client.until_ping().await?.into_iter().next() {
            let came = scene.client.in_words(&Arrival::Packet(packet));
            return Err(Finding::fail("nothing, since nothing is owed", came));
        }
        scene.client.leave().await?;
        scene.publisher.leave().await
    }
}

/// A PUBLISH that is not looked at, and a PUBACK that does not arrive whole.
async fn qos_1_losses(bench: Bench) -> Outcome {
    let mut scene = Scene::new(&bench, Qos::AtLeastOnce).await?;
    let id = scene.takes("m").await?;
    scene = scene.breaks().await?;
    scene.comes_again("m", id).await?;
    scene = scene.breaks_within(&Packet::PubAck(ack(id))).await?;
    scene.comes_again("m", id).await?;
    scene.client.send(&Packet::PubAck(ack(id))).await?;
    scene.owes_nothing().await
}

/// A PUBACK of what is acknowledged already says nothing about what follows.
/// That it ends the connection is not forbidden.
async fn qos_1_repeats(bench: Bench) -> Outcome {
    let mut scene = Scene::new(&bench, Qos::AtLeastOnce).await?;
    let id = scene.takes("1").await?;
    scene.client.send(&Packet::PubAck(ack(id))).await?;
    scene.client.until_ping().await?;
    scene = scene.breaks().await?;
    scene.client.send(&Packet::PubAck(ack(id))).await?;
    let tolerated = scene.client.until_ping().await;
    let strict = tolerated.is_err();
    if strict {
        scene = scene.breaks().await?;
    }
    let id = scene.takes("2").await?;
    scene = scene.breaks().await?;
    scene.comes_again("2", id).await?;
    scene.client.send(&Packet::PubAck(ack(id))).await?;
    scene.owes_nothing().await?;
    if strict {
        return Err(Finding::non_strict(
            "a PUBACK that repeats one to be passed over",
            "the broker ended the connection",
        ));
    }
    Ok(())
}

/// The PUBACK of the first of two messages is behind the CONNECT, before
/// anything has come again; the second comes. So may the first: a broker that
/// looks only later for what it is to send again knows of nothing that the PUBACK
/// could be of. The next connection brings it again then, and no other.
async fn qos_1_out_of_turn(bench: Bench) -> Outcome {
    let mut scene = Scene::new(&bench, Qos::AtLeastOnce).await?;
    let first = scene.takes("1").await?;
    let second = scene.takes_beside(1, "2").await?;
    scene.client.vanish().await?;
    scene.client = bench.open("client").await?;
    let mut connect = bench.connect_packet("client");
    keeps_session(&mut connect);
    let puback = encode(&Packet::PubAck(ack(first)), bench.version());
    let both = [encode_connect(&connect), puback].concat();
    scene.client.send_bytes(&both).await?;
    scene.client.connack().await?;
    let mut publish = scene.client.publish().await?;
    if publish.payload == "1" {
        publish = scene.client.publish().await?;
    }
    ensure(
        scene.id_of(&publish, "2")? == second,
        format!("the second message again, with packet identifier {second}"),
        format!("{:?}", publish.delivery),
    )?;
    scene.client.send(&Packet::PubAck(ack(second))).await?;
    scene.client.until_ping().await?;
    scene = scene.breaks().await?;
    for packet in scene.client.until_ping().await? {
        let Packet::Publish(publish) = &packet else {
            let came = scene.client.in_words(&Arrival::Packet(packet));
            return Err(Finding::fail("the first message, or nothing", came));
        };
        ensure(
            scene.id_of(publish, "1")? == first,
            format!("the first message again, with packet identifier {first}"),
            format!("{:?}", publish.delivery),
        )?;
        scene.client.acknowledge(publish).await?;
    }
    scene.owes_nothing().await
}

/// Until the broker has the PUBREC the PUBLISH comes again; from then on the
/// PUBREL does, until it has the PUBCOMP.
async fn qos_2_losses(bench: Bench) -> Outcome {
    let mut scene = Scene::new(&bench, Qos::ExactlyOnce).await?;
    let id = scene.takes("m").await?;
    scene = scene.breaks().await?;
    scene.comes_again("m", id).await?;
    scene = scene.breaks_within(&Packet::PubRec(ack(id))).await?;
    scene.comes_again("m", id).await?;
    scene.client.send(&Packet::PubRec(ack(id))).await?;
    // The PUBREL is not looked at.
    scene = scene.breaks().await?;
    scene.client.pubrel(id).await?;
    scene = scene.breaks_within(&Packet::PubComp(ack(id))).await?;
    scene.client.pubrel(id).await?;
    scene.client.send(&Packet::PubComp(ack(id))).await?;
    scene.owes_nothing().await
}

/// A PUBREC that repeats one is answered by the PUBREL and by no PUBLISH; a
/// PUBCOMP that repeats one changes nothing.
async fn qos_2_repeats(bench: Bench) -> Outcome {
    let mut scene = Scene::new(&bench, Qos::ExactlyOnce).await?;
    let id = scene.takes("m").await?;
    scene.client.send(&Packet::PubRec(ack(id))).await?;
    scene.client.pubrel(id).await?;
    scene = scene.breaks().await?;
    scene.client.pubrel(id).await?;
    scene.client.send(&Packet::PubRec(ack(id))).await?;
    scene.client.pubrel(id).await?;
    scene.client.send(&Packet::PubComp(ack(id))).await?;
    scene.client.until_ping().await?;
    scene = scene.breaks().await?;
    scene.client.send(&Packet::PubComp(ack(id))).await?;
    if scene.client.until_ping().await.is_err() {
        scene.breaks().await?.owes_nothing().await?;
        return Err(Finding::non_strict(
            "a PUBCOMP that repeats one to be passed over",
            "the broker ended the connection",
        ));
    }
    scene.owes_nothing().await
}

/// Of two exchanges one is at its PUBREL, one at its PUBLISH; on the next
/// connection the second catches up before the first ends.
async fn qos_2_out_of_turn(bench: Bench) -> Outcome {
    let mut scene = Scene::new(&bench, Qos::ExactlyOnce).await?;
    let first = scene.takes("1").await?;
    scene.client.send(&Packet::PubRec(ack(first))).await?;
    scene.client.pubrel(first).await?;
    let second = scene.takes_beside(1, "2").await?;
    scene = scene.breaks().await?;
    // Between PUBREL and PUBLISH no order is promised.
    let (mut released, mut published) = (false, false);
    for _ in 0..2 {
        match scene
            .client
            .packet("the PUBREL and the PUBLISH again")
            .await?
        {
            Packet::PubRel(ack) if ack.packet_id.get() == first => released = true,
            Packet::Publish(publish) if scene.id_of(&publish, "2")? == second => published = true,
            other => {
                let came = scene.client.in_words(&Arrival::Packet(other));
                return Err(Finding::fail("the PUBREL and the PUBLISH again", came));
            }
        }
    }
    ensure(
        released && published,
        "the PUBREL and the PUBLISH again",
        "one of them twice",
    )?;
    scene.client.send(&Packet::PubRec(ack(second))).await?;
    scene.client.pubrel(second).await?;
    scene.client.send(&Packet::PubComp(ack(second))).await?;
    scene.client.send(&Packet::PubComp(ack(first))).await?;
    scene.owes_nothing().await
}
