//! `squall compare`: one scenario over several protocols, in several conditions.

mod destination;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use squall::compare::{Plan, Request, SWEEPS};
use squall::scenario::Over;
use squall::shell;
use squall_reports::comparison::Comparison;
use squall_reports::terminal::Timing;
use squall_reports::{Style, figures, html, json, markdown, terminal};

use super::exit::{Exit, Failure};
use super::output::Output;
use super::plan::{Job, SEED_DEFAULT, available_bytes, parallel};
use super::run::{listen_for_interrupts, now, runs};
use super::seeds::SeedRange;
use destination::Destinations;

/// What is compared unless said.
const PROTOCOLS: &str = "mqtt,mqtt-ws,websocket,http";

#[derive(Debug, clap::Args)]
#[command(after_help = help())]
pub(crate) struct Arguments {
    /// The scenario: sensors, readers and weather, as written for MQTT.
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenario: PathBuf,
    /// The protocols to carry it over to, with commas between.
    #[arg(long, value_name = "A,B,…", default_value = PROTOCOLS)]
    pub(crate) protocols: String,
    /// Vary something else, too: each value is run over each protocol. Given
    /// again, every combination is.
    #[arg(long, value_name = "NAME=A,B,…")]
    pub(crate) sweep: Vec<String>,
    /// Run each with every seed from A to B, and report median and spread; seed 1
    /// alone unless given.
    #[arg(long, value_name = "A..B")]
    pub(crate) seeds: Option<SeedRange>,
    /// Change a value of the scenario, as of `squall run`.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Runs at once; as many as there are cores unless given.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// What the report on standard output looks like.
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    pub(crate) format: Format,
    /// Write the report to a file, too: FILE.html, FILE.md or FILE.json, or a directory for
    /// all of them. May be given again.
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) out: Vec<PathBuf>,
    /// Only the report: no notes, no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Check every cell of the grid, and say how much it is.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What a comparison looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For a person at a terminal.
    Terminal,
    /// For a page or a review.
    Markdown,
    /// For a program, and for `squall diff`.
    Json,
    /// For a browser: one page of pictures and tables.
    Html,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Self::Terminal => "txt",
            Self::Markdown => "md",
            Self::Json => "json",
            Self::Html => "html",
        }
    }

    fn text(self, comparison: &Comparison, style: Style, wall: Option<Duration>) -> String {
        match self {
            Self::Terminal => {
                let timing = wall.map(|wall| Timing { wall });
                terminal::render_comparison(comparison, style, timing)
            }
            Self::Markdown => markdown::render_comparison(comparison),
            Self::Json => json::render_comparison(comparison),
            Self::Html => html::render_comparison(comparison),
        }
    }
}

fn help() -> String {
    let mut help = String::from(
        "Examples:\n  \
         squall compare scenarios/overhead/readings.toml\n  \
         squall compare readings.toml --protocols mqtt,mqtt5-alias --sweep loss=0,1%,5%,20% --seeds 1..5\n  \
         squall compare readings.toml --sweep readings_per_session=1,10,100 --out readings.html\n  \
         squall compare readings.toml --sweep 'fleet.*.mqtt.keep_alive=10s,60s' --out new.json\n  \
         squall diff old.json new.json                   what has changed, and what is worse\n\n\
         Protocols:\n",
    );
    for (name, summary) in Over::names() {
        help.push_str(&format!("  {name:<20}  {summary}\n"));
    }
    help.push_str("\nSweeps:\n");
    for (name, what) in SWEEPS {
        help.push_str(&format!("  {name:<20}  {what}\n"));
    }
    help.push_str(&format!(
        "  {:<20}  {}",
        "any key", "of a scenario, as --set takes it: site.valley.link.rate=10 kbit/s,1 Mbit/s"
    ));
    help
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    if arguments.quiet {
        output.silence_notes();
    }
    let seeds = match &arguments.seeds {
        Some(range) => range.0.clone(),
        None => SEED_DEFAULT..=SEED_DEFAULT,
    };
    let plan = Plan::new(&Request {
        scenario: &arguments.scenario,
        changes: &arguments.set,
        protocols: &arguments.protocols,
        sweeps: &arguments.sweep,
        seeds,
        command: command(arguments),
    })?;
    let tasks = plan.tasks();
    let parallel = parallel(arguments.jobs, tasks.len());
    let takes = plan.check(parallel as u64, available_bytes())?;
    let takes = u64::try_from(takes.as_nanos()).unwrap_or(u64::MAX);
    let size = format!(
        "{}, about {}",
        plan.size(),
        figures::duration(takes.max(1_000_000_000))
    );
    if arguments.dry_run {
        output.print(&format!("{size}\n"))?;
        return Ok(Exit::Held);
    }
    let destinations = Destinations::new(arguments)?;
    output.note(&size);
    let stop = Arc::new(AtomicBool::new(false));
    listen_for_interrupts(&stop)?;
    let began = now();
    let jobs: Vec<Job> = tasks
        .iter()
        .map(|task| Job {
            scenario: Arc::clone(&task.scenario),
            seed: task.seed,
            command: plan.command(task.part),
        })
        .collect();
    let mut results = Vec::with_capacity(jobs.len());
    runs(
        &jobs,
        parallel,
        &stop,
        output.draws_progress(),
        |index, result| {
            results.push((tasks[index].part, result));
        },
    );
    let interrupted = stop.load(Ordering::Relaxed);
    let comparison = plan.comparison(results, interrupted);
    destinations.write(&comparison)?;
    let wall = Some(began.elapsed());
    let text = arguments.format.text(&comparison, output.style(), wall);
    match output.print(&text) {
        Err(Failure::PipeClosed) | Ok(()) => Ok(exit(&comparison)),
        Err(failure) => Err(failure),
    }
}

/// The exit code that the worst of the runs deserves.
fn exit(comparison: &Comparison) -> Exit {
    let mut runs = comparison.cells.iter().flat_map(|cell| &cell.runs);
    if comparison.partial {
        Exit::Interrupted
    } else if comparison.failed() > 0 {
        Exit::Environment
    } else if runs.any(|run| !run.violated.is_empty()) {
        Exit::Violated
    } else {
        Exit::Held
    }
}

/// The one command that runs this again, as a shell takes it.
fn command(arguments: &Arguments) -> String {
    let mut words = vec![
        "squall".to_owned(),
        "compare".to_owned(),
        arguments.scenario.display().to_string(),
        "--protocols".to_owned(),
        arguments.protocols.clone(),
    ];
    for sweep in &arguments.sweep {
        words.extend(["--sweep".to_owned(), sweep.clone()]);
    }
    if let Some(seeds) = &arguments.seeds {
        let seeds = format!("{}..{}", seeds.0.start(), seeds.0.end());
        words.extend(["--seeds".to_owned(), seeds]);
    }
    for set in &arguments.set {
        words.extend(["--set".to_owned(), set.clone()]);
    }
    shell::command(&words)
}
