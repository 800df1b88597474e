//! Where a broker is reached, as a URL: `mqtt://127.0.0.1:1883`,
//! `mqtts://broker.example`, `ws://127.0.0.1:8083/mqtt`, `wss://…`.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

/// What carries MQTT's bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket over TCP.
    WebSocket,
    /// WebSocket over TLS.
    SecureWebSocket,
}

impl Transport {
    /// All of them, the plain ones first.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::Tls, Self::WebSocket, Self::SecureWebSocket];

    /// The scheme of its URLs.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Tcp => "mqtt",
            Self::Tls => "mqtts",
            Self::WebSocket => "ws",
            Self::SecureWebSocket => "wss",
        }
    }

    /// Its name on a command line and in a target's file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::WebSocket => "ws",
            Self::SecureWebSocket => "wss",
        }
    }

    /// The port that its URLs mean when they name none: IANA's.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Tcp => 1883,
            Self::Tls => 8883,
            Self::WebSocket => 80,
            Self::SecureWebSocket => 443,
        }
    }

    /// Whether TLS is below it.
    #[must_use]
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::SecureWebSocket)
    }

    /// Whether MQTT goes in WebSocket frames.
    #[must_use]
    pub fn is_websocket(self) -> bool {
        matches!(self, Self::WebSocket | Self::SecureWebSocket)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a broker is reached over one transport, and as whom.
///
/// ```
/// use squall::targets::{Address, Transport};
///
/// let address: Address = "wss://valley:secret@broker.example/mqtt".parse()?;
/// assert_eq!(address.transport, Transport::SecureWebSocket);
/// assert_eq!((address.host.as_str(), address.port), ("broker.example", 443));
/// assert_eq!(address.password.as_deref(), Some("secret"));
/// // Reports are passed on; the password is not for them.
/// assert_eq!(address.to_string(), "wss://valley@broker.example:443/mqtt");
/// # Ok::<(), squall::targets::AddressError>(())
/// ```
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Address {
    /// What carries MQTT there.
    pub transport: Transport,
    /// A name or an IP address; IPv6 without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Path and query of a WebSocket endpoint, from its `/` on; empty for the
    /// other transports.
    pub path: String,
    /// The user name of CONNECT.
    pub user: Option<String>,
    /// The password of CONNECT.
    pub password: Option<String>,
}

impl Address {
    /// An address with nothing but what it must have; the path of a WebSocket
    /// endpoint is `/`.
    #[must_use]
    pub fn new(transport: Transport, host: impl Into<String>, port: u16) -> Self {
        Self {
            transport,
            host: host.into(),
            port,
            path: String::from(if transport.is_websocket() { "/" } else { "" }),
            user: None,
            password: None,
        }
    }

    /// Host and port, as HTTP's Host field and a socket address have them.
    #[must_use]
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// What has to be escaped in a user name: all but RFC 3986's unreserved
/// characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The URL, without the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.transport.scheme())?;
        if let Some(user) = &self.user {
            write!(f, "{}@", utf8_percent_encode(user, ESCAPED))?;
        }
        write!(f, "{}{}", self.authority(), self.path)
    }
}

/// As [`Display`](fmt::Display): a log is passed on, too.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Why a text is no address of a broker.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AddressError {
    /// No URL at all.
    #[error("`{0}` is not a URL: {1}")]
    NotUrl(String, url::ParseError),
    /// A URL of something else.
    #[error("`{0}` is no scheme for MQTT")]
    Scheme(String),
    /// A URL without a host.
    #[error("`{0}` names no host")]
    NoHost(String),
    /// A part that means nothing there.
    #[error("`{0}` has a {1}, which means nothing there")]
    Meaningless(String, &'static str),
    /// A user name or password that is not UTF-8 once its escapes are resolved.
    /// [MQTT311-1.5.3-1]
    #[error("the {0} in `{1}` is not UTF-8")]
    NotUtf8(&'static str, String),
}

impl AddressError {
    /// The way out.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Meaningless(_, "fragment") => "a WebSocket URL has none (RFC 6455 section 3)",
            Self::Meaningless(..) => "only ws:// and wss:// have a path: mqtt://HOST:PORT",
            Self::NotUtf8(..) => "write special characters as the bytes of their UTF-8: %C3%A9",
            _ => {
                "write mqtt://HOST:PORT, mqtts://HOST:PORT, ws://HOST:PORT/PATH or \
                 wss://HOST:PORT/PATH, with USER:PASSWORD@ before the host if need be"
            }
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::EmptyHost => AddressError::NoHost(text.to_owned()),
            error => AddressError::NotUrl(text.to_owned(), error),
        })?;
        let transport = Transport::ALL
            .into_iter()
            .find(|transport| transport.scheme() == url.scheme())
            .ok_or_else(|| AddressError::Scheme(url.scheme().to_owned()))?;
        let host = match url.host() {
            Some(url::Host::Domain("")) | None => {
                return Err(AddressError::NoHost(text.to_owned()));
            }
            Some(url::Host::Domain(name)) => name.to_owned(),
            Some(url::Host::Ipv4(address)) => address.to_string(),
            Some(url::Host::Ipv6(address)) => address.to_string(),
        };
        let meaningless = |part| AddressError::Meaningless(text.to_owned(), part);
        if url.fragment().is_some() {
            return Err(meaningless("fragment"));
        }
        let mut path = url.path().to_owned();
        if transport.is_websocket() {
            if let Some(query) = url.query() {
                path = format!("{path}?{query}");
            }
        } else if url.query().is_some() {
            return Err(meaningless("query"));
        } else if !matches!(path.as_str(), "" | "/") {
            return Err(meaningless("path"));
        } else {
            path.clear();
        }
        let decoded = |what, escaped: &str| {
            let text = percent_decode_str(escaped).decode_utf8();
            text.map(std::borrow::Cow::into_owned)
                .map_err(|_| AddressError::NotUtf8(what, escaped.to_owned()))
        };
        let password = url.password().map(|escaped| decoded("password", escaped));
        Ok(Self {
            transport,
            host,
            port: url.port().unwrap_or(transport.default_port()),
            path,
            user: match url.username() {
                // A password without a user name: MQTT 5.0 allows it.
                "" => None,
                escaped => Some(decoded("user name", escaped)?),
            },
            password: password.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("mqtt://localhost", "mqtt://localhost:1883")]
    #[case("mqtt://127.0.0.1:1884/", "mqtt://127.0.0.1:1884")]
    #[case("mqtts://[::1]", "mqtts://[::1]:8883")]
    #[case("ws://[::1]:8083", "ws://[::1]:8083/")]
    #[case("ws://localhost/mqtt?v=5", "ws://localhost:80/mqtt?v=5")]
    #[case("WSS://valley:a%40b@localhost/", "wss://valley@localhost:443/")]
    #[case(
        "mqtt://u%40localhost@localhost",
        "mqtt://u%40localhost@localhost:1883"
    )]
    fn a_url_is_read_and_shown_without_its_password(#[case] text: &str, #[case] shown: &str) {
        let address: Address = text.parse().expect("an address");
        assert_eq!(address.to_string(), shown);
        let again: Address = shown.parse().expect("what is shown can be read");
        let without_password = Address {
            password: None,
            ..address
        };
        assert_eq!(again, without_password);
    }

    #[rstest]
    #[case("mqtt://valley:a%40b@localhost", Some("valley"), Some("a@b"))]
    #[case("mqtt://:secret@localhost", None, Some("secret"))]
    #[case("mqtt://valley@localhost", Some("valley"), None)]
    fn user_and_password_are_unescaped(
        #[case] text: &str,
        #[case] user: Option<&str>,
        #[case] password: Option<&str>,
    ) {
        let address: Address = text.parse().expect("an address");
        assert_eq!(address.user.as_deref(), user);
        assert_eq!(address.password.as_deref(), password);
    }

    #[rstest]
    #[case(
        "127.0.0.1:1883",
        "`127.0.0.1:1883` is not a URL: relative URL without a base"
    )]
    #[case("localhost:1883", "`localhost` is no scheme for MQTT")]
    #[case("http://localhost", "`http` is no scheme for MQTT")]
    #[case("mqtt://", "`mqtt://` names no host")]
    #[case("ws://", "`ws://` names no host")]
    #[case(
        "mqtt://localhost:70000",
        "`mqtt://localhost:70000` is not a URL: invalid port number"
    )]
    #[case(
        "mqtt://localhost/mqtt",
        "`mqtt://localhost/mqtt` has a path, which means nothing there"
    )]
    #[case(
        "mqtt://localhost?v=5",
        "`mqtt://localhost?v=5` has a query, which means nothing there"
    )]
    #[case(
        "ws://localhost/#a",
        "`ws://localhost/#a` has a fragment, which means nothing there"
    )]
    #[case("mqtt://a%FF@localhost", "the user name in `a%FF` is not UTF-8")]
    fn what_is_no_address_says_why(#[case] text: &str, #[case] expected: &str) {
        let error = text.parse::<Address>().expect_err("no address");
        assert_eq!(error.to_string(), expected);
        assert!(!error.help().is_empty());
    }
}
