//! A server's disk: what survives a loss of power, and what does not.
//!
//! The broker's batches go to a log, each a record with its length and checksum,
//! and from there, once synced, to the image of what is durable. A sync takes
//! its time, as flash and SSDs do. When the power is cut, what was synced is
//! there; of the rest the disk keeps a beginning, cut at a byte that the seed
//! decides, since a disk may have written some of it by then. The record that is
//! cut in two is told by its checksum, and dropped.

use crate::net::Life;
use crate::random;
use bytes::{Buf, BufMut};
use parking_lot::Mutex;
use rand::RngExt;
use squall_broker::{Batch, Change, Store, Syncing};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes before the changes of a record: their length, and their checksum.
const RECORD_HEADER_BYTES: usize = 4 + 8;

/// The length that stands for no value.
const NO_VALUE: u32 = u32::MAX;

/// The disk of one server, over all its lives.
#[derive(Debug)]
pub(crate) struct Disk {
    seed: u64,
    sync_takes: Duration,
    platter: Mutex<Platter>,
}

#[derive(Debug, Default)]
struct Platter {
    image: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Records that are not synced, one after another.
    log: Vec<u8>,
    /// Whose records they are.
    life: u32,
}

/// What became of the batches that were not synced when the power was cut.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Recovered {
    /// There nevertheless.
    kept: u64,
    /// Gone.
    lost: u64,
    /// Cut in two: one of those lost.
    torn: bool,
}

impl Disk {
    /// An empty disk, whose syncs take this long.
    pub(crate) fn new(seed: u64, sync_takes: Duration) -> Arc<Disk> {
        Arc::new(Disk {
            seed,
            sync_takes,
            platter: Mutex::default(),
        })
    }

    /// The disk in one life of its server: when that ends, it takes nothing
    /// more.
    pub(crate) fn mount(self: &Arc<Disk>, life: &Life) -> Mounted {
        let recovered = self.platter.lock().recover(self.seed, life.number());
        Mounted {
            disk: Arc::clone(self),
            life: life.clone(),
            recovered,
        }
    }
}

impl Platter {
    /// What a loss of power has left of the log goes to the image.
    fn recover(&mut self, seed: u64, life: u32) -> Recovered {
        let log = std::mem::take(&mut self.log);
        let ended = std::mem::replace(&mut self.life, life);
        if log.is_empty() {
            return Recovered::default();
        }
        let mut dice = random::stream(seed, "disk", ended.into());
        let kept = dice.random_range(0..=log.len());
        let mut kept = &log[..kept];
        let mut recovered = Recovered::default();
        while let Some(changes) = next_record(&mut kept) {
            apply(&mut self.image, changes);
            recovered.kept += 1;
        }
        recovered.torn = !kept.is_empty();
        let mut all = &log[..];
        let count = std::iter::from_fn(|| next_record(&mut all)).count() as u64;
        recovered.lost = count - recovered.kept;
        recovered
    }

    /// The first `bytes` of the log are durable.
    fn synced(&mut self, bytes: usize) {
        let log: Vec<u8> = self.log.drain(..bytes).collect();
        let mut log = &log[..];
        while let Some(changes) = next_record(&mut log) {
            apply(&mut self.image, changes);
        }
    }
}

/// A disk in use.
#[derive(Debug)]
pub(crate) struct Mounted {
    disk: Arc<Disk>,
    life: Life,
    recovered: Recovered,
}

impl Store for Mounted {
    fn load(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        tracing::debug!(unsynced = ?self.recovered, "the disk is read");
        let platter = self.disk.platter.lock();
        let entries = platter.image.iter();
        Ok(entries
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        if self.life.goes_on() {
            write_record(&mut self.disk.platter.lock().log, &batch.changes);
        }
        Ok(())
    }

    fn sync(&mut self) -> Syncing<'_> {
        Box::pin(async {
            let bytes = self.disk.platter.lock().log.len();
            sleep(self.disk.sync_takes).await;
            if !self.life.goes_on() {
                // Nobody is told: whoever would be is about to be gone.
                return std::future::pending().await;
            }
            self.disk.platter.lock().synced(bytes);
            Ok(())
        })
    }
}

fn apply(image: &mut BTreeMap<Vec<u8>, Vec<u8>>, changes: Vec<Change>) {
    for Change { key, value } in changes {
        match value {
            Some(value) => image.insert(key, value),
            None => image.remove(&key),
        };
    }
}

fn write_record(log: &mut Vec<u8>, changes: &[Change]) {
    let mut body = Vec::new();
    for Change { key, value } in changes {
        body.put_u32(key.len() as u32);
        body.put_slice(key);
        match value {
            Some(value) => {
                body.put_u32(value.len() as u32);
                body.put_slice(value);
            }
            None => body.put_u32(NO_VALUE),
        }
    }
    log.put_u32(body.len() as u32);
    log.put_u64(xxh3_64(&body));
    log.put_slice(&body);
}

/// The changes of the next record; `None` at the end, and where it is torn.
fn next_record(log: &mut &[u8]) -> Option<Vec<Change>> {
    let mut rest = *log;
    if rest.remaining() < RECORD_HEADER_BYTES {
        return None;
    }
    let (length, checksum) = (rest.get_u32() as usize, rest.get_u64());
    let mut body = rest.split_off(..length)?;
    if xxh3_64(body) != checksum {
        return None;
    }
    let mut changes = Vec::new();
    while !body.is_empty() {
        let length = body.try_get_u32().ok()? as usize;
        let key = body.split_off(..length)?.to_vec();
        let value = match body.try_get_u32().ok()? {
            NO_VALUE => None,
            length => Some(body.split_off(..length as usize)?.to_vec()),
        };
        changes.push(Change { key, value });
    }
    *log = rest;
    Some(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Power;

    fn batch(number: u64, key: &str, value: Option<&str>) -> Batch {
        let change = Change {
            key: key.into(),
            value: value.map(Into::into),
        };
        Batch {
            number,
            changes: vec![change],
        }
    }

    fn entry(key: &str, value: &str) -> (Vec<u8>, Vec<u8>) {
        (key.into(), value.into())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_synced_survives_and_a_sync_takes_its_time() {
        let power = Power::new();
        let disk = Disk::new(1, Duration::from_millis(2));
        let mut store = disk.mount(&power.life().await);
        store.write(&batch(1, "a", Some("1"))).expect("room");
        store.write(&batch(2, "b", Some("2"))).expect("room");
        store.write(&batch(3, "a", None)).expect("room");
        let start = tokio::time::Instant::now();
        store.sync().await.expect("a sound disk");
        assert_eq!(start.elapsed(), Duration::from_millis(2));
        power.cut();
        power.restore();
        let mut store = disk.mount(&power.life().await);
        assert_eq!(store.load().expect("a sound disk"), [entry("b", "2")]);
        assert_eq!(store.recovered, Recovered::default());
    }

    #[tokio::test(start_paused = true)]
    async fn of_what_is_not_synced_a_beginning_survives_and_a_torn_batch_does_not() {
        let mut kept = std::collections::BTreeSet::new();
        let mut torn = 0;
        for seed in 0..400 {
            let power = Power::new();
            let disk = Disk::new(seed, Duration::from_millis(1));
            let mut store = disk.mount(&power.life().await);
            for number in 0..3 {
                let key = number.to_string();
                store.write(&batch(number, &key, Some("x"))).expect("room");
            }
            power.cut();
            store.write(&batch(4, "late", Some("x"))).expect("nothing");
            power.restore();
            let mut store = disk.mount(&power.life().await);
            let found = store.load().expect("a sound disk");
            let all = ["0", "1", "2"].map(|key| entry(key, "x"));
            assert_eq!(found, all[..found.len()], "a beginning");
            let (recovered, count) = (store.recovered, found.len() as u64);
            assert_eq!((recovered.kept, recovered.lost), (count, 3 - count));
            kept.insert(count);
            torn += u32::from(recovered.torn);
        }
        assert_eq!(kept.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert!(torn > 200, "{torn} of 400");
    }

    #[test]
    fn a_damaged_record_ends_the_log() {
        let mut log = Vec::new();
        write_record(&mut log, &batch(1, "key", Some("value")).changes);
        for at in RECORD_HEADER_BYTES..log.len() {
            let mut damaged = log.clone();
            damaged[at] ^= 1;
            assert_eq!(next_record(&mut &damaged[..]), None);
        }
        let changes = next_record(&mut &log[..]).expect("whole");
        assert_eq!(changes, batch(1, "key", Some("value")).changes);
    }
}
