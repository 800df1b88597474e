//! What a host is to do at given times, known before the run or added in it.

use crate::net::{Clock, Nanos};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// What a host is to do, and when.
pub(super) struct Agenda<T>(Arc<Entries<T>>);

struct Entries<T> {
    /// By time, then in the order of adding.
    due: Mutex<BTreeMap<(Nanos, u64), T>>,
    changed: Notify,
}

impl<T> Clone for Agenda<T> {
    fn clone(&self) -> Self {
        Agenda(Arc::clone(&self.0))
    }
}

impl<T> Agenda<T> {
    /// Begins with what is planned; what is due at one time keeps its order.
    pub(super) fn new(planned: impl IntoIterator<Item = (Nanos, T)>) -> Self {
        let planned = planned.into_iter().enumerate();
        let due = planned.map(|(order, (at, item))| ((at, order as u64), item));
        Agenda(Arc::new(Entries {
            due: Mutex::new(due.collect()),
            changed: Notify::new(),
        }))
    }

    /// Adds what a host is to do at `at`, or at once if that is past. It may be
    /// called from another host, which runs earlier in the same tick.
    pub(super) fn add(&self, at: Nanos, item: T) {
        let mut due = self.0.due.lock();
        let last = due.range((at, 0)..=(at, u64::MAX)).next_back();
        let order = last.map_or(0, |((_, order), _)| order + 1);
        due.insert((at, order), item);
        self.0.changed.notify_one();
    }

    /// Does everything at its time, on the host whose clock this is.
    ///
    /// # Errors
    /// None: it never ends, as the end of a task would be the end of its host.
    pub(super) async fn keep(self, clock: Clock, mut act: impl FnMut(Nanos, T)) -> io::Result<()> {
        loop {
            let next = self.next();
            if next.is_some_and(|at| at <= clock.now()) {
                let first = self.0.due.lock().pop_first();
                if let Some(((at, _), item)) = first {
                    act(at, item);
                }
                continue;
            }
            let wake = next.map_or_else(Instant::now, |at| clock.instant(at));
            tokio::select! {
                biased;
                () = self.0.changed.notified() => {}
                () = sleep_until(wake), if next.is_some() => {}
            }
        }
    }

    fn next(&self) -> Option<Nanos> {
        let due = self.0.due.lock();
        due.first_key_value().map(|((at, _), _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::MILLISECOND;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn everything_is_done_at_its_time_whenever_it_was_added() {
        let clock = Clock::start();
        let agenda = Agenda::new([(20 * MILLISECOND, "b"), (10 * MILLISECOND, "a")]);
        let done = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&done);
        let keeping = tokio::spawn(agenda.clone().keep(clock, move |_, what| {
            seen.lock().push((clock.now() / MILLISECOND, what));
        }));
        tokio::time::sleep(Duration::from_millis(12)).await;
        agenda.add(15 * MILLISECOND, "c");
        agenda.add(20 * MILLISECOND, "d");
        agenda.add(5 * MILLISECOND, "late");
        tokio::time::sleep(Duration::from_millis(20)).await;
        keeping.abort();
        let expected = [(10, "a"), (12, "late"), (15, "c"), (20, "b"), (20, "d")];
        assert_eq!(*done.lock(), expected);
    }
}
