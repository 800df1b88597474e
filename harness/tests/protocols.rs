//! What the same fleet does by each protocol that it may speak.

use rstest::rstest;
use squall::scenario::Scenario;
use squall::sim::{self, RunOptions};
use std::path::Path;

/// A sensor with a few large readings, and who listens to it.
const LARGE_READINGS: &str = r#"
title = "Pictures"
duration = "2m"
drain = "30s"
[[site]]
name = "field"
link = { latency = "10ms" }
[[fleet]]
name = "listener"
site = "field"
count = 1
start = { after = "0s", spread = "0s" }
subscribe = [{ filter = "field/#" }]
[[fleet]]
name = "camera"
site = "field"
count = 1
start = { after = "5s", spread = "0s" }
publish = { topic = "field/{device}/picture", every = "20s", readings = 3, payload = { kind = "fixed", bytes = 1_500_000 } }
"#;

/// No server and no device is too small for what the scenario has published.
#[rstest]
#[case("mqtt", &[])]
#[case("mqtt-ws", &[])]
#[case("websocket", &[])]
#[case("websocket", &["fleet.*.websocket={ acknowledged = true }"])]
#[case("http", &["fleet.*.http={ poll = \"2s\" }"])]
fn readings_of_any_size_arrive(#[case] protocol: &str, #[case] settings: &[&str]) {
    let mut overrides: Vec<_> = settings.iter().map(|&set| set.to_owned()).collect();
    overrides.push(format!("protocol={protocol}"));
    let scenario = Scenario::parse(Path::new("pictures.toml"), LARGE_READINGS, &overrides)
        .unwrap_or_else(|error| panic!("{}", error.render(false, 100)));
    let report = sim::run(&scenario, &RunOptions::default()).expect("the run goes through");
    let total = &report.arrived.total;
    assert_eq!((total.published, total.delivered), (3, 3), "{total:?}");
}
