//! `battery-death`: the battery of devices dies in the middle of the next packet
//! they write, so that a part of it leaves. They boot again so long after that.

use super::plan::Occurrence;
use squall_devices::Strike;

pub(super) fn strike(occurrence: &Occurrence) -> Strike {
    Strike::DieInPacket {
        down: occurrence.lasts(),
    }
}
