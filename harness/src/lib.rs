//! Squall: weather for MQTT.
//!
//! The library behind the `squall` command, for tests of your own:
//! [`scenario`] reads or builds a story, [`sim::run`] runs it with a seed, and
//! what it found is a [`reports::Report`]. [`testing`] makes test cases of them,
//! and shows how.

pub mod claims;
pub mod compare;
pub mod conform;
pub mod demo;
mod faults;
pub mod invariants;
mod metrics;
pub mod net;
mod random;
pub mod scenario;
pub mod serve;
pub mod shell;
pub mod sim;
pub mod targets;
pub mod testing;
pub mod trace;

pub use squall_reports as reports;
