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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Packet;
    use crate::wire::Sender::{Client, Server};
    use crate::wire::testing::{check_breaks, check_same, id};
    use rstest::rstest;

    // [MQTT311-2.2.2-1], [MQTT311-3.6.1-1]
    #[rstest]
    #[case::puback(&[0x40, 2, 0, 1], Packet::PubAck(Ack { packet_id: id(1) }))]
    #[case::pubrec(&[0x50, 2, 0x12, 0x34], Packet::PubRec(Ack { packet_id: id(0x1234) }))]
    #[case::pubrel(&[0x62, 2, 0xff, 0xff], Packet::PubRel(Ack { packet_id: id(0xffff) }))]
    #[case::pubcomp(&[0x70, 2, 1, 0], Packet::PubComp(Ack { packet_id: id(256) }))]
    fn good(#[case] bytes: &[u8], #[case] packet: Packet) {
        check_same(Client, bytes, &packet);
        check_same(Server, bytes, &packet);
    }

    #[rstest]
    #[case::zero(&[0x40, 2, 0, 0], "MQTT311-2.3.1-1")]
    #[case::pubrel_zero(&[0x62, 2, 0, 0], "MQTT311-2.3.1-1")]
    #[case::empty(&[0x40, 0], "MQTT311-2.3.1-1")]
    #[case::short(&[0x50, 1, 7], "MQTT311-2.3.1-1")]
    #[case::long(&[0x70, 3, 0, 1, 0], "MQTT311 sections 3.4.1 to 3.7.1")]
    #[case::puback_flags(&[0x41, 2, 0, 1], "MQTT311-2.2.2-2")]
    #[case::pubrec_flags(&[0x52, 2, 0, 1], "MQTT311-2.2.2-2")]
    #[case::pubcomp_flags(&[0x78, 2, 0, 1], "MQTT311-2.2.2-2")]
    #[case::pubrel_no_flags(&[0x60, 2, 0, 1], "MQTT311-3.6.1-1")]
    #[case::pubrel_flags(&[0x63, 2, 0, 1], "MQTT311-3.6.1-1")]
    fn malformed(#[case] bytes: &[u8], #[case] rule: &str) {
        check_breaks(Client, bytes, rule);
        check_breaks(Server, bytes, rule);
    }
}
