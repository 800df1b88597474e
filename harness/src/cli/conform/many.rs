//! Every broker that is installed, each in turn, and then side by side.

use std::sync::atomic::Ordering;

use squall::conform::report;
use squall::targets::{Target, Transport};
use squall_reports::conformance::{Conformance, LeftOut, Matrix};

use super::super::exit::{Exit, Failure};
use super::super::targets;
use super::arguments::Format;
use super::destination::Destination;
use super::screen::{Screen, or_closed};
use super::{Session, exit, live};

pub(super) fn run(
    session: &Session<'_>,
    all: &[Target],
    destination: &Destination,
) -> Result<Exit, Failure> {
    let (mut brokers, mut left_out) = (Vec::new(), Vec::new());
    let mut unable = false;
    let runtime = targets::runtime()?;
    for target in all {
        if session.stop.load(Ordering::Relaxed) {
            break;
        }
        if session.arguments.transport_of(target).is_none() {
            session
                .output
                .note(&format!("{}: not over this transport", target.name));
            continue;
        }
        let squall = squall::targets::StartOptions::default().squall;
        let version = match runtime.block_on(target.installed(&squall)) {
            Ok(version) => version,
            Err(why) => {
                session.output.note(&format!("{}: {why}", target.name));
                continue;
            }
        };
        if let Some(why) = &target.left_out {
            session.output.note(&format!("{}: {why}", target.name));
            left_out.push(LeftOut {
                target: target.name.clone(),
                target_version: version,
                why: why.clone(),
            });
            continue;
        }
        match runtime.block_on(one(session, target)) {
            Ok(Some(run)) => brokers.push(run),
            Ok(None) => break,
            // One that does not start hides none of the others.
            Err(failure @ Failure::Environment(_)) => {
                session.output.failure(&failure);
                unable = true;
            }
            Err(failure) => return Err(failure),
        }
    }
    let matrix = Matrix::new(env!("CARGO_PKG_VERSION"), brokers, left_out);
    destination.matrix(&matrix)?;
    let output = session.output;
    let format = session.arguments.format;
    let text = format.matrix(&matrix, output.style(), Some(session.timing()));
    or_closed(output.print(&text))?;
    Ok(match exit(&matrix.brokers, false) {
        _ if session.stop.load(Ordering::Relaxed) => Exit::Interrupted,
        Exit::Held | Exit::Violated if unable => Exit::Environment,
        exit => exit,
    })
}

/// The run of one broker; nothing if it was interrupted before it began.
async fn one(session: &Session<'_>, target: &Target) -> Result<Option<Conformance>, Failure> {
    let Some(broker) = live::start(session, target).await? else {
        return Ok(None);
    };
    let tested = live::tested(session, target, &broker)?;
    let transport = tested.transport.unwrap_or(Transport::Tcp);
    let screen = Screen::new(session, &tested)?;
    let tried = live::test(session, &broker, transport, screen).await;
    broker.stop().await;
    let (ran, screen) = tried?;
    let run = report(&tested, &session.selection, ran);
    match session.arguments.format {
        Format::Terminal => {
            screen.result(&run, session.timing())?;
            or_closed(session.output.print("\n"))?;
        }
        _ => screen.close(),
    }
    Ok(Some(run))
}
