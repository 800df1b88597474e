//! Packets in the words of the specification: `PUBLISH DUP 0, QoS 1, RETAIN 0,
//! packet identifier 5, topic "t", payload "m"`.
//!
//! What is left out is empty, or what it is unless said otherwise: no properties,
//! no will, a reason code of success.

use std::fmt;

use squall_broker::wire::{
    Ack, ConnAck, Connect, Packet, Properties, Property, Publish, Qos, ReasonCode, SubAck,
    Subscribe, SubscribeCode, SubscriptionOptions, UnsubAck, Unsubscribe, Version,
};

/// A packet, as a report says it. Of one with megabytes no more is made up than
/// is asked for.
pub(crate) struct InWords<'a>(pub(crate) &'a Packet);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())?;
        match self.0 {
            Packet::Connect(packet) => connect(f, packet),
            Packet::ConnAck(packet) => connack(f, packet),
            Packet::Publish(packet) => publish(f, packet),
            Packet::PubAck(packet)
            | Packet::PubRec(packet)
            | Packet::PubRel(packet)
            | Packet::PubComp(packet) => acknowledgement(f, packet),
            Packet::Subscribe(packet) => subscribe(f, packet),
            Packet::SubAck(packet) => suback(f, packet),
            Packet::Unsubscribe(packet) => unsubscribe(f, packet),
            Packet::UnsubAck(packet) => unsuback(f, packet),
            Packet::PingReq | Packet::PingResp => Ok(()),
            Packet::Disconnect(packet) => farewell(f, packet.code, &packet.properties),
            Packet::Auth(packet) => farewell(f, packet.code, &packet.properties),
        }
    }
}

fn connect(f: &mut fmt::Formatter<'_>, packet: &Connect) -> fmt::Result {
    let (version, clean) = match packet.version {
        Version::V5 => ("5.0", "Clean Start"),
        _ => ("3.1.1", "Clean Session"),
    };
    let clean_session = u8::from(packet.clean_session);
    write!(f, " of MQTT {version}, {clean} {clean_session}, ")?;
    write!(f, "Keep Alive {}, ", packet.keep_alive_s)?;
    write!(f, "client identifier {:?}", packet.client_id)?;
    if let Some(will) = &packet.will {
        let (qos, retain) = (will.qos as u8, u8::from(will.retain));
        let (topic, message) = (&will.topic, will.message.escape_ascii());
        write!(f, ", will QoS {qos}, RETAIN {retain}, topic {topic:?}, ")?;
        write!(f, "message \"{message}\"")?;
        properties(f, &will.properties)?;
    }
    if let Some(name) = &packet.user_name {
        write!(f, ", user name {name:?}")?;
    }
    if let Some(password) = &packet.password {
        write!(f, ", password \"{}\"", password.escape_ascii())?;
    }
    properties(f, &packet.properties)
}

fn connack(f: &mut fmt::Formatter<'_>, packet: &ConnAck) -> fmt::Result {
    let present = u8::from(packet.session_present);
    write!(f, " {}, Session Present {present}", Reason(packet.code))?;
    properties(f, &packet.properties)
}

fn publish(f: &mut fmt::Formatter<'_>, packet: &Publish) -> fmt::Result {
    let (dup, retain) = (u8::from(packet.dup), u8::from(packet.retain));
    write!(f, " DUP {dup}, QoS {}, RETAIN {retain}", packet.qos() as u8)?;
    if let Some(id) = packet.packet_id() {
        write!(f, ", packet identifier {id}")?;
    }
    write!(f, ", topic {:?}", packet.topic)?;
    properties(f, &packet.properties)?;
    write!(f, ", payload \"{}\"", packet.payload.escape_ascii())
}

fn acknowledgement(f: &mut fmt::Formatter<'_>, packet: &Ack) -> fmt::Result {
    write!(f, " packet identifier {}", packet.packet_id)?;
    if packet.code != ReasonCode::Success {
        write!(f, ", {}", Reason(packet.code))?;
    }
    properties(f, &packet.properties)
}

fn subscribe(f: &mut fmt::Formatter<'_>, packet: &Subscribe) -> fmt::Result {
    write!(f, " packet identifier {}", packet.packet_id)?;
    for one in &packet.subscriptions {
        write!(f, ", filter {:?} QoS {}", one.filter, one.qos as u8)?;
        options(f, one.options)?;
    }
    properties(f, &packet.properties)
}

/// Those that are not what 3.1.1 does.
fn options(f: &mut fmt::Formatter<'_>, options: SubscriptionOptions) -> fmt::Result {
    let SubscriptionOptions {
        no_local,
        retain_as_published,
        retain_handling,
    } = options;
    if no_local {
        f.write_str(" No Local 1")?;
    }
    if retain_as_published {
        f.write_str(" Retain As Published 1")?;
    }
    match retain_handling as u8 {
        0 => Ok(()),
        handling => write!(f, " Retain Handling {handling}"),
    }
}

fn suback(f: &mut fmt::Formatter<'_>, packet: &SubAck) -> fmt::Result {
    write!(f, " packet identifier {}", packet.packet_id)?;
    for code in &packet.codes {
        match code {
            SubscribeCode::Granted(qos) => write!(f, ", granted QoS {}", *qos as u8)?,
            SubscribeCode::Refused(code) => write!(f, ", {}", Reason(*code))?,
        }
    }
    properties(f, &packet.properties)
}

fn unsubscribe(f: &mut fmt::Formatter<'_>, packet: &Unsubscribe) -> fmt::Result {
    write!(f, " packet identifier {}", packet.packet_id)?;
    for filter in &packet.filters {
        write!(f, ", filter {filter:?}")?;
    }
    properties(f, &packet.properties)
}

fn unsuback(f: &mut fmt::Formatter<'_>, packet: &UnsubAck) -> fmt::Result {
    write!(f, " packet identifier {}", packet.packet_id)?;
    for code in &packet.codes {
        write!(f, ", {}", Reason(*code))?;
    }
    properties(f, &packet.properties)
}

fn farewell(f: &mut fmt::Formatter<'_>, code: ReasonCode, all: &Properties) -> fmt::Result {
    if code != ReasonCode::Success {
        write!(f, " {}", Reason(code))?;
    }
    properties(f, all)
}

/// A reason code by its name, as the specification writes it: `Topic filter
/// invalid`.
struct Reason(ReasonCode);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = String::new();
        for letter in format!("{:?}", self.0).chars() {
            if letter.is_ascii_uppercase() && !words.is_empty() {
                words.push(' ');
                words.push(letter.to_ascii_lowercase());
            } else {
                words.push(letter);
            }
        }
        f.write_str(&words.replace("Qos", "QoS"))
    }
}

fn properties(f: &mut fmt::Formatter<'_>, properties: &Properties) -> fmt::Result {
    for each in properties.iter() {
        f.write_str(", ")?;
        property(f, &each)?;
    }
    Ok(())
}

fn property(f: &mut fmt::Formatter<'_>, property: &Property) -> fmt::Result {
    let qos = |qos: &Qos| *qos as u8;
    match property {
        Property::PayloadFormatIndicator(format) => {
            write!(f, "Payload Format Indicator {}", *format as u8)
        }
        Property::MessageExpiryInterval(s) => write!(f, "Message Expiry Interval {s}"),
        Property::ContentType(text) => write!(f, "Content Type {text:?}"),
        Property::ResponseTopic(topic) => write!(f, "Response Topic {topic:?}"),
        Property::CorrelationData(data) => {
            write!(f, "Correlation Data \"{}\"", data.escape_ascii())
        }
        Property::SubscriptionIdentifier(id) => write!(f, "Subscription Identifier {}", id.get()),
        Property::SessionExpiryInterval(s) => write!(f, "Session Expiry Interval {s}"),
        Property::AssignedClientIdentifier(id) => write!(f, "Assigned Client Identifier {id:?}"),
        Property::ServerKeepAlive(s) => write!(f, "Server Keep Alive {s}"),
        Property::AuthenticationMethod(text) => write!(f, "Authentication Method {text:?}"),
        Property::AuthenticationData(data) => {
            write!(f, "Authentication Data \"{}\"", data.escape_ascii())
        }
        Property::RequestProblemInformation(flag) => {
            write!(f, "Request Problem Information {}", u8::from(*flag))
        }
        Property::WillDelayInterval(s) => write!(f, "Will Delay Interval {s}"),
        Property::RequestResponseInformation(flag) => {
            write!(f, "Request Response Information {}", u8::from(*flag))
        }
        Property::ResponseInformation(text) => write!(f, "Response Information {text:?}"),
        Property::ServerReference(text) => write!(f, "Server Reference {text:?}"),
        Property::ReasonString(text) => write!(f, "Reason String {text:?}"),
        Property::ReceiveMaximum(most) => write!(f, "Receive Maximum {most}"),
        Property::TopicAliasMaximum(most) => write!(f, "Topic Alias Maximum {most}"),
        Property::TopicAlias(alias) => write!(f, "Topic Alias {alias}"),
        Property::MaximumQos(most) => write!(f, "Maximum QoS {}", qos(most)),
        Property::RetainAvailable(flag) => write!(f, "Retain Available {}", u8::from(*flag)),
        Property::UserProperty(name, value) => write!(f, "User Property {name:?} {value:?}"),
        Property::MaximumPacketSize(bytes) => write!(f, "Maximum Packet Size {bytes}"),
        Property::WildcardSubscriptionAvailable(flag) => {
            write!(f, "Wildcard Subscription Available {}", u8::from(*flag))
        }
        Property::SubscriptionIdentifierAvailable(flag) => {
            write!(f, "Subscription Identifiers Available {}", u8::from(*flag))
        }
        Property::SharedSubscriptionAvailable(flag) => {
            write!(f, "Shared Subscription Available {}", u8::from(*flag))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packets::{self, ack, properties, text};
    use rstest::rstest;
    use std::num::NonZeroU16;

    fn subscription() -> Packet {
        let mut packet =
            packets::subscribe(7, &[("a/#", Qos::ExactlyOnce), ("b", Qos::AtMostOnce)]);
        packet.subscriptions[1].options.no_local = true;
        Packet::Subscribe(packet)
    }

    fn message() -> Packet {
        Packet::Publish(Publish {
            retain: true,
            properties: properties([
                Property::MessageExpiryInterval(60),
                Property::UserProperty(text("a"), text("b")),
            ]),
            ..packets::publish("t", b"m\x00", Qos::AtLeastOnce, 5)
        })
    }

    fn connection() -> Packet {
        Packet::Connect(Box::new(Connect {
            version: Version::V5,
            keep_alive_s: 60,
            client_id: text("c"),
            will: Some(packets::will("w", "gone")),
            properties: properties(NonZeroU16::new(3).map(Property::ReceiveMaximum)),
            ..Connect::default()
        }))
    }

    fn refusal() -> Packet {
        Packet::ConnAck(ConnAck {
            session_present: false,
            code: ReasonCode::UnsupportedProtocolVersion,
            properties: Properties::NONE,
        })
    }

    #[rstest]
    #[case::ping(Packet::PingReq, "PINGREQ")]
    #[case::acknowledgement(Packet::PubRel(ack(9)), "PUBREL packet identifier 9")]
    #[case::subscribe(
        subscription(),
        "SUBSCRIBE packet identifier 7, filter \"a/#\" QoS 2, filter \"b\" QoS 0 No Local 1"
    )]
    #[case::publish(
        message(),
        "PUBLISH DUP 0, QoS 1, RETAIN 1, packet identifier 5, topic \"t\", \
         Message Expiry Interval 60, User Property \"a\" \"b\", payload \"m\\x00\""
    )]
    #[case::connect(
        connection(),
        "CONNECT of MQTT 5.0, Clean Start 0, Keep Alive 60, client identifier \"c\", \
         will QoS 0, RETAIN 0, topic \"w\", message \"gone\", Receive Maximum 3"
    )]
    #[case::refusal(refusal(), "CONNACK Unsupported protocol version, Session Present 0")]
    fn a_packet_is_told_in_the_words_of_the_specification(
        #[case] packet: Packet,
        #[case] told: &str,
    ) {
        assert_eq!(InWords(&packet).to_string(), told);
    }
}
