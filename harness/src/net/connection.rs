//! One TCP connection, at one of its ends: a smoltcp socket in an interface of
//! its own.
//!
//! One interface per connection, because smoltcp looks for the socket a packet
//! belongs to by walking all of them; here the four-tuple finds it in a map
//! ([`Nic`](super::nic::Nic)) and a poll costs the same however many others
//! there are.
//!
//! What smoltcp leaves to its user is done here: giving up. A SYN that nobody
//! answers, data that nobody acknowledges and a FIN that nobody returns end the
//! connection after the limits in [`NetworkSettings`], whose defaults are Linux's.

use super::account::SendAccount;
use super::segment::Segment;
use super::time::{Nanos, nanos};
use crate::scenario::{CongestionControl as Congestion, NetworkSettings};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::socket::tcp::{CongestionControl, RecvError, Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr, IpEndpoint, IpListenEndpoint};
use std::io;
use std::net::SocketAddrV4;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::ReadBuf;

/// How long a SYN-ACK is repeated before the half-open connection goes: Linux's
/// five repetitions (tcp(7), `tcp_synack_retries`).
const SYN_ACK_TIMEOUT: Duration = Duration::from_secs(63);

/// How long a closed connection waits for the peer's FIN (tcp(7),
/// `tcp_fin_timeout`).
const FIN_WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// The end of the connection that is ours, and the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Flow {
    pub(crate) local: SocketAddrV4,
    pub(crate) remote: SocketAddrV4,
}

/// What differs between connections of one network card.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Largest IP packet, in bytes.
    pub(crate) mtu: u16,
    /// Receive buffer in bytes, which is the largest window advertised.
    pub(crate) window_bytes: u32,
    /// Where the initial sequence number comes from.
    pub(crate) seed: u64,
}

/// The send buffer that goes with a receive window: half of it, as in lwIP
/// (`TCP_SND_BUF` is two segments, `TCP_WND` four), the TCP of most
/// microcontrollers.
fn send_buffer_bytes(window_bytes: u32) -> usize {
    (window_bytes / 2).max(256) as usize
}

/// What a connection waits for, when it may wait too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    SynAnswer,
    SynAckAnswer,
    Acknowledgement,
    Fin,
}

/// One end of a TCP connection.
pub(crate) struct Connection {
    pub(crate) flow: Flow,
    /// The connection is in the list of those to poll.
    pub(crate) dirty: bool,
    /// The timer that is set for it, if any: one, replaced and never piled up.
    pub(crate) timer: Option<Nanos>,
    /// No stream holds it any more: gone once TCP is done.
    pub(crate) orphaned: bool,
    /// Made by a listener and not handed out yet.
    pub(crate) unaccepted: bool,
    /// In its listener's queue, ready to be handed out.
    pub(crate) queued: bool,
    pub(crate) account: SendAccount,
    mtu: u16,
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    error: Option<io::ErrorKind>,
    /// Over without a word to the peer.
    given_up: bool,
    waiting: Option<(Stage, Nanos)>,
    heard_at: Nanos,
}

impl Connection {
    /// A connection that sends its SYN at the first poll.
    pub(crate) fn dial(flow: Flow, scale: Scale, tcp: &NetworkSettings) -> Connection {
        let mut connection = Connection::new(flow, scale, tcp);
        let remote = IpEndpoint::from(flow.remote);
        let local = IpEndpoint::from(flow.local);
        let socket = connection.sockets.get_mut::<Socket<'_>>(connection.handle);
        // Refused only for port 0 or a socket in use, and this one is new.
        if socket
            .connect(connection.interface.context(), remote, local)
            .is_err()
        {
            connection.error = Some(io::ErrorKind::AddrNotAvailable);
        }
        connection
    }

    /// A connection that waits for the SYN which is about to be handed to it.
    pub(crate) fn answer(flow: Flow, scale: Scale, tcp: &NetworkSettings) -> Connection {
        let mut connection = Connection::new(flow, scale, tcp);
        connection.unaccepted = true;
        let local = IpListenEndpoint::from(flow.local);
        if connection.socket().listen(local).is_err() {
            connection.error = Some(io::ErrorKind::AddrNotAvailable);
        }
        connection
    }

    fn new(flow: Flow, scale: Scale, tcp: &NetworkSettings) -> Connection {
        let Scale {
            mtu,
            window_bytes,
            seed,
        } = scale;
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut phy = Phy {
            incoming: None,
            outgoing: &mut Vec::new(),
            mtu,
        };
        let mut interface = Interface::new(config, &mut phy, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            // A prefix of zero makes every address a neighbour: no routes.
            // One address always fits.
            addresses
                .push(IpCidr::new(IpAddress::Ipv4(*flow.local.ip()), 0))
                .ok();
        });
        let mut socket = Socket::new(
            SocketBuffer::new(vec![0; window_bytes as usize]),
            SocketBuffer::new(vec![0; send_buffer_bytes(window_bytes)]),
        );
        socket.set_nagle_enabled(!tcp.nodelay);
        socket.set_ack_delay(tcp.ack_delay.map(Into::into));
        socket.set_congestion_control(match tcp.congestion {
            Congestion::None => CongestionControl::None,
            Congestion::Reno => CongestionControl::Reno,
            Congestion::Cubic => CongestionControl::Cubic,
        });
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let handle = sockets.add(socket);
        Connection {
            flow,
            dirty: false,
            timer: None,
            orphaned: false,
            unaccepted: false,
            queued: false,
            account: SendAccount::new(&flow),
            mtu,
            interface,
            sockets,
            handle,
            error: None,
            given_up: false,
            waiting: None,
            heard_at: 0,
        }
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    pub(crate) fn state(&self) -> State {
        self.sockets.get::<Socket<'_>>(self.handle).state()
    }

    /// Hands a packet of this connection to TCP; what TCP answers at once goes
    /// to `outgoing`.
    pub(crate) fn receive(
        &mut self,
        now: Nanos,
        packet: &[u8],
        segment: &Segment,
        outgoing: &mut Vec<Vec<u8>>,
    ) {
        self.heard_at = now;
        let before = self.state();
        let mut phy = Phy {
            incoming: Some(packet),
            outgoing,
            mtu: self.mtu,
        };
        self.interface
            .poll_ingress_single(instant(now), &mut phy, &mut self.sockets);
        if self.orphaned && self.socket().recv_queue() > 0 {
            // Nobody is left to read it: as in Linux the peer is told so, lest
            // it go on until the window is full (RFC 1122, section 4.2.2.13).
            self.socket().abort();
        }
        let after = self.state();
        if segment.rst && after != before && matches!(after, State::Closed | State::Listen) {
            self.error = Some(match before {
                State::SynSent => io::ErrorKind::ConnectionRefused,
                _ => io::ErrorKind::ConnectionReset,
            });
        }
    }

    /// Sends what is due, gives up what has waited too long, and says when to
    /// come back.
    pub(crate) fn poll(
        &mut self,
        now: Nanos,
        tcp: &NetworkSettings,
        outgoing: &mut Vec<Vec<u8>>,
    ) -> Option<Nanos> {
        if self.given_up {
            return None;
        }
        let give_up = self.give_up_at(now, tcp);
        if give_up.is_some_and(|at| at <= now) {
            // As in Linux the peer is told nothing: it is taken to be gone.
            self.give_up();
            return None;
        }
        let mut phy = Phy {
            incoming: None,
            outgoing,
            mtu: self.mtu,
        };
        while self
            .interface
            .poll_egress(instant(now), &mut phy, &mut self.sockets)
            != smoltcp::iface::PollResult::None
        {}
        let next = self
            .interface
            .poll_at(instant(now), &self.sockets)
            .map(|at| (at.total_micros().max(0) as Nanos) * 1_000);
        // What is owed may have changed with what was just sent.
        let give_up = self.give_up_at(now, tcp);
        [next, give_up].into_iter().flatten().min()
    }

    /// When to give the connection up, if it waits for anything.
    fn give_up_at(&mut self, now: Nanos, tcp: &NetworkSettings) -> Option<Nanos> {
        let orphaned = self.orphaned;
        let socket = self.socket();
        let (stage, limit) = match socket.state() {
            State::SynSent => (Stage::SynAnswer, tcp.syn_timeout),
            State::SynReceived => (Stage::SynAckAnswer, SYN_ACK_TIMEOUT),
            State::FinWait1 | State::Closing | State::LastAck => {
                (Stage::Acknowledgement, tcp.user_timeout)
            }
            State::FinWait2 if orphaned => (Stage::Fin, FIN_WAIT_TIMEOUT),
            State::Established | State::CloseWait if socket.send_queue() > 0 => {
                (Stage::Acknowledgement, tcp.user_timeout)
            }
            _ => {
                self.waiting = None;
                return None;
            }
        };
        let since = match self.waiting {
            Some((waiting, since)) if waiting == stage => since,
            _ => now,
        };
        self.waiting = Some((stage, since));
        let quiet_since = match stage {
            // What a peer repeats does not answer our SYN-ACK.
            Stage::SynAnswer | Stage::SynAckAnswer => since,
            Stage::Acknowledgement | Stage::Fin => since.max(self.heard_at),
        };
        Some(quiet_since + nanos(limit))
    }

    /// TCP has nothing left to do, and nobody to do it for.
    pub(crate) fn is_over(&self) -> bool {
        let over = matches!(self.state(), State::Closed | State::Listen);
        // In its listener's queue it stays until it is accepted, and dropped.
        over && (self.orphaned || (self.unaccepted && !self.queued))
    }

    /// The handshake is complete (and data may already have come).
    pub(crate) fn is_established(&self) -> bool {
        !matches!(
            self.state(),
            State::Closed | State::Listen | State::SynSent | State::SynReceived
        )
    }

    /// Ready once the handshake is over, well or not.
    pub(crate) fn poll_connected(&mut self, context: &Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.error {
            return Poll::Ready(Err(error.into()));
        }
        if self.is_established() {
            return Poll::Ready(Ok(()));
        }
        self.socket().register_send_waker(context.waker());
        Poll::Pending
    }

    /// Moves received bytes into `buffer`. Ready with nothing at the peer's
    /// FIN. Also says whether the window has opened enough to tell the peer.
    pub(crate) fn poll_read(
        &mut self,
        context: &Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<bool>> {
        let error = self.error;
        let socket = self.socket();
        let (queued, capacity) = (socket.recv_queue(), socket.recv_capacity());
        let outcome = socket.recv(|bytes| {
            let length = bytes.len().min(buffer.remaining());
            buffer.put_slice(&bytes[..length]);
            (length, length)
        });
        match outcome {
            Ok(length) if length > 0 => Poll::Ready(Ok(queued * 2 >= capacity)),
            Err(RecvError::Finished) => Poll::Ready(Ok(false)),
            Err(RecvError::InvalidState) => {
                Poll::Ready(Err(error.unwrap_or(io::ErrorKind::NotConnected).into()))
            }
            Ok(_) => match error {
                Some(error) => Poll::Ready(Err(error.into())),
                None => {
                    socket.register_recv_waker(context.waker());
                    Poll::Pending
                }
            },
        }
    }

    /// Takes as many of `bytes` as the send buffer has room for.
    pub(crate) fn poll_write(
        &mut self,
        context: &Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(error) = self.error {
            return Poll::Ready(Err(error.into()));
        }
        let socket = self.socket();
        match socket.send_slice(bytes) {
            Ok(0) if !bytes.is_empty() => {
                socket.register_send_waker(context.waker());
                Poll::Pending
            }
            Ok(length) => Poll::Ready(Ok(length)),
            Err(_) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// No more will be written: a FIN follows what is in the send buffer.
    pub(crate) fn finish(&mut self) {
        self.socket().close();
    }

    /// Ends the connection with a RST.
    pub(crate) fn reset(&mut self) {
        self.error.get_or_insert(io::ErrorKind::ConnectionAborted);
        self.socket().abort();
    }

    /// The stream is gone. Like a kernel that closes a socket, this says
    /// goodbye with a FIN, or with a RST when received bytes were never read.
    pub(crate) fn orphan(&mut self) {
        self.orphaned = true;
        let socket = self.socket();
        if socket.state() == State::SynSent {
            self.give_up();
        } else if socket.recv_queue() > 0 {
            socket.abort();
        } else {
            socket.close();
        }
    }

    /// The connection is over without a word to the peer.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// Ends the connection without sending anything; whoever waits is woken.
    pub(crate) fn give_up(&mut self) {
        self.given_up = true;
        self.error.get_or_insert(io::ErrorKind::TimedOut);
        self.socket().abort();
    }
}

fn instant(now: Nanos) -> Instant {
    Instant::from_micros((now / 1_000) as i64)
}

/// The wire between a connection's interface and the network card: at most one
/// packet in, any number out.
struct Phy<'a> {
    incoming: Option<&'a [u8]>,
    outgoing: &'a mut Vec<Vec<u8>>,
    mtu: u16,
}

impl Device for Phy<'_> {
    type RxToken<'b>
        = Incoming<'b>
    where
        Self: 'b;
    type TxToken<'b>
        = Outgoing<'b>
    where
        Self: 'b;

    fn receive(&mut self, _now: Instant) -> Option<(Incoming<'_>, Outgoing<'_>)> {
        let packet = self.incoming.take()?;
        Some((Incoming(packet), Outgoing(self.outgoing)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Outgoing<'_>> {
        Some(Outgoing(self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = usize::from(self.mtu);
        // Nothing corrupts a packet on the way: checksums are written, for
        // captures to be right, and not verified.
        capabilities.checksum = ChecksumCapabilities::default();
        capabilities.checksum.ipv4 = Checksum::Tx;
        capabilities.checksum.tcp = Checksum::Tx;
        capabilities
    }
}

struct Incoming<'a>(&'a [u8]);

impl smoltcp::phy::RxToken for Incoming<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

struct Outgoing<'a>(&'a mut Vec<Vec<u8>>);

impl smoltcp::phy::TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut packet = vec![0; length];
        let result = f(&mut packet);
        self.0.push(packet);
        result
    }
}
