//! What is wrong with bytes that are not a packet, and which rule says so.

use thiserror::Error;

/// One broken rule of the protocol, and in what way it was broken.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{what} [{rule}]")]
pub struct Violation {
    /// The statement that is broken, such as `MQTT311-3.1.2-3`; where the
    /// specification numbers none, the section, such as `MQTT311 section 2.2.3`.
    pub rule: &'static str,
    /// What was found, in words.
    pub what: &'static str,
}

impl Violation {
    pub(crate) const fn new(rule: &'static str, what: &'static str) -> Self {
        Self { rule, what }
    }
}

/// Why bytes could not be decoded. Each ends the connection that brought them.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum WireError {
    /// The packet breaks a rule of the protocol.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// A CONNECT of a protocol level that is not spoken here; a server answers
    /// it with return code 1 before it closes `[MQTT311-3.1.2-2]`.
    #[error("protocol level {0} is not supported [MQTT311-3.1.2-2]")]
    UnsupportedProtocolLevel(u8),
    /// The packet announces more bytes than the receiver takes. No rule of MQTT
    /// is broken: the limit is the receiver's own.
    #[error("a packet of {packet_bytes} bytes exceeds the limit of {limit_bytes}")]
    TooLarge {
        /// Size of the whole packet, in bytes.
        packet_bytes: usize,
        /// The limit in force, in bytes.
        limit_bytes: usize,
    },
}

impl WireError {
    /// The rule that is broken; `None` where it is only a local limit.
    #[must_use]
    pub fn rule(&self) -> Option<&'static str> {
        match self {
            Self::Violation(violation) => Some(violation.rule),
            Self::UnsupportedProtocolLevel(_) => Some("MQTT311-3.1.2-2"),
            Self::TooLarge { .. } => None,
        }
    }
}
