//! The report of a comparison: one scenario over several protocols, in several
//! conditions, with several seeds.
//!
//! A [`Cell`] is one protocol at one point of every [`Axis`]; it holds one
//! [`CellRun`] for each seed, with all that was counted, and the [`Figures`] that
//! sum the seeds up. [`Crossover`]s say from where on an axis one protocol costs
//! less than another. As in [`crate::Report`], figures are integers, and what the
//! wall clock says is no part of the model.

use serde::{Deserialize, Serialize};

use crate::{
    bytes::Bytes,
    model::{
        Connections, Counts, FirstReading, FleetBytes, Latency, LatencyPoint, RadioTime, Report,
        Verdict,
    },
};

mod axis;
mod crossover;
mod figure;
#[cfg(test)]
pub(crate) mod samples;

pub use axis::{Axis, AxisUnit, Point};
pub use crossover::Crossover;
pub(crate) use crossover::{along, others};
pub use figure::{Figure, FigureUnit, Figures, Spread};

/// The version of the JSON format of [`Comparison`]; it grows as
/// [`FORMAT`](crate::FORMAT) does.
pub const COMPARISON_FORMAT: u32 = 1;

/// What one scenario costs and delivers over several protocols.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Version of this format, [`COMPARISON_FORMAT`].
    pub format: u32,
    /// The version of Squall that ran the scenario.
    pub version: String,
    /// The scenario's title.
    pub title: String,
    /// Path of the scenario file, as given on the command line.
    pub scenario: String,
    /// The one command that runs this again.
    pub command: String,
    /// The seeds that every cell was run with, ascending.
    pub seeds: Vec<u64>,
    /// Runs that were asked for: cells times seeds. More than the cells hold if
    /// the comparison was interrupted or a run failed.
    pub planned: u64,
    /// Whether it was interrupted: runs that had not ended are not in it.
    pub partial: bool,
    /// The protocols, in the order given.
    pub protocols: Vec<Protocol>,
    /// What was varied besides the protocol, in the order given.
    pub axes: Vec<Axis>,
    /// Every protocol at every point: in the order of the points, the last axis
    /// fastest, and within a point in the order of the protocols.
    pub cells: Vec<Cell>,
    /// Where one protocol begins to cost less than another.
    pub crossovers: Vec<Crossover>,
    /// What the reader must know to judge the figures, a sentence each.
    pub notes: Vec<String>,
}

/// A protocol that the scenario was carried over to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocol {
    /// What the command line calls it, such as `mqtt-ws+tls`.
    pub token: String,
    /// What it is, in the reader's words.
    pub summary: String,
    /// What of the scenario has no counterpart in it and was left out, a
    /// sentence each.
    pub dropped: Vec<String>,
    /// What it costs one device alone; `None` if that was not measured.
    pub anatomy: Option<Anatomy>,
}

/// What a protocol costs one device alone, on a link without loss, counted at
/// the device's own connections.
///
/// It is measured by differences between sessions, so that each packet falls
/// into one part, whole: a session with one reading, one with two, and one that
/// goes on for an hour after its reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anatomy {
    /// What a session costs without its readings: opening and closing the
    /// connection. Nothing, if each reading has a connection of its own.
    pub session: Bytes,
    /// What one more reading costs.
    pub reading: Bytes,
    /// What an hour costs in which nothing is said; as the scenario has it, with
    /// its keep-alive. `None` if the connection ends otherwise for it.
    pub idle_hour: Option<Bytes>,
    /// Round trips from the first packet until the first reading leaves the
    /// device; `None` if the device does not say when that is.
    pub round_trips_before_reading: Option<u64>,
    /// Round trips from then until the device knows that it arrived; `None` if
    /// it never learns that.
    pub round_trips_of_reading: Option<u64>,
}

/// One protocol at one point of every axis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The protocol's token.
    pub protocol: String,
    /// The text of a point of each axis, in the order of the axes.
    pub at: Vec<String>,
    /// The command that runs it alone, with the first seed.
    pub command: String,
    /// The runs that ended, by seed ascending.
    pub runs: Vec<CellRun>,
    /// The runs that failed, by seed ascending.
    pub failed: Vec<FailedRun>,
    /// The runs summed up.
    pub figures: Figures,
}

/// One run of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellRun {
    /// The seed.
    pub seed: u64,
    /// What it cost on the wire, every fleet's connections together.
    pub bytes: Bytes,
    /// How long radios were on; `None` if no site has any.
    #[serde(default)]
    pub radio: Option<RadioTime>,
    /// What it cost each fleet alone, in the scenario's order.
    pub fleets: Vec<FleetBytes>,
    /// What became of the readings.
    pub counts: Counts,
    /// Latency of all deliveries; `None` without any.
    pub latency: Option<Latency>,
    /// How the latencies are distributed; empty without deliveries.
    pub latency_curve: Vec<LatencyPoint>,
    /// How long devices took to their first reading.
    pub first_reading: FirstReading,
    /// How connecting went.
    pub connections: Connections,
    /// Ids of the guarantees that were violated, such as `qos-1-at-least-once`.
    pub violated: Vec<String>,
}

/// A run that the harness could not finish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRun {
    /// The seed.
    pub seed: u64,
    /// Why.
    pub error: String,
}

impl From<&Report> for CellRun {
    fn from(report: &Report) -> Self {
        let violated = report.guarantees.iter();
        let violated = violated.filter(|guarantee| guarantee.verdict == Verdict::Violated);
        Self {
            seed: report.seed,
            bytes: report.bytes,
            radio: report.radio_time(),
            fleets: report.fleets.clone(),
            counts: report.arrived.total,
            latency: report.arrived.latency,
            latency_curve: report.latency_curve.clone(),
            first_reading: report.first_reading,
            connections: report.connections.clone(),
            violated: violated.map(|guarantee| guarantee.id.clone()).collect(),
        }
    }
}

impl Cell {
    /// A cell of the runs that ended and of those that failed, in any order.
    #[must_use]
    pub fn new(
        protocol: &str,
        at: Vec<String>,
        command: &str,
        mut runs: Vec<CellRun>,
        mut failed: Vec<FailedRun>,
    ) -> Self {
        runs.sort_by_key(|run| run.seed);
        failed.sort_by_key(|run| run.seed);
        Self {
            protocol: protocol.to_owned(),
            at,
            command: command.to_owned(),
            figures: Figures::of(&runs),
            runs,
            failed,
        }
    }

    /// The run whose cost of a delivered reading, or where nothing arrived of all
    /// of them, is the median of the runs.
    #[must_use]
    pub fn median_run(&self) -> Option<&CellRun> {
        let median = |figure: Figure| Some((figure, self.figures[figure]?.median));
        let (figure, median) =
            median(Figure::BytesPerDelivered).or_else(|| median(Figure::BytesOnWire))?;
        let mut runs = self.runs.iter();
        runs.find(|run| figure.of(run) == Some(median))
    }
}

impl Comparison {
    /// Finds the crossovers of the cells, which must be complete.
    #[must_use]
    pub fn with_crossovers(mut self) -> Self {
        self.crossovers = crossover::find(&self);
        self
    }

    /// The cell of a protocol at one point of each axis.
    #[must_use]
    pub fn cell(&self, protocol: &str, at: &[String]) -> Option<&Cell> {
        let mut cells = self.cells.iter();
        cells.find(|cell| cell.protocol == protocol && cell.at == at)
    }

    /// The cells point by point: those of every protocol under the same
    /// conditions.
    pub fn points(&self) -> impl Iterator<Item = &[Cell]> {
        self.cells.chunk_by(|one, other| one.at == other.at)
    }

    /// Runs that ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.cells.iter().map(|cell| cell.runs.len() as u64).sum()
    }

    /// Runs that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.cells.iter().map(|cell| cell.failed.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples as reports;

    #[test]
    fn a_cell_does_not_care_in_which_order_its_runs_ended() {
        let run = |seed| CellRun {
            seed,
            ..CellRun::from(&reports::green())
        };
        let cell = |runs| Cell::new("mqtt", Vec::new(), "squall", runs, Vec::new());
        assert_eq!(cell(vec![run(3), run(1)]), cell(vec![run(1), run(3)]));
    }

    #[test]
    fn the_median_run_is_one_of_them() {
        let comparison = samples::sweep();
        for cell in &comparison.cells {
            let run = cell.median_run().expect("a run");
            let median = cell.figures[Figure::BytesPerDelivered]
                .expect("measured")
                .median;
            assert_eq!(Figure::BytesPerDelivered.of(run), Some(median));
        }
        let nothing = Cell::new("mqtt", Vec::new(), "", Vec::new(), Vec::new());
        assert!(nothing.median_run().is_none());
    }

    #[test]
    fn a_run_keeps_what_was_violated() {
        let run = CellRun::from(&reports::red());
        assert_eq!(run.violated, ["retained-latest"]);
        assert_eq!(run.seed, u64::MAX);
        assert_eq!(run.counts, reports::red().arrived.total);
    }

    #[test]
    fn cells_are_found_and_come_point_by_point() {
        let comparison = samples::sweep();
        let at = [comparison.axes[0].points[1].text.clone()];
        let cell = comparison.cell("mqtt", &at).expect("a cell");
        assert_eq!(
            (cell.protocol.as_str(), cell.at.as_slice()),
            ("mqtt", &at[..])
        );
        assert!(comparison.cell("mqtt", &[]).is_none());
        let sizes: Vec<usize> = comparison.points().map(<[Cell]>::len).collect();
        assert_eq!(sizes, [3, 3, 3, 3]);
    }
}
