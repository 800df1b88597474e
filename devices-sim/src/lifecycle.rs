//! When a device is awake, and when it wakes again.
//!
//! Times are counted from the start of [`run`](crate::run). A wake-up is a pure
//! function of the fleet, the device and how often it woke before.

use crate::device::Device;
use crate::fleet::Fleet;
use crate::id::DeviceId;
use crate::random::{Draw, Purpose, Spread, nanoseconds};
use crate::timetable::Timetable;
use std::time::Duration;

/// When a device is awake. However it comes to be offline while awake, it
/// reconnects with its fleet's [`Backoff`](crate::Backoff).
#[derive(Clone, Debug, PartialEq)]
pub enum Lifecycle {
    /// Wakes once and stays.
    AlwaysOn,
    /// Wakes at an interval, pays the broker a visit, disconnects and sleeps.
    Periodic {
        /// Time from one wake-up to the next, by the device's own clock.
        every: Duration,
        /// Each wake-up is up to this much early or late, at random and without
        /// accumulating; at most half of `every`.
        jitter: Duration,
        /// What it does when awake. A visit that outlasts the interval makes it
        /// miss a wake-up.
        visit: Visit,
    },
    /// Up for a while and down for a while, whatever goes on. With short times
    /// it is *flapping*.
    UpDown {
        /// Time awake.
        up: Spread,
        /// Time asleep.
        down: Spread,
        /// How it goes down.
        ending: Ending,
    },
    /// Wakes once, stays up for a while, and never wakes again.
    Once {
        /// Time awake.
        up: Spread,
        /// How it goes down.
        ending: Ending,
    },
    /// Wakes once, pays the broker a visit, and never wakes again.
    OneShot {
        /// What it does when awake.
        visit: Visit,
    },
}

/// What a device does between waking and disconnecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Readings it takes, the first on waking.
    pub readings: u32,
    /// Time from one reading to the next.
    pub gap: Duration,
    /// How long it listens at least, from its first accepted connection.
    pub linger: Duration,
    /// It goes to sleep this long after waking even if acknowledgements are
    /// missing. What is still owed waits for the next visit.
    pub patience: Duration,
}

/// How a device goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It sends DISCONNECT and closes the connection.
    Clean,
    /// It loses its power: see [`Dial::vanish`](crate::Dial::vanish).
    Vanish,
}

impl Lifecycle {
    pub(crate) fn visit(&self) -> Option<&Visit> {
        match self {
            Self::Periodic { visit, .. } | Self::OneShot { visit } => Some(visit),
            Self::AlwaysOn | Self::UpDown { .. } | Self::Once { .. } => None,
        }
    }

    pub(crate) fn ending(&self) -> Ending {
        match self {
            Self::UpDown { ending, .. } | Self::Once { ending, .. } => *ending,
            Self::AlwaysOn | Self::Periodic { .. } | Self::OneShot { .. } => Ending::Clean,
        }
    }

    pub(crate) fn problem(&self) -> Option<&'static str> {
        match self {
            Self::AlwaysOn => None,
            Self::Periodic {
                every,
                jitter,
                visit,
            } => {
                if every.is_zero() {
                    Some("it wakes every 0 s")
                } else if *jitter > *every / 2 {
                    Some("the wake-up's jitter is above half of its interval")
                } else {
                    visit.problem()
                }
            }
            Self::Once { up, .. } => up.problem(),
            Self::UpDown { up, down, .. } => up.problem().or_else(|| down.problem()),
            Self::OneShot { visit } => visit.problem(),
        }
    }
}

impl Visit {
    fn problem(&self) -> Option<&'static str> {
        let (readings, linger) = (self.readings, self.linger);
        let needed = linger.max(self.gap.saturating_mul(readings.saturating_sub(1)));
        (self.patience < needed)
            .then_some("`patience` must not be shorter than a visit's readings and its lingering")
    }
}

/// When a device first wakes.
pub(crate) fn first_wake(fleet: &Fleet, device: DeviceId) -> Duration {
    let window = nanoseconds(fleet.start_spread);
    let draw = Draw::new(fleet.seed, Purpose::Start, device, 0).below(window);
    fleet.start_after + Duration::from_nanos(draw)
}

/// How long a device that goes up now stays up; `None` if for ever.
pub(crate) fn awake_for(fleet: &Fleet, device: &Device) -> Option<Duration> {
    match &fleet.lifecycle {
        Lifecycle::AlwaysOn => None,
        Lifecycle::Periodic { visit, .. } | Lifecycle::OneShot { visit } => Some(visit.patience),
        Lifecycle::UpDown { up, .. } | Lifecycle::Once { up, .. } => {
            let id = fleet.device(device.index);
            let count = u64::from(device.wakes);
            Some(up.sample(&mut Draw::new(fleet.seed, Purpose::UpTime, id, count)))
        }
    }
}

/// When a device that goes to sleep `now` wakes; `None` if never.
pub(crate) fn next_wake(fleet: &Fleet, device: &mut Device, now: Duration) -> Option<Duration> {
    if is_done(fleet, device, now) {
        return None;
    }
    let id = fleet.device(device.index);
    match &fleet.lifecycle {
        Lifecycle::AlwaysOn | Lifecycle::Once { .. } | Lifecycle::OneShot { .. } => None,
        Lifecycle::UpDown { down, .. } => {
            let count = u64::from(device.wakes);
            Some(now + down.sample(&mut Draw::new(fleet.seed, Purpose::DownTime, id, count)))
        }
        Lifecycle::Periodic { every, jitter, .. } => {
            let timetable = wake_ups(fleet, device, *every, *jitter);
            let (slot, at) = timetable.after(device.slot, now);
            device.slot = slot;
            Some(at)
        }
    }
}

fn wake_ups(fleet: &Fleet, device: &Device, every: Duration, jitter: Duration) -> Timetable {
    let id = fleet.device(device.index);
    let purpose = Purpose::WakeJitter;
    Timetable::new(fleet, id, device.skew(), every, jitter, purpose)
}

/// When a sleeping device wakes by its clock, which has changed; `None` if that
/// does not depend on its clock.
pub(crate) fn wake_by_clock(fleet: &Fleet, device: &Device) -> Option<Duration> {
    match fleet.lifecycle {
        Lifecycle::Periodic { every, jitter, .. } if device.wakes > 0 => {
            Some(wake_ups(fleet, device, every, jitter).at(device.slot))
        }
        _ => None,
    }
}

/// A sleeping device will not wake when it was to: its timetable stands.
pub(crate) fn misses_its_wake_up(fleet: &Fleet, device: &mut Device) {
    if matches!(fleet.lifecycle, Lifecycle::Periodic { .. }) {
        device.slot = device.slot.saturating_sub(1);
    }
}

/// Nothing is left to do: no reading to take, none owed, nothing to listen to.
fn is_done(fleet: &Fleet, device: &Device, now: Duration) -> bool {
    let quiet = fleet.quiet_after.is_some_and(|quiet| now >= quiet);
    let taken_all = fleet.publish.as_ref().is_none_or(|publish| {
        quiet
            || publish
                .readings_max
                .is_some_and(|max| device.readings >= max)
    });
    fleet.subscribe.is_empty() && taken_all && device.outbox.is_empty() && fleet.publish.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Duration::from_secs(60), true)]
    #[case(Duration::from_secs(59), false)]
    fn patience_outlasts_the_readings(#[case] patience: Duration, #[case] fits: bool) {
        let gap = Duration::from_millis(29_750);
        let visit = Visit {
            readings: 3,
            gap,
            linger: Duration::ZERO,
            patience,
        };
        assert_eq!(visit.problem().is_none(), fits);
    }
}
