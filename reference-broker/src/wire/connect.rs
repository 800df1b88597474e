//! CONNECT: a client asks for a connection (section 3.1).

use bytes::Bytes;

use crate::quirks::{Quirk, Quirks};

use super::Version;
use super::error::{Rule, Violation, WireError};
use super::primitive::{Qos, Reader, Text, write_data, write_header, write_short};
use super::properties::{self, Properties};
use super::property::Place;
use super::reason::ReasonCode;
use super::topic::TopicName;

/// A client's request to be connected.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Connect {
    /// The version that the client speaks, which is the one this packet is
    /// written in.
    pub version: Version,
    /// 3.1.1: start afresh and forget everything when the connection ends, or
    /// resume and keep the session (section 3.1.2.4). 5.0 calls it Clean Start
    /// and means the first half alone; how long the session is kept is said by
    /// its expiry interval.
    pub clean_session: bool,
    /// The longest silence between two packets, in seconds; 0 for no limit.
    pub keep_alive_s: u16,
    /// None in 3.1.1.
    pub properties: Properties,
    /// The key of the session; empty to have one assigned.
    pub client_id: Text,
    /// What to publish when the connection ends without a DISCONNECT.
    pub will: Option<Will>,
    /// Who connects.
    pub user_name: Option<Text>,
    /// The proof of it, at most 65,535 bytes. 5.0 allows it without a user name.
    pub password: Option<Bytes>,
}

/// A message the server publishes on a client's behalf.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Will {
    /// Where it is published.
    pub topic: TopicName,
    /// What is published, at most 65,535 bytes.
    pub message: Bytes,
    /// At which quality of service.
    pub qos: Qos,
    /// Whether it becomes the topic's retained message.
    pub retain: bool,
    /// None in 3.1.1.
    pub properties: Properties,
}

const PROTOCOL_NAME: &[u8] = b"MQTT";

const RESERVED: u8 = 0x01;
const CLEAN_SESSION: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_QOS_SHIFT: u8 = 3;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

/// The version whose protocol level a CONNECT names. Until it is known, what is
/// broken is said in `fallback`'s terms.
pub(crate) fn version(
    body: &[u8],
    fallback: Version,
    quirks: Quirks,
) -> Result<Version, WireError> {
    let mut reader = Reader::new(fallback, super::Sender::Client, body);
    let name = reader.data(Rule::malformed(
        "MQTT311-3.1.2-1",
        "MQTT5-3.1.2-1",
        "the protocol name is cut short",
    ))?;
    let alike = name.len() == PROTOCOL_NAME.len() && quirks.has(Quirk::AcceptsAnyProtocolName);
    if name != PROTOCOL_NAME && !alike {
        return Err(match fallback {
            Version::V3_1_1 => {
                Violation::new("MQTT311-3.1.2-1", "the protocol name is not MQTT").into()
            }
            Version::V5 => Violation::answered(
                ReasonCode::UnsupportedProtocolVersion,
                "MQTT5-3.1.2-1",
                "the protocol name is not MQTT",
            )
            .into(),
        });
    }
    let level = reader.byte(Rule::malformed(
        "MQTT311 section 3.1.2.2",
        "MQTT5 section 3.1.2.2",
        "the protocol level is missing",
    ))?;
    // The rest may be laid out differently in another version, so it is not
    // looked at. [MQTT311-3.1.2-2] [MQTT5-3.1.2-2]
    let taken_for = quirks
        .has(Quirk::ServesUnknownLevels)
        .then_some(match level {
            6 => Version::V5,
            _ => Version::V3_1_1,
        });
    Version::from_level(level)
        .or(taken_for)
        .ok_or(WireError::UnsupportedProtocolLevel(level))
}

/// `reader` reads in the version that the packet names.
pub(crate) fn decode(mut reader: Reader<'_>) -> Result<Connect, Violation> {
    const NO_FLAGS: Rule = Rule::malformed(
        "MQTT311-3.1.4-1",
        "MQTT5-3.1.4-1",
        "the connect flags are missing",
    );
    const NO_KEEP_ALIVE: Rule = Rule::malformed(
        "MQTT311-3.1.4-1",
        "MQTT5-3.1.4-1",
        "the keep alive is missing",
    );
    // Name and level, which have been looked at.
    reader.take(2 + PROTOCOL_NAME.len() + 1, NO_FLAGS)?;
    let flags = reader.byte(NO_FLAGS)?;
    check_flags(flags, reader.version)?;
    let keep_alive_s = reader.short(NO_KEEP_ALIVE)?;
    let properties = properties::decode(&mut reader, Place::Connect)?;
    if properties.has_data_without_method() {
        return Err(Violation::protocol(
            "MQTT5 section 3.1.2.11.10",
            "authentication data without a method",
        ));
    }
    payload(&mut reader, flags, keep_alive_s, properties)
}

/// What the flags must be by themselves.
fn check_flags(flags: u8, version: Version) -> Result<(), Violation> {
    const RESERVED_SET: Rule = Rule::malformed(
        "MQTT311-3.1.2-3",
        "MQTT5-3.1.2-3",
        "the reserved connect flag is set",
    );
    // [MQTT311-3.1.2-11] says both at once.
    const QOS_ALONE: Rule = Rule::malformed(
        "MQTT311-3.1.2-13",
        "MQTT5-3.1.2-11",
        "a will QoS without a will",
    );
    const RETAIN_ALONE: Rule = Rule::malformed(
        "MQTT311-3.1.2-15",
        "MQTT5-3.1.2-13",
        "will retain without a will",
    );
    const PASSWORD_ALONE: Violation =
        Violation::new("MQTT311-3.1.2-22", "a password without a user name");
    let will_qos = (flags >> WILL_QOS_SHIFT) & 0x03;
    let broken = if flags & RESERVED != 0 {
        RESERVED_SET
    } else if flags & WILL == 0 && will_qos != 0 {
        QOS_ALONE
    } else if flags & WILL == 0 && flags & WILL_RETAIN != 0 {
        RETAIN_ALONE
    } else if will_qos == 3 {
        WILL_QOS_3
    } else if version == Version::V3_1_1 && flags & PASSWORD != 0 && flags & USER_NAME == 0 {
        return Err(PASSWORD_ALONE);
    } else {
        return Ok(());
    };
    Err(broken.broken(version))
}

const WILL_QOS_3: Rule = Rule::malformed("MQTT311-3.1.2-14", "MQTT5-3.1.2-12", "the will QoS is 3");

/// The payload's fields, in the order of [MQTT311-3.1.3-1] [MQTT5-3.1.3-1].
fn payload(
    reader: &mut Reader<'_>,
    flags: u8,
    keep_alive_s: u16,
    properties: Properties,
) -> Result<Connect, Violation> {
    const NO_CLIENT_ID: Rule = Rule::malformed(
        "MQTT311-3.1.3-3",
        "MQTT5-3.1.3-3",
        "the client identifier is missing",
    );
    const NO_USER_NAME: Rule = Rule::malformed(
        "MQTT311-3.1.2-19",
        "MQTT5-3.1.2-17",
        "the user name is missing",
    );
    const NO_PASSWORD: Rule = Rule::malformed(
        "MQTT311-3.1.2-21",
        "MQTT5-3.1.2-19",
        "the password is missing",
    );
    // [MQTT311-3.1.3-4] [MQTT5-3.1.3-4] is what `text` checks.
    let client_id = reader.text(NO_CLIENT_ID)?;
    let will = if flags & WILL != 0 {
        Some(will(reader, flags)?)
    } else {
        None
    };
    // [MQTT311-3.1.3-11] [MQTT5-3.1.3-12] likewise.
    let user_name = if flags & USER_NAME != 0 {
        Some(reader.text(NO_USER_NAME)?)
    } else {
        None
    };
    let password = if flags & PASSWORD != 0 {
        Some(Bytes::copy_from_slice(reader.data(NO_PASSWORD)?))
    } else {
        None
    };
    reader.end(trailing(flags))?;
    Ok(Connect {
        version: reader.version,
        clean_session: flags & CLEAN_SESSION != 0,
        keep_alive_s,
        properties,
        client_id,
        will,
        user_name,
        password,
    })
}

fn will(reader: &mut Reader<'_>, flags: u8) -> Result<Will, Violation> {
    const MISSING: Rule = Rule::malformed(
        "MQTT311-3.1.2-9",
        "MQTT5-3.1.2-9",
        "the will topic or message is missing",
    );
    let version = reader.version;
    if version == Version::V5 && reader.is_empty() {
        return Err(MISSING.broken(version));
    }
    let properties = properties::decode(reader, Place::Will)?;
    // [MQTT311-3.1.3-10] [MQTT5-3.1.3-11] is what `text` checks.
    let topic = TopicName::from_text(reader.text(MISSING)?, version)?;
    let message = Bytes::copy_from_slice(reader.data(MISSING)?);
    let qos =
        Qos::from_level((flags >> WILL_QOS_SHIFT) & 0x03).ok_or(WILL_QOS_3.broken(version))?;
    Ok(Will {
        topic,
        message,
        qos,
        retain: flags & WILL_RETAIN != 0,
        properties,
    })
}

/// Bytes after the last field the flags announce: which flag should have been
/// set for them.
fn trailing(flags: u8) -> Rule {
    if flags & USER_NAME == 0 {
        Rule::malformed(
            "MQTT311-3.1.2-18",
            "MQTT5-3.1.2-16",
            "a field follows that no flag announces",
        )
    } else if flags & PASSWORD == 0 {
        Rule::malformed(
            "MQTT311-3.1.2-20",
            "MQTT5-3.1.2-18",
            "a password follows that no flag announces",
        )
    } else {
        Rule::malformed(
            "MQTT311-3.1.4-1",
            "MQTT5-3.1.4-1",
            "bytes follow the last field",
        )
    }
}

/// Writes it in the version that it names.
pub(crate) fn encode(connect: &Connect, out: &mut Vec<u8>) {
    let version = connect.version;
    let mut flags = 0;
    let mut length = 10
        + properties::encoded_len(&connect.properties, version)
        + 2
        + connect.client_id.as_bytes().len();
    if connect.clean_session {
        flags |= CLEAN_SESSION;
    }
    if let Some(will) = &connect.will {
        flags |= WILL | ((will.qos as u8) << WILL_QOS_SHIFT);
        if will.retain {
            flags |= WILL_RETAIN;
        }
        length += properties::encoded_len(&will.properties, version);
        length += 4 + will.topic.as_bytes().len() + will.message.len();
    }
    if let Some(user_name) = &connect.user_name {
        flags |= USER_NAME;
        length += 2 + user_name.as_bytes().len();
    }
    if let Some(password) = &connect.password {
        flags |= PASSWORD;
        length += 2 + password.len();
    }
    write_header(out, 0x10, length);
    write_data(out, PROTOCOL_NAME);
    out.push(version.level());
    out.push(flags);
    write_short(out, connect.keep_alive_s);
    properties::encode(&connect.properties, version, out);
    write_data(out, connect.client_id.as_bytes());
    if let Some(will) = &connect.will {
        properties::encode(&will.properties, version, out);
        write_data(out, will.topic.as_bytes());
        write_data(out, &will.message);
    }
    if let Some(user_name) = &connect.user_name {
        write_data(out, user_name.as_bytes());
    }
    if let Some(password) = &connect.password {
        write_data(out, password);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Sender::Client;
    use crate::wire::testing::{
        check_breaks, check_breaks_5, check_same, check_same_5, decode, framed, id, text,
    };
    use crate::wire::{Packet, PayloadFormat, Property};
    use rstest::rstest;
    use std::num::NonZeroU32;

    #[test]
    fn the_least() {
        let connect = Connect {
            clean_session: true,
            ..Connect::default()
        };
        let bytes = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00";
        check_same(Client, bytes, &Packet::Connect(Box::new(connect)));
    }

    /// All fields, in the order of [MQTT311-3.1.3-1].
    #[test]
    fn everything() {
        let will = Will {
            topic: TopicName::new("w").expect("a topic"),
            message: Bytes::from_static(&[0xff, 0x00]),
            qos: Qos::ExactlyOnce,
            retain: true,
            properties: Properties::NONE,
        };
        let connect = Connect {
            clean_session: false,
            keep_alive_s: 0x1234,
            client_id: text("c"),
            will: Some(will),
            user_name: Some(text("u")),
            password: Some(Bytes::from_static(b"p")),
            ..Connect::default()
        };
        let bytes = framed(
            0x10,
            b"\x00\x04MQTT\x04\xf4\x12\x34\x00\x01c\x00\x01w\x00\x02\xff\x00\x00\x01u\x00\x01p",
        );
        check_same(Client, &bytes, &Packet::Connect(Box::new(connect)));
    }

    #[rstest]
    #[case::empty(b"", "MQTT311-3.1.2-1")]
    #[case::another_name(b"\0\x04MQTX\x04\x02\0\0\0\x01c", "MQTT311-3.1.2-1")]
    #[case::lower_case(b"\0\x04mqtt\x04\x02\0\0\0\x01c", "MQTT311-3.1.2-1")]
    #[case::mqtt_3_1(b"\0\x06MQIsdp\x03\x02\0\0\0\x01c", "MQTT311-3.1.2-1")]
    #[case::no_level(b"\0\x04MQTT", "MQTT311 section 3.1.2.2")]
    #[case::no_flags(b"\0\x04MQTT\x04", "MQTT311-3.1.4-1")]
    #[case::reserved_flag(b"\0\x04MQTT\x04\x03\0\0\0\x01c", "MQTT311-3.1.2-3")]
    #[case::no_keep_alive(b"\0\x04MQTT\x04\x02\0", "MQTT311-3.1.4-1")]
    #[case::will_missing(b"\0\x04MQTT\x04\x06\0\0\0\x01c", "MQTT311-3.1.2-9")]
    #[case::will_message_missing(b"\0\x04MQTT\x04\x06\0\0\0\x01c\0\x01w", "MQTT311-3.1.2-9")]
    // Also [MQTT311-3.1.2-11].
    #[case::will_not_announced(b"\0\x04MQTT\x04\x02\0\0\0\x01c\0\x01w\0\0", "MQTT311-3.1.2-18")]
    #[case::will_qos_without_will(b"\0\x04MQTT\x04\x0a\0\0\0\x01c", "MQTT311-3.1.2-13")]
    #[case::will_qos_3(b"\0\x04MQTT\x04\x1e\0\0\0\x01c\0\x01w\0\0", "MQTT311-3.1.2-14")]
    #[case::will_retain_without_will(b"\0\x04MQTT\x04\x22\0\0\0\x01c", "MQTT311-3.1.2-15")]
    #[case::user_not_announced(b"\0\x04MQTT\x04\x02\0\0\0\x01c\0\x01u", "MQTT311-3.1.2-18")]
    #[case::user_missing(b"\0\x04MQTT\x04\x82\0\0\0\x01c", "MQTT311-3.1.2-19")]
    #[case::password_not_announced(
        b"\0\x04MQTT\x04\x82\0\0\0\x01c\0\x01u\0\x01p",
        "MQTT311-3.1.2-20"
    )]
    #[case::password_missing(b"\0\x04MQTT\x04\xc2\0\0\0\x01c\0\x01u", "MQTT311-3.1.2-21")]
    #[case::password_alone(b"\0\x04MQTT\x04\x42\0\0\0\x01c\0\x01p", "MQTT311-3.1.2-22")]
    #[case::more(b"\0\x04MQTT\x04\xc2\0\0\0\x01c\0\x01u\0\x01p!", "MQTT311-3.1.4-1")]
    #[case::no_client_id(b"\0\x04MQTT\x04\x02\0\0", "MQTT311-3.1.3-3")]
    #[case::client_id_short(b"\0\x04MQTT\x04\x02\0\0\0\x02c", "MQTT311-3.1.3-3")]
    // Also [MQTT311-3.1.3-4], [MQTT311-3.1.3-10], [MQTT311-3.1.3-11].
    #[case::client_id_not_text(b"\0\x04MQTT\x04\x02\0\0\0\x02\xff\xfe", "MQTT311-1.5.3-1")]
    #[case::client_id_nul(b"\0\x04MQTT\x04\x02\0\0\0\x02a\0", "MQTT311-1.5.3-2")]
    #[case::will_topic_not_text(
        b"\0\x04MQTT\x04\x06\0\0\0\x01c\0\x02\xc3\x28\0\0",
        "MQTT311-1.5.3-1"
    )]
    #[case::will_topic_wild(b"\0\x04MQTT\x04\x06\0\0\0\x01c\0\x01#\0\0", "MQTT311-3.3.2-2")]
    #[case::will_topic_empty(b"\0\x04MQTT\x04\x06\0\0\0\x01c\0\0\0\0", "MQTT311-4.7.3-1")]
    #[case::user_not_text(b"\0\x04MQTT\x04\x82\0\0\0\x01c\0\x02\xc3\x28", "MQTT311-1.5.3-1")]
    fn malformed(#[case] body: &[u8], #[case] rule: &str) {
        check_breaks(Client, &framed(0x10, body), rule);
    }

    #[test]
    fn flags_in_the_fixed_header_are_reserved() {
        let bytes = framed(0x11, b"\0\x04MQTT\x04\x02\0\0\0\x01c");
        check_breaks(Client, &bytes, "MQTT311-2.2.2-2");
    }

    /// Whatever follows the level, since it may mean something else there.
    #[rstest]
    #[case(0)]
    #[case(3)]
    #[case(5)]
    #[case(0x84)]
    fn another_level(#[case] level: u8) {
        let bytes = framed(0x10, &[b"\0\x04MQTT", &[level, 0xff][..]].concat());
        let error = WireError::UnsupportedProtocolLevel(level);
        assert_eq!(error.rule(), Some("MQTT311-3.1.2-2"));
        assert_eq!(decode(Client, &bytes), Err(error));
    }

    #[test]
    fn the_least_5() {
        let connect = Connect {
            version: Version::V5,
            clean_session: true,
            ..Connect::default()
        };
        let bytes = b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00";
        check_same_5(Client, bytes, &Packet::Connect(Box::new(connect)));
    }

    /// [MQTT5-3.1.3-1]; and a password needs no user name.
    #[test]
    fn everything_5() {
        let properties = [
            Property::SessionExpiryInterval(1),
            Property::ReceiveMaximum(id(2)),
            Property::MaximumPacketSize(NonZeroU32::MIN),
            Property::TopicAliasMaximum(0),
            Property::RequestResponseInformation(true),
            Property::RequestProblemInformation(false),
            Property::UserProperty(text("k"), text("v")),
            Property::AuthenticationMethod(text("m")),
            Property::AuthenticationData(Bytes::from_static(b"d")),
        ];
        let of_the_will = [
            Property::WillDelayInterval(3),
            Property::PayloadFormatIndicator(PayloadFormat::Unspecified),
            Property::MessageExpiryInterval(4),
        ];
        let will = Will {
            topic: TopicName::new("w").expect("a topic"),
            message: Bytes::from_static(b"!"),
            qos: Qos::AtLeastOnce,
            retain: false,
            properties: of_the_will.into_iter().collect(),
        };
        let connect = Connect {
            version: Version::V5,
            clean_session: false,
            keep_alive_s: 10,
            properties: properties.into_iter().collect(),
            client_id: text("c"),
            will: Some(will),
            user_name: None,
            password: Some(Bytes::from_static(b"p")),
        };
        let body = [
            &b"\0\x04MQTT\x05\x4c\0\x0a\x23\x11\0\0\0\x01\x21\0\x02\x27\0\0\0\x01\x22\0\0\x19\x01"
                [..],
            b"\x17\0\x26\0\x01k\0\x01v\x15\0\x01m\x16\0\x01d",
            b"\0\x01c\x0c\x18\0\0\0\x03\x01\0\x02\0\0\0\x04\0\x01w\0\x01!\0\x01p",
        ];
        let bytes = framed(0x10, &body.concat());
        check_same_5(Client, &bytes, &Packet::Connect(Box::new(connect)));
    }

    #[rstest]
    #[case::another_name(b"\0\x04MQTX\x05\x02\0\0\0\0\x01c", "MQTT5-3.1.2-1", 0x84)]
    #[case::no_name(b"\0\x04MQ", "MQTT5-3.1.2-1", 0x81)]
    #[case::no_level(b"\0\x04MQTT", "MQTT5 section 3.1.2.2", 0x81)]
    #[case::no_flags(b"\0\x04MQTT\x05", "MQTT5-3.1.4-1", 0x81)]
    #[case::reserved_flag(b"\0\x04MQTT\x05\x03\0\0\0\0\x01c", "MQTT5-3.1.2-3", 0x81)]
    #[case::no_keep_alive(b"\0\x04MQTT\x05\x02\0", "MQTT5-3.1.4-1", 0x81)]
    #[case::no_properties(b"\0\x04MQTT\x05\x02\0\0", "MQTT5-2.2.2-1", 0x81)]
    #[case::will_missing(b"\0\x04MQTT\x05\x06\0\0\0\0\x01c", "MQTT5-3.1.2-9", 0x81)]
    #[case::will_topic_missing(b"\0\x04MQTT\x05\x06\0\0\0\0\x01c\0", "MQTT5-3.1.2-9", 0x81)]
    #[case::will_qos_alone(b"\0\x04MQTT\x05\x0a\0\0\0\0\x01c", "MQTT5-3.1.2-11", 0x81)]
    #[case::will_qos_3(
        b"\0\x04MQTT\x05\x1e\0\0\0\0\x01c\0\0\x01w\0\0",
        "MQTT5-3.1.2-12",
        0x81
    )]
    #[case::will_retain_alone(b"\0\x04MQTT\x05\x22\0\0\0\0\x01c", "MQTT5-3.1.2-13", 0x81)]
    #[case::user_not_announced(b"\0\x04MQTT\x05\x02\0\0\0\0\x01c\0\x01u", "MQTT5-3.1.2-16", 0x81)]
    #[case::user_missing(b"\0\x04MQTT\x05\x82\0\0\0\0\x01c", "MQTT5-3.1.2-17", 0x81)]
    #[case::password_not_announced(
        b"\0\x04MQTT\x05\x82\0\0\0\0\x01c\0\x01u\0\x01p",
        "MQTT5-3.1.2-18",
        0x81
    )]
    #[case::password_missing(b"\0\x04MQTT\x05\x42\0\0\0\0\x01c", "MQTT5-3.1.2-19", 0x81)]
    #[case::more(
        b"\0\x04MQTT\x05\xc2\0\0\0\0\x01c\0\x01u\0\x01p!",
        "MQTT5-3.1.4-1",
        0x81
    )]
    #[case::no_client_id(b"\0\x04MQTT\x05\x02\0\0\0", "MQTT5-3.1.3-3", 0x81)]
    // Also [MQTT5-3.1.3-4], [MQTT5-3.1.3-11], [MQTT5-3.1.3-12].
    #[case::client_id_not_text(b"\0\x04MQTT\x05\x02\0\0\0\0\x01\xff", "MQTT5-1.5.4-1", 0x81)]
    #[case::will_topic_wild(b"\0\x04MQTT\x05\x06\0\0\0\0\x01c\0\0\x01#\0\0", "MQTT5-3.3.2-2", 0x81)]
    #[case::will_topic_empty(b"\0\x04MQTT\x05\x06\0\0\0\0\x01c\0\0\0\0\0", "MQTT5-4.7.3-1", 0x81)]
    #[case::user_not_text(b"\0\x04MQTT\x05\x82\0\0\0\0\x01c\0\x01\xff", "MQTT5-1.5.4-1", 0x81)]
    #[case::receive_maximum_0(
        b"\0\x04MQTT\x05\x02\0\0\x03\x21\0\0\0\x01c",
        "MQTT5 section 3.1.2.11.3",
        0x82
    )]
    #[case::maximum_packet_size_0(
        b"\0\x04MQTT\x05\x02\0\0\x05\x27\0\0\0\0\0\x01c",
        "MQTT5 section 3.1.2.11.4",
        0x82
    )]
    #[case::request_response_2(
        b"\0\x04MQTT\x05\x02\0\0\x02\x19\x02\0\x01c",
        "MQTT5 section 3.1.2.11.6",
        0x82
    )]
    #[case::request_problem_2(
        b"\0\x04MQTT\x05\x02\0\0\x02\x17\x02\0\x01c",
        "MQTT5 section 3.1.2.11.7",
        0x82
    )]
    #[case::expiry_twice(
        b"\0\x04MQTT\x05\x02\0\0\x0a\x11\0\0\0\x01\x11\0\0\0\x01\0\x01c",
        "MQTT5 section 3.1.2.11.2",
        0x82
    )]
    #[case::alias_maximum_twice(
        b"\0\x04MQTT\x05\x02\0\0\x06\x22\0\x01\x22\0\x01\0\x01c",
        "MQTT5 section 3.1.2.11.5",
        0x82
    )]
    #[case::method_twice(
        b"\0\x04MQTT\x05\x02\0\0\x06\x15\0\0\x15\0\0\0\x01c",
        "MQTT5 section 3.1.2.11.9",
        0x82
    )]
    #[case::data_without_method(
        b"\0\x04MQTT\x05\x02\0\0\x03\x16\0\0\0\x01c",
        "MQTT5 section 3.1.2.11.10",
        0x82
    )]
    #[case::of_the_will_alone(
        b"\0\x04MQTT\x05\x02\0\0\x05\x18\0\0\0\x01\0\x01c",
        "MQTT5 section 2.2.2.2",
        0x81
    )]
    #[case::not_of_the_will(
        b"\0\x04MQTT\x05\x06\0\0\0\0\x01c\x03\x23\0\x01\0\x01w\0\0",
        "MQTT5 section 2.2.2.2",
        0x81
    )]
    #[case::delay_twice(
        b"\0\x04MQTT\x05\x06\0\0\0\0\x01c\x0a\x18\0\0\0\x01\x18\0\0\0\x01\0\x01w\0\0",
        "MQTT5 section 3.1.3.2.2",
        0x82
    )]
    fn malformed_5(#[case] body: &[u8], #[case] rule: &str, #[case] code: u8) {
        check_breaks_5(Client, &framed(0x10, body), rule, code);
    }

    #[test]
    fn a_decoder_of_one_version_takes_no_other() {
        let bytes = framed(0x10, b"\0\x04MQTT\x04\x02\0\0\0\x01c");
        let mut decoder = crate::wire::Decoder::new(Version::V5, Client, 100);
        let error = decoder.decode(&mut &bytes[..]).expect_err("3.1.1");
        assert_eq!(error, WireError::UnsupportedProtocolLevel(4));
        assert_eq!(error.code(), ReasonCode::UnsupportedProtocolVersion);
    }
}
