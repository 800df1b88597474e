//! What a comparison varies besides the protocol.

use serde::{Deserialize, Serialize};

use crate::figures::{bytes, count, duration, percent};

/// One thing that is varied, and the values it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// What the command line calls it: `loss`, or a key of the scenario.
    pub key: String,
    /// What a value of it is a number of, such as `readings a session`.
    pub name: String,
    /// The unit of the points' values.
    pub unit: AxisUnit,
    /// The values, in the order given.
    pub points: Vec<Point>,
}

/// A unit of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AxisUnit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Nanoseconds.
    Nanoseconds,
    /// Parts per million.
    PartsPerMillion,
    /// None: the points are names, and nothing lies between two of them.
    Name,
}

/// One value of an axis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// As it was given, such as `5%`. It tells the points of an axis apart.
    pub text: String,
    /// In the unit of the axis; `None` for a name.
    pub value: Option<u64>,
}

impl Axis {
    /// A value of this axis in the reader's words: `14 readings a session`.
    #[must_use]
    pub fn says(&self, value: u64) -> String {
        let mut name = self.name.clone();
        if self.unit == AxisUnit::Count && value == 1 {
            // One reading a session.
            let (noun, rest) = name.split_once(' ').unwrap_or((&name, ""));
            let noun = noun.strip_suffix('s').unwrap_or(noun);
            name = format!("{noun} {rest}").trim_end().to_owned();
        }
        format!("{} {name}", self.figure(value))
    }

    /// A value of this axis as a figure with its unit: `5 %`.
    #[must_use]
    pub fn figure(&self, value: u64) -> String {
        match self.unit {
            AxisUnit::Count | AxisUnit::Name => count(value),
            AxisUnit::Bytes => bytes(value),
            AxisUnit::Nanoseconds => duration(value),
            AxisUnit::PartsPerMillion => percent(value, 1_000_000),
        }
    }

    /// A point of this axis in the reader's words.
    #[must_use]
    pub fn point(&self, point: &Point) -> String {
        match point.value {
            Some(value) => self.says(value),
            None => format!("{} {}", self.name, point.text),
        }
    }

    /// Whether a cost per reading, multiplied by the value of the axis, grows
    /// evenly along it: a session has its readings, and a reading its deliveries,
    /// beside a cost that is the same for any number of them.
    pub(super) fn divides_the_cost(&self) -> bool {
        matches!(self.key.as_str(), "readings_per_session" | "fan_out")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(AxisUnit::Count, "readings a session", 14, "14 readings a session")]
    #[case(AxisUnit::Count, "readings a session", 1, "1 reading a session")]
    #[case(AxisUnit::Count, "subscribers", 1, "1 subscriber")]
    #[case(AxisUnit::PartsPerMillion, "loss", 0, "0 % loss")]
    #[case(AxisUnit::PartsPerMillion, "loss", 43_000, "4.3 % loss")]
    #[case(AxisUnit::Nanoseconds, "latency", 80_000_000, "80 ms latency")]
    #[case(AxisUnit::Bytes, "payload", 1_234, "1.2 kB payload")]
    fn a_value_has_its_unit_and_its_noun(
        #[case] unit: AxisUnit,
        #[case] name: &str,
        #[case] value: u64,
        #[case] says: &str,
    ) {
        let axis = Axis {
            key: String::new(),
            name: name.to_owned(),
            unit,
            points: Vec::new(),
        };
        assert_eq!(axis.says(value), says);
    }
}
