//! `vanish`: devices are gone without a FIN, and boot again at the end.

use super::plan::Occurrence;
use squall_devices::Strike;

pub(super) fn strike(occurrence: &Occurrence) -> Strike {
    Strike::PowerOff {
        down: occurrence.lasts(),
    }
}
