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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Packet;
    use crate::wire::Sender::Client;
    use crate::wire::testing::{check_breaks, check_same, id};
    use rstest::rstest;

    #[test]
    fn good() {
        let one = |filter: &'static str, qos| Subscription {
            filter: TopicFilter::new(filter).expect("a filter"),
            qos,
        };
        let subscriptions = vec![one("a", Qos::AtMostOnce), one("+/#", Qos::ExactlyOnce)];
        let packet = Packet::Subscribe(Subscribe {
            packet_id: id(0x102),
            subscriptions,
        });
        check_same(Client, b"\x82\x0c\x01\x02\0\x01a\0\0\x03+/#\x02", &packet);
    }

    #[rstest]
    #[case::flags_0(b"\x80\x06\0\x01\0\x01a\0", "MQTT311-3.8.1-1")]
    #[case::flags_3(b"\x83\x06\0\x01\0\x01a\0", "MQTT311-3.8.1-1")]
    #[case::no_id(b"\x82\0", "MQTT311-2.3.1-1")]
    #[case::id_0(b"\x82\x06\0\0\0\x01a\0", "MQTT311-2.3.1-1")]
    #[case::no_filter(b"\x82\x02\0\x01", "MQTT311-3.8.3-3")]
    #[case::filter_short(b"\x82\x05\0\x01\0\x02a", "MQTT311 section 3.8.3")]
    #[case::no_qos(b"\x82\x05\0\x01\0\x01a", "MQTT311-3.8.3-3")]
    #[case::qos_3(b"\x82\x06\0\x01\0\x01a\x03", "MQTT311-3.8.3-4")]
    #[case::qos_4(b"\x82\x06\0\x01\0\x01a\x04", "MQTT311-3.8.3-4")]
    #[case::qos_0x80(b"\x82\x06\0\x01\0\x01a\x80", "MQTT311-3.8.3-4")]
    // Also [MQTT311-3.8.3-1].
    #[case::not_text(b"\x82\x07\0\x01\0\x02\xc3\x28\0", "MQTT311-1.5.3-1")]
    // Also [MQTT311-4.7.3-2].
    #[case::nul(b"\x82\x06\0\x01\0\x01\0\0", "MQTT311-1.5.3-2")]
    #[case::empty(b"\x82\x05\0\x01\0\0\0", "MQTT311-4.7.3-1")]
    #[case::hash_not_whole(b"\x82\x07\0\x01\0\x02a#\0", "MQTT311-4.7.1-2")]
    #[case::hash_not_last(b"\x82\x0a\0\x01\0\x05a/#/b\0", "MQTT311-4.7.1-2")]
    #[case::hashes(b"\x82\x07\0\x01\0\x02##\0", "MQTT311-4.7.1-2")]
    #[case::plus_after(b"\x82\x07\0\x01\0\x02a+\0", "MQTT311-4.7.1-3")]
    #[case::plus_before(b"\x82\x09\0\x01\0\x04+a/b\0", "MQTT311-4.7.1-3")]
    #[case::second_bad(b"\x82\x0a\0\x01\0\x01a\0\0\x01b\x03", "MQTT311-3.8.3-4")]
    fn malformed(#[case] bytes: &[u8], #[case] rule: &str) {
        check_breaks(Client, bytes, rule);
    }
}
