//! How long a device waits before it tries to connect again.

use crate::random::{Draw, nanoseconds};
use std::time::Duration;

/// Exponential back-off with jitter and a cap.
///
/// The `n`-th wait in a row (from 0) is `first * factor^n`, at most `max`, less
/// a random part of it of up to `jitter`. An accepted connection starts the
/// count again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// What each wait is multiplied by for the next; at least 1.
    pub factor: f64,
    /// The longest wait.
    pub max: Duration,
    /// Share of a wait that is random, from 0 (none) to 1 ("full jitter").
    pub jitter: f64,
}

impl Default for Backoff {
    /// 1 s, doubling up to 2 min, half of it random: what embedded MQTT
    /// libraries commonly advise against reconnection storms.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            factor: 2.0,
            max: Duration::from_secs(120),
            jitter: 0.5,
        }
    }
}

impl Backoff {
    /// The wait after `failures` earlier ones in a row.
    pub(crate) fn wait(&self, failures: u32, draw: &mut Draw) -> Duration {
        let longest = nanoseconds(self.max) as f64;
        let mut wait = nanoseconds(self.first) as f64;
        // Multiplied out, since powf differs between platforms; the cap is
        // reached within a few rounds.
        for _ in 0..failures {
            if wait >= longest || self.factor <= 1.0 {
                break;
            }
            wait *= self.factor;
        }
        let random_share = self.jitter * draw.unit();
        Duration::from_nanos((wait.min(longest) * (1.0 - random_share)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::DeviceId;
    use crate::random::Purpose;
    use rstest::rstest;

    #[rstest]
    #[case(0, 1.0)]
    #[case(1, 2.0)]
    #[case(5, 32.0)]
    #[case(7, 120.0)]
    #[case(u32::MAX, 120.0)]
    fn doubles_up_to_the_cap_less_at_most_the_jitter(#[case] failures: u32, #[case] full: f64) {
        let backoff = Backoff::default();
        let mut shortest = f64::MAX;
        let mut longest: f64 = 0.0;
        for count in 0..1_000 {
            let mut draw = Draw::new(1, Purpose::Backoff, DeviceId(0), count);
            let wait = backoff.wait(failures, &mut draw).as_secs_f64();
            shortest = shortest.min(wait);
            longest = longest.max(wait);
        }
        assert!(shortest >= full * 0.5 && shortest < full * 0.51);
        assert!(longest <= full && longest > full * 0.99);
    }

    #[test]
    fn without_jitter_it_is_exact() {
        let backoff = Backoff {
            jitter: 0.0,
            factor: 3.0,
            ..Backoff::default()
        };
        let mut draw = Draw::new(1, Purpose::Backoff, DeviceId(0), 0);
        assert_eq!(backoff.wait(3, &mut draw), Duration::from_secs(27));
    }
}
