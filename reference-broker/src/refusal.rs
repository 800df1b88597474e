//! An answer of HTTP that says no, and why.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::handshake::server::{Response, write_response};
use tokio_tungstenite::tungstenite::http::header::{self, HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::http::{StatusCode, Version};

/// A request that is not granted, and its answer.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// What the client may do instead.
    pub(crate) headers: &'static [(HeaderName, &'static str)],
    pub(crate) reason: &'static str,
}

impl Refusal {
    pub(crate) const BAD: StatusCode = StatusCode::BAD_REQUEST;

    pub(crate) const fn new(status: StatusCode, reason: &'static str) -> Self {
        Self {
            status,
            headers: &[],
            reason,
        }
    }

    /// Answers with it, and ends the stream.
    pub(crate) async fn send<S>(&self, stream: &mut S) -> io::Result<()>
    where
        S: AsyncWrite + Unpin,
    {
        stream.write_all(&self.last_response()).await?;
        stream.shutdown().await
    }

    /// The answer, and the reason as its body.
    pub(crate) fn response(&self) -> (Response, String) {
        let body = format!("{}\n", self.reason);
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        *response.version_mut() = Version::HTTP_11;
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, content_type);
        (response, body)
    }

    /// The answer in bytes, as the last on its connection.
    pub(crate) fn last_response(&self) -> Vec<u8> {
        let (mut response, body) = self.response();
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
        serialized(&response, &body)
    }
}

/// A response in bytes.
pub(crate) fn serialized(response: &Response, body: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Fails only for header values that are not text, and ours are.
    let _ = write_response(&mut bytes, response);
    bytes.extend_from_slice(body.as_bytes());
    bytes
}
