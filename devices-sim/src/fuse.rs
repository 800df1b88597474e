//! A stream whose device goes dark at an exact point of what it writes.

use crate::network::Stream;
use crate::strike::{Blow, Dark, Inbox, Until};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The stream of one connection. Once its device is about to go dark, nothing
/// is written or read any more.
pub(crate) struct Fused {
    stream: Box<dyn Stream>,
    inbox: Arc<Inbox>,
    /// What is written are MQTT packets; otherwise each write is one.
    is_mqtt: bool,
    /// The last write was taken in part only.
    in_mid_packet: bool,
    /// CONNECT, or a request for an upgrade, which is written by itself, is
    /// written.
    connect_written: bool,
    blown: bool,
}

impl Fused {
    /// A stream of MQTT packets, of which several may be written at once.
    pub(crate) fn of_mqtt(stream: Box<dyn Stream>, inbox: Arc<Inbox>) -> Self {
        Self {
            is_mqtt: true,
            ..Self::new(stream, inbox)
        }
    }

    /// A stream of which each write is a packet of its own.
    pub(crate) fn new(stream: Box<dyn Stream>, inbox: Arc<Inbox>) -> Self {
        Self {
            stream,
            inbox,
            is_mqtt: false,
            in_mid_packet: false,
            connect_written: false,
            blown: false,
        }
    }

    fn blow(&mut self, dark: Dark) {
        self.blown = true;
        self.inbox.push(Blow::LastBytes(dark));
    }
}

impl AsyncWrite for Fused {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.blown {
            return Poll::Pending;
        }
        let armed = self.inbox.armed();
        let dying = armed.die_in_packet;
        if let Some((last, down)) = dying.and_then(|last| Some((last, last.until.left()?))) {
            let packet = if self.in_mid_packet || !self.is_mqtt {
                bytes.len()
            } else {
                packet_len(bytes).min(bytes.len())
            };
            let part = &bytes[..last.part_of(packet)];
            if part.is_empty() {
                self.blow(Dark::NoPower(down));
                return Poll::Pending;
            }
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, part))?;
            self.blow(Dark::NoPower(down));
            return Poll::Ready(Ok(written));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.in_mid_packet = written < bytes.len();
        if !self.in_mid_packet && !self.connect_written {
            self.connect_written = true;
            if let Some(down) = armed.sleep_in_handshake.and_then(Until::left) {
                self.blow(Dark::Asleep(down));
            }
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Fused {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.blown {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

/// Length of the MQTT packet at the start of `bytes`: type, remaining length
/// of 1 to 4 bytes, and the rest [MQTT 3.1.1, section 2.2.3].
fn packet_len(bytes: &[u8]) -> usize {
    let mut remaining = 0;
    let mut header = 1;
    for byte in bytes.iter().skip(1).take(4) {
        remaining |= usize::from(byte & 0x7f) << (7 * (header - 1));
        header += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    header + remaining
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::pingreq(&[0xc0, 0], 2)]
    #[case::puback(&[0x40, 2, 0, 1, 0xc0, 0], 4)]
    #[case::two_bytes_of_length(&[0x30, 0x80, 0x01], 3 + 128)]
    fn a_packet_is_as_long_as_its_header_says(#[case] bytes: &[u8], #[case] length: usize) {
        assert_eq!(packet_len(bytes), length);
    }
}
