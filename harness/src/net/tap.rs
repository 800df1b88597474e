//! The tap on the wire: every packet, seen where it is sent and where it is
//! lost, counted by layer, and kept for a capture when one is wanted.

use super::capture::Capture;
use super::link::Loss;
use super::time::Nanos;
use super::watch::Watch;
use squall_reports::{Bytes, Layer, LayerBytes, PacketCounts};

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Way {
    /// From a device to a server.
    Up,
    /// From a server to a device.
    Down,
}

/// A packet among all packets of a run: when it was sent, by which host, and
/// which one of that host's it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PacketKey {
    pub(crate) at: Nanos,
    pub(crate) host: u16,
    pub(crate) number: u32,
}

/// What became of the packets of one site in one direction.
#[derive(Debug, Default, Clone)]
struct Traffic {
    sent: u64,
    lost: [u64; Loss::ALL.len()],
    duplicated: u64,
    reordered: u64,
    airtime: Nanos,
}

impl Traffic {
    fn counts(&self) -> PacketCounts {
        let lost = Loss::ALL
            .iter()
            .zip(self.lost)
            .filter(|(_, packets)| *packets > 0)
            .map(|(cause, packets)| (cause.name().to_owned(), packets))
            .collect();
        PacketCounts {
            sent: self.sent,
            lost,
            duplicated: self.duplicated,
            reordered: self.reordered,
            airtime_ns: self.airtime,
        }
    }
}

/// What one fault did to packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Packets it lost.
    pub(crate) lost: u64,
    /// Packets it delayed, doubled or held, and did not lose.
    pub(crate) touched: u64,
}

/// What each fault did to packets, by its index among the faults that struck.
#[derive(Debug, Default)]
pub(crate) struct Tallies(Vec<Tally>);

impl Tallies {
    pub(crate) fn of(&self, fault: usize) -> Tally {
        self.0.get(fault).copied().unwrap_or_default()
    }

    pub(crate) fn lose(&mut self, fault: usize) {
        self.at(fault).lost += 1;
    }

    pub(crate) fn touch(&mut self, fault: usize) {
        self.at(fault).touched += 1;
    }

    fn at(&mut self, fault: usize) -> &mut Tally {
        if self.0.len() <= fault {
            self.0.resize(fault + 1, Tally::default());
        }
        &mut self.0[fault]
    }
}

/// What the link did to a packet that it let through.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Passage {
    pub(crate) duplicated: bool,
    /// By the link, so that later packets overtake it.
    pub(crate) held_back: bool,
    /// By a partition, until it ended.
    pub(crate) held: bool,
}

impl Passage {
    /// What a capture says of it.
    fn comment(self) -> Option<String> {
        let by_link = match (self.duplicated, self.held_back) {
            (false, false) => None,
            (true, false) => Some("duplicated by the link"),
            (false, true) => Some("held back by the link"),
            (true, true) => Some("held back and duplicated by the link"),
        };
        let by_partition = self.held.then_some("held by the partition");
        let comments: Vec<&str> = by_link.into_iter().chain(by_partition).collect();
        (!comments.is_empty()).then(|| comments.join(", "))
    }
}

/// Counts what is sent and what is lost, over the whole run.
pub(crate) struct Tap {
    pub(crate) tallies: Tallies,
    fleets: Vec<Bytes>,
    sites: Vec<[Traffic; 2]>,
    capture: Option<Capture>,
    watch: Option<Watch>,
}

impl Tap {
    pub(crate) fn new(fleets: usize, sites: usize, capture: Option<Capture>) -> Tap {
        Tap {
            tallies: Tallies::default(),
            fleets: vec![Bytes::default(); fleets],
            sites: vec![<[Traffic; 2]>::default(); sites],
            capture,
            watch: None,
        }
    }

    /// Watches the packets of some devices from now on.
    pub(crate) fn watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// Takes what was watched.
    pub(crate) fn take_watch(&mut self) -> Option<Watch> {
        self.watch.take()
    }

    /// A packet leaves the end that sends it: `count` splits it over the layers.
    pub(crate) fn sent(
        &mut self,
        way: Way,
        fleet: usize,
        site: usize,
        key: PacketKey,
        packet: &[u8],
        count: impl FnOnce(&mut LayerBytes),
    ) {
        let bytes = &mut self.fleets[fleet];
        let (layers, on_wire, packets) = match way {
            Way::Up => (&mut bytes.up, &mut bytes.on_wire_up, &mut bytes.packets_up),
            Way::Down => (
                &mut bytes.down,
                &mut bytes.on_wire_down,
                &mut bytes.packets_down,
            ),
        };
        let repeated = layers[Layer::Retransmitted];
        count(layers);
        let repeats = layers[Layer::Retransmitted] > repeated;
        if let Some(watch) = &mut self.watch {
            watch.sent(way, key, packet, repeats);
        }
        *on_wire += packet.len() as u64;
        *packets += 1;
        self.sites[site][way as usize].sent += 1;
        if let Some(capture) = &mut self.capture {
            capture.sent(key, packet);
        }
    }

    /// A link transmits a packet, which takes so long.
    pub(crate) fn on_air(&mut self, way: Way, site: usize, airtime: Nanos) {
        self.sites[site][way as usize].airtime += airtime;
    }

    /// The packet was lost, on its link or behind it.
    pub(crate) fn lost(&mut self, way: Way, site: usize, key: PacketKey, cause: Loss) {
        self.sites[site][way as usize].lost[cause as usize] += 1;
        if let Some(watch) = &mut self.watch {
            watch.lost(key, cause);
        }
        if let Some(capture) = &mut self.capture {
            capture.settle(key, Some(format!("dropped: {}", cause.name())));
        }
    }

    /// The link let the packet through: down to its device, or up to where
    /// [`arrived`](Self::arrived) or [`lost`](Self::lost) is still to come.
    pub(crate) fn passed(&mut self, way: Way, site: usize, key: PacketKey, passage: Passage) {
        let traffic = &mut self.sites[site][way as usize];
        traffic.duplicated += u64::from(passage.duplicated);
        traffic.reordered += u64::from(passage.held_back);
        if let (Way::Down, Some(watch)) = (way, &mut self.watch) {
            watch.arrived(key);
        }
        if let Some(capture) = &mut self.capture {
            match way {
                Way::Up => capture.remark(key, passage.comment()),
                Way::Down => capture.settle(key, passage.comment()),
            }
        }
    }

    /// A packet has reached its server.
    pub(crate) fn arrived(&mut self, key: PacketKey) {
        if let Some(watch) = &mut self.watch {
            watch.arrived(key);
        }
        if let Some(capture) = &mut self.capture {
            capture.arrived(key);
        }
    }

    /// Whether anybody wants to see inside of TLS.
    pub(crate) fn captures(&self) -> bool {
        self.capture.is_some()
    }

    /// A secret of a TLS session, as a line of a key log.
    pub(crate) fn secret(&mut self, line: &str) {
        if let Some(capture) = &mut self.capture {
            capture.secret(line);
        }
    }

    /// Every packet sent before `now` has been seen: the capture may write what
    /// is settled.
    pub(crate) fn advance(&mut self, now: Nanos) {
        if let Some(capture) = &mut self.capture {
            capture.write_until(now);
        }
    }

    /// Bytes of one fleet's connections.
    pub(crate) fn fleet_bytes(&self, fleet: usize) -> &Bytes {
        &self.fleets[fleet]
    }

    /// Packets of one site, up and down.
    pub(crate) fn site_counts(&self, site: usize) -> (PacketCounts, PacketCounts) {
        let [up, down] = &self.sites[site];
        (up.counts(), down.counts())
    }

    /// Takes the capture, to finish it.
    pub(crate) fn take_capture(&mut self) -> Option<Capture> {
        self.capture.take()
    }
}
