//! AUTH: a step of an enhanced authentication (section 3.15). 5.0 only.

use super::Sender;
use super::error::{Rule, Violation};
use super::primitive::{Reader, write_header};
use super::properties::{self, Properties};
use super::property::{Place, Property};
use super::reason::ReasonCode;

/// A step of an enhanced authentication.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Auth {
    /// Done, go on, or start over.
    pub code: ReasonCode,
    /// The method, its data, and more.
    pub properties: Properties,
}

fn code(byte: u8, sender: Sender) -> Result<ReasonCode, Violation> {
    ReasonCode::from_byte(byte)
        .filter(|code| match code {
            ReasonCode::ContinueAuthentication => true,
            ReasonCode::Success => sender == Sender::Server,
            ReasonCode::ReAuthenticate => sender == Sender::Client,
            _ => false,
        })
        .ok_or(Violation::protocol(
            "MQTT5-3.15.2-1",
            "the reason code is not one that this side sends in AUTH",
        ))
}

pub(crate) fn decode(mut reader: Reader<'_>) -> Result<Auth, Violation> {
    const LENGTH: Rule = Rule::malformed(
        "",
        "MQTT5 section 3.15.1",
        "AUTH's length is not that of its content",
    );
    // Section 3.15.2.1 lets a success without properties have no body.
    let byte = if reader.is_empty() {
        ReasonCode::Success as u8
    } else {
        reader.byte(LENGTH)?
    };
    let code = code(byte, reader.sender)?;
    if reader.is_empty() && code == ReasonCode::Success {
        return Ok(Auth::default());
    }
    let properties = properties::decode(&mut reader, Place::Auth)?;
    let has_method = properties
        .iter()
        .any(|property| matches!(property, Property::AuthenticationMethod(_)));
    if !has_method {
        return Err(Violation::protocol(
            "MQTT5 section 3.15.2.2.2",
            "AUTH names no authentication method",
        ));
    }
    reader.end(LENGTH)?;
    Ok(Auth { code, properties })
}

/// As short as it can be.
pub(crate) fn encode(auth: &Auth, out: &mut Vec<u8>) {
    if *auth == Auth::default() {
        write_header(out, 0xf0, 0);
    } else {
        write_header(out, 0xf0, 1 + auth.properties.encoded_len());
        out.push(auth.code as u8);
        auth.properties.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Packet;
    use crate::wire::Sender::{Client, Server};
    use crate::wire::testing::{check_breaks_5, check_same_5, check_says_5, text};
    use bytes::Bytes;
    use rstest::rstest;

    fn auth(code: ReasonCode) -> Packet {
        let properties = [
            Property::AuthenticationMethod(text("m")),
            Property::AuthenticationData(Bytes::from_static(b"d")),
        ];
        Packet::Auth(Auth {
            code,
            properties: properties.into_iter().collect(),
        })
    }

    #[test]
    fn good() {
        let again = auth(ReasonCode::ReAuthenticate);
        check_same_5(Client, b"\xf0\x0a\x19\x08\x15\0\x01m\x16\0\x01d", &again);
        let next = auth(ReasonCode::ContinueAuthentication);
        check_same_5(Server, b"\xf0\x0a\x18\x08\x15\0\x01m\x16\0\x01d", &next);
        check_same_5(Client, b"\xf0\x0a\x18\x08\x15\0\x01m\x16\0\x01d", &next);
        let done = Packet::Auth(Auth::default());
        check_same_5(Server, &[0xf0, 0], &done);
        check_says_5(Server, &[0xf0, 1, 0], &done);
    }

    #[rstest]
    #[case::flags(&[0xf1, 0], "MQTT5-3.15.1-1", 0x81)]
    #[case::reserved_code(b"\xf0\x06\x01\x04\x15\0\x01m", "MQTT5-3.15.2-1", 0x82)]
    #[case::no_properties(&[0xf0, 1, 0x18], "MQTT5-2.2.2-1", 0x81)]
    #[case::no_method(&[0xf0, 2, 0x18, 0], "MQTT5 section 3.15.2.2.2", 0x82)]
    #[case::data_alone(b"\xf0\x06\x18\x04\x16\0\x01d", "MQTT5 section 3.15.2.2.2", 0x82)]
    #[case::method_twice(
        b"\xf0\x0a\x18\x08\x15\0\x01m\x15\0\x01m",
        "MQTT5 section 3.15.2.2.2",
        0x82
    )]
    #[case::long(b"\xf0\x07\x18\x04\x15\0\x01m!", "MQTT5 section 3.15.1", 0x81)]
    #[case::property(b"\xf0\x05\x18\x03\x21\0\x01", "MQTT5 section 2.2.2.2", 0x81)]
    fn malformed(#[case] bytes: &[u8], #[case] rule: &str, #[case] code: u8) {
        check_breaks_5(Client, bytes, rule, code);
        check_breaks_5(Server, bytes, rule, code);
    }

    #[test]
    fn each_side_has_a_code_of_its_own() {
        let done = b"\xf0\x06\0\x04\x15\0\x01m";
        check_breaks_5(Client, done, "MQTT5-3.15.2-1", 0x82);
        let again = b"\xf0\x06\x19\x04\x15\0\x01m";
        check_breaks_5(Server, again, "MQTT5-3.15.2-1", 0x82);
    }
}
