//! Collects what the parties tell, stamps it with their clocks, and hands it
//! out in order once a tick is over.

use super::{
    ClientEvent, ClosedBy, Entry, Event, Message, Packet, ServerEvent, SessionEvent, Texts,
};
use crate::net::{Clock, Life, Nanos, nanos};
use parking_lot::Mutex;
use squall_broker::wire;
use squall_broker::{CloseReason, ConnId, DropCause};
use squall_devices::{DeviceId, DisconnectReason, Qos, payload};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// Collects the entries of all hosts.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) texts: Texts,
    fresh: Vec<Entry>,
}

impl Recorder {
    /// The entries since the last call, in order. Call it between ticks: all
    /// hosts have then reached the same time.
    pub(crate) fn take(&mut self) -> Vec<Entry> {
        let mut entries = std::mem::take(&mut self.fresh);
        // Stable: what one host saw at one time stays in its order.
        entries.sort_by_key(|entry| (entry.at, entry.host));
        entries
    }

    fn push(&mut self, at: Nanos, host: u16, event: Event) {
        self.fresh.push(Entry { at, host, event });
    }

    fn message(&mut self, topic: &str, qos: Qos, retain: bool, payload: &[u8]) -> Message {
        Message {
            topic: self.texts.id(topic),
            qos,
            retain,
            payload_bytes: payload.len() as u32,
            payload_hash: xxh3_64(payload),
        }
    }
}

/// Records what the devices of one site see.
pub(crate) struct ClientRecorder {
    pub(crate) recorder: Arc<Mutex<Recorder>>,
    pub(crate) clock: Clock,
    pub(crate) host: u16,
}

impl squall_devices::Observer for ClientRecorder {
    fn record(&self, device: DeviceId, event: squall_devices::Event<'_>) {
        use squall_devices::Event as Seen;
        let now = self.clock.now();
        let mut recorder = self.recorder.lock();
        let event = match event {
            Seen::Woke => ClientEvent::Woke,
            Seen::Connecting { attempt } => ClientEvent::Connecting { attempt },
            Seen::Connected { session_present } => ClientEvent::Connected { session_present },
            Seen::ConnectFailed { reason } => ClientEvent::ConnectFailed {
                reason: recorder.texts.id(reason),
            },
            Seen::Subscribing { filter, qos } => ClientEvent::Subscribing {
                filter: recorder.texts.id(filter),
                qos,
            },
            Seen::Unsubscribing { filter } => ClientEvent::Unsubscribing {
                filter: recorder.texts.id(filter),
            },
            Seen::Unsubscribed { filter } => ClientEvent::Unsubscribed {
                filter: recorder.texts.id(filter),
            },
            Seen::Forgot => ClientEvent::Forgot,
            Seen::Subscribed { filter, granted } => ClientEvent::Subscribed {
                filter: recorder.texts.id(filter),
                granted,
            },
            Seen::Published {
                id,
                topic,
                qos,
                retain,
                payload,
            } => ClientEvent::Published {
                id,
                message: recorder.message(topic, qos, retain, payload),
            },
            Seen::Sent { id, dup } => ClientEvent::Sent { id, dup },
            Seen::Acknowledged { id } => ClientEvent::Acknowledged { id },
            Seen::Dropped { id, reason } => ClientEvent::Dropped { id, reason },
            Seen::Delivered {
                id,
                topic,
                qos,
                retain,
                dup,
                message_expiry_s,
                payload,
            } => ClientEvent::Delivered {
                id,
                dup,
                message_expiry_s,
                message: recorder.message(topic, qos, retain, payload),
            },
            Seen::Disconnected { reason } => match reason {
                DisconnectReason::Clean => ClientEvent::DisconnectedClean,
                DisconnectReason::Vanished => ClientEvent::DisconnectedVanished,
                DisconnectReason::Reset => ClientEvent::DisconnectedReset,
                DisconnectReason::Lost(reason) => ClientEvent::DisconnectedLost {
                    reason: recorder.texts.id(reason),
                },
            },
            Seen::Slept { until } => ClientEvent::Slept {
                until: until.map(|until| self.clock.at(until)),
            },
        };
        recorder.push(now, self.host, Event::Client(device, event));
    }
}

/// Records what one server sees.
pub(crate) struct ServerRecorder {
    pub(crate) recorder: Arc<Mutex<Recorder>>,
    pub(crate) host: u16,
    /// When the server started: its own time begins there.
    pub(crate) started: Nanos,
    /// What it does when this is over, nobody sees.
    pub(crate) life: Life,
    /// How many connections were opened in its lives, this one included.
    pub(crate) opened: Arc<AtomicU64>,
    /// How many of them before this one.
    pub(crate) opened_before: u64,
}

impl ServerRecorder {
    /// The number of a connection among those of all lives.
    fn number(&self, conn: ConnId) -> u64 {
        self.opened_before + conn.serial()
    }

    fn push(&self, now: Duration, event: impl FnOnce(&mut Recorder) -> Event) {
        if !self.life.goes_on() {
            return;
        }
        let mut recorder = self.recorder.lock();
        let event = event(&mut recorder);
        recorder.push(self.started + nanos(now), self.host, event);
    }
}

impl squall_broker::Observer for ServerRecorder {
    fn opened(&mut self, now: Duration, conn: ConnId) {
        let number = self.number(conn);
        self.opened.store(number, Ordering::Relaxed);
        self.push(now, |_| Event::Server(number, ServerEvent::Opened));
    }

    fn received(&mut self, now: Duration, conn: ConnId, packet: &wire::Packet) {
        self.push(now, |recorder| {
            Event::Server(
                self.number(conn),
                ServerEvent::Received(seen(recorder, packet)),
            )
        });
    }

    fn sent(&mut self, now: Duration, conn: ConnId, packet: &wire::Packet) {
        self.push(now, |recorder| {
            Event::Server(self.number(conn), ServerEvent::Sent(seen(recorder, packet)))
        });
    }

    fn closed(&mut self, now: Duration, conn: ConnId, reason: &CloseReason) {
        let kind = match reason {
            CloseReason::Disconnect | CloseReason::DisconnectWithReason(_) => ClosedBy::Disconnect,
            CloseReason::PeerClosed => ClosedBy::Peer,
            CloseReason::KeepAliveExpired => ClosedBy::KeepAlive,
            CloseReason::TakenOver => ClosedBy::TakeOver,
            _ => ClosedBy::Refusal,
        };
        self.push(now, |recorder| {
            let reason = recorder.texts.id(&reason.to_string());
            Event::Server(self.number(conn), ServerEvent::Closed { kind, reason })
        });
    }

    fn session(&mut self, now: Duration, client_id: &str, event: squall_broker::SessionEvent) {
        use squall_broker::SessionEvent as Seen;
        let event = match event {
            Seen::Created { .. } => SessionEvent::Created,
            Seen::Resumed { .. } => SessionEvent::Resumed,
            Seen::Discarded { undelivered } => SessionEvent::Discarded {
                undelivered: undelivered as u64,
            },
        };
        self.push(now, |recorder| {
            Event::Session(recorder.texts.id(client_id), event)
        });
    }

    fn dropped(
        &mut self,
        now: Duration,
        client_id: &str,
        message: &squall_broker::Message,
        cause: DropCause,
    ) {
        let id = payload::id_of(&message.payload);
        let event = SessionEvent::MessageDropped { id, cause };
        self.push(now, |recorder| {
            Event::Session(recorder.texts.id(client_id), event)
        });
    }
}

/// A packet, with what a trace keeps of it.
fn seen(recorder: &mut Recorder, packet: &wire::Packet) -> Packet {
    let packet_id = match packet {
        wire::Packet::Publish(publish) => publish.delivery.packet_id(),
        wire::Packet::PubAck(ack)
        | wire::Packet::PubRec(ack)
        | wire::Packet::PubRel(ack)
        | wire::Packet::PubComp(ack) => Some(ack.packet_id),
        wire::Packet::Subscribe(subscribe) => Some(subscribe.packet_id),
        wire::Packet::SubAck(suback) => Some(suback.packet_id),
        wire::Packet::Unsubscribe(unsubscribe) => Some(unsubscribe.packet_id),
        wire::Packet::UnsubAck(unsuback) => Some(unsuback.packet_id),
        _ => None,
    };
    let publish = match packet {
        wire::Packet::Publish(publish) => {
            let qos = match publish.delivery.qos() {
                wire::Qos::AtMostOnce => Qos::AtMostOnce,
                wire::Qos::AtLeastOnce => Qos::AtLeastOnce,
                wire::Qos::ExactlyOnce => Qos::ExactlyOnce,
            };
            let id = payload::id_of(&publish.payload);
            let topic = publish.topic.as_str();
            let message = recorder.message(topic, qos, publish.retain, &publish.payload);
            Some((id, publish.dup, message))
        }
        _ => None,
    };
    let client = match packet {
        wire::Packet::Connect(connect) => Some(recorder.texts.id(connect.client_id.as_str())),
        _ => None,
    };
    Packet {
        name: packet.name(),
        packet_id: packet_id.map(|id| id.get()),
        publish,
        client,
    }
}
