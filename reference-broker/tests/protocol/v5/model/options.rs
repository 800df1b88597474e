//! Subscribers with options, messages and sessions with a time to live, clients
//! with a window.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use squall_broker::wire::{
    Connect, Packet, Property, Publish, Qos, RetainHandling, Subscribe, Subscription,
    SubscriptionId, SubscriptionOptions, TopicFilter, TopicName, Version,
};
use squall_broker::{Config, ConnId, Quirks};

use crate::v5::saying;
use crate::world::{
    World, id, persistent, puback, pubcomp, publish, pubrec, pubrel, retain, seconds, unsubscribe,
};

const TOPICS: [&str; 4] = ["a", "a/b", "a/b/c", "b/c"];
const FILTERS: [&str; 6] = ["#", "a/#", "a/+", "+/c", "a/b", "+/+/+"];

/// What the order of two messages is defined for: publisher, topic and published
/// QoS.
type Stream = (&'static str, &'static str, u8);

/// A message as its publisher sent it.
#[derive(Clone)]
struct Sent {
    stream: Stream,
    retain: bool,
    at: Duration,
    expiry_s: Option<u32>,
}

impl Sent {
    fn has_expired(&self, now: Duration) -> bool {
        let expires = |s: u32| self.at + seconds(s.into());
        self.expiry_s.is_some_and(|s| expires(s) <= now)
    }
}

/// A message as it arrives: payload, QoS, RETAIN, and the identifiers of the
/// subscriptions that it is for.
type Delivered = (String, u8, bool, Vec<u32>);

#[derive(Clone, Copy)]
struct Wanted {
    qos: u8,
    options: SubscriptionOptions,
    id: Option<u32>,
}

struct Subscriber {
    name: &'static str,
    version: Version,
    conn: Option<ConnId>,
    /// How long the session is kept, and since when its client is gone.
    expiry_s: Option<u32>,
    left: Option<Duration>,
    has_session: bool,
    window: u16,
    filters: BTreeMap<&'static str, Wanted>,
    owed: BTreeMap<Stream, Vec<Delivered>>,
    got: BTreeMap<Stream, Vec<Delivered>>,
    /// Identifiers received and not yet acknowledged or released.
    held: BTreeSet<u16>,
    /// Those that came over this connection.
    under_way: BTreeSet<u16>,
    answers: Vec<Packet>,
}

impl Subscriber {
    fn new(name: &'static str, version: Version) -> Self {
        Self {
            name,
            version,
            conn: None,
            expiry_s: None,
            left: None,
            has_session: false,
            window: u16::MAX,
            filters: BTreeMap::new(),
            owed: BTreeMap::new(),
            got: BTreeMap::new(),
            held: BTreeSet::new(),
            under_way: BTreeSet::new(),
            answers: Vec::new(),
        }
    }

    /// Without anything, but for the connection that may be there.
    fn forget(&mut self) {
        *self = Self {
            conn: self.conn,
            ..Self::new(self.name, self.version)
        };
    }

    fn read(&mut self, packets: Vec<Packet>, sent: &BTreeMap<String, Sent>, now: Duration) {
        for packet in packets {
            match packet {
                Packet::Publish(publish) => self.receive(&publish, sent, now),
                Packet::PubRel(ack) => {
                    self.free(ack.packet_id.get());
                    self.answers.push(pubcomp(ack.packet_id.get()));
                }
                Packet::SubAck(_) | Packet::UnsubAck(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    fn free(&mut self, id: u16) {
        self.held.remove(&id);
        self.under_way.remove(&id);
    }

    fn receive(&mut self, publish: &Publish, sent: &BTreeMap<String, Sent>, now: Duration) {
        let payload = String::from_utf8_lossy(&publish.payload).into_owned();
        let sent = &sent[&payload];
        assert_eq!(publish.topic.as_str(), sent.stream.1, "no fabrication");
        if let Some(id) = publish.packet_id().map(std::num::NonZero::get) {
            self.answers.push(match publish.qos() {
                Qos::ExactlyOnce => pubrec(id),
                _ => puback(id),
            });
            let repeated = !self.held.insert(id);
            assert_eq!(repeated, publish.dup, "DUP of {id}");
            self.under_way.insert(id);
            let (under_way, most) = (&self.under_way, self.window);
            assert!(under_way.len() <= most.into(), "{under_way:?} of {most}");
            if repeated {
                return;
            }
        }
        let (mut left, mut ids) = (None, Vec::new());
        for property in publish.properties.iter() {
            match property {
                Property::MessageExpiryInterval(s) => left = Some(s),
                Property::SubscriptionIdentifier(id) => ids.push(id.get()),
                other => panic!("unexpected {other:?}"),
            }
        }
        assert!(!sent.has_expired(now), "{payload} comes too late");
        if self.version == Version::V5 {
            let waited = (now - sent.at).as_secs();
            let expected = sent.expiry_s.map(|s| u64::from(s) - waited);
            assert_eq!(left.map(u64::from), expected, "what is left of its time");
        }
        ids.sort_unstable();
        let delivered = (payload, publish.qos() as u8, publish.retain, ids);
        self.got.entry(sent.stream).or_default().push(delivered);
    }

    /// Owes it a message that some of its subscriptions match.
    fn owe(&mut self, payload: &str, sent: &Sent) {
        let (publisher, topic, qos) = sent.stream;
        let wanted: Vec<_> = self
            .filters
            .iter()
            .filter(|(filter, _)| matches(filter, topic))
            .map(|(_, wanted)| *wanted)
            .filter(|wanted| !(wanted.options.no_local && publisher == self.name))
            .collect();
        let Some(granted) = wanted.iter().map(|wanted| wanted.qos).max() else {
            return;
        };
        let qos = granted.min(qos);
        if self.conn.is_none() && qos == 0 {
            return;
        }
        let as_published = wanted
            .iter()
            .any(|wanted| wanted.options.retain_as_published);
        let mut ids: Vec<_> = wanted.iter().filter_map(|wanted| wanted.id).collect();
        ids.sort_unstable();
        let delivered = (payload.to_owned(), qos, sent.retain && as_published, ids);
        self.owed.entry(sent.stream).or_default().push(delivered);
    }

    /// What is not there yet at QoS 0 will never be: the client leaves.
    fn forgive_qos_0(&mut self) {
        for (stream, owed) in &mut self.owed {
            let mut got = self.got.get(stream).cloned().unwrap_or_default();
            owed.retain(|one| {
                let at = got.iter().position(|other| other == one);
                let came = at.map(|at| got.remove(at)).is_some();
                came || one.1 > 0
            });
        }
    }

    /// What came is what is owed, in its order; what is passed over has expired.
    fn check(&self, sent: &BTreeMap<String, Sent>, now: Duration, complete: bool) {
        for (stream, got) in &self.got {
            assert!(self.owed.contains_key(stream), "{}: {got:?}", self.name);
        }
        for (stream, owed) in &self.owed {
            let mut got = self.got.get(stream).into_iter().flatten().peekable();
            for one in owed {
                if got.next_if_eq(&one).is_none() && (complete || got.peek().is_some()) {
                    let late = sent[&one.0].has_expired(now);
                    assert!(
                        late,
                        "{} {stream:?}: {one:?}, not {:?}",
                        self.name,
                        got.peek()
                    );
                }
            }
            assert_eq!(got.next(), None, "{} {stream:?}", self.name);
        }
    }
}

fn matches(filter: &'static str, topic: &'static str) -> bool {
    let topic = TopicName::new(topic).expect("a topic");
    TopicFilter::new(filter).expect("a filter").matches(&topic)
}

struct Script {
    dice: Pcg32,
    world: World,
    publishers: [(&'static str, ConnId); 2],
    subscribers: Vec<Subscriber>,
    retained: BTreeMap<&'static str, String>,
    /// By payload, each of which is published once.
    sent: BTreeMap<String, Sent>,
}

impl Script {
    fn new(seed: u64, quirks: Quirks) -> Self {
        let mut dice = Pcg32::seed_from_u64(seed);
        let mut config = Config::default();
        config.limits.inflight = 1 + dice.next_u32() as usize % 8;
        config.limits.outbound_bytes = 1 + dice.next_u32() as usize % 50;
        config.quirks = quirks;
        let mut world = World::with(config);
        let old = world.clean("p");
        let new = world.connect(crate::v5::connect("q"), false);
        let versions = [Version::V5, Version::V5, Version::V5, Version::V3_1_1];
        let names = ["one", "two", "three", "four"].into_iter().zip(versions);
        Self {
            dice,
            world,
            publishers: [("p", old), ("q", new)],
            subscribers: names
                .map(|(name, version)| Subscriber::new(name, version))
                .collect(),
            retained: BTreeMap::new(),
            sent: BTreeMap::new(),
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
        match (self.subscribers[who].conn, self.roll(12)) {
            (_, 0..4) => self.publish(),
            (_, 4) => {
                let span = self.roll(4) as u64;
                self.world.pass(seconds(span));
            }
            (None, 5..8) => self.connect(who),
            (Some(conn), 5) => self.publish_own(who, conn),
            (Some(_), 6) => self.leave(who),
            // A takeover.
            (Some(_), 7) if self.roll(2) == 0 => self.connect(who),
            (Some(conn), 7 | 8) => self.subscribe(who, conn),
            (Some(conn), 9) if self.roll(2) == 0 => self.unsubscribe(who, conn),
            (Some(_), _) => self.answer(who, 3),
            (None, _) => {}
        }
        for who in 0..self.subscribers.len() {
            self.read(who);
            self.subscribers[who].check(&self.sent, self.world.now, false);
        }
    }

    fn read(&mut self, who: usize) {
        if let Some(conn) = self.subscribers[who].conn {
            let packets = self.world.inbox(conn);
            self.subscribers[who].read(packets, &self.sent, self.world.now);
        }
    }

    /// A message of a subscriber itself, at QoS 0.
    fn publish_own(&mut self, who: usize, conn: ConnId) {
        let stream = (self.subscribers[who].name, self.pick(&TOPICS), 0);
        let (packet, _) = self.message(stream, None);
        self.world.send(conn, &packet);
    }

    fn publish(&mut self) {
        let (name, publisher) = self.pick(&self.publishers.clone());
        let (topic, qos) = (self.pick(&TOPICS), self.roll(3) as u8);
        let limited = name == "q" && self.roll(2) == 0;
        let expiry_s = limited.then(|| 1 + self.roll(6) as u32);
        let (packet, _) = self.message((name, topic, qos), expiry_s);
        self.world.send(publisher, &packet);
        if qos == 2 {
            self.world.send(publisher, &pubrel(9));
        }
        self.world.inbox(publisher);
    }

    /// The next message, which from now on is owed.
    fn message(&mut self, stream: Stream, expiry_s: Option<u32>) -> (Packet, String) {
        let (_, topic, qos) = stream;
        let keep = self.roll(3) == 0;
        let payload = format!("{}", self.sent.len());
        let sent = Sent {
            stream,
            retain: keep,
            at: self.world.now,
            expiry_s,
        };
        if keep {
            self.retained.insert(topic, payload.clone());
        }
        self.end_sessions();
        for subscriber in &mut self.subscribers {
            subscriber.owe(&payload, &sent);
        }
        self.sent.insert(payload.clone(), sent);
        let packet = publish(topic, &payload, qos, 9);
        let packet = if keep { retain(packet) } else { packet };
        let packet = match expiry_s {
            Some(s) => saying(packet, [Property::MessageExpiryInterval(s)]),
            None => packet,
        };
        (packet, payload)
    }

    /// Sessions whose time is over are no more.
    fn end_sessions(&mut self) {
        let now = self.world.now;
        for subscriber in &mut self.subscribers {
            let ends = |left: Duration| subscriber.expiry_s.map(|s| left + seconds(s.into()));
            if subscriber.left.and_then(ends).is_some_and(|end| end <= now) {
                subscriber.forget();
            }
        }
    }

    fn connect(&mut self, who: usize) {
        let afresh = self.roll(5) == 0;
        self.read(who);
        self.end_sessions();
        // Taken over, a session that was not to be kept ends.
        let subscriber = &mut self.subscribers[who];
        subscriber.forgive_qos_0();
        subscriber.answers.clear();
        let ended = subscriber.conn.is_some() && subscriber.expiry_s == Some(0);
        if afresh || ended || !subscriber.has_session {
            subscriber.forget();
        }
        let present = subscriber.has_session;
        let is_5 = subscriber.version == Version::V5;
        let expiry_s = is_5.then(|| self.pick(&[0, 2, 5, 1000]));
        let window = if is_5 {
            self.pick(&[1, 2, 5, u16::MAX])
        } else {
            u16::MAX
        };
        let subscriber = &mut self.subscribers[who];
        let properties = [
            expiry_s.map(Property::SessionExpiryInterval),
            NonZeroU16::new(window)
                .filter(|_| is_5)
                .map(Property::ReceiveMaximum),
        ];
        let connect = Connect {
            version: subscriber.version,
            clean_session: afresh,
            properties: properties.into_iter().flatten().collect(),
            ..persistent(subscriber.name)
        };
        (subscriber.expiry_s, subscriber.window) = (expiry_s, window);
        subscriber.left = None;
        subscriber.under_way.clear();
        // A clean session of 3.1.1 ends with its connection.
        if !is_5 && afresh {
            subscriber.expiry_s = Some(0);
        }
        subscriber.has_session = true;
        let conn = self.world.connect(connect, present);
        self.subscribers[who].conn = Some(conn);
    }

    fn leave(&mut self, who: usize) {
        self.read(who);
        let now = self.world.now;
        let subscriber = &mut self.subscribers[who];
        if let Some(conn) = subscriber.conn.take() {
            self.world.cut(conn);
        }
        subscriber.forgive_qos_0();
        subscriber.answers.clear();
        subscriber.left = Some(now);
        self.end_sessions();
    }

    fn subscribe(&mut self, who: usize, conn: ConnId) {
        let (filter, qos) = (self.pick(&FILTERS), self.roll(3) as u8);
        let is_5 = self.subscribers[who].version == Version::V5;
        let handling = self.pick(&[
            RetainHandling::Send,
            RetainHandling::SendIfNew,
            RetainHandling::DoNotSend,
        ]);
        let options = SubscriptionOptions {
            no_local: is_5 && self.roll(2) == 0,
            retain_as_published: is_5 && self.roll(2) == 0,
            retain_handling: if is_5 { handling } else { RetainHandling::Send },
        };
        let id_wanted = (is_5 && self.roll(2) == 0).then(|| 1 + self.roll(9) as u32);
        let wanted = Wanted {
            qos,
            options,
            id: id_wanted,
        };
        let now = self.world.now;
        let subscriber = &mut self.subscribers[who];
        let new = subscriber.filters.insert(filter, wanted).is_none();
        let asked = match options.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => new,
            RetainHandling::DoNotSend => false,
        };
        for payload in self.retained.values().filter(|_| asked) {
            let sent = &self.sent[payload];
            if matches(filter, sent.stream.1) && !sent.has_expired(now) {
                let ids = id_wanted.into_iter().collect();
                let delivered = (payload.clone(), qos.min(sent.stream.2), true, ids);
                subscriber
                    .owed
                    .entry(sent.stream)
                    .or_default()
                    .push(delivered);
            }
        }
        let identifier = id_wanted.and_then(SubscriptionId::new);
        let topic_filter = TopicFilter::new(filter).expect("a filter");
        let packet = Subscribe {
            packet_id: id(1),
            subscriptions: vec![Subscription {
                options,
                ..Subscription::new(topic_filter, Qos::from_level(qos).expect("a level"))
            }],
            properties: identifier
                .map(Property::SubscriptionIdentifier)
                .into_iter()
                .collect(),
        };
        self.world.send(conn, &Packet::Subscribe(packet));
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
                subscriber.free(ack.packet_id.get());
            }
            self.world.send(conn, &answer);
            self.read(who);
        }
    }

    /// Everybody who has a session comes back and takes what is owed.
    fn finish(&mut self) -> usize {
        self.end_sessions();
        for who in 0..self.subscribers.len() {
            if self.subscribers[who].conn.is_none() && self.subscribers[who].has_session {
                let name = self.subscribers[who].name;
                let connect = Connect {
                    version: self.subscribers[who].version,
                    ..persistent(name)
                };
                self.subscribers[who].window = u16::MAX;
                self.subscribers[who].under_way.clear();
                let conn = self.world.connect(connect, true);
                self.subscribers[who].conn = Some(conn);
            }
            self.read(who);
            while !self.subscribers[who].answers.is_empty() {
                self.answer(who, 1);
            }
            self.subscribers[who].check(&self.sent, self.world.now, true);
        }
        let got = self
            .subscribers
            .iter()
            .flat_map(|subscriber| subscriber.got.values());
        got.map(Vec::len).sum()
    }
}

/// Deliveries of one script.
pub(super) fn options_and_times(seed: u64, quirks: Quirks) -> usize {
    let mut script = Script::new(seed, quirks);
    for _ in 0..400 {
        script.step();
    }
    script.finish()
}
