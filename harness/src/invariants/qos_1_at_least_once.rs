//! At QoS 1 what the broker acknowledged arrives at every session that was
//! entitled to it, at least once (section 4.3.2).

use super::case::Case;
use super::judgement::Judgement;
use super::lost;
use squall_devices::Qos;

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let tally = case.owed.at(Qos::AtLeastOnce);
    if tally.owed == 0 {
        return Judgement::NotApplicable("nothing acknowledged was owed at QoS 1".to_owned());
    }
    let violations = lost::violations(case, Qos::AtLeastOnce, "MQTT311-4.3.2-1");
    Judgement::of(violations, |found| lost::summary(&tally, found, true))
}

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::testing::{Actor, actor, clean, holds, not_applicable, violated};
    use rstest::rstest;

    const INVARIANT: Invariant = Invariant::Qos1AtLeastOnce;

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

    #[test]
    fn what_arrives_once_or_twice_holds() {
        let once = trace("4 recorder received sensor.1 qos1");
        let summary = holds(INVARIANT, &cast(), &once);
        assert_eq!(summary, "1 of 1 owed deliveries arrived");
        let twice = format!("{once}\n5 recorder received sensor.1 qos1 dup");
        let summary = holds(INVARIANT, &cast(), &twice);
        assert_eq!(summary, "1 of 1 owed deliveries arrived, 1 more than once");
    }

    #[rstest]
    #[case::not_acknowledged("a/# qos1", "2 sensor publishes 1 a/x qos1")]
    #[case::without_an_id(
        "a/# qos1",
        "2 sensor publishes 1 a/x qos1 retain empty\n3 sensor acknowledged 1"
    )]
    #[case::given_up("a/# qos1", "2 sensor publishes 1 a/x qos1\n3 sensor dropped 1")]
    #[case::another_topic("b/# qos1", "2 sensor publishes 1 a/x qos1\n3 sensor acknowledged 1")]
    #[case::subscribed_at_qos_0(
        "a/# qos0",
        "2 sensor publishes 1 a/x qos1\n3 sensor acknowledged 1"
    )]
    fn what_nobody_is_owed_is_not_judged(#[case] filter: &str, #[case] published: &str) {
        let trace = format!(
            "1 sensor connects\n1 recorder connects\n1 recorder subscribes {filter}\n{published}"
        );
        not_applicable(INVARIANT, &cast(), &trace);
    }

    #[rstest]
    #[case::subscribed_after_it_was_sent(
        "1.5 recorder subscribing a/# qos1
         2 sensor publishes 1 a/x qos1
         2.5 recorder subscribed a/# qos1
         3 sensor acknowledged 1"
    )]
    #[case::unsubscribed_before_it_was_acknowledged(
        "1 recorder subscribes a/# qos1
         2 sensor publishes 1 a/x qos1
         2.5 recorder unsubscribing a/#
         3 sensor acknowledged 1"
    )]
    fn what_may_not_have_met_the_subscription_is_not_owed(#[case] trace: &str) {
        let trace = format!("1 sensor connects\n1 recorder connects\n{trace}");
        not_applicable(INVARIANT, &cast(), &trace);
    }

    #[test]
    fn what_never_comes_to_a_client_that_is_there_is_found() {
        insta::assert_snapshot!(violated(INVARIANT, &cast(), BEFORE));
    }

    #[test]
    fn what_a_later_reading_overtook_for_good_is_found() {
        let overtaken = trace(
            "4 sensor publishes 2 a/x qos1
             5 recorder received sensor.2 qos1
             6 recorder vanished",
        );
        insta::assert_snapshot!(violated(INVARIANT, &cast(), &overtaken));
    }

    #[test]
    fn what_went_with_a_session_that_nobody_ended_is_found() {
        let lost = trace(
            "3.5 recorder vanished
             5 recorder connects
             5 recorder subscribes a/# qos1
             6 recorder vanished",
        );
        insta::assert_snapshot!(violated(INVARIANT, &cast(), &lost));
    }

    #[rstest]
    #[case::away_to_the_end("3.5 recorder vanished")]
    #[case::back_too_late("3.5 recorder vanished\n55 recorder connects present")]
    #[case::the_weather_too_bad("3.5 weather began partition\n55 weather ended partition")]
    fn a_session_that_had_no_time_is_left_open(#[case] after: &str) {
        let summary = holds(INVARIANT, &cast(), &trace(after));
        assert!(summary.contains("1 not judged"), "{summary}");
    }

    #[test]
    fn a_clean_session_is_owed_nothing_beyond_its_connection() {
        let cast = [actor("sensor"), clean("recorder")];
        let gone = trace(
            "4 recorder vanished
             5 recorder connects
             5 recorder subscribes a/# qos1",
        );
        let summary = holds(INVARIANT, &cast, &gone);
        assert!(summary.contains("1 not judged"), "{summary}");
        violated(INVARIANT, &cast, BEFORE);
    }

    #[test]
    fn a_copy_in_answer_to_a_subscribe_does_not_count() {
        let retained = "5 recorder received sensor.1 qos1 retain";
        let answer = format!("4 recorder subscribes a/# qos1\n{retained}");
        violated(INVARIANT, &cast(), &trace(&answer));
        // One that answers nothing only has the wrong flag.
        holds(INVARIANT, &cast(), &trace(retained));
    }

    #[test]
    fn what_a_full_queue_dropped_is_told_and_not_held_against_the_broker() {
        let summary = holds(
            INVARIANT,
            &cast(),
            &trace("3 broker full recorder sensor.1"),
        );
        assert!(summary.contains("1 dropped from a full queue"), "{summary}");
    }

    #[test]
    fn a_session_that_two_devices_share_has_it_once() {
        let cast = [
            actor("sensor"),
            actor("recorder"),
            Actor {
                client: "recorder",
                ..actor("spare")
            },
        ];
        holds(
            INVARIANT,
            &cast,
            &trace(
                "3 recorder lost
                 4 spare connects present
                 5 spare received sensor.1 qos1",
            ),
        );
    }
}
