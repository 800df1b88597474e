//! What a fleet speaks: `protocol`, `tls`, and the tables of WebSocket and HTTP.

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalar::{Bytes, Size, Time};
use super::value::{At, Either};

/// What a fleet speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProtocolName {
    /// MQTT over TCP, with the broker.
    Mqtt,
    /// MQTT in the frames of a WebSocket, with the broker.
    MqttWs,
    /// A plain WebSocket, with the sensor hub.
    Websocket,
    /// HTTP/1.1, with a server that keeps the latest readings.
    Http,
}

/// Whether a fleet has its connections in TLS 1.3, or how.
pub(crate) type TlsValue = At<Either<bool, TlsTable>>;

/// How a fleet uses TLS 1.3.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "true, or a table such as { resumption = false }"
)]
pub(crate) struct TlsTable {
    /// Whether a device resumes its session from a ticket of an earlier
    /// connection; true unless given.
    pub(crate) resumption: Option<bool>,
    /// How keys are agreed upon; "x25519" unless given.
    pub(crate) key_exchange: Option<KeyExchangeName>,
}

/// How keys are agreed upon.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyExchangeName {
    /// An elliptic curve (RFC 7748).
    X25519,
    /// The same beside ML-KEM-768, which a quantum computer would not break.
    #[serde(rename = "x25519-mlkem768")]
    X25519MlKem768,
}

/// How a fleet speaks WebSocket: `acknowledged`, `text` and `keep_alive` are for
/// a plain one, `packets_per_frame` and `split` for MQTT over it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { acknowledged = true }"
)]
pub(crate) struct WebSocketTable {
    /// Whether readings are numbered and acknowledged, and sent again when a
    /// connection has broken, and listeners have names by which the hub keeps
    /// readings for them; false unless given.
    pub(crate) acknowledged: Option<At<bool>>,
    /// Whether readings are sent as text; as binary data unless given.
    pub(crate) text: Option<At<bool>>,
    /// A device that has heard nothing for so long pings, and one that has heard
    /// nothing for twice as long gives its connection up; 60s unless given, "0s"
    /// for never.
    pub(crate) keep_alive: Option<At<Time>>,
    /// MQTT packets in one frame at most; as many as the client writes at once
    /// unless given.
    pub(crate) packets_per_frame: Option<At<Bytes>>,
    /// Bytes of MQTT in one frame at most: longer packets are split; any number
    /// unless given.
    pub(crate) split: Option<At<Size>>,
}

/// How a fleet speaks HTTP.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { keep_alive = true, poll = \"5s\" }"
)]
pub(crate) struct HttpTable {
    /// Whether a connection is kept for further requests while a device is
    /// awake; each has its own unless given.
    pub(crate) keep_alive: Option<bool>,
    /// A device that subscribes asks for readings so often; every 5s unless
    /// given.
    pub(crate) poll: Option<At<Time>>,
    /// A device that subscribes always has a request under way, which the server
    /// answers when there is a reading, and after this time at the latest.
    pub(crate) long_poll: Option<At<Time>>,
}
