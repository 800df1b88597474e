//! The load: publishers and a subscriber on plain sockets, in one thread. It is
//! to cost less than any broker, so packets are encoded once and patched.

use bytes::Bytes;
use hdrhistogram::Histogram;
use squall_broker::wire::{
    Ack, Connect, Decoder, Delivery, Packet, PacketId, Properties, Publish, Qos, Sender, Subscribe,
    Subscription, Text, TopicFilter, TopicName, Version,
};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::str::FromStr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, sleep_until, timeout};

/// Clients that publish.
pub(crate) const PUBLISHERS: u32 = 100;

/// Bytes of each payload. It begins with what it is known by: its publisher, its
/// number, and when it was sent.
pub(crate) const PAYLOAD_BYTES: usize = 100;

/// Messages of one publisher that are not yet acknowledged or not yet received.
pub(crate) const UNDER_WAY: u64 = 10;

/// Read at once, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// How long what is under way may take to arrive in the end.
const DRAIN: Duration = Duration::from_secs(5);

/// How much, of what, for how long.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Of publishers and subscriber.
    pub(crate) qos: u8,
    /// How long is published.
    pub(crate) time: Duration,
    /// Messages a second of all publishers together; `None` for as many as the
    /// broker takes.
    pub(crate) per_second: Option<u32>,
}

/// What a load came to. As text: its figures on a line.
pub(crate) struct Measured {
    /// Messages that arrived.
    pub(crate) received: u64,
    /// How long they were published for, in seconds.
    pub(crate) seconds: f64,
    /// Messages that never arrived.
    pub(crate) lost: u64,
    /// From the publisher's write to the subscriber's read, in milliseconds.
    pub(crate) p50_ms: f64,
    /// The same at the 99th percentile.
    pub(crate) p99_ms: f64,
    /// The broker's processor time per message, in microseconds.
    pub(crate) processor_us: f64,
}

impl Measured {
    pub(crate) fn per_second(&self) -> f64 {
        self.received as f64 / self.seconds
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            received,
            seconds,
            lost,
            p50_ms,
            p99_ms,
            ..
        } = self;
        write!(f, "{received} {seconds} {lost} {p50_ms} {p99_ms}")
    }
}

impl FromStr for Measured {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = text.split_whitespace().map(str::parse);
        let figures = words.collect::<Result<Vec<f64>, _>>();
        let [received, seconds, lost, p50_ms, p99_ms] = figures
            .map_err(|error| format!("{error}: {text}"))?
            .try_into()
            .map_err(|figures| format!("five figures: {figures:?}"))?;
        Ok(Self {
            received: received as u64,
            seconds,
            lost: lost as u64,
            p50_ms,
            p99_ms,
            processor_us: f64::NAN,
        })
    }
}

/// What publishers and subscriber know of each other.
struct Shared {
    load: Load,
    start: Instant,
    publishing: Cell<bool>,
    lanes: Vec<Lane>,
    latencies: RefCell<Histogram<u64>>,
    received: Cell<u64>,
    lost: Cell<u64>,
}

/// One publisher's messages: how many have come how far.
#[derive(Default)]
struct Lane {
    published: Cell<u64>,
    acknowledged: Cell<u64>,
    received: Cell<u64>,
    /// Something has been received, or the time is over.
    news: Notify,
}

impl Load {
    /// Puts a broker under this load.
    pub(crate) fn run(self, address: SocketAddr) -> Measured {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        LocalSet::new().block_on(&runtime, self.measure(address))
    }

    fn qos(self) -> Qos {
        match self.qos {
            0 => Qos::AtMostOnce,
            1 => Qos::AtLeastOnce,
            _ => Qos::ExactlyOnce,
        }
    }

    async fn measure(self, address: SocketAddr) -> Measured {
        let mut publishers = Vec::new();
        for number in 0..PUBLISHERS {
            publishers.push(open(address, format!("publisher-{number}")).await);
        }
        let mut subscriber = open(address, "subscriber".to_owned()).await;
        let filter = subscribe("bench/+".to_owned(), self.qos());
        subscriber.write_all(&filter).await.expect("written");
        subscriber.read_exact(&mut [0; 5]).await.expect("SUBACK");
        let shared = Rc::new(Shared {
            load: self,
            start: Instant::now(),
            publishing: Cell::new(true),
            lanes: (0..PUBLISHERS).map(|_| Lane::default()).collect(),
            latencies: RefCell::new(Histogram::new(3).expect("three digits")),
            received: Cell::new(0),
            lost: Cell::new(0),
        });
        let receiving = spawn_local(receive(Rc::clone(&shared), subscriber));
        let tasks: Vec<_> = (0..PUBLISHERS)
            .zip(publishers)
            .map(|(number, stream)| spawn_local(send(Rc::clone(&shared), number, stream)))
            .collect();
        sleep(self.time).await;
        let seconds = shared.start.elapsed().as_secs_f64();
        let received = shared.received.get();
        shared.publishing.set(false);
        shared.lanes.iter().for_each(|lane| lane.news.notify_one());
        let all = async {
            for task in tasks {
                task.await.expect("it goes on");
            }
        };
        // What has not arrived by then is lost.
        let _ = timeout(DRAIN, all).await;
        receiving.abort();
        let missing = shared
            .lanes
            .iter()
            .map(|lane| lane.published.get() - lane.received.get());
        let latencies = shared.latencies.borrow();
        let at = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e6;
        Measured {
            received,
            seconds,
            lost: shared.lost.get() + missing.sum::<u64>(),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            processor_us: f64::NAN,
        }
    }
}

/// Connects, and returns once the broker has agreed.
async fn open(address: SocketAddr, client_id: String) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.set_nodelay(true).expect("set");
    let connect = connect(client_id, true);
    stream.write_all(&connect).await.expect("written");
    stream.read_exact(&mut [0; 4]).await.expect("CONNACK");
    stream
}

/// One publisher, until all of its messages have arrived.
async fn send(shared: Rc<Shared>, number: u32, mut stream: TcpStream) {
    let lane = &shared.lanes[number as usize];
    let qos = shared.load.qos();
    let mut template = publish(format!("bench/{number:03}"), qos);
    let payload = template.len() - PAYLOAD_BYTES;
    template[payload..payload + 4].copy_from_slice(&number.to_be_bytes());
    let mut decoder = Decoder::new(Version::V3_1_1, Sender::Server, usize::MAX);
    let (mut bytes, mut input) = (Vec::new(), vec![0; READ_BYTES]);
    loop {
        let published = lane.published.get();
        let behind = lane.received.get().min(match qos {
            Qos::AtMostOnce => u64::MAX,
            Qos::AtLeastOnce | Qos::ExactlyOnce => lane.acknowledged.get(),
        });
        let publishing = shared.publishing.get();
        if !publishing && behind == published {
            return;
        }
        let until = match (publishing, shared.load.per_second) {
            (false, _) => published,
            (true, None) => behind + UNDER_WAY,
            (true, Some(per_second)) => shared.due(number, per_second),
        };
        let now = (shared.start.elapsed().as_nanos() as u64).to_be_bytes();
        let next = shared
            .load
            .per_second
            .map(|per_second| shared.due_at(number, per_second, until));
        for message in published..until {
            let id = (message % 65_535) as u16 + 1;
            if qos != Qos::AtMostOnce {
                template[payload - 2..payload].copy_from_slice(&id.to_be_bytes());
            }
            template[payload + 4..payload + 12].copy_from_slice(&message.to_be_bytes());
            template[payload + 12..payload + 20].copy_from_slice(&now);
            bytes.extend_from_slice(&template);
        }
        lane.published.set(published.max(until));
        if !bytes.is_empty() {
            stream.write_all(&bytes).await.expect("written");
            bytes.clear();
        }
        tokio::select! {
            biased;
            read = stream.read(&mut input) => {
                let length = read.expect("not reset");
                assert!(length > 0, "the broker ended the connection");
                for packet in Packets(&mut decoder, &input[..length]) {
                    match packet {
                        Packet::PubAck(_) | Packet::PubComp(_) => {
                            lane.acknowledged.set(lane.acknowledged.get() + 1);
                        }
                        Packet::PubRec(ack) => Packet::PubRel(ack).encode(Version::V3_1_1, &mut bytes),
                        other => panic!("{other:?} to a publisher"),
                    }
                }
            }
            () = lane.news.notified() => {}
            () = wait(next), if publishing => {}
        }
    }
}

/// The subscriber: acknowledges, and counts.
async fn receive(shared: Rc<Shared>, mut stream: TcpStream) {
    let mut decoder = Decoder::new(Version::V3_1_1, Sender::Server, usize::MAX);
    let (mut bytes, mut input) = (Vec::new(), vec![0; READ_BYTES]);
    loop {
        let length = stream.read(&mut input).await.expect("not reset");
        assert!(length > 0, "the broker ended the connection");
        let now = shared.start.elapsed().as_nanos() as u64;
        for packet in Packets(&mut decoder, &input[..length]) {
            let answer = match packet {
                Packet::Publish(publish) => {
                    shared.received(&publish.payload, now);
                    match publish.delivery {
                        Delivery::AtMostOnce => continue,
                        Delivery::AtLeastOnce(id) => Packet::PubAck(Ack::new(id)),
                        Delivery::ExactlyOnce(id) => Packet::PubRec(Ack::new(id)),
                    }
                }
                Packet::PubRel(ack) => Packet::PubComp(ack),
                other => panic!("{other:?} to a subscriber"),
            };
            answer.encode(Version::V3_1_1, &mut bytes);
        }
        stream.write_all(&bytes).await.expect("written");
        bytes.clear();
    }
}

/// Waits until a time, or for ever.
async fn wait(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until.into()).await,
        None => std::future::pending().await,
    }
}

impl Shared {
    /// How many messages a paced publisher is to have sent by now. They take
    /// turns.
    fn due(&self, number: u32, per_second: u32) -> u64 {
        let all = self.start.elapsed().as_secs_f64() * f64::from(per_second);
        ((all + f64::from(number)) / f64::from(PUBLISHERS)) as u64
    }

    /// When the one after as many is due.
    fn due_at(&self, number: u32, per_second: u32, sent: u64) -> Instant {
        let all = (sent + 1) * u64::from(PUBLISHERS) - u64::from(number);
        self.start + Duration::from_secs_f64(all as f64 / f64::from(per_second))
    }

    /// Takes note of a message that arrived. Messages of one publisher arrive in
    /// order [MQTT311-4.6.0-6]: what a number skips is lost.
    fn received(&self, payload: &[u8], now: u64) {
        let word = |at: usize| {
            let bytes = payload[at..at + 8].try_into().expect("eight bytes");
            u64::from_be_bytes(bytes)
        };
        let publisher = payload[..4].try_into().expect("four bytes");
        let lane = &self.lanes[u32::from_be_bytes(publisher) as usize];
        let (number, sent) = (word(4), word(12));
        let expected = lane.received.get();
        assert!(number >= expected, "message {number} came twice, or late");
        self.lost.set(self.lost.get() + number - expected);
        lane.received.set(number + 1);
        self.received.set(self.received.get() + 1);
        let mut latencies = self.latencies.borrow_mut();
        latencies.record(now - sent).expect("it grows as needed");
        lane.news.notify_one();
    }
}

/// The packets that are whole, with some more bytes.
struct Packets<'a>(&'a mut Decoder, &'a [u8]);

impl Iterator for Packets<'_> {
    type Item = Packet;

    fn next(&mut self) -> Option<Packet> {
        self.0.decode(&mut self.1).expect("a packet")
    }
}

fn encoded(packet: &Packet) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(Version::V3_1_1, &mut bytes);
    bytes
}

/// A CONNECT without keep-alive.
pub(crate) fn connect(client_id: String, clean_session: bool) -> Vec<u8> {
    encoded(&Packet::Connect(Box::new(Connect {
        clean_session,
        client_id: Text::new(client_id).expect("well-formed"),
        ..Connect::default()
    })))
}

/// A SUBSCRIBE for one filter.
pub(crate) fn subscribe(filter: String, qos: Qos) -> Vec<u8> {
    let filter = TopicFilter::new(filter).expect("a filter");
    encoded(&Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        subscriptions: vec![Subscription::new(filter, qos)],
        properties: Properties::NONE,
    }))
}

/// A PUBLISH of a payload of zeros, which ends the packet; before it stands the
/// packet identifier, if any.
pub(crate) fn publish(topic: String, qos: Qos) -> Vec<u8> {
    encoded(&Packet::Publish(Publish {
        dup: false,
        delivery: match qos {
            Qos::AtMostOnce => Delivery::AtMostOnce,
            Qos::AtLeastOnce => Delivery::AtLeastOnce(PacketId::MIN),
            Qos::ExactlyOnce => Delivery::ExactlyOnce(PacketId::MIN),
        },
        retain: false,
        topic: TopicName::new(topic).expect("a topic"),
        properties: Properties::NONE,
        payload: Bytes::from_static(&[0; PAYLOAD_BYTES]),
    }))
}

/// A DISCONNECT.
pub(crate) fn disconnect() -> Vec<u8> {
    vec![0xe0, 0]
}
