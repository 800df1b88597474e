//! Where a sender stands in the MQTT packets that it sends.

use super::tally::Tally;
use squall_reports::Layer;

/// Where in a stream of MQTT packets a sender stands.
///
/// It reads packet types, lengths and the length of a topic, and nothing else:
/// a stream that is not MQTT ends in [`Dissector::Lost`] and counts as other.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dissector {
    /// Before the first byte of a packet.
    #[default]
    Start,
    /// In the remaining length of a packet with this first byte.
    Length { first: u8, value: u32, shift: u8 },
    /// In the topic's length of a PUBLISH: `got` bytes of it seen.
    TopicLength {
        qos: u8,
        left: u32,
        length: u16,
        got: u8,
    },
    /// In a PUBLISH before its payload.
    Header { left: u32, header_left: u32 },
    /// In bytes that all count for one layer.
    Body { left: u32, layer: Layer },
    /// Not MQTT.
    Lost,
}

impl Dissector {
    /// Counts the next bytes of the stream.
    pub(super) fn count(&mut self, mut bytes: &[u8], tally: &mut Tally<'_>) {
        while let Some(first) = bytes.first() {
            if *self == Dissector::Start {
                tally.begins(*first);
            }
            let (layer, taken) = self.step(bytes);
            tally.add(layer, taken);
            bytes = &bytes[taken..];
            if *self == Dissector::Start {
                tally.ends();
            }
        }
    }

    /// Takes at least one byte of `bytes`: its layer, and how many.
    fn step(&mut self, bytes: &[u8]) -> (Layer, usize) {
        match *self {
            Dissector::Start => {
                let first = bytes[0];
                let Some(layer) = layer_of(first) else {
                    return self.lose(bytes);
                };
                *self = Dissector::Length {
                    first,
                    value: 0,
                    shift: 0,
                };
                (layer, 1)
            }
            Dissector::Length {
                first,
                value,
                shift,
            } => {
                let Some(layer) = layer_of(first) else {
                    return self.lose(bytes);
                };
                let value = value | u32::from(bytes[0] & 0x7F) << shift;
                *self = if bytes[0] & 0x80 == 0 {
                    Dissector::body(first, value, layer)
                } else if shift == 21 {
                    // A fifth byte of length is no MQTT [MQTT311-2.2.3].
                    return self.lose(bytes);
                } else {
                    Dissector::Length {
                        first,
                        value,
                        shift: shift + 7,
                    }
                };
                (layer, 1)
            }
            Dissector::TopicLength {
                qos,
                left,
                length,
                got,
            } => {
                let length = length << 8 | u16::from(bytes[0]);
                let left = left - 1;
                *self = if got == 1 {
                    let id = if qos > 0 { 2 } else { 0 };
                    Dissector::header(left, (u32::from(length) + id).min(left))
                } else if left == 0 {
                    Dissector::Start
                } else {
                    Dissector::TopicLength {
                        qos,
                        left,
                        length,
                        got: got + 1,
                    }
                };
                (Layer::Mqtt, 1)
            }
            Dissector::Header { left, header_left } => {
                let taken = bytes.len().min(header_left as usize);
                *self = Dissector::header(left - taken as u32, header_left - taken as u32);
                (Layer::Mqtt, taken)
            }
            Dissector::Body { left, layer } => {
                let taken = bytes.len().min(left as usize);
                *self = Dissector::rest(left - taken as u32, layer);
                (layer, taken)
            }
            Dissector::Lost => (Layer::Other, bytes.len()),
        }
    }

    fn body(first: u8, length: u32, layer: Layer) -> Dissector {
        const PUBLISH: u8 = 3;
        if first >> 4 == PUBLISH && length > 0 {
            let qos = first >> 1 & 3;
            return Dissector::TopicLength {
                qos,
                left: length,
                length: 0,
                got: 0,
            };
        }
        Dissector::rest(length, layer)
    }

    fn header(left: u32, header_left: u32) -> Dissector {
        if header_left > 0 {
            return Dissector::Header { left, header_left };
        }
        Dissector::rest(left, Layer::Payload)
    }

    fn rest(left: u32, layer: Layer) -> Dissector {
        if left == 0 {
            Dissector::Start
        } else {
            Dissector::Body { left, layer }
        }
    }

    fn lose(&mut self, bytes: &[u8]) -> (Layer, usize) {
        *self = Dissector::Lost;
        (Layer::Other, bytes.len())
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
