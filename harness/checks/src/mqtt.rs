//! The checks of MQTT 3.1.1 and 5.0, one file for each section; what both
//! versions ask for is written once.

pub(crate) mod acknowledgements;
pub(crate) mod connect;
pub(crate) mod ping;
pub(crate) mod publish;
pub(crate) mod publish_properties;
pub(crate) mod retain;
pub(crate) mod subscribe;
pub(crate) mod unsubscribe;
