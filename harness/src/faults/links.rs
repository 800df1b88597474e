//! The weather over the access links of one site, packet by packet.

use super::nat_rebinding::Nat;
use super::plan::{Occurrence, Struck};
use super::{
    blackhole, burst_loss, devices::Devices, duplication, latency, loss, partition, power_cut,
    rate, reordering,
};
use crate::net::{Loss, Nanos, Strain, Tallies, Way, draw_latency};
use crate::random;
use crate::scenario::{FaultKind, LinkSpec, Ways};
use rand_pcg::Pcg64Mcg;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What strikes the links of one site, in the order of beginning.
pub(crate) struct LinkWeather {
    seed: u64,
    /// What the links carry by themselves, each way, in bits a second.
    rates: [Option<u64>; 2],
    windows: Vec<Window>,
    /// For each way, the windows before it are over.
    past: [usize; 2],
    /// The windows before it are over both ways, and have forgotten their lanes.
    forgotten: usize,
    nat: Option<Nat>,
}

/// One occurrence over the links.
pub(super) struct Window {
    pub(super) begins: Nanos,
    pub(super) ends: Nanos,
    kind: FaultKind,
    /// Its index in the plan.
    by: usize,
    /// What its random streams are called, whatever else is planned.
    name: String,
    devices: Arc<Devices>,
    /// What it remembers of each device and way; looked up only, never walked.
    lanes: FxHashMap<(u32, Way), Lane>,
}

/// What a window remembers of one direction of a device's link.
struct Lane {
    random: Pcg64Mcg,
    /// A chain of Gilbert and Elliott is in its bad state.
    bad: bool,
}

/// A packet that crosses between site and server, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crossing {
    /// At this time, and held until then by an occurrence of the plan.
    At(Nanos, Option<usize>),
    /// Not at all: why, and by which occurrence of the plan.
    Lost(Loss, usize),
}

impl Window {
    /// Whether it lasts at this time.
    pub(super) fn lasts_at(&self, at: Nanos) -> bool {
        self.begins <= at && at < self.ends
    }

    fn covers(&self, way: Way, device: u32) -> bool {
        self.kind.ways().is_some_and(|ways| covers(ways, way)) && self.devices.contains(device)
    }
}

impl LinkWeather {
    /// The weather over `site`, whose links are like `link`; none if no fault
    /// ever strikes them.
    pub(crate) fn new(
        seed: u64,
        site: usize,
        link: &LinkSpec,
        plan: &[Occurrence],
    ) -> Option<LinkWeather> {
        let mut windows = Vec::new();
        let mut nat: Option<Nat> = None;
        for (by, occurrence) in plan.iter().enumerate() {
            let Struck::Devices { site: at, devices } = &occurrence.struck else {
                continue;
            };
            if *at != site {
                continue;
            }
            if occurrence.kind == FaultKind::NatRebinding {
                let rebinding = (occurrence.begins, Arc::clone(devices), by);
                nat.get_or_insert_default().rebindings.push(rebinding);
            } else if occurrence.kind.ways().is_some() {
                windows.push(Window {
                    name: format!("fault {} at {}", occurrence.fault, occurrence.begins),
                    begins: occurrence.begins,
                    ends: occurrence.ends,
                    kind: occurrence.kind,
                    by,
                    devices: Arc::clone(devices),
                    lanes: FxHashMap::default(),
                });
            }
        }
        let weather = LinkWeather {
            seed,
            rates: [&link.up, &link.down].map(|way| way.rate_bits_per_second),
            windows,
            past: [0; 2],
            forgotten: 0,
            nat,
        };
        (!weather.windows.is_empty() || weather.nat.is_some()).then_some(weather)
    }

    /// A packet from the server, which meets the cut of a partition and the NAT
    /// before its access link.
    pub(crate) fn cross_down(&mut self, device: u32, packet: &[u8], at: Nanos) -> Crossing {
        self.forget(Way::Down, at);
        if let Some(nat) = &self.nat
            && let Some(by) = nat.drops(Way::Down, device, packet, at)
        {
            return Crossing::Lost(Loss::NatRebinding, by);
        }
        self.partitions(Way::Down, device, at)
    }

    /// What is done to a packet that is handed to the access link at `at`.
    pub(crate) fn strain(
        &mut self,
        way: Way,
        device: u32,
        packet: &[u8],
        at: Nanos,
        tallies: &mut Tallies,
    ) -> Strain {
        if way == Way::Up {
            self.forget(way, at);
            if let Some(nat) = &mut self.nat {
                nat.bind(device, packet, at);
            }
        }
        let mut strain = Strain {
            rate_bits_per_second_max: self.rates[way as usize],
            ..Strain::default()
        };
        let seed = self.seed;
        for window in self.windows[self.past[way as usize]..]
            .iter_mut()
            .take_while(|window| window.begins <= at)
        {
            if window.lasts_at(at) && window.covers(way, device) {
                window.strain(seed, way, device, &mut strain, tallies);
            }
        }
        strain
    }

    /// A packet that was on the air of its access link from `entered` to `left`:
    /// a power cut may have struck it, and one from a device then meets the cut
    /// of a partition and the NAT.
    pub(crate) fn leave(
        &self,
        way: Way,
        device: u32,
        packet: &[u8],
        (entered, left): (Nanos, Nanos),
    ) -> Crossing {
        for window in self.until(way, left) {
            if window.kind == FaultKind::PowerCut
                && window.covers(way, device)
                && let Err(cause) = power_cut::meet(window, entered, left)
            {
                return Crossing::Lost(cause, window.by);
            }
        }
        if way == Way::Down {
            return Crossing::At(left, None);
        }
        if let Some(nat) = &self.nat
            && let Some(by) = nat.drops(way, device, packet, left)
        {
            return Crossing::Lost(Loss::NatRebinding, by);
        }
        self.partitions(way, device, left)
    }

    fn partitions(&self, way: Way, device: u32, mut at: Nanos) -> Crossing {
        let mut held = None;
        for window in self.until(way, Nanos::MAX) {
            if window.begins > at {
                break;
            }
            let FaultKind::Partition { hold, .. } = window.kind else {
                continue;
            };
            if !window.covers(way, device) {
                continue;
            }
            match partition::meet(window, hold, at) {
                Err(cause) => return Crossing::Lost(cause, window.by),
                Ok(on) if on > at => (at, held) = (on, Some(window.by)),
                Ok(_) => {}
            }
        }
        Crossing::At(at, held)
    }

    /// The windows that are not over and begin by `at`.
    fn until(&self, way: Way, at: Nanos) -> impl Iterator<Item = &Window> {
        self.windows[self.past[way as usize]..]
            .iter()
            .take_while(move |window| window.begins <= at)
    }

    /// Packets of one way come in the order of time, so what was over for one
    /// is over for all that follow.
    fn forget(&mut self, way: Way, at: Nanos) {
        let past = &mut self.past[way as usize];
        while self
            .windows
            .get(*past)
            .is_some_and(|window| window.ends <= at)
        {
            *past += 1;
        }
        let over = self.past[0].min(self.past[1]);
        for window in &mut self.windows[self.forgotten..over] {
            window.lanes = FxHashMap::default();
        }
        self.forgotten = over;
    }
}

impl Window {
    /// Strains a packet that is handed to the link of one of its devices.
    fn strain(
        &mut self,
        seed: u64,
        way: Way,
        device: u32,
        strain: &mut Strain,
        tallies: &mut Tallies,
    ) {
        let by = self.by;
        let name = &self.name;
        let lane = self.lanes.entry((device, way)).or_insert_with(|| Lane {
            random: random::stream(seed, &format!("{name} {way:?}"), device.into()),
            bad: false,
        });
        let random = &mut lane.random;
        let touched = match &self.kind {
            FaultKind::Loss { loss, .. } => loss::strain(*loss, by, random, strain),
            FaultKind::BurstLoss { burst, .. } => {
                burst_loss::strain(burst, by, &mut lane.bad, random, strain)
            }
            FaultKind::Latency { added, .. } => {
                latency::strain(draw_latency(added, random), strain)
            }
            FaultKind::Rate {
                bits_per_second, ..
            } => rate::strain(*bits_per_second, strain),
            FaultKind::Blackhole { .. } => blackhole::strain(by, strain),
            FaultKind::Duplication { probability, .. } => {
                duplication::strain(*probability, random, strain)
            }
            FaultKind::Reordering { reorder, .. } => reordering::strain(reorder, random, strain),
            _ => false,
        };
        if touched {
            tallies.touch(by);
        }
    }
}

fn covers(ways: Ways, way: Way) -> bool {
    match ways {
        Ways::Both => true,
        Ways::Up => way == Way::Up,
        Ways::Down => way == Way::Down,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::faults::plan;
    use crate::faults::tests::{scenario, scenario_with};
    use crate::net::{Access, PacketKey, Tap};
    use bytes::Bytes;

    /// What a test's packet takes on the wire.
    pub(crate) const PACKET_BYTES: usize = 40;

    const MS: Nanos = 1_000_000;

    /// The links of the valley under one fault.
    pub(crate) struct Valley {
        access: Access,
        tap: Tap,
        number: u32,
    }

    impl Valley {
        /// Links of 20 ms each way.
        pub(crate) fn new(fault: &str) -> Valley {
            Valley::on("{ latency = \"20ms\" }", fault)
        }

        /// Links like this one.
        pub(crate) fn on(link: &str, fault: &str) -> Valley {
            let faults = format!("[[fault]]\n{fault}");
            let link = format!("site.valley.link={link}");
            let scenario = scenario_with(&faults, &[link]);
            let plan = plan(&scenario, 1);
            let link = &scenario.sites[0].link;
            let weather = LinkWeather::new(1, 0, link, &plan);
            Valley {
                access: Access::new(0, 1, link, weather),
                tap: Tap::new(3, 2, None),
                number: 0,
            }
        }

        /// Sends a packet at a time in milliseconds; when it arrives, in
        /// whole milliseconds.
        pub(crate) fn send(&mut self, way: Way, device: u32, at_ms: u64) -> Result<u64, Loss> {
            self.offer(way, device, (50_000, 0), at_ms)
        }

        /// The same on the connection from this port.
        pub(crate) fn send_on(
            &mut self,
            way: Way,
            device: u32,
            port: u16,
            at_ms: u64,
        ) -> Result<u64, Loss> {
            self.offer(way, device, (port, 0), at_ms)
        }

        /// Sends the SYN of a connection from this port.
        pub(crate) fn dial(&mut self, device: u32, port: u16, at_ms: u64) -> Result<u64, Loss> {
            self.offer(Way::Up, device, (port, 0x02), at_ms)
        }

        fn offer(
            &mut self,
            way: Way,
            device: u32,
            (port, flags): (u16, u8),
            at_ms: u64,
        ) -> Result<u64, Loss> {
            let mut packet = vec![0; PACKET_BYTES];
            let at = match way {
                Way::Up => 20,
                Way::Down => 22,
            };
            packet[at..at + 2].copy_from_slice(&port.to_be_bytes());
            packet[33] = flags;
            let key = PacketKey {
                at: at_ms * MS,
                host: 0,
                number: self.number,
            };
            self.number += 1;
            let packet = Bytes::from(packet);
            let arrives = self.access.offer(way, device, key, packet, &mut self.tap)?;
            Ok(arrives / MS)
        }

        /// How many packets are on the air, or have arrived.
        pub(crate) fn landed(&mut self, way: Way) -> usize {
            let air = match way {
                Way::Up => &mut self.access.rising,
                Way::Down => &mut self.access.falling,
            };
            std::iter::from_fn(|| air.land(Nanos::MAX)).count()
        }

        /// Packets that an occurrence of the plan has lost.
        pub(crate) fn lost(&self, by: usize) -> u64 {
            self.tap.tallies.of(by).lost
        }

        /// Packets that an occurrence of the plan has touched, and not lost.
        pub(crate) fn touched(&self, by: usize) -> u64 {
            self.tap.tallies.of(by).touched
        }
    }

    #[test]
    fn fair_weather_is_none_at_all() {
        let faults = "[[fault]]\nkind = \"partition\"\nsite = \"valley\"\nat = \"1m\"\n\
                      [[fault]]\nkind = \"vanish\"\nfleet = \"recorder\"\nat = \"1m\"";
        let scenario = scenario(faults);
        let plan = plan(&scenario, 1);
        let weather = |site: usize| LinkWeather::new(1, site, &scenario.sites[site].link, &plan);
        assert!(weather(0).is_some());
        assert!(weather(1).is_none());
    }

    #[test]
    fn a_packet_meets_every_fault_that_lasts() {
        let mut valley = Valley::new(
            "kind = \"latency\"\nsite = \"valley\"\nlatency = \"1s\"\nat = \"1m\"\nfor = \"2m\"\n\
             [[fault]]\nkind = \"partition\"\nsite = \"valley\"\nhold = true\nat = \"90s\"\nfor = \"30s\"\n\
             [[fault]]\nkind = \"latency\"\nfleet = \"meter\"\nlatency = \"2s\"\nat = \"61s\"\nfor = \"2s\"",
        );
        assert_eq!(valley.send(Way::Up, 11, 62_000), Ok(65_020));
        assert_eq!(valley.send(Way::Up, 3, 62_000), Ok(63_020));
        assert_eq!(valley.send(Way::Up, 3, 89_000), Ok(120_000));
        assert_eq!(valley.send(Way::Down, 3, 91_000), Ok(121_020));
        assert_eq!(
            (valley.touched(0), valley.touched(1), valley.touched(2)),
            (4, 1, 2)
        );
    }
}
