//! What protects a server from its clients (sections 10.4 and 10.7).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Finding, Outcome};
use crate::websocket::frame::{BINARY, Frame};

checks! {
    "ws-endless-frame" ["RFC6455-10.4-1"] endless_frame;
    "ws-garbage" ["RFC6455-10.7-1"] garbage;
}

/// A server without limits may wait for it, which it will until it is restarted.
async fn endless_frame(bench: Bench) -> Outcome {
    let mut socket = bench.open_websocket("client").await?;
    let frame = Frame::new(BINARY, [b'.'; 1000]).claiming(1 << 62);
    socket.send(&frame).await?;
    match socket
        .until_failed("nobody can take a frame of 2^62 bytes")
        .await
    {
        Err(Finding::Fail { expected, actual }) => Err(Finding::NonStrict { expected, actual }),
        other => other.map(drop),
    }
}

/// In place of frames, and in place of a request.
async fn garbage(bench: Bench) -> Outcome {
    let mut socket = bench.open_websocket("client").await?;
    // A masked frame of which nothing is right, and then a Ping.
    let nonsense = Frame::new(0xf, "\u{7}\u{7}\u{7}").reserved(0b111);
    socket.send_all(&[nonsense, Frame::ping("there?")]).await?;
    socket.until_failed("it is sent nonsense").await?;
    let mut socket = bench.dial_websocket("client").await?;
    socket.send_bytes(&[0xa5; 200]).await?;
    socket.send_bytes(b"\r\n\r\n").await?;
    match socket.response().await? {
        Some(response) if response.opens() => {
            let expected = "an HTTP error, or the end";
            Err(Finding::fail(expected, response.status_line))
        }
        _ => Ok(()),
    }
}
