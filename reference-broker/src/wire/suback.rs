//! SUBACK: what a server grants (section 3.9).

use super::error::Violation;
use super::primitive::{PacketId, Qos, Reader, write_header, write_short};

/// A server's answer to a SUBSCRIBE.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SubAck {
    /// Which SUBSCRIBE it answers.
    pub packet_id: PacketId,
    /// One code for each filter, in their order.
    pub codes: Vec<SubscribeCode>,
}

/// A SUBACK return code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SubscribeCode {
    /// Subscribed, at most at this quality of service.
    Granted(Qos),
    /// 0x80: not subscribed.
    Failure,
}

pub(crate) fn decode(body: &[u8]) -> Result<SubAck, Violation> {
    let mut reader = Reader::new(body);
    let packet_id = reader.packet_id()?;
    let codes = reader
        .remainder()
        .iter()
        .map(|code| match (Qos::from_level(*code), code) {
            (Some(qos), _) => Ok(SubscribeCode::Granted(qos)),
            (None, 0x80) => Ok(SubscribeCode::Failure),
            (None, _) => Err(Violation::new(
                "MQTT311-3.9.3-2",
                "a SUBACK return code is reserved",
            )),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if codes.is_empty() {
        return Err(Violation::new(
            "MQTT311-3.8.4-5",
            "SUBACK has no return code",
        ));
    }
    Ok(SubAck { packet_id, codes })
}

pub(crate) fn encode(suback: &SubAck, out: &mut Vec<u8>) {
    write_header(out, 0x90, 2 + suback.codes.len());
    write_short(out, suback.packet_id.get());
    out.extend(suback.codes.iter().map(|code| match code {
        SubscribeCode::Granted(qos) => *qos as u8,
        SubscribeCode::Failure => 0x80,
    }));
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
        let codes = vec![
            SubscribeCode::Granted(Qos::ExactlyOnce),
            SubscribeCode::Failure,
            SubscribeCode::Granted(Qos::AtMostOnce),
            SubscribeCode::Granted(Qos::AtLeastOnce),
        ];
        let packet = Packet::SubAck(SubAck {
            packet_id: id(9),
            codes,
        });
        check_same(Server, &[0x90, 6, 0, 9, 2, 0x80, 0, 1], &packet);
    }

    #[rstest]
    #[case::flags(&[0x92, 3, 0, 9, 0], "MQTT311-2.2.2-2")]
    #[case::id_0(&[0x90, 3, 0, 0, 0], "MQTT311-2.3.1-1")]
    #[case::no_code(&[0x90, 2, 0, 9], "MQTT311-3.8.4-5")]
    #[case::code_3(&[0x90, 3, 0, 9, 3], "MQTT311-3.9.3-2")]
    #[case::code_0x81(&[0x90, 4, 0, 9, 0, 0x81], "MQTT311-3.9.3-2")]
    fn malformed(#[case] bytes: &[u8], #[case] rule: &str) {
        check_breaks(Server, bytes, rule);
    }
}
