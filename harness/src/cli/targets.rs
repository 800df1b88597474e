//! `squall targets`: the brokers that can be started here; and one of them,
//! started.

use squall::targets::{Instance, StartError, StartOptions, Target, in_private_network};
use squall_broker::wire::Version;
use squall_reports::figures;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::serve::listen_for_interrupts;

const EXAMPLES: &str = "\
Examples:
  squall targets                          what is installed, in which version
  squall targets --start mosquitto        a private instance, until Ctrl-C
  squall targets --start ./broker.toml    a target of your own

SQUALL_BROKERS is a directory of brokers that are not on PATH, /opt/brokers unless set; .ci/brokers
installs all of them there.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Start this one with ports and a directory of its own, and print where it listens.
    #[arg(long, value_name = "NAME|FILE")]
    start: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    match &arguments.start {
        None => list(output),
        Some(name) => start(&Target::load(name)?, output),
    }
}

/// What each target is, and whether it is here.
fn list(output: &Output) -> Result<Exit, Failure> {
    let targets = Target::all()?;
    let squall = StartOptions::default().squall;
    let width = |text: fn(&Target) -> &str| {
        let widths = targets.iter().map(|target| text(target).len());
        widths.max().unwrap_or_default()
    };
    let name_width = width(|target| &target.name);
    runtime()?.block_on(async {
        for target in &targets {
            let (version, missing) = match target.installed(&squall).await {
                Ok(version) => (version, None),
                Err(why) => ("–".to_owned(), Some(why)),
            };
            let line = format!(
                "{:name_width$}  {version:9}  {:11}  {}",
                target.name,
                versions(&target.versions()),
                transports(target),
            );
            output.print(&format!("{}\n", line.trim_end()))?;
            if let Some(why) = missing {
                output.print(&format!("{:name_width$}  {why}\n", ""))?;
            }
        }
        Ok(Exit::Held)
    })
}

/// Runs one until it is to stop.
fn start(target: &Target, output: &Output) -> Result<Exit, Failure> {
    private_network(target, output);
    let stop = listen_for_interrupts()?;
    runtime()?.block_on(async {
        let options = StartOptions::default();
        let version = target.installed(&options.squall).await;
        let version = version.map_err(|why| Failure::Environment(why.to_string()))?;
        let starting = Instance::start(target, &options);
        let started = tokio::select! {
            biased;
            () = stop.notified() => return Ok(Exit::Interrupted),
            started = starting => started,
        };
        let mut instance = started.map_err(|error| refusal(&error))?;
        output.note(&format!("{} {version}", target.title));
        for (address, spoken) in instance.addresses() {
            output.print(&format!("{address}  MQTT {}\n", versions(&spoken)))?;
        }
        loop {
            tokio::select! {
                biased;
                () = stop.notified() => break,
                () = tokio::time::sleep(std::time::Duration::from_millis(200)) => {}
            }
            if !instance.is_alive() {
                let log = instance.log_tail(12);
                let what = format!("{} has ended by itself\n{log}", target.title);
                return Err(Failure::Environment(what));
            }
        }
        instance.stop().await;
        output.note("stopped; nothing is left of it");
        Ok(Exit::Held)
    })
}

/// Goes on in a network of our own, if the target wants one. Where that cannot
/// be had, it does without the listeners that want it.
pub(super) fn private_network(target: &Target, output: &Output) {
    if !target.wants_private_network() || in_private_network() {
        return;
    }
    let squall = StartOptions::default().squall;
    let arguments = std::env::args_os().skip(1);
    let error = squall::targets::enter_private_network(&squall, arguments);
    let lost = figures::counted(
        target
            .listeners
            .iter()
            .filter(|one| one.private_network)
            .count() as u64,
        "listener",
    );
    output.note(&format!("{error}; {lost} of {} left out", target.title));
}

fn refusal(error: &StartError) -> Failure {
    Failure::Environment(error.to_string())
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Environment(format!("cannot start threads: {error}")))
}

fn versions(versions: &[Version]) -> String {
    let name = |version: &Version| match version.level() {
        4 => "3.1.1",
        _ => "5.0",
    };
    versions.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn transports(target: &Target) -> String {
    let transports = target.transports();
    let names: Vec<_> = transports.iter().map(|one| one.name()).collect();
    names.join(", ")
}
