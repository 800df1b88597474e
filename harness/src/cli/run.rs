//! `squall run`: scenarios in, reports out.

mod pool;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use squall::scenario::{Scenario, When, memory};
use squall::sim;
use squall_reports::{
    Outcome, Report, Run, Summary, figures, html, json, junit, markdown, terminal,
};

use super::exit::{Exit, Failure};
use super::files::{self, Staged};
use super::output::Output;
use super::plan::{Job, Plan, SEED_DEFAULT};
use super::seeds::SeedRange;
use pool::Watched;

pub(super) use pool::{guarded, many as runs};

const EXAMPLES: &str = "\
Examples:
  squall run scenarios/faults/lossy-cell.toml
  squall run scenarios/smoke                      every scenario of a directory
  squall run cell.toml --seed 7 --pcap cell.pcapng
  squall run cell.toml --html cell.html           a page of pictures and a timeline
  squall run cell.toml --seeds 1..100             100 seeds on all cores
  squall run cell.toml --set fleet.thermometer.count=10 --set site.valley.link.loss=20%
  squall run cell.toml --mqtt 5.0                 all of its fleets speak MQTT 5.0
  squall run cell.toml --format junit --out reports";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Scenario files, or directories of them.
    #[arg(required = true, value_name = "SCENARIO|DIR")]
    pub(crate) scenarios: Vec<PathBuf>,
    /// What decides every random choice; 1 unless given.
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    pub(crate) seed: Option<u64>,
    /// Run with every seed from A to B.
    #[arg(long, value_name = "A..B")]
    pub(crate) seeds: Option<SeedRange>,
    /// Runs at once; as many as there are cores unless given.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// The version of MQTT that all fleets speak, whatever the scenario says:
    /// 3.1.1 or 5.0.
    #[arg(long, value_name = "VERSION", value_parser = ["3.1.1", "5.0"], hide_possible_values = true)]
    pub(crate) mqtt: Option<String>,
    /// Carry the scenario over to another protocol, as `squall compare` does:
    /// mqtt5, or one of the names that it lists.
    #[arg(long, value_name = "PROTOCOL", conflicts_with = "mqtt")]
    pub(crate) over: Option<String>,
    /// Change a value of the scenario: duration=5m, fleet.NAME.count=10; faults
    /// count from 0: fault.0.for=90s; all fleets: fleet.*.window=4KiB.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// What reports look like.
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    pub(crate) format: Format,
    /// Write the report of each run to a file in this directory, too.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write every packet to this file, for Wireshark; one run only.
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,
    /// Write what every client and server saw to this file, as JSON Lines; one run only.
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) trace: Option<PathBuf>,
    /// Write the report as a web page, with what happened as a timeline; one run only.
    #[arg(long, value_name = "FILE.html")]
    pub(crate) html: Option<PathBuf>,
    /// Only the report: no notes, no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Check the scenarios and say what would run.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What reports look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For a person at a terminal.
    Terminal,
    /// For a page or a review.
    Markdown,
    /// For a program.
    Json,
    /// For CI.
    Junit,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Self::Terminal => "txt",
            Self::Markdown => "md",
            Self::Json => "json",
            Self::Junit => "xml",
        }
    }

    fn report(
        self,
        report: &Report,
        style: squall_reports::Style,
        wall: Option<Duration>,
    ) -> String {
        match self {
            Self::Terminal => {
                terminal::render(report, style, wall.map(|wall| terminal::Timing { wall }))
            }
            Self::Markdown => markdown::render(report),
            Self::Json => json::render(report),
            Self::Junit => junit::render(report),
        }
    }

    fn summary(
        self,
        summary: &Summary,
        style: squall_reports::Style,
        wall: Option<Duration>,
    ) -> String {
        match self {
            Self::Terminal => {
                terminal::render_summary(summary, style, wall.map(|wall| terminal::Timing { wall }))
            }
            Self::Markdown => markdown::render_summary(summary),
            Self::Json => json::render_summary(summary),
            Self::Junit => junit::render_summary(summary),
        }
    }
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    if arguments.quiet {
        output.silence_notes();
    }
    let plan = Plan::new(arguments)?;
    output.note(&plan.seeds);
    for left_out in &plan.dropped {
        output.note(left_out);
    }
    if arguments.dry_run {
        for scenario in &plan.scenarios {
            let mut jobs = plan.jobs.iter();
            let job = jobs.find(|job| Arc::ptr_eq(&job.scenario, scenario));
            let seed = job.map_or(SEED_DEFAULT, |job| job.seed);
            output.print(&intention(scenario, seed))?;
        }
        return Ok(Exit::Held);
    }
    let destinations = Destinations::new(arguments, &plan)?;
    for scenario in &plan.scenarios {
        let tick = tick_note(scenario);
        match plan.scenarios.len() {
            1 => output.note(&tick),
            _ => output.note(&format!("{}: {tick}", scenario.path.display())),
        }
    }
    let stop = Arc::new(AtomicBool::new(false));
    listen_for_interrupts(&stop)?;
    let began = now();
    let runs = match plan.jobs.as_slice() {
        [job] => vec![one(job, arguments, &stop, destinations, began, output)?],
        _ => many(&plan, arguments, &stop, &destinations, began, output)?,
    };
    Ok(exit(&runs, stop.load(Ordering::Relaxed)))
}

/// The exit code that the worst of the runs deserves.
fn exit(runs: &[Run], interrupted: bool) -> Exit {
    let any = |outcome| runs.iter().any(|run| run.outcome == outcome);
    if interrupted {
        Exit::Interrupted
    } else if any(Outcome::Error) {
        Exit::Environment
    } else if any(Outcome::Violated) {
        Exit::Violated
    } else {
        Exit::Held
    }
}

/// One run: its whole report.
fn one(
    job: &Job,
    arguments: &Arguments,
    stop: &Arc<AtomicBool>,
    destinations: Destinations,
    began: Instant,
    output: &Output,
) -> Result<Run, Failure> {
    let watched = Watched {
        stop: Arc::clone(stop),
        pcap: destinations.pcap.as_ref(),
        trace: destinations.trace.as_ref(),
        tells: destinations.html.is_some(),
    };
    let ran = pool::one(job, watched, output.draws_progress());
    let (report, story) = ran.map_err(Failure::Environment)?;
    destinations.report(0, &report, arguments.format)?;
    if let (Some(staged), Some(story)) = (&destinations.html, story) {
        std::fs::write(staged.path(), html::render_run(&report, &story))
            .map_err(|error| lost(staged.destination(), &error))?;
    }
    for staged in [destinations.pcap, destinations.trace, destinations.html]
        .into_iter()
        .flatten()
    {
        let path = staged.destination().to_owned();
        staged.finish().map_err(|error| lost(&path, &error))?;
    }
    let text = arguments
        .format
        .report(&report, output.style(), Some(began.elapsed()));
    match output.print(&text) {
        Err(Failure::PipeClosed) | Ok(()) => Ok(Run::from(&report)),
        Err(failure) => Err(failure),
    }
}

/// Many runs: a summary, in which each failing one has its command.
fn many(
    plan: &Plan,
    arguments: &Arguments,
    stop: &Arc<AtomicBool>,
    destinations: &Destinations,
    began: Instant,
    output: &Output,
) -> Result<Vec<Run>, Failure> {
    let mut runs = Vec::with_capacity(plan.jobs.len());
    let mut unwritten = None;
    pool::many(
        &plan.jobs,
        plan.parallel,
        stop,
        output.draws_progress(),
        |index, result| {
            let job = &plan.jobs[index];
            match result {
                Ok(report) => {
                    if let Err(failure) = destinations.report(index, &report, arguments.format) {
                        unwritten.get_or_insert(failure);
                        stop.store(true, Ordering::Relaxed);
                    }
                    runs.push(Run::from(&report));
                }
                Err(error) => {
                    let path = job.scenario.path.display().to_string();
                    runs.push(Run::failed(&path, job.seed, &job.command, &error));
                }
            }
        },
    );
    if let Some(failure) = unwritten {
        return Err(failure);
    }
    let paths: Vec<String> = plan
        .scenarios
        .iter()
        .map(|scenario| scenario.path.display().to_string())
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    let summary = Summary::new(version, plan.jobs.len() as u64, &paths, runs);
    destinations.summary(&summary, arguments.format)?;
    let text = arguments
        .format
        .summary(&summary, output.style(), Some(began.elapsed()));
    match output.print(&text) {
        Err(Failure::PipeClosed) | Ok(()) => Ok(summary.runs),
        Err(failure) => Err(failure),
    }
}

/// Where results go, known to be writable.
struct Destinations {
    pcap: Option<Staged>,
    trace: Option<Staged>,
    html: Option<Staged>,
    directory: Option<PathBuf>,
    /// The name of each job's report, without its extension.
    names: Vec<String>,
}

impl Destinations {
    fn new(arguments: &Arguments, plan: &Plan) -> Result<Self, Failure> {
        let staged = |path: &Option<PathBuf>| match path {
            None => Ok(None),
            Some(path) => Staged::new(path)
                .map(Some)
                .map_err(|error| Failure::unwritable(path, &error)),
        };
        if let Some(directory) = &arguments.out {
            std::fs::create_dir_all(directory)
                .and_then(|()| Staged::new(&directory.join("report")).map(drop))
                .map_err(|error| Failure::unwritable(directory, &error))?;
        }
        let names = names(&plan.jobs);
        distinct(arguments, &plan.scenarios, &names)?;
        Ok(Self {
            pcap: staged(&arguments.pcap)?,
            trace: staged(&arguments.trace)?,
            html: staged(&arguments.html)?,
            directory: arguments.out.clone(),
            names,
        })
    }

    fn report(&self, index: usize, report: &Report, format: Format) -> Result<(), Failure> {
        let text = || format.report(report, squall_reports::Style::PLAIN, None);
        self.write(&self.names[index], format, text)
    }

    fn summary(&self, summary: &Summary, format: Format) -> Result<(), Failure> {
        let text = || format.summary(summary, squall_reports::Style::PLAIN, None);
        self.write("summary", format, text)
    }

    fn write(
        &self,
        name: &str,
        format: Format,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let path = directory.join(format!("{name}.{}", format.extension()));
        files::write(&path, &text()).map_err(|error| lost(&path, &error))
    }
}

/// Refuses to write a file over a scenario, over another result, or over
/// standard output.
fn distinct(
    arguments: &Arguments,
    scenarios: &[Arc<Scenario>],
    reports: &[String],
) -> Result<(), Failure> {
    // Files that are taken, and what each of them is.
    let mut taken: Vec<(PathBuf, &str)> = scenarios
        .iter()
        .filter_map(|scenario| Some((files::resolved(&scenario.path).ok()?, "a scenario")))
        .collect();
    // A terminal or a pipe may be written to by several.
    let stdout = files::resolved(Path::new("/dev/stdout")).ok();
    taken.extend(
        stdout
            .filter(|path| path.is_file())
            .map(|path| (path, "where standard output goes")),
    );
    for (path, what) in [
        (&arguments.pcap, "the file of --pcap"),
        (&arguments.trace, "the file of --trace"),
        (&arguments.html, "the file of --html"),
    ] {
        let Some(path) = path else { continue };
        let resolved = files::resolved(path).map_err(|error| Failure::unwritable(path, &error))?;
        if let Some((_, other)) = taken.iter().find(|(taken, _)| *taken == resolved) {
            return Err(Failure::usage(
                format!("cannot write {}: it is {other}", path.display()),
                format!("nothing was run; {what} must be one of its own"),
            ));
        }
        taken.push((resolved, what));
    }
    let Some(directory) = &arguments.out else {
        return Ok(());
    };
    let resolved =
        files::resolved(directory).map_err(|error| Failure::unwritable(directory, &error))?;
    taken.retain(|(taken, _)| taken.parent() == Some(resolved.as_path()));
    let extension = arguments.format.extension();
    for name in reports.iter().map(String::as_str).chain(["summary"]) {
        let name = format!("{name}.{extension}");
        let report = resolved.join(&name);
        if let Some((_, other)) = taken.iter().find(|(taken, _)| *taken == report) {
            return Err(Failure::usage(
                format!(
                    "cannot write {}: it is {other}",
                    directory.join(name).display()
                ),
                "nothing was run; --out must be a directory of its own",
            ));
        }
    }
    Ok(())
}

/// What could be written before the run, and cannot be after it.
pub(super) fn lost(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Environment(format!("cannot write {}: {error}", path.display()))
}

/// A file name for each job's report: the scenario's path in one word, and the
/// seed.
fn names(jobs: &[Job]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    jobs.iter()
        .map(|job| {
            let words: Vec<String> = job
                .scenario
                .path
                .with_extension("")
                .components()
                .filter_map(|component| match component {
                    std::path::Component::Normal(word) => Some(word.to_string_lossy().into_owned()),
                    _ => None,
                })
                .collect();
            let mut name = format!("{}-seed-{}", words.join("-"), job.seed);
            // `a-b/c.toml` and `a/b-c.toml` are the same word.
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            name
        })
        .collect()
}

/// What `--dry-run` says of a scenario, and of its faults with one seed.
fn intention(scenario: &Scenario, seed: u64) -> String {
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let mut text = format!(
        "{}\n    {}: {}, {}, {}\n    {}, about {} of memory\n",
        scenario.path.display(),
        scenario.title,
        figures::counted(scenario.device_count(), "device"),
        figures::counted(scenario.sites.len() as u64, "site"),
        figures::duration(nanoseconds(scenario.duration)),
        tick_note(scenario),
        figures::bytes(memory::estimate_bytes(scenario)),
    );
    if !scenario.faults.is_empty() {
        text.push_str(&format!("    weather with seed {seed}\n"));
    }
    for fault in sim::forecast(scenario, seed) {
        let began = figures::clock(fault.began_ns);
        let when = match fault.ended_ns {
            Some(ended) if ended > fault.began_ns => format!("{began} ─ {}", figures::clock(ended)),
            _ => began,
        };
        text.push_str(&format!(
            "        {when:<17}  {} {}\n",
            fault.kind, fault.target
        ));
    }
    for fault in &scenario.faults {
        if let When::On(trigger, _) = &fault.when {
            let name = fault.kind.name();
            text.push_str(&format!("        {:<17}  {name}\n", trigger.to_string()));
        }
    }
    text
}

fn tick_note(scenario: &Scenario) -> String {
    let from = if scenario.network.tick_derived {
        "from the smallest delay of a link"
    } else {
        "as given"
    };
    format!("tick {} ms, {from}", scenario.network.tick.as_millis())
}

/// The first Ctrl-C or SIGTERM ends the runs; a second one ends the program.
pub(super) fn listen_for_interrupts(stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    let stop = Arc::clone(stop);
    ctrlc::set_handler(move || {
        if stop.swap(true, Ordering::Relaxed) {
            files::abandon();
            std::process::exit(Exit::Interrupted as i32);
        }
    })
    .map_err(|error| Failure::Environment(format!("cannot listen for Ctrl-C: {error}")))
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a run took on the wall clock is shown to whoever waited, and goes nowhere else"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}
