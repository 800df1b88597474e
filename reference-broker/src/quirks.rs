//! Quirks: named, deliberate defects of the broker, each off unless asked for.
//!
//! A check that has never failed proves nothing. Each quirk breaks one statement
//! of the specification and leaves the rest standing, so that it can be shown
//! what finds it. It is one switch at one place of the core,
//! `if self.config.quirks.has(Quirk::…)`; without quirks the broker is the
//! honest one, at the cost of testing a bit.
//!
//! ```
//! use squall_broker::{Config, Quirk, Quirks};
//!
//! let quirk = Quirk::from_name("keeps-cleared-retained").expect("known");
//! assert_eq!(quirk.statement(), "MQTT311-3.3.1-10");
//! let config = Config { quirks: Quirks::from_iter([quirk]), ..Config::default() };
//! assert!(config.quirks.has(quirk));
//! ```

use std::fmt;

/// A named, deliberate defect of the broker.
///
/// To add one: a variant, its place in [`ALL`](Self::ALL), its row in `row`, the
/// switch where the core would do right, and a test in
/// `tests/protocol/quirks.rs`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Quirk {
    /// What was sent at QoS 1 and not acknowledged is not sent again.
    ForgetsInflightQos1,
    /// A QoS 2 PUBLISH that the client repeats is delivered again.
    DeliversQos2Repeats,
    /// A retained message survives the empty one that should remove it.
    KeepsClearedRetained,
    /// RETAIN is passed on to subscribers that were there already.
    RetainFlagToEstablished,
    /// A will is published though its client said DISCONNECT.
    WillAfterDisconnect,
    /// The queue of a session is lost when a new connection takes it over.
    LosesQueueOnTakeover,
    /// What is sent again comes in the wrong order.
    ReordersOnReconnect,
    /// A silent client is never disconnected.
    IgnoresKeepAlive,
    /// A QoS 2 PUBLISH is sent again though its PUBREC has come.
    RepublishesAfterPubrec,
    /// UNSUBSCRIBE is answered and has no effect.
    ForwardsAfterUnsubscribe,
    /// Nothing waits for the store.
    AcknowledgesBeforeDurable,
    /// Only the first retained message of a topic is written to the store.
    StaleRetainedAfterRestart,
}

/// What there is to say about a quirk.
struct Row {
    name: &'static str,
    statement: &'static str,
    summary: &'static str,
}

impl Quirk {
    /// Every quirk there is.
    pub const ALL: [Quirk; 12] = [
        Quirk::ForgetsInflightQos1,
        Quirk::DeliversQos2Repeats,
        Quirk::KeepsClearedRetained,
        Quirk::RetainFlagToEstablished,
        Quirk::WillAfterDisconnect,
        Quirk::LosesQueueOnTakeover,
        Quirk::ReordersOnReconnect,
        Quirk::IgnoresKeepAlive,
        Quirk::RepublishesAfterPubrec,
        Quirk::ForwardsAfterUnsubscribe,
        Quirk::AcknowledgesBeforeDurable,
        Quirk::StaleRetainedAfterRestart,
    ];

    const fn row(self) -> Row {
        let (name, statement, summary) = match self {
            Quirk::ForgetsInflightQos1 => (
                "forgets-inflight-qos1",
                "MQTT311-4.4.0-1",
                "does not resend an unacknowledged QoS 1 message when its client reconnects",
            ),
            Quirk::DeliversQos2Repeats => (
                "delivers-qos2-repeats",
                "MQTT311-4.3.3-2",
                "delivers a QoS 2 message again when its publisher repeats the PUBLISH",
            ),
            Quirk::KeepsClearedRetained => (
                "keeps-cleared-retained",
                "MQTT311-3.3.1-10",
                "keeps a retained message that an empty one should have removed",
            ),
            Quirk::RetainFlagToEstablished => (
                "retain-flag-to-established",
                "MQTT311-3.3.1-9",
                "passes RETAIN=1 on to subscriptions that were there already",
            ),
            Quirk::WillAfterDisconnect => (
                "will-after-disconnect",
                "MQTT311-3.14.4-3",
                "publishes the will of a client that sent DISCONNECT",
            ),
            Quirk::LosesQueueOnTakeover => (
                "loses-queue-on-takeover",
                "MQTT311-3.1.2-4",
                "loses what a session has queued when a new connection takes it over",
            ),
            Quirk::ReordersOnReconnect => (
                "reorders-on-reconnect",
                "MQTT311-4.6.0-1",
                "resends unacknowledged messages in reverse order",
            ),
            Quirk::IgnoresKeepAlive => (
                "ignores-keep-alive",
                "MQTT311-3.1.2-24",
                "never disconnects a silent client",
            ),
            Quirk::RepublishesAfterPubrec => (
                "republishes-after-pubrec",
                "MQTT311-4.3.3-1",
                "resends a QoS 2 PUBLISH on reconnect although its PUBREC came",
            ),
            Quirk::ForwardsAfterUnsubscribe => (
                "forwards-after-unsubscribe",
                "MQTT311-3.10.4-2",
                "goes on delivering to a subscription that UNSUBSCRIBE ended",
            ),
            Quirk::AcknowledgesBeforeDurable => (
                "acknowledges-before-durable",
                "MQTT311-4.3.2-2",
                "acknowledges a message before it would survive a crash",
            ),
            Quirk::StaleRetainedAfterRestart => (
                "stale-retained-after-restart",
                "MQTT311-3.3.1-5",
                "serves a retained value after a restart that had been replaced before",
            ),
        };
        Row {
            name,
            statement,
            summary,
        }
    }

    /// The name to ask for it with, in kebab case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The statement of the specification that it breaks.
    #[must_use]
    pub const fn statement(self) -> &'static str {
        self.row().statement
    }

    /// What a broker with it does, in one line that follows "it".
    #[must_use]
    pub const fn summary(self) -> &'static str {
        self.row().summary
    }

    /// The quirk of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Quirk> {
        Quirk::ALL.into_iter().find(|quirk| quirk.name() == name)
    }

    const fn bit(self) -> u64 {
        1 << self as u32
    }
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of quirks; none by default.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct Quirks(u64);

impl Quirks {
    /// Whether a quirk is in the set.
    #[must_use]
    pub const fn has(self, quirk: Quirk) -> bool {
        self.0 & quirk.bit() != 0
    }

    /// Whether the broker is the honest one.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The quirks of the set, in the order of [`Quirk::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Quirk> {
        Quirk::ALL.into_iter().filter(move |quirk| self.has(*quirk))
    }
}

impl FromIterator<Quirk> for Quirks {
    fn from_iter<T: IntoIterator<Item = Quirk>>(quirks: T) -> Self {
        Self(quirks.into_iter().fold(0, |set, quirk| set | quirk.bit()))
    }
}

impl fmt::Debug for Quirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quirk_has_a_name_of_its_own_and_a_bit_of_its_own() {
        let all = Quirks::from_iter(Quirk::ALL);
        assert!(all.iter().eq(Quirk::ALL));
        assert_eq!(all.0.count_ones() as usize, Quirk::ALL.len());
        for quirk in Quirk::ALL {
            assert_eq!(Quirk::from_name(quirk.name()), Some(quirk));
            assert!(quirk.statement().starts_with("MQTT311-"), "{quirk}");
            assert!(Quirks::from_iter([quirk]).iter().eq([quirk]));
        }
        assert_eq!(Quirk::from_name("honest"), None);
        assert!(Quirks::default().is_empty());
    }
}
