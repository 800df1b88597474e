//! Bytes by layer, counted from packets, once, at the end that sends them.
//!
//! Each end of a connection keeps a [`SendAccount`]: how far into the stream it
//! has sent, and where in the MQTT packets of that stream it stands. A packet
//! that goes out is split by it over the layers of the report; what was sent
//! before is a retransmission and counts whole, whatever it carries.

use super::segment::Segment;
use squall_reports::{Layer, LayerBytes};

/// What one end of a connection has sent so far.
#[derive(Debug, Default)]
pub(crate) struct SendAccount {
    /// The sequence number after the last one sent; nothing before the SYN.
    next: Option<u32>,
    mqtt: Dissector,
}

impl SendAccount {
    /// Splits a packet that this end sends over the layers.
    ///
    /// `mark` is told of each MQTT packet that begins or ends in it and has not
    /// been sent before.
    pub(crate) fn count(
        &mut self,
        segment: &Segment,
        packet: &[u8],
        layers: &mut LayerBytes,
        mut mark: impl FnMut(StreamMark),
    ) {
        let start = segment.seq;
        let end = start.wrapping_add(segment.sequence_length());
        let next = self.next.unwrap_or(start);
        // Sequence numbers wrap: what lies up to half the space behind is old.
        let repeated = (next.wrapping_sub(start) as i32).max(0);
        if segment.sequence_length() == 0 && !segment.rst {
            layers[Layer::PureAck] += packet.len() as u64;
            return;
        }
        if repeated > 0 {
            layers[Layer::Retransmitted] += packet.len() as u64;
        } else {
            let shakes_hands = segment.syn || segment.fin || segment.rst;
            let headers = if shakes_hands {
                Layer::TcpHandshake
            } else {
                Layer::TcpIp
            };
            layers[headers] += segment.header_bytes as u64;
        }
        // A packet that repeats something and carries more moves the stream on
        // all the same, though all its bytes count as repeated.
        let seen = (repeated as usize).min(segment.payload_bytes);
        let fresh = &packet[segment.header_bytes + seen..];
        let mut elsewhere = LayerBytes::default();
        let target = if repeated > 0 { &mut elsewhere } else { layers };
        self.mqtt.count(fresh, target, |of_fresh| {
            mark(StreamMark {
                at: seen + of_fresh.at,
                ..of_fresh
            });
        });
        if self.next.is_none() || (end.wrapping_sub(next) as i32) > 0 {
            self.next = Some(end);
        }
    }
}

/// Where an MQTT packet begins or ends in the payload of a TCP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamMark {
    /// Bytes of the payload before it.
    pub(crate) at: usize,
    /// The first byte of the MQTT packet, where one begins.
    pub(crate) first_byte: u8,
    /// It ends here, and does not begin.
    pub(crate) ends: bool,
}

/// Where in a stream of MQTT packets a sender stands.
///
/// It reads packet types, lengths and the length of a topic, and nothing else:
/// a stream that is not MQTT ends in [`Dissector::Lost`] and counts as other.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Dissector {
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
    fn count(&mut self, bytes: &[u8], layers: &mut LayerBytes, mut mark: impl FnMut(StreamMark)) {
        let mut at = 0;
        while at < bytes.len() {
            let begins = *self == Dissector::Start;
            let (layer, taken) = self.step(&bytes[at..]);
            layers[layer] += taken as u64;
            if begins {
                mark(StreamMark {
                    at,
                    first_byte: bytes[at],
                    ends: false,
                });
            }
            at += taken;
            if *self == Dissector::Start {
                mark(StreamMark {
                    at,
                    first_byte: 0,
                    ends: true,
                });
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
    use super::*;
    use crate::net::segment::tests::packet;
    use rstest::rstest;
    use smoltcp::wire::TcpControl;

    /// PUBLISH, QoS 1, topic `t/1`, packet id 7, payload `reading`.
    const PUBLISH: &[u8] = b"\x32\x0e\x00\x03t/1\x00\x07reading";

    fn layers(counts: &[(Layer, u64)]) -> LayerBytes {
        let mut layers = LayerBytes::default();
        for (layer, bytes) in counts {
            layers[*layer] += bytes;
        }
        layers
    }

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
        for size in 1..=stream.len() {
            let mut dissector = Dissector::default();
            let mut counted = LayerBytes::default();
            for piece in stream.chunks(size) {
                dissector.count(piece, &mut counted, |_| {});
            }
            assert_eq!(counted, layers(expected), "in pieces of {size}");
        }
    }

    #[test]
    fn every_packet_of_a_connection_is_counted_whole_and_once() {
        let mut account = SendAccount::default();
        let mut counted = LayerBytes::default();
        let mut total = 0;
        let mut send = |control, seq, payload: &[u8]| {
            let bytes = packet(control, seq, Some(1), payload);
            let segment = Segment::parse(&bytes).expect("a TCP packet");
            account.count(&segment, &bytes, &mut counted, |_| {});
            total += bytes.len() as u64;
            assert_eq!(counted.total(), total);
            counted
        };
        send(TcpControl::Syn, 99, b"");
        assert_eq!(send(TcpControl::None, 100, b"")[Layer::PureAck], 40);
        send(TcpControl::Psh, 100, &PUBLISH[..10]);
        send(TcpControl::Psh, 100, &PUBLISH[..10]);
        send(TcpControl::Psh, 110, &PUBLISH[10..]);
        send(TcpControl::Fin, 116, b"");
        send(TcpControl::Fin, 116, b"");
        let end = send(TcpControl::Rst, 117, b"");
        assert_eq!(
            end,
            layers(&[
                (Layer::TcpHandshake, 40 + 40 + 40),
                (Layer::PureAck, 40),
                (Layer::TcpIp, 80),
                (Layer::Mqtt, 9),
                (Layer::Payload, 7),
                (Layer::Retransmitted, 50 + 40),
            ])
        );
    }

    #[test]
    fn a_repeated_segment_that_grew_moves_the_stream_on() {
        let mut account = SendAccount::default();
        let mut counted = LayerBytes::default();
        for payload in [&PUBLISH[..4], PUBLISH] {
            let bytes = packet(TcpControl::Psh, 100, Some(1), payload);
            account.count(
                &Segment::parse(&bytes).expect("TCP"),
                &bytes,
                &mut counted,
                |_| {},
            );
        }
        let bytes = packet(TcpControl::Psh, 116, Some(1), b"\xc0\x00");
        account.count(
            &Segment::parse(&bytes).expect("TCP"),
            &bytes,
            &mut counted,
            |_| {},
        );
        assert_eq!(counted[Layer::KeepAlive], 2);
        assert_eq!(counted[Layer::Retransmitted], 56);
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut account = SendAccount::default();
        let mut counted = LayerBytes::default();
        for (seq, payload) in [(u32::MAX - 3, &PUBLISH[..10]), (6, &PUBLISH[10..])] {
            let bytes = packet(TcpControl::Psh, seq, Some(1), payload);
            account.count(
                &Segment::parse(&bytes).expect("TCP"),
                &bytes,
                &mut counted,
                |_| {},
            );
        }
        assert_eq!(counted[Layer::Retransmitted], 0);
        assert_eq!(counted[Layer::Payload], 7);
    }
}
