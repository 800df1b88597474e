//! What was sent and received, for whoever has to believe a verdict.

use std::fmt::{self, Write as _};

use squall_broker::wire::Packet;
use squall_reports::conformance::{Exchange, ExchangeEvent};
use tokio::time::Instant;

use crate::words::InWords;

/// Bytes of one step that are kept in hexadecimal.
const HEX_BYTES: usize = 256;

/// Characters of a decoded packet that are kept.
const SAYS_CHARS: usize = 400;

/// Steps that are kept; a hostile server could send without end.
const STEPS: usize = 2_000;

#[derive(Debug)]
pub(crate) struct Transcript {
    began: Instant,
    steps: Vec<Exchange>,
}

impl Transcript {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            steps: Vec::new(),
        }
    }

    pub(crate) fn note(&mut self, connection: u32, client: &str, event: ExchangeEvent) {
        if self.steps.len() < STEPS {
            self.steps.push(Exchange {
                at_ns: self.began.elapsed().as_nanos() as u64,
                connection,
                client: client.to_owned(),
                event,
            });
        }
    }

    pub(crate) fn took_ns(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    pub(crate) fn take(&mut self) -> Vec<Exchange> {
        std::mem::take(&mut self.steps)
    }
}

/// Bytes that were sent.
pub(crate) fn sent(bytes: &[u8], says: String) -> ExchangeEvent {
    ExchangeEvent::Sent {
        hex: hex(bytes),
        bytes: bytes.len() as u64,
        says,
    }
}

/// Bytes that were received.
pub(crate) fn received(bytes: &[u8], says: String) -> ExchangeEvent {
    ExchangeEvent::Received {
        hex: hex(bytes),
        bytes: bytes.len() as u64,
        says,
    }
}

fn hex(bytes: &[u8]) -> String {
    let kept = &bytes[..bytes.len().min(HEX_BYTES)];
    let mut text = String::with_capacity(kept.len() * 3 + 4);
    for byte in kept {
        if !text.is_empty() {
            text.push(' ');
        }
        let digits = [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
        text.extend(digits.into_iter().flatten());
    }
    if bytes.len() > HEX_BYTES {
        text.push_str(" …");
    }
    text
}

/// A packet in words.
pub(crate) fn says(packet: &Packet) -> String {
    let mut says = Says {
        text: String::new(),
        room: SAYS_CHARS,
    };
    if write!(says, "{}", InWords(packet)).is_err() {
        says.text.push('…');
    }
    says.text
}

/// Words up to so many characters: writing more fails, and so ends the writing,
/// since packets may be of megabytes.
struct Says {
    text: String,
    room: usize,
}

impl fmt::Write for Says {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for char in more.chars() {
            self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(char);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packets::publish;
    use squall_broker::wire::Qos;

    #[test]
    fn bytes_are_kept_in_hexadecimal_up_to_a_limit() {
        assert_eq!(hex(&[]), "");
        assert_eq!(hex(&[0, 0x0f, 0xa0]), "00 0f a0");
        let most = hex(&[0xff; HEX_BYTES]);
        assert_eq!(most.len(), 3 * HEX_BYTES - 1);
        assert_eq!(hex(&[0xff; HEX_BYTES + 1]), format!("{most} …"));
    }

    #[test]
    fn packets_are_told_in_full_up_to_a_limit() {
        assert_eq!(says(&Packet::PingReq), "PINGREQ");
        let large = Packet::Publish(publish("t", vec![b'm'; 5_000], Qos::AtMostOnce, 0));
        let told = says(&large);
        let whole = InWords(&large).to_string();
        assert_eq!(told.chars().count(), SAYS_CHARS + 1);
        assert!(told.ends_with('…') && whole.starts_with(told.trim_end_matches('…')));
    }
}
