//! Random figures, each a pure function of what it is for.
//!
//! A figure is drawn from a generator seeded with xxh3 over (seed, name of the
//! stream, device, count). Nothing is kept between two draws: a device that
//! reconnects once more than in another run still takes the same readings, and
//! a sleeping device stores no generator. All arithmetic is on integers, or
//! goes through the `libm` crate: the platform's own `ln` and `sin` differ
//! between machines.

use crate::id::DeviceId;
use rand::Rng;
use rand_pcg::Pcg32;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// What a random figure is for. The names are part of a seed's meaning: to
/// rename one is to change every run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Start,
    WakeJitter,
    ClockDrift,
    UpTime,
    DownTime,
    ReadingJitter,
    Backoff,
    Payload,
    LastBytes,
    WebSocket,
}

impl Purpose {
    const fn stream(self) -> &'static str {
        match self {
            Self::Start => "device start",
            Self::WakeJitter => "device wake jitter",
            Self::ClockDrift => "device clock drift",
            Self::UpTime => "device up time",
            Self::DownTime => "device down time",
            Self::ReadingJitter => "device reading jitter",
            Self::Backoff => "device back-off",
            Self::Payload => "device payload",
            Self::LastBytes => "device last bytes",
            Self::WebSocket => "device web socket",
        }
    }
}

/// Room for a stream's name, a device and a count.
const KEY_LEN_MAX: usize = 32 + 4 + 8;

/// The generator of one figure.
pub(crate) struct Draw(Pcg32);

impl Draw {
    pub(crate) fn new(seed: u64, purpose: Purpose, device: DeviceId, count: u64) -> Self {
        let name = purpose.stream().as_bytes();
        let parts = [name, &device.0.to_le_bytes(), &count.to_le_bytes()];
        let mut key = [0; KEY_LEN_MAX];
        let mut length = 0;
        for part in parts {
            key[length..length + part.len()].copy_from_slice(part);
            length += part.len();
        }
        let digest = xxh3_128_with_seed(&key[..length], seed);
        Self(Pcg32::new(digest as u64, (digest >> 64) as u64))
    }

    /// Uniform over `0..bound`, 0 if `bound` is 0. The bias of a product's high
    /// half is below 2^-64 x bound: nothing here could notice it.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Bytes, each uniform.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// Uniform over [0, 1), in steps of 2^-53.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Uniform over `-width..=width` nanoseconds.
    pub(crate) fn around(&mut self, width: Duration) -> i64 {
        let width = nanoseconds(width).min(i64::MAX as u64 / 2);
        self.below(2 * width + 1) as i64 - width as i64
    }
}

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spread {
    /// Always the same.
    Fixed(Duration),
    /// Uniform from `min` to `max`.
    Uniform {
        /// Shortest.
        min: Duration,
        /// Longest; at least `min`.
        max: Duration,
    },
    /// Exponential: without memory, as failures are.
    Exponential {
        /// Mean.
        mean: Duration,
    },
}

impl Spread {
    pub(crate) fn sample(self, draw: &mut Draw) -> Duration {
        match self {
            Self::Fixed(duration) => duration,
            Self::Uniform { min, max } => {
                let width = nanoseconds(max.saturating_sub(min));
                min + Duration::from_nanos(draw.below(width.saturating_add(1)))
            }
            // Inverse of the distribution function; 1 - u is in (0, 1], so its
            // logarithm is finite and the longest is 36.7 times the mean.
            Self::Exponential { mean } => {
                let times = -libm::log(1.0 - draw.unit());
                Duration::from_nanos((nanoseconds(mean) as f64 * times) as u64)
            }
        }
    }
}

/// A duration in nanoseconds, capped at the 584 years that fit.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn draw(purpose: Purpose, device: u32, count: u64) -> u64 {
        Draw::new(7, purpose, DeviceId(device), count).below(u64::MAX)
    }

    /// The very figures, so that a change of generator, hash or stream name is
    /// seen as what it is: every scenario's runs change with it.
    #[test]
    fn a_seed_keeps_its_meaning() {
        let figures: Vec<u64> = (0..3)
            .map(|count| draw(Purpose::Payload, 1, count))
            .collect();
        let expected: [u64; 3] = [
            14_038_833_227_784_192_866,
            1_408_669_788_750_358_945,
            3_583_987_766_429_216_115,
        ];
        assert_eq!(figures, expected);
    }

    #[test]
    fn streams_devices_and_counts_differ() {
        let mut seen = std::collections::BTreeSet::new();
        for purpose in [Purpose::Payload, Purpose::Start, Purpose::Backoff] {
            for device in 0..10 {
                for count in 0..10 {
                    assert!(seen.insert(draw(purpose, device, count)));
                }
            }
        }
    }

    #[rstest]
    #[case(Spread::Fixed(Duration::from_secs(3)), 3.0, 3.0, 3.0)]
    #[case(Spread::Uniform { min: Duration::from_secs(2), max: Duration::from_secs(6) }, 2.0, 6.0, 4.0)]
    #[case(Spread::Exponential { mean: Duration::from_secs(4) }, 0.0, 147.0, 4.0)]
    fn a_spread_has_its_bounds_and_mean(
        #[case] spread: Spread,
        #[case] min: f64,
        #[case] max: f64,
        #[case] mean: f64,
    ) {
        let samples: Vec<f64> = (0..10_000)
            .map(|count| {
                let mut draw = Draw::new(1, Purpose::UpTime, DeviceId(0), count);
                spread.sample(&mut draw).as_secs_f64()
            })
            .collect();
        assert!(samples.iter().all(|&s| (min..=max).contains(&s)));
        let measured = samples.iter().sum::<f64>() / samples.len() as f64;
        assert!((measured - mean).abs() < mean * 0.04, "mean {measured}");
    }

    #[rstest]
    #[case(Duration::ZERO)]
    #[case(Duration::from_secs(30))]
    fn around_stays_within_its_width(#[case] width: Duration) {
        let mut signs = [false; 2];
        for count in 0..1_000 {
            let offset = Draw::new(1, Purpose::WakeJitter, DeviceId(0), count).around(width);
            assert!(offset.unsigned_abs() <= nanoseconds(width));
            signs[usize::from(offset >= 0)] = true;
        }
        assert!(width.is_zero() || signs == [true, true]);
    }
}
