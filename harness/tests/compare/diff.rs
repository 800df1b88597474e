//! `squall diff`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::{squall, stdout};
use rstest::rstest;
use tempfile::TempDir;

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is UTF-8")
}

/// The JSON report of a run of a small scenario, with these changes, in a file.
fn report(directory: &TempDir, name: &str, changes: &[&str]) -> PathBuf {
    report_of("scenarios/smoke/qos1.toml", directory, name, changes)
}

fn report_of(scenario: &str, directory: &TempDir, name: &str, changes: &[&str]) -> PathBuf {
    let mut arguments = vec!["run", scenario, "--format", "json"];
    for change in changes {
        arguments.extend(["--set", change]);
    }
    let output = squall(arguments);
    assert_ne!(output.stdout, b"", "{}", text(&output.stderr));
    written(directory, name, &output.stdout)
}

fn written(directory: &TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, content).expect("written");
    path
}

fn diff(old: &Path, new: &Path, rest: &[&str]) -> Output {
    let paths = [old, new].map(|path| path.to_str().expect("it is UTF-8"));
    squall(["diff"].iter().chain(&paths).chain(rest))
}

fn here() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn a_report_is_as_good_as_itself() {
    let directory = here();
    let report = report(&directory, "a.json", &[]);
    let output = diff(&report, &report, &[]);
    let says = stdout(&output);
    assert!(says.contains("0 of "), "{says}");
    assert!(!says.contains("worse  "), "{says}");
}

#[test]
fn more_bytes_are_worse_until_they_are_tolerated() {
    let directory = here();
    let old = report(&directory, "old.json", &[]);
    let larger = "fleet.*.publish.payload={ kind = \"fixed\", bytes = 300 }";
    let larger = larger.replace("fleet.*", "fleet.0");
    let new = report(&directory, "new.json", &[&larger]);
    let worse = diff(&old, &new, &[]);
    assert_eq!(worse.status.code(), Some(1), "{}", text(&worse.stderr));
    let says = text(&worse.stdout);
    assert!(says.contains("bytes per delivered reading"), "{says}");
    let better = diff(&new, &old, &[]);
    assert_eq!(better.status.code(), Some(0), "{}", text(&better.stdout));
    assert!(text(&better.stdout).contains("better"));
    let tolerated = diff(&old, &new, &["--tolerance", "10000%"]);
    assert_eq!(
        tolerated.status.code(),
        Some(0),
        "{}",
        text(&tolerated.stdout)
    );
}

#[rstest]
#[case::a_guarantee(
    "retained/cleared",
    "broker.quirks=[\"keeps-cleared-retained\"]",
    "retained latest"
)]
#[case::a_bound("smoke/qos1", "expect.latency_max=<= 1us", "latency_max")]
fn a_promise_that_is_broken_is_worse_at_any_tolerance(
    #[case] scenario: &str,
    #[case] change: &str,
    #[case] says: &str,
) {
    let directory = here();
    let scenario = format!("scenarios/{scenario}.toml");
    let old = report_of(&scenario, &directory, "old.json", &[]);
    let new = report_of(&scenario, &directory, "new.json", &[change]);
    let output = diff(&old, &new, &["--tolerance", "1000000%"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let mut lines = said.lines();
    let line = lines.find(|line| line.contains(says)).expect(says);
    assert!(line.contains("violated"), "{said}");
}

#[test]
fn comparisons_are_compared_cell_by_cell() {
    let directory = here();
    let compared = |name: &str, count: &str| {
        let path = directory.path().join(name);
        let output = squall([
            "compare",
            "scenarios/overhead/readings.toml",
            "--protocols",
            "mqtt",
            "--sweep",
            "qos=0,1",
            "--set",
            "fleet.sensor.count=4",
            "--set",
            count,
            "--out",
            path.to_str().expect("it is UTF-8"),
        ]);
        stdout(&output);
        path
    };
    let old = compared("old.json", "fleet.sensor.lifecycle.readings=10");
    let new = compared("new.json", "fleet.sensor.lifecycle.readings=2");
    let output = diff(&old, &new, &["--format", "markdown"]);
    assert_eq!(output.status.code(), Some(1));
    let says = text(&output.stdout);
    assert!(says.contains("| mqtt, QoS 0 |"), "{says}");
    assert!(says.contains("| mqtt, QoS 1 |"), "{says}");
}

#[rstest]
#[case::no_json("not json", "not a report of Squall")]
#[case::another_version(r#"{"format":99,"arrived":{}}"#, "format version 99")]
#[case::no_report("{}", "neither the report of one run nor a comparison")]
fn what_is_no_report_is_2(#[case] content: &str, #[case] says: &str) {
    let directory = here();
    let good = report(&directory, "good.json", &[]);
    let bad = written(&directory, "bad.json", content.as_bytes());
    for (old, new) in [(&good, &bad), (&bad, &good)] {
        let output = diff(old, new, &[]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(
            text(&output.stderr).contains(says),
            "{}",
            text(&output.stderr)
        );
        assert!(text(&output.stderr).contains("bad.json"));
        assert_eq!(output.stdout, b"");
    }
}

#[rstest]
#[case::no_file(&["diff", "no-such.json", "no-such.json"], "cannot read no-such.json")]
#[case::no_percentage(&["diff", "a", "b", "--tolerance", "2"], "write a percentage, such as 2%")]
#[case::one_file(&["diff", "a"], "NEW.json")]
fn a_mistake_on_the_command_line_is_2(#[case] arguments: &[&str], #[case] says: &str) {
    let output = squall(arguments);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains(says),
        "{}",
        text(&output.stderr)
    );
}
