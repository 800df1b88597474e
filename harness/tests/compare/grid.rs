//! `squall compare`.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::{root, squall, stdout};
use rstest::rstest;
use squall::reports::comparison::{Cell, Comparison, Figure};
use squall::reports::{Bytes, Layer, json};

const SCENARIO: &str = "scenarios/overhead/readings.toml";

/// Fewer sensors than the scenario has: what is to be seen does not hang on their
/// number.
const FEW: &str = "fleet.sensor.count=8";

/// Runs `squall compare` on the scenario made for it, quietly.
fn compare(arguments: &[&str]) -> Output {
    let fixed = ["compare", SCENARIO, "--quiet", "--set", FEW];
    squall(fixed.iter().chain(arguments))
}

/// What came of a comparison, from its JSON.
fn comparison(arguments: &[&str]) -> Comparison {
    let output = compare(&[arguments, &["--format", "json"]].concat());
    json::parse_comparison(stdout(&output)).expect("it is a comparison")
}

fn median(cell: &Cell, figure: Figure) -> u64 {
    cell.figures[figure].expect("it was measured").median
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is UTF-8")
}

#[test]
fn two_processes_agree_however_many_runs_go_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let written = |name: &str, jobs: &str| {
        let path = directory.path().join(name);
        let out = path.to_str().expect("it is UTF-8");
        let arguments = [
            "--protocols",
            "mqtt,mqtt-ws+tls-resumed,websocket,websocket-unacked+tls-pq,http,http-keep-alive+tls",
            "--sweep",
            "loss=0,20%",
            "--seeds",
            "1..2",
            "--jobs",
            jobs,
            "--out",
            out,
        ];
        stdout(&compare(&arguments));
        fs::read_to_string(path).expect("it was written")
    };
    let (one, other) = (written("one.json", "1"), written("other.json", "2"));
    assert!(one == other, "other bytes");
    let comparison = json::parse_comparison(&one).expect("it is a comparison");
    assert_eq!((comparison.planned, comparison.ended()), (24, 24));
}

#[test]
fn a_grid_has_every_protocol_at_every_point() {
    let comparison = comparison(&[
        "--protocols",
        "mqtt,mqtt5",
        "--sweep",
        "qos=0,1",
        "--sweep",
        "loss=0,30%",
        "--seeds",
        "3..4",
    ]);
    let places: Vec<String> = comparison
        .cells
        .iter()
        .map(|cell| format!("{} {}", cell.protocol, cell.at.join(" ")))
        .collect();
    let expected = [
        "mqtt 0 0",
        "mqtt5 0 0",
        "mqtt 0 30%",
        "mqtt5 0 30%",
        "mqtt 1 0",
        "mqtt5 1 0",
        "mqtt 1 30%",
        "mqtt5 1 30%",
    ];
    assert_eq!(places, expected);
    for cell in &comparison.cells {
        let seeds: Vec<u64> = cell.runs.iter().map(|run| run.seed).collect();
        assert_eq!(seeds, [3, 4]);
        for run in &cell.runs {
            run.bytes.check().expect("the layers add up");
            assert_eq!(run.counts.published, 80);
        }
        let acknowledged = if cell.at[0] == "0" { 0 } else { 80 };
        assert_eq!(median(cell, Figure::Acknowledged), acknowledged);
        // Loss costs repeats, which nothing but it causes.
        let lossy = cell.at[1] != "0";
        for run in &cell.runs {
            assert_eq!(run.bytes.both(Layer::Retransmitted) > 0, lossy);
        }
        let spread = cell.figures[Figure::BytesOnWire].expect("measured");
        assert!(spread.min <= spread.median && spread.median <= spread.max);
    }
}

/// What every protocol has to bring to the recorder, and what it pays for that.
#[rstest]
#[case("mqtt", &[Layer::Mqtt, Layer::Acknowledgements, Layer::Connecting])]
#[case("mqtt5-alias", &[Layer::Mqtt, Layer::Acknowledgements, Layer::Connecting])]
#[case("mqtt-ws", &[Layer::Mqtt, Layer::WebSocket, Layer::Acknowledgements, Layer::Connecting])]
#[case("websocket", &[Layer::WebSocket, Layer::Acknowledgements, Layer::Connecting])]
#[case("websocket-unacked", &[Layer::WebSocket, Layer::Connecting])]
#[case("http-long-poll", &[Layer::Http])]
#[case("mqtt+tls", &[Layer::Mqtt, Layer::Acknowledgements, Layer::Connecting, Layer::TlsHandshake, Layer::Tls])]
#[case("websocket-unacked+tls-pq", &[Layer::WebSocket, Layer::Connecting, Layer::TlsHandshake, Layer::Tls])]
#[case("http-long-poll+tls-resumed", &[Layer::Http, Layer::TlsHandshake, Layer::Tls])]
fn every_protocol_brings_every_reading_and_pays_for_its_layers(
    #[case] protocol: &str,
    #[case] layers: &[Layer],
) {
    let comparison = comparison(&["--protocols", protocol]);
    let [cell] = comparison.cells.as_slice() else {
        panic!("one cell: {:?}", comparison.cells);
    };
    let run = &cell.runs[0];
    assert_eq!((run.counts.published, run.counts.delivered), (80, 80));
    assert_eq!(run.violated, Vec::<String>::new());
    run.bytes.check().expect("the layers add up");
    assert_eq!(run.bytes.both(Layer::Other), 0);
    let of_a_protocol = [
        Layer::Mqtt,
        Layer::WebSocket,
        Layer::Http,
        Layer::Acknowledgements,
        Layer::Connecting,
        Layer::TlsHandshake,
        Layer::Tls,
    ];
    for layer in of_a_protocol {
        let paid = run.bytes.both(layer) > 0;
        assert_eq!(paid, layers.contains(&layer), "{layer:?}: {:?}", run.bytes);
    }
    let anatomy = comparison.protocols[0].anatomy.expect("it was measured");
    anatomy.reading.check().expect("the layers add up");
    assert!(anatomy.reading.both(Layer::Payload) > 0);
}

#[test]
fn the_command_of_a_cell_does_what_was_done_for_it() {
    let comparison = comparison(&["--protocols", "mqtt5-alias", "--sweep", "payload=40,400"]);
    let cell = &comparison.cells[1];
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("{} --quiet --format json", cell.command)])
        .current_dir(root())
        .env("PATH", path_with_squall())
        .output()
        .expect("sh starts");
    // With fewer sensors the scenario's own bounds do not hold.
    let report = json::parse(text(&output.stdout)).expect("it is a report");
    assert_eq!(report.bytes, cell.runs[0].bytes);
    assert_eq!(report.arrived.total, cell.runs[0].counts);
}

/// Where a shell finds the command under test.
fn path_with_squall() -> String {
    let squall = Path::new(env!("CARGO_BIN_EXE_squall"));
    let directory = squall.parent().expect("it is in a directory");
    let others = std::env::var("PATH").unwrap_or_default();
    format!("{}:{others}", directory.display())
}

/// With a topic alias, the first message of a connection costs more, and each
/// that follows less.
#[test]
fn a_crossover_is_what_runs_to_both_sides_of_it_show() {
    let over = |values: &str| {
        let sweep = format!("readings_per_session={values}");
        let protocols = ["--protocols", "mqtt5,mqtt5-alias", "--set"];
        let long = "fleet.sensor.publish.topic=hall/a/rather/long/topic/of/{device}";
        let filter = "fleet.recorder.subscribe.0.filter=hall/#";
        let rest = [long, "--set", filter, "--sweep", &sweep];
        comparison(&[&protocols[..], &rest].concat())
    };
    let coarse = over("1,20");
    let crossover = coarse.crossovers.first().expect("a crossover");
    assert_eq!(
        (crossover.cheaper.as_str(), crossover.than.as_str()),
        ("mqtt5-alias", "mqtt5")
    );
    assert_eq!(crossover.between, [1, 20]);
    assert!(crossover.every_seed);
    let (before, from) = (crossover.from - 1, crossover.from);
    let fine = over(&format!("{before},{from}"));
    let cost = |protocol: &str, at: u64| {
        let cell = fine.cell(protocol, &[at.to_string()]).expect("a cell");
        median(cell, Figure::BytesOnWire)
    };
    assert!(cost("mqtt5-alias", before) >= cost("mqtt5", before));
    assert!(cost("mqtt5-alias", from) < cost("mqtt5", from));
}

#[test]
fn a_device_alone_pays_for_its_session_its_readings_and_its_idling() {
    let comparison = comparison(&["--protocols", "mqtt", "--sweep", "qos=0,1"]);
    let anatomy = comparison.protocols[0].anatomy.expect("it was measured");
    let on_wire = |bytes: &Bytes| {
        bytes.check().expect("the layers add up");
        bytes.on_wire()
    };
    // One PUBLISH and its PUBACK, which QoS 1 asks for.
    assert_eq!(anatomy.reading.both(Layer::Acknowledgements), 4);
    assert_eq!(anatomy.reading.both(Layer::Connecting), 0);
    assert!(on_wire(&anatomy.reading) > 4 + 2 * 40);
    // CONNECT, CONNACK and DISCONNECT, and TCP's opening and closing.
    assert!(anatomy.session.both(Layer::Connecting) > 0);
    assert!(anatomy.session.both(Layer::TcpHandshake) >= 4 * 40);
    assert_eq!(anatomy.session.both(Layer::Payload), 0);
    // A ping and its answer each minute.
    let idle = anatomy.idle_hour.expect("the connection is kept");
    assert_eq!(idle.both(Layer::KeepAlive), 60 * 4);
    assert!(on_wire(&idle) > 60 * (4 + 2 * 40));
    // TCP's, then MQTT's own, before anything can be said; and the PUBACK's.
    assert_eq!(anatomy.round_trips_before_reading, Some(2));
    assert_eq!(anatomy.round_trips_of_reading, Some(1));
}

#[test]
fn what_an_older_version_cannot_say_is_left_out_and_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let scenario = directory.path().join("newer.toml");
    let text = fs::read_to_string(root().join(SCENARIO)).expect("readable");
    let text = text.replace(
        "clean_session = false",
        "version = \"5.0\", session_expiry = \"1h\"",
    );
    fs::write(&scenario, text).expect("written");
    let scenario = scenario.to_str().expect("it is UTF-8");
    let arguments = [
        "compare",
        scenario,
        "--quiet",
        "--protocols",
        "mqtt5,mqtt",
        "--set",
        FEW,
    ];
    let output = squall(arguments);
    let report = stdout(&output);
    let told = "mqtt: `mqtt.session_expiry` of the fleet `recorder` has no counterpart.";
    assert!(report.contains(told), "{report}");
    assert!(!report.contains("mqtt5, mqtt: `"), "{report}");
}

#[rstest]
#[case::no_such_protocol(&["--protocols", "mqtt,mqqt5"], "unknown protocol `mqqt5`")]
#[case::the_nearest_is_named(&["--protocols", "mqtt,mqqt5"], "did you mean `mqtt5`?")]
#[case::a_protocol_twice(&["--protocols", "mqtt,mqtt"], "`mqtt` is there twice")]
#[case::no_protocol(&["--protocols", ""], "unknown protocol ``")]
#[case::no_such_sweep(&["--sweep", "los=0,1%"], "did you mean `loss`?")]
#[case::no_such_key(&["--sweep", "fleet.sensor.mqtt.keep_alife=10s"], "unknown key `keep_alife`")]
#[case::no_such_fleet(&["--sweep", "fleet.censor.count=1,2"], "did you mean `sensor`?")]
#[case::no_values(&["--sweep", "loss="], "a list with a value missing")]
#[case::no_list(&["--sweep", "loss"], "`loss` sweeps over nothing")]
#[case::a_sweep_twice(&["--sweep", "loss=0", "--sweep", "loss=1%"], "`loss` is there twice")]
#[case::a_value_of_no_sense(&["--sweep", "loss=0,150%"], "`150%` is not a probability")]
#[case::a_grid_of_too_many_runs(&["--seeds", "1..1000000"], "more runs than anyone waits for")]
#[case::a_grid_that_takes_too_long(&["--sweep", "duration=900d", "--set", "network.tick=1ms"], "on this machine")]
#[case::no_such_format(&["--out", "report.pdf"], "no such format")]
#[case::over_the_scenario(&["--out", SCENARIO], "no such format")]
#[case::nowhere(&["--out", "no/such/directory/report.md"], "cannot write no/such/directory/report.md")]
#[case::a_seed_that_is_none(&["--seeds", "3"], "write A..B")]
fn a_mistake_is_2_and_nothing_is_run(#[case] arguments: &[&str], #[case] says: &str) {
    let output = compare(arguments);
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains(says), "{complaint}");
    assert_eq!(text(&output.stdout), "");
}

#[test]
fn a_grid_that_needs_more_memory_than_there_is_is_refused() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(["compare", SCENARIO, "--sweep", "devices=10,10000"])
        .current_dir(root())
        .env("SQUALL_MEMORY_AVAILABLE_BYTES", "100000000")
        .output()
        .expect("squall starts");
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains("of memory"), "{complaint}");
}

#[test]
fn a_dry_run_says_how_much_it_is() {
    let arguments = ["--sweep", "loss=0,1%", "--seeds", "1..3", "--dry-run"];
    let output = compare(&arguments);
    let says = stdout(&output);
    assert!(
        says.starts_with("4 protocols, 2 of loss, 3 seeds: 24 runs, about "),
        "{says}"
    );
}

/// Most of a year of sensors takes far longer than it takes to interrupt it.
#[cfg(unix)]
#[test]
fn an_interrupted_comparison_is_partial() {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    let mut child = Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(["compare", SCENARIO, "--protocols", "mqtt", "--jobs", "1"])
        .args(["--set", FEW, "--format", "json"])
        .args(["--sweep", "duration=8m,300d"])
        .current_dir(root())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("squall starts");
    // It says how much it is just before the first run begins.
    let mut notes = child.stderr.take().expect("it is piped");
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("runs, about") {
        let mut byte = [0];
        notes.read_exact(&mut byte).expect("it says its size");
        said.push(byte[0]);
    }
    let interrupt = format!("sleep 0.5; kill -INT {}", child.id());
    let killed = Command::new("sh").args(["-c", &interrupt]).status();
    assert!(killed.expect("sh starts").success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    let comparison = json::parse_comparison(text(&output.stdout)).expect("a comparison");
    assert!(comparison.partial);
    assert_eq!((comparison.planned, comparison.cells.len()), (2, 2));
    // A run that was cut short would count as one that lost its readings.
    assert_eq!(comparison.cells[1].runs, []);
}
