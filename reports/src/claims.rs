//! The ledger of claims: what is said about MQTT, WebSocket and HTTP, and what
//! was measured.
//!
//! A claim stands here in the words in which it goes round. Its verdict and its
//! finding were computed from the figures below it, and each figure from the
//! packets of a run. As in a [`Report`](crate::Report), figures are integers:
//! quotients are left to the renderers.

use serde::{Deserialize, Serialize};

/// The version of the ledger's JSON format; it grows when a field is removed,
/// renamed or changes its meaning.
pub const FORMAT: u32 = 1;

/// All claims, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Version of this format, [`FORMAT`].
    pub format: u32,
    /// The version of Squall that measured, e.g. `0.1.0`.
    pub version: String,
    /// The claims.
    pub claims: Vec<Claim>,
}

/// What is said, and what is so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Its number, from 1.
    pub number: u8,
    /// What is said.
    pub said: String,
    /// Whether it is so.
    pub ruling: Ruling,
    /// When it is, if it is so under a condition: what follows "holds when".
    pub condition: Option<String>,
    /// What was found, in a sentence or two, figures included.
    pub finding: String,
    /// The figures that the ruling rests on.
    pub figures: Vec<Figures>,
    /// What the reader must know to judge the figures, a sentence each.
    pub notes: Vec<String>,
    /// The commands that measure them again.
    pub commands: Vec<String>,
}

/// Whether a claim is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// In everything that was measured.
    Holds,
    /// Under a condition, which the claim spells out.
    HoldsWhen,
    /// Not as it is said.
    DoesNotHold,
}

impl Ruling {
    /// What it is called; a condition follows the second.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::HoldsWhen => "holds when",
            Self::DoesNotHold => "does not hold",
        }
    }
}

/// A table of figures: a column for what was measured, a row for each case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// What they are figures of, units included where the columns do not say.
    pub title: String,
    /// What the rows are, then what each column is.
    pub heads: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A row of figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The case.
    pub case: String,
    /// One for each column beyond the first.
    pub figures: Vec<Figure>,
}

/// One figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// A number of things.
    Count(u64),
    /// Bytes.
    Bytes(u64),
    /// Bytes for each of some things; none where there are no things.
    BytesEach {
        /// In all.
        bytes: u64,
        /// Among so many.
        among: u64,
    },
    /// Things for each of others, such as packets for each message.
    Each {
        /// In all.
        count: u64,
        /// Among so many.
        among: u64,
    },
    /// A share of a whole.
    Share {
        /// So many.
        part: u64,
        /// Of so many.
        whole: u64,
    },
    /// A time, in virtual nanoseconds.
    Time(u64),
    /// Nothing to measure.
    None,
}

#[cfg(test)]
pub(crate) fn sample() -> Ledger {
    Ledger {
        format: FORMAT,
        version: "0.1.0".to_owned(),
        claims: vec![
            Claim {
                number: 1,
                said: "MQTT's header overhead is 2-5 bytes a message.".to_owned(),
                ruling: Ruling::HoldsWhen,
                condition: Some("the topic is left out".to_owned()),
                finding: "With its topic, a message of QoS 0 has 34 B.".to_owned(),
                figures: vec![Figures {
                    title: "MQTT's part of a PUBLISH".to_owned(),
                    heads: ["", "PUBLISHes", "each", "lost", "in"]
                        .map(str::to_owned)
                        .to_vec(),
                    rows: vec![Row {
                        case: "QoS 0".to_owned(),
                        figures: vec![
                            Figure::Count(1_000),
                            Figure::BytesEach {
                                bytes: 34_250,
                                among: 1_000,
                            },
                            Figure::Share { part: 1, whole: 8 },
                            Figure::Time(1_500_000_000),
                        ],
                    }],
                }],
                notes: vec!["The topic has 26 bytes.".to_owned()],
                commands: vec!["squall run scenarios/overhead/claims/sessions.toml".to_owned()],
            },
            Claim {
                number: 18,
                said: "QoS sets a priority among messages.".to_owned(),
                ruling: Ruling::DoesNotHold,
                condition: None,
                finding: "Messages of <all> three levels wait as long.".to_owned(),
                figures: Vec::new(),
                notes: Vec::new(),
                commands: Vec::new(),
            },
        ],
    }
}
