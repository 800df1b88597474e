//! The command as a person or a script meets it: output, exit codes, files.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rstest::rstest;
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The command, in a directory of its own with one small scenario.
fn squall(directory: &TempDir) -> Command {
    let scenario = fs::read_to_string(root().join("scenarios/smoke/qos0.toml")).expect("readable");
    fs::write(directory.path().join("small.toml"), scenario).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command
        .current_dir(directory.path())
        .env_remove("SQUALL_LOG");
    command
}

fn run(directory: &TempDir, arguments: &[&str]) -> Output {
    squall(directory)
        .args(arguments)
        .output()
        .expect("the command starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is UTF-8")
}

fn here() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn a_run_that_holds_reports_on_stdout_and_notes_on_stderr() {
    let output = run(&here(), &["run", "small.toml", "--seed", "7"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).starts_with("seed 7\n"),
        "{}",
        text(&output.stderr)
    );
    let report = text(&output.stdout);
    assert!(report.contains("seed 7"), "{report}");
    assert!(
        report.contains("squall run small.toml --seed 7"),
        "{report}"
    );
    assert!(!report.contains('\u{1b}'), "no colour without a terminal");
}

#[test]
fn a_bound_that_is_broken_is_1() {
    let output = run(
        &here(),
        &["run", "small.toml", "--set", "expect.latency_max=<= 1us"],
    );
    assert_eq!(output.status.code(), Some(1));
    // The command to see it again has the change.
    assert!(text(&output.stdout).contains("--set 'expect.latency_max=<= 1us'"));
}

#[rstest]
#[case::no_such_file(&["run", "no-such.toml"], "cannot read no-such.toml")]
#[case::no_scenario_in_a_directory(&["run", "empty"], "no scenario in empty")]
#[case::a_mistake_in_a_scenario(&["run", "small.toml", "--set", "duration=-1s"], "negative duration")]
#[case::two_ways_to_say_seeds(&["run", "small.toml", "--seed", "1", "--seeds", "1..3"], "cannot be used with")]
#[case::no_seed_in_range(&["run", "small.toml", "--seeds", "4..3"], "no seed in it")]
#[case::not_a_seed(&["run", "small.toml", "--seed=-1"], "invalid value '-1'")]
#[case::no_jobs(&["run", "small.toml", "--jobs", "0"], "--jobs")]
#[case::pcap_of_many(&["run", "small.toml", "--seeds", "1..3", "--pcap", "a.pcapng"], "--pcap, --trace and --html write one run")]
#[case::trace_of_many(&["run", "small.toml", "--seeds", "1..3", "--trace", "a.jsonl"], "--pcap, --trace and --html write one run")]
#[case::page_of_many(&["run", "small.toml", "--seeds", "1..3", "--html", "a.html"], "--pcap, --trace and --html write one run")]
#[case::unwritable_page(&["run", "small.toml", "--html", "no/such/a.html"], "cannot write no/such/a.html")]
#[case::unwritable_pcap(&["run", "small.toml", "--pcap", "no/such/a.pcapng"], "cannot write no/such/a.pcapng")]
#[case::a_directory_as_trace(&["run", "small.toml", "--trace", "empty"], "cannot write empty")]
#[case::a_file_as_out(&["run", "small.toml", "--out", "small.toml"], "cannot write small.toml")]
#[case::pcap_over_its_scenario(&["run", "small.toml", "--pcap", "./empty/../small.toml"], "cannot write ./empty/../small.toml: it is a scenario")]
#[case::trace_over_its_scenario(&["run", ".", "--trace", "small.toml"], "cannot write small.toml: it is a scenario")]
#[case::pcap_and_trace_in_one(&["run", "small.toml", "--pcap", "both", "--trace", "empty/../both"], "cannot write empty/../both: it is the file of --pcap")]
#[case::pcap_and_report_in_one(&["run", "small.toml", "--pcap", "small-seed-1.txt", "--out", "."], "cannot write ./small-seed-1.txt: it is the file of --pcap")]
#[case::unknown_verb(&["rnu", "small.toml"], "unrecognized subcommand 'rnu'")]
#[case::nothing_to_run(&["run"], "SCENARIO|DIR")]
#[case::list_of_nothing(&["list", "empty"], "no scenario in empty")]
#[case::new_over_old(&["new", "small"], "small.toml exists already")]
#[case::new_nowhere(&["new", "no/such/name"], "cannot write no/such/name.toml")]
fn a_mistake_is_2_and_leaves_nothing(#[case] arguments: &[&str], #[case] says: &str) {
    let directory = here();
    fs::create_dir(directory.path().join("empty")).expect("created");
    let output = run(&directory, arguments);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains(says),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(text(&output.stdout), "");
    assert_eq!(names(directory.path()), ["empty", "small.toml"]);
}

#[cfg(unix)]
#[test]
fn a_scenario_is_not_written_over_through_a_link() {
    let directory = here();
    std::os::unix::fs::symlink("small.toml", directory.path().join("link")).expect("linked");
    let output = run(&directory, &["run", "small.toml", "--trace", "link"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("cannot write link: it is a scenario"));
    assert_eq!(names(directory.path()), ["link", "small.toml"]);
}

#[cfg(unix)]
#[test]
fn standard_output_in_a_file_is_not_written_over() {
    let directory = here();
    let stdout = fs::File::create(directory.path().join("report")).expect("created");
    let output = squall(&directory)
        .args(["run", "small.toml", "--trace", "/dev/stdout"])
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .expect("the command starts");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("where standard output goes"));
    assert_eq!(names(directory.path()), ["report", "small.toml"]);
}

#[cfg(unix)]
#[test]
fn a_trace_goes_through_a_pipe_and_a_link_as_into_a_file() {
    use std::os::unix::fs::FileTypeExt as _;

    let directory = here();
    let path = |name: &str| directory.path().join(name);
    let trace = |name: &str| {
        let output = run(&directory, &["run", "small.toml", "--trace", name]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    };
    trace("file");
    let expected = fs::read(path("file")).expect("it was written");

    pipe(&path("pipe"));
    let reader = std::thread::spawn({
        let pipe = path("pipe");
        move || fs::read(pipe).expect("readable")
    });
    trace("pipe");
    assert!(reader.join().expect("it read") == expected, "other bytes");
    let there = fs::symlink_metadata(path("pipe")).expect("it is there");
    assert!(there.file_type().is_fifo(), "the pipe was replaced");

    std::os::unix::fs::symlink("target", path("link")).expect("linked");
    trace("link");
    assert!(path("link").is_symlink(), "the link was replaced");
    assert!(
        fs::read(path("target")).expect("it was written") == expected,
        "other bytes"
    );
    assert_eq!(
        names(directory.path()),
        ["file", "link", "pipe", "small.toml", "target"]
    );
}

/// A limit on the size of files stands in for a disk that is full.
#[cfg(unix)]
#[test]
fn a_result_that_cannot_be_written_is_3_and_named_as_it_was_given() {
    let directory = here();
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" run small.toml --trace a.jsonl";
    squall(&directory);
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_squall")])
        .current_dir(directory.path())
        .output()
        .expect("sh starts");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("cannot write a.jsonl: "),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(names(directory.path()), ["small.toml"]);
}

#[test]
fn a_scenario_that_needs_more_memory_than_there_is_is_refused_with_the_estimate() {
    let directory = here();
    let output = squall(&directory)
        .args(["run", "small.toml", "--set", "fleet.sensor.count=100000"])
        .env("SQUALL_MEMORY_AVAILABLE_BYTES", "1000000000")
        .output()
        .expect("the command starts");
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("needs about 6.2 GiB of memory"), "{error}");
    assert!(error.contains("has 1.0 GiB left"), "{error}");
}

#[test]
fn a_version_for_all_fleets_is_part_of_the_command_that_runs_it_again() {
    let here = here();
    assert!(run(&here, &["new", "cell"]).status.success());
    let output = run(&here, &["run", "cell.toml", "--mqtt", "5.0"]);
    let report = text(&output.stdout);
    assert!(output.status.success(), "{report}");
    assert!(
        report.contains("squall run cell.toml --seed 1 --mqtt 5.0"),
        "{report}"
    );
}

#[test]
fn a_dry_run_says_what_would_run() {
    let output = run(&here(), &["run", "small.toml", "--dry-run", "--quiet"]);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stdout);
    for words in [
        "small.toml",
        "4 devices",
        "2 sites",
        "tick 10 ms",
        "of memory",
    ] {
        assert!(said.contains(words), "no `{words}` in {said}");
    }
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn many_seeds_are_summed_up_and_each_failing_one_has_its_command() {
    let directory = here();
    let arguments = [
        "run",
        "small.toml",
        "--seeds",
        "1..=3",
        "--jobs",
        "2",
        "--quiet",
    ];
    let output = run(&directory, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    let failing = [&arguments[..], &["--set", "expect.published=0"]].concat();
    let output = run(&directory, &failing);
    assert_eq!(output.status.code(), Some(1));
    let summary = text(&output.stdout);
    for seed in 1..=3 {
        let command = format!("squall run small.toml --seed {seed} --set expect.published=0");
        assert!(summary.contains(&command), "no `{command}` in {summary}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let directory = here();
    let report = |name: &str, seed: &str| {
        let (pcap, trace) = (format!("{name}.pcapng"), format!("{name}.jsonl"));
        let output = run(
            &directory,
            &[
                "run",
                "small.toml",
                "--seed",
                seed,
                "--format",
                "json",
                "--pcap",
                &pcap,
                "--trace",
                &trace,
            ],
        );
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let file = |name: &str| fs::read(directory.path().join(name)).expect("it was written");
        (output.stdout, file(&pcap), file(&trace))
    };
    let first = report("first", "1");
    assert!(first == report("second", "1"), "one seed, two results");
    let other = report("other", "2");
    assert!(
        first.1 != other.1 && first.2 != other.2,
        "two seeds, one result"
    );
    assert_eq!(
        names(directory.path()),
        [
            "first.jsonl",
            "first.pcapng",
            "other.jsonl",
            "other.pcapng",
            "second.jsonl",
            "second.pcapng",
            "small.toml"
        ]
    );
}

#[rstest]
#[case("terminal", "txt", "Smoke: QoS 0")]
#[case("markdown", "md", "# ")]
#[case("json", "json", "\"format\"")]
#[case("junit", "xml", "<testsuite")]
fn reports_are_written_in_each_format(
    #[case] format: &str,
    #[case] extension: &str,
    #[case] says: &str,
) {
    let directory = here();
    let output = run(
        &directory,
        &[
            "run",
            "small.toml",
            "--seeds",
            "1..2",
            "--format",
            format,
            "--out",
            "reports/new",
            "-q",
        ],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let out = directory.path().join("reports/new");
    let expected =
        ["small-seed-1", "small-seed-2", "summary"].map(|name| format!("{name}.{extension}"));
    assert_eq!(names(&out), expected);
    for name in expected {
        let report = fs::read_to_string(out.join(&name)).expect("it was written");
        assert!(
            report.contains(says) || name.starts_with("summary"),
            "{name}: {report}"
        );
        assert!(
            report.ends_with('\n') && report.len() > 40,
            "{name}: {report}"
        );
    }
}

#[test]
fn a_new_scenario_passes_as_it_is() {
    let directory = here();
    let output = run(&directory, &["new", "mine"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "mine.toml\n");
    let output = run(&directory, &["run", "mine.toml", "-q"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

#[test]
fn list_shows_title_size_and_story() {
    let output = run(&here(), &["list", "."]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!("list", text(&output.stdout));
}

#[test]
fn help_teaches() {
    let output = run(&here(), &["run", "--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    assert!(
        help.contains("Examples:") && help.contains("--set fleet.thermometer.count=10"),
        "{help}"
    );
    let output = run(&here(), &["--help"]);
    assert!(text(&output.stdout).contains("130  interrupted"));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let directory = here();
    let mut child = squall(&directory)
        .arg("schema")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    drop(child.stdout.take());
    let mut complaints = String::new();
    child
        .stderr
        .take()
        .expect("it is piped")
        .read_to_string(&mut complaints)
        .expect("readable");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(complaints, "");
}

/// A month of a busy fleet takes far longer than it takes to interrupt it.
#[cfg(unix)]
#[rstest]
#[case::one_run(&["--seed", "1"], "\"partial\": true")]
#[case::many_runs(&["--seeds", "1..9"], "\"partial\"")]
fn an_interrupted_run_reports_what_it_measured(#[case] seeds: &[&str], #[case] says: &str) {
    let directory = here();
    let mut child = squall(&directory)
        .args(["run", "small.toml", "--format", "json"])
        .args([
            "--set",
            "duration=30d",
            "--set",
            "fleet.sensor.publish.every=1s",
        ])
        .args(["--set", "fleet.sensor.count=50"])
        .args(seeds)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // The notes come just before the first run begins.
    let mut notes = child.stderr.take().expect("it is piped");
    let mut said = Vec::new();
    while !text(&said).contains("tick") {
        let mut byte = [0];
        notes.read_exact(&mut byte).expect("it says its tick");
        said.push(byte[0]);
    }
    // The handler is there once the notes are, give or take a moment.
    let interrupt = format!("sleep 0.5; kill -INT {}", child.id());
    let killed = Command::new("sh")
        .args(["-c", &interrupt])
        .status()
        .expect("sh starts");
    assert!(killed.success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    assert!(
        text(&output.stdout).contains(says),
        "{}",
        text(&output.stdout)
    );
}

/// A pipe that nobody reads keeps the run from ending when it is first asked to.
#[cfg(unix)]
#[test]
fn a_second_interrupt_leaves_nothing() {
    let directory = here();
    pipe(&directory.path().join("pipe"));
    let mut child = squall(&directory)
        .args(["run", "small.toml", "--pcap", "a.pcapng", "--trace", "pipe"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts");
    let interrupt = |script: &str| {
        let output = Command::new("sh")
            .args(["-c", script])
            .current_dir(directory.path())
            .output()
            .expect("sh starts");
        assert!(output.status.success(), "{}", text(&output.stderr));
        output.stdout
    };
    let between = interrupt(&format!(
        "sleep 1; kill -INT {}; sleep 0.5; ls -A",
        child.id()
    ));
    assert!(text(&between).contains(".a.pcapng."), "nothing was staged");
    interrupt(&format!("kill -INT {}", child.id()));
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(names(directory.path()), ["pipe", "small.toml"]);
}

#[cfg(unix)]
fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo starts").success());
}

/// A directory's entries in order.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .expect("it is there")
        .map(|entry| {
            entry
                .expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}
