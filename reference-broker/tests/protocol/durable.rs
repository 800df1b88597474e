//! What a broker with a store keeps over a crash, and that nothing it promises
//! leaves before the store has it.
//!
//! [MQTT311-3.1.2-4] [MQTT311-3.1.2-5] [MQTT311-3.3.1-5] [MQTT311-4.3.2-2]
//! [MQTT311-4.3.3-2] [MQTT311-4.4.0-1]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::world::{
    World, clean, dup, persistent, puback, pubcomp, publish, pubrec, pubrel, retain, subscribe,
    text, unsuback, unsubscribe, will,
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use squall_broker::wire::{Connect, Packet};
use squall_broker::{Broker, CloseReason, Config, ConnId, Quirk, Quirks};

#[test]
fn an_acknowledgement_waits_for_the_store_and_a_ping_before_it_does_not() {
    let mut world = World::durable(Config::default());
    let subscriber = world.persistent("s", false);
    world.subscribed(subscriber, "t", 1);
    world.cut(subscriber);
    let publisher = world.clean("p");
    world.store().slow = true;
    world.send(publisher, &Packet::PingReq);
    world.expect(publisher, &[Packet::PingResp]);
    world.send(publisher, &publish("t", "kept", 1, 7));
    world.send(publisher, &Packet::PingReq);
    world.expect(publisher, &[]);
    world.sync();
    world.expect(publisher, &[puback(7), Packet::PingResp]);
}

#[test]
fn what_a_closing_connection_still_promises_is_written_before_it_closes() {
    let mut world = World::durable(Config::default());
    let conn = world.clean("c");
    world.store().slow = true;
    world.send(conn, &retain(publish("t", "kept", 1, 7)));
    world.disconnect(conn);
    world.expect_open(conn);
    world.sync();
    world.expect_closed(conn, &[puback(7)], &CloseReason::Disconnect);
}

#[test]
fn a_session_goes_on_after_a_crash_where_it_was() {
    let mut world = World::durable(Config::default());
    let publisher = world.persistent("p", false);
    let conn = world.persistent("c", false);
    world.subscribed(conn, "a/+", 2);
    world.subscribed(conn, "gone", 2);
    world.send(conn, &unsubscribe(9, &["gone"]));
    world.expect(conn, &[unsuback(9)]);
    world.published(publisher, "a/1", "delivered", 2);
    world.published(publisher, "a/1", "released", 2);
    world.published(publisher, "a/2", "in flight", 1);
    world.published(publisher, "a/3", "in flight", 2);
    world.inbox(conn);
    for number in [1, 2] {
        world.send(conn, &pubrec(number));
        world.expect(conn, &[pubrel(number)]);
    }
    world.send(conn, &pubcomp(1));
    world.cut(conn);
    world.published(publisher, "a/4", "queued", 1);
    world.published(publisher, "gone", "unwanted", 1);
    world.send(publisher, &publish("a/5", "once", 2, 70));
    world.expect(publisher, &[pubrec(70)]);
    world.crash(usize::MAX);

    let conn = world.persistent("c", true);
    let expected = [
        pubrel(2),
        dup(publish("a/2", "in flight", 1, 3)),
        dup(publish("a/3", "in flight", 2, 4)),
        publish("a/4", "queued", 1, 5),
        publish("a/5", "once", 2, 6),
    ];
    world.expect(conn, &expected);
    let publisher = world.persistent("p", true);
    world.send(publisher, &dup(publish("a/5", "once", 2, 70)));
    world.send(publisher, &pubrel(70));
    world.expect(publisher, &[pubrec(70), pubcomp(70)]);
    world.published(publisher, "gone", "unwanted", 1);
    world.expect(conn, &[]);
}

#[test]
fn what_is_retained_survives_a_crash_and_what_was_cleared_does_not_come_back() {
    let mut world = World::durable(Config::default());
    let publisher = world.clean("p");
    world.retained(publisher, "a", "old", 1);
    world.retained(publisher, "a", "new", 0);
    world.retained(publisher, "b", "cleared", 1);
    world.retained(publisher, "b", "", 1);
    world.crash(usize::MAX);
    let conn = world.clean("c");
    world.subscribed(conn, "#", 1);
    world.expect(conn, &[retain(publish("a", "new", 0, 1))]);
}

#[test]
fn a_clean_session_leaves_nothing_in_the_store() {
    let mut world = World::durable(Config::default());
    let publisher = world.clean("p");
    let conn = world.persistent("c", false);
    world.subscribed(conn, "t", 2);
    for qos in [1, 2, 2] {
        world.published(publisher, "t", "in flight", qos);
    }
    world.send(conn, &pubrec(2));
    world.send(conn, &publish("u", "received", 2, 3));
    world.cut(conn);
    world.published(publisher, "t", "queued", 1);
    assert_ne!(world.store().image, BTreeMap::new());
    world.clean("c");
    assert_eq!(world.store().image, BTreeMap::new());
    world.crash(usize::MAX);
    world.clean("c");
}

#[test]
fn a_message_to_many_is_stored_once() {
    let mut world = World::durable(Config::default());
    let publisher = world.clean("p");
    let names: Vec<String> = (0..100).map(|number| format!("c{number}")).collect();
    for name in &names {
        let conn = world.persistent(name, false);
        world.subscribed(conn, "t", 1);
        world.cut(conn);
    }
    let before = world.store().bytes();
    world.published(publisher, "t", &"x".repeat(10_000), 1);
    let bytes = world.store().bytes() - before;
    assert!((10_000..20_000).contains(&bytes), "{bytes} bytes");
    for name in &names {
        let conn = world.persistent(name, true);
        world.send(conn, &puback(1));
        world.cut(conn);
    }
    assert_eq!(
        world.store().bytes(),
        before,
        "nobody refers to it any more"
    );
}

/// [MQTT311-3.1.2-8]
#[test]
fn the_will_of_a_client_that_was_there_at_the_crash_is_published_afterwards() {
    let mut world = World::durable(Config::default());
    let watcher = world.persistent("watcher", false);
    world.subscribed(watcher, "gone/+", 1);
    let with_will = |name: &str| Connect {
        will: will(&format!("gone/{name}"), "bye", 1, true),
        client_id: text(name),
        clean_session: true,
        ..Connect::default()
    };
    let polite = world.connect(with_will("polite"), false);
    world.disconnect(polite);
    world.connect(with_will("victim"), false);
    world.crash(usize::MAX);
    let watcher = world.persistent("watcher", true);
    world.expect(watcher, &[publish("gone/victim", "bye", 1, 1)]);
    let late = world.clean("late");
    world.subscribed(late, "gone/+", 0);
    world.expect(late, &[retain(publish("gone/victim", "bye", 0, 1))]);
    world.crash(usize::MAX);
    let watcher = world.persistent("watcher", true);
    let again = dup(publish("gone/victim", "bye", 1, 1));
    world.expect(watcher, &[again]);
}

#[test]
fn an_entry_that_no_broker_wrote_is_refused() {
    for (key, value) in [
        (&b"\x09"[..], &b""[..]),
        (b"", b""),
        (b"\x03\0\x01ct", b"\x01"),
    ] {
        let restored = Broker::restore(Config::default(), None, [(key, value)], Duration::ZERO);
        assert_eq!(restored.expect_err("nonsense").key, key);
    }
}

/// One subscriber and one publisher with stored sessions, whose broker crashes
/// at any moment with any prefix of what it had not synced; `None` if all is as
/// a naive model wants it.
fn play(seed: u64, quirks: Quirks) -> Option<String> {
    let mut dice = Pcg32::seed_from_u64(seed);
    let mut config = Config {
        quirks,
        ..Config::default()
    };
    config.limits.inflight = 1 + dice.next_u32() as usize % 4;
    let mut script = Script {
        world: World::durable(config),
        register_qos: 1 + (dice.next_u32() % 2) as u8,
        dice,
        next: 0,
        publisher: Publisher::default(),
        subscriber: Subscriber::default(),
        retained: Vec::new(),
    };
    script.world.store().slow = true;
    for _ in 0..120 {
        script.step();
    }
    script.finish();
    script.verdict()
}

struct Script {
    world: World,
    dice: Pcg32,
    next: u16,
    register_qos: u8,
    publisher: Publisher,
    subscriber: Subscriber,
    /// Retained values in the order of publishing, and whether each was
    /// acknowledged.
    retained: Vec<(String, bool)>,
}

#[derive(Default)]
struct Publisher {
    conn: Option<ConnId>,
    was_here: bool,
    /// By packet identifier: payload, QoS, and whether it is released.
    pending: BTreeMap<u16, (String, u8, bool)>,
    acknowledged: BTreeSet<String>,
    /// What was published at QoS 2.
    once: BTreeSet<String>,
}

#[derive(Default)]
struct Subscriber {
    conn: Option<ConnId>,
    /// The SUBACK came.
    subscribed: bool,
    /// QoS 2 identifiers received and not released.
    held: BTreeSet<u16>,
    got: BTreeMap<String, u32>,
    answers: Vec<Packet>,
    retained: Option<String>,
}

const TOPIC: &str = "t";
const REGISTER: &str = "r";

impl Script {
    fn roll(&mut self, sides: u32) -> u32 {
        self.dice.next_u32() % sides
    }

    fn step(&mut self) {
        match self.roll(12) {
            0..5 => self.publish(),
            5..7 => self.answer(),
            7..10 => self.world.sync(),
            10 => match self.roll(2) {
                0 => self.leave(),
                _ => self.join(),
            },
            _ if self.roll(4) == 0 => self.crash(),
            _ => self.join(),
        }
        self.read();
    }

    fn crash(&mut self) {
        let kept = self.roll(4) as usize;
        self.world.crash(kept);
        (self.publisher.conn, self.subscriber.conn) = (None, None);
    }

    fn leave(&mut self) {
        if let Some(conn) = self.subscriber.conn.take() {
            self.world.cut(conn);
        }
    }

    /// Whoever is not connected connects, and sends again what was not
    /// acknowledged.
    fn join(&mut self) {
        if self.publisher.conn.is_none() {
            let conn = self.world.open();
            self.world
                .send(conn, &Packet::Connect(Box::new(persistent("p"))));
            self.publisher.conn = Some(conn);
            for (id, (payload, qos, released)) in self.publisher.pending.clone() {
                let packet = match released {
                    true => pubrel(id),
                    false => dup(message(&payload, qos, id)),
                };
                self.world.send(conn, &packet);
            }
        }
        if self.subscriber.conn.is_none() {
            let conn = self.world.open();
            self.world
                .send(conn, &Packet::Connect(Box::new(persistent("s"))));
            self.subscriber.answers.clear();
            if !self.subscriber.subscribed {
                self.world.send(conn, &subscribe(1, &[(TOPIC, 2)]));
            }
            self.subscriber.conn = Some(conn);
        }
    }

    fn publish(&mut self) {
        let Some(conn) = self.publisher.conn.filter(|_| self.subscriber.subscribed) else {
            return self.join();
        };
        self.next += 1;
        let register = self.roll(4) == 0;
        let id = self.next;
        let qos = match register {
            // One for all: repeated, a QoS 1 message takes effect once more,
            // also behind one of QoS 2.
            true => self.register_qos,
            false => 1 + self.roll(2) as u8,
        };
        let payload = format!("{}{id}", if register { REGISTER } else { TOPIC });
        self.world.send(conn, &message(&payload, qos, id));
        if qos == 2 {
            self.publisher.once.insert(payload.clone());
        }
        if register {
            self.retained.push((payload.clone(), false));
        }
        self.publisher.pending.insert(id, (payload, qos, false));
    }

    fn answer(&mut self) {
        let Some(conn) = self.subscriber.conn else {
            return;
        };
        for packet in std::mem::take(&mut self.subscriber.answers) {
            self.world.send(conn, &packet);
        }
    }

    /// Both read what has come.
    fn read(&mut self) {
        if let Some(conn) = self.publisher.conn {
            for packet in self.world.inbox(conn) {
                self.publisher_reads(conn, &packet);
            }
        }
        if let Some(conn) = self.subscriber.conn {
            for packet in self.world.inbox(conn) {
                self.subscriber_reads(packet);
            }
        }
    }

    fn publisher_reads(&mut self, conn: ConnId, packet: &Packet) {
        let publisher = &mut self.publisher;
        match packet {
            Packet::ConnAck(connack) => {
                assert!(
                    connack.session_present || !publisher.was_here,
                    "a session that was acknowledged is gone"
                );
                publisher.was_here = true;
            }
            Packet::PubAck(ack) => {
                if let Some((payload, ..)) = publisher.pending.remove(&ack.packet_id.get()) {
                    self.acknowledged(payload);
                }
            }
            Packet::PubRec(ack) => {
                let id = ack.packet_id.get();
                if let Some((payload, _, released)) = publisher.pending.get_mut(&id) {
                    *released = true;
                    let payload = payload.clone();
                    self.acknowledged(payload);
                    self.world.send(conn, &pubrel(id));
                }
            }
            Packet::PubComp(ack) => {
                publisher.pending.remove(&ack.packet_id.get());
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    fn acknowledged(&mut self, payload: String) {
        if let Some(value) = self
            .retained
            .iter_mut()
            .find(|(value, _)| *value == payload)
        {
            value.1 = true;
        } else {
            self.publisher.acknowledged.insert(payload);
        }
    }

    fn subscriber_reads(&mut self, packet: Packet) {
        let subscriber = &mut self.subscriber;
        match packet {
            Packet::ConnAck(_) => {}
            Packet::SubAck(_) => subscriber.subscribed = true,
            Packet::Publish(publish) => {
                let payload = String::from_utf8_lossy(&publish.payload).into_owned();
                let id = publish.packet_id().map(std::num::NonZero::get);
                let Some(id) = id else {
                    subscriber.retained = Some(payload);
                    return;
                };
                if publish.qos() as u8 == 1 {
                    subscriber.answers.push(puback(id));
                } else {
                    subscriber.answers.push(pubrec(id));
                    if !subscriber.held.insert(id) {
                        return;
                    }
                }
                *subscriber.got.entry(payload).or_default() += 1;
            }
            Packet::PubRel(ack) => {
                subscriber.held.remove(&ack.packet_id.get());
                subscriber.answers.push(pubcomp(ack.packet_id.get()));
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    /// Everybody comes back, and stays until all is delivered.
    fn finish(&mut self) {
        for _ in 0..200 {
            self.join();
            self.world.sync();
            self.read();
            self.answer();
        }
        assert!(self.publisher.pending.is_empty(), "everything is answered");
        let late = self.world.open();
        let connect = Packet::Connect(Box::new(clean("late")));
        self.world.send(late, &connect);
        self.world.send(late, &subscribe(1, &[(REGISTER, 0)]));
        self.world.sync();
        for packet in self.world.inbox(late) {
            self.subscriber_reads(packet);
        }
    }

    fn verdict(&self) -> Option<String> {
        let Subscriber { got, retained, .. } = &self.subscriber;
        let lost = self
            .publisher
            .acknowledged
            .iter()
            .find(|payload| !got.contains_key(*payload));
        if let Some(lost) = lost {
            return Some(format!("{lost} was acknowledged and is lost"));
        }
        let twice = |(payload, count): &(&String, &u32)| {
            **count > 1 && self.publisher.once.contains(*payload)
        };
        if let Some((twice, _)) = got.iter().find(twice) {
            return Some(format!("{twice} arrived twice"));
        }
        let newest = self
            .retained
            .iter()
            .rposition(|(_, acknowledged)| *acknowledged)?;
        let at = self
            .retained
            .iter()
            .position(|(value, _)| Some(value) == retained.as_ref());
        (at < Some(newest)).then(|| format!("retained {retained:?} of {:?}", self.retained))
    }
}

fn message(payload: &str, qos: u8, id: u16) -> Packet {
    match payload.starts_with(REGISTER) {
        true => retain(publish(REGISTER, payload, qos, id)),
        false => publish(TOPIC, payload, qos, id),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever crashes when: nothing acknowledged is lost, nothing of QoS 2
    /// arrives twice, no retained value is older than the newest acknowledged.
    #[test]
    fn a_crash_takes_nothing_that_was_promised(seed: u64) {
        prop_assert_eq!(play(seed, Quirks::default()), None);
    }
}

/// The same scripts find what breaks such promises.
#[test]
fn a_broker_that_breaks_its_promises_is_found() {
    for quirk in [
        Quirk::AcknowledgesBeforeDurable,
        Quirk::StaleRetainedAfterRestart,
        Quirk::ForgetsInflightQos1,
        Quirk::RepublishesAfterPubrec,
    ] {
        let found = (0..50).find_map(|seed| play(seed, Quirks::from_iter([quirk])));
        assert!(found.is_some(), "nothing finds {quirk}");
    }
}
