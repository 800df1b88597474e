//! What is to be tested, and how.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{ArgGroup, ValueEnum};
use squall::conform::{Framing, Selected, Serves, Setup, Simulated, Tested, known, select};
use squall::shell::quoted;
use squall::targets::{Address, Expected, Target, Transport};
use squall_broker::Quirk;
use squall_reports::conformance::{Conformance, Matrix, Protocol};
use squall_reports::{Style, html, json, junit, markdown, terminal};

use super::super::exit::Failure;
use super::super::files;
use super::super::output::Output;
use super::super::plan::SEED_DEFAULT;

const EXAMPLES: &str = "\
Examples:
  squall conform mqtt://127.0.0.1:1883               a broker that runs somewhere
  squall conform wss://user:password@broker.example/mqtt
  squall conform --target mosquitto                  a private instance, started and stopped
  squall conform --target mosquitto --transport ws   its WebSocket endpoint first, then MQTT over it
  squall conform --target sim                        the reference broker, in the simulator
  squall conform --all --out published               every broker that is installed, side by side

Parts:
  squall conform --target sim --select 3.3           what the specifications say of PUBLISH
  squall conform --target sim --select MQTT-3.3.1-5  one statement, in both versions
  squall conform ws://127.0.0.1:9001/echo --protocol websocket --echo    no MQTT at all

Defects, to see what a failure looks like:
  squall conform --target sim --quirk keeps-cleared-retained --select 3.3 --pcap defect.pcapng

In continuous integration, known failures are listed in a file: they do not fail the run, new ones
do, and so does a known one that is gone. The list can only shrink.
  squall conform --target mosquitto --expect known.toml --update-expect   writes it
  squall conform --target mosquitto --expect known.toml --format junit    holds the broker to it

`squall targets` lists the brokers that can be started, `squall coverage` the statements and the
checks that decide them; `squall explain` tells of one. The exit code is 1 for a failure that is
new, and 3 if a check could not be carried through.";

/// The name of the broker in the simulator.
const SIMULATOR: &str = "sim";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(ArgGroup::new("subject").required(true).args(["url", "target", "all"])))]
pub(crate) struct Arguments {
    /// A broker that runs somewhere: mqtt://HOST:PORT, mqtts://, ws://HOST/PATH, wss://
    url: Option<Address>,
    /// A broker to start and stop, by its name or its file; sim is the reference broker in the
    /// simulator.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Every broker that is installed, each in turn.
    #[arg(long)]
    all: bool,
    /// The version of MQTT that checks run in.
    #[arg(long, value_enum, default_value_t = Versions::Both)]
    mqtt: Versions,
    /// What carries MQTT; TCP unless given, and what a URL says.
    #[arg(long, value_enum)]
    transport: Option<Carrier>,
    /// Only the checks of this protocol; those of WebSocket come with ws and wss.
    #[arg(long, value_enum)]
    protocol: Option<Family>,
    /// The server at the URL speaks no MQTT and sends back whatever it is sent.
    #[arg(long, requires = "url")]
    pub(super) echo: bool,
    /// Only these checks: a section (3.3), a statement (MQTT5-3.3.1-5; MQTT-3.3.1-5 in both
    /// versions), or the name of a check.
    #[arg(long, value_name = "WHICH")]
    select: Vec<String>,
    /// What should be has to be: a departure from a SHOULD fails.
    #[arg(long)]
    strict: bool,
    /// Checks at once against a broker on real sockets.
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// How long a broker on real sockets may take for an answer, in seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) timeout: Option<Duration>,
    /// What the report looks like.
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    pub(super) format: Format,
    /// Write the report to a file in this directory, too; with --all, the brokers side by side.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// A list of known failures, instead of that in the target's file: they fail no run, new ones
    /// do, and so do known ones that are gone.
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    pub(super) expect: Option<PathBuf>,
    /// Write what fails, and no longer fails, to the list.
    #[arg(long, requires = "expect")]
    pub(super) update_expect: bool,
    /// Write every packet to this file, for Wireshark; in the simulator.
    #[arg(long, value_name = "FILE")]
    pub(super) pcap: Option<PathBuf>,
    /// What decides every random choice in the simulator; 1 unless given.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Have the broker in the simulator misbehave in this way; `squall quirks` lists them.
    #[arg(
        long = "quirk",
        value_name = "NAME",
        value_parser = PossibleValuesParser::new(Quirk::ALL.iter().map(|quirk| quirk.name())).map(named),
        hide_possible_values = true
    )]
    quirks: Vec<Option<Quirk>>,
    /// Only the report: no notes, no progress.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// The quirk of one of the possible names.
fn named(name: String) -> Option<Quirk> {
    Quirk::from_name(&name)
}

/// `5`, `0.5` or `5s`.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).trim();
    let seconds = number.parse::<f64>().ok();
    seconds
        .filter(|seconds| (0.001..=3600.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "write a number of seconds between 0.001 and 3600".to_owned())
}

/// What is tested.
pub(super) enum Subject {
    /// The reference broker in the simulator.
    Simulator,
    /// A broker that runs somewhere.
    Url(Address),
    /// A broker that is started.
    Target(Box<Target>),
    /// Every broker that can be started.
    All(Vec<Target>),
}

/// What carries MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Carrier {
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
    /// WebSocket.
    Ws,
    /// Secure WebSocket.
    Wss,
}

impl From<Carrier> for Transport {
    fn from(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Tcp => Self::Tcp,
            Carrier::Tls => Self::Tls,
            Carrier::Ws => Self::WebSocket,
            Carrier::Wss => Self::SecureWebSocket,
        }
    }
}

/// Whose checks are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Family {
    /// MQTT.
    Mqtt,
    /// WebSocket, and MQTT's chapter on it.
    Websocket,
}

/// Versions of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Versions {
    /// MQTT 3.1.1.
    #[value(name = "3.1.1")]
    Mqtt311,
    /// MQTT 5.0.
    #[value(name = "5.0")]
    Mqtt5,
    /// Each after the other.
    Both,
}

/// What the report looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For a person at a terminal, section by section as they end.
    Terminal,
    /// For a page or a review.
    Markdown,
    /// For a program.
    Json,
    /// For CI: a case for each check, with its statements.
    Junit,
    /// For a browser: one file that fetches nothing.
    Html,
}

impl Format {
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Terminal => "txt",
            Self::Markdown => "md",
            Self::Json => "json",
            Self::Junit => "xml",
            Self::Html => "html",
        }
    }

    pub(super) fn report(
        self,
        run: &Conformance,
        style: Style,
        timing: Option<terminal::Timing>,
    ) -> String {
        match self {
            Self::Terminal => terminal::render_conformance(run, style, timing),
            Self::Markdown => markdown::render_conformance(run),
            Self::Json => json::render_conformance(run),
            Self::Junit => junit::render_conformance(run),
            Self::Html => html::render_conformance(run),
        }
    }

    pub(super) fn matrix(
        self,
        matrix: &Matrix,
        style: Style,
        timing: Option<terminal::Timing>,
    ) -> String {
        match self {
            Self::Terminal => terminal::render_matrix(matrix, style, timing),
            Self::Markdown => markdown::render_matrix(matrix),
            Self::Json => json::render_matrix(matrix),
            Self::Junit => junit::render_matrix(matrix),
            Self::Html => html::render_matrix(matrix),
        }
    }
}

impl Arguments {
    /// What is tested.
    pub(super) fn subject(&self) -> Result<Subject, Failure> {
        let subject = match (&self.url, self.target.as_deref()) {
            (Some(address), _) => Subject::Url(address.clone()),
            (None, Some(SIMULATOR)) => Subject::Simulator,
            (None, Some(name)) => Subject::Target(Box::new(Target::load(name)?)),
            (None, None) => Subject::All(Target::all()?),
        };
        self.applies(&subject)?;
        Ok(subject)
    }

    /// Refuses what has no meaning for this subject.
    fn applies(&self, subject: &Subject) -> Result<(), Failure> {
        let simulated = matches!(subject, Subject::Simulator);
        for (given, option, of_simulator) in [
            (self.pcap.is_some(), "--pcap", true),
            (self.seed.is_some(), "--seed", true),
            (!self.quirks.is_empty(), "--quirk", true),
            (self.jobs.is_some(), "--jobs", false),
            (self.timeout.is_some(), "--timeout", false),
        ] {
            if given && of_simulator != simulated {
                let help = match of_simulator {
                    true => "add `--target sim`",
                    false => "in the simulator, time and the number of checks at once cost nothing",
                };
                let what = match of_simulator {
                    true => format!("{option} is for the simulator"),
                    false => format!("{option} is for brokers on real sockets"),
                };
                return Err(Failure::usage(what, help));
            }
        }
        match (subject, self.transport) {
            (Subject::Url(address), Some(given)) if address.transport != given.into() => {
                Err(Failure::usage(
                    format!("{address} is reached over {}", address.transport),
                    "leave --transport out: the URL says it",
                ))
            }
            (Subject::Simulator, Some(Carrier::Tls | Carrier::Wss)) => Err(Failure::usage(
                "there is no TLS in the simulator",
                "give --transport tcp or ws; `--target reference` is the same broker on real sockets",
            )),
            (Subject::Target(target), Some(given))
                if !target.transports().contains(&given.into()) =>
            {
                let known: Vec<_> = target.transports().iter().map(|one| one.name()).collect();
                Err(Failure::usage(
                    format!("{} has no {}", target.name, Transport::from(given)),
                    format!("it is reached over {}", known.join(", ")),
                ))
            }
            _ => Ok(()),
        }
    }

    /// What carries MQTT to a target: what was asked for, or the first it has.
    pub(super) fn transport_of(&self, target: &Target) -> Option<Transport> {
        let transports = target.transports();
        match self.transport {
            Some(given) => Some(given.into()).filter(|given| transports.contains(given)),
            None => transports.first().copied(),
        }
    }

    /// The checks to run.
    pub(super) fn selection(&self, subject: &Subject) -> Result<Vec<Selected>, Failure> {
        let mqtt: &[Protocol] = match self.mqtt {
            Versions::Mqtt311 => &[Protocol::Mqtt311],
            Versions::Mqtt5 => &[Protocol::Mqtt5],
            Versions::Both => &[Protocol::Mqtt311, Protocol::Mqtt5],
        };
        let websocket = match subject {
            Subject::Url(address) => address.transport.is_websocket(),
            _ => self
                .transport
                .is_some_and(|given| Transport::from(given).is_websocket()),
        };
        let protocols: Vec<_> = match (self.protocol, websocket) {
            (Some(Family::Websocket), _) => vec![Protocol::WebSocket],
            (Some(Family::Mqtt), _) | (None, false) => mqtt.to_vec(),
            (None, true) => mqtt.iter().copied().chain([Protocol::WebSocket]).collect(),
        };
        if self.protocol == Some(Family::Websocket)
            && !websocket
            && !matches!(subject, Subject::Simulator)
        {
            return Err(Failure::usage(
                "the checks of WebSocket need a WebSocket",
                "give a ws:// or wss:// URL, or --transport ws or wss",
            ));
        }
        Ok(select(&protocols, &self.select)?)
    }

    /// Whether only the checks of WebSocket are asked for.
    pub(super) fn only_websocket(&self) -> bool {
        self.protocol == Some(Family::Websocket)
    }

    /// The broker in the simulator.
    pub(super) fn simulated(&self) -> Simulated {
        let websocket = self.transport == Some(Carrier::Ws);
        Simulated {
            quirks: self.quirks().collect(),
            framing: websocket.then(Framing::default),
            serves: Serves::Mqtt,
            seed: self.seed.unwrap_or(SEED_DEFAULT),
            ..Simulated::new(Setup::Full)
        }
    }

    /// What the broker in the simulator is to do wrong.
    pub(super) fn quirks(&self) -> impl Iterator<Item = Quirk> {
        self.quirks.iter().copied().flatten()
    }

    /// What is tested over this transport.
    pub(super) fn tested(
        &self,
        name: &str,
        version: &str,
        transport: Option<Transport>,
        known: Vec<Expected>,
    ) -> Tested {
        Tested {
            name: name.to_owned(),
            version: version.to_owned(),
            transport,
            command: self.command(name, transport),
            strict: self.strict,
            known,
        }
    }

    /// The command that runs it again, without what it selects.
    fn command(&self, name: &str, transport: Option<Transport>) -> String {
        let mut command = match &self.url {
            Some(_) => format!("squall conform {}", quoted(name)),
            None => {
                // A target in a file is called by its path.
                let target = self.target.as_deref().unwrap_or(name);
                let mut command = format!("squall conform --target {}", quoted(target));
                let transport = transport.or(self.transport.map(Transport::from));
                if let Some(transport) = transport.filter(|one| *one != Transport::Tcp) {
                    command.push_str(&format!(" --transport {transport}"));
                }
                command
            }
        };
        if self.echo {
            command.push_str(" --echo");
        }
        if let Some(seed) = self.seed {
            command.push_str(&format!(" --seed {seed}"));
        }
        for quirk in self.quirks() {
            command.push_str(&format!(" --quirk {quirk}"));
        }
        if self.strict {
            command.push_str(" --strict");
        }
        command
    }

    /// The list of known failures that was given.
    pub(super) fn known(&self) -> Result<Option<Vec<Expected>>, Failure> {
        let Some(path) = &self.expect else {
            return Ok(None);
        };
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(Expected::parse_list(path, &text)?)),
            Err(error) if self.update_expect && error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Some(Vec::new()))
            }
            Err(error) => Err(Failure::usage(
                format!("cannot read {}: {error}", path.display()),
                "--update-expect writes a list of what fails now",
            )),
        }
    }

    /// Brings the list of known failures up to date.
    pub(super) fn update_known(
        &self,
        gone: &[usize],
        run: &Conformance,
        output: &Output,
    ) -> Result<(), Failure> {
        let Some(path) = &self.expect else {
            return Ok(());
        };
        let lost = |error: String| {
            Failure::Environment(format!("cannot write {}: {error}", path.display()))
        };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(lost(error.to_string())),
        };
        let updated = known::updated(&text, gone, run).map_err(|error| lost(error.to_string()))?;
        if updated == text {
            output.note(&format!("{}: nothing to change", path.display()));
            return Ok(());
        }
        files::write(path, &updated).map_err(|error| lost(error.to_string()))?;
        output.note(&format!(
            "{}: up to date; say why where it is new",
            path.display()
        ));
        Ok(())
    }
}
