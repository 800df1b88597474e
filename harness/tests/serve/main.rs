//! The reference broker on real sockets: `squall serve` in a process of its own,
//! and `squall::serve` in this one.

mod command;
mod limits;
mod process;
