//! The power of a server: what is cut off with it, and what comes back without
//! memory of before.

use std::sync::Arc;
use tokio::sync::watch;

/// Whether a server has power, and how often that has changed.
///
/// A server that loses its power sends and receives nothing from that instant
/// on, and what still runs there does nothing that anyone could see: it all
/// checks the [`Life`] it belongs to, however long it takes until it is gone.
#[derive(Debug)]
pub(crate) struct Power {
    /// Changes so far: an even number while there is power.
    changes: watch::Sender<u32>,
}

/// The time from one start of a server to the loss of its power.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    power: Arc<Power>,
    changes: u32,
}

impl Power {
    /// There is power from the beginning.
    pub(crate) fn new() -> Arc<Power> {
        let (changes, _) = watch::channel(0);
        Arc::new(Power { changes })
    }

    /// How often the power has been cut or restored.
    pub(crate) fn changes(&self) -> u32 {
        *self.changes.borrow()
    }

    pub(crate) fn is_on(&self) -> bool {
        self.changes().is_multiple_of(2)
    }

    /// Cuts the power, if there is any.
    pub(crate) fn cut(&self) {
        self.change(true);
    }

    /// Restores the power, if there is none.
    pub(crate) fn restore(&self) {
        self.change(false);
    }

    fn change(&self, from_on: bool) {
        self.changes.send_if_modified(|changes| {
            let due = changes.is_multiple_of(2) == from_on;
            *changes += u32::from(due);
            due
        });
    }

    /// Waits for power; the life that has begun with it.
    pub(crate) async fn life(self: &Arc<Power>) -> Life {
        Life {
            power: Arc::clone(self),
            changes: self.once(|changes| changes.is_multiple_of(2)).await,
        }
    }

    /// Waits until the number of changes is as wanted, and says it.
    async fn once(&self, mut wanted: impl FnMut(u32) -> bool) -> u32 {
        let mut changes = self.changes.subscribe();
        let seen = changes.wait_for(|changes| wanted(*changes)).await;
        // The sender is borrowed for as long as this takes.
        seen.map_or_else(|_| self.changes(), |changes| *changes)
    }
}

impl Life {
    /// Which of the server's lives it is, from 0.
    pub(crate) fn number(&self) -> u32 {
        self.changes / 2
    }

    /// The power has not been cut since it began.
    pub(crate) fn goes_on(&self) -> bool {
        self.power.changes() == self.changes
    }

    /// Completes once the power has been cut.
    pub(crate) async fn ended(&self) {
        self.power.once(|changes| changes != self.changes).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_life_ends_with_the_power_and_another_begins() {
        let power = Power::new();
        let first = power.life().await;
        power.restore();
        assert!(first.goes_on() && power.is_on(), "there was power already");
        power.cut();
        power.cut();
        assert!(!first.goes_on() && !power.is_on());
        first.ended().await;
        power.restore();
        assert!(!first.goes_on(), "it does not come back");
        let second = power.life().await;
        assert!(second.goes_on());
    }
}
