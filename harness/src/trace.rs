//! What happened: one trace of what every client and server saw, in virtual
//! time. The one source for metrics, reports and, later, for judging what a
//! broker guarantees.
//!
//! Entries are ordered by time, then host, then the order in which that host
//! saw them. Hosts run one after another within a tick, so entries wait in
//! `Recorder` until the tick is over.
//!
//! A topic or a reason is a [`TextId`], the same text always the same id; a
//! payload is its length and hash. [`jsonl`] writes a trace down.

pub mod exchange;
pub mod jsonl;
mod record;

pub(crate) use record::{ClientRecorder, Recorder, ServerRecorder};

use crate::net::Nanos;
use rustc_hash::FxHashMap;
use squall_devices::{DeviceId, DropReason, MessageId, Qos};
use std::sync::Arc;

/// One thing that one party saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// When, in nanoseconds of virtual time since the run began.
    pub at: Nanos,
    /// The host it happened on: servers first, then sites.
    pub host: u16,
    /// Who saw what.
    pub event: Event,
}

/// Who saw what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A device.
    Client(DeviceId, ClientEvent),
    /// A server, on one of its connections (numbered in the order of opening).
    Server(u64, ServerEvent),
    /// A server, about a session it keeps; the text is the client identifier.
    Session(TextId, SessionEvent),
    /// The weather, on the host that it struck.
    Fault {
        /// Which fault of the scenario, from 0.
        fault: u16,
        /// Its kind, such as `partition`.
        kind: &'static str,
        /// What became of it.
        event: FaultEvent,
    },
}

/// What became of a fault. One that is over at once begins and ends at one
/// time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultEvent {
    /// It began.
    Began {
        /// What it struck, in words.
        target: TextId,
    },
    /// It ended.
    Ended {
        /// What it struck, in words.
        target: TextId,
        /// What it did, in words; empty if nothing that can be seen.
        effect: TextId,
    },
}

/// What a device sees: [`squall_devices::Event`] without borrows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each stands for the event of that name, and its fields"
)]
pub enum ClientEvent {
    Woke,
    Connecting {
        attempt: u32,
    },
    Connected {
        session_present: bool,
    },
    ConnectFailed {
        reason: TextId,
    },
    Subscribing {
        filter: TextId,
        qos: Qos,
    },
    Subscribed {
        filter: TextId,
        granted: Option<Qos>,
    },
    Unsubscribing {
        filter: TextId,
    },
    Unsubscribed {
        filter: TextId,
    },
    Published {
        id: MessageId,
        message: Message,
    },
    Sent {
        id: MessageId,
        dup: bool,
    },
    Acknowledged {
        id: MessageId,
    },
    Dropped {
        id: MessageId,
        reason: DropReason,
    },
    Delivered {
        id: Option<MessageId>,
        dup: bool,
        message: Message,
        message_expiry_s: Option<u32>,
    },
    Forgot,
    DisconnectedClean,
    DisconnectedVanished,
    DisconnectedReset,
    DisconnectedLost {
        reason: TextId,
    },
    Slept {
        until: Option<Nanos>,
    },
}

/// What a server sees on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerEvent {
    /// The connection was opened.
    Opened,
    /// A packet came.
    Received(Packet),
    /// A packet was put on its way.
    Sent(Packet),
    /// The connection ended, by [`squall_broker::CloseReason`].
    Closed {
        /// Which reason, as a word for counting.
        kind: ClosedBy,
        /// The reason in words.
        reason: TextId,
    },
}

/// What a server does with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEvent {
    /// A new one began.
    Created,
    /// A stored one was taken up again.
    Resumed,
    /// It ended, with so many messages in it.
    Discarded {
        /// Messages not acknowledged or not yet sent.
        undelivered: u64,
    },
    /// A message for its client was dropped.
    MessageDropped {
        /// The reading, if it is one of ours.
        id: Option<MessageId>,
        /// Why.
        cause: squall_broker::DropCause,
    },
}

/// Why a server's connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedBy {
    /// The client's DISCONNECT.
    Disconnect,
    /// The end of the stream, without one.
    Peer,
    /// Keep-alive ran out.
    KeepAlive,
    /// The client connected anew.
    TakeOver,
    /// Anything else the server did not accept.
    Refusal,
}

/// An application message as one party saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: TextId,
    /// QoS of the PUBLISH.
    pub qos: Qos,
    /// RETAIN flag of the PUBLISH.
    pub retain: bool,
    /// Length of its payload in bytes.
    pub payload_bytes: u32,
    /// XXH3 (64 bits) of its payload: the same bytes have the same.
    pub payload_hash: u64,
}

/// An MQTT packet as a server saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Its name in the specification, such as `PUBACK`.
    pub name: &'static str,
    /// Its packet identifier, if it has one.
    pub packet_id: Option<u16>,
    /// The message of a PUBLISH: its reading (if one of ours) and DUP flag.
    pub publish: Option<(Option<MessageId>, bool, Message)>,
    /// The client identifier of a CONNECT.
    pub client: Option<TextId>,
}

/// A text that occurs often, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextId(pub u32);

/// The texts of a trace.
#[derive(Debug, Default)]
pub struct Texts {
    texts: Vec<Arc<str>>,
    ids: FxHashMap<Arc<str>, TextId>,
}

impl Texts {
    /// The number of a text, new or not.
    pub fn id(&mut self, text: &str) -> TextId {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = TextId(self.texts.len() as u32);
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.ids.insert(text, id);
        id
    }

    /// The text with this number.
    ///
    /// # Panics
    /// When the number comes from another trace.
    pub fn text(&self, id: TextId) -> &str {
        &self.texts[id.0 as usize]
    }
}
