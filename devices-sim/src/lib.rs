//! What a sensor does, over any byte stream.
//!
//! A [`Fleet`] is plain data: how many devices, when they are awake
//! ([`Lifecycle`]), what they publish ([`Publish`]), what they listen to
//! ([`Subscribe`]) and what they speak ([`Protocol`]). [`run`] drives all of its
//! devices on tokio's clock. A device is a client over whatever stream [`Dial`]
//! gives it, for MQTT that of rumqttc and for HTTP that of hyper, and everything
//! it sees is told to an [`Observer`].
//!
//! The package knows nothing of the simulator: the same fleet runs in virtual
//! time over a simulated network, or on the wall clock over real sockets.
//!
//! Three properties hold throughout:
//!
//! - **A sleeping device costs its schedule.** It has no client, no socket and
//!   no task, only the few dozen bytes of `device::Device`.
//! - **One seed decides everything.** Each random figure is a pure function of
//!   (seed, name of the stream, device, count), so that adding a device, or
//!   losing a packet, leaves the figures of all others as they were.
//! - **A reading is accounted for.** Each [`Event::Published`] ends as sent
//!   (QoS 0), [`Event::Acknowledged`], [`Event::Dropped`], or is still owed.

mod awake;
mod backoff;
mod client;
mod connection;
mod device;
mod duty;
mod event;
mod fleet;
mod fuse;
mod http;
mod id;
mod lifecycle;
mod mqtt;
mod names;
mod network;
mod outbox;
pub mod payload;
mod protocol;
mod random;
pub mod resource;
mod run;
mod strike;
mod timetable;
mod websocket;

pub use backoff::Backoff;
pub use event::{DisconnectReason, DropReason, Event, Observer};
pub use fleet::{
    Addressees, DeviceMemory, Fleet, FleetError, MqttSettings, Publish, Qos, RetainHandling,
    Subscribe, Version, Will,
};
pub use id::{DeviceId, MessageId, ParseMessageIdError};
pub use lifecycle::{Ending, Lifecycle, Visit};
pub use network::{BoxFuture, Dial, Stream};
pub use payload::{Payload, Signal};
pub use protocol::{HttpReader, HttpSettings, Protocol, WebSocketSettings};
pub use random::Spread;
pub use run::run;
pub use strike::Strike;
