//! Guarantees can be seen to fail: each deliberate defect of the reference
//! broker is caught by the guarantee it breaks, and not by liveness alone, in a
//! shipped scenario within twenty seeds, and the honest broker passes the same
//! run.
//!
//! And no scenario is there for nothing: each covers a defect, a kind of fault
//! or a claim that no other does.

use rstest::rstest;
use squall::invariants::Invariant;
use squall::reports::{Layer, Report, Verdict};
use squall::scenario::Scenario;
use squall::sim::{self, RunOptions};
use squall_broker::Quirk;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Seeds within which a defect has to show.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=20;

/// Which guarantee catches which defect, and in which scenario.
const KILLS: [(Quirk, Invariant, &str); 21] = [
    (
        Quirk::ForgetsInflightQos1,
        Invariant::Qos1AtLeastOnce,
        "faults/nat-rebinding",
    ),
    (
        Quirk::DeliversQos2Repeats,
        Invariant::Qos2ExactlyOnce,
        "qos/lost-acknowledgements",
    ),
    (
        Quirk::KeepsClearedRetained,
        Invariant::RetainedLatest,
        "retained/cleared",
    ),
    (
        Quirk::RetainFlagToEstablished,
        Invariant::RetainFlag,
        "retained/late-dashboards",
    ),
    (
        Quirk::WillAfterDisconnect,
        Invariant::Will,
        "sessions/battery-and-goodbye",
    ),
    (
        Quirk::LosesQueueOnTakeover,
        Invariant::Qos1AtLeastOnce,
        "sessions/takeover",
    ),
    (
        Quirk::ReordersOnReconnect,
        Invariant::Order,
        "qos/lost-acknowledgements",
    ),
    (Quirk::IgnoresKeepAlive, Invariant::KeepAlive, "smoke/will"),
    (
        Quirk::RepublishesAfterPubrec,
        Invariant::Qos2ExactlyOnce,
        "qos/lost-acknowledgements",
    ),
    (
        Quirk::ForwardsAfterUnsubscribe,
        Invariant::Subscription,
        "sessions/unsubscribe",
    ),
    (
        Quirk::AcknowledgesBeforeDurable,
        Invariant::Qos2ExactlyOnce,
        "qos/crash-mid-qos2",
    ),
    (
        Quirk::StaleRetainedAfterRestart,
        Invariant::RetainedLatest,
        "retained/broker-restart",
    ),
    (
        Quirk::NeverExpiresSessions,
        Invariant::Session,
        "sessions/session-expiry",
    ),
    (
        Quirk::IgnoresMessageExpiry,
        Invariant::MessageExpiry,
        "qos/message-expiry",
    ),
    (
        Quirk::ForwardsWholeExpiry,
        Invariant::MessageExpiry,
        "qos/message-expiry",
    ),
    (
        Quirk::IgnoresWillDelay,
        Invariant::Will,
        "sessions/will-delay",
    ),
    (
        Quirk::IgnoresReturnInWillDelay,
        Invariant::Will,
        "sessions/will-delay",
    ),
    (
        Quirk::PassesOnSharedQos2,
        Invariant::SharedSubscription,
        "qos/shared-workers",
    ),
    (
        Quirk::IgnoresReceiveMaximum,
        Invariant::ReceiveMaximum,
        "qos/receive-maximum",
    ),
    (
        Quirk::IgnoresRetainHandling2,
        Invariant::RetainFlag,
        "retained/options",
    ),
    (
        Quirk::IgnoresNoLocal,
        Invariant::Subscription,
        "retained/options",
    ),
];

/// What a scenario shows that a run can be asked: a sentence, its scenario, and
/// what its report must say.
type Claim = (&'static str, &'static str, fn(&Report) -> bool);

const CLAIMS: [Claim; 31] = [
    (
        "QoS 0 alone arrives on a good link",
        "smoke/qos0",
        |report| {
            report.arrived.flows.iter().all(|flow| flow.qos == 0) && report.arrived.total.lost == 0
        },
    ),
    ("TCP hides loss from QoS 1", "smoke/qos1", |report| {
        lost_packets(report) > 0 && report.arrived.total.lost == 0
    }),
    (
        "QoS 2 never repeats, though devices vanish",
        "smoke/qos2",
        |report| report.connections.sessions_resumed > 0 && report.arrived.total.duplicated == 0,
    ),
    (
        "readings of every QoS take turns",
        "smoke/mixed-qos",
        |report| {
            let qos: BTreeSet<u8> = report.arrived.flows.iter().map(|flow| flow.qos).collect();
            qos.len() == 3
        },
    ),
    (
        "a retained value greets a late subscriber",
        "smoke/retained",
        |report| {
            report
                .arrived
                .receivers
                .iter()
                .any(|receiver| receiver.retained > 0)
        },
    ),
    (
        "a session outlasts its connection",
        "smoke/persistent-session",
        |report| report.connections.sessions_resumed > 0 && report.arrived.total.lost == 0,
    ),
    (
        "one packet in ten may be lost, and no reading",
        "faults/lossy-cell",
        |report| within(lossy(report), 8..=12) && report.arrived.total.lost == 0,
    ),
    ("a cell at 1 % loss", "faults/lossy-cell-1", |report| {
        within(lossy(report), 0..=2) && report.arrived.total.lost == 0
    }),
    ("a cell at 5 % loss", "faults/lossy-cell-5", |report| {
        within(lossy(report), 4..=6) && report.arrived.total.lost == 0
    }),
    ("a cell at 20 % loss", "faults/lossy-cell-20", |report| {
        within(lossy(report), 18..=22)
    }),
    (
        "TCP outlasts a partition shorter than keep-alive",
        "faults/partition-short",
        |report| {
            report.connections.closed_by_keep_alive == 0 && report.connections.established == 11
        },
    ),
    (
        "keep-alive ends what a longer one cuts off",
        "faults/partition-long",
        |report| report.connections.closed_by_keep_alive > 0 && report.arrived.total.lost == 0,
    ),
    (
        "a held packet arrives, late",
        "faults/held-back",
        |report| {
            report.arrived.total.lost == 0
                && report
                    .arrived
                    .latency
                    .is_some_and(|latency| latency.latency_ns_max > 10_000_000_000)
        },
    ),
    ("a blackout is told by wills", "faults/blackout", |report| {
        held(report, "will") && report.connections.closed_by_keep_alive > 0
    }),
    (
        "two hundred devices resume at once",
        "faults/reconnect-storm",
        |report| report.connections.sessions_resumed >= 400,
    ),
    (
        "a stalled broker loses nothing",
        "faults/stalled-broker",
        |report| report.arrived.total.lost == 0 && report.connections.established == 11,
    ),
    (
        "every link fault at once is hidden by TCP",
        "faults/storm-front",
        |report| report.weather.faults.len() == 5 && report.arrived.total.lost == 0,
    ),
    (
        "bursts cost time, not readings",
        "faults/burst-hall",
        |report| {
            report.weather.sites[0].up.lost.contains_key("burst loss")
                && report.arrived.total.lost == 0
        },
    ),
    (
        "an ephemeral connection costs most of its bytes",
        "qos/ephemeral-nb-iot",
        |report| report.bytes_per_reading().is_some_and(|bytes| bytes > 300),
    ),
    (
        "each of ten thousand pairs gets each reading",
        "qos/many-to-many",
        |report| report.arrived.total.owed > 80_000 && report.arrived.total.lost == 0,
    ),
    (
        "a night's readings wait until the morning",
        "sessions/offline-overnight",
        |report| {
            report
                .arrived
                .latency
                .is_some_and(|latency| latency.latency_ns_max > 3_600_000_000_000)
                && report.arrived.total.lost == 0
        },
    ),
    (
        "topic aliases save a long topic's bytes",
        "qos/topic-alias",
        |report| {
            report.bytes_per_reading().is_some_and(|bytes| bytes < 320)
                && report.arrived.total.lost == 0
        },
    ),
    (
        "no restart makes the broker forget anything of MQTT 5.0",
        "faults/restart-mid-everything",
        |report| {
            let judged = ["message-expiry", "shared-subscription", "receive-maximum"];
            report.weather.faults.len() >= 6 && judged.iter().all(|id| held(report, id))
        },
    ),
    (
        "every lamp ends at the last value set",
        "stories/light-control",
        ends_at_the_last_value,
    ),
    (
        "every reading arrives that protocols are compared on",
        "overhead/readings",
        |report| report.arrived.total.owed > 0 && report.arrived.total.lost == 0,
    ),
    (
        "MQTT over WebSocket keeps its guarantees, at the price of frames",
        "overhead/mqtt-over-websocket",
        |report| {
            report.bytes.both(Layer::WebSocket) > 0
                && held(report, "qos-1-at-least-once")
                && report.arrived.total.lost == 0
        },
    ),
    (
        "a plain WebSocket loses what is under way",
        "overhead/websocket",
        |report| report.arrived.total.lost > 0 && report.arrived.total.acknowledged == 0,
    ),
    (
        "a hub that acknowledges gets every reading",
        "overhead/websocket-acknowledged",
        |report| {
            let total = report.arrived.total;
            total.acknowledged > 0 && total.acknowledged == total.published
        },
    ),
    (
        "a REST server gets every reading, and whoever polls it misses some",
        "overhead/rest",
        |report| {
            let total = report.arrived.total;
            total.acknowledged == total.published && total.lost > 0
        },
    ),
    (
        "TLS costs sensors that come and go more than all they say",
        "overhead/tls",
        |report| {
            let handshakes = report.bytes.both(Layer::TlsHandshake);
            report.arrived.total.lost == 0 && handshakes * 2 > report.bytes.on_wire()
        },
    ),
    (
        "commands wait for sleepers",
        "sessions/sleeping-devices",
        |report| {
            report
                .arrived
                .latency
                .is_some_and(|latency| latency.latency_ns_max > 300_000_000_000)
                && report.arrived.total.lost == 0
        },
    ),
];

/// Scenarios that stand for the question they ask, and may take their time: not
/// run here.
const QUESTIONS: [(&str, &str); 2] = [
    (
        "a thousand sensors live through a day",
        "faults/simulated-day",
    ),
    ("whether any seed breaks a guarantee", "faults/chaos"),
];

fn lost_packets(report: &Report) -> u64 {
    let sites = report.weather.sites.iter();
    sites
        .map(|site| site.up.lost_total() + site.down.lost_total())
        .sum()
}

/// Percent of the packets of the first site that were lost.
fn lossy(report: &Report) -> u64 {
    let site = &report.weather.sites[0];
    100 * (site.up.lost_total() + site.down.lost_total()) / (site.up.sent + site.down.sent)
}

fn within(value: u64, range: std::ops::RangeInclusive<u64>) -> bool {
    range.contains(&value)
}

fn ends_at_the_last_value(report: &Report) -> bool {
    let mut bounds = report.expectations.iter();
    let bound = bounds.find(|bound| bound.name == "last_value");
    bound.expect("it is bounded").held
}

fn held(report: &Report, id: &str) -> bool {
    verdict(report, id) == Verdict::Held
}

fn verdict(report: &Report, id: &str) -> Verdict {
    let guarantee = report
        .guarantees
        .iter()
        .find(|guarantee| guarantee.id == id);
    guarantee
        .expect("every guarantee is in every report")
        .verdict
}

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

fn load(name: &str, changes: &[String]) -> Scenario {
    let path = scenarios().join(format!("{name}.toml"));
    match Scenario::load(&path, changes) {
        Ok(scenario) => scenario,
        Err(error) => panic!("{}", error.render(false, 100)),
    }
}

fn run(scenario: &Scenario, seed: u64) -> Report {
    sim::run(scenario, &RunOptions::seed(seed)).expect("it runs")
}

fn kill(quirk: Quirk) -> (Invariant, &'static str) {
    let row = KILLS.iter().find(|(of, ..)| *of == quirk);
    let (_, invariant, scenario) = row.expect("a guarantee that catches it");
    (*invariant, scenario)
}

#[rstest]
fn is_caught_by_the_guarantee_it_breaks(
    #[values(
        Quirk::ForgetsInflightQos1,
        Quirk::DeliversQos2Repeats,
        Quirk::KeepsClearedRetained,
        Quirk::RetainFlagToEstablished,
        Quirk::WillAfterDisconnect,
        Quirk::LosesQueueOnTakeover,
        Quirk::ReordersOnReconnect,
        Quirk::IgnoresKeepAlive,
        Quirk::RepublishesAfterPubrec,
        Quirk::ForwardsAfterUnsubscribe,
        Quirk::AcknowledgesBeforeDurable,
        Quirk::StaleRetainedAfterRestart,
        Quirk::NeverExpiresSessions,
        Quirk::IgnoresMessageExpiry,
        Quirk::ForwardsWholeExpiry,
        Quirk::IgnoresWillDelay,
        Quirk::IgnoresReturnInWillDelay,
        Quirk::PassesOnSharedQos2,
        Quirk::IgnoresReceiveMaximum,
        Quirk::IgnoresRetainHandling2,
        Quirk::IgnoresNoLocal
    )]
    quirk: Quirk,
) {
    let (invariant, name) = kill(quirk);
    assert_ne!(
        invariant,
        Invariant::Liveness,
        "it has to show before time runs out"
    );
    let defective = load(name, &[format!("broker.quirks=[\"{quirk}\"]")]);
    let caught = |seed: &u64| verdict(&run(&defective, *seed), invariant.id()) == Verdict::Violated;
    let seed = SEEDS.into_iter().find(caught);
    let seed = seed.unwrap_or_else(|| panic!("{quirk} hides from {} in {name}", invariant.id()));
    let honest = run(&load(name, &[]), seed);
    squall::testing::assert_held(&honest);
}

/// What no guarantee of MQTT says of several publishers, a bound does.
#[test]
fn lamps_that_go_back_to_an_older_value_are_caught() {
    let quirk = Quirk::StaleRetainedAfterRestart;
    let defective = load(
        "stories/light-control",
        &[format!("broker.quirks=[\"{quirk}\"]")],
    );
    assert!(!ends_at_the_last_value(&run(&defective, 1)));
}

#[rstest]
fn shows_what_it_claims(#[values(0, 1)] half: usize) {
    for (claim, name, shows) in CLAIMS.iter().skip(half).step_by(2) {
        let report = run(&load(name, &[]), 1);
        assert!(shows(&report), "{name} does not show that: {claim}");
    }
}

#[test]
fn without_any_one_scenario_something_is_left_uncovered() {
    let mut covered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut cover = |what: String, scenario: &str| {
        covered.entry(what).or_default().insert(scenario.to_owned());
    };
    for (quirk, _, scenario) in KILLS {
        cover(format!("the defect {quirk}"), scenario);
    }
    for (claim, scenario) in CLAIMS.iter().map(|(claim, scenario, _)| (claim, scenario)) {
        cover(format!("the claim: {claim}"), scenario);
    }
    for (question, scenario) in QUESTIONS {
        cover(format!("the question {question}"), scenario);
    }
    let names = names();
    for name in &names {
        for fault in load(name, &[]).faults {
            cover(format!("the fault {}", fault.kind.name()), name);
        }
    }
    let mut needed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (what, by) in &covered {
        for scenario in by {
            assert!(
                names.contains(scenario),
                "{what} is covered by {scenario}, which is not there"
            );
        }
        if let (Some(only), 1) = (by.first(), by.len()) {
            needed.entry(only).or_default().push(what);
        }
    }
    for name in &names {
        assert!(
            needed.contains_key(name.as_str()),
            "scenarios/{name}.toml covers nothing that others do not: no defect, no fault, no claim"
        );
    }
    insta::assert_json_snapshot!("what_each_scenario_is_needed_for", needed);
}

/// All scenarios, such as `faults/lossy-cell`.
fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in std::fs::read_dir(scenarios()).expect("a directory") {
        let folder = folder.expect("an entry").path();
        if !folder.is_dir() || folder.ends_with("targets") {
            continue;
        }
        for file in std::fs::read_dir(&folder).expect("a directory") {
            let file = file.expect("an entry").path();
            if file.is_dir() {
                continue;
            }
            let stem = |path: &Path| {
                path.file_stem()
                    .and_then(|stem| stem.to_str())
                    .map(str::to_owned)
            };
            let name = stem(&folder).zip(stem(&file)).expect("names are UTF-8");
            names.insert(format!("{}/{}", name.0, name.1));
        }
    }
    names
}
