//! Brokers under test: where one is reached, and how one is started, restarted
//! and stopped.
//!
//! A broker that runs somewhere is an [`Address`]. One that is to be started is a
//! [`Target`]: a file that says how, of those in `scenarios/targets` (they are
//! part of this library) or anywhere else. Started, it is an [`Instance`] with
//! ports and a directory of its own.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use squall::targets::{Instance, StartOptions, Target, Transport, dial};
//! use squall_broker::wire::Version;
//!
//! let target = Target::load("mosquitto")?;
//! let options = StartOptions::default();
//! println!("{} {}", target.title, target.installed(&options.squall).await?);
//! let broker = Instance::start(&target, &options).await?;
//! let address = broker.address(Transport::Tcp, Version::V5).ok_or("not over TCP")?;
//! let stream = dial(&address, broker.trust()).await?;
//! broker.stop().await;
//! # Ok(()) }
//! ```

mod address;
mod certificate;
mod dial;
mod expected;
mod file;
mod installed;
mod instance;
mod ports;
mod private_network;
mod process;
mod serving;
mod shipped;
mod target;
mod template;

pub use address::{Address, AddressError, Transport};
pub use dial::{DialError, Trust, TrustError, dial};
pub use installed::WhyNot;
pub use instance::{Instance, StartError, StartOptions};
pub(crate) use ports::Port;
pub use private_network::{PrivateNetworkError, enter_private_network, in_private_network};
pub use process::{How, tail};
pub use serving::{NotServing, serves};
pub use target::{Capabilities, Credentials, Expected, Fixtures, Kept, Listener, Target};
