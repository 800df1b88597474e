//! SUBSCRIBE and UNSUBSCRIBE (sections 3.8.4 and 3.10.4).

use super::Broker;
use crate::queue::Outgoing;
use crate::quirks::Quirk;
use crate::topics::SessionKey;
use crate::wire::{
    Packet, Properties, Qos, ReasonCode, SubAck, Subscribe, SubscribeCode, Subscription,
};
use crate::wire::{UnsubAck, Unsubscribe};

impl Broker {
    /// One after the other, as if each filter had come alone, but with one
    /// answer for all [MQTT311-3.8.4-4]. Wildcards are supported
    /// [MQTT311-3.8.3-2]. The answer goes out before the
    /// retained messages, and before anything the new subscriptions match.
    pub(super) fn subscribe(&mut self, slot: usize, session: SessionKey, subscribe: Subscribe) {
        let Subscribe {
            packet_id,
            subscriptions,
            ..
        } = subscribe;
        // [MQTT311-3.8.4-5], [MQTT311-3.9.3-1]
        let codes: Vec<_> = subscriptions
            .iter()
            .map(|one| self.grant(slot, session, one))
            .collect();
        // [MQTT311-3.8.4-1], [MQTT311-3.8.4-2], [MQTT311-2.3.1-7]
        self.reply(
            slot,
            &Packet::SubAck(SubAck {
                packet_id,
                codes: codes.clone(),
                properties: Properties::NONE,
            }),
        );
        for (subscription, code) in subscriptions.iter().zip(codes) {
            if let SubscribeCode::Granted(granted) = code {
                self.send_retained(session, subscription, granted);
            }
        }
        self.pump(slot, session);
    }

    fn grant(
        &mut self,
        slot: usize,
        key: SessionKey,
        subscription: &Subscription,
    ) -> SubscribeCode {
        let Subscription { filter, qos, .. } = subscription;
        let session = &mut self.sessions[key];
        let known = session.filters.contains(filter);
        let room = session.filters.len() < self.config.limits.subscriptions_per_session;
        let rights = &self.connections[slot].rights;
        if !self.config.access.may_subscribe(rights, filter) {
            return SubscribeCode::Refused(ReasonCode::NotAuthorized);
        }
        if !(known || room) {
            return SubscribeCode::Refused(ReasonCode::QuotaExceeded);
        }
        // An identical filter's subscription is replaced. [MQTT311-3.8.4-3]
        if !known {
            session.filters.insert(filter.clone());
        }
        if !session.clean {
            let journal = &mut self.effects.journal;
            journal.subscribed(&session.client_id, filter, *qos);
        }
        self.topics.insert(filter.as_bytes(), key, *qos);
        SubscribeCode::Granted(*qos)
    }

    /// The last message of every matching topic, also when the subscription
    /// only replaces one [MQTT311-3.3.1-6] [MQTT311-3.8.4-3]. They all go
    /// through the queue, QoS 0 too: a store of many small values must not be
    /// cut short by what the connection can take at once.
    fn send_retained(&mut self, key: SessionKey, subscription: &Subscription, granted: Qos) {
        let session = &mut self.sessions[key];
        for message in self.retained.matching(subscription.filter.as_bytes()) {
            let qos = message.qos.min(granted);
            // [MQTT311-3.3.1-8]
            let outgoing = Outgoing {
                message,
                qos,
                retain: true,
                stored: None,
            };
            session.enqueue(outgoing, &self.config.limits, &mut self.effects);
        }
    }

    /// Deletes what is identical [MQTT311-3.10.4-1] and answers in any case
    /// [MQTT311-2.3.1-7] [MQTT311-3.10.4-4] [MQTT311-3.10.4-5] [MQTT311-3.10.4-6]. Messages that
    /// are in the session already are still delivered [MQTT311-3.10.4-3]; no
    /// more are added [MQTT311-3.10.4-2].
    pub(super) fn unsubscribe(&mut self, slot: usize, key: SessionKey, unsubscribe: Unsubscribe) {
        let ended = !self.config.quirks.has(Quirk::ForwardsAfterUnsubscribe);
        let mut codes = Vec::with_capacity(unsubscribe.filters.len());
        for filter in &unsubscribe.filters {
            let session = &mut self.sessions[key];
            // [MQTT5-3.11.3-1] [MQTT5-3.11.3-2]
            codes.push(match session.filters.contains(filter) {
                true => ReasonCode::Success,
                false => ReasonCode::NoSubscriptionExisted,
            });
            if ended && session.filters.remove(filter) {
                self.topics.remove(filter.as_bytes(), key);
                if !session.clean {
                    let journal = &mut self.effects.journal;
                    journal.unsubscribed(&session.client_id, filter);
                }
            }
        }
        let packet_id = unsubscribe.packet_id;
        let unsuback = UnsubAck {
            codes,
            ..UnsubAck::new(packet_id)
        };
        self.reply(slot, &Packet::UnsubAck(unsuback));
    }
}
