//! The MQTT codec: strict, incremental, one packet a file, for 3.1.1 and 5.0.
//!
//! The packets of both versions are the same types; what only 5.0 has is empty
//! in 3.1.1, and is not written there. So whoever passes packets on need not ask
//! which version they came in.
//!
//! ```
//! use squall_broker::wire::{Decoder, Disconnect, Packet, Sender, Version};
//!
//! let mut decoder = Decoder::new(Version::V3_1_1, Sender::Client, 1024);
//! let mut input: &[u8] = &[0xc0, 0x00, 0xe0];
//! assert_eq!(decoder.decode(&mut input), Ok(Some(Packet::PingReq)));
//! assert_eq!(decoder.decode(&mut input), Ok(None)); // half a DISCONNECT
//! let disconnect = Packet::Disconnect(Disconnect::default());
//! assert_eq!(decoder.decode(&mut &[0x00][..]), Ok(Some(disconnect)));
//! ```

mod ack;
mod auth;
mod connack;
mod connect;
mod decoder;
mod disconnect;
mod error;
mod ping;
mod primitive;
mod properties;
mod property;
pub(crate) mod publish;
mod reason;
mod suback;
mod subscribe;
#[cfg(test)]
mod testing;
mod topic;
mod unsuback;
mod unsubscribe;

pub use ack::Ack;
pub use auth::Auth;
pub use connack::ConnAck;
pub use connect::{Connect, Will};
pub use decoder::Decoder;
pub use disconnect::Disconnect;
pub use error::{Violation, WireError};
pub use primitive::{PacketId, Qos, REMAINING_LENGTH_MAX, Text};
pub use properties::Properties;
pub use property::{PayloadFormat, Property, SubscriptionId};
pub use publish::{Delivery, Publish};
pub use reason::ReasonCode;
pub use suback::{SubAck, SubscribeCode};
pub use subscribe::{RetainHandling, Subscribe, Subscription, SubscriptionOptions};
pub use topic::{TopicFilter, TopicName};
pub use unsuback::UnsubAck;
pub use unsubscribe::Unsubscribe;

pub(crate) use error::Rule;
pub(crate) use topic::{is_wild, levels};

/// The version of the protocol that packets are written in.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Version {
    /// MQTT 3.1.1, protocol level 4.
    #[default]
    V3_1_1,
    /// MQTT 5.0, protocol level 5.
    V5,
}

impl Version {
    /// The version whose CONNECT names this protocol level.
    #[must_use]
    pub fn from_level(level: u8) -> Option<Self> {
        match level {
            4 => Some(Self::V3_1_1),
            5 => Some(Self::V5),
            _ => None,
        }
    }

    /// The protocol level that its CONNECT names.
    #[must_use]
    pub fn level(self) -> u8 {
        match self {
            Self::V3_1_1 => 4,
            Self::V5 => 5,
        }
    }
}

/// Which side a packet comes from: each may send only some of them (table 2.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sender {
    /// Decode as a server does.
    Client,
    /// Decode as a client does.
    Server,
}

/// A control packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Packet {
    /// A client asks for a connection.
    Connect(Box<Connect>),
    /// The server's answer.
    ConnAck(ConnAck),
    /// An application message.
    Publish(Publish),
    /// QoS 1: received.
    PubAck(Ack),
    /// QoS 2: received.
    PubRec(Ack),
    /// QoS 2: the identifier may be freed.
    PubRel(Ack),
    /// QoS 2: it is freed.
    PubComp(Ack),
    /// A client asks for messages.
    Subscribe(Subscribe),
    /// The server's answer.
    SubAck(SubAck),
    /// A client wants no more.
    Unsubscribe(Unsubscribe),
    /// The server's answer.
    UnsubAck(UnsubAck),
    /// A client's sign of life.
    PingReq,
    /// The server's answer.
    PingResp,
    /// One side leaves.
    Disconnect(Disconnect),
    /// A step of an enhanced authentication, in 5.0.
    Auth(Auth),
}

impl Packet {
    /// The packet's name, as the specification writes it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "CONNECT",
            Self::ConnAck(_) => "CONNACK",
            Self::Publish(_) => "PUBLISH",
            Self::PubAck(_) => "PUBACK",
            Self::PubRec(_) => "PUBREC",
            Self::PubRel(_) => "PUBREL",
            Self::PubComp(_) => "PUBCOMP",
            Self::Subscribe(_) => "SUBSCRIBE",
            Self::SubAck(_) => "SUBACK",
            Self::Unsubscribe(_) => "UNSUBSCRIBE",
            Self::UnsubAck(_) => "UNSUBACK",
            Self::PingReq => "PINGREQ",
            Self::PingResp => "PINGRESP",
            Self::Disconnect(_) => "DISCONNECT",
            Self::Auth(_) => "AUTH",
        }
    }

    /// Appends the packet's bytes to `out`, in this version; a CONNECT's in the
    /// version that it names itself. 3.1.1 has no AUTH: there it adds nothing.
    ///
    /// # Panics
    /// If a payload, a password or a will exceeds what its length field can
    /// say. Nothing that was decoded does.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        match self {
            Self::Connect(connect) => connect::encode(connect, out),
            Self::ConnAck(connack) => connack::encode(version, connack, out),
            Self::Publish(publish) => publish::encode(version, publish, out),
            Self::PubAck(ack) => ack::encode(version, 0x40, ack, out),
            Self::PubRec(ack) => ack::encode(version, 0x50, ack, out),
            Self::PubRel(ack) => ack::encode(version, 0x62, ack, out),
            Self::PubComp(ack) => ack::encode(version, 0x70, ack, out),
            Self::Subscribe(subscribe) => subscribe::encode(version, subscribe, out),
            Self::SubAck(suback) => suback::encode(version, suback, out),
            Self::Unsubscribe(unsubscribe) => unsubscribe::encode(version, unsubscribe, out),
            Self::UnsubAck(unsuback) => unsuback::encode(version, unsuback, out),
            Self::PingReq => ping::encode_request(out),
            Self::PingResp => ping::encode_response(out),
            Self::Disconnect(disconnect) => disconnect::encode(version, disconnect, out),
            Self::Auth(auth) if version == Version::V5 => auth::encode(auth, out),
            Self::Auth(_) => {}
        }
    }
}
