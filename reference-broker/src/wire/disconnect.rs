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

#[cfg(test)]
mod tests {
    use crate::wire::Packet;
    use crate::wire::Sender::Client;
    use crate::wire::testing::{check_breaks, check_same};

    #[test]
    fn good() {
        check_same(Client, &[0xe0, 0], &Packet::Disconnect);
    }

    #[test]
    fn malformed() {
        check_breaks(Client, &[0xe1, 0], "MQTT311-3.14.1-1");
        check_breaks(Client, &[0xe0, 1, 0], "MQTT311 section 3.14.1");
    }
}
