//! RFC 6455, one file for each part of it.

pub(crate) mod close;
pub(crate) mod control;
pub(crate) mod fragmentation;
pub(crate) mod framing;
pub(crate) mod handshake;
pub(crate) mod limits;
pub(crate) mod utf8;
