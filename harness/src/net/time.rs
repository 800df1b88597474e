//! Virtual time as the network counts it.

use std::time::Duration;
use tokio::time::Instant;

/// Nanoseconds of virtual time since the run began.
pub type Nanos = u64;

/// A duration in nanoseconds; 584 years are the most that fit.
pub fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

/// One millisecond: the step of tokio's timers, and so of everything that
/// happens inside one host.
pub(crate) const MILLISECOND: Nanos = 1_000_000;

/// One second.
pub(crate) const SECOND: Nanos = 1_000 * MILLISECOND;

/// Virtual time inside one host: tokio's paused clock, told from the beginning
/// of the run rather than of the host (a host that was bounced began later).
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// The clock of the turmoil host that calls this, at its first instruction.
    ///
    /// Outside of a simulation the run begins now.
    pub fn start() -> Clock {
        let elapsed = turmoil::sim_elapsed().unwrap_or_default();
        Clock {
            origin: Instant::now() - elapsed,
        }
    }

    /// Nanoseconds since the run began.
    pub fn now(&self) -> Nanos {
        self.at(Instant::now())
    }

    /// Nanoseconds since the run began at an instant of tokio's clock.
    pub fn at(&self, instant: Instant) -> Nanos {
        nanos(instant.saturating_duration_since(self.origin))
    }

    /// The instant of tokio's clock at which [`now`](Self::now) is `at`.
    pub fn instant(&self, at: Nanos) -> Instant {
        self.origin + Duration::from_nanos(at)
    }
}
