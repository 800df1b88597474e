//! Where a sender stands in the MQTT packets that it sends.

use super::tally::Tally;
use squall_reports::Layer;

/// One direction of a connection.
///
/// It reads packet types, lengths and, of a PUBLISH, the length of topic and
/// properties, and nothing else: a stream that is not MQTT ends in
/// [`Place::Lost`] and counts as other.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dissector {
    place: Place,
    /// As the CONNECT says, or the CONNACK shows by its length; only then has a
    /// PUBLISH properties [MQTT5-3.3.2.3].
    is_version_5: bool,
}

/// Where in a stream of MQTT packets a sender stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the first byte of a packet.
    #[default]
    Start,
    /// In the remaining length of a packet with this first byte.
    Length { first: u8, value: u32, shift: u8 },
    /// In a CONNECT up to its protocol level: `got` bytes of it seen.
    Connect { left: u32, got: u8 },
    /// In the topic's length of a PUBLISH: `got` bytes of it seen.
    TopicLength {
        qos: u8,
        left: u32,
        length: u16,
        got: u8,
    },
    /// In a PUBLISH before its payload, or before the length of its properties.
    Header {
        left: u32,
        header_left: u32,
        properties: bool,
    },
    /// In the length of a PUBLISH's properties.
    PropertyLength { left: u32, value: u32, shift: u8 },
    /// In bytes that all count for one layer.
    Body { left: u32, layer: Layer },
    /// Not MQTT.
    Lost,
}

impl Dissector {
    /// Counts the next bytes of the stream.
    pub(super) fn count(&mut self, mut bytes: &[u8], tally: &mut Tally<'_>) {
        while let Some(first) = bytes.first() {
            if self.place == Place::Start {
                tally.begins(*first);
            }
            let (layer, taken) = self.step(bytes);
            tally.add(layer, taken);
            bytes = &bytes[taken..];
            if self.place == Place::Start {
                tally.ends();
            }
        }
    }

    /// Takes at least one byte of `bytes`: its layer, and how many.
    fn step(&mut self, bytes: &[u8]) -> (Layer, usize) {
        match self.place {
            Place::Start => {
                let first = bytes[0];
                let Some(layer) = layer_of(first) else {
                    return self.lose(bytes);
                };
                self.place = Place::Length {
                    first,
                    value: 0,
                    shift: 0,
                };
                (layer, 1)
            }
            Place::Length {
                first,
                value,
                shift,
            } => {
                let Some(layer) = layer_of(first) else {
                    return self.lose(bytes);
                };
                let Some((value, is_last)) = digit(value, shift, bytes[0]) else {
                    return self.lose(bytes);
                };
                self.place = match is_last {
                    true => self.body(first, value, layer),
                    false => Place::Length {
                        first,
                        value,
                        shift: shift + 7,
                    },
                };
                (layer, 1)
            }
            Place::Connect { left, got } => {
                // After the protocol's name, which has four letters [MQTT311-3.1.2].
                const LEVEL_AT: u8 = 6;
                let left = left - 1;
                self.is_version_5 = got == LEVEL_AT && bytes[0] == 5;
                self.place = match got {
                    LEVEL_AT => rest(left, Layer::Connecting),
                    _ if left == 0 => Place::Start,
                    got => Place::Connect { left, got: got + 1 },
                };
                (Layer::Connecting, 1)
            }
            Place::TopicLength {
                qos,
                left,
                length,
                got,
            } => {
                let length = length << 8 | u16::from(bytes[0]);
                let left = left - 1;
                self.place = if got == 1 {
                    let id = if qos > 0 { 2 } else { 0 };
                    let header_left = (u32::from(length) + id).min(left);
                    header(left, header_left, self.is_version_5)
                } else if left == 0 {
                    Place::Start
                } else {
                    Place::TopicLength {
                        qos,
                        left,
                        length,
                        got: got + 1,
                    }
                };
                (Layer::Mqtt, 1)
            }
            Place::Header {
                left,
                header_left,
                properties,
            } => {
                let taken = bytes.len().min(header_left as usize);
                let gone = taken as u32;
                self.place = header(left - gone, header_left - gone, properties);
                (Layer::Mqtt, taken)
            }
            Place::PropertyLength { left, value, shift } => {
                let Some((value, is_last)) = digit(value, shift, bytes[0]) else {
                    return self.lose(bytes);
                };
                let left = left - 1;
                self.place = match is_last {
                    true => header(left, value.min(left), false),
                    false if left == 0 => Place::Start,
                    false => Place::PropertyLength {
                        left,
                        value,
                        shift: shift + 7,
                    },
                };
                (Layer::Mqtt, 1)
            }
            Place::Body { left, layer } => {
                let taken = bytes.len().min(left as usize);
                self.place = rest(left - taken as u32, layer);
                (layer, taken)
            }
            Place::Lost => (Layer::Other, bytes.len()),
        }
    }

    /// What follows the fixed header.
    fn body(&mut self, first: u8, length: u32, layer: Layer) -> Place {
        const CONNECT: u8 = 1;
        const CONNACK: u8 = 2;
        const PUBLISH: u8 = 3;
        match first >> 4 {
            CONNECT if length > 0 => Place::Connect {
                left: length,
                got: 0,
            },
            CONNACK => {
                // Two bytes, and then properties or none [MQTT311-3.2].
                self.is_version_5 = length > 2;
                rest(length, layer)
            }
            PUBLISH if length > 0 => Place::TopicLength {
                qos: first >> 1 & 3,
                left: length,
                length: 0,
                got: 0,
            },
            _ => rest(length, layer),
        }
    }

    fn lose(&mut self, bytes: &[u8]) -> (Layer, usize) {
        self.place = Place::Lost;
        (Layer::Other, bytes.len())
    }
}

/// A number with one more digit in base 128, and whether that is its last; nothing
/// if it has a fifth [MQTT311-2.2.3].
fn digit(value: u32, shift: u8, byte: u8) -> Option<(u32, bool)> {
    let value = value | u32::from(byte & 0x7F) << shift;
    let is_last = byte & 0x80 == 0;
    (is_last || shift < 21).then_some((value, is_last))
}

/// In a PUBLISH of which so much is to come before its payload or properties.
fn header(left: u32, header_left: u32, properties: bool) -> Place {
    match (header_left, properties) {
        (0, true) if left > 0 => Place::PropertyLength {
            left,
            value: 0,
            shift: 0,
        },
        (0, _) => rest(left, Layer::Payload),
        _ => Place::Header {
            left,
            header_left,
            properties,
        },
    }
}

fn rest(left: u32, layer: Layer) -> Place {
    if left == 0 {
        Place::Start
    } else {
        Place::Body { left, layer }
    }
}

/// The layer of a packet's fixed header (and, but for PUBLISH, of all of it) by
/// its first byte.
fn layer_of(first: u8) -> Option<Layer> {
    match first >> 4 {
        1 | 2 | 14 | 15 => Some(Layer::Connecting),
        3 | 8 | 10 => Some(Layer::Mqtt),
        4..=7 | 9 | 11 => Some(Layer::Acknowledgements),
        12 | 13 => Some(Layer::KeepAlive),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tally::tests::{counted, layers};
    use super::*;
    use rstest::rstest;

    /// PUBLISH, QoS 1, topic `t/1`, packet id 7, payload `reading`.
    const PUBLISH: &[u8] = b"\x32\x0e\x00\x03t/1\x00\x07reading";

    #[rstest]
    #[case::publish_qos_1(PUBLISH, &[(Layer::Mqtt, 9), (Layer::Payload, 7)])]
    #[case::publish_qos_0(b"\x30\x06\x00\x01tabc", &[(Layer::Mqtt, 5), (Layer::Payload, 3)])]
    #[case::empty_payload(b"\x31\x03\x00\x01t", &[(Layer::Mqtt, 5)])]
    #[case::puback(b"\x40\x02\x00\x07", &[(Layer::Acknowledgements, 4)])]
    #[case::suback(b"\x90\x03\x00\x07\x01", &[(Layer::Acknowledgements, 5)])]
    #[case::subscribe(b"\x82\x06\x00\x07\x00\x01t\x00", &[(Layer::Mqtt, 8)])]
    #[case::connack(b"\x20\x02\x00\x00", &[(Layer::Connecting, 4)])]
    #[case::disconnect(b"\xe0\x00", &[(Layer::Connecting, 2)])]
    #[case::ping(b"\xc0\x00\xd0\x00", &[(Layer::KeepAlive, 4)])]
    #[case::two_packets(
        b"\xc0\x00\x30\x06\x00\x01tabc",
        &[(Layer::KeepAlive, 2), (Layer::Mqtt, 5), (Layer::Payload, 3)]
    )]
    #[case::of_version_5_from_a_client(
        b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00\x32\x12\x00\x03t/1\x00\x07\x03\x23\x00\x01reading",
        &[(Layer::Connecting, 15), (Layer::Mqtt, 13), (Layer::Payload, 7)]
    )]
    #[case::of_version_5_from_a_server(
        b"\x20\x03\x00\x00\x00\x30\x07\x00\x01t\x00abc",
        &[(Layer::Connecting, 5), (Layer::Mqtt, 6), (Layer::Payload, 3)]
    )]
    #[case::of_version_3_from_a_client(
        b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00\x30\x06\x00\x01t\x00bc",
        &[(Layer::Connecting, 14), (Layer::Mqtt, 5), (Layer::Payload, 3)]
    )]
    #[case::type_0(b"\x00\x01\x02", &[(Layer::Other, 3)])]
    #[case::length_of_five_bytes(
        b"\xc0\xff\xff\xff\xff\x01",
        &[(Layer::KeepAlive, 4), (Layer::Other, 2)]
    )]
    fn bytes_fall_into_layers_however_they_are_split(
        #[case] stream: &[u8],
        #[case] expected: &[(Layer, u64)],
    ) {
        let split = |size| {
            let mut dissector = Dissector::default();
            counted(stream.chunks(size), |piece, tally| {
                dissector.count(piece, tally);
            })
        };
        let (_, marks) = split(stream.len());
        for size in 1..=stream.len() {
            let found = split(size);
            assert_eq!(
                found,
                (layers(expected), marks.clone()),
                "in pieces of {size}"
            );
        }
    }
}
