//! One run: scenario x seed -> turmoil world -> trace -> report.
//!
//! The world has one turmoil host for the broker and one for each site; a
//! site's devices are tasks in it. The run advances tick by tick, and between
//! ticks everything that was seen goes, in order, to the metrics and the trace
//! file: memory does not grow with the length of the trace.

mod agenda;
mod disk;
mod fleets;
mod network;
mod outcome;
mod parting;
mod rest;
mod server;
mod story;
mod strikes;
pub(crate) mod tester;
#[cfg(test)]
mod tests;
mod websockets;
mod world;

use crate::faults::{self, FaultLog, Occurrence};
use crate::invariants;
use crate::metrics::Metrics;
use crate::net::{Capture, Nanos, Tap, nanos};
use crate::scenario::Scenario;
use crate::trace::Recorder;
use crate::trace::jsonl::Writer;
use parking_lot::Mutex;
use squall_reports::story::Story;
use squall_reports::{FaultSpan, Report};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use story::{Picks, Teller};
use world::World;

/// What a run is given besides its scenario.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// What decides every random choice.
    pub seed: u64,
    /// Where to write the packets, as pcapng; overwritten.
    pub pcap: Option<PathBuf>,
    /// Where to write the trace, as JSON Lines; overwritten.
    pub trace: Option<PathBuf>,
    /// What the report calls the file of the trace; if empty, its path.
    pub trace_name: String,
    /// Leaves the guarantees unjudged, to measure what judging costs.
    pub unjudged: bool,
    /// The command that runs this again, for the report; if empty, the one for
    /// the scenario's file and the seed.
    pub command: String,
    /// Set from outside to end the run early; the report is then partial.
    pub stop: Arc<AtomicBool>,
    /// Virtual time done so far, in nanoseconds, for whoever watches.
    pub progress: Arc<AtomicU64>,
}

impl RunOptions {
    /// A run with this seed that writes no files.
    #[must_use]
    pub fn seed(seed: u64) -> RunOptions {
        RunOptions {
            seed,
            ..RunOptions::default()
        }
    }
}

/// A run that could not be carried through.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A fleet that the devices package refuses.
    #[error(transparent)]
    Fleet(#[from] squall_devices::FleetError),
    /// A file that could not be written.
    #[error("cannot write {path}")]
    Output {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The simulated world failed: a defect of Squall's.
    #[error("the simulation failed: {0}")]
    World(String),
    /// The layers of the bytes do not add up: a defect of Squall's.
    #[error("the simulation miscounted")]
    Bytes(#[from] squall_reports::BytesMismatch),
    /// The same scenario and seed gave another run: a defect of Squall's.
    #[error("a second run with the same seed was not the same")]
    Differs,
}

/// The devices of a scenario, fleet by fleet, just as [`run`] has them with
/// this seed: for running them over another network.
///
/// # Errors
/// A fleet that the devices package refuses.
pub fn fleets(
    scenario: &Scenario,
    seed: u64,
) -> Result<Vec<Arc<squall_devices::Fleet>>, squall_devices::FleetError> {
    Ok(fleets::Cast::new(scenario, seed)?.fleets)
}

/// The faults that a run of a scenario with this seed is to meet, in the order
/// of their beginning; those that a packet sets off have no time before the run,
/// and are not among them.
#[must_use]
pub fn forecast(scenario: &Scenario, seed: u64) -> Vec<FaultSpan> {
    let planned = faults::plan(scenario, seed).into_iter();
    let span = |occurrence: Occurrence| FaultSpan {
        kind: occurrence.kind.name().to_owned(),
        target: occurrence.target_and_turns(),
        began_ns: occurrence.begins,
        ended_ns: Some(occurrence.ends),
        effect: String::new(),
    };
    planned.map(span).collect()
}

/// Runs a scenario from beginning to end.
///
/// The same scenario and seed give the same report, trace and capture, byte
/// for byte, on any machine.
///
/// # Errors
/// When the run cannot be carried through; bounds and guarantees that do not
/// hold are in the report.
pub fn run(scenario: &Scenario, options: &RunOptions) -> Result<Report, Error> {
    let cast = fleets::Cast::new(scenario, options.seed)?;
    let ran = carry_out(scenario, options, &cast, None)?;
    Ok(ran.report)
}

/// Runs a scenario from beginning to end as [`run`] does, and tells what
/// happened in it. That takes a second run, which writes no files.
///
/// # Errors
/// Those of [`run`], and when the second run differs from the first.
pub fn run_with_story(scenario: &Scenario, options: &RunOptions) -> Result<(Report, Story), Error> {
    let cast = fleets::Cast::new(scenario, options.seed)?;
    let first = carry_out(scenario, options, &cast, None)?;
    let picks = Picks::new(&first.report, &first.metrics, &cast);
    let again = RunOptions {
        seed: options.seed,
        unjudged: true,
        progress: Arc::clone(&options.progress),
        ..RunOptions::default()
    };
    let wanted = Some((picks, first.report.ended_ns));
    let second = carry_out(scenario, &again, &cast, wanted)?;
    let (one, other) = (&first.report, &second.report);
    if (&one.arrived, &one.bytes, &one.connections, &one.weather)
        != (
            &other.arrived,
            &other.bytes,
            &other.connections,
            &other.weather,
        )
    {
        return Err(Error::Differs);
    }
    Ok((first.report, second.story.unwrap_or_default()))
}

/// What comes of a run.
struct Ran {
    report: Report,
    metrics: Metrics,
    story: Option<Story>,
}

/// Runs a scenario; up to the time given, if a story is wanted, and else to its
/// end.
fn carry_out(
    scenario: &Scenario,
    options: &RunOptions,
    cast: &fleets::Cast,
    story: Option<(Picks, Nanos)>,
) -> Result<Ran, Error> {
    let capture = options
        .pcap
        .as_deref()
        .map(|path| capture(path, &cast.host_names))
        .transpose()?;
    let mut trace = options
        .trace
        .as_deref()
        .map(|path| trace(path, scenario, options.seed))
        .transpose()?;
    let tap = Tap::new(scenario.fleets.len(), scenario.sites.len(), capture);
    let tap = Arc::new(Mutex::new(tap));
    let recorder = Arc::new(Mutex::new(Recorder::default()));
    let mut metrics = Metrics::new(cast.fleet_infos(), nanos(scenario.duration));
    let duration = nanos(scenario.duration);
    let until = story.as_ref().map_or(duration, |(_, until)| *until);
    let mut teller =
        story.map(|(picks, until)| Teller::new(picks, until, cast, &mut recorder.lock().texts));
    if let Some(teller) = &teller {
        tap.lock().watch(teller.watch(cast));
    }
    let mut histories = match options.unjudged {
        true => Vec::new(),
        false => cast.histories(&mut recorder.lock().texts),
    };

    let faults: Arc<[Occurrence]> = faults::plan(scenario, options.seed).into();
    let mut log =
        (!scenario.faults.is_empty()).then(|| FaultLog::new(&faults, Arc::clone(&cast.map)));
    let mut set_off = BTreeSet::new();
    let mut world = World::build(scenario, options.seed, cast, &tap, &recorder, &faults, None);
    while world.now() < until && !options.stop.load(Ordering::Relaxed) {
        world.step().map_err(Error::World)?;
        let now = world.now();
        options.progress.store(now, Ordering::Relaxed);
        tap.lock().advance(now);
        let mut recorder = recorder.lock();
        let mut entries = recorder.take();
        if let Some(log) = &mut log {
            for (by, occurrence) in world.set_off() {
                set_off.insert(usize::from(occurrence.fault));
                log.add(by, occurrence);
            }
            entries = log.merge(entries, now, &mut recorder.texts, &tap.lock().tallies);
        }
        for entry in entries {
            metrics.see(&entry, &recorder.texts);
            for history in &mut histories {
                history.see(&entry);
            }
            if let Some(teller) = &mut teller {
                teller.see(&entry, &recorder.texts);
            }
            if let Some((path, writer)) = &mut trace {
                writer
                    .write(&entry, &recorder.texts, &cast.host_names, |device| {
                        cast.device_name(device)
                    })
                    .map_err(|source| Error::Output {
                        path: path.clone(),
                        source,
                    })?;
            }
        }
        if let Some(teller) = &mut teller {
            teller.count_packets(now, scenario.sites.len(), &tap.lock());
        }
    }
    let ended = world.now();
    drop(world);

    if let Some((path, writer)) = trace {
        writer
            .finish()
            .map_err(|source| Error::Output { path, source })?;
    }
    let mut tap = tap.lock();
    if let (Some(capture), Some(path)) = (tap.take_capture(), &options.pcap) {
        capture.finish().map_err(|source| Error::Output {
            path: path.clone(),
            source,
        })?;
    }
    let texts = &recorder.lock().texts;
    let mut report = outcome::report(scenario, options, ended, &tap, &mut metrics, texts);
    if let Some(log) = &log {
        report.weather.faults = log.spans(&tap.tallies);
        report
            .notes
            .extend(outcome::not_set_off(scenario, &set_off));
    }
    if !options.unjudged {
        let terms = outcome::terms(scenario, options, &report);
        report.guarantees = invariants::judge(&histories, texts, &terms);
        report.guarantees.extend(outcome::lost(scenario, &report));
    }
    report.bytes.check()?;
    let watch = tap.take_watch();
    let story = teller.map(|teller| teller.finish(&metrics, cast, texts, watch));
    Ok(Ran {
        report,
        metrics,
        story,
    })
}

fn create(path: &Path) -> Result<BufWriter<File>, Error> {
    let file = File::create(path);
    file.map(BufWriter::new).map_err(|source| Error::Output {
        path: path.to_owned(),
        source,
    })
}

fn capture(path: &Path, hosts: &[String]) -> Result<Capture, Error> {
    let file = Box::new(create(path)?);
    Capture::new(file, hosts).map_err(|source| Error::Output {
        path: path.to_owned(),
        source,
    })
}

fn trace(
    path: &Path,
    scenario: &Scenario,
    seed: u64,
) -> Result<(PathBuf, Writer<BufWriter<File>>), Error> {
    let file = create(path)?;
    let name = scenario.path.display().to_string();
    let writer = Writer::new(file, &name, &scenario.title, seed);
    let writer = writer.map_err(|source| Error::Output {
        path: path.to_owned(),
        source,
    })?;
    Ok((path.to_owned(), writer))
}
