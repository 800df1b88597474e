//! A client never has more QoS 1 and 2 messages under way to it than it said it
//! takes [MQTT5-3.3.4-9].
//!
//! Judged by what the server sent on each connection and what it had received
//! by then: a message is under way from its PUBLISH to its PUBACK or PUBCOMP.

use super::case::Case;
use super::history::Excess;
use super::judgement::{Judgement, Violations};
use super::slice::clock;
use squall_reports::{
    Violation,
    figures::{count, counted},
};

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let wire = &case.history.wire;
    let clients = wire.most_under_way.len() as u64;
    if clients == 0 {
        return Judgement::NotApplicable(
            "nobody with a Receive Maximum was sent a message at QoS 1 or 2".to_owned(),
        );
    }
    let mut violations = Violations::default();
    for excess in &wire.beyond_receive_maximum {
        violations.find(|| violation(case, excess));
    }
    let most = wire.most_under_way.values().copied().max().unwrap_or(0) as u64;
    Judgement::of(violations, |found| match found {
        0 => format!(
            "{} never had more under way than they take; {} at the most",
            counted(clients, "client"),
            count(most)
        ),
        found => format!("{} beyond what its client takes", counted(found, "message")),
    })
}

fn violation(case: &Case<'_>, excess: &Excess) -> Violation {
    let roster = &case.history.roster;
    let client = case.text(roster.client_id(excess.client));
    let most = roster.receive_maximum(excess.client).unwrap_or(u16::MAX);
    let sent = format!("sent {client} a PUBLISH, {} under way", excess.under_way);
    Violation {
        text: vec![format!(
            "{client} had {} messages under way at {}, and takes {most}",
            excess.under_way,
            clock(excess.at)
        )],
        statement: Some("MQTT5-3.3.4-9".to_owned()),
        trace: case.slice().event(excess.at, "broker", sent).lines(),
        command: Some(case.run_command()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::testing::{Actor, actor, holds, not_applicable, violated};

    const INVARIANT: Invariant = Invariant::ReceiveMaximum;

    /// The recorder takes two at once.
    fn cast() -> [Actor; 2] {
        let recorder = Actor {
            receive_maximum: Some(2),
            ..actor("recorder")
        };
        [actor("sensor"), recorder]
    }

    const BEFORE: &str = "
        1 broker accepts 1 recorder
        2 sensor connects
        2 sensor publishes 1 a qos1
        2 sensor publishes 2 a qos1
        2 sensor publishes 3 a qos1
        3 broker sent 1 PUBLISH 1 sensor.1
        3 broker sent 1 PUBLISH 2 sensor.2";

    #[test]
    fn what_is_acknowledged_makes_room() {
        let trace = format!(
            "{BEFORE}
             4 broker got 1 PUBACK 1
             5 broker sent 1 PUBLISH 3 sensor.3"
        );
        let summary = holds(INVARIANT, &cast(), &trace);
        assert_eq!(
            summary,
            "1 client never had more under way than they take; 2 at the most"
        );
    }

    #[test]
    fn a_repetition_takes_no_more_room() {
        let trace = format!("{BEFORE}\n5 broker sent 1 PUBLISH 2 sensor.2 dup");
        holds(INVARIANT, &cast(), &trace);
    }

    #[test]
    fn one_too_many_is_found() {
        let trace = format!("{BEFORE}\n5 broker sent 1 PUBLISH 3 sensor.3");
        insta::assert_snapshot!(violated(INVARIANT, &cast(), &trace));
    }

    #[test]
    fn who_takes_any_number_is_not_judged() {
        not_applicable(INVARIANT, &[actor("sensor"), actor("recorder")], BEFORE);
    }
}
