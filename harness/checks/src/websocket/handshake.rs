//! The opening handshake, at the client's end (RFC 6455 section 4.1): a request
//! that can be anything, and the answer to it.

use data_encoding::BASE64;
use sha1::{Digest as _, Sha1};

/// The example of section 1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Another.
pub const OTHER_KEY: &str = "x3JJHMbDL1EzLkh9GBhXDw==";

/// The longest head of an answer, in bytes.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A request for an upgrade.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    method: String,
    target: String,
    version: String,
    /// Lines of the head, each without its end.
    lines: Vec<String>,
}

impl Request {
    /// The request that section 4.1 asks for.
    #[must_use]
    pub fn new(authority: &str, path: &str) -> Self {
        let headers = [
            ("Host", authority),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", KEY),
            ("Sec-WebSocket-Version", "13"),
        ];
        Self {
            method: "GET".to_owned(),
            target: path.to_owned(),
            version: "HTTP/1.1".to_owned(),
            lines: headers.map(|(name, value)| line(name, value)).to_vec(),
        }
    }

    /// The same with another method.
    #[must_use]
    pub fn method(self, method: &str) -> Self {
        Self {
            method: method.to_owned(),
            ..self
        }
    }

    /// The same for another path.
    #[must_use]
    pub fn path(self, path: &str) -> Self {
        Self {
            target: path.to_owned(),
            ..self
        }
    }

    /// The same in another version of HTTP.
    #[must_use]
    pub fn version(self, version: &str) -> Self {
        Self {
            version: version.to_owned(),
            ..self
        }
    }

    /// The same with this header, instead of any of that name.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        self.without(name).line(&line(name, value))
    }

    /// The same without the headers of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.lines.retain(|line| !is_named(line, name));
        self
    }

    /// The same with one more line, whatever it is.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// The same with its headers the other way round, named in another case.
    #[must_use]
    pub fn shuffled(mut self) -> Self {
        self.lines.reverse();
        for line in &mut self.lines {
            if let Some((name, value)) = line.split_once(':') {
                let swapped: String = name
                    .char_indices()
                    .map(|(at, char)| match at % 2 {
                        0 => char.to_ascii_lowercase(),
                        _ => char.to_ascii_uppercase(),
                    })
                    .collect();
                *line = format!("{swapped}:{value}");
            }
        }
        self
    }

    /// The value of its key.
    #[must_use]
    pub fn key(&self) -> &str {
        let key = self
            .lines
            .iter()
            .find(|line| is_named(line, "Sec-WebSocket-Key"));
        key.and_then(|line| line.split_once(':'))
            .map_or("", |(_, value)| value.trim())
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self {
            method,
            target,
            version,
            lines,
        } = self;
        let mut text = format!("{method} {target} {version}\r\n");
        for line in lines {
            text.push_str(line);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

fn line(name: &str, value: &str) -> String {
    format!("{name}: {value}")
}

fn is_named(line: &str, name: &str) -> bool {
    line.split_once(':')
        .is_some_and(|(other, _)| other.eq_ignore_ascii_case(name))
}

/// The head of the answer to a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    /// Its first line.
    pub status_line: String,
    /// The status code, 0 if there is none.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The first line that is no header, if there is one.
    pub malformed: Option<String>,
}

impl Response {
    /// Takes the head of an answer off these bytes: it, and how long it is.
    /// Nothing if it is not all there.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        let length = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let text = String::from_utf8_lossy(&bytes[..length]);
        let mut lines = text.split("\r\n");
        let status_line = lines.next().unwrap_or_default().to_owned();
        let status = status_line.split(' ').nth(1);
        let status = status.and_then(|code| code.parse().ok()).unwrap_or(0);
        let mut headers = Vec::new();
        let mut malformed = None;
        for line in lines {
            match line.split_once(':') {
                Some((name, value)) if is_token(name) => {
                    headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
                }
                _ => malformed = malformed.or(Some(line.to_owned())),
            }
        }
        let response = Self {
            status_line,
            status,
            headers,
            malformed,
        };
        Some((response, length + 4))
    }

    /// The values of a header, by its name in lower case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let headers = self.headers.iter();
        let named = headers.filter(move |(other, _)| other == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The things that a header lists, over all its lines.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        let values = self.values(name).flat_map(|value| value.split(','));
        values
            .map(|one| one.trim().to_owned())
            .filter(|one| !one.is_empty())
            .collect()
    }

    /// Whether the server goes on as a WebSocket, be its answer right or not.
    #[must_use]
    pub fn opens(&self) -> bool {
        self.status == 101 || self.values("sec-websocket-accept").next().is_some()
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(name: &str) -> bool {
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(in_token)
}

/// What `Sec-WebSocket-Accept` has to be for a key (section 4.2.2).
#[must_use]
pub fn accept(key: &str) -> String {
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    BASE64.encode(&digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_accepted_as_in_the_rfc() {
        assert_eq!(accept(KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_request_says_what_it_is_told_to() {
        let request = Request::new("broker:80", "/mqtt")
            .method("PUT")
            .version("HTTP/1.0")
            .without("host")
            .with("upgrade", "h2c")
            .line("nonsense");
        let expected = "PUT /mqtt HTTP/1.0\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
            upgrade: h2c\r\nnonsense\r\n\r\n";
        assert_eq!(String::from_utf8(request.encode()).as_deref(), Ok(expected));
        assert_eq!(request.key(), KEY);
    }

    #[test]
    fn an_answer_is_read_to_the_end_of_its_head() {
        let bytes = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nX: a, b\r\nx: c\r\nbad line\r\n\r\n\x88";
        assert_eq!(Response::decode(&bytes[..bytes.len() - 2]), None);
        let (response, length) = Response::decode(bytes).expect("complete");
        assert_eq!(length, bytes.len() - 1);
        assert_eq!(response.status, 101);
        assert_eq!(response.list("x"), ["a", "b", "c"]);
        assert_eq!(response.malformed.as_deref(), Some("bad line"));
        assert!(response.opens());
    }
}
