//! Control frames: Ping and Pong (sections 5.5, 5.5.2 and 5.5.3).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Finding, Outcome, ensure};
use crate::websocket::frame::{Frame, PONG};

checks! {
    "ws-long-control-frame" ["RFC6455-5.5-1"] long_control_frame;
    "ws-ping-is-answered" ["RFC6455-5.5.2-1"] ping_is_answered;
    "ws-pong-has-pings-payload" ["RFC6455-5.5.3-1"] pong_has_pings_payload;
    "ws-unasked-pong" ["RFC6455-5.5.3-2"] unasked_pong;
}

async fn long_control_frame(bench: Bench) -> Outcome {
    let mut socket = bench.open_websocket("client").await?;
    socket.send(&Frame::ping([b'.'; 126])).await?;
    let broken = "a control frame has more than 125 bytes";
    socket.until_failed(broken).await?;
    Ok(())
}

/// Before there is any data, and after some.
async fn ping_is_answered(bench: Bench) -> Outcome {
    let mut socket = bench.open_websocket("client").await?;
    for payload in ["first", ""] {
        socket.send(&Frame::ping(payload)).await?;
        socket.pong().await?;
    }
    if let Some(mut app) = bench.open_app_if_any("app").await? {
        app.round_trip(b"some data").await?;
        app.socket.send(&Frame::ping("later")).await?;
        app.socket.pong().await?;
    }
    Ok(())
}

async fn pong_has_pings_payload(bench: Bench) -> Outcome {
    let mut socket = bench.open_websocket("client").await?;
    let long: Vec<u8> = (0..125).collect();
    for payload in [&b""[..], b"\xff", &long] {
        socket.send(&Frame::ping(payload)).await?;
        let pong = socket.pong().await?;
        ensure(
            pong.payload == payload,
            format!("a Pong with the {} bytes of the Ping", payload.len()),
            format!("{pong} came"),
        )?;
    }
    Ok(())
}

/// It is allowed, so a server that ends the connection for it is not strict.
async fn unasked_pong(bench: Bench) -> Outcome {
    let mut socket = bench.open_websocket("client").await?;
    let pong = Frame::new(PONG, "nobody asked");
    socket.send_all(&[pong, Frame::ping("there?")]).await?;
    match socket.until_pong(b"there?").await {
        Ok(_) => Ok(()),
        Err(Finding::Fail { actual, .. }) => {
            let expected = "to go on after a Pong that nobody asked for";
            Err(Finding::non_strict(expected, actual))
        }
        Err(other) => Err(other),
    }
}
