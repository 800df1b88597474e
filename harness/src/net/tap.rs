//! The tap on the wire: every packet, seen where it is sent and where it is
//! lost, counted by layer, and kept for a capture when one is wanted.

use super::capture::Capture;
use super::link::Loss;
use super::time::Nanos;
use squall_reports::{Bytes, LayerBytes, PacketCounts};

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
        }
    }
}

/// Counts what is sent and what is lost, over the whole run.
pub(crate) struct Tap {
    fleets: Vec<Bytes>,
    sites: Vec<[Traffic; 2]>,
    capture: Option<Capture>,
}

impl Tap {
    pub(crate) fn new(fleets: usize, sites: usize, capture: Option<Capture>) -> Tap {
        Tap {
            fleets: vec![Bytes::default(); fleets],
            sites: vec![<[Traffic; 2]>::default(); sites],
            capture,
        }
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
        count(layers);
        *on_wire += packet.len() as u64;
        *packets += 1;
        self.sites[site][way as usize].sent += 1;
        if let Some(capture) = &mut self.capture {
            capture.sent(key, packet);
        }
    }

    /// The packet was lost, on its link or behind it.
    pub(crate) fn lost(&mut self, way: Way, site: usize, key: PacketKey, cause: Loss) {
        self.sites[site][way as usize].lost[cause as usize] += 1;
        if let Some(capture) = &mut self.capture {
            capture.settle(key, Some(format!("dropped: {}", cause.name())));
        }
    }

    /// The link let the packet through: down to its device, or up to where
    /// [`arrived`](Self::arrived) or [`lost`](Self::lost) is still to come.
    pub(crate) fn passed(
        &mut self,
        way: Way,
        site: usize,
        key: PacketKey,
        duplicated: bool,
        held_back: bool,
    ) {
        let traffic = &mut self.sites[site][way as usize];
        traffic.duplicated += u64::from(duplicated);
        traffic.reordered += u64::from(held_back);
        if let Some(capture) = &mut self.capture {
            let comment = match (duplicated, held_back) {
                (false, false) => None,
                (true, false) => Some("duplicated by the link"),
                (false, true) => Some("held back by the link"),
                (true, true) => Some("held back and duplicated by the link"),
            };
            match way {
                Way::Up => capture.remark(key, comment.map(str::to_owned)),
                Way::Down => capture.settle(key, comment.map(str::to_owned)),
            }
        }
    }

    /// A packet has reached its server.
    pub(crate) fn arrived(&mut self, key: PacketKey) {
        if let Some(capture) = &mut self.capture {
            capture.arrived(key);
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
