//! An application message inside the broker.

use bytes::Bytes;

use crate::wire::{Qos, TopicName};

/// An application message inside the broker, shared by every queue that holds
/// it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// What it is about.
    pub topic: TopicName,
    /// What it says.
    pub payload: Bytes,
    /// The quality of service it was published with.
    pub qos: Qos,
    /// Whether it was published to be retained.
    pub retain: bool,
}

impl Message {
    /// What it counts against a queue's limit: topic and payload, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.topic.as_bytes().len() + self.payload.len()
    }
}
