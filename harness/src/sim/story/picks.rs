//! Which messages and devices a story tells one by one.

use crate::metrics::Metrics;
use crate::sim::fleets::Cast;
use squall_devices::{DeviceId, MessageId};
use squall_reports::{Guarantee, Report, Verdict, Violation};
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_64;

/// Messages that are told, beside those that violated guarantees name.
const MESSAGES_MAX: usize = 160;
/// Those of them that were lost come first, up to this many.
const LOST_MAX: usize = 60;
/// Then come those of the devices that are told, up to this many in all.
const OF_DEVICES_MAX: usize = 120;
/// Devices that are told, beside the publishers of messages that violated
/// guarantees name.
const DEVICES_MAX: usize = 24;

/// What a story tells one by one.
#[derive(Debug, Default)]
pub(in crate::sim) struct Picks {
    /// Messages that violated guarantees name, and the names of the guarantees.
    pub(super) violated: BTreeMap<MessageId, Vec<String>>,
    pub(super) messages: BTreeSet<MessageId>,
    pub(super) devices: BTreeSet<DeviceId>,
}

impl Picks {
    /// What is of interest in a run that has ended like this.
    pub(in crate::sim) fn new(report: &Report, metrics: &Metrics, cast: &Cast) -> Picks {
        let mut picks = Picks::default();
        let mut readings: Vec<MessageId> = Vec::new();
        let mut lost: Vec<MessageId> = Vec::new();
        for reading in metrics.readings() {
            readings.push(reading.id);
            if reading.missing > 0 {
                lost.push(reading.id);
            }
        }
        picks.violated = violated(&report.guarantees, |id| readings.binary_search(&id).is_ok());
        // Any order that has nothing to do with time or place.
        for ids in [&mut readings, &mut lost] {
            ids.sort_by_key(|id| (xxh3_64(&id.0.to_le_bytes()), *id));
        }
        picks.messages.extend(picks.violated.keys());
        picks
            .devices
            .extend(picks.violated.keys().map(|id| id.device()));
        let named = picks.messages.len();
        let mut pick = |ids: &[MessageId], max: usize, wanted: &dyn Fn(MessageId) -> bool| {
            for id in ids.iter().filter(|id| wanted(**id)) {
                if picks.messages.len() >= named + max {
                    break;
                }
                picks.messages.insert(*id);
            }
        };
        pick(&lost, LOST_MAX, &|_| true);
        let mut devices = std::mem::take(&mut picks.devices);
        add_devices(&mut devices, &lost, cast);
        pick(&readings, OF_DEVICES_MAX, &|id| {
            devices.contains(&id.device())
        });
        pick(&readings, MESSAGES_MAX, &|_| true);
        picks.devices = devices;
        picks
    }
}

/// The messages that the evidence of violated guarantees names, as far as there
/// are such messages.
fn violated(
    guarantees: &[Guarantee],
    is_there: impl Fn(MessageId) -> bool,
) -> BTreeMap<MessageId, Vec<String>> {
    let mut violated: BTreeMap<MessageId, Vec<String>> = BTreeMap::new();
    let guarantees = guarantees.iter();
    for guarantee in guarantees.filter(|guarantee| guarantee.verdict == Verdict::Violated) {
        for id in guarantee.violations.iter().flat_map(named) {
            let names = violated.entry(id).or_default();
            if is_there(id) && !names.contains(&guarantee.name) {
                names.push(guarantee.name.clone());
            }
        }
    }
    violated.retain(|_, names| !names.is_empty());
    violated
}

/// Whatever in a violation's evidence reads as a message's identifier. That it
/// might be another thing does no harm: one more message is told. A time has
/// colons, which no identifier has.
fn named(violation: &Violation) -> impl Iterator<Item = MessageId> {
    let texts = violation.text.iter().chain(&violation.command);
    texts
        .flat_map(|text| text.split(|c: char| !(c.is_ascii_alphanumeric() || ".:".contains(c))))
        .filter_map(|word| word.trim_end_matches(['.', ':']).parse().ok())
}

/// Adds devices of every fleet in turn: publishers of lost messages first, then
/// evenly spread over the fleet.
fn add_devices(devices: &mut BTreeSet<DeviceId>, lost: &[MessageId], cast: &Cast) {
    let candidates: Vec<Vec<DeviceId>> = cast
        .fleets
        .iter()
        .map(|fleet| {
            let first = fleet.first_device.0;
            let of_fleet = |device: DeviceId| (first..first + fleet.count).contains(&device.0);
            let lost = lost.iter().map(|id| id.device());
            let lost = lost.filter(|device| of_fleet(*device)).take(DEVICES_MAX);
            let drawn = (fleet.count as usize).min(DEVICES_MAX) as u64;
            let spread = (0..drawn)
                .map(|index| DeviceId(first + (index * u64::from(fleet.count) / drawn) as u32));
            lost.chain(spread).collect()
        })
        .collect();
    let named = devices.len();
    let longest = candidates.iter().map(Vec::len).max().unwrap_or(0);
    for turn in 0..longest {
        for device in candidates.iter().filter_map(|fleet| fleet.get(turn)) {
            if devices.len() < named + DEVICES_MAX {
                devices.insert(*device);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("recorder-1 never received reading 3f.9c, acknowledged at 0:00:12.345", &["3f.9c"])]
    #[case("got 1.a of 0:05:58.003; 2.b.", &["1.a", "2.b"])]
    #[case("24 B on valley/1.5x/temperature", &[])]
    fn messages_are_found_in_evidence(#[case] text: &str, #[case] ids: &[&str]) {
        let violation = Violation {
            text: vec![text.to_owned()],
            statement: None,
            trace: Vec::new(),
            command: None,
        };
        let found: Vec<String> = named(&violation).map(|id| id.to_string()).collect();
        assert_eq!(found, ids);
    }

    #[test]
    fn a_command_names_its_message() {
        let violation = Violation {
            text: Vec::new(),
            statement: None,
            trace: Vec::new(),
            command: Some("squall trace run.jsonl 3f2a.9".to_owned()),
        };
        let found: Vec<String> = named(&violation).map(|id| id.to_string()).collect();
        assert_eq!(found, ["3f2a.9"]);
    }
}
