//! A device's texts.

use crate::fleet::{Addressees, Fleet};
use std::borrow::Cow;

/// A device's texts, expanded once for each time awake.
pub(crate) struct Names {
    pub(crate) client_id: String,
    pub(crate) filters: Vec<String>,
    /// Empty for a fleet that publishes nothing.
    topic: String,
    to: Option<Addressees>,
}

impl Names {
    pub(crate) fn new(fleet: &Fleet, index: u32) -> Self {
        let publish = fleet.publish.as_ref();
        let filters = fleet.subscribe.iter();
        Self {
            client_id: fleet.client_id(index),
            filters: filters.map(|s| fleet.expand(&s.filter, index)).collect(),
            topic: publish.map_or(String::new(), |publish| fleet.expand(&publish.topic, index)),
            to: publish.and_then(|publish| publish.to.clone()),
        }
    }

    /// The topic of the device's `sequence`-th reading, from 1.
    pub(crate) fn topic_of(&self, sequence: u32) -> Cow<'_, str> {
        match &self.to {
            None => Cow::Borrowed(&self.topic),
            Some(to) => Cow::Owned(self.topic.replace("{target}", &to.of_reading(sequence))),
        }
    }
}
