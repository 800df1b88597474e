//! Random scripts against a naive model: subscribers that come, go, subscribe,
//! change their minds and acknowledge when they like. Every message that the
//! model says is owed arrives, once if it must, in its order, and no other.
//! `[MQTT311-4.6.0-6]` `[MQTT311-4.5.0-1]` `[MQTT311-4.3.3-1]`
//! `[MQTT311-4.4.0-1]` `[MQTT311-3.3.1-6]` `[MQTT311-3.10.4-2]`

use std::collections::{BTreeMap, BTreeSet};

use crate::world::{
    World, clean, dup, persistent, puback, pubcomp, publish, pubrec, pubrel, retain, subscribe,
    unsubscribe,
};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use squall_broker::wire::{Packet, Publish, Qos, TopicFilter, TopicName};
use squall_broker::{Config, ConnId};

const TOPICS: [&str; 6] = ["a", "a/b", "a/b/c", "b/c", "/a", "$x/a"];
const FILTERS: [&str; 9] = ["#", "+", "a/#", "a/+", "+/c", "a/b", "+/+/+", "$x/#", "/+"];

/// What the order of two messages is defined for: topic and published QoS.
type Stream = (&'static str, u8);

/// Payload, QoS and RETAIN as delivered.
type Delivered = (String, u8, bool);

#[derive(Default)]
struct Subscriber {
    name: &'static str,
    conn: Option<ConnId>,
    has_session: bool,
    filters: BTreeMap<&'static str, u8>,
    owed: BTreeMap<Stream, Vec<Delivered>>,
    got: BTreeMap<Stream, Vec<Delivered>>,
    /// Identifiers received and not yet acknowledged or released.
    held: BTreeSet<u16>,
    /// Answers not yet given.
    answers: Vec<Packet>,
}

impl Subscriber {
    /// Reads the inbox as a client does.
    fn read(&mut self, packets: Vec<Packet>, published: &BTreeMap<String, Stream>) {
        for packet in packets {
            match packet {
                Packet::Publish(publish) => self.receive(&publish, published),
                Packet::PubRel(ack) => {
                    self.held.remove(&ack.packet_id.get());
                    self.answers.push(pubcomp(ack.packet_id.get()));
                }
                Packet::SubAck(_) | Packet::UnsubAck(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    fn receive(&mut self, publish: &Publish, published: &BTreeMap<String, Stream>) {
        let payload = String::from_utf8_lossy(&publish.payload).into_owned();
        let stream = published[&payload];
        assert_eq!(publish.topic.as_str(), stream.0, "no fabrication");
        if let Some(id) = publish.packet_id().map(std::num::NonZero::get) {
            let answer = if publish.qos() == Qos::AtLeastOnce {
                puback(id)
            } else {
                pubrec(id)
            };
            self.answers.push(answer);
            let repeated = !self.held.insert(id);
            assert_eq!(
                repeated, publish.dup,
                "DUP says whether identifier {id} was used before"
            );
            if repeated {
                return;
            }
        }
        let delivered = (payload, publish.qos() as u8, publish.retain);
        self.got.entry(stream).or_default().push(delivered);
    }

    fn owe(&mut self, stream: Stream, delivered: Delivered) {
        self.owed.entry(stream).or_default().push(delivered);
    }

    /// What is not there yet at QoS 0 will never be: the client leaves.
    fn forgive_qos_0(&mut self) {
        for (stream, owed) in &mut self.owed {
            let got = self.got.get(stream).map_or(0, Vec::len);
            let mut at = 0;
            owed.retain(|(_, qos, _)| {
                at += 1;
                at <= got || *qos > 0
            });
        }
    }

    /// So far, all is in order.
    fn check(&self, complete: bool) {
        for (stream, got) in &self.got {
            let owed = self.owed.get(stream).map_or(&[][..], Vec::as_slice);
            assert!(
                owed.starts_with(got),
                "{} {stream:?}: got {got:?} of {owed:?}",
                self.name
            );
        }
        if complete {
            let owed: Vec<_> = self
                .owed
                .iter()
                .filter(|(_, owed)| !owed.is_empty())
                .collect();
            assert_eq!(owed, self.got.iter().collect::<Vec<_>>(), "{}", self.name);
        }
    }

    /// The highest QoS of the filters that match.
    fn granted(&self, topic: &'static str) -> Option<u8> {
        let filters = self
            .filters
            .iter()
            .filter(|(filter, _)| matches(filter, topic));
        filters.map(|(_, qos)| *qos).max()
    }
}

fn matches(filter: &'static str, topic: &'static str) -> bool {
    let topic = TopicName::new(topic).expect("a topic");
    TopicFilter::new(filter).expect("a filter").matches(&topic)
}

struct Script {
    dice: Pcg32,
    world: World,
    publishers: [ConnId; 2],
    subscribers: Vec<Subscriber>,
    retained: BTreeMap<&'static str, (String, u8)>,
    /// By payload, each of which is published once.
    published: BTreeMap<String, Stream>,
}

impl Script {
    fn new(seed: u64) -> Self {
        let mut dice = Pcg32::seed_from_u64(seed);
        let mut config = Config::default();
        // Small, so that it is often full.
        config.limits.inflight = 1 + dice.next_u32() as usize % 4;
        config.limits.outbound_bytes = 1 + dice.next_u32() as usize % 50;
        let mut world = World::with(config);
        let publishers = [world.clean("p"), world.clean("q")];
        let names = ["one", "two", "three", "four"];
        let subscribers = names
            .map(|name| Subscriber {
                name,
                ..Subscriber::default()
            })
            .into();
        let (retained, published) = (BTreeMap::new(), BTreeMap::new());
        Self {
            dice,
            world,
            publishers,
            subscribers,
            retained,
            published,
        }
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.dice.next_u32() as usize % sides
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }

    fn step(&mut self) {
        let who = self.roll(self.subscribers.len());
        match (self.subscribers[who].conn, self.roll(10)) {
            (_, 0..4) => self.publish(),
            (None, 4..7) => self.connect(who),
            (Some(_), 4) => self.leave(who),
            // A takeover.
            (Some(_), 5) => self.connect(who),
            (Some(conn), 6) => self.subscribe(who, conn),
            (Some(conn), 7) => self.unsubscribe(who, conn),
            (Some(_), _) => self.answer(who, 3),
            (None, _) => {}
        }
        for who in 0..self.subscribers.len() {
            self.read(who);
            self.subscribers[who].check(false);
        }
    }

    fn read(&mut self, who: usize) {
        if let Some(conn) = self.subscribers[who].conn {
            let packets = self.world.inbox(conn);
            self.subscribers[who].read(packets, &self.published);
        }
    }

    fn publish(&mut self) {
        let publisher = self.pick(&self.publishers.clone());
        let (topic, qos) = (self.pick(&TOPICS), self.roll(3) as u8);
        let keep = self.roll(3) == 0;
        let payload = format!("{}", self.published.len());
        self.published.insert(payload.clone(), (topic, qos));
        if keep {
            self.retained.insert(topic, (payload.clone(), qos));
        }
        for subscriber in &mut self.subscribers {
            let qos = subscriber.granted(topic).map(|granted| granted.min(qos));
            let Some(qos) = qos.filter(|qos| subscriber.conn.is_some() || *qos > 0) else {
                continue;
            };
            let stream = self.published[&payload];
            subscriber.owe(stream, (payload.clone(), qos, false));
        }
        let packet = publish(topic, &payload, qos, 9);
        let packet = if keep { retain(packet) } else { packet };
        self.world.send(publisher, &packet);
        if qos == 2 {
            for _ in 0..self.roll(3) {
                self.world.send(publisher, &dup(packet.clone()));
            }
            self.world.send(publisher, &pubrel(9));
        }
        self.world.inbox(publisher);
    }

    fn connect(&mut self, who: usize) {
        let afresh = self.roll(5) == 0;
        self.read(who);
        let subscriber = &mut self.subscribers[who];
        subscriber.forgive_qos_0();
        subscriber.answers.clear();
        let name = subscriber.name;
        if afresh || !subscriber.has_session {
            let conn = subscriber.conn;
            *subscriber = Subscriber {
                name,
                conn,
                ..Subscriber::default()
            };
        }
        let present = subscriber.has_session;
        let connect = if afresh {
            clean(name)
        } else {
            persistent(name)
        };
        subscriber.has_session = !afresh;
        let conn = self.world.connect(connect, present);
        self.subscribers[who].conn = Some(conn);
    }

    fn leave(&mut self, who: usize) {
        self.read(who);
        let subscriber = &mut self.subscribers[who];
        if let Some(conn) = subscriber.conn.take() {
            self.world.cut(conn);
        }
        subscriber.forgive_qos_0();
        subscriber.answers.clear();
        if !subscriber.has_session {
            *subscriber = Subscriber {
                name: subscriber.name,
                ..Subscriber::default()
            };
        }
    }

    fn subscribe(&mut self, who: usize, conn: ConnId) {
        let (filter, qos) = (self.pick(&FILTERS), self.roll(3) as u8);
        let subscriber = &mut self.subscribers[who];
        subscriber.filters.insert(filter, qos);
        for (payload, published_qos) in self.retained.values() {
            let stream = self.published[payload];
            if matches(filter, stream.0) {
                let delivered = (payload.clone(), qos.min(*published_qos), true);
                subscriber.owe(stream, delivered);
            }
        }
        self.world.send(conn, &subscribe(1, &[(filter, qos)]));
    }

    fn unsubscribe(&mut self, who: usize, conn: ConnId) {
        let filter = self.pick(&FILTERS);
        self.subscribers[who].filters.remove(filter);
        self.world.send(conn, &unsubscribe(2, &[filter]));
    }

    /// Gives some answers, not always the oldest first.
    fn answer(&mut self, who: usize, most: usize) {
        for _ in 0..most {
            let (count, last) = (self.subscribers[who].answers.len(), self.roll(4) == 0);
            let subscriber = &mut self.subscribers[who];
            let Some(conn) = subscriber.conn.filter(|_| count > 0) else {
                return;
            };
            let answer = subscriber.answers.remove(if last { count - 1 } else { 0 });
            if let Packet::PubAck(ack) = &answer {
                subscriber.held.remove(&ack.packet_id.get());
            }
            self.world.send(conn, &answer);
            self.read(who);
        }
    }

    /// Everybody who has a session comes back and takes what is owed.
    fn finish(&mut self) {
        for who in 0..self.subscribers.len() {
            if self.subscribers[who].conn.is_none() && self.subscribers[who].has_session {
                let name = self.subscribers[who].name;
                self.subscribers[who].forgive_qos_0();
                let conn = self.world.persistent(name, true);
                self.subscribers[who].conn = Some(conn);
            }
            self.read(who);
            while !self.subscribers[who].answers.is_empty() {
                self.answer(who, 1);
            }
            self.subscribers[who].check(true);
        }
    }
}

#[test]
fn random_scripts_follow_the_model() {
    let mut deliveries = 0;
    for seed in 0..300 {
        let run = std::panic::catch_unwind(|| {
            let mut script = Script::new(seed);
            for _ in 0..400 {
                script.step();
            }
            script.finish();
            let got = script
                .subscribers
                .iter()
                .flat_map(|subscriber| subscriber.got.values());
            got.map(Vec::len).sum::<usize>()
        });
        match run {
            Ok(count) => deliveries += count,
            Err(_) => panic!("seed {seed}"),
        }
    }
    // The scripts do exercise something.
    assert!(deliveries > 10_000, "{deliveries} deliveries");
}
