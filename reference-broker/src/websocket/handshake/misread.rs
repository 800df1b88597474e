//! Quirks of the opening handshake: what a quirky server reads in a request that
//! is not there, and what it gets wrong in its answer.

use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::http::header::{self, HeaderMap, HeaderValue};

use crate::quirks::{Quirk, Quirks};

/// A key that is as good as any.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// How long a request is, and as what a quirky server reads it. `None` as long
/// as it is not complete, and for a server that reads what is there.
pub(super) fn misread(request: &[u8], quirks: Quirks) -> Option<(usize, Vec<u8>)> {
    if quirks.is_empty() {
        return None;
    }
    let head = request.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&request[..head]);
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.to_owned();
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        let well_formed = !line.contains(|char: char| char.is_control() && char != '\t');
        match line.split_once(':') {
            Some((name, value))
                if well_formed || !quirks.has(Quirk::WsOverlooksMalformedHeaders) =>
            {
                headers.push((name.to_owned(), value.to_owned()));
            }
            None if !quirks.has(Quirk::WsOverlooksMalformedHeaders) => return None,
            _ => {}
        }
    }
    if quirks.has(Quirk::WsUpgradesAnyMethod)
        && let Some((_, rest)) = first.split_once(' ')
    {
        first = format!("GET {rest}");
    }
    if quirks.has(Quirk::WsUpgradesHttp10) {
        first = first.replace("HTTP/1.0", "HTTP/1.1");
    }
    let mut names = headers.iter().map(|(name, _)| name);
    let has_version = names.any(|name| name.eq_ignore_ascii_case("Sec-WebSocket-Version"));
    let mut assume = |name: &str, value: &str, is_good: fn(&str) -> bool| {
        let is_it = |(other, value): &(String, String)| {
            other.eq_ignore_ascii_case(name) && is_good(value.trim())
        };
        if !headers.iter().any(is_it) {
            headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
            headers.push((name.to_owned(), value.to_owned()));
        }
    };
    if quirks.has(Quirk::WsNeedsNoHost) {
        assume("Host", "somewhere", |_| true);
    }
    if quirks.has(Quirk::WsNeedsNoUpgrade) {
        assume("Upgrade", "websocket", |_| false);
    }
    if quirks.has(Quirk::WsNeedsNoConnection) {
        assume("Connection", "Upgrade", |_| false);
    }
    if quirks.has(Quirk::WsNeedsNoKey) {
        assume("Sec-WebSocket-Key", KEY, |key| key.len() == KEY.len());
    }
    if quirks.has(Quirk::WsNeedsNoVersion) {
        assume("Sec-WebSocket-Version", "13", |_| true);
    }
    if quirks.has(Quirk::WsUpgradesAnyVersion) && has_version {
        assume("Sec-WebSocket-Version", "13", |_| false);
    }
    let mut misread = first;
    for (name, value) in headers {
        misread.push_str(&format!("\r\n{name}:{value}"));
    }
    misread.push_str("\r\n\r\n");
    Some((head + 4, misread.into_bytes()))
}

/// Whether there is a header that no specification of WebSocket speaks of.
pub(super) fn has_unknown(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("x-"))
}

/// Makes the answer to a request wrong.
pub(super) fn misanswer(request: &Request, response: &mut Response, quirks: Quirks) {
    if quirks.has(Quirk::WsAnswers200) {
        *response.status_mut() = StatusCode::OK;
    }
    let headers = response.headers_mut();
    if quirks.has(Quirk::WsNamesUnofferedExtension)
        && !request
            .headers()
            .contains_key(header::SEC_WEBSOCKET_EXTENSIONS)
    {
        let extension = HeaderValue::from_static("permessage-deflate");
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, extension);
    }
    if quirks.has(Quirk::WsOmitsUpgrade) {
        headers.remove(header::UPGRADE);
    }
    if quirks.has(Quirk::WsOmitsConnection) {
        headers.remove(header::CONNECTION);
    }
    if quirks.has(Quirk::WsAcceptsWrongly) {
        let accept = HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
}
