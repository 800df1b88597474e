//! `squall explain`: what a statement asks for, and what is known of it.

use squall::conform::{Setup, Simulated, Watch, select, simulated_in_every_setup, statements_of};
use squall::targets::Target;
use squall_broker::Quirk;
use squall_checks::catalogue::{Observable, Statement};
use squall_reports::conformance::{Case, Protocol};
use squall_reports::terminal::{self, Explained, Named};

use super::exit::{Exit, Failure};
use super::output::Output;
use super::run::guarded;

const EXAMPLES: &str = "\
Examples:
  squall explain MQTT5-3.3.4-6
  squall explain MQTT-3.3.1-5       in both versions
  squall explain 3.12               every statement of a section";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A statement, a section, or a check whose statements are meant.
    #[arg(required = true, value_name = "WHICH")]
    which: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let mut statements: Vec<&'static Statement> = Vec::new();
    for which in &arguments.which {
        for statement in statements_of(which)? {
            if !statements.iter().any(|known| known.id == statement.id) {
                statements.push(statement);
            }
        }
    }
    let targets = Target::all()?;
    for (index, statement) in statements.into_iter().enumerate() {
        let explained = explained(statement, &targets)?;
        let text = terminal::render_explained(&explained, output.style());
        let gap = if index > 0 { "\n" } else { "" };
        output.print(&format!("{gap}{text}"))?;
    }
    Ok(Exit::Held)
}

fn explained(statement: &Statement, targets: &[Target]) -> Result<Explained, Failure> {
    let mut checks: Vec<_> = statement
        .checks()
        .map(|check| check.name.to_owned())
        .collect();
    checks.dedup();
    let breaks = |quirk: &&Quirk| quirk.statements().contains(&statement.id.as_str());
    let quirks = Quirk::ALL.iter().filter(breaks).map(|quirk| Named {
        name: quirk.name().to_owned(),
        text: format!("it {}", quirk.summary()),
    });
    let quirks: Vec<_> = quirks.collect();
    let cases = match statement.protocol() {
        // Some of its transcripts are long, and their frames are not in words.
        Protocol::WebSocket => Vec::new(),
        protocol => honest(statement, protocol)?,
    };
    Ok(Explained {
        statement: statement.told(),
        protocol: statement.protocol(),
        actor: statement.actor.clone(),
        observed: observed(statement.observable).to_owned(),
        probe: statement.probe.clone(),
        waived: statement.waiver().map(|waiver| waiver.reason.clone()),
        checks,
        quirks,
        brokers: brokers(statement, targets),
        cases,
    })
}

/// How the breach is seen.
fn observed(observable: Observable) -> &'static str {
    match observable {
        Observable::Packet => "by the bytes that come, or do not",
        Observable::Connection => "by a connection that is closed, or stays open",
        Observable::Timing => "by a clock",
        Observable::Restart => "by restarting the broker",
        Observable::None => "not by who speaks to a broker",
    }
}

/// What the checks that decide it send and receive when nothing is wrong.
fn honest(statement: &Statement, protocol: Protocol) -> Result<Vec<Case>, Failure> {
    if statement.checks().next().is_none() {
        return Ok(Vec::new());
    }
    let selection = select(&[protocol], std::slice::from_ref(&statement.id))?;
    let how = Simulated::new(Setup::Full);
    let ran = guarded(&[], || {
        simulated_in_every_setup(&how, &selection, &Watch::default())
    });
    Ok(ran.map_err(Failure::Environment)?.cases)
}

/// What is known of the brokers that come with Squall.
fn brokers(statement: &Statement, targets: &[Target]) -> Vec<Named> {
    let mut told = Vec::new();
    for target in targets {
        let mut lines = target.expected.iter();
        let line = lines.find(|line| line.statement.as_deref() == Some(statement.id.as_str()));
        if let Some(line) = line {
            let link = line.link.as_ref().map(|link| format!(" ({link})"));
            told.push(Named {
                name: target.name.clone(),
                text: format!("{}{}", line.reason, link.unwrap_or_default()),
            });
        }
    }
    told
}
