//! `clock-drift`: the clocks of devices run fast or slow while it lasts, on top
//! of what they are off anyway.

use squall_devices::Strike;

/// A clock that runs fast finds its intervals over early.
pub(super) fn strike(drift_ppb: i32) -> Strike {
    Strike::Drift { ppb: -drift_ppb }
}
