//! The simulated network against the real one: the same devices and the same
//! broker, once in virtual time and once over loopback sockets, and every
//! subscriber sees the same messages.
//!
//! What subscribers see must not hang on how fast the machine is. So over
//! loopback nothing relies on time but the devices' own lives: publishers get a
//! connection when all who listen from the beginning have subscribed, and who
//! comes late gets one when all has been published.

use rstest::rstest;
use serde_json::Value;
use squall::scenario::Scenario;
use squall::sim;
use squall_broker::{
    Config, HttpConfig, HttpServer, Hub, HubConfig, MqttWebSocket, Server, Upgrade,
};
use squall_checks::websocket::{Framing, MqttFrames};
use squall_devices::{
    BoxFuture, DeviceId, Dial, DisconnectReason, Event, Fleet, Observer, Protocol, Qos, Stream,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;

/// 1,111 readings at three QoS, retained; a will; a subscriber and a publisher
/// that come back to their sessions; a subscriber that comes late.
const SCENARIO: &str = r##"
title    = "Mirror"
duration = "6s"

[[site]]
name = "lab"
link = { latency = "1ms" }

[[fleet]]
name      = "recorder"
site      = "lab"
count     = 1
subscribe = [{ filter = "#", qos = 2 }]

[[fleet]]
name      = "viewer"
site      = "lab"
count     = 1
subscribe = [{ filter = "lab/#", qos = 1 }]

# Away while everything is published.
[[fleet]]
name      = "sleeper"
site      = "lab"
count     = 1
lifecycle = { kind = "flapping", up = "500ms", down = "3500ms", graceful = true }
mqtt      = { clean_session = false }
subscribe = [{ filter = "lab/1/+", qos = 2 }, { filter = "lab/2/+", qos = 2 }, { filter = "lab/2/+/commute", qos = 1 }]

[[fleet]]
name    = "once-at-most"
site    = "lab"
count   = 4
start   = { after = "700ms", spread = "10ms" }
publish = { topic = "lab/0/{device}", qos = 0, retain = true, every = "10ms", readings = 90 }

[[fleet]]
name    = "once-at-least"
site    = "lab"
count   = 4
start   = { after = "700ms", spread = "10ms" }
publish = { topic = "lab/1/{device}", qos = 1, retain = true, every = "10ms", readings = 90 }

[[fleet]]
name    = "once-exactly"
site    = "lab"
count   = 4
start   = { after = "700ms", spread = "10ms" }
publish = { topic = "lab/2/{device}", qos = 2, retain = true, every = "10ms", readings = 90 }

[[fleet]]
name      = "commuter"
site      = "lab"
count     = 3
start     = { after = "700ms", spread = "10ms" }
lifecycle = { kind = "periodic", every = "200ms", readings = 3, gap = "10ms", awake_max = "100ms" }
mqtt      = { clean_session = false }
publish   = { topic = "lab/2/{device}/commute", qos = 2, readings = 7 }

[[fleet]]
name      = "mortal"
site      = "lab"
count     = 1
start     = { after = "700ms", spread = "0s" }
lifecycle = { kind = "once", stay = "1200ms", graceful = false }
mqtt      = { keep_alive = "1s", will = { topic = "will/{device}", payload = "gone", qos = 1, retain = true } }
publish   = { topic = "lab/1/{device}", qos = 1, every = "20ms", readings = 10 }

[[fleet]]
name      = "latecomer"
site      = "lab"
count     = 2
start     = { after = "4s", spread = "0s" }
subscribe = [{ filter = "lab/#", qos = 1 }, { filter = "will/#", qos = 0 }]
"##;

/// Readings to the hub and to the REST server; a listener, who gets each, and one
/// that asks for the latest of each sensor when all has been posted.
const OTHERS: &str = r##"
title    = "Mirror of others"
duration = "6s"

[[site]]
name = "lab"
link = { latency = "1ms" }

[[fleet]]
name      = "recorder"
site      = "lab"
count     = 1
protocol  = "websocket"
websocket = { acknowledged = true }
subscribe = [{ filter = "lab/#" }]

[[fleet]]
name      = "sensor"
site      = "lab"
count     = 4
protocol  = "websocket"
websocket = { acknowledged = true }
start     = { after = "700ms", spread = "10ms" }
publish   = { topic = "lab/{device}", every = "10ms", readings = 90 }

[[fleet]]
name     = "poster"
site     = "lab"
count    = 3
protocol = "http"
start    = { after = "700ms", spread = "10ms" }
publish  = { topic = "office/{device}", every = "10ms", readings = 30 }

[[fleet]]
name      = "latecomer"
site      = "lab"
count     = 2
protocol  = "http"
http      = { keep_alive = true, poll = "200ms" }
start     = { after = "4s", spread = "0s" }
subscribe = [{ filter = "office/+" }]
"##;

/// Longest wait for what must come over loopback.
const PATIENCE: Duration = Duration::from_secs(40);

/// How long to listen for what must not come.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// One message as one subscriber saw it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Delivery {
    subscriber: String,
    /// The reading, or the topic of what is none.
    message: String,
    qos: u8,
    retain: bool,
}

/// How often each was delivered.
type Deliveries = BTreeMap<Delivery, usize>;

fn of<'a>(deliveries: &'a Deliveries, subscriber: &str) -> usize {
    let of = |(delivery, count): (&'a Delivery, &usize)| {
        delivery
            .subscriber
            .starts_with(subscriber)
            .then_some(*count)
    };
    deliveries.iter().filter_map(of).sum()
}

#[rstest]
#[case::mqtt("mqtt")]
#[case::mqtt_over_websocket("mqtt-ws")]
fn loopback_delivers_what_the_simulation_delivers(#[case] protocol: &str) {
    let set = [format!("protocol={protocol}")];
    let scenario = Scenario::parse(Path::new("mirror.toml"), SCENARIO, &set);
    let scenario = scenario.expect("a scenario");
    let simulated = simulated(&scenario);

    let ids: BTreeSet<&str> = simulated.keys().map(|seen| seen.message.as_str()).collect();
    assert!(ids.len() > 1_000, "{} messages", ids.len());
    for qos in 0..=2 {
        assert!(simulated.keys().any(|seen| seen.qos == qos), "QoS {qos}");
    }
    assert_eq!(
        of(&simulated, "recorder"),
        ids.len(),
        "the recorder sees all"
    );
    assert!(ids.contains("will/mortal-1"), "a will");
    // What each of the 13 that retain said last, and the will.
    let retained = |seen: &&Delivery| seen.subscriber == "latecomer-1" && seen.retain;
    assert_eq!(simulated.keys().filter(retained).count(), 12 + 1);
    assert_eq!(of(&simulated, "sleeper"), 8 * 90 + 3 * 7 + 10);
    assert_same(&scenario, protocol == "mqtt-ws", &simulated);
}

#[test]
fn loopback_delivers_what_the_simulation_delivers_of_other_protocols() {
    let scenario = Scenario::parse(Path::new("others.toml"), OTHERS, &[]);
    let scenario = scenario.expect("a scenario");
    let simulated = simulated(&scenario);
    assert_eq!(of(&simulated, "recorder"), 4 * 90);
    assert_eq!(of(&simulated, "latecomer"), 2 * 3, "the latest of each");
    assert_same(&scenario, false, &simulated);
}

fn assert_same(scenario: &Scenario, in_frames: bool, simulated: &Deliveries) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let mirrored = runtime
        .expect("a runtime")
        .block_on(mirrored(scenario, in_frames, simulated));
    let differing: Vec<_> = simulated
        .keys()
        .chain(mirrored.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|seen| (seen, simulated.get(seen), mirrored.get(seen)))
        .filter(|(_, simulated, mirrored)| simulated != mirrored)
        .collect();
    assert!(
        differing.is_empty(),
        "(delivery, times simulated, times over loopback): {differing:#?}"
    );
}

/// What a run in the simulator delivers, by its trace.
fn simulated(scenario: &Scenario) -> Deliveries {
    let directory = tempfile::tempdir().expect("a directory");
    let trace = directory.path().join("trace.jsonl");
    let options = sim::RunOptions {
        seed: 1,
        trace: Some(trace.clone()),
        ..Default::default()
    };
    sim::run(scenario, &options).expect("it runs");
    let trace = std::fs::read_to_string(trace).expect("a trace");
    let entries = trace
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut deliveries = Deliveries::new();
    let mut resumed = BTreeSet::new();
    for entry in entries {
        let text = |key: &str| entry[key].as_str().map(str::to_owned);
        if entry["event"] == "connected" && entry["session_present"] == true {
            resumed.extend(text("device"));
        }
        if entry["event"] == "delivered" {
            let delivery = Delivery {
                subscriber: text("device").expect("a device"),
                message: text("id").or_else(|| text("topic")).expect("a message"),
                qos: entry["qos"].as_u64().expect("a QoS") as u8,
                retain: entry["retain"].as_bool().expect("a flag"),
            };
            *deliveries.entry(delivery).or_default() += 1;
        }
    }
    let comes_back = |name: &str| resumed.contains(name);
    let away = scenario.fleets.iter().any(|fleet| fleet.name == "sleeper");
    assert!(!away || comes_back("sleeper-1") && comes_back("commuter-1"));
    deliveries
}

/// What the same devices are delivered over loopback sockets, with WebSockets on
/// them or without, until all of `expected` has come.
async fn mirrored(scenario: &Scenario, in_frames: bool, expected: &Deliveries) -> Deliveries {
    let server = Server::new(Config::default(), None);
    let (hub, rest) = (
        Hub::new(HubConfig::default()),
        HttpServer::new(HttpConfig::default()),
    );
    let broker = server.clone();
    let of_broker = listen(move |stream| {
        let broker = broker.clone();
        async move {
            if !in_frames {
                return broker.serve(stream).await;
            }
            let upgraded = MqttWebSocket::accept(stream, &Upgrade::default()).await;
            broker.serve(upgraded.expect("a WebSocket")).await;
        }
    });
    let of_hub = listen(move |stream| {
        let hub = hub.clone();
        async move { hub.accept(stream).await.expect("a WebSocket").serve().await }
    });
    let of_rest = listen(move |stream| {
        let rest = rest.clone();
        async move { rest.serve(stream).await }
    });
    let (of_broker, of_hub, of_rest) = (of_broker.await, of_hub.await, of_rest.await);
    tokio::spawn(async move { server.run_timers().await });

    let fleets = sim::fleets(scenario, 1).expect("fleets");
    let everybody = Arc::new(Everybody::new(&fleets, expected));
    let without_power = Arc::default();
    for fleet in fleets {
        let network = Arc::new(Loopback {
            address: match fleet.protocol {
                Protocol::Mqtt => of_broker,
                Protocol::WebSocket(_) => of_hub,
                Protocol::Http(_) => of_rest,
            },
            in_frames,
            everybody: Arc::clone(&everybody),
            without_power: Arc::clone(&without_power),
        });
        let observer = everybody.clone();
        tokio::spawn(squall_devices::run(
            fleet,
            network,
            observer,
            unbounded_channel().1,
        ));
    }
    let mut progress = everybody.progress.subscribe();
    let all = progress.wait_for(|progress| progress.deliveries >= expected.values().sum());
    if tokio::time::timeout(PATIENCE, all).await.is_ok() {
        tokio::time::sleep(AFTERWARDS).await;
    }
    let seen = everybody.deliveries.lock().expect("no panic");
    seen.clone()
}

/// Listens on loopback, and serves each connection that comes.
async fn listen<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// How far the devices have come.
#[derive(Default)]
struct Progress {
    subscribed: BTreeSet<String>,
    /// The sleeper has subscribed and gone.
    sleeper_left: bool,
    recorded: usize,
    /// Answers to what was posted.
    posted: usize,
    deliveries: usize,
}

/// Who the devices are, and what they have seen.
struct Everybody {
    names: BTreeMap<DeviceId, String>,
    /// What the recorder will have been delivered in the end.
    to_record: usize,
    /// How many readings will have been posted.
    to_post: usize,
    progress: watch::Sender<Progress>,
    deliveries: Mutex<Deliveries>,
}

impl Everybody {
    fn new(fleets: &[Arc<Fleet>], expected: &Deliveries) -> Everybody {
        let names = fleets.iter().flat_map(|fleet| {
            (0..fleet.count).map(|index| (fleet.device(index), fleet.device_name(index)))
        });
        Everybody {
            names: names.collect(),
            to_record: of(expected, "recorder"),
            to_post: fleets
                .iter()
                .filter(|fleet| fleet.name == "poster")
                .map(|fleet| 30 * fleet.count as usize)
                .sum(),
            progress: watch::Sender::default(),
            deliveries: Mutex::default(),
        }
    }

    /// Waits until it is this device's turn to connect.
    async fn turn(&self, device: DeviceId) {
        let name = self.names[&device].as_str();
        let turn = |progress: &Progress| match name {
            "recorder-1" | "viewer-1" => true,
            "sleeper-1" => !progress.sleeper_left || self.all_published(progress),
            "latecomer-1" | "latecomer-2" => self.all_published(progress),
            _ => self.all_listen(progress),
        };
        let mut progress = self.progress.subscribe();
        // Fails when the sender is gone, and `self` holds it.
        let _ = progress.wait_for(turn).await;
    }

    /// Whether all who listen from the beginning do.
    fn all_listen(&self, progress: &Progress) -> bool {
        self.names.values().all(|name| match name.as_str() {
            "recorder-1" | "viewer-1" => progress.subscribed.contains(name),
            "sleeper-1" => progress.sleeper_left,
            _ => true,
        })
    }

    fn all_published(&self, progress: &Progress) -> bool {
        progress.recorded >= self.to_record && progress.posted >= self.to_post
    }
}

impl Observer for Everybody {
    fn record(&self, device: DeviceId, event: Event<'_>) {
        let name = &self.names[&device];
        match event {
            Event::Subscribed { granted, .. } => {
                assert!(granted.is_some(), "{name} may subscribe");
                self.progress.send_modify(|progress| {
                    progress.subscribed.insert(name.clone());
                });
            }
            Event::Disconnected { reason } => {
                assert!(!matches!(reason, DisconnectReason::Lost(_)), "{reason:?}");
                self.progress.send_modify(|progress| {
                    progress.sleeper_left |=
                        name == "sleeper-1" && progress.subscribed.contains(name);
                });
            }
            Event::Acknowledged { .. } if name.starts_with("poster") => {
                self.progress.send_modify(|progress| progress.posted += 1);
            }
            Event::Delivered {
                id,
                topic,
                qos,
                retain,
                ..
            } => {
                let delivery = Delivery {
                    subscriber: name.clone(),
                    message: id.map_or(topic.to_owned(), |id| id.to_string()),
                    qos: match qos {
                        Qos::AtMostOnce => 0,
                        Qos::AtLeastOnce => 1,
                        Qos::ExactlyOnce => 2,
                    },
                    retain,
                };
                let mut deliveries = self.deliveries.lock().expect("no panic");
                *deliveries.entry(delivery).or_default() += 1;
                self.progress.send_modify(|progress| {
                    progress.recorded += usize::from(name == "recorder-1");
                    progress.deliveries += 1;
                });
            }
            _ => {}
        }
    }
}

/// Real sockets.
struct Loopback {
    address: SocketAddr,
    /// Whether MQTT is in the frames of a WebSocket.
    in_frames: bool,
    everybody: Arc<Everybody>,
    without_power: Arc<Mutex<WithoutPower>>,
}

/// Devices that vanished, and their sockets: open, and silent.
#[derive(Default)]
struct WithoutPower {
    devices: BTreeSet<DeviceId>,
    sockets: Vec<TcpStream>,
}

impl Dial for Loopback {
    fn dial(&self, device: DeviceId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            self.everybody.turn(device).await;
            let socket = TcpStream::connect(self.address).await?;
            socket.set_nodelay(true)?;
            let without_power = Arc::clone(&self.without_power);
            let socket = Some(socket);
            let socket = Socket {
                device,
                socket,
                without_power,
            };
            if !self.in_frames {
                return Ok(Box::new(socket) as Box<dyn Stream>);
            }
            let framing = Framing::default();
            let frames = MqttFrames::connect(socket, "localhost", "/mqtt", framing).await?;
            Ok(Box::new(frames) as Box<dyn Stream>)
        })
    }

    fn vanish(&self, device: DeviceId) {
        let mut without_power = self.without_power.lock().expect("no panic");
        without_power.devices.insert(device);
    }
}

/// A socket that stays open when its device vanishes.
struct Socket {
    device: DeviceId,
    /// There until it is dropped.
    socket: Option<TcpStream>,
    without_power: Arc<Mutex<WithoutPower>>,
}

impl Socket {
    fn socket(self: Pin<&mut Self>) -> Pin<&mut TcpStream> {
        Pin::new(self.get_mut().socket.as_mut().expect("not dropped yet"))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Ok(mut without_power) = self.without_power.lock()
            && without_power.devices.contains(&self.device)
        {
            without_power.sockets.extend(self.socket.take());
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.socket().poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.socket().poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_shutdown(context)
    }
}
