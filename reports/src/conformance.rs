//! The report of a conformance run: one broker, every check, one verdict each.
//!
//! Times are those of the run's own clock: virtual in the simulator, the wall's
//! against a real broker. They say how long something took and are no part of
//! what two runs have in common.
//!
//! [`Matrix`] is many brokers side by side, statement by statement.

use serde::{Deserialize, Serialize};

mod judgement;
mod matrix;
#[cfg(test)]
pub(crate) mod samples;

pub use judgement::{Chapter, Standing, Tally};
pub use matrix::{Cell, Decision, LeftOut, Matrix, Row};

/// The version of the JSON format of [`Conformance`]; it grows as
/// [`FORMAT`](crate::FORMAT) does.
pub const CONFORMANCE_FORMAT: u32 = 1;

/// What a run of the checks found out about one broker over one transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conformance {
    /// Version of this format, [`CONFORMANCE_FORMAT`].
    pub format: u32,
    /// The version of Squall that ran the checks.
    pub squall: String,
    /// What was tested, such as `mosquitto`, or a URL.
    pub target: String,
    /// Its version as it tells it; empty if that is unknown.
    pub target_version: String,
    /// What carried MQTT: `tcp`, `tls`, `ws`, `wss`, or `sim`.
    pub transport: String,
    /// The command that runs it again, without what it selects.
    pub command: String,
    /// Whether a departure from a SHOULD fails the run.
    pub strict: bool,
    /// How long the run took, in nanoseconds.
    pub took_ns: u64,
    /// Cases that were to be run.
    pub planned: u64,
    /// Whether the run was interrupted: the cases are those that had ended.
    pub partial: bool,
    /// Every statement that the cases decide, in the order of the
    /// specifications.
    pub statements: Vec<Statement>,
    /// Every check that was selected, in the order of the specification.
    pub cases: Vec<Case>,
    /// Known failures that did not show, though their checks ran.
    pub fixed: Vec<KnownFailure>,
}

/// A normative statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Its id, qualified by version, such as `MQTT5-3.3.4-6`.
    pub id: String,
    /// The part of the specification that reports group it under, such as
    /// `3.3 PUBLISH`.
    pub chapter: String,
    /// The heading it stands under, such as `3.3.4 PUBLISH Actions`.
    pub section: String,
    /// `MUST`, `MUST NOT`, `SHOULD` …
    pub level: String,
    /// What it asks for.
    pub summary: String,
}

/// A line of a list of known failures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFailure {
    /// The statement that is broken, if the line names one.
    pub statement: Option<String>,
    /// The check that fails, if the line names one.
    pub check: Option<String>,
    /// Why it is there.
    pub reason: String,
    /// Where that is told; empty if nowhere.
    pub link: String,
}

/// One check in one version of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The check's name.
    pub check: String,
    /// The protocol it was run in.
    pub protocol: Protocol,
    /// The statements it decides, such as `MQTT5-3.3.4-6`.
    pub statements: Vec<String>,
    /// What came of it.
    pub verdict: Conclusion,
    /// How the broker ended the connection, where the check made it do so.
    pub closing: Option<Closing>,
    /// What the target's file, or a file of expected failures, says of it.
    pub expected: Option<ExpectedFailure>,
    /// How long the check took, in nanoseconds.
    pub took_ns: u64,
    /// For how long it waited because the specification says so, in
    /// nanoseconds, and for what.
    pub waits: Vec<Wait>,
    /// Everything that was sent and received, in its order.
    pub transcript: Vec<Exchange>,
}

/// A protocol that checks are run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    Mqtt311,
    /// MQTT 5.0.
    #[serde(rename = "5.0")]
    Mqtt5,
    /// WebSocket, RFC 6455, and MQTT's chapter on it.
    #[serde(rename = "websocket")]
    WebSocket,
}

impl Protocol {
    /// Its name: `MQTT 3.1.1`, `MQTT 5.0` or `WebSocket`.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Mqtt311 => "MQTT 3.1.1",
            Self::Mqtt5 => "MQTT 5.0",
            Self::WebSocket => "WebSocket",
        }
    }
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Conclusion {
    /// The broker does what its statements ask for.
    Pass,
    /// It departs from a SHOULD, or takes an alternative that is allowed and
    /// not the first choice.
    NonStrict {
        /// What the specification would rather have.
        expected: String,
        /// What the broker did.
        actual: String,
    },
    /// It breaks a statement.
    Fail {
        /// Which of the check's statements.
        broken: Vec<String>,
        /// What the specification asks for.
        expected: String,
        /// What the broker did.
        actual: String,
    },
    /// The check does not apply.
    Skip {
        /// The capability or setting that the broker lacks.
        lacks: String,
    },
    /// Neither: the connection or the harness failed.
    Error {
        /// What went wrong.
        what: String,
    },
}

impl Conclusion {
    /// Its name: `pass`, `non-strict`, `fail`, `skip` or `error`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NonStrict { .. } => "non-strict",
            Self::Fail { .. } => "fail",
            Self::Skip { .. } => "skip",
            Self::Error { .. } => "error",
        }
    }
}

/// How a broker ended a connection that it had to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "closing", rename_all = "kebab-case")]
pub enum Closing {
    /// With a reason code that fits.
    RightCode {
        /// Which.
        code: u8,
    },
    /// With one that does not.
    WrongCode {
        /// Which.
        code: u8,
    },
    /// In order (FIN), without a word.
    NoCode,
    /// With a reset (RST), without a word.
    Reset,
    /// Not at all.
    StaysOpen,
}

/// A failure that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedFailure {
    /// Why it is there.
    pub reason: String,
    /// Where that is told; empty if nowhere.
    pub link: String,
}

/// A wait that the specification imposes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// For how long, in nanoseconds.
    pub for_ns: u64,
    /// For what.
    pub why: String,
}

/// One step of a check's transcript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// When, in nanoseconds since the check began.
    pub at_ns: u64,
    /// Which of the check's connections.
    pub connection: u32,
    /// The name the check gave it, such as `subscriber`.
    pub client: String,
    /// What happened.
    pub event: ExchangeEvent,
}

/// What happened in one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum ExchangeEvent {
    /// The connection was opened.
    Opened,
    /// The check sent bytes.
    Sent {
        /// The bytes, in hexadecimal; of very long ones the beginning, and `…`.
        hex: String,
        /// How many they are.
        bytes: u64,
        /// What they say.
        says: String,
    },
    /// The broker sent bytes.
    Received {
        /// As in `Sent`.
        hex: String,
        /// How many they are.
        bytes: u64,
        /// What they say.
        says: String,
    },
    /// The broker ended the connection (FIN).
    Ended,
    /// The broker reset the connection (RST), or it broke.
    Reset,
    /// The check ended the connection.
    Closed,
    /// The server was restarted.
    Restarted,
}
