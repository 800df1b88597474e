//! A broker and its clients, for tests that read like a conversation.
//!
//! Clients speak bytes and their inboxes are decoded as strictly as the broker
//! decodes its own, so every packet the broker sends in any test has to be well
//! formed: flags `[MQTT311-2.2.2-1]`, identifiers `[MQTT311-2.3.1-1]`, return
//! codes `[MQTT311-3.9.3-2]` `[MQTT311-3.2.2-6]`, DUP at QoS 0
//! `[MQTT311-3.3.1-2]` `[MQTT311-4.3.1-1]`.

mod expecting;
mod packets;
mod seen;
mod store;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall_broker::wire::{
    ConnAck, Connect, Decoder, Disconnect, Packet, Publish, Qos, ReasonCode, Sender, Version,
};
use squall_broker::{Broker, Check, Config, ConnId, Input, Transmit};

pub(crate) use packets::{
    clean, dup, id, persistent, puback, pubcomp, publish, pubrec, pubrel, refusal, retain, seconds,
    suback, subscribe, text, unsuback, unsubscribe, will,
};
use seen::{Recorder, Seen};
use store::MemoryStore;

/// A broker, the connections to it, and the time.
pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) now: Duration,
    /// What a clock said at its start that goes on over restarts.
    started: Duration,
    clients: BTreeMap<ConnId, Client>,
    seen: Arc<Mutex<Seen>>,
    store: Option<MemoryStore>,
}

struct Client {
    /// What the broker hears.
    uplink: Decoder,
    malformed: bool,
    inbox: Vec<u8>,
    /// Takes no bytes while set.
    stalled: bool,
    /// Bytes taken out of the broker while stalled.
    untold: usize,
    gone: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let observer = Box::new(Recorder(Arc::clone(&seen)));
        let broker = Broker::new(config, Some(observer));
        Self {
            broker,
            now: Duration::ZERO,
            started: Duration::ZERO,
            clients: BTreeMap::new(),
            seen,
            store: None,
        }
    }

    /// A broker with an empty store.
    pub(crate) fn durable(config: Config) -> Self {
        let mut world = Self::with(config);
        world.store = Some(MemoryStore::default());
        world.restore();
        world
    }

    pub(crate) fn store(&mut self) -> &mut MemoryStore {
        self.store.as_mut().expect("a durable world")
    }

    /// The store is done with what it has taken.
    pub(crate) fn sync(&mut self) {
        let log = std::mem::take(&mut self.store().log);
        for batch in log {
            let number = batch.number;
            self.store().apply(batch);
            self.broker.handle(self.now, Input::Synced(number));
        }
        self.settle();
    }

    /// The broker's process dies; of what was not synced, the first `kept`
    /// batches are there when it starts again.
    pub(crate) fn crash(&mut self, kept: usize) {
        self.crash_for(Duration::ZERO, kept);
    }

    /// The same; it starts again only after a while.
    pub(crate) fn crash_for(&mut self, down: Duration, kept: usize) {
        let log = std::mem::take(&mut self.store().log);
        for batch in log.into_iter().take(kept) {
            self.store().apply(batch);
        }
        self.started += self.now + down;
        self.restore();
    }

    fn restore(&mut self) {
        let image = self.store().image.clone();
        let observer = Box::new(Recorder(Arc::clone(&self.seen)));
        let config = self.broker.config().clone();
        let restored = Broker::restore(config, Some(observer), image, self.started);
        self.broker = restored.expect("its own entries");
        self.clients.clear();
        self.seen.lock().expect("no panic").closed.clear();
        self.now = Duration::ZERO;
        self.settle();
    }

    pub(crate) fn seen<R>(&self, look: impl FnOnce(&Seen) -> R) -> R {
        look(&self.seen.lock().expect("no panic"))
    }

    /// Opens a connection of 3.1.1 and says nothing.
    pub(crate) fn open(&mut self) -> ConnId {
        let most = self.broker.config().limits.packet_bytes;
        self.open_with(Decoder::new(Version::V3_1_1, Sender::Client, most))
    }

    /// Opens a connection whose CONNECT chooses the version.
    pub(crate) fn open_any(&mut self) -> ConnId {
        let most = self.broker.config().limits.packet_bytes;
        self.open_with(Decoder::negotiating(most))
    }

    fn open_with(&mut self, uplink: Decoder) -> ConnId {
        let conn = self.broker.open(self.now);
        let client = Client {
            uplink,
            malformed: false,
            inbox: Vec::new(),
            stalled: false,
            untold: 0,
            gone: false,
        };
        self.clients.insert(conn, client);
        conn
    }

    /// Sends bytes.
    pub(crate) fn raw(&mut self, conn: ConnId, mut bytes: &[u8]) {
        let client = self.clients.get_mut(&conn).expect("opened");
        assert!(!client.malformed, "sends after it broke off");
        loop {
            match client.uplink.decode(&mut bytes) {
                Ok(Some(packet)) => self.broker.handle(self.now, Input::Packet(conn, packet)),
                Ok(None) => break,
                Err(error) => {
                    client.malformed = true;
                    let version = client.uplink.version();
                    let malformed = Input::Malformed(conn, version, error);
                    self.broker.handle(self.now, malformed);
                    break;
                }
            }
        }
        self.settle();
    }

    pub(crate) fn send(&mut self, conn: ConnId, packet: &Packet) {
        let mut bytes = Vec::new();
        packet.encode(self.version(conn), &mut bytes);
        self.raw(conn, &bytes);
    }

    fn version(&self, conn: ConnId) -> Version {
        self.clients[&conn].uplink.version()
    }

    /// Opens a connection, sends this CONNECT and expects this answer.
    #[track_caller]
    pub(crate) fn connect(&mut self, connect: Connect, session_present: bool) -> ConnId {
        let (conn, connack) = self.accepted(connect);
        assert_eq!(connack.session_present, session_present);
        conn
    }

    /// The same, for all that the answer says.
    #[track_caller]
    pub(crate) fn accepted(&mut self, connect: Connect) -> (ConnId, ConnAck) {
        let conn = match connect.version {
            Version::V5 => self.open_any(),
            _ => self.open(),
        };
        self.send(conn, &Packet::Connect(Box::new(connect)));
        let inbox = self.inbox(conn);
        let Some(Packet::ConnAck(connack)) = inbox.first() else {
            panic!("expected a CONNACK, found {inbox:?}");
        };
        assert_eq!(connack.code, ReasonCode::Success);
        // What came behind the CONNACK is left for the test to look at.
        self.put_back(conn, &inbox[1..]);
        (conn, connack.clone())
    }

    pub(crate) fn put_back(&mut self, conn: ConnId, packets: &[Packet]) {
        let version = self.version(conn);
        let client = self.clients.get_mut(&conn).expect("opened");
        packets
            .iter()
            .for_each(|packet| packet.encode(version, &mut client.inbox));
    }

    /// A client that starts afresh.
    #[track_caller]
    pub(crate) fn clean(&mut self, client_id: &str) -> ConnId {
        self.connect(clean(client_id), false)
    }

    /// A client with a session that stays.
    #[track_caller]
    pub(crate) fn persistent(&mut self, client_id: &str, session_present: bool) -> ConnId {
        self.connect(persistent(client_id), session_present)
    }

    /// Subscribes and expects it to be granted; retained messages are left in
    /// the inbox.
    #[track_caller]
    pub(crate) fn subscribed(&mut self, conn: ConnId, filter: &str, qos: u8) {
        self.send(conn, &subscribe(0x5b, &[(filter, qos)]));
        let inbox = self.inbox(conn);
        assert_eq!(inbox.first(), Some(&suback(0x5b, &[qos])));
        self.put_back(conn, &inbox[1..]);
    }

    /// Publishes and goes through the exchange to its end.
    #[track_caller]
    pub(crate) fn published(&mut self, conn: ConnId, topic: &str, payload: &str, qos: u8) {
        self.publish_all(conn, publish(topic, payload, qos, 0x77));
    }

    /// The same with RETAIN.
    #[track_caller]
    pub(crate) fn retained(&mut self, conn: ConnId, topic: &str, payload: &str, qos: u8) {
        self.publish_all(conn, retain(publish(topic, payload, qos, 0x77)));
    }

    #[track_caller]
    fn publish_all(&mut self, conn: ConnId, publish: Packet) {
        let Packet::Publish(Publish { delivery, .. }) = &publish else {
            panic!("not a PUBLISH");
        };
        let (delivery, id) = (*delivery, 0x77);
        self.send(conn, &publish);
        match delivery.qos() {
            Qos::AtMostOnce => {}
            Qos::AtLeastOnce => self.expect_last(conn, &puback(id)),
            Qos::ExactlyOnce => {
                self.expect_last(conn, &pubrec(id));
                self.send(conn, &pubrel(id));
                self.expect_last(conn, &pubcomp(id));
            }
        }
    }

    /// The newest packet in the inbox is this, and is taken out.
    #[track_caller]
    fn expect_last(&mut self, conn: ConnId, packet: &Packet) {
        let inbox = self.inbox(conn);
        let (last, rest) = inbox.split_last().expect("an answer");
        assert_eq!(last, packet);
        self.put_back(conn, rest);
    }

    /// The next password that is to be checked.
    pub(crate) fn next_check(&mut self) -> Option<Check> {
        self.broker.next_check()
    }

    /// A password was checked.
    pub(crate) fn checked(&mut self, conn: ConnId, right: bool) {
        self.broker.handle(self.now, Input::Checked(conn, right));
        self.settle();
    }

    /// Whether a connection is to be read from.
    pub(crate) fn may_read(&self, conn: ConnId) -> bool {
        self.broker.transmit(conn) == Transmit::Open { may_read: true }
    }

    /// The stream breaks.
    pub(crate) fn cut(&mut self, conn: ConnId) {
        self.clients.get_mut(&conn).expect("opened").gone = true;
        self.broker.handle(self.now, Input::Closed(conn));
        self.settle();
    }

    /// DISCONNECT.
    pub(crate) fn disconnect(&mut self, conn: ConnId) {
        self.send(conn, &Packet::Disconnect(Disconnect::default()));
    }

    /// Takes no more bytes from the broker.
    pub(crate) fn stall(&mut self, conn: ConnId) {
        self.clients.get_mut(&conn).expect("opened").stalled = true;
    }

    /// Takes what is there, and everything to come.
    pub(crate) fn unstall(&mut self, conn: ConnId) {
        self.clients.get_mut(&conn).expect("opened").stalled = false;
        self.sip(conn);
    }

    /// Takes what is there.
    pub(crate) fn sip(&mut self, conn: ConnId) {
        let client = self.clients.get_mut(&conn).expect("opened");
        let untold = std::mem::take(&mut client.untold);
        self.broker.handle(self.now, Input::Written(conn, untold));
        self.settle();
    }

    /// Time passes; the broker is told as often as it asks to be.
    pub(crate) fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.broker.next_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.broker.handle(self.now, Input::Timeout);
            self.settle();
        }
        self.now = until;
    }

    /// Moves bytes until nothing moves.
    pub(crate) fn settle(&mut self) {
        self.deliver();
        while let Some(store) = &mut self.store
            && let Some(batch) = self.broker.take_batch()
        {
            if store.slow {
                store.log.push(batch);
            } else {
                let number = batch.number;
                store.apply(batch);
                self.broker.handle(self.now, Input::Synced(number));
            }
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        while let Some(conn) = self.broker.next_woken() {
            let Some(client) = self.clients.get_mut(&conn).filter(|client| !client.gone) else {
                continue;
            };
            let mut bytes = Vec::new();
            self.broker.take_output(conn, &mut bytes);
            client.inbox.extend_from_slice(&bytes);
            if client.stalled {
                client.untold += bytes.len();
            } else if !bytes.is_empty() {
                self.broker
                    .handle(self.now, Input::Written(conn, bytes.len()));
            }
            if !matches!(self.broker.transmit(conn), Transmit::Open { .. }) {
                client.gone = true;
                self.broker.handle(self.now, Input::Closed(conn));
            }
        }
    }
}
