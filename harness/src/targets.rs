//! Brokers under test: where one is reached, and how one is started.

mod address;

pub use address::{Address, AddressError, Transport};
