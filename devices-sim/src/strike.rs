//! What strikes a single device, and how it comes to it.

use crate::connection::LAST_BYTES_LEAVE;
use crate::device::Device;
use crate::lifecycle::{misses_its_wake_up, wake_by_clock};
use crate::random::{Draw, Purpose};
use crate::run::World;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// Something that happens to one device, out of the blue. It acts at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// Its battery dies: it is gone without a word ([`Dial::vanish`](crate::Dial::vanish)),
    /// and boots as soon as it has a fresh one. A device that sleeps misses its
    /// wake-ups until then, and one that has not started yet starts no earlier.
    PowerOff {
        /// Time without power; [`Duration::MAX`] is for ever.
        down: Duration,
    },
    /// It resets its connection, and reconnects with its back-off.
    Reset,
    /// It disconnects cleanly and, if it is awake then, reconnects with its back-off.
    Disconnect,
    /// Its battery dies in mid-packet: of the next packet that it writes, only
    /// a part leaves: at least a byte, and not all. (What TCP holds back for a
    /// millisecond never leaves.)
    DieInPacket {
        /// If it writes one in this time; it is then without power until the
        /// end of it. [`Duration::MAX`] is for ever.
        within: Duration,
    },
    /// At its next connecting it goes dark between writing CONNECT and reading
    /// CONNACK, or between a request for an upgrade and its answer, and connects anew when it wakes. It keeps its memory.
    SleepInHandshake {
        /// If it connects in this time; it then sleeps until the end of it.
        /// [`Duration::MAX`] is for ever.
        within: Duration,
    },
    /// It drops its connection, as a process does that is started anew, and
    /// connects again at once.
    Reconnect,
    /// From now on its clock is off by this much more; above 0 it is slow, and
    /// the intervals that it keeps by itself (see
    /// [`Fleet::clock_drift_ppb`](crate::Fleet::clock_drift_ppb)) get longer.
    Drift {
        /// Parts per billion.
        ppb: i32,
    },
}

/// Why, and for how long, a device goes dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dark {
    NoPower(Duration),
    Asleep(Duration),
}

/// What an awake device is struck by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    Strike(Strike),
    /// Its last bytes are written, and shall leave before it goes dark.
    LastBytes(Dark),
}

/// Strikes that wait for the device to write, as long as each lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Armed {
    pub(crate) die_in_packet: Option<LastPacket>,
    pub(crate) sleep_in_handshake: Option<Until>,
}

/// When a strike that waits for the device to write is over; never, if there is
/// no such time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Until(Option<Instant>);

impl Until {
    fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    /// How long a device is dark then that writes its last bytes now, which have
    /// yet to leave. Nothing if it is over by that.
    pub(crate) fn left(self) -> Option<Duration> {
        let Some(end) = self.0 else {
            return Some(Duration::MAX);
        };
        let dark = Instant::now() + LAST_BYTES_LEAVE;
        end.checked_duration_since(dark)
            .filter(|left| !left.is_zero())
    }
}

/// The packet in which a device dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastPacket {
    pub(crate) until: Until,
    /// Decides how much of it leaves.
    pub(crate) figure: u64,
}

impl LastPacket {
    /// Of `length` bytes, those that leave: at least one, and not all.
    pub(crate) fn part_of(self, length: usize) -> usize {
        match length {
            0 | 1 => 0,
            _ => 1 + (self.figure % (length as u64 - 1)) as usize,
        }
    }
}

/// Blows on their way to a device that is awake, whose task takes them, and
/// what its streams have to watch for.
#[derive(Debug)]
pub(crate) struct Inbox(Mutex<State>);

#[derive(Debug)]
struct State {
    blows: VecDeque<Blow>,
    armed: Armed,
    task: Option<Waker>,
}

impl Inbox {
    pub(crate) fn new(armed: Armed) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            blows: VecDeque::new(),
            armed,
            task: None,
        })))
    }

    pub(crate) fn push(&self, blow: Blow) {
        let mut state = self.state();
        state.blows.push_back(blow);
        if let Some(task) = state.task.take() {
            task.wake();
        }
    }

    /// The next blow, for the device's task.
    pub(crate) async fn next(&self) -> Blow {
        poll_fn(|context| {
            let mut state = self.state();
            if let Some(blow) = state.blows.pop_front() {
                return Poll::Ready(blow);
            }
            let task = context.waker();
            if !state
                .task
                .as_ref()
                .is_some_and(|known| known.will_wake(task))
            {
                state.task = Some(task.clone());
            }
            Poll::Pending
        })
        .await
    }

    /// The next blow, if there is one already.
    pub(crate) fn take(&self) -> Option<Blow> {
        self.state().blows.pop_front()
    }

    pub(crate) fn arm(&self, armed: Armed) {
        self.state().armed = armed;
    }

    pub(crate) fn armed(&self) -> Armed {
        self.state().armed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of `strike` is for later. Returns it if there is more to it.
pub(crate) fn prepare(world: &World, device: &mut Device, strike: Strike) -> Option<Strike> {
    let id = world.fleet.device(device.index);
    match strike {
        Strike::DieInPacket { within } => {
            let until = Until::after(within);
            let count = u64::from(device.wakes);
            let mut draw = Draw::new(world.fleet.seed, Purpose::LastBytes, id, count);
            let figure = draw.below(u64::MAX);
            device.rare().armed.die_in_packet = Some(LastPacket { until, figure });
        }
        Strike::SleepInHandshake { within } => {
            device.rare().armed.sleep_in_handshake = Some(Until::after(within));
        }
        Strike::Drift { ppb } => {
            let now = world.since_start(Instant::now());
            device.rare().skew.worsen(&world.fleet, id, ppb, now);
        }
        now => return Some(now),
    }
    None
}

/// Strikes a device that is to wake at `until`. Returns when it wakes now, if
/// ever.
pub(crate) fn strike_asleep(
    world: &World,
    device: &mut Device,
    until: Instant,
    strike: Strike,
) -> Option<Instant> {
    let fleet = &world.fleet;
    match prepare(world, device, strike) {
        None if device.dark => Some(until),
        // Its clock may have changed.
        None => {
            let by_clock = wake_by_clock(fleet, device);
            Some(by_clock.map_or(until, |at| world.epoch + at))
        }
        Some(Strike::PowerOff { down }) => {
            world.network.vanish(fleet.device(device.index));
            device.power_failed(world);
            let back = Instant::now().checked_add(down)?;
            // Before it was ever switched on, or dark already, it only waits longer.
            if device.wakes == 0 || device.dark {
                return Some(back.max(until));
            }
            misses_its_wake_up(fleet, device);
            device.dark = true;
            Some(back)
        }
        // It has no connection.
        Some(_) => Some(until),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_last_packet_some_leaves_and_not_all() {
        for figure in 0..1_000 {
            let last = LastPacket {
                until: Until(None),
                figure,
            };
            assert_eq!(last.part_of(2), 1);
            assert!((1..24).contains(&last.part_of(24)));
        }
    }
}
