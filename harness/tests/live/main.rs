//! The checks on real sockets: against brokers that are one, and against servers
//! that are none, or none for long.

mod bad_servers;
mod brokers;
mod dying_servers;
mod websocket;

use std::time::Duration;

use squall::conform::{Broker, Live, Run, every_check, live, websocket_checks};
use squall::targets::{Instance, StartOptions, Target, Transport};
use squall_reports::conformance::{Case, Conclusion};

/// Says something to whoever runs the tests.
#[expect(
    clippy::print_stderr,
    reason = "what was skipped or counted must be seen, and libtest has no other way"
)]
fn say(text: &str) {
    eprintln!("{text}");
}

/// Starts the broker of this target, unless it is not here.
async fn started(name: &str) -> Option<Broker> {
    let options = StartOptions {
        squall: env!("CARGO_BIN_EXE_squall").into(),
        ready_within: None,
    };
    let target = Target::load(name).expect("it is shipped");
    match target.installed(&options.squall).await {
        Err(why) => {
            say(&format!("skipped: {} is {why}", target.title));
            None
        }
        Ok(version) => match Instance::start(&target, &options).await {
            Ok(instance) => Some(Broker::started(instance, version)),
            Err(error) => panic!("{error}"),
        },
    }
}

/// Runs every check that there is over this transport.
async fn every(broker: &Broker, transport: Transport, timeout: Duration) -> Run {
    let mut selection = every_check();
    if transport.is_websocket() {
        selection.extend(websocket_checks());
    }
    let never = std::future::pending();
    let how = Live {
        timeout,
        ..Live::over(transport)
    };
    live(broker, &how, &selection, never, &mut |_| {}).await
}

/// A line for each of these cases.
fn lines<'a>(cases: impl IntoIterator<Item = &'a Case>) -> String {
    let line = |case: &Case| {
        let (check, protocol) = (&case.check, case.protocol.title());
        match &case.verdict {
            Conclusion::Fail {
                broken,
                expected,
                actual,
            } => format!("{check} in {protocol} {broken:?}: expected {expected}, got {actual}\n"),
            other => format!("{check} in {protocol}: {other:?}\n"),
        }
    };
    cases.into_iter().map(line).collect()
}
