//! The REST server: readings over HTTP/1.1, as teams serve them where others
//! take MQTT, for fleets to be compared on.
//!
//! It has what such servers have in common: a URL for each sensor, which is
//! posted to and polled, and one for all sensors of a group. Its whole protocol:
//!
//! | request | answer |
//! |---|---|
//! | `POST /sensor/{group}.{sensor}`, a reading as its body | 204: taken |
//! | the same with `?n=5`: the sensor's fifth reading | 204: taken, now or earlier |
//! | `GET /sensor/{group}.{sensor}` | 200: the latest reading, with an `ETag`; 404: there is none |
//! | the same with `If-None-Match` | 304: it is still that one |
//! | `GET /sensors/{group}?after=17` | 200: the readings that came after position 17; 204: none has |
//! | either `GET` with `wait=30` | the same, but a 204, 304 or 404 is held back for up to 30 s |
//!
//! - Names have 1 to 64 letters, digits, `-`, `_` and `.`; that of a group ends
//!   with the first `.`.
//! - **A reading** is any body, of any content type, which comes back with it.
//! - **Repeats**: a sensor that numbers its readings, from 1 upwards, and had no
//!   answer to one sends it again. With a number that is here already it is
//!   answered again and changes nothing.
//! - **Positions** number the readings of all sensors, from 1 upwards, as they
//!   come. The feed of a group has the latest reading of each sensor that has
//!   one after the position asked for (of each, without one), the earliest
//!   first: `position sensor length⏎reading`, each right behind the other, where
//!   `⏎` is one line feed, and the length that of the reading in bytes. Whoever
//!   polls asks next for what is after the last position it got, and so misses
//!   only what a newer reading of the same sensor has replaced. What does not
//!   fit into [`feed_bytes`](HttpLimits::feed_bytes) comes with the next answer.
//! - **A long poll** (`wait`) is answered as soon as there is something to say;
//!   it may last for [`wait_max`](HttpLimits::wait_max), however much is asked
//!   for.
//! - Answers that are none: 400 for a request that makes no sense, 404 and 405
//!   for what there is not, 408 for a body that does not come, 413, 414 and 431
//!   for what is too long, 503 when a limit is reached. The body says why.
//! - **Connections** serve one request after the other, until the client says
//!   `Connection: close` or nothing for [`idle_max`](HttpLimits::idle_max).
//! - No answer has a `Date` unless [asked for](HttpConfig::date).
//!
//! It keeps everything in memory: after a restart, no sensor has a reading.
//! Positions go on from [`HttpConfig::first_position`]; a reader that asks for
//! what is after one that was never given gets everything.
//!
//! HTTP itself is the matter of hyper.

mod answer;
mod ask;
mod connection;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};

use state::State;

/// What an [`HttpServer`] does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HttpConfig {
    /// The position before that of the first reading; 0 by default. A server
    /// that is started again needs more than it has given out before, so that
    /// its readers do not take new readings for old ones: a clock's
    /// microseconds do.
    pub first_position: u64,
    /// Whether answers have a `Date`, as those of a server with a clock must
    /// (RFC 9110 section 6.6.1): 37 bytes each, from the clock of the machine.
    pub date: bool,
    /// How much of everything.
    pub limits: HttpLimits,
}

/// Every limit of an [`HttpServer`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HttpLimits {
    /// Clients connected at once. Default 100,000. One more is answered with
    /// 503.
    pub connections: usize,
    /// Sensors with a reading. Default 100,000. One more is answered with 503.
    pub sensors: usize,
    /// Longest reading, in bytes. Default 64 KiB. A longer one is answered with
    /// 413.
    pub reading_bytes: usize,
    /// All readings together, in bytes. Default 1 GiB. One that has no room is
    /// answered with 503, and what it should have replaced stays.
    pub readings_bytes: usize,
    /// Longest URL, in bytes. Default 1 KiB. A longer one is answered with 414.
    pub url_bytes: usize,
    /// Longest request without its body, in bytes. Default 8 KiB. A longer one
    /// is answered with 431.
    pub head_bytes: usize,
    /// Most headers of a request. Default 64. More are answered with 431.
    pub headers: usize,
    /// Room for readings in one answer, in bytes. Default 1 MiB. One reading is
    /// always in it.
    pub feed_bytes: usize,
    /// How long the head of a request may take to come, from the answer to the
    /// one before it. Default 75 s. Then the connection is closed.
    pub idle_max: Duration,
    /// How long a client may take to send a body, or not take what is sent to
    /// it. Default 60 s. A body that is late is answered with 408.
    pub silence_max: Duration,
    /// Longest of all long polls. Default 300 s.
    pub wait_max: Duration,
    /// How long what is under way may take once the server stops. Default 5 s.
    pub linger: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 100_000,
            sensors: 100_000,
            reading_bytes: 64 * 1024,
            readings_bytes: 1024 * 1024 * 1024,
            url_bytes: 1024,
            head_bytes: 8 * 1024,
            headers: 64,
            feed_bytes: 1024 * 1024,
            idle_max: Duration::from_secs(75),
            silence_max: Duration::from_secs(60),
            wait_max: Duration::from_secs(300),
            linger: Duration::from_secs(5),
        }
    }
}

/// What an [`HttpServer`] has done so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HttpCounts {
    /// Connections, but for those that were one too many.
    pub connections: u64,
    /// Requests that HTTP has no objections to.
    pub requests: u64,
    /// Readings taken, each once.
    pub readings: u64,
    /// Readings that came again, and were answered again.
    pub repeats: u64,
    /// Readings in answers, also to HEAD, which has them left out.
    pub deliveries: u64,
}

/// A REST server. Clones serve the same sensors.
///
/// ```
/// use squall_broker::{HttpConfig, HttpServer};
/// use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let server = HttpServer::new(HttpConfig::default());
/// let (mut client, stream) = tokio::io::duplex(1024);
/// let serving = server.clone();
/// tokio::spawn(async move { serving.serve(stream).await });
///
/// let request = "POST /sensor/valley.thermometer-1?n=1 HTTP/1.1\r\nHost: server\r\n\
///     Content-Length: 4\r\n\r\n21.4\
///     GET /sensor/valley.thermometer-1 HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n";
/// client.write_all(request.as_bytes()).await.unwrap();
/// let mut answers = String::new();
/// client.read_to_string(&mut answers).await.unwrap();
/// assert!(answers.starts_with("HTTP/1.1 204 No Content\r\n"));
/// assert!(answers.ends_with("etag: \"1\"\r\nconnection: close\r\ncontent-length: 4\r\n\r\n21.4"));
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct HttpServer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: HttpConfig,
    state: Mutex<State>,
    /// A place for each connection.
    room: Arc<Semaphore>,
    /// Whether every connection is to end.
    stopping: watch::Sender<bool>,
}

impl HttpServer {
    /// A server without a reading.
    #[must_use]
    pub fn new(config: HttpConfig) -> Self {
        let state = Mutex::new(State::new(config.limits.clone(), config.first_position));
        let connections = config.limits.connections.min(Semaphore::MAX_PERMITS);
        let shared = Shared {
            config,
            state,
            room: Arc::new(Semaphore::new(connections)),
            stopping: watch::Sender::new(false),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Serves a client until its connection has ended; dropping the future is as
    /// if the stream had failed.
    pub async fn serve<S>(&self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        connection::serve(&self.shared, stream).await;
    }

    /// Ends every connection, once the request that it is at is answered. Long
    /// polls are answered at once.
    pub fn close_all(&self) {
        self.shared.stopping.send_replace(true);
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> HttpCounts {
        self.shared.lock().counts
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere is reported there; nothing of the state is left
        // half-changed by a connection's own code.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
