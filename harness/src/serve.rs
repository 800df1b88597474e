//! The reference broker on real sockets: `squall serve`.
//!
//! [`Listening::bind`] opens every endpoint of [`Settings`],
//! [`Listening::serve`] serves what connects until it is told to stop. MQTT runs
//! over TCP and over WebSocket, each with or without TLS; protocol, sessions and
//! limits are those of [`squall_broker`]. Beside it, plain WebSocket is served by
//! a [`Hub`], and HTTP by an [`HttpServer`].
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
//! let served = listening.serve(async {}).await?;
//! assert_eq!(served.connections, 0);
//! # Ok::<(), squall::serve::ServeError>(())
//! # }).unwrap();
//! ```

mod config;
mod log;
mod password;
mod service;
mod socket;
mod store;
mod tls;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use squall_broker::{Config, Entropy, HttpConfig, HttpServer, Hub, HubConfig, Server, Upgrade};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use log::Log;
use service::{Serves, Service};
use store::Directory;

pub use crate::targets::Transport;
pub use password::PasswordHash;
pub use store::OpenError;
pub use tls::{Tls, TlsError};

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
    /// Where to listen for the clients of the hub: host and port, as in an
    /// [`Endpoint`].
    pub hubs: Vec<String>,
    /// The hub.
    pub hub: HubConfig,
    /// Where to listen for the clients of the REST server: host and port, as in
    /// an [`Endpoint`].
    pub http: Vec<String>,
    /// The REST server. Its first position is the time, whatever is said here.
    pub http_server: HttpConfig,
    /// The broker. Its entropy is the system's, whatever is said here.
    pub broker: Config,
    /// The passwords of users whose password is
    /// [`Checked`](squall_broker::Password::Checked).
    pub passwords: BTreeMap<String, PasswordHash>,
    /// What a client has to ask for at a WebSocket endpoint.
    pub upgrade: Upgrade,
    /// What endpoints with TLS show; one that is made at start unless given.
    pub tls: Option<Tls>,
    /// Where sessions and messages are kept for the time after a restart, or
    /// `None` to keep them in memory only.
    pub data: Option<PathBuf>,
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
            hubs: Vec::new(),
            hub: HubConfig::default(),
            http: Vec::new(),
            http_server: HttpConfig {
                date: true,
                ..HttpConfig::default()
            },
            broker: Config::default(),
            passwords: BTreeMap::new(),
            upgrade: Upgrade::default(),
            tls: None,
            data: None,
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
    /// A system without randomness.
    #[error("the system has no randomness to give: {0}")]
    Entropy(String),
    /// A certificate that cannot be made.
    #[error("cannot make a certificate: {0}")]
    Tls(#[from] TlsError),
    /// A store that cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A store that cannot be read, or not be written any more.
    #[error("what is stored in {path} is lost to the broker: {source}")]
    Store {
        /// The store's directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What was served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Served {
    /// Connections that reached the broker, the hub or the REST server.
    pub connections: u64,
}

/// Endpoints that are open; what connects waits until it is served.
#[derive(Debug)]
pub struct Listening {
    settings: Settings,
    /// There if an endpoint needs it.
    tls: Option<Tls>,
    store: Option<(PathBuf, Directory)>,
    listeners: Vec<(Serves, TcpListener, SocketAddr)>,
}

impl Listening {
    /// Opens the store and every endpoint.
    ///
    /// # Errors
    /// The first that cannot be opened.
    pub async fn bind(settings: Settings) -> Result<Self, ServeError> {
        let open = |path: &PathBuf| Ok::<_, OpenError>((path.clone(), Directory::open(path)?));
        let store = settings.data.as_ref().map(open).transpose()?;
        let mut encrypted = settings.endpoints.iter();
        let tls = match &settings.tls {
            _ if !encrypted.any(|one| one.transport.is_encrypted()) => None,
            Some(given) => Some(given.clone()),
            None => Some(Tls::self_signed(hosts(&settings.endpoints))?),
        };
        let endpoints = settings.endpoints.iter();
        let endpoints = endpoints.map(|one| (Serves::Mqtt(one.transport), &one.address));
        let hubs = settings.hubs.iter().map(|address| (Serves::Hub, address));
        let http = settings.http.iter().map(|address| (Serves::Http, address));
        let mut listeners = Vec::new();
        for (serves, address) in endpoints.chain(hubs).chain(http) {
            let bound = async {
                let listener = TcpListener::bind(address).await?;
                let address = listener.local_addr()?;
                Ok((serves, listener, address))
            };
            listeners.push(bound.await.map_err(|source| ServeError::Listen {
                address: address.clone(),
                scheme: serves.scheme(),
                source,
            })?);
        }
        Ok(Self {
            settings,
            tls,
            store,
            listeners,
        })
    }

    /// Where it listens, in the order of the endpoints, then of the hubs, whose
    /// clients add [their paths](Hub), then of the REST servers, whose clients
    /// add [theirs](HttpServer).
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let path = self.settings.upgrade.path.as_deref().unwrap_or("/");
        let url = |(serves, _, address): &(Serves, TcpListener, SocketAddr)| {
            let path = match serves {
                Serves::Mqtt(Transport::WebSocket | Transport::SecureWebSocket) => path,
                Serves::Mqtt(Transport::Tcp | Transport::Tls) => "",
                Serves::Hub | Serves::Http => "/",
            };
            format!("{}://{address}{path}", serves.scheme())
        };
        self.listeners.iter().map(url).collect()
    }

    /// What endpoints with TLS show, if there are any.
    #[must_use]
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Serves until `stop` is ready. Then nobody is let in any more, and every
    /// connection ends: what is to be written is written, for as long as
    /// [`Limits::linger`](squall_broker::Limits::linger) allows.
    ///
    /// # Errors
    /// When the system has no randomness, or the store cannot be read, or fails
    /// while it is used. Then nothing that was not stored has been acknowledged.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<Served, ServeError> {
        let Self {
            settings,
            tls,
            store,
            listeners,
        } = self;
        let linger = settings.broker.limits.linger;
        // Whoever asks for a quirk need not know where it is.
        let quirks = settings.broker.quirks;
        let sockets = settings.sockets.clamp(1, Semaphore::MAX_PERMITS);
        let (stopping, stopped) = watch::channel(false);
        let log = Some(Box::new(Log) as Box<_>);
        let config = Config {
            entropy: entropy()?,
            ..settings.broker
        };
        let connect_timeout = config.limits.connect_timeout;
        let (server, mut storing) = match store {
            None => (Server::new(config, log), None),
            Some((path, mut store)) => {
                let lost = |source| ServeError::Store {
                    path: path.clone(),
                    source,
                };
                let server = Server::with_store(config, log, &mut store, since_1970());
                let server = server.map_err(lost)?;
                let storing = server.clone();
                let storing = tokio::spawn(async move { storing.run_store(store).await });
                (server, Some((path, storing)))
            }
        };
        let service = Arc::new(Service {
            connect_timeout,
            server,
            hub: Hub::new(HubConfig {
                quirks,
                ..settings.hub
            }),
            http: HttpServer::new(HttpConfig {
                first_position: u64::try_from(since_1970().as_micros()).unwrap_or(u64::MAX),
                ..settings.http_server
            }),
            upgrade: Upgrade {
                quirks,
                ..settings.upgrade
            },
            passwords: settings.passwords,
            tls,
            room: Arc::new(Semaphore::new(sockets)),
            stopped,
            connections: AtomicU64::new(0),
        });
        let timers = {
            let server = service.server.clone();
            tokio::spawn(async move { server.run_timers().await })
        };
        let checking = tokio::spawn(Arc::clone(&service).check_passwords());
        let accepting: Vec<_> = listeners
            .into_iter()
            .map(|(serves, listener, _)| {
                tokio::spawn(Arc::clone(&service).accept(serves, listener))
            })
            .collect();
        let failure = tokio::select! {
            biased;
            () = stop => None,
            error = failure(storing.as_mut()) => error,
        };
        // Whoever holds a receiver sees it; with none left there is nobody to
        // tell.
        let _ = stopping.send(true);
        for task in accepting {
            // It ends by itself, and says so even if it had panicked.
            let _ = task.await;
        }
        service.server.close_all();
        service.hub.close_all();
        service.http.close_all();
        // Each connection has a place until its socket is closed.
        let all = async {
            for _ in 0..sockets {
                match service.room.acquire().await {
                    Ok(place) => place.forget(),
                    Err(_) => return,
                }
            }
            service.server.stored().await;
        };
        let _ = timeout(linger + socket::LINGER, all).await;
        timers.abort();
        checking.abort();
        if let (Some((_, task)), None) = (storing, &failure) {
            task.abort();
            // The store is closed once its task has ended.
            let _ = task.await;
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(Served {
                connections: service.connections.load(Ordering::Relaxed),
            }),
        }
    }
}

/// What nobody can guess, for this start.
fn entropy() -> Result<Entropy, ServeError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| ServeError::Entropy(error.to_string()))?;
    Ok(Entropy::new(secret))
}

/// The time on the clock: what is stored expires by it, and the positions of one
/// REST server begin beyond those of the one before it.
fn since_1970() -> Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "real sockets, real time: nothing else goes on while no broker runs"
    )]
    let now = SystemTime::now();
    // Before 1970, the clock has not been set.
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Waits until the store fails, if there is one.
async fn failure(storing: Option<&mut (PathBuf, JoinHandle<io::Error>)>) -> Option<ServeError> {
    let Some((path, task)) = storing else {
        return std::future::pending().await;
    };
    let source = task.await.unwrap_or_else(io::Error::other);
    let path = path.clone();
    Some(ServeError::Store { path, source })
}

/// What a certificate made at start is for: this machine, and the hosts that
/// endpoints are given by.
fn hosts(endpoints: &[Endpoint]) -> Vec<String> {
    let mut hosts = ["localhost", "127.0.0.1", "::1"]
        .map(str::to_owned)
        .to_vec();
    for Endpoint { address, .. } in endpoints {
        let host = address.rsplit_once(':').map_or("", |(host, _)| host);
        let host = host.trim_matches(['[', ']']);
        if !(host.is_empty() || hosts.iter().any(|known| known == host)) {
            hosts.push(host.to_owned());
        }
    }
    hosts
}
