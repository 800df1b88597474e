//! Standard output for what was asked for, standard error for the rest.

use std::io::{self, IsTerminal as _, Write as _};

use squall_reports::Style;

use super::exit::Failure;

/// Columns that reports may take.
const WIDTH: usize = 100;

/// Where the command writes to.
pub(crate) struct Output {
    quiet: bool,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { quiet: false }
    }

    /// From now on, only what was asked for.
    pub(crate) fn silence_notes(&mut self) {
        self.quiet = true;
    }

    /// What was asked for.
    ///
    /// # Errors
    /// [`Failure::PipeClosed`] when nobody reads it any more, and
    /// [`Failure::Environment`] when it cannot be written.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|error| match error.kind() {
                io::ErrorKind::BrokenPipe => Failure::PipeClosed,
                _ => Failure::Environment(format!("cannot write to standard output: {error}")),
            })
    }

    /// A note on the way, unless silenced.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            complain(text);
        }
    }

    /// Why something failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        match failure {
            Failure::Usage(error) => {
                let color = io::stderr().is_terminal() && color_wanted();
                complain(error.render(color, WIDTH).trim_end());
            }
            failure => complain(&format!("error: {failure}")),
        }
    }

    /// How reports on standard output are dressed.
    pub(crate) fn style(&self) -> Style {
        Style {
            color: io::stdout().is_terminal() && color_wanted(),
            width: WIDTH,
        }
    }

    /// Whether progress may be drawn.
    pub(crate) fn draws_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }
}

/// Whether the environment allows colours: <https://no-color.org>.
pub(crate) fn color_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn complain(text: &str) {
    // With standard error gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
