//! What an invariant finds.

use squall_reports::{Violation, figures};

/// Violations of one guarantee that a report lists in full.
const LISTED: usize = 10;

/// What an invariant finds in a history.
#[derive(Debug)]
pub(crate) enum Judgement {
    /// There was nothing to judge, and why.
    NotApplicable(String),
    /// Nothing, or these violations, contradict it.
    Judged {
        /// One line of evidence.
        summary: String,
        /// What contradicts it.
        violations: Violations,
    },
}

impl Judgement {
    /// A judgement whose line of evidence depends on how many violations were
    /// found.
    pub(super) fn of(violations: Violations, summary: impl FnOnce(u64) -> String) -> Judgement {
        Judgement::Judged {
            summary: summary(violations.found),
            violations,
        }
    }
}

/// So many deliveries, in words.
pub(super) fn deliveries(number: u64) -> String {
    let noun = if number == 1 {
        "delivery"
    } else {
        "deliveries"
    };
    format!("{} {noun}", figures::count(number))
}

/// So many deliveries of all, in words.
pub(super) fn of_deliveries(found: u64, total: u64) -> String {
    let (found, total) = (figures::count(found), figures::count(total));
    format!("{found} of {total} deliveries")
}

/// Violations: all counted, the first few in full.
#[derive(Debug, Default)]
pub(crate) struct Violations {
    pub(crate) found: u64,
    pub(crate) listed: Vec<Violation>,
}

impl Violations {
    /// Adds one, in words if it is among the first.
    pub(super) fn find(&mut self, words: impl FnOnce() -> Violation) {
        self.found += 1;
        if self.listed.len() < LISTED {
            self.listed.push(words());
        }
    }

    /// These and others.
    pub(super) fn and(mut self, others: Violations) -> Violations {
        self.found += others.found;
        self.listed.extend(others.listed);
        self.listed.truncate(LISTED);
        self
    }
}
