//! QoS 1 and 2, and what is sent again after a reconnection (sections 4.3, 4.4
//! and 4.6).

use crate::world::{
    World, dup, puback, pubcomp, publish, pubrec, pubrel, seconds, unsuback, unsubscribe,
};
use rstest::rstest;
use squall_broker::ConnId;
use squall_broker::wire::Packet;

/// A subscriber at QoS 2 with a stored session, and a publisher.
fn subscriber(world: &mut World) -> (ConnId, ConnId) {
    let publisher = world.clean("p");
    let conn = world.persistent("c", false);
    world.subscribed(conn, "t", 2);
    (publisher, conn)
}

/// [MQTT311-4.3.2-2]
#[test]
fn at_qos_1_an_acknowledged_identifier_is_a_new_message() {
    let mut world = World::new();
    let (publisher, conn) = subscriber(&mut world);
    world.send(publisher, &publish("t", "1", 1, 7));
    world.send(publisher, &dup(publish("t", "2", 1, 7)));
    world.expect(publisher, &[puback(7), puback(7)]);
    world.expect(conn, &[publish("t", "1", 1, 1), publish("t", "2", 1, 2)]);
}

/// [MQTT311-4.3.3-2]
#[test]
fn at_qos_2_a_repeat_is_not_delivered_until_the_identifier_is_released() {
    let mut world = World::new();
    let (publisher, conn) = subscriber(&mut world);
    world.send(publisher, &publish("t", "1", 2, 9));
    world.send(publisher, &dup(publish("t", "1", 2, 9)));
    world.expect(publisher, &[pubrec(9), pubrec(9)]);
    world.expect(conn, &[publish("t", "1", 2, 1)]);
    world.send(publisher, &pubrel(9));
    world.send(publisher, &pubrel(9));
    world.expect(publisher, &[pubcomp(9), pubcomp(9)]);
    // Whatever its DUP says.
    world.send(publisher, &dup(publish("t", "2", 2, 9)));
    world.expect(publisher, &[pubrec(9)]);
    world.expect(conn, &[publish("t", "2", 2, 2)]);
}

/// [MQTT311-4.3.3-2] across a reconnection.
#[test]
fn a_received_identifier_is_remembered_with_the_session() {
    let mut world = World::new();
    let (_, conn) = subscriber(&mut world);
    let publisher = world.persistent("q", false);
    world.send(publisher, &publish("t", "1", 2, 9));
    world.cut(publisher);
    let publisher = world.persistent("q", true);
    world.send(publisher, &dup(publish("t", "1", 2, 9)));
    world.expect(publisher, &[pubrec(9)]);
    world.send(publisher, &pubrel(9));
    world.expect(publisher, &[pubcomp(9)]);
    world.expect(conn, &[publish("t", "1", 2, 1)]);
}

/// [MQTT311-2.3.1-4] [MQTT311-4.3.2-1] [MQTT311-3.3.1-1] [MQTT311-4.4.0-1]
/// [MQTT311-4.6.0-1]
#[test]
fn what_is_not_acknowledged_comes_again_in_order_after_a_reconnection_only() {
    let mut world = World::new();
    let (publisher, conn) = subscriber(&mut world);
    let sent: Vec<Packet> = (1..=9)
        .map(|n| publish("t", &n.to_string(), 1 + (n % 2) as u8, n))
        .collect();
    for n in 1..=9_u16 {
        world.published(publisher, "t", &n.to_string(), 1 + (n % 2) as u8);
    }
    world.expect(conn, &sent);
    // No timer sends it again.
    world.pass(seconds(100_000));
    world.expect(conn, &[]);
    // Some are acknowledged, out of order.
    world.send(conn, &puback(4));
    world.send(conn, &puback(2));
    for _ in 0..2 {
        world.cut(conn);
        let conn = world.persistent("c", true);
        let again: Vec<Packet> = sent
            .iter()
            .filter(|packet| !is_id(packet, &[2, 4]))
            .cloned()
            .map(dup)
            .collect();
        world.expect(conn, &again);
        world.cut(conn);
    }
}

fn is_id(packet: &Packet, ids: &[u16]) -> bool {
    matches!(packet, Packet::Publish(publish)
        if publish.packet_id().is_some_and(|id| ids.contains(&id.get())))
}

/// [MQTT311-4.3.3-1] [MQTT311-3.6.1-1] [MQTT311-4.4.0-1]
#[test]
fn at_qos_2_each_step_is_resumed_where_it_was() {
    let mut world = World::new();
    let (publisher, conn) = subscriber(&mut world);
    world.published(publisher, "t", "hi", 2);
    world.expect(conn, &[publish("t", "hi", 2, 1)]);
    world.cut(conn);
    // Before PUBREC: the PUBLISH.
    let conn = world.persistent("c", true);
    world.expect(conn, &[dup(publish("t", "hi", 2, 1))]);
    world.send(conn, &pubrec(1));
    world.expect(conn, &[pubrel(1)]);
    world.cut(conn);
    // After it: PUBREL and never the PUBLISH.
    let conn = world.persistent("c", true);
    world.expect(conn, &[pubrel(1)]);
    // A client that repeats its PUBREC gets its PUBREL.
    world.send(conn, &pubrec(1));
    world.expect(conn, &[pubrel(1)]);
    world.send(conn, &pubcomp(1));
    world.cut(conn);
    // After PUBCOMP: nothing.
    let conn = world.persistent("c", true);
    world.expect(conn, &[]);
}

/// [MQTT311-4.6.0-4]: PUBRELs in the order of the PUBRECs, before the messages
/// that follow.
#[test]
fn pubrels_are_resumed_in_the_order_of_the_pubrecs() {
    let mut world = World::new();
    let (publisher, conn) = subscriber(&mut world);
    for n in 1..=4 {
        world.published(publisher, "t", &n.to_string(), 2);
    }
    world.inbox(conn);
    for id in [3, 1, 4] {
        world.send(conn, &pubrec(id));
    }
    world.expect(conn, &[pubrel(3), pubrel(1), pubrel(4)]);
    world.cut(conn);
    let conn = world.persistent("c", true);
    world.expect(
        conn,
        &[
            pubrel(3),
            pubrel(1),
            pubrel(4),
            dup(publish("t", "2", 2, 2)),
        ],
    );
}

/// A session that the broker no longer has must not keep a client's exchange
/// open for ever. Section 4.3.3.
#[test]
fn acknowledgements_nobody_waits_for_do_no_harm() {
    let mut world = World::new();
    let conn = world.clean("c");
    world.send(conn, &puback(5));
    world.send(conn, &pubcomp(5));
    world.expect(conn, &[]);
    world.send(conn, &pubrec(5));
    world.expect(conn, &[pubrel(5)]);
    world.send(conn, &pubrel(6));
    world.expect(conn, &[pubcomp(6)]);
}

/// [MQTT311-3.3.4-1]: the answer that the QoS does not allow.
#[rstest]
#[case(2, &[puback(1)], "MQTT311-3.3.4-1")]
#[case(1, &[pubrec(1)], "MQTT311-3.3.4-1")]
#[case(2, &[pubrec(1), puback(1)], "MQTT311-3.3.4-1")]
#[case(1, &[pubcomp(1)], "MQTT311 section 4.3.3")]
#[case(2, &[pubcomp(1)], "MQTT311 section 4.3.3")]
fn the_wrong_acknowledgement(#[case] qos: u8, #[case] answers: &[Packet], #[case] rule: &str) {
    let mut world = World::new();
    let (publisher, conn) = subscriber(&mut world);
    world.published(publisher, "t", "hi", qos);
    world.inbox(conn);
    for answer in answers {
        world.inbox(conn);
        world.send(conn, answer);
    }
    world.expect_breach(conn, rule);
    // The message is still owed, or its PUBREL.
    let conn = world.persistent("c", true);
    assert_eq!(world.inbox(conn).len(), 1);
}

/// [MQTT311-2.3.1-4] [MQTT311-4.3.2-1]
#[test]
fn identifiers_are_not_used_twice_at_once() {
    let mut world = World::new();
    let (publisher, conn) = subscriber(&mut world);
    // Identifiers 1 and 2 stay in use, 1 for a message and 2 for a PUBREL.
    world.published(publisher, "t", "held", 1);
    world.published(publisher, "t", "held", 2);
    world.send(conn, &pubrec(2));
    world.inbox(conn);
    let mut given = Vec::new();
    for _ in 0..65_536 {
        world.send(publisher, &publish("t", "hi", 1, 1));
        let Some(Packet::Publish(publish)) = world.inbox(conn).pop() else {
            panic!("expected a PUBLISH");
        };
        let id = publish.packet_id().expect("QoS 1").get();
        world.send(conn, &puback(id));
        given.push(id);
        world.inbox(publisher);
    }
    let expected: Vec<u16> = (3..=65_535).chain(3..).take(65_536).collect();
    assert_eq!(given, expected);
}

/// [MQTT311-3.10.4-3]
#[test]
fn deliveries_under_way_survive_an_unsubscribe() {
    let mut world = World::new();
    let (publisher, conn) = subscriber(&mut world);
    world.published(publisher, "t", "1", 2);
    world.published(publisher, "t", "2", 1);
    world.expect(conn, &[publish("t", "1", 2, 1), publish("t", "2", 1, 2)]);
    world.send(conn, &unsubscribe(9, &["t"]));
    world.send(conn, &pubrec(1));
    world.expect(conn, &[unsuback(9), pubrel(1)]);
    world.send(conn, &pubcomp(1));
    world.cut(conn);
    let conn = world.persistent("c", true);
    world.expect(conn, &[dup(publish("t", "2", 1, 2))]);
}

/// A resend that is held up by a slow connection goes on where it was, whatever
/// is acknowledged meanwhile. [MQTT311-4.4.0-1]
#[test]
fn a_resend_that_is_held_up_skips_nothing() {
    let mut config = squall_broker::Config::default();
    config.limits.outbound_bytes = 1;
    let mut world = World::with(config);
    let (publisher, conn) = subscriber(&mut world);
    for (n, qos) in (1..=8).zip([2, 2, 2, 2, 1, 1, 1, 1]) {
        world.published(publisher, "t", &n.to_string(), qos);
    }
    for id in 1..=4 {
        world.send(conn, &pubrec(id));
    }
    world.cut(conn);
    let conn = world.open();
    world.stall(conn);
    let connect = crate::world::persistent("c");
    world.send(conn, &Packet::Connect(Box::new(connect)));
    assert!(matches!(world.inbox(conn)[..], [Packet::ConnAck(_)]));
    // Each time it takes what is there, the next packet comes, and is answered.
    for id in 1..=4 {
        world.sip(conn);
        world.expect(conn, &[pubrel(id)]);
        world.send(conn, &pubcomp(id));
    }
    for id in 5..=8 {
        world.sip(conn);
        world.expect(conn, &[dup(publish("t", &id.to_string(), 1, id))]);
        world.send(conn, &puback(id));
    }
    world.sip(conn);
    world.expect(conn, &[]);
}
