//! What may come of a check besides passing it.

use std::io;

/// What a check returns, and every step of it: `?` ends the check.
pub type Outcome<T = ()> = Result<T, Finding>;

/// Why a check ended before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The broker breaks a statement.
    Fail {
        /// What the specification asks for.
        expected: String,
        /// What the broker did.
        actual: String,
    },
    /// It departs from a SHOULD, or takes an alternative that is allowed. Never
    /// for the breach of a MUST.
    NonStrict {
        /// What the specification would rather have.
        expected: String,
        /// What the broker did.
        actual: String,
    },
    /// The check does not apply: what the broker lacks, or is not set up for.
    Skip(String),
    /// The connection or the harness failed; says nothing about the statement.
    Error(String),
}

impl Finding {
    /// The broker breaks a statement.
    pub fn fail(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self::Fail {
            expected: expected.into(),
            actual: actual.into(),
        }
    }

    /// The broker does what is allowed and not what should be.
    pub fn non_strict(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self::NonStrict {
            expected: expected.into(),
            actual: actual.into(),
        }
    }

    /// The same failure, of one of several variants: after what it was expected.
    #[must_use]
    pub fn after(self, variant: &str) -> Self {
        match self {
            Self::Fail { expected, actual } => Self::Fail {
                expected: format!("{expected} after {variant}"),
                actual,
            },
            other => other,
        }
    }

    /// The broker lacks this.
    pub fn skip(lacks: impl Into<String>) -> Self {
        Self::Skip(lacks.into())
    }

    /// The broker has fewer messages under way to a client at once than this.
    pub(crate) fn too_few_under_way(count: usize) -> Self {
        Self::skip(format!("{count} messages under way at once"))
    }
}

impl From<io::Error> for Finding {
    fn from(error: io::Error) -> Self {
        Self::Error(error.to_string())
    }
}

/// Fails unless `holds`.
///
/// # Errors
/// [`Finding::Fail`] with these words.
pub fn ensure(holds: bool, expected: impl Into<String>, actual: impl Into<String>) -> Outcome {
    if holds {
        Ok(())
    } else {
        Err(Finding::fail(expected, actual))
    }
}
