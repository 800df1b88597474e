//! A fleet: devices of one kind at one site, as the simulator builds them.

use std::path::PathBuf;
use std::time::Duration;

use super::protocol::{Protocol, Tls};

/// Devices of one kind at one site.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    /// Unique among the fleets of a scenario.
    pub name: String,
    /// Index of the site in [`Scenario::sites`](super::Scenario::sites).
    pub site: usize,
    /// How many devices, at least 1.
    pub count: u32,
    /// Where a device keeps its state.
    pub device_memory: DeviceMemory,
    /// When a device is there.
    pub lifecycle: Lifecycle,
    /// When a device first wakes.
    pub start: Start,
    /// How wrong a device's clock is.
    pub clock: Clock,
    /// What a device speaks.
    pub protocol: Protocol,
    /// How a device uses TLS, if it does.
    pub tls: Option<Tls>,
    /// How a device speaks MQTT, if it does.
    pub mqtt: Mqtt,
    /// How a device that lost its connection, or got none, tries again.
    pub reconnect: Reconnect,
    /// TCP window in bytes, at least 512: the receive buffer of both ends of its
    /// connections; their send buffer is half of it.
    pub window_bytes: u32,
    /// What a device publishes.
    pub publish: Option<Publish>,
    /// What a device subscribes to.
    pub subscribe: Vec<Subscription>,
}

impl Fleet {
    /// TCP window in bytes of a fleet that publishes, unless it sets its own:
    /// 2 KiB, about what lwIP has unless told otherwise (`TCP_WND`, four
    /// segments of 536 bytes).
    pub const WINDOW_OF_SENSORS: u32 = 2 << 10;

    /// TCP window in bytes of a fleet that only subscribes, unless it sets its
    /// own: 64 KiB. Linux starts there and grows.
    pub const WINDOW_OF_COMPUTERS: u32 = 64 << 10;
}

/// Where a device keeps what it owes, its half of the session, and which
/// subscriptions it has. Either lasts through sleep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceMemory {
    /// It outlasts a power failure.
    #[default]
    Flash,
    /// It is gone when the power fails.
    Ram,
}

/// When a device first wakes: at a time drawn evenly from `after` to
/// `after + spread`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// Earliest.
    pub after: Duration,
    /// From the earliest to the latest.
    pub spread: Duration,
}

/// When a device is there.
#[derive(Clone, Debug, PartialEq)]
pub enum Lifecycle {
    /// Connected from its start to the end of the run.
    AlwaysOn,
    /// Wakes, connects, publishes, listens, waits for what is owed, disconnects,
    /// sleeps.
    Periodic {
        /// From one wake-up to the next.
        every: Duration,
        /// A wake-up moves by up to this much to either side, at most half of
        /// `every`.
        jitter: Duration,
        /// Readings published while awake.
        readings: u32,
        /// Between two readings of one wake-up, more than zero.
        gap: Duration,
        /// A device stays connected for this long at least; less than `awake_max`.
        listen: Duration,
        /// A device that is still owed something goes back to sleep after this
        /// long awake.
        awake_max: Duration,
    },
    /// Up and down for random times; goes down without a DISCONNECT.
    Random {
        /// How long a device is up.
        up: Span,
        /// How long it is down.
        down: Span,
        /// Whether it says DISCONNECT before going down.
        graceful: bool,
    },
    /// Up and down in fixed turns.
    Flapping {
        /// How long a device is up.
        up: Duration,
        /// How long it is down.
        down: Duration,
        /// Whether it says DISCONNECT before going down.
        graceful: bool,
    },
    /// Up once, from its start.
    Once {
        /// How long; `None` is to the end of the run.
        stay: Option<Duration>,
        /// Whether it says DISCONNECT before going down.
        graceful: bool,
    },
}

/// A random length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Always the same.
    Fixed(Duration),
    /// Anything from `min` to `max`, equally likely.
    Uniform {
        /// Shortest.
        min: Duration,
        /// Longest, at least `min`.
        max: Duration,
    },
    /// Exponentially distributed: the time to the next event of a Poisson
    /// process.
    Exponential {
        /// Mean, more than zero.
        mean: Duration,
    },
}

/// How wrong a device's clock is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clock {
    /// Each device's clock runs fast or slow by a constant drawn evenly from
    /// `-drift_ppm` to `+drift_ppm`, in parts per million.
    pub drift_ppm: f64,
}

/// How a device speaks MQTT.
#[derive(Clone, Debug, PartialEq)]
pub struct Mqtt {
    /// Version of the protocol.
    pub version: MqttVersion,
    /// Client identifier; `{device}` and `{fleet}` stand for their names.
    pub client_id: String,
    /// Keep Alive in whole seconds; zero switches it off.
    pub keep_alive: Duration,
    /// Clean Session of CONNECT; in MQTT 5.0, Clean Start.
    pub clean_session: bool,
    /// Session Expiry Interval of CONNECT in seconds (MQTT 5.0); `None` keeps
    /// sessions as 3.1.1 does: not at all with `clean_session`, for ever without.
    pub session_expiry_s: Option<u32>,
    /// Receive Maximum of CONNECT, at least 1 (MQTT 5.0); 65,535 if `None`.
    pub receive_maximum: Option<u16>,
    /// Topic Alias Maximum of CONNECT (MQTT 5.0); 0 if `None`.
    pub topic_alias_maximum: Option<u16>,
    /// Will message of CONNECT.
    pub will: Option<Will>,
    /// User name of CONNECT.
    pub username: Option<String>,
    /// Password of CONNECT.
    pub password: Option<String>,
    /// QoS 1 and 2 publishes on their way at once, 1 to 65,535.
    pub inflight: u16,
}

/// Version of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MqttVersion {
    /// OASIS Standard, 29 October 2014.
    V3_1_1,
    /// OASIS Standard, 7 March 2019.
    V5_0,
}

/// Quality of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Qos {
    /// QoS 0.
    AtMostOnce = 0,
    /// QoS 1.
    AtLeastOnce = 1,
    /// QoS 2.
    ExactlyOnce = 2,
}

/// Will message: what the broker publishes for a device that vanishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Where to; `{device}` and `{fleet}` stand for their names.
    pub topic: String,
    /// What; may be empty.
    pub payload: String,
    /// Quality of service.
    pub qos: Qos,
    /// Whether the broker retains it.
    pub retain: bool,
    /// Will Delay Interval in seconds (MQTT 5.0).
    pub delay_s: Option<u32>,
    /// Message Expiry Interval in seconds, at least 1 (MQTT 5.0).
    pub message_expiry_s: Option<u32>,
}

/// How a device that lost its connection, or got none, tries again: after
/// `min`, then twice as long each time, up to `max`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reconnect {
    /// First wait.
    pub min: Duration,
    /// Longest wait.
    pub max: Duration,
    /// Share of a wait, 0 to 1, that is random: this much at most is taken off
    /// each.
    pub jitter: f64,
    /// How long a device waits for TCP and CONNACK before it gives up; whole
    /// seconds, at least 1.
    pub timeout: Duration,
}

/// What a device publishes.
#[derive(Clone, Debug, PartialEq)]
pub struct Publish {
    /// Where to; `{device}` and `{fleet}` stand for their names, and `{target}`
    /// for that of the device a reading is addressed to.
    pub topic: String,
    /// Index of the fleet in [`Scenario::fleets`](super::Scenario::fleets) whose
    /// devices the readings are addressed to in turn.
    pub to: Option<usize>,
    /// Quality of service of each reading in turn; never empty.
    pub qos: Vec<Qos>,
    /// Whether the broker is to retain each reading.
    pub retain: bool,
    /// Message Expiry Interval of each reading in seconds, at least 1 (MQTT 5.0).
    pub message_expiry_s: Option<u32>,
    /// Whether a device uses topic aliases (MQTT 5.0).
    pub topic_alias: bool,
    /// From one reading to the next while up; for a periodic device the gap of
    /// its lifecycle.
    pub every: Duration,
    /// A reading moves by up to this much to either side, at most half of
    /// `every`.
    pub jitter: Duration,
    /// A device stops after this many readings; `None` is without limit.
    pub readings: Option<u32>,
    /// What is in a reading.
    pub payload: Payload,
}

/// What is in a reading; each one but the empty carries a unique id as well.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// A JSON object with a value drawn evenly from `min` to `max`.
    Json {
        /// Unit of the value, which is its key too.
        unit: String,
        /// Digits after the decimal point, at most 9.
        decimals: u8,
        /// Smallest value.
        min: f64,
        /// Largest value, at least `min`.
        max: f64,
    },
    /// Always this many bytes.
    Fixed {
        /// Bytes, the id included; at least [`Payload::BYTES_MIN`].
        bytes: u32,
    },
    /// A JSON object with a value that walks, from a random one, and stays
    /// within `min` and `max`.
    RandomWalk {
        /// Unit of the value, which is its key too.
        unit: String,
        /// Digits after the decimal point, at most 9.
        decimals: u8,
        /// Smallest value.
        min: f64,
        /// Largest value, at least `min`.
        max: f64,
        /// Largest step from one reading to the next.
        step: f64,
    },
    /// A JSON object with a value that swings.
    Sine {
        /// Unit of the value, which is its key too.
        unit: String,
        /// Digits after the decimal point, at most 9.
        decimals: u8,
        /// Value in the middle.
        mean: f64,
        /// Largest distance from it.
        amplitude: f64,
        /// Length of one swing.
        period: Duration,
    },
    /// Nothing.
    Empty,
    /// The lines of a file in turn, from the first again after the last.
    File {
        /// The file.
        path: PathBuf,
        /// Its lines, without their ends; never empty.
        lines: Vec<String>,
    },
}

impl Payload {
    /// Smallest payload in bytes that has room for any id.
    pub const BYTES_MIN: u32 = 18;

    /// What no payload of this kind exceeds, in bytes.
    pub(crate) fn bytes_max(&self) -> usize {
        match self {
            Self::Json { unit, .. } | Self::RandomWalk { unit, .. } | Self::Sine { unit, .. } => {
                Self::OBJECT_BYTES_MAX + unit.len()
            }
            Self::Fixed { bytes } => *bytes as usize,
            Self::Empty => 0,
            Self::File { lines, .. } => {
                let longest = lines.iter().map(String::len).max();
                Self::BYTES_MIN as usize + 1 + longest.unwrap_or_default()
            }
        }
    }

    /// What a JSON object with an id and a value has beside its unit: the largest
    /// number has 309 digits before the point.
    const OBJECT_BYTES_MAX: usize = 400;
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Topic filter, without the group; `{device}` and `{fleet}` stand for their
    /// names.
    pub filter: String,
    /// The group that it is shared in, with the same placeholders (MQTT 5.0).
    pub share: Option<String>,
    /// Largest quality of service asked for.
    pub qos: Qos,
    /// A device unsubscribes this long after the broker has granted it; never
    /// if `None`.
    pub stay: Option<Duration>,
    /// Whether what the device itself published is not sent to it (MQTT 5.0).
    pub no_local: bool,
    /// Whether RETAIN arrives as it was published (MQTT 5.0).
    pub retain_as_published: bool,
    /// Whether retained messages are sent when it subscribes (MQTT 5.0).
    pub retain_handling: RetainHandling,
}

/// Whether retained messages are sent in answer to a SUBSCRIBE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetainHandling {
    /// 0: each time, as in 3.1.1.
    #[default]
    Send,
    /// 1: only if the session has no such subscription yet.
    SendIfNew,
    /// 2: never.
    DoNotSend,
}
