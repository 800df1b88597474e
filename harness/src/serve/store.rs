//! What a broker keeps, in a directory: one redb database, whose commits survive
//! the end of the process, and of power, at any moment.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use squall_broker::{Batch, Change, Store, Syncing};

const FILE: &str = "broker.redb";

const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");

/// The most memory that the database keeps of its file, in bytes: all that is in
/// use is in the broker, too.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// A key and its value.
type Entry = (Vec<u8>, Vec<u8>);

/// The store of one broker, in a directory of its own.
///
/// Batches are written in one transaction each time they are synced, in a thread
/// that may block: what comes meanwhile goes into the next.
#[derive(Debug)]
pub(super) struct Directory {
    database: Arc<Database>,
    /// Taken, and not yet written.
    changes: Vec<Change>,
}

impl Directory {
    /// Opens the store in a directory, which is made if it is not there.
    pub(super) fn open(directory: &Path) -> Result<Self, OpenError> {
        let file = directory.join(FILE);
        let complain = |error: redb::Error| OpenError {
            path: file.clone(),
            error,
        };
        std::fs::create_dir_all(directory).map_err(|error| complain(error.into()))?;
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(&file)
            .map_err(|error| complain(error.into()))?;
        Ok(Self {
            database: Arc::new(database),
            changes: Vec::new(),
        })
    }

    fn read(&self) -> Result<Vec<Entry>, redb::Error> {
        let table = match self.database.begin_read()?.open_table(ENTRIES) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        table
            .iter()?
            .map(|entry| {
                let (key, value) = entry?;
                Ok((key.value().to_vec(), value.value().to_vec()))
            })
            .collect()
    }
}

/// A store that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open {path}: {error}")]
pub struct OpenError {
    path: PathBuf,
    error: redb::Error,
}

impl OpenError {
    /// Whether another process has it open.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(self.error, redb::Error::DatabaseAlreadyOpen)
    }
}

impl Store for Directory {
    fn load(&mut self) -> io::Result<Vec<Entry>> {
        self.read().map_err(io::Error::other)
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        self.changes.extend_from_slice(&batch.changes);
        Ok(())
    }

    fn sync(&mut self) -> Syncing<'_> {
        let database = Arc::clone(&self.database);
        let changes = std::mem::take(&mut self.changes);
        Box::pin(async move {
            tokio::task::spawn_blocking(move || commit(&database, &changes))
                .await
                .map_err(io::Error::other)?
                .map_err(io::Error::other)
        })
    }
}

/// Makes changes, all or none; they are on the disk when it returns.
fn commit(database: &Database, changes: &[Change]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(ENTRIES)?;
        for Change { key, value } in changes {
            match value {
                Some(value) => table.insert(key.as_slice(), value.as_slice())?,
                None => table.remove(key.as_slice())?,
            };
        }
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &[u8], value: &[u8]) -> Change {
        Change {
            key: key.to_vec(),
            value: Some(value.to_vec()),
        }
    }

    fn remove(key: &[u8]) -> Change {
        Change {
            key: key.to_vec(),
            value: None,
        }
    }

    #[tokio::test]
    async fn what_was_synced_is_there_when_it_is_opened_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("made/on/the/way");
        let mut store = Directory::open(&path).expect("opened");
        assert_eq!(store.load().expect("empty"), []);
        let batches = [
            vec![put(b"b", b"1"), put(b"a", b"2"), put(b"c", b"3")],
            vec![remove(b"b"), put(b"c", b"4"), remove(b"no such")],
        ];
        for (number, changes) in (1..).zip(batches) {
            store.write(&Batch { number, changes }).expect("taken");
        }
        store.sync().await.expect("synced");
        let changes = vec![remove(b"a")];
        store.write(&Batch { number: 3, changes }).expect("taken");

        let in_use = Directory::open(&path).expect_err("it is open");
        assert!(in_use.is_in_use(), "{in_use}");
        drop(store);
        let mut store = Directory::open(&path).expect("opened");
        let entry = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
        let expected = [entry(b"a", b"2"), entry(b"c", b"4")];
        assert_eq!(store.load().expect("read"), expected);
    }
}
