//! What a run of Squall found, as data, and what a person or a program reads of it.
//!
//! [`Report`] is one run: a scenario and a seed. [`Summary`] is many of them, and
//! [`comparison::Comparison`] many of one scenario over several protocols.
//! All are plain data with public fields, filled by whoever ran the scenario;
//! nothing here does I/O, knows a clock, or speaks MQTT. Each renderer is a
//! function from the model to a `String`, and the same model always gives the
//! same text:
//!

mod bytes;
pub mod claims;
pub mod comparison;
pub mod conformance;
pub mod diff;
mod escape;
pub mod figures;
pub mod html;
pub mod json;
pub mod junit;
mod layout;
pub mod markdown;
mod model;
#[cfg(test)]
mod samples;
pub mod story;
mod style;
mod summary;
mod table;
pub mod terminal;
mod timeline;
mod words;

pub use bytes::{Bytes, BytesMismatch, Layer, LayerBytes};
pub use model::{
    Arrived, Connections, Counts, Expectation, FORMAT, FaultSpan, FirstReading, FleetBytes, Flow,
    Guarantee, Latency, LatencyBucket, LatencyOverTime, LatencyPoint, PacketCounts, RadioTime,
    Receiver, Report, Setting, SiteWeather, Verdict, Violation, Weather,
};
pub use style::Style;
pub use summary::{Check, CheckKind, Group, Outcome, Run, Summary};
