//! What happens to the server of a run: crashes, restarts and pauses.

use super::fleets::Cast;
use super::world::World;
use crate::faults::{Occurrence, Struck};
use crate::metrics::Metrics;
use crate::net::{MILLISECOND, Nanos, SECOND, Tap, nanos};
use crate::scenario::{FaultKind, Scenario};
use crate::trace::{ClientEvent, Entry, Event, Recorder, ServerEvent};
use parking_lot::Mutex;
use squall_reports::{Counts, PacketCounts};
use std::path::Path;
use std::sync::Arc;

/// Two sensors and a recorder, half a second apart from each other in their
/// start, on fast links.
const SCENARIO: &str = r#"title = "The server"
duration = "60s"
drain = "20s"

[[site]]
name = "here"
link = { latency = "10ms" }

[[fleet]]
name = "recorder"
site = "here"
count = 1
start = { after = "0s", spread = "0s" }
mqtt = { clean_session = false, keep_alive = "10s" }
subscribe = [{ filter = "t/#", qos = 1 }]

[[fleet]]
name = "sensor"
site = "here"
count = 2
start = { after = "1s", spread = "1s" }
mqtt = { clean_session = false, keep_alive = "10s" }
publish = { topic = "t/{device}", qos = 1, every = "1s" }
"#;

/// What a run left behind.
struct Run {
    entries: Vec<Entry>,
    arrived: Counts,
    /// Deliveries that were made and that were owed, of acknowledged readings.
    acknowledged: (u64, u64),
    up: PacketCounts,
}

impl Run {
    fn server_events(&self) -> impl Iterator<Item = (Nanos, u64, ServerEvent)> {
        self.entries.iter().filter_map(|entry| match entry.event {
            Event::Server(connection, event) => Some((entry.at, connection, event)),
            _ => None,
        })
    }

    fn clients_saw(&self, wanted: impl Fn(ClientEvent) -> bool) -> Vec<Nanos> {
        let seen = self.entries.iter().filter_map(|entry| match entry.event {
            Event::Client(_, event) if wanted(event) => Some(entry.at),
            _ => None,
        });
        seen.collect()
    }

    fn lost_at_the_server(&self) -> u64 {
        self.up.lost.get("server down").copied().unwrap_or_default()
    }
}

/// What strikes the server from one time to another.
fn strike(kind: FaultKind, begins: Nanos, ends: Nanos) -> Occurrence {
    Occurrence {
        fault: 0,
        kind,
        begins,
        ends,
        struck: Struck::Server(0),
        target: "broker".to_owned(),
        turns: 1,
    }
}

/// Runs a scenario whose server is struck.
fn run(scenario: &str, seed: u64, strike: Occurrence) -> Run {
    let scenario = Scenario::parse(Path::new("test.toml"), scenario, &[])
        .unwrap_or_else(|error| panic!("{}", error.render(false, 100)));
    let cast = Cast::new(&scenario, seed).expect("a valid fleet");
    let tap = Tap::new(scenario.fleets.len(), scenario.sites.len(), None);
    let tap = Arc::new(Mutex::new(tap));
    let recorder = Arc::new(Mutex::new(Recorder::default()));
    let mut metrics = Metrics::new(cast.fleet_infos(), nanos(scenario.duration));
    let faults = Arc::from([strike]);
    let mut world = World::build(&scenario, seed, &cast, &tap, &recorder, &faults, None);
    let mut entries = Vec::new();
    while world.now() < nanos(scenario.duration) {
        world.step().expect("a sound world");
        let mut recorder = recorder.lock();
        for entry in recorder.take() {
            metrics.see(&entry, &recorder.texts);
            entries.push(entry);
        }
    }
    let (up, _) = tap.lock().site_counts(0);
    Run {
        entries,
        arrived: metrics.arrived().total,
        acknowledged: metrics.acknowledged_share(),
        up,
    }
}

#[test]
fn a_crashed_server_is_silent_and_its_restart_resets_what_it_has_forgotten() {
    let (crash, restart) = (20 * SECOND, 25 * SECOND);
    let run = run(SCENARIO, 1, strike(FaultKind::ServerCrash, crash, restart));
    let active = |at: Nanos| (crash..restart).contains(&at);
    let silent = run.server_events().all(|(at, ..)| !active(at));
    assert!(silent, "the server is seen to do something without power");
    assert!(run.lost_at_the_server() > 0, "{:?}", run.up);
    let reset = run.clients_saw(|event| matches!(event, ClientEvent::DisconnectedLost { .. }));
    let soon = restart + 10 * SECOND;
    assert!(!reset.is_empty() && reset.iter().all(|at| (crash..soon).contains(at)));
    let opened: Vec<u64> = run
        .server_events()
        .filter(|(.., event)| *event == ServerEvent::Opened)
        .map(|(_, connection, _)| connection)
        .collect();
    let numbers: Vec<u64> = (1..=opened.len() as u64).collect();
    assert_eq!(opened, numbers, "numbered through, over both lives");
    let last = run.server_events().last().expect("events").0;
    assert!(last > soon, "devices are back until the end");
}

#[test]
fn a_crash_and_a_restart_at_one_time_are_a_restart() {
    let at = 20 * SECOND;
    let run = run(SCENARIO, 1, strike(FaultKind::ServerCrash, at, at));
    assert_eq!(run.lost_at_the_server(), 0);
    let reset = run.clients_saw(|event| matches!(event, ClientEvent::DisconnectedLost { .. }));
    assert_eq!(reset.len(), 3, "each device is told by RST");
    let soon = at..at + 12 * SECOND;
    assert!(reset.iter().all(|at| soon.contains(at)));
}

#[test]
fn a_paused_server_does_nothing_while_its_tcp_goes_on() {
    let (pause, resume) = (20 * SECOND, 26 * SECOND);
    let run = run(SCENARIO, 1, strike(FaultKind::ServerPause, pause, resume));
    let paused = |at: Nanos| (pause..resume).contains(&at);
    assert!(run.server_events().all(|(at, ..)| !paused(at)));
    let sent = run.clients_saw(|event| matches!(event, ClientEvent::Sent { .. }));
    assert!(sent.iter().any(|at| paused(*at)), "devices go on");
    let lost = run.clients_saw(|event| matches!(event, ClientEvent::DisconnectedLost { .. }));
    assert!(
        lost.is_empty(),
        "nobody notices, as long as its keep-alive lasts"
    );
    assert_eq!(run.arrived.delivered, run.arrived.owed);
    let resumed = run.server_events().find(|(at, ..)| *at >= pause);
    assert_eq!(resumed.expect("it goes on").0, resume);
}

/// Steady traffic of QoS 1 and 2 through a broker whose disk is slow.
const TRAFFIC: &str = r#"title = "A crash in the middle"
duration = "40s"
drain = "20s"

[broker]
disk_sync = "20ms"
quirks = []

[[site]]
name = "here"
link = { latency = "10ms" }

[[fleet]]
name = "recorder"
site = "here"
count = 1
start = { after = "0s", spread = "0s" }
mqtt = { clean_session = false, keep_alive = "5s" }
reconnect = { min = "500ms", max = "2s" }
subscribe = [{ filter = "t/#", qos = 2 }]

[[fleet]]
name = "sensor"
site = "here"
count = 4
start = { after = "1s", spread = "1s" }
mqtt = { clean_session = false, keep_alive = "5s" }
reconnect = { min = "500ms", max = "2s" }
publish = { topic = "t/{device}", qos = [1, 2], every = "100ms" }
"#;

/// What a run of the traffic comes to whose server loses its power and gets it
/// back, at times that the seed decides.
fn crashed(scenario: &str, seed: u64) -> Run {
    let crash = 10 * SECOND + seed * 7 * MILLISECOND;
    let restart = crash + 2 * SECOND;
    run(
        scenario,
        seed,
        strike(FaultKind::ServerCrash, crash, restart),
    )
}

#[test]
fn a_crash_in_the_middle_loses_nothing_that_was_acknowledged() {
    for seed in 1..=20 {
        let run = crashed(TRAFFIC, seed);
        let (delivered, owed) = run.acknowledged;
        assert_eq!(delivered, owed, "seed {seed}");
        assert!(owed > 500 && run.arrived.acknowledged == run.arrived.published);
        let resumed = run.clients_saw(|event| {
            matches!(
                event,
                ClientEvent::Connected {
                    session_present: true
                }
            )
        });
        assert!(resumed.len() >= 5, "every session is taken up again");
    }
}

#[test]
fn a_broker_that_acknowledges_before_it_is_durable_loses_some() {
    let hasty = "quirks = [\"acknowledges-before-durable\"]";
    let hasty = TRAFFIC.replace("quirks = []", hasty);
    let loses = |seed| {
        let (delivered, owed) = crashed(&hasty, seed).acknowledged;
        delivered < owed
    };
    assert!((1..=20).any(loses));
}

#[test]
fn a_crash_is_the_same_every_time() {
    let [first, again] = [(); 2].map(|()| crashed(TRAFFIC, 3));
    assert!(first.entries == again.entries, "the traces differ");
    assert_ne!(first.entries, crashed(TRAFFIC, 4).entries);
}
