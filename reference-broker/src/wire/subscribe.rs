//! SUBSCRIBE: a client asks for messages (section 3.8).

use super::error::Violation;
use super::primitive::{PacketId, Qos, Reader, TopicFilter, write_data, write_header, write_short};

/// A client's request for messages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subscribe {
    /// Which SUBACK answers it.
    pub packet_id: PacketId,
    /// What is asked for, at least one.
    pub subscriptions: Vec<Subscription>,
}

/// One topic filter of a SUBSCRIBE.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subscription {
    /// Which topics.
    pub filter: TopicFilter,
    /// The highest quality of service wanted.
    pub qos: Qos,
}

pub(crate) fn decode(body: &[u8]) -> Result<Subscribe, Violation> {
    let mut reader = Reader::new(body);
    let packet_id = reader.packet_id()?;
    if reader.is_empty() {
        return Err(Violation::new(
            "MQTT311-3.8.3-3",
            "SUBSCRIBE has no topic filter",
        ));
    }
    let mut subscriptions = Vec::new();
    while !reader.is_empty() {
        // [MQTT311-3.8.3-1] is what `text` checks.
        let filter = reader.text(Violation::new(
            "MQTT311 section 3.8.3",
            "a topic filter is cut short",
        ))?;
        let filter = TopicFilter::from_text(filter)?;
        let options = reader.byte(Violation::new(
            "MQTT311-3.8.3-3",
            "a topic filter has no requested QoS",
        ))?;
        let qos = Qos::from_level(options).ok_or(Violation::new(
            "MQTT311-3.8.3-4",
            "the requested QoS byte is not 0, 1 or 2",
        ))?;
        subscriptions.push(Subscription { filter, qos });
    }
    Ok(Subscribe {
        packet_id,
        subscriptions,
    })
}

pub(crate) fn encode(subscribe: &Subscribe, out: &mut Vec<u8>) {
    let filters = subscribe.subscriptions.iter();
    let length = 2 + filters
        .map(|one| 3 + one.filter.as_bytes().len())
        .sum::<usize>();
    write_header(out, 0x82, length);
    write_short(out, subscribe.packet_id.get());
    for one in &subscribe.subscriptions {
        write_data(out, one.filter.as_bytes());
        out.push(one.qos as u8);
    }
}
