//! What remains of a device while it sleeps.

use crate::event::{DropReason, Event};
use crate::fleet::DeviceMemory;
use crate::id::MessageId;
use crate::outbox::Outbox;
use crate::run::World;
use crate::strike::{Armed, Dark};
use crate::timetable::Skew;
use tokio::time::Instant;

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
    /// How often it tried to connect.
    pub(crate) connects: u32,
    /// The broker's session has its subscriptions.
    pub(crate) subscribed: bool,
    /// It has no power, or was sent to sleep by a strike: nothing but the end
    /// of that wakes it.
    pub(crate) dark: bool,
    /// Its last figure, which a random walk goes on from.
    pub(crate) figure: f64,
    /// Readings, and receipts, that it owes.
    pub(crate) outbox: Outbox,
    rare: Option<Box<Rare>>,
}

/// What few devices have.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// How its clock went off.
    pub(crate) skew: Skew,
    /// What will strike it when it writes.
    pub(crate) armed: Armed,
    /// The filters it is to unsubscribe from.
    pub(crate) leaving: Vec<Leaving>,
    /// By filter, what it has read last of those that it polls.
    read: Vec<Option<String>>,
}

/// A filter to unsubscribe from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaving {
    /// Its place in the fleet's list.
    pub(crate) filter: usize,
    pub(crate) due: Instant,
}

impl Device {
    pub(crate) fn new(index: u32) -> Self {
        Self {
            index,
            readings: 0,
            wakes: 0,
            slot: 0,
            waits: 0,
            connects: 0,
            subscribed: false,
            dark: false,
            figure: 0.0,
            outbox: Outbox::default(),
            rare: None,
        }
    }

    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(crate) fn skew(&self) -> Skew {
        self.rare.as_ref().map(|rare| rare.skew).unwrap_or_default()
    }

    pub(crate) fn armed(&self) -> Armed {
        let rare = self.rare.as_ref();
        rare.map(|rare| rare.armed).unwrap_or_default()
    }

    /// What waited for the device to write has struck.
    pub(crate) fn spent(&mut self, dark: Dark) {
        let armed = &mut self.rare().armed;
        match dark {
            Dark::NoPower(_) => armed.die_in_packet = None,
            Dark::Asleep(_) => armed.sleep_in_handshake = None,
        }
    }

    pub(crate) fn leaving(&self) -> &[Leaving] {
        self.rare.as_ref().map_or(&[], |rare| &rare.leaving)
    }

    /// What it has read last for a filter that it polls, as the server names it.
    pub(crate) fn read(&self, filter: usize) -> Option<&str> {
        self.rare.as_ref()?.read.get(filter)?.as_deref()
    }

    /// It has read this for a filter that it polls.
    pub(crate) fn has_read(&mut self, filter: usize, what: String) {
        let read = &mut self.rare().read;
        read.resize(read.len().max(filter + 1), None);
        read[filter] = Some(what);
    }

    /// The session with its subscriptions is gone, or the memory of it.
    pub(crate) fn forget_subscriptions(&mut self) {
        self.subscribed = false;
        if let Some(rare) = &mut self.rare {
            rare.leaving.clear();
            rare.read.clear();
        }
    }

    /// The power failed, and took with it what was in RAM.
    pub(crate) fn power_failed(&mut self, world: &World) {
        if world.fleet.device_memory == DeviceMemory::Flash {
            return;
        }
        for sequence in self.outbox.forget() {
            let id = MessageId::new(world.fleet.device(self.index), sequence);
            let reason = DropReason::Forgotten;
            world.record(self, Event::Dropped { id, reason });
        }
        self.forget_subscriptions();
        world.record(self, Event::Forgot);
    }
}
