//! `nat-rebinding`: a NAT forgets the connections it has. Their packets are
//! dropped from then on, both ways, and neither end is told; a new connection
//! gets a new binding.
//!
//! The NAT stands where a partition cuts: behind the access links, seen from a
//! device. It knows a connection by the device's address and port, and since
//! when by its last SYN.

use super::devices::Devices;
use crate::net::{Nanos, Way};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The NAT of one site.
#[derive(Debug, Default)]
pub(super) struct Nat {
    /// When it forgets whose connections, ascending, and which occurrence of
    /// the plan that is.
    pub(super) rebindings: Vec<(Nanos, Arc<Devices>, usize)>,
    /// When each connection (a device and its port) sent its last SYN; looked up
    /// only, never walked.
    bound: FxHashMap<(u32, u16), Nanos>,
}

impl Nat {
    /// A packet that a device sends at `at`: a SYN makes a binding.
    pub(super) fn bind(&mut self, device: u32, packet: &[u8], at: Nanos) {
        const SYN: u8 = 0x02;
        if packet.get(33).is_some_and(|flags| flags & SYN != 0) {
            self.bound.insert((device, port(Way::Up, packet)), at);
        }
    }

    /// Which rebinding drops the packet that meets the NAT at `at`, if one does.
    pub(super) fn drops(&self, way: Way, device: u32, packet: &[u8], at: Nanos) -> Option<usize> {
        let bound = self.bound.get(&(device, port(way, packet)));
        let bound = bound.copied().unwrap_or_default();
        let past = self.rebindings.partition_point(|(time, ..)| *time <= at);
        self.rebindings[..past]
            .iter()
            .rev()
            .take_while(|(time, ..)| *time > bound)
            .find(|(_, devices, _)| devices.contains(device))
            .map(|(.., by)| *by)
    }
}

/// The device's port in an IPv4 packet with TCP.
fn port(way: Way, packet: &[u8]) -> u16 {
    let at = match way {
        Way::Up => 20,
        Way::Down => 22,
    };
    match packet.get(at..at + 2) {
        Some(port) => u16::from_be_bytes([port[0], port[1]]),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use crate::faults::links::tests::Valley;
    use crate::net::{Loss, Way};

    #[test]
    fn old_connections_are_cut_off_and_new_ones_are_not() {
        let mut valley = Valley::new("kind = \"nat-rebinding\"\nfleet = \"meter\"\nat = \"1m\"");
        let (old, new) = (50_000, 50_001);
        valley.dial(11, old, 10_000).expect("the weather is fair");
        valley.dial(3, old, 10_000).expect("the weather is fair");
        assert_eq!(valley.send_on(Way::Up, 11, old, 59_979), Ok(59_999));
        assert_eq!(
            valley.send_on(Way::Up, 11, old, 59_980),
            Err(Loss::NatRebinding),
            "it meets the NAT 20 ms later"
        );
        assert_eq!(
            valley.send_on(Way::Down, 11, old, 90_000),
            Err(Loss::NatRebinding)
        );
        assert_eq!(
            valley.send_on(Way::Up, 3, old, 90_000),
            Ok(90_020),
            "another fleet"
        );
        valley.dial(11, new, 91_000).expect("a new binding");
        assert_eq!(valley.send_on(Way::Down, 11, new, 92_000), Ok(92_020));
        assert_eq!(valley.send_on(Way::Up, 11, new, 92_000), Ok(92_020));
        assert_eq!(
            valley.send_on(Way::Up, 11, old, 600_000),
            Err(Loss::NatRebinding),
            "for ever"
        );
    }
}
