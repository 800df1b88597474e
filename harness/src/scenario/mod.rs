//! The scenario language: a TOML file that tells one story, parsed into valid
//! types.
//!
//! [`Scenario`] is what the simulator runs: durations, bytes and shares in
//! plain Rust types, every default filled in, nothing left to check.

mod builder;
pub(crate) mod diagnostic;
pub(crate) mod document;
mod expect;
mod fault;
mod fleet;
mod kind;
mod link;
pub mod memory;
mod over;
mod overrides;
mod presets;
mod protocol;
mod resolve;
mod settings;
pub(crate) mod text;
pub(crate) mod topic;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use diagnostic::Sources;
use document::ScenarioTable;

pub use builder::{Builder, Entries};
pub use diagnostic::ScenarioError;
pub use expect::{Exception, Expectation, Expectations, Metric, Relation, Unit, Whole};
pub use fault::{
    Chosen, Fault, FaultKind, PacketType, Sender, Target, TimeRange, Times, Trigger, Ways, When,
};
pub use fleet::{
    Clock, DeviceMemory, Fleet, Lifecycle, Mqtt, MqttVersion, Payload, Publish, Qos, Reconnect,
    RetainHandling, Span, Start, Subscription, Will,
};
pub use link::{Direction, GilbertElliott, Latency, LinkSpec, Reorder};
pub use over::Over;
pub use presets::PRESETS;
pub use protocol::{Http, HttpReader, KeyExchange, Protocol, Server, Tls, WebSocket};
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
    /// What goes wrong, and when.
    pub faults: Vec<Fault>,
    /// Bounds on the run's figures.
    pub expect: Expectations,
}

impl Scenario {
    /// A scenario written in Rust, with the keys of the scenario language.
    ///
    /// ```
    /// # use squall::scenario::Scenario;
    /// let scenario = Scenario::builder("Cellar")
    ///     .set("duration", "2m")
    ///     .add("site", |site| site.set("name", "cellar").set("link", "wifi"))
    ///     .add("fleet", |fleet| {
    ///         fleet
    ///             .set("name", "thermometer")
    ///             .set("site", "cellar")
    ///             .set("count", 20)
    ///             .set("publish.topic", "cellar/{device}")
    ///             .set("publish.every", "5s")
    ///     })
    ///     .build()?;
    /// assert_eq!(scenario.device_count(), 20);
    /// # Ok::<(), squall::scenario::ScenarioError>(())
    /// ```
    pub fn builder(title: &str) -> Builder {
        Builder::new(title)
    }

    /// Reads the scenario in a file, with changes such as
    /// `fleet.thermometer.count=10`, in order.
    ///
    /// # Errors
    /// One that names the file when it cannot be read, and otherwise shows the
    /// first mistake where it stands.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Self, ScenarioError> {
        Self::parse(path, &read(path)?, overrides)
    }

    /// Reads the scenario in a file as [`load`](Self::load) does, carried over to
    /// a protocol; and says what had to be left out for that, a sentence each.
    ///
    /// # Errors
    /// As of [`load`](Self::load), and when what remains makes no sense in the
    /// protocol.
    pub fn load_over(
        path: &Path,
        overrides: &[String],
        over: Over,
    ) -> Result<(Self, Vec<String>), ScenarioError> {
        Self::parse_over(path, &read(path)?, overrides, Some(over))
    }

    /// Reads a scenario from its text; `path` is what errors call it, and what
    /// paths inside are relative to.
    ///
    /// # Errors
    /// One that shows the first mistake where it stands.
    pub fn parse(path: &Path, text: &str, overrides: &[String]) -> Result<Self, ScenarioError> {
        let (scenario, _) = Self::parse_over(path, text, overrides, None)?;
        Ok(scenario)
    }

    fn parse_over(
        path: &Path,
        text: &str,
        overrides: &[String],
        over: Option<Over>,
    ) -> Result<(Self, Vec<String>), ScenarioError> {
        let sources = Sources::new(path, text, overrides);
        if text.trim().is_empty() {
            let complaint = text::Complaint::new(
                "an empty scenario",
                "nothing here",
                "`squall new NAME` writes one to start from",
            );
            return Err(sources.error(0..0, complaint));
        }
        let mut document =
            toml::de::DeTable::parse(text).map_err(|error| sources.toml_error(&error))?;
        overrides::apply(document.get_mut(), &sources)?;
        let dropped = over.map_or_else(Vec::new, |over| over.carry(document.get_mut()));
        kind::unfold(document.get_mut(), &sources)?;
        let table = ScenarioTable::deserialize(toml::de::Deserializer::from(document))
            .map_err(|error| sources.toml_error(&error))?;
        let scenario = resolve::resolve(table, path, &sources)?;
        Ok((scenario, dropped))
    }

    /// Devices of all fleets.
    #[must_use]
    pub fn device_count(&self) -> u64 {
        self.fleets.iter().map(|fleet| u64::from(fleet.count)).sum()
    }
}

fn read(path: &Path) -> Result<String, ScenarioError> {
    std::fs::read_to_string(path).map_err(|error| {
        ScenarioError::new(
            format!("cannot read {}: {error}", path.display()),
            Some("give the path of a scenario (a TOML file), or of a directory of them".into()),
        )
    })
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
    /// Whether the preset that it starts from is a radio.
    pub radio: bool,
}

/// The lines of a scenario's first comment, which says why it exists; empty if
/// it has none.
#[must_use]
pub fn story(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.starts_with("#:schema"))
        .skip_while(|line| line.trim().is_empty())
        .map_while(|line| line.strip_prefix('#').map(str::trim))
        .collect()
}

/// The JSON Schema of the language, for editors. Ends with a newline.
#[must_use]
pub fn schema() -> String {
    let schema = schemars::schema_for!(ScenarioTable);
    // Every key of a schema is a string, and every value plain JSON.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
