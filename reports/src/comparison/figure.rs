//! The figures of a cell: each the median and the spread over its seeds.

use std::{fmt, ops::Index};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};

use super::CellRun;
use crate::{
    bytes::per_reading,
    figures::{self, count, duration, percent},
    model::Latency,
};

/// A figure of a run. The order is the one reports use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Bytes on the wire, both directions, per owed delivery that arrived.
    BytesPerDelivered,
    /// Bytes on the wire, both directions, per reading published.
    BytesPerPublished,
    /// Bytes on the wire, both directions.
    BytesOnWire,
    /// Bytes from devices to servers.
    BytesUp,
    /// Bytes from servers to devices.
    BytesDown,
    /// IP packets, both directions.
    Packets,
    /// How long radios were on, both directions, per owed delivery that arrived; of
    /// sites with a radio only, as in [`RadioTime`](crate::RadioTime).
    RadioPerDelivered,
    /// Connections that were asked for.
    Attempts,
    /// Connections that were established.
    Connections,
    /// Readings published.
    Published,
    /// Readings whose acknowledgement reached the device.
    Acknowledged,
    /// Deliveries owed.
    Owed,
    /// Owed deliveries that arrived.
    Delivered,
    /// Owed deliveries that did not.
    Lost,
    /// The share of the owed deliveries that did not arrive.
    LostShare,
    /// Arrivals after the first of the same delivery.
    Duplicated,
    /// Median latency.
    LatencyP50,
    /// 95 of 100 deliveries were no slower.
    LatencyP95,
    /// 99 of 100 deliveries were no slower.
    LatencyP99,
    /// The highest latency.
    LatencyMax,
    /// From a device's first attempt to connect to the first arrival of a reading
    /// of its: the median over devices.
    FirstReading,
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureUnit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Nanoseconds.
    Nanoseconds,
    /// Parts per million.
    PartsPerMillion,
}

impl Figure {
    /// How many figures there are.
    pub const COUNT: usize = 21;

    /// All figures, in the order of reports.
    pub const ALL: [Self; Self::COUNT] = [
        Self::BytesPerDelivered,
        Self::BytesPerPublished,
        Self::BytesOnWire,
        Self::BytesUp,
        Self::BytesDown,
        Self::Packets,
        Self::RadioPerDelivered,
        Self::Attempts,
        Self::Connections,
        Self::Published,
        Self::Acknowledged,
        Self::Owed,
        Self::Delivered,
        Self::Lost,
        Self::LostShare,
        Self::Duplicated,
        Self::LatencyP50,
        Self::LatencyP95,
        Self::LatencyP99,
        Self::LatencyMax,
        Self::FirstReading,
    ];

    /// Its name in JSON, which ends in its unit.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::BytesPerDelivered => "bytes_per_delivered",
            Self::BytesPerPublished => "bytes_per_published",
            Self::BytesOnWire => "bytes_on_wire",
            Self::BytesUp => "bytes_up",
            Self::BytesDown => "bytes_down",
            Self::Packets => "packets",
            Self::RadioPerDelivered => "radio_ns_per_delivered",
            Self::Attempts => "attempts",
            Self::Connections => "connections",
            Self::Published => "published",
            Self::Acknowledged => "acknowledged",
            Self::Owed => "owed",
            Self::Delivered => "delivered",
            Self::Lost => "lost",
            Self::LostShare => "lost_ppm",
            Self::Duplicated => "duplicated",
            Self::LatencyP50 => "latency_ns_p50",
            Self::LatencyP95 => "latency_ns_p95",
            Self::LatencyP99 => "latency_ns_p99",
            Self::LatencyMax => "latency_ns_max",
            Self::FirstReading => "first_reading_ns",
        }
    }

    /// Its name in reports that people read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BytesPerDelivered => "bytes per delivered reading",
            Self::BytesPerPublished => "bytes per published reading",
            Self::BytesOnWire => "bytes on the wire",
            Self::BytesUp => "bytes up",
            Self::BytesDown => "bytes down",
            Self::Packets => "packets",
            Self::RadioPerDelivered => "radio on per delivered reading",
            Self::Attempts => "connection attempts",
            Self::Connections => "connections",
            Self::Published => "published",
            Self::Acknowledged => "acknowledged",
            Self::Owed => "owed",
            Self::Delivered => "delivered",
            Self::Lost => "lost",
            Self::LostShare => "share lost",
            Self::Duplicated => "twice",
            Self::LatencyP50 => "latency p50",
            Self::LatencyP95 => "latency p95",
            Self::LatencyP99 => "latency p99",
            Self::LatencyMax => "latency max",
            Self::FirstReading => "first reading after",
        }
    }

    /// What it is counted in.
    #[must_use]
    pub const fn unit(self) -> FigureUnit {
        match self {
            Self::BytesPerDelivered
            | Self::BytesPerPublished
            | Self::BytesOnWire
            | Self::BytesUp
            | Self::BytesDown => FigureUnit::Bytes,
            Self::RadioPerDelivered
            | Self::LatencyP50
            | Self::LatencyP95
            | Self::LatencyP99
            | Self::LatencyMax
            | Self::FirstReading => FigureUnit::Nanoseconds,
            Self::LostShare => FigureUnit::PartsPerMillion,
            Self::Packets
            | Self::Attempts
            | Self::Connections
            | Self::Published
            | Self::Acknowledged
            | Self::Owed
            | Self::Delivered
            | Self::Lost
            | Self::Duplicated => FigureUnit::Count,
        }
    }

    /// A value of it as a person reads it. What a reading costs is exact.
    #[must_use]
    pub fn says(self, value: u64) -> String {
        match (self, self.unit()) {
            (Self::BytesPerDelivered | Self::BytesPerPublished, _) => {
                format!("{} B", count(value))
            }
            (_, FigureUnit::Bytes) => figures::bytes(value),
            (_, FigureUnit::Count) => count(value),
            (_, FigureUnit::Nanoseconds) => duration(value),
            (_, FigureUnit::PartsPerMillion) => percent(value, 1_000_000),
        }
    }

    /// What it is in one run; `None` where there is nothing to measure.
    #[must_use]
    pub fn of(self, run: &CellRun) -> Option<u64> {
        let (bytes, counts) = (&run.bytes, &run.counts);
        let latency = |read: fn(&Latency) -> u64| run.latency.as_ref().map(read);
        match self {
            Self::BytesPerDelivered => per_reading(bytes.on_wire(), counts.delivered),
            Self::BytesPerPublished => per_reading(bytes.on_wire(), counts.published),
            Self::BytesOnWire => Some(bytes.on_wire()),
            Self::BytesUp => Some(bytes.on_wire_up),
            Self::BytesDown => Some(bytes.on_wire_down),
            Self::Packets => Some(bytes.packets()),
            Self::RadioPerDelivered => per_reading(run.radio?.both_ns(), counts.delivered),
            Self::Attempts => Some(run.connections.attempts),
            Self::Connections => Some(run.connections.established),
            Self::Published => Some(counts.published),
            Self::Acknowledged => Some(counts.acknowledged),
            Self::Owed => Some(counts.owed),
            Self::Delivered => Some(counts.delivered),
            Self::Lost => Some(counts.lost),
            Self::LostShare => per_reading(counts.lost.saturating_mul(1_000_000), counts.owed),
            Self::Duplicated => Some(counts.duplicated),
            Self::LatencyP50 => latency(|latency| latency.latency_ns_p50),
            Self::LatencyP95 => latency(|latency| latency.latency_ns_p95),
            Self::LatencyP99 => latency(|latency| latency.latency_ns_p99),
            Self::LatencyMax => latency(|latency| latency.latency_ns_max),
            Self::FirstReading => {
                let delivered = run.first_reading.delivered.as_ref();
                delivered.map(|latency| latency.latency_ns_p50)
            }
        }
    }

    fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|figure| figure.key() == key)
    }
}

/// A figure over the seeds that have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// The one in the middle; of an even number, the lower of the two there.
    pub median: u64,
    /// The lowest.
    pub min: u64,
    /// The highest.
    pub max: u64,
}

impl Spread {
    /// The spread of these values; `None` without any.
    #[must_use]
    pub fn of(mut values: Vec<u64>) -> Option<Self> {
        values.sort_unstable();
        Some(Self {
            median: *values.get(values.len().checked_sub(1)? / 2)?,
            min: *values.first()?,
            max: *values.last()?,
        })
    }
}

/// Every figure of a cell. In JSON, an object from [`Figure::key`] to the spread
/// or `null`, in the order of [`Figure::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures([Option<Spread>; Figure::COUNT]);

impl Figures {
    /// The figures of these runs.
    #[must_use]
    pub fn of(runs: &[CellRun]) -> Self {
        let spread = |figure: Figure| {
            let values = runs.iter().filter_map(|run| figure.of(run));
            Spread::of(values.collect())
        };
        Self(Figure::ALL.map(spread))
    }
}

impl Index<Figure> for Figures {
    type Output = Option<Spread>;

    fn index(&self, figure: Figure) -> &Option<Spread> {
        &self.0[figure as usize]
    }
}

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Figure::COUNT))?;
        for figure in Figure::ALL {
            map.serialize_entry(figure.key(), &self[figure])?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Figures {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FigureMap;

        impl<'de> Visitor<'de> for FigureMap {
            type Value = Figures;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object from figure to spread")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Figures, A::Error> {
                let mut figures = Figures::default();
                // A figure that this version does not know is a new field.
                while let Some((key, value)) = map.next_entry::<String, Option<Spread>>()? {
                    if let Some(figure) = Figure::from_key(&key) {
                        figures.0[figure as usize] = value;
                    }
                }
                Ok(figures)
            }
        }

        deserializer.deserialize_map(FigureMap)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::samples;

    #[test]
    fn every_figure_has_its_own_place_and_name() {
        for (index, figure) in Figure::ALL.into_iter().enumerate() {
            assert_eq!(figure as usize, index);
            assert_eq!(Figure::from_key(figure.key()), Some(figure));
        }
    }

    #[rstest]
    #[case(&[], None)]
    #[case(&[7], Some((7, 7, 7)))]
    #[case(&[9, 1, 4], Some((4, 1, 9)))]
    #[case(&[9, 1, 4, 5], Some((4, 1, 9)))]
    fn a_spread_is_median_and_both_ends(
        #[case] values: &[u64],
        #[case] expected: Option<(u64, u64, u64)>,
    ) {
        let spread = Spread::of(values.to_vec());
        assert_eq!(
            spread.map(|spread| (spread.median, spread.min, spread.max)),
            expected
        );
    }

    #[rstest]
    #[case(Figure::Delivered, Some(8_000))]
    #[case(Figure::BytesPerDelivered, Some(283))]
    #[case(Figure::LostShare, Some(0))]
    #[case(Figure::RadioPerDelivered, Some(1_031_375_000))]
    #[case(Figure::LatencyP99, Some(3_804_000_000))]
    fn a_figure_is_what_the_run_counted(#[case] figure: Figure, #[case] value: Option<u64>) {
        assert_eq!(figure.of(&CellRun::from(&samples::green())), value);
    }

    #[test]
    fn a_run_without_deliveries_has_no_cost_for_one() {
        let run = CellRun::from(&samples::partial());
        assert_eq!(Figure::BytesPerDelivered.of(&run), None);
        assert_eq!(Figure::LatencyP50.of(&run), None);
        assert_eq!(Figure::LostShare.of(&run), Some(1_000_000));
    }
}
