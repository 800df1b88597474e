//! From bytes, in whatever pieces they come, to packets.

use super::error::{Violation, WireError};
use super::primitive::{Length, remaining_length};
use super::{
    Packet, Sender, Version, ack, connack, connect, disconnect, ping, publish, suback, subscribe,
    unsuback, unsubscribe,
};

/// Decodes one connection's bytes.
///
/// A packet that lies whole in the input is decoded where it lies. Only the
/// beginning of one that does not is kept, and no more than its own length is
/// ever allocated for it; an idle connection keeps nothing.
#[derive(Debug)]
pub struct Decoder {
    version: Version,
    sender: Sender,
    packet_bytes_max: usize,
    /// The packet that has begun and not ended.
    begun: Vec<u8>,
}

impl Decoder {
    /// Decodes what `sender` says, refusing packets of more than
    /// `packet_bytes_max` bytes, header included, before their body arrives.
    #[must_use]
    pub fn new(version: Version, sender: Sender, packet_bytes_max: usize) -> Self {
        Self {
            version,
            sender,
            packet_bytes_max,
            begun: Vec::new(),
        }
    }

    /// Takes bytes off the front of `input` up to the end of the next packet.
    /// `None` says that all of `input` was taken and the packet is not complete.
    ///
    /// # Errors
    /// See [`WireError`]. The stream has lost its framing then, and the decoder
    /// must not be used again.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Packet>, WireError> {
        if self.begun.is_empty() {
            let Some(frame) = self.frame(input)? else {
                return self.keep(input);
            };
            if input.len() < frame.total {
                return self.keep(input);
            }
            let (packet, rest) = input.split_at(frame.total);
            *input = rest;
            return self.packet(frame, packet).map(Some);
        }
        loop {
            let wanted = match self.frame(&self.begun)? {
                Some(frame) if self.begun.len() == frame.total => {
                    let begun = std::mem::take(&mut self.begun);
                    return self.packet(frame, &begun).map(Some);
                }
                Some(frame) => frame.total - self.begun.len(),
                // One byte more of the fixed header at a time, so as not to
                // run into the next packet.
                None => 1,
            };
            if input.is_empty() {
                return Ok(None);
            }
            let (taken, rest) = input.split_at(wanted.min(input.len()));
            *input = rest;
            self.append(taken, self.begun.len() + wanted);
        }
    }

    fn keep(&mut self, input: &mut &[u8]) -> Result<Option<Packet>, WireError> {
        let total = self.frame(input)?.map_or(input.len(), |frame| frame.total);
        let taken = std::mem::take(input);
        self.append(taken, total);
        Ok(None)
    }

    /// Doubles as it grows, but never beyond the packet's own length, and never
    /// by the length that a header merely claims.
    fn append(&mut self, taken: &[u8], total: usize) {
        let needed = self.begun.len() + taken.len();
        if self.begun.capacity() < needed {
            let capacity = (2 * needed).min(total).max(needed);
            self.begun.reserve_exact(capacity - self.begun.len());
        }
        self.begun.extend_from_slice(taken);
    }

    /// Reads a fixed header, as far as it is there, and refuses what can be
    /// refused by it.
    fn frame(&self, bytes: &[u8]) -> Result<Option<Frame>, WireError> {
        let Some((first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        check_first_byte(self.sender, *first)?;
        let Length::Known { body, field } = remaining_length(rest)? else {
            return Ok(None);
        };
        let header = 1 + field;
        let total = header + body;
        if total > self.packet_bytes_max {
            let limit_bytes = self.packet_bytes_max;
            return Err(WireError::TooLarge {
                packet_bytes: total,
                limit_bytes,
            });
        }
        Ok(Some(Frame { header, total }))
    }

    fn packet(&self, frame: Frame, packet: &[u8]) -> Result<Packet, WireError> {
        match self.version {
            Version::V3_1_1 => packet_3_1_1(packet[0], &packet[frame.header..]),
        }
    }
}

#[derive(Clone, Copy)]
struct Frame {
    header: usize,
    total: usize,
}

/// The packet type, whether `sender` may send it, and the flags (tables 2.1
/// and 2.2): nothing more of a packet that fails here is read.
fn check_first_byte(sender: Sender, first: u8) -> Result<(), Violation> {
    let kind = first >> 4;
    let from_client = matches!(kind, 1 | 3..=8 | 10 | 12 | 14);
    let from_server = matches!(kind, 2..=7 | 9 | 11 | 13);
    let allowed = match sender {
        Sender::Client => from_client,
        Sender::Server => from_server,
    };
    if !allowed {
        // [MQTT311-4.8.0-1]
        let what = if from_client || from_server {
            "this packet type is for the other side to send"
        } else {
            "the packet type is reserved"
        };
        return Err(Violation::new("MQTT311-4.8.0-1", what));
    }
    let flags = first & 0x0f;
    // [MQTT311-2.2.2-1], [MQTT311-2.2.2-2]; the four statements that repeat it
    // for one packet are the more exact answer.
    let (expected, rule) = match kind {
        3 => return Ok(()),
        6 => (0x02, "MQTT311-3.6.1-1"),
        8 => (0x02, "MQTT311-3.8.1-1"),
        10 => (0x02, "MQTT311-3.10.1-1"),
        14 => (0x00, "MQTT311-3.14.1-1"),
        _ => (0x00, "MQTT311-2.2.2-2"),
    };
    if flags != expected {
        return Err(Violation::new(
            rule,
            "the fixed header's flags are not the reserved ones",
        ));
    }
    Ok(())
}

fn packet_3_1_1(first: u8, body: &[u8]) -> Result<Packet, WireError> {
    Ok(match first >> 4 {
        1 => Packet::Connect(Box::new(connect::decode(body)?)),
        2 => Packet::ConnAck(connack::decode(body)?),
        3 => Packet::Publish(publish::decode(first & 0x0f, body)?),
        4 => Packet::PubAck(ack::decode(body)?),
        5 => Packet::PubRec(ack::decode(body)?),
        6 => Packet::PubRel(ack::decode(body)?),
        7 => Packet::PubComp(ack::decode(body)?),
        8 => Packet::Subscribe(subscribe::decode(body)?),
        9 => Packet::SubAck(suback::decode(body)?),
        10 => Packet::Unsubscribe(unsubscribe::decode(body)?),
        11 => Packet::UnsubAck(unsuback::decode(body)?),
        12 => ping::decode(body).map(|()| Packet::PingReq)?,
        13 => ping::decode(body).map(|()| Packet::PingResp)?,
        14 => disconnect::decode(body).map(|()| Packet::Disconnect)?,
        _ => return Err(Violation::new("MQTT311-4.8.0-1", "the packet type is reserved").into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::check_breaks;
    use rstest::rstest;

    // [MQTT311-4.8.0-1]
    #[rstest]
    #[case::reserved_0(Sender::Client, 0x00)]
    #[case::reserved_15(Sender::Client, 0xf0)]
    #[case::connack(Sender::Client, 0x20)]
    #[case::suback(Sender::Client, 0x90)]
    #[case::unsuback(Sender::Client, 0xb0)]
    #[case::pingresp(Sender::Client, 0xd0)]
    #[case::server_reserved_0(Sender::Server, 0x00)]
    #[case::server_reserved_15(Sender::Server, 0xf0)]
    #[case::connect(Sender::Server, 0x10)]
    #[case::subscribe(Sender::Server, 0x82)]
    #[case::unsubscribe(Sender::Server, 0xa2)]
    #[case::pingreq(Sender::Server, 0xc0)]
    #[case::disconnect(Sender::Server, 0xe0)]
    fn not_for_this_side_to_send(#[case] sender: Sender, #[case] first: u8) {
        // The first byte is enough.
        check_breaks(sender, &[first], "MQTT311-4.8.0-1");
    }

    #[test]
    fn a_packet_over_the_limit_is_refused_by_its_header() {
        let mut decoder = Decoder::new(Version::V3_1_1, Sender::Client, 10);
        assert!(matches!(
            decoder.decode(&mut &b"\x30\x08\0\x01tabcde"[..]),
            Ok(Some(_))
        ));
        let error = WireError::TooLarge {
            packet_bytes: 11,
            limit_bytes: 10,
        };
        assert_eq!(decoder.decode(&mut &b"\x30\x09"[..]), Err(error));
        assert_eq!(error.rule(), None);
    }

    #[test]
    fn no_more_is_allocated_than_the_packet_has_bytes_nor_before_they_come() {
        let mut decoder = Decoder::new(Version::V3_1_1, Sender::Client, usize::MAX);
        // Claims 256 MiB.
        assert_eq!(
            decoder.decode(&mut &[0x30, 0xff, 0xff, 0xff, 0x7f][..]),
            Ok(None)
        );
        assert!(
            decoder.begun.capacity() <= 16,
            "{}",
            decoder.begun.capacity()
        );
        for (at, sent) in (5..).zip([0_u8; 1000].chunks(1)) {
            assert_eq!(decoder.decode(&mut &sent[..]), Ok(None));
            assert!(decoder.begun.capacity() <= 2 * (at + 1));
        }
        // A packet of 100 bytes, byte by byte.
        let mut decoder = Decoder::new(Version::V3_1_1, Sender::Client, usize::MAX);
        let packet = [&b"\x30\x62\0\x01t"[..], &[7; 95]].concat();
        for byte in &packet[..99] {
            assert_eq!(decoder.decode(&mut std::slice::from_ref(byte)), Ok(None));
            assert!(
                decoder.begun.capacity() <= 100,
                "{}",
                decoder.begun.capacity()
            );
        }
        assert!(matches!(
            decoder.decode(&mut &packet[99..]),
            Ok(Some(Packet::Publish(_)))
        ));
        assert_eq!(decoder.begun.capacity(), 0);
    }
}
