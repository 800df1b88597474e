//! What a run's page tells is what happened: its counts are the report's, and
//! what is told of single messages is what the trace has of them.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use rstest::rstest;
use squall::scenario::Scenario;
use squall::sim::{self, RunOptions};
use squall_reports::story::{Fate, Message, Story, Stretch};
use squall_reports::{Report, Verdict, html};

fn told(scenario: &str, changes: &[&str]) -> (Report, Story) {
    let path = support::root().join(format!("scenarios/{scenario}.toml"));
    let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
    let scenario = Scenario::load(&path, &changes).expect("a scenario");
    sim::run_with_story(&scenario, &RunOptions::seed(1)).expect("it runs")
}

#[rstest]
#[case::every_packet_lost_now_and_then("faults/lossy-cell-5", &["fleet.thermometer.count=60"])]
#[case::readings_that_nobody_repeats("qos/ephemeral-nb-iot", &[])]
#[case::a_broker_that_crashes("faults/restart-mid-everything", &[])]
#[case::several_subscribers("smoke/mixed-qos", &[])]
fn the_stretches_of_a_run_add_up_to_its_report(#[case] scenario: &str, #[case] changes: &[&str]) {
    let (report, story) = told(scenario, changes);
    let sum = |read: fn(&Stretch) -> u64| story.stretches.iter().map(read).sum::<u64>();
    let total = &report.arrived.total;
    assert_eq!(sum(|stretch| stretch.published), total.published);
    assert_eq!(sum(|stretch| stretch.lost), total.lost);
    let received = report.arrived.receivers.iter();
    let received: u64 = received.map(|receiver| receiver.received).sum();
    assert_eq!(sum(|stretch| stretch.delivered), received);
    let (mut sent, mut lost) = (0, 0);
    for site in &report.weather.sites {
        sent += site.up.sent + site.down.sent;
        lost += site.up.lost_total() + site.down.lost_total();
    }
    assert_eq!(sum(|stretch| stretch.packets), sent);
    assert_eq!(sum(|stretch| stretch.packets_lost), lost);
    let broken = report.connections.refused + report.connections.failed.values().sum::<u64>();
    assert_eq!(sum(|stretch| stretch.broken), broken);
    assert_eq!(story.messages_total, total.published);
    assert_eq!(story.devices_total, report.devices);
    let highest = story
        .stretches
        .iter()
        .map(|stretch| stretch.connected)
        .max();
    assert!(highest > Some(0) && highest <= Some(report.devices));
}

/// In a small run every message is told, and its fate is what the report counts.
#[rstest]
#[case("smoke/qos0", &[])]
#[case("smoke/qos1", &[])]
#[case("smoke/qos2", &[])]
#[case("smoke/mixed-qos", &[])]
#[case("smoke/persistent-session", &[])]
fn every_message_of_a_small_run_is_told(#[case] scenario: &str, #[case] changes: &[&str]) {
    let (report, story) = told(scenario, changes);
    let total = &report.arrived.total;
    assert_eq!(story.messages.len() as u64, total.published);
    let sum = |read: fn(&Message) -> u64| story.messages.iter().map(read).sum::<u64>();
    assert_eq!(sum(|message| message.missing), total.lost);
    let acknowledged = |message: &&Message| message.acknowledged_ns.is_some();
    let acknowledged = story.messages.iter().filter(acknowledged).count() as u64;
    assert_eq!(acknowledged, total.acknowledged);
    for message in &story.messages {
        let packets = message.steps.iter().filter(|step| step.to.is_some());
        assert!(
            packets.count() > 0 || message.given_up.is_some(),
            "{message:?}"
        );
        let deliveries = message.steps.iter().filter(|step| {
            step.what.starts_with("PUBLISH") && step.from == "broker" && step.arrived_ns.is_some()
        });
        let told = deliveries.count() as u64;
        let delivered = message.delivered + message.repeated;
        assert!(
            told == delivered || message.receivers_left_out > 0,
            "{message:?}"
        );
        for step in &message.steps {
            assert!(
                step.left_ns.is_none()
                    || step.arrived_ns.is_none()
                    || step.left_ns <= step.arrived_ns
            );
        }
        assert!(message.steps.is_sorted_by_key(|step| step.first_ns()));
    }
}

#[test]
fn a_message_of_qos_2_is_told_packet_by_packet() {
    let (_, story) = told("smoke/qos2", &[]);
    let message = story.messages.first().expect("a message");
    let steps = message.steps.iter().filter(|step| step.to.is_some());
    let words: Vec<&str> = steps
        .map(|step| step.what.split([' ', ',']).next().unwrap_or_default())
        .filter(|word| word.starts_with("PUB"))
        .collect();
    let kinds: BTreeSet<&str> = words.iter().copied().collect();
    assert_eq!(kinds.len(), 4, "{words:?}");
    assert_eq!(words.iter().filter(|word| **word == "PUBLISH").count(), 2);
    assert!(
        message.steps.iter().all(|step| !step.is_lost()),
        "{message:?}"
    );
    assert_eq!(message.fate(), Fate::Delivered);
}

/// TCP hides the loss of packets from MQTT; a story does not.
#[test]
fn a_lost_packet_and_its_repetition_are_told_beside_the_message() {
    let (_, story) = told("smoke/qos1", &[]);
    let steps = || story.messages.iter().flat_map(|message| &message.steps);
    let lost = steps().find(|step| step.what == "a TCP packet, lost: loss");
    assert!(lost.expect("a lost packet").is_lost());
    assert!(steps().any(|step| step.what == "a TCP packet, sent again"));
}

/// Whatever a violated guarantee names is told, however many messages there are.
#[test]
fn what_is_violated_is_told() {
    let quirk = ["broker.quirks=[\"forgets-inflight-qos1\"]"];
    let (report, story) = told("faults/nat-rebinding", &quirk);
    let violated = report.guarantees.iter();
    let violated = violated.filter(|guarantee| guarantee.verdict == Verdict::Violated);
    let mut named = 0;
    for guarantee in violated {
        for violation in &guarantee.violations {
            let Some(command) = &violation.command else {
                continue;
            };
            let Some((_, id)) = command.rsplit_once("squall trace run.jsonl ") else {
                continue;
            };
            let message = story.messages.iter().find(|message| message.id == id);
            let message = message.unwrap_or_else(|| panic!("{id} is not told"));
            assert!(message.violates.contains(&guarantee.name));
            assert_eq!(message.fate(), Fate::Violated);
            named += 1;
        }
    }
    assert!(named > 0, "the quirk was not caught");
    let page = html::render_run(&report, &story);
    assert!(page.contains("class=\"case message violated\""));
}

/// The page of one run is the same, byte for byte, in another process.
#[test]
fn two_processes_write_the_same_page() {
    let directory = tempfile::tempdir().expect("a directory");
    let page = |name: &str| {
        let file = directory.path().join(name);
        let words = ["run", "scenarios/smoke/qos1.toml", "--quiet", "--html"];
        let words = words.map(Path::new);
        support::stdout(&support::squall(words.into_iter().chain([file.as_path()])));
        std::fs::read(file).expect("a page")
    };
    let (one, other) = (page("one.html"), page("other.html"));
    assert!(one.starts_with(b"<!DOCTYPE html>"));
    assert!(one == other, "the pages differ");
}

/// What passes between a device and the hub, or the server for HTTP, is told in the
/// words of its protocol, and nothing is called lost that nobody would have told of.
#[rstest]
#[case::a_hub("overhead/websocket", &["data frame"], &["data frame"], None)]
#[case::a_hub_that_acknowledges(
    "overhead/websocket-acknowledged",
    &["data frame", "data frame, sent again"],
    &["acknowledgement", "data frame"],
    Some("acknowledgement")
)]
#[case::requests(
    "overhead/rest",
    &["POST"],
    &["response to GET", "response to POST"],
    Some("response to POST")
)]
fn what_is_no_mqtt_is_told_in_its_own_words(
    #[case] scenario: &str,
    #[case] up: &[&str],
    #[case] down: &[&str],
    #[case] acknowledges: Option<&str>,
) {
    let (_, story) = told(scenario, &[]);
    let (mut sent, mut got) = (BTreeSet::new(), BTreeSet::new());
    for message in &story.messages {
        assert!(message.protocol.is_some(), "{message:?}");
        let packets = message
            .steps
            .iter()
            .filter(|step| step.to.is_some() && !step.what.starts_with("a TCP packet"));
        let mut acknowledged = None;
        for step in packets {
            assert!(!step.is_lost(), "{step:?}");
            match step.from == message.publisher {
                true => sent.insert(step.what.as_str()),
                false => got.insert(step.what.as_str()),
            };
            if Some(step.what.as_str()) == acknowledges {
                acknowledged = step.arrived_ns;
            }
        }
        if acknowledges.is_some() {
            assert_eq!(acknowledged, message.acknowledged_ns, "{message:?}");
        }
        let sessions = message
            .steps
            .iter()
            .find(|step| step.what.contains("session"));
        assert_eq!(sessions, None, "sessions are MQTT's");
    }
    assert_eq!(Vec::from_iter(sent), up);
    assert_eq!(Vec::from_iter(got), down);
}

/// Of a thousand devices, a page tells as many as one can look at.
#[test]
fn the_page_of_a_thousand_devices_is_small() {
    let (report, story) = told("faults/lossy-cell", &[]);
    assert!(report.devices > 1_000);
    let bytes = html::render_run(&report, &story).len();
    assert!(bytes < 2_000_000, "{bytes} B");
}
