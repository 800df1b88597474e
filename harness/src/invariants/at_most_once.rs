//! How often a message came to one session, where more than once is too often.

use super::case::Case;
use super::history::{Delivery, Reading};
use super::judgement::Violations;
use super::slice::clock;
use crate::net::Nanos;
use squall_devices::Qos;
use squall_reports::Violation;

/// Deliveries that came at most once, as they should.
#[derive(Debug, Default)]
pub(super) struct Once {
    /// Messages that came to a session.
    pub(super) came: u64,
    /// Of these, messages whose device has forgotten that it had them.
    pub(super) forgotten: u64,
    pub(super) violations: Violations,
}

/// Counts the copies, at `qos`, of the messages that were published at one of
/// `published`. A copy with RETAIN set answers a SUBSCRIBE and does not count.
pub(super) fn judge(case: &Case<'_>, published: &[Qos], qos: Qos, statement: &str) -> Once {
    let mut once = Once::default();
    let mut arrived = Vec::new();
    for index in 0..case.history.readings.len() as u32 {
        let reading = case.reading(index);
        if !published.contains(&reading.message.qos) {
            continue;
        }
        let deliveries = case.arrivals(index).iter();
        arrived.clear();
        arrived.extend(
            deliveries
                .map(|delivery| (case.session(*delivery), *delivery))
                .filter(|(_, delivery)| {
                    let delivery = case.delivery(*delivery);
                    !delivery.retain && delivery.qos == qos
                }),
        );
        arrived.sort_unstable();
        for copies in arrived.chunk_by(|(one, _), (other, _)| one == other) {
            once.came += 1;
            if copies.len() > 1 {
                once.judge(case, reading, copies, statement);
            }
        }
    }
    once
}

impl Once {
    fn judge(
        &mut self,
        case: &Case<'_>,
        reading: &Reading,
        copies: &[(u32, u32)],
        statement: &str,
    ) {
        let session = copies[0].0;
        let deliveries = || copies.iter().map(|(_, delivery)| case.delivery(*delivery));
        // Who forgot an exchange does not repeat it; who shares a session may.
        let mixed_up = reading.mistakable && case.history.roster.is_shared(reading.id.device());
        if mixed_up || copies.len() <= case.copies_allowed(session, reading) {
            return;
        }
        let times: Vec<Nanos> = deliveries().map(|delivery| delivery.at).collect();
        if forgot_between(case, session, &times) {
            self.forgotten += 1;
            return;
        }
        self.violations.find(|| {
            let receiver = |delivery: &Delivery| {
                let device = case.history.receiver(delivery);
                case.history.roster.name(device).to_owned()
            };
            let mut times = deliveries().map(|delivery| clock(delivery.at));
            let first = times.next().unwrap_or_default();
            let again: Vec<String> = times.collect();
            let who = deliveries().next().map(receiver).unwrap_or_default();
            let slice = deliveries().fold(case.slice().reading(reading), |slice, delivery| {
                slice.delivery(delivery)
            });
            let between = deliveries().fold(slice, |slice, delivery| {
                slice.connection(delivery.connection)
            });
            Violation {
                text: vec![format!(
                    "{who} received reading {} at {first} and again at {}",
                    reading.id,
                    again.join(", ")
                )],
                statement: Some(statement.to_owned()),
                trace: between.lines(),
                command: Some(case.trace_command(reading)),
            }
        });
    }
}

/// Whether the client of a session lost its memory between two of these times:
/// it could not know then what it had received.
fn forgot_between(case: &Case<'_>, session: u32, times: &[Nanos]) -> bool {
    let client = case.history.sessions[session as usize].client;
    let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else {
        return false;
    };
    let mut forgot = case.history.forgot.iter();
    forgot.any(|(other, at)| *other == client && (first..=last).contains(&at))
}
