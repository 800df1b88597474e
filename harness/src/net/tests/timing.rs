//! When packets arrive, and how many a second.

use super::fixture::*;
use crate::scenario::Direction;
use rstest::rstest;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

#[rstest]
fn a_round_trip_takes_twice_the_latency(
    #[values(1, 10, 50)] tick: u64,
    #[values(50, 53, 400)] latency: u64,
) {
    let mut world = World::new(Direction::ideal(Duration::from_millis(latency)));
    world.network.tick = Duration::from_millis(tick);
    let run = world.run(echo_server, |end| async move {
        let start = end.clock.now();
        let mut stream = end.dial(0).await.expect("a connection");
        let connected = end.clock.now();
        stream.write_all(b"x").await.expect("room");
        stream.read_u8().await.expect("an echo");
        [connected - start, end.clock.now() - connected]
    });
    assert_eq!(run.answer, [2 * latency * MS; 2]);
}

/// The tick is how often hosts look at each other, and not when packets arrive.
#[rstest]
#[case::steady(fifty_ms())]
#[case::narrow(Direction { rate_bits_per_second: Some(100_000), ..fifty_ms() })]
#[case::lossy(Direction { loss: 0.1, ..fifty_ms() })]
fn the_tick_changes_no_packet(#[case] direction: Direction) {
    let packets = |tick| {
        let mut world = World::new(direction.clone());
        world.network.tick = Duration::from_millis(tick);
        let run = world.run(echo_server, |end| async move {
            let stream = end.dial(0).await.expect("a connection");
            echo(stream, pattern(20_000)).await.expect("an echo");
        });
        run.packets
    };
    let reference = packets(1);
    for tick in [5, 10, 50] {
        for (expected, got) in reference.iter().zip(packets(tick)) {
            assert_eq!(*expected, got, "at a tick of {tick} ms");
        }
    }
}

#[rstest]
#[case::narrow_band(20_000, 4.0)]
#[case::wide_band(800_000, 0.1)]
fn ten_kilobytes_take_the_time_of_their_bits(#[case] rate: u64, #[case] expected: f64) {
    let mut world = World::ideal();
    world.link.up.rate_bits_per_second = Some(rate);
    world.window_bytes = 32_768;
    let (tell, told) = oneshot::channel();
    let server = move |end: End| async move {
        let mut listener = end.listen();
        let mut stream = listener.accept().await;
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.expect("all of it");
        tell.send(end.clock.now()).ok();
    };
    let run = world.run(server, move |end| async move {
        let mut stream = end.dial(0).await.expect("a connection");
        let start = end.clock.now();
        stream.write_all(&pattern(10_000)).await.expect("room");
        stream.shutdown().await.expect("a FIN");
        told.await.expect("an end") - start
    });
    let seconds = run.answer as f64 / SECOND as f64 - 0.05;
    let ratio = seconds / expected;
    // Seven headers of 40 bytes and the end of the handshake come on top.
    assert!(
        (1.0..1.06).contains(&ratio),
        "{seconds} s, and not {expected} s"
    );
}

/// smoltcp's own figures for a window of 32 KiB and a round trip of 100 ms
/// (its `tests/snapshots/netsim__netsim.snap`): 323, 77 and 6 KB/s.
#[rstest]
#[case::no_loss(0.0, 1_000_000, 280.0..330.0)]
#[case::five_percent(0.05, 1_000_000, 40.0..160.0)]
#[case::twenty_percent(0.2, 200_000, 3.0..20.0)]
fn throughput_is_what_smoltcp_measures(
    #[case] loss: f64,
    #[case] bytes: usize,
    #[case] expected: std::ops::Range<f64>,
) {
    let mut world = World::new(Direction { loss, ..fifty_ms() });
    // A send buffer of 32 KiB is what limits.
    world.window_bytes = 64 * 1024;
    let server = |end: End| async move {
        let mut listener = end.listen();
        let mut stream = listener.accept().await;
        tokio::io::copy(&mut stream, &mut tokio::io::sink())
            .await
            .expect("all of it");
    };
    let run = world.run(server, move |end| async move {
        let start = end.clock.now();
        let stream = end.dial(0).await.expect("a connection");
        let back = echo(stream, pattern(bytes)).await.expect("an end");
        assert!(back.is_empty());
        end.clock.now() - start
    });
    let rate = bytes as f64 / 1_000.0 / (run.answer as f64 / SECOND as f64);
    assert!(
        expected.contains(&rate),
        "{rate} KB/s, and not {expected:?}"
    );
}
