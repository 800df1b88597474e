//! Frames: masks, reserved bits, opcodes and lengths (sections 5.1 to 5.3, 6.1
//! and 6.2).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Finding, Outcome};
use crate::websocket::frame::{BINARY, CLOSE, CONTINUATION, Frame, Received, TEXT};

checks! {
    "ws-unmasked-frame" ["RFC6455-5.1-1"] unmasked_frame;
    "ws-own-frames-unmasked" ["RFC6455-5.1-2"] own_frames_unmasked;
    "ws-reserved-bits" ["RFC6455-5.2-1"] reserved_bits;
    "ws-unknown-opcodes" ["RFC6455-5.2-2"] unknown_opcodes;
    "ws-own-lengths-shortest" ["RFC6455-5.2-3"] own_lengths_shortest;
    "ws-length-with-top-bit" ["RFC6455-5.2-4"] length_with_top_bit;
    "ws-own-reserved-bits" ["RFC6455-5.2-5"] own_reserved_bits;
    "ws-own-messages-end" ["RFC6455-6.1-1"] own_messages_end;
    "ws-masks-are-removed" ["RFC6455-6.2-1"] masks_are_removed;
}

/// Frames that a server answers, or may, as the first of a client.
fn first_frames(bench: &Bench) -> Outcome<[Frame; 2]> {
    let message = bench.first_message("client")?;
    Ok([Frame::ping("there?"), Frame::new(BINARY, message)])
}

async fn unmasked_frame(bench: Bench) -> Outcome {
    for frame in first_frames(&bench)? {
        let mut socket = bench.open_websocket("client").await?;
        socket.send(&frame.mask(None)).await?;
        socket.until_failed("a frame is not masked").await?;
    }
    Ok(())
}

/// Frames of the server of every kind there is: data if there is an application,
/// as long as it takes it, a Pong, and a Close.
async fn own_frames(bench: &Bench) -> Outcome<Vec<Received>> {
    let mut frames = Vec::new();
    if let Some(mut app) = bench.open_app_if_any("app").await? {
        // The lengths around which their form changes.
        for length in [0, 100, 125, 126, 65_000, 65_535, 65_536] {
            match app.round_trip(&vec![b'.'; length]).await {
                Err(Finding::Skip(_)) => break,
                came => frames.append(&mut came?),
            }
        }
    }
    let mut socket = bench.open_websocket("own").await?;
    for payload in [&b"."[..], &[b'.'; 125]] {
        socket.send(&Frame::ping(payload)).await?;
        frames.push(socket.pong().await?);
    }
    socket.send(&Frame::close(1000, "")).await?;
    let ending = socket.until_end("the closing handshake").await?;
    frames.extend(ending.frames);
    Ok(frames)
}

/// Fails for the first frame of the server that is `wrong`.
async fn own_frames_are_not(bench: &Bench, what: &str, wrong: fn(&Received) -> bool) -> Outcome {
    match own_frames(bench).await?.iter().find(|frame| wrong(frame)) {
        None => Ok(()),
        Some(frame) => Err(Finding::fail(what, format!("{frame} came"))),
    }
}

async fn own_frames_unmasked(bench: Bench) -> Outcome {
    own_frames_are_not(&bench, "frames without a mask", |frame| frame.masked).await
}

async fn own_reserved_bits(bench: Bench) -> Outcome {
    let what = "frames without reserved bits, since no extension is agreed upon";
    own_frames_are_not(&bench, what, |frame| frame.reserved != 0).await
}

async fn own_lengths_shortest(bench: Bench) -> Outcome {
    let what = "lengths in as few bytes as they take";
    own_frames_are_not(&bench, what, |frame| !frame.shortest).await
}

/// A message begins with its opcode, goes on with continuations, and ends with
/// FIN.
async fn own_messages_end(bench: Bench) -> Outcome {
    let mut app = bench.open_app("client").await?;
    let frames = match app.round_trip(&[b'.'; 70_000]).await {
        Err(Finding::Skip(_)) => {
            app = bench.open_app("client").await?;
            app.round_trip(&[b'.'; 7_000]).await?
        }
        came => came?,
    };
    let mut open = false;
    for frame in frames.iter().filter(|frame| frame.is_data()) {
        let expected = match open {
            true => "a continuation, since the message before has not ended",
            false => "a frame that begins a message",
        };
        if (frame.opcode == CONTINUATION) != open {
            return Err(Finding::fail(expected, format!("{frame} came")));
        }
        open = !frame.last;
    }
    match open {
        false => Ok(()),
        true => {
            let actual = "all of the data came, and its last frame had FIN 0";
            Err(Finding::fail(
                "FIN 1 in the last frame of a message",
                actual,
            ))
        }
    }
}

async fn reserved_bits(bench: Bench) -> Outcome {
    for bits in [0b100, 0b010, 0b001] {
        for frame in first_frames(&bench)? {
            let mut socket = bench.open_websocket("client").await?;
            socket.send(&frame.reserved(bits)).await?;
            let broken = format!("reserved bits {bits:03b} mean nothing");
            socket.until_failed(&broken).await?;
        }
    }
    Ok(())
}

async fn unknown_opcodes(bench: Bench) -> Outcome {
    for opcode in (TEXT + 2..CLOSE).chain(0xb..=0xf) {
        let mut socket = bench.open_websocket("client").await?;
        socket.send(&Frame::new(opcode, "")).await?;
        let broken = format!("opcode {opcode:#x} means nothing");
        socket.until_failed(&broken).await?;
    }
    Ok(())
}

async fn length_with_top_bit(bench: Bench) -> Outcome {
    const TOP_BIT: u64 = 1 << 63;
    let broken = "the top bit of a length is set";
    // The payload is that long without the bit, and then a Ping follows.
    let frame = Frame::new(BINARY, "").claiming(TOP_BIT);
    let mut socket = bench.open_websocket("client").await?;
    socket.send_all(&[frame, Frame::ping("there?")]).await?;
    socket.until_failed(broken).await?;
    let mut socket = bench.open_websocket("client").await?;
    socket
        .send(&Frame::new(BINARY, "").claiming(u64::MAX))
        .await?;
    socket.until_failed(broken).await?;
    Ok(())
}

async fn masks_are_removed(bench: Bench) -> Outcome {
    const KEYS: [[u8; 4]; 3] = [[0; 4], [0xff; 4], [0x12, 0x9a, 0x03, 0xc4]];
    let mut socket = bench.open_websocket("client").await?;
    for key in KEYS {
        let ping = Frame::ping("masked").mask(Some(key));
        socket.send(&ping).await?;
        socket.until_pong(b"masked").await?;
    }
    let Some(mut app) = bench.open_app_if_any("app").await? else {
        // The Pongs have shown as much as there is to see.
        return Ok(());
    };
    let message = app.message("masked otherwise in each fragment");
    let fragments = Frame::fragments(BINARY, &message, KEYS.len());
    let fragments = fragments.into_iter().zip(KEYS);
    let fragments: Vec<_> = fragments
        .map(|(fragment, key)| fragment.mask(Some(key)))
        .collect();
    app.socket.send_all(&fragments).await?;
    app.answer(&message).await?;
    Ok(())
}
