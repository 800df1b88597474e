//! What is wrong with bytes that are not a packet, which rule says so, and how
//! a server answers.

use thiserror::Error;

use super::Version;
use super::reason::ReasonCode;

/// One broken rule of the protocol, and in what way it was broken.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{what} [{rule}]")]
pub struct Violation {
    /// The statement that is broken, such as `MQTT311-3.1.2-3`; where the
    /// specification numbers none, the section, such as `MQTT311 section 2.2.3`.
    pub rule: &'static str,
    /// The reason code that an MQTT 5.0 server gives for it in DISCONNECT or
    /// CONNACK. MQTT 3.1.1 just closes the connection.
    pub code: ReasonCode,
    /// What was found, in words.
    pub what: &'static str,
}

impl Violation {
    pub(crate) const fn new(rule: &'static str, what: &'static str) -> Self {
        Self::malformed(rule, what)
    }

    /// The bytes cannot be read as a packet (section 1.2 of MQTT 5.0).
    pub(crate) const fn malformed(rule: &'static str, what: &'static str) -> Self {
        Self::answered(ReasonCode::MalformedPacket, rule, what)
    }

    /// They can, and the packet is not allowed by the protocol, or not in this
    /// state of it.
    pub(crate) const fn protocol(rule: &'static str, what: &'static str) -> Self {
        Self::answered(ReasonCode::ProtocolError, rule, what)
    }

    pub(crate) const fn answered(code: ReasonCode, rule: &'static str, what: &'static str) -> Self {
        Self { rule, code, what }
    }
}

/// A rule that both versions have, each in its own place.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    v3_1_1: &'static str,
    v5: Violation,
}

impl Rule {
    pub(crate) const fn malformed(
        v3_1_1: &'static str,
        v5: &'static str,
        what: &'static str,
    ) -> Self {
        let v5 = Violation::malformed(v5, what);
        Self { v3_1_1, v5 }
    }

    pub(crate) const fn protocol(
        v3_1_1: &'static str,
        v5: &'static str,
        what: &'static str,
    ) -> Self {
        let v5 = Violation::protocol(v5, what);
        Self { v3_1_1, v5 }
    }

    /// The breach of it in a packet of this version.
    pub(crate) const fn broken(self, version: Version) -> Violation {
        match version {
            Version::V3_1_1 => Violation::new(self.v3_1_1, self.v5.what),
            Version::V5 => self.v5,
        }
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
    /// is broken, unless the receiver is one of MQTT 5.0 that has announced its
    /// Maximum Packet Size `[MQTT5-3.1.2-24]` `[MQTT5-3.2.2-15]`.
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

    /// The reason code that an MQTT 5.0 server gives for it.
    #[must_use]
    pub fn code(&self) -> ReasonCode {
        match self {
            Self::Violation(violation) => violation.code,
            Self::UnsupportedProtocolLevel(_) => ReasonCode::UnsupportedProtocolVersion,
            Self::TooLarge { .. } => ReasonCode::PacketTooLarge,
        }
    }
}
