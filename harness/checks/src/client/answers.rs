//! The packets that a check waits for, each by its name.

use std::collections::VecDeque;

use squall_broker::wire::{Ack, ConnAck, Packet, Publish, SubAck, UnsubAck};

use super::{Arrival, Client, PACKETS_MAX};
use crate::finding::{Finding, Outcome};

impl Client {
    /// CONNACK, whatever it says.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn connack(&mut self) -> Outcome<ConnAck> {
        self.expect("a CONNACK", |packet| match packet {
            Packet::ConnAck(connack) => Some(connack.clone()),
            _ => None,
        })
        .await
    }

    /// PINGRESP.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn pingresp(&mut self) -> Outcome {
        self.expect("a PINGRESP", |packet| {
            (*packet == Packet::PingResp).then_some(())
        })
        .await
    }

    /// PUBACK of this packet identifier.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn puback(&mut self, id: u16) -> Outcome<Ack> {
        self.answer(&format!("a PUBACK of {id}"), |packet| match packet {
            Packet::PubAck(ack) if ack.packet_id.get() == id => Some(ack.clone()),
            _ => None,
        })
        .await
    }

    /// PUBREC of this packet identifier.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn pubrec(&mut self, id: u16) -> Outcome<Ack> {
        self.answer(&format!("a PUBREC of {id}"), |packet| match packet {
            Packet::PubRec(ack) if ack.packet_id.get() == id => Some(ack.clone()),
            _ => None,
        })
        .await
    }

    /// PUBREL of this packet identifier.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn pubrel(&mut self, id: u16) -> Outcome<Ack> {
        self.answer(&format!("a PUBREL of {id}"), |packet| match packet {
            Packet::PubRel(ack) if ack.packet_id.get() == id => Some(ack.clone()),
            _ => None,
        })
        .await
    }

    /// PUBCOMP of this packet identifier.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn pubcomp(&mut self, id: u16) -> Outcome<Ack> {
        self.answer(&format!("a PUBCOMP of {id}"), |packet| match packet {
            Packet::PubComp(ack) if ack.packet_id.get() == id => Some(ack.clone()),
            _ => None,
        })
        .await
    }

    /// SUBACK of this packet identifier.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn suback(&mut self, id: u16) -> Outcome<SubAck> {
        self.answer(&format!("a SUBACK of {id}"), |packet| match packet {
            Packet::SubAck(suback) if suback.packet_id.get() == id => Some(suback.clone()),
            _ => None,
        })
        .await
    }

    /// UNSUBACK of this packet identifier.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn unsuback(&mut self, id: u16) -> Outcome<UnsubAck> {
        self.answer(&format!("an UNSUBACK of {id}"), |packet| match packet {
            Packet::UnsubAck(unsuback) if unsuback.packet_id.get() == id => Some(unsuback.clone()),
            _ => None,
        })
        .await
    }

    /// A PUBLISH, not acknowledged yet.
    ///
    /// # Errors
    /// [`Finding::Fail`] when something else comes.
    pub async fn publish(&mut self) -> Outcome<Publish> {
        self.expect("a PUBLISH", |packet| match packet {
            Packet::Publish(publish) => Some(publish.clone()),
            _ => None,
        })
        .await
    }

    /// A PUBLISH that is under way together with others, so many at once in all. A
    /// broker may send fewer until they are acknowledged (section 4.6 of 3.1.1, 4.9
    /// of 5.0): with one there already, the check does not apply to one that does.
    ///
    /// # Errors
    /// [`Finding::Skip`] when no more than `already` are under way,
    /// [`Finding::Fail`] when something else comes.
    pub async fn publish_beside(&mut self, already: usize, in_all: usize) -> Outcome<Publish> {
        match self.next().await? {
            Arrival::Packet(Packet::Publish(publish)) => Ok(publish),
            Arrival::Silence if already > 0 => Err(Finding::too_few_under_way(in_all)),
            other => Err(Finding::fail("a PUBLISH", self.in_words(&other))),
        }
    }

    /// An acknowledgement that `wanted` takes. Nothing orders it among the
    /// messages that the server sends, and those of a subscription may come
    /// before its SUBACK (section 3.8.4), so messages that come first are kept
    /// for whoever asks for them.
    async fn answer<T>(
        &mut self,
        what: &str,
        wanted: impl FnOnce(&Packet) -> Option<T>,
    ) -> Outcome<T> {
        let mut early = VecDeque::new();
        let answer = loop {
            match self.packet(what).await {
                Ok(packet @ Packet::Publish(_)) if early.len() < PACKETS_MAX => {
                    early.push_back(packet);
                }
                answer => break answer,
            }
        };
        self.early = early;
        let packet = answer?;
        wanted(&packet)
            .ok_or_else(|| Finding::fail(what, self.in_words(&Arrival::Packet(packet.clone()))))
    }
}
