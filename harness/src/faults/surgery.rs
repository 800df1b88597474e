//! Surgical faults: set off by one MQTT packet, where it is sent.
//!
//! A dropped IP packet only delays what it carries, for TCP repeats it. What
//! matters across a reconnect is a connection that ends between a packet and its
//! answer: `nat-rebinding` cuts it exactly there. With `lost` the packet itself,
//! and everything sent later on its connection, either way, never arrives; and
//! without, the packet arrives and everything later does not, so that its answer
//! is lost. What was sent earlier arrives in both cases.
//!
//! Packets are counted where they are sent, tick by tick: within a tick, hosts
//! run one after another, servers first. A trigger that names a fleet or the
//! server counts packets of one host only, and so in the order of time.

use super::devices::Devices;
use super::drop::Drop;
use super::plan::{Occurrence, Struck, clear, drawn_length};
use crate::net::{Loss, Nanos, PacketKey, StreamMark, Way};
use crate::scenario::{FaultKind, Qos, Scenario, Sender, Target, TimeRange, Trigger, When};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// One direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct OneWay {
    pub(crate) way: Way,
    pub(crate) device: u32,
    /// The device's.
    pub(crate) port: u16,
}

/// A packet that is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) flow: OneWay,
    /// The device's fleet.
    pub(crate) fleet: usize,
    pub(crate) key: PacketKey,
    /// TCP's sequence number of the first byte of its payload.
    pub(crate) seq: u32,
    pub(crate) payload_bytes: usize,
}

/// Watches packets for those that set off a fault.
pub(crate) struct Surgeon {
    triggers: Vec<Armed>,
    /// When the weather clears: no fault is set off from then on.
    clear: Nanos,
    drops: Vec<Drop>,
    /// Connections (a device and its port) that are cut; looked up only, never
    /// walked.
    cuts: FxHashMap<(u32, u16), Cut>,
    /// What was set off and has not been [taken](Self::take).
    set_off: Vec<(usize, Occurrence)>,
    /// Has a fault strike the world, but for what packets alone decide.
    strike: Box<dyn FnMut(&Occurrence) + Send>,
    fleets: Vec<Fleet>,
}

/// What a trigger and a report need to know of a fleet.
struct Fleet {
    name: String,
    first_device: u32,
    site: usize,
}

/// A fault that waits for its packet.
struct Armed {
    /// Its index among all that may strike.
    by: usize,
    fault: u16,
    kind: FaultKind,
    trigger: Trigger,
    /// The device that the trigger names, by its number over all fleets.
    device: Option<u32>,
    lasts: Option<Nanos>,
    /// Packets that are still to match.
    left: u32,
    /// The packet has begun on this flow, and the fault strikes at its end.
    at_end_of: Option<OneWay>,
}

/// From where on a connection gets nothing through.
#[derive(Debug, Clone, Copy)]
struct Cut {
    /// The packet that set it off, and its way.
    key: PacketKey,
    way: Way,
    by: usize,
}

impl Cut {
    /// Whether it stops a packet: the one that set it off is judged elsewhere.
    fn stops(&self, way: Way, key: PacketKey) -> bool {
        if way == self.way {
            key > self.key
        } else {
            key.at >= self.key.at
        }
    }
}

impl Surgeon {
    /// A surgeon for the faults of a scenario that packets set off; none if
    /// there are none. `planned` faults have the first indices. `strike` has a
    /// fault strike devices or the server.
    pub(crate) fn new(
        scenario: &Scenario,
        seed: u64,
        planned: usize,
        strike: impl FnMut(&Occurrence) + Send + 'static,
    ) -> Option<Surgeon> {
        let mut first_device = 0;
        let fleets: Vec<Fleet> = scenario
            .fleets
            .iter()
            .map(|fleet| {
                let first = first_device;
                first_device += fleet.count;
                Fleet {
                    name: fleet.name.clone(),
                    first_device: first,
                    site: fleet.site,
                }
            })
            .collect();
        let mut triggers = Vec::new();
        for (index, fault) in scenario.faults.iter().enumerate() {
            if let When::On(trigger, lasts) = &fault.when {
                debug_assert!(matches!(fault.target, Target::Matched | Target::Server(_)));
                triggers.push(Armed {
                    by: planned + triggers.len(),
                    fault: index as u16,
                    kind: fault.kind,
                    trigger: trigger.clone(),
                    device: trigger
                        .fleet
                        .zip(trigger.device)
                        .map(|(fleet, device)| fleets[fleet].first_device + device - 1),
                    lasts: lasts.map(|lasts: TimeRange| drawn_length(seed, index, lasts)),
                    left: trigger.nth,
                    at_end_of: None,
                });
            }
        }
        (!triggers.is_empty()).then(|| Surgeon {
            triggers,
            clear: clear(scenario),
            drops: Vec::new(),
            cuts: FxHashMap::default(),
            set_off: Vec::new(),
            strike: Box::new(strike),
            fleets,
        })
    }

    /// A packet is sent, in which MQTT packets begin and end; why it does not
    /// get through, if it does not, and which fault that is.
    pub(crate) fn sees(&mut self, sent: &Sent, marks: &[StreamMark]) -> Option<(Loss, usize)> {
        let mut lost = self.stops(sent.flow, sent.key);
        for mark in marks {
            for index in 0..self.triggers.len() {
                if self.triggers[index].fires(sent, mark) && sent.key.at < self.clear {
                    let by = self.set_off(index, sent, mark);
                    if self.triggers[index].trigger.lost {
                        lost = lost.or(Some((Loss::Surgical, by)));
                    }
                }
            }
        }
        let mut drops = self.drops.iter_mut();
        let dropped = drops.find_map(|drop| drop.takes(sent).then_some((Loss::Surgical, drop.by)));
        self.drops.retain(|drop| drop.left > 0);
        dropped.or(lost)
    }

    /// Whether a packet is stopped because its connection is cut, and by which
    /// fault.
    pub(crate) fn stops(&self, flow: OneWay, key: PacketKey) -> Option<(Loss, usize)> {
        if self.cuts.is_empty() {
            return None;
        }
        let cut = self.cuts.get(&(flow.device, flow.port))?;
        cut.stops(flow.way, key)
            .then_some((Loss::NatRebinding, cut.by))
    }

    /// The faults that were set off since the last call, with their index.
    pub(crate) fn take(&mut self) -> Vec<(usize, Occurrence)> {
        std::mem::take(&mut self.set_off)
    }

    fn set_off(&mut self, index: usize, sent: &Sent, mark: &StreamMark) -> usize {
        let armed = &self.triggers[index];
        let (by, kind, flow, at) = (armed.by, armed.kind, sent.flow, sent.key.at);
        let fleet = &self.fleets[sent.fleet];
        let device = format!("{}-{}", fleet.name, flow.device - fleet.first_device + 1);
        let packet = armed.trigger.packet.name();
        let (struck, target) = match kind {
            FaultKind::ServerCrash => (
                Struck::Server(0),
                format!("broker, at {packet} to {device}"),
            ),
            _ => {
                let devices = Devices::one(flow.device);
                let struck = Struck::Devices {
                    site: fleet.site,
                    devices: Arc::new(devices),
                };
                let of = match flow.way {
                    Way::Up => "from",
                    Way::Down => "to",
                };
                let target = match kind {
                    FaultKind::Drop { .. } => format!("{packet} {of} {device}"),
                    _ => format!("{device}, at {packet}"),
                };
                (struck, target)
            }
        };
        let ends = match armed.lasts {
            _ if kind.is_instant() => at,
            None => self.clear,
            Some(lasts) => (at + lasts).min(self.clear),
        };
        let occurrence = Occurrence {
            fault: armed.fault,
            kind,
            begins: at,
            ends,
            struck,
            target,
            turns: 1,
        };
        match kind {
            FaultKind::Drop { times } => self.drops.push(Drop {
                flow,
                seq: sent.seq.wrapping_add(mark.at as u32),
                left: times,
                by,
            }),
            FaultKind::NatRebinding => {
                let cut = Cut {
                    key: sent.key,
                    way: flow.way,
                    by,
                };
                self.cuts.insert((flow.device, flow.port), cut);
            }
            _ => (self.strike)(&occurrence),
        }
        self.set_off.push((by, occurrence));
        by
    }
}

impl Armed {
    /// Whether this beginning or end of an MQTT packet sets the fault off.
    fn fires(&mut self, sent: &Sent, mark: &StreamMark) -> bool {
        if mark.ends {
            let fires = self.at_end_of == Some(sent.flow);
            if fires {
                self.at_end_of = None;
            }
            return fires;
        }
        if self.left == 0 || !self.matches(sent, mark.first_byte) {
            return false;
        }
        self.left -= 1;
        if self.left > 0 {
            return false;
        }
        if !self.trigger.lost {
            self.at_end_of = Some(sent.flow);
        }
        self.trigger.lost
    }

    fn matches(&self, sent: &Sent, first_byte: u8) -> bool {
        let trigger = &self.trigger;
        let sender = match sent.flow.way {
            Way::Up => Sender::Client,
            Way::Down => Sender::Server,
        };
        let qos = match first_byte >> 1 & 3 {
            0 => Some(Qos::AtMostOnce),
            1 => Some(Qos::AtLeastOnce),
            2 => Some(Qos::ExactlyOnce),
            _ => None,
        };
        first_byte >> 4 == trigger.packet as u8
            && trigger.from.is_none_or(|from| from == sender)
            && trigger.fleet.is_none_or(|fleet| fleet == sent.fleet)
            && trigger.qos.is_none_or(|wanted| Some(wanted) == qos)
            && self.device.is_none_or(|device| device == sent.flow.device)
    }
}
