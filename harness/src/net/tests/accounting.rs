//! Bytes and packets are counted once, and none is missing. (That layers, wire
//! and capture agree is checked in every world, by the fixture.)

use super::fixture::*;
use crate::net::Tap;
use crate::net::access::Access;
use crate::net::tap::{PacketKey, Way};
use crate::scenario::{Direction, LinkSpec, Reorder};
use bytes::Bytes;
use rstest::rstest;
use squall_reports::Layer;
use std::time::Duration;

#[rstest]
#[case::up(Way::Up)]
#[case::down(Way::Down)]
fn what_is_sent_arrives_or_is_lost(#[case] way: Way) {
    let link = LinkSpec::symmetric(Direction {
        loss: 0.2,
        duplicate: 0.1,
        rate_bits_per_second: Some(150_000),
        queue_bytes: Some(2_000),
        reorder: Some(Reorder {
            probability: 0.1,
            delay: Duration::from_millis(30),
        }),
        ..fifty_ms()
    });
    let mut access = Access::new(0, 1, &link, None);
    let mut tap = Tap::new(1, 1, None);
    for number in 0..5_000 {
        let key = PacketKey {
            at: u64::from(number / 5) * 4 * MS,
            host: 0,
            number,
        };
        let packet = Bytes::from_static(&[0; 100]);
        tap.sent(way, 0, 0, key, &packet, |layers| {
            layers[Layer::PureAck] += 100
        });
        let _ = access.offer(way, number % 3, key, packet, &mut tap);
    }
    let (up, down) = tap.site_counts(0);
    let (counts, idle, air) = match way {
        Way::Up => (up, down, &mut access.rising),
        Way::Down => (down, up, &mut access.falling),
    };
    let mut last = 0;
    let mut arrived = 0;
    while let Some(packet) = air.land(u64::MAX) {
        let at = packet.at;
        assert!(at >= last, "packets land in the order of time");
        (last, arrived) = (at, arrived + 1);
    }
    assert!(counts.lost_total() > 900 && counts.duplicated > 100 && counts.reordered > 100);
    assert!(
        counts.lost.keys().eq(["loss", "queue full"]),
        "{:?}",
        counts.lost
    );
    assert_eq!(counts.sent, 5_000);
    assert_eq!(
        arrived,
        counts.sent + counts.duplicated - counts.lost_total()
    );
    assert_eq!(idle.sent, 0);
}

/// SYN with four bytes of MSS, three of window scale, two of SACK-permitted,
/// padded; the SYN-ACK likewise.
#[test]
fn an_exchange_without_weather_has_no_byte_too_many() {
    let run = World::ideal().run(echo_server, |end| async move {
        let stream = end.dial(0).await.expect("a connection");
        echo(stream, pattern(5_000)).await.expect("an echo");
    });
    for layers in [&run.bytes.up, &run.bytes.down] {
        assert_eq!(layers[Layer::Other], 5_000);
        assert_eq!(layers[Layer::Retransmitted], 0);
    }
    let syn = run.packets(|packet| packet.segment.syn);
    assert_eq!(
        syn.iter().map(|packet| packet.bytes).collect::<Vec<_>>(),
        [52, 52]
    );
    let fins = run.packets(|packet| packet.segment.fin).len() as u64;
    let handshakes = run.bytes.both(Layer::TcpHandshake);
    assert_eq!(handshakes, 2 * 52 + fins * 40);
    let acks = run
        .packets(|packet| packet.segment.sequence_length() == 0)
        .len() as u64;
    assert_eq!(run.bytes.both(Layer::PureAck), acks * 40);
}

/// Every byte is fresh once; whatever carries it again is a retransmission.
#[rstest]
fn loss_costs_retransmissions_and_nothing_else(#[values(1, 2, 3)] seed: u64) {
    const BYTES: u64 = 20_000;
    let mut world = World::new(Direction {
        loss: 0.15,
        ..fifty_ms()
    });
    world.seed = seed;
    let run = world.run(echo_server, |end| async move {
        let stream = end.dial(0).await.expect("a connection");
        echo(stream, pattern(BYTES as usize))
            .await
            .expect("an echo");
    });
    for layers in [&run.bytes.up, &run.bytes.down] {
        // A packet that repeats the end of one and begins the next counts as
        // repeated whole, so a few fresh bytes may be missing here.
        assert!((BYTES * 9 / 10..=BYTES).contains(&layers[Layer::Other]));
        assert!(layers[Layer::Retransmitted] > 0);
    }
}
