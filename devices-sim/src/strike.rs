//! What strikes a single device.

use std::time::Duration;

/// Something that happens to one device, out of the blue. It acts at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// Its battery dies: it is gone without a word ([`Dial::vanish`](crate::Dial::vanish)),
    /// and boots again when it has a fresh one. Of a sleeping device the
    /// wake-ups until then are missed.
    PowerOff {
        /// Time without power; [`Duration::MAX`] is for ever.
        down: Duration,
    },
    /// It resets its connection, and reconnects with its back-off.
    Reset,
    /// It disconnects cleanly and, if it is awake then, reconnects with its back-off.
    Disconnect,
    /// Its battery dies in mid-packet: of the next packet that it writes, only
    /// a part leaves.
    DieInPacket {
        /// Time without power, as of [`Strike::PowerOff`].
        down: Duration,
    },
    /// At its next connecting it goes dark between writing CONNECT and reading
    /// CONNACK, and connects anew when it wakes.
    SleepInHandshake {
        /// Time asleep.
        down: Duration,
    },
    /// It drops its connection, as a process does that is started anew, and
    /// connects again at once.
    Reconnect,
    /// From now on its clock is off by this much more, in parts per billion;
    /// above 0, intervals get longer.
    Drift {
        /// Parts per billion.
        ppb: i32,
    },
}
