//! The opening handshake, at the server's end (RFC 6455 section 4.2).
//!
//! [`accept`] reads a request for an upgrade, answers it, and returns what an
//! [`Endpoint`] has at the path that was asked for.

mod extensions;
mod misread;

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::machine::TryParse as _;
use tokio_tungstenite::tungstenite::handshake::server::{Request, create_response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::quirks::{Quirk, Quirks};
use crate::refusal::{Refusal, serialized};

/// The longest request for an upgrade, in bytes: room for a browser's cookies.
const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// Why a stream did not become a WebSocket.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The request was answered with this HTTP status.
    #[error("refused with {status}: {reason}")]
    Refused {
        /// The HTTP status code.
        status: u16,
        /// What was wrong with the request.
        reason: &'static str,
    },
    /// The stream failed, or ended before the request did.
    #[error(transparent)]
    Stream(#[from] io::Error),
}

/// What a server has to offer.
pub(super) trait Endpoint {
    /// What there is at a path.
    type Resource;

    /// What there is at this path; `None` is answered with 404.
    fn resource(&self, path: &str) -> Option<Self::Resource>;

    /// The pages that may connect, or `None` for any. Another one is answered
    /// with 403 (section 4.2.2).
    fn origins(&self) -> Option<&[String]>;

    /// Its deliberate defects.
    fn quirks(&self) -> Quirks;

    /// The one of the subprotocols on offer that is spoken, if any has to be.
    fn subprotocol(
        &self,
        resource: &Self::Resource,
        offered: &[&str],
    ) -> Result<Option<&'static str>, Refusal>;
}

/// A request that was accepted.
#[derive(Debug)]
pub(super) struct Accepted<R> {
    /// What is at its path.
    pub(super) resource: R,
    /// The subprotocol that was agreed upon.
    pub(super) subprotocol: Option<&'static str>,
    /// What of the stream was read beyond the request.
    pub(super) rest: Vec<u8>,
}

/// Reads a request and answers it. How long it may take is for the caller to
/// limit.
///
/// # Errors
/// [`UpgradeError::Refused`] when the client was sent a status other than 101,
/// and [`UpgradeError::Stream`] when the stream failed.
pub(super) async fn accept<S, E>(
    stream: &mut S,
    endpoint: &E,
) -> Result<Accepted<E::Resource>, UpgradeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
    E: Endpoint,
{
    let mut request = Vec::new();
    let outcome = loop {
        match answer(&request, endpoint) {
            Ok(None) => {}
            Ok(Some(answer)) => break Ok(answer),
            Err(refusal) => break Err(refusal),
        }
        if stream.read_buf(&mut request).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    };
    match outcome {
        Ok(answer) => {
            stream.write_all(&answer.response).await?;
            stream.flush().await?;
            Ok(Accepted {
                resource: answer.resource,
                subprotocol: answer.subprotocol,
                rest: request.split_off(answer.head),
            })
        }
        Err(refusal) => {
            refusal.send(stream).await?;
            Err(refusal.into())
        }
    }
}

impl From<Refusal> for UpgradeError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused {
            status: refusal.status.as_u16(),
            reason: refusal.reason,
        }
    }
}

/// The answer to a request that was accepted.
#[derive(Debug)]
struct Answer<R> {
    resource: R,
    subprotocol: Option<&'static str>,
    /// How long the request is, in bytes.
    head: usize,
    response: Vec<u8>,
}

/// The answer to a request; nothing as long as it is not complete.
fn answer<E: Endpoint>(
    request: &[u8],
    endpoint: &E,
) -> Result<Option<Answer<E::Resource>>, Refusal> {
    const BAD: StatusCode = Refusal::BAD;
    let quirks = endpoint.quirks();
    let misread = misread::misread(request, quirks);
    let parsed = match &misread {
        // What is misread has another length.
        Some((head, other)) => {
            Request::try_parse(other).map(|some| some.map(|(_, one)| (*head, one)))
        }
        None => Request::try_parse(request),
    };
    let (head, request) = match parsed {
        Ok(Some(parsed)) => parsed,
        Ok(None) if request.len() < REQUEST_BYTES_MAX => return Ok(None),
        Ok(None) | Err(Error::Capacity(CapacityError::TooManyHeaders)) => {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(Refusal::new(status, "the request's headers are too large"));
        }
        Err(error) => return Err(broken(&error, quirks)),
    };
    let resource = endpoint.resource(request.uri().path()).ok_or(Refusal::new(
        StatusCode::NOT_FOUND,
        "nothing is served here",
    ))?;
    let headers = request.headers();
    if headers.get_all(header::HOST).iter().count() != 1 {
        return Err(Refusal::new(BAD, "the request has not exactly one Host"));
    }
    if headers.get_all(header::SEC_WEBSOCKET_KEY).iter().count() > 1 {
        // RFC 6455 section 11.3.1
        return Err(Refusal::new(
            BAD,
            "the request has several Sec-WebSocket-Key",
        ));
    }
    let mut response = create_response(&request).map_err(|error| broken(&error, quirks))?;
    let welcome = may_connect_from(headers.get(header::ORIGIN), endpoint.origins());
    if !(welcome || quirks.has(Quirk::WsIgnoresOrigin)) {
        let reason = "pages of this origin may not connect";
        return Err(Refusal::new(StatusCode::FORBIDDEN, reason));
    }
    // RFC 6455 section 9.1
    let overlooked = quirks.has(Quirk::WsOverlooksMalformedExtensions);
    if !(overlooked || extensions::are_well_formed(headers)) {
        return Err(Refusal::new(BAD, "Sec-WebSocket-Extensions is malformed"));
    }
    if quirks.has(Quirk::WsRefusesUnknownHeaders) && misread::has_unknown(headers) {
        return Err(Refusal::new(BAD, "the request has a header of its own"));
    }
    let subprotocol = endpoint.subprotocol(&resource, &subprotocols(headers))?;
    if let Some(agreed) = subprotocol {
        let agreed = HeaderValue::from_static(agreed);
        let headers = response.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, agreed);
    }
    if !quirks.is_empty() {
        misread::misanswer(&request, &mut response, quirks);
    }
    Ok(Some(Answer {
        resource,
        subprotocol,
        head,
        response: serialized(&response, ""),
    }))
}

/// The answer to what is no request for an upgrade.
fn broken(error: &Error, quirks: Quirks) -> Refusal {
    const UPGRADE: (HeaderName, &str) = (header::UPGRADE, "websocket");
    const VERSION: (HeaderName, &str) = (header::SEC_WEBSOCKET_VERSION, "13");
    const VERSIONS: (HeaderName, &str) = (header::SEC_WEBSOCKET_VERSION, "13, 12");
    let Error::Protocol(error) = error else {
        return Refusal::new(StatusCode::BAD_REQUEST, "the request is not HTTP");
    };
    match error {
        ProtocolError::WrongHttpMethod => Refusal {
            status: StatusCode::METHOD_NOT_ALLOWED,
            headers: &[(header::ALLOW, "GET")],
            reason: "a WebSocket is asked for with GET",
        },
        ProtocolError::MissingConnectionUpgradeHeader
        | ProtocolError::MissingUpgradeWebSocketHeader => Refusal {
            status: StatusCode::UPGRADE_REQUIRED,
            headers: &[UPGRADE],
            reason: "the request does not ask for an upgrade to a WebSocket",
        },
        // RFC 6455 section 4.4
        ProtocolError::MissingSecWebSocketVersionHeader => Refusal {
            status: StatusCode::UPGRADE_REQUIRED,
            headers: match quirks.has(Quirk::WsListsUnspokenVersion) {
                true => &[UPGRADE, VERSIONS],
                false => &[UPGRADE, VERSION],
            },
            reason: "the version of WebSocket is not 13",
        },
        ProtocolError::WrongHttpVersion => Refusal::new(
            StatusCode::BAD_REQUEST,
            "a WebSocket takes HTTP/1.1 or later",
        ),
        ProtocolError::MissingSecWebSocketKey | ProtocolError::InvalidSecWebSocketKey => {
            Refusal::new(
                StatusCode::BAD_REQUEST,
                "Sec-WebSocket-Key is missing, or not 16 bytes in Base64",
            )
        }
        _ => Refusal::new(StatusCode::BAD_REQUEST, "the request is not well-formed"),
    }
}

/// Only browsers name an origin, and only they can be trusted to name the right
/// one (RFC 6455 section 10.2).
fn may_connect_from(origin: Option<&HeaderValue>, allowed: Option<&[String]>) -> bool {
    match (origin, allowed) {
        (None, _) | (_, None) => true,
        (Some(origin), Some(allowed)) => allowed
            .iter()
            .any(|one| origin.as_bytes().eq_ignore_ascii_case(one.as_bytes())),
    }
}

/// What a quirky server says of a subprotocol when the one that it speaks is not
/// on offer, if that is where it goes wrong.
pub(super) fn wrong_subprotocol(quirks: Quirks, spoken: &'static str) -> Option<&'static str> {
    match () {
        () if quirks.has(Quirk::WsImposesSubprotocol) => Some(spoken),
        () if quirks.has(Quirk::WsSendsEmptySubprotocol) => Some(""),
        () => None,
    }
}

/// The subprotocols on offer, in one header or several.
fn subprotocols(headers: &HeaderMap) -> Vec<&str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Upgrade;
    use super::*;
    use rstest::rstest;

    const REQUEST: &str = "GET /mqtt HTTP/1.1\r\nHost: broker.example\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\
        Origin: https://dashboard.example\r\n\r\n";

    fn upgrade() -> Upgrade {
        Upgrade {
            origins: Some(vec!["https://dashboard.example".to_owned()]),
            ..Upgrade::default()
        }
    }

    /// The example of RFC 6455 section 1.3, with MQTT as its subprotocol.
    #[test]
    fn a_request_is_answered_with_mqtt() {
        let answer = answer(REQUEST.as_bytes(), &upgrade())
            .expect("accepted")
            .expect("complete");
        assert_eq!(answer.head, REQUEST.len());
        let response = String::from_utf8(answer.response).expect("text");
        assert!(response.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
        for line in [
            "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
            "sec-websocket-protocol: mqtt\r\n",
            "upgrade: websocket\r\n",
        ] {
            assert!(response.contains(line), "{line} is not in {response}");
        }
        assert!(response.ends_with("\r\n\r\n"));
    }

    #[test]
    fn a_part_of_a_request_is_not_answered_yet() {
        for end in 0..REQUEST.len() {
            let answered = answer(&REQUEST.as_bytes()[..end], &upgrade());
            assert!(matches!(answered, Ok(None)), "after {end} bytes");
        }
    }

    /// In `REQUEST`, `right` becomes `wrong`.
    #[rstest]
    #[case::another_path("/mqtt HTTP", "/other HTTP", 404)]
    #[case::a_longer_path("/mqtt HTTP", "/mqtt/ HTTP", 404)]
    #[case::another_method("GET", "POST", 405)]
    #[case::an_old_version("HTTP/1.1", "HTTP/1.0", 400)]
    #[case::no_http("GET /mqtt HTTP/1.1", "\u{10}\u{0d}\u{0}", 400)]
    #[case::no_host("Host: broker.example\r\n", "", 400)]
    #[case::two_hosts("Host: broker.example\r\n", "Host: a\r\nHost: b\r\n", 400)]
    #[case::no_upgrade("Upgrade: websocket\r\n", "", 426)]
    #[case::another_upgrade("Upgrade: websocket", "Upgrade: h2c", 426)]
    #[case::no_connection("Connection: Upgrade", "Connection: close", 426)]
    #[case::another_version("Version: 13", "Version: 8", 426)]
    #[case::no_version("Sec-WebSocket-Version: 13\r\n", "", 426)]
    #[case::no_key("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400)]
    #[case::a_short_key("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==", 400)]
    #[case::two_keys(
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version",
        400
    )]
    #[case::another_origin("https://dashboard.example", "https://elsewhere.example", 403)]
    #[case::no_subprotocol("Sec-WebSocket-Protocol: mqtt\r\n", "", 400)]
    #[case::another_subprotocol("Protocol: mqtt", "Protocol: mqttv3.1, MQTT", 400)]
    #[case::malformed_extensions("Origin", "Sec-WebSocket-Extensions: ; =,\r\nOrigin", 400)]
    fn a_bad_request_is_refused(#[case] right: &str, #[case] wrong: &str, #[case] status: u16) {
        assert!(REQUEST.contains(right));
        let request = REQUEST.replacen(right, wrong, 1);
        let refusal = answer(request.as_bytes(), &upgrade()).expect_err("refused");
        assert_eq!(refusal.status.as_u16(), status, "{refusal:?}");
        let response = String::from_utf8(refusal.last_response()).expect("text");
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")));
        assert!(response.ends_with(&format!("\r\n\r\n{}\n", refusal.reason)));
        let names_version = response.contains("sec-websocket-version: 13\r\n");
        assert_eq!(
            names_version,
            wrong.contains('8') || right.contains("Version: 13\r")
        );
    }

    #[rstest]
    #[case::with_a_query("/mqtt HTTP", "/mqtt?token=1 HTTP")]
    #[case::no_browser("Origin: https://dashboard.example\r\n", "")]
    #[case::an_origin_in_capitals("https://dashboard", "HTTPS://Dashboard")]
    #[case::several_subprotocols("Protocol: mqtt", "Protocol: mqttv3.1,mqtt")]
    #[case::in_a_header_of_its_own(
        "Sec-WebSocket-Protocol: mqtt",
        "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: mqtt"
    )]
    #[case::with_an_extension(
        "Origin",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nOrigin"
    )]
    #[case::several_tokens("Connection: Upgrade", "Connection: keep-alive, Upgrade")]
    fn a_good_request_is_taken(#[case] right: &str, #[case] also: &str) {
        assert!(REQUEST.contains(right));
        let request = REQUEST.replacen(right, also, 1);
        assert!(matches!(
            answer(request.as_bytes(), &upgrade()),
            Ok(Some(_))
        ));
    }

    #[test]
    fn a_request_without_end_is_refused() {
        let mut request = REQUEST.trim_end().to_owned();
        request.push_str("\r\nCookie: ");
        request.push_str(&"a".repeat(REQUEST_BYTES_MAX));
        let refusal = answer(request.as_bytes(), &upgrade()).expect_err("refused");
        assert_eq!(refusal.status.as_u16(), 431);
    }

    #[test]
    fn any_path_and_origin_can_be_allowed() {
        let upgrade = Upgrade {
            path: None,
            ..Upgrade::default()
        };
        let request = REQUEST.replace("/mqtt", "/");
        assert!(matches!(answer(request.as_bytes(), &upgrade), Ok(Some(_))));
    }
}
