//! `squall conform`, `explain` and `coverage` as a person or a script meets them.

use std::fs;
use std::process::{Command, Output};

use rstest::rstest;
use squall::reports::conformance::{Conclusion, Standing};
use squall::reports::json;
use tempfile::TempDir;

/// A check that a quirk fails in both versions.
const CHECK: &str = "connect-reserved-flag";
const QUIRK: &str = "tolerates-connect-flag";

fn run(directory: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_squall"))
        .current_dir(directory.path())
        .env_remove("SQUALL_LOG")
        .args(arguments)
        .output()
        .expect("the command starts")
}

fn conform(directory: &TempDir, arguments: &[&str]) -> Output {
    run(
        directory,
        &[&["conform", "--target", "sim"], arguments].concat(),
    )
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is UTF-8")
}

fn here() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

/// The report without how long it took.
fn timeless(report: &str) -> String {
    let line = |line: &str| match line.split_once(" in ") {
        Some((totals, _)) if line.starts_with(|c: char| c.is_ascii_digit()) => totals.to_owned(),
        _ => line.to_owned(),
    };
    report.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_broker_that_passes_is_0() {
    let output = conform(&here(), &["--select", CHECK]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    insta::assert_snapshot!("passes", timeless(text(&output.stdout)));
}

#[test]
fn a_broker_that_fails_is_1_and_the_report_shows_its_packets() {
    let output = conform(
        &here(),
        &["--select", CHECK, "--quirk", QUIRK, "--mqtt", "5.0"],
    );
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    insta::assert_snapshot!("fails", timeless(text(&output.stdout)));
}

#[test]
fn the_command_again_gives_the_same_failure() {
    let directory = here();
    let first = conform(
        &directory,
        &["--select", "3.1.2.3", "--quirk", QUIRK, "--format", "json"],
    );
    let first = json::parse_conformance(text(&first.stdout)).expect("a report");
    let failure = first
        .cases
        .iter()
        .find(|case| first.standing(case) == Standing::Fail);
    let failure = failure.expect("a failure");
    let again = first.again(failure);
    let words: Vec<_> = again
        .split(' ')
        .skip(1)
        .chain(["--format", "json"])
        .collect();
    let second = run(&directory, &words);
    let second = json::parse_conformance(text(&second.stdout)).expect("a report");
    assert_eq!(second.cases.len(), 1);
    assert_eq!(second.cases[0].verdict, failure.verdict);
    assert!(matches!(second.cases[0].verdict, Conclusion::Fail { .. }));
}

#[rstest]
#[case::json("json", "json", "\"verdict\": \"pass\"")]
#[case::junit(
    "junit",
    "xml",
    "<property name=\"statement\" value=\"MQTT5-3.1.2-3\"/>"
)]
#[case::markdown("markdown", "md", "**no failure**")]
#[case::html("html", "html", "<!DOCTYPE html>")]
#[case::terminal("terminal", "txt", "no failure")]
fn every_format_goes_to_stdout_and_to_a_file(
    #[case] format: &str,
    #[case] extension: &str,
    #[case] says: &str,
) {
    let directory = here();
    let output = conform(
        &directory,
        &["--select", CHECK, "--format", format, "--out", "reports"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains(says),
        "{}",
        text(&output.stdout)
    );
    let path = directory.path().join(format!("reports/sim.{extension}"));
    let file = fs::read_to_string(path).expect("written");
    assert_eq!(timeless(&file), timeless(text(&output.stdout)).trim_end());
}

/// First everything that fails is written down; then it is no news; then a new
/// failure is, and one that is gone.
#[test]
fn a_list_of_known_failures_can_only_shrink() {
    let directory = here();
    let with_list = |arguments: &[&str]| {
        let select = ["--select", CHECK, "--expect", "known.toml"];
        conform(&directory, &[&select[..], arguments].concat())
    };
    let list = || fs::read_to_string(directory.path().join("known.toml")).expect("written");

    let missing = with_list(&[]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("--update-expect writes a list"));

    let written = with_list(&["--quirk", QUIRK, "--mqtt", "5.0", "--update-expect"]);
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    insta::assert_snapshot!("known_failures", list());

    let known = with_list(&["--quirk", QUIRK, "--mqtt", "5.0"]);
    assert_eq!(known.status.code(), Some(0), "{}", text(&known.stdout));
    assert!(text(&known.stdout).contains("no new failure"));

    // The list has the failure in 5.0 only.
    let new = with_list(&["--quirk", QUIRK]);
    assert_eq!(new.status.code(), Some(1));
    assert!(
        text(&new.stdout).contains("1 new failure"),
        "{}",
        text(&new.stdout)
    );

    let gone = with_list(&[]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(
        text(&gone.stdout).contains("1 known failure is gone"),
        "{}",
        text(&gone.stdout)
    );

    let struck = with_list(&["--update-expect"]);
    assert_eq!(struck.status.code(), Some(0));
    assert_eq!(list().trim(), "");
    assert_eq!(with_list(&[]).status.code(), Some(0));
}

#[rstest]
#[case::statement(&["--select", "MQTT5-3.1.2-33"], "did you mean `MQTT5-3.1.2-3`?")]
#[case::check(&["--select", "connect-reserved-flags"], "did you mean `connect-reserved-flag`?")]
#[case::section(&["--select", "3.99"], "unknown section `3.99`")]
#[case::waived(&["--select", "MQTT311-2.3.1-2"], "Only a server can see")]
#[case::another_version(&["--select", "MQTT5-3.12.4-1", "--mqtt", "3.1.1"], "no check in MQTT 3.1.1")]
#[case::version(&["--mqtt", "4"], "invalid value '4'")]
#[case::quirk(&["--quirk", "no-such"], "invalid value 'no-such'")]
#[case::unwritable_pcap(&["--pcap", "no/such/a.pcapng"], "cannot write no/such/a.pcapng")]
#[case::update_of_nothing(&["--update-expect"], "--expect <FILE>")]
#[case::unwritable_list(&["--update-expect", "--expect", "no/such/list.toml"], "cannot write no/such/list.toml")]
fn a_mistake_is_2_and_nothing_is_run(#[case] arguments: &[&str], #[case] says: &str) {
    let directory = here();
    let output = conform(&directory, arguments);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains(says),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(text(&output.stdout), "");
    assert_eq!(fs::read_dir(directory.path()).expect("read").count(), 0);
}

#[test]
fn a_list_with_a_mistake_is_shown_where_it_stands() {
    let directory = here();
    let list = "[[expected]]\nstatement = \"MQTT5-3.1.2-33\"\nreason = \"x\"\n";
    fs::write(directory.path().join("known.toml"), list).expect("written");
    let output = conform(&directory, &["--select", CHECK, "--expect", "known.toml"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!("mistake_in_a_list", text(&output.stderr));
}

#[test]
fn packets_are_written_for_wireshark() {
    let directory = here();
    let output = conform(&directory, &["--select", CHECK, "--pcap", "a.pcapng"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let bytes = fs::read(directory.path().join("a.pcapng")).expect("written");
    assert_eq!(bytes.get(..4), Some(&[0x0a, 0x0d, 0x0d, 0x0a][..]));
    assert!(bytes.len() > 500, "{} bytes", bytes.len());
}

#[test]
fn a_statement_is_explained() {
    let output = run(&here(), &["explain", "MQTT5-3.1.2-3"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    insta::assert_snapshot!("explain", text(&output.stdout));

    let both = run(&here(), &["explain", "MQTT-3.1.2-3"]);
    assert!(text(&both.stdout).contains("MQTT311-3.1.2-3 ·"));
    assert!(text(&both.stdout).contains("MQTT5-3.1.2-3 ·"));

    let unknown = run(&here(), &["explain", "MQTT5-3.1.2-33"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("did you mean `MQTT5-3.1.2-3`?"));
}

#[test]
fn coverage_has_a_line_for_every_statement() {
    let output = run(&here(), &["coverage"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    assert_eq!(lines.len(), 455);
    let line = |id: &str| {
        let mut lines = lines.iter();
        let line = lines.find(|line| line.split(' ').next() == Some(id));
        (*line.expect("a line")).to_owned()
    };
    assert!(line("MQTT5-3.1.2-3").contains(CHECK));
    assert!(line("MQTT311-2.3.1-2").contains("waived: Only a server can see"));
    assert!(text(&output.stderr).starts_with("455 statements: "));

    let section = run(&here(), &["coverage", "3.12"]);
    insta::assert_snapshot!("coverage_of_a_section", text(&section.stdout));
}
