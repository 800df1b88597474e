//! The sensor hub: the plain WebSocket server of their own that teams write,
//! for fleets to be compared on.
//!
//! It has what such servers have in common: a URL for each sensor and each group
//! of them, the latest reading of each sensor, and a copy of every reading for
//! whoever listens. Its whole protocol:
//!
//! | request | messages of the client | messages of the hub |
//! |---|---|---|
//! | `GET /sensors/{group}/{sensor}` | `payload`: a reading | none |
//! | the same, acknowledged | `sequence payload`: a reading | `sequence`: kept up to here |
//! | `GET /groups/{group}` | none; others are ignored | `sensor⏎payload`: a reading |
//! | `GET /groups/{group}/{listener}`, acknowledged | `sequence`: got up to here | `sequence sensor⏎payload` |
//! | `GET /echo` | any | the same message, for testing |
//!
//! - A message is text or binary, and what a sensor sent as text reaches
//!   listeners as text. `⏎` is one line feed, and between a sequence number and
//!   what follows stands one space. Names have 1 to 64 letters, digits, `-`, `_`
//!   and `.`.
//! - **Listening** begins with the latest reading of each sensor of the group.
//! - **Unacknowledged**, as most such servers are, a reading is lost with the
//!   connection it is under way on, in either direction.
//! - **Acknowledged** is who offers the subprotocol `acknowledged.squall`.
//!   A sensor numbers its readings, from 1 upwards; the hub begins by saying up
//!   to which it has them, and acknowledges each. One that comes again is
//!   acknowledged again and not delivered again. A sensor whose connection breaks
//!   sends everything beyond the last acknowledgement again.
//! - A **named listener** is numbered its readings by the hub. The hub keeps what
//!   is not acknowledged, while the listener is away too, and sends it again, in
//!   order, on its next connection; on the same one, TCP does that. Whoever
//!   connects by the name of another takes its place.
//! - **Silence**: the hub pings whom it has not heard of for
//!   [`ping_every`](HubLimits::ping_every), and lets go after
//!   [`silence_max`](HubLimits::silence_max), with close code 1011.
//! - **A slow listener** holds up nobody: what it does not take waits in its
//!   queue, and when that is full the oldest reading in it is dropped.
//! - Close codes beyond RFC 6455's own: 1008 for a sequence number that is none,
//!   and for whose name was taken over; 1013 when a limit is reached; 1001 when
//!   the hub stops.
//!
//! It keeps everything in memory: after a restart, no sensor has a latest
//! reading, and no listener is owed any.

mod connection;
mod path;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::http::StatusCode;

use super::frames;
use super::handshake::{self, Endpoint, UpgradeError};
use crate::quirks::{Quirk, Quirks};
use crate::refusal::Refusal;
use path::Path;
use state::State;

pub use connection::HubConnection;

/// Who agrees to acknowledge, and to be acknowledged.
const ACKNOWLEDGED: &str = "acknowledged.squall";

/// What a [`Hub`] does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HubConfig {
    /// The pages that may connect, as browsers name them in `Origin`; `None` for
    /// any. Another one is answered with 403.
    pub origins: Option<Vec<String>>,
    /// How much of everything.
    pub limits: HubLimits,
    /// Deliberate defects; none by default.
    pub quirks: Quirks,
}

/// Every limit of a [`Hub`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HubLimits {
    /// Clients connected at once. Default 100,000. One more is answered with
    /// 503.
    pub connections: usize,
    /// Largest message taken, in bytes. Default 64 KiB. A larger one ends the
    /// connection with close code 1009.
    pub message_bytes: usize,
    /// Sensors with a latest reading. Default 100,000. The connection of one
    /// more is closed with 1013 at its first.
    pub sensors: usize,
    /// The latest readings together, with their sensors' names, in bytes. Default
    /// 1 GiB. Whoever sends one that has no room is closed with 1013, and what it
    /// should have replaced stays.
    pub readings_bytes: usize,
    /// Named listeners, connected or away. Default 10,000. One more is closed
    /// with 1013.
    pub named_listeners: usize,
    /// Readings that wait for one listener. Default 10,000. One more drops the
    /// oldest.
    pub queue_messages: usize,
    /// Bytes that wait for one listener. Default 1 MiB. One reading always may.
    pub queue_bytes: usize,
    /// How long a client may be silent before it is pinged. Default 30 s.
    pub ping_every: Duration,
    /// How long a client may be silent, or not take what is sent to it, before
    /// it is let go. Default 60 s.
    pub silence_max: Duration,
    /// How long a client may take to answer the hub's Close frame. Default 5 s.
    pub linger: Duration,
}

impl Default for HubLimits {
    fn default() -> Self {
        Self {
            connections: 100_000,
            message_bytes: 64 * 1024,
            sensors: 100_000,
            readings_bytes: 1024 * 1024 * 1024,
            named_listeners: 10_000,
            queue_messages: 10_000,
            queue_bytes: 1024 * 1024,
            ping_every: Duration::from_secs(30),
            silence_max: Duration::from_secs(60),
            linger: Duration::from_secs(5),
        }
    }
}

/// What a [`Hub`] has done so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HubCounts {
    /// Clients whose request for an upgrade was accepted.
    pub connections: u64,
    /// Readings taken, each once.
    pub readings: u64,
    /// Readings that came again, and were acknowledged again.
    pub repeats: u64,
    /// Readings handed to the connections of listeners, and handed again.
    pub deliveries: u64,
    /// Readings dropped because a listener's queue was full.
    pub dropped: u64,
}

/// A hub. Clones serve the same sensors and listeners.
///
/// ```
/// use futures_util::{SinkExt as _, StreamExt as _};
/// use squall_broker::{Hub, HubConfig};
/// use tokio_tungstenite::tungstenite::Message;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let hub = Hub::new(HubConfig::default());
/// let connect = async |url: &str| {
///     let (client, stream) = tokio::io::duplex(1024);
///     let hub = hub.clone();
///     tokio::spawn(async move {
///         if let Ok(connection) = hub.accept(stream).await {
///             connection.serve().await;
///         }
///     });
///     tokio_tungstenite::client_async(url, client).await.unwrap().0
/// };
/// let mut listener = connect("ws://hub/groups/valley").await;
/// let mut sensor = connect("ws://hub/sensors/valley/thermometer-1").await;
/// sensor.send(Message::text("21.4")).await.unwrap();
/// let reading = listener.next().await.unwrap().unwrap();
/// assert_eq!(reading, Message::text("thermometer-1\n21.4"));
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Hub {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: HubConfig,
    state: Mutex<State>,
    /// Whether every connection is to end.
    stopping: watch::Sender<bool>,
}

impl Hub {
    /// A hub that knows nobody.
    #[must_use]
    pub fn new(config: HubConfig) -> Self {
        let state = Mutex::new(State::new(config.limits.clone()));
        let shared = Shared {
            config,
            state,
            stopping: watch::Sender::new(false),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Answers a client's request for an upgrade. How long it may take is for
    /// the caller to limit.
    ///
    /// # Errors
    /// [`UpgradeError::Refused`] when the client was sent a status other than
    /// 101, and [`UpgradeError::Stream`] when the stream failed.
    pub async fn accept<S>(&self, mut stream: S) -> Result<HubConnection<S>, UpgradeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(place) = Place::take(&self.shared) else {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let refusal = Refusal::new(status, "the hub has as many clients as it takes");
            refusal.send(&mut stream).await?;
            return Err(refusal.into());
        };
        let config = &self.shared.config;
        let accepted = handshake::accept(&mut stream, config).await?;
        self.shared.lock().counts.connections += 1;
        let frames = frames(
            stream,
            accepted.rest,
            config.limits.message_bytes,
            config.quirks,
        );
        Ok(HubConnection::new(
            place,
            frames.await,
            accepted.resource,
            accepted.subprotocol == Some(ACKNOWLEDGED),
        ))
    }

    /// Ends every connection, with close code 1001.
    pub fn close_all(&self) {
        self.shared.stopping.send_replace(true);
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> HubCounts {
        self.shared.lock().counts
    }
}

impl Endpoint for HubConfig {
    type Resource = Path;

    fn resource(&self, path: &str) -> Option<Path> {
        let any = || {
            self.quirks
                .has(Quirk::WsServesAnyPath)
                .then_some(Path::Echo)
        };
        Path::parse(path).or_else(any)
    }

    fn quirks(&self) -> Quirks {
        self.quirks
    }

    fn origins(&self) -> Option<&[String]> {
        self.origins.as_deref()
    }

    /// None has to be spoken, except by named listeners: a client that offers
    /// others only is served without.
    fn subprotocol(&self, path: &Path, offered: &[&str]) -> Result<Option<&'static str>, Refusal> {
        let offered = offered.contains(&ACKNOWLEDGED);
        let wrong = handshake::wrong_subprotocol(self.quirks, ACKNOWLEDGED);
        if let (false, Some(wrong)) = (offered, wrong) {
            return Ok(Some(wrong));
        }
        match path {
            Path::Listener { name: Some(_), .. } if !offered => {
                let reason = "a named listener has to offer acknowledged.squall";
                Err(Refusal::new(Refusal::BAD, reason))
            }
            Path::Sensor { .. } | Path::Listener { name: Some(_), .. } => {
                Ok(offered.then_some(ACKNOWLEDGED))
            }
            Path::Listener { name: None, .. } | Path::Echo => Ok(None),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere is reported there; nothing of the state is left
        // half-changed by a connection's own code.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's place among the connections, until it is dropped.
#[derive(Debug)]
struct Place {
    shared: Arc<Shared>,
}

impl Place {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let mut state = shared.lock();
        if state.connected == shared.config.limits.connections {
            return None;
        }
        state.connected += 1;
        Some(Self {
            shared: Arc::clone(shared),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.lock().connected -= 1;
    }
}
