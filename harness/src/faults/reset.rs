//! `reset`: devices end their connection with a RST, and dial again.

use squall_devices::Strike;

pub(super) fn strike() -> Strike {
    Strike::Reset
}
