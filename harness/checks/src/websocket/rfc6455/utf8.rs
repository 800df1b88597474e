//! Text is UTF-8 (sections 5.6 and 8.1).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Finding, Outcome, ensure};
use crate::websocket::Serves;
use crate::websocket::frame::{Frame, TEXT};

checks! {
    "ws-text-is-utf-8" ["RFC6455-5.6-1"] text_is_utf_8;
    "ws-ill-formed-utf-8" ["RFC6455-8.1-1"] ill_formed_utf_8;
}

/// Neither may be in UTF-8: a byte that continues nothing, half of a pair of
/// surrogates, more than there is in Unicode, and an overlong form.
const ILL_FORMED: [&[u8]; 5] = [
    b"\xc3\x28",
    b"ok\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\xaf",
];

async fn text_is_utf_8(bench: Bench) -> Outcome {
    for text in ILL_FORMED {
        let mut socket = bench.open_websocket("client").await?;
        // A server may look at text after what is behind it.
        socket.send(&Frame::new(TEXT, text)).await?;
        socket.until_failed("text is not UTF-8").await?;
    }
    // Characters may be split among fragments: the whole message counts.
    if bench.endpoint()?.serves == Serves::Echo {
        let mut app = bench.open_app("app").await?;
        let text = "κόσμε \u{10ffff}".as_bytes();
        app.socket
            .send_all(&Frame::fragments(TEXT, text, text.len()))
            .await?;
        app.answer(text).await?;
    }
    Ok(())
}

/// A server that does not look at the reason of a Close frame need not find out
/// that it is ill-formed.
async fn ill_formed_utf_8(bench: Bench) -> Outcome {
    let mut socket = bench.open_websocket("client").await?;
    let half = Frame::new(TEXT, b"\xf0\x9f").unfinished();
    let end = Frame::new(0, b"\x28");
    socket.send_all(&[half, end]).await?;
    let ending = socket.until_failed("text is not UTF-8").await?;
    let code = ending.close().and_then(|close| close.close_code());
    ensure(
        code != Some(1000),
        "a connection that is failed",
        "close code 1000, as if nothing were wrong",
    )?;
    let mut socket = bench.open_websocket("client").await?;
    socket.send(&Frame::close(1000, b"\xc3\x28")).await?;
    let expected = "the server to fail the connection, since a close reason is not UTF-8";
    let ending = socket.until_end(expected).await?;
    match ending.close().and_then(|close| close.close_code()) {
        Some(1000) => Err(Finding::non_strict(
            "close code 1007, since the reason is not UTF-8",
            "close code 1000",
        )),
        _ => Ok(()),
    }
}
