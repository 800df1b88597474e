//! Latencies, and the figures that sum them up.

use crate::net::Nanos;
use hdrhistogram::Histogram;
use squall_reports::{Latency, LatencyPoint};

/// Where a curve has its points: in thousandths of what was measured.
const CURVE: [u32; 15] = [
    0, 10, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 950, 990, 1_000,
];

/// Latencies: exact at both ends, to three figures (or two) in between.
pub(super) struct Distribution {
    histogram: Histogram<u64>,
    pub(super) count: u64,
    min: Nanos,
    max: Nanos,
}

impl Distribution {
    pub(super) fn new() -> Distribution {
        Distribution::with_figures(3)
    }

    pub(super) fn coarse() -> Distribution {
        Distribution::with_figures(2)
    }

    fn with_figures(figures: u8) -> Distribution {
        // Refused for more than five figures only.
        let histogram = Histogram::new(figures).unwrap_or_else(|_| unreachable!("{figures} <= 5"));
        Distribution {
            histogram,
            count: 0,
            min: Nanos::MAX,
            max: 0,
        }
    }

    pub(super) fn record(&mut self, latency: Nanos) {
        // In microseconds: a millisecond is the finest that there is. The
        // histogram grows by itself, so it takes every value.
        if self.histogram.record(latency / 1_000).is_err() {
            unreachable!("a histogram that resizes takes any value");
        }
        self.count += 1;
        self.min = self.min.min(latency);
        self.max = self.max.max(latency);
    }

    pub(super) fn summary(&self) -> Option<Latency> {
        if self.count == 0 {
            return None;
        }
        let quantile = |share| self.quantile(share);
        Some(Latency {
            count: self.count,
            latency_ns_min: self.min,
            latency_ns_p50: quantile(0.5),
            latency_ns_p95: quantile(0.95),
            latency_ns_p99: quantile(0.99),
            latency_ns_max: self.max,
        })
    }

    /// How slow the slowest of this share of them is.
    fn quantile(&self, share: f64) -> Nanos {
        (self.histogram.value_at_quantile(share) * 1_000).clamp(self.min, self.max)
    }

    /// The distribution, point by point; empty if nothing was measured.
    pub(super) fn curve(&self) -> Vec<LatencyPoint> {
        if self.count == 0 {
            return Vec::new();
        }
        let point = |per_mille: u32| LatencyPoint {
            per_mille: per_mille.into(),
            latency_ns: match per_mille {
                0 => self.min,
                1_000 => self.max,
                _ => self.quantile(f64::from(per_mille) / 1_000.0),
            },
        };
        CURVE.map(point).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_tell_fast_from_slow() {
        let mut distribution = Distribution::new();
        for second in 1..=100 {
            distribution.record(second * 1_000_000_000);
        }
        let latency = distribution.summary().expect("a hundred");
        let near =
            |figure: u64, seconds: u64| figure.abs_diff(seconds * 1_000_000_000) < 100_000_000;
        assert!(near(latency.latency_ns_p50, 50), "{latency:?}");
        assert!(near(latency.latency_ns_p99, 99), "{latency:?}");
    }

    #[test]
    fn a_curve_rises_from_the_fastest_to_the_slowest() {
        let mut distribution = Distribution::new();
        assert_eq!(distribution.curve(), []);
        for second in 1..=100 {
            distribution.record(second * 1_000_000_000);
        }
        let curve = distribution.curve();
        let at = |index: usize| (curve[index].per_mille, curve[index].latency_ns);
        assert_eq!(at(0), (0, 1_000_000_000));
        assert_eq!(at(curve.len() - 1), (1_000, 100_000_000_000));
        assert!(
            curve.is_sorted_by_key(|point| point.latency_ns),
            "{curve:?}"
        );
        let summary = distribution.summary().expect("a hundred");
        assert!(curve.contains(&LatencyPoint {
            per_mille: 950,
            latency_ns: summary.latency_ns_p95,
        }));
    }
}
