//! How the devices of a fleet reach their server: TCP, and what their protocol
//! has between that and the device.

use super::parting::Parting;
use super::websockets::{AUTHORITY, MQTT_PATH};
use crate::net::{Clock, Nic, Service, address, tls};
use crate::random;
use crate::scenario::{self, DeviceMemory, Protocol, Tls};
use rand::Rng as _;
use squall_checks::websocket::{Framing, Keys, MqttFrames};
use squall_devices::{BoxFuture, DeviceId, Dial, Stream};
use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

/// What a fleet's server offers it, and whether in TLS.
pub(super) fn service(fleet: &scenario::Fleet) -> (Service, bool) {
    let service = match fleet.protocol {
        Protocol::Mqtt => Service::Mqtt,
        Protocol::MqttOverWebSocket(_) => Service::MqttWebSocket,
        Protocol::WebSocket(_) => Service::Hub,
        Protocol::Http(_) => Service::Http,
    };
    (service, fleet.tls.is_some())
}

/// What the connections of a fleet are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layers {
    port: u16,
    /// How MQTT is divided among the frames of a WebSocket, if it is in one.
    framing: Option<Framing>,
    tls: Option<Tls>,
    /// How long the end of a WebSocket may take.
    patience: Duration,
    /// Whether a device that loses its power forgets its sessions.
    forgetful: bool,
}

impl Layers {
    pub(super) fn of(fleet: &scenario::Fleet) -> Self {
        let (service, in_tls) = service(fleet);
        Self {
            port: service.port(in_tls),
            tls: fleet.tls,
            patience: fleet.reconnect.timeout,
            forgetful: fleet.device_memory == DeviceMemory::Ram,
            framing: match fleet.protocol {
                Protocol::MqttOverWebSocket(framing) => Some(framing),
                _ => None,
            },
        }
    }
}

/// The network of a fleet's devices.
pub(super) struct FleetNetwork {
    nic: Arc<Nic>,
    clock: Clock,
    seed: u64,
    layers: Layers,
    tls: Option<tls::Client>,
    parting: Parting,
}

impl FleetNetwork {
    /// WebSockets that are closing go to `parting`.
    pub(super) fn new(
        nic: &Arc<Nic>,
        clock: Clock,
        seed: u64,
        layers: Layers,
        parting: &Parting,
    ) -> Self {
        let tls = |settings| tls::Client::new(settings, clock, seed);
        Self {
            nic: Arc::clone(nic),
            clock,
            seed,
            layers,
            tls: layers.tls.map(tls),
            parting: parting.clone(),
        }
    }

    /// What a device draws for a connection that it opens now.
    fn keys(&self, device: DeviceId) -> Keys {
        let id = u64::from(device.0) << 32 ^ self.clock.now();
        let mut drawn = random::stream(self.seed, "web socket keys", id);
        let mut handshake = [0; 16];
        drawn.fill_bytes(&mut handshake);
        Keys {
            handshake,
            masks: Box::new(move || drawn.next_u32().to_be_bytes()),
        }
    }
}

impl Dial for FleetNetwork {
    fn dial(&self, device: DeviceId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let server = SocketAddrV4::new(address::of_server(0), self.layers.port);
            let stream = self.nic.connect(address::of_device(device.0), server);
            let stream = stream.await?;
            let stream: Box<dyn Stream> = match &self.tls {
                None => Box::new(stream),
                Some(tls) => Box::new(tls.connect(device.0, stream).await?),
            };
            let Some(framing) = self.layers.framing else {
                return Ok(stream);
            };
            let keys = self.keys(device);
            let opened = MqttFrames::connect_with(stream, AUTHORITY, MQTT_PATH, framing, keys);
            let carried = self.parting.of(opened.await?, self.layers.patience);
            Ok(Box::new(carried) as Box<dyn Stream>)
        })
    }

    fn reset(&self, device: DeviceId) {
        self.nic.reset(address::of_device(device.0));
    }

    fn vanish(&self, device: DeviceId) {
        self.nic.cut_power(address::of_device(device.0));
        if self.layers.forgetful
            && let Some(tls) = &self.tls
        {
            tls.forget(device.0);
        }
    }
}
