//! Masks that a seed decides, below tungstenite, which draws its own from the
//! operating system: so that a run is the same, byte for byte, each time.

use crate::random::Draw;
use bytes::{Buf as _, BufMut as _, BytesMut};
use std::io::{self, Cursor};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;

/// A client's stream, whose frames are masked anew as they are written.
pub(super) struct Masked<S> {
    stream: S,
    masks: Draw,
    /// The opening handshake is over: what is written are frames.
    open: bool,
    /// Of a frame, as far as it has been written.
    header: Vec<u8>,
    /// Of a frame's payload, in bytes, what is still to come.
    rest: u64,
    /// What a payload's next bytes are changed by.
    change: [u8; 4],
    /// What the stream has not taken yet.
    sending: BytesMut,
}

impl<S> Masked<S> {
    pub(super) fn new(stream: S, masks: Draw) -> Self {
        Self {
            stream,
            masks,
            open: false,
            header: Vec::new(),
            rest: 0,
            change: [0; 4],
            sending: BytesMut::new(),
        }
    }

    /// From here on frames are written.
    pub(super) fn opened(&mut self) {
        self.open = true;
    }

    fn mask(&mut self, mut bytes: &[u8]) {
        if !self.open {
            self.sending.extend_from_slice(bytes);
            return;
        }
        while let Some(&byte) = bytes.first() {
            if self.rest > 0 {
                let count = bytes
                    .len()
                    .min(usize::try_from(self.rest).unwrap_or(usize::MAX));
                let changes = self.change.into_iter().cycle();
                let payload = bytes[..count].iter().zip(changes);
                self.sending
                    .extend(payload.map(|(byte, change)| byte ^ change));
                self.change.rotate_left(count % 4);
                self.rest -= count as u64;
                bytes.advance(count);
                continue;
            }
            self.header.push(byte);
            bytes.advance(1);
            let parsed = FrameHeader::parse(&mut Cursor::new(&self.header));
            // What tungstenite writes can be read.
            let Ok(Some((mut header, length))) = parsed else {
                continue;
            };
            if let Some(theirs) = header.mask {
                let ours = self.masks.bytes();
                header.mask = Some(ours);
                self.change = std::array::from_fn(|at| theirs[at] ^ ours[at]);
            }
            // Writing to memory does not fail.
            let _ = header.format(length, &mut (&mut self.sending).writer());
            self.header.clear();
            self.rest = length;
        }
    }
}

impl<S: AsyncWrite + Unpin> Masked<S> {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Masked<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        self.mask(bytes);
        if let Poll::Ready(sent) = self.poll_send(cx) {
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

impl<S: AsyncRead + Unpin> AsyncRead for Masked<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::DeviceId;
    use crate::random::Purpose;
    use rstest::rstest;

    /// A masked frame.
    fn frame(mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let header = FrameHeader {
            mask: Some(mask),
            ..FrameHeader::default()
        };
        let mut bytes = Vec::new();
        header.format(payload.len() as u64, &mut bytes).unwrap();
        let keys = mask.into_iter().cycle();
        bytes.extend(payload.iter().zip(keys).map(|(byte, key)| byte ^ key));
        bytes
    }

    fn draw() -> Draw {
        Draw::new(7, Purpose::WebSocket, DeviceId(1), 0)
    }

    /// However frames are cut into writes, they leave with the seed's masks, and
    /// nothing else is changed.
    #[rstest]
    #[case(1)]
    #[case(3)]
    #[case(1_000_000)]
    fn frames_have_the_masks_of_the_seed(#[case] write_bytes: usize) {
        let payloads: [&[u8]; 4] = [b"", b"x", b"twenty-one degrees", &[7; 70_000]];
        let mut drawn = draw();
        let expected: Vec<u8> = payloads
            .iter()
            .flat_map(|payload| frame(drawn.bytes(), payload))
            .collect();
        let mut masked = Masked::new((), draw());
        masked.mask(b"GET / HTTP/1.1");
        assert_eq!(masked.sending.split(), b"GET / HTTP/1.1"[..]);
        masked.opened();
        let written: Vec<u8> = (1..)
            .zip(payloads)
            .flat_map(|(mask, payload)| frame([mask; 4], payload))
            .collect();
        for bytes in written.chunks(write_bytes) {
            masked.mask(bytes);
        }
        assert!(masked.sending == expected);
    }
}
