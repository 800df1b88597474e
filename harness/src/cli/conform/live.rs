//! Brokers on real sockets: one that runs somewhere, or one that is started.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use squall::conform::{Broker, Live, Run, Serves, Tested, live};
use squall::targets::{Address, Instance, StartOptions, Target, Transport, Trust};
use squall_reports::conformance::Case;
use tokio::time::sleep;

use super::super::exit::{Exit, Failure};
use super::super::output::Output;
use super::super::progress::INTERVAL;
use super::super::targets;
use super::arguments::Subject;
use super::destination::Destination;
use super::screen::Screen;
use super::{Arguments, Session};

/// Goes on in a network of our own if a broker that is to be started wants one.
pub(super) fn private_network(subject: &Subject, output: &Output) {
    let wants = |targets: &[Target]| {
        let mut targets = targets.iter();
        targets
            .find(|target| target.wants_private_network())
            .cloned()
    };
    let wanting = match subject {
        Subject::Target(target) => wants(std::slice::from_ref(target)),
        Subject::All(targets) => wants(targets),
        Subject::Simulator | Subject::Url(_) => None,
    };
    if let Some(target) = wanting {
        targets::private_network(&target, output);
    }
}

/// Tests what runs there.
pub(super) fn at(
    session: &Session<'_>,
    address: Address,
    destination: Destination,
) -> Result<Exit, Failure> {
    let transport = address.transport;
    targets::runtime()?.block_on(async {
        let broker = reached(session.arguments, address, &session.stop).await?;
        let Some(broker) = broker else {
            return Ok(Exit::Interrupted);
        };
        let known = session.known.clone().unwrap_or_default();
        let arguments = session.arguments;
        let tested = arguments.tested(&broker.name, &broker.version, Some(transport), known);
        let screen = Screen::new(session, &tested)?;
        let (ran, screen) = test(session, &broker, transport, screen).await?;
        session.finish(&tested, ran, screen, destination)
    })
}

/// What runs there, once it answers.
async fn reached(
    arguments: &Arguments,
    address: Address,
    stop: &AtomicBool,
) -> Result<Option<Broker>, Failure> {
    let trust = Trust::system().map_err(|error| Failure::Environment(error.to_string()))?;
    let patience = how(arguments, address.transport).timeout;
    let reaching = async {
        let serves = match (arguments.echo, arguments.only_websocket()) {
            (true, _) => Serves::Echo,
            (false, true) => Serves::Other,
            (false, false) => return Broker::at(address, trust, patience).await,
        };
        if serves == Serves::Other {
            // It may be a broker, of which more can be asked.
            let broker = Broker::at(address.clone(), trust.clone(), patience).await;
            if broker.is_ok() {
                return broker;
            }
        }
        Broker::websocket_at(address, trust, serves, patience).await
    };
    tokio::select! {
        biased;
        () = stopped(stop) => Ok(None),
        reached = reaching => match reached {
            Ok(broker) => Ok(Some(broker)),
            Err(why) => Err(Failure::Environment(why.to_string())),
        },
    }
}

/// Starts a broker, tests it, and stops it.
pub(super) fn started(
    session: &Session<'_>,
    target: &Target,
    destination: Destination,
) -> Result<Exit, Failure> {
    targets::runtime()?.block_on(async {
        let Some(broker) = start(session, target).await? else {
            return Ok(Exit::Interrupted);
        };
        let tested = tested(session, target, &broker)?;
        let transport = tested.transport.unwrap_or(Transport::Tcp);
        let screen = Screen::new(session, &tested)?;
        let tried = test(session, &broker, transport, screen).await;
        broker.stop().await;
        let (ran, screen) = tried?;
        session.finish(&tested, ran, screen, destination)
    })
}

/// A private instance of a broker; nothing if it was interrupted.
pub(super) async fn start(
    session: &Session<'_>,
    target: &Target,
) -> Result<Option<Broker>, Failure> {
    let options = StartOptions::default();
    let version = target.installed(&options.squall).await;
    let version =
        version.map_err(|why| Failure::Environment(format!("{} is {why}", target.title)))?;
    tokio::select! {
        biased;
        () = stopped(&session.stop) => Ok(None),
        started = Instance::start(target, &options) => match started {
            Ok(instance) => Ok(Some(Broker::started(instance, version))),
            Err(error) => Err(Failure::Environment(error.to_string())),
        },
    }
}

/// What is tested of a broker that was started.
pub(super) fn tested(
    session: &Session<'_>,
    target: &Target,
    broker: &Broker,
) -> Result<Tested, Failure> {
    let arguments = session.arguments;
    let transport = arguments
        .transport_of(target)
        .filter(|transport| broker.transports().contains(transport));
    let Some(transport) = transport else {
        let what = "does not listen there without a network of its own";
        return Err(Failure::Environment(format!("{} {what}", target.title)));
    };
    let known = match &session.known {
        Some(known) => known.clone(),
        None => broker.expected.clone(),
    };
    Ok(arguments.tested(&broker.name, &broker.version, Some(transport), known))
}

/// Runs the checks, and shows them as they end.
pub(super) async fn test<'a>(
    session: &Session<'_>,
    broker: &Broker,
    transport: Transport,
    screen: Screen<'a>,
) -> Result<(Run, Screen<'a>), Failure> {
    let screen = Mutex::new(screen);
    let unshown = Mutex::new(None);
    let mut progress = |case: &Case| {
        if let Err(failure) = screen.lock().ended(case) {
            unshown.lock().get_or_insert(failure);
            session.stop.store(true, Ordering::Relaxed);
        }
    };
    let ticking = async {
        loop {
            sleep(INTERVAL).await;
            screen.lock().tick();
        }
    };
    let how = how(session.arguments, transport);
    let stopped = stopped(&session.stop);
    let ran = tokio::select! {
        biased;
        ran = live(broker, &how, &session.selection, stopped, &mut progress) => ran,
        () = ticking => return Err(Failure::Environment("time has ended".to_owned())),
    };
    match unshown.into_inner() {
        Some(failure) => Err(failure),
        None => Ok((ran, screen.into_inner())),
    }
}

fn how(arguments: &Arguments, transport: Transport) -> Live {
    let mut how = Live::over(transport);
    if let Some(timeout) = arguments.timeout {
        how.timeout = timeout;
    }
    if let Some(jobs) = arguments.jobs {
        how.jobs = jobs.get();
    }
    how
}

/// Ready once the run is to end early.
pub(super) async fn stopped(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        sleep(INTERVAL).await;
    }
}
