//! How connections and sessions end (sections 3.14 and 4.13).

use std::sync::Arc;
use std::time::Duration;

use super::Broker;
use super::sharing::PASSED_ON;
use crate::access::Rights;
use crate::connection::Phase;
use crate::message::Message;
use crate::observer::{CloseReason, SessionEvent};
use crate::quirks::Quirk;
use crate::terms;
use crate::topics::SessionKey;
use crate::wills::{self, Pending, Stated};
use crate::wire::{
    ConnAck, Disconnect, Packet, Properties, Property, Qos, ReasonCode, Rule, Text, Version,
};

impl Broker {
    /// A client leaves (section 3.14.4).
    pub(super) fn disconnect(
        &mut self,
        slot: usize,
        session: SessionKey,
        disconnect: &Disconnect,
    ) -> Result<(), Rule> {
        for property in disconnect.properties.iter() {
            if let Property::SessionExpiryInterval(seconds) = property {
                let expiry = terms::session_expiry(seconds);
                let session = &mut self.sessions[session];
                if session.expiry == Some(Duration::ZERO) && seconds > 0 {
                    return Err(Rule::protocol(
                        "MQTT311 section 3.14",
                        "MQTT5 section 3.14.2.2.2",
                        "DISCONNECT wants a session kept that was not to be",
                    ));
                }
                let most = self.config.capabilities.session_expiry_max;
                session.expiry = [expiry, most].into_iter().flatten().min();
                session.write(&mut self.effects.journal);
            }
        }
        let reason = match disconnect.code {
            ReasonCode::Success => CloseReason::Disconnect,
            code => CloseReason::DisconnectWithReason(code),
        };
        self.close(slot, reason);
        Ok(())
    }

    /// Ends every connection. Wills are published as they are when the server
    /// ends a connection for other reasons [MQTT311-3.1.2-8].
    pub(super) fn stop(&mut self) {
        let slots: Vec<_> = self.connections.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.close(slot, CloseReason::Stopping);
        }
    }

    /// Ends an open connection: its session is let go, its will published if it
    /// is due, and its stream is to be closed.
    pub(super) fn close(&mut self, slot: usize, reason: CloseReason) {
        if let CloseReason::Wire(error) = &reason
            && let Some(rule) = error.rule()
            && self.config.quirks.tolerates(rule)
        {
            return;
        }
        let connection = &mut self.connections[slot];
        if let CloseReason::Wire(error) = &reason
            && error.rule() == Some("MQTT5-3.1.0-2")
            && self.config.quirks.has(Quirk::StaysAfterDisconnect)
        {
            let code = error.code();
            let properties = Properties::NONE;
            let disconnect = Packet::Disconnect(Disconnect { code, properties });
            return connection.reply(&disconnect, &mut self.effects);
        }
        let session = match connection.phase {
            Phase::AwaitingConnect | Phase::Checking | Phase::Authenticating => None,
            Phase::Connected(session) => Some(session),
            Phase::Finishing | Phase::Aborted => return,
        };
        // It belongs to this connection only. [MQTT311-3.1.2-10],
        // [MQTT311-3.1.2-12]
        let will = connection.will.take();
        let rights = connection.rights.clone();
        let quirks = self.config.quirks;
        let due = wills::is_due(&reason, quirks);
        // It waits only as long as there is a session to come back to.
        let waits = |will: &Stated, key: SessionKey| {
            due && !will.delay.is_zero()
                && self.sessions[key].expiry != Some(Duration::ZERO)
                && !quirks.has(Quirk::IgnoresWillDelay)
        };
        let (will, pending) = match (will, session) {
            (Some(will), Some(key)) if waits(&will, key) => (None, Some(will)),
            (will, _) => (will, None),
        };
        if let (Some(_), Some(key)) = (&will, session) {
            let client_id = &self.sessions[key].client_id;
            self.effects.journal.will_removed(client_id);
        }
        // Whoever does not answer will not take what is still to be written
        // either; and after a takeover it is the new connection's to send.
        let unheard = matches!(
            reason,
            CloseReason::PeerClosed
                | CloseReason::KeepAliveExpired
                | CloseReason::Silent
                | CloseReason::TakenOver
        );
        if unheard {
            connection.discard_output();
        }
        // [MQTT5-3.14.0-1]
        let untold = unheard && !connection.is_told;
        let farewell = farewell(&reason, connection.version, session.is_some()).filter(|_| !untold);
        if let Some(code) = farewell {
            let most = connection.terms.packet_bytes_max;
            let mut properties = in_words(&reason, most);
            if reason == CloseReason::TakenOver && quirks.has(Quirk::SaysSessionExpiry) {
                properties = [Property::SessionExpiryInterval(1)].into_iter().collect();
            }
            let packet = match session {
                Some(_) => Packet::Disconnect(Disconnect { code, properties }),
                None => Packet::ConnAck(ConnAck {
                    properties,
                    ..ConnAck::refused(code)
                }),
            };
            connection.reply(&packet, &mut self.effects);
            if session.is_some() && quirks.has(Quirk::SpeaksAfterDisconnect) {
                connection.reply(&Packet::PingResp, &mut self.effects);
            }
        }
        let finish = !unheard || farewell.is_some();
        let at = self
            .effects
            .watch
            .now
            .saturating_add(self.config.limits.linger);
        if finish {
            connection.phase = Phase::Finishing;
        } else {
            connection.phase = Phase::Aborted;
        }
        self.deadlines
            .set(slot, &mut connection.armed, finish.then_some(at));
        connection.wake(&mut self.effects.woken);
        let id = connection.id;
        self.effects
            .watch
            .tell(|observer, now| observer.closed(now, id, &reason));
        let publisher = session.map(|key| Arc::clone(&self.sessions[key].client_id));
        if let Some(key) = session {
            self.connected -= 1;
            self.sessions[key].connection = None;
            if !matches!(reason, CloseReason::TakenOver | CloseReason::Stopping) {
                self.leave_groups(key);
            }
            self.sessions[key].detach(&self.config.limits, &mut self.effects);
            if let Some(will) = pending {
                let at = self.effects.watch.now.saturating_add(will.delay);
                let rights = rights.clone();
                self.hold_will(key, Pending { will, rights }, at);
            }
            match self.sessions[key].expiry {
                // [MQTT311-3.1.2-6] [MQTT5-3.1.2-23]
                Some(Duration::ZERO) => self.discard(key),
                Some(_) if quirks.has(Quirk::NeverExpiresSessions) => {}
                Some(expiry) => {
                    let at = self.effects.watch.now.saturating_add(expiry);
                    let session = &mut self.sessions[key];
                    self.expiries.set(key, &mut session.armed, Some(at));
                    session.write(&mut self.effects.journal);
                }
                None => {}
            }
            if quirks.has(Quirk::ForgetsSubscriptionsOfAbsent) && self.sessions.contains(key) {
                self.forget_subscriptions(key);
            }
        }
        if let (Some(will), Some(publisher)) = (will, publisher)
            && due
        {
            self.accept_will(&publisher, &rights, &will.message);
            if will.message.qos == Qos::AtLeastOnce && quirks.has(Quirk::RepeatsWillQos1) {
                self.accept_will(&publisher, &rights, &will.message);
            }
        }
    }

    /// Has a will wait for its time.
    pub(super) fn hold_will(&mut self, key: SessionKey, pending: Pending, at: Duration) {
        self.write_will(key, &pending, Some(at));
        let session = &mut self.sessions[key];
        session.will = Some(pending);
        self.will_delays.set(key, &mut session.will_armed, Some(at));
    }

    /// Has the store know a client's will, if it may be published; and when it is
    /// due, once the client has gone.
    pub(super) fn write_will(&mut self, key: SessionKey, of: &Pending, due: Option<Duration>) {
        let Pending { will, rights } = of;
        if self.config.access.may_publish(rights, &will.message.topic) {
            let journal = &mut self.effects.journal;
            journal.will(&self.sessions[key].client_id, will, due);
        }
    }

    fn accept_will(&mut self, publisher: &str, rights: &Rights, will: &Message) {
        let will = Arc::new(will.clone().begun(self.effects.watch.now));
        let from = self.by_client.get(publisher).copied();
        self.accept_message(publisher, from, rights, will);
    }

    /// Takes a will that waits off a session: its client is back
    /// [MQTT5-3.1.3-9], or its time has come.
    pub(super) fn take_will(&mut self, key: SessionKey) -> Option<Pending> {
        let session = &mut self.sessions[key];
        self.will_delays.set(key, &mut session.will_armed, None);
        let pending = session.will.take()?;
        self.effects.journal.will_removed(&session.client_id);
        Some(pending)
    }

    /// Publishes the will that a session has waiting.
    pub(super) fn publish_will(&mut self, key: SessionKey) {
        let publisher = Arc::clone(&self.sessions[key].client_id);
        if let Some(Pending { will, rights }) = self.take_will(key) {
            self.accept_will(&publisher, &rights, &will.message);
        }
    }

    /// Ends a session. What it published stays retained [MQTT311-3.1.2-7]. A
    /// will that waits is published now, and what the session shared with others
    /// goes to them.
    pub(super) fn discard(&mut self, key: SessionKey) {
        if self.config.quirks.has(Quirk::LosesWillWithSession) {
            self.take_will(key);
        }
        self.publish_will(key);
        if self.config.quirks.has(Quirk::ForgetsRetainedWithSession) {
            self.forget_retained(key);
        }
        let mut session = self.sessions.remove(key);
        self.expiries.set(key, &mut session.armed, None);
        self.by_client.remove(&session.client_id);
        for filter in &session.filters {
            self.topics.remove(filter.as_bytes(), key);
            self.shares.remove(filter, key);
        }
        let sent_at_most = match self.config.quirks.has(Quirk::PassesOnSharedQos2) {
            true => Qos::ExactlyOnce,
            false => PASSED_ON,
        };
        let shared = session.take_shared(|_| true, sent_at_most, &mut self.effects.journal);
        let undelivered = session.undelivered();
        self.effects.watch.tell(|observer, now| {
            observer.session(
                now,
                &session.client_id,
                SessionEvent::Discarded { undelivered },
            );
        });
        if !session.clean {
            session.erase(&mut self.effects.journal);
        }
        self.share_again(shared);
    }

    /// What a quirk does: nothing is added to a session any more.
    pub(super) fn forget_subscriptions(&mut self, key: SessionKey) {
        for filter in &self.sessions[key].filters {
            self.topics.remove(filter.as_bytes(), key);
            self.shares.remove(filter, key);
        }
    }

    /// What a quirk does: what is retained at a session's topics is removed.
    fn forget_retained(&mut self, key: SessionKey) {
        for filter in &self.sessions[key].filters {
            for message in self.retained.matching(filter.as_bytes()) {
                let payload = Default::default();
                let empty = Message {
                    payload,
                    ..Message::clone(&message)
                };
                self.retained.set(&Arc::new(empty), &self.config.limits);
            }
        }
    }

    /// Refuses a CONNECT and ends the connection [MQTT311-3.2.2-5]
    /// [MQTT5-3.2.2-7].
    pub(super) fn refuse(&mut self, slot: usize, code: ReasonCode) {
        // [MQTT311-3.2.2-4]
        let connack = ConnAck {
            session_present: self.config.quirks.has(Quirk::SessionPresentInRefusal),
            ..ConnAck::refused(code)
        };
        let early = self.config.quirks.has(Quirk::DisconnectsBeforeConnack);
        if early && self.connections[slot].version == Version::V5 {
            let code = ReasonCode::NotAuthorized;
            let properties = Properties::NONE;
            self.reply(slot, &Packet::Disconnect(Disconnect { code, properties }));
        } else {
            self.reply(slot, &Packet::ConnAck(connack));
        }
        let quirks = self.config.quirks;
        let rejected = code == ReasonCode::ClientIdentifierNotValid;
        let stays = quirks.has(Quirk::StaysAfterRefusal)
            || (rejected && quirks.has(Quirk::StaysAfterRejectedId));
        if !stays {
            self.close(slot, CloseReason::Refused(code));
        }
    }
}

/// What is wrong with what a client sent, and which statement says so: in words,
/// if the client takes a packet of that size [MQTT5-3.14.2-3] [MQTT5-3.2.2-19].
fn in_words(reason: &CloseReason, packet_bytes_max: usize) -> Properties {
    /// Type, remaining length, flags and reason code.
    const AROUND: usize = 7;
    let CloseReason::Wire(error) = reason else {
        return Properties::NONE;
    };
    let text = Text::new(error.to_string()).ok();
    let properties: Properties = text.map(Property::ReasonString).into_iter().collect();
    if AROUND + properties.encoded_len() <= packet_bytes_max {
        properties
    } else {
        Properties::NONE
    }
}

/// What a client of 5.0 is told when the server ends its connection: in
/// DISCONNECT, or, before it is connected [MQTT5-3.14.0-1], in CONNACK, and then
/// only what is wrong with its packets [MQTT5-3.1.4-1].
fn farewell(reason: &CloseReason, version: Version, connected: bool) -> Option<ReasonCode> {
    if version == Version::V3_1_1 {
        return None;
    }
    match reason {
        CloseReason::Wire(error) => Some(error.code()),
        _ if !connected => None,
        CloseReason::KeepAliveExpired => Some(ReasonCode::KeepAliveTimeout),
        CloseReason::Silent => Some(ReasonCode::AdministrativeAction),
        // [MQTT5-3.1.4-3]
        CloseReason::TakenOver => Some(ReasonCode::SessionTakenOver),
        CloseReason::Stopping => Some(ReasonCode::ServerShuttingDown),
        CloseReason::Unsupported(code) => Some(*code),
        // [MQTT5-4.12.1-2]
        CloseReason::NotShownAgain => Some(ReasonCode::NotAuthorized),
        CloseReason::Disconnect
        | CloseReason::DisconnectWithReason(_)
        | CloseReason::PeerClosed
        | CloseReason::ConnectTimeout
        | CloseReason::Refused(_) => None,
    }
}
