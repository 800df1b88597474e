//! The HTTP client library, behind a seam: hyper's client on one connection.
//!
//! [`Client::next`] dials, writes and reads, and can be dropped and called again
//! at any time.

use crate::fuse::Fused;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::header::{CONNECTION, ETAG, HeaderValue};
use hyper::{StatusCode, Version};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How much of what the server sends is read at once, in bytes, and so the
/// longest head of an answer; each connection keeps a buffer of this size, and
/// hyper one of 8 KiB for what it writes.
const READ_BYTES: usize = 2 * 1024;

/// The longest body of an answer that is taken, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

type Body = Full<Bytes>;

/// What is asked for.
pub(crate) type Request = hyper::Request<Body>;

type Sender = SendRequest<Body>;
type Wire = Connection<TokioIo<Fused>, Body>;
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A client that serves one connection, and one request at a time.
pub(crate) struct Client {
    state: State,
    /// The request under way.
    exchange: Option<Boxed<(Sender, Result<Answer, String>)>>,
}

enum State {
    Dialling(Boxed<io::Result<Fused>>),
    Opening(Boxed<hyper::Result<(Sender, Wire)>>),
    Open {
        /// There while no request is under way.
        sender: Option<Sender>,
        connection: Pin<Box<Wire>>,
    },
    /// Why it ended, in words.
    Ended(String),
}

/// What the client saw.
#[derive(Debug)]
pub(crate) enum Seen {
    /// There is a connection.
    Connected,
    /// The answer to the request is there.
    Answered(Answer),
}

/// An answer of the server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The name of the reading in the body.
    pub(crate) etag: Option<String>,
    pub(crate) body: Bytes,
    /// The connection ends with it.
    pub(crate) last: bool,
}

impl Client {
    /// One that is about to have this stream.
    pub(crate) fn new(dialling: impl Future<Output = io::Result<Fused>> + Send + 'static) -> Self {
        Self {
            state: State::Dialling(Box::pin(dialling)),
            exchange: None,
        }
    }

    /// Asks for something, once there is a connection and nothing else under way.
    pub(crate) fn send(&mut self, request: Request) {
        let State::Open { sender, .. } = &mut self.state else {
            return;
        };
        let Some(mut sender) = sender.take() else {
            return;
        };
        self.exchange = Some(Box::pin(async move {
            let answer = exchange(&mut sender, request).await;
            (sender, answer)
        }));
    }

    /// Waits for something to happen.
    ///
    /// # Errors
    ///
    /// Why the attempt, or the connection, failed or ended: in words for people.
    pub(crate) async fn next(&mut self) -> Result<Seen, String> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Seen, String>> {
        loop {
            if let Some(exchange) = &mut self.exchange
                && let Poll::Ready((idle, answer)) = exchange.as_mut().poll(cx)
            {
                self.exchange = None;
                if let State::Open { sender, .. } = &mut self.state {
                    *sender = Some(idle);
                }
                return Poll::Ready(answer.map(Seen::Answered));
            }
            self.state = match &mut self.state {
                State::Dialling(dialling) => match ready!(dialling.as_mut().poll(cx)) {
                    Err(error) => State::Ended(error.to_string()),
                    Ok(stream) => State::Opening(Box::pin(
                        http1::Builder::new()
                            .read_buf_exact_size(Some(READ_BYTES))
                            .handshake(TokioIo::new(stream)),
                    )),
                },
                State::Opening(opening) => match ready!(opening.as_mut().poll(cx)) {
                    Err(error) => State::Ended(reason(&error)),
                    Ok((sender, connection)) => {
                        self.state = State::Open {
                            sender: Some(sender),
                            connection: Box::pin(connection),
                        };
                        return Poll::Ready(Ok(Seen::Connected));
                    }
                },
                State::Open { connection, .. } => {
                    State::Ended(match ready!(connection.as_mut().poll(cx)) {
                        Ok(()) => "the server closed the connection".to_owned(),
                        Err(error) => reason(&error),
                    })
                }
                // The request under way hears of it.
                State::Ended(_) if self.exchange.is_some() => return Poll::Pending,
                State::Ended(reason) => return Poll::Ready(Err(std::mem::take(reason))),
            };
        }
    }
}

async fn exchange(sender: &mut Sender, request: Request) -> Result<Answer, String> {
    sender.ready().await.map_err(|error| reason(&error))?;
    let answer = sender.send_request(request).await;
    let (head, body) = answer.map_err(|error| reason(&error))?.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|error| error.to_string())?;
    let closes = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
    let etag = head.headers.get(ETAG).and_then(|etag| etag.to_str().ok());
    Ok(Answer {
        status: head.status,
        etag: etag.map(str::to_owned),
        body: body.to_bytes(),
        last: head.version < Version::HTTP_11 || head.headers.get(CONNECTION).is_some_and(closes),
    })
}

/// The innermost reason is the one that helps.
fn reason(error: &hyper::Error) -> String {
    match error.source() {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What there is for each connection beside hyper's buffers.
    #[test]
    fn a_client_is_small() {
        let bytes = size_of::<Client>() + size_of::<Wire>();
        assert!(bytes <= 1_000, "{bytes} bytes");
    }
}
