//! A disk in memory: what was synced survives a crash, nothing else does.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use squall_broker::{Batch, Change, Store, Syncing};
use tokio::time::sleep;

/// How long a sync takes.
const SYNC: Duration = Duration::from_millis(1);

/// Clones are the same disk.
#[derive(Clone, Default)]
pub(super) struct Disk {
    contents: Arc<Mutex<Contents>>,
}

#[derive(Default)]
struct Contents {
    synced: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What was written since.
    written: Vec<Change>,
}

impl Disk {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().expect("no panic")
    }

    /// Loses what was not synced.
    pub(super) fn crash(&self) {
        self.contents().written.clear();
    }
}

impl Store for Disk {
    fn load(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        Ok(self.contents().synced.clone().into_iter().collect())
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        self.contents().written.extend_from_slice(&batch.changes);
        Ok(())
    }

    fn sync(&mut self) -> Syncing<'_> {
        Box::pin(async {
            sleep(SYNC).await;
            let mut contents = self.contents();
            for Change { key, value } in std::mem::take(&mut contents.written) {
                match value {
                    Some(value) => contents.synced.insert(key, value),
                    None => contents.synced.remove(&key),
                };
            }
            Ok(())
        })
    }
}
