//! Settings of the network and of the broker, defaults filled in.

use std::time::Duration;

use squall_broker::{Capabilities, Quirks};

/// The network between devices and servers, except the access links.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkSettings {
    /// Resolution of time between hosts.
    pub tick: Duration,
    /// Whether `tick` was derived from the scenario's links, and not given.
    pub tick_derived: bool,
    /// Unacknowledged data may stand this long before a connection is given
    /// up (Linux's 15 retransmissions: 924.6 s, tcp(7) `tcp_retries2`).
    pub user_timeout: Duration,
    /// A SYN is repeated for this long before a connection attempt is given
    /// up (Linux's 6 repetitions: 127 s, tcp(7) `tcp_syn_retries`).
    pub syn_timeout: Duration,
    /// How long an acknowledgement may be delayed; `None` sends each at once.
    pub ack_delay: Option<Duration>,
    /// Whether small segments are sent at once (TCP_NODELAY), and not held
    /// back by Nagle's algorithm.
    pub nodelay: bool,
    /// Congestion control of both ends.
    pub congestion: CongestionControl,
}

/// Congestion control of TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CongestionControl {
    /// None but the window.
    None,
    /// Reno, RFC 5681.
    Reno,
    /// CUBIC, RFC 9438.
    Cubic,
}

/// The reference broker; a limit that is not given is the broker's own default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerSettings {
    /// QoS 1 and 2 messages on their way to one client at once, at least 1.
    pub inflight_max: Option<u16>,
    /// Messages that may wait for one session.
    pub queue_messages_max: Option<u32>,
    /// Bytes of messages that may wait for one session.
    pub queue_bytes_max: Option<u64>,
    /// Largest packet in bytes that the broker takes.
    pub packet_bytes_max: Option<u32>,
    /// How long a new connection may take to send CONNECT.
    pub connect_timeout: Option<Duration>,
    /// Whether QoS 0 messages wait for a session that is offline.
    pub queue_qos0: Option<bool>,
    /// How long the server's disk takes to sync what the broker promises to
    /// keep; `None` for a broker that keeps everything in memory, and loses it
    /// when it crashes.
    pub disk_sync: Option<Duration>,
    /// What the broker offers.
    pub capabilities: Capabilities,
    /// What the broker does wrong on purpose.
    pub quirks: Quirks,
}
