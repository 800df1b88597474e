//! Runs on threads of their own, one simulation each, while this thread watches.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use squall::sim::{self, RunOptions};
use squall_reports::Report;
use squall_reports::story::Story;

use super::super::files::Staged;
use super::super::plan::Job;
use super::super::progress::{INTERVAL, Progress};

/// What a single run has that many have not.
pub(super) struct Watched<'a> {
    pub(super) stop: Arc<AtomicBool>,
    pub(super) pcap: Option<&'a Staged>,
    pub(super) trace: Option<&'a Staged>,
    /// Whether to tell what happened, too.
    pub(super) tells: bool,
}

/// Does one run and shows how far it has come in virtual time. The error is
/// why the harness failed.
pub(super) fn one(
    job: &Job,
    watched: Watched<'_>,
    drawn: bool,
) -> Result<(Report, Option<Story>), String> {
    let progress = Arc::new(AtomicU64::new(0));
    let options = RunOptions {
        seed: job.seed,
        pcap: watched.pcap.map(|staged| staged.path().to_owned()),
        trace: watched.trace.map(|staged| staged.path().to_owned()),
        trace_name: watched
            .trace
            .map(|staged| staged.destination().display().to_string())
            .unwrap_or_default(),
        unjudged: false,
        command: job.command.clone(),
        stop: watched.stop,
        progress: Arc::clone(&progress),
    };
    let outputs: Vec<&Staged> = watched.pcap.into_iter().chain(watched.trace).collect();
    let virtual_ms = u64::try_from(job.scenario.duration.as_millis()).unwrap_or(u64::MAX);
    let mut bar = Progress::of_one(drawn, virtual_ms);
    let (done, result) = mpsc::channel();
    let ran = thread::scope(|scope| {
        scope.spawn(move || {
            // Whoever waits for it is below, and does not leave without it.
            let _ = done.send(if watched.tells {
                let run = || sim::run_with_story(&job.scenario, &options);
                guarded(&outputs, run).map(|(report, story)| (report, Some(story)))
            } else {
                simulate(job, &options, &outputs).map(|report| (report, None))
            });
        });
        loop {
            match result.recv_timeout(INTERVAL) {
                Ok(ran) => break ran,
                Err(RecvTimeoutError::Timeout) => {
                    bar.tick(progress.load(Ordering::Relaxed) / 1_000_000);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    break Err("the run ended without a result".to_owned());
                }
            }
        }
    });
    bar.finish();
    ran
}

/// Does many runs, `parallel` at once, and hands over each as it ends, by its
/// index in `jobs`. Once `stop` is set, those under way end early and no other
/// begins.
pub(crate) fn many(
    jobs: &[Job],
    parallel: usize,
    stop: &Arc<AtomicBool>,
    drawn: bool,
    mut ended: impl FnMut(usize, Result<Report, String>),
) {
    let next = AtomicUsize::new(0);
    let mut bar = Progress::of_many(drawn, jobs.len() as u64);
    let (done, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..parallel {
            let (done, next, stop) = (done.clone(), &next, Arc::clone(stop));
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(index) else { break };
                    let options = RunOptions {
                        seed: job.seed,
                        command: job.command.clone(),
                        stop: Arc::clone(&stop),
                        ..RunOptions::default()
                    };
                    if done.send((index, simulate(job, &options, &[]))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        let mut count = 0;
        loop {
            match results.recv_timeout(INTERVAL) {
                Ok((index, result)) => {
                    count += 1;
                    ended(index, result);
                }
                Err(RecvTimeoutError::Timeout) => bar.tick(count),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    bar.finish();
}

fn simulate(job: &Job, options: &RunOptions, outputs: &[&Staged]) -> Result<Report, String> {
    guarded(outputs, || sim::run(&job.scenario, options))
}

/// Runs a simulation; a panic is a defect of ours, and must not take the other
/// runs with it. An error names the destinations of `outputs`, not where they are
/// staged.
pub(crate) fn guarded<T>(
    outputs: &[&Staged],
    simulation: impl FnOnce() -> Result<T, sim::Error>,
) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(simulation)) {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(mut error)) => {
            if let sim::Error::Output { path, .. } = &mut error
                && let Some(staged) = outputs.iter().find(|staged| staged.path() == path)
            {
                *path = staged.destination().to_owned();
            }
            Err(with_causes(&error))
        }
        Err(panic) => Err(format!("squall panicked: {}", message(&*panic))),
    }
}

/// An error and everything behind it.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}
