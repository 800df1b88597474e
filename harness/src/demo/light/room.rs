//! What there is to be seen in the house: how bright each lamp is, how fast the
//! motor, what is on.
//!
//! The [`Room`] is told by the devices themselves, and by nobody else: what it
//! shows of a lamp is what that lamp got.

use serde::Serialize;
use squall_devices::{DeviceId, Event, Observer};
use tokio::sync::watch;

/// The motor's number; lamps have those above it.
pub(super) const MOTOR: DeviceId = DeviceId(0);

/// The house as it can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Sight {
    /// Whether the broker runs.
    pub(super) broker: bool,
    /// Whether the Wi-Fi is on.
    pub(super) wifi: bool,
    /// The lamps, in the order in which they were plugged in.
    pub(super) lamps: Vec<Lamp>,
    /// The lamp behind the hub that speaks HTTP.
    pub(super) hub_lamp: Lamp,
    /// The motor.
    pub(super) motor: Motor,
    /// Where the knob of the dimmer on the wall stands, once it was turned.
    pub(super) dimmer: Option<u8>,
    /// Readings that the recorder has.
    pub(super) recorded: usize,
}

/// A lamp.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Lamp {
    /// What it shines at, in percent; nothing until it was told.
    pub(super) percent: Option<u8>,
    /// Whether it has a connection, as far as it knows.
    pub(super) connected: bool,
}

/// A motor that sleeps nearly all the time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Motor {
    /// How fast it turns, in percent; nothing until it was told.
    pub(super) percent: Option<u8>,
    /// Whether it listens.
    pub(super) awake: bool,
}

/// Shows the house to everybody who looks.
#[derive(Debug, Default)]
pub(super) struct Room {
    sight: watch::Sender<Sight>,
}

impl Room {
    /// What is seen from now on, beginning with what is seen now.
    pub(super) fn look(&self) -> watch::Receiver<Sight> {
        let mut sight = self.sight.subscribe();
        sight.mark_changed();
        sight
    }

    /// Changes what is seen; who looks is told if anything is different.
    pub(super) fn change(&self, change: impl FnOnce(&mut Sight)) {
        self.sight.send_if_modified(|sight| {
            let before = sight.clone();
            change(sight);
            *sight != before
        });
    }
}

impl Observer for Room {
    fn record(&self, device: DeviceId, event: Event<'_>) {
        self.change(|sight| match device.0.checked_sub(MOTOR.0 + 1) {
            None => sight.motor.saw(&event),
            Some(index) => {
                if let Some(lamp) = sight.lamps.get_mut(index as usize) {
                    lamp.saw(&event);
                }
            }
        });
    }
}

impl Lamp {
    fn saw(&mut self, event: &Event<'_>) {
        match event {
            Event::Connected { .. } => self.connected = true,
            Event::Disconnected { .. } => self.connected = false,
            Event::Delivered { payload, .. } => set(&mut self.percent, payload),
            _ => {}
        }
    }
}

impl Motor {
    fn saw(&mut self, event: &Event<'_>) {
        match event {
            Event::Woke => self.awake = true,
            Event::Slept { .. } => self.awake = false,
            Event::Delivered { payload, .. } => set(&mut self.percent, payload),
            _ => {}
        }
    }
}

/// A device does what it is told, as long as it is told a percentage.
fn set(percent: &mut Option<u8>, payload: &[u8]) {
    *percent = self::percent(payload).or(*percent);
}

/// A percentage in digits: 0 to 100.
pub(super) fn percent(text: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(text).ok()?;
    let number = digits.parse().ok()?;
    (number <= 100 && !digits.starts_with('+')).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use squall_devices::Qos;

    #[rstest]
    #[case(b"0", Some(0))]
    #[case(b"42", Some(42))]
    #[case(b"100", Some(100))]
    #[case(b"101", None)]
    #[case(b"-1", None)]
    #[case(b"+1", None)]
    #[case(b"4.2", None)]
    #[case(b"", None)]
    #[case(b"bright", None)]
    #[case(&[0xff], None)]
    fn a_percentage_is_a_whole_number_from_0_to_100(#[case] text: &[u8], #[case] is: Option<u8>) {
        assert_eq!(percent(text), is);
    }

    fn delivered(payload: &[u8]) -> Event<'_> {
        Event::Delivered {
            id: None,
            topic: "house/light",
            qos: Qos::AtLeastOnce,
            retain: false,
            dup: false,
            message_expiry_s: None,
            payload,
        }
    }

    #[test]
    fn a_lamp_stays_as_it_is_when_told_nonsense_and_nobody_is_disturbed() {
        let room = Room::default();
        room.change(|sight| sight.lamps.push(Lamp::default()));
        let lamp = DeviceId(MOTOR.0 + 1);
        room.record(lamp, delivered(b"42"));
        let mut sight = room.look();
        assert_eq!(sight.borrow_and_update().lamps[0].percent, Some(42));
        room.record(lamp, delivered(b"very bright"));
        assert!(!sight.has_changed().expect("the room is there"));
        assert_eq!(sight.borrow().lamps[0].percent, Some(42));
    }
}
