//! When and where each fault strikes, for one seed, known before the run.
//!
//! Each turn of a fault draws from a stream of its own, so that one more fault,
//! or one more turn, moves none of the others.

use super::devices::Devices;
use crate::net::{MILLISECOND, Nanos, nanos};
use crate::random;
use crate::scenario::{Chosen, Fault, FaultKind, Scenario, Target, TimeRange, Times, When};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use squall_devices::DeviceId;
use squall_reports::figures;
use std::sync::Arc;
use std::time::Duration;

/// A fault, once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Occurrence {
    /// Which fault of the scenario, from 0.
    pub(crate) fault: u16,
    pub(crate) kind: FaultKind,
    /// When it begins.
    pub(crate) begins: Nanos,
    /// When it is over; when it begins, for a fault of one instant.
    pub(crate) ends: Nanos,
    pub(crate) struck: Struck,
    /// What it strikes, in words.
    pub(crate) target: String,
    /// Turns of the fault that it consists of: several, where they overlap and
    /// strike the same.
    pub(crate) turns: u32,
}

/// What a fault strikes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Struck {
    /// Devices, which are all at one site.
    Devices { site: usize, devices: Arc<Devices> },
    /// A server.
    Server(u16),
}

impl Occurrence {
    /// Whether it strikes a device; what strikes a server strikes all.
    pub(crate) fn strikes(&self, device: DeviceId) -> bool {
        match &self.struck {
            Struck::Devices { devices, .. } => devices.contains(device.0),
            Struck::Server(_) => true,
        }
    }

    /// What it strikes, and how often in one if more than once.
    pub(crate) fn target_and_turns(&self) -> String {
        match self.turns {
            1 => self.target.clone(),
            turns => format!("{}, {turns} turns that overlap", self.target),
        }
    }

    /// How long it lasts.
    pub(crate) fn lasts(&self) -> Duration {
        Duration::from_nanos(self.ends - self.begins)
    }
}

/// Every planned occurrence of a scenario's faults with this seed, in the order
/// of their beginning. A fault that a packet sets off has none.
pub(crate) fn plan(scenario: &Scenario, seed: u64) -> Vec<Occurrence> {
    let mut plan = Vec::new();
    for (index, fault) in scenario.faults.iter().enumerate() {
        if let When::Planned(times) = &fault.when {
            plan.extend(occurrences(scenario, seed, index, fault, times));
        }
    }
    // Stable: faults that begin together stay in the scenario's order.
    plan.sort_by_key(|occurrence| occurrence.begins);
    plan
}

fn occurrences(
    scenario: &Scenario,
    seed: u64,
    index: usize,
    fault: &Fault,
    times: &Times,
) -> Vec<Occurrence> {
    let clear = clear(scenario);
    let name = format!("fault {index}");
    let mut first = None;
    let mut occurrences: Vec<Occurrence> = Vec::new();
    for turn in 0..turns(times, clear) {
        let mut random = random::stream(seed, &name, turn);
        let drawn = draw(times.at, &mut random);
        let begins = match times.every {
            None => drawn,
            // Only the first turn is drawn; the others follow it.
            Some(every) => *first.get_or_insert(drawn) + turn * nanos(every),
        };
        if begins >= clear {
            break;
        }
        let ends = match times.lasts {
            _ if fault.kind.is_instant() => begins,
            None => clear,
            Some(lasts) => (begins + draw(lasts, &mut random)).min(clear),
        };
        let (struck, target) = strike(scenario, fault.target, &mut random);
        occurrences.push(Occurrence {
            fault: index as u16,
            kind: fault.kind,
            begins,
            ends,
            struck,
            target,
            turns: 1,
        });
    }
    occurrences.sort_by_key(|occurrence| occurrence.begins);
    if let Target::Site(_, Chosen::All) | Target::Fleet(_, Chosen::All) | Target::Server(_) =
        fault.target
    {
        join(&mut occurrences);
    }
    occurrences
}

/// When the drain begins, and with it fair weather.
pub(super) fn clear(scenario: &Scenario) -> Nanos {
    nanos(scenario.duration.saturating_sub(scenario.drain))
}

/// How long a fault lasts that a packet sets off.
pub(super) fn drawn_length(seed: u64, index: usize, range: TimeRange) -> Nanos {
    draw(
        range,
        &mut random::stream(seed, &format!("fault {index}"), 0),
    )
}

fn turns(times: &Times, clear: Nanos) -> u64 {
    let most = times.count.map_or(u64::MAX, u64::from);
    match times.every {
        None => times.count.map_or(1, u64::from),
        Some(every) => (clear / nanos(every).max(1) + 1).min(most),
    }
}

/// One time of a range, to the millisecond: so exact are timers within a host.
fn draw(range: TimeRange, random: &mut Pcg64Mcg) -> Nanos {
    let (min, max) = (nanos(range.min), nanos(range.max));
    if min == max {
        return min;
    }
    (random.random_range(min..=max) / MILLISECOND * MILLISECOND).max(min)
}

/// Turns that overlap strike the same, and so are one.
fn join(occurrences: &mut Vec<Occurrence>) {
    occurrences.dedup_by(|next, last| {
        let lasting = last.ends > last.begins;
        let joined = lasting && next.begins <= last.ends;
        if joined {
            last.ends = last.ends.max(next.ends);
            last.turns += next.turns;
        }
        joined
    });
}

/// What a fault strikes this time, and what that is called.
fn strike(scenario: &Scenario, target: Target, random: &mut Pcg64Mcg) -> (Struck, String) {
    let (site, all, name, chosen) = match target {
        Target::Server(server) => return (Struck::Server(server), "broker".to_owned()),
        // A packet knows its device: there is nothing to plan.
        Target::Matched => return (Struck::Server(0), String::new()),
        Target::Site(site, chosen) => {
            let all = Devices::of(
                ranges(scenario)
                    .filter_map(|(of, range)| (scenario.fleets[of].site == site).then_some(range)),
            );
            (site, all, &scenario.sites[site].name, chosen)
        }
        Target::Fleet(fleet, chosen) => {
            let all = Devices::of(
                ranges(scenario).filter_map(|(of, range)| (of == fleet).then_some(range)),
            );
            let fleet = &scenario.fleets[fleet];
            (fleet.site, all, &fleet.name, chosen)
        }
    };
    let number = match chosen {
        Chosen::All => None,
        Chosen::Number(number) => Some(number as usize),
        Chosen::Share(share) => Some(libm::ceil(share * all.len() as f64) as usize),
    };
    let (devices, target) = match number {
        None => (all, name.clone()),
        Some(number) => {
            let drawn = all.draw(number, random);
            let (some, of) = (drawn.len() as u64, all.len() as u64);
            let target = format!("{} of {} {name}", figures::count(some), figures::count(of));
            (drawn, target)
        }
    };
    let devices = Arc::new(devices);
    (Struck::Devices { site, devices }, target)
}

/// Each fleet's index and the numbers of its devices.
fn ranges(scenario: &Scenario) -> impl Iterator<Item = (usize, std::ops::Range<u32>)> {
    let mut first = 0;
    scenario
        .fleets
        .iter()
        .enumerate()
        .map(move |(index, fleet)| {
            let range = first..first + fleet.count;
            first = range.end;
            (index, range)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::tests::scenario;
    use rstest::rstest;

    const MINUTE: Nanos = 60_000_000_000;

    fn spans(faults: &str, seed: u64) -> Vec<(u64, u64)> {
        plan(&scenario(faults), seed)
            .iter()
            .map(|occurrence| (occurrence.begins, occurrence.ends))
            .collect()
    }

    #[rstest]
    #[case::once("at = \"6m\"\nfor = \"90s\"", &[(12, 15)])]
    #[case::to_the_end("at = \"6m\"", &[(12, 36)])]
    #[case::again_and_again("at = \"6m\"\nfor = \"90s\"\nevery = \"5m\"", &[(12, 15), (22, 25), (32, 35)])]
    #[case::twice("at = \"6m\"\nfor = \"90s\"\nevery = \"5m\"\ncount = 2", &[(12, 15), (22, 25)])]
    #[case::cut_short_by_the_drain("at = \"7m\"\nfor = \"90s\"\nevery = \"10m\"\n", &[(14, 17), (34, 36)])]
    fn turns_are_counted_out(#[case] times: &str, #[case] half_minutes: &[(u64, u64)]) {
        let spans = spans(
            &format!("[[fault]]\nkind = \"partition\"\nsite = \"valley\"\n{times}"),
            1,
        );
        let expected: Vec<_> = half_minutes
            .iter()
            .map(|(begin, end)| (begin * MINUTE / 2, end * MINUTE / 2))
            .collect();
        assert_eq!(spans, expected);
    }

    #[test]
    fn draws_stay_in_their_ranges_and_differ_by_turn_and_seed() {
        let faults = "[[fault]]\nkind = \"blackhole\"\nfleet = \"thermometer\"\ndevices = 2\n\
                      at = \"1m..15m\"\nfor = \"1m..2m\"\ncount = 5";
        let first = spans(faults, 1);
        assert_eq!(first.len(), 5);
        for (begins, ends) in &first {
            assert!((MINUTE..=15 * MINUTE).contains(begins), "{begins}");
            assert!((MINUTE..=2 * MINUTE).contains(&(ends - begins)), "{ends}");
            assert_eq!(begins % MILLISECOND, 0);
        }
        assert!(
            first.windows(2).all(|pair| pair[0].0 < pair[1].0),
            "{first:?}"
        );
        assert_ne!(first, spans(faults, 2));
    }

    #[test]
    fn one_more_fault_moves_no_other() {
        let fault = "[[fault]]\nkind = \"reset\"\nfleet = \"thermometer\"\nshare = \"20%\"\nat = \"1m..15m\"\n";
        let another =
            "[[fault]]\nkind = \"loss\"\nsite = \"valley\"\nloss = \"9%\"\nat = \"1m..15m\"\n";
        let alone = plan(&scenario(fault), 7);
        let both = plan(&scenario(&format!("{fault}{another}")), 7);
        assert_eq!(both.len(), 2);
        assert!(both.contains(&alone[0]));
    }

    #[test]
    fn overlapping_turns_of_one_target_are_one() {
        let faults = "[[fault]]\nkind = \"server-crash\"\nat = \"1m..3m\"\nfor = \"5m\"\ncount = 4";
        let plan = plan(&scenario(faults), 1);
        assert_eq!(plan.len(), 1);
        assert!(plan[0].ends - plan[0].begins > 5 * MINUTE);
        assert_eq!(plan[0].turns, 4);
    }

    #[rstest]
    #[case::site("site = \"valley\"", "valley", 13)]
    #[case::fleet("fleet = \"thermometer\"", "thermometer", 10)]
    #[case::some("fleet = \"thermometer\"\ndevices = 4", "4 of 10 thermometer", 4)]
    #[case::share("fleet = \"thermometer\"\nshare = \"11%\"", "2 of 10 thermometer", 2)]
    fn targets(#[case] place: &str, #[case] target: &str, #[case] count: usize) {
        let faults = format!("[[fault]]\nkind = \"vanish\"\nat = \"1m\"\n{place}");
        let plan = plan(&scenario(&faults), 1);
        let Struck::Devices { site: 0, devices } = &plan[0].struck else {
            panic!("{:?}", plan[0].struck);
        };
        assert_eq!((plan[0].target.as_str(), devices.len()), (target, count));
    }
}
