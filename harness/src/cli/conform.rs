//! `squall conform`: the statements of the specifications, put to a broker.

mod arguments;
mod destination;
mod live;
mod many;
mod screen;
mod simulated;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use squall::conform::{Run, Selected, Tested, known, report};
use squall_reports::conformance::{Conformance, Standing};
use squall_reports::terminal::Timing;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::run::{listen_for_interrupts, now};
use arguments::Subject;
use destination::Destination;
use screen::Screen;

pub(crate) use arguments::Arguments;

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    if arguments.quiet {
        output.silence_notes();
    }
    let subject = arguments.subject()?;
    let selection = arguments.selection(&subject)?;
    let known = arguments.known()?;
    let destination = Destination::new(arguments)?;
    for quirk in arguments.quirks() {
        output.note(&format!("{quirk}: it {}", quirk.summary()));
    }
    live::private_network(&subject, output);
    let stop = Arc::new(AtomicBool::new(false));
    listen_for_interrupts(&stop)?;
    let session = Session {
        arguments,
        selection,
        known,
        stop,
        began: now(),
        output,
    };
    match subject {
        Subject::Simulator => simulated::run(&session, destination),
        Subject::Url(address) => live::at(&session, address, destination),
        Subject::Target(target) => live::started(&session, &target, destination),
        Subject::All(targets) => many::run(&session, &targets, &destination),
    }
}

/// What every way to run the checks needs.
struct Session<'a> {
    arguments: &'a Arguments,
    selection: Vec<Selected>,
    /// The list of known failures that was given.
    known: Option<Vec<squall::targets::Expected>>,
    /// Set by Ctrl-C.
    stop: Arc<AtomicBool>,
    began: Instant,
    output: &'a Output,
}

impl Session<'_> {
    /// Shows and writes what came of a run.
    fn finish(
        &self,
        tested: &Tested,
        ran: Run,
        screen: Screen<'_>,
        destination: Destination,
    ) -> Result<Exit, Failure> {
        let gone = known::gone(&ran.cases, &tested.known, tested.transport);
        let run = report(tested, &self.selection, ran);
        screen.result(&run, self.timing())?;
        destination.finish(&run)?;
        let update = self.arguments.update_expect && !run.partial;
        if update {
            self.arguments.update_known(&gone, &run, self.output)?;
        }
        Ok(exit([&run], update))
    }

    fn timing(&self) -> Timing {
        let wall = self.began.elapsed();
        Timing { wall }
    }
}

/// The exit code that the worst of the runs deserves. News that were written
/// down are none.
fn exit<'a>(runs: impl IntoIterator<Item = &'a Conformance>, written_down: bool) -> Exit {
    let mut exit = Exit::Held;
    for run in runs {
        if run.partial {
            return Exit::Interrupted;
        } else if run.tally().count(Standing::Error) > 0 {
            exit = Exit::Environment;
        } else if !run.held() && !written_down && exit == Exit::Held {
            exit = Exit::Violated;
        }
    }
    exit
}
