//! Weather: what strikes a run, and when.
//!
//! [`plan()`] draws every occurrence of a scenario's faults from the seed before
//! the run. What strikes links and sites is then known to the access links,
//! which ask their [`LinkWeather`] about each packet: a fault begins and ends
//! at its nanosecond, whatever the tick. turmoil's own partition and hold act
//! on datagrams of many packets and from tick to tick, so they are not used.
//!
//! A kind of fault is a variant of [`FaultKind`](crate::scenario::FaultKind)
//! and a file here, which says what it does to a packet, a device or a server.

mod battery_death;
mod blackhole;
mod burst_loss;
mod clock_drift;
mod devices;
mod disconnect;
mod drop;
mod duplication;
mod effect;
mod latency;
mod links;
mod log;
mod loss;
mod nat_rebinding;
mod partition;
mod plan;
mod power_cut;
mod rate;
mod reconnect_storm;
mod reordering;
mod reset;
mod server_crash;
mod server_pause;
mod servers;
mod sleep_in_handshake;
mod strikes;
mod surgery;
mod vanish;

pub(crate) use links::{Crossing, LinkWeather};
pub(crate) use log::FaultLog;
pub(crate) use plan::{Occurrence, Struck, plan};
pub(crate) use servers::{Action, server_actions};
pub(crate) use strikes::strikes;
pub(crate) use surgery::{OneWay, Sent, Surgeon};

#[cfg(test)]
pub(crate) mod tests {
    use crate::scenario::Scenario;
    use std::path::Path;

    const SCENARIO: &str = r#"
title = "Weather"
duration = "20m"
[[site]]
name = "valley"
link = { latency = "20ms" }
[[site]]
name = "office"
link = { latency = "10ms" }
[[fleet]]
name = "thermometer"
site = "valley"
count = 10
publish = { topic = "t/{device}", every = "1m", qos = 1 }
[[fleet]]
name = "meter"
site = "valley"
count = 3
publish = { topic = "m/{device}", every = "1m", qos = 1 }
[[fleet]]
name = "recorder"
site = "office"
count = 1
subscribe = [{ filter = "t/+", qos = 1 }]
"#;

    /// Thermometers 0 to 9 and meters 10 to 12 in the valley, a recorder in the
    /// office, for 20 minutes; and these faults.
    pub(crate) fn scenario(faults: &str) -> Scenario {
        scenario_with(faults, &[])
    }

    /// The same, with changes as of `--set`.
    pub(crate) fn scenario_with(faults: &str, changes: &[String]) -> Scenario {
        let text = format!("{SCENARIO}{faults}\n");
        Scenario::parse(Path::new("weather.toml"), &text, changes)
            .unwrap_or_else(|error| panic!("{}", error.render(false, 100)))
    }
}
