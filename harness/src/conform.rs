//! Conformance: the checks of [`squall_checks`], run against a broker.
//!
//! [`simulated`] runs them against the reference broker over the virtual
//! network, where an hour costs a second: packets, TCP, restarts and a disk that
//! loses what was not synced are those of every simulated run. [`live`] runs them
//! against a [`Broker`] on real sockets: the same checks, by the wall's clock.

mod broker;
mod expected;
mod live;

use std::path::PathBuf;
use std::time::Duration;

use squall_broker::Quirk;
use squall_reports::conformance::{Case, Protocol};

pub use broker::Broker;
pub use expected::mark_known;
pub use live::{Live, Run, live};
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
    let (mut config, fixtures) = how.setup.of_the_broker();
    config.quirks = how.quirks.iter().copied().collect();
    let test = Test {
        config,
        fixtures,
        framing: how.framing,
        serves: how.serves,
        seed: how.seed,
        pcap: how.pcap.as_deref(),
    };
    let settings = squall_checks::Settings {
        timeout: TIMEOUT,
        quiet: QUIET,
        jobs: JOBS,
        run: "sim".to_owned(),
    };
    test.run(move |server| {
        Box::pin(async move { squall_checks::run(server, settings, &selection, &mut |_| {}).await })
    })
}
