//! DISCONNECT: one side leaves in good order, or says why it must (section
//! 3.14). In 3.1.1 only a client sends it, and says nothing more.

use super::error::{Rule, Violation};
use super::primitive::{Reader, write_header};
use super::properties::{self, Properties};
use super::property::Place;
use super::reason::ReasonCode;
use super::{Sender, Version};

/// The last packet of a connection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Disconnect {
    /// Why; in 3.1.1 always in good order.
    pub code: ReasonCode,
    /// None in 3.1.1.
    pub properties: Properties,
}

/// The codes either side may send (section 3.14.2.1).
const EITHER: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::UnspecifiedError,
    ReasonCode::MalformedPacket,
    ReasonCode::ProtocolError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::TopicNameInvalid,
    ReasonCode::ReceiveMaximumExceeded,
    ReasonCode::TopicAliasInvalid,
    ReasonCode::PacketTooLarge,
    ReasonCode::MessageRateTooHigh,
    ReasonCode::QuotaExceeded,
    ReasonCode::AdministrativeAction,
    ReasonCode::PayloadFormatInvalid,
];

/// The codes that only a server sends. The overview in section 2.4 has 0x8c for
/// DISCONNECT too; 3.14.2.1, which is the one to follow, has not.
const SERVER: &[ReasonCode] = &[
    ReasonCode::NotAuthorized,
    ReasonCode::ServerBusy,
    ReasonCode::ServerShuttingDown,
    ReasonCode::KeepAliveTimeout,
    ReasonCode::SessionTakenOver,
    ReasonCode::TopicFilterInvalid,
    ReasonCode::RetainNotSupported,
    ReasonCode::QosNotSupported,
    ReasonCode::UseAnotherServer,
    ReasonCode::ServerMoved,
    ReasonCode::SharedSubscriptionsNotSupported,
    ReasonCode::ConnectionRateExceeded,
    ReasonCode::MaximumConnectTime,
    ReasonCode::SubscriptionIdentifiersNotSupported,
    ReasonCode::WildcardSubscriptionsNotSupported,
];

fn code(byte: u8, sender: Sender) -> Result<ReasonCode, Violation> {
    ReasonCode::from_byte(byte)
        .filter(|code| {
            EITHER.contains(code)
                || match sender {
                    Sender::Client => *code == ReasonCode::DisconnectWithWill,
                    Sender::Server => SERVER.contains(code),
                }
        })
        .ok_or(Violation::protocol(
            "MQTT5-3.14.2-1",
            "the reason code is not one that this side sends in DISCONNECT",
        ))
}

pub(crate) fn decode(mut reader: Reader<'_>) -> Result<Disconnect, Violation> {
    const LENGTH: Rule = Rule::malformed(
        "MQTT311 section 3.14.1",
        "MQTT5 section 3.14.1",
        "DISCONNECT's length is not that of its content",
    );
    let mut disconnect = Disconnect::default();
    // Sections 3.14.2.1 and 3.14.2.2.1: as with the acknowledgements.
    if reader.version == Version::V5 && !reader.is_empty() {
        disconnect.code = code(reader.byte(LENGTH)?, reader.sender)?;
        if !reader.is_empty() {
            disconnect.properties = properties::decode(&mut reader, Place::Disconnect)?;
        }
    }
    reader.end(LENGTH)?;
    Ok(disconnect)
}

/// As short as it can be.
pub(crate) fn encode(version: Version, disconnect: &Disconnect, out: &mut Vec<u8>) {
    let Disconnect { code, properties } = disconnect;
    match version {
        Version::V5 if !properties.is_empty() => {
            write_header(out, 0xe0, 1 + properties.encoded_len());
            out.push(*code as u8);
            properties.encode(out);
        }
        Version::V5 if *code != ReasonCode::Success => {
            write_header(out, 0xe0, 1);
            out.push(*code as u8);
        }
        Version::V3_1_1 | Version::V5 => write_header(out, 0xe0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Sender::{Client, Server};
    use crate::wire::testing::{
        check_breaks, check_breaks_5, check_same, check_same_5, check_says_5, text,
    };
    use crate::wire::{Packet, Property};
    use rstest::rstest;

    #[test]
    fn good() {
        check_same(
            Client,
            &[0xe0, 0],
            &Packet::Disconnect(Disconnect::default()),
        );
    }

    #[test]
    fn malformed() {
        check_breaks(Client, &[0xe1, 0], "MQTT311-3.14.1-1");
        check_breaks(Client, &[0xe0, 1, 0], "MQTT311 section 3.14.1");
    }

    #[test]
    fn good_5() {
        let normal = Packet::Disconnect(Disconnect::default());
        check_same_5(Client, &[0xe0, 0], &normal);
        check_same_5(Server, &[0xe0, 0], &normal);
        check_says_5(Client, &[0xe0, 1, 0], &normal);
        check_says_5(Client, &[0xe0, 2, 0, 0], &normal);
        let moved = Disconnect {
            code: ReasonCode::ServerMoved,
            properties: [Property::ServerReference(text("x"))].into_iter().collect(),
        };
        let bytes = b"\xe0\x06\x9d\x04\x1c\0\x01x";
        check_same_5(Server, bytes, &Packet::Disconnect(moved));
        let with_will = Disconnect {
            code: ReasonCode::DisconnectWithWill,
            properties: Properties::NONE,
        };
        check_same_5(Client, &[0xe0, 1, 4], &Packet::Disconnect(with_will));
        let expiring = Disconnect {
            code: ReasonCode::Success,
            properties: [Property::SessionExpiryInterval(9)].into_iter().collect(),
        };
        let bytes = b"\xe0\x07\0\x05\x11\0\0\0\x09";
        check_same_5(Client, bytes, &Packet::Disconnect(expiring));
        check_breaks_5(Server, bytes, "MQTT5-3.14.2-2", 0x82);
    }

    #[rstest]
    #[case::flags(&[0xe1, 0], "MQTT5-3.14.1-1", 0x81)]
    #[case::reserved_code(&[0xe0, 1, 1], "MQTT5-3.14.2-1", 0x82)]
    #[case::code_of_connack(&[0xe0, 1, 0x84], "MQTT5-3.14.2-1", 0x82)]
    #[case::code_of_the_overview(&[0xe0, 1, 0x8c], "MQTT5-3.14.2-1", 0x82)]
    #[case::long(&[0xe0, 3, 0, 0, 0], "MQTT5 section 3.14.1", 0x81)]
    #[case::property(&[0xe0, 4, 0, 2, 0x17, 1], "MQTT5 section 2.2.2.2", 0x81)]
    #[case::reason_twice(&[0xe0, 8, 0, 6, 0x1f, 0, 0, 0x1f, 0, 0], "MQTT5 section 3.14.2.2.3", 0x82)]
    fn malformed_5(#[case] bytes: &[u8], #[case] rule: &str, #[case] code: u8) {
        check_breaks_5(Client, bytes, rule, code);
        check_breaks_5(Server, bytes, rule, code);
    }

    #[test]
    fn each_side_has_codes_of_its_own() {
        check_breaks_5(Server, &[0xe0, 1, 0x04], "MQTT5-3.14.2-1", 0x82);
        check_breaks_5(Client, &[0xe0, 1, 0x8e], "MQTT5-3.14.2-1", 0x82);
    }
}
