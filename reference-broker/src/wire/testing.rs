//! What the tests of the packets share.

use super::{Decoder, Packet, PacketId, Sender, Version, WireError};

pub(crate) fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not zero")
}

/// Decodes bytes that are one whole packet, or none.
pub(crate) fn decode(sender: Sender, mut bytes: &[u8]) -> Result<Packet, WireError> {
    let packet = Decoder::new(Version::V3_1_1, sender, 1 << 20).decode(&mut bytes)?;
    assert!(bytes.is_empty(), "{} bytes are left over", bytes.len());
    Ok(packet.expect("a whole packet"))
}

/// Bytes and packet are the same thing, in both directions.
#[track_caller]
pub(crate) fn check_same(sender: Sender, bytes: &[u8], packet: &Packet) {
    assert_eq!(decode(sender, bytes).as_ref(), Ok(packet));
    let mut encoded = Vec::new();
    packet.encode(Version::V3_1_1, &mut encoded);
    assert_eq!(encoded, bytes);
}

/// The bytes break this rule and no other.
#[track_caller]
pub(crate) fn check_breaks(sender: Sender, bytes: &[u8], rule: &str) {
    match decode(sender, bytes) {
        Ok(packet) => panic!("expected a breach of {rule}, decoded {packet:?}"),
        Err(error) => assert_eq!(error.rule(), Some(rule), "{error}"),
    }
}

/// A packet with this first byte and body; the body is short.
pub(crate) fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).expect("a short body");
    assert!(length < 128, "a short body");
    [&[first, length], body].concat()
}
