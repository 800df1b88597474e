//! Owed deliveries that did not come, in words.

use super::case::Case;
use super::judgement::Violations;
use super::owed::{Missing, Proof, Tally};
use super::slice::clock;
use squall_devices::Qos;
use squall_reports::{Violation, figures::count};

/// The deliveries owed at `qos` that should have come.
pub(super) fn violations(case: &Case<'_>, qos: Qos, statement: &str) -> Violations {
    let mut violations = Violations::default();
    for missing in &case.owed.missing {
        if missing.pair.qos == qos {
            violations.find(|| violation(case, missing, statement));
        }
    }
    violations
}

/// What came of the deliveries owed at one QoS, in one line.
pub(super) fn summary(tally: &Tally, lost: u64, may_repeat: bool) -> String {
    let mut text = format!(
        "{} of {} owed deliveries arrived",
        count(tally.delivered),
        count(tally.owed)
    );
    let mut add = |number: u64, what: &str| {
        if number > 0 {
            text.push_str(&format!(", {} {what}", count(number)));
        }
    };
    add(lost, "lost");
    add(
        if may_repeat { tally.repeated } else { 0 },
        "more than once",
    );
    add(tally.queue_full, "dropped from a full queue");
    add(
        tally.open,
        "not judged: their sessions were not back for long enough",
    );
    add(
        tally.expired,
        "perhaps expired before they could be delivered",
    );
    add(
        tally.forgotten,
        "forgotten by their devices, which leaves them open",
    );
    add(
        tally.mistakable,
        "open because their packet identifiers may have been in use",
    );
    text
}

fn violation(case: &Case<'_>, missing: &Missing, statement: &str) -> Violation {
    let history = case.history;
    let pair = &missing.pair;
    let reading = case.reading(pair.reading);
    let subscription = &history.subscriptions[pair.subscription as usize];
    let session = &history.sessions[pair.session as usize];
    let device = history.connections[session.connection as usize].device;
    let receiver = history.roster.name(device);
    let never = format!(
        "{receiver} never received reading {}, acknowledged at {}",
        reading.id,
        clock(reading.settled)
    );
    let slice = case.slice().subscription(subscription).reading(reading);
    let (proof, slice) = match missing.proof {
        Proof::Overtaken(index) => {
            let delivery = case.delivery(index);
            let later = match delivery.content {
                super::history::Content::Reading(later) => Some(case.reading(later)),
                super::history::Content::Stranger(_) => None,
            };
            let proof = match later {
                Some(later) => format!(
                    "though a later one of its publisher, {}, arrived at {}",
                    later.id,
                    clock(delivery.at)
                ),
                None => String::new(),
            };
            let slice = match later {
                Some(later) => slice.reading(later),
                None => slice,
            };
            let slice = slice.connection(delivery.connection).delivery(delivery);
            (proof, slice)
        }
        Proof::SessionLost(at) => (
            format!(
                "its session was gone at {}, and nobody had ended it",
                clock(at)
            ),
            slice.connection(session.connection),
        ),
        Proof::Waited(connection, until) => {
            let facts = &history.connections[connection as usize];
            (
                format!(
                    "it was connected from {}, long enough by {}",
                    clock(facts.accepted),
                    clock(until)
                ),
                slice.connection(connection),
            )
        }
    };
    Violation {
        text: vec![never, proof],
        statement: Some(statement.to_owned()),
        trace: slice.lines(),
        command: Some(case.trace_command(reading)),
    }
}
