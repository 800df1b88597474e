//! From CONNECT to CONNACK: whether a client is accepted, and with which
//! session (sections 3.1.3.1 and 3.1.4).

use std::sync::Arc;
use std::time::Duration;

use super::{Broker, Config, authentication};
use crate::access::{Check, Identity, Verdict};
use crate::connection::{ConnId, Held, Phase};
use crate::observer::{CloseReason, SessionEvent};
use crate::queue::Outgoing;
use crate::quirks::Quirk;
use crate::scram;
use crate::session::Session;
use crate::terms::{self, Terms};
use crate::topics::SessionKey;
use crate::wills::{self, Pending};
use crate::wire::{ConnAck, Connect, Packet, Properties, Property, Qos, ReasonCode, Text, Version};

impl Broker {
    pub(super) fn connect(&mut self, slot: usize, connect: Connect) {
        let quirks = self.config.quirks;
        let connection = &mut self.connections[slot];
        connection.version = connect.version;
        connection.terms = Terms::of(&connect);
        if let Some(method) = connection.terms.method.clone()
            && (method.as_str() == scram::METHOD || !quirks.has(Quirk::AcceptsUnknownMethods))
        {
            return self.authenticate(slot, connect, method);
        }
        match self.config.access.connect(&connect) {
            Verdict::Admitted(identity) => self.authenticated(slot, connect, identity),
            Verdict::Refused(_) if self.config.quirks.has(Quirk::AcceptsAnyPassword) => {
                self.authenticated(slot, connect, Identity::default());
            }
            Verdict::Refused(code) => self.refuse(slot, code),
            Verdict::Check => {
                let connection = &mut self.connections[slot];
                connection.phase = Phase::Checking;
                self.checks.push_back(connection.id);
                connection.held = Some(Box::new(Held {
                    connect,
                    packets: Vec::new(),
                }));
            }
        }
    }

    /// The next password that is to be checked; the answer is
    /// [`Input::Checked`](super::Input::Checked). Until it comes, its connection
    /// is not read from.
    pub fn next_check(&mut self) -> Option<Check> {
        while let Some(conn) = self.checks.pop_front() {
            let held = self.connection(conn).and_then(|one| one.held.as_ref());
            if let Some(Connect {
                user_name: Some(user_name),
                password: Some(password),
                ..
            }) = held.map(|held| &held.connect)
            {
                return Some(Check {
                    conn,
                    user_name: user_name.as_str().to_owned(),
                    password: password.clone(),
                });
            }
        }
        None
    }

    /// Whether [`next_check`](Self::next_check) may have something.
    #[must_use]
    pub fn has_checks(&self) -> bool {
        !self.checks.is_empty()
    }

    /// A password was checked.
    pub(super) fn checked(&mut self, conn: ConnId, right: bool) {
        let Some(held) = self.connection(conn).and_then(|one| one.held.take()) else {
            return;
        };
        let slot = conn.slot();
        if !self.is_open(conn) {
            return;
        }
        if !right {
            return self.refuse(slot, ReasonCode::BadUserNameOrPassword);
        }
        let user_name = held.connect.user_name.as_ref().map_or("", Text::as_str);
        let identity = self.config.access.identity(user_name);
        self.authenticated(slot, held.connect, identity);
        for packet in held.packets {
            if self.is_open(conn) {
                self.act(slot, packet);
            }
        }
        // It may be read from again, even if it has nothing to be sent.
        self.connections[slot].wake(&mut self.effects.woken);
    }

    /// Accepts a client that has shown who it is, or need not, if there is room
    /// for it.
    pub(super) fn authenticated(&mut self, slot: usize, connect: Connect, identity: Identity) {
        let connection = &mut self.connections[slot];
        connection.rights = identity.rights;
        connection.user = identity.user;
        let client_id = match self.admit(slot, &connect) {
            Ok(client_id) => client_id,
            Err(code) => return self.refuse(slot, code),
        };
        let expiry = self.session_expiry(slot);
        let mut connack = ConnAck {
            properties: self.connack_properties(slot, &connect, &client_id, expiry),
            ..ConnAck::accepted(false)
        };
        if !self.connections[slot].takes_reply(&Packet::ConnAck(connack.clone())) {
            // It cannot be told what it would have to know [MQTT5-3.1.2-24].
            return self.close(slot, CloseReason::Unsupported(ReasonCode::PacketTooLarge));
        }
        // The old connection goes first, and its will with it. A session that
        // is to be resumed has that message queued then, if it asked for it.
        // [MQTT311-3.1.4-2]
        if let Some(&key) = self.by_client.get(&*client_id)
            && let Some(old) = self.sessions[key].connection
        {
            self.close(old, CloseReason::TakenOver);
            if self.config.quirks.has(Quirk::KeepsTopicAliases) {
                self.connections[slot].aliases = std::mem::take(&mut self.connections[old].aliases);
            }
            if self.config.quirks.has(Quirk::LosesQueueOnTakeover)
                && let Some(session) = self.sessions.get_mut(key)
            {
                session.lose_queue(&mut self.effects);
            }
        }
        let key;
        (key, connack.session_present) =
            self.session_for(slot, &client_id, connect.clean_session, expiry);
        let quirks = self.config.quirks;
        let answered =
            connect.keep_alive_s != u16::MAX || !quirks.has(Quirk::IgnoresLongestKeepAlive);
        self.attach(slot, key, connect);
        // The first packet that is sent [MQTT311-3.2.0-1] [MQTT311-3.1.4-4].
        if self.sessions[key].queue.len() >= 8 && quirks.has(Quirk::QueuedBeforeConnack) {
            self.pump(slot, key);
        }
        if answered {
            self.reply(slot, &Packet::ConnAck(connack));
        }
        self.pump(slot, key);
        self.come_to_groups(key);
    }

    /// How long the session is kept once the connection has ended: as long as
    /// the client asks for, and the server has it.
    fn session_expiry(&self, slot: usize) -> Option<Duration> {
        let asked = self.connections[slot].terms.session_expiry;
        let most = self.config.capabilities.session_expiry_max;
        [asked, most].into_iter().flatten().min()
    }

    /// What a client of 5.0 is told when it is accepted (section 3.2.2.3).
    fn connack_properties(
        &mut self,
        slot: usize,
        connect: &Connect,
        client_id: &str,
        expiry: Option<Duration>,
    ) -> Properties {
        if connect.version == Version::V3_1_1 {
            return Properties::NONE;
        }
        let terms = &self.connections[slot].terms;
        let expiry =
            (expiry != terms.session_expiry).then(|| terms::session_expiry_interval(expiry));
        let wants_information = terms.response_information;
        // [MQTT5-3.1.3-7] [MQTT5-3.2.2-16]
        let assigned = connect.client_id.is_empty();
        let omitted = self.config.quirks.has(Quirk::OmitsMethodInConnack);
        let shown = authentication::shown(&mut self.connections[slot])
            .filter(move |one| !omitted || !matches!(one, Property::AuthenticationMethod(_)));
        let mut told = client_id.to_owned();
        if self.config.quirks.has(Quirk::AssignsAnotherId) {
            told.push('-');
        }
        let assigned = assigned.then(|| Text::new(told).ok()).flatten();
        let Config {
            capabilities,
            limits,
            ..
        } = &self.config;
        let quirks = self.config.quirks;
        let is_told = |property: &Property| {
            !matches!(property, Property::MaximumQos(_)) || !quirks.has(Quirk::HidesMaximumQos)
        };
        let named =
            self.connections[slot].terms.method.is_none() && quirks.has(Quirk::NamesMethodUnasked);
        let named = named.then(|| Text::new(scram::METHOD).ok()).flatten();
        let named = named.map(Property::AuthenticationMethod);
        let volunteered = quirks.has(Quirk::VolunteersResponseInformation);
        // [MQTT5-3.1.2-28]
        let information = capabilities.response_information.clone();
        let information = information.filter(|_| wants_information);
        let information = information.or_else(|| volunteered.then(Text::default));
        expiry
            .into_iter()
            .chain(assigned.map(Property::AssignedClientIdentifier))
            .chain(capabilities.announce(limits).filter(is_told))
            .chain(information.map(Property::ResponseInformation))
            .chain(named)
            .chain(shown)
            .collect()
    }

    /// Whether the client may connect, and the identifier it does so with.
    fn admit(&mut self, slot: usize, connect: &Connect) -> Result<Arc<str>, ReasonCode> {
        let limits = &self.config.limits;
        let given = &connect.client_id;
        if given.as_bytes().len() > limits.client_id_bytes.max(23) {
            // [MQTT311-3.1.3-9] [MQTT5-3.1.3-8]
            return Err(ReasonCode::ClientIdentifierNotValid);
        }
        let quirks = self.config.quirks;
        if given.as_bytes().len() == 23 && quirks.has(Quirk::RefusesLongClientId) {
            return Err(ReasonCode::ClientIdentifierNotValid);
        }
        let v3_1_1 = connect.version == Version::V3_1_1;
        let unclean = given.is_empty() && !connect.clean_session && v3_1_1;
        if unclean && !quirks.has(Quirk::AcceptsEmptyIdUnclean) {
            // [MQTT311-3.1.3-7], [MQTT311-3.1.3-8]
            return Err(ReasonCode::ClientIdentifierNotValid);
        }
        let capabilities = &self.config.capabilities;
        if (given.is_empty() && !capabilities.assigned_client_ids)
            || capabilities.refused_client_ids.contains(given.as_str())
        {
            return Err(ReasonCode::ClientIdentifierNotValid);
        }
        if let Some(will) = &connect.will {
            if !limits.reach(will.topic.as_bytes()) {
                return Err(ReasonCode::TopicNameInvalid);
            }
            let qos = will.qos > capabilities.maximum_qos;
            if qos && !quirks.has(Quirk::TakesQosAboveMaximum) {
                // [MQTT5-3.2.2-12]
                return Err(ReasonCode::QosNotSupported);
            }
            let retain = will.retain && !capabilities.retain;
            if retain && !quirks.has(Quirk::TakesUnavailableRetain) {
                // [MQTT5-3.2.2-13]
                return Err(ReasonCode::RetainNotSupported);
            }
        }
        let known = self.by_client.get(given.as_str()).copied();
        if known.is_some_and(|key| self.is_of_another(key, slot)) {
            return Err(ReasonCode::NotAuthorized);
        }
        let taken_over = known.is_some_and(|key| self.sessions[key].connection.is_some());
        if taken_over && connect.clean_session && quirks.has(Quirk::RefusesTakeover) {
            return Err(ReasonCode::ClientIdentifierNotValid);
        }
        if (self.connected >= limits.connections && !taken_over)
            || (self.sessions.len() >= limits.sessions && known.is_none())
        {
            return Err(ReasonCode::ServerUnavailable);
        }
        Ok(if given.is_empty() {
            self.assign_id()
        } else if quirks.has(Quirk::ConfusesClientIds) {
            Arc::from(given.as_str().to_ascii_lowercase())
        } else {
            Arc::from(given.as_str())
        })
    }

    /// Whether a session belongs to another user than the client has shown to be.
    /// One of a client without a user is anybody's, or such a client could keep
    /// users out; and as long as there are no users, so is every one.
    fn is_of_another(&self, session: SessionKey, slot: usize) -> bool {
        let owner = &self.sessions[session].user;
        !self.config.access.users.is_empty()
            && owner.is_some()
            && *owner != self.connections[slot].user
    }

    /// An identifier that nobody uses [MQTT311-3.1.3-6], or could guess.
    fn assign_id(&mut self) -> Arc<str> {
        loop {
            let [a, b, c, d, e, f, g, h, ..] = self.draw();
            let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
            let id = format!("assigned-{number:016x}");
            if self.config.quirks.has(Quirk::AssignsSameId) {
                return "assigned".into();
            }
            if !self.by_client.contains_key(id.as_str()) {
                return id.into();
            }
        }
    }

    /// The session to use, and whether it was there already [MQTT311-3.1.4-3]
    /// [MQTT311-3.1.2-4] [MQTT311-3.1.2-6] [MQTT311-3.2.2-1] [MQTT311-3.2.2-2]
    /// [MQTT311-3.2.2-3]; of 5.0 [MQTT5-3.1.2-4] [MQTT5-3.1.2-5] [MQTT5-3.1.2-6]
    /// [MQTT5-3.2.2-2] [MQTT5-3.2.2-3].
    fn session_for(
        &mut self,
        slot: usize,
        client_id: &Arc<str>,
        afresh: bool,
        expiry: Option<Duration>,
    ) -> (SessionKey, bool) {
        let connection = &self.connections[slot];
        let (conn, user) = (connection.id, connection.user.clone());
        let stored = self.by_client.get(client_id).copied();
        if let Some(key) = stored {
            if !afresh || self.config.quirks.has(Quirk::ResumesCleanSessions) {
                let session = &mut self.sessions[key];
                let user = user.or_else(|| session.user.clone());
                let changes =
                    session.expiry != expiry || session.armed.is_some() || session.user != user;
                (session.expiry, session.user) = (expiry, user);
                self.expiries.set(key, &mut session.armed, None);
                if changes {
                    session.write(&mut self.effects.journal);
                }
                if !self.config.quirks.has(Quirk::IgnoresReturnInWillDelay) {
                    self.take_will(key);
                }
                self.effects.watch.tell(|observer, now| {
                    observer.session(now, client_id, SessionEvent::Resumed { conn });
                });
                if self.config.quirks.has(Quirk::LosesQueueOfAbsent) {
                    self.sessions[key].lose_queue(&mut self.effects);
                }
                let present = !afresh && !self.config.quirks.has(Quirk::ForgetsSessionPresent);
                return (key, present);
            }
            self.discard(key);
        }
        let quirks = self.config.quirks;
        let claimed = stored.is_some() && quirks.has(Quirk::SessionPresentAfterCleanStart);
        let session = Session::new(Arc::clone(client_id), user, expiry);
        session.write(&mut self.effects.journal);
        let key = self.sessions.insert(session);
        self.effects.watch.tell(|observer, now| {
            observer.session(now, client_id, SessionEvent::Created { conn });
        });
        self.by_client.insert(Arc::clone(client_id), key);
        (key, claimed)
    }

    fn attach(&mut self, slot: usize, key: SessionKey, connect: Connect) {
        self.connected += 1;
        let session = &mut self.sessions[key];
        session.connection = Some(slot);
        let quirks = self.config.quirks;
        if quirks.has(Quirk::ForgetsInflightQos1) {
            session.forget(|one| one.qos == Qos::AtLeastOnce, &mut self.effects.journal);
        }
        if quirks.has(Quirk::ForgetsInflightQos2) {
            session.forget(|one| one.qos == Qos::ExactlyOnce, &mut self.effects.journal);
        }
        if quirks.has(Quirk::ForgetsSharedQos2) {
            let is_shared = |one: &Outgoing| one.qos == Qos::ExactlyOnce && one.share.is_some();
            session.forget(is_shared, &mut self.effects.journal);
        }
        if quirks.has(Quirk::ForgetsPubrel) {
            for order in session.inflight.forget_pubrels() {
                let journal = &mut self.effects.journal;
                journal.pubrel_done(&session.client_id, order);
            }
        }
        if quirks.has(Quirk::ReordersPubrels) {
            session.inflight.reverse_pubrels();
        }
        if quirks.has(Quirk::ReordersOnReconnect) {
            session.inflight.reverse();
        }
        session.inflight.restart();
        let connection = &mut self.connections[slot];
        connection.phase = Phase::Connected(key);
        let mut will = connect.will;
        if let Some(will) = &mut will
            && connect.user_name.is_some()
            && quirks.has(Quirk::MixesUpConnectPayload)
        {
            will.message = will.topic.as_bytes().to_vec().into();
        }
        let will = will.map(|will| wills::stated(will, quirks));
        let rights = connection.rights.clone();
        connection.will.clone_from(&will);
        // [MQTT5-3.2.2-21] [MQTT5-3.2.2-22]
        let ours = self.config.capabilities.server_keep_alive_s;
        let ours = ours.filter(|_| connection.version == Version::V5);
        let period = Duration::from_secs(ours.unwrap_or(connect.keep_alive_s).into());
        let enforced = !period.is_zero() && !quirks.has(Quirk::IgnoresKeepAlive);
        connection.silence_max = enforced.then(|| period * 3 / 2);
        let silence_max = self.config.limits.silence_max(connection.silence_max);
        let at = silence_max.map(|most| self.effects.watch.now.saturating_add(most));
        self.deadlines.set(slot, &mut connection.armed, at);
        if let Some(will) = will {
            self.write_will(key, &Pending { will, rights }, None);
        }
    }
}
