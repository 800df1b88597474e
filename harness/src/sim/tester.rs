//! A world with a broker and, in place of fleets, somebody who tests it: the
//! conformance checks over the virtual network, in virtual time.

use super::fleets::Cast;
use super::websockets::{self, AUTHORITY, MQTT_PATH, WebSockets};
use super::world::{Guest, Visit, World};
use super::{Error, capture};
use crate::faults::Action;
use crate::net::{HUB_PORT, MQTT_PORT, Tap, TcpStream, WEBSOCKET_PORT, address, nanos};
use crate::scenario::Scenario;
use crate::trace::Recorder;
use parking_lot::Mutex;
use squall_checks::websocket::{Framing, MqttFrames, Serves, WebSocketEndpoint};
use squall_checks::{BoxFuture, Fixtures, RestartError, Server, Stream};
use std::io;
use std::net::SocketAddrV4;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::sleep_until;

/// The scene: a broker with a disk, and a tester 10 ms away. The fleet has no
/// devices that run; it gives the tester its address and its TCP window.
const SCENE: &str = r#"
title = "Conformance"
duration = "1d"

[network]
window = "64KiB"

[broker]
disk_sync = "1ms"

[[site]]
name = "tester"
link = { latency = "10ms" }

[[fleet]]
name = "tester"
site = "tester"
count = 1
subscribe = [{ filter = "none", qos = 0 }]
"#;

/// How long a server that crashed is down.
const DOWN: Duration = Duration::from_secs(1);

/// The broker under test, from the tester's site.
pub(crate) struct Tester {
    visit: Visit,
    fixtures: Fixtures,
    framing: Option<Framing>,
    endpoint: WebSocketEndpoint,
}

impl Tester {
    async fn connect(&self, port: u16) -> io::Result<TcpStream> {
        let server = SocketAddrV4::new(address::of_server(0), port);
        let nic = &self.visit.nic;
        nic.connect(address::of_device(0), server).await
    }
}

impl Server for Tester {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream: Box<dyn Stream> = match self.framing {
                None => Box::new(self.connect(MQTT_PORT).await?),
                Some(framing) => {
                    let stream = self.connect(WEBSOCKET_PORT).await?;
                    Box::new(MqttFrames::connect(stream, AUTHORITY, MQTT_PATH, framing).await?)
                }
            };
            Ok(stream)
        })
    }

    fn websocket(&self) -> Option<&WebSocketEndpoint> {
        Some(&self.endpoint)
    }

    fn dial_websocket(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let port = match self.endpoint.serves {
                Serves::Mqtt => WEBSOCKET_PORT,
                Serves::Echo | Serves::Other => HUB_PORT,
            };
            Ok(Box::new(self.connect(port).await?) as Box<dyn Stream>)
        })
    }

    fn restart(&self) -> BoxFuture<'_, Result<(), RestartError>> {
        Box::pin(async move {
            // The server's host may be behind this one by a tick.
            let crash = self.visit.clock.now() + nanos(self.visit.tick) * 2;
            let back = crash + nanos(DOWN);
            self.visit.server_agenda.add(crash, Action::Crash);
            self.visit.server_agenda.add(back, Action::Restart);
            sleep_until(self.visit.clock.instant(back + nanos(self.visit.tick) * 2)).await;
            Ok(())
        })
    }

    fn fixtures(&self) -> &Fixtures {
        &self.fixtures
    }
}

/// A broker to test, and how.
pub(crate) struct Test<'a> {
    /// How the broker is set up.
    pub(crate) config: squall_broker::Config,
    /// What the tester may know of it.
    pub(crate) fixtures: Fixtures,
    /// How MQTT is divided among the frames of a WebSocket; over TCP alone if it
    /// is not.
    pub(crate) framing: Option<Framing>,
    /// Which WebSocket is tested.
    pub(crate) serves: Serves,
    /// What decides every random choice.
    pub(crate) seed: u64,
    /// Where to write the packets, as pcapng.
    pub(crate) pcap: Option<&'a Path>,
    /// Set, it ends the test early.
    pub(crate) stop: &'a AtomicBool,
}

impl Test<'_> {
    /// Runs `tester` until it ends. Nothing comes of one that is ended early.
    ///
    /// # Errors
    /// When the world fails, or the capture cannot be written.
    pub(crate) fn run<T: Send + 'static>(
        self,
        tester: impl FnOnce(Arc<dyn Server>) -> BoxFuture<'static, T> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let scenario = scene();
        let mut cast = Cast::new(&scenario, self.seed)?;
        cast.fleets.clear();
        let file = self.pcap.map(|path| capture(path, &cast.host_names));
        let tap = Tap::new(
            scenario.fleets.len(),
            scenario.sites.len(),
            file.transpose()?,
        );
        let tap = Arc::new(Mutex::new(tap));
        let recorder = Arc::new(Mutex::new(Recorder::default()));
        let result = Arc::new(Mutex::new(None));
        let (quirks, handshake_max) = (self.config.quirks, self.config.limits.connect_timeout);
        let (fixtures, framing) = (self.fixtures, self.framing);
        let endpoint = websockets::endpoint(self.serves);
        let server = move |visit| Tester {
            visit,
            fixtures,
            framing,
            endpoint,
        };
        let guest = Guest {
            config: self.config,
            websockets: WebSockets::new(quirks, handshake_max),
            task: task(|visit| tester(Arc::new(server(visit))), Arc::clone(&result)),
        };
        let none = Arc::default();
        let mut world = World::build(
            &scenario,
            self.seed,
            &cast,
            &tap,
            &recorder,
            &none,
            Some(guest),
        );
        let ended = loop {
            if self.stop.load(Ordering::Relaxed) {
                break None;
            }
            world.step().map_err(Error::World)?;
            let now = world.now();
            tap.lock().advance(now);
            recorder.lock().take();
            if let Some(ended) = result.lock().take() {
                break Some(ended);
            }
        };
        drop(world);
        if let (Some(capture), Some(path)) = (tap.lock().take_capture(), self.pcap) {
            capture.finish().map_err(|source| Error::Output {
                path: path.to_owned(),
                source,
            })?;
        }
        Ok(ended)
    }
}

fn scene() -> Scenario {
    Scenario::parse(Path::new("conformance.toml"), SCENE, &[])
        .unwrap_or_else(|error| panic!("the scene is part of the program and tested: {error}"))
}

/// What runs at the tester's site: `tester`, once, and then nothing.
fn task<T: Send + 'static>(
    tester: impl FnOnce(Visit) -> BoxFuture<'static, T> + Send + 'static,
    result: Arc<Mutex<Option<T>>>,
) -> Arc<dyn Fn(Visit) -> BoxFuture<'static, ()> + Send + Sync> {
    let tester = Mutex::new(Some(tester));
    Arc::new(move |visit| {
        let (tester, result) = (tester.lock().take(), Arc::clone(&result));
        Box::pin(async move {
            if let Some(tester) = tester {
                let ended = tester(visit).await;
                *result.lock() = Some(ended);
            }
            // The end of a task is the end of its host.
            std::future::pending().await
        })
    })
}
