//! One direction of one device's access link: what happens to a packet on its
//! way through the air, decided once, when it is offered.
//!
//! A packet first waits for the transmitter (rate, tail-drop queue), then is
//! lost or not, then takes its latency. The order of packets is kept, whatever
//! the jitter, as a radio bearer keeps it; only `reorder` lets later packets
//! overtake one that is held back. A lost packet has used its airtime all the
//! same.

use crate::net::time::{Nanos, nanos};
use crate::scenario::{Direction, GilbertElliott, Latency};
use rand::RngExt;
use rand_distr::{Distribution, Normal};
use rand_pcg::Pcg64Mcg;
use std::sync::Arc;

/// Why a packet did not get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loss {
    /// The direction's independent loss probability.
    Random,
    /// Lost in the chain of Gilbert and Elliott.
    Burst,
    /// The transmitter's queue was full: tail drop.
    QueueFull,
    /// It crossed the link and found a server without power.
    ServerDown,
    /// A fault: the link swallowed it.
    Blackhole,
    /// A fault: the site and the server could not reach each other.
    Partition,
    /// A fault: it was on the air when the site had no power.
    PowerCut,
    /// A fault: a NAT had forgotten its connection.
    NatRebinding,
    /// A fault: this very packet was picked out.
    Surgical,
}

impl Loss {
    /// Every cause, in the order of its index.
    pub(crate) const ALL: [Loss; 9] = [
        Loss::Random,
        Loss::Burst,
        Loss::QueueFull,
        Loss::ServerDown,
        Loss::Blackhole,
        Loss::Partition,
        Loss::PowerCut,
        Loss::NatRebinding,
        Loss::Surgical,
    ];

    /// The cause in words, as captures and reports show it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Loss::Random => "loss",
            Loss::Burst => "burst loss",
            Loss::QueueFull => "queue full",
            Loss::ServerDown => "server down",
            Loss::Blackhole => "blackhole",
            Loss::Partition => "partition",
            Loss::PowerCut => "power cut",
            Loss::NatRebinding => "NAT rebinding",
            Loss::Surgical => "surgical",
        }
    }
}

/// What the weather does to one packet on a link, on top of what the link does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Strain {
    /// The packet is lost: why, and by which fault.
    pub(crate) lost: Option<(Loss, usize)>,
    /// On top of the link's own latency, in nanoseconds.
    pub(crate) latency_added: Nanos,
    /// The transmitter is no faster than this, nor than the link is anyway.
    pub(crate) rate_bits_per_second_max: Option<u64>,
    /// A second copy arrives.
    pub(crate) twice: bool,
    /// It is held back by so many nanoseconds, and may be overtaken.
    pub(crate) held_back: Option<Nanos>,
}

impl Strain {
    /// Loses the packet; the first cause counts.
    pub(crate) fn lose(&mut self, cause: Loss, by: usize) {
        self.lost.get_or_insert((cause, by));
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost(Loss),
    Arrives {
        at: Nanos,
        /// A second copy, when the link made one.
        again_at: Option<Nanos>,
        /// Held back so that later packets overtake it.
        held_back: bool,
    },
}

/// The state of one direction of a link. 56 bytes: there is one for each
/// direction of every device, asleep or not.
#[derive(Debug)]
pub(crate) struct Lane {
    direction: Arc<Direction>,
    random: Pcg64Mcg,
    /// The Gilbert-Elliott chain is in its bad state.
    bad: bool,
    /// When the transmitter has sent what was offered so far.
    free_at: Nanos,
    /// The latest arrival so far of a packet that was not held back.
    latest: Nanos,
}

impl Lane {
    pub(crate) fn new(direction: Arc<Direction>, random: Pcg64Mcg) -> Lane {
        Lane {
            direction,
            random,
            bad: false,
            free_at: 0,
            latest: 0,
        }
    }

    /// Offers a packet of `bytes` (IP header included) to the link at `now`.
    /// Offers come in the order of time.
    pub(crate) fn offer(&mut self, now: Nanos, bytes: usize, strain: &Strain) -> Fate {
        let direction = Arc::clone(&self.direction);
        let Some(sent_at) = self.transmit(now, bytes, &direction, strain) else {
            return Fate::Lost(Loss::QueueFull);
        };
        if let Some((cause, _)) = strain.lost {
            return Fate::Lost(cause);
        }
        if let Some(cause) = self.lose(&direction) {
            return Fate::Lost(cause);
        }
        let sent_at = sent_at + strain.latency_added;
        let mut at = sent_at + self.latency(&direction);
        let held_back = direction
            .reorder
            .filter(|reorder| self.chance(reorder.probability))
            .map(|reorder| nanos(reorder.delay))
            .or(strain.held_back);
        match held_back {
            Some(delay) => at += delay,
            None => {
                at = at.max(self.latest);
                self.latest = at;
            }
        }
        let again_at = (self.chance(direction.duplicate) || strain.twice)
            .then(|| at.max(sent_at + self.latency(&direction)));
        Fate::Arrives {
            at,
            again_at,
            held_back: held_back.is_some(),
        }
    }

    /// When the last bit has left, or nothing when the queue is full.
    fn transmit(
        &mut self,
        now: Nanos,
        bytes: usize,
        direction: &Direction,
        strain: &Strain,
    ) -> Option<Nanos> {
        let Some(rate) = rate(direction, strain) else {
            return Some(now);
        };
        let backlog = self.free_at.saturating_sub(now);
        if let Some(queue) = direction.queue_bytes {
            let waiting = u128::from(backlog) * u128::from(rate) / 8_000_000_000;
            // An idle transmitter takes any packet, whatever the queue.
            if waiting > 0 && waiting + bytes as u128 > u128::from(queue) {
                return None;
            }
        }
        self.free_at = self.free_at.max(now) + serialised(bytes, rate);
        Some(self.free_at)
    }

    /// How long the transmitter is busy with a packet of `bytes`, in nanoseconds;
    /// no time where it has no rate.
    pub(crate) fn airtime(&self, bytes: usize, strain: &Strain) -> Nanos {
        rate(&self.direction, strain).map_or(0, |rate| serialised(bytes, rate))
    }

    fn lose(&mut self, direction: &Direction) -> Option<Loss> {
        if let Some(burst) = direction.burst
            && self.lose_in_burst(burst)
        {
            return Some(Loss::Burst);
        }
        self.chance(direction.loss).then_some(Loss::Random)
    }

    /// Moves the chain by one packet, and says whether its state lost it.
    fn lose_in_burst(&mut self, burst: GilbertElliott) -> bool {
        let moves = if self.bad { burst.leave } else { burst.enter };
        self.bad ^= self.chance(moves);
        self.chance(if self.bad {
            burst.loss_bad
        } else {
            burst.loss_good
        })
    }

    fn latency(&mut self, direction: &Direction) -> Nanos {
        draw_latency(&direction.latency, &mut self.random)
    }

    /// Draws only where there is a choice, so that a probability of zero costs
    /// nothing.
    fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.random.random_bool(probability.min(1.0))
    }
}

/// Bits a second, if there is a limit.
fn rate(direction: &Direction, strain: &Strain) -> Option<u64> {
    let (usual, strained) = (
        direction.rate_bits_per_second,
        strain.rate_bits_per_second_max,
    );
    [usual, strained].into_iter().flatten().min()
}

/// How long so many bytes take at a rate.
fn serialised(bytes: usize, rate_bits_per_second: u64) -> Nanos {
    let rate = u128::from(rate_bits_per_second.max(1));
    (bytes as u128 * 8_000_000_000 / rate) as Nanos
}

/// The latency of one packet, in nanoseconds.
pub(crate) fn draw_latency(latency: &Latency, random: &mut Pcg64Mcg) -> Nanos {
    match *latency {
        Latency::Fixed(latency) => nanos(latency),
        Latency::Uniform { min, max } => random.random_range(nanos(min)..=nanos(max)),
        Latency::Normal {
            mean,
            deviation,
            floor,
        } => {
            let (mean, deviation) = (nanos(mean) as f64, nanos(deviation) as f64);
            // A deviation is finite and not negative (the scenario says so),
            // which is all that `Normal` can refuse.
            let drawn = match Normal::new(mean, deviation) {
                Ok(normal) => normal.sample(random),
                Err(_) => mean,
            };
            (drawn.max(0.0) as Nanos).max(nanos(floor))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;
    use crate::scenario::Reorder;
    use rstest::rstest;
    use std::time::Duration;

    const MS: Nanos = 1_000_000;

    fn lane(direction: Direction) -> Lane {
        Lane::new(Arc::new(direction), random::stream(1, "link test", 0))
    }

    fn ideal() -> Direction {
        Direction::ideal(Duration::from_millis(20))
    }

    fn arrival(fate: Fate) -> Option<Nanos> {
        match fate {
            Fate::Arrives { at, .. } => Some(at),
            Fate::Lost(_) => None,
        }
    }

    #[test]
    fn an_ideal_link_only_delays() {
        let mut lane = lane(ideal());
        let fate = lane.offer(5 * MS, 1500, &Strain::default());
        assert_eq!(
            fate,
            Fate::Arrives {
                at: 25 * MS,
                again_at: None,
                held_back: false
            }
        );
    }

    #[test]
    fn a_rate_spaces_packets_and_their_queue_drops_the_tail() {
        let mut lane = lane(Direction {
            rate_bits_per_second: Some(8_000),
            queue_bytes: Some(250),
            ..ideal()
        });
        // 100 bytes take 100 ms; the first is being sent, 250 may be waiting.
        let arrivals: Vec<_> = (0..4)
            .map(|_| arrival(lane.offer(0, 100, &Strain::default())))
            .collect();
        assert_eq!(arrivals, [Some(120 * MS), Some(220 * MS), None, None]);
        assert_eq!(
            lane.offer(0, 100, &Strain::default()),
            Fate::Lost(Loss::QueueFull)
        );
        assert_eq!(
            arrival(lane.offer(200 * MS, 100, &Strain::default())),
            Some(320 * MS)
        );
    }

    #[test]
    fn an_idle_transmitter_takes_a_packet_larger_than_its_queue() {
        let mut lane = lane(Direction {
            rate_bits_per_second: Some(8_000),
            queue_bytes: Some(10),
            ..ideal()
        });
        assert_eq!(
            arrival(lane.offer(0, 100, &Strain::default())),
            Some(120 * MS)
        );
        assert_eq!(
            lane.offer(0, 100, &Strain::default()),
            Fate::Lost(Loss::QueueFull)
        );
    }

    #[rstest]
    #[case::ten_percent(0.1)]
    #[case::half(0.5)]
    fn independent_loss_has_its_rate(#[case] loss: f64) {
        let mut lane = lane(Direction { loss, ..ideal() });
        let lost = (0..20_000)
            .filter(|_| lane.offer(0, 100, &Strain::default()) == Fate::Lost(Loss::Random))
            .count();
        let share = lost as f64 / 20_000.0;
        assert!(
            (share - loss).abs() < 0.01,
            "{share} of packets lost, not {loss}"
        );
    }

    #[test]
    fn bursts_have_their_mean_loss_and_length() {
        let burst = GilbertElliott {
            enter: 0.02,
            leave: 0.25,
            loss_good: 0.0,
            loss_bad: 1.0,
        };
        let mut lane = lane(Direction {
            burst: Some(burst),
            ..ideal()
        });
        let lost: Vec<bool> = (0..50_000)
            .map(|_| lane.offer(0, 100, &Strain::default()) == Fate::Lost(Loss::Burst))
            .collect();
        let share = lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64;
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        let length = share * lost.len() as f64 / bursts as f64;
        assert!((share - burst.loss_mean()).abs() < 0.01, "{share} lost");
        assert!((length - 4.0).abs() < 0.3, "bursts of {length} packets");
    }

    #[test]
    fn jitter_stays_in_its_range_and_keeps_the_order() {
        let latency = Latency::Uniform {
            min: Duration::from_millis(10),
            max: Duration::from_millis(50),
        };
        let mut lane = lane(Direction { latency, ..ideal() });
        let mut last = 0;
        for now in (0..1_000).map(|n| n * MS) {
            let at = arrival(lane.offer(now, 100, &Strain::default())).expect("no loss");
            assert!(at >= now + 10 * MS && at >= last);
            assert!(at <= (now + 50 * MS).max(last));
            last = at;
        }
    }

    #[test]
    fn a_normal_latency_never_falls_below_its_floor() {
        let latency = Latency::Normal {
            mean: Duration::from_millis(40),
            deviation: Duration::from_millis(30),
            floor: Duration::from_millis(25),
        };
        let mut lane = lane(Direction { latency, ..ideal() });
        let delays: Vec<_> = (0..2_000u64)
            .map(|n| {
                arrival(lane.offer(n * 1_000 * MS, 100, &Strain::default())).expect("no loss")
                    - n * 1_000 * MS
            })
            .collect();
        assert_eq!(delays.iter().min(), Some(&(25 * MS)));
        assert!(delays.iter().any(|delay| *delay > 60 * MS));
    }

    #[test]
    fn a_packet_held_back_is_overtaken() {
        let reorder = Reorder {
            probability: 0.2,
            delay: Duration::from_millis(15),
        };
        let mut lane = lane(Direction {
            reorder: Some(reorder),
            ..ideal()
        });
        let arrivals: Vec<_> = (0..200)
            .map(|n| arrival(lane.offer(n * MS, 100, &Strain::default())).expect("no loss"))
            .collect();
        assert!(arrivals.windows(2).any(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn a_duplicate_never_arrives_before_its_original() {
        let mut lane = lane(Direction {
            duplicate: 0.3,
            ..ideal()
        });
        let mut duplicates = 0;
        for _ in 0..1_000 {
            if let Fate::Arrives {
                at,
                again_at: Some(again),
                ..
            } = lane.offer(0, 100, &Strain::default())
            {
                assert!(again >= at);
                duplicates += 1;
            }
        }
        assert!(
            (200..400).contains(&duplicates),
            "{duplicates} of 1000 duplicated"
        );
    }
}
