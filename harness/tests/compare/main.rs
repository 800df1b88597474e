//! `squall compare` and `squall diff` as a person or a script meets them.

mod diff;
mod grid;
#[path = "../support/mod.rs"]
mod support;
