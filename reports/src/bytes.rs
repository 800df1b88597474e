//! What a run cost on the wire, layer by layer.
//!
//! Every byte is counted once, in the IP packet that carried it, at the end
//! that sent it: a packet the network loses was paid for, a copy the network
//! makes was not. *Up* is from device to server, *down* from server to device.
//! The layers of a direction add up to the bytes on the wire in that
//! direction, exactly; [`Bytes::check`] holds them to it.

use std::{
    fmt,
    ops::{Index, IndexMut},
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeMap,
};

/// What a byte on the wire was for.
///
/// The order is the one reports use. It is the index of a counter array as
/// well: [`LayerBytes`] is indexed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The application's own bytes: the payload of PUBLISH packets, readings in
    /// a WebSocket's messages, readings in HTTP's bodies.
    Payload,
    /// PUBLISH without its payload (fixed header, topic, packet identifier,
    /// properties), SUBSCRIBE and UNSUBSCRIBE.
    Mqtt,
    /// Headers and masks of a WebSocket's data frames, and what the hub's own
    /// protocol writes before a reading.
    WebSocket,
    /// HTTP's request and status lines and headers, the framing of chunked
    /// bodies, and what a body holds besides readings.
    Http,
    /// PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK; the messages with
    /// which the hub and its clients acknowledge.
    Acknowledgements,
    /// CONNECT, CONNACK, AUTH and DISCONNECT; a WebSocket's opening handshake and
    /// its Close frames.
    Connecting,
    /// PINGREQ and PINGRESP; a WebSocket's Ping and Pong frames.
    KeepAlive,
    /// TLS records that carry no application data: the handshake, session
    /// tickets and alerts.
    TlsHandshake,
    /// What TLS adds to application data: record headers, content types and
    /// authentication tags.
    Tls,
    /// TCP and IP headers of packets with SYN, FIN or RST set. Data such a
    /// packet carries counts where that data belongs.
    TcpHandshake,
    /// TCP and IP headers of all other packets that carry data.
    TcpIp,
    /// Packets that carry nothing but a TCP acknowledgement or window.
    PureAck,
    /// Whole packets, headers included, that repeat a part of the stream
    /// (or a SYN or FIN) the sender had sent before.
    Retransmitted,
    /// Data of TCP segments that is no part of a well-formed packet of the
    /// application's protocol.
    Other,
}

impl Layer {
    /// How many layers there are.
    pub const COUNT: usize = 14;

    /// All layers, in the order of reports.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Payload,
        Self::Mqtt,
        Self::WebSocket,
        Self::Http,
        Self::Acknowledgements,
        Self::Connecting,
        Self::KeepAlive,
        Self::TlsHandshake,
        Self::Tls,
        Self::TcpHandshake,
        Self::TcpIp,
        Self::PureAck,
        Self::Retransmitted,
        Self::Other,
    ];

    /// Its name in JSON.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Payload => "payload",
            Self::Mqtt => "mqtt",
            Self::WebSocket => "websocket",
            Self::Http => "http",
            Self::Acknowledgements => "acknowledgements",
            Self::Connecting => "connecting",
            Self::KeepAlive => "keep_alive",
            Self::TlsHandshake => "tls_handshake",
            Self::Tls => "tls",
            Self::TcpHandshake => "tcp_handshake",
            Self::TcpIp => "tcp_ip",
            Self::PureAck => "pure_ack",
            Self::Retransmitted => "retransmitted",
            Self::Other => "other",
        }
    }

    /// Its name in reports that people read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Payload => "payload",
            Self::Mqtt => "MQTT",
            Self::WebSocket => "WebSocket",
            Self::Http => "HTTP",
            Self::Acknowledgements => "acknowledgements",
            Self::Connecting => "connecting",
            Self::KeepAlive => "keep-alive",
            Self::TlsHandshake => "TLS handshake",
            Self::Tls => "TLS",
            Self::TcpHandshake => "TCP handshake",
            Self::TcpIp => "TCP/IP",
            Self::PureAck => "TCP ACK",
            Self::Retransmitted => "retransmitted",
            Self::Other => "other",
        }
    }

    /// What it counts, in a phrase.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Payload => "the application's own bytes",
            Self::Mqtt => "PUBLISH without its payload, SUBSCRIBE, UNSUBSCRIBE",
            Self::WebSocket => "headers and masks of data frames, and the hub's own protocol",
            Self::Http => "request and status lines, headers, what frames a body",
            Self::Acknowledgements => {
                "PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, the hub's"
            }
            Self::Connecting => "CONNECT, CONNACK, AUTH, DISCONNECT, WebSocket's handshakes",
            Self::KeepAlive => "PINGREQ, PINGRESP, Ping and Pong frames",
            Self::TlsHandshake => "TLS records without application data",
            Self::Tls => "headers and tags of TLS records with application data",
            Self::TcpHandshake => "TCP/IP headers of packets with SYN, FIN or RST",
            Self::TcpIp => "TCP/IP headers of packets that carry data",
            Self::PureAck => "packets with nothing but a TCP acknowledgement",
            Self::Retransmitted => "whole packets that TCP sent again",
            Self::Other => "data that is no well-formed packet",
        }
    }

    fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.key() == key)
    }
}

/// Bytes per layer, in one direction. In JSON, an object from [`Layer::key`]
/// to bytes, in the order of [`Layer::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LayerBytes([u64; Layer::COUNT]);

impl LayerBytes {
    /// The sum over all layers, in bytes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl Index<Layer> for LayerBytes {
    type Output = u64;

    fn index(&self, layer: Layer) -> &u64 {
        &self.0[layer as usize]
    }
}

impl IndexMut<Layer> for LayerBytes {
    fn index_mut(&mut self, layer: Layer) -> &mut u64 {
        &mut self.0[layer as usize]
    }
}

impl Serialize for LayerBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Layer::COUNT))?;
        for layer in Layer::ALL {
            map.serialize_entry(layer.key(), &self[layer])?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for LayerBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LayerMap;

        impl<'de> Visitor<'de> for LayerMap {
            type Value = LayerBytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object from layer to bytes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LayerBytes, A::Error> {
                let mut bytes = LayerBytes::default();
                while let Some((key, value)) = map.next_entry::<String, u64>()? {
                    // A layer dropped in silence would break the sum.
                    let layer = Layer::from_key(&key)
                        .ok_or_else(|| de::Error::custom(format!("no such layer: `{key}`")))?;
                    bytes[layer] = value;
                }
                Ok(bytes)
            }
        }

        deserializer.deserialize_map(LayerMap)
    }
}

/// What a run cost on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// From devices to servers, per layer, in bytes.
    pub up: LayerBytes,
    /// From servers to devices, per layer, in bytes.
    pub down: LayerBytes,
    /// Bytes of all IP packets sent up, counted apart from the layers.
    pub on_wire_up: u64,
    /// Bytes of all IP packets sent down, counted apart from the layers.
    pub on_wire_down: u64,
    /// IP packets sent up.
    pub packets_up: u64,
    /// IP packets sent down.
    pub packets_down: u64,
}

impl Bytes {
    /// Bytes of one layer in both directions.
    #[must_use]
    pub fn both(&self, layer: Layer) -> u64 {
        self.up[layer] + self.down[layer]
    }

    /// Bytes on the wire in both directions.
    #[must_use]
    pub fn on_wire(&self) -> u64 {
        self.on_wire_up + self.on_wire_down
    }

    /// Packets in both directions.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets_up + self.packets_down
    }

    /// Checks that in each direction the layers add up to the bytes on the wire.
    ///
    /// # Errors
    /// The first direction in which they do not: the counting is wrong.
    pub fn check(&self) -> Result<(), BytesMismatch> {
        for (direction, layers, on_wire) in [
            ("up", &self.up, self.on_wire_up),
            ("down", &self.down, self.on_wire_down),
        ] {
            let sum = layers.total();
            if sum != on_wire {
                return Err(BytesMismatch {
                    direction,
                    sum,
                    on_wire,
                });
            }
        }
        Ok(())
    }
}

/// The layers of a direction do not add up to its bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bytes {direction}: the layers add up to {sum}, but {on_wire} went over the wire")]
pub struct BytesMismatch {
    /// `up` or `down`.
    pub direction: &'static str,
    /// The sum over the layers, in bytes.
    pub sum: u64,
    /// The bytes on the wire.
    pub on_wire: u64,
}

/// `bytes` per reading, rounded half up to whole bytes; `None` without readings.
pub(crate) fn per_reading(bytes: u64, readings: u64) -> Option<u64> {
    // In 128 bits, since doubling may overflow 64.
    let (bytes, readings) = (u128::from(bytes), u128::from(readings));
    let rounded = (2 * bytes + readings).checked_div(2 * readings)?;
    u64::try_from(rounded).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn every_layer_has_its_own_place_and_name() {
        for (index, layer) in Layer::ALL.into_iter().enumerate() {
            assert_eq!(layer as usize, index);
            assert_eq!(Layer::from_key(layer.key()), Some(layer));
        }
    }

    fn bytes(up: u64, down: u64, on_wire_up: u64, on_wire_down: u64) -> Bytes {
        let mut bytes = Bytes {
            on_wire_up,
            on_wire_down,
            ..Bytes::default()
        };
        bytes.up[Layer::Payload] = up / 2;
        bytes.up[Layer::Other] = up - up / 2;
        bytes.down[Layer::TcpIp] = down;
        bytes
    }

    #[rstest]
    #[case(bytes(0, 0, 0, 0), None)]
    #[case(bytes(7, 8, 7, 8), None)]
    #[case(
        bytes(7, 8, 8, 7),
        Some("bytes up: the layers add up to 7, but 8 went over the wire")
    )]
    #[case(
        bytes(7, 9, 7, 8),
        Some("bytes down: the layers add up to 9, but 8 went over the wire")
    )]
    fn the_layers_are_held_to_their_sum(#[case] bytes: Bytes, #[case] error: Option<&str>) {
        let found = bytes.check().err().map(|error| error.to_string());
        assert_eq!(found.as_deref(), error);
    }

    #[rstest]
    #[case(0, 0, None)]
    #[case(7, 0, None)]
    #[case(0, 7, Some(0))]
    #[case(5, 2, Some(3))]
    #[case(7, 3, Some(2))]
    #[case(u64::MAX, 1, Some(u64::MAX))]
    fn bytes_per_reading_are_rounded(
        #[case] bytes: u64,
        #[case] readings: u64,
        #[case] each: Option<u64>,
    ) {
        assert_eq!(per_reading(bytes, readings), each);
    }
}
