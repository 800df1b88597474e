//! The checks of MQTT 3.1.1 and 5.0, one file for each section; what both
//! versions ask for is written once.

pub(crate) mod acknowledgement_sizes;
pub(crate) mod acknowledgements;
pub(crate) mod client_id;
pub(crate) mod connack;
pub(crate) mod connect;
pub(crate) mod connect_fields;
pub(crate) mod disconnect;
pub(crate) mod durability;
pub(crate) mod errors;
pub(crate) mod flow;
pub(crate) mod format;
pub(crate) mod handshakes;
pub(crate) mod handshakes_sent;
pub(crate) mod hostile;
pub(crate) mod keep_alive;
pub(crate) mod limits;
pub(crate) mod ordering;
pub(crate) mod ping;
pub(crate) mod publish;
pub(crate) mod publish_actions;
pub(crate) mod publish_properties;
pub(crate) mod qos;
pub(crate) mod qos_received;
pub(crate) mod receipt;
pub(crate) mod redelivery;
pub(crate) mod retain;
pub(crate) mod sessions;
pub(crate) mod shares;
pub(crate) mod strings;
pub(crate) mod subscribe;
pub(crate) mod topic_alias;
pub(crate) mod topics;
pub(crate) mod unsubscribe;
pub(crate) mod wills;
