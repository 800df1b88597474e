//! What a fleet speaks, and whether in TLS, as the simulator builds it.

use std::time::Duration;

use squall_checks::websocket::Framing;

/// What a fleet speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT over TCP.
    Mqtt,
    /// MQTT in the frames of a WebSocket.
    MqttOverWebSocket(Framing),
    /// A plain WebSocket to the hub.
    WebSocket(WebSocket),
    /// HTTP/1.1.
    Http(Http),
}

impl Protocol {
    /// Which of the servers it is spoken with.
    #[must_use]
    pub fn server(&self) -> Server {
        match self {
            Self::Mqtt | Self::MqttOverWebSocket(_) => Server::Broker,
            Self::WebSocket(_) => Server::Hub,
            Self::Http(_) => Server::Rest,
        }
    }
}

/// One of the servers at the server's host. None knows what another is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Server {
    /// The broker, whatever carries MQTT to it.
    #[default]
    Broker,
    /// The sensor hub, for plain WebSocket.
    Hub,
    /// The server for HTTP.
    Rest,
}

impl Server {
    /// The protocol that only it speaks, in a report; nothing for MQTT.
    pub(crate) fn protocol(self) -> Option<&'static str> {
        match self {
            Self::Broker => None,
            Self::Hub => Some("WebSocket"),
            Self::Rest => Some("HTTP"),
        }
    }
}

/// How a device speaks to the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebSocket {
    /// Whether readings are acknowledged and sent again, and listeners named.
    pub acknowledged: bool,
    /// Whether readings are sent as text.
    pub text: bool,
    /// A device that has heard nothing for so long pings, and after twice as long
    /// gives its connection up; never if zero.
    pub keep_alive: Duration,
}

/// How a device speaks HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http {
    /// Whether a connection is kept for further requests.
    pub keep_alive: bool,
    /// How a device that subscribes comes by readings.
    pub reader: HttpReader,
}

/// How a device asks for readings over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpReader {
    /// Again after this time, more than none.
    Poll(Duration),
    /// At once again; the server may wait so many seconds, at least 1, with its
    /// answer.
    LongPoll(u32),
}

/// How a device uses TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Whether it resumes its session from a ticket of an earlier connection.
    pub resumption: bool,
    /// How keys are agreed upon.
    pub key_exchange: KeyExchange,
}

/// How keys are agreed upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyExchange {
    /// RFC 7748.
    X25519,
    /// The hybrid of it and ML-KEM-768.
    X25519MlKem768,
}
