//! One site and one server with a link between them, and what a run of the two
//! left behind.

use crate::net::address::{of_device, of_server};
use crate::net::host::Place;
use crate::net::segment::Segment;
use crate::net::{
    Access, Capture, Clock, Host, MQTT_PORT, Map, Nanos, Nic, Power, Tap, Tick, nanos,
};
use crate::net::{TcpListener, TcpStream};
use crate::random;
use crate::scenario::{CongestionControl, Direction, LinkSpec, NetworkSettings};
use parking_lot::Mutex;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use squall_reports::{Bytes, PacketCounts};
use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub(super) const MS: Nanos = 1_000_000;
pub(super) const SECOND: Nanos = 1_000 * MS;

/// Where the server listens, unless a test says otherwise.
pub(super) fn server_address() -> SocketAddrV4 {
    server_at(MQTT_PORT)
}

fn server_at(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(of_server(0), port)
}

/// One end of the world, as its program sees it.
#[derive(Clone)]
pub(super) struct End {
    pub(super) nic: Arc<Nic>,
    pub(super) clock: Clock,
    pub(super) tap: Arc<Mutex<Tap>>,
}

impl End {
    /// Dials the server as a device.
    pub(super) async fn dial(&self, device: u32) -> io::Result<TcpStream> {
        self.dial_at(MQTT_PORT, device).await
    }

    pub(super) async fn dial_at(&self, port: u16, device: u32) -> io::Result<TcpStream> {
        self.nic.connect(of_device(device), server_at(port)).await
    }

    pub(super) fn listen(&self) -> TcpListener {
        self.listen_at(MQTT_PORT)
    }

    pub(super) fn listen_at(&self, port: u16) -> TcpListener {
        let listener = self.nic.listen(server_at(port));
        listener.expect("nothing listens there yet")
    }
}

/// What a run is made from.
#[derive(Clone)]
pub(super) struct World {
    pub(super) link: LinkSpec,
    pub(super) network: NetworkSettings,
    /// Receive window of both ends; a send buffer is half as large.
    pub(super) window_bytes: u32,
    pub(super) seed: u64,
    /// Virtual time that passes after the client has ended.
    pub(super) drain: Duration,
    /// A client that takes longer than this hangs.
    pub(super) limit: Duration,
    /// The server's.
    pub(super) power: Arc<Power>,
}

impl World {
    /// A world whose link is the same both ways, 50 ms unless the direction
    /// says otherwise, with Linux's limits and a window of 4 KiB.
    pub(super) fn new(direction: Direction) -> World {
        World {
            link: LinkSpec::symmetric(direction),
            network: NetworkSettings {
                tick: Duration::from_millis(10),
                tick_derived: false,
                user_timeout: Duration::from_millis(924_600),
                syn_timeout: Duration::from_secs(127),
                ack_delay: Some(Duration::from_millis(10)),
                nodelay: true,
                congestion: CongestionControl::None,
            },
            window_bytes: 4096,
            seed: 1,
            drain: Duration::from_secs(30),
            limit: Duration::from_secs(600),
            power: Power::new(),
        }
    }

    /// A world without weather: 50 ms each way.
    pub(super) fn ideal() -> World {
        World::new(fifty_ms())
    }

    /// Runs `server` and `client`, each on a host of its own, until the client
    /// has ended and the drain is over.
    pub(super) fn run<S, C, T>(
        &self,
        server: impl FnOnce(End) -> S + Send + 'static,
        client: impl FnOnce(End) -> C + Send + 'static,
    ) -> Outcome<T>
    where
        S: Future<Output = ()> + 'static,
        C: Future<Output = T> + 'static,
        T: 'static,
    {
        let map = Arc::new(Map {
            hosts: vec!["server".to_owned(), "site".to_owned()],
            servers: 1,
            fleets: vec![Place {
                first_device: 0,
                site: 0,
                window_bytes: self.window_bytes,
            }],
        });
        let file = SharedFile::default();
        let capture = Capture::new(Box::new(file.clone()), &map.hosts).expect("memory");
        let tap = Arc::new(Mutex::new(Tap::new(1, 1, Some(capture))));
        let nics = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(Mutex::new(None));
        let mut sim = turmoil::Builder::new()
            .tick_duration(self.network.tick)
            .simulation_duration(Duration::MAX)
            .rng_seed(self.seed)
            .epoch(UNIX_EPOCH)
            .udp_capacity(1 << 16)
            .min_message_latency(Duration::ZERO)
            .max_message_latency(Duration::ZERO)
            .build();
        let on_server = self.program(0, &map, &tap, &nics, Arc::default(), server);
        sim.host("server", on_server);
        let on_site = self.program(1, &map, &tap, &nics, Arc::clone(&answer), client);
        sim.host("site", on_site);

        let mut ended_at = None;
        while ended_at.is_none_or(|at| sim.elapsed() < at + self.drain) {
            sim.step().expect("no host fails");
            tap.lock().advance(nanos(sim.elapsed()));
            if ended_at.is_none() && answer.lock().is_some() {
                ended_at = Some(sim.elapsed());
            }
            let hangs = ended_at.is_none() && sim.elapsed() > self.limit;
            assert!(!hangs, "the client has not ended after {:?}", self.limit);
        }
        let nics = nics.lock();
        let left = [nics[0].connection_count(), nics[1].connection_count()];
        let capture = tap.lock().take_capture().expect("it was there");
        capture.finish().expect("memory");
        let (up, down) = tap.lock().site_counts(0);
        let answer = answer.lock().take().expect("the client has ended");
        let outcome = Outcome {
            answer,
            bytes: *tap.lock().fleet_bytes(0),
            counts: [up, down],
            packets: file.packets(),
            file: file.0.lock().clone(),
            left,
        };
        outcome.check();
        outcome
    }

    /// What turmoil runs on one host: its network and the program of its end.
    fn program<F, T>(
        &self,
        index: u16,
        map: &Arc<Map>,
        tap: &Arc<Mutex<Tap>>,
        nics: &Arc<Mutex<Vec<Arc<Nic>>>>,
        answer: Arc<Mutex<Option<T>>>,
        script: impl FnOnce(End) -> F + Send + 'static,
    ) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = turmoil::Result>>> + 'static
    where
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        let world = self.clone();
        let (map, tap, nics) = (Arc::clone(map), Arc::clone(tap), Arc::clone(nics));
        let script = Mutex::new(Some(script));
        move || {
            let script = script.lock().take().expect("no host is bounced");
            let (world, answer) = (world.clone(), Arc::clone(&answer));
            let (map, tap, nics) = (Arc::clone(&map), Arc::clone(&tap), Arc::clone(&nics));
            Box::pin(async move {
                let mtu = match index {
                    0 => 1500,
                    _ => world.link.up.mtu.min(world.link.down.mtu),
                };
                let random = random::stream(world.seed, "tcp", index.into());
                let settings = Arc::new(world.network.clone());
                let nic = Nic::new(settings, Arc::clone(&map), mtu, random);
                nics.lock().push(Arc::clone(&nic));
                let clock = Clock::start();
                let end = End {
                    nic: Arc::clone(&nic),
                    clock,
                    tap: Arc::clone(&tap),
                };
                let host = Host {
                    index,
                    map,
                    nic,
                    tap,
                    clock,
                    number: 0,
                    surgeon: None,
                    tick: Tick(nanos(world.network.tick)),
                };
                let program = async {
                    let end = script(end).await;
                    *answer.lock() = Some(end);
                    std::future::pending::<()>().await;
                };
                let network = async {
                    match index {
                        0 => host.run_server(Arc::clone(&world.power)).await,
                        _ => {
                            let access = Access::new(0, world.seed, &world.link, None);
                            host.run_site(access).await
                        }
                    }
                };
                tokio::select! {
                    biased;
                    ended = network => Ok(ended?),
                    () = program => Ok(()),
                }
            })
        }
    }
}

pub(super) fn fifty_ms() -> Direction {
    Direction::ideal(Duration::from_millis(50))
}

/// What a run left behind.
pub(super) struct Outcome<T> {
    /// What the client returned.
    pub(super) answer: T,
    pub(super) bytes: Bytes,
    /// Up and down.
    pub(super) counts: [PacketCounts; 2],
    pub(super) packets: Vec<Captured>,
    pub(super) file: Vec<u8>,
    /// Connections left at the server and at the site.
    pub(super) left: [usize; 2],
}

impl<T> Outcome<T> {
    /// What holds in every world: layers, wire and capture tell one story.
    fn check(&self) {
        self.bytes.check().expect("layers add up");
        let mut last = 0;
        for packet in &self.packets {
            assert!(packet.at >= last, "the capture is out of order");
            last = packet.at;
        }
        let on_wire = [self.bytes.on_wire_up, self.bytes.on_wire_down];
        let sent = [self.bytes.packets_up, self.bytes.packets_down];
        for (way, up) in [(0, true), (1, false)] {
            let mine = || self.packets.iter().filter(|packet| packet.up == up);
            assert_eq!(mine().map(|packet| packet.bytes).sum::<u64>(), on_wire[way]);
            assert_eq!(mine().count() as u64, sent[way]);
            assert_eq!(self.counts[way].sent, sent[way]);
            let dropped = mine().filter(|packet| packet.dropped()).count() as u64;
            assert_eq!(dropped, self.counts[way].lost_total());
            let commented = |text: &str| mine().filter(|packet| packet.says(text)).count() as u64;
            assert_eq!(commented("duplicated"), self.counts[way].duplicated);
            assert_eq!(commented("held back"), self.counts[way].reordered);
        }
    }

    /// The packets for which `which` holds, one after another.
    pub(super) fn packets(&self, which: impl Fn(&Captured) -> bool) -> Vec<&Captured> {
        self.packets.iter().filter(|packet| which(packet)).collect()
    }
}

/// One packet of a capture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Captured {
    pub(super) at: Nanos,
    pub(super) up: bool,
    pub(super) bytes: u64,
    pub(super) segment: Segment,
    pub(super) comment: Option<String>,
}

impl Captured {
    pub(super) fn says(&self, text: &str) -> bool {
        self.comment.as_ref().is_some_and(|say| say.contains(text))
    }

    pub(super) fn dropped(&self) -> bool {
        self.says("dropped: ")
    }
}

/// A file in memory that two hold.
#[derive(Clone, Default)]
struct SharedFile(Arc<Mutex<Vec<u8>>>);

impl Write for SharedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SharedFile {
    fn packets(&self) -> Vec<Captured> {
        let bytes = self.0.lock().clone();
        let mut reader = PcapNgReader::new(&bytes[..]).expect("a pcapng file");
        let mut packets = Vec::new();
        while let Some(block) = reader.next_block() {
            let (Block::EnhancedPacket(packet), _) = block.expect("a block") else {
                continue;
            };
            let comment = packet.options.iter().find_map(|option| match option {
                EnhancedPacketOption::Common(CommonOption::Comment(text)) => Some(text.to_string()),
                _ => None,
            });
            packets.push(Captured {
                at: nanos(packet.timestamp),
                up: packet.interface_id == 1,
                bytes: packet.data.len() as u64,
                segment: Segment::parse(&packet.data).expect("a TCP packet"),
                comment,
            });
        }
        packets
    }
}

/// A server that returns to every client what it sends, until its end.
pub(super) async fn echo_server(end: End) {
    let mut listener = end.listen();
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let stream = listener.accept().await;
        connections.spawn(async move {
            let (mut from, mut to) = tokio::io::split(stream);
            // A client that goes away in the middle is its own test's affair.
            if tokio::io::copy(&mut from, &mut to).await.is_ok() {
                to.shutdown().await.ok();
            }
        });
    }
}

/// A server that takes connections and does nothing with them.
pub(super) async fn silent_server(end: End) {
    let mut listener = end.listen();
    let mut held = Vec::new();
    loop {
        held.push(listener.accept().await);
    }
}

/// Bytes that tell where in the stream they stand.
pub(super) fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes as u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

/// Sends `bytes` and reads what comes back, both at once, to the end.
pub(super) async fn echo(
    stream: impl AsyncRead + AsyncWrite,
    bytes: Vec<u8>,
) -> io::Result<Vec<u8>> {
    let (mut from, mut to) = tokio::io::split(stream);
    let send = async {
        to.write_all(&bytes).await?;
        to.shutdown().await
    };
    let mut back = Vec::with_capacity(bytes.len());
    let receive = from.read_to_end(&mut back);
    tokio::try_join!(send, receive)?;
    Ok(back)
}
