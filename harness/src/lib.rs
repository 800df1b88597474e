//! Squall: weather for MQTT.

mod metrics;
pub mod net;
mod random;
pub mod scenario;
pub mod sim;
pub mod trace;
