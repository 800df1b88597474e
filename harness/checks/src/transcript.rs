//! What was sent and received, for whoever has to believe a verdict.

use squall_broker::wire::Packet;
use squall_reports::conformance::{Exchange, ExchangeEvent};
use tokio::time::Instant;

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
    use std::fmt::Write as _;
    let mut text = String::new();
    for (index, byte) in bytes.iter().take(HEX_BYTES).enumerate() {
        let space = if index == 0 { "" } else { " " };
        // Writing to a String does not fail.
        let _ = write!(text, "{space}{byte:02x}");
    }
    if bytes.len() > HEX_BYTES {
        text.push_str(" …");
    }
    text
}

/// A packet in words.
pub(crate) fn says(packet: &Packet) -> String {
    let text = format!("{packet:?}");
    match text.char_indices().nth(SAYS_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
