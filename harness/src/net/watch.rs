//! Watches the packets of some devices: those that were lost, and those that
//! repeat what was sent before. For whoever tells what became of a message that
//! they may have carried.

use super::address;
use super::link::Loss;
use super::tap::{PacketKey, Way};
use super::time::Nanos;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// What befell a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// It was lost.
    Lost(Loss),
    /// It repeats what its sender had sent before.
    Repeats,
}

/// A packet that something befell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Befallen {
    /// When it was sent.
    pub(crate) at: Nanos,
    /// The device at one of its ends.
    pub(crate) device: u32,
    pub(crate) way: Way,
    pub(crate) mishap: Mishap,
}

/// What befell the packets of some devices, so far.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    devices: BTreeSet<u32>,
    /// Their packets that are on their way.
    under_way: BTreeMap<PacketKey, (u32, Way)>,
    befallen: Vec<Befallen>,
}

impl Watch {
    pub(crate) fn new(devices: BTreeSet<u32>) -> Watch {
        Watch {
            devices,
            ..Watch::default()
        }
    }

    /// A packet is sent, which `repeats` what was sent before or does not.
    pub(super) fn sent(&mut self, way: Way, key: PacketKey, packet: &[u8], repeats: bool) {
        // Source and destination of an IPv4 packet.
        let place = match way {
            Way::Up => 12..16,
            Way::Down => 16..20,
        };
        let address = packet.get(place).and_then(|bytes| bytes.try_into().ok());
        let address = address.map(|bytes: [u8; 4]| Ipv4Addr::from(bytes));
        let Some(device) = address.and_then(address::device_of) else {
            return;
        };
        if !self.devices.contains(&device) {
            return;
        }
        self.under_way.insert(key, (device, way));
        if repeats {
            self.befell(key, (device, way), Mishap::Repeats);
        }
    }

    pub(super) fn lost(&mut self, key: PacketKey, cause: Loss) {
        if let Some(packet) = self.under_way.remove(&key) {
            self.befell(key, packet, Mishap::Lost(cause));
        }
    }

    pub(super) fn arrived(&mut self, key: PacketKey) {
        self.under_way.remove(&key);
    }

    fn befell(&mut self, key: PacketKey, (device, way): (u32, Way), mishap: Mishap) {
        self.befallen.push(Befallen {
            at: key.at,
            device,
            way,
            mishap,
        });
    }

    /// All of it, by the time of sending.
    pub(crate) fn befallen(mut self) -> Vec<Befallen> {
        // Stable: what befell one packet stays in its order.
        self.befallen.sort_by_key(|befallen| befallen.at);
        self.befallen
    }
}
