//! Once the weather is clear, what is owed arrives within a stated bound
//! (`[expect] settle`).
//!
//! The bound counts from when the reading was acknowledged, the last fault over,
//! and the session's client connected, and only if it stays so for as long: a
//! session whose client has not been back for long enough is not judged.

use super::case::Case;
use super::history::NEVER;
use super::judgement::{Judgement, Violations, deliveries};
use super::owed::Late;
use super::slice::clock;
use squall_devices::Qos;
use squall_reports::{
    Violation,
    figures::{count, duration, exact_duration},
};

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let tallies = [Qos::AtLeastOnce, Qos::ExactlyOnce].map(|qos| case.owed.at(qos));
    let owed: u64 = tallies.iter().map(|tally| tally.owed).sum();
    let open: u64 = tallies.iter().map(|tally| tally.open).sum();
    if owed == 0 {
        return Judgement::NotApplicable("nothing acknowledged was owed".to_owned());
    }
    if case.cleared == NEVER {
        return Judgement::NotApplicable("the weather never cleared".to_owned());
    }
    let mut violations = Violations::default();
    for late in &case.owed.late {
        violations.find(|| violation(case, late));
    }
    let bound = exact_duration(case.terms.settle);
    let weather = match case.history.faults.is_empty() {
        true => "it was due",
        false => "it was due and the weather clear",
    };
    Judgement::of(violations, |found| {
        let mut text = match (found, case.owed.slowest) {
            (0, Some(slowest)) => format!(
                "the slowest delivery came {} after {weather} (bound {bound})",
                duration(slowest)
            ),
            (0, None) => format!("nothing was due for as long as {bound}"),
            (found, _) => format!(
                "{} of {} not there {bound} after {weather}",
                count(found),
                deliveries(owed)
            ),
        };
        if open > 0 {
            text.push_str(&format!(
                "; {} not judged: their sessions were not back for as long",
                count(open)
            ));
        }
        text
    })
}

fn violation(case: &Case<'_>, late: &Late) -> Violation {
    let history = case.history;
    let reading = case.reading(late.pair.reading);
    let session = &history.sessions[late.pair.session as usize];
    let device = history.connections[session.connection as usize].device;
    let receiver = history.roster.name(device);
    let came = match late.delivered {
        Some(at) => format!("came at {}", clock(at)),
        None => "never came".to_owned(),
    };
    let mut slice = case.slice().reading(reading);
    for delivery in case.arrivals(late.pair.reading) {
        if case.session(*delivery) == late.pair.session {
            slice = slice.delivery(case.delivery(*delivery));
        }
    }
    for fault in history
        .faults
        .iter()
        .filter(|fault| fault.ended == case.cleared)
    {
        slice = slice.event(fault.ended, "weather", format!("{} over", fault.kind));
    }
    Violation {
        text: vec![format!(
            "{receiver} was to have reading {} by {}; it {came}",
            reading.id,
            clock(late.due)
        )],
        statement: None,
        trace: slice.connection(session.connection).lines(),
        command: Some(case.trace_command(reading)),
    }
}
