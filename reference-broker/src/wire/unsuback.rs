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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Packet;
    use crate::wire::Sender::Server;
    use crate::wire::testing::{check_breaks, check_same, id};
    use rstest::rstest;

    #[test]
    fn good() {
        let packet = Packet::UnsubAck(UnsubAck {
            packet_id: id(0xabcd),
        });
        check_same(Server, &[0xb0, 2, 0xab, 0xcd], &packet);
    }

    #[rstest]
    #[case::flags(&[0xb2, 2, 0, 1], "MQTT311-2.2.2-2")]
    #[case::id_0(&[0xb0, 2, 0, 0], "MQTT311-2.3.1-1")]
    #[case::long(&[0xb0, 3, 0, 1, 0], "MQTT311 section 3.11.1")]
    fn malformed(#[case] bytes: &[u8], #[case] rule: &str) {
        check_breaks(Server, bytes, rule);
    }
}
