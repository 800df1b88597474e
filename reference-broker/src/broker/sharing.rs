//! Messages of which one member of a group gets each, and what becomes of them
//! when a member goes (section 4.8.2).
//!
//! Members get their messages in turn: those first who can be sent to at once,
//! then those who are there but slow, then those who are away, so that neither
//! a slow member nor an absent one holds up what another could take.
//!
//! What a member leaves unfinished when its connection ends:
//!
//! | | its session stays | its session ends |
//! |---|---|---|
//! | not sent yet, QoS 1 sent and not acknowledged | to a member who is there, at once; without one, to the first who comes | to another member, there or not |
//! | QoS 2, sent | waits for it `[MQTT5-4.8.2-4]` | is given up `[MQTT5-4.8.2-5]` |
//!
//! The standard lets a server wait with QoS 1 until the session ends. Sessions may
//! last for days, and whoever shares out work has others to do it; the price is
//! that a message may reach two members, whose acknowledgement was lost, which is
//! what QoS 1 says. A connection that another takes over, with its session, and
//! those of a server that stops, leave everything where it is. What a member has
//! refused goes to nobody `[MQTT5-4.8.2-6]`.

use std::sync::Arc;

use super::Broker;
use crate::message::Message;
use crate::queue::{self, Outgoing};
use crate::quirks::Quirk;
use crate::shares::GroupKey;
use crate::topics::SessionKey;
use crate::wire::Qos;

/// What was sent at more than that goes to nobody else [MQTT5-4.8.2-5].
pub(super) const PASSED_ON: Qos = Qos::AtLeastOnce;

impl Broker {
    /// Hands a message to one member of a group, at what it was granted
    /// [MQTT5-4.8.2-3]; says whether there was one.
    pub(super) fn share(&mut self, group: GroupKey, message: &Arc<Message>) -> bool {
        let (sessions, connections) = (&self.sessions, &self.connections);
        let (limits, quirks) = (&self.config.limits, self.config.quirks);
        let readiness = |key: SessionKey| {
            let connection = sessions[key].connection.map(|slot| &connections[slot]);
            sessions[key].readiness(message, connection, limits, quirks)
        };
        let Some((key, grant, share)) = self.shares.choose(group, readiness) else {
            return false;
        };
        let session = &mut self.sessions[key];
        let outgoing = Outgoing {
            message: Arc::clone(message),
            qos: match quirks.has(Quirk::IgnoresShareGrant) {
                true => message.qos,
                false => message.qos.min(grant.qos),
            },
            retain: message.retain && grant.retain_as_published,
            subscription_ids: queue::boxed(grant.id.as_slice()),
            share: Some(share),
            stored: None,
        };
        match session.connection {
            None => session.store(outgoing, limits, &mut self.effects),
            Some(slot) => {
                let connection = &mut self.connections[slot];
                session.send(outgoing, connection, limits, &mut self.effects);
            }
        }
        true
    }

    /// Shares out once more what a member did not finish.
    pub(super) fn share_again(&mut self, unfinished: Vec<Outgoing>) {
        for Outgoing { message, share, .. } in unfinished {
            if let Some(share) = share {
                self.share(share.group, &message);
            }
        }
    }

    /// A member's connection has ended, and its session stays: what it did not
    /// finish goes to others who are there.
    pub(super) fn leave_groups(&mut self, key: SessionKey) {
        let groups = self.shares.of(key);
        let served: Vec<_> = groups.filter(|group| self.is_served(*group, key)).collect();
        if served.is_empty() {
            return;
        }
        let which = |group| served.contains(&group);
        let journal = &mut self.effects.journal;
        let unfinished = self.sessions[key].take_shared(which, PASSED_ON, journal);
        self.share_again(unfinished);
    }

    /// A member has come, or has come back.
    pub(super) fn come_to_groups(&mut self, key: SessionKey) {
        let groups: Vec<_> = self.shares.of(key).collect();
        for group in groups {
            self.come_to_group(key, group);
        }
    }

    /// If it is the first who is there, it gets what the others left.
    pub(super) fn come_to_group(&mut self, key: SessionKey, group: GroupKey) {
        if self.is_served(group, key) {
            return;
        }
        let others: Vec<_> = self.shares.others(group, key).collect();
        for other in others {
            let journal = &mut self.effects.journal;
            let unfinished =
                self.sessions[other].take_shared(|one| one == group, PASSED_ON, journal);
            self.share_again(unfinished);
        }
    }

    /// Whether somebody is there for a group besides this member.
    fn is_served(&self, group: GroupKey, key: SessionKey) -> bool {
        let mut others = self.shares.others(group, key);
        others.any(|other| self.sessions[other].connection.is_some())
    }
}
