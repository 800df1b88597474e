//! The world of one run: turmoil's hosts and what runs on them.

use super::agenda::Agenda;
use super::disk::Disk;
use super::fleets::Cast;
use super::network::{self, FleetNetwork, Layers};
use super::parting::parting;
use super::rest;
use super::server::{self, ServerPlan, ServerSwitch};
use super::strikes::Strikes;
use super::websockets::WebSockets;
use crate::faults::{self, Action, LinkWeather, Occurrence, Struck, Surgeon};
use crate::net::{Access, Clock, Host, Map, Nanos, Nic, Service, Tap, Tick, nanos};
use crate::random;
use crate::scenario::{LinkSpec, NetworkSettings, Scenario};
use crate::trace::{ClientRecorder, Recorder};
use parking_lot::Mutex;
use squall_devices::{BoxFuture, DeviceId, Fleet, Strike};
use std::io;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::task::JoinSet;

/// Datagrams that may wait at one host: far more than a tick brings.
const TUNNEL_DATAGRAMS: usize = 1 << 16;

/// What a guest is offered.
const GUEST_SERVICES: [Service; 3] = [Service::Mqtt, Service::MqttWebSocket, Service::Hub];

/// What every host of the world is built from.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    network: Arc<NetworkSettings>,
    map: Arc<Map>,
    pub(super) tap: Arc<Mutex<Tap>>,
    pub(super) recorder: Arc<Mutex<Recorder>>,
    strikes: Strikes,
    /// What strikes the run, in the order of beginning.
    faults: Arc<[Occurrence]>,
    /// What strikes the devices of each site.
    site_agendas: Vec<Agenda<(DeviceId, Strike)>>,
    /// What strikes the server.
    pub(super) server_agenda: Agenda<Action>,
    surgeon: Option<Arc<Mutex<Surgeon>>>,
}

/// The world of one run.
pub(crate) struct World {
    sim: turmoil::Sim<'static>,
    surgeon: Option<Arc<Mutex<Surgeon>>>,
}

impl World {
    pub(crate) fn build(
        scenario: &Scenario,
        seed: u64,
        cast: &Cast,
        tap: &Arc<Mutex<Tap>>,
        recorder: &Arc<Mutex<Recorder>>,
        faults: &Arc<[Occurrence]>,
        guest: Option<Guest>,
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
        let server = Arc::new(ServerSwitch::new());
        let server_agenda = Agenda::new(faults::server_actions(faults));
        let site_agendas: Vec<_> = (0..scenario.sites.len())
            .map(|site| Agenda::new(faults::strikes(site, faults)))
            .collect();
        let strike = surgical(&server, &server_agenda, &site_agendas);
        let surgeon = Surgeon::new(scenario, seed, faults.len(), strike);
        let surgeon = surgeon.map(|surgeon| Arc::new(Mutex::new(surgeon)));
        let plan = Plan {
            seed,
            network: Arc::new(scenario.network.clone()),
            map: Arc::clone(&cast.map),
            tap: Arc::clone(tap),
            recorder: Arc::clone(recorder),
            strikes: Strikes::default(),
            faults: Arc::clone(faults),
            site_agendas,
            server_agenda,
            surgeon: surgeon.clone(),
        };
        let server_plan = ServerPlan {
            plan: plan.clone(),
            config: match &guest {
                Some(guest) => guest.config.clone(),
                None => server::config(&scenario.broker),
            },
            services: match &guest {
                Some(_) => GUEST_SERVICES.map(|service| (service, false)).into(),
                None => scenario.fleets.iter().map(network::service).collect(),
            },
            websockets: match &guest {
                Some(guest) => guest.websockets.clone(),
                None => WebSockets::of(scenario),
            },
            rest: rest::config(scenario),
            switch: server,
            disk: scenario
                .broker
                .disk_sync
                .map(|takes| Disk::new(seed, takes)),
        };
        sim.host(cast.map.hosts[0].as_str(), move || {
            let plan = server_plan.clone();
            async move { Ok(plan.run().await?) }
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
                    .map(|(fleet, devices)| (Layers::of(fleet), Arc::clone(devices)))
                    .collect(),
                guest: guest.clone(),
            };
            let host = cast.map.host_of_site(index);
            sim.host(cast.map.hosts[usize::from(host)].as_str(), move || {
                let plan = site_plan.clone();
                async move { Ok(plan.run().await?) }
            });
        }
        World { sim, surgeon }
    }

    /// The faults that packets have set off since the last call.
    pub(crate) fn set_off(&self) -> Vec<(usize, Occurrence)> {
        let surgeon = self.surgeon.as_ref();
        surgeon.map_or_else(Vec::new, |surgeon| surgeon.lock().take())
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
    pub(super) fn host(&self, index: u16, mtu: u16) -> Host {
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
            surgeon: self.surgeon.clone(),
        }
    }
}

/// How a fault that a packet sets off strikes the server, or a device.
fn surgical(
    server: &Arc<ServerSwitch>,
    server_agenda: &Agenda<Action>,
    site_agendas: &[Agenda<(DeviceId, Strike)>],
) -> impl FnMut(&Occurrence) + Send + use<> {
    let (server, server_agenda) = (Arc::clone(server), server_agenda.clone());
    let site_agendas = site_agendas.to_vec();
    move |occurrence| match &occurrence.struck {
        Struck::Server(_) => {
            // At this very packet; the agenda then knows that it is down.
            server.cut(occurrence.begins);
            server_agenda.add(occurrence.begins, Action::Crash);
            server_agenda.add(occurrence.ends, Action::Restart);
        }
        Struck::Devices { site, .. } => {
            for (at, strike) in faults::strikes(*site, std::slice::from_ref(occurrence)) {
                site_agendas[*site].add(at, strike);
            }
        }
    }
}

/// What one site is built from.
#[derive(Clone)]
struct SitePlan {
    plan: Plan,
    site: usize,
    link: Arc<LinkSpec>,
    /// Each with what its connections are made of.
    fleets: Vec<(Layers, Arc<Fleet>)>,
    guest: Option<Guest>,
}

/// Whoever is at every site besides its fleets, and the broker that it wants.
#[derive(Clone)]
pub(super) struct Guest {
    pub(super) config: squall_broker::Config,
    pub(super) websockets: WebSockets,
    pub(super) task: Arc<dyn Fn(Visit) -> BoxFuture<'static, ()> + Send + Sync>,
}

/// What a guest finds at a site.
pub(super) struct Visit {
    pub(super) nic: Arc<Nic>,
    pub(super) clock: Clock,
    pub(super) tick: Duration,
    /// What strikes the server.
    pub(super) server_agenda: Agenda<Action>,
}

impl SitePlan {
    async fn run(self) -> io::Result<()> {
        let plan = &self.plan;
        let index = plan.map.host_of_site(self.site);
        let host = plan.host(index, self.link.up.mtu.min(self.link.down.mtu));
        let (nic, clock) = (Arc::clone(&host.nic), host.clock);
        let observer = Arc::new(ClientRecorder {
            recorder: Arc::clone(&plan.recorder),
            clock,
            host: index,
        });
        let weather = LinkWeather::new(plan.seed, self.site, &self.link, &plan.faults);
        let access = Access::new(self.site, plan.seed, &self.link, weather);
        let mut tasks = JoinSet::new();
        tasks.spawn(host.run_site(access));
        let strikes = plan.strikes.clone();
        let agenda = plan.site_agendas[self.site].clone();
        tasks.spawn(agenda.keep(clock, move |_, (device, strike)| {
            strikes.strike(device, strike)
        }));
        if let Some(guest) = &self.guest {
            let visit = Visit {
                nic: Arc::clone(&nic),
                clock,
                tick: plan.network.tick,
                server_agenda: plan.server_agenda.clone(),
            };
            let task = (guest.task)(visit);
            tasks.spawn(async move {
                task.await;
                Ok(())
            });
        }
        let (parting, closing) = parting();
        tasks.spawn(async move { match closing.run().await {} });
        for (layers, fleet) in self.fleets {
            let strikes = plan.strikes.on_fleet(fleet.first_device);
            let network = Arc::new(FleetNetwork::new(&nic, clock, plan.seed, layers, &parting));
            let observer = observer.clone();
            let running = squall_devices::run(fleet, network, observer, strikes);
            tasks.spawn(async move {
                running.await;
                Ok(())
            });
        }
        first_end(&mut tasks).await
    }
}

/// The end of whichever task ends first; none of a host's does unless it fails.
pub(super) async fn first_end(tasks: &mut JoinSet<io::Result<()>>) -> io::Result<()> {
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
pub(super) fn surface<T>(ended: Result<T, tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}
