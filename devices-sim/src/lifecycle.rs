//! When a device is awake, and when it wakes again.
//!
//! Times are counted from the start of [`run`](crate::run). A wake-up is a pure
//! function of the fleet, the device and how often it woke before.

use crate::device::Device;
use crate::fleet::Fleet;
use crate::id::DeviceId;
use crate::random::{Draw, Purpose, Spread, nanoseconds};
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
        /// Each device's clock is off by a constant of up to this many parts per
        /// million, either way; at most 1,000,000.
        drift_ppm: u32,
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
            Self::AlwaysOn | Self::UpDown { .. } => None,
        }
    }

    pub(crate) fn ending(&self) -> Ending {
        match self {
            Self::UpDown { ending, .. } => *ending,
            Self::AlwaysOn | Self::Periodic { .. } | Self::OneShot { .. } => Ending::Clean,
        }
    }

    pub(crate) fn problem(&self) -> Option<&'static str> {
        match self {
            Self::AlwaysOn => None,
            Self::Periodic {
                every,
                jitter,
                drift_ppm,
                visit,
            } => {
                if every.is_zero() {
                    Some("it wakes every 0 s")
                } else if *jitter > *every / 2 {
                    Some("the wake-up's jitter is above half of its interval")
                } else if *drift_ppm > 1_000_000 {
                    Some("the clock drifts by more than 1,000,000 ppm")
                } else {
                    visit.problem()
                }
            }
            Self::UpDown { up, down, .. } => up.problem().or_else(|| down.problem()),
            Self::OneShot { visit } => visit.problem(),
        }
    }
}

impl Visit {
    fn problem(&self) -> Option<&'static str> {
        let (readings, linger) = (self.readings, self.linger);
        let needed = linger.max(self.gap.saturating_mul(readings.saturating_sub(1)));
        (self.patience <= needed)
            .then_some("`patience` must be longer than a visit's readings and its lingering take")
    }
}

/// When a device first wakes.
pub(crate) fn first_wake(fleet: &Fleet, device: DeviceId) -> Duration {
    let window = nanoseconds(fleet.start);
    let draw = Draw::new(fleet.seed, Purpose::Start, device, 0).below(window);
    Duration::from_nanos(draw)
}

/// How long a device that goes up now stays up; `None` if for ever.
pub(crate) fn awake_for(fleet: &Fleet, device: &Device) -> Option<Duration> {
    match &fleet.lifecycle {
        Lifecycle::AlwaysOn => None,
        Lifecycle::Periodic { visit, .. } | Lifecycle::OneShot { visit } => Some(visit.patience),
        Lifecycle::UpDown { up, .. } => {
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
        Lifecycle::AlwaysOn | Lifecycle::OneShot { .. } => None,
        Lifecycle::UpDown { down, .. } => {
            let count = u64::from(device.wakes);
            Some(now + down.sample(&mut Draw::new(fleet.seed, Purpose::DownTime, id, count)))
        }
        Lifecycle::Periodic {
            every,
            jitter,
            drift_ppm,
            ..
        } => {
            let timetable = Timetable {
                seed: fleet.seed,
                device: id,
                first: first_wake(fleet, id),
                every: *every,
                jitter: *jitter,
                drift_ppm: *drift_ppm,
            };
            let (slot, at) = timetable.after(u64::from(device.slot), now);
            device.slot = u32::try_from(slot).ok()?;
            Some(at)
        }
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

/// The wake-ups of one device that wakes at an interval.
struct Timetable {
    seed: u64,
    device: DeviceId,
    first: Duration,
    every: Duration,
    jitter: Duration,
    drift_ppm: u32,
}

impl Timetable {
    /// The interval in nanoseconds, as the device's own clock keeps it.
    fn drifted(&self) -> u128 {
        // Drawn in parts per billion, so that a few ppm still differ by device.
        let width = Duration::from_nanos(u64::from(self.drift_ppm) * 1_000);
        let ppb = Draw::new(self.seed, Purpose::ClockDrift, self.device, 0).around(width);
        let scale = 1_000_000_000 + i128::from(ppb);
        let every = i128::from(nanoseconds(self.every));
        (every * scale / 1_000_000_000).max(1).unsigned_abs()
    }

    fn at(&self, slot: u64, drifted: u128) -> Duration {
        let jitter =
            Draw::new(self.seed, Purpose::WakeJitter, self.device, slot).around(self.jitter);
        let nominal = u128::from(slot) * drifted + self.first.as_nanos();
        let at = nominal.saturating_add_signed(i128::from(jitter));
        Duration::from_nanos(u64::try_from(at).unwrap_or(u64::MAX))
    }

    /// The first wake-up past `slot` that is later than `now`.
    fn after(&self, slot: u64, now: Duration) -> (u64, Duration) {
        let drifted = self.drifted();
        // Jump over what was missed; one slot short, since jitter may make it late.
        let elapsed = now.saturating_sub(self.first).as_nanos();
        let current = u64::try_from(elapsed / drifted).unwrap_or(u64::MAX);
        let mut slot = (slot + 1).max(current.saturating_sub(1));
        loop {
            let at = self.at(slot, drifted);
            if at > now {
                return (slot, at);
            }
            slot += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn timetable(device: u32, jitter_s: u64, drift_ppm: u32) -> Timetable {
        Timetable {
            seed: 7,
            device: DeviceId(device),
            first: Duration::from_secs(5),
            every: Duration::from_secs(100),
            jitter: Duration::from_secs(jitter_s),
            drift_ppm,
        }
    }

    #[rstest]
    #[case::next(0, 6, 1, 105)]
    #[case::just_before(0, 104, 1, 105)]
    #[case::not_the_same_again(1, 104, 2, 205)]
    #[case::missed_some(1, 950, 10, 1_005)]
    fn wakes_on_the_interval(
        #[case] slot: u64,
        #[case] now_s: u64,
        #[case] expected_slot: u64,
        #[case] expected_s: u64,
    ) {
        let next = timetable(0, 0, 0).after(slot, Duration::from_secs(now_s));
        assert_eq!(next, (expected_slot, Duration::from_secs(expected_s)));
    }

    #[test]
    fn jitter_is_bounded_and_does_not_accumulate() {
        let mut now = Duration::from_secs(5);
        let mut slot = 0;
        let mut offsets = Vec::new();
        for expected_slot in 1..=1_000 {
            (slot, now) = timetable(3, 30, 0).after(slot, now);
            assert_eq!(slot, expected_slot);
            offsets.push(now.as_secs_f64() - (5 + slot * 100) as f64);
        }
        let least = offsets.iter().copied().fold(f64::MAX, f64::min);
        let greatest = offsets.iter().copied().fold(f64::MIN, f64::max);
        assert!((-30.0..-28.0).contains(&least), "{least}");
        assert!((28.0..=30.0).contains(&greatest), "{greatest}");
    }

    #[test]
    fn drift_is_bounded_constant_and_each_devices_own() {
        let mut drifts = Vec::new();
        for device in 0..200 {
            let timetable = timetable(device, 0, 50);
            let (_, at) = timetable.after(9_999, Duration::ZERO);
            let (_, half) = timetable.after(4_999, Duration::ZERO);
            let seconds = at.as_secs_f64() - 1_000_005.0;
            assert!((seconds - 2.0 * (half.as_secs_f64() - 500_005.0)).abs() < 1e-3);
            drifts.push(seconds);
        }
        // 50 ppm of 1,000,000 s.
        assert!(drifts.iter().all(|d| d.abs() <= 50.0));
        assert!(drifts.iter().any(|d| *d > 40.0) && drifts.iter().any(|d| *d < -40.0));
    }

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
