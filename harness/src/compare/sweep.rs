//! What a comparison varies besides the protocol: a list of values, each of which
//! is a few changes to the scenario.

use std::ops::Range;
use std::time::Duration;

use squall_reports::comparison::{Axis, AxisUnit, Point};
use squall_reports::figures;

use super::list;
use crate::net::nanos;
use crate::scenario::diagnostic::{nearest, unknown};
use crate::scenario::text::{self, Complaint, written};
use crate::scenario::{Fleet, Lifecycle, Scenario, ScenarioError};

/// What can be swept over by a name of its own, and what that varies.
pub const SWEEPS: [(&str, &str); 7] = [
    (
        "loss",
        "packets lost on the links of sites that publish, both ways",
    ),
    ("latency", "one-way delay of those links"),
    ("payload", "bytes of a reading"),
    (
        "readings_per_session",
        "readings of a periodic device from waking up to going to sleep",
    ),
    ("fan_out", "devices of each fleet that only subscribes"),
    ("devices", "devices of each fleet that publishes"),
    ("qos", "QoS of readings and of subscriptions"),
];

/// Keys of a scenario itself that can be swept over.
const KEYS: [&str; 2] = ["duration", "drain"];

const HELP: &str = "write --sweep name=value,value,…, such as loss=0,1%,5% or \
                    fleet.*.mqtt.keep_alive=10s,60s";

/// One thing that is varied.
pub(super) struct Sweep {
    pub(super) axis: Axis,
    /// What makes each point, as `--set` takes it.
    pub(super) changes: Vec<Vec<String>>,
    /// What the reader must know, a sentence each.
    pub(super) notes: Vec<String>,
}

/// A value of the list, and where it stands.
struct Value<'a> {
    span: Range<usize>,
    text: &'a str,
}

impl Sweep {
    /// The sweep over `base` that a text such as `loss=0,5%` asks for.
    ///
    /// # Errors
    /// The first mistake in it.
    pub(super) fn parse(text: &str, base: &Scenario) -> Result<Self, ScenarioError> {
        Self::read(text, base)
            .map_err(|(span, complaint)| ScenarioError::in_text("--sweep", text, span, complaint))
    }

    fn read(text: &str, base: &Scenario) -> Result<Self, (Range<usize>, Complaint)> {
        let Some(equals) = text.find('=') else {
            let complaint = Complaint::new(format!("`{text}` sweeps over nothing"), "no `=`", HELP);
            return Err((0..text.len(), complaint));
        };
        let key = text[..equals].trim();
        let values: Vec<Value<'_>> = list::split(text, equals + 1)
            .into_iter()
            .map(|(span, text)| Value { span, text })
            .collect();
        for (index, value) in values.iter().enumerate() {
            if value.text.is_empty() {
                let complaint = Complaint::new("a list with a value missing", "no value", HELP);
                return Err((value.span.clone(), complaint));
            }
            if values[..index].iter().any(|other| other.text == value.text) {
                return Err((value.span.clone(), list::twice(value.text)));
            }
        }
        let of_key = |complaint| (0..equals, complaint);
        let reader = Reader {
            key,
            values: &values,
            base,
        };
        match key {
            "loss" => reader.links("loss", "loss", AxisUnit::PartsPerMillion),
            "latency" => reader.links("latency", "latency", AxisUnit::Nanoseconds),
            "payload" => reader.payload(),
            "readings_per_session" => reader.readings_per_session(),
            "fan_out" => reader.count("subscribers", "only subscribes", |fleet| {
                fleet.publish.is_none() && !fleet.subscribe.is_empty()
            }),
            "devices" => reader.count("devices a fleet", "publishes", |fleet| {
                fleet.publish.is_some()
            }),
            "qos" => reader.qos(),
            key if key.contains('.') || KEYS.contains(&key) => Ok(reader.key()),
            key => {
                let names = SWEEPS.map(|(name, _)| name);
                let mut complaint = unknown("sweep", key, &names);
                if nearest(key, &names).is_none() {
                    complaint.help = format!(
                        "{}; or a key of the scenario, such as fleet.*.mqtt.keep_alive",
                        complaint.help
                    );
                }
                Err(of_key(complaint))
            }
        }
    }
}

/// A sweep that is being read.
struct Reader<'a> {
    key: &'a str,
    values: &'a [Value<'a>],
    base: &'a Scenario,
}

type Mistake = (Range<usize>, Complaint);

impl Reader<'_> {
    /// The sweep of these points.
    fn sweep(
        &self,
        name: &str,
        unit: AxisUnit,
        numbers: &[Option<u64>],
        changes: impl Fn(&str) -> Vec<String>,
    ) -> Sweep {
        let points = self
            .values
            .iter()
            .zip(numbers)
            .map(|(value, number)| Point {
                text: value.text.to_owned(),
                value: *number,
            });
        Sweep {
            axis: Axis {
                key: self.key.to_owned(),
                name: name.to_owned(),
                unit,
                points: points.collect(),
            },
            changes: self
                .values
                .iter()
                .map(|value| changes(value.text))
                .collect(),
            notes: Vec::new(),
        }
    }

    /// Every value as a number of this unit.
    fn numbers(&self, unit: AxisUnit) -> Result<Vec<Option<u64>>, Mistake> {
        let number = |value: &Value<'_>| {
            number(value.text, unit)
                .map(Some)
                .map_err(|complaint| (value.span.clone(), complaint))
        };
        self.values.iter().map(number).collect()
    }

    /// The fleets that are meant, or why there are none.
    fn fleets(&self, that: &str, meant: impl Fn(&Fleet) -> bool) -> Result<Vec<&Fleet>, Mistake> {
        let fleets: Vec<&Fleet> = self
            .base
            .fleets
            .iter()
            .filter(|fleet| meant(fleet))
            .collect();
        if fleets.is_empty() {
            let complaint = Complaint::new(
                format!("a scenario in which no fleet {that}"),
                "nothing to vary",
                format!("sweep over something else, or add a fleet that {that}"),
            );
            return Err((0..self.key.len(), complaint));
        }
        Ok(fleets)
    }

    fn sensors(&self) -> Result<Vec<&Fleet>, Mistake> {
        self.fleets("publishes", |fleet| fleet.publish.is_some())
    }

    /// A figure of the links of sites where something is published. It is set for
    /// each direction, since what a direction says of itself goes first.
    fn links(&self, key: &str, name: &str, unit: AxisUnit) -> Result<Sweep, Mistake> {
        let mut sites: Vec<&str> = Vec::new();
        for fleet in self.sensors()? {
            let site = self.base.sites[fleet.site].name.as_str();
            if !sites.contains(&site) {
                sites.push(site);
            }
        }
        let numbers = self.numbers(unit)?;
        Ok(self.sweep(name, unit, &numbers, |value| {
            let both = sites.iter().flat_map(|site| {
                ["up", "down"].map(|way| format!("site.{site}.link.{way}.{key}={value}"))
            });
            both.collect()
        }))
    }

    fn payload(&self) -> Result<Sweep, Mistake> {
        let sensors = self.sensors()?;
        let numbers = self.numbers(AxisUnit::Bytes)?;
        Ok(self.sweep("payload", AxisUnit::Bytes, &numbers, |value| {
            let bytes = text::size(value).unwrap_or_default();
            let change = |fleet: &&Fleet| {
                let name = &fleet.name;
                format!("fleet.{name}.publish.payload={{ kind = \"fixed\", bytes = {bytes} }}")
            };
            sensors.iter().map(change).collect()
        }))
    }

    fn count(
        &self,
        name: &str,
        that: &str,
        meant: impl Fn(&Fleet) -> bool,
    ) -> Result<Sweep, Mistake> {
        let fleets = self.fleets(that, meant)?;
        let numbers = self.numbers(AxisUnit::Count)?;
        Ok(self.sweep(name, AxisUnit::Count, &numbers, |value| {
            let change = |fleet: &&Fleet| format!("fleet.{}.count={value}", fleet.name);
            fleets.iter().map(change).collect()
        }))
    }

    fn qos(&self) -> Result<Sweep, Mistake> {
        self.sensors()?;
        for value in self.values {
            if !matches!(value.text, "0" | "1" | "2") {
                let complaint = Complaint::new(
                    format!("`{}` is not a quality of service", value.text),
                    "not a QoS",
                    "write 0, 1 or 2",
                );
                return Err((value.span.clone(), complaint));
            }
        }
        let numbers = vec![None; self.values.len()];
        Ok(self.sweep("QoS", AxisUnit::Name, &numbers, |value| {
            let mut changes = Vec::new();
            for fleet in &self.base.fleets {
                if fleet.publish.is_some() {
                    changes.push(format!("fleet.{}.publish.qos={value}", fleet.name));
                }
                if !fleet.subscribe.is_empty() {
                    changes.push(format!("fleet.{}.subscribe.*.qos={value}", fleet.name));
                }
            }
            changes
        }))
    }

    /// How many readings a periodic device takes while awake. Time is stretched
    /// alike for all points, so that the longest session fits, and as many of
    /// them as before.
    fn readings_per_session(&self) -> Result<Sweep, Mistake> {
        let numbers = self.numbers(AxisUnit::Count)?;
        let most = numbers.iter().flatten().copied().max().unwrap_or(1);
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let mut same = Vec::new();
        let mut names = Vec::new();
        let mut duration = self.base.duration;
        for fleet in self.sensors()? {
            let Lifecycle::Periodic {
                every,
                readings,
                gap,
                awake_max,
                ..
            } = fleet.lifecycle
            else {
                let complaint = Complaint::new(
                    format!("the fleet `{}` has no sessions to count in", fleet.name),
                    "it is not periodic",
                    "give it a lifecycle such as { kind = \"periodic\", every = \"5m\" }",
                );
                return Err((0..self.key.len(), complaint));
            };
            let spare = awake_max.saturating_sub(gap.saturating_mul(readings.saturating_sub(1)));
            let longest = gap
                .saturating_mul(most.saturating_sub(1))
                .saturating_add(spare);
            names.push(&fleet.name);
            if longest > awake_max {
                same.push(set_time(fleet, "awake_max", longest));
                let period = every.max(longest.saturating_mul(2));
                if period > every {
                    same.push(set_time(fleet, "every", period));
                    duration = duration.max(stretched(self.base.duration, period, every));
                }
            }
        }
        if duration > self.base.duration {
            same.push(format!("duration={}", written(duration)));
        }
        let mut sweep = self.sweep("readings a session", AxisUnit::Count, &numbers, |value| {
            let readings = |name: &&String| format!("fleet.{name}.lifecycle.readings={value}");
            same.iter()
                .cloned()
                .chain(names.iter().map(readings))
                .collect()
        });
        if !same.is_empty() {
            sweep.notes.push(format!(
                "So that {} fit into a session, and as many sessions into the run, at every \
                 point: {}.",
                figures::counted(most.into(), "reading"),
                same.join(", ")
            ));
        }
        Ok(sweep)
    }

    /// Any key of the scenario; its values are numbers if all are of one kind.
    fn key(&self) -> Sweep {
        let units = [
            AxisUnit::Count,
            AxisUnit::PartsPerMillion,
            AxisUnit::Nanoseconds,
            AxisUnit::Bytes,
        ];
        let mut read = units
            .into_iter()
            .filter_map(|unit| Some((unit, self.numbers(unit).ok()?)));
        let (unit, numbers) = read
            .next()
            .unwrap_or_else(|| (AxisUnit::Name, vec![None; self.values.len()]));
        let change = |value: &str| vec![format!("{}={value}", self.key)];
        self.sweep(self.key, unit, &numbers, change)
    }
}

fn set_time(fleet: &Fleet, key: &str, time: Duration) -> String {
    format!("fleet.{}.lifecycle.{key}={}", fleet.name, written(time))
}

/// `time`, as much longer as `long` is than `short`.
fn stretched(time: Duration, long: Duration, short: Duration) -> Duration {
    let nanoseconds = time
        .as_nanos()
        .saturating_mul(long.as_nanos())
        .div_ceil(short.as_nanos().max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

/// A value as a whole number of a unit.
fn number(value: &str, unit: AxisUnit) -> Result<u64, Complaint> {
    match unit {
        AxisUnit::Nanoseconds => text::duration(value).map(nanos),
        AxisUnit::Bytes => text::size(value),
        AxisUnit::PartsPerMillion => match value.parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(parts_per_million(share)),
            _ => text::percentage(value).map(parts_per_million),
        },
        AxisUnit::Count | AxisUnit::Name => {
            let digits = value.replace('_', "");
            digits.parse().map_err(|_| {
                Complaint::new(
                    format!("`{value}` is not a number"),
                    "not a number",
                    "write a whole number, such as 100 or 1_000",
                )
            })
        }
    }
}

/// A share in parts per million, to the nearest; what is beyond the range of a
/// share is for the scenario to refuse.
fn parts_per_million(share: f64) -> u64 {
    (share * 1_000_000.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::path::Path;

    const SCENARIO: &str = r#"
        title = "A cell and an office"
        duration = "10m"
        [[site]]
        name = "cell"
        link = { preset = "nb-iot", up = { loss = "1%" } }
        [[site]]
        name = "office"
        link = "ethernet"
        [[fleet]]
        name = "sensor"
        site = "cell"
        count = 10
        lifecycle = { kind = "periodic", every = "2m", readings = 2, gap = "1s", awake_max = "11s" }
        publish = { topic = "cell/{device}", qos = 1 }
        [[fleet]]
        name = "recorder"
        site = "office"
        count = 1
        subscribe = [{ filter = "cell/+" }]
    "#;

    fn read(text: &str) -> Result<Sweep, (Range<usize>, Complaint)> {
        let base = Scenario::parse(Path::new("a.toml"), SCENARIO, &[]).expect("a scenario");
        Sweep::read(text, &base)
    }

    #[rstest]
    #[case(
        "loss=0,2.5%",
        &[Some(0), Some(25_000)],
        &["site.cell.link.up.loss=2.5%", "site.cell.link.down.loss=2.5%"]
    )]
    #[case(
        "latency=10ms,1s",
        &[Some(10_000_000), Some(1_000_000_000)],
        &["site.cell.link.up.latency=1s", "site.cell.link.down.latency=1s"]
    )]
    #[case(
        "payload=20,1kB",
        &[Some(20), Some(1_000)],
        &[r#"fleet.sensor.publish.payload={ kind = "fixed", bytes = 1000 }"#]
    )]
    #[case("fan_out=1,1_000", &[Some(1), Some(1_000)], &["fleet.recorder.count=1_000"])]
    #[case("devices=1,50", &[Some(1), Some(50)], &["fleet.sensor.count=50"])]
    #[case(
        "qos=0,2",
        &[None, None],
        &["fleet.sensor.publish.qos=2", "fleet.recorder.subscribe.*.qos=2"]
    )]
    #[case("fleet.*.window=1KiB,4KiB", &[Some(1_024), Some(4_096)], &["fleet.*.window=4KiB"])]
    #[case("fleet.*.mqtt.keep_alive=10s,1m", &[Some(10_000_000_000), Some(60_000_000_000)],
        &["fleet.*.mqtt.keep_alive=1m"])]
    #[case("network.congestion=reno,cubic", &[None, None], &["network.congestion=cubic"])]
    #[case("readings_per_session=1,10", &[Some(1), Some(10)], &[
        "fleet.sensor.lifecycle.awake_max=19s",
        "fleet.sensor.lifecycle.readings=10",
    ])]
    #[case("readings_per_session=1,111", &[Some(1), Some(111)], &[
        "fleet.sensor.lifecycle.awake_max=2m",
        "fleet.sensor.lifecycle.every=4m",
        "duration=20m",
        "fleet.sensor.lifecycle.readings=111",
    ])]
    fn a_sweep_is_numbers_and_changes(
        #[case] text: &str,
        #[case] numbers: &[Option<u64>],
        #[case] last: &[&str],
    ) {
        let sweep = read(text)
            .map_err(|(_, complaint)| complaint)
            .expect("a sweep");
        let points: Vec<Option<u64>> = sweep.axis.points.iter().map(|point| point.value).collect();
        assert_eq!(points, numbers);
        assert_eq!(sweep.changes.last().expect("points"), last);
        for changes in &sweep.changes {
            Scenario::parse(Path::new("a.toml"), SCENARIO, changes).expect("they are valid");
        }
    }

    #[rstest]
    #[case("loss", "`loss` sweeps over nothing", 0..4)]
    #[case("loss=0,,1%", "a list with a value missing", 7..7)]
    #[case("loss=0,5%,5%", "`5%` is there twice", 10..12)]
    #[case("loss=0,wet", "`wet` is not a percentage", 7..10)]
    #[case("los=0", "unknown sweep `los`", 0..3)]
    #[case("title=a", "unknown sweep `title`", 0..5)]
    #[case("devices=a", "`a` is not a number", 8..9)]
    #[case("qos=3", "`3` is not a quality of service", 4..5)]
    fn a_mistake_is_shown_where_it_stands(
        #[case] text: &str,
        #[case] what: &str,
        #[case] expected: Range<usize>,
    ) {
        let (span, complaint) = read(text).map(|_| ()).expect_err("a mistake");
        assert_eq!(complaint.what, what);
        assert_eq!(span, expected);
        assert_ne!(complaint.help, "");
    }

    #[rstest]
    #[case("fan_out=1,2", "a scenario in which no fleet only subscribes")]
    #[case(
        "readings_per_session=1,2",
        "the fleet `b` has no sessions to count in"
    )]
    fn what_is_not_there_cannot_be_varied(#[case] text: &str, #[case] what: &str) {
        let scenario = r#"
            title = "b"
            duration = "1m"
            [[site]]
            name = "a"
            link = "wifi"
            [[fleet]]
            name = "b"
            site = "a"
            count = 1
            publish = { topic = "t", every = "1s" }
        "#;
        let base = Scenario::parse(Path::new("b.toml"), scenario, &[]).expect("a scenario");
        let (_, complaint) = Sweep::read(text, &base).map(|_| ()).expect_err("a mistake");
        assert_eq!(complaint.what, what);
    }
}
