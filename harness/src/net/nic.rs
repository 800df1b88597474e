//! The network card of a host: its TCP connections and listeners, found by
//! four-tuple, polled only when there is something to do.
//!
//! A turn takes the packets that have arrived, polls the connections that are
//! dirty (a packet came, bytes were written or read) or whose timer is due, and
//! hands out the packets they send. It costs nothing per idle connection.

use super::account::SendAccount;
use super::address::EPHEMERAL_PORT_FIRST;
use super::connection::{Connection, Flow, Scale};
use super::host::Map;
use super::segment::{self, Segment};
use super::stream::{TcpListener, TcpStream};
use super::time::Nanos;
use crate::scenario::NetworkSettings;
use parking_lot::{Mutex, MutexGuard};
use rand::Rng;
use rand_pcg::Pcg64Mcg;
use rustc_hash::FxHashMap;
use slab::Slab;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::task::Waker;
use tokio::sync::Notify;

/// Connections a listener holds until they are accepted; a SYN beyond is
/// dropped (Linux: `somaxconn`).
pub(crate) const BACKLOG: usize = 4096;

/// The network card of one host.
pub struct Nic {
    state: Mutex<State>,
    /// Told when there is something to do before the next arrival or timer.
    dirty: Notify,
}

struct State {
    settings: Arc<NetworkSettings>,
    map: Arc<Map>,
    mtu: u16,
    /// Initial sequence numbers.
    random: Pcg64Mcg,
    // Boxed, since a slab that grows would move two kilobytes for each.
    connections: Slab<Box<Connection>>,
    flows: FxHashMap<Flow, usize>,
    /// The same by the address of this end.
    by_address: BTreeSet<(Ipv4Addr, usize)>,
    listeners: BTreeMap<SocketAddrV4, Backlog>,
    ports: FxHashMap<Ipv4Addr, u16>,
    /// Devices and servers that are dark: nothing answers for them.
    without_power: BTreeSet<Ipv4Addr>,
    to_poll: Vec<usize>,
    timers: BTreeSet<(Nanos, usize)>,
    outgoing: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Backlog {
    /// Connections whose handshake is under way or complete.
    pending: usize,
    ready: VecDeque<usize>,
    waker: Option<Waker>,
}

impl Nic {
    /// A card whose packets are at most `mtu` bytes, IP header included.
    pub(crate) fn new(
        settings: Arc<NetworkSettings>,
        map: Arc<Map>,
        mtu: u16,
        random: Pcg64Mcg,
    ) -> Arc<Nic> {
        Arc::new(Nic {
            state: Mutex::new(State {
                settings,
                map,
                mtu,
                random,
                connections: Slab::new(),
                flows: FxHashMap::default(),
                by_address: BTreeSet::new(),
                listeners: BTreeMap::new(),
                ports: FxHashMap::default(),
                without_power: BTreeSet::new(),
                to_poll: Vec::new(),
                timers: BTreeSet::new(),
                outgoing: Vec::new(),
            }),
            dirty: Notify::new(),
        })
    }

    /// Connects from `local`, on a fresh ephemeral port, to `remote`.
    ///
    /// # Errors
    /// `ConnectionRefused` when a RST answers, `TimedOut` when nothing does
    /// within the SYN limit, `AddrInUse` when every port of `local` is taken.
    pub async fn connect(
        self: &Arc<Nic>,
        local: Ipv4Addr,
        remote: SocketAddrV4,
    ) -> io::Result<TcpStream> {
        let index = {
            let mut state = self.state.lock();
            state.without_power.remove(&local);
            let flow = state.fresh_flow(local, remote)?;
            let scale = state.scale(&flow);
            let connection = Connection::dial(flow, scale, &state.settings);
            let index = state.insert(connection);
            self.mark(&mut state, index);
            index
        };
        // The stream exists from here on, so that an attempt given up by its
        // caller ends the connection.
        let stream = TcpStream::new(Arc::clone(self), index);
        poll_fn(|context| self.connection(index).poll_connected(context)).await?;
        Ok(stream)
    }

    /// Listens on `address`.
    ///
    /// # Errors
    /// `AddrInUse` when something listens there already.
    pub fn listen(self: &Arc<Nic>, address: SocketAddrV4) -> io::Result<TcpListener> {
        let mut state = self.state.lock();
        if state.listeners.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        state.listeners.insert(address, Backlog::default());
        Ok(TcpListener::new(Arc::clone(self), address))
    }

    /// An address loses its power: its connections are gone without a packet,
    /// and whatever is sent to it is answered by nobody, until it dials again or
    /// its power is restored.
    pub(crate) fn cut_power(&self, local: Ipv4Addr) {
        let mut state = self.state.lock();
        state.without_power.insert(local);
        for index in state.connections_of(local) {
            state.connections[index].give_up();
            self.mark(&mut state, index);
        }
    }

    /// An address has power again, and knows of no connection from before.
    pub(crate) fn restore_power(&self, local: Ipv4Addr) {
        self.state.lock().without_power.remove(&local);
    }

    /// A device resets the connections that it holds: a RST ends each.
    pub(crate) fn reset(&self, local: Ipv4Addr) {
        let mut state = self.state.lock();
        for index in state.connections_of(local) {
            let connection = &mut state.connections[index];
            if !connection.orphaned {
                connection.reset();
                self.mark(&mut state, index);
            }
        }
    }

    /// Connections that exist, in whatever state.
    pub fn connection_count(&self) -> usize {
        self.state.lock().connections.len()
    }

    /// Timers that are set: at most one per connection.
    #[cfg(test)]
    pub(crate) fn timer_count(&self) -> usize {
        self.state.lock().timers.len()
    }

    /// Completes when there is something to do.
    pub(crate) async fn wait(&self) {
        self.dirty.notified().await;
    }

    /// When the next timer is due.
    pub(crate) fn next_timer(&self) -> Option<Nanos> {
        self.state.lock().timers.first().map(|(at, _)| *at)
    }

    /// Takes what has `arrived` and does what is due at `now`. Each packet that
    /// leaves is handed to `send`, with the account of the end that sends it
    /// (a RST for a segment that nobody owns has none).
    pub(crate) fn turn(
        &self,
        now: Nanos,
        arrived: impl IntoIterator<Item = impl AsRef<[u8]>>,
        mut send: impl FnMut(Option<&mut SendAccount>, Vec<u8>),
    ) {
        let mut state = self.state.lock();
        for packet in arrived {
            state.receive(now, packet.as_ref(), &mut send);
        }
        while let Some(&(at, index)) = state.timers.first()
            && at <= now
        {
            state.timers.pop_first();
            state.connections[index].timer = None;
            state.mark(index);
        }
        let mut to_poll = std::mem::take(&mut state.to_poll);
        for index in to_poll.drain(..) {
            state.poll(now, index, &mut send);
        }
        // What a poll made dirty is polled in the next turn; its room is kept.
        if state.to_poll.is_empty() {
            state.to_poll = to_poll;
        } else {
            self.dirty.notify_one();
        }
    }

    /// The connection a stream holds.
    pub(crate) fn connection(&self, index: usize) -> impl std::ops::DerefMut<Target = Connection> {
        MutexGuard::map(self.state.lock(), |state| &mut *state.connections[index])
    }

    /// Has the connection polled in the next turn.
    pub(crate) fn touch(&self, index: usize) {
        let mut state = self.state.lock();
        self.mark(&mut state, index);
    }

    fn mark(&self, state: &mut State, index: usize) {
        if state.to_poll.is_empty() {
            self.dirty.notify_one();
        }
        state.mark(index);
    }

    /// The next connection of a listener, if one is ready; else `waker` is told
    /// when one is.
    pub(crate) fn accept(
        self: &Arc<Nic>,
        address: SocketAddrV4,
        waker: &Waker,
    ) -> Option<TcpStream> {
        let mut state = self.state.lock();
        let backlog = state.listeners.get_mut(&address)?;
        let Some(index) = backlog.ready.pop_front() else {
            backlog.waker = Some(waker.clone());
            return None;
        };
        backlog.pending -= 1;
        state.connections[index].unaccepted = false;
        Some(TcpStream::new(Arc::clone(self), index))
    }

    /// Closes a listener; what it has not handed out is reset, half-open or not.
    pub(crate) fn unlisten(&self, address: SocketAddrV4) {
        let mut state = self.state.lock();
        state.listeners.remove(&address);
        let its_own =
            |connection: &Connection| connection.unaccepted && connection.flow.local == address;
        let left: Vec<usize> = state
            .connections
            .iter()
            .filter(|(_, connection)| its_own(connection))
            .map(|(index, _)| index)
            .collect();
        for index in left {
            let connection = &mut state.connections[index];
            connection.unaccepted = false;
            connection.orphaned = true;
            connection.reset();
            self.mark(&mut state, index);
        }
    }
}

impl State {
    fn insert(&mut self, connection: Connection) -> usize {
        let flow = connection.flow;
        let index = self.connections.insert(Box::new(connection));
        self.flows.insert(flow, index);
        self.by_address.insert((*flow.local.ip(), index));
        index
    }

    fn connections_of(&self, local: Ipv4Addr) -> Vec<usize> {
        let its_own = (local, 0)..=(local, usize::MAX);
        let of_address = self.by_address.range(its_own);
        of_address.map(|(_, index)| *index).collect()
    }

    fn scale(&mut self, flow: &Flow) -> Scale {
        Scale {
            mtu: self.mtu,
            window_bytes: self.map.window_of(flow),
            seed: self.random.next_u64(),
        }
    }

    fn mark(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if !connection.dirty {
            connection.dirty = true;
            self.to_poll.push(index);
        }
    }

    /// A four-tuple from `local` that no connection has.
    fn fresh_flow(&mut self, local: Ipv4Addr, remote: SocketAddrV4) -> io::Result<Flow> {
        let next = self.ports.entry(local).or_insert(EPHEMERAL_PORT_FIRST);
        for _ in EPHEMERAL_PORT_FIRST..=u16::MAX {
            let flow = Flow {
                local: SocketAddrV4::new(local, *next),
                remote,
            };
            *next = next.checked_add(1).unwrap_or(EPHEMERAL_PORT_FIRST);
            if !self.flows.contains_key(&flow) {
                return Ok(flow);
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    fn receive(
        &mut self,
        now: Nanos,
        packet: &[u8],
        send: &mut impl FnMut(Option<&mut SendAccount>, Vec<u8>),
    ) {
        let Some(segment) = Segment::parse(packet) else {
            tracing::debug!(bytes = packet.len(), "a packet that is not TCP over IPv4");
            return;
        };
        let flow = Flow {
            local: segment.destination,
            remote: segment.source,
        };
        let owner = self.flows.get(&flow).copied();
        // TCP knows no more of a connection given up, though its stream may
        // still be held.
        let index = match owner.filter(|index| !self.connections[*index].is_given_up()) {
            Some(index) => index,
            None if self.without_power.contains(flow.local.ip()) => return,
            None if segment.opens() && self.listeners.contains_key(&flow.local) => {
                match self.answer(flow) {
                    Some(index) => index,
                    None => return,
                }
            }
            None => {
                if let Some(reset) = segment::reset_for(packet) {
                    send(None, reset);
                }
                return;
            }
        };
        let connection = &mut self.connections[index];
        connection.receive(now, packet, &segment, &mut self.outgoing);
        for packet in self.outgoing.drain(..) {
            send(Some(&mut connection.account), packet);
        }
        self.mark(index);
    }

    /// A connection for a SYN that a listener is there for, unless its backlog
    /// is full.
    fn answer(&mut self, flow: Flow) -> Option<usize> {
        let backlog = self.listeners.get_mut(&flow.local)?;
        if backlog.pending >= BACKLOG {
            return None;
        }
        backlog.pending += 1;
        let scale = self.scale(&flow);
        let connection = Connection::answer(flow, scale, &self.settings);
        Some(self.insert(connection))
    }

    fn poll(
        &mut self,
        now: Nanos,
        index: usize,
        send: &mut impl FnMut(Option<&mut SendAccount>, Vec<u8>),
    ) {
        let connection = &mut self.connections[index];
        connection.dirty = false;
        let next = connection.poll(now, &self.settings, &mut self.outgoing);
        for packet in self.outgoing.drain(..) {
            send(Some(&mut connection.account), packet);
        }
        if connection.timer != next {
            if let Some(at) = connection.timer {
                self.timers.remove(&(at, index));
            }
            connection.timer = next;
            if let Some(at) = next {
                self.timers.insert((at, index));
            }
        }
        if connection.unaccepted && !connection.queued && connection.is_established() {
            connection.queued = true;
            if let Some(backlog) = self.listeners.get_mut(&connection.flow.local) {
                backlog.ready.push_back(index);
                if let Some(waker) = backlog.waker.take() {
                    waker.wake();
                }
            }
        } else if connection.is_over() {
            self.remove(index);
        }
    }

    fn remove(&mut self, index: usize) {
        let connection = self.connections.remove(index);
        // Given up and held, it may have lost its four-tuple to a new one.
        if self.flows.get(&connection.flow) == Some(&index) {
            self.flows.remove(&connection.flow);
        }
        let local = *connection.flow.local.ip();
        self.by_address.remove(&(local, index));
        if let Some(at) = connection.timer {
            self.timers.remove(&(at, index));
        }
        if connection.unaccepted
            && let Some(backlog) = self.listeners.get_mut(&connection.flow.local)
        {
            backlog.pending -= 1;
        }
    }
}
