//! Conformance: the checks of [`squall_checks`], run against a broker.
//!
//! [`simulated`] runs them against the reference broker over the virtual
//! network, where an hour costs a second: packets, TCP, restarts and a disk that
//! loses what was not synced are those of every simulated run. [`live`] runs them
//! against a [`Broker`] on real sockets: the same checks, by the wall's clock.

mod broker;
pub mod known;
mod live;
mod report;
mod selection;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use squall_broker::Quirk;
use squall_reports::conformance::{Case, Conclusion, Protocol};

pub use broker::Broker;
pub use live::{Live, live};
pub use report::{Tested, report};
pub use selection::{select, statements_of};
pub use squall_checks::websocket::{Framing, Serves};
pub use squall_checks::{Selected, Setup};

use crate::sim::Error;
use crate::sim::tester::Test;

/// How long an answer may take: far longer than the virtual network delays it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// For how long nothing has to happen.
const QUIET: Duration = Duration::from_secs(3600);

/// Checks that run at once.
const JOBS: usize = 256;

/// What a simulated run of the checks is given.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// How the broker is set up.
    pub setup: Setup,
    /// What it is to do wrong.
    pub quirks: Vec<Quirk>,
    /// How MQTT is divided among the frames of a WebSocket; over TCP alone if it
    /// is not.
    pub framing: Option<Framing>,
    /// Which WebSocket the checks of WebSocket run on: that of the broker, or one
    /// of the hub.
    pub serves: Serves,
    /// What decides every random choice.
    pub seed: u64,
    /// Where to write the packets, as pcapng; overwritten.
    pub pcap: Option<PathBuf>,
}

impl Simulated {
    /// The honest broker in this setup, over TCP, with the seed 1.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Self {
            setup,
            quirks: Vec::new(),
            framing: None,
            serves: Serves::Mqtt,
            seed: 1,
            pcap: None,
        }
    }
}

/// Follows a run from outside.
#[derive(Clone)]
pub struct Watch {
    /// Set, it ends the run early.
    pub stop: Arc<AtomicBool>,
    /// Hears of each case that has ended.
    pub ended: Arc<dyn Fn(&Case) + Send + Sync>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            stop: Arc::default(),
            ended: Arc::new(|_| {}),
        }
    }
}

/// What came of a run of the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The cases in the order of the selection.
    pub cases: Vec<Case>,
    /// How long it took, by its own clock.
    pub took: Duration,
    /// Whether it was interrupted: the cases are those that had ended.
    pub partial: bool,
}

/// Every check in each of its versions of MQTT, in the order of the
/// specification.
#[must_use]
pub fn every_check() -> Vec<Selected> {
    Selected::all(&[Protocol::Mqtt311, Protocol::Mqtt5])
}

/// Every check of WebSocket, and of MQTT's chapter on it.
#[must_use]
pub fn websocket_checks() -> Vec<Selected> {
    Selected::all(&[Protocol::WebSocket])
}

/// Runs checks against the reference broker over the virtual network. The same
/// seed gives the same cases, byte for byte, on any machine.
///
/// # Errors
/// When the simulation cannot be carried through; what the broker does wrong is
/// in the cases.
pub fn simulated(how: &Simulated, selection: Vec<Selected>) -> Result<Vec<Case>, Error> {
    Ok(watched(how, selection, &Watch::default())?.cases)
}

fn watched(how: &Simulated, selection: Vec<Selected>, watch: &Watch) -> Result<Run, Error> {
    let (mut config, fixtures) = how.setup.of_the_broker();
    config.quirks = how.quirks.iter().copied().collect();
    let test = Test {
        config,
        fixtures,
        framing: how.framing,
        serves: how.serves,
        seed: how.seed,
        pcap: how.pcap.as_deref(),
        stop: &watch.stop,
    };
    let settings = squall_checks::Settings {
        timeout: TIMEOUT,
        quiet: QUIET,
        jobs: JOBS,
        run: "sim".to_owned(),
    };
    let ended = Arc::new(Mutex::new(Vec::new()));
    let (list, tell) = (Arc::clone(&ended), Arc::clone(&watch.ended));
    let chosen = selection.clone();
    let ran = test.run(move |server| {
        Box::pin(async move {
            let began = tokio::time::Instant::now();
            let mut progress = |case: &Case| {
                list.lock().push(case.clone());
                tell(case);
            };
            let cases = squall_checks::run(server, settings, &chosen, &mut progress).await;
            (cases, began.elapsed())
        })
    })?;
    Ok(match ran {
        Some((cases, took)) => Run {
            cases,
            took,
            partial: false,
        },
        None => Run {
            cases: in_order(ended.lock().drain(..), &selection),
            took: Duration::ZERO,
            partial: true,
        },
    })
}

/// The same in as many setups of the broker as it takes: a check that does not
/// apply to one is tried in the next. The packets written are those of the first
/// setup in which any applies.
///
/// # Errors
/// As [`simulated`].
pub fn simulated_in_every_setup(
    how: &Simulated,
    selection: &[Selected],
    watch: &Watch,
) -> Result<Run, Error> {
    let mut ended: BTreeMap<usize, Case> = BTreeMap::new();
    let mut waiting: Vec<usize> = (0..selection.len()).collect();
    let mut took = Duration::ZERO;
    let mut written = false;
    for (place, setup) in Setup::ALL.into_iter().enumerate() {
        if waiting.is_empty() || watch.stop.load(Ordering::Relaxed) {
            break;
        }
        let is_last = place + 1 == Setup::ALL.len();
        let tell = Arc::clone(&watch.ended);
        let watch = Watch {
            stop: Arc::clone(&watch.stop),
            // What is skipped here may not be skipped in the next.
            ended: Arc::new(move |case| {
                if is_last || !is_skipped(case) {
                    tell(case);
                }
            }),
        };
        let how = Simulated {
            setup,
            pcap: how.pcap.clone().filter(|_| !written),
            ..how.clone()
        };
        let chosen = waiting.iter().map(|index| selection[*index]).collect();
        let ran = watched(&how, chosen, &watch)?;
        took += ran.took;
        for case in ran.cases {
            let index = waiting
                .iter()
                .copied()
                .find(|index| is_of(&selection[*index], &case));
            written |= !is_skipped(&case);
            if let Some(index) = index.filter(|_| is_last || !ran.partial || !is_skipped(&case)) {
                ended.insert(index, case);
            }
        }
        if ran.partial {
            break;
        }
        waiting.retain(|index| ended.get(index).is_none_or(is_skipped));
    }
    let partial = watch.stop.load(Ordering::Relaxed) && ended.len() < selection.len();
    Ok(Run {
        cases: ended.into_values().collect(),
        took,
        partial,
    })
}

fn is_skipped(case: &Case) -> bool {
    matches!(case.verdict, Conclusion::Skip { .. })
}

fn is_of(selected: &Selected, case: &Case) -> bool {
    selected.check.name == case.check && selected.protocol == case.protocol
}

/// What had ended, in the order of the selection. Of a case that ended twice, the
/// last is taken.
fn in_order(ended: impl IntoIterator<Item = Case>, selection: &[Selected]) -> Vec<Case> {
    let mut cases: BTreeMap<usize, Case> = BTreeMap::new();
    for case in ended {
        let index = selection.iter().position(|selected| is_of(selected, &case));
        cases.extend(index.map(|index| (index, case)));
    }
    cases.into_values().collect()
}
