//! What strikes a server, and at which time.

use super::plan::Occurrence;
use super::{server_crash, server_pause};
use crate::net::Nanos;
use crate::scenario::FaultKind;

/// What is done to a server. Crashes may overlap, and pauses: it is up, or goes
/// on, when the last of them is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// It loses its power.
    Crash,
    /// It has power again, and starts.
    Restart,
    /// Its process stands still.
    Pause,
    /// Its process goes on.
    Resume,
}

/// What is done to the server, in order.
pub(crate) fn server_actions(plan: &[Occurrence]) -> Vec<(Nanos, Action)> {
    let mut actions: Vec<(Nanos, Action)> = plan.iter().flat_map(actions_of).flatten().collect();
    actions.sort_by_key(|(at, _)| *at);
    actions
}

fn actions_of(occurrence: &Occurrence) -> Option<[(Nanos, Action); 2]> {
    let (begins, ends) = match occurrence.kind {
        FaultKind::ServerCrash => (server_crash::BEGINS, server_crash::ENDS),
        FaultKind::ServerPause => (server_pause::BEGINS, server_pause::ENDS),
        _ => return None,
    };
    Some([(occurrence.begins, begins), (occurrence.ends, ends)])
}
