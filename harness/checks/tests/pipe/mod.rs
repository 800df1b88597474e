//! The reference broker and the hub at the other end of a pipe, on a clock that
//! jumps to whatever is next: what checks are tried on.

mod disk;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use disk::Disk;

use squall_broker::{
    Config, Hub, HubConfig, MqttWebSocket, Quirk, Quirks, Server as Broker, Upgrade, UpgradeError,
};
use squall_checks::catalogue::statement;
use squall_checks::websocket::{Framing, MqttFrames, Serves, WebSocketEndpoint};
use squall_checks::{
    BoxFuture, Fixtures, RestartError, Selected, Server, Settings, Setup, Stream, run,
};
use squall_reports::conformance::{Case, Protocol};
use tokio::io::DuplexStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Bytes that are under way in each direction at most.
const PIPE_BYTES: usize = 256 * 1024;

/// The largest message that the WebSockets take, in bytes: beyond it, either
/// says so.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Who the WebSockets say they are.
const AUTHORITY: &str = "server.example";

/// Where the broker's WebSocket is.
const MQTT_PATH: &str = "/mqtt";

/// Where checks are tried, and which.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ground {
    /// Those of MQTT, on the broker.
    Mqtt(Setup),
    /// Those of MQTT, on the broker's WebSocket.
    Framed(Setup, Framing),
    /// Those of WebSocket, on that of the broker or of the hub.
    WebSocket(Serves),
}

impl Ground {
    /// Every check applies on one of these.
    pub(crate) const ALL: [Self; 5] = [
        Self::Mqtt(Setup::Full),
        Self::Mqtt(Setup::Limited),
        Self::WebSocket(Serves::Mqtt),
        Self::WebSocket(Serves::Echo),
        Self::WebSocket(Serves::Other),
    ];

    /// Whether a quirk breaks something that is looked at there.
    pub(crate) fn shows(self, quirk: Quirk) -> bool {
        let mut statements = quirk.statements().iter();
        match self {
            Self::WebSocket(Serves::Mqtt) => breaks_websocket(quirk),
            Self::WebSocket(Serves::Echo | Serves::Other) => {
                breaks_websocket(quirk) && statements.all(|id| !id.starts_with("MQTT"))
            }
            Self::Mqtt(_) | Self::Framed(..) => !breaks_websocket(quirk),
        }
    }

    fn selection(self) -> Vec<Selected> {
        Selected::all(match self {
            Self::Mqtt(_) | Self::Framed(..) => &[Protocol::Mqtt311, Protocol::Mqtt5],
            Self::WebSocket(_) => &[Protocol::WebSocket],
        })
    }
}

fn breaks_websocket(quirk: Quirk) -> bool {
    let known = quirk.statements().iter().filter_map(|id| statement(id));
    known
        .map(|statement| statement.protocol())
        .any(|protocol| protocol == Protocol::WebSocket)
}

/// The broker's process: dropping it kills it.
struct Running {
    broker: Broker,
    tasks: JoinSet<()>,
}

impl Running {
    fn start(config: &Config, disk: &Disk, began: Instant) -> io::Result<Self> {
        let mut disk = disk.clone();
        let broker = Broker::with_store(config.clone(), None, &mut disk, began.elapsed())?;
        let mut tasks = JoinSet::new();
        let timers = broker.clone();
        tasks.spawn(async move { timers.run_timers().await });
        let storing = broker.clone();
        tasks.spawn(async move {
            storing.run_store(disk).await;
        });
        Ok(Self { broker, tasks })
    }
}

/// Both servers, and the way to one of them.
struct Pipe {
    ground: Ground,
    config: Config,
    disk: Disk,
    began: Instant,
    running: Mutex<Running>,
    upgrade: Upgrade,
    hub: Hub,
    endpoint: Option<WebSocketEndpoint>,
    fixtures: Fixtures,
}

impl Pipe {
    fn new(ground: Ground, quirk: Option<Quirk>) -> Self {
        let quirks = Quirks::from_iter(quirk);
        let setup = match ground {
            Ground::Mqtt(setup) | Ground::Framed(setup, _) => setup,
            Ground::WebSocket(_) => Setup::Full,
        };
        let (mut config, fixtures) = setup.of_the_broker();
        config.quirks = quirks;
        let (disk, began) = (Disk::default(), Instant::now());
        let running = Running::start(&config, &disk, began).expect("an empty disk");
        let origins = Some(vec!["https://dashboard.example".to_owned()]);
        let upgrade = Upgrade {
            path: Some(MQTT_PATH.to_owned()),
            origins: origins.clone(),
            message_bytes: MESSAGE_BYTES_MAX,
            quirks,
        };
        let mut hub = HubConfig {
            origins,
            quirks,
            ..HubConfig::default()
        };
        hub.limits.message_bytes = MESSAGE_BYTES_MAX;
        let mut endpoint = None;
        if let Ground::WebSocket(serves) = ground {
            let path = match serves {
                Serves::Mqtt => MQTT_PATH,
                Serves::Echo => "/echo",
                Serves::Other => "/groups/valley",
            };
            endpoint = Some(WebSocketEndpoint {
                unserved_path: Some("/nothing".to_owned()),
                foreign_origin: Some("https://elsewhere.example".to_owned()),
                ..WebSocketEndpoint::new(AUTHORITY, path, serves)
            });
        }
        Self {
            ground,
            config,
            disk,
            began,
            running: Mutex::new(running),
            upgrade,
            hub: Hub::new(hub),
            endpoint,
            fixtures,
        }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().expect("no panic")
    }

    /// A stream to the broker's WebSocket.
    fn framed(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let upgrade = self.upgrade.clone();
        let mut running = self.running();
        let broker = running.broker.clone();
        running.tasks.spawn(async move {
            if let Ok(stream) = MqttWebSocket::accept(far, &upgrade).await {
                broker.serve(stream).await;
            }
        });
        near
    }

    /// A stream to the hub.
    fn hub(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let hub = self.hub.clone();
        tokio::spawn(async move {
            hub.accept(far).await?.serve().await;
            Ok::<_, UpgradeError>(())
        });
        near
    }
}

impl Server for Pipe {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async {
            let stream: Box<dyn Stream> = match self.ground {
                Ground::Framed(_, framing) => {
                    let stream = self.framed();
                    Box::new(MqttFrames::connect(stream, AUTHORITY, MQTT_PATH, framing).await?)
                }
                Ground::Mqtt(_) | Ground::WebSocket(_) => {
                    let (near, far) = tokio::io::duplex(PIPE_BYTES);
                    let mut running = self.running();
                    let serve = running.broker.serve(far);
                    running.tasks.spawn(serve);
                    Box::new(near)
                }
            };
            Ok(stream)
        })
    }

    fn restart(&self) -> BoxFuture<'_, Result<(), RestartError>> {
        Box::pin(async {
            let mut tasks = std::mem::take(&mut self.running().tasks);
            tasks.shutdown().await;
            self.disk.crash();
            let started = Running::start(&self.config, &self.disk, self.began);
            *self.running() = started.map_err(|error| RestartError::Failed(error.to_string()))?;
            Ok(())
        })
    }

    fn websocket(&self) -> Option<&WebSocketEndpoint> {
        self.endpoint.as_ref()
    }

    fn dial_websocket(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async {
            let stream = match self.ground {
                Ground::WebSocket(Serves::Echo | Serves::Other) => self.hub(),
                Ground::WebSocket(Serves::Mqtt) | Ground::Mqtt(_) | Ground::Framed(..) => {
                    self.framed()
                }
            };
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn fixtures(&self) -> &Fixtures {
        &self.fixtures
    }
}

/// Runs the checks of a ground on servers of its own.
pub(crate) fn try_checks(ground: Ground, quirk: Option<Quirk>) -> Vec<Case> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let settings = Settings {
            timeout: Duration::from_secs(5),
            quiet: Duration::from_secs(3600),
            jobs: 64,
            run: "t".to_owned(),
        };
        let server = Arc::new(Pipe::new(ground, quirk));
        run(server, settings, &ground.selection(), &mut |_| {}).await
    })
}
