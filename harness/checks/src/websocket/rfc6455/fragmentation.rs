//! Messages in fragments (section 5.4).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Finding, Outcome, ensure};
use crate::websocket::frame::{BINARY, CONTINUATION, Frame, Received};

checks! {
    "ws-fragmented-control" ["RFC6455-5.4-1"] fragmented_control;
    "ws-interleaved-messages" ["RFC6455-5.4-2"] interleaved_messages;
    "ws-control-between-fragments" ["RFC6455-5.4-3"] control_between_fragments;
    "ws-fragmented-and-whole" ["RFC6455-5.4-4"] fragmented_and_whole;
    "ws-stray-continuation" ["RFC6455-5.4-5"] stray_continuation;
    "ws-order-of-fragments" ["RFC6455-5.4-6"] order_of_fragments;
    "ws-frames-mean-nothing" ["RFC6455-5.4-7"] frames_mean_nothing;
}

async fn fragmented_control(bench: Bench) -> Outcome {
    let mut socket = bench.open_websocket("client").await?;
    let begin = Frame::ping("one ").unfinished();
    let end = Frame::new(CONTINUATION, "two");
    socket.send_all(&[begin, end]).await?;
    socket.until_failed("a Ping is in fragments").await?;
    // Its own come whole.
    let mut socket = bench.open_websocket("client").await?;
    socket.send(&Frame::ping([b'.'; 125])).await?;
    let pong = socket.pong().await?;
    ensure(pong.last, "a Pong in one frame", format!("{pong} came"))
}

async fn interleaved_messages(bench: Bench) -> Outcome {
    let mut socket = bench.open_websocket("client").await?;
    let begin = Frame::new(BINARY, "one").unfinished();
    let other = Frame::new(BINARY, "two");
    // What a server that took them for two would make of it shows now.
    socket
        .send_all(&[begin, other, Frame::ping("there?")])
        .await?;
    socket.until_failed("a message is inside another").await?;
    Ok(())
}

async fn control_between_fragments(bench: Bench) -> Outcome {
    let mut app = bench.open_app("client").await?;
    let message = app.message("with Pings between its fragments");
    for (index, fragment) in Frame::fragments(BINARY, &message, 3).iter().enumerate() {
        app.socket.send(fragment).await?;
        if index < 2 {
            let payload = [b'0' + index as u8];
            app.socket.send(&Frame::ping(payload)).await?;
            let before = app.socket.until_pong(&payload).await?;
            let early = before.iter().find(|frame| frame.is_data());
            if let Some(early) = early {
                let actual = format!("{early} came before the last fragment was sent");
                return Err(Finding::fail("a Pong, and nothing else yet", actual));
            }
        }
    }
    app.answer(&message).await?;
    Ok(())
}

async fn fragmented_and_whole(bench: Bench) -> Outcome {
    let mut app = bench.open_app("client").await?;
    let message = app.message("in one, two and many");
    // More fragments than bytes: some are empty.
    for count in [1, 2, 3, message.len() + 10] {
        let fragments = Frame::fragments(BINARY, &message, count);
        app.socket.send_all(&fragments).await?;
        app.answer(&message).await?;
    }
    Ok(())
}

async fn stray_continuation(bench: Bench) -> Outcome {
    let broken = "a continuation follows nothing";
    for frame in [
        Frame::new(CONTINUATION, "of nothing"),
        Frame::new(CONTINUATION, "of nothing").unfinished(),
    ] {
        let mut socket = bench.open_websocket("client").await?;
        socket.send_all(&[frame, Frame::ping("there?")]).await?;
        socket.until_failed(broken).await?;
    }
    Ok(())
}

async fn order_of_fragments(bench: Bench) -> Outcome {
    let mut app = bench.open_app("client").await?;
    let payload: Vec<u8> = (0..200_u32)
        .flat_map(|number| format!("{number:04} ").into_bytes())
        .collect();
    let message = app.message(&payload);
    for fragment in Frame::fragments(BINARY, &message, 40) {
        app.socket.send(&fragment).await?;
    }
    app.answer(&message).await?;
    Ok(())
}

/// A message is the same message however it is split: an echo has as many as
/// there were. MQTT does not care for messages at all.
async fn frames_mean_nothing(bench: Bench) -> Outcome {
    let mut app = bench.open_app("client").await?;
    let message = app.message("the same in whatever frames");
    for count in [1, 2, 5] {
        let fragments = Frame::fragments(BINARY, &message, count);
        app.socket.send_all(&fragments).await?;
        let frames = app.answer(&message).await?;
        let messages = frames.iter().filter(|frame| ends_message(frame)).count();
        ensure(
            app.is_mqtt() || messages <= 1,
            format!("one message for a message in {count} fragments"),
            format!("{messages} messages"),
        )?;
    }
    app.nothing_more("the same answer to the same message")
        .await
}

fn ends_message(frame: &Received) -> bool {
    frame.is_data() && frame.last
}
