//! The checks of WebSocket: RFC 6455, one file for each part of it, and MQTT's
//! own chapter on it; and what they are written with.
//!
//! They run on a broker's WebSocket endpoint, on an endpoint that echoes what it
//! is sent, and on any other: what takes an application at the other end is
//! skipped there.

mod app;
pub mod frame;
pub mod handshake;
mod open;
mod probe;
mod stream;

pub(crate) mod mqtt_over_websocket;
pub(crate) mod rfc6455;

pub use open::{Serves, WebSocketEndpoint};
pub use probe::{Arrival, Ending, WebSocket};
pub use stream::{Framing, Keys, MqttFrames};
