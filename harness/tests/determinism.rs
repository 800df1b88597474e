//! One seed, one run: trace, report and capture are the same bytes in another
//! process. Another seed gives another run.

mod support;

use rstest::rstest;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use support::{relative, squall, stdout};

/// What one process made of a scenario.
struct Run {
    trace: String,
    report: String,
    capture: Vec<u8>,
}

impl Run {
    fn new(scenario: &str, seed: &str, directory: &Path) -> Run {
        fs::create_dir_all(directory).expect("a directory of its own");
        let (trace, capture) = (directory.join("t.jsonl"), directory.join("c.pcapng"));
        let mut arguments: Vec<OsString> = ["run", scenario, "--seed", seed, "--format", "json"]
            .map(OsString::from)
            .into();
        arguments.extend(["--trace".into(), trace.clone().into()]);
        arguments.extend(["--pcap".into(), capture.clone().into()]);
        let output = squall(arguments);
        Run {
            report: stdout(&output).to_owned(),
            trace: fs::read_to_string(trace).expect("a trace was written"),
            capture: fs::read(capture).expect("a capture was written"),
        }
    }

    /// The trace without its first line, which holds the seed.
    fn events(&self) -> &str {
        self.trace.split_once('\n').expect("a first line").1
    }
}

#[rstest]
fn two_processes_agree(
    #[files("../scenarios/smoke/*.toml")]
    #[files("../scenarios/overhead/rest.toml")]
    #[files("tests/fixtures/every-fault.toml")]
    scenario: PathBuf,
) {
    let path = relative(&scenario);
    let directory = tempfile::tempdir().expect("a directory");
    let run = |name: &str, seed| Run::new(&path, seed, &directory.path().join(name));
    let (first, second) = (run("first", "1"), run("second", "1"));
    for (what, one, other) in [
        ("event of the trace", &first.trace, &second.trace),
        ("line of the report", &first.report, &second.report),
    ] {
        if let Some(difference) = first_difference(one, other) {
            panic!("{path}, seed 1: the first {what} that differs is {difference}");
        }
    }
    // What decides the packets is in the trace, mostly; so no more than where.
    let same = first.capture.iter().zip(&second.capture);
    let same = same.take_while(|(one, other)| one == other).count();
    assert!(
        first.capture == second.capture,
        "{path}, seed 1: the captures differ from byte {same} on"
    );
    assert!(first.events().lines().count() > 10, "something happened");

    let another = run("another", "2");
    assert_ne!(first.events(), another.events(), "{path}, seed 2");
    assert_ne!(first.report, another.report, "{path}, seed 2");
    assert_ne!(first.capture, another.capture, "{path}, seed 2");
}

#[test]
fn every_kind_of_fault_is_among_what_agrees() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/every-fault.toml");
    let directory = tempfile::tempdir().expect("a directory");
    let run = Run::new(&relative(&path), "1", directory.path());
    for kind in FAULTS {
        let began = "\"event\":\"fault began\"";
        let of_kind = format!("\"kind\":\"{kind}\"");
        let mut lines = run.trace.lines();
        assert!(
            lines.any(|line| line.contains(began) && line.contains(&of_kind)),
            "no fault `{kind}` began"
        );
    }
}

/// Every kind of fault.
const FAULTS: [&str; 20] = [
    "loss",
    "burst-loss",
    "latency",
    "rate",
    "blackhole",
    "duplication",
    "reordering",
    "partition",
    "power-cut",
    "nat-rebinding",
    "server-crash",
    "server-pause",
    "vanish",
    "reset",
    "disconnect",
    "battery-death",
    "sleep-in-handshake",
    "reconnect-storm",
    "clock-drift",
    "drop",
];

/// The first line in which two texts differ, with its number.
fn first_difference(one: &str, other: &str) -> Option<String> {
    let (mut lines, mut others) = (one.lines(), other.lines());
    (1..).find_map(|number| match (lines.next(), others.next()) {
        (None, None) => Some(None),
        (line, other) if line == other => None,
        (line, other) => {
            let show = |line: Option<&str>| line.unwrap_or("(no more)").to_owned();
            let (line, other) = (show(line), show(other));
            Some(Some(format!("line {number}:\n  {line}\n  {other}")))
        }
    })?
}

#[rstest]
#[case("", "", None)]
#[case("a\nb\n", "a\nb\n", None)]
#[case("a\nb\nc\n", "a\nx\nc\n", Some("line 2:\n  b\n  x"))]
#[case("a\n", "a\nb\n", Some("line 2:\n  (no more)\n  b"))]
fn the_first_difference_is_named(
    #[case] one: &str,
    #[case] other: &str,
    #[case] difference: Option<&str>,
) {
    assert_eq!(first_difference(one, other).as_deref(), difference);
}
