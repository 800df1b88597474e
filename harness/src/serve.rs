//! The reference broker on real sockets: `squall serve`.
//!
//! [`Listening::bind`] opens every endpoint of [`Settings`],
//! [`Listening::serve`] serves what connects until it is told to stop. MQTT runs
//! over TCP and over WebSocket; protocol, sessions and limits are those of
//! [`squall_broker`].
//!
//! ```
//! use squall::serve::{Endpoint, Listening, Settings, Transport};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let settings = Settings {
//!     endpoints: vec![Endpoint::new(Transport::Tcp, "127.0.0.1:0")],
//!     ..Settings::default()
//! };
//! let listening = Listening::bind(settings).await?;
//! println!("{}", listening.urls()[0]); // such as mqtt://127.0.0.1:43211
//! let served = listening.serve(async {}).await;
//! assert_eq!(served.connections, 0);
//! # Ok::<(), squall::serve::ServeError>(())
//! # }).unwrap();
//! ```

mod log;
mod socket;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use squall_broker::{Config, MqttWebSocket, Server, Upgrade, UpgradeError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use log::Log;
use socket::Socket;

/// How long the system is left alone when it has no descriptor or memory for
/// another socket.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What carries MQTT's bytes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// WebSocket over TCP.
    WebSocket,
}

impl Transport {
    /// The scheme of its URLs.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Tcp => "mqtt",
            Self::WebSocket => "ws",
        }
    }
}

/// Where to listen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// For what.
    pub transport: Transport,
    /// Host and port, such as `127.0.0.1:1883`, `[::1]:1883` or
    /// `localhost:1883`. Port 0 is any that is free.
    pub address: String,
}

impl Endpoint {
    /// An endpoint at this address.
    #[must_use]
    pub fn new(transport: Transport, address: impl Into<String>) -> Self {
        Self {
            transport,
            address: address.into(),
        }
    }
}

/// What is served, and where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen.
    pub endpoints: Vec<Endpoint>,
    /// The broker.
    pub broker: Config,
    /// What a client has to ask for at a WebSocket endpoint.
    pub upgrade: Upgrade,
    /// Sockets open at once, of clients in whatever state. While there are so
    /// many, others wait to be accepted.
    pub sockets: usize,
}

impl Default for Settings {
    /// MQTT's own port and 8083 for WebSocket, on this machine only.
    fn default() -> Self {
        Self {
            endpoints: vec![
                Endpoint::new(Transport::Tcp, "127.0.0.1:1883"),
                Endpoint::new(Transport::WebSocket, "127.0.0.1:8083"),
            ],
            broker: Config::default(),
            upgrade: Upgrade::default(),
            sockets: 100_000,
        }
    }
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An endpoint that cannot be opened.
    #[error("cannot listen on {address} for {scheme}: {source}")]
    Listen {
        /// Where.
        address: String,
        /// For what.
        scheme: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// What was served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Served {
    /// Connections that reached the broker.
    pub connections: u64,
}

/// Endpoints that are open; what connects waits until it is served.
#[derive(Debug)]
pub struct Listening {
    settings: Settings,
    listeners: Vec<(Transport, TcpListener, SocketAddr)>,
}

impl Listening {
    /// Opens every endpoint.
    ///
    /// # Errors
    /// The first that cannot be opened.
    pub async fn bind(settings: Settings) -> Result<Self, ServeError> {
        let mut listeners = Vec::with_capacity(settings.endpoints.len());
        for Endpoint { transport, address } in &settings.endpoints {
            let bound = async {
                let listener = TcpListener::bind(address).await?;
                let address = listener.local_addr()?;
                Ok((*transport, listener, address))
            };
            listeners.push(bound.await.map_err(|source| ServeError::Listen {
                address: address.clone(),
                scheme: transport.scheme(),
                source,
            })?);
        }
        Ok(Self {
            settings,
            listeners,
        })
    }

    /// Where it listens, in the order of the endpoints.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let path = self.settings.upgrade.path.as_deref().unwrap_or("/");
        let url = |(transport, _, address): &(Transport, TcpListener, SocketAddr)| {
            let path = match transport {
                Transport::Tcp => "",
                Transport::WebSocket => path,
            };
            format!("{}://{address}{path}", transport.scheme())
        };
        self.listeners.iter().map(url).collect()
    }

    /// Serves until `stop` is ready. Then nobody is let in any more, and every
    /// connection ends: what is to be written is written, for as long as
    /// [`Limits::linger`](squall_broker::Limits::linger) allows.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Served {
        let Self {
            settings,
            listeners,
        } = self;
        let linger = settings.broker.limits.linger;
        let sockets = settings.sockets.clamp(1, Semaphore::MAX_PERMITS);
        let (stopping, stopped) = watch::channel(false);
        let service = Arc::new(Service {
            connect_timeout: settings.broker.limits.connect_timeout,
            server: Server::new(settings.broker, Some(Box::new(Log))),
            upgrade: settings.upgrade,
            room: Arc::new(Semaphore::new(sockets)),
            stopped,
            connections: AtomicU64::new(0),
        });
        let timers = {
            let server = service.server.clone();
            tokio::spawn(async move { server.run_timers().await })
        };
        let accepting: Vec<_> = listeners
            .into_iter()
            .map(|(transport, listener, _)| {
                tokio::spawn(Arc::clone(&service).accept(transport, listener))
            })
            .collect();
        stop.await;
        // Whoever holds a receiver sees it; with none left there is nobody to
        // tell.
        let _ = stopping.send(true);
        for task in accepting {
            // It ends by itself, and says so even if it had panicked.
            let _ = task.await;
        }
        service.server.close_all();
        // Each connection has a place until its socket is closed.
        let all = async {
            for _ in 0..sockets {
                match service.room.acquire().await {
                    Ok(place) => place.forget(),
                    Err(_) => return,
                }
            }
        };
        let _ = timeout(linger + socket::LINGER, all).await;
        timers.abort();
        Served {
            connections: service.connections.load(Ordering::Relaxed),
        }
    }
}

/// What every connection needs.
#[derive(Debug)]
struct Service {
    server: Server,
    upgrade: Upgrade,
    /// For everything before the CONNECT; the broker has its own for that.
    connect_timeout: Duration,
    /// A place for each socket.
    room: Arc<Semaphore>,
    /// Whether the service is to stop.
    stopped: watch::Receiver<bool>,
    connections: AtomicU64,
}

impl Service {
    /// Lets in who connects, until the service is to stop.
    async fn accept(self: Arc<Self>, transport: Transport, listener: TcpListener) {
        let mut stopped = self.stopped.clone();
        loop {
            let next = async {
                let place = Arc::clone(&self.room).acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => return,
                next = next => next,
            };
            match (place, accepted) {
                (Ok(place), Ok((stream, peer))) => {
                    tokio::spawn(Arc::clone(&self).connection(transport, stream, peer, place));
                }
                (Ok(_), Err(error)) if of_one_connection(&error) => {
                    tracing::debug!(%error, "a connection was gone before it was accepted");
                }
                (Ok(_), Err(error)) => {
                    tracing::warn!(%error, "cannot accept a connection; trying again");
                    sleep(ACCEPT_AGAIN).await;
                }
                (Err(_), _) => return,
            }
        }
    }

    /// One socket, from its acceptance until it is closed.
    async fn connection(
        self: Arc<Self>,
        transport: Transport,
        stream: TcpStream,
        peer: SocketAddr,
        place: OwnedSemaphorePermit,
    ) {
        let stream = Socket::new(stream, place);
        match transport {
            Transport::Tcp => self.mqtt(transport, stream, peer).await,
            Transport::WebSocket => {
                let upgraded = MqttWebSocket::accept(stream, &self.upgrade);
                if let Some(stream) = self.upgraded(transport, peer, upgraded).await {
                    self.mqtt(transport, stream, peer).await;
                }
            }
        }
    }

    /// The stream that a handshake below MQTT leads to, if it does in time.
    async fn upgraded<S>(
        &self,
        transport: Transport,
        peer: SocketAddr,
        handshake: impl Future<Output = Result<S, UpgradeError>>,
    ) -> Option<S> {
        let scheme = transport.scheme();
        let mut stopped = self.stopped.clone();
        let outcome = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => return None,
            outcome = timeout(self.connect_timeout, handshake) => outcome,
        };
        match outcome {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(UpgradeError::Refused { status, reason })) => {
                tracing::warn!(%peer, scheme, status, reason, "refused");
            }
            Ok(Err(UpgradeError::Stream(error))) => {
                tracing::debug!(%peer, scheme, %error, "gone during its handshake");
            }
            Err(_) => tracing::debug!(%peer, scheme, "its handshake took too long"),
        }
        None
    }

    async fn mqtt<S>(&self, transport: Transport, stream: S, peer: SocketAddr)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let serving = self.server.serve(stream);
        self.connections.fetch_add(1, Ordering::Relaxed);
        let scheme = transport.scheme();
        tracing::debug!(conn = serving.id().serial(), %peer, scheme, "opened");
        serving.await;
    }
}

/// Whether only the connection that was to be accepted is affected.
fn of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
