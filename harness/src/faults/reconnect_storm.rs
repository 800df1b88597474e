//! `reconnect-storm`: devices all lose their connection, and dial again at once.

use squall_devices::Strike;

pub(super) fn strike() -> Strike {
    Strike::Reconnect
}
