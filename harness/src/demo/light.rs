//! The light-control story, live: `squall demo light`, and its simulated form in
//! `scenarios/stories/light-control.toml`.
//!
//! One retained value, `house/light`, is what every lamp is to shine at, in
//! percent. A slider in the browser sets it, over MQTT in a WebSocket, and so
//! does a dimmer on the wall. The weather is the person's: the broker can be
//! switched off, the Wi-Fi too, and lamps are plugged in at any time.
//!
//! ```text
//! browser ── MQTT over WebSocket ──┐            ┌── Wi-Fi ── lamps
//! recorder ── MQTT ────────────────┼── broker ──┼── Wi-Fi ── motor, asleep mostly
//! hub ── HTTP ── bridge ── MQTT ───┘            └── Wi-Fi ── dimmer
//! ```
//!
//! The page learns what the slider's own connection knows from the broker, and
//! what the lamps really got from the [`Room`]: as if it looked at them.
//!
//! ```no_run
//! # async fn example() -> Result<(), squall::demo::LightError> {
//! let light = squall::demo::Light::open("127.0.0.1:0").await?;
//! println!("{}", light.page()); // such as http://127.0.0.1:43211/
//! light.run(std::future::pending()).await
//! # }
//! ```

mod bridge;
mod broker;
mod client;
mod devices;
mod hub;
mod recorder;
mod room;
mod web;
mod wifi;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use squall_devices::{BoxFuture, DeviceId, Dial as _, Stream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::serve::{Listening, ServeError};
use bridge::Bridge;
use broker::Broker;
use client::Client;
use devices::Devices;
use recorder::Recorder;
use room::Room;
use wifi::Wifi;

/// What every lamp is to shine at, in percent: a retained value.
const INTENSITY: &str = "house/light";

/// Why there is no house.
#[derive(Debug, thiserror::Error)]
pub enum LightError {
    /// The page's address cannot be listened at.
    #[error("cannot listen on {address} for the page: {source}")]
    Page {
        /// Host and port, as given.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// No port, or no directory, for the broker.
    #[error("no room for the broker: {0}")]
    Room(io::Error),
    /// The broker cannot start, or failed.
    #[error(transparent)]
    Broker(#[from] ServeError),
}

/// A house whose page and broker are open.
#[derive(Debug)]
pub struct Light {
    web: TcpListener,
    page: SocketAddr,
    broker: Broker,
    listening: Listening,
}

impl Light {
    /// Opens the page at `address`, host and port, and a broker for the house at
    /// free ports.
    ///
    /// # Errors
    /// When the page's address is taken or no address, or the broker finds no
    /// room.
    pub async fn open(address: &str) -> Result<Self, LightError> {
        let bound = async {
            let web = TcpListener::bind(address).await?;
            let page = web.local_addr()?;
            Ok((web, page))
        };
        let (web, page) = bound.await.map_err(|source| LightError::Page {
            address: address.to_owned(),
            source,
        })?;
        let broker = Broker::new().map_err(LightError::Room)?;
        let listening = broker.listen().await?;
        Ok(Self {
            web,
            page,
            broker,
            listening,
        })
    }

    /// Where the page is.
    #[must_use]
    pub fn page(&self) -> String {
        format!("http://{}/", self.page)
    }

    /// Where the broker is, for clients of one's own: over TCP, then over
    /// WebSocket.
    #[must_use]
    pub fn brokers(&self) -> Vec<String> {
        self.listening.urls()
    }

    /// Lives until `stop` is ready.
    ///
    /// # Errors
    /// When the broker fails.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), LightError> {
        let Self {
            web,
            page,
            broker,
            listening,
        } = self;
        let house = Arc::new(House::new(&broker));
        let mut tasks = JoinSet::new();
        tasks.spawn(web::serve(web, Arc::clone(&house)));
        tasks.spawn(hub::run(page, Arc::clone(&house.room)));
        // Whatever it serves by now ends with it.
        let served = broker.run(listening, &house.room, stop).await;
        tasks.shutdown().await;
        Ok(served?)
    }
}

/// All that the page can ask for.
struct House {
    room: Arc<Room>,
    /// The power of the broker.
    power: Arc<watch::Sender<bool>>,
    wifi: Arc<Wifi>,
    devices: Devices,
    dimmer: Client,
    bridge: Bridge,
    recorder: Recorder,
    /// The broker's port for WebSocket.
    websocket_port: u16,
}

/// The number of the dimmer, which no fleet has.
const DIMMER: DeviceId = DeviceId(u32::MAX);

impl House {
    fn new(broker: &Broker) -> Self {
        let room = Arc::new(Room::default());
        let wired = broker.address();
        let wifi = Arc::new(Wifi::new(wired, Arc::clone(&room)));
        let recorder = Recorder::new(wired, Arc::clone(&room));
        let dimmer = {
            let wifi = Arc::clone(&wifi);
            Client::new("dimmer", move || {
                let wifi = Arc::clone(&wifi);
                async move { wifi.dial(DIMMER).await }
            })
        };
        Self {
            devices: Devices::new(&room, &wifi),
            bridge: Bridge::new(wired),
            recorder,
            dimmer,
            wifi,
            power: Arc::clone(&broker.power),
            websocket_port: broker.websocket_port(),
            room,
        }
    }
}

/// Dials the broker over a cable, which nothing happens to.
fn wired(
    broker: SocketAddr,
) -> impl Fn() -> BoxFuture<'static, io::Result<Box<dyn Stream>>> + Send + Sync + 'static {
    move || {
        Box::pin(async move {
            let stream = TcpStream::connect(broker).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}
