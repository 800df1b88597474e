//! The scenario language: a TOML file that tells one story, parsed into valid
//! types.
//!
//! [`Scenario`] is what the simulator runs: durations, bytes and shares in
//! plain Rust types, every default filled in, nothing left to check.

mod expect;
mod fleet;
mod link;
mod settings;

use std::path::PathBuf;
use std::time::Duration;

pub use expect::{Expectation, Expectations, Metric, Relation, Unit, Whole};
pub use fleet::{
    Clock, Fleet, Lifecycle, Mqtt, MqttVersion, Payload, Publish, Qos, Reconnect, Span,
    Subscription, Will,
};
pub use link::{Direction, GilbertElliott, Latency, LinkSpec, Reorder};
pub use settings::{BrokerSettings, CongestionControl, NetworkSettings};

/// One story: sites, fleets, a broker, and what is expected of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What the report is headed with.
    pub title: String,
    /// The file, as it was given.
    pub path: PathBuf,
    /// How long the run takes in virtual time, `drain` included.
    pub duration: Duration,
    /// At the end of `duration`, time without new publishes, so that what is
    /// owed can arrive.
    pub drain: Duration,
    /// The network between devices and servers.
    pub network: NetworkSettings,
    /// The reference broker.
    pub broker: BrokerSettings,
    /// Places with one kind of access link each; never empty.
    pub sites: Vec<Site>,
    /// Devices; never empty.
    pub fleets: Vec<Fleet>,
    /// Bounds on the run's figures.
    pub expect: Expectations,
}

impl Scenario {
    /// Devices of all fleets.
    #[must_use]
    pub fn device_count(&self) -> u64 {
        self.fleets.iter().map(|fleet| u64::from(fleet.count)).sum()
    }
}

/// A place; each of its devices has a link of its own, like its neighbours'.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Unique among the sites of a scenario.
    pub name: String,
    /// The access link of each of its devices.
    pub link: LinkSpec,
    /// The link in a few words, such as `nb-iot, 10 % loss`.
    pub description: String,
}
