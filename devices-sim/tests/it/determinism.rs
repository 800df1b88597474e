//! One seed, one story.

use crate::support::{Cut, Faults, Way, observe, s, thermometer};
use squall_devices::{Backoff, DeviceId, Ending, Fleet, Lifecycle, Payload, Qos, Signal, Spread};
use std::time::Duration;

fn fleet(seed: u64, count: u32) -> Fleet {
    let mut fleet = Fleet {
        seed,
        count,
        start_spread: s(30),
        clock_drift_ppb: 50_000,
        lifecycle: Lifecycle::UpDown {
            up: Spread::Exponential { mean: s(60) },
            down: Spread::Uniform {
                min: s(1),
                max: s(20),
            },
            ending: Ending::Clean,
        },
        ..thermometer()
    };
    fleet.mqtt.backoff = Backoff::default();
    if let Some(publish) = &mut fleet.publish {
        publish.jitter = s(5);
        publish.qos = vec![Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];
        publish.payload = Payload::Json {
            unit: "degC".to_owned(),
            decimals: 1,
            signal: Signal::RandomWalk {
                min: -10.0,
                max: 40.0,
                step: 0.3,
            },
        };
    }
    fleet
}

async fn story(seed: u64, count: u32, cuts: usize) -> Vec<String> {
    let cut = |packet_type| Cut {
        way: Way::ToDevice,
        packet_type,
    };
    let cuts = (1..=cuts).map(|n| (n * 3, cut([4, 5, 7][n % 3]))).collect();
    let faults = Faults {
        cuts,
        refused: vec![s(100)..s(130)],
        ..Faults::default()
    };
    let (log, _) = observe(fleet(seed, count), faults, s(600)).await;
    log.lines()
}

/// What one device did by its own decision, whatever the network did.
fn readings(story: &[String], device: u32) -> Vec<&String> {
    let mine = format!(" {device} published");
    story.iter().filter(|line| line.contains(&mine)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_seed_tells_one_story() {
    let first = story(7, 20, 10).await;
    assert!(first.len() > 1_000, "{} lines", first.len());
    assert_eq!(first, story(7, 20, 10).await);
    assert_ne!(first, story(8, 20, 10).await);
}

#[tokio::test(start_paused = true)]
async fn more_devices_leave_the_others_as_they_were() {
    let (few, many) = (story(7, 20, 0).await, story(7, 21, 0).await);
    for device in 1..=20 {
        assert_eq!(readings(&few, device), readings(&many, device));
        assert!(!readings(&few, device).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn lost_packets_leave_the_readings_as_they_were() {
    let (calm, stormy) = (story(7, 20, 0).await, story(7, 20, 10).await);
    assert_ne!(calm, stormy);
    for device in 1..=20 {
        assert_eq!(readings(&calm, device), readings(&stormy, device));
    }
}

/// Each reading ends in exactly one way, or is still owed.
#[tokio::test(start_paused = true)]
async fn every_reading_is_accounted_for_and_every_connection_ends_once() {
    let fleet = Fleet {
        quiet_after: Some(s(500)),
        first_device: DeviceId(0),
        ..fleet(7, 20)
    };
    let cut = Cut {
        way: Way::ToDevice,
        packet_type: 4,
    };
    let faults = Faults {
        cuts: (1..40).step_by(3).map(|number| (number, cut)).collect(),
        ..Faults::default()
    };
    let (log, _) = observe(fleet, faults, Duration::from_secs(900)).await;
    let published = log.events(&["published"]);
    let (mut sent, mut acknowledged) = (0, 0);
    for reading in &published {
        let (id, qos) = reading["published ".len()..].split_once(' ').unwrap();
        let of = |word: &str| {
            let exactly = format!("{word} {id}");
            log.events(&[word])
                .iter()
                .filter(|event| **event == exactly)
                .count()
        };
        assert_eq!(of("sent"), 1, "{reading}");
        assert_eq!(of("acknowledged"), usize::from(qos != "q0"), "{reading}");
        sent += 1;
        acknowledged += of("acknowledged");
    }
    assert!(sent > 500 && acknowledged > 300, "{sent} {acknowledged}");
    assert!(log.events(&["lost"]).len() > 5);
    assert_eq!(log.events(&["dropped"]), Vec::<String>::new());

    for device in 1..=20 {
        let mut online = false;
        let mut attempting = false;
        let mine = format!(" {device} ");
        for line in log.lines().iter().filter(|line| line.contains(&mine)) {
            let event = line.splitn(3, ' ').nth(2).unwrap();
            match event.split([' ', ',', ':']).next().unwrap() {
                "connecting" => assert!(!online && !std::mem::replace(&mut attempting, true)),
                "connected" => {
                    assert!(std::mem::take(&mut attempting));
                    online = true;
                }
                "failed" => assert!(std::mem::take(&mut attempting)),
                "disconnected" | "lost" => assert!(std::mem::take(&mut online)),
                "slept" => assert!(!online && !attempting),
                _ => {}
            }
        }
    }
}
