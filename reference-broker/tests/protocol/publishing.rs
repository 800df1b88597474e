//! PUBLISH from one client to others: who gets it, at which QoS, in which
//! order (sections 3.3, 4.5, 4.6).

use crate::world::{World, dup, puback, pubcomp, publish, pubrec, pubrel, retain, subscribe};
use bytes::Bytes;
use rstest::rstest;
use squall_broker::wire::{Packet, Publish, Qos, TopicFilter};
use squall_broker::{Access, Config, DropCause};

/// [MQTT311-3.3.4-1] [MQTT311-2.3.1-6]
#[rstest]
#[case(0, &[])]
#[case(1, &[puback(0x1234)])]
#[case(2, &[pubrec(0x1234)])]
fn a_publish_is_answered_as_its_qos_demands(#[case] qos: u8, #[case] answer: &[Packet]) {
    let mut world = World::new();
    let conn = world.clean("c");
    world.send(conn, &publish("t", "hi", qos, 0x1234));
    world.expect(conn, answer);
}

/// [MQTT311-3.8.4-6] [MQTT311-2.3.1-5]
#[rstest]
fn the_lower_qos_of_publisher_and_subscriber_counts(
    #[values(0, 1, 2)] published: u8,
    #[values(0, 1, 2)] granted: u8,
) {
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.clean("c");
    world.subscribed(conn, "t", granted);
    world.published(publisher, "t", "\0payload", published);
    world.expect(
        conn,
        &[publish("t", "\0payload", published.min(granted), 1)],
    );
}

/// [MQTT311-3.3.5-1]: one copy, at the highest QoS.
#[rstest]
#[case(&[("a/#", 0), ("a/b", 2)], 2)]
#[case(&[("a/b", 2), ("a/#", 0)], 2)]
#[case(&[("#", 1), ("+/b", 0), ("a/+", 1), ("+/+/#", 0)], 1)]
#[case(&[("#", 0), ("a/b/#", 0)], 0)]
fn overlapping_subscriptions(#[case] filters: &[(&str, u8)], #[case] qos: u8) {
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.clean("c");
    world.send(conn, &subscribe(1, filters));
    world.inbox(conn);
    world.published(publisher, "a/b", "hi", 2);
    world.expect(conn, &[publish("a/b", "hi", qos, 1)]);
}

/// [MQTT311-3.3.2-3] [MQTT311-4.5.0-1] [MQTT311-4.7.1-2] [MQTT311-4.7.1-3]
/// [MQTT311-4.7.2-1] [MQTT311-4.7.3-4] [MQTT311-1.5.3-3] [MQTT311-3.8.3-2]
#[test]
fn every_matching_session_gets_a_message_and_no_other() {
    const FILTERS: [&str; 22] = [
        "#",
        "+",
        "+/+",
        "/#",
        "/+",
        "a",
        "a/#",
        "a/+",
        "a/+/c",
        "a/b",
        "a/b/#",
        "a//b",
        "a/",
        "+/b/#",
        "$test/#",
        "$test/x",
        "+/x",
        "\u{feff}a",
        "\u{e9}",
        "A",
        "a/b/c",
        "+/+/+/#",
    ];
    const TOPICS: [&str; 17] = [
        "a",
        "a/b",
        "a/b/c",
        "/a",
        "/",
        "a/",
        "a//b",
        "$test/x",
        "$test",
        "x/x",
        "\u{feff}a",
        "\u{e9}",
        "e\u{301}",
        "A",
        "a/b/c/d",
        "b",
        "a/\u{10ffff}",
    ];
    let mut world = World::new();
    let publisher = world.clean("p");
    let conns = FILTERS.map(|filter| {
        let live = world.clean(&format!("live {filter}"));
        world.subscribed(live, filter, 1);
        let absent = world.persistent(&format!("absent {filter}"), false);
        world.subscribed(absent, filter, 1);
        world.cut(absent);
        live
    });
    for topic in TOPICS {
        world.published(publisher, topic, "hi", 1);
    }
    for (filter, live) in FILTERS.into_iter().zip(conns) {
        let matching = TopicFilter::new(filter).expect("a filter");
        let expected: Vec<Packet> = TOPICS
            .into_iter()
            .map(|topic| publish(topic, "hi", 1, 1))
            .filter(|packet| matches!(packet, Packet::Publish(one) if matching.matches(&one.topic)))
            .zip(1..)
            .map(|(packet, packet_id)| match packet {
                Packet::Publish(one) => publish(one.topic.as_str(), "hi", 1, packet_id),
                other => other,
            })
            .collect();
        world.expect(live, &expected);
        let absent = world.persistent(&format!("absent {filter}"), true);
        world.expect(absent, &expected);
    }
}

/// [MQTT311-3.3.1-3] [MQTT311-3.3.1-9]
#[test]
fn dup_and_retain_of_the_publisher_are_not_passed_on() {
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.clean("c");
    world.subscribed(conn, "t", 1);
    world.send(publisher, &retain(dup(publish("t", "hi", 1, 7))));
    world.expect(conn, &[publish("t", "hi", 1, 1)]);
}

/// MQTT 3.1.1 has no "no local": a publisher that subscribes hears itself.
#[test]
fn a_publisher_hears_itself() {
    let mut world = World::new();
    let conn = world.clean("c");
    world.subscribed(conn, "t", 1);
    world.send(conn, &publish("t", "hi", 1, 9));
    world.expect(conn, &[publish("t", "hi", 1, 1), puback(9)]);
}

/// [MQTT311-3.3.5-2]
#[rstest]
#[case(0)]
#[case(1)]
#[case(2)]
fn an_unauthorised_publish_is_acknowledged_and_goes_nowhere(#[case] qos: u8) {
    let deny_publish = vec![TopicFilter::new("secret/#").expect("a filter")];
    let access = Access {
        deny_publish,
        ..Access::default()
    };
    let mut world = World::with(Config {
        access,
        ..Config::default()
    });
    let watcher = world.clean("watcher");
    world.subscribed(watcher, "#", 2);
    let conn = world.clean("c");
    world.retained(conn, "secret/x", "psst", qos);
    world.published(conn, "public", "hello", 0);
    world.expect(watcher, &[publish("public", "hello", 0, 1)]);
    world.subscribed(watcher, "secret/#", 2);
    world.expect(watcher, &[]);
    let expected = ("c".to_owned(), "psst".to_owned(), DropCause::NotAuthorized);
    world.seen(|seen| assert_eq!(seen.dropped, [expected]));
}

/// [MQTT311-4.6.0-5] [MQTT311-4.6.0-6]
#[rstest]
fn order_is_kept(#[values(0, 1, 2)] published: u8, #[values(0, 1, 2)] granted: u8) {
    let mut world = World::new();
    let publisher = world.persistent("p", false);
    let conn = world.persistent("c", false);
    world.subscribed(conn, "t", granted);
    let mut received = Vec::new();
    for number in 0..1000_u16 {
        world.send(
            publisher,
            &publish("t", &number.to_string(), published, number + 1),
        );
        world.send(publisher, &pubrel(number + 1));
        // A subscriber that is slow to acknowledge, so that the window fills.
        if number % 100 == 99 {
            answer_all(&mut world, conn, &mut received);
        }
    }
    while answer_all(&mut world, conn, &mut received) {}
    let expected: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    assert_eq!(received, expected);
}

/// Acknowledges what came; says whether anything did.
fn answer_all(world: &mut World, conn: squall_broker::ConnId, received: &mut Vec<String>) -> bool {
    let inbox = world.inbox(conn);
    for packet in &inbox {
        match packet {
            Packet::Publish(Publish {
                delivery, payload, ..
            }) => {
                received.push(String::from_utf8_lossy(payload).into_owned());
                match (delivery.qos(), delivery.packet_id()) {
                    (Qos::AtLeastOnce, Some(id)) => world.send(conn, &puback(id.get())),
                    (Qos::ExactlyOnce, Some(id)) => world.send(conn, &pubrec(id.get())),
                    _ => {}
                }
            }
            Packet::PubRel(ack) => world.send(conn, &pubcomp(ack.packet_id.get())),
            other => panic!("unexpected {other:?}"),
        }
    }
    !inbox.is_empty()
}

/// [MQTT311-4.6.0-6]: a subscription that is lowered to QoS 0 does not let new
/// messages overtake those that wait for the window.
#[test]
fn a_lowered_subscription_does_not_reorder() {
    let mut config = Config::default();
    config.limits.inflight = 1;
    let mut world = World::with(config);
    let publisher = world.clean("p");
    let conn = world.clean("c");
    world.subscribed(conn, "t", 1);
    for payload in ["1", "2"] {
        world.published(publisher, "t", payload, 1);
    }
    world.expect(conn, &[publish("t", "1", 1, 1)]);
    world.subscribed(conn, "t", 0);
    world.published(publisher, "t", "3", 1);
    world.expect(conn, &[]);
    // Published at QoS 0, it may: there is no order between QoS levels.
    world.subscribed(conn, "u", 0);
    world.send(conn, &puback(1));
    world.expect(conn, &[publish("t", "2", 1, 2), publish("t", "3", 0, 1)]);
}

/// [MQTT311-4.7.3-3]: as long as it gets, with as many levels.
#[rstest]
#[case("x".repeat(65_535))]
#[case("/".repeat(65_535))]
fn the_longest_topics(#[case] topic: String) {
    let mut world = World::new();
    let conn = world.clean("c");
    for filter in [&topic, "#"] {
        world.subscribed(conn, filter, 0);
    }
    world.retained(conn, &topic, "hi", 0);
    world.expect(conn, &[publish(&topic, "hi", 0, 1)]);
    world.subscribed(conn, &topic, 0);
    world.expect(conn, &[retain(publish(&topic, "hi", 0, 1))]);
    world.retained(conn, &topic, "", 0);
    world.disconnect(conn);
}

/// Any bytes, any size.
#[test]
fn payloads_arrive_unchanged() {
    let mut world = World::new();
    let conn = world.clean("c");
    world.subscribed(conn, "t", 0);
    let payload: Vec<u8> = (0..1_000_000_u32).map(|at| (at % 251) as u8).collect();
    let Packet::Publish(empty) = publish("t", "", 0, 1) else {
        unreachable!("a PUBLISH")
    };
    for size in [0, 1, 127, 128, 16_383, 16_384, 1_000_000] {
        let packet = Packet::Publish(Publish {
            payload: Bytes::copy_from_slice(&payload[..size]),
            ..empty.clone()
        });
        world.send(conn, &packet);
        world.expect(conn, &[packet]);
    }
}
