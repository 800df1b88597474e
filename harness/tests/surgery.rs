//! Surgical faults: each packet of the QoS 1 and QoS 2 handshakes, between
//! publisher and broker and between broker and subscriber, lost, and delivered
//! with its answer lost. The handshake is then repeated on the next connection
//! as the specification says, and the deliveries are exactly the right ones.

use rstest::rstest;
use serde_json::Value;
use squall::scenario::Scenario;
use squall::sim::{self, RunOptions};
use std::collections::BTreeMap;
use std::path::Path;

/// One sensor takes ten readings; one recorder gets them.
fn scenario(qos: u8, fault: &str) -> Scenario {
    let text = format!(
        r#"
title = "Handshakes"
duration = "10m"
drain = "5m"
[[site]]
name = "valley"
link = {{ latency = "20ms" }}
[[site]]
name = "office"
link = {{ latency = "10ms" }}
[[fleet]]
name = "sensor"
site = "valley"
count = 1
start = {{ after = "2s" }}
mqtt = {{ keep_alive = "10s", clean_session = false }}
publish = {{ topic = "t", every = "5s", readings = 10, qos = {qos} }}
[[fleet]]
name = "recorder"
site = "office"
count = 1
mqtt = {{ keep_alive = "10s", clean_session = false }}
subscribe = [{{ filter = "t", qos = {qos} }}]
{fault}
"#
    );
    Scenario::parse(Path::new("handshakes.toml"), &text, &[])
        .unwrap_or_else(|error| panic!("{}", error.render(false, 100)))
}

struct Run {
    trace: Vec<Value>,
}

impl Run {
    fn new(qos: u8, fault: &str) -> Run {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("trace.jsonl");
        let options = RunOptions {
            seed: 1,
            trace: Some(path.clone()),
            ..RunOptions::default()
        };
        sim::run(&scenario(qos, fault), &options).expect("the run goes through");
        let trace = std::fs::read_to_string(path).expect("a trace was written");
        let lines = trace.lines().skip(1);
        let trace = lines.map(|line| serde_json::from_str(line).expect("a line of JSON"));
        Run {
            trace: trace.collect(),
        }
    }

    fn of<'a>(&'a self, event: &'a str) -> impl Iterator<Item = &'a Value> {
        self.trace
            .iter()
            .filter(move |entry| entry["event"] == event)
    }

    /// Deliveries of each reading.
    fn deliveries(&self) -> BTreeMap<String, usize> {
        let published = self.of("published").map(|entry| (text(&entry["id"]), 0));
        let mut deliveries: BTreeMap<String, usize> = published.collect();
        for entry in self.of("delivered") {
            *deliveries
                .get_mut(&text(&entry["id"]))
                .expect("it was published") += 1;
        }
        deliveries
    }

    /// When the one fault struck, and the broker's events from then on.
    fn since_fault(&self) -> (u64, Vec<&Value>) {
        let began: Vec<u64> = self.of("fault began").map(at).collect();
        let [struck] = began.as_slice() else {
            panic!("the fault struck {} times", began.len());
        };
        let later = self.trace.iter().filter(|entry| at(entry) >= *struck);
        (*struck, later.collect())
    }
}

fn at(entry: &Value) -> u64 {
    entry["t_ns"].as_u64().expect("a time")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// One of the two hops of a message.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Hop {
    /// From the sensor to the broker.
    Publisher,
    /// From the broker to the recorder.
    Subscriber,
}

/// The third message's packets that go its way over a hop, as the broker saw
/// them after the fault, each repeated: a PUBLISH with DUP, or a PUBREL on the
/// next connection. Sensor and broker count packet identifiers from 1.
fn repeats<'a>(struck: u64, since: &[&'a Value], hop: Hop, packet: &str) -> Vec<&'a Value> {
    let event = match hop {
        Hop::Publisher => "received",
        Hop::Subscriber => "sent",
    };
    let of_hop = since.iter().filter(|entry| {
        entry["at"] == "broker"
            && entry["event"] == event
            && entry["packet"] == packet
            && entry["packet_id"] == 3
    });
    let repeated = |entry: &&&Value| match packet {
        "PUBLISH" => entry["dup"] == true,
        // A reconnect takes longer than a keep-alive, and a handshake does not.
        _ => at(entry) > struck + 10_000_000_000,
    };
    of_hop.filter(repeated).copied().collect()
}

#[rstest]
fn a_handshake_that_is_cut_is_taken_up_again(
    #[values(
        (1, "PUBLISH"), (1, "PUBACK"),
        (2, "PUBLISH"), (2, "PUBREC"), (2, "PUBREL"), (2, "PUBCOMP")
    )]
    (qos, packet): (u8, &str),
    #[values(Hop::Publisher, Hop::Subscriber)] hop: Hop,
    #[values(true, false)] lost: bool,
) {
    // PUBLISH and PUBREL go with the message, the others against it.
    let with_message = matches!(packet, "PUBLISH" | "PUBREL");
    let from = match (hop, with_message) {
        (Hop::Publisher, true) | (Hop::Subscriber, false) => "client",
        (Hop::Publisher, false) | (Hop::Subscriber, true) => "server",
    };
    let fleet = match hop {
        Hop::Publisher => "sensor",
        Hop::Subscriber => "recorder",
    };
    let run = Run::new(
        qos,
        &format!(
            "[[fault]]\nkind = \"nat-rebinding\"\n\
             on = {{ packet = \"{packet}\", from = \"{from}\", nth = 3, fleet = \"{fleet}\", lost = {lost} }}"
        ),
    );
    let (struck, since) = run.since_fault();

    // The end that sent a packet without an answer repeats it on its next
    // connection [MQTT311-4.4.0-1]: PUBLISH with DUP, or PUBREL. Who got its
    // answer has nothing to repeat.
    let unanswered = match (packet, lost) {
        ("PUBLISH", _) => Some("PUBLISH"),
        // The acknowledgement never came, ...
        ("PUBACK" | "PUBREC", true) => Some("PUBLISH"),
        // ... or came, and QoS 1 is complete.
        ("PUBACK", false) => None,
        // PUBREC came, and its PUBREL was lost.
        ("PUBREC", false) | ("PUBREL", _) | ("PUBCOMP", true) => Some("PUBREL"),
        ("PUBCOMP", false) => None,
        other => unreachable!("{other:?}"),
    };
    for what in ["PUBLISH", "PUBREL"] {
        let repeats = repeats(struck, &since, hop, what);
        let expected = usize::from(
            unanswered == Some(what) || (what, unanswered, qos) == ("PUBREL", Some("PUBLISH"), 2),
        );
        assert_eq!(repeats.len(), expected, "{what} repeated: {repeats:?}");
    }

    let deliveries = run.deliveries();
    assert_eq!(deliveries.len(), 10, "{deliveries:?}");
    match qos {
        // At least once: a repeat whose first try had arrived comes twice.
        1 => {
            let twice = deliveries.values().filter(|times| **times == 2).count();
            let once = deliveries.values().filter(|times| **times == 1).count();
            assert_eq!(twice + once, 10, "{deliveries:?}");
            let duplicated = matches!((packet, lost), ("PUBLISH", false) | ("PUBACK", true));
            assert_eq!(twice, usize::from(duplicated), "{deliveries:?}");
        }
        // Exactly once.
        _ => assert!(
            deliveries.values().all(|times| *times == 1),
            "{deliveries:?}"
        ),
    }
}

#[rstest]
#[case::once(1)]
#[case::three_times(3)]
fn a_dropped_packet_is_repeated_by_tcp_and_the_connection_lives(#[case] times: u32) {
    let fault = format!(
        "[[fault]]\nkind = \"drop\"\ntimes = {times}\non = {{ packet = \"PUBACK\", from = \"server\", nth = 2 }}"
    );
    let run = Run::new(1, &fault);
    run.since_fault();
    let ended: Vec<&Value> = run.of("fault ended").collect();
    assert_eq!(ended[0]["target"], "PUBACK to sensor-1");
    assert_eq!(run.of("connected").count(), 2, "one connection each");
    assert!(run.deliveries().values().all(|times| *times == 1));
}

#[test]
fn a_device_can_be_reset_or_vanish_at_a_packet() {
    for (kind, event) in [("reset", "reset"), ("vanish", "vanished")] {
        let lasts = if kind == "vanish" {
            "for = \"30s\"\n"
        } else {
            ""
        };
        let fault = format!(
            "[[fault]]\nkind = \"{kind}\"\n{lasts}on = {{ packet = \"PUBREC\", from = \"server\", nth = 3 }}"
        );
        let run = Run::new(2, &fault);
        let (struck, since) = run.since_fault();
        let gone = since.iter().find(|entry| entry["event"] == event);
        let gone = gone.unwrap_or_else(|| panic!("{event} after {struck}"));
        assert!(
            at(gone) - struck <= 10_000_000,
            "{} ns later",
            at(gone) - struck
        );
        assert!(run.deliveries().values().all(|times| *times == 1));
    }
}

#[rstest]
#[case::before_it_leaves(true)]
#[case::right_after_it_left(false)]
fn a_server_crashes_at_a_packet(#[case] lost: bool) {
    let fault = format!(
        "[[fault]]\nkind = \"server-crash\"\nfor = \"20s\"\n\
         on = {{ packet = \"PUBACK\", nth = 3, from = \"server\", fleet = \"sensor\", lost = {lost} }}"
    );
    let run = Run::new(1, &fault);
    let (struck, since) = run.since_fault();
    let third = run
        .of("acknowledged")
        .nth(2)
        .map(at)
        .expect("it is acknowledged at last");
    assert_eq!(
        third < struck + 1_000_000_000,
        !lost,
        "struck at {struck}, acknowledged at {third}"
    );
    let server = since
        .iter()
        .filter(|entry| entry["at"] == "broker" && entry["event"] == "received");
    let first = server
        .map(|entry| at(entry))
        .filter(|at| *at > struck)
        .min()
        .expect("it comes back");
    assert!(first >= struck + 20_000_000_000, "{first} after {struck}");
}

#[test]
fn nothing_is_set_off_by_a_packet_that_never_comes() {
    let run = Run::new(
        1,
        "[[fault]]\nkind = \"drop\"\non = { packet = \"PUBREC\", nth = 1 }\n\
         [[fault]]\nkind = \"drop\"\non = { packet = \"PUBLISH\", from = \"client\", nth = 11 }",
    );
    assert_eq!(run.of("fault began").count(), 0);
    assert!(run.deliveries().values().all(|times| *times == 1));
}
