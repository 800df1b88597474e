//! Conformance checks: each sends exact bytes to a broker, expects exact packets
//! back, and so decides statements of the specification.
//!
//! A check is an async function over a [`Bench`], which opens connections to a
//! [`Server`] and judges what comes back. It knows neither the network nor the
//! clock: the same function runs in the simulator, where an hour costs nothing,
//! and over real sockets. [`run`] runs many of them at once.
//!
//! This is a crate of its own so that a check can be written and tried in
//! seconds: its tests run the reference broker over a pipe, on a clock that
//! jumps.
//!
//! - `check`, `registry`: what a check is, and all there are
//! - [`catalogue`]: every statement of the specifications
//! - `bench`, `client`, `packets`: what a check is written with
//! - `finding`: what may come of it
//! - `capabilities`: what brokers may lack
//! - `server`, `setup`, `runner`: where checks run, and how
//! - `mqtt`, one file for each section of the specifications: the checks
//! - [`websocket`]: those of RFC 6455, and what they are written with
//!
//! To write one: an async function in the file of its section, a row in that
//! file's `CHECKS`, and a quirk of the reference broker that it catches
//! (`squall_broker::Quirk`), which `tests/kills.rs` asks for.
//!
//! ```
//! use squall_checks::{Bench, Outcome};
//!
//! /// A PINGREQ is answered. [MQTT311-3.12.4-1] [MQTT5-3.12.4-1]
//! async fn pingreq_is_answered(bench: Bench) -> Outcome {
//!     let mut client = bench.connect("client").await?;
//!     client.send_bytes(&[0xc0, 0x00]).await?;
//!     client.pingresp().await
//! }
//! ```

mod bench;
mod capabilities;
pub mod catalogue;
mod check;
mod client;
mod finding;
mod mqtt;
pub mod packets;
mod registry;
mod runner;
mod scram;
mod server;
mod setup;
mod transcript;
pub mod websocket;
mod words;

pub use bench::{Bench, Settings};
pub use capabilities::Capabilities;
pub use check::{Check, CheckRun, Task};
pub use client::{Arrival, Client};
pub use finding::{Finding, Outcome, ensure};
pub use registry::{all, find};
pub use runner::{Progress, Selected, run};
pub use server::{BoxFuture, Fixtures, Login, RestartError, Server, Stream};
pub use setup::Setup;
