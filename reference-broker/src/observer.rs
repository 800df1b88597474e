//! What the broker tells whoever watches it.

use std::time::Duration;

use thiserror::Error;

use crate::connection::ConnId;
use crate::message::Message;
use crate::wire::{Packet, ReasonCode, WireError};

/// Watches a broker. Every method does nothing unless it is written; without an
/// observer nothing is prepared for one.
///
/// `now` is the time since the broker's start. The calls come in the order in
/// which things happened, from inside the broker: an observer must not call the
/// [`Server`](crate::Server) that it watches.
#[expect(
    unused_variables,
    reason = "the default methods ignore what they are told"
)]
pub trait Observer: Send {
    /// A connection was opened; no packet has come yet.
    fn opened(&mut self, now: Duration, conn: ConnId) {}
    /// A packet came and will be acted upon next.
    fn received(&mut self, now: Duration, conn: ConnId, packet: &Packet) {}
    /// A packet was put on its way: written to the connection's buffer, not yet
    /// necessarily to its stream.
    fn sent(&mut self, now: Duration, conn: ConnId, packet: &Packet) {}
    /// A connection has ended, as far as MQTT is concerned.
    fn closed(&mut self, now: Duration, conn: ConnId, reason: &CloseReason) {}
    /// A client's session began, was taken up again, or ended.
    fn session(&mut self, now: Duration, client_id: &str, event: SessionEvent) {}
    /// A message will not reach this client or, for [`DropCause::NotAuthorized`],
    /// [`DropCause::TopicTooDeep`] and [`DropCause::RetainedFull`], went no further
    /// than the client that published it.
    fn dropped(&mut self, now: Duration, client_id: &str, message: &Message, cause: DropCause) {}
}

/// Why a connection ended.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum CloseReason {
    /// The client sent DISCONNECT.
    #[error("DISCONNECT")]
    Disconnect,
    /// The client sent DISCONNECT, and this reason for it: its will is published.
    #[error("DISCONNECT with reason {0:?}")]
    DisconnectWithReason(ReasonCode),
    /// The stream ended or failed without a DISCONNECT.
    #[error("closed by the peer without DISCONNECT")]
    PeerClosed,
    /// Nothing came for one and a half times the keep-alive time
    /// `[MQTT311-3.1.2-24]`.
    #[error("silent for one and a half times its keep-alive time [MQTT311-3.1.2-24]")]
    KeepAliveExpired,
    /// Nothing came for as long as
    /// [`Limits::silence`](crate::Limits::silence) allows, though its
    /// keep-alive time would.
    #[error("silent for longer than any client may be")]
    Silent,
    /// No CONNECT came in the time there is for it.
    #[error("no CONNECT in time")]
    ConnectTimeout,
    /// Another connection came with the same client identifier
    /// `[MQTT311-3.1.4-2]`.
    #[error("taken over by another connection with its client identifier [MQTT311-3.1.4-2]")]
    TakenOver,
    /// The server is going to stop.
    #[error("the server stops")]
    Stopping,
    /// The CONNECT was refused with this return code.
    #[error("refused with {0:?}")]
    Refused(ReasonCode),
    /// The client was connected, began to authenticate again, and failed
    /// `[MQTT5-4.12.1-2]`.
    #[error("could not show again who it is [MQTT5-4.12.1-2]")]
    NotShownAgain,
    /// The client wanted what the server does not offer, or more of it
    /// ([`Capabilities`](crate::Capabilities)).
    #[error("ended with {0:?}")]
    Unsupported(ReasonCode),
    /// The peer broke the protocol, or a packet exceeded the size limit.
    #[error(transparent)]
    Wire(WireError),
}

/// What became of a client's session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionEvent {
    /// A new one began.
    Created {
        /// The connection that asked for it.
        conn: ConnId,
    },
    /// A stored one was taken up by a new connection.
    Resumed {
        /// The connection that did.
        conn: ConnId,
    },
    /// It ended and its state is gone.
    Discarded {
        /// Messages that were in it, sent but not acknowledged or not yet sent.
        undelivered: usize,
    },
}

/// Why a message was dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DropCause {
    /// The client's queue was full.
    QueueFull,
    /// QoS 0, and the client's connection had its fill of bytes not yet taken.
    SlowSubscriber,
    /// QoS 0, and the client was not connected.
    Offline,
    /// Nobody may publish to the topic.
    NotAuthorized,
    /// Its topic has more levels than the broker takes.
    TopicTooDeep,
    /// It expired before it could be sent.
    Expired,
    /// Its packet would be larger than the client takes.
    PacketTooLarge,
    /// There is no room to retain it; it was delivered to subscribers.
    RetainedFull,
}

/// The observer, if there is one, and the time it is told.
pub(crate) struct Watch {
    pub(crate) now: Duration,
    pub(crate) observer: Option<Box<dyn Observer>>,
}

impl Watch {
    pub(crate) fn tell(&mut self, event: impl FnOnce(&mut dyn Observer, Duration)) {
        if let Some(observer) = &mut self.observer {
            event(observer.as_mut(), self.now);
        }
    }
}
