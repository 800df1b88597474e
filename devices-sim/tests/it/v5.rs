//! What only MQTT 5.0 has.

use crate::support::{Faults, Net, observe, s, speaking, thermometer};
use rstest::rstest;
use squall_devices::{
    DeviceId, Ending, Fleet, Lifecycle, Publish, Qos, RetainHandling, Spread, Strike, Subscribe,
    Version, Will,
};

/// A thermometer that speaks 5.0.
fn publishing(change: impl Fn(&mut Publish)) -> Fleet {
    let mut fleet = speaking(Version::V5_0, thermometer());
    fleet.publish.iter_mut().for_each(change);
    fleet
}

/// Listens to `t/+` and publishes nothing.
fn listener(change: impl Fn(&mut Subscribe)) -> Fleet {
    let mut subscribe = Subscribe::new("t/+", Qos::ExactlyOnce);
    change(&mut subscribe);
    Fleet {
        name: "l".to_owned(),
        first_device: DeviceId(0x100),
        publish: None,
        subscribe: vec![subscribe],
        ..publishing(|_| {})
    }
}

/// Up for 5 s, down for 60 s, again and again.
fn up_and_down(fleet: Fleet) -> Fleet {
    Fleet {
        lifecycle: Lifecycle::UpDown {
            up: Spread::Fixed(s(5)),
            down: Spread::Fixed(s(60)),
            ending: Ending::Clean,
        },
        ..fleet
    }
}

#[rstest]
#[case::never(None, "connected, session present")]
#[case::longer_than_its_sleep(Some(61), "connected, session present")]
#[case::shorter(Some(59), "connected")]
#[case::at_once(Some(0), "connected")]
#[tokio::test(start_paused = true)]
async fn a_session_lasts_as_long_as_it_asks(#[case] expiry: Option<u32>, #[case] then: &str) {
    let mut fleet = up_and_down(listener(|_| {}));
    fleet.mqtt.session_expiry_s = expiry;
    let (log, _) = observe(fleet, Faults::default(), s(70)).await;
    assert_eq!(log.events(&["connected"]), ["connected", then]);
}

/// The first reading waits for 55 s, the sixth for 5 s.
#[tokio::test(start_paused = true)]
async fn an_expired_reading_is_not_delivered() {
    let net = Net::new(Faults::default());
    let readings = Fleet {
        start_after: s(10),
        ..publishing(|p| p.message_expiry_s = Some(20))
    };
    let sleeper = up_and_down(listener(|_| {}));
    let (log, _) = tokio::join!(net.observe(sleeper, s(66)), net.observe(readings, s(66)));
    assert_eq!(
        log.events(&["delivered"]),
        [
            "delivered a.5 t/t-1 q1 expires in 5 s",
            "delivered a.6 t/t-1 q1 expires in 15 s",
        ]
    );
}

/// A PUBLISH of 24 bytes of payload takes 35 with its topic, and 33 with an
/// alias of three bytes instead of the five of `t/t-1`.
#[rstest]
#[case(false, 0)]
#[case(true, 4 * 2 - 3)]
#[tokio::test(start_paused = true)]
async fn an_alias_stands_for_the_topic(#[case] topic_alias: bool, #[case] saved: usize) {
    let listener = listener(|_| {});
    let readings = |topic_alias| {
        publishing(move |p| {
            p.topic_alias = topic_alias;
            p.readings_max = Some(5);
        })
    };
    let run = async |topic_alias| {
        let net = Net::new(Faults::default());
        let (log, _) = tokio::join!(
            net.observe(listener.clone(), s(50)),
            net.observe(readings(topic_alias), s(50)),
        );
        assert_eq!(log.times("delivered").len(), 5);
        net.bytes_to_broker()[1]
    };
    assert_eq!(run(false).await - run(topic_alias).await, saved);
}

/// An alias is gone with its connection [MQTT5-3.3.2-7].
#[tokio::test(start_paused = true)]
async fn an_alias_is_told_anew_on_each_connection() {
    let net = Net::new(Faults {
        strikes: vec![(s(15), Strike::Disconnect)],
        ..Faults::default()
    });
    let readings = publishing(|p| p.topic_alias = true);
    let readings = Fleet {
        start_after: s(1),
        ..readings
    };
    let (readings, log) = tokio::join!(
        net.observe(readings, s(45)),
        net.observe(listener(|_| {}), s(45))
    );
    assert_eq!(readings.times("connected"), [1.0, 16.0]);
    assert_eq!(log.times("delivered"), [1.0, 11.0, 21.0, 31.0, 41.0]);
}

#[rstest]
#[case::as_3_1_1(RetainHandling::Send, false, &["q1 retain", "q1"])]
#[case::as_published(RetainHandling::Send, true, &["q1 retain", "q1 retain"])]
#[case::not_sent(RetainHandling::DoNotSend, true, &["q1 retain"])]
#[case::new(RetainHandling::SendIfNew, false, &["q1 retain", "q1"])]
#[tokio::test(start_paused = true)]
async fn retained_readings_come_as_asked_for(
    #[case] retain_handling: RetainHandling,
    #[case] retain_as_published: bool,
    #[case] expected: &[&str],
) {
    let net = Net::new(Faults::default());
    let late = Fleet {
        start_after: s(5),
        ..listener(|subscribe| {
            subscribe.retain_handling = retain_handling;
            subscribe.retain_as_published = retain_as_published;
        })
    };
    let readings = publishing(|p| p.retain = true);
    let (_, log) = tokio::join!(net.observe(readings, s(15)), net.observe(late, s(15)));
    let delivered = log.events(&["delivered"]);
    let flags: Vec<_> = delivered
        .iter()
        .map(|d| &d["delivered a.1 t/t-1 ".len()..])
        .collect();
    assert_eq!(flags, expected);
}

/// Of what a group is sent, each member gets a part.
#[tokio::test(start_paused = true)]
async fn a_group_shares() {
    let net = Net::new(Faults::default());
    let group = Fleet {
        count: 3,
        ..listener(|subscribe| subscribe.filter = "$share/g/t/+".to_owned())
    };
    let (log, _) = tokio::join!(
        net.observe(group, s(65)),
        net.observe(publishing(|_| {}), s(65)),
    );
    assert_eq!(
        log.times("delivered"),
        [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_device_publishes_is_not_sent_back_to_it() {
    for (no_local, expected) in [(true, 0), (false, 7)] {
        let mut fleet = publishing(|_| {});
        let mut subscribe = Subscribe::new("t/+", Qos::ExactlyOnce);
        subscribe.no_local = no_local;
        fleet.subscribe = vec![subscribe];
        let (log, _) = observe(fleet, Faults::default(), s(65)).await;
        assert_eq!(log.times("delivered").len(), expected);
    }
}

/// 90 s until the broker notices, and 30 s more; the session, which ends with
/// the connection, would end the wait.
#[rstest]
#[case::waits(false, &[120.0])]
#[case::the_session_ends_first(true, &[90.0])]
#[tokio::test(start_paused = true)]
async fn a_will_waits(#[case] clean_session: bool, #[case] expected: &[f64]) {
    let mut fleet = Fleet {
        lifecycle: Lifecycle::Once {
            up: Spread::Fixed(s(5)),
            ending: Ending::Vanish,
        },
        quiet_after: Some(s(0)),
        ..publishing(|_| {})
    };
    fleet.mqtt.clean_session = clean_session;
    fleet.mqtt.will = Some(Will {
        topic: "t/will".to_owned(),
        payload: "gone".to_owned(),
        qos: Qos::AtLeastOnce,
        retain: false,
        delay_s: Some(30),
        message_expiry_s: Some(9),
    });
    let net = Net::new(Faults::default());
    let (log, _) = tokio::join!(
        net.observe(listener(|_| {}), s(300)),
        net.observe(fleet, s(300))
    );
    assert_eq!(
        log.events(&["delivered"]),
        ["delivered gone t/will q1 expires in 9 s"]
    );
    assert_eq!(log.times("delivered"), expected);
}
