//! The REST server of a run, for fleets that speak HTTP.

use super::fleets::message_bytes_max;
use super::websockets::Serving;
use crate::net::Nanos;
use crate::scenario::Scenario;
use squall_broker::{HttpConfig, HttpLimits, HttpServer};
use squall_devices::Stream;

/// Nanoseconds in a microsecond.
const MICROSECOND: Nanos = 1_000;

/// How it is set up for the fleets of a scenario: with as much of everything as
/// they need.
pub(super) fn config(scenario: &Scenario) -> HttpConfig {
    let mut limits = HttpLimits::default();
    let devices = usize::try_from(scenario.device_count()).unwrap_or(usize::MAX);
    limits.connections = limits.connections.max(devices);
    limits.sensors = limits.sensors.max(devices);
    limits.reading_bytes = message_bytes_max(scenario);
    let readings = limits.reading_bytes.saturating_mul(devices);
    limits.readings_bytes = limits.readings_bytes.max(readings);
    HttpConfig {
        limits,
        ..HttpConfig::default()
    }
}

/// Who serves its clients. It is started at this time, and knows nothing yet.
pub(super) fn serve(
    config: &HttpConfig,
    started: Nanos,
) -> impl Fn(Box<dyn Stream>) -> Serving + Clone + use<> {
    let server = HttpServer::new(HttpConfig {
        first_position: started / MICROSECOND,
        ..config.clone()
    });
    move |stream: Box<dyn Stream>| -> Serving {
        let server = server.clone();
        Box::pin(async move { server.serve(stream).await })
    }
}
