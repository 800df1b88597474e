//! Fleets over HTTP against the REST server, in virtual time.

use crate::support::{Log, check, s, thermometer};
use rstest::rstest;
use squall_broker::{HttpConfig, HttpServer};
use squall_devices::{
    BoxFuture, DeviceId, Dial, Fleet, HttpReader, HttpSettings, Lifecycle, Payload, Protocol, Qos,
    Stream, Strike, Subscribe, Visit, run,
};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// The network: a REST server behind in-memory streams.
struct Net {
    server: Mutex<HttpServer>,
    config: HttpConfig,
    epoch: Instant,
    faults: Faults,
    connections: Mutex<Vec<Connection>>,
}

/// What goes wrong, and when.
#[derive(Clone, Default)]
struct Faults {
    /// Dialling fails.
    refused: Vec<Range<Duration>>,
    /// Connections, by their number from 1, that break as soon as the server has
    /// answered, and before the device has heard of it.
    unanswered: Vec<usize>,
    /// All connections end, and the server forgets everything.
    restart: Option<Duration>,
    /// What strikes the first device.
    strikes: Vec<(Duration, Strike)>,
}

struct Connection {
    /// What passes the bytes on in both directions.
    wire: JoinHandle<()>,
    /// What the server got.
    got: Arc<Mutex<Vec<u8>>>,
}

impl Net {
    fn new(config: HttpConfig, faults: Faults) -> Arc<Self> {
        Arc::new(Self {
            server: Mutex::new(HttpServer::new(config.clone())),
            config,
            epoch: Instant::now(),
            faults,
            connections: Mutex::default(),
        })
    }

    fn server(&self) -> HttpServer {
        self.server.lock().unwrap().clone()
    }

    /// Everything that the server got, a text for each connection.
    fn requests(&self) -> Vec<String> {
        let connections = self.connections.lock().unwrap();
        let got = connections.iter().map(|one| one.got.lock().unwrap());
        got.map(|got| String::from_utf8_lossy(&got).into_owned())
            .collect()
    }

    /// Runs fleets for `time`; each with a log of what its devices saw.
    async fn observe(self: &Arc<Self>, fleets: &[Fleet], time: Duration) -> Vec<Arc<Log>> {
        let mut logs = Vec::new();
        let mut running = Vec::new();
        let mut senders = Vec::new();
        for fleet in fleets {
            fleet.check().unwrap();
            let log = Log::starting_at(fleet.first_device);
            let (sender, strikes) = unbounded_channel();
            senders.push((fleet.first_device, sender));
            let dial: Arc<dyn Dial> = Arc::<Self>::clone(self);
            let observer = Arc::<Log>::clone(&log);
            let fleet = Arc::new(fleet.clone());
            running.push(tokio::spawn(run(fleet, dial, observer, strikes)));
            logs.push(log);
        }
        let events = async {
            for (at, strike) in &self.faults.strikes {
                sleep_until(self.epoch + *at).await;
                senders[0].1.send((senders[0].0, *strike)).unwrap();
            }
            if let Some(at) = self.faults.restart {
                sleep_until(self.epoch + at).await;
                self.sever();
                *self.server.lock().unwrap() = HttpServer::new(HttpConfig {
                    first_position: 1_000,
                    ..self.config.clone()
                });
            }
            sleep_until(self.epoch + time).await;
        };
        events.await;
        running.iter().for_each(JoinHandle::abort);
        logs
    }

    fn sever(&self) {
        let connections = self.connections.lock().unwrap();
        connections.iter().for_each(|one| one.wire.abort());
    }
}

impl Dial for Net {
    fn dial(&self, _: DeviceId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        let elapsed = self.epoch.elapsed();
        if self.faults.refused.iter().any(|at| at.contains(&elapsed)) {
            let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
            return Box::pin(std::future::ready(Err(refused)));
        }
        let (device, near) = duplex(64 * 1024);
        let (far, served) = duplex(64 * 1024);
        let server = self.server();
        tokio::spawn(async move { server.serve(served).await });
        let got = Arc::default();
        let mut connections = self.connections.lock().unwrap();
        let unanswered = self.faults.unanswered.contains(&(connections.len() + 1));
        let wire = tokio::spawn(wire(near, far, Arc::clone(&got), unanswered));
        connections.push(Connection { wire, got });
        let stream = Box::new(device) as Box<dyn Stream>;
        Box::pin(std::future::ready(Ok(stream)))
    }

    /// Tests that strike run one device.
    fn reset(&self, _: DeviceId) {
        self.sever();
    }

    /// Tests that let devices vanish run one device.
    fn vanish(&self, _: DeviceId) {
        self.sever();
    }
}

/// Passes bytes on until either end is gone, or the server has answered.
async fn wire(
    mut near: DuplexStream,
    mut far: DuplexStream,
    got: Arc<Mutex<Vec<u8>>>,
    unanswered: bool,
) {
    loop {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        tokio::select! {
            biased;
            read = near.read_buf(&mut up) => match read {
                Ok(1..) => {
                    got.lock().unwrap().extend_from_slice(&up);
                    far.write_all(&up).await.unwrap();
                }
                _ => return,
            },
            read = far.read_buf(&mut down) => match read {
                Ok(1..) if !unanswered => near.write_all(&down).await.unwrap_or_default(),
                _ => return,
            },
        }
    }
}

const POLL: HttpReader = HttpReader::Poll(s(5));
const LONG_POLL: HttpReader = HttpReader::LongPoll(s(30));

/// One thermometer that posts a reading every 10 s.
fn sensor(keep_alive: bool) -> Fleet {
    Fleet {
        protocol: Protocol::Http(HttpSettings {
            authority: "server.example".to_owned(),
            keep_alive,
            reader: POLL,
        }),
        ..thermometer()
    }
}

/// One device that reads.
fn reader(keep_alive: bool, reader: HttpReader, filter: &str) -> Fleet {
    Fleet {
        name: "r".to_owned(),
        first_device: DeviceId(0xf),
        protocol: Protocol::Http(HttpSettings {
            authority: "server.example".to_owned(),
            keep_alive,
            reader,
        }),
        publish: None,
        subscribe: vec![Subscribe::new(filter, Qos::AtMostOnce)],
        ..thermometer()
    }
}

async fn alone(fleet: Fleet, faults: Faults, time: Duration) -> (Arc<Log>, Arc<Net>) {
    let net = Net::new(HttpConfig::default(), faults);
    let logs = net.observe(&[fleet], time).await;
    (Arc::clone(&logs[0]), net)
}

#[tokio::test(start_paused = true)]
async fn each_reading_has_a_connection_of_its_own() {
    let (log, net) = alone(sensor(false), Faults::default(), s(11)).await;
    check(
        &log,
        "0.000 1 woke
         0.000 1 published a.1 q1
         0.000 1 connecting 1
         0.000 1 connected
         0.000 1 sent a.1
         0.000 1 acknowledged a.1
         0.000 1 disconnected
         10.000 1 published a.2 q1
         10.000 1 connecting 1
         10.000 1 connected
         10.000 1 sent a.2
         10.000 1 acknowledged a.2
         10.000 1 disconnected",
    );
    let requests = net.requests();
    let expected = "POST /sensor/t.t-1?n=2 HTTP/1.1\r\nhost: server.example\r\n\
        connection: close\r\ncontent-type: application/octet-stream\r\ncontent-length: 24\r\n\r\n\
        #a.2 ";
    assert!(requests[1].starts_with(expected), "{}", requests[1]);
    assert_eq!(requests[1].len(), expected.len() + 24 - 5);
    assert_eq!(net.server().counts().readings, 2);
}

#[tokio::test(start_paused = true)]
async fn with_keep_alive_one_connection_serves_until_the_server_closes_it() {
    let (log, net) = alone(sensor(true), Faults::default(), s(65)).await;
    assert_eq!(log.times("acknowledged").len(), 7);
    assert_eq!(log.times("connect"), [0.0, 0.0]);
    assert_eq!(net.requests().len(), 1);

    let mut rare = sensor(true);
    rare.publish
        .iter_mut()
        .for_each(|publish| publish.every = s(100));
    let (log, _) = alone(rare, Faults::default(), s(150)).await;
    let wanted = ["connect", "lost", "ack"];
    let expected = [
        "connecting 1",
        "connected",
        "acknowledged a.1",
        "lost: the server closed the connection",
        "connecting 1",
        "connected",
        "acknowledged a.2",
    ];
    assert_eq!(log.events(&wanted), expected);
    assert_eq!(log.times("lost"), [75.0]);
    // Nothing is sent meanwhile, and so nothing is connected for.
    assert_eq!(log.times("connecting"), [0.0, 100.0]);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_reading_whose_answer_is_lost_is_posted_again_and_known(
    #[values(false, true)] keep_alive: bool,
) {
    let faults = Faults {
        unanswered: vec![1],
        ..Faults::default()
    };
    let (log, net) = alone(sensor(keep_alive), faults, s(5)).await;
    check(
        &log,
        &format!(
            "0.000 1 woke
             0.000 1 published a.1 q1
             0.000 1 connecting 1
             0.000 1 connected
             0.000 1 sent a.1
             0.000 1 lost: connection closed before message completed
             1.000 1 connecting 1
             1.000 1 connected
             1.000 1 sent a.1 dup
             1.000 1 acknowledged a.1
             {}",
            if keep_alive {
                ""
            } else {
                "1.000 1 disconnected"
            }
        ),
    );
    let counts = net.server().counts();
    assert_eq!((counts.readings, counts.repeats), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn readings_wait_while_nobody_answers_and_come_in_their_order() {
    let faults = Faults {
        refused: vec![s(5)..s(45)],
        restart: Some(s(12)),
        ..Faults::default()
    };
    let net = Net::new(HttpConfig::default(), faults);
    let fleets = [sensor(true), reader(true, POLL, "t/#")];
    let logs = net.observe(&fleets, s(100)).await;
    let acknowledged = logs[0].events(&["acknowledged"]);
    let expected: Vec<_> = (1..=10).map(|n| format!("acknowledged a.{n:x}")).collect();
    assert_eq!(acknowledged, expected);
    // The connection broke at 12 s, and is missed at 20 s.
    let failed = logs[0].times("failed: connection refused");
    assert_eq!(failed, [20.0, 21.0, 23.0, 27.0, 35.0]);
    assert_eq!(net.server().counts().readings, 8);
    // The reader misses what was replaced meanwhile, and gets nothing twice.
    let delivered = logs[1].events(&["delivered"]);
    let expected = [1, 2, 6, 7, 8, 9, 10];
    let expected = expected.map(|n| format!("delivered a.{n:x} t/t-1 q0"));
    assert_eq!(delivered, expected);
}

#[rstest]
#[case::a_group("t/#", "GET /sensors/t?after=2 HTTP/1.1", 3)]
#[case::a_sensor("t/t-1", "GET /sensor/t.t-1 HTTP/1.1", 3)]
#[tokio::test(start_paused = true)]
async fn a_reader_polls_and_gets_each_reading_once(
    #[case] filter: &str,
    #[case] request: &str,
    #[case] readings: usize,
    #[values(false, true)] keep_alive: bool,
) {
    let net = Net::new(HttpConfig::default(), Faults::default());
    let mut reading = reader(keep_alive, POLL, filter);
    reading.start_after = s(2);
    let logs = net.observe(&[sensor(false), reading], s(24)).await;
    let delivered = logs[1].times("delivered");
    assert_eq!(delivered.len(), readings);
    assert_eq!(delivered, [2.0, 12.0, 22.0]);
    let subscribed = [
        format!("subscribing {filter} q0"),
        "delivered a.1 t/t-1 q0".to_owned(),
        format!("subscribed {filter} q0"),
    ];
    let events = logs[1].events(&["subscri", "delivered"]);
    assert_eq!(events[..3], subscribed);
    assert_eq!(events.len(), 5);
    let connections = logs[1].times("connected").len();
    assert_eq!(connections, if keep_alive { 1 } else { 5 });
    let requests = net.requests().concat();
    assert!(requests.contains(request), "{requests}");
    if filter == "t/t-1" {
        assert!(
            requests.contains("\r\nif-none-match: \"2\"\r\n"),
            "{requests}"
        );
    }
    assert_eq!(net.server().counts().requests, 3 + 5);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_has_each_reading_at_once() {
    let net = Net::new(HttpConfig::default(), Faults::default());
    let reading = reader(true, LONG_POLL, "t/+");
    let mut posting = sensor(false);
    posting.start_after = s(3);
    posting
        .publish
        .iter_mut()
        .for_each(|publish| publish.every = s(50));
    let logs = net.observe(&[posting, reading], s(120)).await;
    assert_eq!(logs[1].times("delivered"), [3.0, 53.0, 103.0]);
    assert_eq!(logs[1].times("connected"), [0.0]);
    assert_eq!(logs[1].times("lost"), [0.0; 0]);
    // One without waiting, and those that ended at 3, 33, 53, 83, 103 s.
    let requests = net.requests()[0].matches("GET ").count();
    assert_eq!(requests, 1 + 5 + 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_filter_does_not_match_is_ignored() {
    let net = Net::new(HttpConfig::default(), Faults::default());
    let mut posting = sensor(false);
    posting.count = 3;
    let logs = net
        .observe(&[posting, reader(true, POLL, "t/t-2/#")], s(9))
        .await;
    assert_eq!(logs[1].events(&["delivered"]), ["delivered b.1 t/t-2 q0"]);
    assert_eq!(net.server().counts().deliveries, 3);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_reads_and_posts_alternates_on_one_connection() {
    let mut fleet = sensor(true);
    fleet.subscribe = ["t/#", "t/t-1"]
        .map(|filter| Subscribe::new(filter, Qos::AtMostOnce))
        .to_vec();
    let (log, net) = alone(fleet, Faults::default(), s(12)).await;
    assert_eq!(net.requests().len(), 1);
    // It has asked for what there is before it posts.
    let expected = [
        "subscribing t/# q0",
        "subscribed t/# q0",
        "subscribing t/t-1 q0",
        "subscribed t/t-1 q0",
        "sent a.1",
        "delivered a.1 t/t-1 q0",
        "delivered a.1 t/t-1 q0",
        "sent a.2",
        "delivered a.2 t/t-1 q0",
        "delivered a.2 t/t-1 q0",
    ];
    assert_eq!(log.events(&["subscri", "sent", "delivered"]), expected);
}

#[tokio::test(start_paused = true)]
async fn what_the_server_will_never_take_is_dropped() {
    let mut config = HttpConfig::default();
    config.limits.reading_bytes = 20;
    let net = Net::new(config, Faults::default());
    let logs = net.observe(&[sensor(true)], s(15)).await;
    let dropped = logs[0].events(&["dropped"]);
    assert_eq!(dropped, ["dropped a.1 Refused", "dropped a.2 Refused"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_server_cannot_take_now_is_posted_again_later() {
    let mut config = HttpConfig::default();
    config.limits.sensors = 0;
    let net = Net::new(config, Faults::default());
    let logs = net.observe(&[sensor(true)], s(8)).await;
    let lost = "lost: the server answered 503 Service Unavailable";
    assert_eq!(logs[0].events(&["lost"]), [lost; 4]);
    // The wait grows.
    assert_eq!(logs[0].times("connecting"), [0.0, 1.0, 3.0, 7.0]);
    assert_eq!(logs[0].times("dropped").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_not_waited_for_longer_than_patience() {
    // It takes a connection and never answers.
    struct Silence(Mutex<Vec<DuplexStream>>);
    impl Dial for Silence {
        fn dial(&self, _: DeviceId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
            let (near, far) = duplex(1024);
            self.0.lock().unwrap().push(far);
            Box::pin(std::future::ready(Ok(Box::new(near) as Box<dyn Stream>)))
        }
    }
    let fleet = sensor(true);
    let log = Log::starting_at(fleet.first_device);
    let (_sender, strikes) = unbounded_channel();
    let observer = Arc::<Log>::clone(&log);
    let silence = Arc::new(Silence(Mutex::default()));
    let running = tokio::spawn(run(Arc::new(fleet), silence, observer, strikes));
    sleep(s(35)).await;
    running.abort();
    assert_eq!(log.events(&["lost"]), ["lost: no answer in time"]);
    assert_eq!(log.times("lost"), [30.0]);
}

fn visiting(fleet: Fleet, readings: u32) -> Fleet {
    Fleet {
        lifecycle: Lifecycle::Periodic {
            every: s(60),
            jitter: Duration::ZERO,
            visit: Visit {
                readings,
                gap: s(2),
                linger: Duration::ZERO,
                patience: s(20),
            },
        },
        ..fleet
    }
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_visit_posts_its_readings_and_ends(#[values(false, true)] keep_alive: bool) {
    let fleet = visiting(sensor(keep_alive), 2);
    let (log, _) = alone(fleet, Faults::default(), s(70)).await;
    assert_eq!(log.times("acknowledged"), [0.0, 2.0, 60.0, 62.0]);
    assert_eq!(log.times("slept"), [2.0, 62.0]);
    let connections = if keep_alive { 2 } else { 4 };
    assert_eq!(log.times("connected").len(), connections);
    assert_eq!(log.times("disconnected").len(), connections);
}

#[tokio::test(start_paused = true)]
async fn a_visit_without_anything_to_say_ends_without_a_connection() {
    let fleet = visiting(sensor(false), 0);
    let (log, _) = alone(fleet, Faults::default(), s(130)).await;
    assert_eq!(log.times("connecting"), [0.0; 0]);
    assert_eq!(log.times("slept"), [0.0, 60.0, 120.0]);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_reader_that_visits_polls_once_each_time(#[values(POLL, LONG_POLL)] how: HttpReader) {
    let net = Net::new(HttpConfig::default(), Faults::default());
    let reading = visiting(reader(false, how, "t/#"), 0);
    let mut posting = sensor(false);
    posting
        .publish
        .iter_mut()
        .for_each(|publish| publish.payload = Payload::Fixed { bytes: 18 });
    let logs = net.observe(&[posting, reading], s(130)).await;
    assert_eq!(logs[1].times("slept"), [0.0, 60.0, 120.0]);
    let delivered = logs[1].times("delivered").len();
    assert!((2..=3).contains(&delivered), "{:?}", logs[1].lines());
}

#[rstest]
#[case::resets(Strike::Reset, "reset", 20.0)]
#[case::disconnects(Strike::Disconnect, "disconnected", 20.0)]
#[case::starts_anew(Strike::Reconnect, "lost: the device started its client anew", 20.0)]
#[case::loses_its_power(Strike::PowerOff { down: s(7) }, "vanished", 30.0)]
#[tokio::test(start_paused = true)]
async fn a_device_that_is_struck_goes_on(
    #[case] strike: Strike,
    #[case] ends: &str,
    #[case] again: f64,
) {
    let faults = Faults {
        strikes: vec![(s(15), strike)],
        ..Faults::default()
    };
    let (log, net) = alone(sensor(true), faults, s(35)).await;
    assert_eq!(log.times(ends), [15.0]);
    let acknowledged = log.events(&["acknowledged"]);
    let expected = ["acknowledged a.1", "acknowledged a.2", "acknowledged a.3"];
    assert_eq!(acknowledged[..3], expected, "{:?}", log.lines());
    // It connects again when it has the next reading.
    assert_eq!(log.times("connected"), [0.0, again]);
    assert_eq!(net.server().counts().repeats, 0);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_dies_in_its_request_has_sent_a_part_of_it() {
    let strike = Strike::DieInPacket { within: s(12) };
    let faults = Faults {
        strikes: vec![(s(5), strike)],
        ..Faults::default()
    };
    let (log, net) = alone(sensor(false), faults, s(31)).await;
    assert_eq!(log.events(&["vanished"]), ["vanished"]);
    let requests = net.requests();
    let (whole, part) = (requests[0].len(), requests[1].len());
    assert!(0 < part && part < whole, "{part} of {whole} bytes");
    // What it was about to say is said when it is back.
    let acknowledged = log.events(&["acknowledged"]);
    assert_eq!(acknowledged[1], "acknowledged a.2");
}

/// The same seed, the same bytes.
#[tokio::test(start_paused = true)]
async fn what_is_written_is_the_same_each_time() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let faults = Faults {
            unanswered: vec![2, 5],
            restart: Some(s(33)),
            ..Faults::default()
        };
        let net = Net::new(HttpConfig::default(), faults);
        let mut posting = sensor(false);
        posting.count = 5;
        let fleets = [posting, reader(true, LONG_POLL, "t/#")];
        let logs = net.observe(&fleets, s(60)).await;
        let lines: Vec<_> = logs.iter().map(|log| log.lines()).collect();
        runs.push((net.requests(), lines));
    }
    assert_eq!(runs[0], runs[1]);
}
