//! `sleep-in-handshake`: devices that connect while it lasts fall asleep between
//! CONNECT and CONNACK, until its end.

use super::plan::Occurrence;
use squall_devices::Strike;

pub(super) fn strike(occurrence: &Occurrence) -> Strike {
    Strike::SleepInHandshake {
        within: occurrence.lasts(),
    }
}
