//! A message whose lifetime is over is not sent to anybody it has not been sent
//! to before [MQTT5-3.3.2-5], and each PUBLISH says how much of its lifetime is
//! left [MQTT5-3.3.2-6].
//!
//! Judged by when the server received a message and when it sent it on. A server
//! may count in whole seconds; and at QoS 1 a repeated PUBLISH may count as a
//! new message, with a lifetime of its own.

use super::case::Case;
use super::history::{SentLate, WrongInterval};
use super::judgement::{Judgement, Violations};
use super::slice::clock;
use squall_reports::{
    Violation,
    figures::{counted, exact_duration},
};

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let expiring = &case.history.expiring;
    let mut violations = Violations::default();
    for late in &expiring.late {
        violations.find(|| late_words(case, late));
    }
    for wrong in &expiring.wrong {
        violations.find(|| wrong_words(case, wrong));
    }
    let sent = expiring.in_time;
    if sent == 0 && violations.found == 0 {
        return Judgement::NotApplicable("no message with a lifetime was sent on".to_owned());
    }
    Judgement::of(violations, |found| match found {
        0 => format!(
            "{} with a lifetime sent on, each before its end",
            counted(sent, "message")
        ),
        found => format!(
            "{} sent on too late, or with a wrong lifetime",
            counted(found, "message")
        ),
    })
}

fn late_words(case: &Case<'_>, late: &SentLate) -> Violation {
    let reading = case.reading(late.reading);
    let client = case.text(case.history.roster.client_id(late.client));
    Violation {
        text: vec![format!(
            "reading {} was sent to {client} at {}; it had expired by {}",
            reading.id,
            clock(late.at),
            clock(late.expired)
        )],
        statement: Some("MQTT5-3.3.2-5".to_owned()),
        trace: case
            .slice()
            .reading(reading)
            .event(late.expired, "broker", format!("{} expired", reading.id))
            .event(
                late.at,
                "broker",
                format!("sent {} to {client}", reading.id),
            )
            .lines(),
        command: Some(case.trace_command(reading)),
    }
}

fn wrong_words(case: &Case<'_>, wrong: &WrongInterval) -> Violation {
    let history = case.history;
    let delivery = case.delivery(wrong.delivery);
    let receiver = history.roster.name(history.receiver(delivery));
    let found = match wrong.found {
        Some(seconds) => format!("a Message Expiry Interval of {seconds} s"),
        None => "no Message Expiry Interval".to_owned(),
    };
    let slice = case.slice().delivery(delivery);
    Violation {
        text: vec![format!(
            "{receiver} received {found} at {}; {} were left",
            clock(delivery.at),
            exact_duration(wrong.left.1)
        )],
        statement: Some("MQTT5-3.3.2-6".to_owned()),
        trace: slice.lines(),
        command: Some(case.run_command()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::testing::{Actor, actor, holds, not_applicable, violated};
    use rstest::rstest;

    const INVARIANT: Invariant = Invariant::MessageExpiry;

    /// Readings last for 10 s.
    fn cast() -> [Actor; 2] {
        let sensor = Actor {
            message_expiry_s: Some(10),
            ..actor("sensor")
        };
        let recorder = Actor {
            speaks_5_0: true,
            ..actor("recorder")
        };
        [sensor, recorder]
    }

    const BEFORE: &str = "
        1 broker accepts 1 sensor
        1 broker accepts 2 recorder
        1 sensor connects
        1 recorder connects
        2 sensor publishes 1 a qos1
        2 broker got 1 PUBLISH 1 sensor.1";

    #[rstest]
    #[case::at_once(
        "2 broker sent 2 PUBLISH 1 sensor.1\n3 recorder received sensor.1 qos1 expires10"
    )]
    #[case::after_a_while(
        "8 broker sent 2 PUBLISH 1 sensor.1\n9 recorder received sensor.1 qos1 expires4"
    )]
    #[case::once_more_what_was_sent_in_time(
        "8 broker sent 2 PUBLISH 1 sensor.1\n20 broker sent 2 PUBLISH 1 sensor.1 dup"
    )]
    #[case::repeated_by_its_publisher(
        "9 broker got 1 PUBLISH 1 sensor.1\n18 broker sent 2 PUBLISH 1 sensor.1"
    )]
    fn what_is_sent_within_its_lifetime_holds(#[case] after: &str) {
        holds(INVARIANT, &cast(), &format!("{BEFORE}\n{after}"));
    }

    #[test]
    fn what_is_sent_after_its_lifetime_is_found() {
        let late = format!("{BEFORE}\n14 broker sent 2 PUBLISH 1 sensor.1");
        insta::assert_snapshot!(violated(INVARIANT, &cast(), &late));
    }

    #[rstest]
    #[case::all_of_it("expires10")]
    #[case::none("")]
    fn a_lifetime_that_is_not_what_is_left_is_found(#[case] expires: &str) {
        violated(
            INVARIANT,
            &cast(),
            &format!(
                "{BEFORE}
                 8 broker sent 2 PUBLISH 1 sensor.1
                 9 recorder received sensor.1 qos1 {expires}"
            ),
        );
    }

    #[test]
    fn what_lasts_is_not_judged() {
        let sent = format!("{BEFORE}\n50 broker sent 2 PUBLISH 1 sensor.1");
        not_applicable(INVARIANT, &[actor("sensor"), actor("recorder")], &sent);
    }
}
