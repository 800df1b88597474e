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

mod table;

use std::fmt;

pub use table::Quirk;

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

    /// Where a statement stands: those of MQTT by their section, in whichever
    /// version, before those of WebSocket.
    fn place(statement: &str) -> (bool, Vec<u32>) {
        let (document, place) = statement.split_once('-').expect("a document and a place");
        let numbers = place.split(['.', '-']).map(|number| number.parse());
        let numbers: Result<_, _> = numbers.collect();
        (document == "RFC6455", numbers.expect("numbers"))
    }

    #[test]
    fn the_quirks_stand_in_the_order_of_the_statements_that_they_break() {
        for tolerates in [false, true] {
            let all = Quirk::ALL
                .iter()
                .filter(|quirk| quirk.row().tolerates == tolerates);
            let firsts: Vec<_> = all
                .map(|quirk| (place(quirk.statements()[0]), quirk))
                .collect();
            for pair in firsts.windows(2) {
                assert!(pair[0].0 <= pair[1].0, "{} before {}", pair[0].1, pair[1].1);
            }
        }
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
