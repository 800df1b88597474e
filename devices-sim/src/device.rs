//! What remains of a device while it sleeps.

use crate::outbox::Outbox;

/// A device's memory: all that a sleeping one consists of.
#[derive(Debug)]
pub(crate) struct Device {
    /// Its place in the fleet, from 0.
    pub(crate) index: u32,
    /// Readings taken so far, and so the last one's sequence number.
    pub(crate) readings: u32,
    /// How often it woke.
    pub(crate) wakes: u32,
    /// Its last wake-up's, or next reading's, place in its timetable.
    pub(crate) slot: u32,
    /// How often it waited to reconnect.
    pub(crate) waits: u32,
    /// The broker's session has its subscriptions.
    pub(crate) subscribed: bool,
    /// Its last figure, which a random walk goes on from.
    pub(crate) figure: f64,
    /// Readings, and receipts, that it owes.
    pub(crate) outbox: Outbox,
}

impl Device {
    pub(crate) fn new(index: u32) -> Self {
        Self {
            index,
            readings: 0,
            wakes: 0,
            slot: 0,
            waits: 0,
            subscribed: false,
            figure: 0.0,
            outbox: Outbox::default(),
        }
    }
}
