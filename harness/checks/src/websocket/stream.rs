//! MQTT's bytes in WebSocket frames, for the checks of MQTT over `ws://` and
//! `wss://`, and for simulated devices.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use squall_checks::websocket::{Framing, MqttFrames};
//!
//! let stream = tokio::net::TcpStream::connect("127.0.0.1:8083").await?;
//! let framing = Framing::default();
//! let stream = MqttFrames::connect(stream, "127.0.0.1:8083", "/mqtt", framing).await?;
//! // What is written now is MQTT, and so is what is read.
//! # Ok(()) }
//! ```

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use data_encoding::BASE64;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::frame::{BINARY, CLOSE, Frame, PING, PONG, Received, TEXT};
use super::handshake::{HEAD_BYTES_MAX, Request, Response, accept};
use crate::packets::first_len;

/// The subprotocol of MQTT `[MQTT-6.0.0-3]`.
const SUBPROTOCOL: &str = "mqtt";

/// The type of MQTT's DISCONNECT (section 2.2.1 of 3.1.1, 2.1.2 of 5.0).
const DISCONNECT: u8 = 14;

/// What every answer of HTTP begins with.
const HTTP: &[u8] = b"HTTP/1.";

/// What is read at once, in bytes.
const READ_BYTES: usize = 8 * 1024;

/// The longest frame that is taken, in bytes.
const FRAME_BYTES_MAX: usize = 2 * 1024 * 1024;

/// How bytes are divided among frames; a broker must not care `[MQTT-6.0.0-2]`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Framing {
    /// A frame for what is written at once: a packet, or several if they are.
    #[default]
    AsWritten,
    /// Messages of at most so many packets, at least 1, each in a frame.
    Packets(usize),
    /// Messages of at most so many bytes, at least 1, each in a frame.
    Messages(usize),
    /// A message for what is written at once, in fragments of at most so many
    /// bytes, at least 1.
    Fragments(usize),
}

impl Framing {
    fn frames(self, bytes: &[u8]) -> Vec<Frame> {
        match self {
            Self::AsWritten => vec![Frame::new(BINARY, bytes)],
            Self::Packets(most) => {
                let messages = packets(bytes, most.max(1));
                messages.map(|piece| Frame::new(BINARY, piece)).collect()
            }
            Self::Messages(most) => {
                let pieces = bytes.chunks(most.max(1));
                pieces.map(|piece| Frame::new(BINARY, piece)).collect()
            }
            Self::Fragments(most) => {
                let count = bytes.len().div_ceil(most.max(1)).max(1);
                Frame::fragments(BINARY, bytes, count)
            }
        }
    }
}

/// What is written, in pieces of at most so many packets; if it ends within one,
/// that is taken for whole.
fn packets(mut bytes: &[u8], most: usize) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let mut length = 0;
        for _ in 0..most {
            length += packet_len(&bytes[length..]);
        }
        let (piece, rest) = bytes.split_at(length);
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// How long the first packet is, or what there is of it.
fn packet_len(bytes: &[u8]) -> usize {
    first_len(bytes).unwrap_or(bytes.len())
}

/// Whether the last of these packets is a DISCONNECT, and whole.
fn ends_with_disconnect(bytes: &[u8]) -> bool {
    let last = packets(bytes, 1).last().unwrap_or_default();
    let first_byte = last.first().copied().unwrap_or_default();
    first_byte >> 4 == DISCONNECT && first_len(last).is_some()
}

/// What a client draws at random, so that no page that runs in a browser can
/// choose the bytes it sends (RFC 6455 section 10.3).
pub struct Keys {
    /// `Sec-WebSocket-Key`, before it is encoded.
    pub handshake: [u8; 16],
    /// The masking key of the next frame.
    pub masks: Box<dyn FnMut() -> [u8; 4] + Send + Sync>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// A stream of MQTT over a WebSocket, at the client's end. Pings are answered;
/// a Close frame is the stream's end, in either direction.
#[derive(Debug)]
pub struct MqttFrames<S> {
    stream: S,
    framing: Framing,
    /// What masks the frames, if not always the same.
    keys: Option<Keys>,
    /// From the server, and not a whole frame yet.
    received: BytesMut,
    /// MQTT that was not read yet.
    unread: BytesMut,
    /// For the server.
    sending: BytesMut,
    /// Whether a Close frame goes right behind DISCONNECT.
    leaves: bool,
    /// Whether a Close frame has been sent, or lies ready.
    closed: bool,
    /// Whether one has come, or the stream below has ended.
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> MqttFrames<S> {
    /// Opens a WebSocket of the subprotocol `mqtt` on a stream. `authority` is
    /// host and port, and `path` goes from its `/` on. How long it may take is
    /// for the caller to limit. Whether the answer is right in points that do
    /// not matter to MQTT is for the checks of WebSocket to say.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when the server does not agree, with what
    /// it says instead; any other when the stream fails.
    pub async fn connect(
        stream: S,
        authority: &str,
        path: &str,
        framing: Framing,
    ) -> io::Result<Self> {
        Self::open(stream, authority, path, framing, None).await
    }

    /// The same as clients do it, where [`connect`](Self::connect) is for checks.
    /// Keys are as they are drawn; those of checks are always the same, so that
    /// they can be told in the bytes. And a Close frame with status 1000 goes right
    /// behind DISCONNECT, with which a client has no more to say
    /// `[MQTT311-3.14.4-1]`; what becomes of it is for [`finish`](Self::finish).
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub async fn connect_with(
        stream: S,
        authority: &str,
        path: &str,
        framing: Framing,
        keys: Keys,
    ) -> io::Result<Self> {
        Self::open(stream, authority, path, framing, Some(keys)).await
    }

    async fn open(
        mut stream: S,
        authority: &str,
        path: &str,
        framing: Framing,
        keys: Option<Keys>,
    ) -> io::Result<Self> {
        let leaves = keys.is_some();
        let mut request = Request::new(authority, path).with("Sec-WebSocket-Protocol", SUBPROTOCOL);
        if let Some(keys) = &keys {
            request = request.with("Sec-WebSocket-Key", &BASE64.encode(&keys.handshake));
        }
        stream.write_all(&request.encode()).await?;
        stream.flush().await?;
        let mut received = BytesMut::new();
        let response = loop {
            if let Some((response, length)) = Response::decode(&received) {
                received.advance(length);
                break response;
            }
            let begins = received.len().min(HTTP.len());
            if received[..begins] != HTTP[..begins] {
                let begin = format!("{:02x?}", &received[..begins]);
                return Err(invalid(&format!(
                    "{path} is answered with {begin}, not HTTP"
                )));
            }
            if received.len() > HEAD_BYTES_MAX {
                return Err(invalid(&format!("{path} is answered without end")));
            }
            if stream.read_buf(&mut received).await? == 0 {
                let what = "the server ends the connection instead of opening a WebSocket";
                return Err(invalid(&format!("{what} at {path}")));
            }
        };
        if let Some(wrong) = wrong(&response, &request) {
            return Err(invalid(&format!(
                "no WebSocket for MQTT at {path}: {wrong}"
            )));
        }
        Ok(Self {
            stream,
            framing,
            keys,
            received,
            unread: BytesMut::new(),
            sending: BytesMut::new(),
            leaves,
            closed: false,
            ended: false,
        })
    }

    /// Whether a Close frame has gone, or lies ready, that is not answered yet.
    pub fn is_closing(&self) -> bool {
        self.closed && !self.ended
    }

    /// Waits for the answer to a Close frame, and for the end of the stream below,
    /// which is the server's to end first (RFC 6455 section 7.1.1); what comes before
    /// is passed over. Then there is nothing left but to drop it. How long it may
    /// take is for the caller to limit.
    ///
    /// # Errors
    /// Whatever the stream below answers, and [`io::ErrorKind::InvalidData`] for what
    /// is no frame that carries MQTT.
    pub async fn finish(&mut self) -> io::Result<()> {
        let mut passed_over = [0; 64];
        while self.read(&mut passed_over).await? > 0 {}
        while self.stream.read(&mut passed_over).await? > 0 {}
        Ok(())
    }

    fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.queue(Frame::close(1000, ""));
        }
    }

    /// Takes whole frames from what was received.
    fn unframe(&mut self) -> io::Result<()> {
        while !self.ended {
            let decoded = Received::decode(&self.received, FRAME_BYTES_MAX);
            let (frame, length) = match decoded {
                Ok(Some(decoded)) => decoded,
                Ok(None) => break,
                Err(length) => return Err(invalid(&format!("a frame of {length} bytes"))),
            };
            self.received.advance(length);
            match frame.opcode {
                // No extension is agreed upon that could give them a meaning.
                _ if frame.reserved != 0 => return Err(invalid(&frame.to_string())),
                PING => self.answer(PONG, &frame),
                PONG => {}
                CLOSE => {
                    self.answer(CLOSE, &frame);
                    self.closed = true;
                    self.ended = true;
                }
                // [MQTT-6.0.0-1]
                TEXT => return Err(invalid("MQTT in a text frame")),
                _ if frame.is_data() => self.unread.extend_from_slice(&frame.payload),
                _ => return Err(invalid(&frame.to_string())),
            }
        }
        Ok(())
    }

    /// Answers a control frame, unless our Close frame has gone before.
    fn answer(&mut self, opcode: u8, frame: &Received) {
        if !self.closed {
            self.queue(Frame::new(opcode, &frame.payload));
        }
    }

    fn queue(&mut self, frame: Frame) {
        let frame = match &mut self.keys {
            Some(keys) => frame.mask(Some((keys.masks)())),
            None => frame,
        };
        self.sending.extend_from_slice(&frame.encode());
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.sending.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.sending))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sending.advance(count);
        }
        Poll::Ready(Ok(()))
    }
}

/// Why an answer opens no WebSocket that carries MQTT, if it does not.
fn wrong(response: &Response, request: &Request) -> Option<String> {
    if response.status != 101 {
        return Some(response.status_line.clone());
    }
    let right = accept(request.key());
    let accepts = response.list("sec-websocket-accept");
    if accepts != [right.as_str()] {
        let accepts = accepts.join(", ");
        return Some(format!(
            "its Sec-WebSocket-Accept is {accepts:?}, not {right:?}"
        ));
    }
    let agreed = response.list("sec-websocket-protocol");
    // [MQTT-6.0.0-4]
    if agreed != [SUBPROTOCOL] {
        let agreed = agreed.join(", ");
        return Some(format!("it agrees to the subprotocol {agreed:?}, not mqtt"));
    }
    None
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for MqttFrames<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            this.unframe()?;
            // A Pong or a Close; if they do not go out now, they do later.
            if let Poll::Ready(Err(error)) = this.poll_send(cx)
                && !this.ended
            {
                return Poll::Ready(Err(error));
            }
            if !this.unread.is_empty() {
                let count = this.unread.len().min(buffer.remaining());
                buffer.put_slice(&this.unread.split_to(count));
                return Poll::Ready(Ok(()));
            }
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            let mut bytes = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read))?;
            this.ended = read.filled().is_empty();
            this.received.extend_from_slice(read.filled());
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for MqttFrames<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(self.poll_send(cx))?;
        for frame in self.framing.frames(bytes) {
            self.queue(frame);
        }
        if self.leaves && ends_with_disconnect(bytes) {
            self.close();
        }
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Sends a Close frame, and ends the stream below.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
