//! Every quirk shows, and nothing of it shows without it: each test holds the
//! same conversation with a broker that has the quirk and with the honest one.

use crate::world::{
    World, clean, dup, id, persistent, publish, pubrec, pubrel, retain, seconds, text, unsuback,
    unsubscribe, will,
};
use squall_broker::wire::{Connect, Packet};
use squall_broker::{CloseReason, Config, Quirk, Quirks};

/// What a broker with this quirk is set up with, or without.
fn config(quirk: Option<Quirk>) -> Config {
    Config {
        quirks: Quirks::from_iter(quirk),
        ..Config::default()
    }
}

/// Holds a conversation with both brokers; what it returns must be `honest` of
/// the one and `quirky` of the other.
#[track_caller]
fn check<R: PartialEq + std::fmt::Debug>(
    quirk: Quirk,
    conversation: impl Fn(&mut World) -> R,
    honest: &R,
    quirky: &R,
) {
    let [without, with] = [None, Some(quirk)].map(|quirk| World::with(config(quirk)));
    compare(quirk, [without, with], conversation, honest, quirky);
}

/// The same with a store.
#[track_caller]
fn check_durable<R: PartialEq + std::fmt::Debug>(
    quirk: Quirk,
    conversation: impl Fn(&mut World) -> R,
    honest: &R,
    quirky: &R,
) {
    let [without, with] = [None, Some(quirk)].map(|quirk| World::durable(config(quirk)));
    compare(quirk, [without, with], conversation, honest, quirky);
}

#[track_caller]
fn compare<R: PartialEq + std::fmt::Debug>(
    quirk: Quirk,
    [mut without, mut with]: [World; 2],
    conversation: impl Fn(&mut World) -> R,
    honest: &R,
    quirky: &R,
) {
    assert_eq!(&conversation(&mut without), honest, "without {quirk}");
    assert_eq!(&conversation(&mut with), quirky, "with {quirk}");
}

/// A persistent session `c` subscribed to `t`, to which messages are sent that
/// its client does not acknowledge before its connection is cut.
fn unacknowledged(world: &mut World, qos: u8, payloads: &[&str]) {
    let publisher = world.clean("p");
    let conn = world.persistent("c", false);
    world.subscribed(conn, "t", qos);
    for payload in payloads {
        world.published(publisher, "t", payload, qos);
    }
    world.cut(conn);
}

/// [MQTT311-4.4.0-1]
#[test]
fn forgets_inflight_qos1() {
    let conversation = |world: &mut World| {
        unacknowledged(world, 1, &["one", "two"]);
        let conn = world.persistent("c", true);
        world.inbox(conn)
    };
    let resent = [publish("t", "one", 1, 1), publish("t", "two", 1, 2)].map(dup);
    check(
        Quirk::ForgetsInflightQos1,
        conversation,
        &resent.to_vec(),
        &Vec::new(),
    );
}

/// [MQTT311-4.3.3-2]
#[test]
fn delivers_qos2_repeats() {
    let conversation = |world: &mut World| {
        let subscriber = world.clean("s");
        world.subscribed(subscriber, "t", 0);
        let publisher = world.clean("p");
        let message = publish("t", "once", 2, 7);
        world.send(publisher, &message);
        world.send(publisher, &dup(message));
        world.expect(publisher, &[pubrec(7), pubrec(7)]);
        world.inbox(subscriber).len()
    };
    check(Quirk::DeliversQos2Repeats, conversation, &1, &2);
}

/// [MQTT311-3.3.1-10]
#[test]
fn keeps_cleared_retained() {
    let conversation = |world: &mut World| {
        let publisher = world.clean("p");
        world.retained(publisher, "t", "old", 1);
        world.retained(publisher, "t", "", 1);
        let subscriber = world.clean("s");
        world.subscribed(subscriber, "t", 1);
        world.inbox(subscriber)
    };
    let stale = retain(publish("t", "old", 1, 1));
    check(
        Quirk::KeepsClearedRetained,
        conversation,
        &vec![],
        &vec![stale],
    );
}

/// [MQTT311-3.3.1-9]
#[test]
fn retain_flag_to_established() {
    let conversation = |world: &mut World| {
        let subscriber = world.clean("s");
        world.subscribed(subscriber, "t", 1);
        let publisher = world.clean("p");
        world.published(publisher, "t", "plain", 1);
        world.retained(publisher, "t", "kept", 1);
        world.inbox(subscriber)
    };
    let plain = publish("t", "plain", 1, 1);
    let kept = publish("t", "kept", 1, 2);
    check(
        Quirk::RetainFlagToEstablished,
        conversation,
        &vec![plain.clone(), kept.clone()],
        &vec![plain, retain(kept)],
    );
}

/// [MQTT311-3.14.4-3]
#[test]
fn will_after_disconnect() {
    let conversation = |world: &mut World| {
        let subscriber = world.clean("s");
        world.subscribed(subscriber, "t", 0);
        let connect = Connect {
            client_id: text("w"),
            clean_session: true,
            will: will("t", "gone", 0, false),
            ..Connect::default()
        };
        let conn = world.connect(connect, false);
        world.disconnect(conn);
        world.expect_closed(conn, &[], &CloseReason::Disconnect);
        world.inbox(subscriber)
    };
    check(
        Quirk::WillAfterDisconnect,
        conversation,
        &vec![],
        &vec![publish("t", "gone", 0, 1)],
    );
}

/// [MQTT311-3.1.2-4]
#[test]
fn loses_queue_on_takeover() {
    let conversation = |world: &mut World| {
        let publisher = world.clean("p");
        let old = world.persistent("c", false);
        world.subscribed(old, "t", 1);
        let window = world.broker.config().limits.inflight;
        for _ in 0..window + 3 {
            world.published(publisher, "t", "unacknowledged", 1);
        }
        let conn = world.persistent("c", true);
        world.expect_closed(old, &world_inflight(window), &CloseReason::TakenOver);
        let resent = world.inbox(conn).len();
        assert_eq!(resent, window, "what was in flight is sent again");
        for packet in 1..=window as u16 {
            world.send(conn, &crate::world::puback(packet));
        }
        world.inbox(conn).len()
    };
    check(Quirk::LosesQueueOnTakeover, conversation, &3, &0);
}

fn world_inflight(window: usize) -> Vec<Packet> {
    let packets = 1..=window as u16;
    packets
        .map(|packet| publish("t", "unacknowledged", 1, packet))
        .collect()
}

/// [MQTT311-4.6.0-1]
#[test]
fn reorders_on_reconnect() {
    let conversation = |world: &mut World| {
        unacknowledged(world, 1, &["one", "two"]);
        let conn = world.persistent("c", true);
        world.inbox(conn)
    };
    let [one, two] = [publish("t", "one", 1, 1), publish("t", "two", 1, 2)].map(dup);
    check(
        Quirk::ReordersOnReconnect,
        conversation,
        &vec![one.clone(), two.clone()],
        &vec![two, one],
    );
}

/// [MQTT311-3.1.2-24]
#[test]
fn ignores_keep_alive() {
    let conversation = |world: &mut World| {
        let connect = Connect {
            keep_alive_s: 10,
            ..persistent("c")
        };
        world.connect(connect, false);
        world.pass(seconds(60));
        world.seen(|seen| seen.packets.contains(&"1 closed".to_owned()))
    };
    check(Quirk::IgnoresKeepAlive, conversation, &true, &false);
}

/// [MQTT311-4.3.3-1]
#[test]
fn republishes_after_pubrec() {
    let conversation = |world: &mut World| {
        unacknowledged(world, 2, &["one", "two", "three"]);
        let conn = world.persistent("c", true);
        world.inbox(conn);
        world.send(conn, &pubrec(1));
        world.send(conn, &pubrec(2));
        world.expect(conn, &[pubrel(1), pubrel(2)]);
        world.cut(conn);
        let conn = world.persistent("c", true);
        world.inbox(conn)
    };
    let [one, two, three] = [("one", 1), ("two", 2), ("three", 3)]
        .map(|(payload, packet)| dup(publish("t", payload, 2, packet)));
    check(
        Quirk::RepublishesAfterPubrec,
        conversation,
        &vec![pubrel(1), pubrel(2), three.clone()],
        &vec![one, two, three],
    );
}

/// [MQTT311-3.10.4-2]
#[test]
fn forwards_after_unsubscribe() {
    let conversation = |world: &mut World| {
        let publisher = world.clean("p");
        let subscriber = world.clean("s");
        world.subscribed(subscriber, "t", 1);
        world.send(subscriber, &unsubscribe(9, &["t"]));
        world.expect(subscriber, &[unsuback(9)]);
        world.published(publisher, "t", "unwanted", 1);
        world.inbox(subscriber)
    };
    check(
        Quirk::ForwardsAfterUnsubscribe,
        conversation,
        &vec![],
        &vec![publish("t", "unwanted", 1, id(1).get())],
    );
}

/// [MQTT311-4.3.2-2]
#[test]
fn acknowledges_before_durable() {
    let conversation = |world: &mut World| {
        world.store().slow = true;
        let publisher = world.open();
        world.send(publisher, &Packet::Connect(Box::new(clean("p"))));
        world.send(publisher, &retain(publish("t", "lost", 1, 1)));
        let answered = world.inbox(publisher).len();
        world.crash(0);
        let subscriber = world.clean("s");
        world.subscribed(subscriber, "t", 1);
        assert_eq!(world.inbox(subscriber), [], "it was not stored");
        answered
    };
    check_durable(Quirk::AcknowledgesBeforeDurable, conversation, &1, &2);
}

/// [MQTT311-3.3.1-5]
#[test]
fn stale_retained_after_restart() {
    let conversation = |world: &mut World| {
        let publisher = world.clean("p");
        world.retained(publisher, "t", "old", 0);
        world.retained(publisher, "t", "new", 0);
        let subscriber = world.clean("s");
        world.subscribed(subscriber, "t", 0);
        world.expect(subscriber, &[retain(publish("t", "new", 0, 1))]);
        world.crash(usize::MAX);
        let subscriber = world.clean("s");
        world.subscribed(subscriber, "t", 0);
        world.inbox(subscriber)
    };
    let [old, new] = ["old", "new"].map(|payload| vec![retain(publish("t", payload, 0, 1))]);
    check_durable(Quirk::StaleRetainedAfterRestart, conversation, &new, &old);
}
