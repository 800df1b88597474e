//! How far a run, or many, have come; drawn on a terminal only, and not for
//! what takes less than a second.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often progress is drawn.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// Intervals until a bar appears.
const PATIENCE: u32 = 10;

/// A bar that appears when it is worth it.
pub(crate) struct Progress {
    bar: ProgressBar,
    waited: u32,
    template: &'static str,
}

impl Progress {
    /// Virtual milliseconds of one run.
    pub(crate) fn of_one(drawn: bool, virtual_ms: u64) -> Self {
        Self::new(
            drawn,
            virtual_ms,
            "{bar:40} {percent} % of virtual time, {elapsed}",
        )
    }

    /// Runs of many.
    pub(crate) fn of_many(drawn: bool, runs: u64) -> Self {
        Self::new(drawn, runs, "{bar:40} {pos} of {len} runs, {elapsed}")
    }

    /// Checks of a broker.
    pub(crate) fn of_checks(drawn: bool, checks: u64) -> Self {
        Self::new(drawn, checks, "{bar:40} {pos} of {len} checks, {elapsed}")
    }

    /// Claims of a ledger.
    pub(crate) fn of_claims(drawn: bool, claims: u64) -> Self {
        Self::new(drawn, claims, "{bar:40} {pos} of {len} claims, {elapsed}")
    }

    fn new(drawn: bool, length: u64, template: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden());
        Self {
            bar,
            waited: if drawn { 0 } else { PATIENCE + 1 },
            template,
        }
    }

    /// One [`INTERVAL`] has gone by, and this much is done.
    pub(crate) fn tick(&mut self, done: u64) {
        if self.waited < PATIENCE {
            self.waited += 1;
            if self.waited == PATIENCE {
                self.appear();
            }
        }
        self.bar.set_position(done);
    }

    fn appear(&mut self) {
        self.waited = PATIENCE + 1;
        // The templates are constants; one that does not parse leaves the
        // default look.
        if let Ok(style) = ProgressStyle::with_template(self.template) {
            self.bar.set_style(style);
        }
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
    }

    /// Does something that writes to the terminal, too.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    /// Clears the bar.
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
