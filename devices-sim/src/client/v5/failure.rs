//! Why an attempt, or a connection, failed: in words for people, without the
//! client library's layers.

use rumqttc_v5::{ConnectReturnCode, ConnectionError, DisconnectReasonCode, StateError};
use rumqttc_v5::{Error, ProtocolViolation};

pub(crate) fn reason(error: &ConnectionError) -> String {
    match error {
        ConnectionError::Io(error)
        | ConnectionError::MqttState(
            StateError::Io(error) | StateError::Deserialization(Error::Io(error)),
        ) => error.to_string(),
        ConnectionError::Timeout(_) => "no CONNACK in time".to_owned(),
        ConnectionError::ConnectionRefused(code) => format!("refused: {}", refusal(*code)),
        ConnectionError::SessionStateMismatch { .. } => {
            "a clean start was asked for, and session present answered [MQTT5-3.2.2-2]".to_owned()
        }
        ConnectionError::NotConnAck(_) => {
            "the first packet is not a CONNACK [MQTT5-3.2.0-1]".to_owned()
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            "closed by the broker".to_owned()
        }
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code,
            reason_string,
        }) => {
            let words = parting(*reason_code);
            match reason_string {
                None => format!("closed by the broker: {words}"),
                Some(why) => format!("closed by the broker: {words}: {why}"),
            }
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => "no PINGRESP in time".to_owned(),
        ConnectionError::MqttState(StateError::ProtocolViolation(
            ProtocolViolation::DuplicateConnAck,
        )) => "a second CONNACK came [MQTT5-3.2.0-2]".to_owned(),
        ConnectionError::MqttState(error) => error.to_string(),
        error => error.to_string(),
    }
}

/// Table 3-1 of MQTT 5.0, and where they differ, what a 3.1.1 server would say.
fn refusal(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::Success => "accepted",
        ConnectReturnCode::RefusedProtocolVersion
        | ConnectReturnCode::UnsupportedProtocolVersion => "unsupported protocol version",
        ConnectReturnCode::BadClientId | ConnectReturnCode::ClientIdentifierNotValid => {
            "client identifier not valid"
        }
        ConnectReturnCode::ServiceUnavailable | ConnectReturnCode::ServerUnavailable => {
            "server unavailable"
        }
        ConnectReturnCode::UnspecifiedError => "unspecified error",
        ConnectReturnCode::MalformedPacket => "malformed packet",
        ConnectReturnCode::ProtocolError => "protocol error",
        ConnectReturnCode::ImplementationSpecificError => "implementation specific error",
        ConnectReturnCode::BadUserNamePassword => "bad user name or password",
        ConnectReturnCode::NotAuthorized => "not authorized",
        ConnectReturnCode::ServerBusy => "server busy",
        ConnectReturnCode::Banned => "banned",
        ConnectReturnCode::BadAuthenticationMethod => "bad authentication method",
        ConnectReturnCode::TopicNameInvalid => "topic name invalid",
        ConnectReturnCode::PacketTooLarge => "packet too large",
        ConnectReturnCode::QuotaExceeded => "quota exceeded",
        ConnectReturnCode::PayloadFormatInvalid => "payload format invalid",
        ConnectReturnCode::RetainNotSupported => "retain not supported",
        ConnectReturnCode::QoSNotSupported => "QoS not supported",
        ConnectReturnCode::UseAnotherServer => "use another server",
        ConnectReturnCode::ServerMoved => "server moved",
        ConnectReturnCode::ConnectionRateExceeded => "connection rate exceeded",
    }
}

/// Table 3-13 of MQTT 5.0, as far as a device meets it.
fn parting(code: DisconnectReasonCode) -> String {
    let words = match code {
        DisconnectReasonCode::NormalDisconnection => "normal disconnection",
        DisconnectReasonCode::UnspecifiedError => "unspecified error",
        DisconnectReasonCode::MalformedPacket => "malformed packet",
        DisconnectReasonCode::ProtocolError => "protocol error",
        DisconnectReasonCode::NotAuthorized => "not authorized",
        DisconnectReasonCode::ServerBusy => "server busy",
        DisconnectReasonCode::ServerShuttingDown => "server shutting down",
        DisconnectReasonCode::KeepAliveTimeout => "keep alive timeout",
        DisconnectReasonCode::SessionTakenOver => "session taken over",
        DisconnectReasonCode::TopicFilterInvalid => "topic filter invalid",
        DisconnectReasonCode::TopicNameInvalid => "topic name invalid",
        DisconnectReasonCode::ReceiveMaximumExceeded => "receive maximum exceeded",
        DisconnectReasonCode::TopicAliasInvalid => "topic alias invalid",
        DisconnectReasonCode::PacketTooLarge => "packet too large",
        DisconnectReasonCode::QuotaExceeded => "quota exceeded",
        other => return format!("reason code 0x{:02X}", other as u8),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::io;

    #[rstest]
    #[case(ConnectionError::Io(io::ErrorKind::ConnectionRefused.into()), "connection refused")]
    #[case(
        ConnectionError::MqttState(StateError::Deserialization(Error::Io(
            io::ErrorKind::ConnectionReset.into()
        ))),
        "connection reset"
    )]
    #[case(
        ConnectionError::ConnectionRefused(ConnectReturnCode::ServerBusy),
        "refused: server busy"
    )]
    #[case(
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::SessionTakenOver,
            reason_string: None,
        }),
        "closed by the broker: session taken over"
    )]
    #[case(
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::UseAnotherServer,
            reason_string: Some("moved".to_owned()),
        }),
        "closed by the broker: reason code 0x9C: moved"
    )]
    fn says_why(#[case] error: ConnectionError, #[case] words: &str) {
        assert_eq!(reason(&error), words);
    }
}
