//! A stream that breaks at an exact packet.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// Which way a packet travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToBroker,
    ToDevice,
}

/// Loses the first packet of a type that travels one way, and breaks the
/// connection right then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) way: Way,
    /// MQTT control packet type: 3 is PUBLISH, 4 PUBACK, and so on.
    pub(crate) packet_type: u8,
}

/// One connection, seen from the network.
#[derive(Clone)]
pub(crate) struct Wire(Arc<Mutex<State>>);

struct State {
    end: Option<DuplexStream>,
    cut: Option<Cut>,
    /// What the broker sends is lost from this packet type on.
    mute: Option<u8>,
    muted: bool,
    open: bool,
    written: Vec<u8>,
    /// What never gets to the device, nor anything behind it.
    lost: Option<&'static [u8]>,
    reader: Option<Waker>,
}

impl Wire {
    pub(crate) fn new(
        end: DuplexStream,
        cut: Option<Cut>,
        lost: Option<&'static [u8]>,
        mute: Option<u8>,
    ) -> Self {
        Self(Arc::new(Mutex::new(State {
            end: Some(end),
            cut,
            mute,
            muted: false,
            open: true,
            written: Vec::new(),
            lost,
            reader: None,
        })))
    }

    pub(crate) fn stream(&self) -> CutStream {
        CutStream(self.clone())
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.lock().unwrap().open
    }

    /// What got to the server.
    pub(crate) fn written(&self) -> Vec<u8> {
        self.0.lock().unwrap().written.clone()
    }

    /// Takes the near end away, so that the far end does not see it close.
    pub(crate) fn take(&self) -> Option<DuplexStream> {
        self.0.lock().unwrap().end.take()
    }

    /// Breaks the connection at both ends.
    pub(crate) fn sever(&self) {
        let mut state = self.0.lock().unwrap();
        state.end = None;
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }
}

/// The device's end.
pub(crate) struct CutStream(Wire);

impl Drop for CutStream {
    fn drop(&mut self) {
        let mut state = self.0.0.lock().unwrap();
        state.open = false;
        state.end = None;
    }
}

fn broken<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
}

/// Length of the first packet in `bytes`, if it is there as a whole. Test
/// packets are short: their remaining length is one byte.
fn packet_len(bytes: &[u8]) -> Option<usize> {
    let length = 2 + usize::from(*bytes.get(1)?);
    assert!(length < 130, "the test's packets are short");
    (bytes.len() >= length).then_some(length)
}

impl State {
    fn cuts(&self, way: Way, first_byte: u8) -> bool {
        self.cut
            .is_some_and(|cut| cut.way == way && cut.packet_type == first_byte >> 4)
    }

    /// Bytes of `bytes` before the packet that is lost; the end is gone if it is there.
    fn pass(&mut self, way: Way, bytes: &[u8]) -> usize {
        if let (Way::ToDevice, Some(lost)) = (way, self.lost) {
            let mut places = bytes.windows(lost.len());
            return places.position(|at| at == lost).unwrap_or(bytes.len());
        }
        if self.cut.is_none() {
            return bytes.len();
        }
        let mut at = 0;
        while let Some(length) = packet_len(&bytes[at..]) {
            if self.cuts(way, bytes[at]) {
                return at;
            }
            at += length;
        }
        bytes.len()
    }
}

impl AsyncRead for CutStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.0.lock().unwrap();
        state.reader = Some(cx.waker().clone());
        let Some(end) = &mut state.end else {
            return broken();
        };
        let before = buf.filled().len();
        match Pin::new(end).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {}
            other => return other,
        }
        let bytes = buf.filled()[before..].to_vec();
        state.muted |= state
            .mute
            .is_some_and(|mute| bytes.first().map(|b| b >> 4) == Some(mute));
        if state.muted {
            buf.set_filled(before);
            return Poll::Pending;
        }
        let passed = state.pass(Way::ToDevice, &bytes);
        if passed < bytes.len() {
            state.end = None;
            buf.set_filled(before + passed);
            if passed == 0 {
                return broken();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for CutStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.0.lock().unwrap();
        let passed = state.pass(Way::ToBroker, bytes);
        state.written.extend_from_slice(&bytes[..passed]);
        let Some(end) = &mut state.end else {
            return broken();
        };
        if passed == bytes.len() {
            return Pin::new(end).poll_write(cx, bytes);
        }
        // What comes before the lost packet still arrives.
        let _ = Pin::new(end).poll_write(cx, &bytes[..passed]);
        state.end = None;
        broken()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.0.lock().unwrap().end = None;
        Poll::Ready(Ok(()))
    }
}
