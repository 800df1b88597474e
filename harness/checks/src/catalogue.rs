//! The catalogue: every normative statement of MQTT 3.1.1, MQTT 5.0 and RFC 6455,
//! and which of them no check decides, with the reason.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use squall_reports::conformance::Protocol;

use crate::check::Check;
use crate::registry;

mod chapters;

/// The files of the catalogue.
const FILES: [&str; 3] = [
    include_str!("../../spec/mqtt-3.1.1.toml"),
    include_str!("../../spec/mqtt-5.0.toml"),
    include_str!("../../spec/websocket.toml"),
];

/// One normative statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Its id, qualified by version, such as `MQTT5-3.3.4-6`.
    pub id: String,
    /// The most specific numbered heading it stands under, such as
    /// `3.3.4 PUBLISH Actions`.
    pub section: String,
    /// `MUST`, `MUST NOT`, `SHOULD` …
    pub level: String,
    /// Whom it binds: `client`, `server` or `both`.
    pub actor: String,
    /// What it asks for.
    pub summary: String,
    /// How a tester that speaks to a broker sees it broken.
    pub observable: Observable,
    /// How it is put to the test.
    pub probe: String,
}

/// How a tester that speaks to a broker sees a statement broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Observable {
    /// By bytes that come or do not.
    Packet,
    /// By a connection that stays open or is closed.
    Connection,
    /// By a clock.
    Timing,
    /// By restarting the broker.
    Restart,
    /// Not at all.
    None,
}

impl Statement {
    /// The protocol whose specification it stands in.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        crate::check::protocol_of(&self.id)
    }

    /// The number of the section it stands in, such as `3.3.4`.
    #[must_use]
    pub fn number(&self) -> &str {
        self.section.split(' ').next().unwrap_or_default()
    }

    /// The part of the specification that reports group it under, such as
    /// `3.3 PUBLISH`.
    #[must_use]
    pub fn chapter(&self) -> String {
        chapters::chapter(self.protocol(), &self.section)
    }

    /// As reports tell it.
    #[must_use]
    pub fn told(&self) -> squall_reports::conformance::Statement {
        squall_reports::conformance::Statement {
            id: self.id.clone(),
            chapter: self.chapter(),
            section: self.section.clone(),
            level: self.level.clone(),
            summary: self.summary.clone(),
        }
    }

    /// The checks that decide it.
    pub fn checks(&self) -> impl Iterator<Item = &'static Check> {
        registry::all().filter(|check| check.statements.contains(&self.id.as_str()))
    }

    /// Why none does.
    #[must_use]
    pub fn waiver(&self) -> Option<&'static Waiver> {
        waivers().iter().find(|waiver| waiver.statement == self.id)
    }
}

/// A statement that no check decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Which.
    pub statement: String,
    /// Why.
    pub reason: String,
    /// Whether a suite for clients could decide it.
    #[serde(default)]
    pub client: bool,
}

/// Every statement, in the order of the specifications.
#[must_use]
pub fn statements() -> &'static [Statement] {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        statement: Vec<Statement>,
    }
    static STATEMENTS: LazyLock<Vec<Statement>> = LazyLock::new(|| {
        let parse = |text: &str| match toml::from_str::<File>(text) {
            Ok(file) => file.statement,
            Err(error) => panic!("the catalogue is part of the program and tested: {error}"),
        };
        FILES.into_iter().flat_map(parse).collect()
    });
    &STATEMENTS
}

/// The statement of this qualified id.
#[must_use]
pub fn statement(id: &str) -> Option<&'static Statement> {
    statements().iter().find(|statement| statement.id == id)
}

/// Every statement that is decided by no check.
#[must_use]
pub fn waivers() -> &'static [Waiver] {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        waiver: Vec<Waiver>,
    }
    static WAIVERS: LazyLock<Vec<Waiver>> =
        LazyLock::new(
            || match toml::from_str::<File>(include_str!("../../spec/waivers.toml")) {
                Ok(file) => file.waiver,
                Err(error) => panic!("the waivers are part of the program and tested: {error}"),
            },
        );
    &WAIVERS
}
