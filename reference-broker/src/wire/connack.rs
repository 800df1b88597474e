//! CONNACK: a server's answer to a CONNECT (section 3.2).

use super::Version;
use super::error::{Rule, Violation};
use super::primitive::{Reader, write_header};
use super::properties::{self, Properties};
use super::property::Place;
use super::reason::ReasonCode;

/// A server's answer to a CONNECT.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnAck {
    /// Whether stored session state is used.
    pub session_present: bool,
    /// Accepted, or why not. 3.1.1 has return codes 1 to 5 instead; each is
    /// said with the reason code that means the same.
    pub code: ReasonCode,
    /// None in 3.1.1.
    pub properties: Properties,
}

impl ConnAck {
    /// Accepted, and nothing more to say.
    #[must_use]
    pub fn accepted(session_present: bool) -> Self {
        Self {
            session_present,
            code: ReasonCode::Success,
            properties: Properties::NONE,
        }
    }

    /// Not accepted, for this reason [MQTT311-3.2.2-4] [MQTT5-3.2.2-6].
    #[must_use]
    pub fn refused(code: ReasonCode) -> Self {
        Self {
            session_present: false,
            code,
            properties: Properties::NONE,
        }
    }
}

/// What 5.0 may answer (section 3.2.2.2).
const CODES: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::UnspecifiedError,
    ReasonCode::MalformedPacket,
    ReasonCode::ProtocolError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::UnsupportedProtocolVersion,
    ReasonCode::ClientIdentifierNotValid,
    ReasonCode::BadUserNameOrPassword,
    ReasonCode::NotAuthorized,
    ReasonCode::ServerUnavailable,
    ReasonCode::ServerBusy,
    ReasonCode::Banned,
    ReasonCode::BadAuthenticationMethod,
    ReasonCode::TopicNameInvalid,
    ReasonCode::PacketTooLarge,
    ReasonCode::QuotaExceeded,
    ReasonCode::PayloadFormatInvalid,
    ReasonCode::RetainNotSupported,
    ReasonCode::QosNotSupported,
    ReasonCode::UseAnotherServer,
    ReasonCode::ServerMoved,
    ReasonCode::ConnectionRateExceeded,
];

/// The return codes of 3.1.1 (section 3.2.2.3), by their number.
const RETURN_CODES: [ReasonCode; 6] = [
    ReasonCode::Success,
    ReasonCode::UnsupportedProtocolVersion,
    ReasonCode::ClientIdentifierNotValid,
    ReasonCode::ServerUnavailable,
    ReasonCode::BadUserNameOrPassword,
    ReasonCode::NotAuthorized,
];

/// The return code of 3.1.1 that comes closest.
fn return_code(code: ReasonCode) -> u8 {
    let exact = RETURN_CODES.iter().position(|one| *one == code);
    match (exact, code) {
        (Some(number), _) => number as u8,
        (None, ReasonCode::Banned | ReasonCode::BadAuthenticationMethod) => 5,
        (None, _) => 3,
    }
}

fn code(byte: u8, version: Version) -> Result<ReasonCode, Violation> {
    const RESERVED: Rule = Rule::protocol(
        "MQTT311-3.2.2-6",
        "MQTT5-3.2.2-8",
        "the CONNACK return code is reserved",
    );
    let code = match version {
        Version::V3_1_1 => RETURN_CODES.get(usize::from(byte)).copied(),
        Version::V5 => ReasonCode::from_byte(byte).filter(|code| CODES.contains(code)),
    };
    code.ok_or(RESERVED.broken(version))
}

pub(crate) fn decode(mut reader: Reader<'_>) -> Result<ConnAck, Violation> {
    const LENGTH: Rule = Rule::malformed(
        "MQTT311 section 3.2.1",
        "MQTT5 section 3.2.1",
        "CONNACK's length is not that of its content",
    );
    const RESERVED: Rule = Rule::malformed(
        "MQTT311 section 3.2.2.1",
        "MQTT5-3.2.2-1",
        "a reserved CONNACK flag is set",
    );
    const PRESENT: Rule = Rule::protocol(
        "MQTT311-3.2.2-4",
        "MQTT5-3.2.2-6",
        "a refusal says that a session is present",
    );
    let flags = reader.byte(LENGTH)?;
    let code_byte = reader.byte(LENGTH)?;
    let version = reader.version;
    if version == Version::V3_1_1 {
        reader.end(LENGTH)?;
    }
    if flags & 0xfe != 0 {
        return Err(RESERVED.broken(version));
    }
    let code = code(code_byte, version)?;
    let session_present = flags != 0;
    if session_present && code != ReasonCode::Success {
        return Err(PRESENT.broken(version));
    }
    let properties = properties::decode(&mut reader, Place::ConnAck)?;
    if properties.has_data_without_method() {
        return Err(Violation::protocol(
            "MQTT5 section 3.2.2.3.18",
            "authentication data without a method",
        ));
    }
    reader.end(LENGTH)?;
    Ok(ConnAck {
        session_present,
        code,
        properties,
    })
}

pub(crate) fn encode(version: Version, connack: &ConnAck, out: &mut Vec<u8>) {
    let properties = properties::encoded_len(&connack.properties, version);
    write_header(out, 0x20, 2 + properties);
    out.push(u8::from(connack.session_present));
    out.push(match version {
        Version::V3_1_1 => return_code(connack.code),
        Version::V5 => connack.code as u8,
    });
    properties::encode(&connack.properties, version, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Packet;
    use crate::wire::Sender::Server;
    use crate::wire::testing::{check_breaks, check_same};
    use rstest::rstest;

    #[rstest]
    #[case(&[0x20, 2, 0, 0], false, ReasonCode::Success)]
    #[case(&[0x20, 2, 1, 0], true, ReasonCode::Success)]
    #[case(&[0x20, 2, 0, 1], false, ReasonCode::UnsupportedProtocolVersion)]
    #[case(&[0x20, 2, 0, 2], false, ReasonCode::ClientIdentifierNotValid)]
    #[case(&[0x20, 2, 0, 3], false, ReasonCode::ServerUnavailable)]
    #[case(&[0x20, 2, 0, 4], false, ReasonCode::BadUserNameOrPassword)]
    #[case(&[0x20, 2, 0, 5], false, ReasonCode::NotAuthorized)]
    fn good(#[case] bytes: &[u8], #[case] session_present: bool, #[case] code: ReasonCode) {
        check_same(
            Server,
            bytes,
            &Packet::ConnAck(ConnAck {
                session_present,
                code,
                properties: Properties::NONE,
            }),
        );
    }

    #[rstest]
    #[case::flags(&[0x21, 2, 0, 0], "MQTT311-2.2.2-2")]
    #[case::short(&[0x20, 1, 0], "MQTT311 section 3.2.1")]
    #[case::long(&[0x20, 3, 0, 0, 0], "MQTT311 section 3.2.1")]
    #[case::reserved_flag(&[0x20, 2, 2, 0], "MQTT311 section 3.2.2.1")]
    #[case::reserved_code(&[0x20, 2, 0, 6], "MQTT311-3.2.2-6")]
    #[case::refused_with_session(&[0x20, 2, 1, 5], "MQTT311-3.2.2-4")]
    fn malformed(#[case] bytes: &[u8], #[case] rule: &str) {
        check_breaks(Server, bytes, rule);
    }
}
