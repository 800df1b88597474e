//! PUBACK, PUBREC, PUBREL and PUBCOMP: the steps of QoS 1 and 2 (sections 3.4
//! to 3.7). They look alike: a packet identifier, and in 5.0 what became of it.

use super::Version;
use super::error::{Rule, Violation};
use super::primitive::{PacketId, Reader, write_header, write_short};
use super::properties::{self, Properties};
use super::property::Place;
use super::reason::ReasonCode;

/// The body of PUBACK, PUBREC, PUBREL and PUBCOMP.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ack {
    /// Which exchange it belongs to.
    pub packet_id: PacketId,
    /// What became of it; in 3.1.1 always a success.
    pub code: ReasonCode,
    /// None in 3.1.1.
    pub properties: Properties,
}

impl Ack {
    /// The step is taken, and there is nothing more to say.
    #[must_use]
    pub fn new(packet_id: PacketId) -> Self {
        Self {
            packet_id,
            code: ReasonCode::Success,
            properties: Properties::NONE,
        }
    }
}

/// What may become of a message [MQTT5-3.4.2-1] [MQTT5-3.5.2-1].
const RECEIVED: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::NoMatchingSubscribers,
    ReasonCode::UnspecifiedError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::NotAuthorized,
    ReasonCode::TopicNameInvalid,
    ReasonCode::PacketIdentifierInUse,
    ReasonCode::QuotaExceeded,
    ReasonCode::PayloadFormatInvalid,
];

/// What may become of its identifier [MQTT5-3.6.2-1] [MQTT5-3.7.2-1].
const RELEASED: &[ReasonCode] = &[ReasonCode::Success, ReasonCode::PacketIdentifierNotFound];

fn code(byte: u8, place: Place) -> Result<ReasonCode, Violation> {
    let (codes, rule) = match place {
        Place::PubAck => (RECEIVED, "MQTT5-3.4.2-1"),
        Place::PubRec => (RECEIVED, "MQTT5-3.5.2-1"),
        Place::PubRel => (RELEASED, "MQTT5-3.6.2-1"),
        _ => (RELEASED, "MQTT5-3.7.2-1"),
    };
    ReasonCode::from_byte(byte)
        .filter(|code| codes.contains(code))
        .ok_or(Violation::protocol(
            rule,
            "the reason code is not one of this packet's",
        ))
}

pub(crate) fn decode(mut reader: Reader<'_>, place: Place) -> Result<Ack, Violation> {
    const END: Rule = Rule::malformed(
        "MQTT311 sections 3.4.1 to 3.7.1",
        "MQTT5 section 2.1.4",
        "bytes follow the end of an acknowledgement",
    );
    let mut ack = Ack::new(reader.packet_id()?);
    // Of a success there may be no more, of anything no properties: sections
    // 3.4.2.1 and 3.4.2.2.1, and the same of the others.
    if reader.version == Version::V5 && !reader.is_empty() {
        ack.code = code(reader.byte(END)?, place)?;
        if !reader.is_empty() {
            ack.properties = properties::decode(&mut reader, place)?;
        }
    }
    reader.end(END)?;
    Ok(ack)
}

/// `first` is the whole first byte: 0x62 for PUBREL [MQTT311-3.6.1-1]
/// [MQTT5-3.6.1-1]. A body is as short as it can be.
pub(crate) fn encode(version: Version, first: u8, ack: &Ack, out: &mut Vec<u8>) {
    let with_properties = version == Version::V5 && !ack.properties.is_empty();
    let with_code = with_properties || (version == Version::V5 && ack.code != ReasonCode::Success);
    let properties = if with_properties {
        ack.properties.encoded_len()
    } else {
        0
    };
    write_header(out, first, 2 + usize::from(with_code) + properties);
    write_short(out, ack.packet_id.get());
    if with_code {
        out.push(ack.code as u8);
    }
    if with_properties {
        ack.properties.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Sender::{Client, Server};
    use crate::wire::testing::{
        check_breaks, check_breaks_5, check_same, check_same_5, check_says_5, id, text,
    };
    use crate::wire::{Packet, Property};
    use rstest::rstest;

    // [MQTT311-2.2.2-1], [MQTT311-3.6.1-1]
    #[rstest]
    #[case::puback(&[0x40, 2, 0, 1], Packet::PubAck(Ack::new(id(1))))]
    #[case::pubrec(&[0x50, 2, 0x12, 0x34], Packet::PubRec(Ack::new(id(0x1234))))]
    #[case::pubrel(&[0x62, 2, 0xff, 0xff], Packet::PubRel(Ack::new(id(0xffff))))]
    #[case::pubcomp(&[0x70, 2, 1, 0], Packet::PubComp(Ack::new(id(256))))]
    fn good(#[case] bytes: &[u8], #[case] packet: Packet) {
        check_same(Client, bytes, &packet);
        check_same(Server, bytes, &packet);
    }

    #[rstest]
    #[case::zero(&[0x40, 2, 0, 0], "MQTT311-2.3.1-1")]
    #[case::pubrel_zero(&[0x62, 2, 0, 0], "MQTT311-2.3.1-1")]
    #[case::empty(&[0x40, 0], "MQTT311-2.3.1-1")]
    #[case::short(&[0x50, 1, 7], "MQTT311-2.3.1-1")]
    #[case::long(&[0x70, 3, 0, 1, 0], "MQTT311 sections 3.4.1 to 3.7.1")]
    #[case::puback_flags(&[0x41, 2, 0, 1], "MQTT311-2.2.2-2")]
    #[case::pubrec_flags(&[0x52, 2, 0, 1], "MQTT311-2.2.2-2")]
    #[case::pubcomp_flags(&[0x78, 2, 0, 1], "MQTT311-2.2.2-2")]
    #[case::pubrel_no_flags(&[0x60, 2, 0, 1], "MQTT311-3.6.1-1")]
    #[case::pubrel_flags(&[0x63, 2, 0, 1], "MQTT311-3.6.1-1")]
    fn malformed(#[case] bytes: &[u8], #[case] rule: &str) {
        check_breaks(Client, bytes, rule);
        check_breaks(Server, bytes, rule);
    }

    fn refused(packet_id: u16, code: ReasonCode, reason: &'static str) -> Ack {
        Ack {
            packet_id: id(packet_id),
            code,
            properties: [Property::ReasonString(text(reason))].into_iter().collect(),
        }
    }

    #[rstest]
    #[case::puback(&[0x40, 2, 0, 1], Packet::PubAck(Ack::new(id(1))))]
    #[case::pubrel(&[0x62, 2, 0, 1], Packet::PubRel(Ack::new(id(1))))]
    #[case::a_code(
        &[0x50, 3, 0, 1, 0x10],
        Packet::PubRec(Ack { code: ReasonCode::NoMatchingSubscribers, ..Ack::new(id(1)) }),
    )]
    #[case::a_code_and_properties(
        b"\x70\x09\0\x01\x92\x05\x1f\0\x02no",
        Packet::PubComp(refused(1, ReasonCode::PacketIdentifierNotFound, "no"))
    )]
    #[case::properties_alone(
        b"\x40\x09\0\x01\0\x05\x1f\0\x02ok",
        Packet::PubAck(refused(1, ReasonCode::Success, "ok"))
    )]
    fn good_5(#[case] bytes: &[u8], #[case] packet: Packet) {
        check_same_5(Client, bytes, &packet);
        check_same_5(Server, bytes, &packet);
    }

    /// Sections 3.4.2.1 and 3.4.2.2.1: what may be left out may be there.
    #[rstest]
    #[case(&[0x40, 3, 0, 1, 0])]
    #[case(&[0x40, 4, 0, 1, 0, 0])]
    fn good_5_at_length(#[case] bytes: &[u8]) {
        check_says_5(Client, bytes, &Packet::PubAck(Ack::new(id(1))));
    }

    #[rstest]
    #[case::empty(b"\x40\0", "MQTT5 section 2.2.1", 0x81)]
    #[case::short(b"\x50\x01\0", "MQTT5 section 2.2.1", 0x81)]
    #[case::puback_code(b"\x40\x03\0\x01\x92", "MQTT5-3.4.2-1", 0x82)]
    #[case::puback_reserved_code(b"\x40\x03\0\x01\x03", "MQTT5-3.4.2-1", 0x82)]
    #[case::pubrec_code(b"\x50\x03\0\x01\x01", "MQTT5-3.5.2-1", 0x82)]
    #[case::pubrel_code(b"\x62\x03\0\x01\x10", "MQTT5-3.6.2-1", 0x82)]
    #[case::pubcomp_code(b"\x70\x03\0\x01\x80", "MQTT5-3.7.2-1", 0x82)]
    #[case::long(b"\x40\x05\0\x01\0\0\0", "MQTT5 section 2.1.4", 0x81)]
    #[case::properties_beyond(b"\x40\x04\0\x01\0\x01", "MQTT5 section 2.2.2.1", 0x81)]
    #[case::property(b"\x40\x09\0\x01\0\x05\x02\0\0\0\x01", "MQTT5 section 2.2.2.2", 0x81)]
    #[case::twice(
        b"\x62\x0a\0\x01\0\x06\x1f\0\0\x1f\0\0",
        "MQTT5 section 3.6.2.2.2",
        0x82
    )]
    #[case::pubrel_flags(b"\x60\x02\0\x01", "MQTT5-3.6.1-1", 0x81)]
    #[case::puback_flags(b"\x41\x02\0\x01", "MQTT5-2.1.3-1", 0x81)]
    fn malformed_5(#[case] bytes: &[u8], #[case] rule: &str, #[case] code: u8) {
        check_breaks_5(Client, bytes, rule, code);
        check_breaks_5(Server, bytes, rule, code);
    }

    #[test]
    fn an_identifier_of_zero_is_its_senders_breach() {
        check_breaks_5(Client, &[0x40, 2, 0, 0], "MQTT5-2.2.1-3", 0x82);
        check_breaks_5(Server, &[0x40, 2, 0, 0], "MQTT5-2.2.1-4", 0x82);
    }
}
