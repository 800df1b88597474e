//! Messages of one publisher, topic and QoS reach a session in the order of
//! their publication (section 4.6).
//!
//! Judged are first deliveries; a QoS 1 message that is sent again comes a
//! second time behind later ones. Repeats with DUP set come in their original
//! order among themselves. Copies with RETAIN set answer a SUBSCRIBE, and stand
//! aside.

use super::case::Case;
use super::history::{Content, Delivery, Reading};
use super::judgement::{Judgement, Violations, deliveries};
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
            "{} of {} came after a later one of the same publisher, topic and QoS",
            counted(found, "reading"),
            deliveries(compared)
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
