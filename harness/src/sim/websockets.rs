//! What of the server speaks WebSocket: the broker, at a second port, and the
//! hub, at a third.

use super::fleets::message_bytes_max;
use crate::scenario::Scenario;
use squall_broker::{Hub, HubConfig, HubLimits, Limits, MqttWebSocket, Quirks, Server, Upgrade};
use squall_checks::websocket::{Serves, WebSocketEndpoint};
use squall_devices::Stream;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::timeout;

/// Who the server says it is.
pub(super) const AUTHORITY: &str = "server.example";

/// Where the broker is.
pub(super) const MQTT_PATH: &str = "/mqtt";

/// How WebSocket is served.
#[derive(Clone)]
pub(super) struct WebSockets {
    upgrade: Upgrade,
    hub: HubConfig,
    /// How long a client's handshake may take.
    handshake_max: Duration,
}

/// One connection, from its handshake on.
pub(super) type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

impl WebSockets {
    /// With these defects, for the pages of one origin only.
    pub(super) fn new(quirks: Quirks, handshake_max: Duration) -> Self {
        let origins = Some(vec!["https://dashboard.example".to_owned()]);
        Self {
            upgrade: Upgrade {
                path: Some(MQTT_PATH.to_owned()),
                origins: origins.clone(),
                quirks,
                ..Upgrade::default()
            },
            hub: HubConfig {
                origins,
                quirks,
                ..HubConfig::default()
            },
            handshake_max,
        }
    }

    /// For the fleets of a scenario, as many as they are.
    pub(super) fn of(scenario: &Scenario) -> Self {
        let mut limits = HubLimits::default();
        let devices = usize::try_from(scenario.device_count()).unwrap_or(usize::MAX);
        for limit in [
            &mut limits.connections,
            &mut limits.sensors,
            &mut limits.named_listeners,
        ] {
            *limit = devices.max(*limit);
        }
        limits.message_bytes = message_bytes_max(scenario);
        let readings = limits.message_bytes.saturating_mul(devices);
        limits.readings_bytes = limits.readings_bytes.max(readings);
        let handshake_max = scenario.broker.connect_timeout;
        Self {
            upgrade: Upgrade {
                path: Some(MQTT_PATH.to_owned()),
                ..Upgrade::default()
            },
            hub: HubConfig {
                limits,
                ..HubConfig::default()
            },
            handshake_max: handshake_max.unwrap_or(Limits::default().connect_timeout),
        }
    }

    /// Who serves the clients of the broker.
    pub(super) fn of_broker(
        &self,
        server: &Server,
    ) -> impl Fn(Box<dyn Stream>) -> Serving + Clone + use<> {
        let (server, upgrade, most) = (server.clone(), self.upgrade.clone(), self.handshake_max);
        move |stream: Box<dyn Stream>| -> Serving {
            let (server, upgrade) = (server.clone(), upgrade.clone());
            Box::pin(async move {
                let upgraded = timeout(most, MqttWebSocket::accept(stream, &upgrade)).await;
                if let Ok(Ok(stream)) = upgraded {
                    server.serve(stream).await;
                }
            })
        }
    }

    /// Who serves those of a hub, which knows nothing yet.
    pub(super) fn of_hub(&self) -> impl Fn(Box<dyn Stream>) -> Serving + Clone + use<> {
        let (hub, most) = (Hub::new(self.hub.clone()), self.handshake_max);
        move |stream: Box<dyn Stream>| -> Serving {
            let hub = hub.clone();
            Box::pin(async move {
                if let Ok(Ok(connection)) = timeout(most, hub.accept(stream)).await {
                    connection.serve().await;
                }
            })
        }
    }
}

/// The endpoint that is one or the other, as a tester may know it.
pub(super) fn endpoint(serves: Serves) -> WebSocketEndpoint {
    let path = match serves {
        Serves::Mqtt => MQTT_PATH,
        Serves::Echo => "/echo",
        Serves::Other => "/groups/valley",
    };
    WebSocketEndpoint {
        unserved_path: Some("/nothing".to_owned()),
        foreign_origin: Some("https://elsewhere.example".to_owned()),
        ..WebSocketEndpoint::new(AUTHORITY, path, serves)
    }
}
