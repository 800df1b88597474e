//! What the tests of the packets share. What is not said to be of 5.0 is of
//! 3.1.1.

use super::{Decoder, Packet, PacketId, ReasonCode, Sender, Text, Version, WireError};

pub(crate) fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not zero")
}

pub(crate) fn text(text: &'static str) -> Text {
    Text::new(text).expect("well-formed")
}

/// Decodes bytes that are one whole packet, or none.
pub(crate) fn decode(sender: Sender, bytes: &[u8]) -> Result<Packet, WireError> {
    decode_in(Version::V3_1_1, sender, bytes)
}

fn decode_in(version: Version, sender: Sender, mut bytes: &[u8]) -> Result<Packet, WireError> {
    let packet = Decoder::new(version, sender, 1 << 20).decode(&mut bytes)?;
    assert!(bytes.is_empty(), "{} bytes are left over", bytes.len());
    Ok(packet.expect("a whole packet"))
}

/// Bytes and packet are the same thing, in both directions.
#[track_caller]
pub(crate) fn check_same(sender: Sender, bytes: &[u8], packet: &Packet) {
    check_same_in(Version::V3_1_1, sender, bytes, packet);
}

/// The same in 5.0.
#[track_caller]
pub(crate) fn check_same_5(sender: Sender, bytes: &[u8], packet: &Packet) {
    check_same_in(Version::V5, sender, bytes, packet);
}

#[track_caller]
fn check_same_in(version: Version, sender: Sender, bytes: &[u8], packet: &Packet) {
    assert_eq!(decode_in(version, sender, bytes).as_ref(), Ok(packet));
    let mut encoded = Vec::new();
    packet.encode(version, &mut encoded);
    assert_eq!(encoded, bytes);
}

/// These bytes of 5.0 say the same as the packet, at greater length.
#[track_caller]
pub(crate) fn check_says_5(sender: Sender, bytes: &[u8], packet: &Packet) {
    assert_eq!(decode_in(Version::V5, sender, bytes).as_ref(), Ok(packet));
    let mut encoded = Vec::new();
    packet.encode(Version::V5, &mut encoded);
    assert!(encoded.len() < bytes.len(), "{encoded:?}");
}

/// The bytes break this rule and no other.
#[track_caller]
pub(crate) fn check_breaks(sender: Sender, bytes: &[u8], rule: &str) {
    match decode(sender, bytes) {
        Ok(packet) => panic!("expected a breach of {rule}, decoded {packet:?}"),
        Err(error) => assert_eq!(error.rule(), Some(rule), "{error}"),
    }
}

/// The same in 5.0, with the reason code of the answer.
#[track_caller]
pub(crate) fn check_breaks_5(sender: Sender, bytes: &[u8], rule: &str, code: u8) {
    match decode_in(Version::V5, sender, bytes) {
        Ok(packet) => panic!("expected a breach of {rule}, decoded {packet:?}"),
        Err(error) => {
            let code = ReasonCode::from_byte(code).expect("a reason code");
            assert_eq!((error.rule(), error.code()), (Some(rule), code), "{error}");
        }
    }
}

/// A packet with this first byte and body; the body is short.
pub(crate) fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).expect("a short body");
    assert!(length < 128, "a short body");
    [&[first, length], body].concat()
}
