//! The strict reference broker for MQTT 3.1.1 and 5.0, on one listener.
//!
//! Three layers, each usable alone:
//! - [`wire`]: the codec. An error names the statement of the specification
//!   that was broken.
//! - [`Broker`]: the protocol without I/O. Time is an argument, so is what must
//!   not be guessed, and the same inputs give the same outputs on every machine.
//! - [`Server`]: a thin shim that serves any `AsyncRead + AsyncWrite` stream,
//!   and [`MqttWebSocket`], which makes such a stream of a WebSocket.
//!
//! Beside them stand [`Hub`], the plain WebSocket server, and [`HttpServer`], the
//! REST server, that fleets are compared on.
//!
//! Statements are cited as `[MQTT311-3.1.2-3]` or `[MQTT5-3.1.2-3]`: the number in
//! Appendix B of the OASIS standard of 29 October 2014 or of 7 March 2019, behind
//! the version it belongs to.

mod access;
mod aliases;
mod broker;
mod capabilities;
mod connection;
mod deadlines;
mod effects;
mod entropy;
mod entry;
mod http;
mod inflight;
mod journal;
mod limits;
mod message;
mod observer;
mod queue;
mod quirks;
mod refusal;
mod retained;
mod scram;
mod sensors;
mod serve;
mod session;
mod shares;
mod store;
mod terms;
mod topics;
mod websocket;
mod wills;
pub mod wire;

pub use access::{Access, Check, Password, Rights, User};
pub use broker::{Broker, Config, Input, Transmit};
pub use capabilities::Capabilities;
pub use connection::ConnId;
pub use entropy::Entropy;
pub use http::{HttpConfig, HttpCounts, HttpLimits, HttpServer};
pub use limits::{Limits, QueueFull};
pub use message::{Expiry, Message};
pub use observer::{CloseReason, DropCause, Observer, SessionEvent};
pub use quirks::{Quirk, Quirks};
pub use scram::{NotScramKeys, ScramKeys};
pub use serve::{Serve, Server};
pub use store::{Batch, Change, CorruptEntry, Store, Syncing};
pub use websocket::{
    Hub, HubConfig, HubConnection, HubCounts, HubLimits, MqttWebSocket, Upgrade, UpgradeError,
};
