//! UNSUBSCRIBE: a client wants no more (section 3.10).

use super::Version;
use super::error::{Rule, Violation};
use super::primitive::{PacketId, Reader, write_data, write_header, write_short};
use super::properties::{self, Properties};
use super::property::Place;
use super::topic::TopicFilter;

/// A client's request to end subscriptions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unsubscribe {
    /// Which UNSUBACK answers it.
    pub packet_id: PacketId,
    /// The filters to end, at least one.
    pub filters: Vec<TopicFilter>,
    /// None in 3.1.1.
    pub properties: Properties,
}

pub(crate) fn decode(mut reader: Reader<'_>) -> Result<Unsubscribe, Violation> {
    const EMPTY: Rule = Rule::protocol(
        "MQTT311-3.10.3-2",
        "MQTT5-3.10.3-2",
        "UNSUBSCRIBE has no topic filter",
    );
    const CUT_SHORT: Rule = Rule::malformed(
        "MQTT311-3.10.3-1",
        "MQTT5-3.10.3-1",
        "a filter is cut short",
    );
    let packet_id = reader.packet_id()?;
    let properties = properties::decode(&mut reader, Place::Unsubscribe)?;
    let version = reader.version;
    if reader.is_empty() {
        return Err(EMPTY.broken(version));
    }
    let mut filters = Vec::new();
    while !reader.is_empty() {
        let filter = reader.text(CUT_SHORT)?;
        filters.push(TopicFilter::from_text(filter, version)?);
    }
    Ok(Unsubscribe {
        packet_id,
        filters,
        properties,
    })
}

pub(crate) fn encode(version: Version, unsubscribe: &Unsubscribe, out: &mut Vec<u8>) {
    let filters = unsubscribe.filters.iter();
    let properties = properties::encoded_len(&unsubscribe.properties, version);
    let length = 2
        + properties
        + filters
            .map(|filter| 2 + filter.as_bytes().len())
            .sum::<usize>();
    write_header(out, 0xa2, length);
    write_short(out, unsubscribe.packet_id.get());
    properties::encode(&unsubscribe.properties, version, out);
    for filter in &unsubscribe.filters {
        write_data(out, filter.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Sender::Client;
    use crate::wire::testing::{check_breaks, check_breaks_5, check_same, check_same_5, id, text};
    use crate::wire::{Packet, Property};
    use rstest::rstest;

    #[test]
    fn good() {
        let filters = ["a/+", "#"].map(|filter| TopicFilter::new(filter).expect("a filter"));
        let packet = Packet::Unsubscribe(Unsubscribe {
            packet_id: id(0xabcd),
            filters: filters.to_vec(),
            properties: Properties::NONE,
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

    #[test]
    fn good_5() {
        let filter = TopicFilter::new("$share/g/a").expect("a filter");
        let property = Property::UserProperty(text("k"), text(""));
        let packet = Packet::Unsubscribe(Unsubscribe {
            packet_id: id(1),
            filters: vec![filter],
            properties: [property].into_iter().collect(),
        });
        let bytes = b"\xa2\x15\0\x01\x06\x26\0\x01k\0\0\0\x0a$share/g/a";
        check_same_5(Client, bytes, &packet);
    }

    #[rstest]
    #[case::flags(b"\xa0\x06\0\x01\0\0\x01a", "MQTT5-3.10.1-1", 0x81)]
    #[case::id_0(b"\xa2\x06\0\0\0\0\x01a", "MQTT5-2.2.1-3", 0x82)]
    #[case::no_properties(b"\xa2\x02\0\x01", "MQTT5-2.2.2-1", 0x81)]
    #[case::no_filter(b"\xa2\x03\0\x01\0", "MQTT5-3.10.3-2", 0x82)]
    #[case::filter_short(b"\xa2\x06\0\x01\0\0\x02a", "MQTT5-3.10.3-1", 0x81)]
    #[case::not_text(b"\xa2\x06\0\x01\0\0\x01\xff", "MQTT5-1.5.4-1", 0x81)]
    #[case::empty(b"\xa2\x05\0\x01\0\0\0", "MQTT5-4.7.3-1", 0x81)]
    #[case::share_without_filter(b"\xa2\x0d\0\x01\0\0\x08$share/g", "MQTT5-4.8.2-2", 0x81)]
    #[case::property(b"\xa2\x08\0\x01\x02\x0b\x01\0\x01a", "MQTT5 section 2.2.2.2", 0x81)]
    fn malformed_5(#[case] bytes: &[u8], #[case] rule: &str, #[case] code: u8) {
        check_breaks_5(Client, bytes, rule, code);
    }
}
