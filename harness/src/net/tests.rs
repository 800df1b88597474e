//! The virtual network as a whole: two hosts, a link with weather, real
//! streams at both ends.
//!
//! Every test builds its [`World`](fixture::World), hands it a server and a
//! client, and looks at what came of it, packet by packet. That the bytes add
//! up is checked in every one of these worlds, by the fixture.

mod accounting;
mod clients;
mod closing;
mod crowd;
mod delivery;
mod determinism;
mod fixture;
mod floors;
mod opening;
mod silence;
mod timing;
mod tls;
