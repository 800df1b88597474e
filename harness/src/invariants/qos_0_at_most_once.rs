//! At QoS 0 a message arrives at most once (section 4.3.1).
//!
//! Judged are messages published at QoS 0, and those published at QoS 2 to
//! subscriptions at QoS 0. What was published at QoS 1 may come to the broker
//! twice, and so go on twice.

use super::at_most_once;
use super::case::Case;
use super::judgement::{Judgement, deliveries};
use squall_devices::Qos;
use squall_reports::figures::count;

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let published = [Qos::AtMostOnce, Qos::ExactlyOnce];
    let once = at_most_once::judge(case, &published, Qos::AtMostOnce, "MQTT311-4.3.1-1");
    if once.came == 0 {
        return Judgement::NotApplicable("nothing was delivered at QoS 0".to_owned());
    }
    Judgement::of(once.violations, |found| match found {
        0 => format!("{} once each", deliveries(once.came)),
        found => format!(
            "{} of {} messages came more than once",
            count(found),
            count(once.came)
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::testing::{actor, holds, not_applicable, violated};

    const INVARIANT: Invariant = Invariant::Qos0AtMostOnce;

    const BEFORE: &str = "
        1 sensor connects
        1 recorder connects
        1 recorder subscribes a/# qos0
        2 sensor publishes 1 a/x qos0";

    fn trace(after: &str) -> String {
        format!("{BEFORE}\n{after}")
    }

    #[test]
    fn once_or_never_holds() {
        let cast = [actor("sensor"), actor("recorder"), actor("other")];
        let one = trace("3 recorder received sensor.1 qos0");
        assert_eq!(holds(INVARIANT, &cast, &one), "1 delivery once each");
        let reason = not_applicable(INVARIANT, &cast, BEFORE);
        assert_eq!(reason, "nothing was delivered at QoS 0");
    }

    #[test]
    fn a_copy_for_each_overlapping_subscription_holds() {
        let cast = [actor("sensor"), actor("recorder")];
        let overlapping = "
            1 sensor connects
            1 recorder connects
            1 recorder subscribes a/# qos0
            1 recorder subscribes a/+ qos0
            2 sensor publishes 1 a/x qos0
            3 recorder received sensor.1 qos0
            3 recorder received sensor.1 qos0";
        holds(INVARIANT, &cast, overlapping);
        let third = format!("{overlapping}\n4 recorder received sensor.1 qos0");
        violated(INVARIANT, &cast, &third);
    }

    #[test]
    fn twice_is_found() {
        let cast = [actor("sensor"), actor("recorder")];
        insta::assert_snapshot!(violated(
            INVARIANT,
            &cast,
            &trace(
                "3 recorder received sensor.1 qos0
                 4 recorder received sensor.1 qos0"
            )
        ));
    }
}
