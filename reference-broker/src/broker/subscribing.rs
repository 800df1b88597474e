//! SUBSCRIBE and UNSUBSCRIBE (sections 3.8.4 and 3.10.4).

use super::Broker;
use crate::queue::{self, Outgoing};
use crate::quirks::{Quirk, Quirks};
use crate::topics::{Grant, SessionKey};
use crate::wire::{
    Packet, PacketId, Properties, Property, Qos, ReasonCode, RetainHandling, SubAck, Subscribe,
    SubscribeCode, Subscription, SubscriptionId, TopicFilter, UnsubAck, Unsubscribe, Version,
};

impl Broker {
    /// One after the other, as if each filter had come alone, but with one
    /// answer for all [MQTT311-3.8.4-4]. Wildcards are supported
    /// [MQTT311-3.8.3-2]. The answer goes out before the
    /// retained messages, and before anything the new subscriptions match.
    pub(super) fn subscribe(&mut self, slot: usize, session: SessionKey, subscribe: Subscribe) {
        let Subscribe {
            packet_id,
            subscriptions,
            properties,
        } = subscribe;
        let quirks = self.config.quirks;
        let window = self.connections[slot].window(&self.config.limits, quirks);
        if quirks.has(Quirk::AwaitsAcknowledgementsFirst)
            && self.sessions[session].inflight.len() >= window
        {
            return;
        }
        let id = properties.iter().find_map(|property| match property {
            Property::SubscriptionIdentifier(id) => Some(id),
            _ => None,
        });
        // [MQTT311-3.8.4-5], [MQTT311-3.9.3-1]
        let (codes, known): (Vec<_>, Vec<_>) = subscriptions
            .iter()
            .enumerate()
            .map(|(at, one)| match at {
                4.. if quirks.has(Quirk::SubscribesFourFilters) => {
                    (SubscribeCode::Granted(one.qos), true)
                }
                _ => self.grant(slot, session, one, id),
            })
            .unzip();
        if let [subscription] = &*subscriptions
            && known == [true]
            && subscription.qos == Qos::AtMostOnce
            && quirks.has(Quirk::OmitsSubackOfRepeat)
        {
            return;
        }
        // [MQTT311-3.8.4-1], [MQTT311-3.8.4-2], [MQTT311-2.3.1-7]
        self.reply(
            slot,
            &Packet::SubAck(SubAck {
                packet_id: answered_id(packet_id, quirks.has(Quirk::CutsSubackId)),
                codes: said_codes(&subscriptions, &codes, quirks),
                properties: Properties::NONE,
            }),
        );
        let version = self.connections[slot].version;
        for ((subscription, code), known) in subscriptions.iter().zip(codes).zip(known) {
            let wanted = match subscription.options.retain_handling {
                // [MQTT5-3.3.1-9] [MQTT5-3.3.1-10] [MQTT5-3.3.1-11]
                RetainHandling::Send => !(known && quirks.has(Quirk::SendsRetainedOnce)),
                RetainHandling::SendIfNew => !known || quirks.has(Quirk::IgnoresRetainHandling1),
                RetainHandling::DoNotSend => quirks.has(Quirk::IgnoresRetainHandling2),
            };
            let SubscribeCode::Granted(granted) = code else {
                continue;
            };
            let share = self.shares.named(&subscription.filter);
            match share.filter(|_| version == Version::V5) {
                // It has no retained messages (section 4.8.2).
                Some(share) => self.come_to_group(session, share.group),
                None if wanted => self.send_retained(session, subscription, granted, id),
                None => {}
            }
        }
        self.pump(slot, session);
    }

    /// Subscribes, if it may be, and says whether it was already.
    fn grant(
        &mut self,
        slot: usize,
        key: SessionKey,
        subscription: &Subscription,
        id: Option<SubscriptionId>,
    ) -> (SubscribeCode, bool) {
        let Subscription {
            filter,
            qos,
            options,
        } = subscription;
        let session = &mut self.sessions[key];
        let known = session.filters.contains(filter);
        let version = self.connections[slot].version;
        let shared = filter.shared().filter(|_| version == Version::V5);
        // What a share wants is what its filter does.
        let wanted = shared.and_then(|(_, inner)| TopicFilter::new(inner.to_owned()).ok());
        let wanted = wanted.as_ref().unwrap_or(filter);
        let room = session.filters.len() < self.config.limits.subscriptions_per_session;
        let rights = &self.connections[slot].rights;
        let refused = if !self.config.access.may_subscribe(rights, wanted) {
            Some(ReasonCode::NotAuthorized)
        } else if !self.config.limits.reach(wanted.as_bytes()) {
            Some(ReasonCode::TopicFilterInvalid)
        } else if !(known || room) {
            Some(ReasonCode::QuotaExceeded)
        } else {
            let offered = &self.config.capabilities;
            offered.refuse(wanted, shared.is_some(), id)
        };
        let quirks = self.config.quirks;
        if refused == Some(ReasonCode::WildcardSubscriptionsNotSupported)
            && quirks.has(Quirk::GrantsUnsupportedWildcards)
        {
            return (SubscribeCode::Granted(*qos), known);
        }
        let above = *qos > self.config.capabilities.maximum_qos && session.filters.len() >= 2;
        if above && quirks.has(Quirk::RefusesQosAboveMaximum) {
            let code = ReasonCode::ImplementationSpecificError;
            return (SubscribeCode::Refused(code), known);
        }
        if let Some(code) = refused {
            return (SubscribeCode::Refused(code), known);
        }
        // An identical filter's subscription is replaced. [MQTT311-3.8.4-3]
        // [MQTT5-3.8.4-3]
        if !known {
            session.filters.insert(filter.clone());
        }
        let grant = Grant {
            // [MQTT5-3.2.2-10]
            qos: self.config.capabilities.maximum_qos.min(*qos),
            no_local: options.no_local && !quirks.has(Quirk::IgnoresNoLocal),
            retain_as_published: options.retain_as_published,
            shared: shared.is_some(),
            id,
        };
        if !session.clean {
            let journal = &mut self.effects.journal;
            journal.subscribed(&session.client_id, filter, &grant);
        }
        if !(known && quirks.has(Quirk::KeepsFirstSubscription)) {
            self.subscribe_to(filter, key, grant);
        }
        (SubscribeCode::Granted(grant.qos), known)
    }

    /// To 3.1.1, a filter of a group is one like any other; so what replaces it
    /// may be of the other kind.
    pub(super) fn subscribe_to(&mut self, filter: &TopicFilter, key: SessionKey, grant: Grant) {
        if grant.shared {
            self.topics.remove(filter.as_bytes(), key);
            self.shares.insert(filter, key, grant);
        } else {
            self.shares.remove(filter, key);
            self.topics.insert(filter.as_bytes(), key, grant);
        }
    }

    /// The last message of every matching topic, also when the subscription
    /// only replaces one [MQTT311-3.3.1-6] [MQTT311-3.8.4-3]. They all go
    /// through the queue, QoS 0 too: a store of many small values must not be
    /// cut short by what the connection can take at once.
    fn send_retained(
        &mut self,
        key: SessionKey,
        subscription: &Subscription,
        granted: Qos,
        id: Option<SubscriptionId>,
    ) {
        let session = &mut self.sessions[key];
        let now = self.effects.watch.now;
        let quirks = self.config.quirks;
        let most = match quirks.has(Quirk::SendsFirstRetainedOnly) {
            true => 1,
            false => usize::MAX,
        };
        let matching = self.retained.matching(subscription.filter.as_bytes());
        for message in matching.into_iter().take(most) {
            if message.has_expired(now) {
                continue;
            }
            let qos = message.qos.min(granted);
            // [MQTT311-3.3.1-8]
            let outgoing = Outgoing {
                message,
                qos,
                retain: !(qos == Qos::AtLeastOnce && quirks.has(Quirk::SendsRetainedUnmarked)),
                subscription_ids: queue::boxed(id.as_slice()),
                share: None,
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
        let quirks = self.config.quirks;
        let mut codes = Vec::with_capacity(unsubscribe.filters.len());
        for (at, filter) in unsubscribe.filters.iter().enumerate() {
            let ended = !quirks.has(Quirk::ForwardsAfterUnsubscribe)
                && (at == 0 || !quirks.has(Quirk::UnsubscribesFirstFilter));
            let session = &mut self.sessions[key];
            let alike = |one: &&TopicFilter| {
                let (one, filter) = (one.as_bytes(), filter.as_bytes());
                one.eq_ignore_ascii_case(filter)
            };
            let found = match quirks.has(Quirk::UnsubscribesIgnoringCase) {
                true => session.filters.iter().find(alike).cloned(),
                false => None,
            };
            let filter = found.as_ref().unwrap_or(filter);
            // [MQTT5-3.11.3-1] [MQTT5-3.11.3-2]
            codes.push(match session.filters.contains(filter) {
                true => ReasonCode::Success,
                false if quirks.has(Quirk::MisstatesUnknownFilter) => {
                    ReasonCode::NoMatchingSubscribers
                }
                false => ReasonCode::NoSubscriptionExisted,
            });
            if quirks.has(Quirk::ForgetsInflightOnUnsubscribe) {
                session.forget(|one| one.qos == Qos::AtLeastOnce, &mut self.effects.journal);
            }
            if ended && session.filters.remove(filter) {
                self.topics.remove(filter.as_bytes(), key);
                self.shares.remove(filter, key);
                if !session.clean {
                    let journal = &mut self.effects.journal;
                    journal.unsubscribed(&session.client_id, filter);
                }
            }
        }
        if !codes.contains(&ReasonCode::Success) && quirks.has(Quirk::OmitsUnsubackOfUnknown) {
            return;
        }
        if quirks.has(Quirk::ReversesUnsubackCodes) {
            codes.reverse();
        }
        let packet_id = answered_id(unsubscribe.packet_id, quirks.has(Quirk::CutsUnsubackId));
        let unsuback = UnsubAck {
            codes,
            ..UnsubAck::new(packet_id)
        };
        self.reply(slot, &Packet::UnsubAck(unsuback));
    }
}

/// The packet identifier of an answer: that of the packet it answers
/// [MQTT311-3.8.4-2] [MQTT311-3.10.4-4], unless a quirk cuts it.
fn answered_id(packet_id: PacketId, is_cut: bool) -> PacketId {
    let cut = PacketId::new(packet_id.get() & 0xff).filter(|_| is_cut);
    cut.unwrap_or(packet_id)
}

/// The codes as SUBACK says them: as they are, but for quirks.
fn said_codes(
    subscriptions: &[Subscription],
    codes: &[SubscribeCode],
    quirks: Quirks,
) -> Vec<SubscribeCode> {
    let mut said = codes.to_vec();
    if quirks.has(Quirk::MergesSubackCodes) {
        let is_first = |at: usize| {
            let filter = &subscriptions[at].filter;
            !subscriptions[..at].iter().any(|one| one.filter == *filter)
        };
        let firsts = (0..codes.len()).filter(|at| is_first(*at));
        said = firsts.map(|at| codes[at]).collect();
    }
    if quirks.has(Quirk::ReversesSubackCodes) {
        said.reverse();
    }
    if quirks.has(Quirk::OverstatesGrantedQos) {
        for code in &mut said {
            if *code == SubscribeCode::Granted(Qos::AtLeastOnce) {
                *code = SubscribeCode::Granted(Qos::ExactlyOnce);
            }
        }
    }
    said
}
