//! The server side of MQTT 3.1.1, section by section, against the broker
//! without I/O. Each test names the statements it decides.

mod access;
mod connecting;
mod durable;
mod limits;
mod model;
mod publishing;
mod quality;
mod quirks;
mod retained;
mod scripts;
mod sessions;
mod subscribing;
mod v5;
mod violations;
mod wills;
mod world;
