//! How devices reconnect, and what else can end a connection.

use crate::support::{Cut, Faults, Net, Way, observe, s, speaking, thermometer};
use rstest::rstest;
use squall_devices::{
    Backoff, Ending, Fleet, Lifecycle, Qos, Spread, Subscribe, Version, Visit, Will,
};
use std::sync::Arc;
use std::time::Duration;

fn refusing(times: std::ops::Range<Duration>) -> Faults {
    Faults {
        refused: vec![times],
        ..Faults::default()
    }
}

#[tokio::test(start_paused = true)]
async fn backs_off_exponentially_up_to_the_cap_and_starts_again_once_connected() {
    let fleet = Fleet {
        quiet_after: Some(s(0)),
        ..thermometer()
    };
    // The connection that is accepted at 123 s is lost with its first ping.
    let faults = Faults {
        cuts: vec![(
            1,
            Cut {
                way: Way::ToBroker,
                packet_type: 12,
            },
        )],
        ..refusing(s(0)..s(100))
    };
    let (log, _) = observe(fleet, faults, s(300)).await;
    let attempts = [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0];
    assert_eq!(log.times("connecting"), [&attempts[..], &[184.0]].concat());
    assert_eq!(log.times("failed: connection refused"), attempts[..7]);
    assert_eq!(log.times("connected"), [123.0, 184.0]);
    assert_eq!(log.times("lost"), [183.0]);
    assert_eq!(log.events(&["connecting"]).last().unwrap(), "connecting 1");
}

#[tokio::test(start_paused = true)]
async fn jitter_spreads_a_reconnection_storm() {
    let mut fleet = Fleet {
        count: 200,
        quiet_after: Some(s(0)),
        ..thermometer()
    };
    fleet.mqtt.backoff = Backoff {
        first: s(8),
        jitter: 0.5,
        ..Backoff::default()
    };
    let (log, _) = observe(fleet, refusing(s(0)..s(1)), s(60)).await;
    let connected = log.times("connected");
    assert_eq!(connected.len(), 200);
    assert!(connected.iter().all(|at| (4.0..=8.001).contains(at)));
    let early = connected.iter().filter(|at| **at < 6.0).count();
    assert!(
        (70..130).contains(&early),
        "{early} of 200 in the first half"
    );
}

#[tokio::test(start_paused = true)]
async fn a_visit_gives_up_when_its_patience_ends_and_finishes_next_time() {
    let visit = Visit {
        readings: 1,
        gap: Duration::ZERO,
        linger: Duration::ZERO,
        patience: s(20),
    };
    let fleet = Fleet {
        lifecycle: Lifecycle::Periodic {
            every: s(60),
            jitter: Duration::ZERO,
            visit,
        },
        quiet_after: Some(s(30)),
        ..thermometer()
    };
    let (log, _) = observe(fleet, refusing(s(0)..s(50)), s(200)).await;
    assert_eq!(log.times("published"), [0.0]);
    assert_eq!(log.times("slept"), [20.0, 60.0]);
    assert_eq!(log.times("acknowledged"), [60.0]);
    // Nothing is owed any more, and the fleet is quiet.
    assert_eq!(log.events(&["slept"]), ["slept until 60.000", "slept"]);
}

/// The broker takes the bytes and never answers.
#[rstest]
#[case::no_connack(2, "failed: no CONNACK in time", 30.0)]
#[case::no_pingresp(13, "lost: no PINGRESP in time", 120.0)]
#[tokio::test(start_paused = true)]
async fn silence_is_noticed(
    #[case] mute_from: u8,
    #[case] event: &str,
    #[case] at: f64,
    #[values(Version::V3_1_1, Version::V5_0)] version: Version,
) {
    let fleet = Fleet {
        quiet_after: Some(s(0)),
        ..thermometer()
    };
    let faults = Faults {
        mute: Some(mute_from),
        ..Faults::default()
    };
    let (log, _) = observe(speaking(version, fleet), faults, s(125)).await;
    assert_eq!(
        log.times(event).first(),
        Some(&at),
        "{}",
        log.lines().join("\n")
    );
}

#[tokio::test(start_paused = true)]
async fn a_vanished_device_leaves_its_will_and_a_clean_one_does_not() {
    for (ending, expected) in [(Ending::Vanish, 1), (Ending::Clean, 0)] {
        let will = Will {
            topic: "gone/{device}".to_owned(),
            payload: "{fleet} lost {device}".to_owned(),
            qos: Qos::AtLeastOnce,
            retain: true,
            delay_s: None,
            message_expiry_s: None,
        };
        let mut fleet = Fleet {
            lifecycle: Lifecycle::Once {
                up: Spread::Fixed(s(5)),
                ending,
            },
            quiet_after: Some(s(0)),
            ..thermometer()
        };
        fleet.mqtt.will = Some(will);
        let listener = Fleet {
            name: "l".to_owned(),
            first_device: squall_devices::DeviceId(1),
            lifecycle: Lifecycle::AlwaysOn,
            publish: None,
            subscribe: vec![Subscribe::new("gone/+", Qos::ExactlyOnce)],
            ..thermometer()
        };
        let net = Net::new(Faults::default());
        let (log, _) = tokio::join!(net.observe(listener, s(300)), net.observe(fleet, s(300)));
        let delivered = log.events(&["delivered"]);
        assert_eq!(
            delivered,
            vec!["delivered t lost t-1 gone/t-1 q1"; expected]
        );
        // 1.5 times the keep-alive of 60 s [MQTT311-3.1.2-24].
        assert_eq!(log.times("delivered"), vec![90.0; expected]);
    }
}

#[tokio::test(start_paused = true)]
async fn asleep_it_holds_no_stream_and_no_task() {
    let visit = Visit {
        readings: 1,
        gap: Duration::ZERO,
        linger: s(5),
        patience: s(20),
    };
    let fleet = Fleet {
        count: 50,
        lifecycle: Lifecycle::Periodic {
            every: s(60),
            jitter: Duration::ZERO,
            visit,
        },
        ..thermometer()
    };
    let net = Net::new(Faults::default());
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    let watch = {
        let net = Arc::clone(&net);
        async move {
            tokio::time::sleep(s(2)).await;
            // Each device, and the broker's side of each connection.
            assert_eq!((net.open_streams(), tasks() - before), (50, 100));
            tokio::time::sleep(s(8)).await;
            assert_eq!((net.open_streams(), tasks() - before), (0, 0));
            tokio::time::sleep(s(52)).await;
            assert_eq!((net.open_streams(), tasks() - before), (50, 100));
        }
    };
    let (log, ()) = tokio::join!(net.observe(fleet, s(63)), watch);
    assert_eq!(log.times("acknowledged").len(), 100);
}
