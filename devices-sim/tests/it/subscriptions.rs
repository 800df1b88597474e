//! Fleets that listen: for a while, asleep most of the time, under one name.

use crate::support::{Cut, Faults, Net, Way, check, observe, s, thermometer};
use rstest::rstest;
use squall_devices::{
    Addressees, DeviceId, Fleet, Lifecycle, Payload, Publish, Qos, Strike, Subscribe, Visit,
};
use std::time::Duration;

fn publishing(change: impl Fn(&mut Publish)) -> Fleet {
    let mut fleet = thermometer();
    fleet.publish.iter_mut().for_each(change);
    fleet
}

/// Listens to `filter` and publishes nothing.
fn listener(filter: &str, stay: Option<Duration>) -> Fleet {
    Fleet {
        name: "l".to_owned(),
        first_device: DeviceId(0x100),
        publish: None,
        subscribe: vec![Subscribe {
            stay,
            ..Subscribe::new(filter, Qos::ExactlyOnce)
        }],
        ..thermometer()
    }
}

/// Listens for 5 s each minute.
fn sleeper(filter: &str, stay: Option<Duration>) -> Fleet {
    let visit = Visit {
        readings: 1,
        gap: Duration::ZERO,
        linger: s(5),
        patience: s(20),
    };
    Fleet {
        lifecycle: Lifecycle::Periodic {
            every: s(60),
            jitter: Duration::ZERO,
            visit,
        },
        ..listener(filter, stay)
    }
}

#[tokio::test(start_paused = true)]
async fn it_unsubscribes_after_its_stay_once_in_a_session() {
    let faults = Faults {
        strikes: vec![(s(30), Strike::Reset), (s(60), Strike::Reset)],
        restart: Some(s(50)),
        ..Faults::default()
    };
    let (log, _) = observe(listener("t/+", Some(s(25))), faults, s(100)).await;
    check(
        &log,
        "0.000 1 woke
         0.000 1 connecting 1
         0.000 1 connected
         0.000 1 subscribing t/+ q2
         0.000 1 subscribed t/+ q2
         25.000 1 unsubscribing t/+
         25.000 1 unsubscribed t/+
         30.000 1 reset
         31.000 1 connecting 1
         31.000 1 connected, session present
         50.000 1 lost: connection reset
         51.000 1 connecting 1
         51.000 1 connected
         51.000 1 subscribing t/+ q2
         51.000 1 subscribed t/+ q2
         60.000 1 reset
         61.000 1 connecting 1
         61.000 1 connected, session present
         76.000 1 unsubscribing t/+
         76.000 1 unsubscribed t/+",
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_unsubscribed_is_delivered_no_more() {
    let net = Net::new(Faults::default());
    let (log, _) = tokio::join!(
        net.observe(listener("t/+", Some(s(25))), s(60)),
        net.observe(thermometer(), s(60)),
    );
    assert_eq!(log.times("delivered"), [0.0, 10.0, 20.0]);
}

/// Its stay ends while it sleeps, and the UNSUBACK never comes the first time.
#[rstest]
#[case::asleep(None, &[60.0], &[60.0])]
#[case::unanswered(Some(11), &[60.0, 120.0], &[120.0])]
#[tokio::test(start_paused = true)]
async fn it_unsubscribes_at_the_next_occasion(
    #[case] lost_packet: Option<u8>,
    #[case] unsubscribing: &[f64],
    #[case] unsubscribed: &[f64],
) {
    let cut = lost_packet.map(|packet_type| Cut {
        way: Way::ToDevice,
        packet_type,
    });
    let mut fleet = sleeper("t/+", Some(s(25)));
    // Its time awake is over before it would connect again.
    fleet.mqtt.backoff.first = s(31);
    let faults = Faults {
        cuts: cut.map(|cut| (2, cut)).into_iter().collect(),
        ..Faults::default()
    };
    let (log, _) = observe(fleet, faults, s(130)).await;
    assert_eq!(log.times("unsubscribing"), unsubscribing);
    assert_eq!(log.times("unsubscribed"), unsubscribed);
}

#[tokio::test(start_paused = true)]
async fn commands_reach_sleeping_devices_when_they_wake() {
    let sleepers = Fleet {
        count: 2,
        ..sleeper("command/{device}", None)
    };
    let controller = Fleet {
        start_after: s(10),
        ..publishing(|p| {
            p.topic = "command/{target}".to_owned();
            p.to = Some(Addressees {
                fleet: "l".to_owned(),
                count: 2,
            });
            p.readings_max = Some(5);
        })
    };
    let net = Net::new(Faults::default());
    let (log, controller) = tokio::join!(
        net.observe(sleepers, s(100)),
        net.observe(controller, s(100)),
    );
    assert_eq!(
        log.lines()
            .into_iter()
            .filter(|line| line.contains("delivered"))
            .collect::<Vec<_>>(),
        [
            "60.000 1 delivered a.1 command/l-1 q1",
            "60.000 1 delivered a.3 command/l-1 q1",
            "60.000 1 delivered a.5 command/l-1 q1",
            "60.000 2 delivered a.2 command/l-2 q1",
            "60.000 2 delivered a.4 command/l-2 q1",
        ]
    );
    assert_eq!(controller.times("acknowledged").len(), 5);
}

/// Also when what was in flight is sent again.
#[tokio::test(start_paused = true)]
async fn an_addressed_reading_keeps_its_topic() {
    let listener = listener("command/+", None);
    let controller = publishing(|p| {
        p.topic = "command/{target}".to_owned();
        p.to = Some(Addressees {
            fleet: "valve".to_owned(),
            count: 3,
        });
        p.readings_max = Some(4);
    });
    let lost = Cut {
        way: Way::ToBroker,
        packet_type: 3,
    };
    let net = Net::new(Faults {
        cuts: vec![(2, lost), (3, lost)],
        ..Faults::default()
    });
    let (log, _) = tokio::join!(net.observe(listener, s(60)), net.observe(controller, s(60)));
    assert_eq!(
        log.events(&["delivered"]),
        [
            "delivered a.1 command/valve-1 q1",
            "delivered a.2 command/valve-2 q1",
            "delivered a.3 command/valve-3 q1",
            "delivered a.4 command/valve-1 q1",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn devices_of_one_client_identifier_take_each_other_over() {
    let mut fleet = thermometer();
    fleet.mqtt.client_id = "{fleet}".to_owned();
    let twin = Fleet {
        first_device: DeviceId(0xb),
        start_after: s(5),
        ..fleet.clone()
    };
    let net = Net::new(Faults::default());
    let (log, twin) = tokio::join!(net.observe(fleet, s(6)), net.observe(twin, s(6)));
    assert_eq!(log.events(&["lost"]), ["lost: closed by the broker"]);
    assert_eq!(log.times("lost"), [5.0]);
    assert_eq!(twin.events(&["connected"]), ["connected, session present"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_payload_clears_what_is_retained() {
    let retained = Fleet {
        start_after: s(1),
        ..publishing(|p| {
            p.retain = true;
            p.readings_max = Some(1);
        })
    };
    let clearing = Fleet {
        first_device: DeviceId(0xb),
        start_after: s(10),
        ..publishing(|p| {
            p.retain = true;
            p.readings_max = Some(1);
            p.payload = Payload::Empty;
        })
    };
    let (early, late) = (listener("t/+", None), listener("t/+", None));
    let late = |after, client_id: &str| {
        let mut fleet = Fleet {
            start_after: s(after),
            ..late.clone()
        };
        fleet.mqtt.client_id = client_id.to_owned();
        fleet
    };
    let net = Net::new(Faults::default());
    let (_, clearing, early, before, after) = tokio::join!(
        net.observe(retained, s(30)),
        net.observe(clearing, s(30)),
        net.observe(early, s(30)),
        net.observe(late(5, "before"), s(30)),
        net.observe(late(15, "after"), s(30)),
    );
    let empty = "delivered  t/t-1 q1";
    assert_eq!(
        early.events(&["delivered"]),
        ["delivered a.1 t/t-1 q1", empty]
    );
    assert_eq!(
        before.events(&["delivered"]),
        ["delivered a.1 t/t-1 q1 retain", empty]
    );
    assert!(after.events(&["delivered"]).is_empty());
    assert_eq!(
        clearing.events(&["published", "sent", "acknowledged"]),
        ["published b.1 q1 retain", "sent b.1", "acknowledged b.1"]
    );
}
