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
