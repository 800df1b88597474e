//! `drop`: the IP packet with a certain MQTT packet is dropped. TCP repeats it,
//! and may be dropped again.

use super::surgery::{OneWay, Sent};

/// A part of a stream that is not to get through yet.
#[derive(Debug)]
pub(super) struct Drop {
    pub(super) flow: OneWay,
    /// TCP's sequence number of the MQTT packet's first byte.
    pub(super) seq: u32,
    /// Packets that are still to be dropped.
    pub(super) left: u32,
    /// Which fault does it.
    pub(super) by: usize,
}

impl Drop {
    /// Whether it drops a packet, and so has one less to drop.
    pub(super) fn takes(&mut self, sent: &Sent) -> bool {
        // Sequence numbers wrap.
        let into = self.seq.wrapping_sub(sent.seq);
        let takes = self.left > 0 && self.flow == sent.flow && into < sent.payload_bytes as u32;
        self.left -= u32::from(takes);
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{PacketKey, Way};
    use rstest::rstest;

    #[rstest]
    #[case::the_packet_itself(1_000, 40, true)]
    #[case::one_that_begins_before(990, 40, true)]
    #[case::one_that_ends_before(990, 10, false)]
    #[case::one_after_it(1_001, 40, false)]
    #[case::an_acknowledgement(1_000, 0, false)]
    fn it_takes_packets_with_its_byte(#[case] seq: u32, #[case] bytes: usize, #[case] takes: bool) {
        let flow = OneWay {
            way: Way::Up,
            device: 3,
            port: 50_000,
        };
        let mut drop = Drop {
            flow,
            seq: 1_000,
            left: 2,
            by: 0,
        };
        let key = PacketKey {
            at: 0,
            host: 0,
            number: 0,
        };
        let sent = Sent {
            flow,
            fleet: 0,
            key,
            seq,
            payload_bytes: bytes,
        };
        assert_eq!(drop.takes(&sent), takes);
        assert_eq!(drop.left, 2 - u32::from(takes));
        drop.left = 0;
        assert!(!drop.takes(&sent), "it has dropped enough");
    }
}
