//! `server-pause`: the server's process stands still, as after SIGSTOP, while
//! its host's TCP goes on until its buffers are full.

use super::servers::Action;

pub(super) const BEGINS: Action = Action::Pause;
pub(super) const ENDS: Action = Action::Resume;
