//! What strikes single devices, and at which time.

use super::plan::{Occurrence, Struck};
use super::{
    battery_death, clock_drift, disconnect, power_cut, reconnect_storm, reset, sleep_in_handshake,
    vanish,
};
use crate::net::Nanos;
use crate::scenario::FaultKind;
use squall_devices::{DeviceId, Strike};

/// The strikes on devices of `site`, in order.
pub(crate) fn strikes(site: usize, plan: &[Occurrence]) -> Vec<(Nanos, (DeviceId, Strike))> {
    let mut strikes = Vec::new();
    for occurrence in plan {
        let Struck::Devices { site: at, devices } = &occurrence.struck else {
            continue;
        };
        if *at != site {
            continue;
        }
        let (first, last) = strike(occurrence);
        let times = [(occurrence.begins, first), (occurrence.ends, last)];
        for (time, strike) in times {
            if let Some(strike) = strike {
                strikes.extend(
                    devices
                        .iter()
                        .map(|device| (time, (DeviceId(device), strike))),
                );
            }
        }
    }
    // Stable: those of one time stay in the order of the plan and the devices.
    strikes.sort_by_key(|(time, _)| *time);
    strikes
}

/// What a fault does to each of its devices when it begins, and when it ends.
fn strike(occurrence: &Occurrence) -> (Option<Strike>, Option<Strike>) {
    let strike = match occurrence.kind {
        FaultKind::PowerCut => power_cut::strike(occurrence),
        FaultKind::Vanish => vanish::strike(occurrence),
        FaultKind::Reset => reset::strike(),
        FaultKind::Disconnect => disconnect::strike(),
        FaultKind::BatteryDeath => battery_death::strike(occurrence),
        FaultKind::SleepInHandshake => sleep_in_handshake::strike(occurrence),
        FaultKind::ReconnectStorm => reconnect_storm::strike(),
        FaultKind::ClockDrift { drift_ppb } => {
            let (begins, ends) = (drift_ppb, -drift_ppb);
            return (
                Some(clock_drift::strike(begins)),
                Some(clock_drift::strike(ends)),
            );
        }
        // These strike links and servers.
        FaultKind::Loss { .. }
        | FaultKind::BurstLoss { .. }
        | FaultKind::Latency { .. }
        | FaultKind::Rate { .. }
        | FaultKind::Blackhole { .. }
        | FaultKind::Duplication { .. }
        | FaultKind::Reordering { .. }
        | FaultKind::Partition { .. }
        | FaultKind::NatRebinding
        | FaultKind::ServerCrash
        | FaultKind::ServerPause
        | FaultKind::Drop { .. } => return (None, None),
    };
    (Some(strike), None)
}
