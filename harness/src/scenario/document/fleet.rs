//! `[[fleet]]`: devices, their lives, and what they say.

use schemars::JsonSchema;
use serde::Deserialize;

use super::protocol::{HttpTable, ProtocolName, TlsValue, WebSocketTable};
use super::scalar::{
    AliasMaximum, Bytes, ClientId, Count, Decimals, Drift, KeepAlive, Name, Qos, ReadingTopic,
    Seconds, Share, Size, Time, TopicFilter, TopicName, UnitName,
};
use super::value::{At, Either, OneOrMore};

/// Devices of one kind at one site.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table with the keys of a fleet")]
pub(crate) struct FleetTable {
    /// Its devices are called `name-1`, `name-2` and so on.
    pub(crate) name: At<Name>,
    /// Name of the site where its devices are.
    pub(crate) site: At<Name>,
    /// How many devices.
    pub(crate) count: At<Count>,
    /// When a device is there; always unless given.
    pub(crate) lifecycle: Option<At<LifecycleTable>>,
    /// When a device first wakes: a length of time over which the fleet's
    /// starts are spread evenly, or a table. Over one `every` unless given,
    /// so that a fleet does not move in step; fleets without one start at once.
    pub(crate) start: Option<At<Either<Time, StartTable>>>,
    /// Where a device keeps what it owes, its half of the session, and which
    /// subscriptions it has; "flash" unless given.
    pub(crate) device_memory: Option<DeviceMemoryName>,
    /// How wrong a device's clock is; not at all unless given.
    #[serde(default)]
    pub(crate) clock: ClockTable,
    /// What a device speaks; the protocol of the scenario unless given.
    pub(crate) protocol: Option<At<ProtocolName>>,
    /// Whether a device has its connections in TLS 1.3, or how; as the scenario
    /// has it unless given.
    pub(crate) tls: Option<TlsValue>,
    /// How a device speaks MQTT.
    pub(crate) mqtt: Option<At<MqttTable>>,
    /// How a device uses WebSocket: for the protocols "websocket" and "mqtt-ws".
    pub(crate) websocket: Option<At<WebSocketTable>>,
    /// How a device uses HTTP: for the protocol "http".
    pub(crate) http: Option<At<HttpTable>>,
    /// How a device that lost its connection, or got none, tries again.
    #[serde(default)]
    pub(crate) reconnect: ReconnectTable,
    /// TCP window of both ends of its connections; the one of `[network]`
    /// unless given.
    pub(crate) window: Option<At<Size>>,
    /// What a device publishes.
    pub(crate) publish: Option<At<PublishTable>>,
    /// What a device subscribes to.
    #[serde(default)]
    pub(crate) subscribe: Vec<SubscribeTable>,
}

/// Where a device keeps its state. Either lasts through sleep.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DeviceMemoryName {
    /// It outlasts a power failure.
    Flash,
    /// It is gone when the power fails: by a fault, or by a life cycle that goes
    /// down without a DISCONNECT.
    Ram,
}

/// When a device is there, by `kind`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(tag = "kind")]
pub(crate) enum LifecycleTable {
    /// Connected from its start to the end of the run.
    AlwaysOn {},
    /// Wakes, connects, publishes, listens, waits for what is owed, disconnects,
    /// sleeps.
    Periodic {
        /// From one wake-up to the next.
        every: At<Time>,
        /// A wake-up moves by up to this much to either side, at most half of
        /// `every`; not at all unless given.
        jitter: Option<At<Time>>,
        /// Readings published while awake; 1 unless given.
        readings: Option<Count>,
        /// Between two readings of one wake-up; 1s unless given.
        gap: Option<At<Time>>,
        /// A device stays connected for this long at least, so that what waits
        /// for it arrives; 5s for a fleet that subscribes (at most half of
        /// `awake_max`) and not at all for others unless given.
        listen: Option<At<Time>>,
        /// A device that is still owed something goes back to sleep after this
        /// long awake; a minute unless given, at most half of `every`.
        awake_max: Option<At<Time>>,
    },
    /// Up and down for random times.
    Random {
        /// How long a device is up.
        up: SpanValue,
        /// How long it is down.
        down: SpanValue,
        /// Whether it says DISCONNECT before going down; false unless given.
        graceful: Option<bool>,
    },
    /// Up and down in fixed turns.
    Flapping {
        /// How long a device is up.
        up: At<Time>,
        /// How long it is down.
        down: At<Time>,
        /// Whether it says DISCONNECT before going down; false unless given.
        graceful: Option<bool>,
    },
    /// Up once, from its start.
    Once {
        /// How long; to the end of the run unless given.
        stay: Option<At<Time>>,
        /// Whether it says DISCONNECT before going down; true unless given.
        graceful: Option<bool>,
    },
}

/// A duration, or a distribution.
pub(crate) type SpanValue = At<Either<Time, SpanTable>>;

/// A random length of time: exactly one of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a duration, { exponential = \"10m\" } or { uniform = [\"1m\", \"5m\"] }"
)]
pub(crate) struct SpanTable {
    /// Exponentially distributed with this mean.
    pub(crate) exponential: Option<At<Time>>,
    /// Anything from the first to the second, equally likely.
    pub(crate) uniform: Option<At<[Time; 2]>>,
}

/// When a device first wakes: evenly from `after` to `after + spread`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { after = \"10s\", spread = \"1m\" }"
)]
pub(crate) struct StartTable {
    /// Earliest; at once unless given.
    pub(crate) after: Option<Time>,
    /// From the earliest to the latest; as for `start` unless given.
    pub(crate) spread: Option<Time>,
}

/// How wrong a device's clock is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { drift = \"50 ppm\" }"
)]
pub(crate) struct ClockTable {
    /// Each device's clock runs fast or slow by up to this much, and stays so.
    pub(crate) drift: Option<Drift>,
}

/// How a device speaks MQTT.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { keep_alive = \"30s\", clean_session = false }"
)]
pub(crate) struct MqttTable {
    /// Version of the protocol; the one of the scenario unless given.
    pub(crate) version: Option<VersionName>,
    /// Client identifier; `{device}` unless given. Devices with the same one
    /// take each other's connection over.
    pub(crate) client_id: Option<ClientId>,
    /// Keep Alive; 60s unless given.
    pub(crate) keep_alive: Option<KeepAlive>,
    /// Clean Session, in MQTT 5.0 Clean Start; true unless given.
    pub(crate) clean_session: Option<bool>,
    /// How long the broker keeps the session once the connection has ended, in
    /// whole seconds (MQTT 5.0); as in 3.1.1 unless given: not at all with
    /// `clean_session`, and for ever without.
    pub(crate) session_expiry: Option<At<Seconds>>,
    /// QoS 1 and 2 messages that a device takes unacknowledged (MQTT 5.0);
    /// 65,535 unless given.
    pub(crate) receive_maximum: Option<At<Bytes>>,
    /// Topic aliases that the broker may use towards a device (MQTT 5.0); none
    /// unless given.
    pub(crate) topic_alias_maximum: Option<At<AliasMaximum>>,
    /// What the broker publishes for a device that vanishes.
    pub(crate) will: Option<WillTable>,
    /// User name.
    pub(crate) username: Option<At<String>>,
    /// Password; needs a user name in 3.1.1.
    pub(crate) password: Option<At<String>>,
    /// QoS 1 and 2 publishes on their way at once; 10 unless given.
    pub(crate) inflight: Option<Bytes>,
}

/// Version of MQTT.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum VersionName {
    /// OASIS Standard, 29 October 2014.
    #[serde(rename = "3.1.1")]
    V3_1_1,
    /// OASIS Standard, 7 March 2019.
    #[serde(rename = "5.0")]
    V5_0,
}

/// What the broker publishes for a device that vanishes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { topic = \"status/{device}\", payload = \"gone\" }"
)]
pub(crate) struct WillTable {
    /// Where to.
    pub(crate) topic: TopicName,
    /// What; empty unless given.
    pub(crate) payload: Option<At<String>>,
    /// Quality of service; 0 unless given.
    pub(crate) qos: Option<Qos>,
    /// Whether the broker retains it; false unless given.
    pub(crate) retain: Option<bool>,
    /// The broker waits this long with it, unless the session ends first, in
    /// whole seconds (MQTT 5.0); not at all unless given.
    pub(crate) delay: Option<At<Seconds>>,
    /// Its lifetime in whole seconds once it is published (MQTT 5.0); without
    /// end unless given.
    pub(crate) message_expiry: Option<At<Seconds>>,
}

/// How a device that lost its connection, or got none, tries again: after
/// `min`, then twice as long each time, up to `max`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { min = \"1s\", max = \"2m\", jitter = \"50%\" }"
)]
pub(crate) struct ReconnectTable {
    /// First wait; 1s unless given.
    pub(crate) min: Option<At<Time>>,
    /// Longest wait; 2m unless given.
    pub(crate) max: Option<At<Time>>,
    /// Share of a wait that is random: up to this much is taken off each; 50%
    /// unless given.
    pub(crate) jitter: Option<Share>,
    /// How long a device waits for TCP and CONNACK before it gives up, in whole
    /// seconds; 30s unless given.
    pub(crate) timeout: Option<At<Time>>,
}

/// What a device publishes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { topic = \"valley/{device}/temperature\", qos = 1, every = \"1m\" }"
)]
pub(crate) struct PublishTable {
    /// Where to; `{device}` and `{fleet}` stand for their names, and `{target}`
    /// for that of the device a reading is addressed to.
    pub(crate) topic: At<ReadingTopic>,
    /// Name of a fleet whose devices the readings are addressed to: the first
    /// reading to its first device, and so on in turn. Nobody unless given.
    pub(crate) to: Option<At<Name>>,
    /// Quality of service, or several that readings take in turn; 0 unless
    /// given.
    pub(crate) qos: Option<At<OneOrMore<Qos>>>,
    /// Whether the broker is to retain each reading; false unless given.
    pub(crate) retain: Option<At<bool>>,
    /// How long the broker may keep a reading that it cannot deliver, in whole
    /// seconds (MQTT 5.0); for ever unless given.
    pub(crate) message_expiry: Option<At<Seconds>>,
    /// Whether a device uses topic aliases, as many as the broker takes (MQTT
    /// 5.0); false unless given.
    pub(crate) topic_alias: Option<At<bool>>,
    /// From one reading to the next while up. A periodic device has none: it
    /// publishes when it wakes.
    pub(crate) every: Option<At<Time>>,
    /// A reading moves by up to this much to either side, at most half of
    /// `every`; not at all unless given.
    pub(crate) jitter: Option<At<Time>>,
    /// A device stops after this many readings; never unless given.
    pub(crate) readings: Option<Count>,
    /// What is in a reading; a JSON value from 0 to 100 unless given.
    pub(crate) payload: Option<At<PayloadTable>>,
}

/// What is in a reading, by `kind`; each one but the empty carries a unique id
/// as well.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(tag = "kind")]
pub(crate) enum PayloadTable {
    /// A JSON object with a value drawn evenly from `min` to `max`.
    Json {
        /// Unit of the value, which is its key too; "value" unless given.
        unit: Option<UnitName>,
        /// Digits after the decimal point, at most 9; 1 unless given.
        decimals: Option<Decimals>,
        /// Smallest value; 0 unless given.
        min: Option<At<f64>>,
        /// Largest value; 100 unless given.
        max: Option<At<f64>>,
    },
    /// Always this many bytes.
    Fixed {
        /// Bytes, the id included.
        bytes: At<Size>,
    },
    /// A JSON object with a value that walks.
    RandomWalk {
        /// Unit of the value, which is its key too; "value" unless given.
        unit: Option<UnitName>,
        /// Digits after the decimal point, at most 9; 1 unless given.
        decimals: Option<Decimals>,
        /// Smallest value; 0 unless given.
        min: Option<At<f64>>,
        /// Largest value; 40 unless given.
        max: Option<At<f64>>,
        /// Largest step from one reading to the next; 0.5 unless given.
        step: Option<At<f64>>,
    },
    /// A JSON object with a value that swings.
    Sine {
        /// Unit of the value, which is its key too; "value" unless given.
        unit: Option<UnitName>,
        /// Digits after the decimal point, at most 9; 1 unless given.
        decimals: Option<Decimals>,
        /// Value in the middle; 20 unless given.
        mean: Option<At<f64>>,
        /// Largest distance from it; 5 unless given.
        amplitude: Option<At<f64>>,
        /// Length of one swing; a day unless given.
        period: Option<At<Time>>,
    },
    /// Nothing: retained, it clears the value of its topic.
    Empty {},
    /// The lines of a file in turn, from the first again after the last.
    File {
        /// The file, relative to the scenario.
        path: At<String>,
    },
}

/// A subscription.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { filter = \"valley/+/temperature\", qos = 1 }"
)]
pub(crate) struct SubscribeTable {
    /// Topic filter; `{device}` and `{fleet}` stand for their names.
    /// `$share/name/filter` is a shared one (MQTT 5.0).
    pub(crate) filter: At<TopicFilter>,
    /// Name of the group that the subscription is shared in: each message goes
    /// to one of its members (MQTT 5.0). Not shared unless given.
    pub(crate) share: Option<At<Name>>,
    /// Largest quality of service asked for; 0 unless given.
    pub(crate) qos: Option<At<Qos>>,
    /// A device unsubscribes this long after the broker has granted it, or when
    /// it is next connected; never unless given.
    pub(crate) stay: Option<At<Time>>,
    /// Whether what the device itself published is not sent to it (MQTT 5.0);
    /// false unless given.
    pub(crate) no_local: Option<At<bool>>,
    /// Whether RETAIN arrives as it was published (MQTT 5.0); false unless given.
    pub(crate) retain_as_published: Option<At<bool>>,
    /// Whether retained messages are sent when it subscribes (MQTT 5.0); "send"
    /// unless given.
    pub(crate) retain_handling: Option<At<RetainHandlingName>>,
}

/// Whether retained messages are sent in answer to a SUBSCRIBE.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RetainHandlingName {
    /// 0: each time.
    Send,
    /// 1: only if the session has no such subscription yet.
    SendIfNew,
    /// 2: never.
    DoNotSend,
}
