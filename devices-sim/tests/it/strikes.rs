//! Each strike, as the exact log of the device it strikes.

use crate::support::{Cut, Faults, Log, Net, Way, check, observe, s, thermometer};
use rstest::rstest;
use squall_devices::{
    DeviceMemory, Ending, Fleet, Lifecycle, Publish, Qos, Spread, Strike, Subscribe, Visit,
};
use std::sync::Arc;
use std::time::Duration;

async fn struck(fleet: Fleet, strikes: &[(u64, Strike)], time: Duration) -> (Arc<Log>, Arc<Net>) {
    let strikes = strikes.iter().map(|&(at, strike)| (s(at), strike));
    let faults = Faults {
        strikes: strikes.collect(),
        ..Faults::default()
    };
    observe(fleet, faults, time).await
}

fn publishing(change: impl Fn(&mut Publish)) -> Fleet {
    let mut fleet = thermometer();
    fleet.publish.iter_mut().for_each(change);
    fleet
}

/// Wakes every minute for one reading.
fn periodic() -> Fleet {
    let visit = Visit {
        readings: 1,
        gap: Duration::ZERO,
        linger: Duration::ZERO,
        patience: s(20),
    };
    Fleet {
        lifecycle: Lifecycle::Periodic {
            every: s(60),
            jitter: Duration::ZERO,
            visit,
        },
        ..thermometer()
    }
}

const DEATH: Strike = Strike::PowerOff { down: s(12) };

#[rstest]
#[case::power_off(
    DEATH,
    "
    5.000 1 vanished
    5.000 1 slept until 17.000
    17.000 1 woke
    17.000 1 connecting 1
    17.000 1 connected, session present
    20.000 1 published a.2 q1
    20.000 1 sent a.2
    20.000 1 acknowledged a.2
"
)]
#[case::power_off_for_ever(
    Strike::PowerOff { down: Duration::MAX },
    "
    5.000 1 vanished
    5.000 1 slept
"
)]
#[case::reset(
    Strike::Reset,
    "
    5.000 1 reset
    6.000 1 connecting 1
    6.000 1 connected, session present
    10.000 1 published a.2 q1
    10.000 1 sent a.2
    10.000 1 acknowledged a.2
    20.000 1 published a.3 q1
    20.000 1 sent a.3
    20.000 1 acknowledged a.3
"
)]
#[case::disconnect(
    Strike::Disconnect,
    "
    5.000 1 disconnected
    6.000 1 connecting 1
    6.000 1 connected, session present
    10.000 1 published a.2 q1
    10.000 1 sent a.2
    10.000 1 acknowledged a.2
    20.000 1 published a.3 q1
    20.000 1 sent a.3
    20.000 1 acknowledged a.3
"
)]
#[case::reconnect(
    Strike::Reconnect,
    "
    5.000 1 lost: the device started its client anew
    5.000 1 connecting 1
    5.000 1 connected, session present
    10.000 1 published a.2 q1
    10.000 1 sent a.2
    10.000 1 acknowledged a.2
    20.000 1 published a.3 q1
    20.000 1 sent a.3
    20.000 1 acknowledged a.3
"
)]
#[case::die_in_packet(
    Strike::DieInPacket { within: s(8) },
    "
    10.000 1 published a.2 q1
    10.001 1 sent a.2
    10.001 1 vanished
    10.001 1 slept until 13.000
    13.000 1 woke
    13.000 1 connecting 1
    13.000 1 connected, session present
    13.000 1 sent a.2 dup
    13.000 1 acknowledged a.2
    20.000 1 published a.3 q1
    20.000 1 sent a.3
    20.000 1 acknowledged a.3
"
)]
#[case::drift(
    Strike::Drift { ppb: 500_000_000 },
    "
    12.500 1 published a.2 q1
    12.500 1 sent a.2
    12.500 1 acknowledged a.2
"
)]
#[case::drift_the_other_way(
    Strike::Drift { ppb: -500_000_000 },
    "
    7.500 1 published a.2 q1
    7.500 1 sent a.2
    7.500 1 acknowledged a.2
    12.500 1 published a.3 q1
    12.500 1 sent a.3
    12.500 1 acknowledged a.3
    17.500 1 published a.4 q1
    17.500 1 sent a.4
    17.500 1 acknowledged a.4
    22.500 1 published a.5 q1
    22.500 1 sent a.5
    22.500 1 acknowledged a.5
"
)]
#[tokio::test(start_paused = true)]
async fn a_device_that_is_online_is_struck(#[case] strike: Strike, #[case] expected: &str) {
    let (log, _) = struck(thermometer(), &[(5, strike)], s(24)).await;
    let before = "
        0.000 1 woke
        0.000 1 connecting 1
        0.000 1 published a.1 q1
        0.000 1 connected
        0.000 1 sent a.1
        0.000 1 acknowledged a.1";
    check(&log, &format!("{before}{expected}"));
}

#[rstest]
#[case::power_off(
    DEATH,
    "
    14.000 1 woke
    14.000 1 connecting 1
    14.000 1 published a.2 q1
    14.000 1 connected, session present
    14.000 1 sent a.2
    14.000 1 acknowledged a.2
    14.000 1 disconnected
    14.000 1 slept until 60.000
"
)]
#[case::drift(
    Strike::Drift { ppb: -900_000_000 },
    "
    7.800 1 woke
    7.800 1 connecting 1
    7.800 1 published a.2 q1
    7.800 1 connected, session present
    7.800 1 sent a.2
    7.800 1 acknowledged a.2
    7.800 1 disconnected
    7.800 1 slept until 13.800
    13.800 1 woke
    13.800 1 connecting 1
    13.800 1 published a.3 q1
    13.800 1 connected, session present
    13.800 1 sent a.3
    13.800 1 acknowledged a.3
    13.800 1 disconnected
    13.800 1 slept until 19.800
"
)]
#[case::reset(Strike::Reset, "")]
#[case::disconnect(Strike::Disconnect, "")]
#[case::reconnect(Strike::Reconnect, "")]
#[tokio::test(start_paused = true)]
async fn a_device_that_sleeps_is_struck(#[case] strike: Strike, #[case] expected: &str) {
    let (log, _) = struck(periodic(), &[(2, strike)], s(15)).await;
    let before = "
        0.000 1 woke
        0.000 1 connecting 1
        0.000 1 published a.1 q1
        0.000 1 connected
        0.000 1 sent a.1
        0.000 1 acknowledged a.1
        0.000 1 disconnected
        0.000 1 slept until 60.000";
    check(&log, &format!("{before}{expected}"));
}

#[tokio::test(start_paused = true)]
async fn without_power_it_misses_its_wake_ups_and_starts_no_earlier() {
    let fleet = Fleet {
        start_after: s(30),
        ..periodic()
    };
    let down = |seconds| Strike::PowerOff { down: s(seconds) };
    let strikes = [(1, down(5)), (10, down(40)), (55, down(120)), (60, down(1))];
    let (log, _) = struck(fleet, &strikes, s(250)).await;
    // On at 50 s; off from 55 s to 175 s, whatever comes meanwhile.
    assert_eq!(log.times("woke"), [50.0, 175.0, 210.0]);
}

#[rstest]
#[case::power_off(DEATH, &[0.0, 1.0, 14.0])]
#[case::reconnect(Strike::Reconnect, &[0.0, 1.0, 2.0, 3.0, 5.0, 9.0])]
#[case::reset(Strike::Reset, &[0.0, 1.0, 3.0, 7.0])]
#[case::disconnect(Strike::Disconnect, &[0.0, 1.0, 3.0, 7.0])]
#[tokio::test(start_paused = true)]
async fn a_device_that_backs_off_is_struck(#[case] strike: Strike, #[case] attempts: &[f64]) {
    let faults = Faults {
        refused: vec![s(0)..s(60)],
        strikes: vec![(s(2), strike)],
        ..Faults::default()
    };
    let (log, _) = observe(thermometer(), faults, Duration::from_millis(14_500)).await;
    assert_eq!(log.times("connecting"), attempts);
}

/// The broker takes CONNECT and does not answer.
#[rstest]
#[case::power_off(DEATH, "failed: the device lost its power", &[0.0, 17.0])]
#[case::reconnect(Strike::Reconnect, "failed: the device started its client anew", &[0.0, 5.0])]
#[case::reset(Strike::Reset, "failed: the device reset the connection", &[0.0, 6.0])]
#[tokio::test(start_paused = true)]
async fn a_device_that_connects_is_struck(
    #[case] strike: Strike,
    #[case] failure: &str,
    #[case] attempts: &[f64],
) {
    let faults = Faults {
        mute: Some(2),
        strikes: vec![(s(5), strike)],
        ..Faults::default()
    };
    let (log, _) = observe(thermometer(), faults, s(20)).await;
    assert_eq!(log.events(&["failed"]), [failure]);
    assert_eq!(log.times("connecting"), attempts);
}

#[tokio::test(start_paused = true)]
async fn of_the_packet_that_it_dies_in_a_part_leaves() {
    const CONNECT: usize = 2 + 10 + 2 + "t-1".len();
    const PUBLISH: usize = 2 + 2 + "t/t-1".len() + 2 + 24;
    let mut parts = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let fleet = Fleet {
            seed,
            ..publishing(|p| p.readings_max = Some(2))
        };
        let strike = Strike::DieInPacket { within: s(10) };
        let (log, net) = struck(fleet, &[(5, strike)], s(30)).await;
        let bytes = net.bytes_to_broker();
        let part = bytes[0] - CONNECT - PUBLISH;
        assert!((1..PUBLISH).contains(&part), "{part} bytes");
        parts.insert(part);
        assert_eq!(bytes[1], CONNECT + PUBLISH);
        assert_eq!(log.times("acknowledged"), [0.0, 15.0]);
    }
    assert!(parts.len() > 5, "{parts:?}");
}

/// It is struck asleep, and dies in CONNECT when it wakes.
#[tokio::test(start_paused = true)]
async fn asleep_it_is_prepared_to_die_in_its_next_packet() {
    let strike = Strike::DieInPacket { within: s(88) };
    let (log, net) = struck(periodic(), &[(2, strike)], s(100)).await;
    assert_eq!(log.times("woke"), [0.0, 60.0, 90.0]);
    assert_eq!(
        log.events(&["failed"]),
        ["failed: the device lost its power"]
    );
    let bytes = net.bytes_to_broker();
    assert!((1..17).contains(&bytes[1]), "{bytes:?}");
}

/// It writes nothing while it is prepared to go dark, and then it is not.
#[rstest]
#[case(Strike::DieInPacket { within: s(8) })]
#[case(Strike::SleepInHandshake { within: s(8) })]
#[tokio::test(start_paused = true)]
async fn what_finds_nothing_to_strike_in_its_time_is_over(#[case] strike: Strike) {
    let strikes = [(1, strike), (9, Strike::Reset)];
    let (log, _) = struck(thermometer(), &strikes, s(19)).await;
    check(
        &log,
        "0.000 1 woke
         0.000 1 connecting 1
         0.000 1 published a.1 q1
         0.000 1 connected
         0.000 1 sent a.1
         0.000 1 acknowledged a.1
         9.000 1 reset
         10.000 1 published a.2 q1
         10.000 1 connecting 1
         10.000 1 connected, session present
         10.000 1 sent a.2
         10.000 1 acknowledged a.2",
    );
}

#[tokio::test(start_paused = true)]
async fn it_sleeps_between_connect_and_connack() {
    let strikes = [
        (5, Strike::SleepInHandshake { within: s(22) }),
        (6, Strike::Reset),
    ];
    let fleet = publishing(|p| p.readings_max = Some(2));
    let (log, net) = struck(fleet, &strikes, s(40)).await;
    check(
        &log,
        "0.000 1 woke
         0.000 1 connecting 1
         0.000 1 published a.1 q1
         0.000 1 connected
         0.000 1 sent a.1
         0.000 1 acknowledged a.1
         6.000 1 reset
         7.000 1 connecting 1
         7.001 1 failed: the device fell asleep
         7.001 1 slept until 27.000
         27.000 1 woke
         27.000 1 connecting 1
         27.000 1 connected, session present
         30.000 1 published a.2 q1
         30.000 1 sent a.2
         30.000 1 acknowledged a.2",
    );
    assert_eq!(net.bytes_to_broker()[1], 17);
}

/// Two readings, of which the first's PUBACK is lost with its connection, and a
/// subscription.
fn listening(device_memory: DeviceMemory) -> (Fleet, Faults) {
    let fleet = Fleet {
        device_memory,
        subscribe: vec![Subscribe::new("other/#", Qos::ExactlyOnce)],
        ..publishing(|p| p.readings_max = Some(3))
    };
    let lost = Cut {
        way: Way::ToDevice,
        packet_type: 4,
    };
    let faults = Faults {
        cuts: vec![(1, lost)],
        refused: vec![s(1)..s(30)],
        strikes: vec![(s(15), DEATH)],
        ..Faults::default()
    };
    (fleet, faults)
}

#[tokio::test(start_paused = true)]
async fn what_is_in_ram_is_gone_with_the_power() {
    let (fleet, faults) = listening(DeviceMemory::Ram);
    let (log, _) = observe(fleet, faults, s(60)).await;
    let events = ["forgot", "dropped", "subscribing", "sent", "acknowledged"];
    assert_eq!(
        log.events(&events),
        [
            "subscribing other/# q2",
            "sent a.1",
            "dropped a.1 Forgotten",
            "dropped a.2 Forgotten",
            "forgot",
            // Although the broker's session has it.
            "subscribing other/# q2",
            "sent a.3",
            "acknowledged a.3",
        ]
    );
    assert_eq!(log.times("forgot"), [15.0]);
    assert_eq!(log.times("connected, session present").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flash_is_not() {
    let (fleet, faults) = listening(DeviceMemory::Flash);
    let (log, _) = observe(fleet, faults, s(60)).await;
    let events = ["forgot", "dropped", "subscribing", "sent", "acknowledged"];
    assert_eq!(
        log.events(&events),
        [
            "subscribing other/# q2",
            "sent a.1",
            "sent a.1 dup",
            "sent a.2",
            "sent a.3",
            "acknowledged a.1",
            "acknowledged a.2",
            "acknowledged a.3",
        ]
    );
}

#[rstest]
#[case(Ending::Vanish, 3)]
#[case(Ending::Clean, 0)]
#[tokio::test(start_paused = true)]
async fn ram_lasts_through_sleep_but_not_without_power(
    #[case] ending: Ending,
    #[case] times: usize,
) {
    let fleet = Fleet {
        device_memory: DeviceMemory::Ram,
        lifecycle: Lifecycle::UpDown {
            up: Spread::Fixed(s(5)),
            down: Spread::Fixed(s(5)),
            ending,
        },
        ..thermometer()
    };
    let (log, _) = observe(fleet, Faults::default(), s(26)).await;
    assert_eq!(log.times("forgot").len(), times);
}

/// A strike that comes while the client still has events of what it wrote: none
/// of the readings may be taken for unsent.
#[tokio::test(start_paused = true)]
async fn a_qos_0_reading_is_sent_once_whatever_strikes() {
    let fleet = publishing(|p| {
        p.qos = vec![Qos::AtMostOnce];
        p.every = s(1);
    });
    let strikes: Vec<(u64, Strike)> = (1..20)
        .map(|at| {
            let strike = match at % 4 {
                0 => Strike::Reset,
                1 => Strike::Reconnect,
                2 => Strike::DieInPacket {
                    within: Duration::from_millis(1_100),
                },
                _ => Strike::PowerOff { down: s(0) },
            };
            (at, strike)
        })
        .collect();
    let (log, _) = struck(fleet, &strikes, s(30)).await;
    let mut sent = log.events(&["sent"]);
    let all = sent.len();
    sent.dedup();
    assert_eq!((sent.len(), all), (all, log.times("published").len()));
}

#[tokio::test(start_paused = true)]
async fn strikes_leave_the_other_devices_alone() {
    let fleet = Fleet {
        count: 3,
        ..thermometer()
    };
    let (calm, _) = struck(fleet.clone(), &[], s(60)).await;
    let strikes = [
        (5, Strike::Disconnect),
        (9, Strike::Drift { ppb: 1_000_000 }),
    ];
    let (stormy, _) = struck(fleet, &strikes, s(60)).await;
    let of = |log: &Log, device: &str| {
        let lines = log.lines().into_iter();
        let mine = lines.filter(|line| line.split(' ').nth(1) == Some(device));
        mine.filter(|line| line.contains("published"))
            .collect::<Vec<_>>()
    };
    for device in ["2", "3"] {
        assert_eq!(of(&calm, device), of(&stormy, device));
        assert_eq!(of(&calm, device).len(), 6);
    }
    assert_ne!(of(&calm, "1"), of(&stormy, "1"));
}
