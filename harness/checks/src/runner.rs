//! Runs checks against a server, many at once, and makes sure that one that
//! brings the server down is not the end of the others.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use squall_reports::conformance::{Case, Conclusion, Protocol};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::bench::{Bench, Settings};
use crate::check::Check;
use crate::finding::{Finding, Outcome};
use crate::registry;
use crate::server::{RestartError, Server};
use crate::websocket::Serves;

/// Longest time that one check may take besides the quiet period and what the
/// specification has it wait for: that many times the time for an answer.
const ANSWERS_MAX: u32 = 60;

/// How many times a server is started anew before it is given up: one that is back
/// may fall again by itself.
const RESTARTS: usize = 3;

/// A check that was chosen, in one of its protocols.
#[derive(Clone, Copy, Debug)]
pub struct Selected {
    /// Which check.
    pub check: &'static Check,
    /// In which protocol.
    pub protocol: Protocol,
}

impl Selected {
    /// Every check in those of its protocols that are asked for, in the order of
    /// the specification.
    #[must_use]
    pub fn all(protocols: &[Protocol]) -> Vec<Self> {
        let each = |check: &'static Check| {
            let its = check.protocols().into_iter();
            let chosen = its.filter(|protocol| protocols.contains(protocol));
            chosen.map(move |protocol| Self { check, protocol })
        };
        registry::all().flat_map(each).collect()
    }

    /// Its case when it is not run, or says nothing: with this verdict.
    #[must_use]
    pub fn without_run(&self, verdict: Conclusion) -> Case {
        let Self { check, protocol } = *self;
        Case {
            check: check.name.to_owned(),
            protocol,
            statements: check.decides(protocol).map(str::to_owned).collect(),
            verdict,
            closing: None,
            expected: None,
            took_ns: 0,
            waits: Vec::new(),
            transcript: Vec::new(),
        }
    }
}

/// Hears of each case that has ended.
pub type Progress<'a> = &'a mut (dyn FnMut(&Case) + Send + Sync);

/// Runs the selected checks, as many at once as the settings say; those that
/// need the server to themselves come last, one by one. The result is in the
/// order of the selection.
///
/// After each check the server has to accept a new client. If it does not, it
/// is restarted, and whatever ran meanwhile runs again alone, so that the one
/// that brought it down is found and the others are judged.
pub async fn run(
    server: Arc<dyn Server>,
    settings: Settings,
    selection: &[Selected],
    progress: Progress<'_>,
) -> Vec<Case> {
    let mut runner = Runner {
        server,
        settings: Arc::new(settings),
        selection,
        cases: selection.iter().map(|_| None).collect(),
        progress,
        gone: None,
    };
    let (alone, beside): (VecDeque<_>, VecDeque<_>) =
        (0..selection.len()).partition(|index| selection[*index].check.alone);
    runner.together(beside).await;
    for index in alone {
        runner.alone(index).await;
    }
    runner.cases.into_iter().flatten().collect()
}

struct Runner<'a> {
    server: Arc<dyn Server>,
    settings: Arc<Settings>,
    selection: &'a [Selected],
    cases: Vec<Option<Case>>,
    progress: Progress<'a>,
    /// Why the server is gone for good, once it is.
    gone: Option<String>,
}

impl Runner<'_> {
    /// Runs checks beside each other.
    async fn together(&mut self, mut waiting: VecDeque<usize>) {
        let mut running = JoinSet::new();
        // What runs, or has ended since the server was last seen alive.
        let mut suspects = BTreeSet::new();
        loop {
            while running.len() < self.settings.jobs.max(1)
                && let Some(index) = waiting.pop_front()
            {
                suspects.insert(index);
                running.spawn(self.case(index));
            }
            let Some(ended) = running.join_next().await else {
                break;
            };
            let Ok((index, case, alive)) = ended else {
                continue;
            };
            self.cases[index] = Some(case);
            if alive {
                suspects.remove(&index);
                self.report(index);
                continue;
            }
            // What the others would find says nothing.
            running.shutdown().await;
            self.revive(index).await;
            for index in std::mem::take(&mut suspects) {
                self.alone(index).await;
            }
            if self.gone.is_some() {
                for index in waiting.drain(..) {
                    self.alone(index).await;
                }
            }
        }
    }

    /// Runs one check by itself.
    async fn alone(&mut self, index: usize) {
        if let Some(why) = &self.gone {
            let what = format!("the server is gone, and could not be restarted: {why}");
            self.cases[index] = Some(self.selection[index].without_run(Conclusion::Error { what }));
        } else {
            let mut running = JoinSet::new();
            running.spawn(self.case(index));
            if let Some(Ok((_, mut case, alive))) = running.join_next().await {
                if !alive {
                    case.verdict = brought_down(&case);
                    self.revive(index).await;
                }
                self.cases[index] = Some(case);
            }
        }
        self.report(index);
    }

    /// Starts a server anew that serves nobody any more, as this check left it. If
    /// it serves nobody then either, time and again, it is none.
    async fn revive(&mut self, index: usize) {
        for _ in 0..RESTARTS {
            let restarted = self.server.restart().await;
            let unable = restarted == Err(RestartError::Unable);
            self.gone = match restarted {
                // Asked as the check would: a server may speak one version alone.
                Ok(()) | Err(RestartError::Unable) => {
                    let bench = self.bench(self.selection.len(), self.selection[index].protocol);
                    is_alive(&bench).await.err()
                }
                Err(RestartError::Failed(why)) => {
                    tracing::warn!(why, "the server did not restart");
                    // What follows is the end of its log.
                    Some(why.lines().next().unwrap_or_default().to_owned())
                }
            };
            if unable || self.gone.is_none() {
                break;
            }
        }
    }

    fn report(&mut self, index: usize) {
        if let Some(case) = &self.cases[index] {
            (self.progress)(case);
        }
    }

    fn bench(&self, index: usize, protocol: Protocol) -> Bench {
        let server = Arc::clone(&self.server);
        Bench::new(server, Arc::clone(&self.settings), protocol, index)
    }

    /// A case's own task: its index, what came of it, and whether the server
    /// still accepts clients after it.
    fn case(
        &self,
        index: usize,
    ) -> impl Future<Output = (usize, Case, bool)> + Send + 'static + use<> {
        let selected = self.selection[index];
        let Selected { check, protocol } = selected;
        let bench = self.bench(index, protocol);
        let limit = self.settings.timeout * ANSWERS_MAX + self.settings.quiet * 2;
        async move {
            // A task of its own, so that a panic in a check is its own, too.
            let mut task = JoinSet::new();
            task.spawn((check.run)(bench.clone()));
            let outcome = timeout(limit, task.join_next()).await;
            task.abort_all();
            let verdict = conclude(check, protocol, &bench, outcome.ok().flatten(), limit);
            let took_ns = bench.notes().transcript.took_ns();
            let transcript = bench.notes().transcript.take();
            let waits = std::mem::take(&mut bench.notes().waits);
            let closing = bench.notes().closing.take();
            bench.tidy().await;
            let alive = is_alive(&bench).await.is_ok();
            let case = Case {
                closing,
                took_ns,
                waits,
                transcript,
                ..selected.without_run(verdict)
            };
            (index, case, alive)
        }
    }
}

/// Whether the server accepts a client, or at least says that it does not; if
/// not, what it does.
async fn is_alive(bench: &Bench) -> Result<(), String> {
    let knock = async {
        let endpoint = bench.server().websocket();
        if endpoint.is_some_and(|endpoint| endpoint.serves != Serves::Mqtt) {
            return bench.open_websocket("knocks").await.map(drop);
        }
        let mut client = bench.open("knocks").await?;
        client.send_connect(&bench.connect_packet("k")).await?;
        client.connack().await?;
        client.leave().await
    };
    let alive: Outcome = knock.await;
    match alive {
        Err(Finding::Fail { expected, actual }) => Err(format!("{actual} (due: {expected})")),
        Err(Finding::Error(what)) => Err(what),
        Ok(()) | Err(Finding::NonStrict { .. } | Finding::Skip(_)) => Ok(()),
    }
}

/// The verdict on a check after which the server served nobody any more.
fn brought_down(case: &Case) -> Conclusion {
    let (expected, before) = match &case.verdict {
        Conclusion::Fail {
            expected, actual, ..
        } => (expected.clone(), format!("{actual}; then ")),
        _ => ("the server to go on serving".to_owned(), String::new()),
    };
    Conclusion::Fail {
        broken: case.statements.clone(),
        expected,
        actual: format!("{before}it accepts no client any more"),
    }
}

fn conclude(
    check: &Check,
    protocol: Protocol,
    bench: &Bench,
    outcome: Option<Result<Outcome, tokio::task::JoinError>>,
    limit: Duration,
) -> Conclusion {
    let finding = match outcome {
        Some(Ok(Ok(()))) => return Conclusion::Pass,
        Some(Ok(Err(finding))) => finding,
        Some(Err(error)) => Finding::Error(format!("the check failed: {error}")),
        None => Finding::Error(format!(
            "the check did not end within {} s",
            limit.as_secs_f64()
        )),
    };
    match finding {
        Finding::Fail { expected, actual } => {
            let deciding = &bench.notes().deciding;
            let named: Vec<_> = check
                .decides(protocol)
                .filter(|statement| deciding.is_empty() || deciding.contains(statement))
                .map(str::to_owned)
                .collect();
            Conclusion::Fail {
                broken: named,
                expected,
                actual,
            }
        }
        Finding::NonStrict { expected, actual } => Conclusion::NonStrict { expected, actual },
        Finding::Skip(lacks) => Conclusion::Skip { lacks },
        Finding::Error(what) => Conclusion::Error { what },
    }
}
