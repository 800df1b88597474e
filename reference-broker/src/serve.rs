//! The broker behind real or simulated streams: a thin asynchronous shim. A
//! stream is any ordered, lossless one, such as TCP [MQTT311-7.1.1-1].

use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::access::Check;
use crate::broker::{Broker, Config, Input, Transmit};
use crate::connection::ConnId;
use crate::observer::Observer;
use crate::quirks::{Quirk, Quirks};
use crate::store::Store;
use crate::wire::Decoder;

/// How much is read at once, in bytes. The buffer is on the stack while a
/// connection is being read from, and nowhere while it is idle.
const READ_BYTES: usize = 8 * 1024;

/// The largest write buffer that a connection keeps while it is idle, in bytes.
const IDLE_WRITE_BYTES: usize = 64;

/// How often a connection is read from before others have their turn.
const READS_PER_TURN: usize = 4;

/// How many connections are woken without holding the broker's lock.
const WAKE_BATCH: usize = 32;

/// Serves streams with one broker. Clones serve the same broker.
///
/// ```
/// use squall_broker::{Config, Server};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let server = Server::new(Config::default(), None);
/// tokio::spawn({ let server = server.clone(); async move { server.run_timers().await } });
///
/// let (mut client, stream) = tokio::io::duplex(1024);
/// tokio::spawn(server.serve(stream));
/// client.write_all(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01a").await.unwrap();
/// let mut connack = [0; 4];
/// client.read_exact(&mut connack).await.unwrap();
/// assert_eq!(connack, [0x20, 0x02, 0x00, 0x00]);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    core: Mutex<Core>,
    /// The broker's time zero.
    start: Instant,
    packet_bytes_max: usize,
    quirks: Quirks,
    /// The earliest deadline has become earlier.
    earlier: Notify,
    /// There are passwords to be checked.
    checks: Notify,
    /// There is something to be stored.
    changed: Notify,
    /// Something has been stored, or the store has failed.
    stored: Notify,
}

#[derive(Debug)]
struct Core {
    broker: Broker,
    /// By connection slot: whom to wake when there is something to write.
    wakers: Vec<Option<(ConnId, Waker)>>,
    /// What [`Server::run_timers`] is sleeping towards.
    timer: Option<Duration>,
    /// The store has failed: every connection is to be closed.
    failed: bool,
}

impl Server {
    /// A server without connections. The broker's time starts now, on tokio's
    /// clock, which may be paused; so inside a simulated world this is to be
    /// called in the runtime that will serve.
    #[must_use]
    pub fn new(config: Config, observer: Option<Box<dyn Observer>>) -> Self {
        Self::over(Broker::new(config, observer))
    }

    /// A server that goes on where another left off, with what is in `store`.
    /// [`run_store`](Self::run_store) must be run with the same store, or it
    /// acknowledges nothing. `started` is the time by which what expires goes on
    /// to expire: see [`Broker::restore`].
    ///
    /// # Errors
    /// When the store cannot be read, or holds what no broker has written.
    pub fn with_store(
        config: Config,
        observer: Option<Box<dyn Observer>>,
        store: &mut impl Store,
        started: Duration,
    ) -> io::Result<Self> {
        let broker = Broker::restore(config, observer, store.load()?, started)?;
        Ok(Self::over(broker))
    }

    fn over(broker: Broker) -> Self {
        let mut packet_bytes_max = broker.config().limits.packet_bytes;
        if broker.config().quirks.has(Quirk::TakesPacketsAboveMaximum) {
            packet_bytes_max = packet_bytes_max.saturating_mul(2);
        }
        let quirks = broker.config().quirks;
        let core = Core {
            broker,
            wakers: Vec::new(),
            timer: None,
            failed: false,
        };
        Self {
            shared: Arc::new(Shared {
                core: Mutex::new(core),
                start: Instant::now(),
                packet_bytes_max,
                quirks,
                earlier: Notify::new(),
                checks: Notify::new(),
                changed: Notify::new(),
                stored: Notify::new(),
            }),
        }
    }

    /// Stores what changes, and lets go what waited for it. While one batch is
    /// being synced, the changes of all connections gather in the next. Ends
    /// only when the store fails: then nothing more is acknowledged, and every
    /// connection is closed.
    pub async fn run_store(&self, mut store: impl Store) -> io::Error {
        loop {
            let batch = self.shared.lock().broker.take_batch();
            let Some(batch) = batch else {
                self.shared.changed.notified().await;
                continue;
            };
            let stored = match store.write(&batch) {
                Ok(()) => store.sync().await,
                Err(error) => Err(error),
            };
            if let Err(error) = stored {
                tracing::error!(%error, "the store failed: every connection is closed");
                self.shared.fail();
                return error;
            }
            let synced = Input::Synced(batch.number);
            self.shared
                .with(|core, now| core.broker.handle(now, synced));
            self.shared.stored.notify_waiters();
        }
    }

    /// Waits until everything that has happened so far is stored, or the store
    /// has failed.
    pub async fn stored(&self) {
        loop {
            let mut stored = pin!(self.shared.stored.notified());
            // From here on it is not missed.
            stored.as_mut().enable();
            {
                let core = self.shared.lock();
                if core.failed || core.broker.is_stored() {
                    return;
                }
            }
            stored.await;
        }
    }

    /// Opens a connection on a stream. The future serves it until it has ended;
    /// dropping it is as if the stream had failed.
    pub fn serve<S>(&self, stream: S) -> Serve<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let id = self.shared.with(|core, now| core.broker.open(now));
        let decoder =
            Decoder::negotiating(self.shared.packet_bytes_max).tolerating(self.shared.quirks);
        let shared = Arc::clone(&self.shared);
        Serve {
            shared,
            stream,
            id,
            decoder,
            writing: Vec::new(),
            written: 0,
            unflushed: false,
        }
    }

    /// Waits for the next password that is to be checked. Several may be checked
    /// at once.
    pub async fn next_check(&self) -> Check {
        loop {
            let next = self.shared.with(|core, _| core.broker.next_check());
            if let Some(check) = next {
                return check;
            }
            self.shared.checks.notified().await;
        }
    }

    /// Says that the password of a [`Check`] is right, or not.
    pub fn checked(&self, conn: ConnId, right: bool) {
        self.shared
            .with(|core, now| core.broker.handle(now, Input::Checked(conn, right)));
    }

    /// Ends every connection: what was still to be written is written, then the
    /// stream is closed. For a server that is about to be dropped; connections
    /// opened later are served as ever.
    pub fn close_all(&self) {
        self.shared
            .with(|core, now| core.broker.handle(now, Input::Stop));
    }

    /// Keeps the server's time: keep-alive, connect timeout, linger. Never
    /// ends; one of it has to run, beside the connections, for as long as
    /// they do.
    pub async fn run_timers(&self) {
        loop {
            let next = {
                let mut core = self.shared.lock();
                core.timer = core.broker.next_timeout();
                core.timer
            };
            let due = async {
                match next {
                    Some(at) => sleep_until(self.shared.start + at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.shared.earlier.notified() => {}
                () = due => {
                    self.shared.with(|core, now| core.broker.handle(now, Input::Timeout));
                }
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Core> {
        // A panic elsewhere is reported there; the broker's state is never left
        // half-changed by a connection's own code.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store has failed: whoever serves a connection is to close it.
    fn fail(&self) {
        let wakers = {
            let mut core = self.lock();
            core.failed = true;
            std::mem::take(&mut core.wakers)
        };
        for (_, waker) in wakers.into_iter().flatten() {
            waker.wake();
        }
        self.stored.notify_waiters();
    }

    /// Does something with the broker, then wakes whom it concerns. Nobody is
    /// woken under the lock, since dropping a waker may drop a connection.
    fn with<R>(&self, act: impl FnOnce(&mut Core, Duration) -> R) -> R {
        let now = self.start.elapsed();
        let mut core = self.lock();
        let result = act(&mut core, now);
        let next = core.broker.next_timeout();
        let earlier = next.is_some_and(|next| core.timer.is_none_or(|timer| next < timer));
        if earlier {
            core.timer = next;
        }
        let checks = core.broker.has_checks();
        let changed = core.broker.has_batch();
        loop {
            let mut wakers = [const { None::<Waker> }; WAKE_BATCH];
            let mut count = 0;
            while count < WAKE_BATCH
                && let Some(waker) = core.next_waker()
            {
                wakers[count] = Some(waker);
                count += 1;
            }
            drop(core);
            if earlier {
                self.earlier.notify_one();
            }
            if checks {
                self.checks.notify_one();
            }
            if changed {
                self.changed.notify_one();
            }
            wakers.into_iter().flatten().for_each(Waker::wake);
            if count < WAKE_BATCH {
                return result;
            }
            core = self.lock();
        }
    }
}

/// One connection being served, made by [`Server::serve`].
#[derive(Debug)]
#[must_use = "a connection is served only while this is polled"]
pub struct Serve<S> {
    shared: Arc<Shared>,
    stream: S,
    id: ConnId,
    decoder: Decoder,
    /// What is being written, and how much of it has been.
    writing: Vec<u8>,
    written: usize,
    /// Whether the stream may be holding back what it accepted.
    unflushed: bool,
}

impl<S> Serve<S> {
    /// The connection's name, as the observer hears it.
    pub fn id(&self) -> ConnId {
        self.id
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Serve<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let outcome = this.turn(cx);
        if outcome.is_ready() {
            this.end();
        }
        outcome
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Serve<S> {
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut transmit = self.exchange(cx, 0, &[]);
        for _ in 0..READS_PER_TURN {
            let written = match self.poll_write(cx, &mut transmit) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => false,
            };
            match transmit {
                Transmit::Abort => return Poll::Ready(()),
                Transmit::Finish if written => {
                    return Pin::new(&mut self.stream).poll_shutdown(cx).map(|_| ());
                }
                Transmit::Open { may_read: true } => {}
                Transmit::Finish | Transmit::Open { may_read: false } => return Poll::Pending,
            }
            // What cannot be written yet is no reason not to read.
            match self.poll_read(cx) {
                Poll::Ready(Some(next)) => transmit = next,
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes until there is nothing left to write.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        transmit: &mut Transmit,
    ) -> Poll<std::io::Result<()>> {
        while !self.writing.is_empty() && *transmit != Transmit::Abort {
            let mut accepted = 0;
            while self.written < self.writing.len() {
                let rest = &self.writing[self.written..];
                match Pin::new(&mut self.stream).poll_write(cx, rest) {
                    Poll::Ready(Ok(0)) => {
                        return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
                    }
                    Poll::Ready(Ok(count)) => {
                        self.unflushed = true;
                        self.written += count;
                        accepted += count;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {
                        if accepted > 0 {
                            *transmit = self.exchange(cx, accepted, &[]);
                        }
                        return Poll::Pending;
                    }
                }
            }
            *transmit = self.exchange(cx, accepted, &[]);
        }
        if self.unflushed {
            std::task::ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once and has the broker act upon it; `None` at the stream's end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Transmit>> {
        let mut buffer = [MaybeUninit::uninit(); READ_BYTES];
        let mut read = ReadBuf::uninit(&mut buffer);
        let outcome = std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read));
        if outcome.is_err() || read.filled().is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(self.exchange(cx, 0, read.filled())))
    }

    /// Tells the broker what was written and what was read, takes what is to be
    /// written next if all before is written, and asks to be woken for more.
    fn exchange(&mut self, cx: &mut Context<'_>, accepted: usize, mut input: &[u8]) -> Transmit {
        let Self {
            shared,
            id,
            decoder,
            writing,
            written,
            ..
        } = self;
        let id = *id;
        let (transmit, replaced) = shared.with(|core, now| {
            if core.failed {
                return (Transmit::Abort, None);
            }
            if accepted > 0 {
                core.broker.handle(now, Input::Written(id, accepted));
            }
            if input.len() == 1 && shared.quirks.has(Quirk::LosesLoneBytes) {
                input = &[];
            }
            let mut packets = 0;
            while !input.is_empty() {
                let input = match decoder.decode(&mut input) {
                    Ok(Some(packet)) => Input::Packet(id, packet),
                    Ok(None) => break,
                    Err(error) => {
                        input = &[];
                        Input::Malformed(id, decoder.version(), error)
                    }
                };
                packets += 1;
                if packets <= 100 || !shared.quirks.has(Quirk::LosesCrowdedPackets) {
                    core.broker.handle(now, input);
                }
            }
            if *written == writing.len() {
                *written = 0;
                writing.clear();
                writing.shrink_to(IDLE_WRITE_BYTES);
                core.broker.take_output(id, writing);
            }
            (core.broker.transmit(id), core.register(id, cx.waker()))
        });
        // Not under the lock: a waker may own a connection.
        drop(replaced);
        transmit
    }
}

impl<S> Serve<S> {
    /// The stream is gone. Saying so twice does no harm.
    fn end(&mut self) {
        let id = self.id;
        let waker = self.shared.with(|core, now| {
            core.broker.handle(now, Input::Closed(id));
            core.forget(id)
        });
        drop(waker);
    }
}

impl<S> Drop for Serve<S> {
    fn drop(&mut self) {
        self.end();
    }
}

impl Core {
    /// Remembers whom to wake for a connection, and returns who was to be woken
    /// before.
    fn register(&mut self, conn: ConnId, waker: &Waker) -> Option<Waker> {
        let slot = conn.slot();
        if self.wakers.len() <= slot {
            self.wakers.resize_with(slot + 1, Default::default);
        }
        let entry = &mut self.wakers[slot];
        match entry {
            Some((of, registered)) if *of == conn && registered.will_wake(waker) => None,
            _ => entry.replace((conn, waker.clone())).map(|(_, waker)| waker),
        }
    }

    fn forget(&mut self, conn: ConnId) -> Option<Waker> {
        self.wakers
            .get_mut(conn.slot())?
            .take_if(|(of, _)| *of == conn)
            .map(|(_, waker)| waker)
    }

    /// Takes the waker of the next connection that is to be looked at.
    fn next_waker(&mut self) -> Option<Waker> {
        while let Some(conn) = self.broker.next_woken() {
            if let Some(waker) = self.forget(conn) {
                return Some(waker);
            }
        }
        None
    }
}
