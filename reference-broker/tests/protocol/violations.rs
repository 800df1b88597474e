//! A violation closes the connection that brought it, whatever was going on,
//! and nothing of it is passed on (section 4.8).

use crate::world::{World, clean, publish, will};
use rstest::rstest;
use squall_broker::wire::Connect;

/// [MQTT311-4.8.0-1] and the statement named in each case. The codec's own
/// tests have the other ways to break each.
#[rstest]
#[case::reserved_type_0(b"\x00\0", "MQTT311-4.8.0-1")]
#[case::reserved_type_15(b"\xf0\0", "MQTT311-4.8.0-1")]
#[case::connack(b"\x20\x02\0\0", "MQTT311-4.8.0-1")]
#[case::pingresp(b"\xd0\0", "MQTT311-4.8.0-1")]
#[case::puback_flags(b"\x41\x02\0\x01", "MQTT311-2.2.2-2")]
#[case::pingreq_flags(b"\xc1\0", "MQTT311-2.2.2-2")]
#[case::pubrel_flags(b"\x60\x02\0\x01", "MQTT311-3.6.1-1")]
#[case::subscribe_flags(b"\x80\x06\0\x01\0\x01a\0", "MQTT311-3.8.1-1")]
#[case::unsubscribe_flags(b"\xa0\x05\0\x01\0\x01a", "MQTT311-3.10.1-1")]
#[case::disconnect_flags(b"\xe1\0", "MQTT311-3.14.1-1")]
#[case::qos_3(b"\x36\x07\0\x01t\0\x01hi", "MQTT311-3.3.1-4")]
#[case::dup_qos_0(b"\x38\x05\0\x01thi", "MQTT311-3.3.1-2")]
#[case::id_0(b"\x32\x07\0\x01t\0\0hi", "MQTT311-2.3.1-1")]
#[case::topic_past_the_end(b"\x30\x05\0\x09thi", "MQTT311-3.3.2-1")]
#[case::wildcard_topic(b"\x30\x05\0\x03a/#", "MQTT311-3.3.2-2")]
#[case::empty_topic(b"\x30\x04\0\0hi", "MQTT311-4.7.3-1")]
#[case::not_utf8(b"\x30\x04\0\x02\xc3\x28", "MQTT311-1.5.3-1")]
#[case::nul(b"\x30\x04\0\x02t\0", "MQTT311-1.5.3-2")]
#[case::no_filter(b"\x82\x02\0\x01", "MQTT311-3.8.3-3")]
#[case::requested_qos_3(b"\x82\x06\0\x01\0\x01a\x03", "MQTT311-3.8.3-4")]
#[case::nothing_to_unsubscribe(b"\xa2\x02\0\x01", "MQTT311-3.10.3-2")]
#[case::misplaced_hash(b"\x82\x08\0\x01\0\x03a#b\0", "MQTT311-4.7.1-2")]
#[case::misplaced_plus(b"\x82\x07\0\x01\0\x02a+\0", "MQTT311-4.7.1-3")]
#[case::remaining_length(b"\x30\xff\xff\xff\xff\x01", "MQTT311 section 2.2.3")]
fn a_violation_closes_the_connection(#[case] bytes: &[u8], #[case] rule: &str) {
    let mut world = World::new();
    let watcher = world.clean("watcher");
    world.subscribed(watcher, "#", 0);
    let connect = Connect {
        will: will("gone", "c", 0, false),
        ..clean("c")
    };
    let conn = world.connect(connect, false);
    world.raw(conn, bytes);
    world.expect_breach(conn, rule);
    // As if the network had failed: the will is published, and only it.
    world.expect(watcher, &[publish("gone", "c", 0, 1)]);
}

/// [MQTT311-3.1.4-1], and the statement named in each case.
#[rstest]
#[case::name(b"\x10\x0d\0\x04MQTX\x04\x02\0\0\0\x01c", "MQTT311-3.1.2-1")]
#[case::reserved_flag(b"\x10\x0d\0\x04MQTT\x04\x03\0\0\0\x01c", "MQTT311-3.1.2-3")]
#[case::no_will_fields(b"\x10\x0d\0\x04MQTT\x04\x06\0\0\0\x01c", "MQTT311-3.1.2-9")]
#[case::will_qos(b"\x10\x0d\0\x04MQTT\x04\x0a\0\0\0\x01c", "MQTT311-3.1.2-13")]
#[case::will_retain(b"\x10\x0d\0\x04MQTT\x04\x22\0\0\0\x01c", "MQTT311-3.1.2-15")]
#[case::password(b"\x10\x10\0\x04MQTT\x04\x42\0\0\0\x01c\0\x01p", "MQTT311-3.1.2-22")]
#[case::no_identifier(b"\x10\x0a\0\x04MQTT\x04\x02\0\0", "MQTT311-3.1.3-3")]
#[case::identifier(b"\x10\x0e\0\x04MQTT\x04\x02\0\0\0\x02\xff\xfe", "MQTT311-1.5.3-1")]
#[case::trailing(b"\x10\x10\0\x04MQTT\x04\x02\0\0\0\x01c\0\x01u", "MQTT311-3.1.2-18")]
#[case::fixed_header(b"\x11\x0d\0\x04MQTT\x04\x02\0\0\0\x01c", "MQTT311-2.2.2-2")]
fn a_malformed_connect_is_not_answered(#[case] bytes: &[u8], #[case] rule: &str) {
    let mut world = World::new();
    // Nor does it disturb whoever has the identifier.
    let other = world.clean("c");
    let conn = world.open();
    world.raw(conn, bytes);
    world.expect_breach(conn, rule);
    world.expect(other, &[]);
}
