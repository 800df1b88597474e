//! The `squall` command: one file for each verb.

mod compare;
mod conform;
mod coverage;
mod demo;
mod diff;
mod exit;
mod explain;
mod files;
mod list;
mod new;
mod output;
mod password;
mod plan;
mod progress;
mod publish;
mod quirks;
mod run;
mod schema;
mod seeds;
mod serve;
mod targets;
mod trace;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use exit::{Exit, Failure};
use output::Output;

/// Weather for MQTT: simulates fleets of sensors behind bad networks, and says
/// what arrived and what it cost.
#[derive(Debug, Parser)]
#[command(
    name = "squall",
    version,
    max_term_width = 100,
    after_help = exit::HELP,
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run scenarios, and report on each.
    Run(run::Arguments),
    /// Run a scenario over several protocols, and report what each costs.
    Compare(compare::Arguments),
    /// Tell what has changed from one JSON report to another, and what is worse.
    Diff(diff::Arguments),
    /// Put the statements of the specifications to a broker.
    Conform(conform::Arguments),
    /// Tell what a statement asks for, and all that is known of it.
    Explain(explain::Arguments),
    /// List every statement with the checks that decide it.
    Coverage(coverage::Arguments),
    /// Serve the reference broker on TCP, TLS and WebSocket.
    Serve(serve::Arguments),
    /// Touch a scenario: a page for the browser, with devices and a broker behind it.
    Demo(demo::Arguments),
    /// Measure anew what the project publishes about protocols.
    Publish(publish::Arguments),
    /// List the brokers that can be tested here, or start one of them.
    Targets(targets::Arguments),
    /// List what the broker can be made to do wrong, with the statement it breaks.
    Quirks,
    /// Hash a password, for the users of a broker.
    #[command(after_help = password::EXAMPLE)]
    Password(password::Arguments),
    /// List the scenarios of a directory.
    List(list::Arguments),
    /// Print the JSON Schema of the scenario language, for editors.
    Schema,
    /// Print one message's life, from a trace.
    Trace(trace::Arguments),
    /// Write a commented scenario to start from.
    New(new::Arguments),
}

/// Does what the command line says.
pub(crate) fn main() -> ExitCode {
    let exit = match Arguments::try_parse() {
        Ok(arguments) => {
            log_to_stderr(&arguments.verb);
            dispatch(arguments.verb)
        }
        Err(error) => {
            // Help and version are no mistakes, and go to stdout; clap knows.
            let asked_for = error.exit_code() == 0;
            match error.print() {
                _ if !asked_for => Exit::Usage,
                Ok(()) => Exit::Held,
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Held,
                Err(_) => Exit::Environment,
            }
        }
    };
    exit.into()
}

fn dispatch(verb: Verb) -> Exit {
    let mut output = Output::new();
    let result = match verb {
        Verb::Run(arguments) => run::run(&arguments, &mut output),
        Verb::Compare(arguments) => compare::run(&arguments, &mut output),
        Verb::Diff(arguments) => diff::run(&arguments, &output),
        Verb::Conform(arguments) => conform::run(&arguments, &mut output),
        Verb::Explain(arguments) => explain::run(&arguments, &output),
        Verb::Coverage(arguments) => coverage::run(&arguments, &output),
        Verb::Serve(arguments) => serve::run(&arguments, &output),
        Verb::Demo(arguments) => demo::run(&arguments, &output),
        Verb::Publish(arguments) => publish::run(&arguments, &mut output),
        Verb::Targets(arguments) => targets::run(&arguments, &output),
        Verb::Quirks => quirks::run(&output),
        Verb::Password(arguments) => password::run(&arguments, &output),
        Verb::List(arguments) => list::run(&arguments, &mut output),
        Verb::Schema => schema::run(&mut output),
        Verb::Trace(arguments) => trace::run(&arguments, &mut output),
        Verb::New(arguments) => new::run(&arguments, &mut output),
    };
    match result {
        Ok(exit) => exit,
        Err(Failure::PipeClosed) => Exit::Held,
        Err(failure) => {
            output.failure(&failure);
            failure.exit()
        }
    }
}

/// What the libraries log, if `SQUALL_LOG` asks for it, such as
/// `SQUALL_LOG=squall=debug`. A server says what its clients do wrong, and when,
/// without being asked.
fn log_to_stderr(verb: &Verb) {
    use tracing_subscriber::EnvFilter;

    let serves = matches!(verb, Verb::Serve(_) | Verb::Demo(_));
    let filter = match EnvFilter::try_from_env("SQUALL_LOG") {
        Ok(filter) => filter,
        Err(_) if serves => EnvFilter::new("warn"),
        Err(_) => return,
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && output::color_wanted());
    // Fails only if there is a subscriber already, and there is none before.
    let _ = if serves {
        lines.try_init()
    } else {
        lines.without_time().try_init()
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
