//! Any script of what clients, streams, time and disk do, to a broker.

#![no_main]

#[path = "../src/broker/mod.rs"]
mod broker;

libfuzzer_sys::fuzz_target!(|script: &[u8]| broker::check(script, Default::default()));
