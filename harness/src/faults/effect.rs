//! What a fault did, in words computed from what happened.

use super::plan::{Occurrence, Struck};
use crate::net::Tally;
use crate::scenario::{FaultKind, Ways};
use crate::trace::ClientEvent;
use squall_devices::DeviceId;
use squall_reports::figures;
use std::collections::BTreeSet;

/// What a fault finds when it begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Devices with a connection.
    pub(super) connected: u64,
    /// Devices that have not noticed yet that another fault ended their
    /// connection.
    pub(super) unaware: u64,
    /// Devices that another fault, which still lasts, has struck in the same
    /// way: see [`is_more_of`].
    pub(super) struck_already: u64,
}

/// Whether a fault does to a device what another has done already.
pub(super) fn is_more_of(kind: &FaultKind, other: &FaultKind) -> bool {
    match (kind, other) {
        (FaultKind::Vanish | FaultKind::PowerCut, FaultKind::Vanish | FaultKind::PowerCut) => true,
        (FaultKind::Partition { ways, .. }, FaultKind::Partition { ways: others, .. }) => {
            *others == Ways::Both || ways == others
        }
        _ => false,
    }
}

/// Whether a fault ends connections without a word to their devices.
pub(super) fn ends_connections(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::ServerCrash | FaultKind::NatRebinding)
}

/// What was seen of the devices that a fault strikes, while it lasted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    found: Found,
    /// Connections lost.
    lost: u64,
    /// Connections that devices reset.
    reset: u64,
    /// Connections that devices ended with DISCONNECT.
    disconnected: u64,
    /// Devices that were gone without a word.
    vanished: BTreeSet<DeviceId>,
    /// Attempts to connect that failed.
    refused: u64,
    /// Devices that fell asleep while they connected.
    asleep: BTreeSet<DeviceId>,
    /// The device whose attempt has just failed.
    failed: Option<DeviceId>,
}

impl Seen {
    pub(super) fn new(found: Found) -> Seen {
        Seen {
            found,
            ..Seen::default()
        }
    }

    /// Counts an event of one of the devices.
    pub(super) fn see(&mut self, device: DeviceId, event: &ClientEvent) {
        let failed = self.failed.take() == Some(device);
        match *event {
            ClientEvent::DisconnectedLost { .. } => self.lost += 1,
            ClientEvent::DisconnectedReset => self.reset += 1,
            ClientEvent::DisconnectedClean => self.disconnected += 1,
            ClientEvent::DisconnectedVanished => {
                self.vanished.insert(device);
            }
            ClientEvent::ConnectFailed { .. } => {
                self.refused += 1;
                self.failed = Some(device);
            }
            ClientEvent::Slept { .. } if failed => {
                self.asleep.insert(device);
            }
            _ => {}
        }
    }
}

/// What a fault did, as far as it can be seen.
pub(super) fn words(occurrence: &Occurrence, seen: &Seen, tally: Tally) -> String {
    let found = seen.found;
    let devices = match &occurrence.struck {
        Struck::Devices { devices, .. } => devices.len() as u64 - found.struck_already,
        Struck::Server(_) => 0,
    };
    let lasted = figures::duration(occurrence.ends.saturating_sub(occurrence.begins));
    let mut phrases = Phrases::default();
    match occurrence.kind {
        FaultKind::Loss { .. } | FaultKind::BurstLoss { .. } | FaultKind::Blackhole { .. } => {
            phrases.count(tally.lost, "packet", "lost");
            phrases.broken(seen);
        }
        FaultKind::Latency { .. } | FaultKind::Rate { .. } => {
            phrases.count(tally.touched, "packet", "slowed down");
            phrases.broken(seen);
        }
        FaultKind::Duplication { .. } => phrases.count(tally.touched, "packet", "doubled"),
        FaultKind::Reordering { .. } => phrases.count(tally.touched, "packet", "held back"),
        FaultKind::Partition { hold, .. } => {
            phrases.count(devices, "device", "cut off");
            phrases.count(found.struck_already, "device", "cut off already");
            if hold {
                phrases.count(tally.touched, "packet", "held");
            }
            phrases.count(tally.lost, "packet", "lost");
            phrases.broken(seen);
        }
        FaultKind::PowerCut => {
            phrases.count(devices, "device", "without power");
            phrases.count(found.struck_already, "device", "without power already");
            phrases.count(found.connected, "connection", "cut");
            phrases.count(tally.lost, "packet", "lost");
        }
        FaultKind::NatRebinding => {
            phrases.count(found.connected, "connection", "cut off");
            phrases.count(tally.lost, "packet", "lost");
        }
        FaultKind::ServerCrash => {
            phrases.say(format!("server down {lasted}"));
            phrases.count(found.connected, "connection", "lost");
        }
        FaultKind::ServerPause => {
            phrases.say(format!("server paused {lasted}"));
            phrases.broken(seen);
        }
        FaultKind::Vanish => {
            phrases.count(devices, "device", "gone");
            phrases.count(found.struck_already, "device", "gone already");
            phrases.count(found.connected, "connection", "left open");
        }
        FaultKind::Reset => {
            phrases.count(seen.reset, "connection", "reset");
            phrases.count(seen.refused, "connection attempt", "reset");
        }
        FaultKind::Disconnect => phrases.count(seen.disconnected, "connection", "ended"),
        FaultKind::BatteryDeath => {
            phrases.count(seen.vanished.len() as u64, "device", "died in mid-packet");
        }
        FaultKind::SleepInHandshake => {
            phrases.count(
                seen.asleep.len() as u64,
                "device",
                "asleep before its CONNACK",
            );
        }
        FaultKind::ReconnectStorm => {
            let dialled = found.connected + found.unaware;
            phrases.count(dialled, "device", "dialled again at once");
        }
        FaultKind::ClockDrift { drift_ppb } => {
            let ppm = f64::from(drift_ppb.unsigned_abs()) / 1e3;
            let way = if drift_ppb < 0 { "slow" } else { "fast" };
            phrases.count(devices, "clock", &format!("{ppm} ppm {way}"));
        }
        FaultKind::Drop { .. } => phrases.count(tally.lost, "packet", "dropped"),
    }
    if phrases.0.is_empty() {
        phrases.say("no effect".to_owned());
    }
    if occurrence.turns > 1 {
        let turns = figures::count(occurrence.turns.into());
        phrases.say(format!("{turns} turns that overlapped"));
    }
    phrases.0.join(", ")
}

#[derive(Default)]
struct Phrases(Vec<String>);

impl Phrases {
    fn say(&mut self, phrase: String) {
        self.0.push(phrase);
    }

    /// Says it if there was any.
    fn count(&mut self, number: u64, noun: &str, what: &str) {
        if number > 0 {
            self.say(format!("{} {what}", figures::counted(number, noun)));
        }
    }

    /// Connections that were lost or not made.
    fn broken(&mut self, seen: &Seen) {
        self.count(seen.lost, "connection", "lost");
        self.count(seen.refused, "connection attempt", "failed");
    }
}
