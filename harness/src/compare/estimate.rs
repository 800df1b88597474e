//! How long a run will take on the wall clock, so that a grid that nobody can
//! wait for is refused before it begins.
//!
//! The figures are those of an optimised build on an ordinary machine, from what
//! was measured of the simulator; they are right to a factor of three or so.

use std::time::Duration;

use crate::scenario::{Scenario, memory};

/// A grid may take this long on the wall clock.
pub const TIME_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// To publish a reading and have it acknowledged, both ends included.
const A_READING: Duration = Duration::from_micros(60);

/// To deliver it to one subscriber.
const A_DELIVERY: Duration = Duration::from_micros(40);

/// To open and close a connection.
const A_CONNECTION: Duration = Duration::from_micros(250);

/// To move one host of the world one tick on.
const A_TICK: Duration = Duration::from_nanos(1_200);

/// About how long a run of a scenario takes on the wall clock.
#[must_use]
pub fn wall_time(scenario: &Scenario) -> Duration {
    let times = |cost: Duration, number: u64| {
        let nanoseconds = cost.as_nanos().saturating_mul(number.into());
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    };
    let (readings, deliveries) = memory::readings_and_deliveries(scenario);
    let ticks = scenario.duration.as_nanos() / scenario.network.tick.as_nanos().max(1);
    let ticks = u64::try_from(ticks).unwrap_or(u64::MAX);
    let hosts = scenario.sites.len() as u64 + 1;
    times(A_READING, readings)
        .saturating_add(times(A_DELIVERY, deliveries))
        .saturating_add(times(A_CONNECTION, memory::connections(scenario)))
        .saturating_add(times(A_TICK, ticks.saturating_mul(hosts)))
}
