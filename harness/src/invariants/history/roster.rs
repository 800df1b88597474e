//! Who takes part, as far as it is known before the run.

use crate::net::Nanos;
use crate::trace::TextId;
use rustc_hash::FxHashMap;
use squall_devices::{DeviceId, Qos};

/// What the guarantees need to know of a fleet.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    /// The number of its first device; the others follow it.
    pub(crate) first_device: u32,
    /// The CONNECT's clean session flag.
    pub(crate) clean_session: bool,
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
            self.sharers.push(0);
            self.clients.len() as u32 - 1
        });
        if let Some(role) = self.roles.last() {
            self.clean[client as usize] |= role.clean_session;
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
