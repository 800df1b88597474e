//! Messages of one publisher, topic and QoS reach a session in the order of
//! their publication (section 4.6).
//!
//! Judged are first deliveries; a QoS 1 message that is sent again comes a
//! second time behind later ones. Repeats with DUP set come in their original
//! order among themselves. Copies with RETAIN set answer a SUBSCRIBE, and stand
//! aside; so does what comes to the member of a group, which may have been
//! another's before (MQTT 5.0, section 4.6).

use super::case::Case;
use super::history::{Content, Delivery, Reading};
use super::judgement::{Judgement, Violations, deliveries, of_deliveries};
use super::owed::{Rank, rank};
use super::slice::clock;
use crate::trace::TextId;
use rustc_hash::FxHashMap;
use squall_devices::{DeviceId, Qos};
use squall_reports::{Violation, figures::counted};

/// What is in one order: a session's messages of a publisher and topic, at the
/// QoS published and the QoS delivered.
type Stream = (u32, DeviceId, TextId, Qos, Qos);

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let mut latest: FxHashMap<Stream, (Rank, u32)> = FxHashMap::default();
    let mut repeats: FxHashMap<(u32, Stream), (Rank, u32)> = FxHashMap::default();
    let mut violations = Violations::default();
    let mut compared = 0u64;
    for (delivery, index) in case.history.deliveries.iter().zip(0..) {
        let Content::Reading(number) = delivery.content else {
            continue;
        };
        if delivery.retain {
            continue;
        }
        let reading = case.reading(number);
        let session = case.history.session_of(delivery);
        let message = &reading.message;
        if case.in_a_group(session, message.topic) {
            continue;
        }
        let stream = (
            session,
            reading.id.device(),
            message.topic,
            message.qos,
            delivery.qos,
        );
        let rank = rank(reading);
        compared += 1;
        let last = latest.entry(stream).or_insert((rank, index));
        if rank > last.0 {
            *last = (rank, index);
        } else if rank < last.0
            && is_first(case, number, index, session)
            && came_by_itself(case, reading, session)
        {
            let overtaker = last.1;
            violations.find(|| violation(case, reading, delivery, overtaker, "MQTT311-4.6.0-6"));
        }
        // What its publisher sent twice may be under way twice, too.
        if delivery.dup && reading.sends == 1 {
            let last = repeats
                .entry((delivery.connection, stream))
                .or_insert((rank, index));
            if rank > last.0 {
                *last = (rank, index);
            } else if rank < last.0 && !is_first(case, number, index, session) {
                let overtaker = last.1;
                violations
                    .find(|| violation(case, reading, delivery, overtaker, "MQTT311-4.6.0-1"));
            }
        }
    }
    if compared == 0 {
        return Judgement::NotApplicable("no reading was delivered".to_owned());
    }
    let streams = latest.len() as u64;
    Judgement::of(violations, |found| match found {
        0 => format!(
            "{} in {} of publisher, topic, QoS and subscriber",
            deliveries(compared),
            counted(streams, "sequence")
        ),
        found => format!(
            "{} came after a later reading of the same publisher, topic and QoS",
            of_deliveries(found, compared)
        ),
    })
}

/// Whether this is the first delivery of a reading in a session.
fn is_first(case: &Case<'_>, reading: u32, delivery: u32, session: u32) -> bool {
    let mut before = case.arrivals(reading).iter();
    !before.any(|other| {
        *other < delivery && case.session(*other) == session && !case.delivery(*other).retain
    })
}

/// Whether the order of first deliveries says anything: a reading that its
/// publisher sent twice may, the first time, have come before the subscription.
fn came_by_itself(case: &Case<'_>, reading: &Reading, session: u32) -> bool {
    reading.sends <= 1
        || case
            .matching(session, reading.message.topic)
            .any(|subscription| subscription.certainly_from <= reading.first_sent)
}

fn violation(
    case: &Case<'_>,
    reading: &Reading,
    delivery: &Delivery,
    overtaker: u32,
    statement: &str,
) -> Violation {
    let history = case.history;
    let earlier = case.delivery(overtaker);
    let receiver = history.roster.name(history.receiver(delivery));
    let mut slice = case.slice().reading(reading);
    let mut what = "a later reading".to_owned();
    if let Content::Reading(index) = earlier.content {
        let later = case.reading(index);
        what = format!("reading {}, sent at {},", later.id, clock(later.first_sent));
        slice = slice.reading(later);
    }
    Violation {
        text: vec![
            format!(
                "{receiver} received reading {}, sent at {}, at {}",
                reading.id,
                clock(reading.first_sent),
                clock(delivery.at)
            ),
            format!("{what} had arrived at {}", clock(earlier.at)),
        ],
        statement: Some(statement.to_owned()),
        trace: slice
            .connection(delivery.connection)
            .delivery(earlier)
            .delivery(delivery)
            .lines(),
        command: Some(case.trace_command(reading)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::testing::{Actor, actor, holds, violated};
    use rstest::rstest;

    const INVARIANT: Invariant = Invariant::Order;

    const BEFORE: &str = "
        1 sensor connects
        1 recorder connects
        1 recorder subscribes a/# qos1
        2 sensor publishes 1 a/x qos1
        3 sensor publishes 2 a/x qos1";

    fn trace(after: &str) -> String {
        format!("{BEFORE}\n{after}")
    }

    fn cast() -> [Actor; 2] {
        [actor("sensor"), actor("recorder")]
    }

    #[rstest]
    #[case::in_order("4 recorder received sensor.1 qos1\n5 recorder received sensor.2 qos1")]
    #[case::one_alone("5 recorder received sensor.2 qos1")]
    #[case::repeated_behind(
        "4 recorder received sensor.1 qos1
         5 recorder received sensor.2 qos1
         6 recorder received sensor.1 qos1 dup
         7 recorder received sensor.2 qos1 dup"
    )]
    #[case::retained_aside(
        "5 recorder received sensor.2 qos1
         6 recorder received sensor.1 qos1 retain"
    )]
    fn what_keeps_its_order_holds(#[case] after: &str) {
        holds(INVARIANT, &cast(), &trace(after));
    }

    #[test]
    fn another_topic_or_qos_is_another_sequence() {
        holds(
            INVARIANT,
            &cast(),
            "1 sensor connects
             1 recorder connects
             1 recorder subscribes a/# qos2
             2 sensor publishes 1 a/x qos2
             3 sensor publishes 2 a/x qos1
             3 sensor publishes 3 a/y qos2
             4 recorder received sensor.3 qos2
             5 recorder received sensor.2 qos1
             6 recorder received sensor.1 qos2",
        );
    }

    #[test]
    fn an_older_one_after_a_newer_is_found() {
        insta::assert_snapshot!(violated(
            INVARIANT,
            &cast(),
            &trace(
                "4 recorder received sensor.2 qos1
                 5 recorder received sensor.1 qos1"
            )
        ));
    }

    #[test]
    fn repeats_out_of_their_order_are_found() {
        let backwards = trace(
            "4 recorder received sensor.1 qos1
             5 recorder received sensor.2 qos1
             6 recorder lost
             7 recorder connects present
             8 recorder received sensor.2 qos1 dup
             9 recorder received sensor.1 qos1 dup",
        );
        insta::assert_snapshot!(violated(INVARIANT, &cast(), &backwards));
    }

    #[test]
    fn what_its_publisher_sent_twice_may_be_repeated_in_any_order() {
        holds(
            INVARIANT,
            &cast(),
            &trace(
                "3 sensor sent 1 dup
                 3 sensor sent 2 dup
                 4 recorder received sensor.1 qos1
                 5 recorder received sensor.2 qos1
                 6 recorder lost
                 7 recorder connects present
                 8 recorder received sensor.2 qos1 dup
                 9 recorder received sensor.1 qos1 dup",
            ),
        );
    }
}
