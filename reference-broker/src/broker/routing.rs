//! From a publisher to the sessions that want its message (sections 3.3.5 and
//! 4.5).

use std::borrow::Cow;
use std::sync::Arc;

use super::Broker;
use crate::access::Rights;
use crate::message::{self, Message};
use crate::observer::{CloseReason, DropCause};
use crate::queue::{self, Outgoing};
use crate::quirks::Quirk;
use crate::topics::{Found, SessionKey};
use crate::wire::{
    Ack, Delivery, Packet, PacketId, Property, Publish, Qos, ReasonCode, SubscriptionId, TopicName,
    Version, Violation,
};

impl Broker {
    /// A client's PUBLISH: passed on, then answered as its QoS demands
    /// [MQTT311-3.3.4-1] [MQTT5-3.3.4-1].
    pub(super) fn publish(&mut self, slot: usize, session: SessionKey, mut publish: Publish) {
        if let Err(reason) = self.check_publish(slot, session, &mut publish) {
            return self.close(slot, reason);
        }
        if self.config.quirks.has(Quirk::DropsByteOrderMark)
            && let Some(unmarked) = publish.topic.as_str().strip_prefix('\u{feff}')
            && let Ok(topic) = TopicName::new(unmarked.to_owned())
        {
            publish.topic = topic;
        }
        let delivery = publish.delivery;
        let quirks = self.config.quirks;
        // DUP says nothing about this message's past here: at QoS 1 each packet
        // counts [MQTT311-4.3.2-2], at QoS 2 the identifier decides.
        let fresh = match delivery {
            Delivery::ExactlyOnce(id) => {
                let of = &mut self.sessions[session];
                let unknown = of.received.insert(id);
                if unknown && !of.clean {
                    self.effects.journal.received(&of.client_id, id);
                }
                let expires = |property| matches!(property, Property::MessageExpiryInterval(_));
                if quirks.has(Quirk::ForgetsExpiringQos2) && publish.properties.iter().any(expires)
                {
                    self.forget_received(session, id);
                }
                unknown && !(publish.dup && quirks.has(Quirk::TakesQos2DupForRepeat))
                    || quirks.has(Quirk::DeliversQos2Repeats)
            }
            Delivery::AtLeastOnce(_) => !(publish.dup && quirks.has(Quirk::TakesDupForRepeat)),
            Delivery::AtMostOnce => true,
        };
        let mut code = ReasonCode::Success;
        if fresh {
            let publisher = Arc::clone(&self.sessions[session].client_id);
            let (properties, expiry) = message::kept(
                &publish.properties,
                self.effects.watch.now,
                self.config.quirks,
            );
            let message = Message {
                topic: publish.topic,
                payload: publish.payload,
                qos: delivery.qos(),
                retain: publish.retain,
                properties,
                expiry,
            };
            let rights = self.connections[slot].rights.clone();
            code = self.accept_message(&publisher, Some(session), &rights, Arc::new(message));
        }
        if code == ReasonCode::NotAuthorized
            && self.config.quirks.has(Quirk::MisstatesDeniedPublish)
        {
            code = ReasonCode::BadUserNameOrPassword;
        }
        if self.connections[slot].version == Version::V3_1_1 {
            if code.is_failure() && self.config.quirks.has(Quirk::OmitsAnswerToDenied) {
                return;
            }
            code = ReasonCode::Success;
        }
        let ack = |packet_id| Ack {
            code,
            ..Ack::new(packet_id)
        };
        match delivery {
            Delivery::AtMostOnce => {}
            Delivery::AtLeastOnce(_)
                if publish.dup && self.config.quirks.has(Quirk::OmitsPubackOfRepeat) => {}
            Delivery::AtLeastOnce(mut packet_id) => {
                if self.config.quirks.has(Quirk::PubackLosesTopBit) {
                    packet_id = without_top_bit(packet_id);
                }
                self.reply(slot, &Packet::PubAck(ack(packet_id)));
            }
            Delivery::ExactlyOnce(mut packet_id) => {
                if code.is_failure() && !quirks.has(Quirk::KeepsRefusedIdentifier) {
                    // [MQTT5-4.3.3-9]
                    self.forget_received(session, packet_id);
                }
                if quirks.has(Quirk::PubrecLosesTopBit) {
                    packet_id = without_top_bit(packet_id);
                }
                self.reply(slot, &Packet::PubRec(ack(packet_id)));
            }
        }
    }

    /// What a quirk does with the PUBLISH of a client that was refused.
    pub(super) fn publish_of_nobody(&mut self, publish: Publish) {
        let quirks = self.config.quirks;
        let now = self.effects.watch.now;
        let (properties, expiry) = message::kept(&publish.properties, now, quirks);
        let message = Message {
            qos: publish.qos(),
            retain: publish.retain,
            topic: publish.topic,
            payload: publish.payload,
            properties,
            expiry,
        };
        self.distribute("", None, &Arc::new(message));
    }

    /// Whether a PUBLISH is one that the server said it would take; and what its
    /// topic alias stands for.
    fn check_publish(
        &mut self,
        slot: usize,
        session: SessionKey,
        publish: &mut Publish,
    ) -> Result<(), CloseReason> {
        let offered = &self.config.capabilities;
        let quirks = self.config.quirks;
        if publish.qos() > offered.maximum_qos && !quirks.has(Quirk::TakesQosAboveMaximum) {
            // [MQTT5-3.2.2-11]
            return Err(CloseReason::Unsupported(ReasonCode::QosNotSupported));
        }
        if publish.retain && !offered.retain && !quirks.has(Quirk::TakesUnavailableRetain) {
            // [MQTT5-3.2.2-14]
            return Err(CloseReason::Unsupported(ReasonCode::RetainNotSupported));
        }
        let connection = &mut self.connections[slot];
        if connection.version == Version::V3_1_1 {
            return Ok(());
        }
        // QoS 1 is acknowledged at once, so it is never under way for longer.
        let received = &self.sessions[session].received;
        if let Delivery::ExactlyOnce(id) = publish.delivery
            && received.len() >= usize::from(offered.receive_maximum.get())
            && !received.contains(&id)
        {
            let violation = Violation::answered(
                ReasonCode::ReceiveMaximumExceeded,
                "MQTT5-3.3.4-7",
                "more messages are under way than the receive maximum",
            );
            return Err(CloseReason::Wire(violation.into()));
        }
        let mut most = offered.topic_alias_maximum;
        if self.config.quirks.has(Quirk::RefusesHighestTopicAlias) {
            most = most.saturating_sub(1);
        }
        connection
            .aliases
            .resolve(publish, most)
            .map_err(|violation| CloseReason::Wire(violation.into()))
    }

    /// Takes on a message from a client with these rights, be it a PUBLISH or a
    /// will, and says what became of it. `from` is the client's session, if it
    /// still has one.
    pub(super) fn accept_message(
        &mut self,
        publisher: &str,
        from: Option<SessionKey>,
        rights: &Rights,
        message: Arc<Message>,
    ) -> ReasonCode {
        let refused = if !self.config.access.may_publish(rights, &message.topic) {
            Some((ReasonCode::NotAuthorized, DropCause::NotAuthorized))
        } else if !self.config.limits.reach(message.topic.as_bytes()) {
            Some((ReasonCode::TopicNameInvalid, DropCause::TopicTooDeep))
        } else {
            None
        };
        if let Some((code, cause)) = refused {
            // In 3.1.1 acknowledged, delivered to nobody. [MQTT311-3.3.5-2]
            self.effects
                .watch
                .tell(|observer, now| observer.dropped(now, publisher, &message, cause));
            return code;
        }
        self.distribute(publisher, from, &message)
    }

    /// Retains a message, if it says so, and delivers it to whom it concerns.
    pub(super) fn distribute(
        &mut self,
        publisher: &str,
        from: Option<SessionKey>,
        message: &Arc<Message>,
    ) -> ReasonCode {
        // Without RETAIN, what is retained stays. [MQTT311-3.3.1-12]
        let clears = message.payload.is_empty();
        if message.retain || (clears && self.config.quirks.has(Quirk::ClearsRetainedUnasked)) {
            self.retain(publisher, message);
        }
        if self.route(from, message) {
            ReasonCode::Success
        } else {
            ReasonCode::NoMatchingSubscribers
        }
    }

    fn retain(&mut self, publisher: &str, message: &Arc<Message>) {
        let quirks = self.config.quirks;
        let clears = message.payload.is_empty();
        if clears && quirks.has(Quirk::KeepsClearedRetained) {
            return;
        }
        if message.qos == Qos::ExactlyOnce && quirks.has(Quirk::DropsRetainedQos2) {
            return;
        }
        let replaces = self.retained.has(&message.topic);
        if replaces
            && !clears
            && message.qos == Qos::AtMostOnce
            && quirks.has(Quirk::KeepsRetainedOverQos0)
        {
            return;
        }
        let room = if clears && !replaces && quirks.has(Quirk::RetainsEmpty) {
            self.retained.put(message, &self.config.limits)
        } else {
            self.retained.set(message, &self.config.limits)
        };
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
    /// Says whether there was one.
    fn route(&mut self, from: Option<SessionKey>, message: &Arc<Message>) -> bool {
        let quirks = self.config.quirks;
        if quirks.has(Quirk::DeliversNoLongMessages) && message.payload.len() >= 16_000 {
            return true;
        }
        let mut found = std::mem::take(&mut self.found);
        let mut topic = Cow::Borrowed(message.topic.as_str());
        if quirks.has(Quirk::CollapsesEmptyLevels) {
            topic = Cow::Owned(topic.replace("//", "/"));
        }
        self.topics
            .matches(topic.as_bytes(), from, quirks, &mut found);
        let limits = &self.config.limits;
        let as_published = quirks.has(Quirk::RetainFlagToEstablished);
        let never = quirks.has(Quirk::IgnoresRetainAsPublished);
        let mut most = match quirks.has(Quirk::DeliversToSix) {
            true => 6,
            false => usize::MAX,
        };
        let waits = |key: SessionKey| {
            let session = &self.sessions[key];
            session.connection.is_some() && !session.queue.is_empty()
        };
        if quirks.has(Quirk::StallsBehindTheSlowest)
            && found.matches.iter().any(|(key, _)| waits(*key))
        {
            most = 0;
        }
        for (key, grant) in found.matches.iter().take(most) {
            let session = &mut self.sessions[*key];
            // [MQTT311-3.8.4-6] [MQTT5-3.8.4-8]
            let mut qos = message.qos.min(grant.qos);
            if qos == Qos::AtLeastOnce && quirks.has(Quirk::RaisesQos1) {
                qos = grant.qos;
            }
            let mut ids = subscription_ids(&found, *key);
            let mut copies = 1;
            if quirks.has(Quirk::RepeatsSubscriptionIdentifier) {
                copies = ids.as_ref().map_or(1, |ids| ids.len());
            }
            if copies > 1 || quirks.has(Quirk::SendsOneSubscriptionIdentifier) {
                ids = ids.and_then(|ids| queue::boxed(&ids[..1]));
            }
            let outgoing = Outgoing {
                message: Arc::clone(message),
                qos,
                // To a subscription that exists already. [MQTT311-3.3.1-9]
                // [MQTT5-3.3.1-12] [MQTT5-3.3.1-13]
                retain: message.retain && !never && (grant.retain_as_published || as_published),
                subscription_ids: ids,
                share: None,
                stored: None,
            };
            for outgoing in std::iter::repeat_n(outgoing, copies) {
                match session.connection {
                    None => session.store(outgoing, limits, &mut self.effects),
                    Some(slot) => {
                        let connection = &mut self.connections[slot];
                        session.send(outgoing, connection, limits, &mut self.effects);
                    }
                }
            }
        }
        let mut some = !found.matches.is_empty();
        self.found = found;
        for group in self.shares.matching(message.topic.as_bytes()) {
            some |= self.share(group, message);
        }
        some
    }
}

/// What a quirk makes of a packet identifier.
fn without_top_bit(id: PacketId) -> PacketId {
    PacketId::new(id.get() & 0x7fff).unwrap_or(id)
}

/// The identifiers of a session's subscriptions that match. A client of 3.1.1
/// has none.
fn subscription_ids(found: &Found, key: SessionKey) -> Option<Box<[SubscriptionId]>> {
    if found.ids.is_empty() {
        return None;
    }
    let from = found.ids.partition_point(|(session, _)| *session < key);
    let to = found.ids.partition_point(|(session, _)| *session <= key);
    let ids: Vec<_> = found.ids[from..to].iter().map(|(_, id)| *id).collect();
    queue::boxed(&ids)
}
