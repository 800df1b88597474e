//! What a run's trace says, kept compactly: the facts that guarantees are
//! judged on.
//!
//! A [`History`] sees the entries of a trace one after another while the run
//! goes on, and keeps of them
//! - each reading: what was published, when it was sent and how that ended,
//! - each delivery to a device, by the connection it came on,
//! - each connection of a device, and the session it had,
//! - each subscription, with the times between which it was possibly and
//!   certainly in force,
//! - of the server only what went over the wire: a client's CONNECT and
//!   DISCONNECT, its silence, and how its connection ended. Another broker's
//!   proxy could tell as much.
//!
//! Facts are small, in vectors, and name each other by index; memory is linear
//! in readings, deliveries and connections.

mod expiry;
mod roster;
mod sessions;
mod wire;

pub(crate) use expiry::{Expiring, SentLate, WrongInterval};
pub(crate) use roster::{Options, Role, Roster, Will};
pub(crate) use sessions::{End, Request, Session, Subscription};
pub(crate) use wire::{Excess, Gap, Resent, Silence, WireConnection, WireEnd};

use crate::net::Nanos;
use crate::scenario::Server;
use crate::trace::{ClientEvent, Entry, Event, FaultEvent, Message, SessionEvent, TextId};
use rustc_hash::FxHashMap;
use sessions::Client;
use squall_broker::DropCause;
use squall_devices::{DeviceId, DropReason, MessageId, Qos};
use std::collections::VecDeque;
use wire::Wire;

/// A time that has not come.
pub(crate) const NEVER: Nanos = Nanos::MAX;

/// No index.
pub(crate) const NONE: u32 = u32::MAX;

/// A reading that a device published.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) id: MessageId,
    /// Taken, and handed to the MQTT client.
    pub(crate) published: Nanos,
    /// Its first PUBLISH was sent no earlier; [`NEVER`] if it was not sent, as
    /// far as anybody knows. A client tells of a PUBLISH once the network has
    /// taken all that it had to write, and that may be long after: so this is
    /// when it could, having the reading and a connection.
    pub(crate) first_sent: Nanos,
    /// When it was acknowledged or given up: see `fate`.
    pub(crate) settled: Nanos,
    /// Its first delivery to anybody.
    pub(crate) first_seen: Nanos,
    pub(crate) message: Message,
    pub(crate) fate: Fate,
    /// PUBLISH packets.
    pub(crate) sends: u16,
    /// At QoS 2, from a device that does not know all that its session has open:
    /// it forgot an exchange, or another device shares the session. It may use
    /// a packet identifier that is taken, and then the broker takes this
    /// reading for a repeated one, or a repeated one for new. The clients are to
    /// blame [MQTT311-4.1.0-1], so its acknowledgement says nothing.
    pub(crate) mistakable: bool,
}

/// What became of a reading at its publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing yet. At QoS 0, nothing ever.
    Open,
    /// The broker took it over.
    Acknowledged,
    /// The device gave it up: it may or may not have reached the broker.
    Dropped(DropReason),
}

impl Reading {
    /// When the broker acknowledged it, if it certainly did.
    pub(crate) fn acknowledged(&self) -> Option<Nanos> {
        (self.fate == Fate::Acknowledged && !self.mistakable).then_some(self.settled)
    }

    /// The last moment at which the broker may have taken it in for the first
    /// time or, at QoS 1, once more; [`NEVER`] if that is open. Once it is
    /// acknowledged it is not sent again; and at QoS 0 and 2 it is taken in
    /// once only, so before anybody received it.
    pub(crate) fn taken_in_by(&self) -> Nanos {
        let acknowledged = self.acknowledged().unwrap_or(NEVER);
        match self.message.qos {
            Qos::AtLeastOnce => acknowledged,
            Qos::AtMostOnce | Qos::ExactlyOnce => acknowledged.min(self.first_seen),
        }
    }

    /// When the broker certainly had it.
    pub(crate) fn certainly_in(&self) -> Nanos {
        self.acknowledged().unwrap_or(NEVER).min(self.first_seen)
    }
}

/// What a delivery brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// This reading, byte for byte, on its topic.
    Reading(u32),
    /// Anything else: see [`History::strangers`].
    Stranger(u32),
}

/// An application message that a client handed to its device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery {
    pub(crate) at: Nanos,
    /// The connection it came on.
    pub(crate) connection: u32,
    pub(crate) content: Content,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
}

/// A delivery that is no reading as it was published: a will, the empty
/// message that clears a retained one, or something that nobody sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stranger {
    /// The reading that its payload claims to be.
    pub(crate) claims: Option<MessageId>,
    pub(crate) message: Message,
}

/// A device's attempt to connect, and the connection that came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connection {
    pub(crate) device: DeviceId,
    pub(crate) began: Nanos,
    /// Its CONNACK; [`NEVER`] if it was not accepted.
    pub(crate) accepted: Nanos,
    /// As the device saw it; [`NEVER`] while it lasts.
    pub(crate) ended: Nanos,
    pub(crate) session: u32,
    pub(crate) session_present: bool,
    /// Whether its session may have expired before it.
    pub(crate) gap: Gap,
    /// The latest of its [`History::requests`], which leads to the others.
    pub(crate) requests: u32,
}

/// A message that the broker says it dropped for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BrokerDrop {
    pub(crate) reading: u32,
    pub(crate) client: u32,
}

/// One occurrence of a fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) kind: &'static str,
    pub(crate) began: Nanos,
    /// [`NEVER`] while it lasts.
    pub(crate) ended: Nanos,
}

/// What a run's trace says.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) roster: Roster,
    /// The server that it is about: what the clients of another see is none of
    /// its business.
    pub(crate) server: Server,
    pub(crate) readings: Vec<Reading>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) strangers: Vec<Stranger>,
    pub(crate) connections: Vec<Connection>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) subscriptions: Vec<Subscription>,
    /// Every SUBSCRIBE's filters.
    pub(crate) requests: Vec<Request>,
    /// Messages that did not fit a queue the scenario bounds.
    pub(crate) queue_full: Vec<BrokerDrop>,
    /// Clients of which something else than a reading did not fit.
    pub(crate) others_dropped: Vec<u32>,
    /// Readings that the broker had no room to retain.
    pub(crate) not_retained: Vec<u32>,
    /// Clients whose device lost what it keeps in RAM, and when.
    pub(crate) forgot: Vec<(u32, Nanos)>,
    pub(crate) wire: Wire,
    pub(crate) expiring: Expiring,
    pub(crate) faults: Vec<Fault>,
    /// Entries seen.
    pub(crate) entries: u64,
    /// Places in `faults` of those that are not over, by fault and target.
    open_faults: FxHashMap<(u16, TextId), VecDeque<usize>>,
    devices: Vec<DeviceState>,
    clients: Vec<Client>,
}

/// Where a device is, while the trace goes by.
#[derive(Debug, Default)]
struct DeviceState {
    /// By sequence number, from 1.
    readings: Vec<u32>,
    /// Its latest connection, by number from 1; 0 before the first.
    connection: u32,
    /// It has forgotten a QoS 2 exchange that its session may still have open.
    forgot_exchange: bool,
}

impl History {
    pub(crate) fn new(roster: Roster, server: Server) -> History {
        let (mut devices, mut clients) = (Vec::new(), Vec::new());
        devices.resize_with(roster.devices(), DeviceState::default);
        clients.resize_with(roster.clients(), Client::default);
        History {
            roster,
            server,
            devices,
            clients,
            ..History::default()
        }
    }

    /// Takes the next entry of the trace.
    pub(crate) fn see(&mut self, entry: &Entry) {
        let of_broker = self.server == Server::Broker;
        match &entry.event {
            Event::Client(device, _) if self.roster.role(*device).server != self.server => return,
            Event::Server(..) | Event::Session(..) if !of_broker => return,
            _ => self.entries += 1,
        }
        match &entry.event {
            Event::Client(device, event) => self.see_client(entry.at, *device, event),
            Event::Server(serial, event) => {
                self.see_expiring(entry.at, *serial, event);
                self.wire.see(entry.at, *serial, event, &self.roster);
            }
            Event::Session(client_id, event) => self.see_session(*client_id, event),
            Event::Fault { fault, kind, event } => self.see_fault(entry.at, *fault, kind, event),
        }
    }

    fn see_fault(&mut self, at: Nanos, fault: u16, kind: &'static str, event: &FaultEvent) {
        match *event {
            FaultEvent::Began { target } => {
                let open = self.open_faults.entry((fault, target)).or_default();
                open.push_back(self.faults.len());
                self.faults.push(Fault {
                    kind,
                    began: at,
                    ended: NEVER,
                });
                if kind == "server-crash" {
                    self.wire.stopped(at);
                }
            }
            FaultEvent::Ended { target, .. } => {
                // Turns that overlap may be called the same: what counts is when
                // the last is over.
                let open = self.open_faults.get_mut(&(fault, target));
                if let Some(turn) = open.and_then(VecDeque::pop_front) {
                    self.faults[turn].ended = at;
                }
            }
        }
    }

    /// When the weather was clear for good; [`NEVER`] if it did not clear.
    pub(crate) fn cleared(&self) -> Nanos {
        let faults = self.faults.iter();
        // A clock that is wrong delays nothing that is owed.
        let faults = faults.filter(|fault| fault.kind != "clock-drift");
        faults.map(|fault| fault.ended).max().unwrap_or(0)
    }

    fn see_client(&mut self, at: Nanos, device: DeviceId, event: &ClientEvent) {
        match *event {
            ClientEvent::Connecting { .. } => self.connecting(at, device),
            ClientEvent::Connected { session_present } => {
                self.devices[device.0 as usize].forgot_exchange &= session_present;
                self.connected(at, device, session_present);
            }
            ClientEvent::ConnectFailed { .. }
            | ClientEvent::DisconnectedClean
            | ClientEvent::DisconnectedVanished
            | ClientEvent::DisconnectedReset
            | ClientEvent::DisconnectedLost { .. } => self.connection_ended(at, device),
            ClientEvent::Subscribing { filter, .. } => self.subscribing(at, device, filter),
            ClientEvent::Unsubscribing { filter } => self.unsubscribing(at, device, filter),
            ClientEvent::Unsubscribed { filter } => self.unsubscribed(at, device, filter),
            ClientEvent::Forgot => self.forgot.push((self.roster.client_of(device), at)),
            ClientEvent::Subscribed { filter, granted } => {
                self.subscribed(at, device, filter, granted);
            }
            ClientEvent::Published { id, message } => self.published(at, id, message),
            ClientEvent::Sent { id, .. } => self.sent(device, id),
            ClientEvent::Acknowledged { id } => self.settled(at, id, Fate::Acknowledged),
            ClientEvent::Dropped { id, reason } => self.settled(at, id, Fate::Dropped(reason)),
            ClientEvent::Delivered {
                id,
                dup,
                message,
                message_expiry_s,
            } => {
                self.delivered(at, device, id, dup, message);
                self.delivered_expiring(device, message_expiry_s);
            }
            ClientEvent::Woke | ClientEvent::Slept { .. } => {}
        }
    }

    fn published(&mut self, at: Nanos, id: MessageId, message: Message) {
        let shared =
            self.roster.is_shared(id.device()) && !self.roster.role(id.device()).clean_session;
        let device = &mut self.devices[id.device().0 as usize];
        let unsure = shared || device.forgot_exchange;
        // A device numbers its readings without gaps.
        device.readings.push(self.readings.len() as u32);
        self.readings.push(Reading {
            id,
            published: at,
            first_sent: NEVER,
            settled: NEVER,
            first_seen: NEVER,
            message,
            fate: Fate::Open,
            sends: 0,
            mistakable: unsure && message.qos == Qos::ExactlyOnce,
        });
    }

    fn sent(&mut self, device: DeviceId, id: MessageId) {
        let connection = self.connections.get(self.connection_of(device) as usize);
        let accepted = connection.map_or(0, |connection| connection.accepted);
        if let Some(reading) = self.reading_mut(id) {
            let earliest = reading.published.max(accepted);
            reading.first_sent = reading.first_sent.min(earliest);
            reading.sends = reading.sends.saturating_add(1);
        }
    }

    /// The index of the reading with this id, if it was published.
    pub(crate) fn reading(&self, id: MessageId) -> Option<u32> {
        let device = self.devices.get(id.device().0 as usize)?;
        let place = (id.sequence() as usize).checked_sub(1)?;
        device.readings.get(place).copied()
    }

    fn reading_mut(&mut self, id: MessageId) -> Option<&mut Reading> {
        let index = self.reading(id)?;
        self.readings.get_mut(index as usize)
    }

    fn settled(&mut self, at: Nanos, id: MessageId, fate: Fate) {
        if let Some(reading) = self.reading_mut(id)
            && reading.fate == Fate::Open
        {
            reading.fate = fate;
            reading.settled = at;
            let open = reading.message.qos == Qos::ExactlyOnce && reading.first_sent != NEVER;
            if open && fate == Fate::Dropped(DropReason::Forgotten) {
                self.devices[id.device().0 as usize].forgot_exchange = true;
            }
        }
    }

    fn delivered(
        &mut self,
        at: Nanos,
        device: DeviceId,
        id: Option<MessageId>,
        dup: bool,
        message: Message,
    ) {
        let content = match id.and_then(|id| self.reading(id)) {
            Some(index) if same(&self.readings[index as usize].message, &message) => {
                let reading = &mut self.readings[index as usize];
                reading.first_seen = reading.first_seen.min(at);
                // It was sent, though its device did not live to tell.
                if reading.first_sent == NEVER {
                    reading.first_sent = reading.published;
                }
                Content::Reading(index)
            }
            _ => {
                let claims = id;
                self.strangers.push(Stranger { claims, message });
                Content::Stranger(self.strangers.len() as u32 - 1)
            }
        };
        self.deliveries.push(Delivery {
            at,
            connection: self.connection_of(device),
            content,
            qos: message.qos,
            retain: message.retain,
            dup,
        });
    }

    /// The latest connection of a device; [`NONE`] before its first.
    fn connection_of(&self, device: DeviceId) -> u32 {
        let number = self.devices[device.0 as usize].connection;
        number.checked_sub(1).unwrap_or(NONE)
    }

    fn see_session(&mut self, client_id: TextId, event: &SessionEvent) {
        let SessionEvent::MessageDropped { id, cause } = *event else {
            return;
        };
        let reading = id.and_then(|id| self.reading(id));
        let client = self.roster.client(client_id);
        match (cause, reading, client) {
            (DropCause::QueueFull, Some(reading), Some(client)) => {
                self.queue_full.push(BrokerDrop { reading, client });
            }
            (DropCause::QueueFull, None, Some(client)) => self.others_dropped.push(client),
            (DropCause::RetainedFull, Some(reading), _) => self.not_retained.push(reading),
            _ => {}
        }
    }

    /// The device that a delivery went to.
    pub(crate) fn receiver(&self, delivery: &Delivery) -> DeviceId {
        self.connections[delivery.connection as usize].device
    }

    /// The session that a delivery belongs to.
    pub(crate) fn session_of(&self, delivery: &Delivery) -> u32 {
        self.connections[delivery.connection as usize].session
    }

    /// What a delivery brought, as it was published or, of a stranger, as it came.
    pub(crate) fn message(&self, delivery: &Delivery) -> &Message {
        match delivery.content {
            Content::Reading(index) => &self.readings[index as usize].message,
            Content::Stranger(index) => &self.strangers[index as usize].message,
        }
    }
}

/// Whether two messages have the same topic and the same bytes.
fn same(one: &Message, other: &Message) -> bool {
    one.topic == other.topic
        && one.payload_bytes == other.payload_bytes
        && one.payload_hash == other.payload_hash
}
