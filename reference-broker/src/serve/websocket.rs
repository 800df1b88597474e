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
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::machine::TryParse as _;
use tokio_tungstenite::tungstenite::handshake::server::{
    Request, Response, create_response, write_response,
};
use tokio_tungstenite::tungstenite::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::http::{StatusCode, Version};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};

/// The name of MQTT among WebSocket's subprotocols `[MQTT-6.0.0-3]`.
const SUBPROTOCOL: &str = "mqtt";

/// The longest request for an upgrade, in bytes: room for a browser's cookies.
const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// How much of what a client sends is read at once, in bytes; each connection
/// keeps a buffer of this size.
const READ_BYTES: usize = 4 * 1024;

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
}

impl Default for Upgrade {
    /// `/mqtt`, for every origin, with messages as large as packets may be.
    fn default() -> Self {
        Self {
            path: Some("/mqtt".to_owned()),
            origins: None,
            message_bytes: crate::wire::REMAINING_LENGTH_MAX + 5,
        }
    }
}

/// Why a stream did not become a WebSocket.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The request was answered with this HTTP status.
    #[error("refused with {status}: {reason}")]
    Refused {
        /// The HTTP status code.
        status: u16,
        /// What was wrong with the request.
        reason: &'static str,
    },
    /// The stream failed, or ended before the request did.
    #[error(transparent)]
    Stream(#[from] io::Error),
}

/// A stream of bytes in the binary frames of a WebSocket, at the server's end.
///
/// A message that is not binary ends the connection `[MQTT-6.0.0-1]`, with close
/// code 1003; so does a frame that RFC 6455 does not allow, an unmasked one
/// among them, with 1002 or what fits it best (section 7.4.1). Pings are
/// answered.
#[derive(Debug)]
pub struct MqttWebSocket<S> {
    frames: WebSocketStream<S>,
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
        let mut request = Vec::new();
        let outcome = loop {
            match answer(&request, upgrade) {
                Ok(None) => {}
                Ok(Some(accepted)) => break Ok(accepted),
                Err(refusal) => break Err(refusal),
            }
            if stream.read_buf(&mut request).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        };
        match outcome {
            Ok((head, response)) => {
                let rest = request.split_off(head);
                stream.write_all(&response).await?;
                stream.flush().await?;
                let config = WebSocketConfig::default()
                    .read_buffer_size(READ_BYTES)
                    // What the broker has written goes out at once: it counts
                    // the bytes that are under way.
                    .write_buffer_size(0)
                    .max_message_size(Some(upgrade.message_bytes))
                    .max_frame_size(Some(upgrade.message_bytes));
                let frames =
                    WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(config));
                Ok(Self {
                    frames: frames.await,
                    unread: Bytes::new(),
                    ended: false,
                })
            }
            Err(refusal) => {
                stream.write_all(&refusal.response()).await?;
                stream.shutdown().await?;
                Err(UpgradeError::Refused {
                    status: refusal.status.as_u16(),
                    reason: refusal.reason,
                })
            }
        }
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

/// The code to close with when a peer has broken RFC 6455; `None` when it is the
/// stream that failed.
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

/// A request that does not become a WebSocket, and its answer.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    /// What the client may do instead.
    headers: &'static [(HeaderName, &'static str)],
    reason: &'static str,
}

impl Refusal {
    const fn new(status: StatusCode, reason: &'static str) -> Self {
        Self {
            status,
            headers: &[],
            reason,
        }
    }

    /// The whole answer, in bytes.
    fn response(&self) -> Vec<u8> {
        let body = format!("{}\n", self.reason);
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        *response.version_mut() = Version::HTTP_11;
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, content_type);
        serialized(&response, &body)
    }
}

fn serialized(response: &Response, body: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Fails only for header values that are not text, and ours are.
    let _ = write_response(&mut bytes, response);
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

/// The answer to a request, and how long the request is; nothing as long as it
/// is not complete.
fn answer(request: &[u8], upgrade: &Upgrade) -> Result<Option<(usize, Vec<u8>)>, Refusal> {
    const BAD: StatusCode = StatusCode::BAD_REQUEST;
    let (head, request) = match Request::try_parse(request) {
        Ok(Some(parsed)) => parsed,
        Ok(None) if request.len() < REQUEST_BYTES_MAX => return Ok(None),
        Ok(None) | Err(Error::Capacity(CapacityError::TooManyHeaders)) => {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(Refusal::new(status, "the request's headers are too large"));
        }
        Err(error) => return Err(broken(&error)),
    };
    let path = request.uri().path();
    if upgrade.path.as_deref().is_some_and(|only| only != path) {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "MQTT is not served here",
        ));
    }
    let headers = request.headers();
    if headers.get_all(header::HOST).iter().count() != 1 {
        return Err(Refusal::new(BAD, "the request has not exactly one Host"));
    }
    if headers.get_all(header::SEC_WEBSOCKET_KEY).iter().count() > 1 {
        // RFC 6455 section 11.3.1
        return Err(Refusal::new(
            BAD,
            "the request has several Sec-WebSocket-Key",
        ));
    }
    let mut response = create_response(&request).map_err(|error| broken(&error))?;
    if !may_connect_from(headers.get(header::ORIGIN), upgrade.origins.as_deref()) {
        let reason = "pages of this origin may not connect";
        return Err(Refusal::new(StatusCode::FORBIDDEN, reason));
    }
    // [MQTT-6.0.0-3]
    if !offers_mqtt(headers) {
        return Err(Refusal::new(
            BAD,
            "the request does not offer the subprotocol mqtt",
        ));
    }
    // [MQTT-6.0.0-4]
    let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
    let headers = response.headers_mut();
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    Ok(Some((head, serialized(&response, ""))))
}

/// The answer to what is no request for an upgrade.
fn broken(error: &Error) -> Refusal {
    const UPGRADE: (HeaderName, &str) = (header::UPGRADE, "websocket");
    const VERSION: (HeaderName, &str) = (header::SEC_WEBSOCKET_VERSION, "13");
    let Error::Protocol(error) = error else {
        return Refusal::new(StatusCode::BAD_REQUEST, "the request is not HTTP");
    };
    match error {
        ProtocolError::WrongHttpMethod => Refusal {
            status: StatusCode::METHOD_NOT_ALLOWED,
            headers: &[(header::ALLOW, "GET")],
            reason: "a WebSocket is asked for with GET",
        },
        ProtocolError::MissingConnectionUpgradeHeader
        | ProtocolError::MissingUpgradeWebSocketHeader => Refusal {
            status: StatusCode::UPGRADE_REQUIRED,
            headers: &[UPGRADE],
            reason: "the request does not ask for an upgrade to a WebSocket",
        },
        // RFC 6455 section 4.4
        ProtocolError::MissingSecWebSocketVersionHeader => Refusal {
            status: StatusCode::UPGRADE_REQUIRED,
            headers: &[UPGRADE, VERSION],
            reason: "the version of WebSocket is not 13",
        },
        ProtocolError::WrongHttpVersion => Refusal::new(
            StatusCode::BAD_REQUEST,
            "a WebSocket takes HTTP/1.1 or later",
        ),
        ProtocolError::MissingSecWebSocketKey | ProtocolError::InvalidSecWebSocketKey => {
            Refusal::new(
                StatusCode::BAD_REQUEST,
                "Sec-WebSocket-Key is missing, or not 16 bytes in Base64",
            )
        }
        _ => Refusal::new(StatusCode::BAD_REQUEST, "the request is not well-formed"),
    }
}

/// Only browsers name an origin, and only they can be trusted to name the right
/// one (RFC 6455 section 10.2).
fn may_connect_from(origin: Option<&HeaderValue>, allowed: Option<&[String]>) -> bool {
    match (origin, allowed) {
        (None, _) | (_, None) => true,
        (Some(origin), Some(allowed)) => allowed
            .iter()
            .any(|one| origin.as_bytes().eq_ignore_ascii_case(one.as_bytes())),
    }
}

/// Whether MQTT is among the subprotocols on offer, in one header or several.
fn offers_mqtt(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| one.trim() == SUBPROTOCOL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const REQUEST: &str = "GET /mqtt HTTP/1.1\r\nHost: broker.example\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\
        Origin: https://dashboard.example\r\n\r\n";

    fn upgrade() -> Upgrade {
        Upgrade {
            origins: Some(vec!["https://dashboard.example".to_owned()]),
            ..Upgrade::default()
        }
    }

    /// The example of RFC 6455 section 1.3, with MQTT as its subprotocol.
    #[test]
    fn a_request_is_answered_with_mqtt() {
        let (head, response) = answer(REQUEST.as_bytes(), &upgrade())
            .expect("accepted")
            .expect("complete");
        assert_eq!(head, REQUEST.len());
        let response = String::from_utf8(response).expect("text");
        assert!(response.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
        for line in [
            "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
            "sec-websocket-protocol: mqtt\r\n",
            "upgrade: websocket\r\n",
        ] {
            assert!(response.contains(line), "{line} is not in {response}");
        }
        assert!(response.ends_with("\r\n\r\n"));
    }

    #[test]
    fn a_part_of_a_request_is_not_answered_yet() {
        for end in 0..REQUEST.len() {
            let answered = answer(&REQUEST.as_bytes()[..end], &upgrade());
            assert!(matches!(answered, Ok(None)), "after {end} bytes");
        }
    }

    /// In `REQUEST`, `right` becomes `wrong`.
    #[rstest]
    #[case::another_path("/mqtt HTTP", "/other HTTP", 404)]
    #[case::a_longer_path("/mqtt HTTP", "/mqtt/ HTTP", 404)]
    #[case::another_method("GET", "POST", 405)]
    #[case::an_old_version("HTTP/1.1", "HTTP/1.0", 400)]
    #[case::no_http("GET /mqtt HTTP/1.1", "\u{10}\u{0d}\u{0}", 400)]
    #[case::no_host("Host: broker.example\r\n", "", 400)]
    #[case::two_hosts("Host: broker.example\r\n", "Host: a\r\nHost: b\r\n", 400)]
    #[case::no_upgrade("Upgrade: websocket\r\n", "", 426)]
    #[case::another_upgrade("Upgrade: websocket", "Upgrade: h2c", 426)]
    #[case::no_connection("Connection: Upgrade", "Connection: close", 426)]
    #[case::another_version("Version: 13", "Version: 8", 426)]
    #[case::no_version("Sec-WebSocket-Version: 13\r\n", "", 426)]
    #[case::no_key("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400)]
    #[case::a_short_key("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==", 400)]
    #[case::two_keys(
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version",
        400
    )]
    #[case::another_origin("https://dashboard.example", "https://elsewhere.example", 403)]
    #[case::no_subprotocol("Sec-WebSocket-Protocol: mqtt\r\n", "", 400)]
    #[case::another_subprotocol("Protocol: mqtt", "Protocol: mqttv3.1, MQTT", 400)]
    fn a_bad_request_is_refused(#[case] right: &str, #[case] wrong: &str, #[case] status: u16) {
        assert!(REQUEST.contains(right));
        let request = REQUEST.replacen(right, wrong, 1);
        let refusal = answer(request.as_bytes(), &upgrade()).expect_err("refused");
        assert_eq!(refusal.status.as_u16(), status, "{refusal:?}");
        let response = String::from_utf8(refusal.response()).expect("text");
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")));
        assert!(response.ends_with(&format!("\r\n\r\n{}\n", refusal.reason)));
        let names_version = response.contains("sec-websocket-version: 13\r\n");
        assert_eq!(
            names_version,
            wrong.contains('8') || right.contains("Version: 13\r")
        );
    }

    #[rstest]
    #[case::with_a_query("/mqtt HTTP", "/mqtt?token=1 HTTP")]
    #[case::no_browser("Origin: https://dashboard.example\r\n", "")]
    #[case::an_origin_in_capitals("https://dashboard", "HTTPS://Dashboard")]
    #[case::several_subprotocols("Protocol: mqtt", "Protocol: mqttv3.1,mqtt")]
    #[case::in_a_header_of_its_own(
        "Sec-WebSocket-Protocol: mqtt",
        "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: mqtt"
    )]
    #[case::several_tokens("Connection: Upgrade", "Connection: keep-alive, Upgrade")]
    fn a_good_request_is_taken(#[case] right: &str, #[case] also: &str) {
        assert!(REQUEST.contains(right));
        let request = REQUEST.replacen(right, also, 1);
        assert!(matches!(
            answer(request.as_bytes(), &upgrade()),
            Ok(Some(_))
        ));
    }

    #[test]
    fn a_request_without_end_is_refused() {
        let mut request = REQUEST.trim_end().to_owned();
        request.push_str("\r\nCookie: ");
        request.push_str(&"a".repeat(REQUEST_BYTES_MAX));
        let refusal = answer(request.as_bytes(), &upgrade()).expect_err("refused");
        assert_eq!(refusal.status.as_u16(), 431);
    }

    #[test]
    fn any_path_and_origin_can_be_allowed() {
        let upgrade = Upgrade {
            path: None,
            ..Upgrade::default()
        };
        let request = REQUEST.replace("/mqtt", "/");
        assert!(matches!(answer(request.as_bytes(), &upgrade), Ok(Some(_))));
    }
}
