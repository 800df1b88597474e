//! Connections, the sessions they have, and subscriptions.
//!
//! A session here is what a subscriber may rely on: with clean session set it
//! is one connection, without it all connections of a client identifier until
//! the broker says that it has none, or a client asks for a clean one.

use super::{Connection, Gap, History, NEVER, NONE};
use crate::net::Nanos;
use crate::trace::TextId;
use squall_devices::{DeviceId, Qos};

/// A session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session {
    /// Whose, by number in the roster.
    pub(crate) client: u32,
    pub(crate) clean: bool,
    /// When it was over; [`NEVER`] while it lasts.
    pub(crate) ended: Nanos,
    pub(crate) end: End,
    /// Its latest connection.
    pub(crate) connection: u32,
    /// When a connection that found it there was first accepted, if nobody is
    /// known to have begun it: whose CONNACK is still under way may have.
    pub(crate) found: Option<Nanos>,
    /// Its latest subscription, which leads to the others.
    pub(crate) subscriptions: u32,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It lasts.
    Open,
    /// With its connection or some time after it, or because a client asked for a
    /// clean one.
    Over,
    /// The broker says it has none, though nobody ended it.
    Lost,
}

/// A subscription of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subscription {
    pub(crate) session: u32,
    pub(crate) filter: TextId,
    /// What the SUBACK granted; `None` if it refused, or has not come.
    pub(crate) granted: Option<Qos>,
    /// Its first SUBSCRIBE was handed to the network.
    pub(crate) possibly_from: Nanos,
    /// Its first SUBACK arrived.
    pub(crate) certainly_from: Nanos,
    /// An UNSUBSCRIBE was handed to the network, or the session ended.
    pub(crate) certainly_until: Nanos,
    /// The UNSUBACK arrived, or the session ended.
    pub(crate) possibly_until: Nanos,
    /// The session's one before.
    pub(crate) before: u32,
}

/// One filter of one SUBSCRIBE.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) connection: u32,
    pub(crate) filter: TextId,
    /// Handed to the network.
    pub(crate) sent: Nanos,
    /// Its SUBACK; [`NEVER`] if none came.
    pub(crate) answered: Nanos,
    pub(crate) granted: Option<Qos>,
    /// The connection's one before.
    pub(crate) before: u32,
}

/// What is known of a client identifier while the trace goes by.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// Its session that is not over, by number from 1; 0 for none.
    session: u32,
    /// When a clean session was last asked for, since then accepted or not.
    clean_asked: Option<Nanos>,
}

impl History {
    pub(super) fn connecting(&mut self, at: Nanos, device: DeviceId) {
        self.connections.push(Connection {
            device,
            began: at,
            accepted: NEVER,
            ended: NEVER,
            session: NONE,
            session_present: false,
            gap: Gap::default(),
            requests: NONE,
        });
        self.devices[device.0 as usize].connection = self.connections.len() as u32;
        if self.roster.role(device).clean_session {
            let client = self.roster.client_of(device);
            self.clients[client as usize].clean_asked = Some(at);
        }
    }

    pub(super) fn connected(&mut self, at: Nanos, device: DeviceId, session_present: bool) {
        let clean = self.roster.role(device).clean_session;
        let client = self.roster.client_of(device);
        let index = self.connection_of(device);
        let began = self
            .connections
            .get(index as usize)
            .map_or(at, |one| one.began);
        let gap = self.wire.take_gap(client);
        let state = &mut self.clients[client as usize];
        let before = state.session.checked_sub(1);
        let session = match before {
            Some(session)
                if session_present
                    && !clean
                    && !gap.certain
                    && !self.sessions[session as usize].clean =>
            {
                if let Some(expired) = gap.expired {
                    self.doubt_subscriptions(session, expired);
                }
                session
            }
            // Two of one identifier connected at once, and this is the answer
            // to whom the server had heard first.
            Some(session)
                if !clean
                    && self.sessions[session as usize].end == End::Open
                    && self.sessions[session as usize].found >= Some(began) =>
            {
                self.sessions[session as usize].found = None;
                session
            }
            _ => {
                let asked = state.clean_asked.take();
                let number = self.sessions.len() as u32;
                state.session = number + 1;
                self.sessions.push(Session {
                    client,
                    clean,
                    ended: NEVER,
                    end: End::Open,
                    connection: index,
                    found: session_present.then_some(at),
                    subscriptions: NONE,
                });
                if let Some(before) = before {
                    self.end_before(before, asked.or(gap.expired), at);
                }
                number
            }
        };
        self.sessions[session as usize].connection = index;
        if let Some(connection) = self.connections.get_mut(index as usize) {
            connection.accepted = at;
            connection.session_present = session_present;
            connection.gap = gap;
            connection.session = session;
        }
    }

    /// A session may be another since then, of which nobody knows the
    /// subscriptions.
    fn doubt_subscriptions(&mut self, session: u32, since: Nanos) {
        let mut next = self.sessions[session as usize].subscriptions;
        while let Some(subscription) = self.subscriptions.get_mut(next as usize) {
            subscription.certainly_until = subscription.certainly_until.min(since);
            next = subscription.before;
        }
    }

    /// A client has a new session, so the one before is over: rightly, if a
    /// clean one was asked for or it may have expired by then.
    fn end_before(&mut self, before: u32, rightly: Option<Nanos>, at: Nanos) {
        if self.sessions[before as usize].end == End::Open {
            match rightly {
                Some(over) => self.end_session(before, over, End::Over),
                None => self.end_session(before, at, End::Lost),
            }
        }
    }

    fn end_session(&mut self, session: u32, at: Nanos, end: End) {
        let facts = &mut self.sessions[session as usize];
        (facts.ended, facts.end) = (at, end);
        let mut next = facts.subscriptions;
        while let Some(subscription) = self.subscriptions.get_mut(next as usize) {
            subscription.certainly_until = subscription.certainly_until.min(at);
            subscription.possibly_until = subscription.possibly_until.min(at);
            next = subscription.before;
        }
    }

    pub(super) fn connection_ended(&mut self, at: Nanos, device: DeviceId) {
        let index = self.connection_of(device);
        let Some(connection) = self.connections.get_mut(index as usize) else {
            return;
        };
        connection.ended = at;
        let session = connection.session;
        if let Some(facts) = self.sessions.get(session as usize)
            && facts.clean
            && facts.end == End::Open
        {
            self.end_session(session, at, End::Over);
        }
    }

    /// A SUBSCRIBE was handed to the network, with this filter in it.
    pub(super) fn subscribing(&mut self, at: Nanos, device: DeviceId, filter: TextId) {
        let index = self.connection_of(device);
        let Some(connection) = self.connections.get_mut(index as usize) else {
            return;
        };
        self.requests.push(Request {
            connection: index,
            filter,
            sent: at,
            answered: NEVER,
            granted: None,
            before: connection.requests,
        });
        connection.requests = self.requests.len() as u32 - 1;
        let session = connection.session;
        if self.subscription_in_force(session, filter).is_some() {
            return;
        }
        let Some(facts) = self.sessions.get_mut(session as usize) else {
            return;
        };
        self.subscriptions.push(Subscription {
            session,
            filter,
            granted: None,
            possibly_from: at,
            certainly_from: NEVER,
            certainly_until: NEVER,
            possibly_until: NEVER,
            before: facts.subscriptions,
        });
        facts.subscriptions = self.subscriptions.len() as u32 - 1;
    }

    /// A SUBACK answered one filter.
    pub(super) fn subscribed(
        &mut self,
        at: Nanos,
        device: DeviceId,
        filter: TextId,
        granted: Option<Qos>,
    ) {
        let Some(connection) = self.connections.get(self.connection_of(device) as usize) else {
            return;
        };
        let (session, mut next) = (connection.session, connection.requests);
        while let Some(request) = self.requests.get_mut(next as usize) {
            if request.filter == filter && request.answered == NEVER {
                (request.answered, request.granted) = (at, granted);
                break;
            }
            next = request.before;
        }
        if let Some(subscription) = self.subscription_in_force(session, filter) {
            if subscription.certainly_from == NEVER || subscription.granted != granted {
                subscription.certainly_from = at;
            }
            subscription.granted = granted;
        }
    }

    /// An UNSUBSCRIBE was handed to the network, with this filter in it.
    pub(super) fn unsubscribing(&mut self, at: Nanos, device: DeviceId, filter: TextId) {
        if let Some(subscription) = self.latest_subscription(device, filter) {
            subscription.certainly_until = subscription.certainly_until.min(at);
        }
    }

    /// An UNSUBACK answered one filter.
    pub(super) fn unsubscribed(&mut self, at: Nanos, device: DeviceId, filter: TextId) {
        if let Some(subscription) = self.latest_subscription(device, filter) {
            subscription.possibly_until = subscription.possibly_until.min(at);
        }
    }

    fn latest_subscription(
        &mut self,
        device: DeviceId,
        filter: TextId,
    ) -> Option<&mut Subscription> {
        let connection = self.connections.get(self.connection_of(device) as usize)?;
        self.subscription(connection.session, |subscription| {
            subscription.filter == filter
        })
    }

    /// A session's subscription that no UNSUBSCRIBE was sent for.
    fn subscription_in_force(&mut self, session: u32, filter: TextId) -> Option<&mut Subscription> {
        self.subscription(session, |subscription| {
            subscription.filter == filter && subscription.certainly_until == NEVER
        })
    }

    /// The latest subscription of a session that is `wanted`.
    fn subscription(
        &mut self,
        session: u32,
        wanted: impl Fn(&Subscription) -> bool,
    ) -> Option<&mut Subscription> {
        let mut next = self.sessions.get(session as usize)?.subscriptions;
        loop {
            let subscription = self.subscriptions.get(next as usize)?;
            if wanted(subscription) {
                return self.subscriptions.get_mut(next as usize);
            }
            next = subscription.before;
        }
    }

    /// The subscriptions of a session, latest first.
    pub(crate) fn subscriptions_of(&self, session: u32) -> impl Iterator<Item = &Subscription> {
        let first = self.sessions.get(session as usize);
        let first = first.map_or(NONE, |session| session.subscriptions);
        std::iter::successors(self.subscriptions.get(first as usize), |subscription| {
            self.subscriptions.get(subscription.before as usize)
        })
    }

    /// The filters subscribed to on a connection, latest first.
    pub(crate) fn requests_on(&self, connection: u32) -> impl Iterator<Item = &Request> {
        let first = self.connections.get(connection as usize);
        let first = first.map_or(NONE, |connection| connection.requests);
        std::iter::successors(self.requests.get(first as usize), |request| {
            self.requests.get(request.before as usize)
        })
    }
}
