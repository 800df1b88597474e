//! What a check is given: connections to the server, names of its own, and
//! somewhere to say what it found on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use squall_broker::wire::{ConnAck, Connect, Property, Qos, ReasonCode, Version};
use squall_reports::conformance::{Closing, ExchangeEvent, Protocol, Wait};
use tokio::time::{sleep, timeout};

use crate::capabilities::Capabilities;
use crate::client::Client;
use crate::finding::{Finding, Outcome};
use crate::packets::text;
use crate::server::{BoxFuture, Fixtures, RestartError, Server};
use crate::transcript::Transcript;

/// How checks are run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long nothing has to happen for it to be believed that nothing will:
    /// at most 10 s against a real broker, an hour in the simulator.
    pub quiet: Duration,
    /// How many checks run at once.
    pub jobs: usize,
    /// What sets the names of this run apart from those of any other; a few
    /// letters and digits.
    pub run: String,
}

/// What one check is written with. Clones are the same bench.
#[derive(Clone)]
pub struct Bench {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) server: Arc<dyn Server>,
    pub(crate) settings: Arc<Settings>,
    protocol: Protocol,
    /// What sets the names of this case apart from those of other cases.
    prefix: String,
    connections: AtomicU32,
    pub(crate) notes: Mutex<Notes>,
}

/// What a case has to remember.
pub(crate) struct Notes {
    pub(crate) transcript: Transcript,
    /// The statements that what comes next decides; none for all of the check's.
    pub(crate) deciding: Vec<&'static str>,
    pub(crate) closing: Option<Closing>,
    pub(crate) waits: Vec<Wait>,
    /// The last CONNECT of each client whose session may have stayed.
    sessions: BTreeMap<String, Connect>,
    /// Topics that a message was retained at.
    retained: BTreeSet<String>,
}

impl Bench {
    pub(crate) fn new(
        server: Arc<dyn Server>,
        settings: Arc<Settings>,
        protocol: Protocol,
        case: usize,
    ) -> Self {
        let prefix = format!("{}{}", settings.run, base_36(case));
        Self {
            inner: Arc::new(Inner {
                server,
                settings,
                protocol,
                prefix,
                connections: AtomicU32::new(0),
                notes: Mutex::new(Notes {
                    transcript: Transcript::new(),
                    deciding: Vec::new(),
                    closing: None,
                    waits: Vec::new(),
                    sessions: BTreeMap::new(),
                    retained: BTreeSet::new(),
                }),
            }),
        }
    }

    pub(crate) fn notes(&self) -> parking_lot::MutexGuard<'_, Notes> {
        self.inner.notes.lock()
    }

    pub(crate) fn server(&self) -> &dyn Server {
        &*self.inner.server
    }

    /// The number of the connection that is opened next.
    pub(crate) fn next_connection(&self) -> u32 {
        self.inner.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The version of MQTT that the check runs in. Over a WebSocket alone, the
    /// version that carries the least, 3.1.1.
    #[must_use]
    pub fn version(&self) -> Version {
        match self.inner.protocol {
            Protocol::Mqtt5 => Version::V5,
            Protocol::Mqtt311 | Protocol::WebSocket => Version::V3_1_1,
        }
    }

    /// Whether that is 5.0.
    #[must_use]
    pub fn is_v5(&self) -> bool {
        self.version() == Version::V5
    }

    /// How the server is set up.
    #[must_use]
    pub fn fixtures(&self) -> &Fixtures {
        self.inner.server.fixtures()
    }

    /// How long an answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.inner.settings.timeout
    }

    /// A topic of this check's own: `name` may have levels, and wildcards if it
    /// is to be a filter.
    #[must_use]
    pub fn topic(&self, name: &str) -> String {
        format!("squall/{}/{name}", self.inner.prefix)
    }

    /// A client identifier of this check's own, of the letters and digits that
    /// every server has to take `[MQTT311-3.1.3-5]`, at most 23 of them if
    /// `name` is short.
    #[must_use]
    pub fn client_id(&self, name: &str) -> String {
        format!("{}{name}", self.inner.prefix)
    }

    /// A shared subscription of this check's own. Some brokers tell groups apart by
    /// their names alone, so the name is its own, too.
    #[must_use]
    pub fn share(&self, topic: &str) -> String {
        format!("$share/{}/{}", self.client_id("g"), self.topic(topic))
    }

    /// Says which of the check's statements what follows decides, so that a
    /// failure names them alone. Without it, it names all.
    pub fn deciding(&self, statements: &[&'static str]) {
        self.notes().deciding = statements.to_vec();
    }

    /// A valid CONNECT of the client of this name: clean, keep-alive a minute,
    /// logged in if the server asks for that.
    #[must_use]
    pub fn connect_packet(&self, name: &str) -> Connect {
        let login = self.fixtures().login.as_ref();
        Connect {
            version: self.version(),
            clean_session: true,
            keep_alive_s: 60,
            client_id: text(&self.client_id(name)),
            user_name: login.map(|login| text(&login.user)),
            password: login.map(|login| login.password.clone()),
            ..Connect::default()
        }
    }

    /// Opens a connection and sends nothing.
    ///
    /// # Errors
    /// [`Finding::Error`] when the server cannot be reached within the time for
    /// an answer.
    pub async fn open(&self, name: &str) -> Outcome<Client> {
        let stream = self.dialled(self.inner.server.dial()).await?;
        let connection = self.next_connection();
        Ok(Client::new(self.clone(), stream, name, connection))
    }

    /// What dialling leads to within the time for an answer.
    pub(crate) async fn dialled<T>(&self, dialling: BoxFuture<'_, io::Result<T>>) -> Outcome<T> {
        match timeout(self.timeout(), dialling).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(Finding::Error(format!("cannot connect: {error}"))),
            Err(_) => {
                let waited = self.timeout().as_secs_f64();
                let what = format!("the server accepted no connection within {waited} s");
                Err(Finding::Error(what))
            }
        }
    }

    /// Opens a connection and has it accepted.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`Finding::Fail`] when it is not accepted.
    pub async fn connect(&self, name: &str) -> Outcome<Client> {
        self.connect_as(name, |_| {}).await
    }

    /// The same with a CONNECT that is changed first.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_as(
        &self,
        name: &str,
        change: impl FnOnce(&mut Connect),
    ) -> Outcome<Client> {
        let (client, _) = self.connect_for(name, change).await?;
        Ok(client)
    }

    /// The same, with the CONNACK.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_for(
        &self,
        name: &str,
        change: impl FnOnce(&mut Connect),
    ) -> Outcome<(Client, ConnAck)> {
        let mut client = self.open(name).await?;
        let mut connect = self.connect_packet(name);
        change(&mut connect);
        client.send_connect(&connect).await?;
        let connack = client.connack().await?;
        if connack.code != ReasonCode::Success {
            return Err(Finding::fail(
                "a CONNACK that accepts the connection",
                format!("CONNACK {:#04x} ({:?})", connack.code as u8, connack.code),
            ));
        }
        Ok((client, connack))
    }

    /// What the server offers, as it tells a client that connects.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn capabilities(&self) -> Outcome<Capabilities> {
        let (client, connack) = self.connect_for("asks", |_| {}).await?;
        client.leave().await?;
        Ok(Capabilities::of(&connack, self.fixtures()))
    }

    /// This quality of service, or the highest that the server offers, if that is
    /// lower.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn qos_up_to(&self, qos: Qos) -> Outcome<Qos> {
        Ok(self.capabilities().await?.maximum_qos.min(qos))
    }

    /// Connects and sends bytes for which the broker has to end the connection:
    /// malformed, not allowed by the protocol, or what `also` says of them. A
    /// failure says `what` they were.
    ///
    /// # Errors
    /// [`Finding::Fail`] when it does not.
    pub async fn refuses(&self, what: &str, bytes: &[u8], also: &[ReasonCode]) -> Outcome {
        let malformed = [ReasonCode::MalformedPacket, ReasonCode::ProtocolError];
        let mut client = self.connect("client").await?;
        client.send_bytes(bytes).await?;
        let closed = client.closed(&[&malformed, also].concat()).await;
        closed.map_err(|finding| finding.after(what))
    }

    /// Lets time pass that the specification says has to. The report tells.
    pub async fn wait(&self, time: Duration, why: &str) {
        self.waits(time, why);
        sleep(time).await;
    }

    /// Tells the report of a wait that the specification imposes and the check
    /// spends reading.
    pub fn waits(&self, time: Duration, why: &str) {
        self.notes().waits.push(Wait {
            for_ns: time.as_nanos() as u64,
            why: why.to_owned(),
        });
    }

    /// Lets so much time pass that what has not happened will not; all checks
    /// that run at once wait at the same time.
    pub async fn quiet(&self, why: &str) {
        self.wait(self.inner.settings.quiet, why).await;
    }

    /// Kills the server and starts it again with the data it had. For checks
    /// that run alone.
    ///
    /// # Errors
    /// [`Finding::Skip`] when it is not ours to restart, [`Finding::Error`] when
    /// it does not come back.
    pub async fn restart(&self) -> Outcome {
        match self.inner.server.restart().await {
            Ok(()) => {
                let mut notes = self.notes();
                notes.transcript.note(0, "server", ExchangeEvent::Restarted);
                Ok(())
            }
            Err(RestartError::Unable) => Err(Finding::skip("a server that can be restarted")),
            Err(RestartError::Failed(why)) => {
                Err(Finding::Error(format!("the server did not restart: {why}")))
            }
        }
    }

    /// Remembers what a packet that was sent may leave behind.
    pub(crate) fn leaves_session(&self, connect: &Connect) {
        let kept = match connect.version {
            Version::V5 => connect.properties.iter().any(
                |property| matches!(property, Property::SessionExpiryInterval(seconds) if seconds > 0),
            ),
            _ => !connect.clean_session,
        };
        if kept {
            let id = connect.client_id.as_str().to_owned();
            self.notes().sessions.insert(id, connect.clone());
        }
    }

    /// Remembers that a message was to be retained.
    pub(crate) fn leaves_retained(&self, topic: &str) {
        self.notes().retained.insert(topic.to_owned());
    }

    /// Removes what the check has left behind, as far as the server lets it.
    pub(crate) async fn tidy(&self) {
        let (sessions, retained) = {
            let mut notes = self.notes();
            (
                std::mem::take(&mut notes.sessions),
                std::mem::take(&mut notes.retained),
            )
        };
        for (_, kept) in sessions {
            let clean = Connect {
                version: kept.version,
                clean_session: true,
                client_id: kept.client_id,
                user_name: kept.user_name,
                password: kept.password,
                keep_alive_s: 60,
                ..Connect::default()
            };
            if let Ok(mut client) = self.open("tidies").await
                && client.send_connect(&clean).await.is_ok()
                && client.connack().await.is_ok()
            {
                let _ = client.leave().await;
            }
        }
        if !retained.is_empty()
            && let Ok(mut client) = self.connect("tidies").await
        {
            for topic in &retained {
                let _ = client.clear_retained(topic).await;
            }
            let _ = client.until_ping().await;
            let _ = client.leave().await;
        }
    }
}

/// A number in letters and digits.
fn base_36(mut number: usize) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[number % 36]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits
        .iter()
        .rev()
        .map(|digit| char::from(*digit))
        .collect()
}
