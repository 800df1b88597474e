//! Whether a broker is on this machine, and in which version.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::Target;
use super::template::{Places, Template};

/// How long a broker may take to say its version; those on a virtual machine of
/// their own start that first.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a broker cannot be started here.
#[derive(Debug, thiserror::Error)]
pub enum WhyNot {
    /// Its command is not to be found.
    #[error("not installed: no `{command}` on PATH; {install}")]
    NoCommand {
        /// The command.
        command: String,
        /// How it comes onto a machine.
        install: String,
    },
    /// Its command says no version.
    #[error("not installed: `{command}` names no version; {install}")]
    NoVersion {
        /// The command.
        command: String,
        /// How it comes onto a machine.
        install: String,
    },
    /// Its command cannot be run.
    #[error("`{command}` cannot be run: {source}")]
    Failed {
        /// The command.
        command: String,
        /// Why not.
        source: io::Error,
    },
    /// A text of its file cannot be filled in.
    #[error("{0}")]
    Template(#[from] minijinja::Error),
}

impl Target {
    /// The version that is installed; `squall` is this executable.
    ///
    /// # Errors
    /// When there is none, or it cannot be run.
    pub async fn installed(&self, squall: &Path) -> Result<String, WhyNot> {
        let places = Places::new(Path::new(""), squall.to_owned(), Default::default());
        let mut asking = self.command(&self.version.command, &places)?;
        let command = asking.as_std().get_program().to_string_lossy().into_owned();
        let asking = asking.stdin(Stdio::null()).kill_on_drop(true).output();
        let answered = match timeout(PATIENCE, asking).await {
            Ok(answered) => answered,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        let install = self.install.clone();
        let output = match answered {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(WhyNot::NoCommand { command, install });
            }
            Err(source) => return Err(WhyNot::Failed { command, source }),
        };
        // Some say it on one, some on the other.
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let version = self.version.pattern.captures(&said);
        let version = version.and_then(|captures| captures.get(1));
        match version {
            Some(version) => Ok(version.as_str().to_owned()),
            None => Err(WhyNot::NoVersion { command, install }),
        }
    }

    /// A command of the target's file, with its programs to be found.
    pub(super) fn command(
        &self,
        words: &[Template],
        places: &Places,
    ) -> Result<Command, minijinja::Error> {
        let words = words.iter().map(|word| word.render(places));
        let words = words.collect::<Result<Vec<_>, _>>()?;
        let (program, arguments) = match words.split_first() {
            Some((program, arguments)) => (program.as_str(), arguments),
            // A file with an empty command is not accepted.
            None => ("", &[][..]),
        };
        let mut command = Command::new(program);
        command.args(arguments).env("PATH", self.path(places)?);
        Ok(command)
    }

    /// Where programs are looked for.
    fn path(&self, places: &Places) -> Result<OsString, minijinja::Error> {
        let mut directories = Vec::new();
        for directory in &self.start.search {
            directories.push(PathBuf::from(directory.render(places)?));
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        directories.extend(std::env::split_paths(&path));
        // Fails only for a directory with a separator in its name.
        Ok(std::env::join_paths(directories).unwrap_or(path))
    }
}
