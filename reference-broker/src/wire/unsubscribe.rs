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
