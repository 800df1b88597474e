//! `sleep-in-handshake`: devices fall asleep between their next CONNECT and its
//! CONNACK.

use super::plan::Occurrence;
use squall_devices::Strike;

pub(super) fn strike(occurrence: &Occurrence) -> Strike {
    Strike::SleepInHandshake {
        down: occurrence.lasts(),
    }
}
