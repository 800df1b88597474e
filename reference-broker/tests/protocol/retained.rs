//! Retained messages (section 3.3.1.3).

use crate::world::{World, publish, retain, suback, subscribe};
use rstest::rstest;
use squall_broker::wire::Packet;
use squall_broker::{Config, DropCause};

fn got(topic: &str, payload: &str, qos: u8, id: u16) -> Packet {
    retain(publish(topic, payload, qos, id))
}

/// [MQTT311-3.3.1-5] [MQTT311-3.3.1-8] [MQTT311-3.8.4-6]
#[rstest]
fn a_new_subscription_gets_the_retained_message(
    #[values(0, 1, 2)] published: u8,
    #[values(0, 1, 2)] granted: u8,
) {
    let mut world = World::new();
    let publisher = world.clean("p");
    world.retained(publisher, "t", "hi", published);
    world.disconnect(publisher);
    let conn = world.clean("c");
    world.subscribed(conn, "t", granted);
    world.expect(conn, &[got("t", "hi", published.min(granted), 1)]);
}

/// [MQTT311-3.3.1-6] [MQTT311-3.3.1-7] [MQTT311-4.7.2-1]
#[rstest]
#[case("a/#", &[("a", "0"), ("a/b", "2"), ("a/b/c", "3"), ("a/d", "4")])]
#[case("#", &[("a", "0"), ("a/b", "2"), ("a/b/c", "3"), ("a/d", "4"), ("b", "5")])]
#[case("a/+", &[("a/b", "2"), ("a/d", "4")])]
#[case("+", &[("a", "0"), ("b", "5")])]
#[case("+/b/#", &[("a/b", "2"), ("a/b/c", "3")])]
#[case("$SYS/#", &[("$SYS/x", "6")])]
#[case("+/x", &[])]
#[case("a/b/c", &[("a/b/c", "3")])]
#[case("a/x", &[])]
#[case("a/b/c/d/#", &[])]
fn exactly_the_last_of_each_matching_topic(
    #[case] filter: &str,
    #[case] expected: &[(&str, &str)],
) {
    let mut world = World::new();
    let publisher = world.clean("p");
    for (topic, payload, qos) in [
        ("b", "5", 0),
        ("a/b", "1", 1),
        ("a", "0", 0),
        ("a/b", "2", 0),
        ("a/d", "4", 0),
        ("a/b/c", "3", 0),
        ("$SYS/x", "6", 0),
    ] {
        world.retained(publisher, topic, payload, qos);
    }
    let conn = world.clean("c");
    world.subscribed(conn, filter, 2);
    let expected: Vec<Packet> = expected
        .iter()
        .map(|(topic, payload)| got(topic, payload, 0, 1))
        .collect();
    world.expect(conn, &expected);
}

/// [MQTT311-3.3.1-9] [MQTT311-3.3.1-10]
#[test]
fn an_existing_subscription_gets_retain_0_and_an_empty_message_clears() {
    let mut world = World::new();
    let publisher = world.clean("p");
    let live = world.clean("live");
    world.subscribed(live, "#", 0);
    world.retained(publisher, "t", "A", 0);
    world.retained(publisher, "t", "", 0);
    world.expect(live, &[publish("t", "A", 0, 1), publish("t", "", 0, 1)]);
    let late = world.clean("late");
    world.subscribed(late, "#", 0);
    world.expect(late, &[]);
}

/// [MQTT311-3.3.1-11] [MQTT311-3.3.1-12]
#[test]
fn without_retain_nothing_changes_and_empty_is_never_kept() {
    let mut world = World::new();
    let publisher = world.clean("p");
    world.retained(publisher, "t", "A", 1);
    world.published(publisher, "t", "B", 1);
    world.published(publisher, "t", "", 1);
    world.retained(publisher, "fresh", "", 1);
    let conn = world.clean("c");
    world.subscribed(conn, "#", 0);
    world.expect(conn, &[got("t", "A", 0, 1)]);
}

/// [MQTT311-3.8.4-3] [MQTT311-3.8.4-4]
#[test]
fn subscribing_again_sends_it_again() {
    let mut world = World::new();
    let conn = world.clean("c");
    world.retained(conn, "a", "1", 1);
    world.retained(conn, "b", "2", 1);
    world.subscribed(conn, "a", 0);
    world.expect(conn, &[got("a", "1", 0, 1)]);
    world.send(conn, &subscribe(2, &[("a", 1), ("b", 0), ("+", 0)]));
    let once_each = [got("a", "1", 1, 1), got("b", "2", 0, 1)];
    let by_wildcard = [got("a", "1", 0, 1), got("b", "2", 0, 1)];
    let expected = [&[suback(2, &[1, 0, 0])], &once_each[..], &by_wildcard[..]].concat();
    world.expect(conn, &expected);
}

/// A dashboard that subscribes late gets all of a fleet's values, however many
/// more they are than its connection takes at once; and a newer value never
/// overtakes an older one of its topic. [MQTT311-3.3.1-6] [MQTT311-4.6.0-6]
#[test]
fn many_values_wait_for_a_slow_connection() {
    let mut config = Config::default();
    config.limits.outbound_bytes = 100;
    let mut world = World::with(config);
    let publisher = world.clean("p");
    let topics: Vec<String> = (1000..2000).map(|n| format!("t/{n}")).collect();
    for topic in &topics {
        world.retained(publisher, topic, "old", 0);
    }
    let conn = world.clean("c");
    world.stall(conn);
    world.subscribed(conn, "t/+", 0);
    world.published(publisher, "t/1999", "new", 0);
    world.unstall(conn);
    let mut expected: Vec<Packet> = topics.iter().map(|topic| got(topic, "old", 0, 1)).collect();
    expected.push(publish("t/1999", "new", 0, 1));
    world.expect(conn, &expected);
    world.seen(|seen| assert_eq!(seen.dropped, []));
}

/// [MQTT311-3.3.1-7]: what is stale is not passed off as the latest.
#[test]
fn a_full_store_keeps_no_stale_value() {
    let mut config = Config::default();
    config.limits.retained_messages = 2;
    config.limits.retained_bytes = 20;
    let mut world = World::with(config);
    let conn = world.clean("c");
    world.retained(conn, "a", "1", 0);
    world.retained(conn, "b", "1", 0);
    world.retained(conn, "c", "too many", 0);
    world.retained(conn, "b", "far too long to be kept", 0);
    world.subscribed(conn, "#", 0);
    world.expect(conn, &[got("a", "1", 0, 1)]);
    let full = |payload: &str| ("c".to_owned(), payload.to_owned(), DropCause::RetainedFull);
    let expected = [full("too many"), full("far too long to be kept")];
    world.seen(|seen| assert_eq!(seen.dropped, expected));
    // There is room again.
    world.retained(conn, "b", "2", 0);
    world.inbox(conn);
    world.subscribed(conn, "b", 0);
    world.expect(conn, &[got("b", "2", 0, 1)]);
}
