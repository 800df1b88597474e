//! What a scenario expects of its run: numbers with bounds, and how the
//! guarantees are judged.

use std::fmt;
use std::time::Duration;

use crate::invariants::Invariant;

/// What a scenario expects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectations {
    /// The bounds on figures, in the order written in the language's reference;
    /// each metric occurs once.
    pub bounds: Vec<Expectation>,
    /// How long what is owed may take once nothing stands in its way; `None`
    /// is the scenario's drain.
    pub settle: Option<Duration>,
    /// Guarantees that cannot hold; each invariant occurs once.
    pub exceptions: Vec<Exception>,
}

/// A guarantee that cannot hold in a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Which.
    pub invariant: Invariant,
    /// Why, in words for the report.
    pub why: String,
}

/// One bound on one figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// What is bounded.
    pub metric: Metric,
    /// Which way.
    pub relation: Relation,
    /// The bound, in the metric's base unit: nanoseconds, bytes, messages,
    /// or a share of 1.
    pub limit: f64,
    /// Of what a share is, where it can be of more than one thing.
    pub of: Whole,
    /// As it was written, such as `<= 3s`.
    pub text: String,
}

/// A figure that can be bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Share of owed deliveries that arrived at least once.
    Delivered,
    /// Share of QoS 1 and 2 publishes that the broker acknowledged.
    Acknowledged,
    /// Share of deliveries that were repeats.
    Duplicated,
    /// Share of the broker's subscribers, topic by topic, that ended with the
    /// value that reached it last.
    LastValue,
    /// Publishes of all fleets.
    Published,
    /// Median time from publish to delivery.
    LatencyP50,
    /// 95th percentile of the time from publish to delivery.
    LatencyP95,
    /// 99th percentile of the time from publish to delivery.
    LatencyP99,
    /// Longest time from publish to delivery.
    LatencyMax,
    /// Bytes on the wire, both directions, for each delivered reading.
    BytesPerReading,
    /// Bytes on the wire in all, both directions.
    BytesTotal,
    /// Connections attempted.
    Connects,
    /// Connection attempts that did not reach a successful CONNACK.
    ConnectFailures,
}

impl Metric {
    /// Every metric, in the order reports show them.
    pub const ALL: [Self; 13] = [
        Self::Delivered,
        Self::Acknowledged,
        Self::Duplicated,
        Self::LastValue,
        Self::Published,
        Self::LatencyP50,
        Self::LatencyP95,
        Self::LatencyP99,
        Self::LatencyMax,
        Self::BytesPerReading,
        Self::BytesTotal,
        Self::Connects,
        Self::ConnectFailures,
    ];

    /// Its key in `[expect]`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Acknowledged => "acknowledged",
            Self::Duplicated => "duplicated",
            Self::LastValue => "last_value",
            Self::Published => "published",
            Self::LatencyP50 => "latency_p50",
            Self::LatencyP95 => "latency_p95",
            Self::LatencyP99 => "latency_p99",
            Self::LatencyMax => "latency_max",
            Self::BytesPerReading => "bytes_per_reading",
            Self::BytesTotal => "bytes_total",
            Self::Connects => "connects",
            Self::ConnectFailures => "connect_failures",
        }
    }

    /// What its bound is measured in.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::Delivered | Self::Acknowledged | Self::Duplicated | Self::LastValue => {
                Unit::Share
            }
            Self::Published | Self::Connects | Self::ConnectFailures => Unit::Count,
            Self::LatencyP50 | Self::LatencyP95 | Self::LatencyP99 | Self::LatencyMax => {
                Unit::Nanoseconds
            }
            Self::BytesPerReading | Self::BytesTotal => Unit::Bytes,
        }
    }
}

/// Base unit of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share of 1.
    Share,
    /// A number of things.
    Count,
    /// Nanoseconds.
    Nanoseconds,
    /// Bytes.
    Bytes,
}

/// Which way a bound goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// At most.
    AtMost,
    /// Less than.
    LessThan,
    /// At least.
    AtLeast,
    /// More than.
    MoreThan,
    /// Exactly.
    Equal,
}

impl Relation {
    /// Whether `actual` stands in this relation to `limit`.
    #[must_use]
    #[expect(
        clippy::float_cmp,
        reason = "an exact bound asks for exactly that; whole numbers and 100 % are exact in a float"
    )]
    pub fn holds(self, actual: f64, limit: f64) -> bool {
        match self {
            Self::AtMost => actual <= limit,
            Self::LessThan => actual < limit,
            Self::AtLeast => actual >= limit,
            Self::MoreThan => actual > limit,
            Self::Equal => actual == limit,
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtMost => "<=",
            Self::LessThan => "<",
            Self::AtLeast => ">=",
            Self::MoreThan => ">",
            Self::Equal => "=",
        })
    }
}

/// What a share is a share of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Whole {
    /// Everything published that somebody was entitled to.
    #[default]
    Published,
    /// Only what the broker acknowledged to its publisher.
    Acknowledged,
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Relation::AtMost, [true, true, false])]
    #[case(Relation::LessThan, [true, false, false])]
    #[case(Relation::AtLeast, [false, true, true])]
    #[case(Relation::MoreThan, [false, false, true])]
    #[case(Relation::Equal, [false, true, false])]
    fn a_relation_holds_below_at_and_above_its_limit(
        #[case] relation: Relation,
        #[case] holds: [bool; 3],
    ) {
        assert_eq!([1.0, 2.0, 3.0].map(|n| relation.holds(n, 2.0)), holds);
    }
}
