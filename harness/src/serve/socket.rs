//! A client's TCP socket, and how it is let go.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

/// How long a peer may take to close its side once ours is closed.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// When the system asks a silent peer whether it is still there, how often, and
/// how many times: a peer without keep-alive of its own that has vanished is
/// known to be gone after two minutes.
const SILENCE: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_secs(15);
const PROBES: u32 = 4;

/// A client's TCP socket.
///
/// Dropped, it is closed so that the peer gets what was written last: if
/// something of the peer's is still unread, closing at once would reset the
/// connection, and a reset discards what the peer has not read yet, such as the
/// CONNACK that says why (RFC 1122 section 4.2.2.13). So our side is closed
/// first, and what still comes is read and discarded for a while.
#[derive(Debug)]
pub(super) struct Socket {
    /// There until it is dropped.
    stream: Option<TcpStream>,
    place: Option<OwnedSemaphorePermit>,
    /// Whether the peer has closed its side or the connection failed.
    gone: bool,
    /// Whether to reset it instead of closing it: a deliberate defect.
    resets: bool,
}

impl Socket {
    /// A socket that was accepted. It gives its place back when it is closed.
    pub(super) fn new(stream: TcpStream, place: OwnedSemaphorePermit) -> Self {
        let options = || -> io::Result<()> {
            stream.set_nodelay(true)?;
            let keepalive = TcpKeepalive::new().with_time(SILENCE);
            #[cfg(not(any(target_os = "openbsd", target_os = "solaris")))]
            let keepalive = keepalive.with_interval(PROBE_EVERY).with_retries(PROBES);
            SockRef::from(&stream).set_tcp_keepalive(&keepalive)
        };
        if let Err(error) = options() {
            tracing::debug!(%error, "a socket keeps the system's settings");
        }
        Self {
            stream: Some(stream),
            place: Some(place),
            gone: false,
            resets: false,
        }
    }

    /// Has it reset instead of closed.
    pub(super) fn reset_at_end(&mut self) {
        self.resets = true;
    }

    /// Does something with the stream, and remembers when the peer is gone.
    fn poll<T>(
        self: Pin<&mut Self>,
        act: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let this = self.get_mut();
        let Some(stream) = &mut this.stream else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let outcome = act(Pin::new(stream));
        this.gone |= matches!(outcome, Poll::Ready(Err(_)));
        outcome
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        let outcome = self.as_mut().poll(|stream| stream.poll_read(cx, buffer));
        self.gone |= outcome.is_ready() && room > 0 && buffer.remaining() == room;
        outcome
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.resets {
            return Poll::Ready(Ok(()));
        }
        self.poll(|stream| stream.poll_shutdown(cx))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let Some(stream) = self.stream.take() else {
            return;
        };
        let place = self.place.take();
        if self.resets {
            // What cannot be set leaves a stream that is closed as ever.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            return;
        }
        // Without a runtime there is nobody to wait.
        if let (false, Ok(runtime)) = (self.gone, tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                // Too late is not worth telling anybody.
                let _ = tokio::time::timeout(LINGER, discard(stream)).await;
                drop(place);
            });
        }
    }
}

/// Closes our side and reads until the peer has closed its own.
async fn discard(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}
