//! UNSUBSCRIBE: a client wants no more (section 3.10).

use super::error::Violation;
use super::primitive::{PacketId, Reader, TopicFilter, write_data, write_header, write_short};

/// A client's request to end subscriptions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unsubscribe {
    /// Which UNSUBACK answers it.
    pub packet_id: PacketId,
    /// The filters to end, at least one.
    pub filters: Vec<TopicFilter>,
}

pub(crate) fn decode(body: &[u8]) -> Result<Unsubscribe, Violation> {
    let mut reader = Reader::new(body);
    let packet_id = reader.packet_id()?;
    if reader.is_empty() {
        return Err(Violation::new(
            "MQTT311-3.10.3-2",
            "UNSUBSCRIBE has no topic filter",
        ));
    }
    let mut filters = Vec::new();
    while !reader.is_empty() {
        let filter = reader.text(Violation::new("MQTT311-3.10.3-1", "a filter is cut short"))?;
        filters.push(TopicFilter::from_text(filter)?);
    }
    Ok(Unsubscribe { packet_id, filters })
}

pub(crate) fn encode(unsubscribe: &Unsubscribe, out: &mut Vec<u8>) {
    let filters = unsubscribe.filters.iter();
    let length = 2 + filters
        .map(|filter| 2 + filter.as_bytes().len())
        .sum::<usize>();
    write_header(out, 0xa2, length);
    write_short(out, unsubscribe.packet_id.get());
    for filter in &unsubscribe.filters {
        write_data(out, filter.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Packet;
    use crate::wire::Sender::Client;
    use crate::wire::testing::{check_breaks, check_same, id};
    use rstest::rstest;

    #[test]
    fn good() {
        let filters = ["a/+", "#"].map(|filter| TopicFilter::new(filter).expect("a filter"));
        let packet = Packet::Unsubscribe(Unsubscribe {
            packet_id: id(0xabcd),
            filters: filters.to_vec(),
        });
        check_same(Client, b"\xa2\x0a\xab\xcd\0\x03a/+\0\x01#", &packet);
    }

    #[rstest]
    #[case::flags_0(b"\xa0\x05\0\x01\0\x01a", "MQTT311-3.10.1-1")]
    #[case::flags_3(b"\xa3\x05\0\x01\0\x01a", "MQTT311-3.10.1-1")]
    #[case::no_id(b"\xa2\0", "MQTT311-2.3.1-1")]
    #[case::id_0(b"\xa2\x05\0\0\0\x01a", "MQTT311-2.3.1-1")]
    #[case::no_filter(b"\xa2\x02\0\x01", "MQTT311-3.10.3-2")]
    #[case::filter_short(b"\xa2\x05\0\x01\0\x02a", "MQTT311-3.10.3-1")]
    #[case::not_text(b"\xa2\x06\0\x01\0\x02\xc3\x28", "MQTT311-1.5.3-1")]
    #[case::nul(b"\xa2\x05\0\x01\0\x01\0", "MQTT311-1.5.3-2")]
    #[case::empty(b"\xa2\x04\0\x01\0\0", "MQTT311-4.7.3-1")]
    #[case::hash_not_last(b"\xa2\x07\0\x01\0\x03#/a", "MQTT311-4.7.1-2")]
    fn malformed(#[case] bytes: &[u8], #[case] rule: &str) {
        check_breaks(Client, bytes, rule);
    }
}
