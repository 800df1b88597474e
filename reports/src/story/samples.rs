//! Stories to test the page of a run on, made by hand.

use super::{Connection, Device, Message, Step, Story, Stretch};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const MINUTE: u64 = 60 * SECOND;

/// What happened in [`red`](crate::samples::red): a message for each fate, two devices, a partition.
pub(crate) fn red() -> Story {
    let mut stretches = vec![Stretch::default(); 6];
    for (stretch, index) in stretches.iter_mut().zip(1..) {
        *stretch = Stretch {
            connected: 1_001 - 100 * index,
            broken: if index == 3 { 100 } else { 0 },
            published: 1_334,
            delivered: 1_300,
            lost: if index == 3 { 97 } else { 0 },
            packets: 34_000,
            packets_lost: 3_400,
        };
    }
    let message = |id: &str, at_ms: u64| Message {
        id: id.to_owned(),
        publisher: "thermometer-12".to_owned(),
        fleet: "thermometer".to_owned(),
        topic: "valley/thermometer-12/temperature".to_owned(),
        protocol: None,
        qos: 1,
        retain: true,
        payload_bytes: 24,
        published_ns: at_ms * MS,
        acknowledged_ns: Some((at_ms + 900) * MS),
        given_up: None,
        delivered: 1,
        repeated: 0,
        arrived_ns: Some((at_ms + 700) * MS),
        missing: 0,
        violates: Vec::new(),
        steps: steps(at_ms),
        receivers_left_out: 0,
    };
    let lost = Message {
        acknowledged_ns: None,
        given_up: Some("outbox full".to_owned()),
        delivered: 0,
        arrived_ns: None,
        missing: 1,
        steps: steps(361_000)[..1].to_vec(),
        ..message("c.3", 361_000)
    };
    Story {
        stretch_ns: 200 * SECOND,
        stretches,
        devices: vec![
            Device {
                name: "thermometer-12".to_owned(),
                fleet: "thermometer".to_owned(),
                connections: vec![
                    Connection {
                        from_ns: SECOND,
                        to_ns: 361 * SECOND,
                        ended: "connection lost: timed out".to_owned(),
                        broke: true,
                    },
                    Connection {
                        from_ns: 460 * SECOND,
                        to_ns: 20 * MINUTE,
                        ended: String::new(),
                        broke: false,
                    },
                ],
                failed_ns: vec![400 * SECOND],
                published_ns: vec![2 * SECOND, 302 * SECOND, 361 * SECOND],
                published: 3,
                delivered_ns: Vec::new(),
                delivered: 0,
            },
            Device {
                name: "recorder".to_owned(),
                fleet: "recorder".to_owned(),
                delivered_ns: vec![3 * SECOND, 303 * SECOND],
                delivered: 8_012,
                ..Device::default()
            },
        ],
        devices_total: 1_001,
        messages: vec![
            message("c.1", 2_000),
            Message {
                violates: vec!["retained latest".to_owned()],
                repeated: 2,
                ..message("c.2", 302_000)
            },
            lost,
        ],
        messages_total: 8_000,
        messages_lost: 97,
    }
}

fn steps(at_ms: u64) -> Vec<Step> {
    let step = |from: &str, to: &str, left: u64, arrived: u64, what: &str| Step {
        from: from.to_owned(),
        to: Some(to.to_owned()),
        left_ns: Some((at_ms + left) * MS),
        arrived_ns: Some((at_ms + arrived) * MS),
        told: true,
        what: what.to_owned(),
    };
    let device = "thermometer-12";
    vec![
        Step {
            arrived_ns: None,
            ..step(device, "broker", 0, 0, "PUBLISH, RETAIN")
        },
        step(device, "broker", 400, 600, "PUBLISH 7, DUP, RETAIN"),
        step("broker", device, 600, 900, "PUBACK 7"),
        step("broker", "recorder", 600, 700, "PUBLISH 3"),
        Step {
            to: None,
            arrived_ns: None,
            told: false,
            ..step("recorder", "", 650, 0, "connected, session present")
        },
    ]
}

/// A story whose every text tries to break out of its place.
pub(crate) fn hostile() -> Story {
    let text = "a|b `c` *d* <e>\u{1b}[31m\nf\u{202e}g ]]>\"'</script>";
    let mut story = red();
    story.devices[0].name = text.to_owned();
    story.devices[0].fleet = text.to_owned();
    let message = &mut story.messages[1];
    message.id = text.to_owned();
    message.publisher = text.to_owned();
    message.topic = text.to_owned();
    message.violates = vec![text.to_owned()];
    message.steps[0].from = text.to_owned();
    message.steps[1].what = text.to_owned();
    story
}
