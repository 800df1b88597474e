//! Where claims are measured: runs of their scenarios, and the figures they are
//! read for.

use crate::scenario::{Scenario, ScenarioError};
use crate::shell;
use crate::sim::{self, RunOptions};
use squall_reports::claims::Figures;
use squall_reports::{Bytes, Layer, LayerBytes, Report};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the scenarios of claims are, in the repository.
const SCENARIOS: &str = "scenarios/overhead/claims";

/// Where what was measured is published.
const PUBLISHED: &str = "reports/published";

/// The seed of every run.
const SEED: u64 = 1;

/// A claim that could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of this number.
    #[error("there is no claim {0}")]
    NoSuchClaim(u8),
    /// Its scenario is not as it has to be.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A run of it failed.
    #[error(transparent)]
    Run(#[from] sim::Error),
    /// What it takes from a published file is not there.
    #[error("reports/published/{0} is not there, or not what a bench writes")]
    Published(&'static str),
    /// The trace of a run could not be kept for reading.
    #[error("cannot keep a trace: {0}")]
    Trace(#[from] std::io::Error),
}

/// How a fleet speaks, as the words of a table and as changes to a scenario
/// whose fleets speak MQTT 3.1.1 at QoS 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) name: &'static str,
    changes: &'static [&'static str],
}

/// Readings at QoS 0.
pub(super) const MQTT: Way = Way {
    name: "MQTT, QoS 0",
    changes: &[],
};

/// Readings at QoS 1, and so their deliveries.
pub(super) const MQTT_QOS_1: Way = Way {
    name: "MQTT, QoS 1",
    changes: &[
        "fleet.sensor.publish.qos=1",
        "fleet.recorder.subscribe.0.qos=1",
    ],
};

/// Readings at QoS 2, and so their deliveries.
pub(super) const MQTT_QOS_2: Way = Way {
    name: "MQTT, QoS 2",
    changes: &[
        "fleet.sensor.publish.qos=2",
        "fleet.recorder.subscribe.0.qos=2",
    ],
};

/// MQTT 5.0 with topic aliases.
pub(super) const MQTT_5_ALIAS: Way = Way {
    name: "MQTT 5.0, topic alias",
    changes: &["mqtt=\"5.0\"", "fleet.sensor.publish.topic_alias=true"],
};

/// MQTT over WebSocket.
pub(super) const MQTT_WS: Way = Way {
    name: "MQTT over WebSocket, QoS 0",
    changes: &["protocol=mqtt-ws"],
};

/// The plain WebSocket hub.
pub(super) const WEBSOCKET: Way = Way {
    name: "WebSocket",
    changes: &["protocol=websocket"],
};

/// The hub, with its acknowledgements.
pub(super) const WEBSOCKET_ACKED: Way = Way {
    name: "WebSocket, acknowledged",
    changes: &["protocol=websocket", "fleet.*.websocket.acknowledged=true"],
};

/// A request for each reading, on one connection.
pub(super) const HTTP: Way = Way {
    name: "HTTP, kept alive",
    changes: &["protocol=http", "fleet.*.http.keep_alive=true"],
};

/// A connection for each reading.
pub(super) const HTTP_FRESH: Way = Way {
    name: "HTTP, a connection each",
    changes: &["protocol=http", "fleet.sensor.http.keep_alive=false"],
};

/// Runs scenarios, each with the same changes once.
pub(super) struct Lab<'a> {
    repository: &'a Path,
    reports: BTreeMap<Vec<String>, Arc<Report>>,
    commands: Vec<String>,
}

impl<'a> Lab<'a> {
    pub(super) fn new(repository: &'a Path) -> Self {
        Self {
            repository,
            reports: BTreeMap::new(),
            commands: Vec::new(),
        }
    }

    /// The report of a scenario, with its fleets speaking in one way and with
    /// these changes.
    pub(super) fn run(
        &mut self,
        scenario: &str,
        way: Way,
        changes: &[&str],
    ) -> Result<Arc<Report>, Error> {
        let (key, scenario) = self.load(scenario, way, changes)?;
        if let Some(report) = self.reports.get(&key) {
            return Ok(Arc::clone(report));
        }
        let report = Arc::new(sim::run(&scenario, &RunOptions::seed(SEED))?);
        self.reports.insert(key, Arc::clone(&report));
        Ok(report)
    }

    /// The trace of such a run, as JSON Lines.
    pub(super) fn trace(
        &mut self,
        scenario: &str,
        way: Way,
        changes: &[&str],
    ) -> Result<String, Error> {
        let (_, scenario) = self.load(scenario, way, changes)?;
        let file = tempfile::NamedTempFile::new()?;
        let options = RunOptions {
            trace: Some(file.path().to_owned()),
            ..RunOptions::seed(SEED)
        };
        sim::run(&scenario, &options)?;
        Ok(std::fs::read_to_string(file.path())?)
    }

    fn load(
        &mut self,
        scenario: &str,
        way: Way,
        changes: &[&str],
    ) -> Result<(Vec<String>, Scenario), Error> {
        let file = format!("{SCENARIOS}/{scenario}.toml");
        let changes = way.changes.iter().chain(changes);
        let changes: Vec<String> = changes.map(|change| (*change).to_owned()).collect();
        let path: PathBuf = self.repository.join(&file);
        let scenario = Scenario::load(&path, &changes)?;
        let words = changes
            .iter()
            .map(|change| format!(" --set {}", shell::quoted(change)));
        let command = format!("squall run {file}{}", words.collect::<String>());
        if !self.commands.contains(&command) {
            self.commands.push(command);
        }
        let key = [file].into_iter().chain(changes).collect();
        Ok((key, scenario))
    }

    /// A table that was measured where no simulator can, and is published beside the
    /// ledger.
    pub(super) fn published(&self, name: &'static str) -> Result<Figures, Error> {
        let path = self.repository.join(PUBLISHED).join(name);
        let text = std::fs::read_to_string(path).map_err(|_| Error::Published(name))?;
        serde_json::from_str(&text).map_err(|_| Error::Published(name))
    }

    /// The commands for everything that was run, in order.
    pub(super) fn commands(self) -> Vec<String> {
        self.commands
    }

    /// The smallest number from `range` for which something holds that, once it
    /// does, goes on to; `None` if it does for none.
    pub(super) fn first(
        &mut self,
        range: std::ops::RangeInclusive<u64>,
        mut holds: impl FnMut(&mut Self, u64) -> Result<bool, Error>,
    ) -> Result<Option<u64>, Error> {
        let (mut low, mut high) = (*range.start(), *range.end());
        // Of the search, the commands that show where it ended are enough.
        let commands = self.commands.len();
        let found = holds(self, high)?;
        while found && low < high {
            let middle = low + (high - low) / 2;
            match holds(self, middle)? {
                true => high = middle,
                false => low = middle + 1,
            }
        }
        self.commands.truncate(commands);
        holds(self, low)?;
        if found && low > *range.start() {
            holds(self, low - 1)?;
        }
        Ok(found.then_some(low))
    }
}

/// What one fleet's connections cost.
pub(super) fn of_fleet(report: &Report, fleet: &str) -> Bytes {
    let mut fleets = report.fleets.iter();
    let found = fleets.find(|of| of.fleet == fleet);
    found.map(|of| of.bytes).unwrap_or_default()
}

/// Bytes of some layers.
pub(super) fn sum(bytes: &LayerBytes, layers: &[Layer]) -> u64 {
    layers.iter().map(|layer| bytes[*layer]).sum()
}

/// A quotient, rounded; 0 of nothing.
pub(super) fn each(sum: u64, among: u64) -> u64 {
    (sum + among / 2).checked_div(among).unwrap_or(0)
}
