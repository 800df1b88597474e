//! How connections and sessions end (sections 3.14 and 4.13).

use std::sync::Arc;
use std::time::Duration;

use super::Broker;
use crate::connection::Phase;
use crate::message::Message;
use crate::observer::{CloseReason, SessionEvent};
use crate::quirks::Quirk;
use crate::terms;
use crate::topics::SessionKey;
use crate::wills;
use crate::wire::{ConnAck, Disconnect, Packet, Properties, Property, ReasonCode, Rule, Version};

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
        let connection = &mut self.connections[slot];
        let session = match connection.phase {
            Phase::AwaitingConnect | Phase::Checking => None,
            Phase::Connected(session) => Some(session),
            Phase::Finishing | Phase::Aborted => return,
        };
        // It belongs to this connection only. [MQTT311-3.1.2-10],
        // [MQTT311-3.1.2-12]
        let will = connection.will.take();
        let rights = connection.rights.clone();
        if let (Some(_), Some(key)) = (&will, session) {
            let client_id = &self.sessions[key].client_id;
            self.effects.journal.will(client_id, None);
        }
        // Whoever does not answer will not take what is still to be written
        // either; and after a takeover it is the new connection's to send.
        let unheard = matches!(
            reason,
            CloseReason::PeerClosed | CloseReason::KeepAliveExpired | CloseReason::TakenOver
        );
        if unheard {
            connection.discard_output();
        }
        let farewell = farewell(&reason, connection.version).filter(|_| session.is_some());
        if let Some(code) = farewell {
            let properties = Properties::NONE;
            let disconnect = Packet::Disconnect(Disconnect { code, properties });
            connection.reply(&disconnect, &mut self.effects);
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
            self.sessions[key].detach(&self.config.limits, &mut self.effects);
            match self.sessions[key].expiry {
                // [MQTT311-3.1.2-6] [MQTT5-3.1.2-23]
                Some(Duration::ZERO) => self.discard(key),
                Some(expiry) => {
                    let at = self.effects.watch.now.saturating_add(expiry);
                    let session = &mut self.sessions[key];
                    self.expiries.set(key, &mut session.armed, Some(at));
                }
                None => {}
            }
        }
        if let (Some(will), Some(publisher)) = (will, publisher)
            && (wills::is_due(&reason) || self.config.quirks.has(Quirk::WillAfterDisconnect))
        {
            let will = Arc::new(Message::clone(&will).begun(self.effects.watch.now));
            let from = self.by_client.get(&publisher).copied();
            self.accept_message(&publisher, from, &rights, will);
        }
    }

    /// Ends a session. What it published stays retained [MQTT311-3.1.2-7].
    pub(super) fn discard(&mut self, key: SessionKey) {
        let mut session = self.sessions.remove(key);
        self.expiries.set(key, &mut session.armed, None);
        self.by_client.remove(&session.client_id);
        for filter in &session.filters {
            self.topics.remove(filter.as_bytes(), key);
        }
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
    }

    /// Refuses a CONNECT and ends the connection [MQTT311-3.2.2-5]
    /// [MQTT5-3.2.2-7].
    pub(super) fn refuse(&mut self, slot: usize, code: ReasonCode) {
        // [MQTT311-3.2.2-4]
        self.reply(slot, &Packet::ConnAck(ConnAck::refused(code)));
        self.close(slot, CloseReason::Refused(code));
    }
}

/// What a client of 5.0 is told in DISCONNECT when the server ends its
/// connection; not before it is connected [MQTT5-3.14.0-1].
fn farewell(reason: &CloseReason, version: Version) -> Option<ReasonCode> {
    if version == Version::V3_1_1 {
        return None;
    }
    match reason {
        CloseReason::Wire(error) => Some(error.code()),
        CloseReason::KeepAliveExpired => Some(ReasonCode::KeepAliveTimeout),
        // [MQTT5-3.1.4-3]
        CloseReason::TakenOver => Some(ReasonCode::SessionTakenOver),
        CloseReason::Stopping => Some(ReasonCode::ServerShuttingDown),
        CloseReason::Unsupported(code) => Some(*code),
        CloseReason::Disconnect
        | CloseReason::DisconnectWithReason(_)
        | CloseReason::PeerClosed
        | CloseReason::ConnectTimeout
        | CloseReason::Refused(_) => None,
    }
}
