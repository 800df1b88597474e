//! A broker with a store: what it hands over to be written, and how it takes up
//! what a broker before it has left there.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::{Broker, Config};
use crate::access::Rights;
use crate::entry::{self, Entry, SessionEntry, WillEntry};
use crate::journal::Journal;
use crate::message::Message;
use crate::observer::Observer;
use crate::queue::{self, Outgoing};
use crate::quirks::Quirk;
use crate::session::Session;
use crate::store::{Batch, CorruptEntry};
use crate::wills::{Pending, Stated};

impl Broker {
    /// A broker that goes on where another left off: `entries` are what is in
    /// its store, in the order of keys. No client is connected; the wills of
    /// those that were are published now, which section 3.1.2.5 allows a server
    /// that failed to put off until then [MQTT311-3.1.2-8], or once their delay
    /// is over, which begins now.
    ///
    /// `started` is what a clock says that goes on while no broker runs, as time
    /// since any instant that is the same for all who use this store, such as
    /// the beginning of 1970. What expires goes on to expire by it: messages,
    /// sessions whose clients were gone, wills that waited.
    ///
    /// From here on [`take_batch`](Self::take_batch) has to be asked after every
    /// input, and [`Input::Synced`](super::Input::Synced) to be said of every
    /// batch, or nothing leaves.
    ///
    /// # Errors
    /// An entry that no broker has written.
    pub fn restore<K, V>(
        config: Config,
        observer: Option<Box<dyn Observer>>,
        entries: impl IntoIterator<Item = (K, V)>,
        started: Duration,
    ) -> Result<Self, CorruptEntry>
    where
        K: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let mut broker = Self::new(config, observer);
        let hasty = broker.config.quirks.has(Quirk::AcknowledgesBeforeDurable);
        broker.effects.journal = Journal::with_store(started, hasty);
        let mut bodies = FxHashMap::default();
        let mut wills = Vec::new();
        for (key, value) in entries {
            let key = key.as_ref();
            match entry::read(key, value.as_ref(), started)? {
                Entry::Body { number, message } => {
                    bodies.insert(number, message);
                }
                Entry::Will { client_id, will } => wills.push((client_id, will)),
                other => {
                    let taken = broker.take_up(other, &bodies, started);
                    taken.ok_or_else(|| CorruptEntry { key: key.to_vec() })?;
                }
            }
        }
        for (client_id, will) in wills {
            broker.take_up_will(&client_id, will, started);
        }
        // What was due while no broker ran.
        broker.timeout();
        Ok(broker)
    }

    /// Takes up a will. What is in the store was found to be allowed.
    fn take_up_will(&mut self, client_id: &str, will: WillEntry, started: Duration) {
        let WillEntry {
            message,
            delay,
            due,
        } = will;
        match self.by_client.get(client_id).copied() {
            Some(key) => {
                let at = left(due, started, delay);
                let pending = Pending {
                    will: Stated { message, delay },
                    rights: Rights::default(),
                };
                self.hold_will(key, pending, at);
            }
            // It waits for nobody.
            None => {
                self.effects.journal.will_removed(client_id);
                self.distribute(client_id, None, &message);
            }
        }
    }

    /// Everything that has changed since the last batch and must become durable
    /// before what was sent since then may leave; `None` without such changes,
    /// and without a store.
    pub fn take_batch(&mut self) -> Option<Batch> {
        self.effects.journal.take_batch()
    }

    /// Whether the store has all that has happened so far; always, if there is
    /// none.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.effects.journal.is_synced()
    }

    /// Whether [`take_batch`](Self::take_batch) has something.
    #[must_use]
    pub fn has_batch(&self) -> bool {
        self.effects.journal.has_changes()
    }

    pub(super) fn synced(&mut self, batch: u64) {
        self.effects.journal.synced(batch);
        for conn in std::mem::take(&mut self.effects.unsynced) {
            let connection = self.connections.get_mut(conn.slot());
            if let Some(connection) = connection.filter(|one| one.id == conn) {
                connection.release(batch, &mut self.effects);
                if connection.awaits_store() {
                    self.effects.unsynced.push(conn);
                }
            }
        }
    }

    /// Takes up one entry; `None` if it refers to something that is not there.
    fn take_up(
        &mut self,
        entry: Entry,
        bodies: &FxHashMap<u64, Arc<Message>>,
        started: Duration,
    ) -> Option<()> {
        let journal = &mut self.effects.journal;
        let known = |client_id: &str| self.by_client.get(client_id).copied();
        match entry {
            // Read by the caller.
            Entry::Body { .. } | Entry::Will { .. } => {}
            Entry::Session { client_id, session } => {
                let SessionEntry { user, expiry, ends } = session;
                let mut session = Session::new(Arc::clone(&client_id), user, expiry);
                // It is in the store, however soon it ends.
                session.clean = false;
                let key = self.sessions.insert(session);
                let session = &mut self.sessions[key];
                let at = expiry.map(|expiry| left(ends, started, expiry));
                self.expiries.set(key, &mut session.armed, at);
                if ends.is_none() && at.is_some() {
                    session.write(journal);
                }
                self.by_client.insert(client_id, key);
            }
            Entry::Subscription { .. }
                if self.config.quirks.has(Quirk::ForgetsSubscriptionsAtRestart) => {}
            Entry::Subscription {
                client_id,
                filter,
                grant,
            } => {
                let key = known(&client_id)?;
                self.subscribe_to(&filter, key, grant);
                self.sessions[key].filters.insert(filter);
            }
            Entry::Received { client_id, id } => {
                let key = known(&client_id)?;
                self.sessions[key].received.insert(id);
            }
            Entry::Released {
                client_id,
                order,
                id,
            } => {
                let key = known(&client_id)?;
                journal.restore_order(order);
                self.sessions[key].inflight.restore_pubrel(id, order);
            }
            Entry::Outgoing {
                client_id,
                order,
                outgoing: stored,
            } => {
                let key = known(&client_id)?;
                let outgoing = Outgoing {
                    message: Arc::clone(bodies.get(&stored.body)?),
                    qos: stored.qos,
                    retain: stored.retain,
                    subscription_ids: queue::boxed(&stored.subscription_ids),
                    share: stored.share.and_then(|filter| self.shares.named(&filter)),
                    stored: Some(journal.restore(order, stored.body)),
                };
                match stored.id {
                    Some(id) => self.sessions[key].inflight.restore(id, outgoing),
                    None => self.sessions[key].queue.restore(outgoing),
                }
            }
            Entry::Retained { message } => {
                self.retained.set(&message, &self.config.limits);
            }
        }
        Some(())
    }
}

/// How long it is from the start until something is due that waits this long. If
/// its client was there until the end, the waiting begins now; and it is never
/// longer, even if the clock was set back meanwhile.
fn left(due: Option<Duration>, started: Duration, waits: Duration) -> Duration {
    due.map_or(waits, |due| due.saturating_sub(started).min(waits))
}
