//! Why an attempt, or a connection, failed: in words for people, without the
//! client library's layers.

use rumqttc::{ConnectReturnCode, ConnectionError, Error, StateError};

pub(crate) fn reason(error: &ConnectionError) -> String {
    match error {
        ConnectionError::Io(error)
        | ConnectionError::MqttState(
            StateError::Io(error) | StateError::Deserialization(Error::Io(error)),
        ) => error.to_string(),
        ConnectionError::NetworkTimeout => "no CONNACK in time".to_owned(),
        ConnectionError::FlushTimeout => "the network took no data in time".to_owned(),
        ConnectionError::ConnectionRefused(code) => format!("refused: {}", refusal(*code)),
        ConnectionError::SessionStateMismatch { .. } => {
            "a clean session was asked for, and session present answered [MQTT311-3.2.2-1]"
                .to_owned()
        }
        ConnectionError::NotConnAck(_) => {
            "the first packet is not a CONNACK [MQTT311-3.2.0-1]".to_owned()
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            "closed by the broker".to_owned()
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => "no PINGRESP in time".to_owned(),
        ConnectionError::MqttState(error) => error.to_string(),
        error => error.to_string(),
    }
}

/// Table 3.1 of MQTT 3.1.1.
fn refusal(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::Success => "accepted",
        ConnectReturnCode::RefusedProtocolVersion => "unacceptable protocol version",
        ConnectReturnCode::BadClientId => "identifier rejected",
        ConnectReturnCode::ServiceUnavailable => "server unavailable",
        ConnectReturnCode::BadUserNamePassword => "bad user name or password",
        ConnectReturnCode::NotAuthorized => "not authorized",
    }
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
        ConnectionError::MqttState(StateError::ConnectionAborted),
        "closed by the broker"
    )]
    #[case(
        ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized),
        "refused: not authorized"
    )]
    #[case(
        ConnectionError::MqttState(StateError::Unsolicited(3)),
        "Received unsolicited ack pkid: 3"
    )]
    fn says_why(#[case] error: ConnectionError, #[case] words: &str) {
        assert_eq!(reason(&error), words);
    }
}
