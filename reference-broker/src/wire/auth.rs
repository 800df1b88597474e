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
