//! A seed decides every packet, and nothing else does.

use super::fixture::*;
use crate::net::address::of_device;
use crate::scenario::{Direction, Latency};
use std::time::Duration;
use tokio::task::JoinSet;

fn weather() -> World {
    World::new(Direction {
        latency: Latency::Normal {
            mean: Duration::from_millis(60),
            deviation: Duration::from_millis(20),
            floor: Duration::from_millis(30),
        },
        loss: 0.1,
        duplicate: 0.05,
        ..fifty_ms()
    })
}

fn run(seed: u64, devices: &'static [u32]) -> Outcome<()> {
    let mut world = weather();
    world.seed = seed;
    world.run(echo_server, move |end| async move {
        let mut echoes = JoinSet::new();
        for device in devices {
            let end = end.clone();
            echoes.spawn(async move {
                let stream = end.dial(*device).await.expect("a connection");
                echo(stream, pattern(10_000)).await.expect("an echo");
            });
        }
        echoes.join_all().await;
    })
}

#[test]
fn one_seed_gives_one_file() {
    let first = run(7, &[0, 1, 2]);
    assert!(first.file == run(7, &[0, 1, 2]).file, "two runs differ");
    assert!(
        first.file != run(8, &[0, 1, 2]).file,
        "the seed changes nothing"
    );
}

/// Sequence numbers come from the host's random stream, in the order in which
/// devices dial; when packets go and what becomes of them does not depend on
/// the neighbours.
#[test]
fn a_device_more_changes_nothing_for_the_others() {
    let fates = |run: Outcome<()>| -> Vec<_> {
        let mine = of_device(3);
        let packets = run.packets.into_iter().filter(|packet| {
            let segment = &packet.segment;
            [*segment.source.ip(), *segment.destination.ip()].contains(&mine)
        });
        packets
            .map(|packet| (packet.at, packet.up, packet.bytes, packet.comment))
            .collect()
    };
    let alone = fates(run(7, &[3]));
    assert!(alone.iter().any(|(.., comment)| comment.is_some()));
    assert_eq!(alone, fates(run(7, &[1, 3, 4])));
}
