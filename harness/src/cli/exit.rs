//! Exit codes, which scripts and CI depend on, and the failures behind them.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use squall::scenario::ScenarioError;

/// How the command ended; the one place where codes are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything asked for was done, and every guarantee and bound held.
    Held = 0,
    /// A guarantee or a bound was violated, or a check failed.
    Violated = 1,
    /// A mistake on the command line or in a scenario.
    Usage = 2,
    /// The harness or its environment failed.
    Environment = 3,
    /// Interrupted by Ctrl-C or SIGTERM: the report is partial. As shells
    /// number it: 128 and SIGINT's 2.
    Interrupted = 130,
}

pub(crate) const HELP: &str = "\
Exit codes:
  0    all guarantees and bounds held
  1    a guarantee or a bound was violated, or a check failed
  2    a mistake on the command line or in a scenario
  3    the harness or its environment failed
  130  interrupted; what was measured so far is reported, marked as partial

Environment:
  NO_COLOR    no colours, even on a terminal
  SQUALL_LOG  what to log on standard error, such as squall=debug";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a verb could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A mistake of the user's.
    #[error("{0}")]
    Usage(ScenarioError),
    /// What is not the user's mistake.
    #[error("{0}")]
    Environment(String),
    /// Whoever read our output has gone; nothing to complain about.
    #[error("the reader of the output has gone")]
    PipeClosed,
}

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Environment(_) => Exit::Environment,
            Self::PipeClosed => Exit::Held,
        }
    }

    /// A mistake that stands in no file.
    pub(crate) fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage(ScenarioError::new(message, Some(help.into())))
    }

    /// A path that the user gave and that cannot be written.
    pub(crate) fn unwritable(path: &Path, error: &io::Error) -> Self {
        Self::usage(
            format!("cannot write {}: {error}", path.display()),
            "nothing was run; give a path in a directory that exists and can be written",
        )
    }
}

impl From<ScenarioError> for Failure {
    fn from(error: ScenarioError) -> Self {
        Self::Usage(error)
    }
}
