//! TLS 1.3 over the simulated network: rustls, with everything drawn from the
//! run's seed.
//!
//! - A handshake is a full one, or resumes the session of an earlier connection
//!   with a ticket, which saves the certificates. A device keeps the tickets of
//!   its last connection for as long as it remembers anything
//!   ([`Client::forget`]); a server opens only tickets that it has sealed since
//!   its start. Who does not resume is sent tickets all the same, as most servers
//!   do, and ignores them. There is no early data (0-RTT).
//! - The key exchange is X25519, or X25519MLKEM768, the hybrid with the
//!   post-quantum ML-KEM (draft-ietf-tls-ecdhe-mlkem); a client that offers the
//!   hybrid offers X25519 beside it, as browsers do.
//! - The server sends two certificates of 1,416 bytes together, which are committed
//!   (`chain`).
//! - Of handshake, two tickets and goodbye, a full connection has 333 bytes up and
//!   2,127 down, one that resumes 526 and 623; the hybrid adds 1,222 and 1,088.
//! - **Seeded**: keys, nonces and tickets come from named streams, so that the
//!   bytes of a run are the same each time. They protect nothing.
//!
//! What is in its records, a stream declares to the account of its connection, so
//! that each byte counts for the layer it belongs to. A capture has the secrets of
//! all sessions, and what opens it looks into them.

mod chain;
mod key_exchange;
mod random;
mod secrets;
mod tickets;

use super::stream::TcpStream;
use super::tap::Tap;
use super::time::Clock;
use crate::random::stream;
use crate::scenario::{KeyExchange, Tls};
use parking_lot::Mutex;
use rand::Rng as _;
use rand_pcg::Pcg64Mcg;
use random::{Drawing, Seeded};
use rustc_hash::FxHashMap;
use secrets::KeyLog;
use std::fmt;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tickets::{Kept, Sealed};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The name that every server's certificate is for.
pub(crate) const SERVER_NAME: &str = "server.example";

pub(crate) use chain::bytes as chain_bytes;

/// Plaintext that is encrypted before TCP has taken what was before: one record
/// of the largest size (RFC 8446, section 5.1).
const BUFFER_BYTES: usize = 1 << 14;

/// What is offered, the first choice first.
fn groups(key_exchange: KeyExchange) -> Vec<&'static dyn SupportedKxGroup> {
    match key_exchange {
        KeyExchange::X25519 => vec![&key_exchange::X25519],
        KeyExchange::X25519MlKem768 => vec![&key_exchange::X25519MlKem768, &key_exchange::X25519],
    }
}

/// TLS at the devices of one fleet.
pub(crate) struct Client {
    config: ClientConfig,
    resumption: bool,
    seed: u64,
    devices: Mutex<FxHashMap<u32, Device>>,
}

/// What TLS remembers of one device.
struct Device {
    random: Pcg64Mcg,
    tickets: Arc<Kept>,
}

impl Client {
    /// TLS for devices that nobody knows yet. `clock` is their site's.
    pub(crate) fn new(settings: Tls, clock: Clock, seed: u64) -> Client {
        let provider = provider(settings.key_exchange);
        let config = ClientConfig::builder_with_details(provider, Arc::new(VirtualTime(clock)))
            .with_protocol_versions(&[&TLS13])
            .unwrap_or_else(|error| panic!("rustls speaks TLS 1.3 with ring: {error}"))
            .with_root_certificates(chain::roots())
            .with_no_client_auth();
        Client {
            config,
            resumption: settings.resumption,
            seed,
            devices: Mutex::default(),
        }
    }

    /// Shakes hands with the server at the other end of a connection of `device`.
    ///
    /// # Errors
    /// Whatever the stream answers, `UnexpectedEof` when the server closes it,
    /// and `InvalidData`, in words, when the two do not come to terms.
    pub(crate) async fn connect(&self, device: u32, stream: TcpStream) -> io::Result<TlsStream> {
        let (random, tickets) = self.device(device);
        let mut config = self.config.clone();
        config.resumption = match self.resumption {
            true => Resumption::store(tickets),
            false => Resumption::disabled(),
        };
        let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
        // What is drawn first is drawn before the first poll, but for this.
        let connect = pin!(async {
            let connector = TlsConnector::from(Arc::new(config));
            connector
                .connect_with(name, Below::new(stream), |connection| {
                    connection.set_buffer_limit(Some(BUFFER_BYTES));
                })
                .await
        });
        let tls = Drawing::from(random, connect).await.map_err(in_words)?;
        Ok(TlsStream { tls: tls.into() })
    }

    /// The device has lost its memory.
    pub(crate) fn forget(&self, device: u32) {
        if let Some(device) = self.devices.lock().get_mut(&device) {
            device.tickets = Arc::default();
        }
    }

    /// What the next handshake of a device draws from, and its tickets.
    fn device(&self, device: u32) -> (Pcg64Mcg, Arc<Kept>) {
        let mut devices = self.devices.lock();
        let known = devices.entry(device).or_insert_with(|| Device {
            random: stream(self.seed, "tls client", device.into()),
            tickets: Arc::default(),
        });
        (fork(&mut known.random), Arc::clone(&known.tickets))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("resumption", &self.resumption)
            .finish_non_exhaustive()
    }
}

/// TLS at a server, from one start of it to its end.
#[derive(Clone)]
pub(crate) struct Server {
    acceptor: TlsAcceptor,
    random: Arc<Mutex<Pcg64Mcg>>,
}

impl Server {
    /// TLS for a server that starts now by its `clock`.
    pub(crate) fn new(clock: Clock, seed: u64, tap: &Arc<Mutex<Tap>>) -> Server {
        let mut random = stream(seed, "tls server", clock.now());
        let (chain, key) = chain::certified();
        let config = ServerConfig::builder_with_details(
            provider(KeyExchange::X25519MlKem768),
            Arc::new(VirtualTime(clock)),
        )
        .with_protocol_versions(&[&TLS13])
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config
            .unwrap_or_else(|error| panic!("the certificates are committed and tested: {error}"));
        config.key_log = Arc::new(KeyLog(Arc::clone(tap)));
        config.ticketer = Arc::new(Sealed::new(&mut random));
        Server {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            random: Arc::new(Mutex::new(random)),
        }
    }

    /// Shakes hands with a client. How long it may take is for the caller to
    /// limit.
    ///
    /// # Errors
    /// Whatever the stream answers, `UnexpectedEof` when the client closes it,
    /// and `InvalidData`, in words, when the two do not come to terms.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream> {
        let random = fork(&mut self.random.lock());
        let accept = self.acceptor.accept_with(Below::new(stream), |connection| {
            connection.set_buffer_limit(Some(BUFFER_BYTES));
        });
        let tls = Drawing::from(random, accept).await.map_err(in_words)?;
        Ok(TlsStream { tls: tls.into() })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// A stream in TLS, at either end.
#[derive(Debug)]
pub(crate) struct TlsStream {
    tls: tokio_rustls::TlsStream<Below>,
}

impl TlsStream {
    /// Whether its handshake resumed an earlier session.
    #[cfg(test)]
    pub(crate) fn is_resumed(&self) -> bool {
        let (_, connection) = self.tls.get_ref();
        connection.handshake_kind() == Some(tokio_rustls::rustls::HandshakeKind::Resumed)
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // With everything before in TCP's hands, the next record begins where
        // that ends.
        ready!(Pin::new(&mut self.tls).poll_flush(context))?;
        let at = self.tls.get_ref().0.written;
        let written = ready!(Pin::new(&mut self.tls).poll_write(context, bytes))?;
        // No packet leaves before this task pauses.
        let below = self.tls.get_ref().0;
        below.stream.declare(at, &bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(context)
    }

    /// Says goodbye (`close_notify`), and half-closes the connection.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(context)
    }
}

/// The stream that records go to, and how many bytes of them have gone.
#[derive(Debug)]
struct Below {
    stream: TcpStream,
    written: u64,
}

impl Below {
    fn new(stream: TcpStream) -> Below {
        Below { stream, written: 0 }
    }
}

impl AsyncRead for Below {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Below {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.written += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Calendar time inside a run, which begins where that of a capture does, on the
/// first of January 1970.
#[derive(Debug)]
struct VirtualTime(Clock);

impl TimeProvider for VirtualTime {
    fn current_time(&self) -> Option<UnixTime> {
        let since = Duration::from_nanos(self.0.now());
        Some(UnixTime::since_unix_epoch(since))
    }
}

fn provider(key_exchange: KeyExchange) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        kx_groups: groups(key_exchange),
        secure_random: &Seeded,
        ..ring::default_provider()
    })
}

/// A stream of its own, which depends on how many there were before.
fn fork(random: &mut Pcg64Mcg) -> Pcg64Mcg {
    let state = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
    Pcg64Mcg::new(state)
}

/// Says that it was TLS's handshake that failed.
fn in_words(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("no TLS: {error}"))
}
