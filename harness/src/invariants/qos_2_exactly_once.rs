//! At QoS 2 what the broker acknowledged arrives exactly once at every session
//! that was entitled to it, across reconnects and restarts (section 4.3.3).
//!
//! Never more than once, acknowledged or not; and at least once as at QoS 1.
//! On the wire, a PUBLISH is not sent again once its PUBREL was
//! [MQTT311-4.3.3-1]: a client that keeps its identifiers would not even notice.

use super::at_most_once;
use super::case::Case;
use super::history::Resent;
use super::judgement::{Judgement, Violations};
use super::lost;
use super::slice::clock;
use squall_devices::Qos;
use squall_reports::{Violation, figures::count};

const STATEMENT: &str = "MQTT311-4.3.3-1";

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let tally = case.owed.at(Qos::ExactlyOnce);
    let qos = Qos::ExactlyOnce;
    let once = at_most_once::judge(case, &[qos], qos, STATEMENT);
    if tally.owed == 0 && once.came == 0 {
        return Judgement::NotApplicable("nothing was owed or delivered at QoS 2".to_owned());
    }
    let again = once.violations.found;
    let lost = lost::violations(case, qos, STATEMENT);
    let missing = lost.found;
    let mut resent = Violations::default();
    for packet in &case.history.wire.resent_after_pubrel {
        resent.find(|| sent_again(case, packet));
    }
    let resends = resent.found;
    let violations = once.violations.and(lost).and(resent);
    Judgement::of(violations, |_| {
        let mut text = lost::summary(&tally, missing, false);
        let mut add = |number: u64, what: &str| {
            if number > 0 {
                text.push_str(&format!(", {} {what}", count(number)));
            }
        };
        add(again, "more than once");
        add(resends, "sent again after PUBREL");
        add(
            once.forgotten,
            "twice to devices whose memory was lost, which is open",
        );
        text
    })
}

fn sent_again(case: &Case<'_>, resent: &Resent) -> Violation {
    let history = case.history;
    let client = match resent.client {
        super::history::NONE => "an unknown client",
        client => case.text(history.roster.client_id(client)),
    };
    let reading = resent
        .reading
        .and_then(|id| history.reading(id))
        .map(|index| case.reading(index));
    let what = match reading {
        Some(reading) => format!("reading {}", reading.id),
        None => "a message".to_owned(),
    };
    let slice = case.slice().event(
        resent.at,
        "broker",
        format!(
            "sent {what} to {client} again, packet identifier {}",
            resent.packet_id
        ),
    );
    let slice = match reading {
        Some(reading) => slice.reading(reading),
        None => slice,
    };
    Violation {
        text: vec![format!(
            "the broker sent {what} to {client} again at {}, after its PUBREL for it",
            clock(resent.at)
        )],
        statement: Some(STATEMENT.to_owned()),
        trace: slice.lines(),
        command: Some(reading.map_or(case.run_command(), |reading| case.trace_command(reading))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::testing::{Actor, actor, holds, judged, violated};
    use rstest::rstest;

    const INVARIANT: Invariant = Invariant::Qos2ExactlyOnce;

    const BEFORE: &str = "
        1 sensor connects
        1 recorder connects
        1 recorder subscribes a/# qos2
        2 sensor publishes 1 a/x qos2
        3 sensor acknowledged 1";

    fn cast() -> [Actor; 2] {
        [actor("sensor"), actor("recorder")]
    }

    fn trace(after: &str) -> String {
        format!("{BEFORE}\n{after}")
    }

    #[test]
    fn once_holds() {
        let once = trace("4 recorder received sensor.1 qos2");
        let summary = holds(INVARIANT, &cast(), &once);
        assert_eq!(summary, "1 of 1 owed deliveries arrived");
    }

    #[test]
    fn never_is_found() {
        violated(INVARIANT, &cast(), BEFORE);
    }

    #[test]
    fn twice_is_found_across_connections() {
        insta::assert_snapshot!(violated(
            INVARIANT,
            &cast(),
            &trace(
                "4 recorder received sensor.1 qos2
                 5 recorder lost
                 6 recorder connects present
                 7 recorder received sensor.1 qos2 dup"
            )
        ));
    }

    #[test]
    fn twice_is_found_though_nobody_acknowledged() {
        let unacknowledged = "
            1 sensor connects
            1 recorder connects
            1 recorder subscribes a/# qos2
            2 sensor publishes 1 a/x qos2
            3 recorder received sensor.1 qos2
            4 recorder received sensor.1 qos2";
        violated(INVARIANT, &cast(), unacknowledged);
    }

    #[test]
    fn twice_to_a_device_that_forgot_the_first_is_open() {
        let summary = holds(
            INVARIANT,
            &cast(),
            &trace(
                "4 recorder received sensor.1 qos2
                 5 recorder vanished
                 5 recorder forgot
                 6 recorder connects present
                 7 recorder received sensor.1 qos2 dup",
            ),
        );
        assert!(summary.contains("memory was lost"), "{summary}");
    }

    #[test]
    fn what_may_have_been_taken_for_a_forgotten_one_is_open() {
        let reused = "
            1 sensor connects
            1 recorder connects
            1 recorder subscribes a/# qos2
            2 sensor publishes 1 a/x qos2
            3 sensor vanished
            3 sensor forgotten 1
            3 sensor forgot
            4 sensor connects present
            5 sensor publishes 2 a/x qos2
            6 sensor acknowledged 2
            7 recorder received sensor.1 qos2";
        let summary = judged(INVARIANT, &cast(), reused).summary;
        assert!(summary.contains("may have been in use"), "{summary}");
        // In a new session nothing is open.
        let fresh = reused.replace("4 sensor connects present", "4 sensor connects");
        violated(INVARIANT, &cast(), &fresh);
    }

    #[test]
    fn devices_that_share_a_session_take_each_others_packet_identifiers() {
        let twin = Actor {
            client: "sensor",
            ..actor("twin")
        };
        let cast = [actor("sensor"), twin, actor("recorder")];
        let mixed_up = "
            1 twin connects
            1 recorder connects
            1 recorder subscribes a/# qos2
            2 sensor connects present
            2 sensor publishes 1 a/x qos2
            3 recorder received sensor.1 qos2
            4 recorder received sensor.1 qos2";
        let summary = judged(INVARIANT, &cast, mixed_up).summary;
        assert!(summary.contains("may have been in use"), "{summary}");
    }

    const RELEASED: &str = "
        1 broker accepts 1 recorder
        3 broker sent 1 PUBREL 9
        4 recorder received sensor.1 qos2";

    #[test]
    fn a_publish_after_its_pubrel_is_found_on_the_wire() {
        let resent = trace(RELEASED) + "\n5 broker sent 1 PUBLISH 9 sensor.1 dup";
        insta::assert_snapshot!(violated(INVARIANT, &cast(), &resent));
    }

    #[rstest]
    #[case::after_pubcomp("5 broker got 1 PUBCOMP 9\n6 broker sent 1 PUBLISH 9 sensor.1 dup")]
    #[case::another_identifier("6 broker sent 1 PUBLISH 8 sensor.1 dup")]
    #[case::after_a_crash("5 weather began server-crash\n6 broker sent 1 PUBLISH 9 sensor.1 dup")]
    fn a_publish_that_may_be_sent_again_is_not(#[case] after: &str) {
        let trace = trace(RELEASED) + "\n" + after;
        let summary = judged(INVARIANT, &cast(), &trace).summary;
        assert!(!summary.contains("PUBREL"), "{summary}");
    }
}
