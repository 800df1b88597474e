//! `squall publish`: what the project says about the world, measured anew.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use clap::Parser as _;
use squall::claims;
use squall_reports::claims::{Claim, Ledger};
use squall_reports::{html, json, markdown};

use super::conform;
use super::exit::{Exit, Failure};
use super::files;
use super::output::Output;
use super::progress::{INTERVAL, Progress};

const EXAMPLES: &str = "\
Run it in a checkout of Squall: it measures the scenarios of
scenarios/overhead/claims, and writes reports/published/claims.{md,html,json}. With
--brokers it runs the checks on every broker that is installed, too, and writes
reports/published/brokers.{md,html,json}.

Examples:
  squall publish
  squall publish --check            is what is committed still so?
  squall publish --claim 7          print one claim, write nothing
  squall publish --brokers          all of reports/published but idle.json, which
                                    cargo bench -p squall --bench serve -- --idle writes";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Write nothing, and say whether the published files are what would be written.
    #[arg(long, conflicts_with = "claim")]
    check: bool,
    /// Measure this claim only, and print it as Markdown.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=25))]
    claim: Option<u8>,
    /// Publish what brokers make of the specifications as well, as `squall conform --all` does.
    #[arg(long, conflicts_with_all = ["check", "claim"])]
    brokers: bool,
    /// The checkout of Squall; the directory it is run in unless given.
    #[arg(long, value_name = "DIR", default_value = ".")]
    repository: PathBuf,
    /// Only what was asked for: no notes, no progress.
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    if arguments.quiet {
        output.silence_notes();
    }
    let repository = &arguments.repository;
    if !repository.join("scenarios/overhead/claims").is_dir() {
        return Err(Failure::usage(
            format!("{} is no checkout of Squall", repository.display()),
            "its directory scenarios/overhead/claims has what is measured: run squall publish \
             in the repository, or give --repository",
        ));
    }
    if let Some(number) = arguments.claim {
        let claim = claims::measure(number, repository).map_err(failed)?;
        output.print(&markdown::render_claims(&claims::ledger(vec![claim])))?;
        return Ok(Exit::Held);
    }
    let ledger = measure_all(repository, output.draws_progress())?;
    let published = repository.join("reports/published");
    let stale: Vec<_> = documents(&ledger)
        .into_iter()
        .map(|(name, text)| (published.join(name), text))
        .filter(|(path, text)| !std::fs::read_to_string(path).is_ok_and(|old| old == *text))
        .collect();
    if arguments.check {
        for (path, _) in &stale {
            output.print(&format!("{} is stale\n", path.display()))?;
        }
        output.note(match stale.is_empty() {
            true => "everything published is what is measured",
            false => "`squall publish` writes what is measured now",
        });
        return Ok(match stale.is_empty() {
            true => Exit::Held,
            false => Exit::Violated,
        });
    }
    for (path, text) in &stale {
        std::fs::create_dir_all(&published)
            .and_then(|()| files::write(path, text))
            .map_err(|error| Failure::unwritable(path, &error))?;
        let path = path.strip_prefix(".").unwrap_or(path);
        output.print(&format!("wrote {}\n", path.display()))?;
    }
    if stale.is_empty() {
        output.note("every claim is as it was published");
    }
    match arguments.brokers {
        true => brokers(&published, output),
        false => Ok(Exit::Held),
    }
}

/// What the command line of `squall conform` says.
#[derive(Debug, clap::Parser)]
struct Conform {
    #[command(flatten)]
    arguments: conform::Arguments,
}

/// Runs the checks on every broker, and publishes them side by side.
fn brokers(published: &Path, output: &mut Output) -> Result<Exit, Failure> {
    let words = [
        "squall".as_ref(),
        "--all".as_ref(),
        "--out".as_ref(),
        published.as_os_str(),
    ];
    let conform = Conform::try_parse_from(words)
        .map_err(|error| Failure::Environment(format!("the brokers cannot be run: {error}")))?;
    conform::run(&conform.arguments, output)
}

/// What is published, by the names of files.
fn documents(ledger: &Ledger) -> [(&'static str, String); 3] {
    [
        ("claims.md", markdown::render_claims(ledger)),
        ("claims.html", html::render_claims(ledger)),
        ("claims.json", json::render_claims(ledger)),
    ]
}

/// Measures every claim, on all cores.
fn measure_all(repository: &Path, drawn: bool) -> Result<Ledger, Failure> {
    let most = claims::count();
    let next = AtomicU8::new(1);
    let mut bar = Progress::of_claims(drawn, most as u64);
    let (done, results) = mpsc::channel();
    let mut measured = Vec::new();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let (done, next) = (done.clone(), &next);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if usize::from(number) > most
                        || done.send(claims::measure(number, repository)).is_err()
                    {
                        break;
                    }
                }
            });
        }
        drop(done);
        loop {
            match results.recv_timeout(INTERVAL) {
                Ok(claim) => measured.push(claim),
                Err(RecvTimeoutError::Timeout) => bar.tick(measured.len() as u64),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    bar.finish();
    let claims: Result<Vec<Claim>, _> = measured.into_iter().collect();
    let mut claims = claims.map_err(failed)?;
    claims.sort_by_key(|claim| claim.number);
    Ok(claims::ledger(claims))
}

fn failed(error: claims::Error) -> Failure {
    match error {
        claims::Error::Scenario(error) => Failure::Usage(error),
        error => Failure::Environment(error.to_string()),
    }
}
