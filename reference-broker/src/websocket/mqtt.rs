//! MQTT over WebSocket (section 6): a stream of bytes that travels in binary
//! frames.
//!
//! [`MqttWebSocket::accept`] answers the opening handshake (RFC 6455 section
//! 4.2) on any stream; what it returns is a stream again, for
//! [`Server::serve`](crate::Server::serve). Packets may be split and packed
//! across frames however the client likes `[MQTT-6.0.0-2]`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};

use super::distorted::Below;
use super::handshake::{self, Endpoint, UpgradeError};
use super::{close_code, frames, io_error};
use crate::quirks::{Quirk, Quirks};
use crate::refusal::Refusal;

/// The name of MQTT among WebSocket's subprotocols `[MQTT-6.0.0-3]`.
const SUBPROTOCOL: &str = "mqtt";

/// What it was called before it was called so.
const OTHER: &str = "mqttv3.1";

/// What a client has to ask for, to be let through to the broker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upgrade {
    /// The only path there is, or `None` for any. Another one is answered with
    /// 404.
    pub path: Option<String>,
    /// The pages that may connect, as browsers name them in `Origin`, such as
    /// `https://example.org`; `None` for any. Another one is answered with 403
    /// (RFC 6455 section 4.2.2); a client that names none is no browser.
    pub origins: Option<Vec<String>>,
    /// Largest message taken, in bytes. A larger one ends the connection with
    /// close code 1009. MQTT has no such limit; it should have room for the
    /// largest packet, since most clients send each in a message of its own.
    pub message_bytes: usize,
    /// Deliberate defects; none by default. Those of MQTT are the broker's.
    pub quirks: Quirks,
}

impl Default for Upgrade {
    /// `/mqtt`, for every origin, with messages as large as packets may be.
    fn default() -> Self {
        Self {
            path: Some("/mqtt".to_owned()),
            origins: None,
            message_bytes: crate::wire::REMAINING_LENGTH_MAX + 5,
            quirks: Quirks::default(),
        }
    }
}

impl Endpoint for Upgrade {
    type Resource = ();

    fn resource(&self, path: &str) -> Option<()> {
        let served = self.path.as_deref().is_none_or(|only| only == path);
        (served || self.quirks.has(Quirk::WsServesAnyPath)).then_some(())
    }

    fn quirks(&self) -> Quirks {
        self.quirks
    }

    fn origins(&self) -> Option<&[String]> {
        self.origins.as_deref()
    }

    fn subprotocol(&self, (): &(), offered: &[&str]) -> Result<Option<&'static str>, Refusal> {
        if self.quirks.has(Quirk::WsPicksAnotherSubprotocol) && offered.contains(&OTHER) {
            return Ok(Some(OTHER));
        }
        // [MQTT-6.0.0-3]
        if !offered.contains(&SUBPROTOCOL) {
            if let Some(wrong) = handshake::wrong_subprotocol(self.quirks, SUBPROTOCOL) {
                return Ok(Some(wrong));
            }
            let reason = "the request does not offer the subprotocol mqtt";
            return Err(Refusal::new(Refusal::BAD, reason));
        }
        // [MQTT-6.0.0-4]
        Ok(Some(SUBPROTOCOL))
    }
}

/// A stream of bytes in the binary frames of a WebSocket, at the server's end.
///
/// A message that is not binary ends the connection `[MQTT-6.0.0-1]`, with close
/// code 1003; so does a frame that RFC 6455 does not allow, an unmasked one
/// among them, with 1002 or what fits it best (section 7.4.1). Pings are
/// answered.
#[derive(Debug)]
pub struct MqttWebSocket<S> {
    frames: WebSocketStream<Below<S>>,
    /// What has come and was not read yet.
    unread: Bytes,
    /// Whether a Close frame has been sent or received, or the stream failed.
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> MqttWebSocket<S> {
    /// Answers the client's request for an upgrade. How long it may take is for
    /// the caller to limit.
    ///
    /// # Errors
    /// [`UpgradeError::Refused`] when the client was sent a status other than
    /// 101, and [`UpgradeError::Stream`] when the stream failed.
    pub async fn accept(mut stream: S, upgrade: &Upgrade) -> Result<Self, UpgradeError> {
        let accepted = handshake::accept(&mut stream, upgrade).await?;
        let frames = frames(stream, accepted.rest, upgrade.message_bytes, upgrade.quirks);
        Ok(Self {
            frames: frames.await,
            unread: Bytes::new(),
            ended: false,
        })
    }

    /// Says why the connection ends, if the peer takes it at once: it has not
    /// earned that anybody waits for it.
    fn fail(&mut self, cx: &mut Context<'_>, code: CloseCode, reason: String) -> io::Error {
        self.ended = true;
        let close = CloseFrame {
            code,
            reason: reason.as_str().into(),
        };
        let mut frames = Pin::new(&mut self.frames);
        if frames
            .as_mut()
            .start_send(Message::Close(Some(close)))
            .is_ok()
        {
            let _ = frames.poll_flush(cx);
        }
        io::Error::new(io::ErrorKind::InvalidData, reason)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for MqttWebSocket<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.unread.is_empty() {
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut this.frames).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => this.unread = bytes,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                // [MQTT-6.0.0-1]
                Some(Ok(Message::Text(_))) => {
                    let reason = "MQTT comes in binary frames [MQTT-6.0.0-1]".to_owned();
                    return Poll::Ready(Err(this.fail(cx, CloseCode::Unsupported, reason)));
                }
                Some(Ok(Message::Close(_))) => {
                    this.ended = true;
                    // The answer lies ready. A peer that takes nothing any more
                    // does without it.
                    let _ = Pin::new(&mut this.frames).poll_flush(cx);
                }
                Some(Err(error)) => {
                    return Poll::Ready(Err(match close_code(&error) {
                        Some(code) => this.fail(cx, code, error.to_string()),
                        None => {
                            this.ended = true;
                            io_error(error)
                        }
                    }));
                }
                None => this.ended = true,
            }
        }
        let count = this.unread.len().min(buffer.remaining());
        buffer.put_slice(&this.unread[..count]);
        this.unread.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for MqttWebSocket<S> {
    /// All that is given goes into one binary message.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut frames = Pin::new(&mut self.get_mut().frames);
        ready!(frames.as_mut().poll_ready(cx)).map_err(io_error)?;
        let message = Message::Binary(Bytes::copy_from_slice(bytes));
        frames.start_send(message).map_err(io_error)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().frames)
            .poll_flush(cx)
            .map_err(io_error)
    }

    /// Sends a Close frame, then ends the stream below.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.ended {
            this.ended = true;
            let close = CloseFrame {
                code: CloseCode::Normal,
                reason: "".into(),
            };
            Pin::new(&mut this.frames)
                .start_send(Message::Close(Some(close)))
                .map_err(io_error)?;
        }
        ready!(Pin::new(&mut this.frames).poll_flush(cx)).map_err(io_error)?;
        Pin::new(this.frames.get_mut()).poll_shutdown(cx)
    }
}
