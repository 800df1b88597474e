//! SUBSCRIBE: a client asks for messages (section 3.8).

use super::Version;
use super::error::{Rule, Violation};
use super::primitive::{PacketId, Qos, Reader, write_data, write_header, write_short};
use super::properties::{self, Properties};
use super::property::Place;
use super::topic::TopicFilter;

/// A client's request for messages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subscribe {
    /// Which SUBACK answers it.
    pub packet_id: PacketId,
    /// What is asked for, at least one.
    pub subscriptions: Vec<Subscription>,
    /// None in 3.1.1.
    pub properties: Properties,
}

/// One topic filter of a SUBSCRIBE.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subscription {
    /// Which topics.
    pub filter: TopicFilter,
    /// The highest quality of service wanted.
    pub qos: Qos,
    /// The other options, which 3.1.1 has not.
    pub options: SubscriptionOptions,
}

impl Subscription {
    /// As 3.1.1 has it: without options.
    #[must_use]
    pub fn new(filter: TopicFilter, qos: Qos) -> Self {
        let options = SubscriptionOptions::default();
        Self {
            filter,
            qos,
            options,
        }
    }
}

/// The options of a subscription that 5.0 has beside the QoS (section 3.8.3.1).
/// The default is what 3.1.1 does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SubscriptionOptions {
    /// Whether the client's own messages are kept from it.
    pub no_local: bool,
    /// Whether a message keeps the RETAIN flag that it was published with.
    pub retain_as_published: bool,
    /// When retained messages are sent.
    pub retain_handling: RetainHandling,
}

/// Whether retained messages are sent when a subscription is made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RetainHandling {
    /// 0: always.
    #[default]
    Send = 0,
    /// 1: only if the subscription is new.
    SendIfNew = 1,
    /// 2: never.
    DoNotSend = 2,
}

const QOS: u8 = 0x03;
const NO_LOCAL: u8 = 0x04;
const RETAIN_AS_PUBLISHED: u8 = 0x08;
const RETAIN_HANDLING_SHIFT: u8 = 4;
const RESERVED: u8 = 0xc0;

pub(crate) fn decode(mut reader: Reader<'_>) -> Result<Subscribe, Violation> {
    const EMPTY: Rule = Rule::protocol(
        "MQTT311-3.8.3-3",
        "MQTT5-3.8.3-2",
        "SUBSCRIBE has no topic filter",
    );
    // [MQTT311-3.8.3-1] [MQTT5-3.8.3-1] is what `text` checks.
    const CUT_SHORT: Rule = Rule::malformed(
        "MQTT311-3.8.3-1",
        "MQTT5-3.8.3-1",
        "a topic filter is cut short",
    );
    const NO_OPTIONS: Rule = Rule::malformed(
        "MQTT311-3.8.3-3",
        "MQTT5-3.8.3-2",
        "a topic filter has no requested QoS",
    );
    let packet_id = reader.packet_id()?;
    let properties = properties::decode(&mut reader, Place::Subscribe)?;
    let version = reader.version;
    if reader.is_empty() {
        return Err(EMPTY.broken(version));
    }
    let mut subscriptions = Vec::new();
    while !reader.is_empty() {
        let filter = TopicFilter::from_text(reader.text(CUT_SHORT)?, version)?;
        let byte = reader.byte(NO_OPTIONS)?;
        subscriptions.push(subscription(filter, byte, version)?);
    }
    Ok(Subscribe {
        packet_id,
        subscriptions,
        properties,
    })
}

fn subscription(
    filter: TopicFilter,
    byte: u8,
    version: Version,
) -> Result<Subscription, Violation> {
    const LEVEL: Rule = Rule::protocol(
        "MQTT311-3.8.3-4",
        "MQTT5 section 3.8.3.1",
        "the requested QoS byte is not 0, 1 or 2",
    );
    if version == Version::V3_1_1 {
        let qos = Qos::from_level(byte).ok_or(LEVEL.broken(version))?;
        return Ok(Subscription::new(filter, qos));
    }
    if byte & RESERVED != 0 {
        return Err(Violation::malformed(
            "MQTT5-3.8.3-5",
            "a reserved subscription option is set",
        ));
    }
    let qos = Qos::from_level(byte & QOS).ok_or(LEVEL.broken(version))?;
    let retain_handling = match byte >> RETAIN_HANDLING_SHIFT {
        0 => RetainHandling::Send,
        1 => RetainHandling::SendIfNew,
        2 => RetainHandling::DoNotSend,
        _ => {
            return Err(Violation::protocol(
                "MQTT5 section 3.8.3.1",
                "the retain handling is 3",
            ));
        }
    };
    let options = SubscriptionOptions {
        no_local: byte & NO_LOCAL != 0,
        retain_as_published: byte & RETAIN_AS_PUBLISHED != 0,
        retain_handling,
    };
    if options.no_local && filter.shared().is_some() {
        return Err(Violation::protocol(
            "MQTT5-3.8.3-4",
            "no local on a shared subscription",
        ));
    }
    Ok(Subscription {
        filter,
        qos,
        options,
    })
}

fn options_byte(subscription: &Subscription, version: Version) -> u8 {
    let qos = subscription.qos as u8;
    let options = subscription.options;
    match version {
        Version::V3_1_1 => qos,
        Version::V5 => {
            qos | if options.no_local { NO_LOCAL } else { 0 }
                | if options.retain_as_published {
                    RETAIN_AS_PUBLISHED
                } else {
                    0
                }
                | (options.retain_handling as u8) << RETAIN_HANDLING_SHIFT
        }
    }
}

pub(crate) fn encode(version: Version, subscribe: &Subscribe, out: &mut Vec<u8>) {
    let filters = subscribe.subscriptions.iter();
    let properties = properties::encoded_len(&subscribe.properties, version);
    let length = 2
        + properties
        + filters
            .map(|one| 3 + one.filter.as_bytes().len())
            .sum::<usize>();
    write_header(out, 0x82, length);
    write_short(out, subscribe.packet_id.get());
    properties::encode(&subscribe.properties, version, out);
    for one in &subscribe.subscriptions {
        write_data(out, one.filter.as_bytes());
        out.push(options_byte(one, version));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Sender::Client;
    use crate::wire::testing::{check_breaks, check_breaks_5, check_same, check_same_5, id, text};
    use crate::wire::{Packet, Property, SubscriptionId};
    use rstest::rstest;

    #[test]
    fn good() {
        let one = |filter: &'static str, qos| {
            Subscription::new(TopicFilter::new(filter).expect("a filter"), qos)
        };
        let subscriptions = vec![one("a", Qos::AtMostOnce), one("+/#", Qos::ExactlyOnce)];
        let packet = Packet::Subscribe(Subscribe {
            packet_id: id(0x102),
            subscriptions,
            properties: Properties::NONE,
        });
        check_same(Client, b"\x82\x0c\x01\x02\0\x01a\0\0\x03+/#\x02", &packet);
    }

    #[rstest]
    #[case::flags_0(b"\x80\x06\0\x01\0\x01a\0", "MQTT311-3.8.1-1")]
    #[case::flags_3(b"\x83\x06\0\x01\0\x01a\0", "MQTT311-3.8.1-1")]
    #[case::no_id(b"\x82\0", "MQTT311-2.3.1-1")]
    #[case::id_0(b"\x82\x06\0\0\0\x01a\0", "MQTT311-2.3.1-1")]
    #[case::no_filter(b"\x82\x02\0\x01", "MQTT311-3.8.3-3")]
    #[case::filter_short(b"\x82\x05\0\x01\0\x02a", "MQTT311-3.8.3-1")]
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

    #[test]
    fn good_5() {
        let one = |filter: &'static str, no_local, retain_as_published, retain_handling| {
            let options = SubscriptionOptions {
                no_local,
                retain_as_published,
                retain_handling,
            };
            Subscription {
                filter: TopicFilter::new(filter).expect("a filter"),
                qos: Qos::AtLeastOnce,
                options,
            }
        };
        let subscriptions = vec![
            one("a", false, false, RetainHandling::Send),
            one("b", true, false, RetainHandling::SendIfNew),
            one("$share/g/#", false, true, RetainHandling::DoNotSend),
        ];
        let id_7 = SubscriptionId::new(7).expect("in range");
        let properties = [
            Property::SubscriptionIdentifier(id_7),
            Property::UserProperty(text("k"), text("v")),
        ];
        let packet = Packet::Subscribe(Subscribe {
            packet_id: id(1),
            subscriptions,
            properties: properties.into_iter().collect(),
        });
        let bytes = [
            &b"\x82\x21\0\x01\x09\x0b\x07\x26\0\x01k\0\x01v"[..],
            b"\0\x01a\x01\0\x01b\x15\0\x0a$share/g/#\x29",
        ];
        check_same_5(Client, &bytes.concat(), &packet);
    }

    #[rstest]
    #[case::flags(b"\x80\x07\0\x01\0\0\x01a\0", "MQTT5-3.8.1-1", 0x81)]
    #[case::id_0(b"\x82\x07\0\0\0\0\x01a\0", "MQTT5-2.2.1-3", 0x82)]
    #[case::no_properties(b"\x82\x02\0\x01", "MQTT5-2.2.2-1", 0x81)]
    #[case::no_filter(b"\x82\x03\0\x01\0", "MQTT5-3.8.3-2", 0x82)]
    #[case::filter_short(b"\x82\x06\0\x01\0\0\x02a", "MQTT5-3.8.3-1", 0x81)]
    #[case::no_options(b"\x82\x06\0\x01\0\0\x01a", "MQTT5-3.8.3-2", 0x81)]
    #[case::qos_3(b"\x82\x07\0\x01\0\0\x01a\x03", "MQTT5 section 3.8.3.1", 0x82)]
    #[case::retain_handling_3(b"\x82\x07\0\x01\0\0\x01a\x30", "MQTT5 section 3.8.3.1", 0x82)]
    #[case::reserved_bit_6(b"\x82\x07\0\x01\0\0\x01a\x40", "MQTT5-3.8.3-5", 0x81)]
    #[case::reserved_bit_7(b"\x82\x07\0\x01\0\0\x01a\x80", "MQTT5-3.8.3-5", 0x81)]
    #[case::no_local_shared(b"\x82\x10\0\x01\0\0\x0a$share/g/a\x04", "MQTT5-3.8.3-4", 0x82)]
    #[case::no_share_name(b"\x82\x0f\0\x01\0\0\x09$share//a\0", "MQTT5-4.8.2-1", 0x81)]
    #[case::wild_share_name(b"\x82\x10\0\x01\0\0\x0a$share/+/a\0", "MQTT5-4.8.2-2", 0x81)]
    // Also [MQTT5-3.8.3-1].
    #[case::not_text(b"\x82\x07\0\x01\0\0\x01\xff\0", "MQTT5-1.5.4-1", 0x81)]
    // Also [MQTT5-4.7.3-2].
    #[case::nul(b"\x82\x07\0\x01\0\0\x01\0\0", "MQTT5-1.5.4-2", 0x81)]
    #[case::empty(b"\x82\x06\0\x01\0\0\0\0", "MQTT5-4.7.3-1", 0x81)]
    #[case::hash(b"\x82\x08\0\x01\0\0\x02a#\0", "MQTT5-4.7.1-1", 0x81)]
    #[case::plus(b"\x82\x08\0\x01\0\0\x02a+\0", "MQTT5-4.7.1-2", 0x81)]
    #[case::identifier_0(b"\x82\x09\0\x01\x02\x0b\0\0\x01a\0", "MQTT5 section 3.8.2.1.2", 0x82)]
    #[case::identifier_twice(
        b"\x82\x0b\0\x01\x04\x0b\x01\x0b\x02\0\x01a\0",
        "MQTT5 section 3.8.2.1.2",
        0x82
    )]
    #[case::identifier_too_long(
        b"\x82\x0d\0\x01\x06\x0b\xff\xff\xff\xff\x01\0\x01a\0",
        "MQTT5 section 1.5.5",
        0x81
    )]
    #[case::reason(b"\x82\x0a\0\x01\x03\x1f\0\0\0\x01a\0", "MQTT5 section 2.2.2.2", 0x81)]
    fn malformed_5(#[case] bytes: &[u8], #[case] rule: &str, #[case] code: u8) {
        check_breaks_5(Client, bytes, rule, code);
    }
}
