//! PINGREQ and PINGRESP: a sign of life and its answer (sections 3.12, 3.13).

use super::error::{Rule, Violation};
use super::primitive::{Reader, write_header};

pub(crate) fn decode(reader: &Reader<'_>) -> Result<(), Violation> {
    reader.end(Rule::malformed(
        "MQTT311-4.8.0-1",
        "MQTT5-4.13.1-1",
        "a ping's length is not 0",
    ))
}

pub(crate) fn encode_request(out: &mut Vec<u8>) {
    write_header(out, 0xc0, 0);
}

pub(crate) fn encode_response(out: &mut Vec<u8>) {
    write_header(out, 0xd0, 0);
}

#[cfg(test)]
mod tests {
    use crate::wire::Packet;
    use crate::wire::Sender::{Client, Server};
    use crate::wire::testing::{check_breaks, check_breaks_5, check_same, check_same_5};

    #[test]
    fn good() {
        check_same(Client, &[0xc0, 0], &Packet::PingReq);
        check_same(Server, &[0xd0, 0], &Packet::PingResp);
    }

    #[test]
    fn malformed() {
        check_breaks(Client, &[0xc1, 0], "MQTT311-2.2.2-2");
        check_breaks(Client, &[0xc0, 1, 0], "MQTT311-4.8.0-1");
        check_breaks(Server, &[0xd2, 0], "MQTT311-2.2.2-2");
    }

    #[test]
    fn in_5() {
        check_same_5(Client, &[0xc0, 0], &Packet::PingReq);
        check_same_5(Server, &[0xd0, 0], &Packet::PingResp);
        check_breaks_5(Client, &[0xc1, 0], "MQTT5-2.1.3-1", 0x81);
        let rule = "MQTT5-4.13.1-1";
        check_breaks_5(Client, &[0xc0, 1, 0], rule, 0x81);
        check_breaks_5(Server, &[0xd0, 1, 0], rule, 0x81);
        // A header that is not in its shortest form.
        check_breaks_5(Client, &[0xc0, 0x80, 0], "MQTT5-1.5.5-1", 0x81);
    }
}
