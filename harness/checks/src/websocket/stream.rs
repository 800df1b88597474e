//! MQTT's bytes in WebSocket frames, for the checks of MQTT over `ws://` and
//! `wss://`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::frame::{BINARY, CLOSE, Frame, PING, PONG, Received, TEXT};
use super::handshake::{HEAD_BYTES_MAX, Request, Response, accept};

/// What is read at once, in bytes.
const READ_BYTES: usize = 8 * 1024;

/// The longest frame that is taken, in bytes.
const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How bytes are divided among frames; a broker must not care `[MQTT-6.0.0-2]`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Framing {
    /// A frame for what is written at once, which is a packet.
    #[default]
    AsWritten,
    /// Frames of at most so many bytes, at least 1.
    Pieces(usize),
}

/// A stream of MQTT over a WebSocket, at the client's end. Pings are answered; a
/// Close frame is the stream's end.
#[derive(Debug)]
pub struct MqttFrames<S> {
    stream: S,
    framing: Framing,
    /// From the server, and not a whole frame yet.
    received: BytesMut,
    /// MQTT that was not read yet.
    unread: BytesMut,
    /// For the server.
    sending: BytesMut,
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> MqttFrames<S> {
    /// Opens a WebSocket of the subprotocol `mqtt` on a stream. How long it may
    /// take is for the caller to limit.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when the server does not agree, with what
    /// it says instead; any other when the stream fails.
    pub async fn connect(
        mut stream: S,
        authority: &str,
        path: &str,
        framing: Framing,
    ) -> io::Result<Self> {
        let request = Request::new(authority, path).with("Sec-WebSocket-Protocol", "mqtt");
        stream.write_all(&request.encode()).await?;
        stream.flush().await?;
        let mut received = BytesMut::new();
        let response = loop {
            if let Some((response, length)) = Response::decode(&received) {
                received.advance(length);
                break response;
            }
            if received.len() > HEAD_BYTES_MAX {
                return Err(refused("no HTTP came"));
            }
            if stream.read_buf(&mut received).await? == 0 {
                return Err(refused("it ended the connection"));
            }
        };
        let accepts = response.values("sec-websocket-accept").next();
        if response.status != 101 {
            return Err(refused(&response.status_line));
        }
        if accepts != Some(&accept(request.key())) {
            return Err(refused("its Sec-WebSocket-Accept is wrong"));
        }
        if response.values("sec-websocket-protocol").next() != Some("mqtt") {
            return Err(refused("it does not agree to the subprotocol mqtt"));
        }
        Ok(Self {
            stream,
            framing,
            received,
            unread: BytesMut::new(),
            sending: BytesMut::new(),
            ended: false,
        })
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
                PING => self.queue(&Frame::new(PONG, &frame.payload)),
                PONG => {}
                CLOSE => {
                    self.queue(&Frame::new(CLOSE, &frame.payload));
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

    fn queue(&mut self, frame: &Frame) {
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

fn refused(what: &str) -> io::Error {
    invalid(&format!("the server opens no WebSocket: {what}"))
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
        ready!(self.poll_send(cx))?;
        let most = match self.framing {
            Framing::AsWritten => bytes.len().max(1),
            Framing::Pieces(most) => most.max(1),
        };
        for piece in bytes.chunks(most) {
            self.queue(&Frame::new(BINARY, piece));
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

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
