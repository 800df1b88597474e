//! The server of a run: what runs on its host, and how it crashes, starts again
//! and is paused.
//!
//! Its network card and its end of the tunnel run for as long as the world does;
//! the broker, in front of them, for as long as there is power. A crash is
//! silent: no FIN, no RST, and what comes then is lost. What starts again knows
//! of no connection, so its card answers their segments with RST; of sessions
//! and messages it knows what its disk has kept, if it has one.

use super::disk::Disk;
use super::rest;
use super::websockets::{Serving, WebSockets};
use super::world::{Plan, first_end, surface};
use crate::faults::Action;
use crate::net::{Clock, Life, Nanos, Nic, Power, Service, TcpListener, address, tls};
use crate::random;
use crate::scenario::BrokerSettings;
use crate::trace::ServerRecorder;
use parking_lot::Mutex;
use rand::Rng as _;
use squall_broker::{Config, Entropy, HttpConfig, Server};
use squall_devices::Stream;
use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::net::SocketAddrV4;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The host of the server, and its number among the servers.
const INDEX: u16 = 0;

/// Largest IP packet of a server, whose link is Ethernet.
const MTU: u16 = 1500;

/// The power switch of a server, and its pause button.
///
/// Everything can be called between ticks. From inside a tick, only the
/// server's own host may cut the power: any other may be ahead of it in time, or
/// behind.
#[derive(Debug)]
pub(crate) struct ServerSwitch {
    power: Arc<Power>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    paused: bool,
    /// Tasks that would have run while paused, in that order.
    held: Vec<Waker>,
}

impl ServerSwitch {
    pub(crate) fn new() -> ServerSwitch {
        ServerSwitch {
            power: Power::new(),
            state: Mutex::default(),
        }
    }

    /// Cuts the power at `now`: from this instant on the server sends and
    /// receives nothing, whatever of it still runs, and forgets what it had only
    /// in memory.
    pub(crate) fn cut(&self, now: Nanos) {
        if self.is_up() {
            tracing::debug!(now, "the server loses its power");
            self.power.cut();
        }
    }

    /// Restores the power: the server starts again, unpaused.
    pub(crate) fn restart(&self) {
        if !self.is_up() {
            self.resume();
            self.power.restore();
        }
    }

    /// Stops the broker's process, as SIGSTOP does: it accepts, reads, writes
    /// and times nothing, while the TCP of its host goes on, until its buffers
    /// are full.
    pub(crate) fn pause(&self) {
        self.state.lock().paused = true;
    }

    /// Has the broker's process go on.
    pub(crate) fn resume(&self) {
        let held = {
            let mut state = self.state.lock();
            state.paused = false;
            std::mem::take(&mut state.held)
        };
        held.into_iter().for_each(Waker::wake);
    }

    /// Whether there is power.
    pub(crate) fn is_up(&self) -> bool {
        self.power.is_on()
    }

    /// Whether a task has to wait; if so it is woken when the pause is over.
    fn holds(&self, waker: &Waker) -> bool {
        let mut state = self.state.lock();
        if state.paused {
            state.held.push(waker.clone());
        }
        state.paused
    }
}

/// A task of the broker's process, which stands still while that is paused.
struct Pausable<F> {
    switch: Arc<ServerSwitch>,
    task: F,
}

impl<F: Future + Unpin> Future for Pausable<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if self.switch.holds(context.waker()) {
            return Poll::Pending;
        }
        Pin::new(&mut self.task).poll(context)
    }
}

/// What strikes the server: crashes and pauses, which may overlap.
struct ServerWeather {
    switch: Arc<ServerSwitch>,
    crashes: u32,
    pauses: u32,
}

impl ServerWeather {
    fn new(switch: Arc<ServerSwitch>) -> ServerWeather {
        ServerWeather {
            switch,
            crashes: 0,
            pauses: 0,
        }
    }

    fn strike(&mut self, now: Nanos, action: Action) {
        match action {
            Action::Crash => {
                self.crashes += 1;
                self.switch.cut(now);
            }
            Action::Restart => {
                self.crashes -= 1;
                if self.crashes == 0 {
                    self.switch.restart();
                }
            }
            Action::Pause => {
                self.pauses += 1;
                self.switch.pause();
            }
            Action::Resume => {
                self.pauses -= 1;
                if self.pauses == 0 {
                    self.switch.resume();
                }
            }
        }
    }
}

/// What the server's host is built from.
#[derive(Clone)]
pub(crate) struct ServerPlan {
    pub(crate) plan: Plan,
    pub(crate) config: Config,
    /// What is served, and whether in TLS.
    pub(crate) services: BTreeSet<(Service, bool)>,
    /// How WebSocket is, if it is.
    pub(crate) websockets: WebSockets,
    /// How HTTP is.
    pub(crate) rest: HttpConfig,
    pub(crate) switch: Arc<ServerSwitch>,
    /// Where the broker keeps what must survive, if it does.
    pub(crate) disk: Option<Arc<Disk>>,
}

/// Where clients come in.
struct Port {
    listener: TcpListener,
    tls: Option<tls::Server>,
}

impl ServerPlan {
    pub(crate) async fn run(self) -> io::Result<()> {
        let host = self.plan.host(INDEX, MTU);
        let (nic, clock) = (Arc::clone(&host.nic), host.clock);
        let power = Arc::clone(&self.switch.power);
        let mut network = JoinSet::new();
        network.spawn(host.run_server(Arc::clone(&power)));
        let mut weather = ServerWeather::new(Arc::clone(&self.switch));
        let agenda = self.plan.server_agenda.clone();
        network.spawn(agenda.keep(clock, move |at, action| weather.strike(at, action)));
        let opened = Arc::default();
        loop {
            let life = power.life().await;
            let mut broker = self.start(&nic, clock, &life, &opened)?;
            tokio::select! {
                biased;
                () = life.ended() => broker.shutdown().await,
                ended = first_end(&mut broker) => return ended,
                ended = first_end(&mut network) => return ended,
            }
        }
    }

    /// Starts the broker.
    fn start(
        &self,
        nic: &Arc<Nic>,
        clock: Clock,
        life: &Life,
        opened: &Arc<AtomicU64>,
    ) -> io::Result<JoinSet<io::Result<()>>> {
        let observer = ServerRecorder {
            recorder: Arc::clone(&self.plan.recorder),
            host: INDEX,
            started: clock.now(),
            life: life.clone(),
            opened: Arc::clone(opened),
            opened_before: opened.load(Ordering::Relaxed),
        };
        // A task each, so that one that wakes does not poll the others.
        let mut tasks = JoinSet::new();
        let mut config = self.config.clone();
        let mut secret = [0; 32];
        // Each start has its own.
        random::stream(self.plan.seed, "broker entropy", clock.now()).fill_bytes(&mut secret);
        config.entropy = Entropy::new(secret);
        let server = match &self.disk {
            None => Server::new(config, Some(Box::new(observer))),
            Some(disk) => {
                let mut store = disk.mount(life);
                let started = Duration::from_nanos(clock.now());
                let observer = Some(Box::new(observer) as Box<_>);
                let server = Server::with_store(config, observer, &mut store, started)?;
                let storing = server.clone();
                let task = async move { Err(storing.run_store(store).await) };
                tasks.spawn(self.pausable(task));
                server
            }
        };
        let listen = |port| nic.listen(SocketAddrV4::new(address::of_server(INDEX), port));
        let tls = tls::Server::new(clock, self.plan.seed, &self.plan.tap);
        for &(service, in_tls) in &self.services {
            let port = Port {
                listener: listen(service.port(in_tls))?,
                tls: in_tls.then(|| tls.clone()),
            };
            match service {
                Service::Mqtt => {
                    let server = server.clone();
                    let serve = move |stream| -> Serving { Box::pin(server.serve(stream)) };
                    tasks.spawn(self.accept(port, serve));
                }
                Service::MqttWebSocket => {
                    let serve = self.websockets.of_broker(&server);
                    tasks.spawn(self.accept(port, serve));
                }
                Service::Hub => {
                    tasks.spawn(self.accept(port, self.websockets.of_hub()));
                }
                Service::Http => {
                    let serve = rest::serve(&self.rest, clock.now());
                    tasks.spawn(self.accept(port, serve));
                }
            }
        }
        let timers = server;
        tasks.spawn(self.pausable(async move {
            timers.run_timers().await;
            Ok(())
        }));
        Ok(tasks)
    }

    /// Serves every connection that comes.
    fn accept<S>(
        &self,
        mut port: Port,
        serve: S,
    ) -> impl Future<Output = io::Result<()>> + Send + use<S>
    where
        S: Fn(Box<dyn Stream>) -> Serving + Clone + Send + 'static,
    {
        let switch = Arc::clone(&self.switch);
        let handshake_max = self.config.limits.connect_timeout;
        self.pausable(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    biased;
                    Some(ended) = connections.join_next() => surface(ended),
                    stream = port.listener.accept() => {
                        let task = match port.tls.clone() {
                            None => serve(Box::new(stream)),
                            Some(tls) => {
                                let serve = serve.clone();
                                Box::pin(async move {
                                    // Who speaks no TLS, or is slow about it, is let go.
                                    let accepted = timeout(handshake_max, tls.accept(stream)).await;
                                    if let Ok(Ok(stream)) = accepted {
                                        serve(Box::new(stream)).await;
                                    }
                                })
                            }
                        };
                        let switch = Arc::clone(&switch);
                        connections.spawn(Pausable { switch, task });
                    }
                }
            }
        })
    }

    fn pausable<F: Future>(&self, task: F) -> Pausable<Pin<Box<F>>> {
        Pausable {
            switch: Arc::clone(&self.switch),
            task: Box::pin(task),
        }
    }
}

/// How the broker of a scenario is set up.
pub(super) fn config(settings: &BrokerSettings) -> Config {
    let mut config = Config::default();
    let limits = &mut config.limits;
    let size = |value: Option<u64>, default: usize| value.map_or(default, |value| value as usize);
    limits.inflight = size(settings.inflight_max.map(u64::from), limits.inflight);
    limits.queue_messages = size(
        settings.queue_messages_max.map(u64::from),
        limits.queue_messages,
    );
    limits.queue_bytes = size(settings.queue_bytes_max, limits.queue_bytes);
    limits.packet_bytes = size(
        settings.packet_bytes_max.map(u64::from),
        limits.packet_bytes,
    );
    limits.connect_timeout = settings.connect_timeout.unwrap_or(limits.connect_timeout);
    limits.queue_qos0 = settings.queue_qos0.unwrap_or(limits.queue_qos0);
    config.capabilities = settings.capabilities.clone();
    config.quirks = settings.quirks;
    config
}
