//! When each connection wants to be looked at next: one entry a connection,
//! replaced and never piled up.
//!
//! A packet that arrives moves no entry. The connection remembers when it last
//! heard of its peer, and the entry is set anew only once it is due.

use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    due: BTreeSet<(Duration, usize)>,
}

impl Deadlines {
    /// Sets the one deadline of a connection; `armed` is where the connection
    /// keeps it.
    pub(crate) fn set(&mut self, slot: usize, armed: &mut Option<Duration>, at: Option<Duration>) {
        if *armed == at {
            return;
        }
        if let Some(before) = std::mem::replace(armed, at) {
            self.due.remove(&(before, slot));
        }
        if let Some(at) = at {
            self.due.insert((at, slot));
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The connection whose deadline is the earliest of those that have come.
    pub(crate) fn due(&self, now: Duration) -> Option<usize> {
        self.due
            .first()
            .filter(|(at, _)| *at <= now)
            .map(|(_, slot)| *slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_replaces_the_one_before() {
        let at = |seconds| Some(Duration::from_secs(seconds));
        let mut deadlines = Deadlines::default();
        let (mut one, mut two) = (None, None);
        deadlines.set(1, &mut one, at(5));
        deadlines.set(2, &mut two, at(4));
        deadlines.set(1, &mut one, at(3));
        assert_eq!((deadlines.due.len(), deadlines.next()), (2, at(3)));
        assert_eq!(deadlines.due(Duration::from_secs(2)), None);
        assert_eq!(deadlines.due(Duration::from_secs(3)), Some(1));
        deadlines.set(1, &mut one, None);
        assert_eq!(deadlines.due(Duration::from_secs(9)), Some(2));
        deadlines.set(2, &mut two, None);
        assert_eq!(deadlines.next(), None);
    }
}
