//! Fleets against the reference broker over in-memory streams, in virtual time.

mod lifecycles;
mod sessions;
mod support;
