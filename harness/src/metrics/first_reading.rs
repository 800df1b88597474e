//! How long each device took from its first attempt to connect to its first
//! reading.

use super::distribution::Distribution;
use crate::net::Nanos;
use squall_devices::DeviceId;
use squall_reports::FirstReading;

/// What a reading gets to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has left the device.
    Sent,
    /// The device knows that it arrived.
    Acknowledged,
    /// A subscriber has it.
    Delivered,
}

/// How far the devices have got.
pub(super) struct FirstReadings {
    /// By device.
    devices: Vec<Progress>,
    /// By stage.
    took: [Distribution; 3],
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    began: Option<Nanos>,
    /// By stage.
    reached: [bool; 3],
}

impl FirstReadings {
    pub(super) fn new() -> FirstReadings {
        FirstReadings {
            devices: Vec::new(),
            took: std::array::from_fn(|_| Distribution::coarse()),
        }
    }

    /// A device asks for a connection.
    pub(super) fn connecting(&mut self, at: Nanos, device: DeviceId) {
        let place = device.0 as usize;
        if self.devices.len() <= place {
            self.devices.resize(place + 1, Progress::default());
        }
        self.devices[place].began.get_or_insert(at);
    }

    /// A reading of a device got to a stage.
    pub(super) fn reached(&mut self, at: Nanos, device: DeviceId, stage: Stage) {
        let Some(progress) = self.devices.get_mut(device.0 as usize) else {
            return;
        };
        let reached = &mut progress.reached[stage as usize];
        if let Some(began) = progress.began
            && !std::mem::replace(reached, true)
        {
            self.took[stage as usize].record(at.saturating_sub(began));
        }
    }

    pub(super) fn summary(&self) -> FirstReading {
        let took = |stage: Stage| self.took[stage as usize].summary();
        FirstReading {
            sent: took(Stage::Sent),
            acknowledged: took(Stage::Acknowledged),
            delivered: took(Stage::Delivered),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_of_each_device_counts() {
        let mut first = FirstReadings::new();
        let (early, late) = (DeviceId(0), DeviceId(7));
        first.reached(1_000_000, early, Stage::Sent);
        assert_eq!(first.summary(), FirstReading::default(), "nobody connects");
        first.connecting(1_000_000, early);
        first.connecting(2_000_000, late);
        first.connecting(5_000_000, late);
        first.reached(9_000_000, late, Stage::Sent);
        first.reached(9_000_000, early, Stage::Sent);
        first.reached(99_000_000, early, Stage::Sent);
        let sent = first.summary().sent.expect("two");
        let figures = (sent.count, sent.latency_ns_min, sent.latency_ns_max);
        assert_eq!(figures, (2, 7_000_000, 8_000_000));
        assert_eq!(first.summary().delivered, None);
    }
}
