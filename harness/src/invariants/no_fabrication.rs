//! What arrives was published before: byte for byte, on its topic.
//!
//! Besides readings there may arrive the wills of clients, and the empty
//! message that clears a retained one.

use super::case::Case;
use super::history::{Content, Delivery, NEVER, Stranger};
use super::judgement::{Judgement, Violations, deliveries, of_deliveries};
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
            Content::Reading(_) => {}
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
            "{} match nothing that was published",
            of_deliveries(found, total)
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

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::testing::{Actor, actor, judged, violated};
    use rstest::rstest;
    use squall_devices::Qos;

    const INVARIANT: Invariant = Invariant::NoFabrication;

    const BEFORE: &str = "
        1 sensor connects
        1 recorder connects
        1 recorder subscribes a/# qos1
        2 sensor publishes 1 a/x qos1";

    #[track_caller]
    fn check(after: &str) -> String {
        let cast = [
            Actor {
                will: Some(("a/will", Qos::AtLeastOnce, false)),
                ..actor("sensor")
            },
            actor("recorder"),
        ];
        judged(INVARIANT, &cast, &format!("{BEFORE}\n{after}")).summary
    }

    #[test]
    fn a_reading_and_a_will_as_they_were_sent_hold() {
        let summary = check("3 recorder received sensor.1 qos1");
        assert_eq!(summary, "1 delivery match a publish byte for byte");
        let summary = check(
            "3 recorder received sensor.1 qos1
             4 recorder received will sensor qos1",
        );
        assert_eq!(
            summary,
            "1 delivery match a publish byte for byte, 1 a will"
        );
    }

    #[test]
    fn an_empty_message_is_known_by_its_topic() {
        let summary = check(
            "3 sensor publishes 2 a/x qos1 retain empty
             4 recorder received sensor.2 qos1",
        );
        assert_eq!(summary, "1 delivery match a publish byte for byte");
    }

    #[rstest]
    #[case::other_bytes("3 recorder received sensor.1 qos1 corrupt")]
    #[case::another_topic("3 recorder received sensor.1 qos1 elsewhere")]
    #[case::never_taken("3 recorder received sensor.7 qos1")]
    fn what_was_not_published_is_found(#[case] after: &str) {
        let cast = [actor("sensor"), actor("recorder")];
        violated(INVARIANT, &cast, &format!("{BEFORE}\n{after}"));
    }

    #[test]
    fn a_violation_shows_both() {
        let cast = [actor("sensor"), actor("recorder")];
        let trace = format!("{BEFORE}\n3 recorder received sensor.1 qos1 elsewhere");
        insta::assert_snapshot!(violated(INVARIANT, &cast, &trace));
    }
}
