//! One message on its way, step by step.
//!
//! Each party tells its side: a device when it sends and when it gets the
//! message or its acknowledgement, a server every packet. A step joins both
//! sides of a packet, so far as both tell; what left and should have been told
//! of at the other end, and was not, never arrived. The hub and the server for
//! HTTP tell nothing: of what passes between them and a device, one side is known.

use super::Names;
use super::log::{CONNECTED, DeviceLog};
use crate::net::{Befallen, Mishap, Nanos, Way};
use crate::scenario::Server;
use crate::trace::{Message, Packet};
use squall_devices::{DeviceId, MessageId};
use squall_reports::story::{self, Step};
use std::collections::{BTreeMap, BTreeSet};

/// Receivers whose steps are told: the first, and before them those that the
/// message did not reach.
const RECEIVERS_MAX: usize = 6;
/// Receivers of whom anything is kept.
const RECEIVERS_SEEN_MAX: usize = 64;
/// What befell devices and their packets meanwhile: so many things of each.
const NOTES_MAX: usize = 8;

/// Who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Party {
    Device(DeviceId),
    /// By the number of its host, and which of the servers there.
    Server(u16, Server),
}

impl Party {
    /// The server that a device speaks with: there is one host of servers so far.
    fn of(server: Server) -> Party {
        Party::Server(0, server)
    }
}

/// What carries a message to a server, in the words of its protocol.
fn carries(server: Server) -> &'static str {
    match server {
        Server::Broker => "PUBLISH",
        Server::Hub => "data frame",
        Server::Rest => "POST",
    }
}

/// What carries a message from a server.
fn hands_on(server: Server) -> &'static str {
    match server {
        Server::Broker => "PUBLISH",
        Server::Hub => "data frame",
        Server::Rest => "response to GET",
    }
}

/// What acknowledges a message where the server itself does not tell.
fn acknowledges(server: Server) -> Option<&'static str> {
    match server {
        Server::Broker => None,
        Server::Hub => Some("acknowledgement"),
        Server::Rest => Some("response to POST"),
    }
}

/// A packet that carries or acknowledges the message, or a note.
#[derive(Debug, Clone)]
struct Hop {
    from: Party,
    to: Option<Party>,
    left: Option<Nanos>,
    arrived: Option<Nanos>,
    /// Whether its receiver tells of it.
    told: bool,
    packet: &'static str,
    packet_id: Option<u16>,
    dup: bool,
    retain: bool,
    note: String,
}

impl Hop {
    fn first(&self) -> Nanos {
        let times = [self.left, self.arrived];
        times.into_iter().flatten().min().unwrap_or(0)
    }

    /// The device at either end.
    fn device(&self) -> Option<DeviceId> {
        let ends = [Some(self.from), self.to];
        ends.into_iter().find_map(|end| match end {
            Some(Party::Device(device)) => Some(device),
            _ => None,
        })
    }

    fn words(&self) -> String {
        if !self.note.is_empty() {
            return self.note.clone();
        }
        let id = self.packet_id.map_or(String::new(), |id| format!(" {id}"));
        let dup = match (self.dup, self.packet) {
            (false, _) => "",
            (true, "PUBLISH") => ", DUP",
            (true, _) => ", sent again",
        };
        let retain = if self.retain { ", RETAIN" } else { "" };
        format!("{}{id}{dup}{retain}", self.packet)
    }
}

/// One message on its way.
pub(super) struct Life {
    id: MessageId,
    published: Nanos,
    message: Message,
    acknowledged: Option<Nanos>,
    given_up: Option<&'static str>,
    /// Devices that the message went to, in the order of its going.
    receivers: Vec<DeviceId>,
    left_out: BTreeSet<DeviceId>,
    reached: BTreeSet<DeviceId>,
    repeated: u64,
    arrived: Option<Nanos>,
    hops: Vec<Hop>,
}

impl Life {
    pub(super) fn new(id: MessageId, published: Nanos, message: Message) -> Life {
        Life {
            id,
            published,
            message,
            acknowledged: None,
            given_up: None,
            receivers: Vec::new(),
            left_out: BTreeSet::new(),
            reached: BTreeSet::new(),
            repeated: 0,
            arrived: None,
            hops: Vec::new(),
        }
    }

    /// Something befell it.
    pub(super) fn note(&mut self, at: Nanos, whom: Party, note: String) {
        self.hops.push(note_of(at, whom, note));
    }

    /// Its device has sent it.
    pub(super) fn sent(&mut self, at: Nanos, device: DeviceId, dup: bool, server: Server) {
        self.hops.push(Hop {
            from: Party::Device(device),
            to: Some(Party::of(server)),
            left: Some(at),
            arrived: None,
            told: server == Server::Broker,
            packet: carries(server),
            packet_id: None,
            dup,
            retain: self.message.retain,
            note: String::new(),
        });
    }

    /// Its device has it acknowledged.
    pub(super) fn acknowledged(&mut self, at: Nanos, device: DeviceId, server: Server) {
        self.acknowledged.get_or_insert(at);
        if let Some(packet) = acknowledges(server) {
            self.hops
                .push(arrives(at, Party::of(server), device, packet));
            return;
        }
        let ends = |hop: &&mut Hop| {
            matches!(hop.packet, "PUBACK" | "PUBCOMP")
                && matches!(hop.from, Party::Server(..))
                && hop.arrived.is_none()
                && hop.told
        };
        if let Some(hop) = self.hops.iter_mut().rev().find(ends) {
            hop.arrived = Some(at);
        }
    }

    pub(super) fn given_up(&mut self, at: Nanos, why: &'static str) {
        self.given_up.get_or_insert(why);
        let publisher = Party::Device(self.id.device());
        self.note(at, publisher, format!("gave it up: {why}"));
    }

    /// A server has got a packet about it.
    pub(super) fn came(&mut self, at: Nanos, server: Party, device: DeviceId, packet: &Packet) {
        let from = Party::Device(device);
        let (dup, retain) = flags(packet);
        if packet.name == "PUBLISH" {
            let left = |hop: &&mut Hop| {
                hop.from == from
                    && hop.packet == "PUBLISH"
                    && hop.dup == dup
                    && hop.arrived.is_none()
            };
            if let Some(hop) = self.hops.iter_mut().rev().find(left) {
                hop.arrived = Some(at);
                hop.packet_id = packet.packet_id;
                return;
            }
        } else if !self.takes(device) {
            return;
        }
        self.hops.push(Hop {
            from,
            to: Some(server),
            left: None,
            arrived: Some(at),
            told: true,
            packet: packet.name,
            packet_id: packet.packet_id,
            dup,
            retain,
            note: String::new(),
        });
    }

    /// A server has sent a packet about it.
    pub(super) fn went(&mut self, at: Nanos, server: Party, device: DeviceId, packet: &Packet) {
        if !self.takes(device) {
            return;
        }
        let (dup, retain) = flags(packet);
        let told = match packet.name {
            "PUBLISH" => true,
            // A client says once that a message is acknowledged.
            "PUBACK" | "PUBCOMP" => self.acknowledged.is_none(),
            _ => false,
        };
        self.hops.push(Hop {
            from: server,
            to: Some(Party::Device(device)),
            left: Some(at),
            arrived: None,
            told,
            packet: packet.name,
            packet_id: packet.packet_id,
            dup,
            retain,
            note: String::new(),
        });
    }

    /// A device has it.
    pub(super) fn delivered(
        &mut self,
        at: Nanos,
        device: DeviceId,
        (dup, retain): (bool, bool),
        server: Server,
    ) {
        self.arrived.get_or_insert(at);
        self.repeated += u64::from(!self.reached.insert(device));
        if !self.takes(device) {
            return;
        }
        let to = Some(Party::Device(device));
        let mut open = self.hops.iter_mut().rev().filter(|hop| {
            hop.to == to && hop.packet == "PUBLISH" && hop.arrived.is_none() && hop.dup == dup
        });
        if let Some(hop) = open.next() {
            hop.arrived = Some(at);
            return;
        }
        self.hops.push(Hop {
            dup,
            retain,
            ..arrives(at, Party::of(server), device, hands_on(server))
        });
    }

    /// Whether the steps of a device are kept.
    fn takes(&mut self, device: DeviceId) -> bool {
        if device == self.id.device() || self.receivers.contains(&device) {
            return true;
        }
        let room = self.receivers.len() < RECEIVERS_SEEN_MAX;
        if room {
            self.receivers.push(device);
        } else {
            self.left_out.insert(device);
        }
        room
    }

    /// All of it, as the story has it, of a run that ended at `until`.
    pub(super) fn tell(
        mut self,
        names: &Names<'_>,
        befell: &Befell<'_>,
        until: Nanos,
        missing: u64,
        violates: Vec<String>,
    ) -> story::Message {
        let publisher = self.id.device();
        let mut receivers = std::mem::take(&mut self.receivers);
        let left_out = self.left_out.len() + receivers.len().saturating_sub(RECEIVERS_MAX);
        receivers.sort_by_key(|device| self.reached.contains(device));
        receivers.truncate(RECEIVERS_MAX);
        let kept = |device| device == publisher || receivers.contains(&device);
        self.hops.retain(|hop| hop.device().is_none_or(kept));

        let last = self.hops.iter().filter_map(|hop| hop.arrived.max(hop.left));
        let last = last.max().unwrap_or(self.published);
        let until = if missing > 0 { until } else { last };
        let mut notes = Vec::new();
        let in_doubt_until = self.acknowledged.unwrap_or(until);
        let publishing = std::iter::once((publisher, self.published, in_doubt_until));
        let receiving = receivers.iter().filter(|device| **device != publisher);
        let receiving = receiving.map(|device| (*device, self.published, until));
        for (device, from, to) in publishing.chain(receiving) {
            let log = &befell.logs[device.0 as usize];
            let connections = log.between(from, to, names.texts).take(NOTES_MAX);
            notes.extend(connections.map(|(at, note)| note_of(at, Party::Device(device), note)));
            let packets = befell.packets(device, from, to).take(NOTES_MAX);
            notes.extend(packets.map(|packet| mishap(packet, Party::of(log.server))));
        }
        self.hops.extend(notes);
        // Stable: what happened at one time stays as it was told, but that whoever
        // sends at once has connected before.
        let connects = |hop: &Hop| hop.note.starts_with(CONNECTED);
        self.hops.sort_by_key(|hop| (hop.first(), !connects(hop)));
        let steps = self.hops.iter().map(|hop| Step {
            from: names.party(hop.from),
            to: hop.to.map(|to| names.party(to)),
            left_ns: hop.left,
            arrived_ns: hop.arrived,
            told: hop.told,
            what: hop.words(),
        });
        story::Message {
            id: self.id.to_string(),
            publisher: names.device(publisher),
            fleet: names.fleet(publisher),
            topic: names.texts.text(self.message.topic).to_owned(),
            protocol: befell.logs[publisher.0 as usize]
                .server
                .protocol()
                .map(str::to_owned),
            qos: self.message.qos as u8,
            retain: self.message.retain,
            payload_bytes: self.message.payload_bytes.into(),
            published_ns: self.published,
            acknowledged_ns: self.acknowledged,
            given_up: self.given_up.map(str::to_owned),
            delivered: self.reached.len() as u64,
            repeated: self.repeated,
            arrived_ns: self.arrived,
            missing,
            violates,
            steps: steps.collect(),
            receivers_left_out: left_out as u64,
        }
    }
}

/// A packet of a server's that a device told of, and the server did not.
fn arrives(at: Nanos, server: Party, device: DeviceId, packet: &'static str) -> Hop {
    Hop {
        from: server,
        to: Some(Party::Device(device)),
        left: None,
        arrived: Some(at),
        told: true,
        packet,
        packet_id: None,
        dup: false,
        retain: false,
        note: String::new(),
    }
}

/// What befell the devices of a run and their packets.
pub(super) struct Befell<'a> {
    pub(super) logs: &'a [DeviceLog],
    /// By device, in the order of their times.
    pub(super) packets: &'a BTreeMap<DeviceId, Vec<Befallen>>,
}

impl Befell<'_> {
    fn packets(&self, device: DeviceId, from: Nanos, to: Nanos) -> impl Iterator<Item = &Befallen> {
        let packets = self.packets.get(&device).map_or(&[][..], Vec::as_slice);
        let first = packets.partition_point(|packet| packet.at < from);
        let packets = packets[first..].iter();
        packets.take_while(move |packet| packet.at <= to)
    }
}

/// A packet of the network that was lost, or repeats another.
fn mishap(packet: &Befallen, server: Party) -> Hop {
    let device = Party::Device(DeviceId(packet.device));
    let (from, to) = match packet.way {
        Way::Up => (device, server),
        Way::Down => (server, device),
    };
    let (told, what) = match packet.mishap {
        Mishap::Lost(cause) => (true, format!("a TCP packet, lost: {}", cause.name())),
        Mishap::Repeats => (false, "a TCP packet, sent again".to_owned()),
    };
    Hop {
        from,
        to: Some(to),
        left: Some(packet.at),
        arrived: None,
        told,
        packet: "",
        packet_id: None,
        dup: false,
        retain: false,
        note: what,
    }
}

fn note_of(at: Nanos, whom: Party, note: String) -> Hop {
    Hop {
        from: whom,
        to: None,
        left: Some(at),
        arrived: None,
        told: false,
        packet: "",
        packet_id: None,
        dup: false,
        retain: false,
        note,
    }
}

/// DUP and RETAIN of a PUBLISH.
fn flags(packet: &Packet) -> (bool, bool) {
    let publish = packet.publish;
    publish.map_or((false, false), |(_, dup, message)| (dup, message.retain))
}
