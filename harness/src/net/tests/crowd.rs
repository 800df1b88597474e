//! Many at once: wakers of one connection, connections of one card.

use super::fixture::*;
use rstest::rstest;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::sleep;

#[test]
fn a_reader_and_a_writer_blocked_at_once_are_both_woken() {
    let server = |end: End| async move {
        let mut listener = end.listen();
        let mut stream = listener.accept().await;
        sleep(Duration::from_secs(5)).await;
        stream.write_all(b"now").await.expect("room");
        sleep(Duration::from_secs(5)).await;
        let mut all = vec![0; 20_000];
        stream.read_exact(&mut all).await.expect("all of it");
        std::future::pending().await
    };
    let run = World::ideal().run(server, |end| async move {
        let (mut from, mut to) = tokio::io::split(end.dial(0).await.expect("a connection"));
        let clock = end.clock;
        let mut reader = JoinSet::new();
        reader.spawn(async move {
            from.read_exact(&mut [0; 3]).await.expect("a word");
            (clock.now(), from)
        });
        to.write_all(&pattern(20_000)).await.expect("room at last");
        let wrote = clock.now();
        let (read, _from) = reader
            .join_next()
            .await
            .expect("a reader")
            .expect("no panic");
        [read, wrote]
    });
    let [read, wrote] = run.answer;
    assert!(
        (5_150 * MS..5_250 * MS).contains(&read),
        "read at {read} ns"
    );
    // The window may be probed only a while after it has opened.
    assert!(
        (10 * SECOND..18 * SECOND).contains(&wrote),
        "written at {wrote} ns"
    );
}

#[rstest]
fn thousands_of_connections_have_a_timer_each_at_most(#[values(0.0, 0.1)] loss: f64) {
    const CONNECTIONS: u32 = 2_000;
    let mut world = World::ideal();
    (world.link.up.loss, world.link.down.loss) = (loss, loss);
    world.window_bytes = 1_024;
    world.drain = Duration::from_secs(300);
    let run = world.run(echo_server, |end| async move {
        let mut echoes = JoinSet::new();
        for device in 0..CONNECTIONS {
            let end = end.clone();
            echoes.spawn(async move {
                let stream = end.dial(device).await.expect("a connection");
                let back = echo(stream, pattern(3_000)).await.expect("an echo");
                assert!(back == pattern(3_000));
            });
        }
        let mut most = 0;
        while !echoes.is_empty() {
            assert!(end.nic.timer_count() <= end.nic.connection_count());
            most = most.max(end.nic.connection_count());
            let pause = tokio::time::timeout(Duration::from_millis(20), echoes.join_next());
            if let Ok(Some(ended)) = pause.await {
                ended.expect("no panic");
            }
        }
        most
    });
    assert_eq!(run.answer, CONNECTIONS as usize);
    assert_eq!(run.left, [0, 0]);
}
