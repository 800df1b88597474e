//! UNSUBACK: a server has ended subscriptions (section 3.11).

use super::error::Violation;
use super::primitive::{PacketId, Reader, write_header, write_short};

/// A server's answer to an UNSUBSCRIBE.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnsubAck {
    /// Which UNSUBSCRIBE it answers.
    pub packet_id: PacketId,
}

pub(crate) fn decode(body: &[u8]) -> Result<UnsubAck, Violation> {
    let mut reader = Reader::new(body);
    let packet_id = reader.packet_id()?;
    if !reader.is_empty() {
        return Err(Violation::new(
            "MQTT311 section 3.11.1",
            "UNSUBACK's length is not 2",
        ));
    }
    Ok(UnsubAck { packet_id })
}

pub(crate) fn encode(unsuback: UnsubAck, out: &mut Vec<u8>) {
    write_header(out, 0xb0, 2);
    write_short(out, unsuback.packet_id.get());
}
