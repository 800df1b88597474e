//! The figures of a run, counted from its trace as it goes by.
//!
//! A delivery is *owed* for every reading and every subscription that was in
//! force, as its subscriber saw it, when the reading was published: from the
//! SUBACK on, until it unsubscribes, and until the connection ends (clean
//! session) or the server says that it has no session (otherwise). Of a shared
//! subscription it is owed once to all of its members. It is no longer owed once
//! the server says that it has expired. Arrivals that nobody was owed, such as a
//! retained value at subscribing, count as received and nowhere else; but they
//! are what a subscriber may see last of a topic.
//!
//! Memory is linear in what was published and owed.

mod distribution;
mod filter;
mod first_reading;
mod group;
mod last_value;
#[cfg(test)]
mod tests;

use crate::net::Nanos;
use crate::scenario::Server;
use crate::trace::{
    ClientEvent, ClosedBy, Entry, Event, Message, ServerEvent, SessionEvent, TextId, Texts,
};
use distribution::Distribution;
use filter::filter_matches;
use first_reading::{FirstReadings, Stage};
use group::Groups;
use last_value::LastValues;
use rustc_hash::FxHashMap;
use squall_broker::DropCause;
use squall_devices::{DeviceId, MessageId, Qos};
use squall_reports::{
    Arrived, Connections, Counts, FirstReading, Flow, LatencyBucket, LatencyOverTime, LatencyPoint,
    Receiver,
};

/// Stretches of the run that latency is shown for.
const BUCKETS: u64 = 60;

/// What the metrics need to know of a fleet.
#[derive(Debug, Clone)]
pub(crate) struct FleetInfo {
    pub(crate) name: String,
    pub(crate) first_device: u32,
    /// With whom it speaks: what is published there, only clients of the same
    /// server are owed.
    pub(crate) server: Server,
    pub(crate) clean_session: bool,
    /// The client identifier and the filters of each device, in the order of
    /// devices; empty for a fleet without subscriptions.
    pub(crate) subscribers: Vec<(String, Vec<Wanted>)>,
}

/// What a device subscribes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The topic filter, share name included.
    pub(crate) filter: String,
    /// Its own messages are not sent to it.
    pub(crate) no_local: bool,
}

/// Counts.
pub(crate) struct Metrics {
    fleets: Vec<FleetInfo>,
    subscribers: Vec<Subscriber>,
    by_device: FxHashMap<u32, usize>,
    by_client: FxHashMap<String, usize>,
    groups: Groups,
    /// Which subscribers of a server have a filter that matches a topic.
    interested: FxHashMap<(Server, TextId), Vec<usize>>,
    flows: Vec<FlowCount>,
    /// By device, then sequence number, which a device counts from 1.
    readings: Vec<Vec<Reading>>,
    /// Owed deliveries by reading and subscriber, or group: whether each has
    /// arrived.
    owed: FxHashMap<(u64, u32), bool>,
    received: Vec<Receiver>,
    latency: Distribution,
    first_readings: FirstReadings,
    over_time: Vec<Distribution>,
    bucket: Nanos,
    connections: Connections,
    connect_failures: u64,
    acknowledged_owed: u64,
    acknowledged_delivered: u64,
    last_values: LastValues,
}

/// A client that subscribes: a device, or several of one client identifier,
/// which share a session.
struct Subscriber {
    /// The first of its devices.
    device: u32,
    server: Server,
    filters: Vec<Wanted>,
    /// Which filters the server has granted and, as far as the device knows,
    /// still holds.
    granted: Vec<bool>,
    /// Which filters its device has unsubscribed from.
    left: Vec<bool>,
}

struct FlowCount {
    fleet: usize,
    qos: Qos,
    counts: Counts,
    latency: Distribution,
}

/// A published reading, as the metrics leave it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Published {
    pub(crate) id: MessageId,
    pub(crate) at: Nanos,
    /// Owed deliveries that never arrived.
    pub(crate) missing: u32,
}

/// A published reading.
struct Reading {
    at: Nanos,
    owed: u32,
    delivered: u32,
    flow: u16,
    acknowledged: bool,
    topic: TextId,
}

/// Adds the filters that a subscriber has not.
fn add_filters(subscriber: &mut Subscriber, filters: &[Wanted]) {
    for filter in filters {
        if !subscriber.filters.contains(filter) {
            subscriber.filters.push(filter.clone());
            subscriber.granted.push(false);
            subscriber.left.push(false);
        }
    }
}

/// The reading with this id, if it was published.
fn reading_mut(readings: &mut [Vec<Reading>], id: MessageId) -> Option<&mut Reading> {
    let of_device = readings.get_mut(id.device().0 as usize)?;
    of_device.get_mut((id.sequence() as usize).checked_sub(1)?)
}

impl Metrics {
    /// Metrics for a run of `duration` nanoseconds.
    pub(crate) fn new(fleets: Vec<FleetInfo>, duration: Nanos) -> Metrics {
        let mut subscribers = Vec::new();
        let mut by_device = FxHashMap::default();
        let mut by_client: FxHashMap<String, usize> = FxHashMap::default();
        for info in &fleets {
            for (index, (client, filters)) in info.subscribers.iter().enumerate() {
                let device = info.first_device + index as u32;
                let place = *by_client.entry(client.clone()).or_insert(subscribers.len());
                by_device.insert(device, place);
                if place < subscribers.len() {
                    add_filters(&mut subscribers[place], filters);
                    continue;
                }
                subscribers.push(Subscriber {
                    device,
                    server: info.server,
                    filters: filters.clone(),
                    granted: vec![false; filters.len()],
                    left: vec![false; filters.len()],
                });
            }
        }
        let groups = Groups::new(subscribers.iter().map(|subscriber| &subscriber.filters[..]));
        let received = fleets
            .iter()
            .map(|info| Receiver {
                fleet: info.name.clone(),
                received: 0,
                retained: 0,
                duplicated: 0,
            })
            .collect();
        let bucket = duration.div_ceil(BUCKETS).max(1);
        Metrics {
            fleets,
            subscribers,
            by_device,
            by_client,
            groups,
            interested: FxHashMap::default(),
            flows: Vec::new(),
            readings: Vec::new(),
            owed: FxHashMap::default(),
            received,
            latency: Distribution::new(),
            first_readings: FirstReadings::new(),
            over_time: Vec::new(),
            bucket,
            connections: Connections::default(),
            connect_failures: 0,
            acknowledged_owed: 0,
            acknowledged_delivered: 0,
            last_values: LastValues::default(),
        }
    }

    /// Takes the next entry of the trace.
    pub(crate) fn see(&mut self, entry: &Entry, texts: &Texts) {
        match &entry.event {
            Event::Client(device, event) => self.see_client(entry.at, *device, event, texts),
            Event::Server(_, ServerEvent::Closed { kind, .. }) => match kind {
                ClosedBy::TakeOver => self.connections.taken_over += 1,
                ClosedBy::KeepAlive => self.connections.closed_by_keep_alive += 1,
                _ => {}
            },
            Event::Server(_, ServerEvent::Received(packet)) => {
                if let Some((id, dup, message)) = packet.publish {
                    self.reached_server(id, dup, message);
                }
            }
            Event::Session(
                client,
                SessionEvent::MessageDropped {
                    id: Some(id),
                    cause: DropCause::Expired,
                },
            ) => self.expired(texts.text(*client), *id),
            Event::Server(..) | Event::Session(..) | Event::Fault { .. } => {}
        }
    }

    fn see_client(&mut self, at: Nanos, device: DeviceId, event: &ClientEvent, texts: &Texts) {
        match *event {
            ClientEvent::Connecting { .. } => {
                self.connections.attempts += 1;
                self.first_readings.connecting(at, device);
            }
            ClientEvent::Connected { session_present } => {
                self.connections.established += 1;
                self.connections.sessions_resumed += u64::from(session_present);
                if !session_present {
                    self.forget_subscriptions(device);
                }
            }
            ClientEvent::ConnectFailed { reason } => self.connect_failed(texts.text(reason)),
            ClientEvent::DisconnectedLost { reason } => {
                *self
                    .connections
                    .failed
                    .entry(texts.text(reason).to_owned())
                    .or_default() += 1;
                self.disconnected(device);
            }
            ClientEvent::DisconnectedClean
            | ClientEvent::DisconnectedVanished
            | ClientEvent::DisconnectedReset => self.disconnected(device),
            // From here on the server may or may not still deliver.
            ClientEvent::Unsubscribing { filter } => {
                self.subscribed(device, texts.text(filter), false, true);
            }
            ClientEvent::Subscribed { filter, granted } => {
                self.subscribed(device, texts.text(filter), granted.is_some(), false);
            }
            ClientEvent::Published { id, message } => {
                self.published(at, device, id, &message, texts);
            }
            ClientEvent::Sent { id, .. } => {
                self.first_readings.reached(at, id.device(), Stage::Sent);
            }
            ClientEvent::Acknowledged { id } => {
                self.first_readings
                    .reached(at, id.device(), Stage::Acknowledged);
                self.acknowledged(id);
            }
            ClientEvent::Delivered { id, message, .. } => self.delivered(at, device, id, &message),
            ClientEvent::Woke
            | ClientEvent::Subscribing { .. }
            | ClientEvent::Unsubscribed { .. }
            | ClientEvent::Forgot
            | ClientEvent::Dropped { .. }
            | ClientEvent::Slept { .. } => {}
        }
    }

    fn connect_failed(&mut self, reason: &str) {
        self.connect_failures += 1;
        if reason.contains("refused") {
            self.connections.refused += 1;
        } else {
            *self
                .connections
                .failed
                .entry(reason.to_owned())
                .or_default() += 1;
        }
    }

    fn fleet_of(&self, device: DeviceId) -> usize {
        self.fleets
            .partition_point(|fleet| fleet.first_device <= device.0)
            .saturating_sub(1)
    }

    fn disconnected(&mut self, device: DeviceId) {
        if self.fleets[self.fleet_of(device)].clean_session {
            self.forget_subscriptions(device);
        }
    }

    fn forget_subscriptions(&mut self, device: DeviceId) {
        if let Some(index) = self.by_device.get(&device.0) {
            self.subscribers[*index].granted.fill(false);
        }
    }

    fn subscribed(&mut self, device: DeviceId, filter: &str, granted: bool, left: bool) {
        if let Some(index) = self.by_device.get(&device.0) {
            let subscriber = &mut self.subscribers[*index];
            for (place, known) in subscriber.filters.iter().enumerate() {
                if known.filter == filter {
                    subscriber.granted[place] = granted;
                    subscriber.left[place] = left;
                }
            }
        }
    }

    fn published(
        &mut self,
        at: Nanos,
        device: DeviceId,
        id: MessageId,
        message: &Message,
        texts: &Texts,
    ) {
        let flow = self.flow(device, message.qos);
        let subscribers = &self.subscribers;
        let server = self.fleets[self.fleet_of(device)].server;
        let of_topic = self.interested.entry((server, message.topic));
        let interested = of_topic.or_insert_with(|| {
            let topic = texts.text(message.topic);
            let matches = |subscriber: &Subscriber| {
                let mut filters = subscriber.filters.iter();
                subscriber.server == server
                    && filters.any(|wanted| filter_matches(&wanted.filter, topic))
            };
            (0..subscribers.len())
                .filter(|index| matches(&subscribers[*index]))
                .collect()
        });
        let mut owed = 0;
        for index in interested.iter() {
            let subscriber = &self.subscribers[*index];
            let topic = texts.text(message.topic);
            let mut filters = subscriber.filters.iter().zip(&subscriber.granted);
            let own = self.by_device.get(&device.0) == Some(index);
            if filters.any(|(wanted, granted)| {
                *granted && !(own && wanted.no_local) && filter_matches(&wanted.filter, topic)
            }) {
                self.owed.insert((id.0, subscriber.device), false);
                owed += 1;
            }
        }
        // Only the broker has groups.
        let groups = (server == Server::Broker).then(|| self.groups.wanting(message.topic, texts));
        for group in groups.into_iter().flatten() {
            let mut members = group.members.iter();
            if members.any(|(subscriber, filter)| self.subscribers[*subscriber].granted[*filter]) {
                self.owed.insert((id.0, group.key), false);
                owed += 1;
            }
        }
        let counts = &mut self.flows[flow].counts;
        counts.published += 1;
        counts.owed += u64::from(owed);
        let reading = Reading {
            at,
            flow: flow as u16,
            owed,
            delivered: 0,
            acknowledged: false,
            topic: message.topic,
        };
        let place = device.0 as usize;
        if self.readings.len() <= place {
            self.readings.resize_with(place + 1, Vec::new);
        }
        // A device numbers its readings without gaps.
        self.readings[place].push(reading);
    }

    /// The flow of a fleet at one QoS.
    fn flow(&mut self, device: DeviceId, qos: Qos) -> usize {
        let fleet = self.fleet_of(device);
        let found = self
            .flows
            .iter()
            .position(|flow| flow.fleet == fleet && flow.qos == qos);
        found.unwrap_or_else(|| {
            let latency = Distribution::new();
            self.flows.push(FlowCount {
                fleet,
                qos,
                counts: Counts::default(),
                latency,
            });
            self.flows.len() - 1
        })
    }

    fn acknowledged(&mut self, id: MessageId) {
        if let Some(reading) = reading_mut(&mut self.readings, id)
            && !reading.acknowledged
        {
            reading.acknowledged = true;
            self.flows[reading.flow as usize].counts.acknowledged += 1;
            self.acknowledged_owed += u64::from(reading.owed);
            self.acknowledged_delivered += u64::from(reading.delivered);
        }
    }

    fn delivered(&mut self, at: Nanos, device: DeviceId, id: Option<MessageId>, message: &Message) {
        let fleet = self.fleet_of(device);
        let receiver = &mut self.received[fleet];
        receiver.received += 1;
        receiver.retained += u64::from(message.retain);
        let Some(subscriber) = self.by_device.get(&device.0) else {
            return;
        };
        self.last_values.delivered(*subscriber, id, message);
        let Some(id) = id else {
            return;
        };
        let owed = self.owed_to(id, *subscriber);
        let receiver = &mut self.received[fleet];
        let Some(arrived) = owed.and_then(|owed| self.owed.get_mut(&owed)) else {
            return;
        };
        let Some(reading) = reading_mut(&mut self.readings, id) else {
            return;
        };
        let flow = &mut self.flows[reading.flow as usize];
        if std::mem::replace(arrived, true) {
            // A retained value at a new subscription is no second delivery.
            if !message.retain {
                flow.counts.duplicated += 1;
                receiver.duplicated += 1;
            }
            return;
        }
        reading.delivered += 1;
        flow.counts.delivered += 1;
        self.acknowledged_delivered += u64::from(reading.acknowledged);
        let latency = at.saturating_sub(reading.at);
        flow.latency.record(latency);
        self.latency.record(latency);
        self.first_readings
            .reached(at, id.device(), Stage::Delivered);
        let bucket = (reading.at / self.bucket) as usize;
        if self.over_time.len() <= bucket {
            self.over_time.resize_with(bucket + 1, Distribution::coarse);
        }
        self.over_time[bucket].record(latency);
    }

    /// The delivery of a reading that a subscriber is owed, by itself or in a
    /// group: one that has not arrived, if there is one.
    fn owed_to(&self, id: MessageId, subscriber: usize) -> Option<(u64, u32)> {
        let alone = self.subscribers[subscriber].device;
        let groups = self.groups.of(subscriber);
        let mut owed = None;
        for key in std::iter::once(alone).chain(groups) {
            match self.owed.get(&(id.0, key)) {
                Some(false) => return Some((id.0, key)),
                Some(true) => owed = owed.or(Some((id.0, key))),
                None => {}
            }
        }
        owed
    }

    /// The server has dropped a reading for a client, since it expired.
    fn expired(&mut self, client: &str, id: MessageId) {
        let Some(subscriber) = self.by_client.get(client) else {
            return;
        };
        let Some(owed) = self.owed_to(id, *subscriber) else {
            return;
        };
        if self.owed.get(&owed) == Some(&false)
            && let Some(reading) = reading_mut(&mut self.readings, id)
        {
            self.owed.remove(&owed);
            reading.owed -= 1;
            self.flows[reading.flow as usize].counts.owed -= 1;
            self.acknowledged_owed -= u64::from(reading.acknowledged);
        }
    }

    /// Every reading, by device and sequence number.
    pub(crate) fn readings(&self) -> impl Iterator<Item = Published> {
        let devices = self.readings.iter().zip(0..);
        devices.flat_map(|(readings, device)| {
            let readings = readings.iter().zip(1..);
            readings.map(move |(reading, sequence)| Published {
                id: MessageId::new(DeviceId(device), sequence),
                at: reading.at,
                missing: reading.owed.saturating_sub(reading.delivered),
            })
        })
    }

    /// Owed deliveries of acknowledged readings, and how many of them arrived.
    pub(crate) fn acknowledged_share(&self) -> (u64, u64) {
        (self.acknowledged_delivered, self.acknowledged_owed)
    }

    /// Readings published above QoS 0, which ask for an acknowledgement.
    pub(crate) fn published_for_acknowledgement(&self) -> u64 {
        let flows = self.flows.iter().filter(|flow| flow.qos != Qos::AtMostOnce);
        flows.map(|flow| flow.counts.published).sum()
    }

    /// What was published and what arrived.
    pub(crate) fn arrived(&mut self) -> Arrived {
        self.flows.sort_by_key(|flow| (flow.fleet, flow.qos));
        let mut total = Counts::default();
        let mut flows = Vec::new();
        for flow in &mut self.flows {
            flow.counts.lost = flow.counts.owed - flow.counts.delivered;
            total += flow.counts;
            flows.push(Flow {
                fleet: self.fleets[flow.fleet].name.clone(),
                qos: flow.qos as u8,
                counts: flow.counts,
                latency: flow.latency.summary(),
            });
        }
        let receives = |fleet: &FleetInfo| !fleet.subscribers.is_empty();
        let receivers = self
            .fleets
            .iter()
            .zip(&self.received)
            .filter(|(fleet, _)| receives(fleet));
        Arrived {
            flows,
            total,
            latency: self.latency.summary(),
            receivers: receivers.map(|(_, receiver)| receiver.clone()).collect(),
        }
    }

    /// How the latencies of all deliveries are distributed.
    pub(crate) fn latency_curve(&self) -> Vec<LatencyPoint> {
        self.latency.curve()
    }

    /// How long devices took to their first reading.
    pub(crate) fn first_reading(&self) -> FirstReading {
        self.first_readings.summary()
    }

    /// How latency went over the run.
    pub(crate) fn latency_over_time(&self) -> LatencyOverTime {
        let buckets = self
            .over_time
            .iter()
            .enumerate()
            .map(|(index, distribution)| {
                let summary = distribution.summary();
                LatencyBucket {
                    start_ns: index as u64 * self.bucket,
                    count: distribution.count,
                    latency_ns_p50: summary.map_or(0, |latency| latency.latency_ns_p50),
                    latency_ns_max: summary.map_or(0, |latency| latency.latency_ns_max),
                }
            });
        LatencyOverTime {
            bucket_ns: self.bucket,
            buckets: buckets.collect(),
        }
    }

    /// Attempts that ended without an accepting CONNACK.
    pub(crate) fn connect_failures(&self) -> u64 {
        self.connect_failures
    }

    /// How connecting went.
    pub(crate) fn connections(&self) -> Connections {
        self.connections.clone()
    }
}
