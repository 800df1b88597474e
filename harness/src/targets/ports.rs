//! Ports for a broker: free, and kept for it while it is away.

use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// A TCP port of this machine for a server that is about to start.
///
/// It is none of those that the system gives to clients: while a broker is
/// restarted, one of those could become the end of somebody's connection. Among
/// instances of Squall it is kept by a UDP socket at the same number, which is in
/// nobody's way and gone with its process.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) number: u16,
    _kept: UdpSocket,
}

impl Port {
    /// One that is free now.
    ///
    /// # Errors
    /// When none is.
    pub(crate) fn free() -> io::Result<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let range = range();
        let size = range.end - range.start;
        // Processes that start together look at different ports first.
        let own = u16::try_from(std::process::id() % u32::from(size)).unwrap_or_default();
        for _ in 0..size {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            let offset = (u32::from(own) * 31 + u32::from(step)) % u32::from(size);
            let number = range.start + u16::try_from(offset).unwrap_or_default();
            let Ok(kept) = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)) else {
                continue;
            };
            if is_free(number) {
                return Ok(Self {
                    number,
                    _kept: kept,
                });
            }
        }
        Err(io::Error::from(io::ErrorKind::AddrInUse))
    }

    /// Waits until nobody listens there any more.
    ///
    /// # Errors
    /// When somebody still does after this time.
    pub(super) async fn freed(&self, within: Duration) -> io::Result<()> {
        let deadline = Instant::now() + within;
        let freed = async {
            while !is_free(self.number) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout_at(deadline, freed).await.map_err(|_| {
            let what = format!("port {} is still in use", self.number);
            io::Error::new(io::ErrorKind::AddrInUse, what)
        })
    }
}

/// Whether a server could listen there.
fn is_free(number: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok()
}

/// The larger half of what is above the ports of well-known services and outside
/// of those for clients.
fn range() -> Range<u16> {
    const LOWEST: u16 = 10_000;
    // Linux says it; elsewhere it is what IANA proposes (RFC 6335 section 6).
    let clients = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let mut clients = clients.unwrap_or_default();
    if clients.is_empty() {
        clients = "49152 65535".to_owned();
    }
    let mut bounds = clients.split_whitespace().map(str::parse);
    let (Some(Ok(first)), Some(Ok(last))) = (bounds.next(), bounds.next()) else {
        return LOWEST..49_152;
    };
    let below = LOWEST..u16::max(first, LOWEST);
    let above = u16::max(last, LOWEST)..u16::MAX;
    match (below.len(), above.len()) {
        (0, 0) => LOWEST..u16::MAX,
        (below_size, above_size) if below_size >= above_size => below,
        _ => above,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_is_kept_until_it_is_dropped() {
        let first = Port::free().expect("one is free");
        let second = Port::free().expect("another is free");
        assert_ne!(first.number, second.number);
        assert!(UdpSocket::bind((Ipv4Addr::LOCALHOST, first.number)).is_err());
        // The broker itself may listen there.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, first.number)).expect("free");
        let short = Duration::from_millis(20);
        assert!(first.freed(short).await.is_err());
        drop(listener);
        first.freed(Duration::from_secs(5)).await.expect("freed");
    }
}
