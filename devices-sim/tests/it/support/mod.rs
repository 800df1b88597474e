//! A world for fleets: the reference broker, or the hub, behind in-memory streams that can be
//! refused, cut at an exact packet, or go silent, and a log of what devices saw.

mod cut;

pub(crate) use cut::{Cut, Way};

use cut::Wire;
use squall_broker::{Config, Hub, HubConfig, Server};
use squall_devices::{
    Backoff, BoxFuture, DeviceId, DeviceMemory, Dial, DisconnectReason, Event, Fleet, Lifecycle,
    MqttSettings, Observer, Payload, Protocol, Publish, Qos, Stream, Strike, Version, run,
};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;

pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The network: serves each connection with one server.
pub(crate) struct Net {
    server: Mutex<Peer>,
    epoch: Instant,
    faults: Mutex<Faults>,
    /// Server ends of devices that vanished: kept open, so that the broker
    /// hears nothing of it.
    silent: Mutex<Vec<DuplexStream>>,
    wires: Mutex<Vec<Wire>>,
}

/// What goes wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// Dialling fails at these times since the start.
    pub(crate) refused: Vec<std::ops::Range<Duration>>,
    /// Connections that are cut, by their number over all devices, from 1.
    pub(crate) cuts: Vec<(usize, Cut)>,
    /// What the server sends on a connection, by number, that breaks it: neither
    /// that nor anything behind it arrives.
    pub(crate) lost: Vec<(usize, &'static [u8])>,
    /// The broker's packets of this type, and all after the first one, are lost
    /// in silence on every connection.
    pub(crate) mute: Option<u8>,
    /// What strikes the fleet's first device, in the order of time.
    pub(crate) strikes: Vec<(Duration, Strike)>,
    /// All connections end, and the server forgets everything.
    pub(crate) restart: Option<Duration>,
}

/// Whom connections are served by.
enum Peer {
    Broker(Server),
    Hub(Hub),
}

impl Peer {
    fn serve(&self, stream: DuplexStream) {
        match self {
            Self::Broker(server) => {
                tokio::spawn(server.serve(stream));
            }
            Self::Hub(hub) => {
                let hub = hub.clone();
                tokio::spawn(async move {
                    if let Ok(connection) = hub.accept(stream).await {
                        connection.serve().await;
                    }
                });
            }
        }
    }

    /// One of the same kind that knows nobody.
    fn fresh(&self) -> Self {
        match self {
            Self::Broker(_) => Self::Broker(fresh_server()),
            Self::Hub(_) => Self::Hub(Hub::new(HubConfig::default())),
        }
    }
}

impl Net {
    pub(crate) fn new(faults: Faults) -> Arc<Self> {
        Self::of(Peer::Broker(fresh_server()), faults)
    }

    /// Serves each connection with one hub.
    pub(crate) fn of_hub(faults: Faults) -> Arc<Self> {
        Self::of(Peer::Hub(Hub::new(HubConfig::default())), faults)
    }

    fn of(server: Peer, faults: Faults) -> Arc<Self> {
        Arc::new(Self {
            server: Mutex::new(server),
            epoch: Instant::now(),
            faults: Mutex::new(faults),
            silent: Mutex::default(),
            wires: Mutex::default(),
        })
    }

    /// Streams that devices hold.
    pub(crate) fn open_streams(&self) -> usize {
        self.wires
            .lock()
            .unwrap()
            .iter()
            .filter(|wire| wire.is_open())
            .count()
    }

    /// Bytes that the broker got on each connection.
    pub(crate) fn bytes_to_broker(&self) -> Vec<usize> {
        self.written().iter().map(Vec::len).collect()
    }

    /// What the server got on each connection.
    pub(crate) fn written(&self) -> Vec<Vec<u8>> {
        let wires = self.wires.lock().unwrap();
        wires.iter().map(Wire::written).collect()
    }

    /// Strikes when it is time.
    async fn strike(&self, device: DeviceId, sender: UnboundedSender<(DeviceId, Strike)>) {
        let strikes = self.faults.lock().unwrap().strikes.clone();
        for (at, strike) in strikes {
            tokio::time::sleep_until(self.epoch + at).await;
            sender.send((device, strike)).unwrap();
        }
        std::future::pending().await
    }

    /// Restarts the server when it is time.
    async fn restart(&self) {
        let at = self.faults.lock().unwrap().restart;
        if let Some(at) = at {
            tokio::time::sleep_until(self.epoch + at).await;
            let fresh = self.server.lock().unwrap().fresh();
            *self.server.lock().unwrap() = fresh;
            self.wires.lock().unwrap().iter().for_each(Wire::sever);
        }
        std::future::pending().await
    }
}

fn fresh_server() -> Server {
    let server = Server::new(Config::default(), None);
    let timers = server.clone();
    tokio::spawn(async move { timers.run_timers().await });
    server
}

impl Dial for Net {
    fn dial(&self, _: DeviceId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        let elapsed = self.epoch.elapsed();
        let faults = self.faults.lock().unwrap();
        if faults.refused.iter().any(|times| times.contains(&elapsed)) {
            let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
            return Box::pin(std::future::ready(Err(refused)));
        }
        let (near, far) = duplex(64 * 1024);
        let mut wires = self.wires.lock().unwrap();
        let number = wires.len() + 1;
        let cut = faults
            .cuts
            .iter()
            .find(|(at, _)| *at == number)
            .map(|(_, cut)| *cut);
        let lost = faults.lost.iter().find(|(at, _)| *at == number);
        let lost = lost.map(|(_, bytes)| *bytes);
        let wire = Wire::new(near, cut, lost, faults.mute);
        wires.push(wire.clone());
        self.server.lock().unwrap().serve(far);
        Box::pin(std::future::ready(Ok(
            Box::new(wire.stream()) as Box<dyn Stream>
        )))
    }

    /// Tests that strike run one device.
    fn reset(&self, _: DeviceId) {
        self.wires.lock().unwrap().iter().for_each(Wire::sever);
    }

    /// Tests that let devices vanish run one device.
    fn vanish(&self, _: DeviceId) {
        let wires = self.wires.lock().unwrap();
        let ends = wires.iter().filter_map(Wire::take);
        self.silent.lock().unwrap().extend(ends);
    }
}

/// What all devices saw, one line each, such as
/// `12.000 thermometer-1 acknowledged 0.3`.
pub(crate) struct Log {
    epoch: Instant,
    first_device: u32,
    lines: Mutex<Vec<String>>,
}

impl Observer for Log {
    fn record(&self, device: DeviceId, event: Event<'_>) {
        let line = format!(
            "{:.3} {} {}",
            self.epoch.elapsed().as_secs_f64(),
            device.0 - self.first_device + 1,
            words(&event, self.epoch),
        );
        self.lines.lock().unwrap().push(line);
    }
}

fn words(event: &Event<'_>, epoch: Instant) -> String {
    let level = |qos: Qos| format!("q{}", qos as u8);
    let flag = |set: bool, name: &str| {
        if set {
            format!(" {name}")
        } else {
            String::new()
        }
    };
    match event {
        Event::Woke => "woke".to_owned(),
        Event::Connecting { attempt } => format!("connecting {attempt}"),
        Event::Connected {
            session_present: true,
        } => "connected, session present".to_owned(),
        Event::Connected {
            session_present: false,
        } => "connected".to_owned(),
        Event::ConnectFailed { reason } => format!("failed: {reason}"),
        Event::Subscribed { filter, granted } => {
            format!(
                "subscribed {filter} {}",
                granted.map_or("refused".to_owned(), level)
            )
        }
        Event::Subscribing { filter, qos } => format!("subscribing {filter} {}", level(*qos)),
        Event::Unsubscribing { filter } => format!("unsubscribing {filter}"),
        Event::Unsubscribed { filter } => format!("unsubscribed {filter}"),
        Event::Forgot => "forgot".to_owned(),
        Event::Published {
            id, qos, retain, ..
        } => {
            format!("published {id} {}{}", level(*qos), flag(*retain, "retain"))
        }
        Event::Sent { id, dup } => format!("sent {id}{}", flag(*dup, "dup")),
        Event::Acknowledged { id } => format!("acknowledged {id}"),
        Event::Dropped { id, reason } => format!("dropped {id} {reason:?}"),
        Event::Delivered {
            id,
            topic,
            qos,
            retain,
            dup,
            message_expiry_s,
            payload,
        } => {
            let what = id.map_or_else(
                || String::from_utf8_lossy(payload).into_owned(),
                |id| id.to_string(),
            );
            let flags = flag(*retain, "retain") + &flag(*dup, "dup");
            let expiry = message_expiry_s.map_or(String::new(), |s| format!(" expires in {s} s"));
            format!("delivered {what} {topic} {}{flags}{expiry}", level(*qos))
        }
        Event::Disconnected { reason } => match reason {
            DisconnectReason::Clean => "disconnected".to_owned(),
            DisconnectReason::Vanished => "vanished".to_owned(),
            DisconnectReason::Reset => "reset".to_owned(),
            DisconnectReason::Lost(why) => format!("lost: {why}"),
        },
        Event::Slept { until: None } => "slept".to_owned(),
        Event::Slept { until: Some(at) } => {
            format!("slept until {:.3}", (*at - epoch).as_secs_f64())
        }
    }
}

impl Log {
    pub(crate) fn starting_at(first_device: DeviceId) -> Arc<Self> {
        Arc::new(Self {
            epoch: Instant::now(),
            first_device: first_device.0,
            lines: Mutex::default(),
        })
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The lines whose event starts with one of `words`, without time and device.
    pub(crate) fn events(&self, words: &[&str]) -> Vec<String> {
        let lines = self.lines();
        let events = lines.iter().filter_map(|line| line.splitn(3, ' ').nth(2));
        let wanted = |event: &&str| words.iter().any(|word| event.starts_with(word));
        events.filter(wanted).map(str::to_owned).collect()
    }

    /// When each event that starts with `word` happened.
    pub(crate) fn times(&self, word: &str) -> Vec<f64> {
        let lines = self.lines();
        let parts = lines
            .iter()
            .map(|line| line.splitn(3, ' ').collect::<Vec<_>>());
        parts
            .filter(|parts| parts[2].starts_with(word))
            .map(|parts| parts[0].parse().unwrap())
            .collect()
    }
}

/// One device that is always on and takes a reading every 10 s at QoS 1, with
/// a back-off of exactly 1 s, 2 s, 4 s and so on up to 1 min.
pub(crate) fn thermometer() -> Fleet {
    Fleet {
        name: "t".to_owned(),
        first_device: DeviceId(0xa),
        count: 1,
        seed: 7,
        start_after: Duration::ZERO,
        start_spread: Duration::ZERO,
        clock_drift_ppb: 0,
        device_memory: DeviceMemory::Flash,
        lifecycle: Lifecycle::AlwaysOn,
        protocol: Protocol::Mqtt,
        mqtt: MqttSettings {
            clean_session: false,
            backoff: Backoff {
                jitter: 0.0,
                max: s(60),
                ..Backoff::default()
            },
            ..MqttSettings::default()
        },
        publish: Some(Publish {
            topic: "{fleet}/{device}".to_owned(),
            to: None,
            qos: vec![Qos::AtLeastOnce],
            retain: false,
            message_expiry_s: None,
            topic_alias: false,
            payload: Payload::Fixed { bytes: 24 },
            every: s(10),
            jitter: Duration::ZERO,
            readings_max: None,
            outbox_max: Publish::OUTBOX_MAX,
        }),
        subscribe: Vec::new(),
        quiet_after: None,
    }
}

/// `fleet`, speaking another version of MQTT.
pub(crate) fn speaking(version: Version, mut fleet: Fleet) -> Fleet {
    fleet.mqtt.version = version;
    fleet
}

/// Runs a fleet for `time`, alone with its broker.
pub(crate) async fn observe(fleet: Fleet, faults: Faults, time: Duration) -> (Arc<Log>, Arc<Net>) {
    let net = Net::new(faults);
    (net.observe(fleet, time).await, net)
}

impl Net {
    /// Runs a fleet for `time`, perhaps beside others.
    pub(crate) async fn observe(self: &Arc<Self>, fleet: Fleet, time: Duration) -> Arc<Log> {
        let log = Log::starting_at(fleet.first_device);
        fleet.check().unwrap();
        let dial: Arc<dyn Dial> = Arc::<Self>::clone(self);
        let device = fleet.first_device;
        let (sender, strikes) = unbounded_channel();
        tokio::select! {
            biased;
            () = run(Arc::new(fleet), dial, Arc::<Log>::clone(&log), strikes) => {
                unreachable!("a fleet runs until it is dropped")
            }
            () = self.strike(device, sender) => unreachable!("it waits for ever"),
            () = self.restart() => unreachable!("a broker runs on"),
            () = tokio::time::sleep(time) => log,
        }
    }
}

/// Compares a log with the lines expected, indentation aside.
pub(crate) fn check(log: &Log, expected: &str) {
    let expected: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    let lines = log.lines();
    assert!(
        lines == expected,
        "expected:\n{}\n\nactual:\n{}",
        expected.join("\n"),
        lines.join("\n")
    );
}
