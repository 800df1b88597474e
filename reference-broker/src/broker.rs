//! The broker: sessions, subscriptions and messages, without I/O.
//!
//! Time and packets come in, bytes go out. A shim (or a test) opens a
//! connection, hands in what it decodes, and after one or more inputs looks at
//! the connections named by [`Broker::next_woken`]:
//!
//! ```
//! use std::time::Duration;
//! use squall_broker::wire::{Connect, Packet, Text};
//! use squall_broker::{Broker, Config, Input, Transmit};
//!
//! let mut broker = Broker::new(Config::default(), None);
//! let now = Duration::ZERO;
//! let conn = broker.open(now);
//! let client_id = Text::new("sensor").expect("well-formed");
//! let connect = Connect { client_id, clean_session: true, ..Connect::default() };
//! broker.handle(now, Input::Packet(conn, Packet::Connect(Box::new(connect))));
//! assert_eq!(broker.next_woken(), Some(conn));
//! let mut bytes = Vec::new();
//! broker.take_output(conn, &mut bytes);
//! assert_eq!(bytes, [0x20, 0x02, 0x00, 0x00]);
//! assert_eq!(broker.transmit(conn), Transmit::Open { may_read: true });
//! ```

mod admission;
mod authentication;
mod closing;
mod exchange;
mod recovery;
mod routing;
mod sharing;
mod subscribing;

pub(crate) use authentication::Authentication;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;
use slab::Slab;

use crate::access::Access;
use crate::capabilities::Capabilities;
use crate::connection::{ConnId, Connection, Phase};
use crate::deadlines::Deadlines;
use crate::effects::Effects;
use crate::entropy::Entropy;
use crate::journal::Journal;
use crate::limits::Limits;
use crate::observer::{CloseReason, Observer, Watch};
use crate::quirks::{Quirk, Quirks};
use crate::retained::Retained;
use crate::session::Session;
use crate::shares::Shares;
use crate::topics::{Found, SessionKey, Topics};
use crate::wire::{Packet, ReasonCode, Rule, Version, WireError};

/// What a broker is set up with.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Config {
    /// How much of everything there may be.
    pub limits: Limits,
    /// Who may do what.
    pub access: Access,
    /// What it offers to clients of 5.0.
    pub capabilities: Capabilities,
    /// What it draws nonces and client identifiers from.
    pub entropy: Entropy,
    /// What it is to do wrong.
    pub quirks: Quirks,
}

/// Something that happens to a broker.
#[derive(Clone, Debug)]
pub enum Input {
    /// A packet came.
    Packet(ConnId, Packet),
    /// Something came that is not a packet; nothing more will be decoded. The
    /// version is that of the decoder, which a CONNECT may have chosen that is
    /// malformed further on.
    Malformed(ConnId, Version, WireError),
    /// The stream accepted this many of the bytes taken from
    /// [`Broker::take_output`].
    Written(ConnId, usize),
    /// The stream is gone, whoever ended it. It must be said of every
    /// connection once, and nothing may be said of it afterwards.
    Closed(ConnId),
    /// The batch of this number is durable, and all before it: what waited for
    /// them may leave.
    Synced(u64),
    /// Time has passed: to be said when [`Broker::next_timeout`] has come.
    Timeout,
    /// The password of a [`Check`](crate::Check) is right, or not.
    Checked(ConnId, bool),
    /// The server is going to stop: every connection is ended.
    Stop,
}

/// What is to be done with a connection's stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transmit {
    /// Write what there is and stay connected.
    Open {
        /// Whether to read on; if not, the peer must take some bytes first.
        may_read: bool,
    },
    /// Write what there is, then close the stream.
    Finish,
    /// Close the stream at once.
    Abort,
}

/// A server of MQTT 3.1.1 and 5.0 without I/O, clock or randomness of its own.
pub struct Broker {
    config: Config,
    connections: Slab<Connection>,
    opened: u64,
    /// Connections that are attached to a session.
    connected: usize,
    sessions: Slab<Session>,
    /// Sessions by client identifier [MQTT311-3.1.3-2].
    by_client: FxHashMap<Arc<str>, SessionKey>,
    /// How often its entropy was drawn from.
    draws: u64,
    topics: Topics,
    shares: Shares,
    retained: Retained,
    deadlines: Deadlines,
    /// When sessions end whose clients are gone.
    expiries: Deadlines,
    /// When wills are published that wait.
    will_delays: Deadlines,
    effects: Effects,
    /// Connections whose passwords are to be checked.
    checks: VecDeque<ConnId>,
    /// Kept between messages for its allocation.
    found: Found,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker")
            .field("connections", &self.connections.len())
            .field("sessions", &self.sessions.len())
            .finish_non_exhaustive()
    }
}

impl Broker {
    /// A broker without clients, at time zero, that keeps what it has in memory
    /// only. [`restore`](Self::restore) makes one with a store.
    #[must_use]
    pub fn new(config: Config, observer: Option<Box<dyn Observer>>) -> Self {
        let quirks = config.quirks;
        Self {
            config,
            connections: Slab::new(),
            opened: 0,
            connected: 0,
            sessions: Slab::new(),
            by_client: FxHashMap::default(),
            draws: 0,
            topics: Topics::default(),
            shares: Shares::default(),
            retained: Retained::default(),
            deadlines: Deadlines::default(),
            expiries: Deadlines::default(),
            will_delays: Deadlines::default(),
            checks: VecDeque::new(),
            effects: Effects {
                watch: Watch {
                    now: Duration::ZERO,
                    observer,
                },
                quirks,
                woken: VecDeque::new(),
                journal: Journal::default(),
                unsynced: Vec::new(),
            },
            found: Found::default(),
        }
    }

    /// What it was set up with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A stream was opened. `now` is the time since the broker's start.
    pub fn open(&mut self, now: Duration) -> ConnId {
        self.effects.watch.now = now;
        self.opened += 1;
        let entry = self.connections.vacant_entry();
        let slot = entry.key();
        let id = ConnId::new(self.opened, slot);
        let connection = entry.insert(Connection::new(id, now));
        let at = now.saturating_add(self.config.limits.connect_timeout);
        self.deadlines.set(slot, &mut connection.armed, Some(at));
        self.effects
            .watch
            .tell(|observer, now| observer.opened(now, id));
        id
    }

    /// Acts upon an input. `now` is the time since the broker's start and never
    /// goes back. What is to be written afterwards is collected, so that a
    /// batch of inputs leads to one write a connection: see
    /// [`next_woken`](Self::next_woken).
    pub fn handle(&mut self, now: Duration, input: Input) {
        self.effects.watch.now = now;
        match input {
            Input::Packet(conn, packet) => {
                // Nothing counts after a refusal, a violation or a DISCONNECT.
                // [MQTT311-3.1.4-5]
                if self.is_open(conn) {
                    self.packet(conn.slot(), packet);
                } else if let Packet::Publish(publish) = packet
                    && self.config.quirks.has(Quirk::ActsAfterRefusal)
                {
                    self.publish_of_nobody(publish);
                }
            }
            Input::Malformed(conn, version, error) => {
                if self.is_open(conn) {
                    self.malformed(conn.slot(), version, error);
                }
            }
            Input::Written(conn, bytes) => self.written(conn, bytes),
            Input::Closed(conn) => self.gone(conn),
            Input::Synced(batch) => self.synced(batch),
            Input::Timeout => self.timeout(),
            Input::Checked(conn, right) => self.checked(conn, right),
            Input::Stop => self.stop(),
        }
    }

    /// The next connection that has something new to write or has been ended, in
    /// the order in which that happened. Each is named once, however much there
    /// is, and not at all once its output was taken.
    pub fn next_woken(&mut self) -> Option<ConnId> {
        while let Some(conn) = self.effects.woken.pop_front() {
            if self.connection(conn).is_some_and(Connection::unwake) {
                return Some(conn);
            }
        }
        None
    }

    /// Moves what is to be written to a connection into `bytes`, which must be
    /// empty.
    pub fn take_output(&mut self, conn: ConnId, bytes: &mut Vec<u8>) {
        debug_assert!(
            bytes.is_empty(),
            "what was taken before is still to be written"
        );
        if let Some(connection) = self.connection(conn) {
            connection.unwake();
            connection.take_output(bytes);
        }
    }

    /// What is to be done with a connection's stream.
    #[must_use]
    pub fn transmit(&self, conn: ConnId) -> Transmit {
        let connection = self
            .connections
            .get(conn.slot())
            .filter(|one| one.id == conn);
        match connection.map(|connection| (connection.phase, connection)) {
            Some((_, connection)) if connection.is_open() => Transmit::Open {
                may_read: connection.may_read(&self.config.limits),
            },
            Some((Phase::Finishing, connection)) if connection.awaits_store() => {
                Transmit::Open { may_read: false }
            }
            Some((Phase::Finishing, _)) => Transmit::Finish,
            _ => Transmit::Abort,
        }
    }

    /// When [`Input::Timeout`] is due next, as time since the broker's start.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        let next = [
            self.deadlines.next(),
            self.expiries.next(),
            self.will_delays.next(),
        ];
        next.into_iter().flatten().min()
    }

    fn connection(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.connections
            .get_mut(conn.slot())
            .filter(|connection| connection.id == conn)
    }

    fn is_open(&mut self, conn: ConnId) -> bool {
        self.connection(conn)
            .is_some_and(|connection| connection.is_open())
    }

    fn packet(&mut self, slot: usize, packet: Packet) {
        let connection = &mut self.connections[slot];
        let silence = self
            .effects
            .watch
            .now
            .saturating_sub(connection.last_packet);
        if let Phase::Connected(key) = connection.phase
            && silence >= Duration::from_secs(1)
            && self.config.quirks.has(Quirk::ForgetsSubscriptionsOfIdle)
        {
            self.forget_subscriptions(key);
        }
        let connection = &mut self.connections[slot];
        connection.last_packet = self.effects.watch.now;
        self.effects
            .watch
            .tell(|observer, now| observer.received(now, connection.id, &packet));
        match &mut connection.held {
            Some(held) => held.packets.push(packet),
            None => self.act(slot, packet),
        }
    }

    fn act(&mut self, slot: usize, packet: Packet) {
        let outcome = match (self.connections[slot].phase, packet) {
            (Phase::AwaitingConnect, Packet::Connect(connect)) => {
                self.connect(slot, *connect);
                Ok(())
            }
            (Phase::Authenticating, packet) => self.authenticating_packet(slot, packet),
            (Phase::Connected(_), Packet::Connect(_)) => Err(SECOND_CONNECT),
            (Phase::Connected(session), packet) => self.connected_packet(slot, session, packet),
            (_, packet) => Err(not_connected(&packet)),
        };
        if let Err(rule) = outcome {
            // [MQTT311-4.8.0-1] [MQTT5-4.13.1-1]
            let violation = rule.broken(self.connections[slot].version);
            self.close(slot, CloseReason::Wire(violation.into()));
        } else if self.connections[slot].has_unanswered {
            // It would wait for the answer for ever.
            self.close(slot, CloseReason::Unsupported(ReasonCode::PacketTooLarge));
        }
    }

    fn connected_packet(
        &mut self,
        slot: usize,
        session: SessionKey,
        packet: Packet,
    ) -> Result<(), Rule> {
        match packet {
            Packet::Publish(publish) => self.publish(slot, session, publish),
            Packet::PubAck(ack) => return self.puback(slot, session, &ack),
            Packet::PubRec(ack) => return self.pubrec(slot, session, &ack),
            Packet::PubRel(ack) => self.pubrel(slot, session, &ack),
            Packet::PubComp(ack) => return self.pubcomp(slot, session, &ack),
            Packet::Subscribe(subscribe) => self.subscribe(slot, session, subscribe),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(slot, session, unsubscribe),
            // [MQTT311-3.12.4-1] [MQTT5-3.12.4-1]
            Packet::PingReq => {
                if self.config.quirks.has(Quirk::ResendsPubrelMeanwhile) {
                    self.sessions[session].inflight.resend_pubrels();
                    self.pump(slot, session);
                }
                let without = self.connections[slot].silence_max.is_none();
                if !(without && self.config.quirks.has(Quirk::NoPingrespWithoutKeepAlive)) {
                    self.reply(slot, &Packet::PingResp);
                }
            }
            Packet::Disconnect(disconnect) => return self.disconnect(slot, session, &disconnect),
            Packet::Auth(auth) => return self.authenticate_again(slot, &auth),
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp => {
                return Err(Rule::protocol(
                    "MQTT311-4.8.0-1",
                    "MQTT5-4.13.1-1",
                    "a packet that only a server sends",
                ));
            }
        }
        Ok(())
    }

    fn malformed(&mut self, slot: usize, version: Version, error: WireError) {
        let awaiting = self.connections[slot].phase == Phase::AwaitingConnect;
        if awaiting {
            self.connections[slot].version = version;
        }
        let error = match error {
            WireError::UnsupportedProtocolLevel(_) if awaiting => {
                // [MQTT311-3.1.2-2]
                self.refuse(slot, ReasonCode::UnsupportedProtocolVersion);
                return;
            }
            WireError::UnsupportedProtocolLevel(_) => {
                SECOND_CONNECT.broken(self.connections[slot].version).into()
            }
            error => error,
        };
        // Of a CONNECT of 3.1.1 that is not one, nothing is acknowledged.
        // [MQTT311-3.1.4-1]
        self.close(slot, CloseReason::Wire(error));
    }

    /// 32 bytes that nobody can guess who does not know the entropy.
    fn draw(&mut self) -> [u8; 32] {
        self.draws += 1;
        self.config.entropy.draw(self.draws)
    }

    fn reply(&mut self, slot: usize, packet: &Packet) {
        self.connections[slot].reply(packet, &mut self.effects);
    }

    /// Sends a session's client what is owed to it, as far as it goes.
    fn pump(&mut self, slot: usize, session: SessionKey) {
        self.sessions[session].pump(
            &mut self.connections[slot],
            &self.config.limits,
            &mut self.effects,
        );
    }

    fn written(&mut self, conn: ConnId, bytes: usize) {
        let Some(connection) = self
            .connections
            .get_mut(conn.slot())
            .filter(|one| one.id == conn)
        else {
            return;
        };
        connection.written(bytes, &self.config.limits);
        if let Phase::Connected(session) = connection.phase {
            self.pump(conn.slot(), session);
        }
    }

    fn gone(&mut self, conn: ConnId) {
        if self.is_open(conn) {
            self.close(conn.slot(), CloseReason::PeerClosed);
        }
        if let Some(connection) = self.connection(conn) {
            let mut armed = connection.armed;
            self.deadlines.set(conn.slot(), &mut armed, None);
            self.connections.remove(conn.slot());
        }
    }

    fn timeout(&mut self) {
        let now = self.effects.watch.now;
        while let Some(key) = self.will_delays.due(now) {
            // [MQTT5-3.1.2-8]
            self.publish_will(key);
        }
        while let Some(key) = self.expiries.due(now) {
            // [MQTT5-4.1.0-2]
            self.discard(key);
        }
        while let Some(slot) = self.deadlines.due(now) {
            let connection = &mut self.connections[slot];
            let silence_max = self.config.limits.silence_max(connection.silence_max);
            match (connection.phase, silence_max) {
                (Phase::AwaitingConnect | Phase::Checking | Phase::Authenticating, _) => {
                    self.close(slot, CloseReason::ConnectTimeout)
                }
                (Phase::Connected(_), Some(silence_max)) => {
                    let at = connection.last_packet.saturating_add(silence_max);
                    if at <= now {
                        let reason = match connection.silence_max == Some(silence_max) {
                            // [MQTT311-3.1.2-24] [MQTT5-3.1.2-22]
                            true => CloseReason::KeepAliveExpired,
                            false => CloseReason::Silent,
                        };
                        self.close(slot, reason);
                    } else {
                        self.deadlines.set(slot, &mut connection.armed, Some(at));
                    }
                }
                (Phase::Connected(_) | Phase::Aborted, _) => {
                    self.deadlines.set(slot, &mut connection.armed, None);
                }
                (Phase::Finishing, _) => {
                    connection.phase = Phase::Aborted;
                    connection.discard_output();
                    connection.wake(&mut self.effects.woken);
                    self.deadlines.set(slot, &mut connection.armed, None);
                }
            }
        }
    }
}

/// [MQTT311-3.1.0-1] [MQTT311-3.1.0-2] and the same of 5.0.
fn not_connected(packet: &Packet) -> Rule {
    match packet {
        Packet::Connect(_) => SECOND_CONNECT,
        _ => Rule::protocol(
            "MQTT311-3.1.0-1",
            "MQTT5-3.1.0-1",
            "the first packet is not a CONNECT",
        ),
    }
}

const SECOND_CONNECT: Rule = Rule::protocol("MQTT311-3.1.0-2", "MQTT5-3.1.0-2", "a second CONNECT");
