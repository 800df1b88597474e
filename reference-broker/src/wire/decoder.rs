//! From bytes, in whatever pieces they come, to packets.

use crate::quirks::{Quirk, Quirks};

use super::error::{Rule, Violation, WireError};
use super::primitive::{Number, Reader, Variable, variable};
use super::property::Place;
use super::{
    Packet, Sender, Version, ack, auth, connack, connect, disconnect, ping, publish, suback,
    subscribe, unsuback, unsubscribe,
};

/// Decodes one connection's bytes.
///
/// A packet that lies whole in the input is decoded where it lies. Only the
/// beginning of one that does not is kept, and no more than its own length is
/// ever allocated for it; an idle connection keeps nothing.
#[derive(Debug)]
pub struct Decoder {
    version: Version,
    /// Whether a CONNECT may still choose the version.
    negotiating: bool,
    sender: Sender,
    packet_bytes_max: usize,
    /// The packet that has begun and not ended.
    begun: Vec<u8>,
    /// Which rules may be broken.
    quirks: Quirks,
}

impl Decoder {
    /// Decodes what `sender` says in one version of the protocol, refusing
    /// packets of more than `packet_bytes_max` bytes, header included, before
    /// their body arrives.
    #[must_use]
    pub fn new(version: Version, sender: Sender, packet_bytes_max: usize) -> Self {
        Self {
            version,
            negotiating: false,
            sender,
            packet_bytes_max,
            begun: Vec::new(),
            quirks: Quirks::default(),
        }
    }

    /// Decodes what a client says in the version that its CONNECT asks for.
    /// Whatever comes before is judged by 3.1.1.
    #[must_use]
    pub fn negotiating(packet_bytes_max: usize) -> Self {
        Self {
            negotiating: true,
            ..Self::new(Version::V3_1_1, Sender::Client, packet_bytes_max)
        }
    }

    /// Passes over packets that break a rule which one of these tolerates.
    pub(crate) fn tolerating(self, quirks: Quirks) -> Self {
        Self { quirks, ..self }
    }

    /// The version in use; of a decoder that is [negotiating](Self::negotiating),
    /// 3.1.1 until its CONNECT has come.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Takes bytes off the front of `input` up to the end of the next packet.
    /// `None` says that all of `input` was taken and the packet is not complete.
    ///
    /// # Errors
    /// See [`WireError`]. The stream has lost its framing then, and the decoder
    /// must not be used again.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Packet>, WireError> {
        loop {
            match self.next(input) {
                Err(error) if self.tolerates(&error) => {}
                next => return next,
            }
        }
    }

    fn tolerates(&self, error: &WireError) -> bool {
        error.rule().is_some_and(|rule| self.quirks.tolerates(rule))
    }

    fn next(&mut self, input: &mut &[u8]) -> Result<Option<Packet>, WireError> {
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
                    if frame.total > 8 * 1024 && self.quirks.has(Quirk::LosesSplitPackets) {
                        continue;
                    }
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
        // What comes behind tells how much of it there is to pass over.
        match check_first_byte(self.version, self.sender, *first) {
            Err(violation) if !self.quirks.tolerates(violation.rule) => {
                return Err(violation.into());
            }
            _ => {}
        }
        let Variable::Known(length) = variable(rest, self.version)? else {
            return Ok(None);
        };
        if self.version == Version::V5 {
            length.check_shortest()?;
        }
        let header = 1 + length.bytes;
        let total = header + length.value;
        if total > self.packet_bytes_max {
            let limit_bytes = self.packet_bytes_max;
            return Err(WireError::TooLarge {
                packet_bytes: total,
                limit_bytes,
            });
        }
        Ok(Some(Frame { length, total }))
    }

    fn packet(&mut self, frame: Frame, packet: &[u8]) -> Result<Packet, WireError> {
        check_first_byte(self.version, self.sender, packet[0])?;
        let body = &packet[1 + frame.length.bytes..];
        if packet[0] >> 4 == 1 {
            self.choose_version(frame, body)?;
        }
        let reader = Reader::new(self.version, self.sender, body);
        Ok(decode(packet[0], reader, body)?)
    }

    /// A CONNECT has come: it is of the version in use, or chooses it.
    fn choose_version(&mut self, frame: Frame, connect: &[u8]) -> Result<(), WireError> {
        let version = connect::version(connect, self.version, self.quirks)?;
        if std::mem::take(&mut self.negotiating) {
            self.version = version;
            if version == Version::V5 {
                // When the header came, this was not known.
                frame.length.check_shortest()?;
            }
        } else if version != self.version {
            return Err(WireError::UnsupportedProtocolLevel(version.level()));
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Frame {
    /// The remaining length.
    length: Number,
    total: usize,
}

/// The packet type, whether `sender` may send it, and the flags (tables 2.1
/// and 2.2): nothing more of a packet that fails here is read.
fn check_first_byte(version: Version, sender: Sender, first: u8) -> Result<(), Violation> {
    const RESERVED: Rule = Rule::malformed(
        "MQTT311-4.8.0-1",
        "MQTT5-4.13.1-1",
        "the packet type is reserved",
    );
    const NOT_YOURS: Rule = Rule::protocol(
        "MQTT311-4.8.0-1",
        "MQTT5-4.13.1-1",
        "this packet type is for the other side to send",
    );
    let kind = first >> 4;
    let v5 = version == Version::V5;
    let from_client = matches!(kind, 1 | 3..=8 | 10 | 12 | 14) || (v5 && kind == 15);
    let from_server = matches!(kind, 2..=7 | 9 | 11 | 13) || (v5 && matches!(kind, 14 | 15));
    let allowed = match sender {
        Sender::Client => from_client,
        Sender::Server => from_server,
    };
    if !allowed {
        let rule = if from_client || from_server {
            NOT_YOURS
        } else {
            RESERVED
        };
        return Err(rule.broken(version));
    }
    check_flags(version, first)
}

/// [MQTT311-2.2.2-1] [MQTT311-2.2.2-2] [MQTT5-2.1.3-1]; the statements that
/// repeat it for one packet are the more exact answer.
fn check_flags(version: Version, first: u8) -> Result<(), Violation> {
    let (expected, v3_1_1, v5) = match first >> 4 {
        3 => return Ok(()),
        6 => (0x02, "MQTT311-3.6.1-1", "MQTT5-3.6.1-1"),
        8 => (0x02, "MQTT311-3.8.1-1", "MQTT5-3.8.1-1"),
        10 => (0x02, "MQTT311-3.10.1-1", "MQTT5-3.10.1-1"),
        14 => (0x00, "MQTT311-3.14.1-1", "MQTT5-3.14.1-1"),
        15 => (0x00, "MQTT311-2.2.2-2", "MQTT5-3.15.1-1"),
        _ => (0x00, "MQTT311-2.2.2-2", "MQTT5-2.1.3-1"),
    };
    if first & 0x0f == expected {
        return Ok(());
    }
    let what = "the fixed header's flags are not the reserved ones";
    Err(Rule::malformed(v3_1_1, v5, what).broken(version))
}

fn decode(first: u8, reader: Reader<'_>, body: &[u8]) -> Result<Packet, Violation> {
    Ok(match first >> 4 {
        1 => Packet::Connect(Box::new(connect::decode(reader)?)),
        2 => Packet::ConnAck(connack::decode(reader)?),
        3 => Packet::Publish(publish::decode(first & 0x0f, reader, body)?),
        4 => Packet::PubAck(ack::decode(reader, Place::PubAck)?),
        5 => Packet::PubRec(ack::decode(reader, Place::PubRec)?),
        6 => Packet::PubRel(ack::decode(reader, Place::PubRel)?),
        7 => Packet::PubComp(ack::decode(reader, Place::PubComp)?),
        8 => Packet::Subscribe(subscribe::decode(reader)?),
        9 => Packet::SubAck(suback::decode(reader)?),
        10 => Packet::Unsubscribe(unsubscribe::decode(reader)?),
        11 => Packet::UnsubAck(unsuback::decode(reader)?),
        12 => ping::decode(&reader).map(|()| Packet::PingReq)?,
        13 => ping::decode(&reader).map(|()| Packet::PingResp)?,
        14 => Packet::Disconnect(disconnect::decode(reader)?),
        // Type 0 does not get past its first byte, nor 15 of 3.1.1.
        _ => Packet::Auth(auth::decode(reader)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{check_breaks, check_breaks_5};
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

    /// Section 2.1.2
    #[rstest]
    #[case::reserved(Sender::Client, 0x00, 0x81)]
    #[case::connack(Sender::Client, 0x20, 0x82)]
    #[case::suback(Sender::Client, 0x90, 0x82)]
    #[case::unsuback(Sender::Client, 0xb0, 0x82)]
    #[case::pingresp(Sender::Client, 0xd0, 0x82)]
    #[case::server_reserved(Sender::Server, 0x00, 0x81)]
    #[case::connect(Sender::Server, 0x10, 0x82)]
    #[case::subscribe(Sender::Server, 0x82, 0x82)]
    #[case::unsubscribe(Sender::Server, 0xa2, 0x82)]
    #[case::pingreq(Sender::Server, 0xc0, 0x82)]
    fn not_for_this_side_to_send_5(#[case] sender: Sender, #[case] first: u8, #[case] code: u8) {
        check_breaks_5(sender, &[first], "MQTT5-4.13.1-1", code);
    }

    /// Two decoders cannot be told apart once the CONNECT has come; before it,
    /// everything is judged by 3.1.1, a length that is too long for 5.0 included.
    #[test]
    fn the_connect_chooses_the_version() {
        let connect_5 = b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01c";
        let mut decoder = Decoder::negotiating(100);
        assert!(matches!(
            decoder.decode(&mut &connect_5[..]),
            Ok(Some(Packet::Connect(connect))) if connect.version == Version::V5
        ));
        assert_eq!(decoder.version(), Version::V5);
        let rule = |decoder: &mut Decoder, mut bytes: &[u8]| {
            decoder.decode(&mut bytes).map_err(|error| error.rule())
        };
        let broken = rule(&mut decoder, &[0xc0, 0x80, 0]);
        assert_eq!(broken, Err(Some("MQTT5-1.5.5-1")));

        let mut decoder = Decoder::negotiating(100);
        assert_eq!(rule(&mut decoder, &[0xf0]), Err(Some("MQTT311-4.8.0-1")));

        let long = b"\x10\x8e\0\0\x04MQTT\x05\x02\0\0\0\0\x01c";
        let broken = rule(&mut Decoder::negotiating(100), long);
        assert_eq!(broken, Err(Some("MQTT5-1.5.5-1")));
        let connect_4 = b"\x10\x8d\0\0\x04MQTT\x04\x02\0\0\0\x01c";
        let mut decoder = Decoder::negotiating(100);
        assert!(matches!(rule(&mut decoder, connect_4), Ok(Some(_))));
        assert_eq!(decoder.version(), Version::V3_1_1);
        // Nor is there a second choice.
        let error = decoder.decode(&mut &connect_5[..]);
        assert_eq!(error, Err(WireError::UnsupportedProtocolLevel(5)));
    }
}
