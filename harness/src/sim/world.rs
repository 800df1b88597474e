//! The world of one run: turmoil's hosts and what runs on them.

use super::fleets::Cast;
use super::strikes::Strikes;
use crate::net::{
    Access, Clock, Host, MQTT_PORT, Map, Nanos, Nic, Tap, TcpListener, Tick, address, nanos,
};
use crate::random;
use crate::scenario::{BrokerSettings, LinkSpec, NetworkSettings, Scenario};
use crate::trace::{ClientRecorder, Recorder, ServerRecorder};
use parking_lot::Mutex;
use squall_broker::Server;
use squall_devices::{BoxFuture, DeviceId, Dial, Fleet, Stream};
use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::task::JoinSet;

/// Datagrams that may wait at one host: far more than a tick brings.
const TUNNEL_DATAGRAMS: usize = 1 << 16;

/// Largest IP packet of a server, whose link is Ethernet.
const SERVER_MTU: u16 = 1500;

/// What every host of the world is built from.
#[derive(Clone)]
struct Plan {
    seed: u64,
    network: Arc<NetworkSettings>,
    map: Arc<Map>,
    tap: Arc<Mutex<Tap>>,
    recorder: Arc<Mutex<Recorder>>,
    strikes: Strikes,
}

/// The world of one run.
pub(crate) struct World {
    sim: turmoil::Sim<'static>,
}

impl World {
    pub(crate) fn build(
        scenario: &Scenario,
        seed: u64,
        cast: &Cast,
        tap: &Arc<Mutex<Tap>>,
        recorder: &Arc<Mutex<Recorder>>,
    ) -> World {
        let mut sim = turmoil::Builder::new()
            .tick_duration(scenario.network.tick)
            .simulation_duration(Duration::MAX)
            .rng_seed(seed)
            .epoch(UNIX_EPOCH)
            .udp_capacity(TUNNEL_DATAGRAMS)
            // Delay is the access links' business: see `net::host`.
            .min_message_latency(Duration::ZERO)
            .max_message_latency(Duration::ZERO)
            .build();
        let plan = Plan {
            seed,
            network: Arc::new(scenario.network.clone()),
            map: Arc::clone(&cast.map),
            tap: Arc::clone(tap),
            recorder: Arc::clone(recorder),
            strikes: Strikes::default(),
        };
        let broker = plan.clone();
        let settings = scenario.broker.clone();
        sim.host(cast.map.hosts[0].as_str(), move || {
            let (plan, settings) = (broker.clone(), settings.clone());
            async move { Ok(plan.run_broker(&settings).await?) }
        });
        for (index, site) in scenario.sites.iter().enumerate() {
            let site_plan = SitePlan {
                plan: plan.clone(),
                site: index,
                link: Arc::new(site.link.clone()),
                fleets: scenario
                    .fleets
                    .iter()
                    .zip(&cast.fleets)
                    .filter(|(fleet, _)| fleet.site == index)
                    .map(|(_, fleet)| Arc::clone(fleet))
                    .collect(),
            };
            let host = cast.map.host_of_site(index);
            sim.host(cast.map.hosts[usize::from(host)].as_str(), move || {
                let plan = site_plan.clone();
                async move { Ok(plan.run().await?) }
            });
        }
        World { sim }
    }

    /// Virtual time that every host has reached.
    pub(crate) fn now(&self) -> Nanos {
        nanos(self.sim.elapsed())
    }

    /// Runs every host for one tick.
    pub(crate) fn step(&mut self) -> Result<(), String> {
        self.sim
            .step()
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}

impl Plan {
    fn host(&self, index: u16, mtu: u16) -> Host {
        let random = random::stream(self.seed, "tcp", index.into());
        Host {
            index,
            map: Arc::clone(&self.map),
            nic: Nic::new(
                Arc::clone(&self.network),
                Arc::clone(&self.map),
                mtu,
                random,
            ),
            tap: Arc::clone(&self.tap),
            clock: Clock::start(),
            tick: Tick(nanos(self.network.tick)),
            number: 0,
        }
    }

    async fn run_broker(self, settings: &BrokerSettings) -> io::Result<()> {
        const INDEX: u16 = 0;
        let host = self.host(INDEX, SERVER_MTU);
        let observer = ServerRecorder {
            recorder: Arc::clone(&self.recorder),
            host: INDEX,
            started: host.clock.now(),
        };
        let server = Server::new(config(settings), Some(Box::new(observer)));
        let address = SocketAddrV4::new(address::of_server(INDEX), MQTT_PORT);
        let listener = host.nic.listen(address)?;
        let timers = server.clone();
        // A task each, so that one that wakes does not poll the others.
        let mut tasks = JoinSet::new();
        tasks.spawn(host.run_server());
        tasks.spawn(accept(listener, server));
        tasks.spawn(async move {
            timers.run_timers().await;
            Ok(())
        });
        first_end(tasks).await
    }
}

/// Serves every connection that comes.
async fn accept(mut listener: TcpListener, server: Server) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(ended) = connections.join_next() => surface(ended),
            stream = listener.accept() => {
                connections.spawn(server.serve(stream));
            }
        }
    }
}

/// The end of whichever task ends first; none of a host's does unless it fails.
async fn first_end(mut tasks: JoinSet<io::Result<()>>) -> io::Result<()> {
    match tasks.join_next().await {
        Some(Ok(ended)) => ended,
        Some(Err(error)) => {
            surface::<()>(Err(error));
            Ok(())
        }
        None => Ok(()),
    }
}

/// A panic in a task is a defect of ours: it fails the run.
fn surface<T>(ended: Result<T, tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

fn config(settings: &BrokerSettings) -> squall_broker::Config {
    let mut config = squall_broker::Config::default();
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
    config.quirks = settings.quirks;
    config
}

/// What one site is built from.
#[derive(Clone)]
struct SitePlan {
    plan: Plan,
    site: usize,
    link: Arc<LinkSpec>,
    fleets: Vec<Arc<Fleet>>,
}

impl SitePlan {
    async fn run(self) -> io::Result<()> {
        let plan = &self.plan;
        let index = plan.map.host_of_site(self.site);
        let host = plan.host(index, self.link.up.mtu.min(self.link.down.mtu));
        let clock = host.clock;
        let network: Arc<dyn Dial> = Arc::new(SiteNetwork {
            nic: Arc::clone(&host.nic),
            broker: SocketAddrV4::new(address::of_server(0), MQTT_PORT),
        });
        let observer = Arc::new(ClientRecorder {
            recorder: Arc::clone(&plan.recorder),
            clock,
            host: index,
        });
        let access = Access::new(self.site, plan.seed, &self.link);
        let mut tasks = JoinSet::new();
        tasks.spawn(host.run_site(access));
        for fleet in self.fleets {
            let strikes = plan.strikes.on_fleet(fleet.first_device);
            let (network, observer) = (Arc::clone(&network), observer.clone());
            let running = squall_devices::run(fleet, network, observer, strikes);
            tasks.spawn(async move {
                running.await;
                Ok(())
            });
        }
        first_end(tasks).await
    }
}

/// How the devices of a site reach the broker.
struct SiteNetwork {
    nic: Arc<Nic>,
    broker: SocketAddrV4,
}

impl Dial for SiteNetwork {
    fn dial(&self, device: DeviceId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = self
                .nic
                .connect(address::of_device(device.0), self.broker)
                .await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn vanish(&self, device: DeviceId) {
        self.nic.cut_power(address::of_device(device.0));
    }
}
