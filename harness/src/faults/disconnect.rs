//! `disconnect`: devices say DISCONNECT, and connect again.

use squall_devices::Strike;

pub(super) fn strike() -> Strike {
    Strike::Disconnect
}
