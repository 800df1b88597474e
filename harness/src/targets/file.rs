//! The file of a target: TOML, one struct for each table, one field for each
//! key.
//!
//! ```
//! use std::path::Path;
//! use squall::targets::Target;
//!
//! let target = Target::parse(Path::new("nats.toml"), r#"
//! title   = "NATS"
//! install = "apt-get install nats-server"
//! mqtt    = ["3.1.1"]
//!
//! [version]
//! command = ["nats-server", "--version"]
//! pattern = 'v([\d.]+)'
//!
//! [start]
//! command = ["nats-server", "-c", "{{ scratch }}/nats.conf"]
//! ports   = ["nats"]
//!
//! [start.files]
//! "nats.conf" = '''
//! server_name: squall
//! host: 127.0.0.1
//! port: {{ port.nats }}
//! jetstream { store_dir: "{{ scratch }}" }
//! mqtt { host: 127.0.0.1, port: {{ port.tcp }} }
//! '''
//!
//! [[listen]]
//! transport = "tcp"       # its port is {{ port.tcp }}
//!
//! [capabilities]
//! qos_max = 1
//!
//! [[expected]]
//! statement = "MQTT311-3.3.1-5"
//! reason    = "sent on with RETAIN set"
//! "#).map_err(|error| error.render(false, 100)).expect("no mistake");
//! assert_eq!(target.name, "nats");
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Component, Path};
use std::time::Duration;

use serde::Deserialize;
use squall_broker::wire::Version;

use super::Transport;
use super::expected::{ExpectedTable, resolved};
use super::target::{
    Capabilities, Credentials, Fixtures, Helper, Kept, Listener, Signal, Start, Stop, Target,
    VersionCommand,
};
use super::template::{Places, Template};
use crate::scenario::ScenarioError;
use crate::scenario::diagnostic::{Sources, unknown};
use crate::scenario::document::scalar::{Line, Name, Time};
use crate::scenario::document::value::At;
use crate::scenario::text::Complaint;

const READY_WITHIN: Duration = Duration::from_secs(10);
const STOP_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetTable {
    title: Line,
    website: Option<Line>,
    /// How it comes onto a machine.
    install: Line,
    /// What is spoken at a listener that does not say so itself.
    #[serde(default)]
    mqtt: Vec<VersionName>,
    /// Why it is not set beside other brokers.
    left_out: Option<Line>,
    version: VersionTable,
    start: StartTable,
    #[serde(default)]
    stop: StopTable,
    listen: At<Vec<ListenTable>>,
    credentials: Option<CredentialsTable>,
    #[serde(default)]
    fixtures: FixturesTable,
    #[serde(default)]
    capabilities: CapabilitiesTable,
    #[serde(default)]
    expected: Vec<At<ExpectedTable>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum VersionName {
    #[serde(rename = "3.1.1")]
    V3_1_1,
    #[serde(rename = "5.0")]
    V5,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TransportName {
    Tcp,
    Tls,
    Ws,
    Wss,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table about the version")]
struct VersionTable {
    command: Command,
    /// A regular expression whose first group is the version.
    pattern: At<String>,
}

/// A program and its arguments.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Command(At<Vec<At<String>>>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table about the start")]
struct StartTable {
    command: Command,
    #[serde(default)]
    search: Vec<At<String>>,
    #[serde(default)]
    environment: BTreeMap<String, At<String>>,
    #[serde(default)]
    ports: Vec<At<Name>>,
    #[serde(default)]
    files: BTreeMap<String, At<String>>,
    #[serde(default)]
    helper: Vec<HelperTable>,
    ready_within: Option<Time>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table about a process")]
struct HelperTable {
    command: Command,
    port: At<Name>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table about the end")]
struct StopTable {
    #[serde(default)]
    signal: Signal,
    within: Option<Time>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table about a listener")]
struct ListenTable {
    transport: At<TransportName>,
    /// The transport's name unless given.
    port: Option<At<Name>>,
    path: Option<At<String>>,
    #[serde(default)]
    mqtt: Vec<VersionName>,
    #[serde(default)]
    private_network: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with user and password")]
struct CredentialsTable {
    user: String,
    password: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of fixtures")]
struct FixturesTable {
    wrong_credentials: Option<CredentialsTable>,
    denied_publish: Option<String>,
    denied_subscribe: Option<String>,
    denied_client_id: Option<String>,
    scram: Option<CredentialsTable>,
    unserved_path: Option<String>,
    foreign_origin: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of capabilities")]
struct CapabilitiesTable {
    qos_max: Option<At<u8>>,
    retained: Option<bool>,
    shared_subscriptions: Option<bool>,
    survives_stop: Option<Vec<Kept>>,
    survives_kill: Option<Vec<Kept>>,
}

impl Target {
    /// Reads a target from its file's text; `path` is what errors call it, and
    /// its stem is the target's name.
    ///
    /// # Errors
    /// One that shows the first mistake where it stands.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ScenarioError> {
        let sources = Sources::new(path, text, &[]);
        let table =
            toml::from_str::<TargetTable>(text).map_err(|error| sources.toml_error(&error))?;
        Resolver {
            path,
            sources: &sources,
        }
        .target(table)
    }
}

struct Resolver<'a> {
    path: &'a Path,
    sources: &'a Sources,
}

impl Resolver<'_> {
    fn error(&self, span: &Range<usize>, what: &str, label: &str, help: &str) -> ScenarioError {
        let complaint = Complaint::new(what, label, help);
        self.sources.error(span.clone(), complaint)
    }

    fn target(&self, table: TargetTable) -> Result<Target, ScenarioError> {
        let listeners = self.listeners(table.listen, &table.mqtt)?;
        self.ports(&listeners, &table.start)?;
        let templates = Templates::new(self, &listeners, &table.start.ports);
        Ok(Target {
            name: self
                .path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            path: self.path.to_owned(),
            title: table.title.0,
            website: table.website.map(|line| line.0),
            install: table.install.0,
            listeners,
            credentials: table.credentials.map(Credentials::from),
            fixtures: table.fixtures.into(),
            capabilities: self.capabilities(table.capabilities)?,
            expected: resolved(table.expected, self.sources)?,
            left_out: table.left_out.map(|line| line.0),
            version: VersionCommand {
                command: templates.command(table.version.command)?,
                pattern: self.pattern(&table.version.pattern)?,
            },
            start: self.start(table.start, &templates)?,
            stop: Stop {
                signal: table.stop.signal,
                within: table.stop.within.map_or(STOP_WITHIN, |time| time.0),
            },
        })
    }

    fn start(&self, table: StartTable, templates: &Templates) -> Result<Start, ScenarioError> {
        for (name, text) in &table.files {
            self.stays_inside(name, &text.span)?;
        }
        let helper = |helper: HelperTable| {
            Ok(Helper {
                command: templates.command(helper.command)?,
                port: helper.port.value.0,
            })
        };
        let helpers = table.helper.into_iter().map(helper);
        Ok(Start {
            command: templates.command(table.command)?,
            search: templates.all(table.search)?,
            environment: templates.named(table.environment)?,
            ports: table.ports.into_iter().map(|port| port.value.0).collect(),
            files: templates.named(table.files)?,
            helpers: helpers.collect::<Result<_, ScenarioError>>()?,
            ready_within: table.ready_within.map_or(READY_WITHIN, |time| time.0),
        })
    }

    /// Each port has a name of its own, and a helper listens at one of them.
    fn ports(&self, listeners: &[Listener], start: &StartTable) -> Result<(), ScenarioError> {
        let mut all: BTreeSet<&str> = listeners.iter().map(|one| one.port.as_str()).collect();
        for port in &start.ports {
            if !all.insert(&port.value.0) {
                let what = format!("there are two ports `{}`", port.value.0);
                let help = "each port has a name of its own; a listener's is its transport's";
                return Err(self.error(&port.span, &what, "the second", help));
            }
        }
        let known: Vec<_> = start.ports.iter().map(|port| &port.value.0).collect();
        for helper in &start.helper {
            if !known.contains(&&helper.port.value.0) {
                let complaint = unknown("port", &helper.port.value.0, &known);
                return Err(self.sources.error(helper.port.span.clone(), complaint));
            }
        }
        Ok(())
    }

    fn listeners(
        &self,
        tables: At<Vec<ListenTable>>,
        mqtt: &[VersionName],
    ) -> Result<Vec<Listener>, ScenarioError> {
        let mut listeners: Vec<Listener> = Vec::with_capacity(tables.value.len());
        for table in tables.value {
            let transport = Transport::from(table.transport.value);
            let span = &table.transport.span;
            let versions: Vec<_> = match table.mqtt.is_empty() {
                true => mqtt.iter().map(|&name| name.into()).collect(),
                false => table.mqtt.iter().map(|&name| name.into()).collect(),
            };
            if versions.is_empty() {
                let help = "add `mqtt = [\"3.1.1\", \"5.0\"]`, here or at the top of the file";
                return Err(self.error(span, "a listener without MQTT", "which version?", help));
            }
            let path = match &table.path {
                Some(path) if !transport.is_websocket() => {
                    let help = "a path is for `ws` and `wss` only";
                    return Err(self.error(&path.span, "a path without WebSocket", "no use", help));
                }
                Some(path) if !path.value.starts_with('/') => {
                    let what = format!("`{}` is not a path", path.value);
                    let help = "write a path such as \"/mqtt\"";
                    return Err(self.error(&path.span, &what, "no `/` in front", help));
                }
                Some(path) => path.value.clone(),
                None if transport.is_websocket() => "/".to_owned(),
                None => String::new(),
            };
            let (port, span) = match table.port {
                Some(port) => (port.value.0, port.span),
                None => (transport.name().to_owned(), span.clone()),
            };
            if listeners.iter().any(|one| one.port == port) {
                let what = format!("there are two listeners at port `{port}`");
                let help = "give the second one a port of its own: port = \"tcp5\"";
                return Err(self.error(&span, &what, "the second", help));
            }
            listeners.push(Listener {
                transport,
                port,
                path,
                versions,
                private_network: table.private_network,
            });
        }
        if listeners.is_empty() {
            let help = "add a table [[listen]] with `transport = \"tcp\"`";
            return Err(self.error(&tables.span, "a target that listens nowhere", "empty", help));
        }
        Ok(listeners)
    }

    /// A file of the scratch directory is to be in it.
    fn stays_inside(&self, name: &str, span: &Range<usize>) -> Result<(), ScenarioError> {
        let mut parts = Path::new(name).components();
        if !name.is_empty() && parts.all(|part| matches!(part, Component::Normal(_))) {
            return Ok(());
        }
        let what = format!("`{name}` is not a file in the scratch directory");
        let help = "write a relative path without `..`, such as \"etc/broker.conf\"";
        Err(self.error(span, &what, "elsewhere", help))
    }

    fn pattern(&self, pattern: &At<String>) -> Result<regex::Regex, ScenarioError> {
        let help = "write a regular expression whose first group is the version: 'v([\\d.]+)'";
        let compiled = regex::Regex::new(&pattern.value).map_err(|error| {
            let what = format!("not a regular expression: {error}");
            self.error(&pattern.span, &what, "not a pattern", help)
        })?;
        match compiled.captures_len() {
            2.. => Ok(compiled),
            _ => Err(self.error(&pattern.span, "a pattern without a group", "no (…)", help)),
        }
    }

    fn capabilities(&self, table: CapabilitiesTable) -> Result<Capabilities, ScenarioError> {
        if let Some(qos) = table.qos_max.as_ref().filter(|qos| qos.value > 2) {
            let what = format!("{} is no quality of service", qos.value);
            let help = "write 0, 1 or 2";
            return Err(self.error(&qos.span, &what, "above 2", help));
        }
        Ok(Capabilities {
            qos_max: table.qos_max.map(|qos| qos.value),
            retained: table.retained,
            shared_subscriptions: table.shared_subscriptions,
            survives_stop: table.survives_stop,
            survives_kill: table.survives_kill,
        })
    }
}

/// Templates are tried before they are needed, so that a mistake in one is shown
/// where it stands: with every listener, and without those that want a network
/// of their own.
struct Templates<'a> {
    resolver: &'a Resolver<'a>,
    places: Vec<Places>,
}

impl<'a> Templates<'a> {
    fn new(resolver: &'a Resolver<'a>, listeners: &[Listener], others: &[At<Name>]) -> Self {
        let places = |listeners: &mut dyn Iterator<Item = &Listener>| {
            let listeners = listeners.map(|one| one.port.clone());
            let others = others.iter().map(|port| port.value.0.clone());
            let ports = listeners.chain(others).map(|name| (name, 1));
            Places::new(Path::new("/scratch"), "squall".into(), ports.collect())
        };
        let public = |one: &&Listener| !one.private_network;
        Self {
            resolver,
            places: vec![
                places(&mut listeners.iter()),
                places(&mut listeners.iter().filter(public)),
            ],
        }
    }

    fn template(&self, text: At<String>) -> Result<Template, ScenarioError> {
        let template = Template(text.value);
        for places in &self.places {
            if let Err(error) = template.render(places) {
                let mut what = error.kind().to_string();
                if let Some(detail) = error.detail() {
                    what = format!("{what}: {detail}");
                }
                if let (Some(line), true) = (error.line(), template.0.contains('\n')) {
                    what = format!("{what}, in line {line} of this text");
                }
                let known = "{{ scratch }}, {{ port.NAME }}, {{ certificate }}, {{ key }}, \
                             {{ brokers }} and {{ squall }} can be named; the port of a listener \
                             with `private_network` only within {% if port.NAME is defined %}";
                let label = "cannot be filled in";
                return Err(self.resolver.error(&text.span, &what, label, known));
            }
        }
        Ok(template)
    }

    fn all(&self, texts: Vec<At<String>>) -> Result<Vec<Template>, ScenarioError> {
        texts.into_iter().map(|text| self.template(text)).collect()
    }

    fn named(
        &self,
        texts: BTreeMap<String, At<String>>,
    ) -> Result<Vec<(String, Template)>, ScenarioError> {
        let texts = texts.into_iter();
        texts
            .map(|(name, text)| Ok((name, self.template(text)?)))
            .collect()
    }

    fn command(&self, Command(words): Command) -> Result<Vec<Template>, ScenarioError> {
        if words.value.is_empty() {
            let help = "write the program and its arguments: [\"mosquitto\", \"-v\"]";
            return Err(self
                .resolver
                .error(&words.span, "an empty command", "no program", help));
        }
        self.all(words.value)
    }
}

impl From<VersionName> for Version {
    fn from(name: VersionName) -> Self {
        match name {
            VersionName::V3_1_1 => Self::V3_1_1,
            VersionName::V5 => Self::V5,
        }
    }
}

impl From<TransportName> for Transport {
    fn from(name: TransportName) -> Self {
        match name {
            TransportName::Tcp => Self::Tcp,
            TransportName::Tls => Self::Tls,
            TransportName::Ws => Self::WebSocket,
            TransportName::Wss => Self::SecureWebSocket,
        }
    }
}

impl From<CredentialsTable> for Credentials {
    fn from(table: CredentialsTable) -> Self {
        Self {
            user: table.user,
            password: table.password,
        }
    }
}

impl From<FixturesTable> for Fixtures {
    fn from(table: FixturesTable) -> Self {
        Self {
            wrong_credentials: table.wrong_credentials.map(Credentials::from),
            denied_publish: table.denied_publish,
            denied_subscribe: table.denied_subscribe,
            denied_client_id: table.denied_client_id,
            scram: table.scram.map(Credentials::from),
            unserved_path: table.unserved_path,
            foreign_origin: table.foreign_origin,
        }
    }
}
