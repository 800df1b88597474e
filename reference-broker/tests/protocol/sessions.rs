//! Sessions: kept, resumed, discarded (sections 3.1.2.4, 3.1.3.1, 4.1).

use crate::world::{World, clean, publish, pubrec, subscribe, unsuback, unsubscribe};
use squall_broker::wire::Packet;
use squall_broker::{CloseReason, DropCause};

/// [MQTT311-3.1.2-4] [MQTT311-3.1.2-5] [MQTT311-3.2.2-2] [MQTT311-4.1.0-1]
/// [MQTT311-3.1.4-3]
#[test]
fn a_stored_session_keeps_subscriptions_and_messages() {
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.persistent("c", false);
    world.send(conn, &subscribe(1, &[("a/+", 1), ("b/#", 2), ("z", 0)]));
    world.inbox(conn);
    world.disconnect(conn);
    world.published(publisher, "a/1", "one", 1);
    world.published(publisher, "b/2", "two", 2);
    world.published(publisher, "a/3", "three", 2);
    world.published(publisher, "a/4", "qos 0", 0);
    world.published(publisher, "z", "granted 0", 2);
    let conn = world.persistent("c", true);
    let expected = [
        publish("a/1", "one", 1, 1),
        publish("b/2", "two", 2, 2),
        publish("a/3", "three", 1, 3),
    ];
    world.expect(conn, &expected);
    world.published(publisher, "z", "live", 0);
    world.expect(conn, &[publish("z", "live", 0, 1)]);
    let offline = |payload: &str| ("c".to_owned(), payload.to_owned(), DropCause::Offline);
    world.seen(|seen| assert_eq!(seen.dropped, [offline("qos 0"), offline("granted 0")]));
}

/// [MQTT311-3.1.2-6] [MQTT311-3.2.2-1] [MQTT311-3.2.2-3]
#[test]
fn a_clean_session_ends_what_was_there_and_itself() {
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.persistent("c", false);
    world.subscribed(conn, "t", 1);
    world.cut(conn);
    world.published(publisher, "t", "queued", 1);
    let conn = world.clean("c");
    world.published(publisher, "t", "unwanted", 1);
    world.expect(conn, &[]);
    world.subscribed(conn, "t", 1);
    world.cut(conn);
    world.published(publisher, "t", "unwanted", 1);
    let conn = world.persistent("c", false);
    world.expect(conn, &[]);
    let expected = [
        "p created",
        "c created",
        "c discarded 1",
        "c created",
        "c discarded 0",
        "c created",
    ];
    world.seen(|seen| assert_eq!(seen.sessions, expected));
}

/// [MQTT311-3.1.2-6]: also the QoS 2 identifiers it has received.
#[test]
fn a_clean_session_forgets_received_identifiers() {
    let mut world = World::new();
    let watcher = world.clean("watcher");
    world.subscribed(watcher, "t", 0);
    let conn = world.persistent("c", false);
    world.send(conn, &publish("t", "1", 2, 7));
    world.cut(conn);
    // Resumed, it is the same message.
    let conn = world.persistent("c", true);
    world.send(conn, &crate::world::dup(publish("t", "1", 2, 7)));
    world.expect(conn, &[pubrec(7)]);
    world.expect(watcher, &[publish("t", "1", 0, 1)]);
    // Afresh, it is another one.
    let conn = world.clean("c");
    world.send(conn, &publish("t", "2", 2, 7));
    world.expect(watcher, &[publish("t", "2", 0, 1)]);
    world.expect(conn, &[pubrec(7)]);
}

/// [MQTT311-3.1.3-2]
#[test]
fn sessions_belong_to_their_client_identifiers() {
    let mut world = World::new();
    let publisher = world.clean("p");
    for (client, filter) in [("a", "1"), ("A", "2"), ("a ", "3")] {
        let conn = world.persistent(client, false);
        world.subscribed(conn, filter, 1);
        world.cut(conn);
    }
    for topic in ["1", "2", "3"] {
        world.published(publisher, topic, "hi", 1);
    }
    for (client, topic) in [("a ", "3"), ("a", "1"), ("A", "2")] {
        let conn = world.persistent(client, true);
        world.expect(conn, &[publish(topic, "hi", 1, 1)]);
    }
}

/// [MQTT311-3.1.4-2] with [MQTT311-3.1.2-4]
#[test]
fn a_takeover_resumes_the_session() {
    let mut world = World::new();
    let publisher = world.clean("p");
    let old = world.persistent("c", false);
    world.subscribed(old, "t", 1);
    world.published(publisher, "t", "1", 1);
    world.expect(old, &[publish("t", "1", 1, 1)]);
    let new = world.persistent("c", true);
    world.expect_closed(old, &[], &CloseReason::TakenOver);
    world.expect(new, &[crate::world::dup(publish("t", "1", 1, 1))]);
}

/// [MQTT311-3.1.2-7]
#[test]
fn a_session_that_ends_leaves_its_retained_messages() {
    let mut world = World::new();
    let conn = world.clean("c");
    world.retained(conn, "t", "stays", 1);
    world.disconnect(conn);
    let conn = world.clean("c");
    world.subscribed(conn, "t", 1);
    world.expect(conn, &[crate::world::retain(publish("t", "stays", 1, 1))]);
}

/// [MQTT311-3.10.4-2] for a session that is resumed.
#[test]
fn an_ended_subscription_stays_ended() {
    let mut world = World::new();
    let publisher = world.clean("p");
    let conn = world.persistent("c", false);
    world.subscribed(conn, "t", 1);
    world.send(conn, &unsubscribe(2, &["t"]));
    world.expect(conn, &[unsuback(2)]);
    world.cut(conn);
    world.published(publisher, "t", "unwanted", 1);
    let conn = world.persistent("c", true);
    world.expect(conn, &[]);
}

/// Section 3.1.2.4: CleanSession belongs to the session it began; one that is
/// resumed with CleanSession 0 stays.
#[test]
fn a_session_is_kept_across_many_connections() {
    let mut world = World::new();
    world.persistent("c", false);
    for _ in 0..5 {
        let conn = world.persistent("c", true);
        world.send(conn, &Packet::PingReq);
        world.expect(conn, &[Packet::PingResp]);
        world.disconnect(conn);
    }
    world.connect(clean("c"), false);
    world.persistent("c", false);
}
