//! What arrives was published: byte for byte, on its topic, and not before.
//!
//! Besides readings there may arrive the wills of clients, and the empty
//! message that clears a retained one.

use super::case::Case;
use super::history::{Content, Delivery, NEVER, Stranger};
use super::judgement::{Judgement, Violations, deliveries};
use super::slice::{clock, message_words};
use crate::trace::{Message, TextId};
use rustc_hash::FxHashSet;
use squall_reports::{Violation, figures::count};

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let history = case.history;
    if history.deliveries.is_empty() {
        return Judgement::NotApplicable("nothing was delivered".to_owned());
    }
    let known = Known::of(case);
    let mut violations = Violations::default();
    let mut wills = 0u64;
    for delivery in &history.deliveries {
        match delivery.content {
            Content::Reading(index) => {
                let reading = case.reading(index);
                if reading.first_sent > delivery.at {
                    violations.find(|| Violation {
                        text: vec![format!(
                            "{} received reading {} at {}, before its publisher had sent it",
                            history.roster.name(history.receiver(delivery)),
                            reading.id,
                            clock(delivery.at)
                        )],
                        statement: None,
                        trace: case.slice().reading(reading).delivery(delivery).lines(),
                        command: Some(case.trace_command(reading)),
                    });
                }
            }
            Content::Stranger(index) => {
                let stranger = &history.strangers[index as usize];
                if known.wills.contains(&key(&stranger.message)) {
                    wills += 1;
                } else if !known.clears(&stranger.message) {
                    violations.find(|| fabricated(case, delivery, stranger));
                }
            }
        }
    }
    let total = history.deliveries.len() as u64;
    Judgement::of(violations, |found| match found {
        0 if wills == total => format!("{} match a will", deliveries(wills)),
        0 if wills > 0 => format!(
            "{} match a publish byte for byte, {} a will",
            deliveries(total - wills),
            count(wills)
        ),
        0 => format!("{} match a publish byte for byte", deliveries(total)),
        found => format!(
            "{} of {} match nothing that was published",
            count(found),
            deliveries(total)
        ),
    })
}

/// What may arrive besides readings.
struct Known {
    wills: FxHashSet<(TextId, u32, u64)>,
    cleared: FxHashSet<TextId>,
}

impl Known {
    fn of(case: &Case<'_>) -> Known {
        let wills = case.history.roster.wills();
        let empty =
            case.history.readings.iter().filter(|reading| {
                reading.message.payload_bytes == 0 && reading.first_sent != NEVER
            });
        Known {
            wills: wills
                .iter()
                .map(|(_, will)| (will.topic, will.payload_bytes, will.payload_hash))
                .collect(),
            cleared: empty.map(|reading| reading.message.topic).collect(),
        }
    }

    fn clears(&self, message: &Message) -> bool {
        message.payload_bytes == 0 && self.cleared.contains(&message.topic)
    }
}

fn key(message: &Message) -> (TextId, u32, u64) {
    (message.topic, message.payload_bytes, message.payload_hash)
}

fn fabricated(case: &Case<'_>, delivery: &Delivery, stranger: &Stranger) -> Violation {
    let history = case.history;
    let receiver = history.roster.name(history.receiver(delivery));
    let arrived = format!(
        "{receiver} received {} at {}",
        message_words(case, &stranger.message),
        clock(delivery.at)
    );
    let claimed = stranger
        .claims
        .and_then(|id| history.reading(id))
        .map(|index| case.reading(index));
    let (text, command) = match (stranger.claims, claimed) {
        (Some(id), Some(reading)) => (
            format!(
                "it says that it is reading {id}, which was {}",
                message_words(case, &reading.message)
            ),
            case.trace_command(reading),
        ),
        (Some(id), None) => (
            format!("it says that it is reading {id}, which was never taken"),
            case.run_command(),
        ),
        (None, _) => (
            "no reading, will or empty message like it was published".to_owned(),
            case.run_command(),
        ),
    };
    let slice = case.slice().delivery(delivery);
    let slice = match claimed {
        Some(reading) => slice.reading(reading),
        None => slice,
    };
    Violation {
        text: vec![arrived, text],
        statement: None,
        trace: slice.lines(),
        command: Some(command),
    }
}
