//! What went over the wire at a server: evidence for what no client can see.

use super::{NEVER, NONE, Roster};
use crate::net::{Nanos, SECOND};
use crate::trace::{ClosedBy, Packet, ServerEvent};
use rustc_hash::FxHashMap;
use squall_devices::{MessageId, Qos};

/// A connection as a server saw it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WireConnection {
    /// Whose, by number in the roster; [`NONE`] until its CONNECT.
    pub(crate) client: u32,
    /// Its CONNECT; [`NEVER`] if none came.
    pub(crate) connected: Nanos,
    /// Its CONNACK; [`NEVER`] if none was sent.
    pub(crate) answered: Nanos,
    /// The latest packet from the client.
    pub(crate) last_received: Nanos,
    /// The longest the client was silent between two packets.
    pub(crate) silence: Silence,
    pub(crate) ended: Nanos,
    pub(crate) end: WireEnd,
}

/// A time without a packet from the client.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Silence {
    pub(crate) from: Nanos,
    pub(crate) until: Nanos,
}

impl Silence {
    pub(crate) fn length(self) -> Nanos {
        self.until.saturating_sub(self.from)
    }
}

/// How a connection ended at a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireEnd {
    /// Not yet.
    Open,
    /// The client's DISCONNECT came first.
    Disconnect,
    /// The server stopped, and the connection with it.
    ServerStopped,
    /// In any other way.
    Closed(ClosedBy),
}

/// A PUBLISH that a server sent again although it had sent its PUBREL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resent {
    pub(crate) at: Nanos,
    pub(crate) client: u32,
    pub(crate) packet_id: u16,
    pub(crate) reading: Option<MessageId>,
}

/// A PUBLISH beyond what a client takes unacknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Excess {
    pub(crate) at: Nanos,
    pub(crate) client: u32,
    /// PUBLISHes at QoS 1 and 2 that awaited their end with it.
    pub(crate) under_way: usize,
}

/// Whether a client's session expired before its latest CONNECT.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Since when it may have, if it may.
    pub(crate) expired: Option<Nanos>,
    /// It certainly has, and nothing but this CONNECT came after.
    pub(crate) certain: bool,
}

/// A session may expire so much before or after its time.
const EXPIRY_GRACE: Nanos = SECOND;

/// What the servers' wires showed.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) connections: Vec<WireConnection>,
    pub(crate) resent_after_pubrel: Vec<Resent>,
    /// A server's number of an open connection, and its index here.
    by_serial: FxHashMap<u64, u32>,
    /// The server's number of the latest connection.
    last_serial: u64,
    /// Packet identifiers of QoS 2 flows to each client between PUBREL and
    /// PUBCOMP.
    released: FxHashMap<u32, Vec<u16>>,
    /// Of each connection of a client with a Receive Maximum, the packet
    /// identifiers of its PUBLISHes under way, and the most there were.
    under_way: FxHashMap<u32, Vec<u16>>,
    pub(crate) most_under_way: FxHashMap<u32, usize>,
    pub(crate) beyond_receive_maximum: Vec<Excess>,
    /// When each client's latest connection ended, and whether that is certain.
    last_end: FxHashMap<u32, (Nanos, bool)>,
    /// Each client's latest connection with a CONNACK.
    latest: FxHashMap<u32, u32>,
    gaps: FxHashMap<u32, Gap>,
}

impl Wire {
    pub(super) fn see(&mut self, at: Nanos, serial: u64, event: &ServerEvent, roster: &Roster) {
        if *event == ServerEvent::Opened {
            // A server that starts anew counts anew.
            if serial <= self.last_serial {
                self.stopped(at);
            }
            self.last_serial = serial;
            self.by_serial.insert(serial, self.connections.len() as u32);
            self.connections.push(WireConnection {
                client: NONE,
                connected: NEVER,
                answered: NEVER,
                last_received: at,
                silence: Silence::default(),
                ended: NEVER,
                end: WireEnd::Open,
            });
            return;
        }
        let Some(index) = self.by_serial.get(&serial) else {
            return;
        };
        let connection = &mut self.connections[*index as usize];
        match event {
            ServerEvent::Opened => {}
            ServerEvent::Received(packet) => {
                connection.heard(at);
                self.received(*index, at, packet, roster);
            }
            ServerEvent::Sent(packet) => self.sent(*index, at, packet, roster),
            ServerEvent::Closed { kind, .. } => {
                if connection.end == WireEnd::Open {
                    connection.end = WireEnd::Closed(*kind);
                }
                if connection.ended == NEVER {
                    connection.ended = at;
                    connection.heard_until(at);
                }
                if self.latest.get(&connection.client) == Some(index) {
                    self.last_end.insert(connection.client, (at, true));
                }
                self.under_way.remove(index);
                self.by_serial.remove(&serial);
            }
        }
    }

    /// The server has stopped, at this time or a little before.
    pub(super) fn stopped(&mut self, at: Nanos) {
        for index in std::mem::take(&mut self.by_serial).into_values() {
            let connection = &mut self.connections[index as usize];
            if connection.end == WireEnd::Open {
                connection.end = WireEnd::ServerStopped;
            }
            connection.ended = connection.ended.min(at);
            if self.latest.get(&connection.client) == Some(&index) {
                self.last_end.insert(connection.client, (at, false));
            }
        }
        self.last_serial = 0;
        // A PUBREL that it had ready may not have left any more.
        self.released.clear();
    }

    fn received(&mut self, index: u32, at: Nanos, packet: &Packet, roster: &Roster) {
        let connection = &mut self.connections[index as usize];
        match packet.name {
            "CONNECT" if connection.connected == NEVER => {
                connection.connected = at;
                let client = packet.client.and_then(|client| roster.client(client));
                connection.client = client.unwrap_or(NONE);
                // In a new session every packet identifier is free.
                if roster.asks_for_clean(connection.client) {
                    self.released.remove(&connection.client);
                }
                let client = connection.client;
                self.after_a_gap(at, client, roster);
            }
            "DISCONNECT" if connection.end == WireEnd::Open => {
                connection.end = WireEnd::Disconnect;
            }
            "PUBACK" | "PUBCOMP" => {
                if let Some(under_way) = self.under_way.get_mut(&index) {
                    under_way.retain(|under_way| Some(*under_way) != packet.packet_id);
                }
                if let Some(released) = self.released.get_mut(&connection.client) {
                    released.retain(|released| Some(*released) != packet.packet_id);
                }
            }
            _ => {}
        }
    }

    fn sent(&mut self, index: u32, at: Nanos, packet: &Packet, roster: &Roster) {
        let connection = &mut self.connections[index as usize];
        let client = connection.client;
        if packet.name == "PUBLISH"
            && let Some(packet_id) = packet.packet_id
            && let Some(most) = roster.receive_maximum(client)
        {
            self.takes_quota(index, at, client, packet_id, most);
        }
        let connection = &mut self.connections[index as usize];
        match (packet.name, &packet.publish, packet.packet_id) {
            ("CONNACK", ..) => {
                connection.answered = connection.answered.min(at);
                self.latest.insert(client, index);
                self.last_end.remove(&client);
            }
            ("PUBREL", _, Some(packet_id)) => {
                let released = self.released.entry(connection.client).or_default();
                if !released.contains(&packet_id) {
                    released.push(packet_id);
                }
            }
            ("PUBLISH", Some((reading, true, message)), Some(packet_id))
                if message.qos == Qos::ExactlyOnce
                    && self
                        .released
                        .get(&connection.client)
                        .is_some_and(|released| released.contains(&packet_id)) =>
            {
                self.resent_after_pubrel.push(Resent {
                    at,
                    client: connection.client,
                    packet_id,
                    reading: *reading,
                });
            }
            _ => {}
        }
    }
}

impl Wire {
    /// The client of a server's open connection, by number in the roster.
    pub(super) fn client_of(&self, serial: u64) -> Option<u32> {
        let index = self.by_serial.get(&serial)?;
        let client = self.connections[*index as usize].client;
        (client != NONE).then_some(client)
    }

    /// Whether a client's session expired since this was last asked.
    pub(super) fn take_gap(&mut self, client: u32) -> Gap {
        self.gaps.remove(&client).unwrap_or_default()
    }

    /// A client is back: perhaps too late for its session.
    fn after_a_gap(&mut self, at: Nanos, client: u32, roster: &Roster) {
        let expiry = roster.session_expiry(client);
        let Some((ended, sure)) = self.last_end.get(&client).copied() else {
            return;
        };
        if expiry == NEVER {
            return;
        }
        let expires = ended.saturating_add(expiry);
        let gap = self.gaps.entry(client).or_default();
        if at >= expires.saturating_sub(EXPIRY_GRACE) {
            gap.expired.get_or_insert(expires);
        }
        gap.certain = sure && at > expires + EXPIRY_GRACE && roster.sharers(client) == 1;
    }

    /// A PUBLISH takes its place among those that a client has to acknowledge.
    fn takes_quota(&mut self, index: u32, at: Nanos, client: u32, packet_id: u16, most: u16) {
        let under_way = self.under_way.entry(index).or_default();
        if !under_way.contains(&packet_id) {
            under_way.push(packet_id);
        }
        let count = under_way.len();
        let highest = self.most_under_way.entry(client).or_default();
        *highest = count.max(*highest);
        if count > usize::from(most) {
            self.beyond_receive_maximum.push(Excess {
                at,
                client,
                under_way: count,
            });
        }
    }
}

impl WireConnection {
    /// A packet came.
    fn heard(&mut self, at: Nanos) {
        self.heard_until(at);
        self.last_received = at;
    }

    /// The silence since the last packet has lasted until now.
    fn heard_until(&mut self, at: Nanos) {
        let silence = Silence {
            from: self.last_received,
            until: at,
        };
        if self.connected != NEVER && silence.length() > self.silence.length() {
            self.silence = silence;
        }
    }
}
