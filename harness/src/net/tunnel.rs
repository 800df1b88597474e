//! The tunnel between hosts: IP packets in UDP datagrams of turmoil's.
//!
//! turmoil walks all messages in flight on a link at every send, so packets go
//! in batches: one datagram per destination and tick. Each packet carries the
//! time it is for, so that nothing depends on when within a tick turmoil
//! delivers.

use super::tap::PacketKey;
use super::time::Nanos;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use turmoil::net::UdpSocket;

/// The UDP port of every host's end of the tunnel.
const PORT: u16 = 4789;

/// A datagram is sent when it has grown to this many bytes.
const DATAGRAM_BYTES: usize = 48 * 1024;

/// Room for the largest datagram: one more packet may have fitted in.
const RECEIVE_BYTES: usize = DATAGRAM_BYTES + 64 * 1024;

/// Bytes before each packet: when it is due, when it was sent, its number, its
/// length.
const FRAME_HEADER_BYTES: usize = 8 + 8 + 4 + 2;

/// A packet out of the tunnel.
pub(crate) struct Frame {
    /// When it is due at a server; at a site the access link decides that.
    pub(crate) due: Nanos,
    pub(crate) key: PacketKey,
    pub(crate) packet: Bytes,
}

/// One host's end of the tunnel.
pub(crate) struct Tunnel {
    socket: UdpSocket,
    peers: Vec<Peer>,
    buffer: Vec<u8>,
}

struct Peer {
    host: u16,
    address: SocketAddr,
    batch: BytesMut,
}

impl Tunnel {
    /// Opens the end of the host that calls this; `hosts` are the names of all
    /// hosts in the order of their index.
    ///
    /// # Errors
    /// What turmoil's UDP answers.
    pub(crate) async fn open(hosts: &[String]) -> io::Result<Tunnel> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
        let peers = hosts
            .iter()
            .enumerate()
            .map(|(host, name)| Peer {
                host: host as u16,
                address: SocketAddr::new(turmoil::lookup(name.as_str()), PORT),
                batch: BytesMut::new(),
            })
            .collect();
        Ok(Tunnel {
            socket,
            peers,
            buffer: vec![0; RECEIVE_BYTES],
        })
    }

    /// Adds the packet `key` of this host to the batch for `host`.
    pub(crate) fn push(&mut self, host: u16, due: Nanos, key: PacketKey, packet: &[u8]) {
        let batch = &mut self.peers[usize::from(host)].batch;
        batch.reserve(FRAME_HEADER_BYTES + packet.len());
        batch.put_u64(due);
        batch.put_u64(key.at);
        batch.put_u32(key.number);
        batch.put_u16(packet.len() as u16);
        batch.put_slice(packet);
        if batch.len() >= DATAGRAM_BYTES {
            self.send(usize::from(host));
        }
    }

    /// Nothing that was pushed has still to be sent.
    pub(crate) fn is_flushed(&self) -> bool {
        self.peers.iter().all(|peer| peer.batch.is_empty())
    }

    /// Sends what has been pushed.
    pub(crate) fn flush(&mut self) {
        for host in 0..self.peers.len() {
            if !self.peers[host].batch.is_empty() {
                self.send(host);
            }
        }
    }

    fn send(&mut self, host: usize) {
        let peer = &mut self.peers[host];
        if let Err(error) = self.socket.try_send_to(&peer.batch, peer.address) {
            // A host that does not exist or is down: its packets are lost.
            tracing::debug!(%error, address = %peer.address, "the tunnel lost a datagram");
        }
        peer.batch.clear();
    }

    /// Completes when there is something to receive.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Hands every packet that has come to `take`.
    pub(crate) fn receive(&mut self, mut take: impl FnMut(Frame)) {
        while let Ok((length, origin)) = self.socket.try_recv_from(&mut self.buffer) {
            let Some(peer) = self.peers.iter().find(|peer| peer.address == origin) else {
                continue;
            };
            let mut datagram = Bytes::copy_from_slice(&self.buffer[..length]);
            while datagram.len() >= FRAME_HEADER_BYTES {
                let due = datagram.get_u64();
                let key = PacketKey {
                    at: datagram.get_u64(),
                    host: peer.host,
                    number: datagram.get_u32(),
                };
                let length = usize::from(datagram.get_u16());
                let packet = datagram.split_to(length.min(datagram.len()));
                take(Frame { due, key, packet });
            }
        }
    }
}
