//! What a device tells about itself, moment by moment.
//!
//! For each device the events keep an order that checks may rely on:
//! `Woke` ... `Slept` enclose everything else. `Connecting` is followed by
//! exactly one of `Connected` and `ConnectFailed`; `Connected` by exactly one
//! `Disconnected`, before the next `Connecting` or `Slept`. `Published` of an id
//! comes first, then its `Sent`, then at most one of `Acknowledged` and
//! `Dropped`. Only a run that is stopped leaves a sequence unfinished.

use crate::fleet::Qos;
use crate::id::{DeviceId, MessageId};
use tokio::time::Instant;

/// Told everything that the devices see. Called at the very moment; the
/// observer adds the time.
pub trait Observer: Send + Sync + 'static {
    /// `device` saw `event`.
    fn record(&self, device: DeviceId, event: Event<'_>);
}

/// Something that a device saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// It powered up.
    Woke,
    /// It is about to open a connection.
    Connecting {
        /// Attempts made since it woke or was last connected, from 1.
        attempt: u32,
    },
    /// A CONNACK, or the answer to its request for an upgrade, accepted it; or it
    /// has a stream for HTTP, which nobody accepts otherwise.
    Connected {
        /// The CONNACK's session present flag; over a WebSocket, whether it is a
        /// listener that the hub knows by name from an earlier connection; over
        /// HTTP, whether it knows what it has read before.
        session_present: bool,
    },
    /// No connection, or no accepting CONNACK, came of the attempt.
    ConnectFailed {
        /// Why, in words.
        reason: &'a str,
    },
    /// A SUBSCRIBE with this filter was handed to the client for writing; or a
    /// hub sends it the filter's group from here on, as the SUBACK that follows
    /// at once says; or it polls for the first time, and the answer is the SUBACK.
    Subscribing {
        /// The topic filter.
        filter: &'a str,
        /// The QoS asked for.
        qos: Qos,
    },
    /// A SUBACK answered one of its filters.
    Subscribed {
        /// The topic filter.
        filter: &'a str,
        /// The QoS granted; `None` if the broker refused the filter.
        granted: Option<Qos>,
    },
    /// An UNSUBSCRIBE with this filter was handed to the client for writing.
    Unsubscribing {
        /// The topic filter.
        filter: &'a str,
    },
    /// An UNSUBACK answered one of its filters.
    Unsubscribed {
        /// The topic filter.
        filter: &'a str,
    },
    /// The device took a reading and handed it to its MQTT client, connected or not.
    Published {
        /// The reading.
        id: MessageId,
        /// Its topic.
        topic: &'a str,
        /// Its QoS.
        qos: Qos,
        /// Its RETAIN flag.
        retain: bool,
        /// Its payload.
        payload: &'a [u8],
    },
    /// The client wrote the reading's PUBLISH to its connection's buffer, which
    /// is flushed at once. What became of it is for the network to know.
    Sent {
        /// The reading.
        id: MessageId,
        /// An earlier PUBLISH of the same session carried it too: this one has
        /// DUP set and the same packet identifier.
        dup: bool,
    },
    /// The broker took the reading over: its PUBACK (QoS 1) or PUBCOMP (QoS 2)
    /// arrived; or a hub's acknowledgement; or an answer of HTTP from 200 to 299.
    /// Never at QoS 0.
    Acknowledged {
        /// The reading.
        id: MessageId,
    },
    /// The device gave the reading up: it will not be sent again, nor acknowledged.
    Dropped {
        /// The reading.
        id: MessageId,
        /// Why.
        reason: DropReason,
    },
    /// The client handed an application message to the device. At QoS 2 that is
    /// when the first PUBLISH of its flow arrives; repetitions are not told.
    Delivered {
        /// The reading it carries; `None` if the payload is not one of ours.
        id: Option<MessageId>,
        /// Its topic.
        topic: &'a str,
        /// The QoS of the PUBLISH that arrived.
        qos: Qos,
        /// Its RETAIN flag.
        retain: bool,
        /// Its DUP flag.
        dup: bool,
        /// Its Message Expiry Interval, in seconds (MQTT 5.0).
        message_expiry_s: Option<u32>,
        /// Its payload.
        payload: &'a [u8],
    },
    /// It lost its power, and with it what it kept in RAM: its outbox, what was
    /// in flight, the packet identifiers of QoS 2 messages that it had received,
    /// and which subscriptions it had made. A `Dropped` for each reading that
    /// was in the outbox comes before it.
    Forgot,
    /// The accepted connection ended.
    Disconnected {
        /// How.
        reason: DisconnectReason<'a>,
    },
    /// It powered down: from here on it has no client, no socket and no task.
    Slept {
        /// When it will wake; `None` if never.
        until: Option<Instant>,
    },
}

/// Why a device gave a reading up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// Its outbox was full, and this was the oldest reading in it.
    OutboxFull,
    /// The session that its QoS 2 flow belonged to is gone. To publish it anew
    /// might deliver it twice, so the client forgets it; the broker may or may
    /// not have taken it over.
    SessionLost,
    /// The broker refused it: its PUBACK or PUBREC says why it did not take it
    /// over (MQTT 5.0).
    Refused,
    /// It was kept in RAM when the device lost its power. If it was in flight,
    /// the broker may or may not have taken it over.
    Forgotten,
}

/// How an accepted connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisconnectReason<'a> {
    /// The device sent DISCONNECT, or a hub answered its Close frame, or HTTP
    /// needed no more, and it closed the connection.
    Clean,
    /// The device lost its power, and the connection went silent.
    Vanished,
    /// The device reset the connection.
    Reset,
    /// The connection failed under it, or the broker closed it: why, in words.
    Lost(&'a str),
}
