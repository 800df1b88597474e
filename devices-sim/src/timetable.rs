//! What a device does at an interval: by its own clock, and a little early or late.

use crate::fleet::Fleet;
use crate::id::DeviceId;
use crate::lifecycle::first_wake;
use crate::random::{Draw, Purpose, nanoseconds};
use std::time::Duration;

/// How a device's clock went off since it was built, apart from its drift: an
/// instant that it takes to be `t` after its first waking comes `t * ppb` plus
/// `offset_ns` later than that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skew {
    ppb: i32,
    offset_ns: i64,
}

impl Skew {
    /// From `now` on, and not before, the clock is off by `ppb` more.
    pub(crate) fn worsen(&mut self, fleet: &Fleet, device: DeviceId, ppb: i32, now: Duration) {
        let built = drift_ppb(fleet, device);
        let scale = i128::from(BILLION + built + i64::from(self.ppb)).max(1);
        let elapsed = now.saturating_sub(first_wake(fleet, device));
        let shown =
            (elapsed.as_nanos() as i128 - i128::from(self.offset_ns)) * i128::from(BILLION) / scale;
        let worse = self.ppb.saturating_add(ppb);
        let change = i128::from(worse) - i128::from(self.ppb);
        let offset = i128::from(self.offset_ns) - shown * change / i128::from(BILLION);
        self.ppb = worse;
        self.offset_ns = i64::try_from(offset).unwrap_or(i64::MAX);
    }
}

const BILLION: i64 = 1_000_000_000;

/// The drift that a device's clock was built with, in parts per billion.
fn drift_ppb(fleet: &Fleet, device: DeviceId) -> i64 {
    let width = Duration::from_nanos(u64::from(fleet.clock_drift_ppb));
    Draw::new(fleet.seed, Purpose::ClockDrift, device, 0).around(width)
}

/// The times of a device's wake-ups or readings: slot 0 at its first waking, and
/// then one at each interval. Drift stretches the interval; jitter moves each
/// time by itself, and does not accumulate.
pub(crate) struct Timetable {
    seed: u64,
    device: DeviceId,
    /// What the jitter is drawn for.
    purpose: Purpose,
    jitter: Duration,
    /// When slot 0 is due, in nanoseconds, as if the clock had always gone as it
    /// does now.
    first: i128,
    /// The interval in nanoseconds, as the device's own clock keeps it.
    interval: i128,
}

impl Timetable {
    pub(crate) fn new(
        fleet: &Fleet,
        device: DeviceId,
        skew: Skew,
        every: Duration,
        jitter: Duration,
        purpose: Purpose,
    ) -> Self {
        let scale = i128::from(BILLION + drift_ppb(fleet, device) + i64::from(skew.ppb)).max(1);
        let every = i128::from(nanoseconds(every));
        let first = i128::from(nanoseconds(first_wake(fleet, device)));
        Self {
            seed: fleet.seed,
            device,
            purpose,
            jitter,
            first: first + i128::from(skew.offset_ns),
            interval: (every * scale / i128::from(BILLION)).max(1),
        }
    }

    /// When `slot` is due, since the start. Slot 0 has no jitter.
    pub(crate) fn at(&self, slot: u32) -> Duration {
        let mut draw = Draw::new(self.seed, self.purpose, self.device, u64::from(slot));
        let jitter = if slot == 0 {
            0
        } else {
            draw.around(self.jitter)
        };
        let nominal = i128::from(slot) * self.interval + self.first;
        let at = (nominal + i128::from(jitter)).max(0);
        Duration::from_nanos(u64::try_from(at).unwrap_or(u64::MAX))
    }

    /// The first slot past `slot` that is due later than `now`, and when.
    pub(crate) fn after(&self, slot: u32, now: Duration) -> (u32, Duration) {
        // Jumps over what was missed; not quite as far, since jitter may make
        // the current slot late.
        let current = u32::try_from(self.elapsed(now) / self.interval).unwrap_or(u32::MAX);
        let mut slot = slot.saturating_add(1).max(current);
        loop {
            let at = self.at(slot);
            if at > now || slot == u32::MAX {
                return (slot, at);
            }
            slot += 1;
        }
    }

    /// The first slot from `slot` on that is not due earlier than `now`, jitter aside.
    pub(crate) fn from(&self, slot: u32, now: Duration) -> u32 {
        let current = (self.elapsed(now) + self.interval - 1) / self.interval;
        slot.max(u32::try_from(current).unwrap_or(u32::MAX))
    }

    /// Nanoseconds since slot 0.
    fn elapsed(&self, now: Duration) -> i128 {
        (i128::from(nanoseconds(now)) - self.first).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn timetable(device: u32, jitter_s: u64, clock_drift_ppb: u32) -> Timetable {
        let fleet = Fleet {
            start_after: Duration::from_secs(5),
            clock_drift_ppb,
            ..Fleet::sample()
        };
        let (every, jitter) = (Duration::from_secs(100), Duration::from_secs(jitter_s));
        let (device, skew) = (DeviceId(device), Skew::default());
        Timetable::new(&fleet, device, skew, every, jitter, Purpose::WakeJitter)
    }

    /// 1,000 ppm slower from 10,000 s on, and 2,000 ppm faster again from 20,000 s on.
    #[test]
    fn a_clock_that_goes_off_does_so_from_then_on() {
        let fleet = Fleet::sample();
        let mut skew = Skew::default();
        let at = |skew, slot| {
            let every = Duration::from_secs(100);
            let (device, none) = (DeviceId(0), Duration::ZERO);
            Timetable::new(&fleet, device, skew, every, none, Purpose::WakeJitter).at(slot)
        };
        skew.worsen(&fleet, DeviceId(0), 1_000_000, Duration::from_secs(10_000));
        assert_eq!(at(skew, 100), Duration::from_secs(10_000));
        assert_eq!(at(skew, 200), Duration::from_secs(20_010));
        skew.worsen(&fleet, DeviceId(0), -2_000_000, Duration::from_secs(20_010));
        assert_eq!(at(skew, 200).as_millis(), 20_010_000);
        assert_eq!(at(skew, 300).as_millis(), 30_000_000);
    }

    #[rstest]
    #[case::next(0, 6, 1, 105)]
    #[case::just_before(0, 104, 1, 105)]
    #[case::not_the_same_again(1, 104, 2, 205)]
    #[case::missed_some(1, 950, 10, 1_005)]
    fn wakes_on_the_interval(
        #[case] slot: u32,
        #[case] now_s: u64,
        #[case] expected_slot: u32,
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
            let timetable = timetable(device, 0, 50_000);
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
    #[case::first(0, 0, 0)]
    #[case::exactly(0, 105, 1)]
    #[case::just_after(0, 106, 2)]
    #[case::never_back(7, 106, 7)]
    fn readings_missed_asleep_are_skipped(
        #[case] slot: u32,
        #[case] now_s: u64,
        #[case] expected: u32,
    ) {
        let now = Duration::from_secs(now_s);
        assert_eq!(timetable(0, 0, 0).from(slot, now), expected);
    }
}
