//! DISCONNECT: a client leaves in good order (section 3.14).

use super::error::Violation;
use super::primitive::write_header;

pub(crate) fn decode(body: &[u8]) -> Result<(), Violation> {
    if body.is_empty() {
        Ok(())
    } else {
        Err(Violation::new(
            "MQTT311 section 3.14.1",
            "DISCONNECT's length is not 0",
        ))
    }
}

pub(crate) fn encode(out: &mut Vec<u8>) {
    write_header(out, 0xe0, 0);
}
