//! UNSUBACK: a server has ended subscriptions (section 3.11).

use super::Version;
use super::error::{Rule, Violation};
use super::primitive::{PacketId, Reader, write_header, write_short};
use super::properties::{self, Properties};
use super::property::Place;
use super::reason::ReasonCode;

/// A server's answer to an UNSUBSCRIBE.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnsubAck {
    /// Which UNSUBSCRIBE it answers.
    pub packet_id: PacketId,
    /// What became of each filter, in their order. 3.1.1 does not say it.
    pub codes: Vec<ReasonCode>,
    /// None in 3.1.1.
    pub properties: Properties,
}

impl UnsubAck {
    /// As 3.1.1 has it: without a word on the filters.
    #[must_use]
    pub fn new(packet_id: PacketId) -> Self {
        Self {
            packet_id,
            codes: Vec::new(),
            properties: Properties::NONE,
        }
    }
}

/// What may become of a filter (section 3.11.3 of 5.0).
const CODES: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::NoSubscriptionExisted,
    ReasonCode::UnspecifiedError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::NotAuthorized,
    ReasonCode::TopicFilterInvalid,
    ReasonCode::PacketIdentifierInUse,
];

fn code(byte: u8) -> Result<ReasonCode, Violation> {
    ReasonCode::from_byte(byte)
        .filter(|code| CODES.contains(code))
        .ok_or(Violation::protocol(
            "MQTT5-3.11.3-2",
            "an UNSUBACK reason code is not one of its own",
        ))
}

pub(crate) fn decode(mut reader: Reader<'_>) -> Result<UnsubAck, Violation> {
    const LENGTH: Rule = Rule::malformed(
        "MQTT311 section 3.11.1",
        "MQTT5 section 3.11.1",
        "UNSUBACK's length is not 2",
    );
    let packet_id = reader.packet_id()?;
    if reader.version == Version::V3_1_1 {
        reader.end(LENGTH)?;
        return Ok(UnsubAck::new(packet_id));
    }
    let properties = properties::decode(&mut reader, Place::UnsubAck)?;
    let codes = reader
        .remainder()
        .iter()
        .map(|byte| code(*byte))
        .collect::<Result<Vec<_>, _>>()?;
    if codes.is_empty() {
        return Err(Violation::protocol(
            "MQTT5-3.11.3-2",
            "UNSUBACK has no reason code",
        ));
    }
    Ok(UnsubAck {
        packet_id,
        codes,
        properties,
    })
}

pub(crate) fn encode(version: Version, unsuback: &UnsubAck, out: &mut Vec<u8>) {
    let codes = match version {
        Version::V3_1_1 => &[][..],
        Version::V5 => &unsuback.codes,
    };
    let properties = properties::encoded_len(&unsuback.properties, version);
    write_header(out, 0xb0, 2 + properties + codes.len());
    write_short(out, unsuback.packet_id.get());
    properties::encode(&unsuback.properties, version, out);
    out.extend(codes.iter().map(|code| *code as u8));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Packet;
    use crate::wire::Sender::Server;
    use crate::wire::testing::{check_breaks, check_breaks_5, check_same, check_same_5, id};
    use rstest::rstest;

    #[test]
    fn good() {
        let packet = Packet::UnsubAck(UnsubAck::new(id(0xabcd)));
        check_same(Server, &[0xb0, 2, 0xab, 0xcd], &packet);
    }

    #[rstest]
    #[case::flags(&[0xb2, 2, 0, 1], "MQTT311-2.2.2-2")]
    #[case::id_0(&[0xb0, 2, 0, 0], "MQTT311-2.3.1-1")]
    #[case::long(&[0xb0, 3, 0, 1, 0], "MQTT311 section 3.11.1")]
    fn malformed(#[case] bytes: &[u8], #[case] rule: &str) {
        check_breaks(Server, bytes, rule);
    }

    #[test]
    fn good_5() {
        let packet = Packet::UnsubAck(UnsubAck {
            codes: vec![ReasonCode::Success, ReasonCode::NoSubscriptionExisted],
            ..UnsubAck::new(id(7))
        });
        check_same_5(Server, &[0xb0, 5, 0, 7, 0, 0, 0x11], &packet);
    }

    #[rstest]
    #[case::id_0(&[0xb0, 4, 0, 0, 0, 0], "MQTT5-2.2.1-4", 0x82)]
    #[case::as_in_3_1_1(&[0xb0, 2, 0, 7], "MQTT5-2.2.2-1", 0x81)]
    #[case::no_code(&[0xb0, 3, 0, 7, 0], "MQTT5-3.11.3-2", 0x82)]
    #[case::code_of_suback(&[0xb0, 4, 0, 7, 0, 1], "MQTT5-3.11.3-2", 0x82)]
    #[case::property(&[0xb0, 6, 0, 7, 2, 0x17, 1, 0], "MQTT5 section 2.2.2.2", 0x81)]
    fn malformed_5(#[case] bytes: &[u8], #[case] rule: &str, #[case] code: u8) {
        check_breaks_5(Server, bytes, rule, code);
    }
}
