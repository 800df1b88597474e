//! One property of MQTT 5.0 (section 2.2.2.2): what it says, in which packets
//! it may stand, and which values it may have.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;

use super::error::{Rule, Violation};
use super::primitive::{
    Qos, REMAINING_LENGTH_MAX, Reader, Text, checked_text, write_data, write_short, write_variable,
};
use super::reason::ReasonCode;
use super::topic::{TopicName, is_wild};
use super::{Sender, Version};

/// A property, by the name the specification gives it. Intervals are in
/// seconds, sizes in bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names are the specification's own")]
pub enum Property {
    PayloadFormatIndicator(PayloadFormat),
    MessageExpiryInterval(u32),
    ContentType(Text),
    ResponseTopic(TopicName),
    CorrelationData(Bytes),
    SubscriptionIdentifier(SubscriptionId),
    SessionExpiryInterval(u32),
    AssignedClientIdentifier(Text),
    ServerKeepAlive(u16),
    AuthenticationMethod(Text),
    AuthenticationData(Bytes),
    RequestProblemInformation(bool),
    WillDelayInterval(u32),
    RequestResponseInformation(bool),
    ResponseInformation(Text),
    ServerReference(Text),
    ReasonString(Text),
    ReceiveMaximum(NonZeroU16),
    TopicAliasMaximum(u16),
    TopicAlias(NonZeroU16),
    MaximumQos(Qos),
    RetainAvailable(bool),
    UserProperty(Text, Text),
    MaximumPacketSize(NonZeroU32),
    WildcardSubscriptionAvailable(bool),
    SubscriptionIdentifierAvailable(bool),
    SharedSubscriptionAvailable(bool),
}

/// What a payload is said to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PayloadFormat {
    /// 0: bytes, as if nothing had been said.
    Unspecified = 0,
    /// 1: UTF-8 text.
    Utf8 = 1,
}

/// The number a client gives a subscription: 1 to 268,435,455.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SubscriptionId(NonZeroU32);

impl SubscriptionId {
    /// The identifier with this number; `None` for 0 and above 268,435,455.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number)
            .filter(|number| number.get() as usize <= REMAINING_LENGTH_MAX)
            .map(Self)
    }

    /// Its number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

/// Where properties stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Connect,
    Will,
    ConnAck,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    SubAck,
    Unsubscribe,
    UnsubAck,
    Disconnect,
    Auth,
}

impl Place {
    /// The properties that may stand here, by identifier, and the section that
    /// says what each may be.
    const fn allowed(self) -> &'static [(u8, &'static str)] {
        match self {
            Self::Connect => &[
                (0x11, "MQTT5 section 3.1.2.11.2"),
                (0x21, "MQTT5 section 3.1.2.11.3"),
                (0x27, "MQTT5 section 3.1.2.11.4"),
                (0x22, "MQTT5 section 3.1.2.11.5"),
                (0x19, "MQTT5 section 3.1.2.11.6"),
                (0x17, "MQTT5 section 3.1.2.11.7"),
                (0x26, "MQTT5 section 3.1.2.11.8"),
                (0x15, "MQTT5 section 3.1.2.11.9"),
                (0x16, "MQTT5 section 3.1.2.11.10"),
            ],
            Self::Will => &[
                (0x18, "MQTT5 section 3.1.3.2.2"),
                (0x01, "MQTT5 section 3.1.3.2.3"),
                (0x02, "MQTT5 section 3.1.3.2.4"),
                (0x03, "MQTT5 section 3.1.3.2.5"),
                (0x08, "MQTT5 section 3.1.3.2.6"),
                (0x09, "MQTT5 section 3.1.3.2.7"),
                (0x26, "MQTT5 section 3.1.3.2.8"),
            ],
            Self::ConnAck => &[
                (0x11, "MQTT5 section 3.2.2.3.2"),
                (0x21, "MQTT5 section 3.2.2.3.3"),
                (0x24, "MQTT5 section 3.2.2.3.4"),
                (0x25, "MQTT5 section 3.2.2.3.5"),
                (0x27, "MQTT5 section 3.2.2.3.6"),
                (0x12, "MQTT5 section 3.2.2.3.7"),
                (0x22, "MQTT5 section 3.2.2.3.8"),
                (0x1f, "MQTT5 section 3.2.2.3.9"),
                (0x26, "MQTT5 section 3.2.2.3.10"),
                (0x28, "MQTT5 section 3.2.2.3.11"),
                (0x29, "MQTT5 section 3.2.2.3.12"),
                (0x2a, "MQTT5 section 3.2.2.3.13"),
                (0x13, "MQTT5 section 3.2.2.3.14"),
                (0x1a, "MQTT5 section 3.2.2.3.15"),
                (0x1c, "MQTT5 section 3.2.2.3.16"),
                (0x15, "MQTT5 section 3.2.2.3.17"),
                (0x16, "MQTT5 section 3.2.2.3.18"),
            ],
            Self::Publish => &[
                (0x01, "MQTT5 section 3.3.2.3.2"),
                (0x02, "MQTT5 section 3.3.2.3.3"),
                (0x23, "MQTT5 section 3.3.2.3.4"),
                (0x08, "MQTT5 section 3.3.2.3.5"),
                (0x09, "MQTT5 section 3.3.2.3.6"),
                (0x26, "MQTT5 section 3.3.2.3.7"),
                (0x0b, "MQTT5 section 3.3.2.3.8"),
                (0x03, "MQTT5 section 3.3.2.3.9"),
            ],
            Self::PubAck => &[
                (0x1f, "MQTT5 section 3.4.2.2.2"),
                (0x26, "MQTT5 section 3.4.2.2.3"),
            ],
            Self::PubRec => &[
                (0x1f, "MQTT5 section 3.5.2.2.2"),
                (0x26, "MQTT5 section 3.5.2.2.3"),
            ],
            Self::PubRel => &[
                (0x1f, "MQTT5 section 3.6.2.2.2"),
                (0x26, "MQTT5 section 3.6.2.2.3"),
            ],
            Self::PubComp => &[
                (0x1f, "MQTT5 section 3.7.2.2.2"),
                (0x26, "MQTT5 section 3.7.2.2.3"),
            ],
            Self::Subscribe => &[
                (0x0b, "MQTT5 section 3.8.2.1.2"),
                (0x26, "MQTT5 section 3.8.2.1.3"),
            ],
            Self::SubAck => &[
                (0x1f, "MQTT5 section 3.9.2.1.2"),
                (0x26, "MQTT5 section 3.9.2.1.3"),
            ],
            Self::Unsubscribe => &[(0x26, "MQTT5 section 3.10.2.1.2")],
            Self::UnsubAck => &[
                (0x1f, "MQTT5 section 3.11.2.1.2"),
                (0x26, "MQTT5 section 3.11.2.1.3"),
            ],
            Self::Disconnect => &[
                (0x11, "MQTT5 section 3.14.2.2.2"),
                (0x1f, "MQTT5 section 3.14.2.2.3"),
                (0x26, "MQTT5 section 3.14.2.2.4"),
                (0x1c, "MQTT5 section 3.14.2.2.5"),
            ],
            Self::Auth => &[
                (0x15, "MQTT5 section 3.15.2.2.2"),
                (0x16, "MQTT5 section 3.15.2.2.3"),
                (0x1f, "MQTT5 section 3.15.2.2.4"),
                (0x26, "MQTT5 section 3.15.2.2.5"),
            ],
        }
    }

    fn section(self, id: u8) -> Option<&'static str> {
        self.allowed()
            .iter()
            .find(|(allowed, _)| *allowed == id)
            .map(|(_, section)| *section)
    }

    /// Whether a property may stand here more than once: the user property
    /// always may, and a message says every subscription that it is sent for.
    fn repeats(self, id: u8) -> bool {
        id == 0x26 || (id == 0x0b && self == Self::Publish)
    }
}

/// A property as it lies in the packet, nothing copied.
pub(crate) struct Raw<'a> {
    id: u8,
    value: Value<'a>,
}

enum Value<'a> {
    Number(u32),
    Bytes(&'a [u8]),
    Pair(&'a [u8], &'a [u8]),
}

const CUT_SHORT: Rule = only_v5(Violation::malformed(
    "MQTT5 section 2.2.2.2",
    "a property is cut short",
));

/// A rule for what only 5.0 has.
const fn only_v5(violation: Violation) -> Rule {
    Rule::malformed(violation.rule, violation.rule, violation.what)
}

impl<'a> Raw<'a> {
    /// Reads the next property, of whatever packet.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, Violation> {
        const UNKNOWN: Violation =
            Violation::malformed("MQTT5 section 2.2.2.2", "a property is not known");
        let id = u8::try_from(reader.variable(CUT_SHORT)?).map_err(|_| UNKNOWN)?;
        let value = match id {
            // Byte
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a => {
                Value::Number(u32::from(reader.byte(CUT_SHORT)?))
            }
            // Two Byte Integer
            0x13 | 0x21 | 0x22 | 0x23 => Value::Number(u32::from(reader.short(CUT_SHORT)?)),
            // Four Byte Integer
            0x02 | 0x11 | 0x18 | 0x27 => Value::Number(reader.long(CUT_SHORT)?),
            // Variable Byte Integer
            0x0b => Value::Number(reader.variable(CUT_SHORT)? as u32),
            // UTF-8 Encoded String
            0x03 | 0x08 | 0x12 | 0x15 | 0x1a | 0x1c | 0x1f => {
                let bytes = reader.text_bytes(CUT_SHORT);
                Value::Bytes(bytes.map_err(|broken| match (id, broken.rule) {
                    (0x03, "MQTT5-1.5.4-1") => Violation {
                        rule: "MQTT5-3.3.2-19",
                        ..broken
                    },
                    (0x08, "MQTT5-1.5.4-1") => Violation {
                        rule: "MQTT5-3.3.2-13",
                        ..broken
                    },
                    _ => broken,
                })?)
            }
            // Binary Data
            0x09 | 0x16 => Value::Bytes(reader.data(CUT_SHORT)?),
            // UTF-8 String Pair
            0x26 => {
                let mut half = || {
                    reader
                        .text_bytes(CUT_SHORT)
                        .map_err(|broken| match broken.rule {
                            "MQTT5-1.5.4-1" | "MQTT5-1.5.4-2" => Violation {
                                rule: "MQTT5-1.5.7-1",
                                ..broken
                            },
                            _ => broken,
                        })
                };
                Value::Pair(half()?, half()?)
            }
            _ => return Err(UNKNOWN),
        };
        Ok(Self { id, value })
    }

    /// What it must be by itself. `seen` has a bit for each property that came
    /// before.
    pub(crate) fn check(
        &self,
        place: Place,
        sender: Sender,
        seen: &mut u64,
    ) -> Result<(), Violation> {
        let id = self.id;
        let Some(section) = place.section(id) else {
            return Err(Violation::malformed(
                "MQTT5 section 2.2.2.2",
                "a property does not belong in this packet",
            ));
        };
        match (place, id, sender) {
            (Place::Publish, 0x0b, Sender::Client) => {
                return Err(Violation::protocol(
                    "MQTT5-3.3.4-6",
                    "a client's PUBLISH has a subscription identifier",
                ));
            }
            (Place::Disconnect, 0x11, Sender::Server) => {
                return Err(Violation::protocol(
                    "MQTT5-3.14.2-2",
                    "a server's DISCONNECT has a session expiry interval",
                ));
            }
            _ => {}
        }
        if *seen & (1 << id) != 0 && !place.repeats(id) {
            return Err(Violation::protocol(
                section,
                "a property stands there twice",
            ));
        }
        *seen |= 1 << id;
        self.check_value(section)
    }

    fn check_value(&self, section: &'static str) -> Result<(), Violation> {
        match (self.id, &self.value) {
            (0x01, Value::Number(2..)) => Err(Violation::malformed(
                section,
                "the payload format indicator is not 0 or 1",
            )),
            (0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a, Value::Number(2..)) => Err(
                Violation::protocol(section, "a property's value is not 0 or 1"),
            ),
            (0x0b | 0x21 | 0x27, Value::Number(0)) => {
                Err(Violation::protocol(section, "a property's value is 0"))
            }
            (0x23, Value::Number(0)) => Err(Violation::answered(
                ReasonCode::TopicAliasInvalid,
                "MQTT5-3.3.2-8",
                "the topic alias is 0",
            )),
            (0x08, Value::Bytes(topic)) if is_wild(topic) => Err(Violation::malformed(
                "MQTT5-3.3.2-14",
                "the response topic holds a wildcard",
            )),
            (0x08, Value::Bytes([])) => Err(Violation::malformed(
                "MQTT5-4.7.3-1",
                "the response topic is empty",
            )),
            _ => Ok(()),
        }
    }

    /// The property itself; its text and data are slices of `of`, in which it
    /// was read and checked. `None` if it was not.
    pub(crate) fn property(&self, of: &Bytes) -> Option<Property> {
        Some(match &self.value {
            Value::Number(number) => numeric(self.id, *number)?,
            Value::Bytes(bytes) => {
                let bytes = of.slice_ref(bytes);
                match self.id {
                    0x03 => Property::ContentType(checked_text(bytes)),
                    0x08 => Property::ResponseTopic(
                        TopicName::from_text(checked_text(bytes), Version::V5).ok()?,
                    ),
                    0x09 => Property::CorrelationData(bytes),
                    0x12 => Property::AssignedClientIdentifier(checked_text(bytes)),
                    0x15 => Property::AuthenticationMethod(checked_text(bytes)),
                    0x16 => Property::AuthenticationData(bytes),
                    0x1a => Property::ResponseInformation(checked_text(bytes)),
                    0x1c => Property::ServerReference(checked_text(bytes)),
                    0x1f => Property::ReasonString(checked_text(bytes)),
                    _ => return None,
                }
            }
            Value::Pair(name, value) => Property::UserProperty(
                checked_text(of.slice_ref(name)),
                checked_text(of.slice_ref(value)),
            ),
        })
    }
}

fn numeric(id: u8, number: u32) -> Option<Property> {
    let short = u16::try_from(number).ok();
    Some(match id {
        0x01 if number == 0 => Property::PayloadFormatIndicator(PayloadFormat::Unspecified),
        0x01 => Property::PayloadFormatIndicator(PayloadFormat::Utf8),
        0x02 => Property::MessageExpiryInterval(number),
        0x0b => Property::SubscriptionIdentifier(SubscriptionId::new(number)?),
        0x11 => Property::SessionExpiryInterval(number),
        0x13 => Property::ServerKeepAlive(short?),
        0x17 => Property::RequestProblemInformation(number != 0),
        0x18 => Property::WillDelayInterval(number),
        0x19 => Property::RequestResponseInformation(number != 0),
        0x21 => Property::ReceiveMaximum(NonZeroU16::new(short?)?),
        0x22 => Property::TopicAliasMaximum(short?),
        0x23 => Property::TopicAlias(NonZeroU16::new(short?)?),
        0x24 => Property::MaximumQos(Qos::from_level(number as u8)?),
        0x25 => Property::RetainAvailable(number != 0),
        0x27 => Property::MaximumPacketSize(NonZeroU32::new(number)?),
        0x28 => Property::WildcardSubscriptionAvailable(number != 0),
        0x29 => Property::SubscriptionIdentifierAvailable(number != 0),
        0x2a => Property::SharedSubscriptionAvailable(number != 0),
        _ => return None,
    })
}

impl Property {
    /// Its identifier (table 2-4).
    #[must_use]
    pub fn id(&self) -> u8 {
        match self {
            Self::PayloadFormatIndicator(_) => 0x01,
            Self::MessageExpiryInterval(_) => 0x02,
            Self::ContentType(_) => 0x03,
            Self::ResponseTopic(_) => 0x08,
            Self::CorrelationData(_) => 0x09,
            Self::SubscriptionIdentifier(_) => 0x0b,
            Self::SessionExpiryInterval(_) => 0x11,
            Self::AssignedClientIdentifier(_) => 0x12,
            Self::ServerKeepAlive(_) => 0x13,
            Self::AuthenticationMethod(_) => 0x15,
            Self::AuthenticationData(_) => 0x16,
            Self::RequestProblemInformation(_) => 0x17,
            Self::WillDelayInterval(_) => 0x18,
            Self::RequestResponseInformation(_) => 0x19,
            Self::ResponseInformation(_) => 0x1a,
            Self::ServerReference(_) => 0x1c,
            Self::ReasonString(_) => 0x1f,
            Self::ReceiveMaximum(_) => 0x21,
            Self::TopicAliasMaximum(_) => 0x22,
            Self::TopicAlias(_) => 0x23,
            Self::MaximumQos(_) => 0x24,
            Self::RetainAvailable(_) => 0x25,
            Self::UserProperty(..) => 0x26,
            Self::MaximumPacketSize(_) => 0x27,
            Self::WildcardSubscriptionAvailable(_) => 0x28,
            Self::SubscriptionIdentifierAvailable(_) => 0x29,
            Self::SharedSubscriptionAvailable(_) => 0x2a,
        }
    }

    /// Writes identifier and value.
    ///
    /// # Panics
    /// If binary data exceeds 65,535 bytes.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.id());
        match self {
            Self::PayloadFormatIndicator(format) => out.push(*format as u8),
            Self::MaximumQos(qos) => out.push(*qos as u8),
            Self::RequestProblemInformation(value)
            | Self::RequestResponseInformation(value)
            | Self::RetainAvailable(value)
            | Self::WildcardSubscriptionAvailable(value)
            | Self::SubscriptionIdentifierAvailable(value)
            | Self::SharedSubscriptionAvailable(value) => out.push(u8::from(*value)),
            Self::ServerKeepAlive(value) | Self::TopicAliasMaximum(value) => {
                write_short(out, *value);
            }
            Self::ReceiveMaximum(value) | Self::TopicAlias(value) => write_short(out, value.get()),
            Self::MessageExpiryInterval(value)
            | Self::SessionExpiryInterval(value)
            | Self::WillDelayInterval(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::MaximumPacketSize(value) => out.extend_from_slice(&value.get().to_be_bytes()),
            Self::SubscriptionIdentifier(id) => write_variable(out, id.get() as usize),
            Self::ContentType(text)
            | Self::AssignedClientIdentifier(text)
            | Self::AuthenticationMethod(text)
            | Self::ResponseInformation(text)
            | Self::ServerReference(text)
            | Self::ReasonString(text) => write_data(out, text.as_bytes()),
            Self::ResponseTopic(topic) => write_data(out, topic.as_bytes()),
            Self::CorrelationData(data) | Self::AuthenticationData(data) => write_data(out, data),
            Self::UserProperty(name, value) => {
                write_data(out, name.as_bytes());
                write_data(out, value.as_bytes());
            }
        }
    }
}
