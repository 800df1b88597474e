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
