//! What a quirky server makes of the frames of its client.

use bytes::{Buf as _, BytesMut};

use super::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, Parsed, TEXT, apply};
use crate::quirks::{Quirk, Quirks};

/// An opcode that nothing is defined for: a frame with it is refused.
const UNKNOWN: u8 = 0x0f;

/// The fragment of a message that is held back until the next has come.
const SWAPPED_FRAGMENT: usize = 31;

/// Close code 1002, a protocol error, in a Close frame's payload.
const PROTOCOL_ERROR: [u8; 2] = 1002_u16.to_be_bytes();

#[derive(Debug)]
pub(super) struct Incoming {
    quirks: Quirks,
    frame_bytes: usize,
    /// The opcode and the mask of a message whose last frame has not come.
    message: Option<(u8, Option<[u8; 4]>)>,
    /// How many fragments of that message have come.
    fragments: usize,
    /// A fragment that is held back.
    held: Vec<u8>,
    /// A control frame whose last fragment has not come.
    control: Option<Frame>,
    /// How much of a frame that is too long is still to be passed over.
    skip: u64,
    /// Whether a Close frame has come.
    pub(super) close_received: bool,
    /// Whether nothing is listened to any more.
    deaf: bool,
}

impl Incoming {
    pub(super) fn new(quirks: Quirks, frame_bytes: usize) -> Self {
        Self {
            quirks,
            frame_bytes,
            message: None,
            fragments: 0,
            held: Vec::new(),
            control: None,
            skip: 0,
            close_received: false,
            deaf: false,
        }
    }

    /// Takes whole frames from `received`, puts what the server is to see into
    /// `readable`, and has Close frames sent with `close`.
    pub(super) fn rewrite(
        &mut self,
        received: &mut BytesMut,
        readable: &mut BytesMut,
        close: &mut dyn FnMut(Frame),
    ) {
        let clear_top_bit = self.quirks.has(Quirk::WsIgnoresTopBitOfLength);
        loop {
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX);
            let skipped = skipped.min(received.len());
            received.advance(skipped);
            self.skip -= skipped as u64;
            if self.deaf {
                received.clear();
            }
            match Frame::parse(received, self.frame_bytes, clear_top_bit) {
                Parsed::Incomplete => return,
                Parsed::TooLong { header, payload }
                    if self.quirks.has(Quirk::WsWaitsForAnyLength) =>
                {
                    received.advance(header);
                    self.skip = payload;
                }
                // Tungstenite says what there is to say about it.
                Parsed::TooLong { .. } => return readable.unsplit(received.split()),
                Parsed::Frame(frame) => {
                    if let Some(frame) = self.frame(frame, close) {
                        frame.encode(readable);
                    }
                }
            }
        }
    }

    /// What becomes of a frame.
    fn frame(&mut self, mut frame: Frame, close: &mut dyn FnMut(Frame)) -> Option<Frame> {
        let has = |quirk| self.quirks.has(quirk);
        if has(Quirk::WsAcceptsUnmasked) {
            frame.mask = frame.mask.or(Some([0; 4]));
        }
        if frame.reserved != 0 {
            if has(Quirk::WsSkipsGarbage) && frame.is_unknown() {
                return None;
            }
            if has(Quirk::WsGoesOnAfterFailing) {
                close(Frame::new(CLOSE, &PROTOCOL_ERROR));
                return None;
            }
            if has(Quirk::WsIgnoresReservedBits) {
                frame.reserved = 0;
            }
        }
        if has(Quirk::WsSkipsUnknownOpcodes) && frame.is_unknown() {
            return None;
        }
        if let Some(begun) = &mut self.control
            && frame.opcode == CONTINUATION
        {
            begun.payload.append(&mut frame.payload);
            return frame.last.then(|| self.control.take()).flatten().map(whole);
        }
        if frame.is_control() {
            return self.control(frame, close);
        }
        self.data(frame)
    }

    fn control(&mut self, mut frame: Frame, close: &mut dyn FnMut(Frame)) -> Option<Frame> {
        let has = |quirk| self.quirks.has(quirk);
        if !frame.last && has(Quirk::WsJoinsFragmentedControl) {
            self.control = Some(frame);
            return None;
        }
        if has(Quirk::WsTruncatesLongControl) {
            frame.payload.truncate(125);
        }
        let is_empty_ping = frame.payload.is_empty() && frame.last && frame.reserved == 0;
        match frame.opcode {
            PING if has(Quirk::WsIgnoresEmptyPings) && is_empty_ping => return None,
            PING if has(Quirk::WsLosesPingsInMessages) && self.message.is_some() => return None,
            PONG if has(Quirk::WsRefusesPongs) => frame.opcode = UNKNOWN,
            CLOSE => {
                self.close_received = true;
                if has(Quirk::WsKeepsStreamAfterClose) && frame.payload.is_empty() {
                    self.deaf = true;
                    close(Frame {
                        mask: None,
                        ..frame
                    });
                    return None;
                }
                if has(Quirk::WsTakesAnyCloseReason)
                    && let Some(reason) = frame.payload.get(2..)
                    && std::str::from_utf8(reason).is_err()
                {
                    frame.payload.truncate(2);
                }
            }
            _ => {}
        }
        Some(frame)
    }

    fn data(&mut self, mut frame: Frame) -> Option<Frame> {
        let has = |quirk| self.quirks.has(quirk);
        let last = frame.last;
        match self.message {
            None if frame.opcode == CONTINUATION && has(Quirk::WsSkipsStrayContinuations) => {
                return None;
            }
            Some(_) if frame.opcode != CONTINUATION && has(Quirk::WsJoinsInterleavedMessages) => {
                frame.opcode = CONTINUATION;
            }
            _ => {}
        }
        let fragment = !frame.last || self.message.is_some();
        if has(Quirk::WsRefusesEmptyFragments) && fragment && frame.payload.is_empty() {
            frame.opcode = UNKNOWN;
        }
        if let (true, Some(first), Some(own)) = (
            has(Quirk::WsUnmasksWithFirstKey),
            self.message.and_then(|(_, mask)| mask),
            frame.mask,
        ) {
            apply(own, &mut frame.payload);
            apply(first, &mut frame.payload);
        }
        let opcode = self.message.map_or(frame.opcode, |(opcode, _)| opcode);
        let begins = self.message.is_none() && !last;
        if begins {
            self.message = Some((frame.opcode, frame.mask));
        } else if last {
            self.message = None;
        }
        if has(Quirk::WsTakesFragmentsForMessages) && fragment {
            frame.opcode = opcode;
            frame.last = true;
        }
        self.fragments = if begins { 1 } else { self.fragments + 1 };
        if has(Quirk::WsSwapsLateFragments) && fragment {
            if self.fragments == SWAPPED_FRAGMENT && !last {
                self.held = frame.payload;
                return None;
            }
            frame.payload.append(&mut self.held);
        }
        if has(Quirk::WsTakesAnyText)
            && opcode == TEXT
            && std::str::from_utf8(&frame.payload).is_err()
        {
            let text = String::from_utf8_lossy(&frame.payload).into_owned();
            frame.payload = text.into_bytes();
        }
        if has(Quirk::WsTakesTextForMqtt) && frame.opcode == TEXT {
            frame.opcode = BINARY;
        }
        let lost = has(Quirk::WsTakesWholePacketsOnly) && !fragment && !is_whole_packets(&frame);
        (!lost).then_some(frame)
    }
}

fn whole(control: Frame) -> Frame {
    Frame {
        last: true,
        ..control
    }
}

/// Whether a frame holds packets of MQTT up to its end.
fn is_whole_packets(frame: &Frame) -> bool {
    let mut rest = &frame.payload[..];
    while !rest.is_empty() {
        let mut remaining = 0;
        let mut at = 1;
        loop {
            let Some(byte) = rest.get(at) else {
                return false;
            };
            remaining |= usize::from(byte & 0x7f) << (7 * (at - 1));
            at += 1;
            if byte & 0x80 == 0 || at > 4 {
                break;
            }
        }
        match rest.get(at + remaining..) {
            Some(next) => rest = next,
            None => return false,
        }
    }
    true
}
