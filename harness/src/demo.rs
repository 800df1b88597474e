//! Houses to be touched: `squall demo`.
//!
//! A demo is a scenario with a person in it: the reference broker, simulated
//! devices and a page for the browser, on real sockets of this machine. The
//! devices are those of the simulator, over loopback instead of a virtual
//! network.

mod light;

pub use light::{Light, LightError};
