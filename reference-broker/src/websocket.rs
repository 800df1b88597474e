//! WebSocket (RFC 6455), for two servers: [`MqttWebSocket`] carries MQTT's bytes
//! in binary frames, and [`Hub`] is the server of their own that teams write
//! where others take MQTT.
//!
//! Both answer the opening handshake in [`handshake`], which asks an
//! [`Endpoint`](handshake::Endpoint) what is served. Frames are the matter of
//! tungstenite, which enforces RFC 6455; what a quirk gets wrong there is done
//! [below](distorted) it.

mod distorted;
mod handshake;
mod hub;
mod mqtt;

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::quirks::Quirks;
use distorted::Below;

pub use handshake::UpgradeError;
pub use hub::{Hub, HubConfig, HubConnection, HubCounts, HubLimits};
pub use mqtt::{MqttWebSocket, Upgrade};

/// How much of what a client sends is read at once, in bytes; each connection
/// keeps a buffer of this size.
const READ_BYTES: usize = 4 * 1024;

/// What follows an opening handshake: frames, with messages of at most so many
/// bytes. `rest` is what was read beyond the request.
async fn frames<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    rest: Vec<u8>,
    message_bytes: usize,
    quirks: Quirks,
) -> WebSocketStream<Below<S>> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        // What was written goes out at once: the bytes that are under way are
        // counted.
        .write_buffer_size(0)
        .max_message_size(Some(message_bytes))
        .max_frame_size(Some(message_bytes));
    let (stream, rest) = Below::new(stream, rest, quirks, message_bytes);
    WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(config)).await
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
