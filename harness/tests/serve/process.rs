//! `squall serve`, or what else serves, in a process of its own, ended when the
//! test is.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use tempfile::TempDir;

/// A running `squall serve`, or a demo.
pub(crate) struct Broker {
    child: Child,
    urls: Vec<String>,
    stderr: Option<JoinHandle<String>>,
    /// For what it keeps while it runs, and cannot clear up when it is killed.
    _scratch: TempDir,
}

impl Broker {
    /// Starts `squall serve` and waits until it listens at as many endpoints.
    pub(crate) fn start(arguments: &[&str], endpoints: usize) -> Self {
        Self::start_as(&["serve"], arguments, endpoints)
    }

    /// Starts what this verb serves.
    pub(crate) fn start_as(verb: &[&str], arguments: &[&str], endpoints: usize) -> Self {
        let scratch = tempfile::tempdir().expect("a directory");
        let mut child = Command::new(env!("CARGO_BIN_EXE_squall"))
            .args(verb)
            .args(arguments)
            .env("SQUALL_LOG", "squall=debug")
            .env("NO_COLOR", "1")
            .env("TMPDIR", scratch.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("squall starts");
        let stdout = child.stdout.take().expect("piped");
        let mut stderr = child.stderr.take().expect("piped");
        // Read all the time, so that it never waits for us.
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let lines = BufReader::new(stdout).lines().take(endpoints);
        let urls: Vec<_> = lines.map(|line| line.expect("text")).collect();
        let broker = Self {
            child,
            urls,
            stderr: Some(stderr),
            _scratch: scratch,
        };
        if broker.urls.len() < endpoints {
            panic!("it did not start: {}", broker.wait().1);
        }
        broker
    }

    /// Where it listens with this scheme: host and port.
    pub(crate) fn address(&self, scheme: &str) -> SocketAddr {
        let url = self.url(scheme).split("://").nth(1).expect("a URL");
        let address = url.split('/').next().expect("an address");
        address.parse().expect("an address")
    }

    pub(crate) fn url(&self, scheme: &str) -> &str {
        let prefix = format!("{scheme}://");
        let mut urls = self.urls.iter();
        urls.find(|url| url.starts_with(&prefix))
            .expect("it listens there")
    }

    /// Sends it a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill starts").success());
    }

    /// Waits for its end; its status and what it said on standard error.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("it ends");
        let stderr = self.stderr.take().expect("not yet taken");
        (status, stderr.join().expect("read"))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
