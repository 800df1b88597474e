//! The shim over in-memory streams, on tokio's paused clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use squall_broker::wire::{
    ConnAck, Connect, Decoder, Delivery, Packet, PacketId, Properties, Publish, Qos, ReasonCode,
    Sender, Subscribe, Subscription, Text, TopicFilter, TopicName, Version, Will,
};
use squall_broker::{
    Batch, CloseReason, Config, ConnId, DropCause, Message, Observer, Server, Store, Syncing,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// Longer than anything here takes in virtual time.
const EVER: Duration = Duration::from_secs(1_000_000);

struct Client {
    stream: DuplexStream,
    downlink: Decoder,
    unread: Vec<u8>,
    task: JoinHandle<()>,
}

impl Client {
    /// A stream that holds so many bytes each way.
    fn open(server: &Server, bytes: usize) -> Self {
        let (stream, theirs) = tokio::io::duplex(bytes);
        let task = tokio::spawn(server.serve(theirs));
        let downlink = Decoder::new(Version::V3_1_1, Sender::Server, usize::MAX);
        Self {
            stream,
            downlink,
            unread: Vec::new(),
            task,
        }
    }

    async fn connect(server: &Server, bytes: usize, connect: Connect) -> Self {
        let mut client = Self::open(server, bytes);
        client.send(&Packet::Connect(Box::new(connect))).await;
        let packet = client.next().await;
        assert!(
            matches!(
                packet,
                Some(Packet::ConnAck(ConnAck {
                    code: ReasonCode::Success,
                    ..
                }))
            ),
            "{packet:?}"
        );
        client
    }

    async fn send(&mut self, packet: &Packet) {
        let mut bytes = Vec::new();
        packet.encode(Version::V3_1_1, &mut bytes);
        self.stream.write_all(&bytes).await.expect("open");
    }

    async fn subscribe(&mut self, filter: &'static str, qos: Qos) {
        let filter = TopicFilter::new(filter).expect("a filter");
        let subscriptions = vec![Subscription::new(filter, qos)];
        self.send(&Packet::Subscribe(Subscribe {
            packet_id: PacketId::MIN,
            subscriptions,
            properties: Properties::NONE,
        }))
        .await;
        assert!(matches!(self.next().await, Some(Packet::SubAck(_))));
    }

    /// The next packet; `None` at the stream's end.
    async fn next(&mut self) -> Option<Packet> {
        loop {
            let mut input = &self.unread[..];
            let packet = self.downlink.decode(&mut input).expect("well-formed");
            self.unread = input.to_vec();
            if packet.is_some() {
                return packet;
            }
            let mut bytes = [0; 1024];
            let read = timeout(EVER, self.stream.read(&mut bytes))
                .await
                .expect("something");
            match read {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.unread = bytes[..count].to_vec(),
            }
        }
    }
}

#[derive(Clone, Default)]
struct Seen {
    closed: Arc<Mutex<Vec<CloseReason>>>,
    dropped: Arc<Mutex<usize>>,
}

impl Observer for Seen {
    fn closed(&mut self, _: Duration, _: ConnId, reason: &CloseReason) {
        self.closed.lock().expect("no panic").push(reason.clone());
    }
    fn dropped(&mut self, _: Duration, _: &str, _: &Message, cause: DropCause) {
        assert_eq!(cause, DropCause::SlowSubscriber);
        *self.dropped.lock().expect("no panic") += 1;
    }
}

fn start(config: Config) -> (Server, Seen) {
    let seen = Seen::default();
    let server = Server::new(config, Some(Box::new(seen.clone())));
    let timers = server.clone();
    tokio::spawn(async move { timers.run_timers().await });
    (server, seen)
}

fn clean(client_id: &'static str) -> Connect {
    let client_id = Text::new(client_id).expect("well-formed");
    Connect {
        clean_session: true,
        client_id,
        ..Connect::default()
    }
}

fn publish(topic: &'static str, payload: impl Into<Bytes>, delivery: Delivery) -> Packet {
    let topic = TopicName::new(topic).expect("a topic");
    let payload = payload.into();
    Packet::Publish(Publish {
        dup: false,
        delivery,
        retain: false,
        topic,
        properties: Properties::NONE,
        payload,
    })
}

/// A simulator's hosts may move between threads.
#[test]
fn the_futures_are_send() {
    fn check<T: Send>(_: &T) {}
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let server = Server::new(Config::default(), None);
    check(&server);
    check(&server.run_timers());
    check(&server.serve(tokio::io::duplex(1).0));
}

/// [MQTT311-3.1.2-24]
#[tokio::test(start_paused = true)]
async fn silence_is_noticed_at_one_and_a_half_times_the_keep_alive() {
    let (server, seen) = start(Config::default());
    let mut watcher = Client::connect(&server, 1024, clean("watcher")).await;
    watcher.subscribe("gone", Qos::AtMostOnce).await;
    let topic = TopicName::new("gone").expect("a topic");
    let message = Bytes::from_static(b"!");
    let will = Some(Will {
        topic,
        message,
        qos: Qos::AtMostOnce,
        retain: false,
        properties: Properties::NONE,
    });
    // A later, shorter deadline must not wait for an earlier, longer one.
    let _patient = Client::connect(
        &server,
        1024,
        Connect {
            keep_alive_s: 600,
            ..clean("b")
        },
    )
    .await;
    let connect = Connect {
        keep_alive_s: 10,
        will,
        ..clean("c")
    };
    let mut client = Client::connect(&server, 1024, connect).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    client.send(&Packet::PingReq).await;
    assert_eq!(client.next().await, Some(Packet::PingResp));
    let before = Instant::now();
    assert_eq!(client.next().await, None);
    // tokio's timer counts whole milliseconds.
    let silent = before.elapsed();
    assert!(
        (15_000..=15_001).contains(&silent.as_millis()),
        "{silent:?}"
    );
    assert_eq!(
        watcher.next().await,
        Some(publish("gone", "!", Delivery::AtMostOnce))
    );
    assert_eq!(
        *seen.closed.lock().expect("no panic"),
        [CloseReason::KeepAliveExpired]
    );
    client.task.await.expect("ended");
}

#[tokio::test(start_paused = true)]
async fn a_connect_must_come_in_time() {
    let (server, seen) = start(Config::default());
    let before = Instant::now();
    let mut client = Client::open(&server, 1024);
    assert_eq!(client.next().await, None);
    let silent = before.elapsed();
    assert!(
        (10_000..=10_001).contains(&silent.as_millis()),
        "{silent:?}"
    );
    assert_eq!(
        *seen.closed.lock().expect("no panic"),
        [CloseReason::ConnectTimeout]
    );
}

/// Through streams that hold a single byte, in both directions at once.
#[tokio::test(start_paused = true)]
async fn every_byte_arrives_through_the_narrowest_stream() {
    let (server, _) = start(Config::default());
    let mut client = Client::connect(&server, 1, clean("c")).await;
    client.subscribe("t", Qos::AtLeastOnce).await;
    for size in [0, 1, 100, 10_000] {
        let delivery = Delivery::AtLeastOnce(PacketId::MAX);
        client.send(&publish("t", vec![7; size], delivery)).await;
        let Some(Packet::Publish(got)) = client.next().await else {
            panic!("expected the message");
        };
        assert_eq!(
            (got.topic.as_str(), &got.payload[..]),
            ("t", &vec![7; size][..])
        );
        assert!(matches!(client.next().await, Some(Packet::PubAck(_))));
        let packet_id = got.packet_id().expect("QoS 1");
        client
            .send(&Packet::PubAck(squall_broker::wire::Ack::new(packet_id)))
            .await;
    }
}

/// [MQTT311-3.1.4-2]
#[tokio::test(start_paused = true)]
async fn a_takeover_closes_the_old_stream_even_if_it_is_stuck() {
    let (server, seen) = start(Config::default());
    let mut old = Client::connect(&server, 64, clean("c")).await;
    old.subscribe("t", Qos::AtMostOnce).await;
    // It is in the middle of a message that its peer does not take.
    let mut publisher = Client::connect(&server, 4096, clean("p")).await;
    publisher
        .send(&publish("t", vec![0; 1000], Delivery::AtMostOnce))
        .await;
    publisher.send(&Packet::PingReq).await;
    assert_eq!(publisher.next().await, Some(Packet::PingResp));
    let mut new = Client::connect(&server, 64, clean("c")).await;
    timeout(Duration::from_millis(1), &mut old.task)
        .await
        .expect("at once")
        .expect("ended");
    new.send(&Packet::PingReq).await;
    assert_eq!(new.next().await, Some(Packet::PingResp));
    assert_eq!(
        *seen.closed.lock().expect("no panic"),
        [CloseReason::TakenOver]
    );
}

/// QoS 0 beyond the fill is dropped, QoS 1 arrives, and the publisher's pings
/// are answered without delay.
#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_holds_up_nobody() {
    const MESSAGES: u16 = 500;
    let mut config = Config::default();
    config.limits.outbound_bytes = 1000;
    let (server, seen) = start(config);
    let mut slow = Client::connect(&server, 64, clean("slow")).await;
    slow.subscribe("t/#", Qos::AtLeastOnce).await;
    let mut publisher = Client::connect(&server, 4096, clean("p")).await;
    let before = Instant::now();
    for id in 1..=MESSAGES {
        let id = PacketId::new(id).expect("not zero");
        publisher
            .send(&publish("t/0", vec![0; 50], Delivery::AtMostOnce))
            .await;
        publisher
            .send(&publish("t/1", vec![1; 50], Delivery::AtLeastOnce(id)))
            .await;
        assert!(matches!(publisher.next().await, Some(Packet::PubAck(_))));
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
    let (mut at_qos_0, mut at_qos_1) = (0, 0);
    while at_qos_1 < MESSAGES {
        match slow.next().await {
            Some(Packet::Publish(publish)) => match publish.packet_id() {
                None => at_qos_0 += 1,
                Some(packet_id) => {
                    at_qos_1 += 1;
                    let ack = squall_broker::wire::Ack::new(packet_id);
                    slow.send(&Packet::PubAck(ack)).await;
                }
            },
            other => panic!("unexpected {other:?}"),
        }
    }
    let dropped = *seen.dropped.lock().expect("no panic");
    assert_eq!(at_qos_0 + dropped, usize::from(MESSAGES));
    assert!(at_qos_0 > 0, "some were delivered");
    assert!(dropped > 400, "{dropped} were dropped");
}

/// A client that sends and never reads stops being read from.
#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_is_not_served_for_ever() {
    let mut config = Config::default();
    config.limits.outbound_bytes = 1000;
    let (server, _) = start(config);
    let mut client = Client::connect(&server, 64, clean("c")).await;
    let pings = [0xc0, 0].repeat(1_000_000);
    let sent = timeout(Duration::from_secs(1), client.stream.write_all(&pings)).await;
    assert!(sent.is_err(), "two million bytes were swallowed");
    // It is, as soon as it reads.
    for _ in 0..500 {
        assert_eq!(client.next().await, Some(Packet::PingResp));
    }
}

/// [MQTT311-3.2.2-5]: the answer is written before the stream is closed.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_written_before_the_end() {
    let (server, _) = start(Config::default());
    let mut client = Client::open(&server, 1);
    let connect = Connect {
        clean_session: false,
        ..clean("")
    };
    let mut bytes = Vec::new();
    Packet::Connect(Box::new(connect)).encode(Version::V3_1_1, &mut bytes);
    client.stream.write_all(&bytes).await.expect("open");
    let code = ReasonCode::ClientIdentifierNotValid;
    let refusal = Packet::ConnAck(ConnAck::refused(code));
    assert_eq!(client.next().await, Some(refusal));
    assert_eq!(client.next().await, None);
}

/// A peer that takes nothing does not keep an ended connection.
#[tokio::test(start_paused = true)]
async fn an_ended_connection_lingers_for_its_time_only() {
    let (server, seen) = start(Config::default());
    let mut client = Client::connect(&server, 64, clean("c")).await;
    client.subscribe("t", Qos::AtMostOnce).await;
    client
        .send(&publish("t", vec![0; 30], Delivery::AtMostOnce))
        .await;
    let mut publisher = Client::connect(&server, 4096, clean("p")).await;
    publisher
        .send(&publish("t", vec![0; 1000], Delivery::AtMostOnce))
        .await;
    publisher.send(&Packet::PingReq).await;
    assert_eq!(publisher.next().await, Some(Packet::PingResp));
    let before = Instant::now();
    client.stream.write_all(&[0xc1, 0]).await.expect("open");
    client.task.await.expect("ended");
    let lingered = before.elapsed();
    assert!(
        (5_000..=5_001).contains(&lingered.as_millis()),
        "{lingered:?}"
    );
    assert_eq!(seen.closed.lock().expect("no panic").len(), 1);
}

/// A stream that is dropped, a task that is aborted, a peer that closes: the
/// will is published each time. [MQTT311-3.1.2-8]
#[tokio::test(start_paused = true)]
async fn whoever_ends_the_stream_the_will_is_published() {
    let (server, seen) = start(Config::default());
    let mut watcher = Client::connect(&server, 1024, clean("watcher")).await;
    watcher.subscribe("gone", Qos::AtMostOnce).await;
    for round in 0..3 {
        let topic = TopicName::new("gone").expect("a topic");
        let message = Bytes::from_static(b"!");
        let will = Some(Will {
            topic,
            message,
            qos: Qos::AtMostOnce,
            retain: false,
            properties: Properties::NONE,
        });
        let mut client = Client::connect(&server, 1024, Connect { will, ..clean("c") }).await;
        match round {
            0 => drop(client.stream),
            1 => client.task.abort(),
            _ => client.stream.shutdown().await.expect("open"),
        }
        assert_eq!(
            watcher.next().await,
            Some(publish("gone", "!", Delivery::AtMostOnce))
        );
    }
    assert_eq!(
        *seen.closed.lock().expect("no panic"),
        [const { CloseReason::PeerClosed }; 3]
    );
}

/// A store that takes ten milliseconds to sync, and may fail.
struct SlowStore {
    syncs: Arc<Mutex<u32>>,
    fails: bool,
}

impl Store for SlowStore {
    fn load(&mut self) -> std::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        Ok(Vec::new())
    }
    fn write(&mut self, _: &Batch) -> std::io::Result<()> {
        Ok(())
    }
    fn sync(&mut self) -> Syncing<'_> {
        Box::pin(async {
            sleep(Duration::from_millis(10)).await;
            *self.syncs.lock().expect("no panic") += 1;
            match self.fails {
                true => Err(std::io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            }
        })
    }
}

/// A server with such a store, how often that has synced, and its end.
fn durable(fails: bool) -> (Server, Arc<Mutex<u32>>, JoinHandle<std::io::Error>) {
    let syncs = Arc::<Mutex<u32>>::default();
    let mut store = SlowStore {
        syncs: Arc::clone(&syncs),
        fails,
    };
    let server =
        Server::with_store(Config::default(), None, &mut store, Duration::ZERO).expect("empty");
    let storing = server.clone();
    let task = tokio::spawn(async move { storing.run_store(store).await });
    (server, syncs, task)
}

fn kept(topic: usize) -> Packet {
    Packet::Publish(Publish {
        dup: false,
        delivery: Delivery::AtLeastOnce(PacketId::MIN),
        retain: true,
        topic: TopicName::new(format!("t/{topic}")).expect("a topic"),
        properties: Properties::NONE,
        payload: Bytes::from_static(b"kept"),
    })
}

#[tokio::test(start_paused = true)]
async fn what_changes_during_a_sync_shares_the_next() {
    let (server, syncs, _storing) = durable(false);
    let mut clients = Vec::new();
    for name in ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"] {
        clients.push(Client::connect(&server, 1024, clean(name)).await);
    }
    let start = Instant::now();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(&kept(number)).await;
        // The first is on its way to the store.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }
    for client in &mut clients {
        assert!(matches!(client.next().await, Some(Packet::PubAck(_))));
    }
    assert_eq!(start.elapsed(), Duration::from_millis(20));
    assert_eq!(*syncs.lock().expect("no panic"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_ends_every_connection_and_nothing_is_acknowledged() {
    let (server, _, storing) = durable(true);
    let mut idle = Client::connect(&server, 1024, clean("idle")).await;
    let mut client = Client::connect(&server, 1024, clean("c")).await;
    client.send(&kept(1)).await;
    assert_eq!(client.next().await, None);
    assert_eq!(idle.next().await, None);
    let error = storing.await.expect("no panic");
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    let mut late = Client::open(&server, 1024);
    assert_eq!(late.next().await, None);
}

/// The CONNECT chooses the version, for what is sent as for what is received.
#[tokio::test(start_paused = true)]
async fn both_versions_are_spoken_on_one_listener() {
    let (server, _) = start(Config::default());
    let mut older = Client::connect(&server, 1024, clean("older")).await;
    older.subscribe("t", Qos::AtMostOnce).await;
    let (mut newer, stream) = tokio::io::duplex(1024);
    tokio::spawn(server.serve(stream));
    let sent = [
        &b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01c"[..],
        b"\x32\x08\0\x01t\0\x01\0hi",
        b"\xe0\0",
    ];
    newer.write_all(&sent.concat()).await.expect("open");
    let mut received = Vec::new();
    newer.read_to_end(&mut received).await.expect("closed");
    let expected = [&b"\x20\x06\0\0\x03\x22\0\x10"[..], b"\x40\x02\0\x01"];
    assert_eq!(received, expected.concat());
    let message = publish("t", "hi", Delivery::AtMostOnce);
    assert_eq!(older.next().await, Some(message));
}
