//! The handshakes of QoS 1 and 2 with the broker at the receiving end, broken
//! off by a lost connection at each step (sections 4.3.2, 4.3.3 and 4.4 of both
//! versions): each packet lost, sent again although it had arrived, or sent
//! behind one of another exchange.

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Client;
use crate::finding::{Outcome, ensure};
use crate::packets::{self, ack, encode, keeps_session, repeated};
use squall_broker::wire::{Packet, Publish, Qos};

checks! {
    "received-qos-1-with-losses" [
        "MQTT311-4.3.2-2", "MQTT5-4.3.2-4", "MQTT5-4.3.2-5",
    ] qos_1_losses;
    "received-qos-1-with-repeats" ["MQTT311-4.3.2-2", "MQTT5-4.3.2-5"] qos_1_repeats;
    "received-qos-1-out-of-turn" ["MQTT311-4.3.2-2", "MQTT5-4.3.2-5"] qos_1_out_of_turn;
    "received-qos-2-with-losses" [
        "MQTT311-4.3.3-2", "MQTT5-4.3.3-8", "MQTT5-4.3.3-10", "MQTT5-4.3.3-11",
    ] qos_2_losses;
    "received-qos-2-with-repeats" [
        "MQTT311-4.3.3-2", "MQTT5-4.3.3-10", "MQTT5-4.3.3-11",
    ] qos_2_repeats;
    "received-qos-2-out-of-turn" [
        "MQTT311-4.3.3-2", "MQTT5-4.3.3-10", "MQTT5-4.3.3-11",
    ] qos_2_out_of_turn;
}

/// A step of a handshake that a packet takes.
#[derive(Clone, Copy, Debug)]
enum Step {
    Publish,
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
}

/// A publisher whose connections break, and somebody who listens.
struct Scene {
    bench: Bench,
    qos: Qos,
    topic: String,
    publisher: Client,
    subscriber: Client,
}

impl Scene {
    async fn new(bench: &Bench, qos: Qos, name: &str) -> Outcome<Self> {
        bench.capabilities().await?.need_qos(qos)?;
        let topic = bench.topic(name);
        let mut subscriber = bench.connect("subscriber").await?;
        subscriber.subscribe(&topic, qos).await?;
        Ok(Self {
            bench: bench.clone(),
            qos,
            topic,
            publisher: bench.connect_as("publisher", keeps_session).await?,
            subscriber,
        })
    }

    fn message(&self, payload: &str, id: u16) -> Publish {
        packets::publish(&self.topic, payload, self.qos, id)
    }

    /// Breaks the publisher's connection, and takes up its session in a new one.
    async fn breaks(self) -> Outcome<Self> {
        self.publisher.vanish().await?;
        let publisher = self.bench.connect_as("publisher", keeps_session).await?;
        Ok(Self { publisher, ..self })
    }

    /// The same in the middle of a packet.
    async fn breaks_within(mut self, packet: &Packet) -> Outcome<Self> {
        let bytes = encode(packet, self.bench.version());
        let cut = &bytes[..bytes.len() - 1];
        self.publisher.send_bytes(cut).await?;
        self.breaks().await
    }

    async fn sends(&mut self, publish: &Publish) -> Outcome {
        self.publisher.send(&Packet::Publish(publish.clone())).await
    }

    async fn sends_again(&mut self, publish: &Publish) -> Outcome {
        self.publisher.send(&repeated(publish)).await
    }

    async fn releases(&mut self, id: u16) -> Outcome {
        self.publisher.send(&Packet::PubRel(ack(id))).await?;
        self.publisher.pubcomp(id).await?;
        Ok(())
    }

    /// What came of it all: the messages that were delivered.
    async fn delivered(mut self) -> Outcome<Vec<String>> {
        let last = self.message("last", 40_000);
        self.publisher.send_message(&last).await?;
        let messages = self.subscriber.messages_until("last").await?;
        self.publisher.leave().await?;
        self.subscriber.leave().await?;
        Ok(messages
            .iter()
            .map(|message| message.payload.escape_ascii().to_string())
            .collect())
    }

    /// These have to be all, each so often.
    async fn delivers(self, step: &str, expected: &[&str]) -> Outcome {
        let mut got = self.delivered().await?;
        got.sort();
        ensure(
            got == expected,
            format!("the messages {expected:?} ({step})"),
            format!("the messages {got:?}"),
        )
    }
}

/// A message of which not all arrives is sent again and comes once; one whose
/// PUBACK is lost comes at least once.
async fn qos_1_losses(bench: Bench) -> Outcome {
    for step in [Step::Publish, Step::Puback] {
        let mut scene = Scene::new(&bench, Qos::AtLeastOnce, &format!("{step:?}")).await?;
        let publish = scene.message("m", 7);
        scene = match step {
            Step::Publish => {
                scene
                    .breaks_within(&Packet::Publish(publish.clone()))
                    .await?
            }
            _ => {
                scene.sends(&publish).await?;
                scene.breaks().await?
            }
        };
        scene.sends_again(&publish).await?;
        scene.publisher.puback(7).await?;
        let got = scene.delivered().await?.len();
        let most = match step {
            Step::Publish => 1,
            _ => 2,
        };
        ensure(
            (1..=most).contains(&got),
            format!("the message, {most} times at most ({step:?} lost)"),
            format!("{got} copies"),
        )?;
    }
    Ok(())
}

/// Once it has sent its PUBACK, what comes with the identifier is a new message.
async fn qos_1_repeats(bench: Bench) -> Outcome {
    let mut scene = Scene::new(&bench, Qos::AtLeastOnce, "t").await?;
    let publish = scene.message("m", 7);
    scene.sends(&publish).await?;
    scene.publisher.puback(7).await?;
    scene = scene.breaks().await?;
    for _ in 0..2 {
        scene.sends_again(&publish).await?;
        scene.publisher.puback(7).await?;
    }
    scene.delivers("PUBLISH repeated", &["m", "m", "m"]).await
}

/// A new message goes before those that are sent again.
async fn qos_1_out_of_turn(bench: Bench) -> Outcome {
    let mut scene = Scene::new(&bench, Qos::AtLeastOnce, "t").await?;
    let [first, second, third] =
        [("1", 1), ("2", 2), ("3", 3)].map(|(payload, id)| scene.message(payload, id));
    scene.sends(&first).await?;
    scene = scene
        .breaks_within(&Packet::Publish(second.clone()))
        .await?;
    scene.sends(&third).await?;
    scene.sends_again(&first).await?;
    scene.sends_again(&second).await?;
    for id in [3, 1, 2] {
        scene.publisher.puback(id).await?;
    }
    let mut got = scene.delivered().await?;
    got.sort();
    got.dedup();
    ensure(
        got == ["1", "2", "3"],
        "each of the messages \"1\", \"2\" and \"3\"",
        format!("the messages {got:?}"),
    )
}

/// Whichever packet is lost, the exchange is taken up there, and the message
/// comes once.
async fn qos_2_losses(bench: Bench) -> Outcome {
    for step in [Step::Publish, Step::Pubrec, Step::Pubrel, Step::Pubcomp] {
        let mut scene = Scene::new(&bench, Qos::ExactlyOnce, &format!("{step:?}")).await?;
        let publish = scene.message("m", 9);
        let release = Packet::PubRel(ack(9));
        if matches!(step, Step::Publish) {
            scene = scene
                .breaks_within(&Packet::Publish(publish.clone()))
                .await?;
        } else {
            scene.sends(&publish).await?;
        }
        if matches!(step, Step::Pubrec) {
            scene = scene.breaks().await?;
        }
        if matches!(step, Step::Publish | Step::Pubrec) {
            scene.sends_again(&publish).await?;
        }
        scene.publisher.pubrec(9).await?;
        if matches!(step, Step::Pubrel) {
            scene = scene.breaks_within(&release).await?;
        }
        if matches!(step, Step::Pubcomp) {
            scene.publisher.send(&release).await?;
            scene = scene.breaks().await?;
        }
        scene.releases(9).await?;
        let what = format!("{step:?} lost");
        scene.delivers(&what, &["m"]).await?;
    }
    Ok(())
}

/// Although it had arrived and was answered.
async fn qos_2_repeats(bench: Bench) -> Outcome {
    for step in [Step::Publish, Step::Pubrel] {
        let mut scene = Scene::new(&bench, Qos::ExactlyOnce, &format!("{step:?}")).await?;
        bench.deciding(&["MQTT311-4.3.3-2", "MQTT5-4.3.3-10"]);
        let publish = scene.message("m", 9);
        scene.sends(&publish).await?;
        scene.publisher.pubrec(9).await?;
        if matches!(step, Step::Publish) {
            scene = scene.breaks().await?;
            for _ in 0..2 {
                scene.sends_again(&publish).await?;
                scene.publisher.pubrec(9).await?;
            }
        }
        bench.deciding(&["MQTT311-4.3.3-2", "MQTT5-4.3.3-11"]);
        scene.releases(9).await?;
        if matches!(step, Step::Pubrel) {
            scene = scene.breaks().await?;
            for _ in 0..2 {
                scene.releases(9).await?;
            }
        }
        bench.deciding(&["MQTT311-4.3.3-2", "MQTT5-4.3.3-10"]);
        let what = format!("{step:?} repeated");
        scene.delivers(&what, &["m"]).await?;
    }
    Ok(())
}

/// Of three exchanges, one is at its PUBREL, one at its PUBLISH, and one is new:
/// on the next connection their packets come in any order that the rules for
/// clients allow.
async fn qos_2_out_of_turn(bench: Bench) -> Outcome {
    #[derive(Clone, Copy)]
    enum Next {
        ReleaseFirst,
        RepeatSecond,
        SendThird,
    }
    use Next::{ReleaseFirst, RepeatSecond, SendThird};
    let orders = [
        [ReleaseFirst, RepeatSecond, SendThird],
        [RepeatSecond, ReleaseFirst, SendThird],
        [SendThird, RepeatSecond, ReleaseFirst],
        [SendThird, ReleaseFirst, RepeatSecond],
    ];
    for (number, order) in orders.into_iter().enumerate() {
        let mut scene = Scene::new(&bench, Qos::ExactlyOnce, &format!("t{number}")).await?;
        let [first, second, third] =
            [("1", 1), ("2", 2), ("3", 3)].map(|(payload, id)| scene.message(payload, id));
        scene.sends(&first).await?;
        scene.publisher.pubrec(1).await?;
        scene.sends(&second).await?;
        scene = scene.breaks().await?;
        for next in order {
            match next {
                ReleaseFirst => scene.releases(1).await?,
                RepeatSecond => {
                    scene.sends_again(&second).await?;
                    scene.publisher.pubrec(2).await?;
                }
                SendThird => {
                    scene.sends(&third).await?;
                    scene.publisher.pubrec(3).await?;
                }
            }
        }
        for id in [2, 3] {
            scene.releases(id).await?;
        }
        let what = format!("order {number}");
        scene.delivers(&what, &["1", "2", "3"]).await?;
    }
    Ok(())
}
