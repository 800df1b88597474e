//! `squall compare`: one scenario over several protocols and in several
//! conditions, as a grid of runs.
//!
//! A [`Plan`] is made first, and every cell of it checked: each is the scenario
//! with the changes of its point, carried over to its protocol. Whoever runs it
//! does [`Plan::tasks`] in any order, on as many threads as there are, and hands
//! what came of them to [`Plan::comparison`]: that is the same for any order.
//!
//! ```no_run
//! # use std::path::Path;
//! # use squall::{compare, sim};
//! let plan = compare::Plan::new(&compare::Request {
//!     scenario: Path::new("scenarios/overhead/readings.toml"),
//!     changes: &[],
//!     protocols: "mqtt,mqtt5",
//!     sweeps: &["loss=0,10%".to_owned()],
//!     seeds: 1..=3,
//!     command: String::new(),
//! })?;
//! let results = plan.tasks().into_iter().map(|task| {
//!     let options = sim::RunOptions::seed(task.seed);
//!     let report = sim::run(&task.scenario, &options);
//!     (task.part, report.map_err(|error| error.to_string()))
//! });
//! let comparison = plan.comparison(results, false);
//! println!("{}", squall::reports::markdown::render_comparison(&comparison));
//! # Ok::<(), squall::scenario::ScenarioError>(())
//! ```

mod anatomy;
mod estimate;
mod list;
mod sweep;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use squall_reports::comparison::{
    Axis, COMPARISON_FORMAT, Cell, CellRun, Comparison, FailedRun, Protocol,
};
use squall_reports::{Report, figures};

use crate::scenario::{Over, Scenario, ScenarioError, memory};
use crate::shell;
use sweep::Sweep;

pub use anatomy::Session;
pub use estimate::{TIME_MAX, wall_time};
pub use sweep::SWEEPS;

/// Runs of a grid, at most: more have no reader.
const RUNS_MAX: u64 = 100_000;

/// What is to be compared.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The scenario's file.
    pub scenario: &'a Path,
    /// Changes to it, as `--set` makes them.
    pub changes: &'a [String],
    /// Names of protocols, with commas between.
    pub protocols: &'a str,
    /// What else is varied: `name=value,value,…` each.
    pub sweeps: &'a [String],
    /// The seeds of every cell.
    pub seeds: RangeInclusive<u64>,
    /// The command that asks for this, for the report.
    pub command: String,
}

/// A comparison, checked and ready to be run.
#[derive(Debug)]
pub struct Plan {
    title: String,
    path: PathBuf,
    command: String,
    changes: Vec<String>,
    seeds: Vec<u64>,
    protocols: Vec<Carried>,
    axes: Vec<Axis>,
    cells: Vec<Planned>,
    notes: Vec<String>,
}

/// A protocol, and the scenario carried over to it as it stands.
#[derive(Debug)]
struct Carried {
    over: Over,
    dropped: Vec<String>,
    /// Sessions of one device alone; none if no fleet publishes by itself.
    sessions: Option<[Arc<Scenario>; Session::ALL.len()]>,
}

/// A cell.
#[derive(Debug)]
struct Planned {
    over: Over,
    at: Vec<String>,
    changes: Vec<String>,
    scenario: Arc<Scenario>,
}

/// A run to do.
#[derive(Clone, Debug)]
pub struct Task {
    /// What it is for.
    pub part: Part,
    /// What to run.
    pub scenario: Arc<Scenario>,
    /// With which seed.
    pub seed: u64,
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A cell, by its place, and one of its seeds.
    Cell(usize, u64),
    /// What a protocol, by its place, costs one device alone.
    Alone(usize, Session),
}

impl Plan {
    /// Makes a plan, and checks every cell of it.
    ///
    /// # Errors
    /// The first mistake, shown where it stands: an unknown protocol, a sweep
    /// over something that is not there, a value that makes no sense in the
    /// scenario or in a protocol, or more runs than anyone waits for.
    pub fn new(request: &Request<'_>) -> Result<Self, ScenarioError> {
        let base = Scenario::load(request.scenario, request.changes)?;
        let overs = protocols(request.protocols)?;
        let sweeps = request
            .sweeps
            .iter()
            .map(|text| Sweep::parse(text, &base))
            .collect::<Result<Vec<_>, _>>()?;
        distinct(request.sweeps, &sweeps)?;
        let points = points(&sweeps);
        let seeds = request.seeds.end().saturating_sub(*request.seeds.start());
        let cells = points.as_ref().map_or(u64::MAX, |points| {
            (points.len() as u64).saturating_mul(overs.len() as u64)
        });
        let runs = cells.saturating_mul(seeds.saturating_add(1));
        let Some(points) = points.filter(|_| runs <= RUNS_MAX) else {
            return Err(ScenarioError::new(
                "a grid of more runs than anyone waits for",
                Some(format!(
                    "it has {} protocols, {} sweeps and {} seeds; give at most {} runs in all: \
                     fewer points, protocols or --seeds",
                    overs.len(),
                    sweeps.len(),
                    figures::count(seeds.saturating_add(1)),
                    figures::count(RUNS_MAX),
                )),
            ));
        };
        let mut planned = Vec::new();
        for point in &points {
            for over in &overs {
                let changes: Vec<String> = request
                    .changes
                    .iter()
                    .chain(&point.changes)
                    .cloned()
                    .collect();
                let (scenario, _) = Scenario::load_over(request.scenario, &changes, *over)?;
                planned.push(Planned {
                    over: *over,
                    at: point.at.clone(),
                    changes,
                    scenario: Arc::new(scenario),
                });
            }
        }
        let protocols = overs.into_iter().map(|over| {
            let (scenario, dropped) = Scenario::load_over(request.scenario, request.changes, over)?;
            Ok(Carried {
                over,
                dropped,
                sessions: anatomy::sessions(&scenario).map(|sessions| sessions.map(Arc::new)),
            })
        });
        Ok(Self {
            title: base.title,
            path: base.path,
            command: request.command.clone(),
            changes: request.changes.to_vec(),
            seeds: request.seeds.clone().collect(),
            protocols: protocols.collect::<Result<_, ScenarioError>>()?,
            notes: sweeps
                .iter()
                .flat_map(|sweep| sweep.notes.clone())
                .collect(),
            axes: sweeps.into_iter().map(|sweep| sweep.axis).collect(),
            cells: planned,
        })
    }

    /// Runs of the grid: cells times seeds.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.cells.len() as u64 * self.seeds.len() as u64
    }

    /// The sizes of the grid in words: `2 protocols, 5 of loss, 3 seeds: 30 runs`.
    #[must_use]
    pub fn size(&self) -> String {
        let mut sizes = vec![figures::counted(self.protocols.len() as u64, "protocol")];
        for axis in &self.axes {
            sizes.push(format!("{} of {}", axis.points.len(), axis.key));
        }
        sizes.push(figures::counted(self.seeds.len() as u64, "seed"));
        format!(
            "{}: {}",
            sizes.join(", "),
            figures::counted(self.runs(), "run")
        )
    }

    /// Refuses a grid that this machine cannot run, `parallel` runs at once: one
    /// that needs more memory than `available` bytes, or longer than
    /// [`TIME_MAX`]. Says how long it will take, roughly.
    ///
    /// # Errors
    /// One that says the estimate, and what makes it smaller.
    pub fn check(&self, parallel: u64, available: Option<u64>) -> Result<Duration, ScenarioError> {
        if let Some(available) = available {
            for cell in &self.cells {
                memory::check(&cell.scenario, parallel, available)?;
            }
        }
        let scenarios = self.cells.iter().map(|cell| &*cell.scenario);
        let each = scenarios
            .map(wall_time)
            .fold(Duration::ZERO, Duration::saturating_add);
        let seeds = u32::try_from(self.seeds.len()).unwrap_or(u32::MAX);
        let cores = u32::try_from(parallel.max(1)).unwrap_or(u32::MAX);
        let all = each.saturating_mul(seeds) / cores;
        if all > TIME_MAX {
            return Err(ScenarioError::new(
                format!(
                    "{} take about {} on this machine",
                    figures::counted(self.runs(), "run"),
                    took(all),
                ),
                Some(format!(
                    "a grid may take {}: give fewer points, protocols or --seeds, or make the \
                     scenario smaller (--set duration=…, --set fleet.<name>.count=…)",
                    took(TIME_MAX),
                )),
            ));
        }
        Ok(all)
    }

    /// Every run to do.
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        let mut tasks = Vec::new();
        for (place, protocol) in self.protocols.iter().enumerate() {
            let sessions = protocol.sessions.iter().flatten();
            for (scenario, session) in sessions.zip(Session::ALL) {
                tasks.push(Task {
                    part: Part::Alone(place, session),
                    scenario: Arc::clone(scenario),
                    seed: self.seeds.first().copied().unwrap_or_default(),
                });
            }
        }
        for (place, cell) in self.cells.iter().enumerate() {
            for &seed in &self.seeds {
                tasks.push(Task {
                    part: Part::Cell(place, seed),
                    scenario: Arc::clone(&cell.scenario),
                    seed,
                });
            }
        }
        tasks
    }

    /// The command that does a task alone.
    #[must_use]
    pub fn command(&self, part: Part) -> String {
        let (over, changes, seed) = match part {
            Part::Cell(place, seed) => match self.cells.get(place) {
                Some(cell) => (cell.over, &cell.changes, seed),
                None => return String::new(),
            },
            Part::Alone(place, _) => match self.protocols.get(place) {
                Some(protocol) => (
                    protocol.over,
                    &self.changes,
                    self.seeds.first().copied().unwrap_or_default(),
                ),
                None => return String::new(),
            },
        };
        let mut words = vec![
            "squall".to_owned(),
            "run".to_owned(),
            self.path.display().to_string(),
            "--over".to_owned(),
            over.token(),
        ];
        for change in changes {
            words.extend(["--set".to_owned(), change.clone()]);
        }
        words.extend(["--seed".to_owned(), seed.to_string()]);
        shell::command(&words)
    }

    /// What came of the tasks that were done, in any order. A run that ended
    /// before its time is not one of them.
    #[must_use]
    pub fn comparison(
        &self,
        results: impl IntoIterator<Item = (Part, Result<Report, String>)>,
        interrupted: bool,
    ) -> Comparison {
        let mut runs: Vec<(Vec<CellRun>, Vec<FailedRun>)> =
            self.cells.iter().map(|_| Default::default()).collect();
        let mut alone = vec![anatomy::Measured::default(); self.protocols.len()];
        let mut notes = self.notes.clone();
        let mut simulator = Vec::new();
        for (part, result) in results {
            match (part, result) {
                (_, Ok(report)) if report.partial => {}
                (Part::Cell(place, _), Ok(report)) => {
                    for note in &report.notes {
                        if !simulator.contains(note) {
                            simulator.push(note.clone());
                        }
                    }
                    if let Some((ended, _)) = runs.get_mut(place) {
                        ended.push(CellRun::from(&report));
                    }
                }
                (Part::Cell(place, seed), Err(error)) => {
                    if let Some((_, failed)) = runs.get_mut(place) {
                        failed.push(FailedRun { seed, error });
                    }
                }
                (Part::Alone(place, session), Ok(report)) => {
                    if let Some(measured) = alone.get_mut(place) {
                        measured.put(session, &report);
                    }
                }
                (Part::Alone(place, _), Err(error)) => {
                    let token = self
                        .protocols
                        .get(place)
                        .map(|protocol| protocol.over.token());
                    notes.push(format!(
                        "One device alone could not be measured over {}: {error}",
                        token.unwrap_or_default()
                    ));
                }
            }
        }
        notes.sort();
        // Tasks end in any order.
        simulator.sort();
        notes.extend(simulator);
        let protocols = self.protocols.iter().zip(&alone);
        let cells = self.cells.iter().zip(runs).enumerate();
        Comparison {
            format: COMPARISON_FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            title: self.title.clone(),
            scenario: self.path.display().to_string(),
            command: self.command.clone(),
            seeds: self.seeds.clone(),
            planned: self.runs(),
            partial: interrupted,
            protocols: protocols
                .map(|(protocol, measured)| Protocol {
                    token: protocol.over.token(),
                    summary: protocol.over.summary(),
                    dropped: protocol.dropped.clone(),
                    anatomy: measured.anatomy(),
                })
                .collect(),
            axes: self.axes.clone(),
            cells: cells
                .map(|(place, (cell, (ended, failed)))| {
                    let first = self.seeds.first().copied().unwrap_or_default();
                    let command = self.command(Part::Cell(place, first));
                    let token = cell.over.token();
                    Cell::new(&token, cell.at.clone(), &command, ended, failed)
                })
                .collect(),
            crossovers: Vec::new(),
            notes,
        }
        .with_crossovers()
    }
}

/// A time in words, to whole seconds.
fn took(time: Duration) -> String {
    figures::duration(crate::net::nanos(time))
}

/// The protocols of a list with commas.
fn protocols(text: &str) -> Result<Vec<Over>, ScenarioError> {
    let mut overs = Vec::new();
    for (span, name) in list::split(text, 0) {
        let mistake =
            |complaint| ScenarioError::in_text("--protocols", text, span.clone(), complaint);
        let over = Over::read(name).map_err(mistake)?;
        if overs.contains(&over) {
            return Err(mistake(list::twice(name)));
        }
        overs.push(over);
    }
    Ok(overs)
}

/// Refuses to sweep over one thing twice.
fn distinct(texts: &[String], sweeps: &[Sweep]) -> Result<(), ScenarioError> {
    for (index, (text, sweep)) in texts.iter().zip(sweeps).enumerate() {
        let mut before = sweeps[..index].iter();
        if before.any(|other| other.axis.key == sweep.axis.key) {
            let span = 0..sweep.axis.key.len();
            let complaint = list::twice(&sweep.axis.key);
            return Err(ScenarioError::in_text("--sweep", text, span, complaint));
        }
    }
    Ok(())
}

/// A point of every sweep, and the changes that make it.
#[derive(Clone, Default)]
struct Conditions {
    at: Vec<String>,
    changes: Vec<String>,
}

/// Every combination, the last sweep fastest; `None` if there are too many.
fn points(sweeps: &[Sweep]) -> Option<Vec<Conditions>> {
    let mut points = vec![Conditions::default()];
    for sweep in sweeps {
        let many = points.len().checked_mul(sweep.axis.points.len())?;
        if many as u64 > RUNS_MAX {
            return None;
        }
        let values = sweep.axis.points.iter().zip(&sweep.changes);
        points = points
            .iter()
            .flat_map(|before| {
                values.clone().map(|(point, changes)| {
                    let mut conditions = before.clone();
                    conditions.at.push(point.text.clone());
                    conditions.changes.extend_from_slice(changes);
                    conditions
                })
            })
            .collect();
    }
    Some(points)
}
