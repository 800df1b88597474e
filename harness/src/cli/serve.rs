//! `squall serve`: the reference broker on real sockets, the hub and the REST
//! server.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use squall::serve::{Endpoint, Listening, ServeError, Settings, Transport};
use squall_broker::{Quirk, Quirks};
use squall_reports::figures;
use tokio::sync::Notify;

use super::exit::{Exit, Failure};
use super::output::Output;

const EXAMPLES: &str = "\
Examples:
  squall serve                                    TCP on 127.0.0.1:1883, WebSocket on 127.0.0.1:8083
  squall serve --tcp 127.0.0.1:0                  any free port; the first line says which
  squall serve --tcp [::]:1883 --ws 0.0.0.0:8083  for everybody who can reach this machine
  squall serve --wss 127.0.0.1:8084               with a certificate made at start
  squall serve --hub 127.0.0.1:9001               no MQTT: readings over plain WebSocket
  squall serve --http 127.0.0.1:8080              no MQTT: readings over HTTP
  squall serve --quirk keeps-cleared-retained     a broker with a defect; `squall quirks` lists them
  squall serve --data broker                      what it acknowledges survives a crash
  squall serve --config broker.toml               users, topics, limits, certificates

Where it listens goes to standard output, a line for each: mqtt://127.0.0.1:1883. Ctrl-C or
SIGTERM ends it in good order; a second one ends it at once.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Listen here for MQTT over TCP; HOST:PORT, port 0 for any that is free.
    #[arg(long, value_name = "ADDR")]
    tcp: Vec<String>,
    /// Listen here for MQTT over TLS.
    #[arg(long, value_name = "ADDR")]
    tls: Vec<String>,
    /// Listen here for MQTT over WebSocket.
    #[arg(long, value_name = "ADDR")]
    ws: Vec<String>,
    /// Listen here for MQTT over secure WebSocket.
    #[arg(long, value_name = "ADDR")]
    wss: Vec<String>,
    /// Listen here for readings over plain WebSocket, on the paths /sensors/GROUP/SENSOR,
    /// /groups/GROUP and /echo.
    #[arg(long, value_name = "ADDR")]
    hub: Vec<String>,
    /// Listen here for readings over HTTP, on the paths /sensor/GROUP.SENSOR and /sensors/GROUP.
    #[arg(long, value_name = "ADDR")]
    http: Vec<String>,
    /// Keep sessions and messages in this directory; without it, they are lost when it ends.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Settings: addresses, limits, certificates, users; addresses given here replace its own.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Misbehave in this way; `squall quirks` lists them.
    #[arg(
        long = "quirk",
        value_name = "NAME",
        value_parser = PossibleValuesParser::new(Quirk::ALL.iter().map(|quirk| quirk.name())).map(named),
        hide_possible_values = true
    )]
    quirks: Vec<Option<Quirk>>,
}

/// The quirk of one of the possible names.
fn named(name: String) -> Option<Quirk> {
    Quirk::from_name(&name)
}

impl Arguments {
    fn endpoints(&self) -> Vec<Endpoint> {
        let given = |transport, addresses: &[String]| {
            let endpoint = |address: &String| Endpoint::new(transport, address);
            addresses.iter().map(endpoint).collect::<Vec<_>>()
        };
        let mut endpoints = given(Transport::Tcp, &self.tcp);
        endpoints.extend(given(Transport::Tls, &self.tls));
        endpoints.extend(given(Transport::WebSocket, &self.ws));
        endpoints.extend(given(Transport::SecureWebSocket, &self.wss));
        endpoints
    }
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let mut settings = match &arguments.config {
        Some(path) => Settings::load(path)?,
        None => Settings::default(),
    };
    let endpoints = arguments.endpoints();
    if !(endpoints.is_empty() && arguments.hub.is_empty() && arguments.http.is_empty()) {
        settings.endpoints = endpoints;
        (settings.hubs, settings.http) = (arguments.hub.clone(), arguments.http.clone());
    }
    settings.data = arguments.data.clone().or(settings.data);
    let quirks = arguments.quirks.iter().copied().flatten();
    settings.broker.quirks = Quirks::from_iter(settings.broker.quirks.iter().chain(quirks));
    for quirk in settings.broker.quirks.iter() {
        output.note(&format!("{quirk}: it {}", quirk.summary()));
    }
    settings.sockets = settings.sockets.min(sockets_max());
    let made = settings.tls.is_none();
    let stop = listen_for_interrupts()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Environment(format!("cannot start threads: {error}")))?;
    let served = runtime.block_on(async {
        let listening = Listening::bind(settings)
            .await
            .map_err(|error| refusal(&error))?;
        for url in listening.urls() {
            output.print(&format!("{url}\n"))?;
        }
        if let (true, Some(tls)) = (made, listening.tls()) {
            let fingerprint = tls.fingerprint();
            output.note(&format!("certificate made at start, SHA-256 {fingerprint}"));
        }
        let served = listening.serve(stop.notified()).await;
        served.map_err(|error| refusal(&error))
    })?;
    // Whatever has not ended by now has had its time.
    runtime.shutdown_background();
    output.note(&format!(
        "stopped; {} served",
        figures::counted(served.connections, "connection")
    ));
    Ok(Exit::Held)
}

/// As many sockets as this process may have, with some descriptors left for the
/// rest. The soft limit is for programs that know no better (select(2)), and is
/// raised as far as it goes.
fn sockets_max() -> usize {
    const REST: u64 = 64;
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    usize::try_from(descriptors.saturating_sub(REST)).unwrap_or(usize::MAX)
}

/// Why nothing can be served, for a person.
pub(super) fn refusal(error: &ServeError) -> Failure {
    match error {
        ServeError::Listen {
            address, source, ..
        } => match source.kind() {
            std::io::ErrorKind::InvalidInput => Failure::usage(
                format!("`{address}` is not an address"),
                "write HOST:PORT, such as 127.0.0.1:1883 or [::1]:1883; port 0 takes one that is free",
            ),
            std::io::ErrorKind::AddrInUse => Failure::Environment(format!(
                "{error}; is another broker running? Port 0 takes one that is free"
            )),
            std::io::ErrorKind::PermissionDenied => {
                Failure::Environment(format!("{error}; ports below 1024 are not for everybody"))
            }
            _ => Failure::Environment(error.to_string()),
        },
        ServeError::Open(open) if open.is_in_use() => {
            Failure::Environment(format!("{error}; is another broker using it?"))
        }
        ServeError::Open(_)
        | ServeError::Store { .. }
        | ServeError::Entropy(_)
        | ServeError::Tls(_) => Failure::Environment(error.to_string()),
    }
}

/// Tells once, when the program is to stop in good order, and ends it at the
/// second time.
pub(super) fn listen_for_interrupts() -> Result<Arc<Notify>, Failure> {
    let stop = Arc::new(Notify::new());
    let (told, tell) = (AtomicBool::new(false), Arc::clone(&stop));
    ctrlc::set_handler(move || {
        if told.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted as i32);
        }
        tell.notify_one();
    })
    .map_err(|error| Failure::Environment(format!("cannot listen for Ctrl-C: {error}")))?;
    Ok(stop)
}
