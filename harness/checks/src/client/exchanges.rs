//! Whole exchanges: a packet and what has to come for it, from a message at any
//! QoS to the subscriptions.

use squall_broker::wire::{
    Ack, Delivery, Packet, Publish, Qos, SubAck, Subscribe, SubscribeCode, UnsubAck, Unsubscribe,
};

use super::{Arrival, Client, PACKETS_MAX};
use crate::finding::{Finding, Outcome};
use crate::packets;

impl Client {
    /// A PUBLISH, and the rest of its handshake.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn message(&mut self) -> Outcome<Publish> {
        let publish = self.publish().await?;
        self.acknowledge(&publish).await?;
        Ok(publish)
    }

    /// The receiver's part of a PUBLISH's handshake.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn acknowledge(&mut self, publish: &Publish) -> Outcome {
        match publish.delivery {
            Delivery::AtMostOnce => Ok(()),
            Delivery::AtLeastOnce(id) => self.send(&Packet::PubAck(Ack::new(id))).await,
            Delivery::ExactlyOnce(id) => {
                self.send(&Packet::PubRec(Ack::new(id))).await?;
                self.pubrel(id.get()).await?;
                self.send(&Packet::PubComp(Ack::new(id))).await
            }
        }
    }

    /// Sends a PUBLISH and does the sender's part of its handshake, in which the
    /// server has to succeed.
    ///
    /// # Errors
    /// [`Finding::Fail`] when it does not.
    pub async fn send_message(&mut self, publish: &Publish) -> Outcome {
        self.send(&Packet::Publish(publish.clone())).await?;
        let ack = match publish.delivery {
            Delivery::AtMostOnce => return Ok(()),
            Delivery::AtLeastOnce(id) => self.puback(id.get()).await?,
            Delivery::ExactlyOnce(id) => {
                let received = self.pubrec(id.get()).await?;
                if !received.code.is_failure() {
                    self.send(&Packet::PubRel(Ack::new(id))).await?;
                    self.pubcomp(id.get()).await?;
                }
                received
            }
        };
        if ack.code.is_failure() {
            return Err(Finding::fail(
                "the message to be taken",
                format!("reason code {:#04x} ({:?})", ack.code as u8, ack.code),
            ));
        }
        Ok(())
    }

    /// Publishes and completes the handshake.
    ///
    /// # Errors
    /// As [`send_message`](Self::send_message).
    pub async fn publishes(&mut self, topic: &str, payload: impl AsRef<[u8]>, qos: Qos) -> Outcome {
        let id = self.next_id();
        let publish = packets::publish(topic, payload, qos, id);
        self.send_message(&publish).await
    }

    /// Publishes a message that is to be retained, and completes the handshake.
    ///
    /// # Errors
    /// As [`send_message`](Self::send_message).
    pub async fn retains(&mut self, topic: &str, payload: impl AsRef<[u8]>, qos: Qos) -> Outcome {
        let id = self.next_id();
        let publish = Publish {
            retain: true,
            ..packets::publish(topic, payload, qos, id)
        };
        self.send_message(&publish).await
    }

    /// Removes a topic's retained message.
    pub(crate) async fn clear_retained(&mut self, topic: &str) -> Outcome {
        // Not through `send`, which would remember it as left behind again.
        let publish = Publish {
            retain: true,
            ..packets::publish(topic, "", Qos::AtMostOnce, 0)
        };
        let bytes = packets::encode(&Packet::Publish(publish), self.version);
        self.send_bytes(&bytes).await
    }

    /// Subscribes, which has to be granted, and returns the SUBACK.
    ///
    /// # Errors
    /// [`Finding::Fail`] when it is refused.
    pub async fn subscribe(&mut self, filter: &str, qos: Qos) -> Outcome<SubAck> {
        let id = self.next_id();
        self.subscribe_with(&packets::subscribe(id, &[(filter, qos)]))
            .await
    }

    /// Sends a SUBSCRIBE that has to be granted, and returns the SUBACK.
    ///
    /// # Errors
    /// [`Finding::Fail`] when it is refused.
    pub async fn subscribe_with(&mut self, subscribe: &Subscribe) -> Outcome<SubAck> {
        self.send(&Packet::Subscribe(subscribe.clone())).await?;
        let suback = self.suback(subscribe.packet_id.get()).await?;
        for code in &suback.codes {
            if let SubscribeCode::Refused(code) = code {
                return Err(Finding::fail(
                    "the subscription to be granted",
                    format!("SUBACK {:#04x} ({code:?})", *code as u8),
                ));
            }
        }
        Ok(suback)
    }

    /// Unsubscribes and returns the UNSUBACK.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn unsubscribe(&mut self, filter: &str) -> Outcome<UnsubAck> {
        let id = self.next_id();
        let unsubscribe: Unsubscribe = packets::unsubscribe(id, &[filter]);
        self.send(&Packet::Unsubscribe(unsubscribe)).await?;
        self.unsuback(id).await
    }

    /// Messages in the order in which they come, before the first of this payload;
    /// each is acknowledged as its QoS demands, the last one too, whatever else
    /// comes between the steps of a handshake.
    ///
    /// # Errors
    /// [`Finding::Fail`] when anything but a message or a PUBREL comes.
    pub async fn messages_until(&mut self, last: impl AsRef<[u8]>) -> Outcome<Vec<Publish>> {
        let last = last.as_ref();
        let what = format!("the message {}", last.escape_ascii());
        let (mut messages, mut ended, mut unreleased) = (Vec::new(), false, 0_usize);
        for _ in 0..PACKETS_MAX {
            match self.packet(&what).await? {
                Packet::Publish(publish) => {
                    match publish.delivery {
                        Delivery::AtMostOnce => {}
                        Delivery::AtLeastOnce(id) => {
                            self.send(&Packet::PubAck(Ack::new(id))).await?
                        }
                        Delivery::ExactlyOnce(id) => {
                            unreleased += 1;
                            self.send(&Packet::PubRec(Ack::new(id))).await?;
                        }
                    }
                    if publish.payload == last {
                        ended = true;
                    } else {
                        messages.push(publish);
                    }
                }
                Packet::PubRel(ack) => {
                    unreleased = unreleased.saturating_sub(1);
                    self.send(&Packet::PubComp(Ack::new(ack.packet_id))).await?;
                }
                other => return Err(Finding::fail(what, self.in_words(&Arrival::Packet(other)))),
            }
            if ended && unreleased == 0 {
                return Ok(messages);
            }
        }
        Err(Finding::fail(
            what,
            format!("{PACKETS_MAX} other packets came"),
        ))
    }
}
