//! What a program holds of a connection: a byte stream like tokio's, and a
//! listener.

use super::nic::Nic;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddrV4;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A TCP connection over the simulated network.
///
/// Dropped, it closes as a kernel closes a socket: with a FIN, or with a RST
/// when received bytes were left unread.
pub struct TcpStream {
    nic: Arc<Nic>,
    index: usize,
}

impl TcpStream {
    pub(crate) fn new(nic: Arc<Nic>, index: usize) -> TcpStream {
        TcpStream { nic, index }
    }

    /// The address of this end.
    pub fn local_addr(&self) -> SocketAddrV4 {
        self.nic.connection(self.index).flow.local
    }

    /// The address of the other end.
    pub fn peer_addr(&self) -> SocketAddrV4 {
        self.nic.connection(self.index).flow.remote
    }

    /// Tells the account of this end what is inside of the TLS records that begin
    /// `at` this place of its stream; before they leave, and in their order.
    pub(crate) fn declare(&self, at: u64, plaintext: &[u8]) {
        let mut connection = self.nic.connection(self.index);
        connection.account.declare(at, plaintext);
    }

    /// Ends the connection at once with a RST.
    pub fn reset(self) {
        self.nic.connection(self.index).reset();
    }
}

impl std::fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "TcpStream({} to {})",
            self.local_addr(),
            self.peer_addr()
        )
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let polled = self.nic.connection(self.index).poll_read(context, buffer);
        polled.map_ok(|window_opened| {
            if window_opened {
                self.nic.touch(self.index);
            }
        })
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = self.nic.connection(self.index).poll_write(context, bytes);
        if matches!(polled, Poll::Ready(Ok(_))) {
            self.nic.touch(self.index);
        }
        polled
    }

    /// Written is with the kernel: there is nothing to wait for.
    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Half-closes, as `shutdown(SHUT_WR)` does: the peer reads to the end.
    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.nic.connection(self.index).finish();
        self.nic.touch(self.index);
        Poll::Ready(Ok(()))
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        self.nic.connection(self.index).orphan();
        self.nic.touch(self.index);
    }
}

/// A socket that listens on one address of its host.
pub struct TcpListener {
    nic: Arc<Nic>,
    address: SocketAddrV4,
}

impl TcpListener {
    pub(crate) fn new(nic: Arc<Nic>, address: SocketAddrV4) -> TcpListener {
        TcpListener { nic, address }
    }

    /// The next connection whose handshake is complete, in the order in which
    /// they were completed.
    pub async fn accept(&mut self) -> TcpStream {
        poll_fn(
            |context| match self.nic.accept(self.address, context.waker()) {
                Some(stream) => Poll::Ready(stream),
                None => Poll::Pending,
            },
        )
        .await
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.nic.unlisten(self.address);
    }
}
