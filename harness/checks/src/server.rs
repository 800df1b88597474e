//! The broker under test, as checks see it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::finding::{Finding, Outcome};
use crate::websocket::WebSocketEndpoint;

/// A boxed future that may go to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A byte stream to the server. Dropping it closes the connection as an
/// operating system does for a process that ends.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Writes bytes and flushes them; what the stream says to that.
///
/// # Errors
/// [`Finding::Error`] when the server does not take them within `time`.
pub(crate) async fn write_within(
    stream: &mut dyn Stream,
    bytes: &[u8],
    time: Duration,
) -> Outcome<io::Result<()>> {
    let writing = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    timeout(time, writing).await.map_err(|_| {
        let (count, seconds) = (bytes.len(), time.as_secs_f64());
        Finding::Error(format!(
            "the server did not take {count} bytes within {seconds} s"
        ))
    })
}

/// The broker under test.
pub trait Server: Send + Sync + 'static {
    /// Opens a connection that carries MQTT, over whatever transport it is.
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>>;

    /// Its WebSocket endpoint, if it has one.
    fn websocket(&self) -> Option<&WebSocketEndpoint> {
        None
    }

    /// Opens a stream to its WebSocket endpoint, above TLS and below the
    /// WebSocket, if it has one.
    fn dial_websocket(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    /// Opens a stream to its secure WebSocket endpoint, below TLS; nothing if it
    /// has none.
    fn dial_below_tls(&self) -> BoxFuture<'_, io::Result<Option<Box<dyn Stream>>>> {
        Box::pin(async { Ok(None) })
    }

    /// Kills the server, as a loss of power does, and starts it again with the
    /// data it had. Returns once it accepts connections.
    fn restart(&self) -> BoxFuture<'_, Result<(), RestartError>> {
        Box::pin(async { Err(RestartError::Unable) })
    }

    /// How the server is set up, beyond what it tells by itself.
    fn fixtures(&self) -> &Fixtures;
}

/// Why a server was not restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestartError {
    /// It is not ours to restart.
    Unable,
    /// It was stopped and did not come back.
    Failed(String),
}

/// How a server is set up for the checks. What it is not set up for is skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fixtures {
    /// Whom clients log in as; `None` for anonymous ones.
    pub login: Option<Login>,
    /// A login that is refused.
    pub bad_login: Option<Login>,
    /// A topic that the login may not publish to.
    pub denied_publish: Option<String>,
    /// A filter that the login may not subscribe to.
    pub denied_subscribe: Option<String>,
    /// A client identifier that is refused.
    pub denied_client_id: Option<String>,
    /// A user of SCRAM-SHA-256.
    pub scram: Option<Login>,
    /// Whether sessions and messages survive a restart.
    pub durable: bool,
    /// Capabilities that the server lacks and does not tell of, by the names
    /// of the fields of [`Capabilities`](crate::Capabilities).
    pub lacks: Vec<String>,
}

/// A user name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Who.
    pub user: String,
    /// The proof of it.
    pub password: Bytes,
}
