//! Every limit of the broker, with its default. Nothing that a peer causes
//! grows beyond one of them.

use std::time::Duration;

/// Every limit of the broker.
///
/// # Back-pressure
/// What a connection's peer has not yet taken is counted in bytes, against
/// [`outbound_bytes`](Self::outbound_bytes). Up to there, messages are written
/// at once. Beyond it a QoS 0 message is dropped, and QoS 1 and 2 messages and
/// retained ones wait in the session's queue, which
/// [`queue_messages`](Self::queue_messages) and
/// [`queue_bytes`](Self::queue_bytes) bound for connected and absent clients
/// alike. A client that lets as much again of replies to its own packets pile
/// up is not read from until it has taken some. So a slow or dead subscriber
/// costs at most `2 * outbound_bytes` plus one message and its queue, and holds
/// up nobody.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest packet taken, header included, in bytes. Default: the largest
    /// there is, 268,435,460. A larger one ends the connection.
    pub packet_bytes: usize,
    /// Longest client identifier, in bytes, at least 23 `[MQTT311-3.1.3-5]`.
    /// Default 65,535, the largest there is. A longer one is refused with
    /// return code 2.
    pub client_id_bytes: usize,
    /// Clients connected at once. Default 1,000,000. One more is refused with
    /// return code 3.
    pub connections: usize,
    /// Sessions, of connected and absent clients. Default 1,000,000. A client
    /// that would need one more is refused with return code 3.
    pub sessions: usize,
    /// How long an opened connection may take to send its CONNECT. Default
    /// 10 s.
    pub connect_timeout: Duration,
    /// How long a connection that the broker ends may take to accept what was
    /// still to be written to it. Default 5 s.
    pub linger: Duration,
    /// Subscriptions of one session. Default 100,000. One more gets the SUBACK
    /// failure code.
    pub subscriptions_per_session: usize,
    /// QoS 1 and 2 messages that may be under way to one client unacknowledged;
    /// at least 1, at most 65,535. Default 256.
    pub inflight: usize,
    /// Bytes that may wait to be taken by one client's connection. Default
    /// 65,536. See *Back-pressure*.
    pub outbound_bytes: usize,
    /// Messages in one session's queue. Default 100,000.
    pub queue_messages: usize,
    /// Bytes of topic and payload in one session's queue. Default 64 MiB.
    pub queue_bytes: usize,
    /// Which message goes when a session's queue is full. Whichever it is, the
    /// observer is told. Default: the new one.
    pub queue_full: QueueFull,
    /// Whether QoS 0 messages are queued for an absent client, which section
    /// 3.1.2.4 leaves open. Default: no.
    pub queue_qos0: bool,
    /// Topics with a retained message. Default 1,000,000. Beyond, a message for
    /// another topic is delivered and not retained.
    pub retained_messages: usize,
    /// Bytes of topics and payloads retained. Default 1 GiB. Beyond, a message
    /// is delivered and not retained, and what it should have replaced is gone
    /// `[MQTT311-3.3.1-7]`.
    pub retained_bytes: usize,
}

/// Which message goes when a session's queue is full.
///
/// Section 3.1.2.4 has the server keep every QoS 1 and 2 message for an absent
/// client `[MQTT311-3.1.2-5]`; section 4.1 and practice leave the operator to
/// say how much. Refusing the publisher instead would let one absent subscriber
/// hold up everybody.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum QueueFull {
    /// The message that arrives: what the queue holds has no gaps.
    #[default]
    DropNewest,
    /// The message that has waited longest: what arrives is recent.
    DropOldest,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_bytes: crate::wire::REMAINING_LENGTH_MAX + 5,
            client_id_bytes: 65_535,
            connections: 1_000_000,
            sessions: 1_000_000,
            connect_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(5),
            subscriptions_per_session: 100_000,
            inflight: 256,
            outbound_bytes: 64 * 1024,
            queue_messages: 100_000,
            queue_bytes: 64 * 1024 * 1024,
            queue_full: QueueFull::default(),
            queue_qos0: false,
            retained_messages: 1_000_000,
            retained_bytes: 1024 * 1024 * 1024,
        }
    }
}
