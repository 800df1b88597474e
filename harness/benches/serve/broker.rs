//! A broker under measurement: a process of its own, on a core of its own.

use crate::load::{Load, Measured};
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Debian's place for it, which is not on everybody's path.
const MOSQUITTO: [&str; 2] = ["mosquitto", "/usr/sbin/mosquitto"];

/// Clock ticks a second, in which Linux counts processor time.
const TICKS: f64 = 100.0;

/// Which broker.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// `squall serve`.
    Squall,
    /// `squall serve`, with nothing but its plain WebSocket hub.
    Hub,
    /// Eclipse Mosquitto.
    Mosquitto,
}

/// A running broker, which ends when this is dropped.
pub(crate) struct Broker {
    child: Child,
    pub(crate) address: SocketAddr,
    _scratch: TempDir,
}

/// What Mosquitto calls itself, if it is there.
pub(crate) fn mosquitto_version() -> Option<String> {
    let help = Command::new(mosquitto()?).arg("-h").output().ok()?;
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    help.lines().next().map(str::to_owned)
}

fn mosquitto() -> Option<&'static str> {
    let starts = |path: &&str| {
        let mut help = Command::new(path);
        let help = help.arg("-h").stdout(Stdio::null()).stderr(Stdio::null());
        help.status().is_ok()
    };
    MOSQUITTO.into_iter().find(starts)
}

/// Whether broker and load get a core each.
pub(crate) fn are_cores_enough() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2)
}

/// A command that runs on one core.
fn pinned(core: u8, program: impl AsRef<Path>) -> Command {
    let program = program.as_ref();
    if !are_cores_enough() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

impl Broker {
    /// Starts it with an empty store in memory, and limits beyond what the load
    /// can reach: so that none is lost.
    pub(crate) fn start(kind: Kind) -> Self {
        let scratch = tempfile::tempdir().expect("a directory");
        let address = free_address();
        let config = scratch.path().join("config");
        let mut command = match kind {
            Kind::Squall | Kind::Hub => {
                let service = match kind {
                    Kind::Hub => "hub",
                    _ => "tcp",
                };
                let text = format!(
                    "[listen]\n{service} = \"{address}\"\n\
                     [limits]\ninflight = 65_535\noutbound_bytes = \"16 MiB\"\n"
                );
                fs::write(&config, text).expect("written");
                let mut command = pinned(0, env!("CARGO_BIN_EXE_squall"));
                command.arg("serve").arg("--config").arg(&config);
                command
            }
            Kind::Mosquitto => {
                let port = address.port();
                let text = format!(
                    "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n\
                     max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\n\
                     log_dest none\nlog_type none\n"
                );
                fs::write(&config, text).expect("written");
                let mut command = pinned(0, mosquitto().expect("it was there"));
                command.arg("-c").arg(&config);
                command
            }
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the broker starts");
        let broker = Self {
            child,
            address,
            _scratch: scratch,
        };
        for _ in 0..500 {
            if TcpStream::connect(address).is_ok() {
                return broker;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{kind:?} does not listen");
    }

    /// Puts it under a load from another core.
    pub(crate) fn measure(&self, load: Load) -> Measured {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = pinned(1, program);
        command.args(["--load", &self.address.to_string()]);
        command.args(["--qos", &load.qos.to_string()]);
        command.args(["--seconds", &load.time.as_secs().to_string()]);
        if let Some(per_second) = load.per_second {
            command.args(["--per-second", &per_second.to_string()]);
        }
        let before = self.processor_s();
        let output = command.stderr(Stdio::inherit()).output();
        let output = output.expect("the load starts");
        let text = String::from_utf8_lossy(&output.stdout);
        let mut measured: Measured = text.parse().expect("what the load measured");
        let processor_s = self.processor_s() - before;
        measured.processor_us = processor_s * 1e6 / measured.received as f64;
        measured
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB"));
        let kibibytes = kibibytes.expect("Linux says").trim().parse::<u64>();
        kibibytes.expect("a number") * 1024
    }

    /// Processor time so far, in seconds.
    fn processor_s(&self) -> f64 {
        let stat = self.proc("stat");
        // The name, in parentheses, may hold anything.
        let (_, rest) = stat.rsplit_once(')').expect("a name");
        let words = rest.split_whitespace().skip(11).take(2);
        let ticks = words.map(|word| word.parse::<f64>().expect("a number"));
        ticks.sum::<f64>() / TICKS
    }

    fn proc(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(path).expect("it runs")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}
