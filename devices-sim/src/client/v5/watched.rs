//! A stream that notes which PUBLISH packets were written to it.
//!
//! When a connection fails, rumqttc's client for 5.0 clears what it has not
//! told yet, and with it which of the requests it had taken were written
//! already. A QoS 2 message published anew then would arrive twice.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Packet identifiers, 0 at QoS 0, of the PUBLISH packets that were written and
/// not told yet, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written(Arc<Mutex<VecDeque<u16>>>);

impl Written {
    fn queue(&self) -> MutexGuard<'_, VecDeque<u16>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest, which is told now.
    pub(crate) fn tell(&self) -> Option<u16> {
        self.queue().pop_front()
    }
}

pub(crate) struct Watched<S> {
    stream: S,
    scan: Scan,
    written: Written,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, written: Written) -> Self {
        Self {
            stream,
            scan: Scan::default(),
            written,
        }
    }
}

/// Where in the stream of packets it is.
#[derive(Debug, Default)]
struct Scan {
    place: Place,
    /// Of a PUBLISH: the length of its topic, in bytes.
    topic: usize,
    packet_id: u16,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    /// At a packet's first byte.
    #[default]
    Start,
    /// Within its remaining length, of which this much is known.
    Length { first: u8, value: usize, shift: u32 },
    /// At this byte of the rest of a PUBLISH at QoS 1 or 2.
    Publish { at: usize, length: usize },
    /// This many bytes before the next packet.
    Rest(usize),
}

impl Scan {
    /// Goes over `bytes`. Returns the packet identifier of each PUBLISH that
    /// they say it of.
    fn pass(&mut self, mut bytes: &[u8], mut publish: impl FnMut(u16)) {
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = rest;
            self.place = match self.place {
                Place::Start => Place::Length {
                    first: byte,
                    value: 0,
                    shift: 0,
                },
                Place::Length {
                    first,
                    value,
                    shift,
                } => {
                    let value = value | usize::from(byte & 0x7f) << shift;
                    if byte & 0x80 != 0 {
                        let shift = shift + 7;
                        Place::Length {
                            first,
                            value,
                            shift,
                        }
                    } else {
                        self.after_length(first, value, &mut publish)
                    }
                }
                Place::Publish { at, length } => {
                    match at {
                        0 => self.topic = usize::from(byte) << 8,
                        1 => self.topic |= usize::from(byte),
                        _ if at == 2 + self.topic => self.packet_id = u16::from(byte) << 8,
                        _ => {}
                    }
                    let at = at + 1;
                    if at == 2 + self.topic + 2 {
                        publish(self.packet_id | u16::from(byte));
                        rest_of(length - at)
                    } else {
                        Place::Publish { at, length }
                    }
                }
                Place::Rest(left) => {
                    let skipped = (left - 1).min(bytes.len());
                    bytes = &bytes[skipped..];
                    rest_of(left - 1 - skipped)
                }
            };
        }
    }

    fn after_length(&self, first: u8, length: usize, publish: &mut impl FnMut(u16)) -> Place {
        match (first >> 4, first & 0b0110) {
            (3, 0) => {
                publish(0);
                rest_of(length)
            }
            (3, _) => Place::Publish { at: 0, length },
            _ => rest_of(length),
        }
    }
}

fn rest_of(length: usize) -> Place {
    match length {
        0 => Place::Start,
        left => Place::Rest(left),
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        let Self { scan, written, .. } = &mut *self;
        scan.pass(&bytes[..taken], |packet_id| {
            written.queue().push_back(packet_id);
        });
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PINGREQ, a PUBLISH at QoS 1 with identifier 0x0102, one at QoS 0 with 200
    /// bytes, a PUBACK, a PUBLISH at QoS 2 with identifier 3 and nothing else.
    #[test]
    fn however_the_bytes_are_cut_each_publish_is_noted() {
        let mut bytes = vec![0xc0, 0];
        bytes.extend([0x32, 8, 0, 2, b'a', b'b', 1, 2, 0, b'x']);
        bytes.extend([0x30, 0xc8, 0x01]);
        bytes.extend([0x32; 200]);
        bytes.extend([0x40, 2, 0, 9]);
        bytes.extend([0x3c, 5, 0, 1, b'a', 0, 3]);
        for cut in 1..bytes.len() {
            let mut scan = Scan::default();
            let mut noted = Vec::new();
            for part in bytes.chunks(cut) {
                scan.pass(part, |packet_id| noted.push(packet_id));
            }
            assert_eq!(noted, [0x0102, 0, 3], "in pieces of {cut}");
        }
    }

    #[test]
    fn a_publish_is_written_once_its_identifier_is() {
        let mut scan = Scan::default();
        let mut noted = Vec::new();
        let bytes = [0x32, 7, 0, 2, b'a', b'b', 0, 7, b'x'];
        scan.pass(&bytes[..7], |packet_id| noted.push(packet_id));
        assert!(noted.is_empty());
        scan.pass(&bytes[7..8], |packet_id| noted.push(packet_id));
        assert_eq!(noted, [7]);
    }
}
