//! CONNACK: a server's answer to a CONNECT (section 3.2).

use super::error::Violation;
use super::primitive::{Reader, write_header};

/// A server's answer to a CONNECT.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConnAck {
    /// Whether stored session state is used.
    pub session_present: bool,
    /// Accepted, or why not.
    pub code: ConnectCode,
}

/// The return codes of section 3.2.2.3.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConnectCode {
    /// 0: the connection is accepted.
    Accepted = 0,
    /// 1: the level of the protocol is not supported.
    UnacceptableProtocolVersion = 1,
    /// 2: the client identifier is not allowed.
    IdentifierRejected = 2,
    /// 3: the service is unavailable.
    ServerUnavailable = 3,
    /// 4: the user name or password is wrong.
    BadUserNameOrPassword = 4,
    /// 5: the client is not authorised to connect.
    NotAuthorized = 5,
}

impl ConnectCode {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Accepted,
            1 => Self::UnacceptableProtocolVersion,
            2 => Self::IdentifierRejected,
            3 => Self::ServerUnavailable,
            4 => Self::BadUserNameOrPassword,
            5 => Self::NotAuthorized,
            _ => return None,
        })
    }
}

pub(crate) fn decode(body: &[u8]) -> Result<ConnAck, Violation> {
    const LENGTH: Violation = Violation::new("MQTT311 section 3.2.1", "CONNACK's length is not 2");
    let mut reader = Reader::new(body);
    let flags = reader.byte(LENGTH)?;
    let code = reader.byte(LENGTH)?;
    if !reader.is_empty() {
        return Err(LENGTH);
    }
    if flags & 0xfe != 0 {
        return Err(Violation::new(
            "MQTT311 section 3.2.2.1",
            "a reserved CONNACK flag is set",
        ));
    }
    let code = ConnectCode::from_byte(code).ok_or(Violation::new(
        "MQTT311-3.2.2-6",
        "the CONNACK return code is reserved",
    ))?;
    let session_present = flags != 0;
    if session_present && code != ConnectCode::Accepted {
        return Err(Violation::new(
            "MQTT311-3.2.2-4",
            "a refusal says that a session is present",
        ));
    }
    Ok(ConnAck {
        session_present,
        code,
    })
}

pub(crate) fn encode(connack: &ConnAck, out: &mut Vec<u8>) {
    write_header(out, 0x20, 2);
    out.push(u8::from(connack.session_present));
    out.push(connack.code as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Packet;
    use crate::wire::Sender::Server;
    use crate::wire::testing::{check_breaks, check_same};
    use rstest::rstest;

    #[rstest]
    #[case(&[0x20, 2, 0, 0], false, ConnectCode::Accepted)]
    #[case(&[0x20, 2, 1, 0], true, ConnectCode::Accepted)]
    #[case(&[0x20, 2, 0, 1], false, ConnectCode::UnacceptableProtocolVersion)]
    #[case(&[0x20, 2, 0, 2], false, ConnectCode::IdentifierRejected)]
    #[case(&[0x20, 2, 0, 3], false, ConnectCode::ServerUnavailable)]
    #[case(&[0x20, 2, 0, 4], false, ConnectCode::BadUserNameOrPassword)]
    #[case(&[0x20, 2, 0, 5], false, ConnectCode::NotAuthorized)]
    fn good(#[case] bytes: &[u8], #[case] session_present: bool, #[case] code: ConnectCode) {
        check_same(
            Server,
            bytes,
            &Packet::ConnAck(ConnAck {
                session_present,
                code,
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
