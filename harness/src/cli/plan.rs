//! What a command line asks to run: scenarios times seeds, all of it checked
//! before anything starts.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use squall::scenario::{Over, Scenario, memory};
use squall::shell::quoted;

use super::exit::Failure;
use super::files;
use super::run::Arguments;

/// The seed of a run that was given none: the same for everybody, so that a
/// figure can be quoted without it.
pub(crate) const SEED_DEFAULT: u64 = 1;

/// One run to do.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) scenario: Arc<Scenario>,
    pub(crate) seed: u64,
    /// The one command that does it again.
    pub(crate) command: String,
}

/// Everything to do, in the order it is reported: scenarios as given, seeds
/// ascending.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) scenarios: Vec<Arc<Scenario>>,
    pub(crate) jobs: Vec<Job>,
    /// How many may run at once.
    pub(crate) parallel: usize,
    /// The seeds in words.
    pub(crate) seeds: String,
    /// What was left out of the scenarios to carry them over, a sentence each.
    pub(crate) dropped: Vec<String>,
}

impl Plan {
    pub(crate) fn new(arguments: &Arguments) -> Result<Self, Failure> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for path in &arguments.scenarios {
            for found in files::scenarios(path)? {
                // A file that is named twice, or in two ways, runs once.
                if !paths.contains(&found) {
                    paths.push(found);
                }
            }
        }
        let changes = changes(arguments);
        let over = arguments.over.as_deref().map(Over::parse).transpose()?;
        let mut dropped = Vec::new();
        let load = |path: &PathBuf| match over {
            None => Scenario::load(path, &changes),
            Some(over) => {
                let (scenario, left_out) = Scenario::load_over(path, &changes, over)?;
                dropped.extend(left_out);
                Ok(scenario)
            }
        };
        let scenarios = paths.iter().map(load);
        let scenarios = scenarios
            .map(|scenario| scenario.map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        let seeds = match (&arguments.seeds, arguments.seed) {
            (Some(range), _) => range.0.clone(),
            (None, seed) => {
                let seed = seed.unwrap_or(SEED_DEFAULT);
                seed..=seed
            }
        };
        let seed_count = (seeds.end() - seeds.start()).saturating_add(1);
        let runs = seed_count.saturating_mul(scenarios.len() as u64);
        if runs > 1_000_000 {
            return Err(Failure::usage(
                format!("{runs} runs are more than anyone waits for"),
                "give at most a million: fewer --seeds",
            ));
        }
        let of_one_run = [&arguments.pcap, &arguments.trace, &arguments.html];
        if runs > 1 && of_one_run.iter().any(|path| path.is_some()) {
            return Err(Failure::usage(
                format!("--pcap, --trace and --html write one run, and this is {runs}"),
                "give one scenario and one --seed",
            ));
        }
        let words = if seed_count == 1 {
            format!("seed {}", seeds.start())
        } else {
            format!("seeds {} to {}", seeds.start(), seeds.end())
        };
        let jobs: Vec<Job> = scenarios
            .iter()
            .flat_map(|scenario| {
                seeds.clone().map(|seed| Job {
                    scenario: Arc::clone(scenario),
                    seed,
                    command: command(scenario, seed, arguments),
                })
            })
            .collect();
        let parallel = parallel(arguments.jobs, jobs.len());
        if let Some(available) = available_bytes() {
            for scenario in &scenarios {
                memory::check(scenario, parallel as u64, available)?;
            }
        }
        Ok(Self {
            scenarios,
            jobs,
            parallel,
            seeds: words,
            dropped,
        })
    }
}

/// What the command line changes in every scenario. What it sets by name comes
/// last, and wins.
fn changes(arguments: &Arguments) -> Vec<String> {
    let version = arguments.mqtt.iter();
    let version = version.map(|version| format!("fleet.*.mqtt.version=\"{version}\""));
    version.chain(arguments.set.iter().cloned()).collect()
}

/// How many of `runs` go at once: as many as there are cores, unless said.
pub(super) fn parallel(jobs: Option<NonZeroUsize>, runs: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    jobs.map_or(cores, usize::from).clamp(1, runs.max(1))
}

/// What the machine has, or what a test says it has.
pub(super) fn available_bytes() -> Option<u64> {
    match std::env::var("SQUALL_MEMORY_AVAILABLE_BYTES") {
        Ok(bytes) => bytes.parse().ok(),
        Err(_) => memory::available_bytes(),
    }
}

/// The one command that runs this again, as a shell takes it.
fn command(scenario: &Scenario, seed: u64, arguments: &Arguments) -> String {
    let mut command = format!(
        "squall run {} --seed {seed}",
        quoted(&scenario.path.display().to_string())
    );
    if let Some(version) = &arguments.mqtt {
        command.push_str(" --mqtt ");
        command.push_str(version);
    }
    if let Some(over) = &arguments.over {
        command.push_str(" --over ");
        command.push_str(&quoted(over));
    }
    for set in &arguments.set {
        command.push_str(" --set ");
        command.push_str(&quoted(set));
    }
    command
}
