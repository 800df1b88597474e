//! Brokers under test: mistakes in their files, and instances that leave nothing
//! behind.

mod diagnostics;
mod instances;
