//! Quirks of a WebSocket, between its stream and tungstenite, which itself does
//! nothing wrong.
//!
//! What a quirky server takes though it should not is made right before
//! tungstenite sees it, and what it sends wrongly is made wrong after tungstenite
//! has written it. So each quirk is one line of [`incoming`] or [`outgoing`], and
//! an honest server has none of this below it.

mod frame;
mod incoming;
mod outgoing;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::quirks::Quirks;

use super::READ_BYTES;
use frame::Frame;
use incoming::Incoming;
use outgoing::Outgoing;

/// How much may wait to be sent before more is taken, in bytes.
const SEND_BYTES: usize = 64 * 1024;

/// What is below tungstenite: the stream, with its quirks if it has any.
#[derive(Debug)]
pub(super) enum Below<S> {
    Honest(S),
    Distorted(Box<Distorted<S>>),
}

impl<S> Below<S> {
    /// `rest` is what was read already; what of it tungstenite is to begin with
    /// is returned.
    pub(super) fn new(
        stream: S,
        rest: Vec<u8>,
        quirks: Quirks,
        message_bytes: usize,
    ) -> (Self, Vec<u8>) {
        if !quirks.iter().any(|quirk| quirk.name().starts_with("ws-")) {
            return (Self::Honest(stream), rest);
        }
        let distorted = Distorted {
            stream,
            incoming: Incoming::new(quirks, message_bytes),
            outgoing: Outgoing::new(quirks),
            received: BytesMut::from(&rest[..]),
            readable: BytesMut::new(),
            written: BytesMut::new(),
            sending: BytesMut::new(),
            ended: false,
        };
        (Self::Distorted(Box::new(distorted)), Vec::new())
    }
}

/// A stream of frames, rewritten.
#[derive(Debug)]
pub(super) struct Distorted<S> {
    stream: S,
    incoming: Incoming,
    outgoing: Outgoing,
    /// From the client, and not a whole frame yet.
    received: BytesMut,
    /// For tungstenite.
    readable: BytesMut,
    /// From tungstenite, and not a whole frame yet.
    written: BytesMut,
    /// For the client.
    sending: BytesMut,
    /// Whether the client has ended the stream.
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Distorted<S> {
    /// Rewrites what has been received.
    fn rewrite_incoming(&mut self) {
        let Self {
            incoming,
            outgoing,
            received,
            readable,
            sending,
            ..
        } = self;
        incoming.rewrite(received, readable, &mut |close: Frame| {
            outgoing.closing();
            close.encode(sending);
        });
        outgoing.close_received |= incoming.close_received;
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.sending.is_empty() {
            let stream = Pin::new(&mut self.stream);
            let count = ready!(stream.poll_write(cx, &self.sending))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sending.advance(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Distorted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            this.rewrite_incoming();
            // What the rules answer themselves goes out whatever comes in.
            if let Poll::Ready(sent) = this.poll_send(cx) {
                sent?;
            }
            if !this.readable.is_empty() {
                let count = this.readable.len().min(buffer.remaining());
                buffer.put_slice(&this.readable.split_to(count));
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Distorted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.sending.len() > SEND_BYTES {
            ready!(this.poll_send(cx))?;
        }
        this.written.extend_from_slice(bytes);
        this.outgoing.rewrite(&mut this.written, &mut this.sending);
        if let Poll::Ready(sent) = this.poll_send(cx) {
            sent?;
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Below<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Honest(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Distorted(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Below<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Honest(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Distorted(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Honest(stream) => Pin::new(stream).poll_flush(cx),
            Self::Distorted(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Honest(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Distorted(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
