//! The access links of a site's devices, and the packets under way on them.
//!
//! Both directions of a device's link are modelled here, at the site, whichever
//! end sent: going up, a packet crosses the access link and then the tunnel to
//! the server; coming down, it crosses the tunnel first. So a partition between
//! site and server cuts both ways, and a site without power loses what is on
//! the air.

use super::link::{Fate, Lane, Loss, Strain};
use super::tap::{PacketKey, Passage, Tap, Way};
use super::time::Nanos;
use crate::faults::{Crossing, LinkWeather};
use crate::random;
use crate::scenario::{Direction, LinkSpec};
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Packets on the air, the next to arrive first.
#[derive(Default)]
pub(crate) struct Air {
    packets: BinaryHeap<Reverse<OnAir>>,
    launched: u64,
}

/// A packet on the air, ordered by arrival, and by launch among those that
/// arrive together.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OnAir {
    pub(crate) at: Nanos,
    launch: u64,
    pub(crate) key: PacketKey,
    pub(crate) packet: Bytes,
}

impl AsRef<[u8]> for OnAir {
    fn as_ref(&self) -> &[u8] {
        &self.packet
    }
}

impl Air {
    /// Has the packet `key` arrive at `at`.
    pub(crate) fn launch(&mut self, at: Nanos, key: PacketKey, packet: Bytes) {
        let on_air = OnAir {
            at,
            launch: self.launched,
            key,
            packet,
        };
        self.packets.push(Reverse(on_air));
        self.launched += 1;
    }

    /// When the next packet arrives.
    pub(crate) fn next(&self) -> Option<Nanos> {
        self.packets.peek().map(|Reverse(next)| next.at)
    }

    /// The next packet that has arrived by `now`.
    pub(crate) fn land(&mut self, now: Nanos) -> Option<OnAir> {
        if self.next()? > now {
            return None;
        }
        self.packets.pop().map(|Reverse(landed)| landed)
    }
}

/// The access links of one site.
pub(crate) struct Access {
    site: usize,
    seed: u64,
    up: Arc<Direction>,
    down: Arc<Direction>,
    lanes: FxHashMap<u32, Lanes>,
    weather: Option<Box<LinkWeather>>,
    /// Going up: their arrival at the server's end of the access link.
    pub(crate) rising: Air,
    /// Coming down: their arrival at the device.
    pub(crate) falling: Air,
}

/// When a packet goes on that crosses between site and server.
fn settle(crossing: Crossing, passage: &mut Passage, tap: &mut Tap) -> Result<Nanos, Loss> {
    match crossing {
        Crossing::At(at, held_by) => {
            if let Some(by) = held_by {
                passage.held = true;
                tap.tallies.touch(by);
            }
            Ok(at)
        }
        Crossing::Lost(cause, by) => {
            tap.tallies.lose(by);
            Err(cause)
        }
    }
}

struct Lanes {
    up: Lane,
    down: Lane,
}

impl Access {
    /// The links of `site`, under `weather` if any fault ever strikes them.
    pub(crate) fn new(
        site: usize,
        seed: u64,
        link: &LinkSpec,
        weather: Option<LinkWeather>,
    ) -> Access {
        Access {
            weather: weather.map(Box::new),
            site,
            seed,
            up: Arc::new(link.up.clone()),
            down: Arc::new(link.down.clone()),
            lanes: FxHashMap::default(),
            rising: Air::default(),
            falling: Air::default(),
        }
    }

    /// Offers a packet to the link of `device`. `key` says when it was sent.
    /// Says when it arrives at the other end of the link, or why it never does.
    pub(crate) fn offer(
        &mut self,
        way: Way,
        device: u32,
        key: PacketKey,
        packet: Bytes,
        tap: &mut Tap,
    ) -> Result<Nanos, Loss> {
        let mut passage = Passage::default();
        let (mut entered, mut strain) = (key.at, Strain::default());
        if let Some(weather) = &mut self.weather {
            if way == Way::Down {
                let crossing = weather.cross_down(device, &packet, entered);
                entered = settle(crossing, &mut passage, tap)
                    .inspect_err(|cause| tap.lost(way, self.site, key, *cause))?;
            }
            strain = weather.strain(way, device, &packet, entered, &mut tap.tallies);
        }
        let (seed, up, down) = (self.seed, &self.up, &self.down);
        let lanes = self.lanes.entry(device).or_insert_with(|| Lanes {
            up: Lane::new(
                Arc::clone(up),
                random::stream(seed, "link up", device.into()),
            ),
            down: Lane::new(
                Arc::clone(down),
                random::stream(seed, "link down", device.into()),
            ),
        });
        let (lane, air) = match way {
            Way::Up => (&mut lanes.up, &mut self.rising),
            Way::Down => (&mut lanes.down, &mut self.falling),
        };
        let fate = lane.offer(entered, packet.len(), &strain);
        if fate != Fate::Lost(Loss::QueueFull) {
            tap.on_air(way, self.site, lane.airtime(packet.len(), &strain));
        }
        let (mut at, mut again_at) = match fate {
            Fate::Lost(cause) => {
                if let Some((_, by)) = strain.lost.filter(|(lost_by, _)| *lost_by == cause) {
                    tap.tallies.lose(by);
                }
                tap.lost(way, self.site, key, cause);
                return Err(cause);
            }
            Fate::Arrives {
                at,
                again_at,
                held_back,
            } => {
                passage.held_back = held_back;
                (at, again_at)
            }
        };
        if let Some(weather) = &self.weather {
            let mut leave = |left| {
                let crossing = weather.leave(way, device, &packet, (entered, left));
                settle(crossing, &mut passage, tap)
            };
            // Copies share their link, and one that is cut off may come after
            // one that is not.
            again_at = again_at.and_then(|left| leave(left).ok());
            at = leave(at).inspect_err(|cause| tap.lost(way, self.site, key, *cause))?;
        }
        passage.duplicated = again_at.is_some();
        tap.passed(way, self.site, key, passage);
        if let Some(again_at) = again_at {
            air.launch(again_at, key, packet.clone());
        }
        air.launch(at, key, packet);
        Ok(at)
    }
}
