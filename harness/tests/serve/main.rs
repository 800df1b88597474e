//! The reference broker on real sockets: `squall serve` in a process of its own,
//! and `squall::serve` in this one; and the house of `squall demo light`, which is
//! built on it.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use squall::serve::{Listening, Served, Settings};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

#[path = "../support/browser.rs"]
mod browser;
mod clients;
mod command;
mod config;
mod crash;
mod demo;
mod demo_page;
mod http;
mod hub;
mod limits;
mod process;
mod restart;
mod tls;
mod users;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// CONNECT of MQTT 3.1.1 with the client identifier `a`, clean, and its answer.
const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01a";
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// Serves the one endpoint of these settings while `test` runs.
async fn serving<F: Future<Output = ()>>(
    settings: Settings,
    test: impl FnOnce(SocketAddr) -> F,
) -> Served {
    let listening = Listening::bind(settings).await.expect("it listens");
    let url = listening.urls().remove(0);
    let address = url.split('/').nth(2).expect("an address");
    let address = address.parse().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(listening.serve(async {
        let _ = stopped.await;
    }));
    test(address).await;
    drop(stop);
    let served = serving.await.expect("no panic");
    served.expect("no store failed")
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("connected")
}

/// Says something to whoever runs the tests.
#[expect(
    clippy::print_stderr,
    reason = "what was skipped or counted must be seen, and libtest has no other way"
)]
fn say(text: &str) {
    eprintln!("{text}");
}
