//! From a publisher to the sessions that want its message (sections 3.3.5 and
//! 4.5).

use std::sync::Arc;

use super::Broker;
use crate::access::Rights;
use crate::message::Message;
use crate::observer::DropCause;
use crate::queue::Outgoing;
use crate::quirks::Quirk;
use crate::topics::SessionKey;
use crate::wire::{Ack, Delivery, Packet, Publish};

impl Broker {
    /// A client's PUBLISH: passed on, then answered as its QoS demands
    /// [MQTT311-3.3.4-1].
    pub(super) fn publish(&mut self, slot: usize, session: SessionKey, publish: Publish) {
        let Publish {
            delivery,
            retain,
            topic,
            payload,
            ..
        } = publish;
        // DUP says nothing about this message's past here: at QoS 1 each packet
        // counts [MQTT311-4.3.2-2], at QoS 2 the identifier decides.
        let fresh = match delivery {
            Delivery::ExactlyOnce(id) => {
                let of = &mut self.sessions[session];
                let unknown = of.received.insert(id);
                if unknown && !of.clean {
                    self.effects.journal.received(&of.client_id, id);
                }
                unknown || self.config.quirks.has(Quirk::DeliversQos2Repeats)
            }
            Delivery::AtMostOnce | Delivery::AtLeastOnce(_) => true,
        };
        if fresh {
            let publisher = Arc::clone(&self.sessions[session].client_id);
            let message = Message {
                topic,
                payload,
                qos: delivery.qos(),
                retain,
            };
            let rights = self.connections[slot].rights.clone();
            self.accept_message(&publisher, &rights, Arc::new(message));
        }
        match delivery {
            Delivery::AtMostOnce => {}
            Delivery::AtLeastOnce(packet_id) => {
                self.reply(slot, &Packet::PubAck(Ack::new(packet_id)));
            }
            Delivery::ExactlyOnce(packet_id) => {
                self.reply(slot, &Packet::PubRec(Ack::new(packet_id)));
            }
        }
    }

    /// Takes on a message from a client with these rights, be it a PUBLISH or a
    /// will.
    pub(super) fn accept_message(
        &mut self,
        publisher: &str,
        rights: &Rights,
        message: Arc<Message>,
    ) {
        if !self.config.access.may_publish(rights, &message.topic) {
            // Acknowledged, delivered to nobody. [MQTT311-3.3.5-2]
            self.effects.watch.tell(|observer, now| {
                observer.dropped(now, publisher, &message, DropCause::NotAuthorized);
            });
            return;
        }
        self.distribute(publisher, &message);
    }

    /// Retains a message, if it says so, and delivers it to whom it concerns.
    pub(super) fn distribute(&mut self, publisher: &str, message: &Arc<Message>) {
        // Without RETAIN, what is retained stays. [MQTT311-3.3.1-12]
        if message.retain {
            self.retain(publisher, message);
        }
        self.route(message);
    }

    fn retain(&mut self, publisher: &str, message: &Arc<Message>) {
        let quirks = self.config.quirks;
        let clears = message.payload.is_empty();
        if clears && quirks.has(Quirk::KeepsClearedRetained) {
            return;
        }
        let replaces = self.retained.has(&message.topic);
        let room = self.retained.set(message, &self.config.limits);
        if !room {
            self.effects.watch.tell(|observer, now| {
                observer.dropped(now, publisher, message, DropCause::RetainedFull);
            });
        }
        let value = (room && !clears).then_some(&**message);
        if (replaces || value.is_some())
            && !(replaces && quirks.has(Quirk::StaleRetainedAfterRestart))
        {
            self.effects.journal.retained(&message.topic, value);
        }
    }

    /// Adds a message to every session, in the order of arrival whatever the
    /// topic [MQTT311-4.6.0-5] [MQTT311-4.6.0-6], that has a matching subscription
    /// [MQTT311-4.5.0-1] [MQTT311-3.3.2-3], once each: of overlapping
    /// subscriptions the highest granted QoS counts [MQTT311-3.3.5-1]. The
    /// specification allows a copy for each as well; one is what most
    /// subscribers expect and costs least.
    fn route(&mut self, message: &Arc<Message>) {
        let mut matches = std::mem::take(&mut self.matches);
        self.topics.matches(message.topic.as_bytes(), &mut matches);
        let limits = &self.config.limits;
        let as_published = self.config.quirks.has(Quirk::RetainFlagToEstablished);
        for (key, granted) in &matches {
            let session = &mut self.sessions[*key];
            let outgoing = Outgoing {
                message: Arc::clone(message),
                // [MQTT311-3.8.4-6]
                qos: message.qos.min(*granted),
                // To a subscription that exists already. [MQTT311-3.3.1-9]
                retain: message.retain && as_published,
                stored: None,
            };
            match session.connection {
                None => session.store(outgoing, limits, &mut self.effects),
                Some(slot) => {
                    let connection = &mut self.connections[slot];
                    session.send(outgoing, connection, limits, &mut self.effects);
                }
            }
        }
        self.matches = matches;
    }
}
