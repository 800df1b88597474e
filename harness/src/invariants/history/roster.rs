//! Who takes part, as far as it is known before the run.

use super::NEVER;
use crate::net::Nanos;
use crate::scenario::Server;
use crate::trace::TextId;
use rustc_hash::FxHashMap;
use squall_devices::{DeviceId, Qos, RetainHandling};

/// What the guarantees need to know of a fleet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Role {
    /// The number of its first device; the others follow it.
    pub(crate) first_device: u32,
    /// The server that they speak with.
    pub(crate) server: Server,
    /// Whether its devices speak MQTT 5.0.
    pub(crate) speaks_5_0: bool,
    /// Whether sessions end with their connections: the CONNECT's clean session
    /// flag; in MQTT 5.0 a Session Expiry Interval of 0 too.
    pub(crate) clean_session: bool,
    /// How long a session outlives its connection; for ever if `None`.
    pub(crate) session_expiry: Option<Nanos>,
    /// QoS 1 and 2 messages that a device takes unacknowledged, if limited.
    pub(crate) receive_maximum: Option<u16>,
    /// The lifetime of its readings; without end if `None`.
    pub(crate) message_expiry: Option<Nanos>,
    /// Keep-alive interval; zero for none.
    pub(crate) keep_alive: Nanos,
}

/// A will that a device gives its connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Will {
    pub(crate) topic: TextId,
    pub(crate) payload_bytes: u32,
    pub(crate) payload_hash: u64,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// How long the server waits with it: the Will Delay Interval, or less if the
    /// session ends before.
    pub(crate) delay: Nanos,
    /// Whether it has a lifetime once it is published.
    pub(crate) expires: bool,
}

/// Subscription Options beside the QoS (MQTT 5.0, section 3.8.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) retain_handling: RetainHandling,
}

/// Everyone who takes part.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    /// In the order of their devices, which are numbered through.
    roles: Vec<Role>,
    /// By device: its name, its client (see [`Roster::clients`]) and its will.
    names: Vec<String>,
    client_of: Vec<u32>,
    wills: FxHashMap<u32, Will>,
    /// Client identifiers; several devices may share one.
    clients: Vec<TextId>,
    /// By client: whether any of its devices asks for clean sessions, and the
    /// longest of their keep-alive times; zero if one has none.
    clean: Vec<bool>,
    keep_alive: Vec<Nanos>,
    /// By client: the shortest time that its sessions outlive a connection, and
    /// the fewest messages that it takes unacknowledged.
    session_expiry: Vec<Nanos>,
    receive_maximum: Vec<u16>,
    /// By client and filter: options other than 3.1.1 has them.
    options: FxHashMap<(u32, TextId), Options>,
    /// By client: how many devices share it.
    sharers: Vec<usize>,
    by_client: FxHashMap<TextId, u32>,
}

impl Roster {
    /// A fleet, whose devices are added next.
    pub(crate) fn fleet(&mut self, role: Role) {
        self.roles.push(role);
    }

    /// The next device.
    pub(crate) fn device(&mut self, name: String, client_id: TextId, will: Option<Will>) {
        let device = self.names.len() as u32;
        let client = *self.by_client.entry(client_id).or_insert_with(|| {
            self.clients.push(client_id);
            self.clean.push(false);
            self.keep_alive.push(1);
            self.session_expiry.push(NEVER);
            self.receive_maximum.push(u16::MAX);
            self.sharers.push(0);
            self.clients.len() as u32 - 1
        });
        if let Some(role) = self.roles.last() {
            self.clean[client as usize] |= role.clean_session;
            let shortest = &mut self.session_expiry[client as usize];
            *shortest = role.session_expiry.unwrap_or(NEVER).min(*shortest);
            let fewest = &mut self.receive_maximum[client as usize];
            *fewest = role.receive_maximum.unwrap_or(u16::MAX).min(*fewest);
            let longest = &mut self.keep_alive[client as usize];
            *longest = match (*longest, role.keep_alive) {
                (0, _) | (_, 0) => 0,
                (one, other) => one.max(other),
            };
        }
        self.sharers[client as usize] += 1;
        self.names.push(name);
        self.client_of.push(client);
        if let Some(will) = will {
            self.wills.insert(device, will);
        }
    }

    /// The latest device's options for a filter.
    pub(crate) fn subscribes(&mut self, filter: TextId, options: Options) {
        if let Some(client) = self.client_of.last()
            && options != Options::default()
        {
            self.options.insert((*client, filter), options);
        }
    }

    /// The options that a client's subscriptions to a filter have.
    pub(crate) fn options(&self, client: u32, filter: TextId) -> Options {
        let options = self.options.get(&(client, filter));
        options.copied().unwrap_or_default()
    }

    /// How long a client's session outlives its connection; [`NEVER`] for ever.
    pub(crate) fn session_expiry(&self, client: u32) -> Nanos {
        let expiry = self.session_expiry.get(client as usize);
        expiry.copied().unwrap_or(NEVER)
    }

    /// QoS 1 and 2 messages that a client takes unacknowledged, if limited.
    pub(crate) fn receive_maximum(&self, client: u32) -> Option<u16> {
        let most = self.receive_maximum.get(client as usize).copied();
        most.filter(|most| *most < u16::MAX)
    }

    /// The lifetime of a device's readings, if they have one.
    pub(crate) fn message_expiry(&self, device: DeviceId) -> Option<Nanos> {
        self.role(device).message_expiry
    }

    pub(crate) fn devices(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn clients(&self) -> usize {
        self.clients.len()
    }

    /// The client identifier of a device, by number.
    pub(crate) fn client_of(&self, device: DeviceId) -> u32 {
        self.client_of[device.0 as usize]
    }

    /// The client of a CONNECT, if one of ours has this identifier.
    pub(crate) fn client(&self, client_id: TextId) -> Option<u32> {
        self.by_client.get(&client_id).copied()
    }

    /// The client identifier of a client.
    pub(crate) fn client_id(&self, client: u32) -> TextId {
        self.clients[client as usize]
    }

    pub(crate) fn name(&self, device: DeviceId) -> &str {
        &self.names[device.0 as usize]
    }

    pub(crate) fn role(&self, device: DeviceId) -> &Role {
        let after = self
            .roles
            .partition_point(|role| role.first_device <= device.0);
        &self.roles[after.saturating_sub(1)]
    }

    /// Whether a device has its client identifier, and so its session, in
    /// common with others. Each numbers its packets on its own.
    pub(crate) fn is_shared(&self, device: DeviceId) -> bool {
        self.sharers(self.client_of(device)) > 1
    }

    /// How many devices have a client's identifier.
    pub(crate) fn sharers(&self, client: u32) -> usize {
        self.sharers[client as usize]
    }

    /// Whether a device with this client identifier asks for clean sessions.
    pub(crate) fn asks_for_clean(&self, client: u32) -> bool {
        self.clean.get(client as usize).copied().unwrap_or(false)
    }

    /// The keep-alive time that every connection of a client is held to.
    pub(crate) fn keep_alive(&self, client: u32) -> Option<Nanos> {
        let keep_alive = self.keep_alive.get(client as usize).copied();
        keep_alive.filter(|keep_alive| *keep_alive > 0)
    }

    /// All wills, with the devices whose they are, in the order of devices.
    pub(crate) fn wills(&self) -> Vec<(DeviceId, Will)> {
        let wills = self
            .wills
            .iter()
            .map(|(device, will)| (DeviceId(*device), *will));
        let mut wills: Vec<_> = wills.collect();
        wills.sort_unstable_by_key(|(device, _)| *device);
        wills
    }
}
