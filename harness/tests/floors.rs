//! What the specifications give as the least, against what the tap has counted
//! of real clients and a real broker: MQTT's headers, acknowledgements and pings.

use rstest::rstest;
use squall::reports::{Layer, Report};
use squall::scenario::Scenario;
use squall::sim::{self, RunOptions};
use std::path::Path;

const TOPIC: &str = "floor/meter";
const PAYLOAD_BYTES: u64 = 40;

/// One meter that publishes once a minute, and pings in between; no weather.
fn run(version: &str, qos: u8) -> Report {
    let text = format!(
        r#"
title = "Floors"
duration = "10m"
[[site]]
name = "here"
link = {{ latency = "10ms" }}
[[fleet]]
name = "meter"
site = "here"
count = 1
mqtt = {{ version = "{version}", keep_alive = "25s" }}
publish = {{ topic = "{TOPIC}", every = "1m", qos = {qos}, payload = {{ kind = "fixed", bytes = {PAYLOAD_BYTES} }} }}
"#
    );
    let scenario = Scenario::parse(Path::new("floors.toml"), &text, &[])
        .unwrap_or_else(|error| panic!("{}", error.render(false, 100)));
    sim::run(&scenario, &RunOptions::seed(1)).expect("the run goes through")
}

/// Fixed header of two bytes, topic's length and topic, packet identifier unless
/// at QoS 0 [MQTT311-3.3.2]; in 5.0 also the length of no properties
/// [MQTT5-3.3.2.3.1]. Acknowledgements are four bytes, pings two. Nobody
/// subscribes here, and in 5.0 the broker says so: the first answer has a reason
/// code, a byte more.
#[rstest]
fn packets_of_mqtt_have_their_least_size(
    #[values("3.1.1", "5.0")] version: &str,
    #[values(0, 1, 2)] qos: u8,
) {
    let report = run(version, qos);
    let readings = report.arrived.total.published;
    assert!(readings >= 8, "{readings} readings");
    let (up, down) = (&report.bytes.up, &report.bytes.down);

    let identifier = if qos > 0 { 2 } else { 0 };
    let properties = if version == "5.0" { 1 } else { 0 };
    let header = 2 + 2 + TOPIC.len() as u64 + identifier + properties;
    assert_eq!(up[Layer::Mqtt], readings * header);
    assert_eq!(up[Layer::Payload], readings * PAYLOAD_BYTES);
    assert_eq!(down[Layer::Mqtt] + down[Layer::Payload], 0);

    let reason = properties;
    // PUBACK comes down; PUBREC and PUBCOMP do, and PUBREL goes up.
    let (acknowledged_up, acknowledged_down) = match qos {
        0 => (0, 0),
        1 => (0, 4 + reason),
        _ => (4, 4 + reason + 4),
    };
    assert_eq!(up[Layer::Acknowledgements], readings * acknowledged_up);
    assert_eq!(down[Layer::Acknowledgements], readings * acknowledged_down);

    // After each reading two pings at least: keep-alive is less than half of the
    // time to the next. Each is answered.
    let pings = up[Layer::KeepAlive] / 2;
    assert!(pings >= 2 * (readings - 1), "{pings} pings");
    assert_eq!(
        [up[Layer::KeepAlive], down[Layer::KeepAlive]],
        [2 * pings; 2]
    );
    assert_eq!(report.bytes.both(Layer::Other), 0);
}
