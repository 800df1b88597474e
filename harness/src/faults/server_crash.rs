//! `server-crash`: the server loses its power, and what its disk had not synced;
//! it starts again at the end.

use super::servers::Action;

pub(super) const BEGINS: Action = Action::Crash;
pub(super) const ENDS: Action = Action::Restart;
