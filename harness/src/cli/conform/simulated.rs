//! The reference broker in the simulator, on a thread of its own.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use squall::conform::{Run, Simulated, Watch, simulated_in_every_setup};
use squall_reports::conformance::Case;

use super::super::exit::{Exit, Failure};
use super::super::progress::INTERVAL;
use super::super::run::guarded;
use super::Session;
use super::destination::Destination;
use super::screen::Screen;

/// What a run tells.
enum Told {
    /// A case has ended.
    Case(Box<Case>),
    /// It is over.
    End(Result<Run, String>),
}

pub(super) fn run(session: &Session<'_>, destination: Destination) -> Result<Exit, Failure> {
    let known = session.known.clone().unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let tested = session.arguments.tested("sim", version, None, known);
    let mut screen = Screen::new(session, &tested)?;
    let ran = simulate(session, &destination, &mut screen)?;
    session.finish(&tested, ran, screen, destination)
}

fn simulate(
    session: &Session<'_>,
    destination: &Destination,
    screen: &mut Screen<'_>,
) -> Result<Run, Failure> {
    let pcap = destination.pcap.as_ref();
    let how = Simulated {
        pcap: pcap.map(|staged| staged.path().to_owned()),
        ..session.arguments.simulated()
    };
    let outputs: Vec<_> = pcap.into_iter().collect();
    let (tell, told) = mpsc::channel();
    let teller = tell.clone();
    let watch = Watch {
        stop: Arc::clone(&session.stop),
        ended: Arc::new(move |case| {
            // Whoever listens is below, and does not leave before the end.
            let _ = teller.send(Told::Case(Box::new(case.clone())));
        }),
    };
    thread::scope(|scope| {
        scope.spawn(move || {
            let selection = &session.selection;
            let ran = guarded(&outputs, || {
                simulated_in_every_setup(&how, selection, &watch)
            });
            let _ = tell.send(Told::End(ran));
        });
        loop {
            match told.recv_timeout(INTERVAL) {
                Ok(Told::Case(case)) => screen.ended(&case)?,
                Ok(Told::End(ran)) => break ran.map_err(Failure::Environment),
                Err(RecvTimeoutError::Timeout) => screen.tick(),
                Err(RecvTimeoutError::Disconnected) => {
                    let what = "the run ended without a result".to_owned();
                    break Err(Failure::Environment(what));
                }
            }
        }
    })
}
