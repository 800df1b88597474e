//! Where a sender stands in the messages of the plain WebSocket hub.
//!
//! What a message is shows in part only as it comes: a number alone
//! acknowledges, and one that more follows belongs to a reading. Until then its
//! bytes count for the one, and are handed over if it was the other.

use super::End;
use super::head::Says;
use super::tally::Tally;
use squall_reports::Layer;

/// Who acknowledges, as in the hub's own documentation.
const ACKNOWLEDGED: &str = "acknowledged.squall";

/// The messages that one end of a connection sends.
#[derive(Debug)]
pub(super) struct Dissector {
    messages: Messages,
    /// The part of the message whose kind does not show yet; `None` in a
    /// reading.
    prefix: Option<Prefix>,
}

/// What an end sends, by what was asked for at the opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Messages {
    /// Nothing but readings.
    Readings,
    /// Readings, a number and a space before each.
    Numbered,
    /// Nothing but acknowledgements.
    Acknowledgements,
    /// What the hub sends: a line before a reading, or an acknowledgement if
    /// it gives any.
    OfHub { acknowledges: bool },
}

/// Bytes of a message before its reading.
#[derive(Debug, Default)]
struct Prefix {
    /// How many were counted.
    counted: u64,
    /// Whether there was one that is no digit.
    worded: bool,
}

impl Dissector {
    /// The messages that follow this head, in the direction of `end`.
    pub(super) fn after(head: &Says, end: End) -> Dissector {
        let acknowledged = head
            .list("sec-websocket-protocol")
            .any(|protocol| protocol == ACKNOWLEDGED);
        let messages = match end {
            End::Server => Messages::OfHub {
                acknowledges: acknowledged,
            },
            End::Client if head.path.starts_with("/groups/") => Messages::Acknowledgements,
            End::Client if acknowledged => Messages::Numbered,
            End::Client => Messages::Readings,
        };
        Dissector {
            messages,
            prefix: Some(Prefix::default()),
        }
    }

    /// Counts the next bytes of a message.
    pub(super) fn count(&mut self, bytes: &[u8], tally: &mut Tally<'_>) {
        let (separator, as_yet) = match self.messages {
            Messages::Readings => {
                tally.add(Layer::Payload, bytes.len());
                return;
            }
            Messages::Acknowledgements => {
                tally.add(Layer::Acknowledgements, bytes.len());
                return;
            }
            Messages::Numbered => (b' ', Layer::WebSocket),
            Messages::OfHub { acknowledges: true } => (b'\n', Layer::Acknowledgements),
            Messages::OfHub {
                acknowledges: false,
            } => (b'\n', Layer::WebSocket),
        };
        let Some(prefix) = &mut self.prefix else {
            tally.add(Layer::Payload, bytes.len());
            return;
        };
        for (index, byte) in bytes.iter().enumerate() {
            let is_worded = prefix.worded || !byte.is_ascii_digit();
            if is_worded && !prefix.worded {
                tally.transfer(prefix.counted, as_yet, Layer::WebSocket);
                prefix.worded = true;
            }
            let layer = if is_worded { Layer::WebSocket } else { as_yet };
            prefix.counted += tally.add(layer, 1);
            if *byte == separator {
                self.prefix = None;
                tally.add(Layer::Payload, bytes.len() - index - 1);
                return;
            }
        }
    }

    /// A message has ended.
    pub(super) fn end_message(&mut self, tally: &mut Tally<'_>) {
        let prefix = self.prefix.replace(Prefix::default());
        let Some(Prefix { counted, worded }) = prefix else {
            return;
        };
        match self.messages {
            Messages::Readings | Messages::Acknowledgements => {}
            // A number alone: it acknowledges.
            Messages::OfHub { acknowledges: true } if !worded => {}
            // The hub returns it to whoever wants to hear itself.
            Messages::OfHub { .. } => tally.transfer(counted, Layer::WebSocket, Layer::Payload),
            // The hub closes the connection for it.
            Messages::Numbered => tally.transfer(counted, Layer::WebSocket, Layer::Other),
        }
    }
}
