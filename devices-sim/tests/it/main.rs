//! Fleets against the reference broker, and the sensor hub, over in-memory streams, in virtual time.

mod determinism;
mod http;
mod lifecycles;
mod offline;
mod sessions;
mod strikes;
mod subscriptions;
mod support;
mod v5;
mod websocket;
