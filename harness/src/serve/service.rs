//! What happens to each socket that connects, from its acceptance until it is
//! closed.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use squall_broker::{HttpServer, Hub, MqttWebSocket, Quirk, Server, Upgrade, UpgradeError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::socket::Socket;
use super::{PasswordHash, Tls, Transport};

/// How long the system is left alone when it has no descriptor or memory for
/// another socket.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What every connection needs.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) server: Server,
    pub(super) hub: Hub,
    pub(super) http: HttpServer,
    pub(super) upgrade: Upgrade,
    pub(super) passwords: BTreeMap<String, PasswordHash>,
    pub(super) tls: Option<Tls>,
    /// For everything before the CONNECT; the broker has its own for that.
    pub(super) connect_timeout: Duration,
    /// A place for each socket.
    pub(super) room: Arc<Semaphore>,
    /// Whether the service is to stop.
    pub(super) stopped: watch::Receiver<bool>,
    pub(super) connections: AtomicU64,
}

/// What is served at an address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Serves {
    /// MQTT, by the broker.
    Mqtt(Transport),
    /// Readings over plain WebSocket, by the hub.
    Hub,
    /// Readings over HTTP, by the REST server.
    Http,
}

impl Serves {
    /// The scheme of its URLs.
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::Mqtt(transport) => transport.scheme(),
            Self::Hub => Transport::WebSocket.scheme(),
            Self::Http => "http",
        }
    }
}

impl Service {
    /// Lets in who connects, until the service is to stop.
    pub(super) async fn accept(self: Arc<Self>, serves: Serves, listener: TcpListener) {
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
                    tokio::spawn(Arc::clone(&self).connection(serves, stream, peer, place));
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
        serves: Serves,
        stream: TcpStream,
        peer: SocketAddr,
        place: OwnedSemaphorePermit,
    ) {
        let quirks = self.upgrade.quirks;
        let plain = quirks.has(Quirk::WssServesPlain) && is_plain(&stream).await;
        let mut stream = Socket::new(stream, place);
        if quirks.has(Quirk::WsResetsStreams) {
            stream.reset_at_end();
        }
        let transport = match serves {
            Serves::Mqtt(Transport::SecureWebSocket) if plain => Transport::WebSocket,
            Serves::Mqtt(transport) => transport,
            Serves::Hub => return Box::pin(self.hub(stream, peer)).await,
            Serves::Http => return Box::pin(self.http(stream, peer)).await,
        };
        // What is more than plain TCP is on the heap: else every connection would
        // have the size of the largest, which is a TLS handshake's.
        match (transport, &self.tls) {
            (Transport::Tcp, _) => self.mqtt(transport, stream, peer).await,
            (Transport::WebSocket, _) => {
                let upgraded = Box::pin(MqttWebSocket::accept(stream, &self.upgrade));
                if let Some(stream) = self.in_time(transport, peer, upgraded).await {
                    Box::pin(self.mqtt(transport, stream, peer)).await;
                }
            }
            (Transport::Tls, Some(tls)) => {
                let encrypted = Box::pin(async { Ok(tls.accept(stream).await?) });
                if let Some(stream) = self.in_time(transport, peer, encrypted).await {
                    Box::pin(self.mqtt(transport, stream, peer)).await;
                }
            }
            (Transport::SecureWebSocket, Some(tls)) => {
                let upgraded = Box::pin(async {
                    let stream = tls.accept(stream).await?;
                    MqttWebSocket::accept(stream, &self.upgrade).await
                });
                if let Some(stream) = self.in_time(transport, peer, upgraded).await {
                    Box::pin(self.mqtt(transport, stream, peer)).await;
                }
            }
            // There is a certificate if there is an endpoint that needs it.
            (Transport::Tls | Transport::SecureWebSocket, None) => {}
        }
    }

    async fn hub(&self, stream: Socket, peer: SocketAddr) {
        let upgraded = self.hub.accept(stream);
        if let Some(connection) = self.in_time(Transport::WebSocket, peer, upgraded).await {
            self.connections.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%peer, "opened at the hub");
            connection.serve().await;
        }
    }

    async fn http(&self, stream: Socket, peer: SocketAddr) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(%peer, "opened at the REST server");
        self.http.serve(stream).await;
    }

    /// The stream that handshakes below MQTT lead to, if they do in time.
    async fn in_time<S>(
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

    /// Checks hashed passwords, one after the other: however many clients come
    /// with one, they take one core.
    pub(super) async fn check_passwords(self: Arc<Self>) {
        loop {
            let check = self.server.next_check().await;
            let service = Arc::clone(&self);
            let conn = check.conn;
            let right = tokio::task::spawn_blocking(move || {
                let hash = service.passwords.get(&check.user_name);
                hash.is_some_and(|hash| hash.verifies(&check.password))
            });
            self.server.checked(conn, right.await.unwrap_or(false));
        }
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

/// Whether a client's first byte begins no TLS handshake (RFC 8446 section 5.1).
async fn is_plain(stream: &TcpStream) -> bool {
    const HANDSHAKE: u8 = 22;
    let mut first = [HANDSHAKE];
    // A stream that fails says so again when it is served.
    let _ = stream.peek(&mut first).await;
    first[0] != HANDSHAKE
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
