//! A server on real sockets, as checks see it: one that was started, and can be
//! restarted, or one that runs somewhere.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use squall_broker::wire::Version;
use squall_checks::websocket::{Framing, MqttFrames, Serves, WebSocketEndpoint};
use squall_checks::{BoxFuture, Fixtures, Login, RestartError, Server, Stream};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::targets::{
    Address, Credentials, DialError, Expected, How, Instance, Kept, NotServing, Target, Transport,
    Trust, dial, serves,
};

/// A broker on real sockets, or another server of WebSocket.
#[derive(Debug)]
pub struct Broker {
    /// What reports call it: the name of its target, or its URL.
    pub name: String,
    /// Its version as it tells it; empty if that is unknown.
    pub version: String,
    /// What is known to fail.
    pub expected: Vec<Expected>,
    /// Where which versions of MQTT are spoken.
    endpoints: Vec<(Address, Vec<Version>)>,
    trust: Trust,
    fixtures: Fixtures,
    /// What is behind its WebSocket endpoints.
    serves: Serves,
    unserved_path: Option<String>,
    foreign_origin: Option<String>,
    /// None once it is stopped.
    instance: Option<Arc<Mutex<Option<Instance>>>>,
    /// How many runs of checks it has seen.
    runs: AtomicU32,
}

impl Broker {
    /// One that was started, of this version.
    #[must_use]
    pub fn started(instance: Instance, version: String) -> Self {
        let target = instance.target();
        Self {
            name: target.name.clone(),
            version,
            expected: target.expected.clone(),
            endpoints: instance.addresses(),
            trust: instance.trust().clone(),
            fixtures: fixtures(target),
            serves: Serves::Mqtt,
            unserved_path: target.fixtures.unserved_path.clone(),
            foreign_origin: target.fixtures.foreign_origin.clone(),
            instance: Some(Arc::new(Mutex::new(Some(instance)))),
            runs: AtomicU32::new(0),
        }
    }

    /// One that runs somewhere, once it was asked for service in each version of
    /// MQTT. An answer may take `timeout`.
    ///
    /// # Errors
    /// When it serves in none.
    pub async fn at(address: Address, trust: Trust, timeout: Duration) -> Result<Self, NotServing> {
        let mut versions = Vec::new();
        let mut refusal = None;
        for version in [Version::V3_1_1, Version::V5] {
            match serves(&address, version, &trust, timeout).await {
                Ok(()) => versions.push(version),
                // Nobody is there, whatever the version.
                Err(why @ NotServing::Dial(_)) => return Err(why),
                Err(why) => refusal = refusal.or(Some(why)),
            }
        }
        match refusal {
            Some(why) if versions.is_empty() => Err(why),
            _ => Ok(Self::somewhere(address, versions, trust, Serves::Mqtt)),
        }
    }

    /// A server of WebSocket that runs somewhere and need not speak MQTT, once it
    /// was reached. Only the checks of WebSocket apply to it.
    ///
    /// # Errors
    /// When it is not reached within `patience`.
    pub async fn websocket_at(
        address: Address,
        trust: Trust,
        serves: Serves,
        patience: Duration,
    ) -> Result<Self, NotServing> {
        let dialed = timeout(patience, dial(&address, &trust)).await;
        dialed.map_err(|_| NotServing::Silent("connection", patience))??;
        Ok(Self::somewhere(address, Vec::new(), trust, serves))
    }

    fn somewhere(address: Address, versions: Vec<Version>, trust: Trust, serves: Serves) -> Self {
        Self {
            name: address.to_string(),
            version: String::new(),
            expected: Vec::new(),
            fixtures: Fixtures::default(),
            endpoints: vec![(address, versions)],
            trust,
            serves,
            unserved_path: None,
            foreign_origin: None,
            instance: None,
            runs: AtomicU32::new(0),
        }
    }

    /// The number of the run that begins, from 1 on; nothing for a broker that
    /// others may use at the same time.
    pub(super) fn next_run(&self) -> Option<u32> {
        self.instance.as_ref()?;
        Some(self.runs.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Where it speaks this version over this transport, if it does.
    #[must_use]
    pub fn address(&self, transport: Transport, version: Version) -> Option<&Address> {
        let here = |(address, versions): &&(Address, Vec<Version>)| {
            address.transport == transport && versions.contains(&version)
        };
        let endpoint = self.endpoints.iter().find(here);
        endpoint.map(|(address, _)| address)
    }

    /// The transports over which it is reached.
    #[must_use]
    pub fn transports(&self) -> Vec<Transport> {
        let reached = |transport: &Transport| {
            let mut all = self.endpoints.iter();
            all.any(|(address, _)| address.transport == *transport)
        };
        Transport::ALL.into_iter().filter(reached).collect()
    }

    /// Ends it, if it was started here. Nothing of it is left.
    pub async fn stop(self) {
        if let Some(instance) = self.instance
            && let Some(instance) = instance.lock().await.take()
        {
            instance.stop().await;
        }
    }

    /// Its WebSocket endpoint over this transport, if that is one.
    pub(super) fn websocket(&self, transport: Transport) -> Option<&Address> {
        let mut addresses = self.endpoints.iter().map(|(address, _)| address);
        addresses.find(|address| address.transport == transport && transport.is_websocket())
    }

    /// The server at one of its addresses.
    pub(super) fn server(&self, address: &Address) -> Arc<dyn Server> {
        let endpoint = WebSocketEndpoint {
            unserved_path: self.unserved_path.clone(),
            foreign_origin: self.foreign_origin.clone(),
            ..WebSocketEndpoint::new(address.authority(), &address.path, self.serves)
        };
        Arc::new(LiveServer {
            websocket: address.transport.is_websocket().then_some(endpoint),
            address: address.clone(),
            trust: self.trust.clone(),
            fixtures: Fixtures {
                login: login(address),
                ..self.fixtures.clone()
            },
            instance: self.instance.clone(),
        })
    }
}

struct LiveServer {
    address: Address,
    websocket: Option<WebSocketEndpoint>,
    trust: Trust,
    fixtures: Fixtures,
    instance: Option<Arc<Mutex<Option<Instance>>>>,
}

impl Server for LiveServer {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async {
            let stream = self.stream().await?;
            let Some(WebSocketEndpoint {
                authority, path, ..
            }) = &self.websocket
            else {
                return Ok(stream);
            };
            let frames = MqttFrames::connect(stream, authority, path, Framing::default()).await?;
            Ok(Box::new(frames) as Box<dyn Stream>)
        })
    }

    fn websocket(&self) -> Option<&WebSocketEndpoint> {
        self.websocket.as_ref()
    }

    fn dial_websocket(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(self.stream())
    }

    fn dial_below_tls(&self) -> BoxFuture<'_, io::Result<Option<Box<dyn Stream>>>> {
        Box::pin(async {
            if self.address.transport != Transport::SecureWebSocket {
                return Ok(None);
            }
            let stream =
                TcpStream::connect((self.address.host.as_str(), self.address.port)).await?;
            stream.set_nodelay(true)?;
            Ok(Some(Box::new(stream) as Box<dyn Stream>))
        })
    }

    fn restart(&self) -> BoxFuture<'_, Result<(), RestartError>> {
        Box::pin(async {
            let Some(instance) = &self.instance else {
                return Err(RestartError::Unable);
            };
            match &mut *instance.lock().await {
                None => Err(RestartError::Unable),
                Some(instance) => {
                    let restarted = instance.restart(How::Kill).await;
                    restarted.map_err(|error| RestartError::Failed(error.to_string()))
                }
            }
        })
    }

    fn fixtures(&self) -> &Fixtures {
        &self.fixtures
    }
}

impl LiveServer {
    /// A stream of bytes, of which TLS is a part and WebSocket is not.
    async fn stream(&self) -> io::Result<Box<dyn Stream>> {
        dial(&self.address, &self.trust).await.map_err(io_error)
    }
}

fn io_error(error: DialError) -> io::Error {
    let (DialError::Unreachable { source, .. } | DialError::Tls { source, .. }) = &error;
    io::Error::new(source.kind(), error)
}

fn login(address: &Address) -> Option<Login> {
    let credentials = Credentials {
        user: address.user.clone()?,
        password: address.password.clone(),
    };
    Some(as_login(&credentials))
}

fn as_login(credentials: &Credentials) -> Login {
    Login {
        user: credentials.user.clone(),
        password: Bytes::from(credentials.password.clone().unwrap_or_default()),
    }
}

/// What a target's file says of it, as checks ask for it.
fn fixtures(target: &Target) -> Fixtures {
    let capabilities = &target.capabilities;
    let lacks = [
        ("qos_1", capabilities.qos_max == Some(0)),
        ("qos_2", capabilities.qos_max.is_some_and(|most| most < 2)),
        ("retain", capabilities.retained == Some(false)),
        (
            "shared_subscriptions",
            capabilities.shared_subscriptions == Some(false),
        ),
    ];
    let survives = capabilities.survives_kill.as_deref().unwrap_or_default();
    let everything = [Kept::Sessions, Kept::Queued, Kept::Retained];
    Fixtures {
        bad_login: target
            .fixtures
            .wrong_credentials
            .as_ref()
            .map(|wrong| Login {
                user: wrong.user.clone(),
                password: Bytes::from(wrong.password.clone().unwrap_or_default()),
            }),
        denied_publish: target.fixtures.denied_publish.clone(),
        denied_subscribe: target.fixtures.denied_subscribe.clone(),
        denied_client_id: target.fixtures.denied_client_id.clone(),
        scram: target.fixtures.scram.as_ref().map(as_login),
        durable: everything.iter().all(|kept| survives.contains(kept)),
        lacks: lacks
            .into_iter()
            .filter(|(_, lacked)| *lacked)
            .map(|(name, _)| name.to_owned())
            .collect(),
        ..Fixtures::default()
    }
}
