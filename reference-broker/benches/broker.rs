//! What the broker costs on one core: nanoseconds for each MQTT packet that goes
//! in or out, decoding and encoding included; the same among 100,000
//! subscriptions that have nothing to do with what is published, which must cost
//! about as much; and memory for each idle connection and stored session.
//!
//! `cargo bench -p squall-broker` prints one table. Each figure is the best of
//! five rounds, since only noise makes a round slower.

use std::collections::VecDeque;
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use squall_broker::wire::{
    Connect, Decoder, Delivery, Packet, PacketId, Properties, Publish, Qos, Sender, Subscribe,
    Subscription, Text, TopicFilter, TopicName, Version,
};
use squall_broker::{Broker, Config, ConnId, Input, Server};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Subscriptions that match nothing of what is published.
const UNRELATED: usize = 100_000;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    // First, and nothing is freed in between: freed memory could be used again
    // unseen.
    let (resident, future, runtime) = idle(50_000);
    writeln!(
        out,
        "idle connection: {resident} bytes resident, {future} of them its future"
    )?;
    let (resident, rig) = sessions(50_000);
    writeln!(
        out,
        "stored session with one subscription: {resident} bytes resident"
    )?;
    drop((runtime, rig));
    writeln!(
        out,
        "{:<52} {:>12} {:>10} {:>22} {:>7}",
        "",
        "messages/s",
        "ns/packet",
        format!("among {UNRELATED} others"),
        "ratio"
    )?;
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
        let name = format!("fan-in, 10,000 publishers to 1, QoS {}", qos as u8);
        line(&mut out, &name, |others| fan_in(qos, 10_000, 30, others))?;
    }
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
        let name = format!("fan-out, 1 publisher to 1,000, QoS {}", qos as u8);
        line(&mut out, &name, |others| fan_out(qos, 1_000, 300, others))?;
    }
    line(
        &mut out,
        "many to many, 1,000 clients, 5 to each topic, QoS 1",
        many_to_many,
    )?;
    line(&mut out, "retained, 10,000 topics, QoS 1", |others| {
        retained(10_000, 30, others)
    })?;
    line(
        &mut out,
        "through the shim: 1,000 publishers to 1, QoS 1",
        |others| shim(1_000, 100, others),
    )?;
    Ok(())
}

/// Deliveries (or, without any, publishes) and packets, and how long they took.
struct Figure {
    messages: u64,
    packets: u64,
    took: Duration,
}

impl Figure {
    fn ns_per_packet(&self) -> f64 {
        self.took.as_nanos() as f64 / self.packets as f64
    }
}

/// Measures without other subscriptions and among many, in turns, and prints the
/// best of each.
fn line(out: &mut impl Write, name: &str, round: impl Fn(usize) -> Figure) -> std::io::Result<()> {
    let rounds: Vec<_> = (0..5).map(|_| (round(0), round(UNRELATED))).collect();
    let best = |of: fn(&(Figure, Figure)) -> &Figure| {
        let figures = rounds.iter().map(of);
        figures.min_by_key(|figure| figure.took)
    };
    let (Some(alone), Some(among)) = (best(|round| &round.0), best(|round| &round.1)) else {
        return Ok(());
    };
    let rate = alone.messages as f64 / alone.took.as_secs_f64();
    let (alone, among) = (alone.ns_per_packet(), among.ns_per_packet());
    let ratio = among / alone;
    writeln!(
        out,
        "{name:<52} {rate:>12.0} {alone:>10.0} {among:>22.0} {ratio:>6.2}x"
    )
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// A broker and clients that acknowledge everything.
struct Rig {
    broker: Broker,
    /// By connection serial: how its bytes are decoded, and what it has to say.
    clients: Vec<Client>,
    packets: u64,
    deliveries: u64,
    wire: Vec<u8>,
    answers: VecDeque<(ConnId, [u8; 4])>,
}

struct Client {
    id: ConnId,
    uplink: Decoder,
}

impl Rig {
    /// A broker with as many connected clients, and one more for `others`
    /// subscriptions.
    fn new(clients: usize, others: usize) -> Self {
        let mut rig = Self {
            broker: Broker::new(Config::default(), None),
            clients: Vec::new(),
            packets: 0,
            deliveries: 0,
            wire: Vec::new(),
            answers: VecDeque::new(),
        };
        for number in 0..clients + usize::from(others > 0) {
            let id = rig.broker.open(Duration::ZERO);
            let uplink = Decoder::new(Version::V3_1_1, Sender::Client, usize::MAX);
            rig.clients.push(Client { id, uplink });
            let client_id = Text::new(format!("client-{number}")).expect("well-formed");
            let connect = Connect {
                clean_session: true,
                client_id,
                ..Connect::default()
            };
            rig.send(number, &Packet::Connect(Box::new(connect)));
        }
        for bytes in subscribe_others(others) {
            rig.bytes(clients, &bytes);
        }
        rig
    }

    fn send(&mut self, client: usize, packet: &Packet) {
        let mut bytes = Vec::new();
        packet.encode(Version::V3_1_1, &mut bytes);
        self.bytes(client, &bytes);
    }

    fn subscribe(&mut self, client: usize, filter: String, qos: Qos) {
        self.bytes(client, &subscribe([filter], qos));
    }

    /// Hands bytes in, and lets every client answer until all is said.
    fn bytes(&mut self, client: usize, bytes: &[u8]) {
        self.input(client, bytes);
        loop {
            while let Some(conn) = self.broker.next_woken() {
                self.output(conn);
            }
            let Some((conn, answer)) = self.answers.pop_front() else {
                return;
            };
            self.input(conn.serial() as usize - 1, &answer);
        }
    }

    fn input(&mut self, client: usize, mut bytes: &[u8]) {
        let client = &mut self.clients[client];
        while let Ok(Some(packet)) = client.uplink.decode(&mut bytes) {
            self.packets += 1;
            self.broker
                .handle(Duration::ZERO, Input::Packet(client.id, packet));
        }
    }

    /// Looks at no more of the broker's packets than an answer needs.
    fn output(&mut self, conn: ConnId) {
        self.wire.clear();
        self.broker.take_output(conn, &mut self.wire);
        self.broker
            .handle(Duration::ZERO, Input::Written(conn, self.wire.len()));
        let mut at = 0;
        while at < self.wire.len() {
            self.packets += 1;
            let (first, length) = (self.wire[at], self.wire[at + 1]);
            assert!(length < 128, "short packets only");
            let body = &self.wire[at + 2..at + 2 + usize::from(length)];
            at += 2 + usize::from(length);
            let topic = || 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
            self.deliveries += u64::from(first >> 4 == 3);
            let (kind, id) = match first & 0xf6 {
                0x32 => (0x40, &body[topic()..topic() + 2]),
                0x34 => (0x50, &body[topic()..topic() + 2]),
                0x50 => (0x62, body),
                0x62 => (0x70, body),
                _ => continue,
            };
            self.answers.push_back((conn, [kind, 2, id[0], id[1]]));
        }
    }

    fn measure(mut self, work: impl FnOnce(&mut Self)) -> Figure {
        (self.packets, self.deliveries) = (0, 0);
        let took = time(|| work(&mut self));
        Figure {
            messages: self.deliveries,
            packets: self.packets,
            took,
        }
    }
}

/// A SUBSCRIBE for some filters.
fn subscribe(filters: impl IntoIterator<Item = String>, qos: Qos) -> Vec<u8> {
    let subscription = |filter| {
        let filter = TopicFilter::new(filter).expect("a filter");
        Subscription::new(filter, qos)
    };
    let mut bytes = Vec::new();
    Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        subscriptions: filters.into_iter().map(subscription).collect(),
        properties: Properties::NONE,
    })
    .encode(Version::V3_1_1, &mut bytes);
    bytes
}

/// SUBSCRIBEs for filters that match nothing of what is published: on topics
/// beside those, below them, and elsewhere.
fn subscribe_others(others: usize) -> impl Iterator<Item = Vec<u8>> {
    let filter = |n: usize| match n % 4 {
        0 => format!("site/{n}/humidity"),
        1 => format!("room/{n}/value/{n}"),
        2 => format!("plant/+/line/{n}/#"),
        _ => format!("plant/{}/line/{n}", n % 100),
    };
    // A SUBACK is then a short packet.
    (0..others)
        .step_by(100)
        .map(move |from| subscribe((from..from + 100).map(filter), Qos::AtLeastOnce))
}

/// A reading of 32 bytes.
fn reading(topic: String, qos: Qos, retain: bool) -> Vec<u8> {
    let delivery = match qos {
        Qos::AtMostOnce => Delivery::AtMostOnce,
        Qos::AtLeastOnce => Delivery::AtLeastOnce(PacketId::MIN),
        Qos::ExactlyOnce => Delivery::ExactlyOnce(PacketId::MIN),
    };
    let topic = TopicName::new(topic).expect("a topic");
    let payload = Bytes::from_static(b"{\"id\":\"0123456789\",\"degC\":21.5}");
    let mut bytes = Vec::new();
    Packet::Publish(Publish {
        dup: false,
        delivery,
        retain,
        topic,
        properties: Properties::NONE,
        payload,
    })
    .encode(Version::V3_1_1, &mut bytes);
    bytes
}

fn fan_in(qos: Qos, publishers: usize, each: usize, others: usize) -> Figure {
    let mut rig = Rig::new(publishers + 1, others);
    rig.subscribe(publishers, "site/+/temperature".to_owned(), qos);
    let readings: Vec<_> = (0..publishers)
        .map(|n| reading(format!("site/{n}/temperature"), qos, false))
        .collect();
    rig.measure(|rig| {
        for _ in 0..each {
            for (publisher, reading) in readings.iter().enumerate() {
                rig.bytes(publisher, reading);
            }
        }
    })
}

fn fan_out(qos: Qos, subscribers: usize, messages: usize, others: usize) -> Figure {
    let mut rig = Rig::new(subscribers + 1, others);
    for subscriber in 0..subscribers {
        rig.subscribe(subscriber, "site/+/temperature".to_owned(), qos);
    }
    let reading = reading("site/1/temperature".to_owned(), qos, false);
    rig.measure(|rig| (0..messages).for_each(|_| rig.bytes(subscribers, &reading)))
}

/// Each of 1,000 clients publishes to topics that five others want.
fn many_to_many(others: usize) -> Figure {
    const CLIENTS: usize = 1_000;
    const TOPICS: usize = CLIENTS / 5;
    let mut rig = Rig::new(CLIENTS, others);
    for client in 0..CLIENTS {
        let filter = format!("room/{}/value", client * 7 % TOPICS);
        rig.subscribe(client, filter, Qos::AtLeastOnce);
    }
    let readings: Vec<_> = (0..TOPICS)
        .map(|topic| reading(format!("room/{topic}/value"), Qos::AtLeastOnce, false))
        .collect();
    rig.measure(|rig| {
        for n in 0..40_000 {
            rig.bytes(n % CLIENTS, &readings[n * 13 % TOPICS]);
        }
    })
}

fn retained(topics: usize, each: usize, others: usize) -> Figure {
    let rig = Rig::new(1, others);
    let readings: Vec<_> = (0..topics)
        .map(|n| reading(format!("site/{n}/temperature"), Qos::AtLeastOnce, true))
        .collect();
    let mut figure = rig.measure(|rig| {
        for _ in 0..each {
            readings.iter().for_each(|reading| rig.bytes(0, reading));
        }
    });
    figure.messages = (topics * each) as u64;
    figure
}

/// A stream that says what it was given, one packet at a time, then stays
/// silent or ends; and swallows what it is told.
struct Script {
    packets: VecDeque<Vec<u8>>,
    ends: bool,
    swallowed: u64,
}

impl Script {
    fn open(packets: VecDeque<Vec<u8>>) -> Self {
        Self {
            packets,
            ends: false,
            swallowed: 0,
        }
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        // Between two packets there is another turn for everybody.
        match self.packets.pop_front() {
            Some(packet) if !packet.is_empty() => {
                self.packets.push_front(Vec::new());
                buffer.put_slice(&packet);
                Poll::Ready(Ok(()))
            }
            Some(_) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            None if self.ends => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.swallowed += bytes.len() as u64;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn connect_bytes(number: usize) -> Vec<u8> {
    let client_id = Text::new(format!("client-{number}")).expect("well-formed");
    let connect = Connect {
        clean_session: true,
        client_id,
        keep_alive_s: 60,
        ..Connect::default()
    };
    let mut bytes = Vec::new();
    Packet::Connect(Box::new(connect)).encode(Version::V3_1_1, &mut bytes);
    bytes
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
}

/// The same as `fan_in`, by tasks and streams. The subscriber takes QoS 0, so
/// that it need not answer.
fn shim(publishers: usize, each: usize, others: usize) -> Figure {
    let runtime = runtime();
    runtime.block_on(async {
        let server = Server::new(Config::default(), None);
        let filter = "site/+/temperature".to_owned();
        let mut packets = VecDeque::from([connect_bytes(publishers)]);
        packets.push_back(subscribe([filter], Qos::AtMostOnce));
        let recorder = tokio::spawn(server.serve(Script::open(packets)));
        let mut packets = VecDeque::from([connect_bytes(publishers + 1)]);
        packets.extend(subscribe_others(others));
        let turns = 2 * packets.len();
        let other = tokio::spawn(server.serve(Script::open(packets)));
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        let tasks: Vec<_> = (0..publishers)
            .map(|n| {
                let mut packets = VecDeque::from([connect_bytes(n)]);
                let reading = reading(format!("site/{n}/temperature"), Qos::AtLeastOnce, false);
                packets.extend(std::iter::repeat_n(reading, each));
                tokio::spawn(server.serve(Script {
                    packets,
                    ends: true,
                    swallowed: 0,
                }))
            })
            .collect();
        #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
        let start = Instant::now();
        for task in tasks {
            task.await.expect("served");
        }
        let took = start.elapsed();
        recorder.abort();
        other.abort();
        let messages = (publishers * each) as u64;
        Figure {
            messages,
            packets: 3 * messages + 2 * publishers as u64,
            took,
        }
    })
}

/// Resident bytes of one connected, idle client with its task, the size of its
/// future, and what all of them live in.
fn idle(connections: usize) -> (usize, usize, tokio::runtime::Runtime) {
    let runtime = runtime();
    let (resident, future) = runtime.block_on(async {
        let server = Server::new(Config::default(), None);
        let scripts: Vec<_> = (0..connections)
            .map(|n| Script::open([connect_bytes(n)].into()))
            .collect();
        let before = resident_bytes();
        let mut future = 0;
        for script in scripts {
            let serve = server.serve(script);
            future = size_of_val(&serve);
            let _: &dyn Future<Output = ()> = &serve;
            tokio::spawn(serve);
        }
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        (
            (resident_bytes().saturating_sub(before)) / connections,
            future,
        )
    });
    (resident, future, runtime)
}

/// Resident bytes of one session whose client is gone, and the broker that has
/// them.
fn sessions(sessions: usize) -> (usize, Rig) {
    let mut rig = Rig::new(0, 0);
    let before = resident_bytes();
    for number in 0..sessions {
        let id = rig.broker.open(Duration::ZERO);
        let uplink = Decoder::new(Version::V3_1_1, Sender::Client, usize::MAX);
        rig.clients.clear();
        rig.clients.push(Client { id, uplink });
        let connect = Connect {
            client_id: Text::new(format!("client-{number}")).expect("well-formed"),
            ..Connect::default()
        };
        rig.send(0, &Packet::Connect(Box::new(connect)));
        rig.subscribe(0, format!("site/{number}/order"), Qos::AtLeastOnce);
        rig.broker.handle(Duration::ZERO, Input::Closed(id));
    }
    let resident = resident_bytes().saturating_sub(before) / sessions;
    (resident, rig)
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}
