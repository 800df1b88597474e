//! Once the weather is clear, what is owed arrives within a stated bound
//! (`[expect] settle`).
//!
//! The bound counts from when the reading was acknowledged, the last fault over,
//! and the session's client connected, and only if it stays so for as long: a
//! session whose client has not been back for long enough is not judged.

use super::case::Case;
use super::history::NEVER;
use super::judgement::{Judgement, Violations, of_deliveries};
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
                "{} not there {bound} after {weather}",
                of_deliveries(found, owed)
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

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::testing::{Actor, actor, holds, not_applicable, violated};
    use rstest::rstest;

    const INVARIANT: Invariant = Invariant::Liveness;

    const BEFORE: &str = "
        1 sensor connects
        1 recorder connects
        1 recorder subscribes a/# qos1
        2 sensor publishes 1 a/x qos1
        3 sensor acknowledged 1";

    fn cast() -> [Actor; 2] {
        [actor("sensor"), actor("recorder")]
    }

    fn trace(after: &str) -> String {
        format!("{BEFORE}\n{after}")
    }

    #[rstest]
    #[case::at_once(
        "4 recorder received sensor.1 qos1",
        "came 1 s after it was due (bound 10 s)"
    )]
    #[case::after_the_weather(
        "4 weather began partition
         20 weather ended partition
         25 recorder received sensor.1 qos1",
        "came 5 s after it was due and the weather clear"
    )]
    #[case::once_its_client_was_back(
        "4 recorder vanished
         40 recorder connects present
         45 recorder received sensor.1 qos1",
        "came 5 s after it was due"
    )]
    #[case::its_client_stayed_away("4 recorder vanished", "1 not judged")]
    fn what_comes_in_its_time_holds(#[case] after: &str, #[case] says: &str) {
        let summary = holds(INVARIANT, &cast(), &trace(after));
        assert!(summary.contains(says), "{summary}");
    }

    #[test]
    fn what_comes_too_late_is_found() {
        let late = trace(
            "4 weather began partition
             20 weather ended partition
             31 recorder received sensor.1 qos1",
        );
        insta::assert_snapshot!(violated(INVARIANT, &cast(), &late));
    }

    #[test]
    fn what_never_comes_is_found() {
        violated(INVARIANT, &cast(), BEFORE);
    }

    #[test]
    fn turns_of_a_fault_that_overlap_are_over_with_the_last() {
        let overlapping = trace(
            "4 weather began partition
             6 weather began partition
             10 weather ended partition
             20 weather ended partition
             31 recorder received sensor.1 qos1",
        );
        violated(INVARIANT, &cast(), &overlapping);
        let in_time = overlapping.replace("31 recorder", "25 recorder");
        let summary = holds(INVARIANT, &cast(), &in_time);
        assert!(
            summary.contains("came 5 s after it was due and the weather clear"),
            "{summary}"
        );
    }

    #[test]
    fn weather_that_never_clears_leaves_it_open() {
        let reason = not_applicable(INVARIANT, &cast(), &trace("4 weather began partition"));
        assert_eq!(reason, "the weather never cleared");
    }
}
