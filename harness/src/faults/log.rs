//! Faults as they happen: when each really began and ended, and what it did,
//! as entries of the trace and as rows of the report.
//!
//! What a fault did is counted while it lasts, from the trace and from the
//! packets it met; a fault of one instant, up to the end of its millisecond.

use super::effect::{self, Found, Seen};
use super::plan::{Occurrence, Struck};
use crate::net::{Map, Nanos, Tallies};
use crate::trace::{ClientEvent, Entry, Event, FaultEvent, Texts};
use squall_devices::DeviceId;
use squall_reports::FaultSpan;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Faults as they happen.
pub(crate) struct FaultLog {
    map: Arc<Map>,
    /// By the index that the packets they met are counted under.
    occurrences: BTreeMap<usize, Occurrence>,
    /// What happens next, in order.
    due: BTreeSet<(Nanos, Phase, usize)>,
    running: BTreeMap<usize, Seen>,
    /// Devices that have a connection, as far as they know.
    connected: BTreeSet<DeviceId>,
    /// Those of them whose connection a fault has ended without a word.
    unaware: BTreeSet<DeviceId>,
    over: Vec<Over>,
}

/// Beginnings come before what else happens at their time, ends after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Begins,
    Ends,
}

/// A fault that has begun and ended.
struct Over {
    by: usize,
    ended: Nanos,
    seen: Seen,
}

impl FaultLog {
    /// A log that foresees what is planned.
    pub(crate) fn new(plan: &[Occurrence], map: Arc<Map>) -> FaultLog {
        let mut log = FaultLog {
            map,
            occurrences: BTreeMap::new(),
            due: BTreeSet::new(),
            running: BTreeMap::new(),
            connected: BTreeSet::new(),
            unaware: BTreeSet::new(),
            over: Vec::new(),
        };
        for (by, occurrence) in plan.iter().cloned().enumerate() {
            log.add(by, occurrence);
        }
        log
    }

    /// A packet has set off a fault, at a time that [`merge`](Self::merge) has
    /// not come to.
    pub(crate) fn add(&mut self, by: usize, occurrence: Occurrence) {
        self.due.insert((occurrence.begins, Phase::Begins, by));
        self.due.insert((occurrence.ends, Phase::Ends, by));
        self.occurrences.insert(by, occurrence);
    }

    /// Puts beginnings and ends before `now` among the entries of a tick, which
    /// are in order.
    pub(crate) fn merge(
        &mut self,
        entries: Vec<Entry>,
        now: Nanos,
        texts: &mut Texts,
        tallies: &Tallies,
    ) -> Vec<Entry> {
        let mut merged = Vec::with_capacity(entries.len());
        for entry in entries {
            while let Some(&(at, phase, by)) = self.due.first()
                && (at < entry.at || (at == entry.at && phase == Phase::Begins))
            {
                self.due.pop_first();
                merged.extend(self.happens(at, phase, by, texts, tallies));
            }
            self.see(&entry);
            merged.push(entry);
        }
        while let Some(&(at, phase, by)) = self.due.first()
            && at < now
        {
            self.due.pop_first();
            merged.extend(self.happens(at, phase, by, texts, tallies));
        }
        merged
    }

    fn happens(
        &mut self,
        at: Nanos,
        phase: Phase,
        by: usize,
        texts: &mut Texts,
        tallies: &Tallies,
    ) -> Option<Entry> {
        let occurrence = self.occurrences.get(&by)?;
        let target = texts.id(&occurrence.target);
        let event = match phase {
            Phase::Begins => {
                let found = self.found(occurrence);
                if effect::ends_connections(&occurrence.kind) {
                    let connected = self.connected.iter().copied();
                    let struck = connected.filter(|device| occurrence.strikes(*device));
                    self.unaware.extend(struck);
                }
                self.running.insert(by, Seen::new(found));
                FaultEvent::Began { target }
            }
            Phase::Ends => {
                let seen = self.running.remove(&by)?;
                let effect = effect::words(occurrence, &seen, tallies.of(by));
                self.over.push(Over {
                    by,
                    ended: at,
                    seen,
                });
                FaultEvent::Ended {
                    target,
                    effect: texts.id(&effect),
                }
            }
        };
        Some(Entry {
            at,
            host: match &occurrence.struck {
                Struck::Devices { site, .. } => self.map.host_of_site(*site),
                Struck::Server(server) => *server,
            },
            event: Event::Fault {
                fault: occurrence.fault,
                kind: occurrence.kind.name(),
                event,
            },
        })
    }

    /// What a fault finds that begins now.
    fn found(&self, occurrence: &Occurrence) -> Found {
        let struck = |device: &&DeviceId| occurrence.strikes(**device);
        let connected = self.connected.iter().filter(struck).count() as u64;
        let unaware = self.unaware.iter().filter(struck).count() as u64;
        let others: Vec<&Occurrence> = self
            .running
            .keys()
            .map(|by| &self.occurrences[by])
            .filter(|other| effect::is_more_of(&occurrence.kind, &other.kind))
            .collect();
        let struck_already = match &occurrence.struck {
            Struck::Devices { devices, .. } => devices
                .iter()
                .map(DeviceId)
                .filter(|device| others.iter().any(|other| other.strikes(*device)))
                .count(),
            Struck::Server(_) => 0,
        };
        Found {
            connected: connected - unaware,
            unaware,
            struck_already: struck_already as u64,
        }
    }

    fn see(&mut self, entry: &Entry) {
        let Event::Client(device, event) = &entry.event else {
            return;
        };
        match event {
            ClientEvent::Connected { .. } => {
                self.connected.insert(*device);
                self.unaware.remove(device);
            }
            ClientEvent::DisconnectedClean
            | ClientEvent::DisconnectedVanished
            | ClientEvent::DisconnectedReset
            | ClientEvent::DisconnectedLost { .. } => {
                self.connected.remove(device);
                self.unaware.remove(device);
            }
            _ => {}
        }
        for (by, seen) in &mut self.running {
            if self.occurrences[by].strikes(*device) {
                seen.see(*device, event);
            }
        }
    }

    /// What the report shows: every fault that began, in the order of beginning.
    pub(crate) fn spans(&self, tallies: &Tallies) -> Vec<FaultSpan> {
        let over = self
            .over
            .iter()
            .map(|over| (over.by, Some(over.ended), &over.seen));
        let running = self.running.iter().map(|(by, seen)| (*by, None, seen));
        let mut spans: Vec<(usize, FaultSpan)> = over
            .chain(running)
            .map(|(by, ended_ns, seen)| {
                let occurrence = &self.occurrences[&by];
                let span = FaultSpan {
                    kind: occurrence.kind.name().to_owned(),
                    target: occurrence.target.clone(),
                    began_ns: occurrence.begins,
                    ended_ns,
                    effect: effect::words(occurrence, seen, tallies.of(by)),
                };
                (by, span)
            })
            .collect();
        spans.sort_by_key(|(by, span)| (span.began_ns, *by));
        spans.into_iter().map(|(_, span)| span).collect()
    }
}
