//! Quirks: named, deliberate defects of the broker, each off unless asked for.
//!
//! A check that has never failed proves nothing. Each quirk breaks one statement
//! of the specification and leaves the rest standing, so that it can be shown
//! what finds it. It is one switch at one place,
//! `if self.config.quirks.has(Quirk::…)`; without quirks the broker is the
//! honest one, at the cost of testing a bit.
//!
//! A broker that takes what it should refuse is a quirk without a switch of its
//! own: the codec and the core name the rule that a packet breaks, and where
//! the quirk *tolerates* that rule, such a packet is passed over in silence.
//!
//! ```
//! use squall_broker::{Config, Quirk, Quirks};
//!
//! let quirk = Quirk::from_name("keeps-cleared-retained").expect("known");
//! assert_eq!(quirk.statements(), ["MQTT311-3.3.1-10", "MQTT5-3.3.1-6"]);
//! let config = Config { quirks: Quirks::from_iter([quirk]), ..Config::default() };
//! assert!(config.quirks.has(quirk));
//! ```

use std::fmt;

/// What there is to say about a quirk.
struct Row {
    name: &'static str,
    statements: &'static [&'static str],
    summary: &'static str,
    tolerates: bool,
}

/// Makes [`Quirk`] of its rows: variant, name, the statements that it breaks (of
/// 3.1.1 and 5.0, as far as both have it), and what a broker with it does.
/// Those under `tolerates` have it overlook breaches of their statements.
macro_rules! quirks {
    (
        breaks { $($breaks:ident $breaks_name:literal [$($breaks_statement:literal),+] $breaks_summary:literal;)* }
        tolerates { $($tolerates:ident $tolerates_name:literal [$($tolerates_statement:literal),+] $tolerates_summary:literal;)* }
    ) => {
        /// A named, deliberate defect of the broker.
        ///
        /// To add one: a row of the table in `quirks.rs`, the switch where the
        /// broker would do right, and what finds it: a test in
        /// `tests/protocol/quirks.rs` or a conformance check.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Quirk {
            $(#[doc = concat!("It ", $breaks_summary, ".")] $breaks,)*
            $(#[doc = concat!("It ", $tolerates_summary, ".")] $tolerates,)*
        }

        impl Quirk {
            /// Every quirk there is.
            pub const ALL: &[Quirk] = &[$(Quirk::$breaks,)* $(Quirk::$tolerates,)*];

            const fn row(self) -> Row {
                match self {
                    $(Quirk::$breaks => Row {
                        name: $breaks_name,
                        statements: &[$($breaks_statement),+],
                        summary: $breaks_summary,
                        tolerates: false,
                    },)*
                    $(Quirk::$tolerates => Row {
                        name: $tolerates_name,
                        statements: &[$($tolerates_statement),+],
                        summary: $tolerates_summary,
                        tolerates: true,
                    },)*
                }
            }
        }
    };
}

quirks! {
    breaks {
        ForgetsInflightQos1 "forgets-inflight-qos1"
            ["MQTT311-4.4.0-1", "MQTT5-4.4.0-1"]
            "does not resend an unacknowledged QoS 1 message when its client reconnects";
        DeliversQos2Repeats "delivers-qos2-repeats"
            ["MQTT311-4.3.3-2", "MQTT5-4.3.3-10"]
            "delivers a QoS 2 message again when its publisher repeats the PUBLISH";
        KeepsClearedRetained "keeps-cleared-retained"
            ["MQTT311-3.3.1-10", "MQTT5-3.3.1-6"]
            "keeps a retained message that an empty one should have removed";
        RetainFlagToEstablished "retain-flag-to-established"
            ["MQTT311-3.3.1-9", "MQTT5-3.3.1-12"]
            "passes RETAIN=1 on to subscriptions that were there already";
        WillAfterDisconnect "will-after-disconnect"
            ["MQTT311-3.14.4-3", "MQTT5-3.14.4-3"]
            "publishes the will of a client that sent DISCONNECT";
        LosesQueueOnTakeover "loses-queue-on-takeover"
            ["MQTT311-3.1.2-4", "MQTT5-3.1.2-5"]
            "loses what a session has queued when a new connection takes it over";
        ReordersOnReconnect "reorders-on-reconnect"
            ["MQTT311-4.6.0-6", "MQTT5-4.6.0-6"]
            "resends unacknowledged messages in reverse order";
        IgnoresKeepAlive "ignores-keep-alive"
            ["MQTT311-3.1.2-24", "MQTT5-3.1.2-22"]
            "never disconnects a silent client";
        RepublishesAfterPubrec "republishes-after-pubrec"
            ["MQTT311-4.3.3-1", "MQTT5-4.3.3-7"]
            "resends a QoS 2 PUBLISH on reconnect although its PUBREC came";
        ForwardsAfterUnsubscribe "forwards-after-unsubscribe"
            ["MQTT311-3.10.4-2", "MQTT5-3.10.4-1"]
            "goes on delivering to a subscription that UNSUBSCRIBE ended";
        AcknowledgesBeforeDurable "acknowledges-before-durable"
            ["MQTT311-4.3.2-2", "MQTT5-4.3.2-4"]
            "acknowledges a message before it would survive a crash";
        StaleRetainedAfterRestart "stale-retained-after-restart"
            ["MQTT311-3.3.1-5", "MQTT5-3.3.1-5"]
            "serves a retained value after a restart that had been replaced before";
        NoPingrespWithoutKeepAlive "no-pingresp-without-keep-alive"
            ["MQTT311-3.12.4-1", "MQTT5-3.12.4-1"]
            "does not answer the PINGREQ of a client whose keep-alive is 0";
    }
    tolerates {
        ToleratesConnectFlag "tolerates-connect-flag"
            ["MQTT311-3.1.2-3", "MQTT5-3.1.2-3"]
            "overlooks the reserved flag of CONNECT";
    }
}

impl Quirk {
    /// The name to ask for it with, in kebab case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The statements of the specifications that it breaks: one, or one of each
    /// version.
    #[must_use]
    pub const fn statements(self) -> &'static [&'static str] {
        self.row().statements
    }

    /// What a broker with it does, in one line that follows "it".
    #[must_use]
    pub const fn summary(self) -> &'static str {
        self.row().summary
    }

    /// The quirk of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Quirk> {
        let mut all = Quirk::ALL.iter().copied();
        all.find(|quirk| quirk.name() == name)
    }

    /// Its word among those of [`Quirks`], and its bit there.
    const fn bit(self) -> (usize, u64) {
        (self as usize / 64, 1 << (self as usize % 64))
    }
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of quirks; none by default.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct Quirks([u64; Quirk::ALL.len().div_ceil(64)]);

impl Quirks {
    /// Whether a quirk is in the set.
    #[must_use]
    pub const fn has(self, quirk: Quirk) -> bool {
        let (word, bit) = quirk.bit();
        self.0[word] & bit != 0
    }

    /// Whether the broker is the honest one.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The quirks of the set, in the order of [`Quirk::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Quirk> {
        let all = Quirk::ALL.iter().copied();
        all.filter(move |quirk| self.has(*quirk))
    }

    /// Whether a packet that breaks this rule is passed over in silence.
    pub(crate) fn tolerates(self, rule: &str) -> bool {
        !self.is_empty()
            && self.iter().any(|quirk| {
                let row = quirk.row();
                row.tolerates && row.statements.contains(&rule)
            })
    }
}

impl FromIterator<Quirk> for Quirks {
    fn from_iter<T: IntoIterator<Item = Quirk>>(quirks: T) -> Self {
        let mut set = Self::default();
        for quirk in quirks {
            let (word, bit) = quirk.bit();
            set.0[word] |= bit;
        }
        set
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
        let all = Quirks::from_iter(Quirk::ALL.iter().copied());
        assert!(all.iter().eq(Quirk::ALL.iter().copied()));
        for quirk in Quirk::ALL.iter().copied() {
            assert_eq!(Quirk::from_name(quirk.name()), Some(quirk));
            assert!(Quirks::from_iter([quirk]).iter().eq([quirk]));
        }
        assert_eq!(Quirk::from_name("honest"), None);
        assert!(Quirks::default().is_empty());
    }

    #[test]
    fn every_quirk_says_which_statements_it_breaks() {
        let prefixes = ["MQTT311-", "MQTT5-", "MQTT-6.0.0-", "RFC6455-"];
        for quirk in Quirk::ALL {
            assert!(!quirk.statements().is_empty(), "{quirk}");
            for statement in quirk.statements() {
                let known = prefixes.iter().any(|prefix| statement.starts_with(prefix));
                assert!(known, "{quirk}: {statement}");
            }
        }
    }
}
