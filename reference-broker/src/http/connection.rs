//! One client of the REST server, from its first byte to its end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;

use super::Shared;
use super::answer::answer;
use crate::refusal::Refusal;

/// How much of what a client sends, or is sent, is held at once, in bytes: at
/// least what hyper begins with.
const BUFFER_BYTES_MIN: usize = 8 * 1024;

/// Serves a client until its connection has ended.
pub(super) async fn serve<S>(shared: &Arc<Shared>, mut stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = &shared.config.limits;
    let Ok(_place) = Arc::clone(&shared.room).try_acquire_owned() else {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let refusal = Refusal::new(status, "the server has as many clients as it takes");
        // Whether or not it is heard, that was it.
        let _ = timeout(limits.linger, refusal.send(&mut stream)).await;
        return;
    };
    shared.lock().counts.connections += 1;
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.silence_max));
    let service = service_fn(|request| {
        let shared = Arc::clone(shared);
        async move { Ok::<_, Infallible>(answer(&shared, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_max)
        .max_header_size(limits.head_bytes)
        .max_headers(limits.headers)
        .max_buf_size(limits.head_bytes.max(BUFFER_BYTES_MIN))
        .auto_date_header(shared.config.date)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let mut connection = pin!(connection);
    let mut stopping = shared.stopping.subscribe();
    tokio::select! {
        biased;
        _ = stopping.wait_for(|stopping| *stopping) => {}
        // However it ended, there is nobody left to tell.
        _ = connection.as_mut() => return,
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(limits.linger, connection).await;
}
