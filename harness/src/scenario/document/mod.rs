//! The scenario file as it is written: one struct for each table, one field
//! for each key.
//!
//! The doc comments here are the language's reference: the JSON Schema hands
//! them to editors. Values that are valid by themselves are checked while they
//! parse; what depends on another value is checked in `resolve`.

pub(crate) mod bound;
pub(crate) mod fault;
pub(crate) mod fleet;
pub(crate) mod link;
pub(crate) mod protocol;
pub(crate) mod scalar;
pub(crate) mod value;

use schemars::JsonSchema;
use serde::Deserialize;

use bound::{Bound, OfBytes, OfShare, OfThings, OfTime, OfWhole};
use fault::FaultTable;
use fleet::{FleetTable, VersionName};
use link::SiteTable;
use protocol::{ProtocolName, TlsValue};
use scalar::{
    AliasMaximum, Bytes, Count, GuaranteeName, KeepAlive, Line, Qos, QuirkName, Size, Time,
};
use value::At;

/// A Squall scenario: sites, fleets of devices, and what is expected of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Squall scenario")]
pub(crate) struct ScenarioTable {
    /// What the report is headed with.
    pub(crate) title: Line,
    /// How long the run takes in virtual time, `drain` included.
    pub(crate) duration: At<Time>,
    /// At the end of `duration`, time without new publishes, so that what is
    /// owed can arrive. A tenth of `duration` unless given, at most 2 minutes.
    pub(crate) drain: Option<At<Time>>,
    /// The version of MQTT that fleets speak which do not say; "3.1.1" unless
    /// given.
    pub(crate) mqtt: Option<VersionName>,
    /// What fleets speak which do not say; "mqtt" unless given.
    pub(crate) protocol: Option<ProtocolName>,
    /// Whether fleets which do not say have their connections in TLS 1.3, or how;
    /// false unless given.
    pub(crate) tls: Option<TlsValue>,
    /// The network between devices and servers.
    #[serde(default)]
    pub(crate) network: NetworkTable,
    /// The reference broker.
    #[serde(default)]
    pub(crate) broker: BrokerTable,
    /// Places with one kind of access link each.
    #[serde(default)]
    pub(crate) site: Vec<SiteTable>,
    /// Devices of one kind at one site.
    #[serde(default)]
    pub(crate) fleet: Vec<FleetTable>,
    /// What goes wrong, and when.
    #[serde(default)]
    pub(crate) fault: Vec<FaultTable>,
    /// Bounds on the run's figures.
    #[serde(default)]
    pub(crate) expect: ExpectTable,
}

/// The network between devices and servers, except the access links.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of network settings")]
pub(crate) struct NetworkTable {
    /// Resolution of time between hosts, 1 ms to 1 s. The smallest one-way
    /// delay of the scenario's links unless given, within 1 ms to 10 ms.
    pub(crate) tick: Option<At<Time>>,
    /// TCP window of every fleet that does not set its own: the receive buffer
    /// of both ends, and twice their send buffer; at least 512 bytes. 2 KiB
    /// unless given, about as in lwIP, the TCP of most microcontrollers; 64 KiB
    /// for a fleet that only subscribes, since dashboards and recorders are
    /// computers.
    pub(crate) window: Option<At<Size>>,
    /// Unacknowledged data may stand this long before a connection is given
    /// up; 924s unless given, as on Linux.
    pub(crate) user_timeout: Option<At<Time>>,
    /// A SYN is repeated for this long before a connection attempt is given
    /// up; 127s unless given, as on Linux.
    pub(crate) syn_timeout: Option<At<Time>>,
    /// How long an acknowledgement may be delayed; "0s" sends each at once,
    /// 10ms unless given.
    pub(crate) ack_delay: Option<Time>,
    /// Whether small segments are sent at once (TCP_NODELAY); true unless
    /// given, as most MQTT clients and brokers set it.
    pub(crate) nodelay: Option<bool>,
    /// Congestion control of both ends; "reno" unless given.
    pub(crate) congestion: Option<CongestionName>,
}

/// Congestion control of TCP.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CongestionName {
    /// None but the window.
    None,
    /// RFC 5681.
    Reno,
    /// RFC 9438.
    Cubic,
}

/// The reference broker; each limit has the broker's own default unless given.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of broker settings")]
pub(crate) struct BrokerTable {
    /// QoS 1 and 2 messages on their way to one client at once.
    pub(crate) inflight_max: Option<Bytes>,
    /// Messages that may wait for one session.
    pub(crate) queue_messages_max: Option<Count>,
    /// Bytes of messages that may wait for one session.
    pub(crate) queue_bytes_max: Option<Size>,
    /// Largest packet the broker takes.
    pub(crate) packet_bytes_max: Option<At<Size>>,
    /// How long a new connection may take to send CONNECT.
    pub(crate) connect_timeout: Option<At<Time>>,
    /// Whether QoS 0 messages wait for a session that is offline.
    pub(crate) queue_qos0: Option<bool>,
    /// Whether sessions, messages and retained values are on a disk and survive
    /// a crash of the server, so that acknowledgements wait for the disk; true
    /// if a server-crash is among the faults, or `disk_sync` is given, unless
    /// given.
    pub(crate) durable: Option<At<bool>>,
    /// How long the disk takes to sync, more than nothing; 2ms unless given,
    /// about as an SSD does that has no power-loss protection.
    pub(crate) disk_sync: Option<At<Time>>,
    /// What the broker offers; everything unless given.
    #[serde(default)]
    pub(crate) capabilities: CapabilitiesTable,
    /// What the broker does wrong on purpose, so that a check can be seen to
    /// fail; nothing unless given.
    #[serde(default)]
    pub(crate) quirks: Vec<QuirkName>,
}

/// What the broker offers beyond the least that MQTT 5.0 asks of one, and tells
/// its clients in CONNACK.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { maximum_qos = 1, retain = false }"
)]
pub(crate) struct CapabilitiesTable {
    /// Highest quality of service of messages taken and granted; 2 unless given.
    pub(crate) maximum_qos: Option<Qos>,
    /// Whether messages are retained; true unless given.
    pub(crate) retain: Option<bool>,
    /// Whether filters may have wildcards; true unless given.
    pub(crate) wildcard_subscriptions: Option<bool>,
    /// Whether subscriptions may have identifiers; true unless given.
    pub(crate) subscription_identifiers: Option<bool>,
    /// Whether there are shared subscriptions; true unless given.
    pub(crate) shared_subscriptions: Option<bool>,
    /// QoS 1 and 2 messages that one client may have under way to the broker at
    /// once; 65,535 unless given.
    pub(crate) receive_maximum: Option<Bytes>,
    /// Topic aliases that one client may use towards the broker; 16 unless given.
    pub(crate) topic_alias_maximum: Option<AliasMaximum>,
    /// How long a session is kept at most once its connection has ended; for
    /// ever unless given.
    pub(crate) session_expiry_max: Option<Time>,
    /// Keep Alive of every client, whatever it asks for; the client's own unless
    /// given.
    pub(crate) server_keep_alive: Option<KeepAlive>,
}

/// Bounds on the run's figures; one that does not hold fails the run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of bounds")]
pub(crate) struct ExpectTable {
    /// Share of the deliveries owed to subscribers that arrived; "100% of
    /// acknowledged" leaves out readings the broker never acknowledged.
    pub(crate) delivered: Option<Bound<OfWhole>>,
    /// Share of QoS 1 and 2 publishes that were acknowledged.
    pub(crate) acknowledged: Option<Bound<OfShare>>,
    /// Share of deliveries that were repeats.
    pub(crate) duplicated: Option<Bound<OfShare>>,
    /// Share of the broker's subscribers, topic by topic, that ended with the
    /// value that reached it last, be it as a reading or as what was retained.
    pub(crate) last_value: Option<Bound<OfShare>>,
    /// Publishes of all fleets.
    pub(crate) published: Option<Bound<OfThings>>,
    /// Median time from publish to delivery.
    pub(crate) latency_p50: Option<Bound<OfTime>>,
    /// 95th percentile of the time from publish to delivery.
    pub(crate) latency_p95: Option<Bound<OfTime>>,
    /// 99th percentile of the time from publish to delivery.
    pub(crate) latency_p99: Option<Bound<OfTime>>,
    /// Longest time from publish to delivery.
    pub(crate) latency_max: Option<Bound<OfTime>>,
    /// Bytes on the wire, both directions, for each delivered reading.
    pub(crate) bytes_per_reading: Option<Bound<OfBytes>>,
    /// Bytes on the wire in all, both directions.
    pub(crate) bytes_total: Option<Bound<OfBytes>>,
    /// Connections attempted.
    pub(crate) connects: Option<Bound<OfThings>>,
    /// Connection attempts that did not reach a successful CONNACK.
    pub(crate) connect_failures: Option<Bound<OfThings>>,
    /// How long what is owed may take to arrive once it is acknowledged, the
    /// weather clear and its subscriber connected; `drain` unless given, and at
    /// most that.
    pub(crate) settle: Option<At<Time>>,
    /// Guarantees that cannot hold in this scenario, each with a reason. All
    /// others are judged.
    #[serde(default)]
    pub(crate) exceptions: Vec<ExceptionTable>,
}

/// A guarantee that cannot hold in this scenario.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { guarantee = \"order\", why = \"…\" }"
)]
pub(crate) struct ExceptionTable {
    /// Which.
    pub(crate) guarantee: At<GuaranteeName>,
    /// Why it cannot hold; the report says so.
    pub(crate) why: Line,
}
