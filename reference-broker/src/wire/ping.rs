//! PINGREQ and PINGRESP: a sign of life and its answer (sections 3.12, 3.13).

use super::error::Violation;
use super::primitive::write_header;

pub(crate) fn decode(body: &[u8]) -> Result<(), Violation> {
    if body.is_empty() {
        Ok(())
    } else {
        Err(Violation::new(
            "MQTT311 sections 3.12.1 and 3.13.1",
            "a ping's length is not 0",
        ))
    }
}

pub(crate) fn encode_request(out: &mut Vec<u8>) {
    write_header(out, 0xc0, 0);
}

pub(crate) fn encode_response(out: &mut Vec<u8>) {
    write_header(out, 0xd0, 0);
}
