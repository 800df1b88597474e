//! What is written at one end is read at the other, byte for byte, whatever
//! the weather.

use super::fixture::*;
use crate::scenario::{CongestionControl, Direction, GilbertElliott, Latency, Reorder};
use rstest::rstest;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn burst() -> Option<GilbertElliott> {
    Some(GilbertElliott {
        enter: 0.1,
        leave: 0.3,
        loss_good: 0.0,
        loss_bad: 0.9,
    })
}

fn reorder() -> Option<Reorder> {
    Some(Reorder {
        probability: 0.2,
        delay: ms(70),
    })
}

fn jitter() -> Latency {
    Latency::Uniform {
        min: ms(20),
        max: ms(180),
    }
}

/// `hit` says by the packets that the link did what the case is about.
#[rstest]
#[case::ideal(fifty_ms(), 50_000, |_: &Outcome<_>| true)]
#[case::one_byte(fifty_ms(), 1, |_: &Outcome<_>| true)]
#[case::nothing(fifty_ms(), 0, |_: &Outcome<_>| true)]
#[case::loss(Direction { loss: 0.2, ..fifty_ms() }, 50_000, lost(5))]
#[case::bursts(Direction { burst: burst(), ..fifty_ms() }, 50_000, lost(1))]
#[case::duplication(
    Direction { duplicate: 0.3, ..fifty_ms() },
    50_000,
    |run: &Outcome<_>| run.counts.iter().all(|way| way.duplicated > 1)
)]
#[case::reordering(
    Direction { reorder: reorder(), ..fifty_ms() },
    50_000,
    |run: &Outcome<_>| run.counts.iter().all(|way| way.reordered > 1)
)]
#[case::jitter(Direction { latency: jitter(), ..fifty_ms() }, 50_000, |_: &Outcome<_>| true)]
#[case::tail_drop(
    Direction { rate_bits_per_second: Some(64_000), queue_bytes: Some(1_500), ..fifty_ms() },
    50_000,
    |run: &Outcome<_>| run.packets.iter().any(|packet| packet.says("queue full"))
)]
#[case::small_mtu(
    Direction { mtu: 128, ..fifty_ms() },
    10_000,
    |run: &Outcome<_>| run.packets.iter().map(|packet| packet.bytes).max() == Some(128)
)]
#[case::all_of_it(
    Direction {
        latency: jitter(),
        loss: 0.05,
        burst: burst(),
        duplicate: 0.05,
        reorder: reorder(),
        rate_bits_per_second: Some(256_000),
        queue_bytes: Some(6_000),
        mtu: 576,
    },
    20_000,
    lost(5)
)]
fn an_echo_is_byte_identical(
    #[case] direction: Direction,
    #[case] bytes: usize,
    #[case] hit: impl Fn(&Outcome<()>) -> bool,
    #[values(1, 2)] seed: u64,
) {
    let mut world = World::new(direction);
    (world.seed, world.limit) = (seed, Duration::from_secs(3_600));
    world.drain = Duration::from_secs(200);
    let run = world.run(echo_server, move |end| async move {
        let stream = end.dial(0).await.expect("a connection");
        let back = echo(stream, pattern(bytes)).await.expect("an echo");
        assert_eq!(back.len(), bytes);
        assert!(back == pattern(bytes), "the echo differs");
    });
    assert!(hit(&run), "the link did not do what this case is about");
    assert_eq!(run.left, [0, 0], "connections are left over");
}

/// At least so many packets lost each way.
fn lost(packets: u64) -> impl Fn(&Outcome<()>) -> bool {
    move |run| run.counts.iter().all(|way| way.lost_total() >= packets)
}

#[rstest]
#[case::smallest_window(512, 20_000, CongestionControl::None)]
#[case::reno(4_096, 100_000, CongestionControl::Reno)]
#[case::cubic(4_096, 100_000, CongestionControl::Cubic)]
#[case::bulk(16_384, 1_000_000, CongestionControl::None)]
#[case::scaled_window(262_144, 1_000_000, CongestionControl::None)]
fn an_echo_larger_than_the_window_is_byte_identical(
    #[case] window: u32,
    #[case] bytes: usize,
    #[case] congestion: CongestionControl,
    #[values(0.0, 0.02)] loss: f64,
) {
    let mut world = World::new(Direction { loss, ..fifty_ms() });
    (world.window_bytes, world.network.congestion) = (window, congestion);
    world.limit = Duration::from_secs(3_600);
    let run = world.run(echo_server, move |end| async move {
        let stream = end.dial(0).await.expect("a connection");
        let back = echo(stream, pattern(bytes)).await.expect("an echo");
        assert!(back == pattern(bytes), "the echo differs");
    });
    let largest = run
        .packets
        .iter()
        .map(|packet| packet.segment.payload_bytes)
        .max();
    assert!(
        largest <= Some(window as usize),
        "a packet beyond the window"
    );
    assert_eq!(run.left, [0, 0]);
}

#[rstest]
fn both_directions_carry_different_streams_at_once(#[values(0.0, 0.1)] loss: f64) {
    const BYTES: usize = 60_000;
    let mut world = World::new(Direction { loss, ..fifty_ms() });
    world.limit = Duration::from_secs(3_600);
    let server = |end: End| async move {
        let mut listener = end.listen();
        let (mut from, mut to) = tokio::io::split(listener.accept().await);
        let mut received = vec![0; BYTES];
        let mut sent = pattern(BYTES);
        sent.reverse();
        let (read, wrote) = tokio::join!(from.read_exact(&mut received), to.write_all(&sent));
        read.expect("all of it");
        wrote.expect("all of it");
        assert!(received == pattern(BYTES), "what went up differs");
        to.shutdown().await.expect("a FIN");
        std::future::pending().await
    };
    world.run(server, |end| async move {
        let stream = end.dial(0).await.expect("a connection");
        let mut down = echo(stream, pattern(BYTES)).await.expect("a stream down");
        down.reverse();
        assert!(down == pattern(BYTES), "what came down differs");
    });
}
