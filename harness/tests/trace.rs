//! `squall trace` as a person meets it: one message's life, and what is wrong
//! with a file that is none.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rstest::rstest;
use tempfile::TempDir;

fn squall(arguments: &[&OsStr]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .expect("squall starts")
}

fn stdout(output: &Output) -> &str {
    let text = |bytes| String::from_utf8_lossy(bytes);
    assert!(output.status.success(), "{}", text(&output.stderr));
    std::str::from_utf8(&output.stdout).expect("output is UTF-8")
}

/// A trace of a scenario, in a directory of its own.
fn trace(scenario: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("run.jsonl");
    let output = squall(&[
        "run".as_ref(),
        scenario.as_ref(),
        "--quiet".as_ref(),
        "--trace".as_ref(),
        file.as_os_str(),
    ]);
    stdout(&output);
    (directory, file)
}

fn life(file: &Path, id: &str) -> Output {
    squall(&["trace".as_ref(), file.as_os_str(), id.as_ref()])
}

fn complaint(output: &Output) -> &str {
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    std::str::from_utf8(&output.stderr).expect("complaints are UTF-8")
}

#[rstest]
#[case::qos_0("scenarios/smoke/qos0.toml", "0.1")]
#[case::qos_1_over_a_lossy_link("scenarios/smoke/qos1.toml", "0.1")]
#[case::qos_2("scenarios/smoke/qos2.toml", "0.1")]
#[case::to_three_subscribers("scenarios/smoke/mixed-qos.toml", "0.3")]
#[case::kept_for_a_session("scenarios/smoke/persistent-session.toml", "0.8")]
fn a_message_is_followed_packet_by_packet(#[case] scenario: &str, #[case] id: &str) {
    let (_directory, file) = trace(scenario);
    let name = scenario.rsplit(['/', '.']).nth(1).expect("a name");
    insta::assert_snapshot!(name, stdout(&life(&file, id)));
}

#[test]
fn a_cut_off_last_line_is_left_out_with_a_note() {
    let (_directory, file) = trace("scenarios/smoke/qos0.toml");
    let text = fs::read(&file).expect("readable");
    let whole = life(&file, "0.1");
    fs::write(&file, &text[..text.len() - 10]).expect("written");
    let cut = life(&file, "0.1");
    assert_eq!(stdout(&cut), stdout(&whole));
    let note = String::from_utf8(cut.stderr).expect("notes are UTF-8");
    assert!(note.contains("the last line is cut off"), "{note}");
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let (directory, file) = trace("scenarios/smoke/qos0.toml");
    let output = life(&file, "0.ffff");
    let text = complaint(&output);
    assert!(text.contains("no reading 0.ffff in"), "{text}");
    assert!(text.contains("0.1 to 0."), "{text}");
    let output = life(&file, "ffff.1");
    assert!(complaint(&output).contains("no such device"));
    let output = life(&file, "first");
    assert!(complaint(&output).contains("`first` is not a message id"));
    let output = life(&directory.path().join("none.jsonl"), "0.1");
    assert!(complaint(&output).contains("cannot read"));
}

#[rstest]
#[case::something_else("a scenario = 1\n", "is no trace")]
#[case::nothing("", "is no trace")]
#[case::a_later_format("{\"format\":2}\n", "a trace of format 2")]
#[case::a_broken_line("{\"format\":1}\n{\"t_ns\":1}\n", "line 2")]
fn a_file_that_is_no_trace_is_said_to_be_none(#[case] content: &str, #[case] says: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("x.jsonl");
    fs::write(&file, content).expect("written");
    let output = life(&file, "0.1");
    let text = complaint(&output);
    assert!(text.contains(says), "{text}");
}
