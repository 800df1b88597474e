//! The reference broker at the other end of a pipe, on a clock that jumps to
//! whatever is next: what checks are tried on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use squall_broker::{Quirk, Quirks, Server as Broker};
use squall_checks::{BoxFuture, Fixtures, Selected, Server, Settings, Setup, Stream, all, run};
use squall_reports::conformance::{Case, Protocol};

/// Bytes that are under way in each direction at most.
const PIPE_BYTES: usize = 64 * 1024;

pub(crate) struct Pipe {
    broker: Broker,
    fixtures: Fixtures,
}

impl Server for Pipe {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        tokio::spawn(self.broker.serve(far));
        Box::pin(async move { Ok(Box::new(near) as Box<dyn Stream>) })
    }

    fn fixtures(&self) -> &Fixtures {
        &self.fixtures
    }
}

/// Every check in each of its protocols of MQTT.
pub(crate) fn everything() -> Vec<Selected> {
    let each = |check: &'static squall_checks::Check| {
        let protocols = check.protocols().into_iter();
        let protocols = protocols.filter(|protocol| *protocol != Protocol::WebSocket);
        protocols.map(move |protocol| Selected { check, protocol })
    };
    all().flat_map(each).collect()
}

/// Runs checks on a broker of its own.
pub(crate) fn try_checks(setup: Setup, quirk: Option<Quirk>, selection: &[Selected]) -> Vec<Case> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (mut config, fixtures) = setup.of_the_broker();
        config.quirks = Quirks::from_iter(quirk);
        let broker = Broker::new(config, None);
        let timers = broker.clone();
        tokio::spawn(async move { timers.run_timers().await });
        let settings = Settings {
            timeout: Duration::from_secs(5),
            quiet: Duration::from_secs(3600),
            jobs: 64,
            run: "t".to_owned(),
        };
        let server = Arc::new(Pipe { broker, fixtures });
        run(server, settings, selection, &mut |_| {}).await
    })
}
