//! What a quirky server makes of its own frames.

use bytes::BytesMut;

use super::frame::{BINARY, CLOSE, Frame, PONG, Parsed, TEXT};
use crate::quirks::{Quirk, Quirks};

/// Codes with which a server fails a connection (RFC 6455 section 7.4.1).
const FAILURES: [u16; 4] = [1002, 1003, 1007, 1009];

#[derive(Debug)]
pub(super) struct Outgoing {
    quirks: Quirks,
    /// Whether the client has sent a Close frame.
    pub(super) close_received: bool,
    /// Whether the rules have sent a Close frame of their own.
    closed: bool,
}

impl Outgoing {
    pub(super) fn new(quirks: Quirks) -> Self {
        Self {
            quirks,
            close_received: false,
            closed: false,
        }
    }

    /// A Close frame is sent that tungstenite knows nothing of.
    pub(super) fn closing(&mut self) {
        self.closed = true;
    }

    /// Takes whole frames from `written`, and puts what the client is to see
    /// into `sending`.
    pub(super) fn rewrite(&mut self, written: &mut BytesMut, sending: &mut BytesMut) {
        while let Parsed::Frame(frame) = Frame::parse(written, usize::MAX, false) {
            let closes = frame.opcode == CLOSE && !fails(&frame);
            if let Some(frame) = self.frame(frame) {
                frame.encode(sending);
            }
            if closes && self.quirks.has(Quirk::WsSendsAfterClose) {
                Frame::new(BINARY, b"late").encode(sending);
            }
        }
    }

    /// What becomes of a frame.
    fn frame(&mut self, mut frame: Frame) -> Option<Frame> {
        let has = |quirk| self.quirks.has(quirk);
        if frame.opcode == CLOSE {
            frame = self.close(frame)?;
        }
        if has(Quirk::WsMasksItsFrames) {
            frame.mask = Some([1, 2, 3, 4]);
        }
        if has(Quirk::WsSetsReservedBit) {
            frame.reserved = 4;
        }
        frame.overlong = has(Quirk::WsWritesLengthsOverlong);
        if frame.opcode == PONG && has(Quirk::WsEmptiesPongs) {
            frame.payload.clear();
        }
        if !frame.is_control() && has(Quirk::WsNeverEndsMessages) {
            frame.last = false;
        }
        if frame.opcode == BINARY && has(Quirk::WsSendsMqttAsText) {
            frame.opcode = TEXT;
        }
        Some(frame)
    }

    fn close(&self, mut frame: Frame) -> Option<Frame> {
        let has = |quirk| self.quirks.has(quirk);
        let fails = fails(&frame);
        let omitted = self.closed
            || has(Quirk::WsNeverAnswersClose) && self.close_received
            || has(Quirk::WsFailsSilently) && fails && !self.close_received;
        if omitted {
            return None;
        }
        let code = match frame.close_code() {
            _ if has(Quirk::WsClosesWith1005) => Some(1005),
            _ if has(Quirk::WsClosesWith999) => Some(999),
            Some(_) if fails && has(Quirk::WsFailsWith1000) => Some(1000_u16),
            code => code,
        };
        if let Some(code) = code {
            frame.payload.resize(frame.payload.len().max(2), 0);
            frame.payload[..2].copy_from_slice(&code.to_be_bytes());
        }
        if has(Quirk::WsClosesWithOneByte) {
            frame.payload.resize(1, 0x03);
        }
        Some(frame)
    }
}

/// Whether a Close frame fails a connection.
fn fails(close: &Frame) -> bool {
    let code = close.close_code();
    code.is_some_and(|code| FAILURES.contains(&code))
}
