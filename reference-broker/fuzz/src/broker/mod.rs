//! What holds for whatever clients do to a broker: a script of bytes drives a
//! few of them, of both versions, through everything that a stream, a disk and
//! the time can do to them. The fuzz target and a bounded test of the broker's
//! share it.

mod client;

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use bytes::Bytes;
use squall_broker::wire::{
    Ack, Connect, Delivery, Disconnect, Packet, PacketId, Properties, Property, Publish, Qos,
    ReasonCode, RetainHandling, Subscribe, Subscription, SubscriptionId, SubscriptionOptions, Text,
    TopicFilter, TopicName, Unsubscribe, Version, Will,
};
use squall_broker::{Batch, Broker, Config, Input, Quirks, Transmit};

use client::Client;

const TOPICS: [&str; 6] = ["a", "a/b", "a/b/c", "b/c", "/a", "$x/a"];
const FILTERS: [&str; 12] = [
    "#",
    "+",
    "a/#",
    "a/+",
    "+/c",
    "a/b",
    "$x/#",
    "$share/s/#",
    "$share/s/a/+",
    "$share/t/a/b",
    "/+",
    "a",
];
const CLIENT_IDS: [&str; 3] = ["one", "two", ""];
const SECONDS: [u64; 8] = [0, 1, 2, 5, 11, 60, 3600, 1_000_000];
const SLOTS: usize = 4;

/// The first two bytes of a script are how the broker is set up, the rest is what
/// happens.
///
/// # Panics
/// If the broker does, or if what it sends to a client is not what a server may
/// send to that client at that moment: see [`Client`].
pub(crate) fn check(script: &[u8], quirks: Quirks) {
    let mut script = Script(script);
    let (Some(setup), Some(room)) = (script.next(), script.next()) else {
        return;
    };
    let mut world = World::new(setup, room, quirks);
    while let Some(what) = script.next() {
        world.step(what, &mut script);
        world.settle();
    }
}

/// What is left of it. Beyond its end there are zeros.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn byte(&mut self) -> u8 {
        self.next().unwrap_or_default()
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.byte()) % of.len()]
    }

    fn bytes(&mut self, most: usize) -> Bytes {
        let length = usize::from(self.byte()) % (most + 1);
        (0..length).map(|_| self.byte()).collect()
    }
}

struct World {
    broker: Broker,
    now: Duration,
    started: Duration,
    clients: [Option<Client>; SLOTS],
    store: Option<Disk>,
}

/// A store in memory.
#[derive(Default)]
struct Disk {
    image: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Taken, and not synced.
    log: Vec<Batch>,
    /// Syncs only when it is told to.
    slow: bool,
}

impl Disk {
    fn apply(&mut self, batch: Batch) {
        for change in batch.changes {
            match change.value {
                Some(value) => self.image.insert(change.key, value),
                None => self.image.remove(&change.key),
            };
        }
    }
}

impl World {
    fn new(setup: u8, room: u8, quirks: Quirks) -> Self {
        let mut config = Config {
            quirks,
            ..Config::default()
        };
        config.limits.packet_bytes = 4096;
        if setup & 1 != 0 {
            config.limits.inflight = 1 + usize::from(room & 3);
            config.limits.outbound_bytes = 1 + usize::from(room >> 2);
        }
        if setup & 2 != 0 {
            config.limits.queue_messages = usize::from(room & 7);
            config.limits.queue_bytes = usize::from(room);
            config.limits.queue_qos0 = room & 8 != 0;
        }
        if setup & 4 != 0 {
            config.limits.subscriptions_per_session = 2;
            config.limits.retained_messages = 2;
            config.limits.sessions = 2;
        }
        if setup & 8 != 0 {
            config.capabilities.receive_maximum = NonZeroU16::MIN.saturating_add(room.into());
            config.capabilities.topic_alias_maximum = (room & 3).into();
            config.capabilities.session_expiry_max = Some(Duration::from_secs(room.into()));
        }
        if setup & 16 != 0 {
            config.capabilities.maximum_qos =
                [Qos::AtMostOnce, Qos::AtLeastOnce][usize::from(room & 1)];
            config.capabilities.retain = room & 2 != 0;
            config.capabilities.wildcard_subscriptions = room & 4 != 0;
            config.capabilities.subscription_identifiers = room & 8 != 0;
            config.capabilities.shared_subscriptions = room & 16 != 0;
            config.capabilities.server_keep_alive_s = (room & 32 != 0).then_some(5);
        }
        let store = (setup & 32 != 0).then(|| Disk {
            slow: setup & 64 != 0,
            ..Disk::default()
        });
        let mut world = Self {
            broker: Broker::new(config, None),
            now: Duration::ZERO,
            started: Duration::ZERO,
            clients: [const { None }; SLOTS],
            store,
        };
        if world.store.is_some() {
            world.restore();
        }
        world
    }

    fn step(&mut self, what: u8, script: &mut Script<'_>) {
        let slot = usize::from(what >> 6);
        match what & 31 {
            0..=3 => self.connect(slot, script),
            4..=9 => self.say(slot, publish(script)),
            10..=12 => self.say(slot, subscribe(script)),
            13 => self.say(slot, unsubscribe(script)),
            14..=18 => self.answer(slot, script.byte()),
            19 => self.say(slot, acknowledgement(script)),
            20 => self.say(slot, pubrel(script)),
            21 => self.say(slot, Packet::PingReq),
            22 => self.say(slot, disconnect(script)),
            23 => {
                let bytes = script.bytes(16);
                self.send(slot, &bytes, None);
            }
            24 => self.cut(slot),
            25 => self.stall(slot, true),
            26 => self.stall(slot, false),
            27 | 28 => self.pass(Duration::from_secs(script.pick(&SECONDS))),
            29 => self.sync(),
            30 => self.crash(script.byte()),
            _ => self.broker.handle(self.now, Input::Timeout),
        }
    }

    /// Opens a connection and sends a CONNECT, from whoever is there already a
    /// second one.
    fn connect(&mut self, slot: usize, script: &mut Script<'_>) {
        let connect = connect(script);
        if self.clients[slot].is_none() {
            let most = self.broker.config().limits.packet_bytes;
            let conn = self.broker.open(self.now);
            self.clients[slot] = Some(Client::new(conn, most, &connect));
        }
        self.say(slot, Packet::Connect(Box::new(connect)));
    }

    fn say(&mut self, slot: usize, packet: Packet) {
        let Some(client) = &self.clients[slot] else {
            return;
        };
        let mut bytes = Vec::new();
        packet.encode(client.version, &mut bytes);
        self.send(slot, &bytes, Some(&packet));
    }

    fn answer(&mut self, slot: usize, which: u8) {
        if let Some(client) = &mut self.clients[slot]
            && let Some(answer) = client.next_answer(which)
        {
            self.say(slot, answer);
        }
    }

    /// Sends bytes, if they would be read.
    fn send(&mut self, slot: usize, mut bytes: &[u8], packet: Option<&Packet>) {
        let Some(client) = &mut self.clients[slot] else {
            return;
        };
        let open = Transmit::Open { may_read: true };
        if self.broker.transmit(client.conn) != open {
            return;
        }
        client.sends(packet);
        loop {
            let conn = client.conn;
            let input = match client.uplink.decode(&mut bytes) {
                Ok(Some(packet)) => Input::Packet(conn, packet),
                Ok(None) => return,
                Err(error) => Input::Malformed(conn, client.uplink.version(), error),
            };
            let last = matches!(input, Input::Malformed(..));
            self.broker.handle(self.now, input);
            if last {
                client.breaks_off();
                return;
            }
        }
    }

    fn cut(&mut self, slot: usize) {
        if let Some(client) = self.clients[slot].take() {
            self.broker.handle(self.now, Input::Closed(client.conn));
        }
    }

    /// Takes no more bytes, or all that there are.
    fn stall(&mut self, slot: usize, stalled: bool) {
        if let Some(client) = &mut self.clients[slot] {
            client.stalled = stalled;
            let taken = std::mem::take(&mut client.untaken);
            if !stalled {
                self.broker
                    .handle(self.now, Input::Written(client.conn, taken));
            }
        }
    }

    fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.broker.next_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.broker.handle(self.now, Input::Timeout);
            self.settle();
            let next = self.broker.next_timeout();
            assert!(
                next.is_none_or(|next| next > at),
                "time stands still at {at:?}"
            );
        }
        self.now = until;
    }

    fn sync(&mut self) {
        let Some(disk) = &mut self.store else { return };
        for batch in std::mem::take(&mut disk.log) {
            let number = batch.number;
            disk.apply(batch);
            self.broker.handle(self.now, Input::Synced(number));
        }
    }

    /// The broker's process dies; of what was not synced, some is kept.
    fn crash(&mut self, kept: u8) {
        let Some(disk) = &mut self.store else { return };
        for batch in std::mem::take(&mut disk.log).into_iter().take(kept.into()) {
            disk.apply(batch);
        }
        self.restore();
    }

    fn restore(&mut self) {
        let image = self.store.as_ref().map(|disk| disk.image.clone());
        self.started += self.now;
        let config = self.broker.config().clone();
        let restored = Broker::restore(config, None, image.unwrap_or_default(), self.started);
        self.broker = restored.expect("what it has written itself");
        self.clients = [const { None }; SLOTS];
        self.now = Duration::ZERO;
    }

    /// Moves bytes until nothing moves.
    fn settle(&mut self) {
        self.deliver();
        while let Some(disk) = &mut self.store
            && let Some(batch) = self.broker.take_batch()
        {
            if disk.slow {
                disk.log.push(batch);
            } else {
                let number = batch.number;
                disk.apply(batch);
                self.broker.handle(self.now, Input::Synced(number));
            }
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        let limits = self.broker.config().limits.clone();
        while let Some(conn) = self.broker.next_woken() {
            let mut clients = self.clients.iter_mut().flatten();
            let client = clients.find(|client| client.conn == conn);
            let client = client.expect("nothing is written to a connection that is closed");
            let mut bytes = Vec::new();
            self.broker.take_output(conn, &mut bytes);
            client.reads(&bytes, &limits);
            if client.stalled {
                client.untaken += bytes.len();
            } else if !bytes.is_empty() {
                self.broker
                    .handle(self.now, Input::Written(conn, bytes.len()));
            }
            if !matches!(self.broker.transmit(conn), Transmit::Open { .. }) {
                self.broker.handle(self.now, Input::Closed(conn));
                for slot in &mut self.clients {
                    slot.take_if(|client| client.conn == conn);
                }
            }
        }
    }
}

fn id(number: u8) -> PacketId {
    PacketId::new((u16::from(number % 5) + 1) * 0x101).unwrap_or(PacketId::MIN)
}

fn text(text: &str) -> Text {
    Text::new(text.to_owned()).expect("well-formed")
}

fn topic(script: &mut Script<'_>) -> TopicName {
    TopicName::new(script.pick(&TOPICS).to_owned()).expect("a topic")
}

fn qos(bits: u8) -> Qos {
    Qos::from_level(bits % 3).expect("a level")
}

fn connect(script: &mut Script<'_>) -> Connect {
    let (flags, more) = (script.byte(), script.byte());
    let version = [Version::V3_1_1, Version::V5][usize::from(flags & 1)];
    let is_5 = version == Version::V5;
    let client_id = script.pick(&CLIENT_IDS);
    let properties = [
        (more & 1 != 0).then(|| Property::SessionExpiryInterval(expiry(script))),
        (more & 2 != 0).then(|| {
            Property::ReceiveMaximum(NonZeroU16::MIN.saturating_add((script.byte() & 3).into()))
        }),
        (more & 4 != 0).then(|| {
            Property::MaximumPacketSize(NonZeroU32::MIN.saturating_add(script.byte().into()))
        }),
        (more & 8 != 0).then(|| Property::TopicAliasMaximum((script.byte() & 3).into())),
        (more & 16 != 0).then(|| Property::RequestProblemInformation(script.byte() & 1 != 0)),
    ];
    let will = (more & 32 != 0).then(|| Will {
        topic: topic(script),
        message: script.bytes(8),
        qos: qos(flags >> 4),
        retain: flags & 8 != 0,
        properties: Properties::from_iter(
            [
                Property::WillDelayInterval(expiry(script)),
                Property::MessageExpiryInterval(expiry(script)),
            ]
            .into_iter()
            .filter(|_| is_5 && more & 64 != 0),
        ),
    });
    Connect {
        version,
        clean_session: flags & 2 != 0,
        keep_alive_s: if flags & 4 == 0 { 0 } else { 10 },
        properties: properties.into_iter().flatten().filter(|_| is_5).collect(),
        client_id: text(client_id),
        will,
        ..Connect::default()
    }
}

fn expiry(script: &mut Script<'_>) -> u32 {
    script.pick(&[0, 1, 5, 3600, u32::MAX])
}

fn publish(script: &mut Script<'_>) -> Packet {
    let (flags, more) = (script.byte(), script.byte());
    let packet_id = id(flags >> 5);
    let delivery = match qos(flags) {
        Qos::AtMostOnce => Delivery::AtMostOnce,
        Qos::AtLeastOnce => Delivery::AtLeastOnce(packet_id),
        Qos::ExactlyOnce => Delivery::ExactlyOnce(packet_id),
    };
    let properties = [
        (more & 1 != 0).then(|| Property::MessageExpiryInterval(expiry(script))),
        (more & 2 != 0).then(|| Property::UserProperty(text("k"), text("v"))),
        (more & 4 != 0).then(|| Property::ResponseTopic(topic(script))),
        (more & 8 != 0).then(|| {
            Property::TopicAlias(NonZeroU16::MIN.saturating_add((script.byte() & 3).into()))
        }),
    ];
    Packet::Publish(Publish {
        dup: flags & 4 != 0 && delivery.qos() != Qos::AtMostOnce,
        delivery,
        retain: flags & 8 != 0,
        topic: topic(script),
        properties: properties.into_iter().flatten().collect(),
        payload: script.bytes(24),
    })
}

fn filter(script: &mut Script<'_>) -> TopicFilter {
    TopicFilter::new(script.pick(&FILTERS).to_owned()).expect("a filter")
}

fn subscribe(script: &mut Script<'_>) -> Packet {
    let (flags, count) = (script.byte(), script.byte() & 3);
    let one = |script: &mut Script<'_>| {
        let (filter, flags) = (filter(script), script.byte());
        let shared = filter.as_str().starts_with("$share/");
        Subscription {
            options: SubscriptionOptions {
                no_local: flags & 4 != 0 && !shared,
                retain_as_published: flags & 8 != 0,
                retain_handling: [
                    RetainHandling::Send,
                    RetainHandling::SendIfNew,
                    RetainHandling::DoNotSend,
                    RetainHandling::Send,
                ][usize::from(flags >> 4 & 3)],
            },
            ..Subscription::new(filter, qos(flags))
        }
    };
    let identifier = SubscriptionId::new(u32::from(flags >> 5) + 1).filter(|_| flags & 16 != 0);
    Packet::Subscribe(Subscribe {
        packet_id: id(flags),
        subscriptions: (0..=count).map(|_| one(script)).collect(),
        properties: identifier
            .map(Property::SubscriptionIdentifier)
            .into_iter()
            .collect(),
    })
}

fn unsubscribe(script: &mut Script<'_>) -> Packet {
    Packet::Unsubscribe(Unsubscribe {
        packet_id: id(script.byte()),
        filters: vec![filter(script), filter(script)],
        properties: Properties::NONE,
    })
}

/// One that perhaps nobody waits for.
fn acknowledgement(script: &mut Script<'_>) -> Packet {
    let (which, flags) = (script.byte(), script.byte());
    let ack = Ack {
        code: match (which >> 2 & 1, flags & 1) {
            (0, _) => ReasonCode::Success,
            (_, 0) => ReasonCode::UnspecifiedError,
            _ => ReasonCode::PacketIdentifierNotFound,
        },
        ..Ack::new(id(flags))
    };
    match (which & 3, ack.code) {
        (0, ReasonCode::Success | ReasonCode::UnspecifiedError) => Packet::PubAck(ack),
        (1, ReasonCode::Success | ReasonCode::UnspecifiedError) => Packet::PubRec(ack),
        (_, ReasonCode::Success | ReasonCode::PacketIdentifierNotFound) => Packet::PubComp(ack),
        _ => Packet::PubAck(Ack::new(id(flags))),
    }
}

fn pubrel(script: &mut Script<'_>) -> Packet {
    Packet::PubRel(Ack::new(id(script.byte())))
}

fn disconnect(script: &mut Script<'_>) -> Packet {
    let flags = script.byte();
    let expiry = (flags & 2 != 0).then(|| Property::SessionExpiryInterval(expiry(script)));
    Packet::Disconnect(Disconnect {
        code: if flags & 1 == 0 {
            ReasonCode::Success
        } else {
            ReasonCode::DisconnectWithWill
        },
        properties: expiry.into_iter().collect(),
    })
}
