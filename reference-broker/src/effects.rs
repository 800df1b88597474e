//! What comes out of the broker besides the bytes of each connection: whom to
//! look at, what to write down, and what an observer is told.

use std::collections::VecDeque;

use crate::connection::ConnId;
use crate::journal::Journal;
use crate::observer::Watch;
use crate::quirks::Quirks;

pub(crate) struct Effects {
    pub(crate) watch: Watch,
    /// What is to be done wrong.
    pub(crate) quirks: Quirks,
    /// Connections that have something new to write or have been ended.
    pub(crate) woken: VecDeque<ConnId>,
    pub(crate) journal: Journal,
    /// Connections whose output waits for the store.
    pub(crate) unsynced: Vec<ConnId>,
}
