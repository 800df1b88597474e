//! A broker's processes, and their end.
//!
//! Each is the leader of a process group, so that what it starts ends with it. A
//! guard, a small shell that waits for the end of our pipe, kills the groups and
//! removes the scratch directory when this process is gone, however it went: by a
//! second Ctrl-C, a panic or `kill -9`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::target::{Signal, Stop};

/// How a broker ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum How {
    /// At once, without a chance to save anything: SIGKILL.
    Kill,
    /// In good order, as its target's file says; killed if it takes too long.
    Graceful,
}

/// Reads lines of process groups; the last one counts. At the end of its input,
/// it kills them and removes the directory.
const GUARD: &str = r#"
groups=
while read -r line; do groups=$line; done
for group in $groups; do kill -s KILL -- "-$group"; done 2>/dev/null
exec rm -rf -- "$1"
"#;

/// Outlives this process, if only to clean up after it.
#[derive(Debug)]
pub(super) struct Guard(std::process::Child);

impl Guard {
    /// Starts it for a directory.
    pub(super) fn start(directory: &Path) -> io::Result<Self> {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", GUARD, "squall-guard"]).arg(directory);
        // Ctrl-C at the terminal is for this process, not for the guard.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let guard = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .spawn()?;
        Ok(Self(guard))
    }

    /// From now on, these are the groups to kill.
    pub(super) fn watch(&mut self, groups: &[&Group]) -> io::Result<()> {
        let ids: Vec<_> = groups.iter().map(|group| group.id.to_string()).collect();
        match &mut self.0.stdin {
            Some(stdin) => stdin.write_all(format!("{}\n", ids.join(" ")).as_bytes()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for Guard {
    /// Has it do its work, and waits for it.
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // What it could not do, nobody can.
        let _ = self.0.wait();
    }
}

/// A process and what it has started. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Group {
    child: Child,
    id: u32,
}

impl Group {
    /// Starts a command whose output goes to this log.
    pub(super) fn start(command: &mut Command, log: &Path) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        #[cfg(unix)]
        command.process_group(0);
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let id = child.id().unwrap_or_default();
        Ok(Self { child, id })
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        // Nothing of ours reaps it elsewhere, so it is there to be asked.
        self.child.try_wait().ok().flatten()
    }

    /// Ends it and waits until it has ended.
    pub(super) async fn end(mut self, how: How, stop: &Stop) {
        if how == How::Graceful && self.ended().is_none() {
            self.signal(Some(stop.signal), false);
            // Too late is too late; it is killed below.
            let _ = timeout(stop.within, self.child.wait()).await;
        }
        self.signal(None, true);
        // A killed process ends; one in the kernel's hands may take its time.
        let _ = timeout(Duration::from_secs(10), self.child.wait()).await;
    }

    /// Sends this signal, or SIGKILL, to the process or to the whole group.
    #[cfg(unix)]
    fn signal(&self, signal: Option<Signal>, group: bool) {
        use nix::sys::signal::{Signal as Number, kill, killpg};
        use nix::unistd::Pid;

        let number = match signal {
            None => Number::SIGKILL,
            Some(Signal::Term) => Number::SIGTERM,
            Some(Signal::Int) => Number::SIGINT,
            Some(Signal::Quit) => Number::SIGQUIT,
        };
        let Ok(id) = i32::try_from(self.id) else {
            return;
        };
        // Never 0, which would be our own group. It may be gone already.
        let _ = match (id, group) {
            (..=0, _) => return,
            (id, true) => killpg(Pid::from_raw(id), number),
            (id, false) => kill(Pid::from_raw(id), number),
        };
    }

    #[cfg(not(unix))]
    fn signal(&mut self, _signal: Option<Signal>, _group: bool) {
        let _ = self.child.start_kill();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Also when the process itself has ended: what it started may have not.
        self.signal(None, true);
    }
}

/// The last lines of a file, without the colours of terminals.
#[must_use]
pub fn tail(path: &Path, lines: usize) -> String {
    const BYTES: u64 = 64 * 1024;
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
        let mut bytes = Vec::new();
        file.take(BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    // Without a log there is nothing to show.
    let text = read().unwrap_or_default();
    let text = anstream::adapter::strip_str(&text).to_string();
    let all: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
