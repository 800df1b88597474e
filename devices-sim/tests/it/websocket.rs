//! Sensors and listeners on the sensor hub, over a plain WebSocket.

use crate::support::{Faults, Log, Net, check, s, thermometer};
use rstest::rstest;
use squall_devices::{
    DeviceId, DeviceMemory, Fleet, Lifecycle, Protocol, Publish, Qos, Strike, Subscribe, Visit,
    WebSocketSettings,
};
use std::sync::Arc;
use std::time::Duration;

fn websocket(acknowledged: bool, mut fleet: Fleet) -> Fleet {
    let qos = match acknowledged {
        true => Qos::AtLeastOnce,
        false => Qos::AtMostOnce,
    };
    fleet.protocol = Protocol::WebSocket(WebSocketSettings {
        authority: "hub.example".to_owned(),
        acknowledged,
        text: false,
        keep_alive: s(60),
    });
    fleet.mqtt.clean_session = true;
    let publish = fleet.publish.map(|publish| Publish {
        qos: vec![qos],
        ..publish
    });
    let subscribe = fleet.subscribe.iter();
    let subscribe = subscribe.map(|wanted| Subscribe::new(&wanted.filter, qos));
    Fleet {
        subscribe: subscribe.collect(),
        publish,
        ..fleet
    }
}

/// A sensor `t/t-1` that takes a reading every 10 s.
fn sensor(acknowledged: bool) -> Fleet {
    websocket(acknowledged, thermometer())
}

/// A listener of the sensor's group.
fn listener(acknowledged: bool) -> Fleet {
    let fleet = Fleet {
        name: "l".to_owned(),
        first_device: DeviceId(0x1),
        publish: None,
        subscribe: vec![Subscribe::new("t/+", Qos::AtMostOnce)],
        ..thermometer()
    };
    websocket(acknowledged, fleet)
}

async fn observe(fleet: Fleet, faults: Faults, time: Duration) -> (Arc<Log>, Arc<Net>) {
    let net = Net::of_hub(faults);
    (net.observe(fleet, time).await, net)
}

#[tokio::test(start_paused = true)]
async fn an_unacknowledged_reading_is_sent_and_that_is_that() {
    let (log, _) = observe(sensor(false), Faults::default(), s(15)).await;
    check(
        &log,
        "0.000 1 woke
         0.000 1 connecting 1
         0.000 1 published a.1 q0
         0.000 1 connected
         0.000 1 sent a.1
         10.000 1 published a.2 q0
         10.000 1 sent a.2",
    );
}

#[tokio::test(start_paused = true)]
async fn an_acknowledged_reading_is_taken_over() {
    let (log, _) = observe(sensor(true), Faults::default(), s(15)).await;
    check(
        &log,
        "0.000 1 woke
         0.000 1 connecting 1
         0.000 1 published a.1 q1
         0.000 1 connected
         0.000 1 sent a.1
         0.000 1 acknowledged a.1
         10.000 1 published a.2 q1
         10.000 1 sent a.2
         10.000 1 acknowledged a.2",
    );
}

#[rstest]
#[case(false, "q0")]
#[case(true, "q1")]
#[tokio::test(start_paused = true)]
async fn a_listener_gets_the_readings_of_its_group(
    #[case] acknowledged: bool,
    #[case] qos: &str,
    #[values(false, true)] text: bool,
) {
    let net = Net::of_hub(Faults::default());
    let mut sensor = sensor(acknowledged);
    if let Protocol::WebSocket(settings) = &mut sensor.protocol {
        settings.text = text;
    }
    let (_, heard) = tokio::join!(
        net.observe(sensor, s(15)),
        net.observe(listener(acknowledged), s(15))
    );
    check(
        &heard,
        &format!(
            "0.000 1 woke
             0.000 1 connecting 1
             0.000 1 connected
             0.000 1 subscribing t/+ {qos}
             0.000 1 subscribed t/+ {qos}
             0.000 1 delivered a.1 t/t-1 {qos}
             10.000 1 delivered a.2 t/t-1 {qos}"
        ),
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_filter_does_not_match_is_ignored() {
    let mut deaf = listener(false);
    deaf.subscribe = vec![Subscribe::new("t/t-2", Qos::AtMostOnce)];
    let net = Net::of_hub(Faults::default());
    let (sent, heard) = tokio::join!(net.observe(sensor(false), s(15)), net.observe(deaf, s(15)));
    assert_eq!(sent.events(&["sent"]).len(), 2);
    assert!(heard.events(&["delivered"]).is_empty());
}

/// The acknowledgement of the first reading is lost, and the connection with it.
#[tokio::test(start_paused = true)]
async fn what_was_not_acknowledged_is_sent_again_after_reconnecting() {
    let faults = Faults {
        lost: vec![(1, b"\x81\x011")],
        ..Faults::default()
    };
    let (log, _) = observe(sensor(true), faults, s(15)).await;
    check(
        &log,
        "0.000 1 woke
         0.000 1 connecting 1
         0.000 1 published a.1 q1
         0.000 1 connected
         0.000 1 sent a.1
         0.000 1 lost: connection reset
         1.000 1 connecting 1
         1.000 1 connected
         1.000 1 acknowledged a.1
         10.000 1 published a.2 q1
         10.000 1 sent a.2
         10.000 1 acknowledged a.2",
    );
}

/// What was acknowledged is gone with the hub's memory, and is not sent again;
/// what was not yet, is.
#[tokio::test(start_paused = true)]
async fn a_hub_that_restarts_is_told_what_is_still_owed() {
    let faults = Faults {
        restart: Some(s(5)),
        refused: vec![s(5)..s(25)],
        ..Faults::default()
    };
    let (log, _) = observe(sensor(true), faults, s(40)).await;
    assert_eq!(
        log.events(&["sent", "acknowledged", "lost"]),
        [
            "sent a.1",
            "acknowledged a.1",
            "lost: connection reset",
            "sent a.2",
            "sent a.3",
            "sent a.4",
            "acknowledged a.2",
            "acknowledged a.3",
            "acknowledged a.4",
        ]
    );
}

/// A listener that looks in every 20 s, for 5 s.
#[rstest]
#[case(true, &["a.1", "a.2", "a.3", "a.4", "a.5"])]
// Without one it gets the latest each time.
#[case(false, &["a.1", "a.3", "a.5"])]
#[tokio::test(start_paused = true)]
async fn a_hub_keeps_readings_for_a_listener_with_a_name(
    #[case] acknowledged: bool,
    #[case] expected: &[&str],
) {
    let net = Net::of_hub(Faults::default());
    let looks_in = Fleet {
        start_after: s(3),
        lifecycle: Lifecycle::Periodic {
            every: s(20),
            jitter: Duration::ZERO,
            visit: Visit {
                readings: 0,
                gap: s(1),
                linger: s(5),
                patience: s(10),
            },
        },
        ..listener(acknowledged)
    };
    let (heard, _) = tokio::join!(
        net.observe(looks_in, s(55)),
        net.observe(sensor(acknowledged), s(55))
    );
    let delivered = heard.events(&["delivered"]);
    let ids: Vec<_> = delivered
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap())
        .collect();
    assert_eq!(ids, expected);
    let present = heard.events(&["connected"]);
    assert_eq!(present.len(), 3);
    assert_eq!(present[1].contains("session present"), acknowledged);
}

/// Nothing of the hub arrives but its answer to the upgrade.
#[tokio::test(start_paused = true)]
async fn a_silent_hub_is_pinged_and_then_given_up() {
    let faults = Faults {
        mute: Some(8),
        ..Faults::default()
    };
    let (log, _) = observe(sensor(true), faults, s(125)).await;
    let lost = log.times("lost: nothing was heard of the hub");
    assert_eq!(lost, [120.0], "{:#?}", log.lines());
    assert_eq!(log.times("connecting")[1], 121.0);
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_is_answered_keeps_the_connection() {
    let (log, net) = observe(sensor(false), Faults::default(), s(600)).await;
    assert!(log.events(&["lost"]).is_empty(), "{:#?}", log.lines());
    // After a minute without a word from the hub, an empty Ping: its header.
    let frames = net.written();
    let pings = frames[0].iter().zip(&frames[0][1..]);
    assert!(pings.filter(|pair| *pair == (&0x89, &0x80)).count() >= 9);
}

#[rstest]
#[case(false)]
#[case(true)]
#[tokio::test(start_paused = true)]
async fn a_visit_ends_with_a_closing_handshake(#[case] acknowledged: bool) {
    let fleet = Fleet {
        lifecycle: Lifecycle::OneShot {
            visit: Visit {
                readings: 1,
                gap: s(1),
                linger: Duration::ZERO,
                patience: s(60),
            },
        },
        ..sensor(acknowledged)
    };
    let (log, net) = observe(fleet, Faults::default(), s(30)).await;
    let ends = log.events(&["sent", "disconnected", "lost", "slept"]);
    assert_eq!(ends, ["sent a.1", "disconnected", "slept"]);
    let written = &net.written()[0];
    // A masked Close frame with code 1000.
    assert_eq!(written[written.len() - 8..][..2], [0x88, 0x82]);
    assert_eq!(net.open_streams(), 0);
}

#[rstest]
#[case(Strike::Reset, "reset", 1.0)]
#[case(Strike::Disconnect, "disconnected", 1.0)]
#[case(Strike::Reconnect, "lost: the device started its client anew", 0.0)]
#[case(Strike::PowerOff { down: s(3) }, "vanished", 3.0)]
#[tokio::test(start_paused = true)]
async fn a_strike_ends_the_connection(
    #[case] strike: Strike,
    #[case] ends: &str,
    #[case] away_s: f64,
) {
    let faults = Faults {
        strikes: vec![(s(5), strike)],
        ..Faults::default()
    };
    let (log, _) = observe(sensor(true), faults, s(25)).await;
    assert_eq!(log.times(ends), [5.0], "{:#?}", log.lines());
    assert_eq!(log.times("connecting")[1], 5.0 + away_s);
    assert_eq!(log.times("acknowledged").len(), 3, "{:#?}", log.lines());
}

/// Of the frame in which it dies, some bytes leave, and the hub has no reading
/// of it; from its flash the device sends it again.
#[rstest]
#[case(DeviceMemory::Flash, 3)]
#[case(DeviceMemory::Ram, 2)]
#[tokio::test(start_paused = true)]
async fn a_battery_dies_in_mid_frame(#[case] memory: DeviceMemory, #[case] acknowledged: usize) {
    let faults = Faults {
        strikes: vec![(s(5), Strike::DieInPacket { within: s(10) })],
        ..Faults::default()
    };
    let fleet = Fleet {
        device_memory: memory,
        ..sensor(true)
    };
    let (log, net) = observe(fleet, faults, s(25)).await;
    assert_eq!(log.times("vanished"), [10.001]);
    let written = net.written();
    let frames = written[0].len() - head(&written[0]).len();
    // 24 bytes, a number and a space, and six of header and mask.
    assert!((33..64).contains(&frames), "{frames} bytes");
    assert_eq!(
        log.times("acknowledged").len(),
        acknowledged,
        "{:#?}",
        log.lines()
    );
}

#[tokio::test(start_paused = true)]
async fn a_device_falls_asleep_before_the_answer_to_its_upgrade() {
    let faults = Faults {
        strikes: vec![
            (s(5), Strike::SleepInHandshake { within: s(20) }),
            (s(6), Strike::Reconnect),
        ],
        ..Faults::default()
    };
    let (log, _) = observe(sensor(true), faults, s(30)).await;
    let failed = log.times("failed: the device fell asleep");
    assert_eq!(failed, [6.001], "{:#?}", log.lines());
    assert_eq!(log.times("connecting"), [0.0, 6.0, 25.0]);
}

/// The request that a stream begins with.
fn head(written: &[u8]) -> &[u8] {
    let end = written.windows(4).position(|four| four == b"\r\n\r\n");
    &written[..end.expect("a request") + 4]
}

#[tokio::test(start_paused = true)]
async fn keys_and_masks_are_those_of_the_seed() {
    let faults = || Faults {
        strikes: vec![(s(15), Strike::Reconnect)],
        ..Faults::default()
    };
    let written = async |seed| {
        let fleet = Fleet {
            seed,
            ..sensor(true)
        };
        observe(fleet, faults(), s(30)).await.1.written()
    };
    let first = written(7).await;
    assert_eq!(first, written(7).await);
    assert_ne!(first, written(8).await);
    assert_ne!(
        head(&first[0]),
        head(&first[1]),
        "each has a key of its own"
    );
    let request = String::from_utf8(head(&first[0]).to_vec()).unwrap();
    let known: Vec<_> = request.lines().filter(|l| !l.contains("Key")).collect();
    assert_eq!(
        known,
        [
            "GET /sensors/t/t-1 HTTP/1.1",
            "Host: hub.example",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: acknowledged.squall",
            "",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_takes_no_more_is_an_attempt_that_failed() {
    let mut fleet = sensor(true);
    fleet
        .publish
        .iter_mut()
        .for_each(|publish| publish.topic = "t/{device}".to_owned());
    let faults = Faults {
        refused: vec![s(0)..s(2)],
        ..Faults::default()
    };
    let (log, _) = observe(fleet, faults, s(5)).await;
    assert_eq!(
        log.events(&["connecting", "failed", "connected"]),
        [
            "connecting 1",
            "failed: connection refused",
            "connecting 2",
            "failed: connection refused",
            "connecting 3",
            "connected",
        ]
    );
}
