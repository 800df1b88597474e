//! `battery-death`: the battery of devices dies in the middle of the first packet
//! they write while it lasts, so that a part of it leaves. They boot again at its
//! end; one that writes nothing until then is spared.

use super::plan::Occurrence;
use squall_devices::Strike;

pub(super) fn strike(occurrence: &Occurrence) -> Strike {
    Strike::DieInPacket {
        within: occurrence.lasts(),
    }
}
