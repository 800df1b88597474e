//! Every limit of the broker, with its default. Nothing that a peer causes
//! grows beyond one of them.

use std::time::Duration;

use crate::wire::levels;

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
    /// How long a client may be silent whatever its keep-alive time, if it has
    /// one: a peer that vanished without a word leaves a connection behind that
    /// nothing else may ever end. Section 3.1.2.10 leaves a server to do so. In
    /// 5.0 it is told 0x98. Default: as long as its keep-alive time allows.
    pub silence: Option<Duration>,
    /// Subscriptions of one session. Default 100,000. One more gets the SUBACK
    /// failure code.
    pub subscriptions_per_session: usize,
    /// Levels of a topic. A message with more is delivered to nobody, which in
    /// 5.0 is said with reason code 0x90; a filter with more gets the SUBACK
    /// failure code, in 5.0 0x8F; a CONNECT whose will has more is refused with
    /// 0x90, in 3.1.1 with return code 3. Default 65,536, the most there can be.
    pub topic_levels: usize,
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

/// A topic is of at most 65,535 bytes [MQTT311-4.7.3-3], and all of them may be
/// `/`.
const TOPIC_LEVELS_MAX: usize = 65_536;

impl Limits {
    /// Whether they reach to a topic or filter of this depth.
    pub(crate) fn reach(&self, topic: &[u8]) -> bool {
        self.topic_levels >= TOPIC_LEVELS_MAX || levels(topic).count() <= self.topic_levels
    }

    /// How long a client may be silent whose keep-alive time allows this; `None`
    /// for ever.
    pub(crate) fn silence_max(&self, keep_alive: Option<Duration>) -> Option<Duration> {
        [keep_alive, self.silence].into_iter().flatten().min()
    }
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
            silence: None,
            subscriptions_per_session: 100_000,
            topic_levels: TOPIC_LEVELS_MAX,
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
