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
