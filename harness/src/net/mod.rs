//! The virtual network: real TCP/IP in virtual time.
//!
//! Every TCP connection is a smoltcp socket at both ends, and its IP packets
//! travel: device stream, network card of the site, the device's own access
//! link (loss, delay, rate, queue), the tunnel between turmoil hosts, network
//! card of the server, server stream; and back. Loss, reordering, duplication
//! and partitions hit packets, and TCP recovers, or times out, as it would in
//! the field.
//!
//! - [`address`]: who has which address
//! - `segment`: the fields of a packet the network looks at, and RST
//! - `connection`, `nic`, `stream`: TCP at one host
//! - `link`, `access`: the access links of a site
//! - `tunnel`, `host`: between hosts, and what drives a host
//! - `power`: what a server that crashes cuts off
//! - `tls`: TLS on a stream
//! - `tap`, `account`, `capture`: every packet counted, and written down
//!
//! How this TCP differs from Linux's: its RTO is at least 1 s (Linux: 200 ms)
//! and at most 60 s (120 s), it retransmits without SACK, it acknowledges after
//! 10 ms (up to 40 ms), TIME-WAIT is 10 s (60 s), and its windows are small and
//! fixed, where Linux's grow.

mod access;
mod account;
pub mod address;
mod capture;
mod connection;
mod host;
mod link;
mod nic;
mod power;
mod segment;
mod stream;
mod tap;
#[cfg(test)]
mod tests;
mod time;
pub(crate) mod tls;
mod tunnel;
mod watch;

pub(crate) use access::Access;
pub(crate) use account::StreamMark;
pub(crate) use capture::Capture;
pub(crate) use host::{Host, Map, Place, Tick};
pub(crate) use link::{Loss, Strain, draw_latency};
pub(crate) use power::{Life, Power};
pub(crate) use tap::{PacketKey, Tallies, Tally, Tap, Way};
pub(crate) use time::MILLISECOND;
pub(crate) use watch::{Befallen, Mishap, Watch};

pub use address::{
    HTTP_PORT, HTTP_TLS_PORT, HUB_PORT, HUB_TLS_PORT, MQTT_PORT, MQTT_TLS_PORT, Service,
    WEBSOCKET_PORT, WEBSOCKET_TLS_PORT,
};
pub use nic::Nic;
pub use stream::{TcpListener, TcpStream};
pub(crate) use time::SECOND;
pub use time::{Clock, Nanos, nanos};
