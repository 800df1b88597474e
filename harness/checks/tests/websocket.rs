//! The honest broker and the honest hub pass every check of WebSocket, and each
//! check is seen to fail on one of them with a quirk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use squall_broker::{
    Config, Hub, HubConfig, MqttWebSocket, Quirk, Quirks, Server as Broker, Upgrade,
};
use squall_checks::websocket::{Serves, WebSocketEndpoint};
use squall_checks::{BoxFuture, Fixtures, Selected, Server, Settings, Stream, all, run};
use squall_reports::conformance::{Case, Conclusion, Protocol};

/// Bytes that are under way in each direction at most.
const PIPE_BYTES: usize = 256 * 1024;

/// What takes TLS, or a stream that can be reset: there is neither here.
const LIVE: [&str; 2] = ["wss-tls-comes-first", "ws-stream-ends-in-order"];

/// Of the other checks, this many in a hundred still pass under a quirk.
const STILL_PASS_PERCENT: usize = 90;

/// Both servers, and the endpoint of one of them.
struct Pipe {
    broker: Broker,
    hub: Hub,
    upgrade: Upgrade,
    endpoint: WebSocketEndpoint,
    fixtures: Fixtures,
}

impl Pipe {
    fn new(serves: Serves, quirk: Option<Quirk>) -> Self {
        let quirks = Quirks::from_iter(quirk);
        let origins = Some(vec!["https://dashboard.example".to_owned()]);
        let broker = Broker::new(Config::default(), None);
        let timers = broker.clone();
        tokio::spawn(async move { timers.run_timers().await });
        let upgrade = Upgrade {
            origins: origins.clone(),
            // So that what is too long is so in either.
            message_bytes: 1 << 20,
            quirks,
            ..Upgrade::default()
        };
        let mut config = HubConfig {
            origins,
            quirks,
            ..HubConfig::default()
        };
        config.limits.message_bytes = 1 << 20;
        let path = match serves {
            Serves::Mqtt => "/mqtt",
            Serves::Echo => "/echo",
            Serves::Other => "/groups/valley",
        };
        Self {
            broker,
            hub: Hub::new(config),
            upgrade,
            endpoint: WebSocketEndpoint {
                unserved_path: Some("/nothing".to_owned()),
                foreign_origin: Some("https://elsewhere.example".to_owned()),
                ..WebSocketEndpoint::new("server.example", path, serves)
            },
            fixtures: Fixtures::default(),
        }
    }
}

impl Server for Pipe {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        tokio::spawn(self.broker.serve(far));
        Box::pin(async move { Ok(Box::new(near) as Box<dyn Stream>) })
    }

    fn websocket(&self) -> Option<&WebSocketEndpoint> {
        Some(&self.endpoint)
    }

    fn dial_websocket(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        if self.endpoint.serves == Serves::Mqtt {
            let (broker, upgrade) = (self.broker.clone(), self.upgrade.clone());
            tokio::spawn(async move {
                if let Ok(stream) = MqttWebSocket::accept(far, &upgrade).await {
                    broker.serve(stream).await;
                }
            });
        } else {
            let hub = self.hub.clone();
            tokio::spawn(async move {
                if let Ok(connection) = hub.accept(far).await {
                    connection.serve().await;
                }
            });
        }
        Box::pin(async move { Ok(Box::new(near) as Box<dyn Stream>) })
    }

    fn fixtures(&self) -> &Fixtures {
        &self.fixtures
    }
}

fn try_checks(serves: Serves, quirk: Option<Quirk>) -> Vec<Case> {
    let protocol = Protocol::WebSocket;
    let selection: Vec<_> = all()
        .filter(|check| check.protocols().contains(&protocol))
        .map(|check| Selected { check, protocol })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let settings = Settings {
            timeout: Duration::from_secs(5),
            quiet: Duration::from_secs(3600),
            jobs: 64,
            run: "t".to_owned(),
        };
        let server = Arc::new(Pipe::new(serves, quirk));
        run(server, settings, &selection, &mut |_| {}).await
    })
}

#[test]
fn the_honest_servers_pass_every_check() {
    let mut checks: BTreeMap<String, usize> = BTreeMap::new();
    let mut failed = Vec::new();
    for serves in [Serves::Mqtt, Serves::Echo, Serves::Other] {
        for case in try_checks(serves, None) {
            let passed = checks.entry(case.check.clone()).or_default();
            match &case.verdict {
                Conclusion::Pass => *passed += 1,
                Conclusion::Skip { .. } => {}
                verdict => failed.push(format!(
                    "{} ({serves:?}): {verdict:#?}\n{:#?}",
                    case.check,
                    case.transcript.iter().rev().take(8).collect::<Vec<_>>()
                )),
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    checks.retain(|check, passed| *passed == 0 && !LIVE.contains(&check.as_str()));
    assert!(checks.is_empty(), "never run: {checks:?}");
}

/// Prints the table: run with `--nocapture` to read it.
#[test]
#[expect(clippy::print_stdout, reason = "the table is what it is read for")]
fn every_check_is_killed_by_a_quirk() {
    let quirks = Quirk::ALL.iter().copied();
    let quirks = quirks.filter(|quirk| quirk.name().starts_with("ws"));
    let mut killers: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let (mut coarse, mut harmless) = (Vec::new(), Vec::new());
    for quirk in quirks {
        let mut kills = 0;
        for serves in [Serves::Mqtt, Serves::Echo] {
            let cases = try_checks(serves, Some(quirk));
            let (killed, others): (Vec<_>, Vec<_>) =
                cases.iter().partition(|case| is_killed(case, quirk));
            let bystanders: Vec<_> = others
                .iter()
                .filter(|case| {
                    let verdict = &case.verdict;
                    matches!(verdict, Conclusion::Fail { .. } | Conclusion::Error { .. })
                })
                .map(|case| case.check.as_str())
                .collect();
            if bystanders.len() * 100 > others.len() * (100 - STILL_PASS_PERCENT) {
                coarse.push(format!("{quirk} {serves:?}: {}", bystanders.join(", ")));
                continue;
            }
            kills += killed.len();
            for case in killed {
                killers
                    .entry(case.check.clone())
                    .or_default()
                    .insert(quirk.name());
            }
        }
        if kills == 0 {
            harmless.push(quirk);
        }
    }
    for (check, by) in &killers {
        let by: Vec<_> = by.iter().copied().collect();
        println!("{check:32} {}", by.join(", "));
    }
    let survivors: Vec<_> = all()
        .filter(|check| check.protocols().contains(&Protocol::WebSocket))
        .map(|check| check.name)
        .filter(|check| !killers.contains_key(*check) && !LIVE.contains(check))
        .collect();
    println!("harmless here: {harmless:?}\ntoo much: {coarse:#?}");
    assert!(survivors.is_empty(), "no quirk fails: {survivors:?}");
}

/// A departure from a SHOULD is found by a verdict that says so.
fn is_killed(case: &Case, quirk: Quirk) -> bool {
    let named = match &case.verdict {
        Conclusion::Fail { broken, .. } => broken,
        Conclusion::NonStrict { .. } => &case.statements,
        _ => return false,
    };
    named
        .iter()
        .any(|statement| quirk.statements().contains(&statement.as_str()))
}
