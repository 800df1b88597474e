//! Every kind of fault in a run: that it strikes, whom and when, as the trace and
//! the report tell it.

use rstest::rstest;
use serde_json::Value;
use squall::reports::{FaultSpan, Report};
use squall::scenario::Scenario;
use squall::sim::{self, RunOptions};
use std::path::Path;

/// Ten thermometers in the valley, always on, and a recorder in the office.
const SCENARIO: &str = r#"
title = "Weather"
duration = "20m"
[[site]]
name = "valley"
link = { latency = "20ms" }
[[site]]
name = "office"
link = { latency = "10ms" }
[[fleet]]
name = "thermometer"
site = "valley"
count = 10
mqtt = { keep_alive = "30s", clean_session = false }
publish = { topic = "t/{device}", every = "1m", qos = 1 }
[[fleet]]
name = "recorder"
site = "office"
count = 1
mqtt = { clean_session = false }
subscribe = [{ filter = "t/+", qos = 1 }]
"#;

const SECOND: u64 = 1_000_000_000;

struct Run {
    report: Report,
    trace: Vec<Value>,
}

impl Run {
    fn new(faults: &str) -> Run {
        Run::with(faults, &[])
    }

    /// The same with other values in the scenario.
    fn with(faults: &str, overrides: &[&str]) -> Run {
        let text = format!("{SCENARIO}{faults}\n");
        let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
        let scenario = Scenario::parse(Path::new("weather.toml"), &text, &overrides)
            .unwrap_or_else(|error| panic!("{}", error.render(false, 100)));
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("trace.jsonl");
        let options = RunOptions {
            seed: 1,
            trace: Some(path.clone()),
            ..RunOptions::default()
        };
        let report = sim::run(&scenario, &options).expect("the run goes through");
        let trace = std::fs::read_to_string(path).expect("a trace was written");
        let trace = trace.lines().skip(1);
        Run {
            report,
            trace: trace
                .map(|line| serde_json::from_str(line).expect("a line of JSON"))
                .collect(),
        }
    }

    /// The one fault of the report.
    fn fault(&self) -> &FaultSpan {
        let [fault] = self.report.weather.faults.as_slice() else {
            panic!("one fault, not {:#?}", self.report.weather.faults);
        };
        fault
    }

    /// What the faults of the report did.
    fn effects(&self) -> Vec<&str> {
        let faults = self.report.weather.faults.iter();
        faults.map(|fault| fault.effect.as_str()).collect()
    }

    /// Events of this name in a span of time, in seconds, both ends included.
    fn count(&self, event: &str, from_s: u64, to_s: u64) -> usize {
        let within = from_s * SECOND..=to_s * SECOND;
        let entries = self.trace.iter().filter(|entry| entry["event"] == event);
        entries
            .filter(|entry| within.contains(&entry["t_ns"].as_u64().expect("a time")))
            .count()
    }

    /// Nothing that was acknowledged was lost.
    fn recovered(&self) {
        let total = &self.report.arrived.total;
        assert_eq!(total.delivered, total.owed, "{total:?}");
        assert!(total.acknowledged > 100, "{total:?}");
    }
}

#[rstest]
#[case::loss("kind = \"loss\"\nsite = \"valley\"\nloss = \"30%\"", "packets lost")]
#[case::burst_loss(
    "kind = \"burst-loss\"\nsite = \"valley\"\nburst = { enter = \"5%\", leave = \"25%\" }",
    "packets lost"
)]
#[case::latency(
    "kind = \"latency\"\nsite = \"valley\"\nlatency = \"500ms\"",
    "packets slowed down"
)]
#[case::rate(
    "kind = \"rate\"\nsite = \"valley\"\nrate = \"9 kbit/s\"",
    "packets slowed down"
)]
#[case::blackhole(
    "kind = \"blackhole\"\nfleet = \"thermometer\"",
    "packets lost, 10 connections lost"
)]
#[case::duplication(
    "kind = \"duplication\"\nsite = \"valley\"\nduplicate = \"30%\"",
    "packets doubled"
)]
#[case::reordering(
    "kind = \"reordering\"\nsite = \"valley\"\nreorder = { probability = \"30%\", delay = \"300ms\" }",
    "packets held back"
)]
#[case::partition("kind = \"partition\"\nsite = \"valley\"", "10 devices cut off, ")]
fn a_link_fault_does_what_it_says_and_is_recovered_from(#[case] fault: &str, #[case] did: &str) {
    let run = Run::new(&format!("[[fault]]\n{fault}\nat = \"6m\"\nfor = \"4m\""));
    let fault = run.fault();
    assert!(fault.effect.contains(did), "{}", fault.effect);
    assert_eq!(
        (fault.began_ns, fault.ended_ns),
        (360 * SECOND, Some(600 * SECOND))
    );
    assert_eq!(run.count("fault began", 360, 360), 1);
    assert_eq!(run.count("fault ended", 600, 600), 1);
    run.recovered();
}

#[test]
fn a_partition_shorter_than_keep_alive_costs_no_connection() {
    let run =
        Run::new("[[fault]]\nkind = \"partition\"\nsite = \"valley\"\nat = \"6m\"\nfor = \"5s\"");
    assert_eq!(run.report.connections.attempts, 11);
    run.recovered();
}

#[test]
fn what_a_partition_holds_arrives_when_it_ends() {
    let run = Run::new(
        "[[fault]]\nkind = \"partition\"\nsite = \"valley\"\nhold = true\nat = \"6m\"\nfor = \"20s\"",
    );
    let effect = &run.fault().effect;
    assert!(
        effect.contains("packets held") && !effect.contains("lost"),
        "{effect}"
    );
    assert!(run.report.weather.sites[0].up.lost.is_empty());
    run.recovered();
}

#[test]
fn every_lost_packet_has_its_cause() {
    let run = Run::new(
        "[[fault]]\nkind = \"blackhole\"\nfleet = \"thermometer\"\nat = \"2m\"\nfor = \"1m\"\n\
         [[fault]]\nkind = \"partition\"\nsite = \"valley\"\nat = \"6m\"\nfor = \"1m\"\n\
         [[fault]]\nkind = \"nat-rebinding\"\nsite = \"valley\"\nat = \"10m\"",
    );
    let [up, down] = [
        &run.report.weather.sites[0].up,
        &run.report.weather.sites[0].down,
    ];
    let causes: Vec<&str> = up.lost.keys().map(String::as_str).collect();
    assert_eq!(causes, ["NAT rebinding", "blackhole", "partition"]);
    let lost: u64 = up.lost_total() + down.lost_total();
    let told: u64 = run.report.weather.faults.iter().map(lost_packets).sum();
    assert_eq!(told, lost, "{:#?}", run.report.weather.faults);
}

/// The packets that a fault lost, out of its effect.
fn lost_packets(fault: &FaultSpan) -> u64 {
    let phrases = fault.effect.split(", ");
    let words = phrases.filter_map(|phrase| phrase.strip_suffix(" packets lost"));
    words
        .map(|number| number.replace(',', "").parse::<u64>().expect("a number"))
        .sum()
}

#[test]
fn a_nat_that_forgets_cuts_off_every_connection_and_new_ones_work() {
    let run = Run::new("[[fault]]\nkind = \"nat-rebinding\"\nfleet = \"thermometer\"\nat = \"6m\"");
    let fault = run.fault();
    assert!(
        fault.effect.starts_with("10 connections cut off, "),
        "{}",
        fault.effect
    );
    assert_eq!(fault.ended_ns, Some(fault.began_ns));
    assert_eq!(run.count("connected", 361, 480), 10);
    run.recovered();
}

#[rstest]
#[case::power_cut(
    "power-cut",
    "site = \"valley\"\nfor = \"1m\"",
    "10 devices without power, 10 connections cut",
    "vanished",
    10
)]
#[case::vanish(
    "vanish",
    "fleet = \"thermometer\"\nfor = \"1m\"\ndevices = 3",
    "3 devices gone, 3 connections left open",
    "vanished",
    3
)]
#[case::reset(
    "reset",
    "fleet = \"thermometer\"",
    "10 connections reset",
    "reset",
    10
)]
#[case::disconnect(
    "disconnect",
    "fleet = \"thermometer\"",
    "10 connections ended",
    "disconnected",
    10
)]
#[case::battery_death(
    "battery-death",
    "fleet = \"thermometer\"\nfor = \"2m\"",
    "10 devices died in mid-packet",
    "vanished",
    10
)]
#[case::reconnect_storm(
    "reconnect-storm",
    "site = \"valley\"",
    "10 devices dialled again at once",
    "connecting",
    10
)]
#[case::clock_drift(
    "clock-drift",
    "fleet = \"thermometer\"\ndrift = \"-500 ppm\"\nfor = \"1m\"",
    "10 clocks 500 ppm slow",
    "connected",
    0
)]
fn a_device_fault_strikes_its_devices(
    #[case] kind: &str,
    #[case] keys: &str,
    #[case] effect: &str,
    #[case] event: &str,
    #[case] times: usize,
) {
    let run = Run::new(&format!(
        "[[fault]]\nkind = \"{kind}\"\nat = \"6m\"\n{keys}"
    ));
    let fault = run.fault();
    assert!(fault.effect.starts_with(effect), "{}", fault.effect);
    assert_eq!(fault.began_ns, 360 * SECOND);
    assert_eq!(run.count(event, 360, 420), times, "{event}");
    run.recovered();
}

#[test]
fn devices_that_sleep_in_a_handshake_leave_a_connection_half_made() {
    let run = Run::new(
        "[[fault]]\nkind = \"sleep-in-handshake\"\nfleet = \"thermometer\"\nat = \"5m\"\nfor = \"2m\"\n\
         [[fault]]\nkind = \"reset\"\nfleet = \"thermometer\"\nat = \"6m\"",
    );
    let [asleep, reset] = run.report.weather.faults.as_slice() else {
        panic!("two faults, not {:#?}", run.report.weather.faults);
    };
    assert_eq!(reset.effect, "10 connections reset");
    assert!(asleep.effect.starts_with("10 devices asleep"), "{asleep:?}");
    run.recovered();
}

#[test]
fn a_server_that_crashes_is_down_until_it_starts_again() {
    let run = Run::new("[[fault]]\nkind = \"server-crash\"\nat = \"6m\"\nfor = \"30s\"");
    let fault = run.fault();
    assert_eq!(
        (fault.began_ns, fault.ended_ns),
        (360 * SECOND, Some(390 * SECOND))
    );
    assert_eq!(fault.effect, "server down 30 s, 11 connections lost");
    let by_server = |entry: &&Value| entry["at"] == "broker" && entry["event"] == "received";
    let received: Vec<u64> = run
        .trace
        .iter()
        .filter(by_server)
        .map(|e| e["t_ns"].as_u64().expect("a time"))
        .collect();
    assert!(
        received
            .iter()
            .all(|at| !(360 * SECOND..390 * SECOND).contains(at))
    );
    assert!(received.iter().any(|at| *at > 390 * SECOND));
    assert_eq!(run.count("connected", 390, 600), 11);
}

#[test]
fn a_server_that_is_paused_keeps_its_connections_and_goes_on() {
    let run = Run::new("[[fault]]\nkind = \"server-pause\"\nat = \"6m\"\nfor = \"10s\"");
    assert_eq!(run.fault().effect, "server paused 10 s");
    assert_eq!(run.report.connections.attempts, 11);
    run.recovered();
}

#[test]
fn crashes_that_overlap_leave_the_server_down_until_the_last_is_over() {
    let run = Run::new(
        "[[fault]]\nkind = \"server-crash\"\nat = \"6m\"\nfor = \"30s\"\n\
         [[fault]]\nkind = \"server-crash\"\nat = \"370s\"\nfor = \"40s\"",
    );
    assert_eq!(run.count("received", 361, 409), 0);
    assert_eq!(run.count("connected", 410, 600), 11);
    assert_eq!(
        run.effects(),
        ["server down 30 s, 11 connections lost", "server down 40 s"],
        "a connection is lost once"
    );
}

#[test]
fn turns_of_a_crash_that_overlap_are_told_as_one() {
    let run =
        Run::new("[[fault]]\nkind = \"server-crash\"\nat = \"6m..7m\"\nfor = \"2m\"\ncount = 3");
    let effect = &run.fault().effect;
    assert!(
        effect.ends_with(", 11 connections lost, 3 turns that overlapped"),
        "{effect}"
    );
}

#[test]
fn a_device_that_is_struck_twice_is_gone_once() {
    let run = Run::new(
        "[[fault]]\nkind = \"vanish\"\nfleet = \"thermometer\"\nat = \"6m\"\nfor = \"2m\"\n\
         [[fault]]\nkind = \"vanish\"\nsite = \"valley\"\nat = \"7m\"\nfor = \"2m\"\n\
         [[fault]]\nkind = \"power-cut\"\nsite = \"valley\"\nat = \"510s\"\nfor = \"1m\"",
    );
    assert_eq!(
        run.effects(),
        [
            "10 devices gone, 10 connections left open",
            "10 devices gone already",
            "10 devices without power already, 10 packets lost"
        ]
    );
    run.recovered();
}

#[test]
fn a_battery_that_sends_nothing_in_time_is_spared() {
    let fault = |lasts: &str| {
        Run::new(&format!(
            "[[fault]]\nkind = \"battery-death\"\nfleet = \"thermometer\"\nat = \"6m\"\nfor = \"{lasts}\""
        ))
    };
    let spared = fault("100ms");
    assert_eq!(spared.fault().effect, "no effect");
    assert_eq!(spared.count("vanished", 0, 1_200), 0);
    let struck = fault("2m");
    assert_eq!(struck.fault().effect, "10 devices died in mid-packet");
    assert_eq!(struck.count("woke", 480, 480), 10, "at its end");
}

#[rstest]
#[case::drop(
    "drop",
    "packet = \"PUBACK\"",
    "1 packet dropped",
    "PUBACK to thermometer-3"
)]
#[case::answer_lost(
    "nat-rebinding",
    "packet = \"PUBLISH\", from = \"client\", lost = false",
    "1 connection cut off, ",
    "thermometer-3, at PUBLISH"
)]
#[case::reset(
    "reset",
    "packet = \"SUBACK\", fleet = \"recorder\"",
    "1 connection reset",
    "recorder-1, at SUBACK"
)]
fn a_packet_sets_a_fault_off_whatever_carries_mqtt(
    #[case] kind: &str,
    #[case] on: &str,
    #[case] effect: &str,
    #[case] target: &str,
    #[values("mqtt", "mqtt-ws")] protocol: &str,
    #[values(false, true)] tls: bool,
) {
    let on = match on.contains("fleet") {
        true => on.to_owned(),
        false => format!("{on}, fleet = \"thermometer\", device = 3"),
    };
    let run = Run::with(
        &format!("[[fault]]\nkind = \"{kind}\"\non = {{ {on} }}"),
        &[
            &format!("protocol={protocol}"),
            &format!("tls={tls}"),
            "duration=14m",
        ],
    );
    let fault = run.fault();
    assert!(fault.effect.starts_with(effect), "{}", fault.effect);
    assert_eq!(fault.target, target);
    run.recovered();
}

#[test]
fn a_fault_whose_packet_never_comes_is_told() {
    let run =
        Run::new("[[fault]]\nkind = \"drop\"\non = { packet = \"PUBREC\", from = \"server\" }");
    assert!(run.report.weather.faults.is_empty());
    let note = "The fault drop never struck: there was no PUBREC number 1 for it.";
    let notes = &run.report.notes;
    assert!(notes.iter().any(|one| one == note), "{notes:#?}");
}
