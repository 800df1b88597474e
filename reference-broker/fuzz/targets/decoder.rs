//! Any bytes, in any split, to the decoder of either version.

#![no_main]

#[path = "../src/decoder.rs"]
mod decoder;

libfuzzer_sys::fuzz_target!(|script: &[u8]| decoder::check(script));
