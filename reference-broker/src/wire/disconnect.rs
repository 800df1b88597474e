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

/// The codes that only a server sends. 0x8c stands in the overview of section
/// 2.4 and not in 3.14.2.1; it is taken.
const SERVER: &[ReasonCode] = &[
    ReasonCode::NotAuthorized,
    ReasonCode::ServerBusy,
    ReasonCode::ServerShuttingDown,
    ReasonCode::BadAuthenticationMethod,
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
    use crate::wire::Packet;
    use crate::wire::Sender::Client;
    use crate::wire::testing::{check_breaks, check_same};

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
}
