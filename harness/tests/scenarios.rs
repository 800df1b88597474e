//! Every shipped scenario is a test case: with the default seed all of its
//! bounds hold, and its report is a snapshot, to be read in review. And what was
//! written for MQTT 3.1.1 holds with all of its fleets in MQTT 5.0 too.

mod support;

use rstest::rstest;
use squall::scenario::{Fleet, MqttVersion, Scenario, Server};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{relative, root, squall, stdout};

#[rstest]
fn holds(
    #[files("../scenarios/**/*.toml")]
    #[exclude("/scenarios/(targets|overhead/claims)/")]
    scenario: PathBuf,
) {
    let path = relative(&scenario);
    let output = squall(["run", &path, "--format", "markdown", "--quiet"]);
    let report = stdout(&output);
    // A new version alone changes no report.
    let version = concat!("squall ", env!("CARGO_PKG_VERSION"));
    assert!(report.contains(version), "{report}");
    let report = report.replace(version, "squall [version]");

    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(snapshots());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(snapshot_name(&path), report));
}

/// Scenarios that take seconds: what cuts them short in 5.0, where the story need
/// not be told whole again.
const CUT_SHORT: [(&str, &[&str]); 5] = [
    ("qos/ephemeral-nb-iot", &["fleet.0.count=20"]),
    ("sessions/sleeping-devices", &["fleet.0.count=10"]),
    ("sessions/offline-overnight", &["fleet.0.count=10"]),
    ("faults/simulated-day", &["fleet.0.count=20"]),
    ("faults/burst-hall", &["fleet.0.count=10"]),
];

#[rstest]
fn holds_in_5_0(
    #[files("../scenarios/**/*.toml")]
    #[exclude("/scenarios/(targets|overhead/claims)/")]
    scenario: PathBuf,
) {
    let path = relative(&scenario);
    let loaded = Scenario::load(&root().join(&path), &[]).expect("it is shipped");
    let speaks_5_0 = |fleet: &Fleet| fleet.mqtt.version == MqttVersion::V5_0;
    if loaded.fleets.iter().all(speaks_5_0) {
        // Its snapshot is of 5.0 already.
        return;
    }
    let speaks_mqtt = |fleet: &Fleet| fleet.protocol.server() == Server::Broker;
    if !loaded.fleets.iter().all(speaks_mqtt) {
        return;
    }
    let mut arguments = vec!["run", &path, "--mqtt", "5.0", "--quiet"];
    let short = CUT_SHORT.iter().find(|(name, _)| path.contains(name));
    for change in short.map_or(&[][..], |(_, changes)| changes) {
        arguments.extend(["--set", change]);
    }
    let output = squall(arguments);
    let report = stdout(&output);
    assert!(report.contains("guarantees"), "{report}");
}

/// The cases come from a listing made when this file was compiled.
#[test]
fn every_scenario_is_a_case() {
    let expected: BTreeSet<String> = scenarios().iter().map(|path| case_name(path)).collect();
    let listing = Command::new(std::env::current_exe().expect("this test"))
        .args(["holds::", "--list", "--format", "terse"])
        .output()
        .expect("it starts again");
    let listing = String::from_utf8(listing.stdout).expect("names are UTF-8");
    let cases: BTreeSet<String> = listing
        .lines()
        .filter_map(|line| line.strip_prefix("holds::")?.strip_suffix(": test"))
        // Such as `scenario_03__UP_scenarios_smoke_qos0_toml`.
        .filter_map(|case| case.split_once("_UP_scenarios_"))
        .map(|(_, name)| name.to_owned())
        .collect();
    assert!(!expected.is_empty(), "there are scenarios");
    assert_eq!(cases, expected, "expected: the files in scenarios/");
}

#[test]
fn every_snapshot_belongs_to_a_scenario() {
    let expected: BTreeSet<String> = scenarios()
        .iter()
        .map(|path| format!("{}.snap", snapshot_name(path)))
        .collect();
    let snapshots: BTreeSet<String> = std::fs::read_dir(snapshots())
        .expect("the directory of snapshots")
        .map(|entry| entry.expect("a file").file_name())
        .map(|name| name.into_string().expect("names are UTF-8"))
        .filter(|name| name.ends_with(".snap"))
        .collect();
    assert_eq!(snapshots, expected, "expected: one for each scenario");
}

fn snapshots() -> PathBuf {
    root().join("reports/snapshots")
}

/// `scenarios/faults/lossy-cell.toml` -> `faults__lossy-cell`.
fn snapshot_name(path: &str) -> String {
    let path = path.strip_prefix("scenarios/").expect("a scenario");
    let path = path.strip_suffix(".toml").expect("a scenario");
    path.replace('/', "__")
}

/// What rstest makes of a file's name: `faults_lossy_cell_toml`.
fn case_name(path: &str) -> String {
    let path = path.strip_prefix("scenarios/").expect("a scenario");
    path.replace(|c: char| !c.is_alphanumeric(), "_")
}

/// Paths of all scenarios in the repository.
fn scenarios() -> Vec<String> {
    fn collect(directory: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|end| end == "toml") {
                found.push(relative(&path));
            }
        }
    }
    let mut found = Vec::new();
    collect(&root().join("scenarios"), &mut found);
    // Brokers, and what claims are measured on: `tests/claims.rs` has those.
    found.retain(|path| {
        let elsewhere = ["scenarios/targets/", "scenarios/overhead/claims/"];
        !elsewhere.iter().any(|folder| path.starts_with(folder))
    });
    found
}
