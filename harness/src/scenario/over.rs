//! A scenario carried over to another protocol, so that the same fleets, links
//! and weather can be measured over each.
//!
//! What has no counterpart in the protocol is taken out, and told; a reading
//! keeps the promise it was given: above QoS 0 it is acknowledged, and sent again
//! until it is.

mod carry;

use super::diagnostic::{ScenarioError, unknown};
use super::text::Complaint;

/// A protocol and what secures it, such as `mqtt-ws+tls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    protocol: Protocol,
    tls: Option<Tls>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Mqtt,
    Mqtt5,
    Mqtt5Alias,
    MqttWs,
    WebSocket,
    WebSocketAcked,
    WebSocketUnacked,
    Http,
    HttpKeepAlive,
    HttpLongPoll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    Full,
    Resumed,
    PostQuantum,
}

/// Every protocol: what the command line calls it, and what it is.
const PROTOCOLS: [(Protocol, &str, &str); 10] = [
    (Protocol::Mqtt, "mqtt", "MQTT 3.1.1"),
    (Protocol::Mqtt5, "mqtt5", "MQTT 5.0, without topic aliases"),
    (
        Protocol::Mqtt5Alias,
        "mqtt5-alias",
        "MQTT 5.0, with topic aliases both ways",
    ),
    (Protocol::MqttWs, "mqtt-ws", "MQTT 3.1.1 over WebSocket"),
    (
        Protocol::WebSocket,
        "websocket",
        "a plain WebSocket hub; a reading is acknowledged if its QoS is 1 or 2",
    ),
    (
        Protocol::WebSocketAcked,
        "websocket-acked",
        "a plain WebSocket hub that acknowledges every reading",
    ),
    (
        Protocol::WebSocketUnacked,
        "websocket-unacked",
        "a plain WebSocket hub that acknowledges nothing",
    ),
    (
        Protocol::Http,
        "http",
        "HTTP/1.1, a connection for each request; readers poll, every 5 s unless they say",
    ),
    (
        Protocol::HttpKeepAlive,
        "http-keep-alive",
        "HTTP/1.1, connections kept open; readers poll, every 5 s unless they say",
    ),
    (
        Protocol::HttpLongPoll,
        "http-long-poll",
        "HTTP/1.1, connections kept open, readers in a long poll",
    ),
];

/// Every way to secure one.
const SECURED: [(Tls, &str, &str); 3] = [
    (
        Tls::Full,
        "+tls",
        "TLS 1.3, a full handshake for each connection",
    ),
    (
        Tls::Resumed,
        "+tls-resumed",
        "TLS 1.3, sessions resumed where there is one",
    ),
    (
        Tls::PostQuantum,
        "+tls-pq",
        "TLS 1.3, full handshakes with X25519MLKEM768",
    ),
];

impl Over {
    /// The protocol of this name.
    ///
    /// # Errors
    /// One that names the nearest, if there is none.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        Self::read(text)
            .map_err(|complaint| ScenarioError::new(complaint.what, Some(complaint.help)))
    }

    pub(crate) fn read(text: &str) -> Result<Self, Complaint> {
        let (name, secured) = match text.find('+') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let names = PROTOCOLS.map(|(_, name, _)| name);
        let known = PROTOCOLS.iter().find(|(_, known, _)| *known == name);
        let (protocol, ..) = known.ok_or_else(|| unknown("protocol", name, &names))?;
        let tls = match secured {
            "" => None,
            secured => {
                let known = SECURED.iter().find(|(_, known, _)| *known == secured);
                let (tls, ..) = known.ok_or_else(|| {
                    unknown("addition", secured, &SECURED.map(|(_, name, _)| name))
                })?;
                Some(*tls)
            }
        };
        Ok(Self {
            protocol: *protocol,
            tls,
        })
    }

    /// Its name.
    #[must_use]
    pub fn token(self) -> String {
        let name = PROTOCOLS.iter().find(|(of, ..)| *of == self.protocol);
        let tls = SECURED.iter().find(|(of, ..)| Some(*of) == self.tls);
        let name = name.map_or("", |(_, name, _)| name);
        format!("{name}{}", tls.map_or("", |(_, name, _)| name))
    }

    /// What it is, in the reader's words.
    #[must_use]
    pub fn summary(self) -> String {
        let summary = PROTOCOLS.iter().find(|(of, ..)| *of == self.protocol);
        let tls = SECURED.iter().find(|(of, ..)| Some(*of) == self.tls);
        let summary = summary.map_or("", |(_, _, summary)| summary);
        match tls {
            Some((_, _, tls)) => format!("{summary}; {tls}"),
            None => summary.to_owned(),
        }
    }

    /// Every name, with what it is, for help.
    pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
        let protocols = PROTOCOLS.iter().map(|(_, name, summary)| (*name, *summary));
        protocols.chain(SECURED.iter().map(|(_, name, summary)| (*name, *summary)))
    }
}

impl Protocol {
    /// What a scenario calls it, and the table of its options.
    fn key(self) -> &'static str {
        self.quoted().trim_matches('"')
    }

    /// The same, as TOML has it.
    fn quoted(self) -> &'static str {
        match self {
            Self::Mqtt | Self::Mqtt5 | Self::Mqtt5Alias => "\"mqtt\"",
            Self::MqttWs => "\"mqtt-ws\"",
            Self::WebSocket | Self::WebSocketAcked | Self::WebSocketUnacked => "\"websocket\"",
            Self::Http | Self::HttpKeepAlive | Self::HttpLongPoll => "\"http\"",
        }
    }

    /// The version of MQTT that it carries, if any, as TOML has it.
    fn mqtt_version(self) -> Option<&'static str> {
        match self {
            Self::Mqtt | Self::MqttWs => Some(V3_1_1),
            Self::Mqtt5 | Self::Mqtt5Alias => Some(V5_0),
            _ => None,
        }
    }
}

/// The versions of MQTT, as TOML has them.
const V3_1_1: &str = "\"3.1.1\"";
const V5_0: &str = "\"5.0\"";

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn every_name_is_read_back() {
        for (_, protocol, _) in PROTOCOLS {
            for tls in ["", "+tls", "+tls-resumed", "+tls-pq"] {
                let token = format!("{protocol}{tls}");
                let over = Over::read(&token).expect("a protocol");
                assert_eq!(over.token(), token);
            }
        }
    }

    #[rstest]
    #[case("mqqt", "unknown protocol `mqqt`", "did you mean `mqtt`?")]
    #[case("mqtt+tsl", "unknown addition `+tsl`", "did you mean `+tls`?")]
    #[case("", "unknown protocol ``", "known: mqtt, ")]
    fn a_mistake_names_the_nearest(#[case] text: &str, #[case] what: &str, #[case] help: &str) {
        let complaint = Over::read(text).expect_err("no such protocol");
        assert_eq!(complaint.what, what);
        assert!(complaint.help.contains(help), "{}", complaint.help);
    }
}
