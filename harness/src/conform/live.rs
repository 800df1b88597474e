//! The checks against a broker on real sockets, by the wall's clock.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use parking_lot::Mutex;
use squall_broker::wire::Version;
use squall_checks::{Progress, Selected, Settings};
use squall_reports::conformance::{Case, Conclusion, Protocol};
use tokio::time::Instant;

use super::broker::Broker;
use super::{Run, in_order};
use crate::targets::{Address, Transport};

/// How a broker on real sockets is tested.
#[derive(Clone, Debug)]
pub struct Live {
    /// What carries MQTT.
    pub transport: Transport,
    /// How long an answer may take.
    pub timeout: Duration,
    /// For how long nothing has to happen for it to be believed that nothing
    /// will.
    pub quiet: Duration,
    /// Checks that run at once.
    pub jobs: usize,
}

impl Live {
    /// Over this transport, as patient as a broker on the same machine needs.
    #[must_use]
    pub fn over(transport: Transport) -> Self {
        Self {
            transport,
            timeout: Duration::from_secs(5),
            quiet: Duration::from_secs(3),
            jobs: 32,
        }
    }
}

/// Runs checks against a broker on real sockets, over one transport. `progress`
/// hears of each case that has ended. Once `interrupted` is ready, no more is
/// done.
///
/// Whatever the broker does is in the cases. A check in a version that it does
/// not speak there is skipped, and so are the checks of WebSocket over another
/// transport.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use squall::conform::{Broker, Live, every_check, live};
/// use squall::targets::{Instance, StartOptions, Target, Transport};
///
/// let target = Target::load("mosquitto")?;
/// let options = StartOptions::default();
/// let version = target.installed(&options.squall).await?;
/// let broker = Broker::started(Instance::start(&target, &options).await?, version);
/// let how = Live::over(Transport::Tcp);
/// let never = std::future::pending();
/// let run = live(&broker, &how, &every_check(), never, &mut |_| {}).await;
/// broker.stop().await;
/// println!("{} checks in {:?}", run.cases.len(), run.took);
/// # Ok(()) }
/// ```
pub async fn live(
    broker: &Broker,
    how: &Live,
    selection: &[Selected],
    interrupted: impl Future<Output = ()>,
    progress: Progress<'_>,
) -> Run {
    let began = Instant::now();
    let ended = Mutex::new(Vec::new());
    let running = async {
        let mut cases: Vec<(usize, Case)> = Vec::with_capacity(selection.len());
        let mut report = |case: &Case| {
            ended.lock().push(case.clone());
            progress(case);
        };
        for (address, chosen) in by_address(broker, how.transport, selection) {
            let some: Vec<_> = chosen.iter().map(|index| selection[*index]).collect();
            let run = match address {
                Some(address) => {
                    let server = broker.server(address);
                    let settings = settings(how, broker);
                    squall_checks::run(server, settings, &some, &mut report).await
                }
                None => some
                    .iter()
                    .map(|selected| unspoken(selected, how.transport))
                    .inspect(&mut report)
                    .collect(),
            };
            cases.extend(chosen.into_iter().zip(run));
        }
        cases.sort_by_key(|(index, _)| *index);
        cases.into_iter().map(|(_, case)| case).collect()
    };
    let finished: Option<Vec<Case>> = tokio::select! {
        biased;
        () = interrupted => None,
        cases = running => Some(cases),
    };
    Run {
        partial: finished.is_none(),
        cases: finished.unwrap_or_else(|| in_order(ended.into_inner(), selection)),
        took: began.elapsed(),
    }
}

/// Which of the selection run at which address: some brokers have a port for
/// each version.
fn by_address<'a>(
    broker: &'a Broker,
    transport: Transport,
    selection: &[Selected],
) -> Vec<(Option<&'a Address>, Vec<usize>)> {
    let mut addresses: Vec<(Option<&Address>, Vec<usize>)> = Vec::new();
    for (index, selected) in selection.iter().enumerate() {
        let address = match selected.protocol {
            Protocol::Mqtt311 => broker.address(transport, Version::V3_1_1),
            Protocol::Mqtt5 => broker.address(transport, Version::V5),
            Protocol::WebSocket => broker.websocket(transport),
        };
        match addresses.iter_mut().find(|(known, _)| *known == address) {
            Some((_, chosen)) => chosen.push(index),
            None => addresses.push((address, vec![index])),
        }
    }
    addresses
}

fn settings(how: &Live, broker: &Broker) -> Settings {
    Settings {
        timeout: how.timeout,
        quiet: how.quiet,
        jobs: how.jobs,
        // Alone at a broker, a run shows the same packets each time.
        run: match broker.next_run() {
            Some(number) => format!("r{number:03}"),
            None => run_name(),
        },
    }
}

/// Four letters or digits that no other run has: its clients and topics are its
/// own, also at a broker where others are tested.
fn run_name() -> String {
    let mut number = RandomState::new().hash_one(std::process::id());
    let mut letter = || {
        let letter = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
        number /= 36;
        char::from(letter)
    };
    [letter(), letter(), letter(), letter()].iter().collect()
}

/// A check in a version that is not spoken there.
fn unspoken(selected: &Selected, transport: Transport) -> Case {
    let title = selected.protocol.title();
    selected.without_run(Conclusion::Skip {
        lacks: format!("{title} over {transport}"),
    })
}
