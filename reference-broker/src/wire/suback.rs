//! SUBACK: what a server grants (section 3.9).

use super::Version;
use super::error::{Rule, Violation};
use super::primitive::{PacketId, Qos, Reader, write_header, write_short};
use super::properties::{self, Properties};
use super::property::Place;
use super::reason::ReasonCode;

/// A server's answer to a SUBSCRIBE.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SubAck {
    /// Which SUBSCRIBE it answers.
    pub packet_id: PacketId,
    /// One code for each filter, in their order.
    pub codes: Vec<SubscribeCode>,
    /// None in 3.1.1.
    pub properties: Properties,
}

/// What became of one filter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SubscribeCode {
    /// Subscribed, at most at this quality of service.
    Granted(Qos),
    /// Not subscribed; 3.1.1 says 0x80 whatever the reason.
    Refused(ReasonCode),
}

/// Why 5.0 may refuse a filter (section 3.9.3).
const REFUSALS: &[ReasonCode] = &[
    ReasonCode::UnspecifiedError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::NotAuthorized,
    ReasonCode::TopicFilterInvalid,
    ReasonCode::PacketIdentifierInUse,
    ReasonCode::QuotaExceeded,
    ReasonCode::SharedSubscriptionsNotSupported,
    ReasonCode::SubscriptionIdentifiersNotSupported,
    ReasonCode::WildcardSubscriptionsNotSupported,
];

fn code(byte: u8, version: Version) -> Result<SubscribeCode, Violation> {
    const RESERVED: Rule = Rule::protocol(
        "MQTT311-3.9.3-2",
        "MQTT5-3.9.3-2",
        "a SUBACK return code is reserved",
    );
    if let Some(qos) = Qos::from_level(byte) {
        return Ok(SubscribeCode::Granted(qos));
    }
    let known = match version {
        Version::V3_1_1 => &REFUSALS[..1],
        Version::V5 => REFUSALS,
    };
    ReasonCode::from_byte(byte)
        .filter(|code| known.contains(code))
        .map(SubscribeCode::Refused)
        .ok_or(RESERVED.broken(version))
}

pub(crate) fn decode(mut reader: Reader<'_>) -> Result<SubAck, Violation> {
    const EMPTY: Rule = Rule::protocol(
        "MQTT311-3.8.4-5",
        "MQTT5-3.8.4-6",
        "SUBACK has no return code",
    );
    let packet_id = reader.packet_id()?;
    let properties = properties::decode(&mut reader, Place::SubAck)?;
    let version = reader.version;
    let codes = reader
        .remainder()
        .iter()
        .map(|byte| code(*byte, version))
        .collect::<Result<Vec<_>, _>>()?;
    if codes.is_empty() {
        return Err(EMPTY.broken(version));
    }
    Ok(SubAck {
        packet_id,
        codes,
        properties,
    })
}

pub(crate) fn encode(version: Version, suback: &SubAck, out: &mut Vec<u8>) {
    let properties = properties::encoded_len(&suback.properties, version);
    write_header(out, 0x90, 2 + properties + suback.codes.len());
    write_short(out, suback.packet_id.get());
    properties::encode(&suback.properties, version, out);
    out.extend(suback.codes.iter().map(|code| match (code, version) {
        (SubscribeCode::Granted(qos), _) => *qos as u8,
        (SubscribeCode::Refused(_), Version::V3_1_1) => 0x80,
        (SubscribeCode::Refused(code), Version::V5) => *code as u8,
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Sender::Server;
    use crate::wire::testing::{check_breaks, check_breaks_5, check_same, check_same_5, id, text};
    use crate::wire::{Packet, Property};
    use rstest::rstest;

    #[test]
    fn good() {
        let codes = vec![
            SubscribeCode::Granted(Qos::ExactlyOnce),
            SubscribeCode::Refused(ReasonCode::UnspecifiedError),
            SubscribeCode::Granted(Qos::AtMostOnce),
            SubscribeCode::Granted(Qos::AtLeastOnce),
        ];
        let packet = Packet::SubAck(SubAck {
            packet_id: id(9),
            codes,
            properties: Properties::NONE,
        });
        check_same(Server, &[0x90, 6, 0, 9, 2, 0x80, 0, 1], &packet);
    }

    #[rstest]
    #[case::flags(&[0x92, 3, 0, 9, 0], "MQTT311-2.2.2-2")]
    #[case::id_0(&[0x90, 3, 0, 0, 0], "MQTT311-2.3.1-1")]
    #[case::no_code(&[0x90, 2, 0, 9], "MQTT311-3.8.4-5")]
    #[case::code_3(&[0x90, 3, 0, 9, 3], "MQTT311-3.9.3-2")]
    #[case::code_0x81(&[0x90, 4, 0, 9, 0, 0x81], "MQTT311-3.9.3-2")]
    fn malformed(#[case] bytes: &[u8], #[case] rule: &str) {
        check_breaks(Server, bytes, rule);
    }

    #[test]
    fn good_5() {
        let codes = vec![
            SubscribeCode::Granted(Qos::ExactlyOnce),
            SubscribeCode::Refused(ReasonCode::UnspecifiedError),
            SubscribeCode::Refused(ReasonCode::WildcardSubscriptionsNotSupported),
        ];
        let properties = [Property::ReasonString(text("no"))].into_iter().collect();
        let suback = Packet::SubAck(SubAck {
            packet_id: id(9),
            codes,
            properties,
        });
        let bytes = b"\x90\x0b\0\x09\x05\x1f\0\x02no\x02\x80\xa2";
        check_same_5(Server, bytes, &suback);
        // All that 3.1.1 can say of it.
        let mut out = Vec::new();
        suback.encode(Version::V3_1_1, &mut out);
        assert_eq!(out, [0x90, 5, 0, 9, 2, 0x80, 0x80]);
    }

    #[rstest]
    #[case::id_0(&[0x90, 4, 0, 0, 0, 0], "MQTT5-2.2.1-4", 0x82)]
    #[case::no_properties(&[0x90, 2, 0, 9], "MQTT5-2.2.2-1", 0x81)]
    #[case::no_code(&[0x90, 3, 0, 9, 0], "MQTT5-3.8.4-6", 0x82)]
    #[case::code_3(&[0x90, 4, 0, 9, 0, 3], "MQTT5-3.9.3-2", 0x82)]
    #[case::code_of_unsuback(&[0x90, 4, 0, 9, 0, 0x11], "MQTT5-3.9.3-2", 0x82)]
    #[case::property(&[0x90, 6, 0, 9, 2, 0x0b, 1, 0], "MQTT5 section 2.2.2.2", 0x81)]
    fn malformed_5(#[case] bytes: &[u8], #[case] rule: &str, #[case] code: u8) {
        check_breaks_5(Server, bytes, rule, code);
    }
}
