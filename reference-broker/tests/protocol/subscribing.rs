//! SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK (sections 3.8 to 3.11).

use crate::world::{World, publish, suback, subscribe, unsuback, unsubscribe};
use rstest::rstest;
use squall_broker::wire::TopicFilter;
use squall_broker::{Access, Config};

/// [MQTT311-3.8.4-1] [MQTT311-3.8.4-2] [MQTT311-2.3.1-7]
#[test]
fn every_subscribe_and_unsubscribe_is_answered_with_its_identifier() {
    let mut world = World::new();
    let conn = world.clean("c");
    for id in [1, 0x1234, 0x7fff, 0xffff] {
        world.send(conn, &subscribe(id, &[("a", 0)]));
        world.send(conn, &unsubscribe(id, &["a"]));
        world.expect(conn, &[suback(id, &[0]), unsuback(id)]);
    }
}

/// [MQTT311-3.8.4-4] [MQTT311-3.8.4-5] [MQTT311-3.9.3-1] [MQTT311-3.9.3-2]
#[test]
fn one_answer_has_a_code_for_each_filter_in_order() {
    let deny_subscribe = vec![TopicFilter::new("secret/#").expect("a filter")];
    let access = Access {
        deny_subscribe,
        ..Access::default()
    };
    let mut config = Config {
        access,
        ..Config::default()
    };
    config.limits.subscriptions_per_session = 3;
    let mut world = World::with(config);
    let publisher = world.clean("p");
    let conn = world.clean("c");
    let filters = [
        ("a", 2),
        ("secret/x", 1),
        ("b", 0),
        ("a", 1),
        ("#", 2),
        ("c", 1),
        ("one too many", 0),
    ];
    world.send(conn, &subscribe(7, &filters));
    world.expect(conn, &[suback(7, &[2, 0x80, 0, 1, 0x80, 1, 0x80])]);
    for topic in ["a", "b", "c", "secret/x", "one too many"] {
        world.published(publisher, topic, topic, 2);
    }
    let expected = [
        publish("a", "a", 1, 1),
        publish("b", "b", 0, 1),
        publish("c", "c", 1, 2),
    ];
    world.expect(conn, &expected);
}

/// [MQTT311-3.8.4-3]
#[rstest]
#[case(0, 2)]
#[case(2, 0)]
#[case(1, 1)]
fn an_identical_filter_replaces_the_subscription(#[case] first: u8, #[case] second: u8) {
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.clean("c");
    for filter in ["a/+", "a/#"] {
        world.send(conn, &subscribe(1, &[(filter, first)]));
        world.published(publisher, "a/b", "1", 2);
        world.send(conn, &subscribe(2, &[(filter, second)]));
        world.published(publisher, "a/b", "2", 2);
        world.send(conn, &unsubscribe(3, &[filter]));
        world.published(publisher, "a/b", "3", 2);
        let inbox = world.inbox(conn);
        let qos: Vec<u8> = inbox
            .iter()
            .filter_map(|packet| match packet {
                squall_broker::wire::Packet::Publish(publish) => Some(publish.qos() as u8),
                _ => None,
            })
            .collect();
        assert_eq!(qos, [first, second]);
    }
}

/// [MQTT311-3.10.4-1] [MQTT311-3.10.4-2] [MQTT311-3.10.4-4] [MQTT311-3.10.4-5]
#[test]
fn only_an_identical_filter_is_removed() {
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.clean("c");
    world.subscribed(conn, "a/+", 0);
    for filter in ["a/b", "A/+", "a/#", "a/+/", "+/+", "#", "a", "a/+/c"] {
        world.send(conn, &unsubscribe(0xabcd, &[filter]));
        world.published(publisher, "a/b", filter, 0);
        world.expect(conn, &[unsuback(0xabcd), publish("a/b", filter, 0, 1)]);
    }
    world.send(conn, &unsubscribe(1, &["a/+"]));
    world.published(publisher, "a/b", "unwanted", 0);
    world.expect(conn, &[unsuback(1)]);
}

/// [MQTT311-3.10.4-6]
#[test]
fn several_filters_are_removed_with_one_answer() {
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.clean("c");
    world.send(
        conn,
        &subscribe(1, &[("a", 0), ("b/#", 0), ("+/c", 0), ("d", 0)]),
    );
    world.send(conn, &unsubscribe(2, &["a", "b/#", "never", "+/c"]));
    for topic in ["a", "b", "b/c", "x/c", "d"] {
        world.published(publisher, topic, "", 0);
    }
    let expected = [
        suback(1, &[0, 0, 0, 0]),
        unsuback(2),
        publish("d", "", 0, 1),
    ];
    world.expect(conn, &expected);
}

/// Another's subscription to the same filter is another subscription.
#[test]
fn subscriptions_belong_to_their_client() {
    let mut world = World::new();
    let (one, two) = (world.clean("1"), world.clean("2"));
    for conn in [one, two] {
        world.subscribed(conn, "a/#", 0);
    }
    world.send(one, &unsubscribe(1, &["a/#"]));
    world.expect(one, &[unsuback(1)]);
    world.published(one, "a/b", "hi", 0);
    world.expect(one, &[]);
    world.expect(two, &[publish("a/b", "hi", 0, 1)]);
}
