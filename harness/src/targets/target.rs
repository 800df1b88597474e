//! A broker under test: what it speaks, and how it is started.

use std::path::PathBuf;
use std::time::Duration;

use squall_broker::wire::Version;

use super::Transport;
use super::template::Template;

/// A broker that can be started, as its file in `scenarios/targets` describes
/// it.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it is called on the command line: its file's name.
    pub name: String,
    /// Its file, as errors call it.
    pub path: PathBuf,
    /// What reports call it.
    pub title: String,
    /// Where its users read about it.
    pub website: Option<String>,
    /// How it comes onto a machine.
    pub install: String,
    /// Where it listens once it is started.
    pub listeners: Vec<Listener>,
    /// Whom a client has to connect as; nobody unless given.
    pub credentials: Option<Credentials>,
    /// What it was configured with for checks that need it.
    pub fixtures: Fixtures,
    /// What it can do, where asking it does not tell.
    pub capabilities: Capabilities,
    /// What is known to fail.
    pub expected: Vec<Expected>,
    /// Why it is not set beside other brokers, if it is not.
    pub left_out: Option<String>,
    pub(super) version: VersionCommand,
    pub(super) start: Start,
    pub(super) stop: Stop,
}

impl Target {
    /// The versions of MQTT that it speaks at some port, the oldest first.
    #[must_use]
    pub fn versions(&self) -> Vec<Version> {
        let speaks = |version: &Version| self.listeners.iter().any(|one| one.speaks(*version));
        [Version::V3_1_1, Version::V5]
            .into_iter()
            .filter(speaks)
            .collect()
    }

    /// The transports over which it speaks some version.
    #[must_use]
    pub fn transports(&self) -> Vec<Transport> {
        let has =
            |transport: &Transport| self.listeners.iter().any(|one| one.transport == *transport);
        Transport::ALL.into_iter().filter(has).collect()
    }

    /// Whether some listener is only opened in a network of its own: one that
    /// would listen on every interface of the machine.
    #[must_use]
    pub fn wants_private_network(&self) -> bool {
        self.listeners.iter().any(|one| one.private_network)
    }
}

/// A port at which a broker listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listener {
    /// What carries MQTT there.
    pub transport: Transport,
    /// What templates call its port: `{{ port.NAME }}`.
    pub port: String,
    /// Of a WebSocket endpoint, from `/` on; empty for the others.
    pub path: String,
    /// The versions of MQTT spoken there.
    pub versions: Vec<Version>,
    /// Whether it is opened only in a network of its own.
    pub private_network: bool,
}

impl Listener {
    /// Whether this version is spoken there.
    #[must_use]
    pub fn speaks(&self, version: Version) -> bool {
        self.versions.contains(&version)
    }
}

/// A user name and a password.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Credentials {
    /// The user name of CONNECT.
    pub user: String,
    /// The password of CONNECT.
    pub password: Option<String>,
}

/// What a broker was configured with for checks that need it. A check whose
/// fixture is not there is skipped, and says so.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fixtures {
    /// A user name with a password that is not its own.
    pub wrong_credentials: Option<Credentials>,
    /// A topic to which no client may publish.
    pub denied_publish: Option<String>,
    /// A topic filter to which no client may subscribe.
    pub denied_subscribe: Option<String>,
    /// A client identifier that is refused.
    pub denied_client_id: Option<String>,
    /// A user of enhanced authentication with SCRAM-SHA-256.
    pub scram: Option<Credentials>,
    /// A path at which no WebSocket is served.
    pub unserved_path: Option<String>,
    /// The origin of a page that may open no WebSocket.
    pub foreign_origin: Option<String>,
}

/// What a broker can do, where asking it does not tell: nothing said is to be
/// found out, or taken for granted as the specification has it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Capabilities {
    /// The highest QoS that it accepts in a PUBLISH.
    pub qos_max: Option<u8>,
    /// Whether it retains messages.
    pub retained: Option<bool>,
    /// Whether it knows shared subscriptions.
    pub shared_subscriptions: Option<bool>,
    /// What is still there after a restart in good order.
    pub survives_stop: Option<Vec<Kept>>,
    /// What is still there after the process was killed.
    pub survives_kill: Option<Vec<Kept>>,
}

/// State of a broker that may survive a restart.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// Sessions with their subscriptions.
    Sessions,
    /// Messages that wait for a client that is away.
    Queued,
    /// Retained messages.
    Retained,
}

/// A failure that is known: it fails no run, and its absence is news.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expected {
    /// The statement that the broker breaks, such as `MQTT5-3.3.4-6`.
    pub statement: Option<String>,
    /// The check that finds it, where not all of the statement's do.
    pub check: Option<String>,
    /// The transports over which it is found; all unless given.
    pub transports: Vec<Transport>,
    /// What the broker does instead.
    pub reason: String,
    /// Where it is reported or discussed.
    pub link: Option<String>,
    /// Whether it shows in some runs only, since the broker races with itself:
    /// its absence is no news then.
    pub sometimes: bool,
}

/// How its version is found.
#[derive(Clone, Debug)]
pub(super) struct VersionCommand {
    pub(super) command: Vec<Template>,
    /// Its first group is the version.
    pub(super) pattern: regex::Regex,
}

/// How it is started.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) command: Vec<Template>,
    /// Where commands are looked for before the directories of PATH.
    pub(super) search: Vec<Template>,
    pub(super) environment: Vec<(String, Template)>,
    /// Free ports that it needs beside those of its listeners.
    pub(super) ports: Vec<String>,
    /// Written to the scratch directory before it starts.
    pub(super) files: Vec<(String, Template)>,
    /// Started before it, and ended with it.
    pub(super) helpers: Vec<Helper>,
    pub(super) ready_within: Duration,
}

/// A process that a broker needs.
#[derive(Clone, Debug)]
pub(super) struct Helper {
    pub(super) command: Vec<Template>,
    /// The port at which it listens once it is ready.
    pub(super) port: String,
}

/// How it is stopped in good order.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    pub(super) signal: Signal,
    /// After that it is killed.
    pub(super) within: Duration,
}

/// What asks a process to end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Signal {
    #[default]
    Term,
    Int,
    Quit,
}
