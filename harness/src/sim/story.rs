//! Tells what happened in a run, for its page.
//!
//! What is worth telling is known when a run is over: which messages a violated
//! guarantee names, which were lost. To keep everything until then would take
//! more memory than the run itself. But a run can be had again, exactly: so it
//! runs twice, and the second time a [`Teller`] writes down what the first one
//! showed to be of interest ([`Picks`]), and counts the rest.

mod life;
mod log;
mod picks;

pub(super) use picks::Picks;

use super::fleets::Cast;
use crate::metrics::Metrics;
use crate::net::{Befallen, Nanos, Tap, Watch};
use crate::scenario::Server;
use crate::trace::exchange::{Exchanges, Way};
use crate::trace::{ClientEvent, Entry, Event, Packet, ServerEvent, SessionEvent, TextId, Texts};
use life::{Befell, Life, Party};
use log::DeviceLog;
use rustc_hash::FxHashMap;
use squall_devices::{DeviceId, MessageId};
use squall_reports::story::{self, Story, Stretch};
use std::collections::BTreeMap;

/// Stretches that a run is counted in.
const STRETCHES: u64 = 600;
/// Subscribers whose packets are watched.
const SUBSCRIBERS_MAX: usize = 64;

/// Writes down what happens, as it goes by.
pub(super) struct Teller {
    picks: Picks,
    /// When the run ends.
    until: Nanos,
    stretch: Nanos,
    stretches: Vec<Stretch>,
    /// The stretch that the trace has come to.
    current: usize,
    connected: u64,
    /// The stretch that packets are counted for, and how many were sent and
    /// lost before it.
    counted: usize,
    packets: (u64, u64),
    /// By device.
    logs: Vec<DeviceLog>,
    lives: BTreeMap<MessageId, Life>,
    /// The devices of each client identifier; looked up only.
    devices_of: FxHashMap<TextId, Vec<DeviceId>>,
    /// The client of each connection of a server; looked up only.
    clients: FxHashMap<(u16, u64), TextId>,
    exchanges: Exchanges<TextId, MessageId>,
}

impl Teller {
    /// A teller of a run that ends at `until`.
    pub(super) fn new(picks: Picks, until: Nanos, cast: &Cast, texts: &mut Texts) -> Teller {
        let stretch = until.div_ceil(STRETCHES).max(1);
        let count = until.div_ceil(stretch).max(1) as usize;
        let mut devices_of: FxHashMap<TextId, Vec<DeviceId>> = FxHashMap::default();
        let mut logs = Vec::new();
        for (fleet, server) in cast.fleets.iter().zip(&cast.servers) {
            for index in 0..fleet.count {
                let client = texts.id(&fleet.client_id(index));
                let device = DeviceId(fleet.first_device.0 + index);
                devices_of.entry(client).or_default().push(device);
            }
            logs.extend((0..fleet.count).map(|_| DeviceLog::new(*server)));
        }
        Teller {
            picks,
            until,
            stretch,
            stretches: vec![Stretch::default(); count],
            current: 0,
            connected: 0,
            counted: 0,
            packets: (0, 0),
            logs,
            lives: BTreeMap::new(),
            devices_of,
            clients: FxHashMap::default(),
            exchanges: Exchanges::default(),
        }
    }

    /// What there is to watch in the network: the packets of whoever publishes
    /// what is told, and of subscribers.
    pub(super) fn watch(&self, cast: &Cast) -> Watch {
        let publishers = self.picks.messages.iter().map(|id| id.device().0);
        let subscribing = cast
            .fleets
            .iter()
            .filter(|fleet| !fleet.subscribe.is_empty());
        let subscribers = subscribing.flat_map(|fleet| {
            let first = fleet.first_device.0;
            first..first + fleet.count
        });
        let subscribers = subscribers.take(SUBSCRIBERS_MAX);
        Watch::new(publishers.chain(subscribers).collect())
    }

    /// Takes the next entry of the trace.
    pub(super) fn see(&mut self, entry: &Entry, texts: &Texts) {
        self.advance(entry.at);
        // No other server tells anything.
        let server = Party::Server(entry.host, Server::Broker);
        match &entry.event {
            Event::Client(device, event) => self.see_client(entry.at, *device, event),
            Event::Server(connection, event) => {
                let place = (entry.host, *connection);
                match event {
                    ServerEvent::Opened | ServerEvent::Closed { .. } => {
                        self.clients.remove(&place);
                    }
                    ServerEvent::Received(packet) => {
                        if let Some(client) = packet.client {
                            self.clients.insert(place, client);
                        }
                        self.see_packet(entry.at, server, place, Way::In, packet);
                    }
                    ServerEvent::Sent(packet) => {
                        self.see_packet(entry.at, server, place, Way::Out, packet);
                    }
                }
            }
            Event::Session(client, SessionEvent::MessageDropped { id, cause }) => {
                if let Some(life) = id.and_then(|id| self.lives.get_mut(&id)) {
                    let client = texts.text(*client);
                    let why = crate::trace::jsonl::dropped(*cause);
                    life.note(entry.at, server, format!("dropped for {client}: {why}"));
                }
            }
            Event::Session(..) | Event::Fault { .. } => {}
        }
    }

    fn see_client(&mut self, at: Nanos, device: DeviceId, event: &ClientEvent) {
        let picked = self.picks.devices.contains(&device);
        let log = &mut self.logs[device.0 as usize];
        let server = log.server;
        let now = &mut self.stretches[self.current];
        let was_connected = log.is_connected();
        now.broken += u64::from(log.see(at, event));
        match (was_connected, log.is_connected()) {
            (false, true) => self.connected += 1,
            (true, false) => self.connected -= 1,
            _ => {}
        }
        match *event {
            ClientEvent::Published { id, message } => {
                now.published += 1;
                if picked {
                    log.published.push(at);
                }
                if self.picks.messages.contains(&id) {
                    self.lives.insert(id, Life::new(id, at, message));
                }
            }
            ClientEvent::Delivered {
                id, dup, message, ..
            } => {
                now.delivered += 1;
                if picked {
                    log.delivered.push(at);
                }
                if let Some(life) = id.and_then(|id| self.lives.get_mut(&id)) {
                    life.delivered(at, device, (dup, message.retain), server);
                }
            }
            ClientEvent::Sent { id, dup } => {
                if let Some(life) = self.lives.get_mut(&id) {
                    life.sent(at, device, dup, server);
                }
            }
            ClientEvent::Acknowledged { id } => {
                if let Some(life) = self.lives.get_mut(&id) {
                    life.acknowledged(at, device, server);
                }
            }
            ClientEvent::Dropped { id, reason } => {
                if let Some(life) = self.lives.get_mut(&id) {
                    life.given_up(at, crate::trace::jsonl::given_up(reason));
                }
            }
            _ => {}
        }
    }

    fn see_packet(
        &mut self,
        at: Nanos,
        server: Party,
        place: (u16, u64),
        way: Way,
        packet: &Packet,
    ) {
        let Some(client) = self.clients.get(&place) else {
            return;
        };
        let picked = |id: &MessageId| self.lives.contains_key(id);
        let named = packet.publish.and_then(|(id, ..)| id).filter(picked);
        let exchanges = &mut self.exchanges;
        let about = exchanges.about(client, way, packet.name, packet.packet_id, named);
        let device = self.device(*client);
        if let (Some(device), Some(id)) = (device, about)
            && let Some(life) = self.lives.get_mut(&id)
        {
            match way {
                Way::In => life.came(at, server, device, packet),
                Way::Out => life.went(at, server, device, packet),
            }
        }
    }

    /// The device behind a client identifier: of several, the one that connected
    /// last.
    fn device(&self, client: TextId) -> Option<DeviceId> {
        let devices = self.devices_of.get(&client)?.iter().copied();
        devices.max_by_key(|device| self.logs[device.0 as usize].last_attempt())
    }

    /// Everything before `at` has been seen.
    fn advance(&mut self, at: Nanos) {
        let current = ((at / self.stretch) as usize).min(self.stretches.len() - 1);
        while self.current < current {
            self.stretches[self.current].connected = self.connected;
            self.current += 1;
        }
    }

    /// Counts the packets up to `now`: those of a tick that spans the end of a
    /// stretch where it began.
    pub(super) fn count_packets(&mut self, now: Nanos, sites: usize, tap: &Tap) {
        let current = (now / self.stretch) as usize;
        if current == self.counted && now < self.until {
            return;
        }
        let (mut sent, mut lost) = (0, 0);
        for site in 0..sites {
            let (up, down) = tap.site_counts(site);
            sent += up.sent + down.sent;
            lost += up.lost_total() + down.lost_total();
        }
        if let Some(stretch) = self.stretches.get_mut(self.counted) {
            stretch.packets += sent - self.packets.0;
            stretch.packets_lost += lost - self.packets.1;
        }
        self.packets = (sent, lost);
        self.counted = current;
    }

    /// The story, once the run is over.
    pub(super) fn finish(
        mut self,
        metrics: &Metrics,
        cast: &Cast,
        texts: &Texts,
        watch: Option<Watch>,
    ) -> Story {
        self.advance(Nanos::MAX);
        if let Some(last) = self.stretches.last_mut() {
            last.connected = self.connected;
        }
        let mut missing: BTreeMap<MessageId, u64> = BTreeMap::new();
        let (mut messages_total, mut messages_lost) = (0, 0);
        for reading in metrics.readings() {
            messages_total += 1;
            if reading.missing > 0 {
                messages_lost += 1;
                let stretch = ((reading.at / self.stretch) as usize).min(self.stretches.len() - 1);
                self.stretches[stretch].lost += u64::from(reading.missing);
                if self.lives.contains_key(&reading.id) {
                    missing.insert(reading.id, u64::from(reading.missing));
                }
            }
        }
        let names = Names { cast, texts };
        let mut packets: BTreeMap<DeviceId, Vec<Befallen>> = BTreeMap::new();
        for befallen in watch.map_or(Vec::new(), Watch::befallen) {
            let of_device = packets.entry(DeviceId(befallen.device)).or_default();
            of_device.push(befallen);
        }
        let (logs, until) = (&self.logs, self.until);
        let befell = Befell {
            logs,
            packets: &packets,
        };
        let lives = std::mem::take(&mut self.lives).into_iter();
        let mut messages: Vec<story::Message> = lives
            .map(|(id, life)| {
                let missing = missing.get(&id).copied().unwrap_or(0);
                let violates = self.picks.violated.get(&id).cloned().unwrap_or_default();
                life.tell(&names, &befell, until, missing, violates)
            })
            .collect();
        messages.sort_by_key(|message| message.published_ns);
        let devices = self.picks.devices.iter();
        let devices = devices.map(|device| logs[device.0 as usize].tell(*device, &names, until));
        Story {
            stretch_ns: self.stretch,
            devices: devices.collect(),
            devices_total: logs.len() as u64,
            messages,
            messages_total,
            messages_lost,
            stretches: self.stretches,
        }
    }
}

/// What everything is called.
struct Names<'a> {
    cast: &'a Cast,
    texts: &'a Texts,
}

impl Names<'_> {
    fn device(&self, device: DeviceId) -> String {
        self.cast.device_name(device)
    }

    fn fleet(&self, device: DeviceId) -> String {
        self.cast.fleet_of(device).name.clone()
    }

    fn party(&self, party: Party) -> String {
        match party {
            Party::Device(device) => self.device(device),
            Party::Server(host, Server::Broker) => self.cast.host_names[usize::from(host)].clone(),
            Party::Server(_, Server::Hub) => "hub".to_owned(),
            Party::Server(_, Server::Rest) => "HTTP server".to_owned(),
        }
    }
}
