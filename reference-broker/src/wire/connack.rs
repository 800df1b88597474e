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
    use crate::wire::Sender::Server;
    use crate::wire::testing::{
        check_breaks, check_breaks_5, check_same, check_same_5, framed, id, text,
    };
    use crate::wire::{Packet, Property, Qos};
    use rstest::rstest;
    use std::num::NonZeroU32;

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

    /// What 3.1.1 cannot say is said as near as it can.
    #[rstest]
    #[case(ReasonCode::Banned, 5)]
    #[case(ReasonCode::BadAuthenticationMethod, 5)]
    #[case(ReasonCode::ServerBusy, 3)]
    #[case(ReasonCode::QuotaExceeded, 3)]
    fn a_reason_that_only_5_has(#[case] code: ReasonCode, #[case] return_code: u8) {
        let mut out = Vec::new();
        Packet::ConnAck(ConnAck::refused(code)).encode(Version::V3_1_1, &mut out);
        assert_eq!(out, [0x20, 2, 0, return_code]);
    }

    #[test]
    fn good_5() {
        let accepted = ConnAck::accepted(true);
        check_same_5(Server, &[0x20, 3, 1, 0, 0], &Packet::ConnAck(accepted));
        let refused = ConnAck::refused(ReasonCode::QosNotSupported);
        check_same_5(Server, &[0x20, 3, 0, 0x9b, 0], &Packet::ConnAck(refused));
    }

    #[test]
    fn every_property() {
        let properties = [
            Property::SessionExpiryInterval(1),
            Property::ReceiveMaximum(id(2)),
            Property::MaximumQos(Qos::AtLeastOnce),
            Property::RetainAvailable(false),
            Property::MaximumPacketSize(NonZeroU32::MIN),
            Property::AssignedClientIdentifier(text("a")),
            Property::TopicAliasMaximum(3),
            Property::ReasonString(text("r")),
            Property::UserProperty(text("k"), text("v")),
            Property::WildcardSubscriptionAvailable(true),
            Property::SubscriptionIdentifierAvailable(false),
            Property::SharedSubscriptionAvailable(true),
            Property::ServerKeepAlive(4),
            Property::ResponseInformation(text("i")),
            Property::ServerReference(text("s")),
            Property::AuthenticationMethod(text("m")),
            Property::AuthenticationData(bytes::Bytes::from_static(b"d")),
        ];
        let connack = ConnAck {
            properties: properties.into_iter().collect(),
            ..ConnAck::accepted(false)
        };
        let body = [
            &b"\0\0\x3c\x11\0\0\0\x01\x21\0\x02\x24\x01\x25\0\x27\0\0\0\x01\x12\0\x01a"[..],
            b"\x22\0\x03\x1f\0\x01r\x26\0\x01k\0\x01v\x28\x01\x29\0\x2a\x01\x13\0\x04",
            b"\x1a\0\x01i\x1c\0\x01s\x15\0\x01m\x16\0\x01d",
        ];
        check_same_5(
            Server,
            &framed(0x20, &body.concat()),
            &Packet::ConnAck(connack),
        );
    }

    #[rstest]
    #[case::flags(b"\x21\x03\0\0\0", "MQTT5-2.1.3-1", 0x81)]
    #[case::short(b"\x20\x01\0", "MQTT5 section 3.2.1", 0x81)]
    #[case::no_properties(b"\x20\x02\0\0", "MQTT5-2.2.2-1", 0x81)]
    #[case::long(b"\x20\x04\0\0\0\0", "MQTT5 section 3.2.1", 0x81)]
    #[case::reserved_flag(b"\x20\x03\x02\0\0", "MQTT5-3.2.2-1", 0x81)]
    #[case::return_code_of_3_1_1(b"\x20\x03\0\x05\0", "MQTT5-3.2.2-8", 0x82)]
    #[case::code_of_another_packet(b"\x20\x03\0\x8e\0", "MQTT5-3.2.2-8", 0x82)]
    #[case::refused_with_session(b"\x20\x03\x01\x87\0", "MQTT5-3.2.2-6", 0x82)]
    #[case::receive_maximum_0(b"\x20\x06\0\0\x03\x21\0\0", "MQTT5 section 3.2.2.3.3", 0x82)]
    #[case::maximum_qos_2(b"\x20\x05\0\0\x02\x24\x02", "MQTT5 section 3.2.2.3.4", 0x82)]
    #[case::retain_available_2(b"\x20\x05\0\0\x02\x25\x02", "MQTT5 section 3.2.2.3.5", 0x82)]
    #[case::packet_size_0(b"\x20\x08\0\0\x05\x27\0\0\0\0", "MQTT5 section 3.2.2.3.6", 0x82)]
    #[case::wildcards_2(b"\x20\x05\0\0\x02\x28\x02", "MQTT5 section 3.2.2.3.11", 0x82)]
    #[case::identifiers_2(b"\x20\x05\0\0\x02\x29\x02", "MQTT5 section 3.2.2.3.12", 0x82)]
    #[case::shared_2(b"\x20\x05\0\0\x02\x2a\x02", "MQTT5 section 3.2.2.3.13", 0x82)]
    #[case::keep_alive_twice(
        b"\x20\x09\0\0\x06\x13\0\x01\x13\0\x01",
        "MQTT5 section 3.2.2.3.14",
        0x82
    )]
    #[case::data_without_method(b"\x20\x06\0\0\x03\x16\0\0", "MQTT5 section 3.2.2.3.18", 0x82)]
    #[case::of_connect(b"\x20\x05\0\0\x02\x17\x01", "MQTT5 section 2.2.2.2", 0x81)]
    fn malformed_5(#[case] bytes: &[u8], #[case] rule: &str, #[case] code: u8) {
        check_breaks_5(Server, bytes, rule, code);
    }
}
