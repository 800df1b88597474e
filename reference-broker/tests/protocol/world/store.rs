//! A store that keeps what a broker hands it in memory.

use std::collections::BTreeMap;

use squall_broker::Batch;

/// A store that a test looks into.
#[derive(Default)]
pub(crate) struct MemoryStore {
    /// What is durable.
    pub(crate) image: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Batches taken and not synced.
    pub(super) log: Vec<Batch>,
    /// Syncs only when it is told to.
    pub(crate) slow: bool,
}

impl MemoryStore {
    pub(super) fn apply(&mut self, batch: Batch) {
        for change in batch.changes {
            match change.value {
                Some(value) => self.image.insert(change.key, value),
                None => self.image.remove(&change.key),
            };
        }
    }

    /// The bytes of all that is durable.
    pub(crate) fn bytes(&self) -> usize {
        let bytes = |(key, value): (&Vec<u8>, &Vec<u8>)| key.len() + value.len();
        self.image.iter().map(bytes).sum()
    }
}
