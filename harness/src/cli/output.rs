//! Standard output for what was asked for, standard error for the rest.

use std::io::{self, IsTerminal as _, Write as _};

use squall_reports::Style;
use terminal_size::{Height, Width, terminal_size_of};

use super::exit::Failure;

/// The most columns that text takes, and what it takes where no terminal says.
const COLUMNS_MAX: usize = 100;
/// The fewest columns in which a table fits.
const COLUMNS_MIN: usize = 60;

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
                let columns = columns(terminal_size_of(io::stderr()));
                complain(error.render(color, columns).trim_end());
            }
            failure => complain(&format!("error: {failure}")),
        }
    }

    /// How reports on standard output are dressed.
    pub(crate) fn style(&self) -> Style {
        Style {
            color: io::stdout().is_terminal() && color_wanted(),
            width: columns(terminal_size_of(io::stdout())),
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

/// How many columns text takes on a terminal of this size, or on none.
fn columns(terminal: Option<(Width, Height)>) -> usize {
    terminal.map_or(COLUMNS_MAX, |(Width(columns), _)| {
        usize::from(columns).clamp(COLUMNS_MIN, COLUMNS_MAX)
    })
}

fn complain(text: &str) {
    // With standard error gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::no_terminal(None, 100)]
    #[case::as_wide_as_the_terminal(Some(72), 72)]
    #[case::hard_to_follow(Some(240), 100)]
    #[case::too_narrow_for_a_table(Some(20), 60)]
    fn text_is_as_wide_as_its_terminal(#[case] terminal: Option<u16>, #[case] expected: usize) {
        let size = terminal.map(|columns| (Width(columns), Height(24)));
        assert_eq!(columns(size), expected);
    }
}
