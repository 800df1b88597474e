//! The access link of a device, as the network builds it: every default
//! filled in, every figure checked.
//!
//! A link has two directions that share nothing. Each direction first
//! serialises packets at its rate behind a tail-drop queue, then loses,
//! duplicates and delays them one by one.

use std::time::Duration;

/// An access link: what lies between one device and the servers.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkSpec {
    /// From the device to the server.
    pub up: Direction,
    /// From the server to the device.
    pub down: Direction,
}

impl LinkSpec {
    /// The same figures both ways.
    #[must_use]
    pub fn symmetric(direction: Direction) -> Self {
        Self {
            up: direction.clone(),
            down: direction,
        }
    }

    /// The smallest one-way delay either direction can give a packet, before
    /// serialisation.
    #[must_use]
    pub fn latency_floor(&self) -> Duration {
        self.up.latency.floor().min(self.down.latency.floor())
    }

    /// Whether packets may be lost, other than at a full queue.
    #[must_use]
    pub fn is_lossy(&self) -> bool {
        self.up.is_lossy() || self.down.is_lossy()
    }
}

/// One direction of an access link.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction {
    /// One-way delay of a packet, without its serialisation at
    /// `rate_bits_per_second` and without queueing.
    pub latency: Latency,
    /// Probability, 0 to 1, that a packet is lost, independently of others.
    pub loss: f64,
    /// Losses that come in bursts, on top of `loss`.
    pub burst: Option<GilbertElliott>,
    /// Probability, 0 to 1, that a packet arrives twice.
    pub duplicate: f64,
    /// Packets held back so that later ones overtake them.
    pub reorder: Option<Reorder>,
    /// Bits a second at which packets are serialised, IP headers included;
    /// `None` is without limit.
    pub rate_bits_per_second: Option<u64>,
    /// Bytes that may wait for serialisation before the tail is dropped, the
    /// packet being sent not counted; `None` is without limit.
    pub queue_bytes: Option<u64>,
    /// Largest IP packet in bytes, headers included.
    pub mtu: u16,
}

impl Direction {
    /// A direction that only delays: no loss, no rate, an Ethernet MTU.
    #[must_use]
    pub fn ideal(latency: Duration) -> Self {
        Self {
            latency: Latency::Fixed(latency),
            loss: 0.0,
            burst: None,
            duplicate: 0.0,
            reorder: None,
            rate_bits_per_second: None,
            queue_bytes: None,
            mtu: 1500,
        }
    }

    /// Whether packets may be lost, other than at a full queue.
    #[must_use]
    pub fn is_lossy(&self) -> bool {
        self.loss > 0.0
            || self
                .burst
                .is_some_and(|burst| burst.loss_good > 0.0 || burst.loss_bad > 0.0)
    }
}

/// One-way delay of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latency {
    /// Always the same.
    Fixed(Duration),
    /// Anything from `min` to `max`, equally likely.
    Uniform {
        /// Smallest delay.
        min: Duration,
        /// Largest delay, at least `min`.
        max: Duration,
    },
    /// Normally distributed, and never below `floor`.
    Normal {
        /// Mean before the floor is applied, at least `floor`.
        mean: Duration,
        /// Standard deviation.
        deviation: Duration,
        /// A draw below the floor becomes the floor.
        floor: Duration,
    },
}

impl Latency {
    /// It delays no packet.
    pub(crate) fn is_nothing(&self) -> bool {
        match *self {
            Self::Fixed(latency) => latency.is_zero(),
            Self::Uniform { max, .. } => max.is_zero(),
            // A floor is at most the mean.
            Self::Normal {
                mean, deviation, ..
            } => mean.is_zero() && deviation.is_zero(),
        }
    }

    /// The smallest delay a packet can see.
    #[must_use]
    pub fn floor(&self) -> Duration {
        match *self {
            Self::Fixed(latency) => latency,
            Self::Uniform { min, .. } => min,
            Self::Normal { floor, .. } => floor,
        }
    }
}

/// Bursts of loss: the two-state chain of Gilbert (1960) and Elliott (1963),
/// which moves once a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GilbertElliott {
    /// Probability, 0 to 1, of going from the good state to the bad one.
    pub enter: f64,
    /// Probability, 0 to 1, of going from the bad state to the good one; a
    /// burst lasts `1 / leave` packets on average.
    pub leave: f64,
    /// Probability, 0 to 1, that a packet is lost in the good state.
    pub loss_good: f64,
    /// Probability, 0 to 1, that a packet is lost in the bad state.
    pub loss_bad: f64,
}

impl GilbertElliott {
    /// Share of packets lost in the long run, 0 to 1.
    #[must_use]
    pub fn loss_mean(&self) -> f64 {
        let moves = self.enter + self.leave;
        if moves == 0.0 {
            // The chain starts in the good state and never leaves it.
            return self.loss_good;
        }
        (self.enter * self.loss_bad + self.leave * self.loss_good) / moves
    }
}

/// Packets held back so that later ones overtake them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reorder {
    /// Probability, 0 to 1, that a packet is held back.
    pub probability: f64,
    /// How much later than it would have arrived.
    pub delay: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::never_enters(0.0, 0.0, 0.25)]
    #[case::always_bad(1.0, 0.0, 0.75)]
    #[case::half_the_time(0.5, 0.5, 0.5)]
    fn the_mean_loss_of_bursts_weighs_both_states(
        #[case] enter: f64,
        #[case] leave: f64,
        #[case] mean: f64,
    ) {
        let burst = GilbertElliott {
            enter,
            leave,
            loss_good: 0.25,
            loss_bad: 0.75,
        };
        assert!((burst.loss_mean() - mean).abs() < 1e-12);
    }

    #[test]
    fn the_floor_of_a_link_is_its_faster_direction() {
        let link = LinkSpec {
            up: Direction::ideal(Duration::from_millis(30)),
            down: Direction {
                latency: Latency::Normal {
                    mean: Duration::from_millis(40),
                    deviation: Duration::from_millis(5),
                    floor: Duration::from_millis(20),
                },
                ..Direction::ideal(Duration::ZERO)
            },
        };
        assert_eq!(link.latency_floor(), Duration::from_millis(20));
        assert!(!link.is_lossy());
    }
}
