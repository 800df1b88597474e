//! Squall: weather for MQTT.

pub mod scenario;
