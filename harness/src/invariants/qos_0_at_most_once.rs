//! At QoS 0 a message arrives at most once (section 4.3.1).
//!
//! Judged are messages published at QoS 0, and those published at QoS 2 to
//! subscriptions at QoS 0. What was published at QoS 1 may come to the broker
//! twice, and so go on twice.

use super::at_most_once;
use super::case::Case;
use super::judgement::{Judgement, deliveries};
use squall_devices::Qos;
use squall_reports::figures::counted;

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let published = [Qos::AtMostOnce, Qos::ExactlyOnce];
    let once = at_most_once::judge(case, &published, Qos::AtMostOnce, "MQTT311-4.3.1-1");
    if once.came == 0 {
        return Judgement::NotApplicable("nothing was delivered at QoS 0".to_owned());
    }
    Judgement::of(once.violations, |found| match found {
        0 => format!("{} once each", deliveries(once.came)),
        found => format!(
            "{} of {} came more than once",
            counted(found, "message"),
            counted(once.came, "message")
        ),
    })
}
