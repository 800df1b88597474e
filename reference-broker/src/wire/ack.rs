//! PUBACK, PUBREC, PUBREL and PUBCOMP: the steps of QoS 1 and 2 (sections 3.4
//! to 3.7). They look alike: a packet identifier and nothing else.

use super::error::Violation;
use super::primitive::{PacketId, Reader, write_header, write_short};

/// The body of PUBACK, PUBREC, PUBREL and PUBCOMP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ack {
    /// Which exchange it belongs to.
    pub packet_id: PacketId,
}

pub(crate) fn decode(body: &[u8]) -> Result<Ack, Violation> {
    let mut reader = Reader::new(body);
    let packet_id = reader.packet_id()?;
    if !reader.is_empty() {
        return Err(Violation::new(
            "MQTT311 sections 3.4.1 to 3.7.1",
            "bytes follow an acknowledgement's packet identifier",
        ));
    }
    Ok(Ack { packet_id })
}

/// `first` is the whole first byte: 0x62 for PUBREL [MQTT311-3.6.1-1].
pub(crate) fn encode(first: u8, ack: Ack, out: &mut Vec<u8>) {
    write_header(out, first, 2);
    write_short(out, ack.packet_id.get());
}
