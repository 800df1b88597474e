//! PUBLISH: an application message on its way (section 3.3).

use bytes::Bytes;

use super::Version;
use super::error::{Rule, Violation};
use super::primitive::{
    PacketId, Qos, Reader, checked_text, variable_bytes, write_data, write_header, write_short,
};
use super::properties::{self, Properties};
use super::property::{Place, Property};
use super::topic::TopicName;

/// An application message on its way, from client to server or back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Publish {
    /// Whether this may be a repeat of an earlier packet.
    pub dup: bool,
    /// The quality of service, and the packet identifier where it has one.
    pub delivery: Delivery,
    /// From a client: to be retained. From a server: sent because of a new
    /// subscription.
    pub retain: bool,
    /// What the message is about.
    pub topic: TopicName,
    /// None in 3.1.1.
    pub properties: Properties,
    /// The message itself. It shares one allocation with the topic and the
    /// properties, copied once out of the bytes received: a slice of a read
    /// buffer would keep all of that buffer alive for as long as the message is
    /// queued or retained.
    pub payload: Bytes,
}

/// Quality of service together with what it needs, so that a QoS 0 message
/// cannot have a packet identifier `[MQTT311-2.3.1-5]`
/// `[MQTT5-2.2.1-2]`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// QoS 0.
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce(PacketId),
    /// QoS 2.
    ExactlyOnce(PacketId),
}

impl Delivery {
    /// The quality of service.
    #[must_use]
    pub fn qos(self) -> Qos {
        match self {
            Self::AtMostOnce => Qos::AtMostOnce,
            Self::AtLeastOnce(_) => Qos::AtLeastOnce,
            Self::ExactlyOnce(_) => Qos::ExactlyOnce,
        }
    }

    /// The packet identifier, above QoS 0.
    #[must_use]
    pub fn packet_id(self) -> Option<PacketId> {
        match self {
            Self::AtMostOnce => None,
            Self::AtLeastOnce(id) | Self::ExactlyOnce(id) => Some(id),
        }
    }
}

impl Publish {
    /// The quality of service.
    #[must_use]
    pub fn qos(&self) -> Qos {
        self.delivery.qos()
    }

    /// The packet identifier, above QoS 0.
    #[must_use]
    pub fn packet_id(&self) -> Option<PacketId> {
        self.delivery.packet_id()
    }
}

pub(crate) fn decode(flags: u8, mut reader: Reader<'_>, body: &[u8]) -> Result<Publish, Violation> {
    const LEVEL: Rule = Rule::malformed("MQTT311-3.3.1-4", "MQTT5-3.3.1-4", "the QoS is 3");
    const DUP: Rule = Rule::malformed("MQTT311-3.3.1-2", "MQTT5-3.3.1-2", "DUP is set at QoS 0");
    const CUT_SHORT: Rule = Rule::malformed(
        "MQTT311-3.3.2-1",
        "MQTT5-3.3.2-1",
        "the topic name is cut short",
    );
    let version = reader.version;
    let dup = flags & 0x08 != 0;
    let qos = Qos::from_level((flags >> 1) & 0x03).ok_or(LEVEL.broken(version))?;
    if dup && qos == Qos::AtMostOnce {
        return Err(DUP.broken(version));
    }
    let topic = reader.text_bytes(CUT_SHORT)?.len();
    let delivery = match qos {
        Qos::AtMostOnce => Delivery::AtMostOnce,
        Qos::AtLeastOnce => Delivery::AtLeastOnce(reader.packet_id()?),
        Qos::ExactlyOnce => Delivery::ExactlyOnce(reader.packet_id()?),
    };
    let block = properties::block(&mut reader, Place::Publish)?;
    let payload = body.len() - reader.len();
    let shared = Bytes::copy_from_slice(body);
    let properties = block.shared(&shared, payload - block.len());
    let topic = if topic == 0 && version == Version::V5 {
        aliased(&properties)?
    } else {
        TopicName::from_text(checked_text(shared.slice(2..2 + topic)), version)?
    };
    Ok(Publish {
        dup,
        delivery,
        retain: flags & 0x01 != 0,
        topic,
        properties,
        payload: shared.slice(payload..),
    })
}

/// An empty topic has an alias beside it (section 3.3.2.1 of 5.0).
fn aliased(properties: &Properties) -> Result<TopicName, Violation> {
    let has_alias = properties
        .iter()
        .any(|property| matches!(property, Property::TopicAlias(_)));
    if has_alias {
        Ok(TopicName::ALIASED)
    } else {
        Err(Violation::protocol(
            "MQTT5-4.7.3-1",
            "the topic name is empty, and there is no topic alias",
        ))
    }
}

pub(crate) fn encode(version: Version, publish: &Publish, out: &mut Vec<u8>) {
    Parts {
        dup: publish.dup,
        delivery: publish.delivery,
        retain: publish.retain,
        topic: &publish.topic,
        properties: &publish.properties,
        payload: &publish.payload,
    }
    .write(version, out);
}

/// The parts of a PUBLISH, for a sender that holds no packet.
pub(crate) struct Parts<'a> {
    pub(crate) dup: bool,
    pub(crate) delivery: Delivery,
    pub(crate) retain: bool,
    pub(crate) topic: &'a TopicName,
    pub(crate) properties: &'a Properties,
    pub(crate) payload: &'a [u8],
}

impl Parts<'_> {
    /// The length of the body, in bytes.
    fn body_bytes(&self, version: Version) -> usize {
        let id = self.delivery.packet_id();
        2 + self.topic.as_bytes().len()
            + if id.is_some() { 2 } else { 0 }
            + properties::encoded_len(self.properties, version)
            + self.payload.len()
    }

    /// The length of the packet, in bytes.
    pub(crate) fn packet_bytes(&self, version: Version) -> usize {
        let body = self.body_bytes(version);
        1 + variable_bytes(body) + body
    }

    pub(crate) fn write(&self, version: Version, out: &mut Vec<u8>) {
        let topic = self.topic.as_bytes();
        let id = self.delivery.packet_id();
        let length = self.body_bytes(version);
        out.reserve(5 + length);
        let flags =
            u8::from(self.dup) << 3 | (self.delivery.qos() as u8) << 1 | u8::from(self.retain);
        write_header(out, 0x30 | flags, length);
        write_data(out, topic);
        if let Some(id) = id {
            write_short(out, id.get());
        }
        properties::encode(self.properties, version, out);
        out.extend_from_slice(self.payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Sender::{Client, Server};
    use crate::wire::testing::{check_breaks, check_breaks_5, check_same, check_same_5, id, text};
    use crate::wire::{Packet, PayloadFormat, SubscriptionId};
    use rstest::rstest;

    #[rstest]
    // [MQTT311-2.3.1-5]: no identifier at QoS 0.
    #[case::qos_0(b"\x30\x05\0\x01thi", false, Delivery::AtMostOnce, false, b"hi")]
    #[case::qos_1(
        b"\x32\x07\0\x01t\0\x07hi",
        false,
        Delivery::AtLeastOnce(id(7)),
        false,
        b"hi"
    )]
    #[case::qos_2(
        b"\x34\x07\0\x01t\xff\xffhi",
        false,
        Delivery::ExactlyOnce(id(0xffff)),
        false,
        b"hi"
    )]
    #[case::retain(b"\x31\x05\0\x01thi", false, Delivery::AtMostOnce, true, b"hi")]
    #[case::dup(
        b"\x3a\x07\0\x01t\0\x07hi",
        true,
        Delivery::AtLeastOnce(id(7)),
        false,
        b"hi"
    )]
    #[case::all_flags(
        b"\x3d\x05\0\x01t\0\x07",
        true,
        Delivery::ExactlyOnce(id(7)),
        true,
        b""
    )]
    #[case::empty(b"\x30\x03\0\x01t", false, Delivery::AtMostOnce, false, b"")]
    #[case::any_payload(
        b"\x30\x05\0\x01t\0\xff",
        false,
        Delivery::AtMostOnce,
        false,
        b"\0\xff"
    )]
    fn good(
        #[case] bytes: &[u8],
        #[case] dup: bool,
        #[case] delivery: Delivery,
        #[case] retain: bool,
        #[case] payload: &'static [u8],
    ) {
        let topic = TopicName::new("t").expect("a topic");
        let payload = Bytes::from_static(payload);
        let packet = Packet::Publish(Publish {
            dup,
            delivery,
            retain,
            topic,
            properties: Properties::NONE,
            payload,
        });
        check_same(Client, bytes, &packet);
        check_same(Server, bytes, &packet);
    }

    #[rstest]
    #[case::qos_3(b"\x36\x05\0\x01t\0\x07", "MQTT311-3.3.1-4")]
    #[case::qos_3_dup(b"\x3e\x05\0\x01t\0\x07", "MQTT311-3.3.1-4")]
    #[case::dup_at_qos_0(b"\x38\x03\0\x01t", "MQTT311-3.3.1-2")]
    #[case::nothing(b"\x30\0", "MQTT311-3.3.2-1")]
    #[case::topic_short(b"\x30\x03\0\x02t", "MQTT311-3.3.2-1")]
    #[case::topic_length_short(b"\x30\x01\0", "MQTT311-3.3.2-1")]
    #[case::topic_empty(b"\x30\x03\0\0x", "MQTT311-4.7.3-1")]
    #[case::plus(b"\x30\x05\0\x03a/+", "MQTT311-3.3.2-2")]
    #[case::hash(b"\x30\x05\0\x03a/#", "MQTT311-3.3.2-2")]
    // Also [MQTT311-4.7.1-1]: a wildcard anywhere in a name.
    #[case::plus_within(b"\x30\x05\0\x03a+b", "MQTT311-3.3.2-2")]
    #[case::ill_formed(b"\x30\x04\0\x02\xc3\x28", "MQTT311-1.5.3-1")]
    #[case::surrogate(b"\x30\x05\0\x03\xed\xa0\x80", "MQTT311-1.5.3-1")]
    #[case::overlong(b"\x30\x04\0\x02\xc0\xaf", "MQTT311-1.5.3-1")]
    // Also [MQTT311-4.7.3-2].
    #[case::nul(b"\x30\x04\0\x02t\0", "MQTT311-1.5.3-2")]
    #[case::qos_1_no_id(b"\x32\x03\0\x01t", "MQTT311-2.3.1-1")]
    #[case::qos_1_half_id(b"\x32\x04\0\x01t\0", "MQTT311-2.3.1-1")]
    #[case::qos_1_id_0(b"\x32\x05\0\x01t\0\0", "MQTT311-2.3.1-1")]
    #[case::qos_2_id_0(b"\x34\x05\0\x01t\0\0", "MQTT311-2.3.1-1")]
    fn malformed(#[case] bytes: &[u8], #[case] rule: &str) {
        check_breaks(Client, bytes, rule);
        check_breaks(Server, bytes, rule);
    }

    /// [MQTT311-1.5.3-3]
    #[test]
    fn a_byte_order_mark_is_a_character() {
        let topic = TopicName::new("\u{feff}t").expect("a topic");
        let delivery = Delivery::AtMostOnce;
        let publish = Publish {
            dup: false,
            delivery,
            retain: false,
            topic,
            properties: Properties::NONE,
            payload: Bytes::new(),
        };
        check_same(
            Client,
            b"\x30\x06\0\x04\xef\xbb\xbft",
            &Packet::Publish(publish),
        );
    }

    fn publish_5(topic: TopicName, properties: impl IntoIterator<Item = Property>) -> Packet {
        Packet::Publish(Publish {
            dup: false,
            delivery: Delivery::AtMostOnce,
            retain: false,
            topic,
            properties: properties.into_iter().collect(),
            payload: Bytes::from_static(b"hi"),
        })
    }

    fn topic(name: &'static str) -> TopicName {
        TopicName::new(name).expect("a topic")
    }

    #[test]
    fn good_5() {
        let bytes = b"\x30\x06\0\x01t\0hi";
        check_same_5(Client, bytes, &publish_5(topic("t"), []));
        let alias = Property::TopicAlias(id(9));
        let bytes = b"\x30\x08\0\0\x03\x23\0\x09hi";
        check_same_5(Client, bytes, &publish_5(TopicName::ALIASED, [alias]));
        // [MQTT5-3.3.2-18]
        let all = [
            Property::UserProperty(text("b"), text("")),
            Property::PayloadFormatIndicator(PayloadFormat::Utf8),
            Property::MessageExpiryInterval(0x0102_0304),
            Property::ResponseTopic(topic("r")),
            Property::UserProperty(text("a"), text("1")),
            Property::CorrelationData(Bytes::from_static(b"\0\xff")),
            Property::ContentType(text("c")),
            Property::UserProperty(text("b"), text("2")),
        ];
        let bytes = [
            &b"\x30\x2e\0\x01t\x28\x26\0\x01b\0\0\x01\x01\x02\x01\x02\x03\x04\x08\0\x01r"[..],
            b"\x26\0\x01a\0\x011\x09\0\x02\0\xff\x03\0\x01c\x26\0\x01b\0\x012hi",
        ];
        check_same_5(Client, &bytes.concat(), &publish_5(topic("t"), all));
    }

    /// Section 3.3.2.3.8
    #[test]
    fn a_server_says_every_subscription() {
        let ids = [1, 128, 268_435_455]
            .map(|id| Property::SubscriptionIdentifier(SubscriptionId::new(id).expect("in range")));
        let bytes = b"\x30\x10\0\x01t\x0a\x0b\x01\x0b\x80\x01\x0b\xff\xff\xff\x7fhi";
        check_same_5(Server, bytes, &publish_5(topic("t"), ids));
        check_breaks_5(
            Client,
            b"\x30\x06\0\x01t\x02\x0b\x01",
            "MQTT5-3.3.4-6",
            0x82,
        );
    }

    #[rstest]
    #[case::qos_3(b"\x36\x06\0\x01t\0\x07\0", "MQTT5-3.3.1-4", 0x81)]
    #[case::dup_at_qos_0(b"\x38\x04\0\x01t\0", "MQTT5-3.3.1-2", 0x81)]
    #[case::nothing(b"\x30\0", "MQTT5-3.3.2-1", 0x81)]
    #[case::topic_short(b"\x30\x03\0\x02t", "MQTT5-3.3.2-1", 0x81)]
    // Also [MQTT5-4.7.0-1].
    #[case::wild(b"\x30\x06\0\x03a/+\0", "MQTT5-3.3.2-2", 0x81)]
    #[case::ill_formed(b"\x30\x05\0\x02\xc3\x28\0", "MQTT5-1.5.4-1", 0x81)]
    #[case::surrogate(b"\x30\x06\0\x03\xed\xa0\x80\0", "MQTT5-1.5.4-1", 0x81)]
    // Also [MQTT5-4.7.3-2].
    #[case::nul(b"\x30\x05\0\x02t\0\0", "MQTT5-1.5.4-2", 0x81)]
    #[case::no_id(b"\x32\x03\0\x01t", "MQTT5 section 2.2.1", 0x81)]
    #[case::no_topic(b"\x30\x03\0\0\0", "MQTT5-4.7.3-1", 0x82)]
    #[case::no_properties(b"\x30\x03\0\x01t", "MQTT5-2.2.2-1", 0x81)]
    #[case::properties_beyond(b"\x30\x05\0\x01t\x03\x01", "MQTT5 section 2.2.2.1", 0x81)]
    #[case::length_not_shortest(b"\x30\x05\0\x01t\x80\0", "MQTT5-1.5.5-1", 0x81)]
    #[case::length_of_five_bytes(b"\x30\x08\0\x01t\x80\x80\x80\x80\0", "MQTT5 section 1.5.5", 0x81)]
    #[case::id_not_shortest(b"\x30\x07\0\x01t\x03\x81\0\x01", "MQTT5-1.5.5-1", 0x81)]
    #[case::unknown(b"\x30\x06\0\x01t\x02\x04\x01", "MQTT5 section 2.2.2.2", 0x81)]
    #[case::unknown_and_long(b"\x30\x07\0\x01t\x03\x80\x02\x01", "MQTT5 section 2.2.2.2", 0x81)]
    #[case::of_another_packet(b"\x30\x07\0\x01t\x03\x21\0\x01", "MQTT5 section 2.2.2.2", 0x81)]
    #[case::cut_short(b"\x30\x06\0\x01t\x02\x23\0", "MQTT5 section 2.2.2.2", 0x81)]
    #[case::text_cut_short(b"\x30\x07\0\x01t\x03\x03\0\x01", "MQTT5 section 2.2.2.2", 0x81)]
    #[case::format_2(b"\x30\x06\0\x01t\x02\x01\x02", "MQTT5 section 3.3.2.3.2", 0x81)]
    #[case::format_twice(b"\x30\x08\0\x01t\x04\x01\0\x01\0", "MQTT5 section 3.3.2.3.2", 0x82)]
    #[case::alias_0(b"\x30\x07\0\x01t\x03\x23\0\0", "MQTT5-3.3.2-8", 0x94)]
    #[case::alias_twice(
        b"\x30\x0a\0\x01t\x06\x23\0\x01\x23\0\x01",
        "MQTT5 section 3.3.2.3.4",
        0x82
    )]
    #[case::response_topic_wild(b"\x30\x08\0\x01t\x04\x08\0\x01#", "MQTT5-3.3.2-14", 0x81)]
    #[case::response_topic_empty(b"\x30\x07\0\x01t\x03\x08\0\0", "MQTT5-4.7.3-1", 0x81)]
    #[case::response_topic_ill_formed(b"\x30\x08\0\x01t\x04\x08\0\x01\xff", "MQTT5-3.3.2-13", 0x81)]
    #[case::content_type_ill_formed(b"\x30\x08\0\x01t\x04\x03\0\x01\xff", "MQTT5-3.3.2-19", 0x81)]
    #[case::content_type_nul(b"\x30\x08\0\x01t\x04\x03\0\x01\0", "MQTT5-1.5.4-2", 0x81)]
    #[case::user_name_ill_formed(b"\x30\x0a\0\x01t\x06\x26\0\x01\xff\0\0", "MQTT5-1.5.7-1", 0x81)]
    #[case::user_value_nul(b"\x30\x0a\0\x01t\x06\x26\0\0\0\x01\0", "MQTT5-1.5.7-1", 0x81)]
    fn malformed_5(#[case] bytes: &[u8], #[case] rule: &str, #[case] code: u8) {
        check_breaks_5(Client, bytes, rule, code);
        check_breaks_5(Server, bytes, rule, code);
    }

    #[test]
    fn a_subscription_identifier_is_not_0() {
        let bytes = b"\x30\x06\0\x01t\x02\x0b\0";
        check_breaks_5(Server, bytes, "MQTT5 section 3.3.2.3.8", 0x82);
    }

    /// [MQTT5-1.5.4-3]
    #[test]
    fn a_byte_order_mark_is_a_character_5() {
        let bytes = b"\x30\x09\0\x04\xef\xbb\xbft\0hi";
        check_same_5(Client, bytes, &publish_5(topic("\u{feff}t"), []));
    }
}
