//! `squall demo`: a scenario to be touched, in a browser.

use std::io;

use clap::Subcommand;
use squall::demo::{Light, LightError};

use super::exit::{Exit, Failure};
use super::output::Output;
use super::serve::{listen_for_interrupts, refusal};

const LIGHT_EXAMPLES: &str = "\
Examples:
  squall demo light                                     the page is http://127.0.0.1:8080/
  squall demo light --port 0                            any free port; the first line says which
  curl -X POST http://127.0.0.1:8080/dimmer/30          somebody turns the dimmer on the wall
  curl -X POST http://127.0.0.1:8080/motor/1/speed/100  for a motor that sleeps
  curl http://127.0.0.1:8080/readings/2020/april        what the recorder has of a month

The page's address goes to standard output, then where the broker listens, a line for each.
Ctrl-C or SIGTERM ends it; nothing is kept.";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    demo: Demo,
}

#[derive(Debug, Subcommand)]
enum Demo {
    /// A slider in the browser, lamps, a broker and Wi-Fi to be switched off.
    #[command(after_help = LIGHT_EXAMPLES)]
    Light(LightArguments),
}

#[derive(Debug, clap::Args)]
struct LightArguments {
    /// The page's port on 127.0.0.1; 0 for any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    match &arguments.demo {
        Demo::Light(arguments) => light(arguments, output),
    }
}

fn light(arguments: &LightArguments, output: &Output) -> Result<Exit, Failure> {
    let stop = listen_for_interrupts()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Environment(format!("cannot start threads: {error}")))?;
    runtime.block_on(async {
        let address = format!("127.0.0.1:{}", arguments.port);
        let light = Light::open(&address)
            .await
            .map_err(|error| no_house(&error))?;
        output.print(&format!("{}\n", light.page()))?;
        for url in light.brokers() {
            output.print(&format!("{url}\n"))?;
        }
        let lived = light.run(stop.notified()).await;
        lived.map_err(|error| no_house(&error))
    })?;
    // Whatever has not ended by now has had its time.
    runtime.shutdown_background();
    output.note("stopped");
    Ok(Exit::Held)
}

fn no_house(error: &LightError) -> Failure {
    match error {
        LightError::Page { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
            Failure::Environment(format!(
                "{error}; is another one running? `--port 0` takes one that is free"
            ))
        }
        LightError::Page { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            Failure::Environment(format!("{error}; ports below 1024 are not for everybody"))
        }
        LightError::Page { .. } | LightError::Room(_) => Failure::Environment(error.to_string()),
        LightError::Broker(error) => refusal(error),
    }
}
