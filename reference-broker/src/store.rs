//! What outlives the broker's process: a store of keys and values, written in
//! batches.
//!
//! The broker writes down each change of what it has promised to keep. The
//! changes of one or more inputs make a [`Batch`], and nothing that the broker
//! sends after a change leaves before the batch with that change is durable: an
//! acknowledgement is a promise. What is kept:
//!
//! - sessions that outlive their connection [MQTT311-3.1.2-4], with their
//!   subscriptions, the QoS 1 and 2 messages queued or in flight
//!   [MQTT311-3.1.2-5] and the packet identifiers in use, both ways
//!   [MQTT311-4.3.3-2]
//! - retained messages, at any QoS [MQTT311-3.3.1-5]
//! - wills, which are published after a restart, since their clients were
//!   disconnected without a word [MQTT311-3.1.2-8]
//! - when messages and sessions expire, and delayed wills are due, as times that
//!   a restart does not change
//!
//! Sessions that end with their connection, and QoS 0 messages in a queue, do
//! not outlive the process.

use std::fmt;
use std::io;
use std::pin::Pin;

/// A key that gets a new value, or none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// What it is about. Keys are ordered as bytes.
    pub key: Vec<u8>,
    /// The value; `None` removes the key.
    pub value: Option<Vec<u8>>,
}

/// Changes that become durable together or not at all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Batch {
    /// Its number: batches are numbered from 1, since the broker's start.
    pub number: u64,
    /// In the order in which they are to be applied.
    pub changes: Vec<Change>,
}

/// Where a broker keeps what must outlive its process.
pub trait Store: Send {
    /// Every key with its value, in the order of keys.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn load(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>>;

    /// Takes a batch, behind all before it. After a crash either all of it is
    /// there or nothing, and nothing if one before it is not there.
    ///
    /// # Errors
    /// When the batch could not be taken.
    fn write(&mut self, batch: &Batch) -> io::Result<()>;

    /// Completes once every batch taken so far survives a crash. An error means
    /// that it may or may not.
    fn sync(&mut self) -> Syncing<'_>;
}

/// The future of [`Store::sync`].
pub type Syncing<'a> = Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'a>>;

/// An entry of a store that no broker has written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CorruptEntry {
    /// Its key.
    pub key: Vec<u8>,
}

impl fmt::Display for CorruptEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an entry that makes no sense: {}",
            self.key.escape_ascii()
        )
    }
}

impl std::error::Error for CorruptEntry {}

impl From<CorruptEntry> for io::Error {
    fn from(error: CorruptEntry) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}
