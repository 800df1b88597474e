//! The closing handshake, how a connection is failed, and status codes (sections
//! 5.5.1, 7.1 and 7.4).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Finding, Outcome, ensure};
use crate::websocket::frame::{BINARY, CLOSE, CONTINUATION, Frame, Received};

checks! {
    "ws-close-body" ["RFC6455-5.5.1-1"] close_body;
    "ws-no-data-after-close" ["RFC6455-5.5.1-2"] no_data_after_close;
    "ws-close-is-answered" ["RFC6455-5.5.1-3"] close_is_answered;
    "ws-server-ends-stream" ["RFC6455-5.5.1-4"] server_ends_stream;
    "ws-stream-ends-in-order" ["RFC6455-7.1.1-1"] stream_ends_in_order;
    "ws-failure-says-why" ["RFC6455-7.1.7-1"] failure_says_why;
    "ws-nothing-after-failure" ["RFC6455-7.1.7-2"] nothing_after_failure;
    "ws-codes-never-sent" ["RFC6455-7.4.1-1"] codes_never_sent;
    "ws-codes-fit" ["RFC6455-7.4.1-2"] codes_fit;
    "ws-codes-in-range" ["RFC6455-7.4.2-1"] codes_in_range;
}

/// The Close frame that a new WebSocket has in answer to a frame, if it has one.
async fn close_after(bench: &Bench, frame: &Frame) -> Outcome<Option<Received>> {
    let mut socket = bench.open_websocket("client").await?;
    socket.send(frame).await?;
    socket.until_close().await
}

async fn close_body(bench: Bench) -> Outcome {
    let half = close_after(&bench, &Frame::new(CLOSE, [0x03])).await?;
    let whole = close_after(&bench, &Frame::close(1000, "bye")).await?;
    for close in [&half, &whole].into_iter().flatten() {
        ensure(
            close.payload.len() != 1,
            "a Close frame with a whole status code, or with none",
            "one with a byte of it",
        )?;
    }
    // Half a code is answered with a protocol error, if at all.
    match half.and_then(|close| close.close_code()) {
        None | Some(1002) => Ok(()),
        Some(code) => Err(Finding::non_strict(
            "close code 1002 for a Close frame with half a status code",
            format!("close code {code}"),
        )),
    }
}

/// With data under way in both directions.
async fn no_data_after_close(bench: Bench) -> Outcome {
    let mut frames = Vec::new();
    let mut socket = match bench.open_app_if_any("client").await? {
        None => bench.open_websocket("client").await?,
        Some(app) => {
            let message = app.message("data that is under way");
            frames.extend(std::iter::repeat_n(Frame::new(BINARY, message), 20));
            app.socket
        }
    };
    frames.push(Frame::close(1000, ""));
    socket.send_all(&frames).await?;
    let ending = socket.until_end("the server to end the connection").await?;
    let mut after = ending
        .frames
        .iter()
        .skip_while(|frame| frame.opcode != CLOSE);
    match after.find(|frame| frame.is_data()) {
        None => Ok(()),
        Some(frame) => {
            let actual = format!("{frame} came after it");
            Err(Finding::fail("no data after a Close frame", actual))
        }
    }
}

async fn close_is_answered(bench: Bench) -> Outcome {
    let empty = Frame::new(CLOSE, "");
    let others = [1000, 3000, 4000].map(|code| Frame::close(code, "bye"));
    for close in std::iter::once(empty).chain(others) {
        let answer = close_after(&bench, &close).await?;
        let expected = format!("a Close frame in answer to {close}");
        ensure(answer.is_some(), expected, "none")?;
    }
    Ok(())
}

async fn server_ends_stream(bench: Bench) -> Outcome {
    for close in [Frame::close(1000, ""), Frame::new(CLOSE, "")] {
        let mut socket = bench.open_websocket("client").await?;
        socket.send(&close).await?;
        let expected = "the server to end the connection once there were Close frames both ways";
        socket.until_end(expected).await?;
    }
    Ok(())
}

async fn stream_ends_in_order(bench: Bench) -> Outcome {
    let mut socket = bench.open_websocket("client").await?;
    socket.send(&Frame::close(1000, "")).await?;
    let ending = socket.until_end("the server to end the connection").await?;
    match ending.reset {
        false => Ok(()),
        true => Err(Finding::non_strict(
            "the connection to be closed in order",
            "it was reset",
        )),
    }
}

async fn failure_says_why(bench: Bench) -> Outcome {
    let mut socket = bench.open_websocket("client").await?;
    socket.send(&Frame::ping("").reserved(0b100)).await?;
    let ending = socket.until_failed("a reserved bit is set").await?;
    match ending.close().and_then(|close| close.close_code()) {
        Some(_) => Ok(()),
        None => Err(Finding::non_strict(
            "a Close frame with a status code before the end",
            "none",
        )),
    }
}

/// What is behind the frame that failed the connection is not looked at, even
/// if it came in the same segment. A broker could act upon it all the same: who
/// listens to the topic would hear it.
async fn nothing_after_failure(bench: Bench) -> Outcome {
    let mut frames = vec![Frame::ping("").reserved(0b100), Frame::ping("there?")];
    let topic = bench.topic("client");
    let mut listener = None;
    let mut socket = match bench.open_app_if_any("client").await? {
        None => bench.open_websocket("client").await?,
        Some(app) => {
            frames.push(Frame::new(BINARY, app.message("this, too")));
            if app.is_mqtt() {
                listener = Some(bench.open_mqtt("listener", &topic).await?);
            }
            app.socket
        }
    };
    socket.send_all(&frames).await?;
    let broken = "a reserved bit is set, and nothing behind it counts";
    socket.until_failed(broken).await?;
    let Some(mut listener) = listener else {
        return Ok(());
    };
    match listener.round_trip(b"and nothing before it").await {
        Err(Finding::Fail { actual, .. }) => {
            let expected = "nothing to be published that came behind the broken frame";
            Err(Finding::fail(expected, actual))
        }
        other => other.map(drop),
    }
}

/// The codes that the server sends, whatever makes it close.
async fn codes(bench: &Bench) -> Outcome<Vec<u16>> {
    let mut frames = vec![
        Frame::new(CLOSE, ""),
        Frame::ping("").reserved(0b100),
        Frame::new(0x3, ""),
    ];
    let codes = [1000, 1001, 3000, 4999, 999, 1005, 1006, 1015, 5000];
    frames.extend(codes.map(|code| Frame::close(code, "")));
    let mut sent = Vec::new();
    for frame in frames {
        let close = close_after(bench, &frame).await?;
        sent.extend(close.and_then(|close| close.close_code()));
    }
    Ok(sent)
}

async fn codes_never_sent(bench: Bench) -> Outcome {
    let codes = codes(&bench).await?;
    let wrong = codes.iter().find(|code| [1005, 1006, 1015].contains(*code));
    match wrong {
        None => Ok(()),
        Some(code) => Err(Finding::fail(
            "no Close frame with 1005, 1006 or 1015, which are for programs only",
            format!("close code {code}"),
        )),
    }
}

async fn codes_in_range(bench: Bench) -> Outcome {
    let codes = codes(&bench).await?;
    match codes.iter().find(|code| !(1000..5000).contains(*code)) {
        None => Ok(()),
        Some(code) => Err(Finding::fail(
            "a close code from 1000 to 4999",
            format!("close code {code}"),
        )),
    }
}

/// What is wrong, and the codes that fit. A server need not say any.
async fn codes_fit(bench: Bench) -> Outcome {
    let wrongs = [
        ("a reserved bit", Frame::ping("").reserved(0b100)),
        ("an unknown opcode", Frame::new(0x3, "")),
        ("a Ping in fragments", Frame::ping("").unfinished()),
        ("a stray continuation", Frame::new(CONTINUATION, "")),
    ];
    for (what, frame) in wrongs {
        let mut socket = bench.open_websocket("client").await?;
        socket.send(&frame).await?;
        let ending = socket.until_failed(what).await?;
        let code = ending.close().and_then(|close| close.close_code());
        if let Some(code) = code.filter(|code| *code != 1002) {
            let expected = format!("close code 1002, a protocol error, for {what}");
            let actual = format!("close code {code}");
            return Err(Finding::non_strict(expected, actual));
        }
    }
    Ok(())
}
