//! WebSockets that carry MQTT, once their devices have let go of them.
//!
//! A device that is done says DISCONNECT and drops its stream. The closing
//! handshake of the WebSocket (RFC 6455 section 7.1), which it has begun, goes on
//! without it, as in a browser: the server's Close frame is taken, and then TCP's
//! end. Dropped at once, the stream would answer that frame with RST. A device
//! that loses its power meanwhile takes this down with its network card.

use super::world::surface;
use squall_checks::websocket::MqttFrames;
use squall_devices::Stream;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

type Frames = MqttFrames<Box<dyn Stream>>;

/// A WebSocket that is closing, and how long that may take.
type Parted = (Frames, Duration);

/// Where WebSockets go that are closing.
#[derive(Clone, Debug)]
pub(super) struct Parting(UnboundedSender<Parted>);

/// Where those come from.
#[derive(Debug)]
pub(super) struct Closing(UnboundedReceiver<Parted>);

/// For the devices of one site.
pub(super) fn parting() -> (Parting, Closing) {
    let (sender, receiver) = unbounded_channel();
    (Parting(sender), Closing(receiver))
}

impl Parting {
    /// This WebSocket for a device; once it is let go of, its closing handshake may
    /// take so long.
    pub(super) fn of(&self, frames: Frames, patience: Duration) -> impl Stream + use<> {
        Carried {
            parted: Some((frames, patience)),
            parting: self.0.clone(),
        }
    }
}

impl Closing {
    /// Has closing handshakes go on.
    pub(super) async fn run(mut self) -> Infallible {
        let mut closing = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                Some(ended) = closing.join_next() => surface(ended),
                Some((mut frames, patience)) = self.0.recv() => {
                    // However it ends, the device has done its part.
                    closing.spawn(async move {
                        let _ = timeout(patience, frames.finish()).await;
                    });
                }
                else => pending().await,
            }
        }
    }
}

/// MQTT in a WebSocket that somebody holds.
struct Carried {
    /// There until it is dropped.
    parted: Option<Parted>,
    parting: UnboundedSender<Parted>,
}

impl Carried {
    fn frames(&mut self) -> io::Result<Pin<&mut Frames>> {
        let parted = self.parted.as_mut();
        let (frames, _) = parted.ok_or(io::ErrorKind::NotConnected)?;
        Ok(Pin::new(frames))
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        if let Some(parted) = self.parted.take()
            && parted.0.is_closing()
        {
            // Its host may be gone with whoever receives it.
            let _ = self.parting.send(parted);
        }
    }
}

impl AsyncRead for Carried {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.frames()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Carried {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.frames()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.frames()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.frames()?.poll_shutdown(cx)
    }
}
