//! WebSocket (RFC 6455), for two servers: [`MqttWebSocket`] carries MQTT's bytes
//! in binary frames, and [`Hub`] is the server of their own that teams write
//! where others take MQTT.
//!
//! Both answer the opening handshake in [`handshake`], which asks an
//! [`Endpoint`](handshake::Endpoint) what is served. Frames are the matter of
//! tungstenite, which enforces RFC 6455.

mod handshake;
mod hub;
mod mqtt;

use std::io;

use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

pub use handshake::UpgradeError;
pub use hub::{Hub, HubConfig, HubConnection, HubCounts, HubLimits};
pub use mqtt::{MqttWebSocket, Upgrade};

/// How much of what a client sends is read at once, in bytes; each connection
/// keeps a buffer of this size.
const READ_BYTES: usize = 4 * 1024;

/// How frames are read and written, with messages of at most so many bytes.
fn frames(message_bytes: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        // What was written goes out at once: the bytes that are under way are
        // counted.
        .write_buffer_size(0)
        .max_message_size(Some(message_bytes))
        .max_frame_size(Some(message_bytes))
}

/// The code to close with when a peer has broken RFC 6455 (section 7.4.1);
/// `None` when it is the stream that failed.
fn close_code(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(CloseCode::Protocol),
        Error::Capacity(_) => Some(CloseCode::Size),
        Error::Utf8(_) => Some(CloseCode::Invalid),
        _ => None,
    }
}

fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        error => io::Error::new(io::ErrorKind::ConnectionAborted, error),
    }
}
