//! The checks of MQTT 3.1.1 and 5.0, one file for each section; what both
//! versions ask for is written once.

pub(crate) mod connect;
pub(crate) mod ping;
