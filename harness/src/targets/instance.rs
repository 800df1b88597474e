//! A broker that was started: with ports and a directory of its own, of which
//! nothing stays once it is stopped.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use squall_broker::wire::Version;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::dial::{Trust, TrustError};
use super::ports::Port;
use super::process::{Group, Guard, How, tail};
use super::serving::{NotServing, serves};
use super::target::{Listener, Target};
use super::template::{Places, Template};
use super::{Address, Transport, certificate, in_private_network};

/// Between two attempts to reach a broker that starts.
const AGAIN: Duration = Duration::from_millis(20);

/// How long an answer of a broker that starts may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long ports may stay in use once their process is gone.
const FREED_WITHIN: Duration = Duration::from_secs(10);

/// Lines of the log that are shown when a broker does not start.
const LOG_LINES: usize = 12;

/// The broker's log, in its directory.
const LOG: &str = "broker.log";

/// How a broker is started.
#[derive(Clone, Debug)]
pub struct StartOptions {
    /// This executable, for the target that is part of it.
    pub squall: PathBuf,
    /// How long it may take until it serves; as its target's file says unless
    /// given.
    pub ready_within: Option<Duration>,
}

impl Default for StartOptions {
    /// With the executable that runs. In a test that is the test itself: there,
    /// say which.
    fn default() -> Self {
        Self {
            squall: std::env::current_exe().unwrap_or_else(|_| "squall".into()),
            ready_within: None,
        }
    }
}

/// Why a broker is not there.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What it needs on this machine cannot be had.
    #[error("{title} cannot be started: {what}: {source}")]
    Environment {
        /// The target.
        title: String,
        /// What was to be done.
        what: String,
        /// Why it could not.
        source: io::Error,
    },
    /// A text of its file cannot be filled in.
    #[error("{title} cannot be started: {source}")]
    Template {
        /// The target.
        title: String,
        /// What is wrong.
        source: minijinja::Error,
    },
    /// The certificate that was made for it cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Its process ended.
    #[error("{title} ended before it was ready: {how}\n{log}")]
    Ended {
        /// The target.
        title: String,
        /// Its exit status.
        how: String,
        /// The end of its log.
        log: String,
    },
    /// It does not serve.
    #[error("{title} was not ready at {address} within {within:?}: {why}\n{log}")]
    NotReady {
        /// The target.
        title: String,
        /// Where.
        address: Box<Address>,
        /// How long it was given.
        within: Duration,
        /// What happened at the last attempt.
        why: Box<NotServing>,
        /// The end of its log.
        log: String,
    },
}

/// A broker that was started. Dropped, it is killed, and everything of it
/// removed; so it is when this process ends in any other way.
#[derive(Debug)]
pub struct Instance {
    target: Target,
    listeners: Vec<Listener>,
    ports: BTreeMap<String, Port>,
    places: Places,
    trust: Trust,
    ready_within: Duration,
    /// The broker comes last. None while it is stopped.
    groups: Vec<Group>,
    /// After the processes, since it removes the directory.
    guard: Guard,
}

impl Instance {
    /// Starts a broker and waits until it serves at every listener. Those that
    /// want a network of their own are left out unless this process is in one.
    ///
    /// # Errors
    /// When it does not; nothing of it is left then.
    pub async fn start(target: &Target, options: &StartOptions) -> Result<Self, StartError> {
        let failed = Failed(target);
        let scratch = tempfile::Builder::new()
            .prefix(&format!("squall-{}-", target.name))
            .tempdir()
            .map_err(failed.io("a directory for it"))?;
        let mut guard = Guard::start(scratch.path()).map_err(failed.io("sh"))?;
        // The guard removes it from here on.
        let scratch = scratch.keep();
        guard.watch(&[]).map_err(failed.io("sh"))?;
        let private = in_private_network();
        let open = |listener: &&Listener| private || !listener.private_network;
        let listeners: Vec<_> = target.listeners.iter().filter(open).cloned().collect();
        let names = listeners.iter().map(|listener| &listener.port);
        let mut ports = BTreeMap::new();
        for name in names.chain(&target.start.ports) {
            let port = Port::free().map_err(failed.io("a free port"))?;
            ports.insert(name.clone(), port);
        }
        let numbers = ports.iter().map(|(name, port)| (name.clone(), port.number));
        let places = Places::new(&scratch, options.squall.clone(), numbers.collect());
        let encrypted = listeners.iter().any(|one| one.transport.is_encrypted());
        let trust = match encrypted {
            true => {
                certificate::write(&places.certificate, &places.key)
                    .map_err(failed.io("a certificate for it"))?;
                Trust::certificates(&places.certificate)?
            }
            false => Trust::system()?,
        };
        for (name, text) in &target.start.files {
            let path = scratch.join(name);
            let text = text.render(&places).map_err(failed.template())?;
            let written = path.parent().map_or(Ok(()), fs::create_dir_all);
            written
                .and_then(|()| fs::write(&path, text))
                .map_err(failed.io(name))?;
        }
        let mut instance = Self {
            target: target.clone(),
            listeners,
            ports,
            places,
            trust,
            ready_within: options.ready_within.unwrap_or(target.start.ready_within),
            groups: Vec::new(),
            guard,
        };
        instance.run().await?;
        Ok(instance)
    }

    /// What was started.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Where it speaks this version over this transport, if it does, with whom
    /// to connect as.
    #[must_use]
    pub fn address(&self, transport: Transport, version: Version) -> Option<Address> {
        let here = |one: &&Listener| one.transport == transport && one.speaks(version);
        self.listeners
            .iter()
            .find(here)
            .and_then(|one| self.at(one))
    }

    /// Everywhere it listens, with the versions spoken there.
    #[must_use]
    pub fn addresses(&self) -> Vec<(Address, Vec<Version>)> {
        let listeners = self.listeners.iter();
        let addresses = listeners.filter_map(|one| Some((self.at(one)?, one.versions.clone())));
        addresses.collect()
    }

    fn at(&self, listener: &Listener) -> Option<Address> {
        let port = self.ports.get(&listener.port)?;
        let credentials = self.target.credentials.as_ref();
        Some(Address {
            path: listener.path.clone(),
            user: credentials.map(|one| one.user.clone()),
            password: credentials.and_then(|one| one.password.clone()),
            ..Address::new(listener.transport, "127.0.0.1", port.number)
        })
    }

    /// The certificates that it shows.
    #[must_use]
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Whether its process has not ended. It may serve nobody all the same.
    pub fn is_alive(&mut self) -> bool {
        let broker = self.groups.last_mut();
        broker.is_some_and(|broker| broker.ended().is_none())
    }

    /// Asks for service wherever it listens, as a client would.
    ///
    /// # Errors
    /// At the first address where there is none.
    pub async fn serves(&self) -> Result<(), (Address, NotServing)> {
        for (address, versions) in self.addresses() {
            for version in versions {
                if let Err(why) = serves(&address, version, &self.trust, PATIENCE).await {
                    return Err((address, why));
                }
            }
        }
        Ok(())
    }

    /// The last lines of what it wrote to its log.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.places.scratch.join(LOG), lines)
    }

    /// Ends the broker and starts it again, with the same ports and directory.
    ///
    /// # Errors
    /// When it does not serve again.
    pub async fn restart(&mut self, how: How) -> Result<(), StartError> {
        self.end(how).await;
        for port in self.ports.values() {
            let freed = port.freed(FREED_WITHIN).await;
            freed.map_err(Failed(&self.target).io("restart"))?;
        }
        self.run().await
    }

    /// Ends the broker in good order. Nothing of it is left.
    pub async fn stop(mut self) {
        self.end(How::Graceful).await;
    }

    async fn end(&mut self, how: How) {
        // The broker first, then what it needs.
        while let Some(group) = self.groups.pop() {
            group.end(how, &self.target.stop).await;
        }
        // If it is gone, what is left is what it could not remove, too.
        let _ = self.guard.watch(&[]);
    }

    /// Starts the processes and waits until the broker serves.
    async fn run(&mut self) -> Result<(), StartError> {
        let target = self.target.clone();
        let deadline = Instant::now() + self.ready_within;
        for helper in &target.start.helpers {
            self.spawn(&helper.command)?;
            let port = self.places.port.get(&helper.port).copied();
            let address = Address::new(Transport::Tcp, "127.0.0.1", port.unwrap_or_default());
            while let Err(source) = TcpStream::connect(address.authority()).await {
                self.goes_on()?;
                if Instant::now() >= deadline {
                    let what = format!("a helper at port {}", address.port);
                    return Err(Failed(&target).io(&what)(source));
                }
                sleep(AGAIN).await;
            }
        }
        self.spawn(&target.start.command)?;
        for (address, versions) in self.addresses() {
            for version in versions {
                while let Err(why) = serves(&address, version, &self.trust, PATIENCE).await {
                    self.goes_on()?;
                    if Instant::now() >= deadline {
                        return Err(StartError::NotReady {
                            title: target.title.clone(),
                            address: Box::new(address),
                            within: self.ready_within,
                            why: Box::new(why),
                            log: self.log_tail(LOG_LINES),
                        });
                    }
                    sleep(AGAIN).await;
                }
            }
        }
        Ok(())
    }

    fn spawn(&mut self, words: &[Template]) -> Result<(), StartError> {
        let failed = Failed(&self.target);
        let command = self.target.command(words, &self.places);
        let mut command = command.map_err(failed.template())?;
        for (name, value) in &self.target.start.environment {
            let value = value.render(&self.places).map_err(failed.template())?;
            command.env(name, value);
        }
        command.current_dir(&self.places.scratch);
        let program = command
            .as_std()
            .get_program()
            .to_string_lossy()
            .into_owned();
        let log = self.places.scratch.join(LOG);
        let group = Group::start(&mut command, &log).map_err(failed.io(&program))?;
        self.groups.push(group);
        let groups: Vec<_> = self.groups.iter().collect();
        self.guard.watch(&groups).map_err(failed.io("sh"))
    }

    /// That no process has ended.
    fn goes_on(&mut self) -> Result<(), StartError> {
        match self.groups.iter_mut().find_map(Group::ended) {
            None => Ok(()),
            Some(status) => Err(StartError::Ended {
                title: self.target.title.clone(),
                how: status.to_string(),
                log: self.log_tail(LOG_LINES),
            }),
        }
    }
}

/// Makes errors about a target.
struct Failed<'a>(&'a Target);

impl Failed<'_> {
    fn io(&self, what: &str) -> impl Fn(io::Error) -> StartError + use<> {
        let (title, what) = (self.0.title.clone(), what.to_owned());
        move |source| StartError::Environment {
            title: title.clone(),
            what: what.clone(),
            source,
        }
    }

    fn template(&self) -> impl Fn(minijinja::Error) -> StartError + use<> {
        let title = self.0.title.clone();
        move |source| StartError::Template {
            title: title.clone(),
            source,
        }
    }
}
