//! The MQTT codec: strict, incremental, one packet a file.
//!
//! ```
//! use squall_broker::wire::{Decoder, Packet, Sender, Version};
//!
//! let mut decoder = Decoder::new(Version::V3_1_1, Sender::Client, 1024);
//! let mut input: &[u8] = &[0xc0, 0x00, 0xe0];
//! assert_eq!(decoder.decode(&mut input), Ok(Some(Packet::PingReq)));
//! assert_eq!(decoder.decode(&mut input), Ok(None)); // half a DISCONNECT
//! assert_eq!(decoder.decode(&mut &[0x00][..]), Ok(Some(Packet::Disconnect)));
//! ```

mod ack;
mod connack;
mod connect;
mod decoder;
mod disconnect;
mod error;
mod ping;
mod primitive;
pub(crate) mod publish;
mod suback;
mod subscribe;
#[cfg(test)]
mod testing;
mod unsuback;
mod unsubscribe;

pub use ack::Ack;
pub use connack::{ConnAck, ConnectCode};
pub use connect::{Connect, Will};
pub use decoder::Decoder;
pub use error::{Violation, WireError};
pub use primitive::{PacketId, Qos, REMAINING_LENGTH_MAX, Text, TopicFilter, TopicName};
pub use publish::{Delivery, Publish};
pub use suback::{SubAck, SubscribeCode};
pub use subscribe::{Subscribe, Subscription};
pub use unsuback::UnsubAck;
pub use unsubscribe::Unsubscribe;

pub(crate) use primitive::levels;

/// The version of the protocol that packets are written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Version {
    /// MQTT 3.1.1, protocol level 4.
    V3_1_1,
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
    /// A client leaves in good order.
    Disconnect,
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
            Self::Disconnect => "DISCONNECT",
        }
    }

    /// Appends the packet's bytes to `out`.
    ///
    /// # Panics
    /// If a payload, a password or a will exceeds what its length field can
    /// say. Nothing that was decoded does.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        match version {
            Version::V3_1_1 => self.encode_3_1_1(out),
        }
    }

    fn encode_3_1_1(&self, out: &mut Vec<u8>) {
        match self {
            Self::Connect(connect) => connect::encode(connect, out),
            Self::ConnAck(connack) => connack::encode(connack, out),
            Self::Publish(publish) => publish::encode(publish, out),
            Self::PubAck(ack) => ack::encode(0x40, *ack, out),
            Self::PubRec(ack) => ack::encode(0x50, *ack, out),
            Self::PubRel(ack) => ack::encode(0x62, *ack, out),
            Self::PubComp(ack) => ack::encode(0x70, *ack, out),
            Self::Subscribe(subscribe) => subscribe::encode(subscribe, out),
            Self::SubAck(suback) => suback::encode(suback, out),
            Self::Unsubscribe(unsubscribe) => unsubscribe::encode(unsubscribe, out),
            Self::UnsubAck(unsuback) => unsuback::encode(*unsuback, out),
            Self::PingReq => ping::encode_request(out),
            Self::PingResp => ping::encode_response(out),
            Self::Disconnect => disconnect::encode(out),
        }
    }
}
