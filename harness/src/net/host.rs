//! What runs on a turmoil host: a network card, its end of the tunnel and, at a
//! site, the access links of its devices.
//!
//! Time is exact across hosts as long as no link is faster than a tick: a
//! packet enters the tunnel at the end of the tick before the one it is due in,
//! with all others of that tick, carries its due time, and waits at the other
//! end for it. What a server sends crosses the access link at the site, and so
//! is due later than the tick it was sent in, too.

use super::access::{Access, Air};
use super::account::SendAccount;
use super::address;
use super::connection::Flow;
use super::link::Loss;
use super::nic::Nic;
use super::power::Power;
use super::segment::Segment;
use super::tap::{PacketKey, Tap, Way};
use super::time::{Clock, MILLISECOND, Nanos};
use super::tunnel::{Frame, Tunnel};
use crate::faults::{OneWay, Sent, Surgeon};
use parking_lot::Mutex;
use squall_reports::Layer;
use std::io;
use std::net::Ipv4Addr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use tokio::time::{Instant, Sleep, sleep_until};

/// Who is where: servers first, then sites, each a turmoil host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Map {
    /// The names of all hosts.
    pub(crate) hosts: Vec<String>,
    /// How many of them are servers.
    pub(crate) servers: usize,
    /// The fleets in the order of their devices.
    pub(crate) fleets: Vec<Place>,
}

/// Where the devices of a fleet are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) first_device: u32,
    pub(crate) site: usize,
    /// Receive window, in bytes, of both ends of their connections.
    pub(crate) window_bytes: u32,
}

impl Map {
    /// The fleet of a device.
    fn fleet_of(&self, device: u32) -> usize {
        let after = self
            .fleets
            .partition_point(|place| place.first_device <= device);
        after.saturating_sub(1)
    }

    /// The fleet of a device, and its site.
    fn place_of(&self, device: u32) -> (usize, usize) {
        let fleet = self.fleet_of(device);
        (fleet, self.fleets[fleet].site)
    }

    /// The receive window of a connection, by the device at one of its ends.
    pub(crate) fn window_of(&self, flow: &Flow) -> u32 {
        let ends = [flow.local, flow.remote];
        let device = ends.iter().find_map(|end| address::device_of(*end.ip()));
        self.fleets[self.fleet_of(device.unwrap_or(0))].window_bytes
    }

    /// The host of a site.
    pub(crate) fn host_of_site(&self, site: usize) -> u16 {
        (self.servers + site) as u16
    }
}

/// turmoil's tick: in each, every host runs once, one after another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tick(pub(crate) Nanos);

impl Tick {
    /// The last moment of the tick that `now` lies in at which a host can act:
    /// tokio's timers are whole milliseconds. What is sent then is with every
    /// other host when the next tick begins.
    fn last_turn(self, now: Nanos) -> Nanos {
        now / self.0 * self.0 + self.0.saturating_sub(MILLISECOND)
    }

    /// One tick before `at`.
    fn before(self, at: Nanos) -> Nanos {
        at.saturating_sub(self.0)
    }

    /// The end of the tick after the one that `now` lies in.
    fn end_of_next(self, now: Nanos) -> Nanos {
        (now / self.0 + 2) * self.0
    }
}

/// What the network parts of one host share.
pub(crate) struct Host {
    pub(crate) index: u16,
    pub(crate) map: Arc<Map>,
    pub(crate) nic: Arc<Nic>,
    pub(crate) tap: Arc<Mutex<Tap>>,
    pub(crate) clock: Clock,
    pub(crate) tick: Tick,
    /// Packets this host has sent.
    pub(crate) number: u32,
    /// Who watches for packets that set off a fault, if any does.
    pub(crate) surgeon: Option<Arc<Mutex<Surgeon>>>,
}

impl Host {
    /// Runs a site's network until the host ends.
    ///
    /// # Errors
    /// What opening the tunnel answers.
    pub(crate) async fn run_site(mut self, mut access: Access) -> io::Result<()> {
        let mut tunnel = Tunnel::open(&self.map.hosts).await?;
        let mut timer = pin!(sleep_until(Instant::now()));
        let mut landed = Vec::new();
        let (nic, tap, tick) = (Arc::clone(&self.nic), Arc::clone(&self.tap), self.tick);
        loop {
            let now = self.clock.now();
            // A packet enters the tunnel in the tick before the one it is due in.
            let rising = access.rising.next();
            let rising = rising.map(|at| tick.last_turn(now.max(tick.before(at))));
            let due = [rising, access.falling.next(), nic.next_timer()];
            let readable = self.wait(&tunnel, timer.as_mut(), due).await?;
            let now = self.clock.now();
            let mut tap = tap.lock();
            if readable {
                tunnel.receive(|frame| {
                    if let Some(device) = destination(&frame.packet).and_then(address::device_of) {
                        if self.is_cut_off(device, &frame, &mut tap) {
                            return;
                        }
                        // What becomes of it, the tap knows.
                        let _ = access.offer(Way::Down, device, frame.key, frame.packet, &mut tap);
                    }
                });
            }
            landed.extend(std::iter::from_fn(|| access.falling.land(now)));
            nic.turn(now, landed.drain(..), |account, packet| {
                if let Some((key, device)) = self.sent(Way::Up, now, account, &packet, &mut tap) {
                    let _ = access.offer(Way::Up, device, key, packet.into(), &mut tap);
                }
            });
            drop(tap);
            if now >= tick.last_turn(now) {
                while let Some(risen) = access.rising.land(tick.end_of_next(now)) {
                    if let Some(server) = destination(&risen.packet).and_then(address::server_of) {
                        tunnel.push(server, risen.at, risen.key, &risen.packet);
                    }
                }
                tunnel.flush();
            }
        }
    }

    /// Runs a server's network until the host ends. While the server has no
    /// power, what comes is lost; with each restart its card has forgotten every
    /// connection.
    ///
    /// # Errors
    /// What opening the tunnel answers.
    pub(crate) async fn run_server(mut self, power: Arc<Power>) -> io::Result<()> {
        let mut tunnel = Tunnel::open(&self.map.hosts).await?;
        let mut timer = pin!(sleep_until(Instant::now()));
        let mut arriving = Air::default();
        let mut landed = Vec::new();
        let (nic, tap, tick) = (Arc::clone(&self.nic), Arc::clone(&self.tap), self.tick);
        let local = address::of_server(self.index);
        let mut changes = 0;
        loop {
            let last_turn = tick.last_turn(self.clock.now());
            let flush = (!tunnel.is_flushed()).then_some(last_turn);
            let due = [arriving.next(), nic.next_timer(), flush];
            if self.wait(&tunnel, timer.as_mut(), due).await? {
                tunnel.receive(|frame| arriving.launch(frame.due, frame.key, frame.packet));
            }
            let now = self.clock.now();
            if power.changes() != changes {
                changes = power.changes();
                nic.cut_power(local);
                if power.is_on() {
                    nic.restore_power(local);
                }
            }
            let mut tap = tap.lock();
            while let Some(packet) = arriving.land(now) {
                if power.is_on() {
                    tap.arrived(packet.key);
                    landed.push(packet);
                } else if let Some(device) = source(&packet.packet).and_then(address::device_of) {
                    let (_, site) = self.map.place_of(device);
                    tap.lost(Way::Up, site, packet.key, Loss::ServerDown);
                }
            }
            nic.turn(now, landed.drain(..), |account, packet| {
                // The power may be cut at any packet.
                if power.changes() == changes
                    && let Some((key, device)) =
                        self.sent(Way::Down, now, account, &packet, &mut tap)
                {
                    let (_, site) = self.map.place_of(device);
                    tunnel.push(self.map.host_of_site(site), key.at, key, &packet);
                }
            });
            drop(tap);
            if now >= tick.last_turn(now) {
                tunnel.flush();
            }
        }
    }

    /// Whether a packet from the server comes on a connection that a surgical
    /// fault has cut; the tap then knows. The fault may have been set off here,
    /// after the server had run its tick.
    fn is_cut_off(&self, device: u32, frame: &Frame, tap: &mut Tap) -> bool {
        let Some(surgeon) = &self.surgeon else {
            return false;
        };
        let stopped = Segment::parse(&frame.packet).and_then(|segment| {
            let flow = flow_of(Way::Down, device, &segment);
            surgeon.lock().stops(flow, frame.key)
        });
        if let Some((cause, by)) = stopped {
            let (_, site) = self.map.place_of(device);
            tap.tallies.lose(by);
            tap.lost(Way::Down, site, frame.key, cause);
        }
        stopped.is_some()
    }

    /// Waits for the card, the tunnel, or the earliest of what is due; says
    /// whether it was the tunnel.
    async fn wait(
        &self,
        tunnel: &Tunnel,
        mut timer: Pin<&mut Sleep>,
        due: [Option<Nanos>; 3],
    ) -> io::Result<bool> {
        let due = due.into_iter().flatten().min();
        if let Some(at) = due {
            let at = self.clock.instant(at);
            // Setting a timer costs more than all else here, and most turns
            // leave the earliest time as it was.
            if timer.is_elapsed() || timer.deadline() != at {
                timer.as_mut().reset(at);
            }
        }
        tokio::select! {
            biased;
            () = self.nic.wait() => Ok(false),
            readable = tunnel.readable() => readable.map(|()| true),
            () = timer, if due.is_some() => Ok(false),
        }
    }

    /// Counts a packet that this host sends, and names it and its device.
    fn sent(
        &mut self,
        way: Way,
        now: Nanos,
        account: Option<&mut SendAccount>,
        packet: &[u8],
        tap: &mut Tap,
    ) -> Option<(PacketKey, u32)> {
        let segment = Segment::parse(packet)?;
        let device = address::device_of(match way {
            Way::Up => *segment.source.ip(),
            Way::Down => *segment.destination.ip(),
        })?;
        let (fleet, site) = self.map.place_of(device);
        let key = PacketKey {
            at: now,
            host: self.index,
            number: self.number,
        };
        self.number += 1;
        let mut marks = Vec::new();
        let watched = self.surgeon.is_some();
        tap.sent(way, fleet, site, key, packet, |layers| match account {
            Some(account) if watched => {
                account.count(&segment, packet, layers, |mark| marks.push(mark));
            }
            Some(account) => account.count(&segment, packet, layers, |_| {}),
            // Only the RST for a segment that nobody owns has no account.
            None => layers[Layer::TcpHandshake] += packet.len() as u64,
        });
        if let Some(surgeon) = &self.surgeon {
            let sent = Sent {
                flow: flow_of(way, device, &segment),
                fleet,
                key,
                seq: segment.seq,
                payload_bytes: segment.payload_bytes,
            };
            if let Some((cause, by)) = surgeon.lock().sees(&sent, &marks) {
                tap.tallies.lose(by);
                tap.lost(way, site, key, cause);
                return None;
            }
        }
        Some((key, device))
    }
}

/// The direction of a connection that a packet is of.
fn flow_of(way: Way, device: u32, segment: &Segment) -> OneWay {
    let end = match way {
        Way::Up => segment.source,
        Way::Down => segment.destination,
    };
    OneWay {
        way,
        device,
        port: end.port(),
    }
}

/// The source address of an IPv4 packet.
fn source(packet: &[u8]) -> Option<Ipv4Addr> {
    let address: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    Some(address.into())
}

/// The destination address of an IPv4 packet.
fn destination(packet: &[u8]) -> Option<Ipv4Addr> {
    let address: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    Some(address.into())
}
