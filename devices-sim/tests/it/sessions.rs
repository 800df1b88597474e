//! What a lost connection, and a lost session, do to readings on their way.

use crate::support::{Cut, Faults, Way, check, observe, s, speaking, thermometer};
use rstest::rstest;
use squall_devices::{Ending, Fleet, Lifecycle, Publish, Qos, Spread, Subscribe, Version, Visit};
use std::time::Duration;

const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const PUBREC: u8 = 5;
const PUBREL: u8 = 6;
const PUBCOMP: u8 = 7;
const SUBACK: u8 = 9;

const fn lost(way: Way, packet_type: u8) -> Cut {
    Cut { way, packet_type }
}

fn publishing(change: impl Fn(&mut Publish)) -> Fleet {
    let mut fleet = thermometer();
    fleet.publish.iter_mut().for_each(change);
    fleet
}

/// Publishes two readings at once and listens to them itself.
fn echo(qos: Qos) -> Fleet {
    Fleet {
        subscribe: vec![Subscribe::new("t/+", qos)],
        lifecycle: Lifecycle::OneShot {
            visit: Visit {
                readings: 2,
                gap: Duration::ZERO,
                linger: s(5),
                patience: s(60),
            },
        },
        ..publishing(|p| p.qos = vec![qos])
    }
}

/// The first connection breaks at a packet, which is lost; the second must put
/// everything right, in the same session.
#[rstest]
#[case::publish(Qos::AtLeastOnce, lost(Way::ToBroker, PUBLISH), 2)]
#[case::puback(Qos::AtLeastOnce, lost(Way::ToDevice, PUBACK), 5)]
#[case::publish_2(Qos::ExactlyOnce, lost(Way::ToBroker, PUBLISH), 2)]
#[case::pubrec(Qos::ExactlyOnce, lost(Way::ToDevice, PUBREC), 2)]
#[case::pubrel(Qos::ExactlyOnce, lost(Way::ToBroker, PUBREL), 2)]
#[case::pubcomp(Qos::ExactlyOnce, lost(Way::ToDevice, PUBCOMP), 2)]
#[case::delivery_1(Qos::AtLeastOnce, lost(Way::ToDevice, PUBLISH), 4)]
#[case::delivery_2(Qos::ExactlyOnce, lost(Way::ToDevice, PUBLISH), 2)]
#[case::puback_of_delivery(Qos::AtLeastOnce, lost(Way::ToBroker, PUBACK), 4)]
#[case::pubrec_of_delivery(Qos::ExactlyOnce, lost(Way::ToBroker, PUBREC), 2)]
#[case::pubrel_of_delivery(Qos::ExactlyOnce, lost(Way::ToDevice, PUBREL), 2)]
#[case::pubcomp_of_delivery(Qos::ExactlyOnce, lost(Way::ToBroker, PUBCOMP), 2)]
#[case::suback(Qos::AtLeastOnce, lost(Way::ToDevice, SUBACK), 2)]
#[tokio::test(start_paused = true)]
async fn a_session_survives_the_loss_of(
    #[case] qos: Qos,
    #[case] cut: Cut,
    #[case] deliveries: usize,
    #[values(Version::V3_1_1, Version::V5_0)] version: Version,
) {
    let faults = Faults {
        cuts: vec![(1, cut)],
        ..Faults::default()
    };
    let (log, _) = observe(speaking(version, echo(qos)), faults, s(100)).await;
    let lines = log.lines().join("\n");

    assert_eq!(
        log.events(&["connected"]),
        ["connected", "connected, session present"],
        "{lines}"
    );
    assert_eq!(log.times("lost"), [0.0], "{lines}");
    assert_eq!(log.times("connecting"), [0.0, 1.0], "{lines}");
    let mut acknowledged = log.events(&["acknowledged"]);
    acknowledged.sort();
    assert_eq!(
        acknowledged,
        ["acknowledged a.1", "acknowledged a.2"],
        "{lines}"
    );
    assert_eq!(log.events(&["dropped"]), Vec::<String>::new(), "{lines}");
    let delivered = log.events(&["delivered"]);
    for id in ["delivered a.1 ", "delivered a.2 "] {
        assert!(delivered.iter().any(|d| d.starts_with(id)), "{lines}");
    }
    // The client for 5.0 does not tell what arrives along with the end of the
    // stream: it has not acknowledged it either.
    let untold = usize::from(version == Version::V5_0 && deliveries == 5);
    assert_eq!(delivered.len(), deliveries - untold, "{lines}");
    assert_eq!(log.events(&["slept"]), ["slept"], "{lines}");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn unacknowledged_readings_go_first_with_dup_and_in_their_order(
    #[values(Version::V3_1_1, Version::V5_0)] version: Version,
) {
    let fleet = publishing(|p| {
        p.every = s(1);
        p.readings_max = Some(3);
    });
    let faults = Faults {
        cuts: vec![
            (1, lost(Way::ToDevice, PUBACK)),
            (2, lost(Way::ToDevice, PUBACK)),
        ],
        ..Faults::default()
    };
    let (log, _) = observe(speaking(version, fleet), faults, s(60)).await;
    check(
        &log,
        "0.000 1 woke
         0.000 1 connecting 1
         0.000 1 published a.1 q1
         0.000 1 connected
         0.000 1 sent a.1
         0.000 1 lost: connection reset
         1.000 1 published a.2 q1
         1.000 1 connecting 1
         1.000 1 connected, session present
         1.000 1 sent a.1 dup
         1.000 1 sent a.2
         1.000 1 lost: connection reset
         2.000 1 published a.3 q1
         2.000 1 connecting 1
         2.000 1 connected, session present
         2.000 1 sent a.1 dup
         2.000 1 sent a.2 dup
         2.000 1 sent a.3
         2.000 1 acknowledged a.1
         2.000 1 acknowledged a.2
         2.000 1 acknowledged a.3",
    );
}

/// It wakes, publishes, loses its power before the acknowledgement arrives, and
/// finishes at its next waking: the session was asleep with it.
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_session_survives_sleep(#[values(Version::V3_1_1, Version::V5_0)] version: Version) {
    let fleet = Fleet {
        lifecycle: Lifecycle::UpDown {
            up: Spread::Fixed(s(2)),
            down: Spread::Fixed(s(100)),
            ending: Ending::Vanish,
        },
        ..publishing(|p| {
            p.qos = vec![Qos::ExactlyOnce];
            p.readings_max = Some(1);
        })
    };
    let faults = Faults {
        cuts: vec![(1, lost(Way::ToDevice, PUBCOMP))],
        refused: vec![s(1)..s(50)],
        ..Faults::default()
    };
    let (log, _) = observe(speaking(version, fleet), faults, s(300)).await;
    check(
        &log,
        "0.000 1 woke
         0.000 1 connecting 1
         0.000 1 published a.1 q2
         0.000 1 connected
         0.000 1 sent a.1
         0.000 1 lost: connection reset
         1.000 1 connecting 1
         1.000 1 failed: connection refused
         2.000 1 slept until 102.000
         102.000 1 woke
         102.000 1 connecting 1
         102.000 1 connected, session present
         102.000 1 acknowledged a.1
         104.000 1 vanished
         104.000 1 slept",
    );
}

/// A broker that forgets its sessions: *at least once* is kept by publishing
/// anew, *exactly once* by giving up.
#[rstest]
#[case(Qos::AtLeastOnce, PUBACK, "sent a.1")]
#[case(Qos::ExactlyOnce, PUBREC, "dropped a.1 SessionLost")]
#[tokio::test(start_paused = true)]
async fn a_lost_session_keeps_the_promise(
    #[case] qos: Qos,
    #[case] answer: u8,
    #[case] then: &str,
    #[values(Version::V3_1_1, Version::V5_0)] version: Version,
) {
    let fleet = Fleet {
        quiet_after: Some(s(5)),
        ..publishing(|p| p.qos = vec![qos])
    };
    let faults = Faults {
        cuts: vec![(1, lost(Way::ToDevice, answer))],
        restart: Some(Duration::from_millis(500)),
        ..Faults::default()
    };
    let (log, _) = observe(speaking(version, fleet), faults, s(20)).await;
    let events = log.events(&["connected", "sent", "dropped", "acknowledged"]);
    let mut expected = vec!["connected", "sent a.1", "connected", then];
    if qos == Qos::AtLeastOnce {
        expected.push("acknowledged a.1");
    }
    assert_eq!(events, expected);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_clean_session_publishes_anew_at_qos_1(
    #[values(Version::V3_1_1, Version::V5_0)] version: Version,
) {
    let mut fleet = publishing(|p| p.readings_max = Some(1));
    fleet.mqtt.clean_session = true;
    let faults = Faults {
        cuts: vec![(1, lost(Way::ToDevice, PUBACK))],
        ..Faults::default()
    };
    let (log, _) = observe(speaking(version, fleet), faults, s(20)).await;
    let events = log.events(&["connected", "sent", "dropped", "acknowledged"]);
    assert_eq!(
        events,
        [
            "connected",
            "sent a.1",
            "connected",
            "sent a.1",
            "acknowledged a.1"
        ]
    );
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn readings_wait_while_offline_and_the_oldest_go_first(
    #[values(Version::V3_1_1, Version::V5_0)] version: Version,
) {
    let fleet = Fleet {
        quiet_after: Some(s(50)),
        ..publishing(|p| {
            p.qos = vec![Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];
            p.outbox_max = 3;
        })
    };
    let faults = Faults {
        refused: vec![s(0)..s(45)],
        ..Faults::default()
    };
    let (log, _) = observe(speaking(version, fleet), faults, s(100)).await;
    assert_eq!(log.times("published"), [0.0, 10.0, 20.0, 30.0, 40.0]);
    assert_eq!(
        log.events(&["dropped"]),
        ["dropped a.1 OutboxFull", "dropped a.2 OutboxFull"]
    );
    assert_eq!(log.events(&["sent"]), ["sent a.3", "sent a.4", "sent a.5"]);
    // a.4 is QoS 0.
    assert_eq!(
        log.events(&["acknowledged"]),
        ["acknowledged a.5", "acknowledged a.3"]
    );
}

/// rumqttc grows and shrinks its tables with the packet identifiers in use, and
/// walks them when a connection ends.
#[rstest]
#[tokio::test(start_paused = true)]
async fn a_wide_window_survives_a_lost_connection(
    #[values(Version::V3_1_1, Version::V5_0)] version: Version,
) {
    let mut fleet = publishing(|p| {
        p.every = Duration::from_millis(500);
        p.readings_max = Some(60);
    });
    fleet.mqtt.in_flight_max = 100;
    let ping = lost(Way::ToBroker, 12);
    let faults = Faults {
        cuts: vec![(1, lost(Way::ToDevice, PUBACK)), (2, ping), (3, ping)],
        refused: vec![s(1)..s(25)],
        ..Faults::default()
    };
    let (log, _) = observe(speaking(version, fleet), faults, s(200)).await;
    assert_eq!(log.times("acknowledged").len(), 60);
    assert_eq!(log.times("lost").len(), 3);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn no_more_than_the_window_is_in_flight(
    #[values(Version::V3_1_1, Version::V5_0)] version: Version,
) {
    let mut fleet = echo(Qos::AtLeastOnce);
    fleet.subscribe.clear();
    fleet.mqtt.in_flight_max = 2;
    fleet.lifecycle = Lifecycle::OneShot {
        visit: Visit {
            readings: 5,
            gap: Duration::ZERO,
            linger: Duration::ZERO,
            patience: s(9),
        },
    };
    let (log, _) = observe(speaking(version, fleet), Faults::default(), s(20)).await;
    let mut in_flight: i32 = 0;
    let mut most = 0;
    for event in log.events(&["sent", "acknowledged"]) {
        in_flight += if event.starts_with("sent") { 1 } else { -1 };
        most = most.max(in_flight);
    }
    assert_eq!((in_flight, most), (0, 2), "{}", log.lines().join("\n"));
    assert_eq!(log.times("acknowledged").len(), 5);
}
