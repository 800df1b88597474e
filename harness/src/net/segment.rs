//! The few fields of an IPv4/TCP packet that the network itself looks at: the
//! four-tuple to find a connection by, flags and lengths to account by, and
//! the RST that answers a segment nobody owns (RFC 9293, section 3.10.7.1).

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    IpAddress, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Bytes of an IPv4 header without options, which is the only kind sent here.
pub(crate) const IPV4_HEADER_BYTES: usize = 20;

/// One TCP segment in its IP packet, as much of it as the network needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) source: SocketAddrV4,
    pub(crate) destination: SocketAddrV4,
    pub(crate) seq: u32,
    pub(crate) syn: bool,
    pub(crate) ack: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
    /// IP and TCP headers with their options, in bytes.
    pub(crate) header_bytes: usize,
    /// TCP payload, in bytes.
    pub(crate) payload_bytes: usize,
}

impl Segment {
    /// Reads the headers of `packet`; nothing when it is not TCP over IPv4 or
    /// is shorter than its headers say.
    pub(crate) fn parse(packet: &[u8]) -> Option<Segment> {
        if packet.len() < 40 || packet[0] != 0x45 || packet[9] != 6 {
            return None;
        }
        let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        let tcp = &packet[IPV4_HEADER_BYTES..];
        let header_bytes = IPV4_HEADER_BYTES + usize::from(tcp[12] >> 4) * 4;
        if total != packet.len() || header_bytes > total {
            return None;
        }
        let address =
            |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
        let port = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
        let flags = tcp[13];
        Some(Segment {
            source: SocketAddrV4::new(address(12), port(0)),
            destination: SocketAddrV4::new(address(16), port(2)),
            seq: u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]),
            fin: flags & 0x01 != 0,
            syn: flags & 0x02 != 0,
            rst: flags & 0x04 != 0,
            ack: flags & 0x10 != 0,
            header_bytes,
            payload_bytes: total - header_bytes,
        })
    }

    /// A packet that opens a connection: SYN without ACK.
    pub(crate) fn opens(&self) -> bool {
        self.syn && !self.ack && !self.rst
    }

    /// Sequence numbers the segment takes up: its payload, and one for each of
    /// SYN and FIN.
    pub(crate) fn sequence_length(&self) -> u32 {
        self.payload_bytes as u32 + u32::from(self.syn) + u32::from(self.fin)
    }
}

/// The RST that answers `packet`, which belongs to no connection here. A RST is
/// never answered.
pub(crate) fn reset_for(packet: &[u8]) -> Option<Vec<u8>> {
    let segment = Segment::parse(packet)?;
    if segment.rst {
        return None;
    }
    let acknowledged = TcpPacket::new_checked(&packet[IPV4_HEADER_BYTES..])
        .ok()?
        .ack_number();
    // With an ACK the reset takes its sequence number from there; without one
    // it acknowledges what it refuses.
    let (seq_number, ack_number) = if segment.ack {
        (acknowledged, None)
    } else {
        let end = segment.seq.wrapping_add(segment.sequence_length());
        (TcpSeqNumber(0), Some(TcpSeqNumber(end as i32)))
    };
    let tcp = TcpRepr {
        src_port: segment.destination.port(),
        dst_port: segment.source.port(),
        control: TcpControl::Rst,
        seq_number,
        ack_number,
        window_len: 0,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let ip = Ipv4Repr {
        src_addr: *segment.destination.ip(),
        dst_addr: *segment.source.ip(),
        next_header: IpProtocol::Tcp,
        payload_len: tcp.buffer_len(),
        hop_limit: 64,
    };
    let mut answer = vec![0; ip.buffer_len() + tcp.buffer_len()];
    let checksums = ChecksumCapabilities::default();
    ip.emit(&mut Ipv4Packet::new_unchecked(&mut answer[..]), &checksums);
    tcp.emit(
        &mut TcpPacket::new_unchecked(&mut answer[IPV4_HEADER_BYTES..]),
        &IpAddress::Ipv4(ip.src_addr),
        &IpAddress::Ipv4(ip.dst_addr),
        &checksums,
    );
    Some(answer)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rstest::rstest;

    /// Builds a packet from 10.0.0.1:50000 to 192.0.2.1:1883.
    pub(crate) fn packet(
        control: TcpControl,
        seq: u32,
        ack: Option<u32>,
        payload: &[u8],
    ) -> Vec<u8> {
        let tcp = TcpRepr {
            src_port: 50_000,
            dst_port: 1883,
            control,
            seq_number: TcpSeqNumber(seq as i32),
            ack_number: ack.map(|ack| TcpSeqNumber(ack as i32)),
            window_len: 4096,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload,
        };
        let ip = Ipv4Repr {
            src_addr: Ipv4Addr::new(10, 0, 0, 1),
            dst_addr: Ipv4Addr::new(192, 0, 2, 1),
            next_header: IpProtocol::Tcp,
            payload_len: tcp.buffer_len(),
            hop_limit: 64,
        };
        let mut bytes = vec![0; ip.buffer_len() + tcp.buffer_len()];
        let checksums = ChecksumCapabilities::default();
        ip.emit(&mut Ipv4Packet::new_unchecked(&mut bytes[..]), &checksums);
        tcp.emit(
            &mut TcpPacket::new_unchecked(&mut bytes[IPV4_HEADER_BYTES..]),
            &IpAddress::Ipv4(ip.src_addr),
            &IpAddress::Ipv4(ip.dst_addr),
            &checksums,
        );
        bytes
    }

    #[test]
    fn a_data_segment_parses_to_its_fields() {
        let bytes = packet(TcpControl::Psh, 7, Some(9), b"reading");
        let segment = Segment::parse(&bytes).expect("a TCP packet");
        assert_eq!(segment.source, "10.0.0.1:50000".parse().unwrap());
        assert_eq!(segment.destination, "192.0.2.1:1883".parse().unwrap());
        assert_eq!(
            (segment.seq, segment.payload_bytes, segment.header_bytes),
            (7, 7, 40)
        );
        assert!(segment.ack && !segment.syn && !segment.fin && !segment.rst);
    }

    #[rstest]
    #[case::empty(&[])]
    #[case::not_ipv4(&[0x60; 60])]
    #[case::short(&[0x45; 39])]
    fn what_is_no_tcp_packet_is_none(#[case] bytes: &[u8]) {
        assert_eq!(Segment::parse(bytes), None);
    }

    #[test]
    fn a_cut_packet_is_none() {
        let bytes = packet(TcpControl::Psh, 7, Some(9), b"reading");
        assert_eq!(Segment::parse(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn a_refused_syn_is_acknowledged_in_its_reset() {
        let syn = packet(TcpControl::Syn, 41, None, &[]);
        let reset = reset_for(&syn).expect("an answer");
        let segment = Segment::parse(&reset).expect("a TCP packet");
        assert!(segment.rst && segment.ack);
        assert_eq!(segment.destination, "10.0.0.1:50000".parse().unwrap());
        let tcp = TcpPacket::new_checked(&reset[IPV4_HEADER_BYTES..]).unwrap();
        assert_eq!(tcp.ack_number(), TcpSeqNumber(42));
    }

    #[test]
    fn a_stray_segment_is_reset_at_what_it_acknowledged() {
        let stray = packet(TcpControl::Psh, 41, Some(1_000), b"x");
        let reset = reset_for(&stray).expect("an answer");
        let segment = Segment::parse(&reset).expect("a TCP packet");
        assert!(segment.rst && !segment.ack);
        assert_eq!(segment.seq, 1_000);
    }

    #[test]
    fn a_reset_is_never_answered() {
        assert_eq!(reset_for(&packet(TcpControl::Rst, 41, Some(1), &[])), None);
    }
}
