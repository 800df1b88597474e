//! The report of one run: one scenario, one seed.
//!
//! The model holds what was measured and no text layout. Figures are integers
//! (nanoseconds, bytes, counts), so that the same run serialises to the same
//! bytes on every machine; what a division would give is left to the
//! renderers. Wall-clock time is no part of it, since it differs from run to
//! run.
//!
//! All times are virtual, in nanoseconds since the start of the run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;

/// The version of the JSON format, of [`Report`] and [`crate::Summary`] alike.
///
/// It grows when a field is removed, renamed or changes its meaning; a new
/// field alone does not change it, and readers skip fields they do not know.
pub const FORMAT: u32 = 1;

/// What one run of a scenario found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this format, [`FORMAT`].
    pub format: u32,
    /// The version of Squall that ran the scenario, e.g. `0.1.0`.
    pub version: String,
    /// The scenario's title.
    pub title: String,
    /// Path of the scenario file, as given on the command line.
    pub scenario: String,
    /// The seed that decided every random choice of the run.
    pub seed: u64,
    /// How long the scenario lasts, in virtual nanoseconds.
    pub duration_ns: u64,
    /// When the run ended, in virtual nanoseconds: later than `duration_ns` if
    /// it waited for what was under way, earlier if it was interrupted.
    pub ended_ns: u64,
    /// Whether the run was interrupted: the figures are those up to `ended_ns`.
    pub partial: bool,
    /// Devices in all fleets, subscribers included.
    pub devices: u64,
    /// Sites, each a place whose devices share one kind of access link.
    pub sites: u64,
    /// Servers, the broker included.
    pub servers: u64,
    /// What the simulation ran with (tick, TCP window, ...), for the reader.
    pub settings: Vec<Setting>,
    /// What the network did to the packets.
    pub weather: Weather,
    /// The protocol's guarantees, each with its verdict. Empty if none was checked.
    pub guarantees: Vec<Guarantee>,
    /// The scenario's own bounds, each with what was measured.
    pub expectations: Vec<Expectation>,
    /// What was published and what arrived.
    pub arrived: Arrived,
    /// How latency went over the run.
    pub latency_over_time: LatencyOverTime,
    /// How the latencies are distributed, by share ascending; empty without
    /// deliveries.
    #[serde(default)]
    pub latency_curve: Vec<LatencyPoint>,
    /// How long devices took to their first reading.
    #[serde(default)]
    pub first_reading: FirstReading,
    /// What it cost on the wire.
    pub bytes: Bytes,
    /// What each fleet's connections cost, in the scenario's order; they add up
    /// to `bytes`.
    #[serde(default)]
    pub fleets: Vec<FleetBytes>,
    /// How connecting went.
    pub connections: Connections,
    /// What the reader must know to judge the figures, a sentence each.
    pub notes: Vec<String>,
    /// The one command that runs this again.
    pub command: String,
}

impl Report {
    /// Whether nothing that was checked was violated.
    ///
    /// True of a run that checked nothing.
    #[must_use]
    pub fn held(&self) -> bool {
        let guarantees = self.guarantees.iter().map(|guarantee| guarantee.verdict);
        let expectations = self
            .expectations
            .iter()
            .map(|expectation| self.expectation_verdict(expectation));
        guarantees
            .chain(expectations)
            .all(|verdict| verdict != Verdict::Violated)
    }

    /// The verdict on one of the report's expectations. A run that was
    /// interrupted might still have met its bounds, so one it had not met does
    /// not apply.
    #[must_use]
    pub fn expectation_verdict(&self, expectation: &Expectation) -> Verdict {
        match (expectation.held, self.partial) {
            (true, _) => Verdict::Held,
            (false, false) => Verdict::Violated,
            (false, true) => Verdict::NotApplicable,
        }
    }

    /// Bytes on the wire, both directions, per delivery that was owed and
    /// arrived, rounded to whole bytes; `None` if nothing was delivered.
    #[must_use]
    pub fn bytes_per_reading(&self) -> Option<u64> {
        crate::bytes::per_reading(
            self.bytes.on_wire_up + self.bytes.on_wire_down,
            self.arrived.total.delivered,
        )
    }

    /// How long radios were on; `None` if no site has any.
    #[must_use]
    pub fn radio_time(&self) -> Option<RadioTime> {
        let radios = || self.weather.sites.iter().filter(|site| site.radio);
        radios().next()?;
        Some(RadioTime {
            up_ns: radios().map(|site| site.up.airtime_ns).sum(),
            down_ns: radios().map(|site| site.down.airtime_ns).sum(),
        })
    }

    /// How long radios were on, in nanoseconds, per delivery that was owed and
    /// arrived; `None` if no site has a radio or nothing was delivered.
    #[must_use]
    pub fn radio_ns_per_reading(&self) -> Option<u64> {
        let radio = self.radio_time()?.both_ns();
        crate::bytes::per_reading(radio, self.arrived.total.delivered)
    }
}

/// How long radios were on, in nanoseconds, the sum over all devices of the sites
/// that have one.
///
/// A radio is taken to be on while its link transmits, in either direction, at the
/// link's rate, and off at once. What comes on top depends on the network: a
/// cellular modem stays connected for seconds after the last packet, listens for
/// paging, and repeats in poor coverage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RadioTime {
    /// Sending.
    pub up_ns: u64,
    /// Receiving.
    pub down_ns: u64,
}

impl RadioTime {
    /// In both directions.
    #[must_use]
    pub fn both_ns(self) -> u64 {
        self.up_ns + self.down_ns
    }
}

/// What the connections of one fleet cost on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetBytes {
    /// The fleet.
    pub fleet: String,
    /// Its bytes and packets.
    pub bytes: Bytes,
}

/// One setting of the simulation, already in the reader's words and units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// What is set, e.g. `tick`.
    pub name: String,
    /// To what, with its unit, e.g. `1 ms`.
    pub value: String,
}

/// What the network did to the packets of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weather {
    /// The access links, one entry per site.
    pub sites: Vec<SiteWeather>,
    /// The faults, in order of their beginning.
    pub faults: Vec<FaultSpan>,
}

/// What the access links of one site did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteWeather {
    /// Name of the site.
    pub site: String,
    /// The link in the reader's words, e.g. `nb-iot, 10 % loss`.
    pub link: String,
    /// Whether the devices have a radio, as those of the link presets but
    /// `ethernet` have.
    #[serde(default)]
    pub radio: bool,
    /// Packets from the devices to the servers.
    pub up: PacketCounts,
    /// Packets from the servers to the devices.
    pub down: PacketCounts,
}

/// What became of the packets of one site in one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketCounts {
    /// Packets handed to the link by the sending end.
    pub sent: u64,
    /// Packets the link dropped, by cause: `loss`, `burst`, `queue full`,
    /// `partition`, ... A packet has one cause, so the causes add up.
    pub lost: BTreeMap<String, u64>,
    /// Extra copies the link delivered.
    pub duplicated: u64,
    /// Packets the link let a later one overtake.
    pub reordered: u64,
    /// How long the links transmitted, in nanoseconds, each packet's bytes at its
    /// link's rate, those that were then lost included; the sum over all devices.
    /// 0 where a link has no rate.
    #[serde(default)]
    pub airtime_ns: u64,
}

impl PacketCounts {
    /// Packets dropped, whatever the cause.
    #[must_use]
    pub fn lost_total(&self) -> u64 {
        self.lost.values().sum()
    }
}

/// One fault from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultSpan {
    /// Kind of fault, e.g. `partition`.
    pub kind: String,
    /// What it struck, in the reader's words, e.g. `valley`.
    pub target: String,
    /// When it began, in virtual nanoseconds.
    pub began_ns: u64,
    /// When it ended, in virtual nanoseconds; equal to `began_ns` for a fault
    /// of one instant, `None` for one that outlasted the run.
    pub ended_ns: Option<u64>,
    /// What it did, in the reader's words; empty if it did nothing visible.
    pub effect: String,
}

/// Whether a guarantee was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing in the run contradicts it.
    Held,
    /// At least one event of the run contradicts it.
    Violated,
    /// The run gives it nothing to judge; the guarantee's `summary` says why.
    NotApplicable,
    /// Nobody promised it: the guarantee's `summary` says what happened.
    Measured,
}

/// One guarantee of the protocol and whether the run kept it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guarantee {
    /// Its name to programs, e.g. `qos-1-at-least-once`; it never changes.
    #[serde(default)]
    pub id: String,
    /// Its name, e.g. `QoS 1 at least once`.
    pub name: String,
    /// Whether it was kept.
    pub verdict: Verdict,
    /// One line of evidence; for [`Verdict::NotApplicable`], the reason, and for
    /// [`Verdict::Measured`], the measurement.
    pub summary: String,
    /// The normative statement it rests on, e.g. `MQTT311-4.3.2-1`.
    pub statement: Option<String>,
    /// How many violations were found; `violations` may list only the first.
    pub violations_found: u64,
    /// The violations, the clearest first.
    pub violations: Vec<Violation>,
}

/// One event, or one missing event, that contradicts a guarantee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Expected against actual, naming clients, messages and times; a line each.
    pub text: Vec<String>,
    /// The normative statement broken, where it is not the guarantee's own.
    pub statement: Option<String>,
    /// The shortest slice of trace that shows it, a line an event.
    pub trace: Vec<String>,
    /// The command that shows more of it.
    pub command: Option<String>,
}

/// One bound of the scenario's `[expect]` table, and what was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// The key in the scenario, e.g. `latency_p99`.
    pub name: String,
    /// The bound as the scenario states it, e.g. `<= 3s`.
    pub bound: String,
    /// What was measured, in the reader's words and units.
    pub actual: String,
    /// Whether the measurement is within the bound.
    pub held: bool,
}

/// What was published and what arrived.
///
/// The word *reading* means one application message. A delivery is *owed* for
/// every reading and every subscription entitled to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrived {
    /// One row per publishing fleet and QoS, in the scenario's order.
    pub flows: Vec<Flow>,
    /// The sum of all rows.
    pub total: Counts,
    /// Latency of all deliveries together; `None` if nothing was delivered.
    pub latency: Option<Latency>,
    /// What the subscribing fleets received, in the scenario's order.
    pub receivers: Vec<Receiver>,
}

/// The readings one fleet published at one QoS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// The publishing fleet.
    pub fleet: String,
    /// QoS it published with: 0, 1 or 2.
    pub qos: u8,
    /// What became of the readings.
    pub counts: Counts,
    /// Their latency; `None` if nothing was delivered.
    pub latency: Option<Latency>,
}

/// What became of a set of readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Readings that devices gave to their clients to publish.
    pub published: u64,
    /// Readings whose PUBACK (QoS 1) or PUBCOMP (QoS 2) reached the device; 0 at QoS 0.
    pub acknowledged: u64,
    /// Deliveries owed: one per reading and subscription entitled to it.
    pub owed: u64,
    /// Owed deliveries that arrived, each counted once.
    pub delivered: u64,
    /// Owed deliveries that had not arrived when the run ended.
    pub lost: u64,
    /// Arrivals after the first of the same delivery.
    pub duplicated: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.published += other.published;
        self.acknowledged += other.acknowledged;
        self.owed += other.owed;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
    }
}

/// How long something took, many times over: of deliveries, from the device's
/// publish to the first arrival at the subscriber, in virtual nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// How many were measured; at least 1.
    pub count: u64,
    /// The lowest.
    pub latency_ns_min: u64,
    /// The median.
    pub latency_ns_p50: u64,
    /// 95 of 100 were no slower.
    pub latency_ns_p95: u64,
    /// 99 of 100 were no slower.
    pub latency_ns_p99: u64,
    /// The highest.
    pub latency_ns_max: u64,
}

/// A point of the distribution of latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyPoint {
    /// Of 1,000 deliveries, this many were no slower; from 0, the fastest, to
    /// 1,000, the slowest.
    pub per_mille: u64,
    /// Than this, in virtual nanoseconds.
    pub latency_ns: u64,
}

/// How long devices took from their first attempt to connect, in virtual
/// nanoseconds: one measurement for each device that got so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstReading {
    /// Until a reading first left the device.
    pub sent: Option<Latency>,
    /// Until a reading was first acknowledged to the device.
    pub acknowledged: Option<Latency>,
    /// Until a reading of the device first reached a subscriber.
    pub delivered: Option<Latency>,
}

/// What one subscribing fleet received, owed or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// The subscribing fleet.
    pub fleet: String,
    /// PUBLISH packets its devices' clients handed on.
    pub received: u64,
    /// Those of them that came with RETAIN set.
    pub retained: u64,
    /// Those of them that repeated an earlier one.
    pub duplicated: u64,
}

/// How latency went over the run, in buckets of equal length.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyOverTime {
    /// Length of a bucket, in virtual nanoseconds.
    pub bucket_ns: u64,
    /// The buckets in order; those in which nothing was published may be left out.
    pub buckets: Vec<LatencyBucket>,
}

/// The latency of the readings published in one stretch of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyBucket {
    /// Where the stretch begins, in virtual nanoseconds.
    pub start_ns: u64,
    /// Deliveries measured; with none, the two latencies are 0 and mean nothing.
    pub count: u64,
    /// Their median, in virtual nanoseconds.
    pub latency_ns_p50: u64,
    /// The highest of them, in virtual nanoseconds.
    pub latency_ns_max: u64,
}

/// How connecting went, over all devices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Attempts begun, i.e. TCP connections asked for.
    pub attempts: u64,
    /// Attempts the server accepted with a CONNACK of success.
    pub established: u64,
    /// Attempts the server turned down, by RST or a CONNACK of failure.
    pub refused: u64,
    /// Attempts and established connections that broke, by reason:
    /// `timed out`, `reset`, ...
    pub failed: BTreeMap<String, u64>,
    /// Connections the server closed because the same client id connected anew.
    pub taken_over: u64,
    /// Connections the server closed because keep-alive ran out.
    pub closed_by_keep_alive: u64,
    /// Established connections that found their session again.
    pub sessions_resumed: u64,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::samples;

    fn with_verdicts(verdicts: &[Verdict], met: &[bool]) -> Report {
        let sample = samples::green();
        let guarantees = verdicts.iter().map(|&verdict| Guarantee {
            verdict,
            ..sample.guarantees[0].clone()
        });
        let expectations = met.iter().map(|&held| Expectation {
            held,
            ..sample.expectations[0].clone()
        });
        Report {
            guarantees: guarantees.collect(),
            expectations: expectations.collect(),
            ..sample.clone()
        }
    }

    #[rstest]
    #[case(&[], &[], true)]
    #[case(&[Verdict::Held, Verdict::NotApplicable], &[true], true)]
    #[case(&[Verdict::Held, Verdict::Measured], &[true], true)]
    #[case(&[Verdict::Held, Verdict::Violated], &[true], false)]
    #[case(&[Verdict::Held], &[true, false], false)]
    fn a_run_holds_if_nothing_contradicts(
        #[case] verdicts: &[Verdict],
        #[case] met: &[bool],
        #[case] held: bool,
    ) {
        assert_eq!(with_verdicts(verdicts, met).held(), held);
    }

    #[rstest]
    #[case(&[], &[], "nothing was checked")]
    #[case(&[Verdict::NotApplicable, Verdict::Measured], &[], "nothing was checked")]
    #[case(&[Verdict::Held], &[true, true], "all held: 1 guarantee, 2 expectations")]
    #[case(&[Verdict::NotApplicable], &[true], "all held: 1 expectation")]
    #[case(&[Verdict::Violated; 2], &[true], "2 guarantees violated")]
    #[case(&[Verdict::Held], &[false], "1 expectation not met")]
    fn the_verdict_is_one_line(
        #[case] verdicts: &[Verdict],
        #[case] met: &[bool],
        #[case] text: &str,
    ) {
        let report = with_verdicts(verdicts, met);
        assert_eq!(crate::words::verdict(&report), text);
    }

    #[test]
    fn radio_time_is_that_of_the_sites_that_have_one() {
        let mut report = samples::green();
        let wired = SiteWeather {
            radio: false,
            ..report.weather.sites[0].clone()
        };
        let lone = report.radio_time().expect("a radio");
        let site = &report.weather.sites[0];
        assert_eq!(lone.up_ns, site.up.airtime_ns);
        assert_eq!(lone.both_ns(), site.up.airtime_ns + site.down.airtime_ns);

        report.weather.sites.push(wired.clone());
        assert_eq!(report.radio_time(), Some(lone), "a wire is no radio");
        report.weather.sites[0] = wired;
        assert_eq!(report.radio_time(), None);
        assert_eq!(report.radio_ns_per_reading(), None);
    }

    #[rstest]
    #[case(&[], &[false], true, "1 expectation not met yet")]
    #[case(&[Verdict::Held], &[true, false], true, "1 expectation not met yet")]
    #[case(&[Verdict::Held], &[true], true, "all held: 1 guarantee, 1 expectation")]
    #[case(&[Verdict::Violated], &[false], false, "1 guarantee violated, 1 expectation not met yet")]
    fn an_interrupted_run_may_still_have_met_its_bounds(
        #[case] verdicts: &[Verdict],
        #[case] met: &[bool],
        #[case] held: bool,
        #[case] text: &str,
    ) {
        let report = Report {
            partial: true,
            ended_ns: 61_000_000_000,
            ..with_verdicts(verdicts, met)
        };
        assert_eq!(report.held(), held);
        let text = format!("interrupted at 0:01:01, up to then: {text}");
        assert_eq!(crate::words::verdict(&report), text);
    }
}
