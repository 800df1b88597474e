//! How connections come about, and how they do not.

use super::fixture::*;
use crate::net::address::EPHEMERAL_PORT_FIRST;
use crate::net::nic::BACKLOG;
use crate::scenario::Direction;
use rstest::rstest;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio::time::sleep;

fn deaf() -> Direction {
    Direction {
        loss: 1.0,
        ..fifty_ms()
    }
}

#[test]
fn a_syn_to_a_closed_port_is_refused_after_one_round_trip() {
    let run = World::ideal().run(
        |_| std::future::pending(),
        |end| async move {
            let start = end.clock.now();
            let error = end.dial(0).await.expect_err("nobody listens");
            (error.kind(), end.clock.now() - start)
        },
    );
    assert_eq!(run.answer, (ErrorKind::ConnectionRefused, 100 * MS));
    let flags: Vec<_> = run
        .packets
        .iter()
        .map(|packet| (packet.up, packet.segment.syn, packet.segment.rst))
        .collect();
    assert_eq!(flags, [(true, true, false), (false, false, true)]);
    assert_eq!(run.left, [0, 0]);
}

/// RTO 1 s, doubled each time, 60 s at most: the SYNs go at 0, 1, 3, 7, 15, 31,
/// 63 and 123 s (Linux's last but one waits 64 s, so that it sends seven).
#[rstest]
#[case::as_linux(127, 8)]
#[case::impatient(10, 4)]
#[case::before_the_first_repetition(1, 1)]
fn a_syn_that_nobody_answers_times_out(#[case] limit: u64, #[case] syns: usize) {
    let mut world = World::new(deaf());
    world.network.syn_timeout = Duration::from_secs(limit);
    let run = world.run(echo_server, |end| async move {
        let start = end.clock.now();
        let error = end.dial(0).await.expect_err("a deaf link");
        (error.kind(), end.clock.now() - start)
    });
    assert_eq!(run.answer, (ErrorKind::TimedOut, limit * SECOND));
    assert_eq!(run.packets.len(), syns);
    assert!(run.packets.iter().all(|packet| packet.segment.opens()));
    assert_eq!(run.left, [0, 0]);
}

#[test]
fn a_dial_given_up_by_its_caller_sends_nothing_more() {
    let run = World::new(deaf()).run(echo_server, |end| async move {
        let dial = tokio::time::timeout(Duration::from_secs(5), end.dial(0));
        dial.await.expect_err("a deaf link");
    });
    assert_eq!(run.packets.len(), 3);
    assert_eq!(run.left, [0, 0]);
}

#[test]
fn a_listener_that_closes_resets_what_it_has_not_handed_out() {
    let server = |end: End| async move {
        let listener = end.listen();
        sleep(Duration::from_secs(1)).await;
        drop(listener);
        std::future::pending().await
    };
    let run = World::ideal().run(server, |end| async move {
        let mut stream = end.dial(0).await.expect("a connection");
        let error = stream.read_u8().await.expect_err("a reset");
        (error.kind(), end.clock.now())
    });
    let (error, at) = run.answer;
    assert_eq!(error, ErrorKind::ConnectionReset);
    assert!((1_050 * MS..1_055 * MS).contains(&at), "reset at {at} ns");
    assert_eq!(run.left, [0, 0]);
}

/// The SYN meets one listener, the rest of its handshake another.
#[test]
fn a_handshake_does_not_pass_from_one_listener_to_the_next() {
    let server = |end: End| async move {
        let listener = end.listen();
        sleep(Duration::from_millis(80)).await;
        drop(listener);
        let mut listener = end.listen();
        let mut second = listener.accept().await;
        assert_eq!(second.read_u8().await.expect("a byte"), 2);
        std::future::pending().await
    };
    let run = World::ideal().run(server, |end| async move {
        let mut first = end.dial(0).await.expect("a SYN-ACK has come");
        let error = first.read_u8().await.expect_err("a reset");
        let mut second = end.dial(0).await.expect("a connection");
        tokio::io::AsyncWriteExt::write_all(&mut second, &[2])
            .await
            .expect("a byte");
        sleep(Duration::from_secs(1)).await;
        error.kind()
    });
    assert_eq!(run.answer, ErrorKind::ConnectionReset);
}

#[test]
fn two_listeners_on_one_address_are_one_too_many() {
    World::ideal().run(
        |_| std::future::pending(),
        |end| async move {
            let first = end.listen();
            let second = end.nic.listen(server_address());
            assert_eq!(
                second.err().map(|error| error.kind()),
                Some(ErrorKind::AddrInUse)
            );
            drop(first);
            drop(end.listen());
        },
    );
}

/// What the queue has no room for is not refused: its SYN is dropped, and comes
/// again.
#[test]
fn a_full_backlog_drops_syns_until_there_is_room() {
    const MORE: usize = 10;
    let server = |end: End| async move {
        let mut listener = end.listen();
        sleep(Duration::from_secs(10)).await;
        let mut held = Vec::new();
        loop {
            held.push(listener.accept().await);
        }
    };
    let mut world = World::ideal();
    world.window_bytes = 512;
    let run = world.run(server, |end| async move {
        let mut dials = JoinSet::new();
        for device in 0..(BACKLOG + MORE) as u32 {
            let end = end.clone();
            dials.spawn(async move {
                let stream = end.dial(device).await.expect("sooner or later");
                (end.clock.now(), stream)
            });
        }
        dials
            .join_all()
            .await
            .into_iter()
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
    });
    let at_once = run.answer.iter().filter(|at| **at < SECOND).count();
    let later = run.answer.iter().filter(|at| **at > 10 * SECOND).count();
    assert_eq!((at_once, later), (BACKLOG, MORE));
}

/// Linux sends a SYN-ACK six times in 63 s.
#[rstest]
#[case::still_waiting(60, 1)]
#[case::given_up(65, 0)]
fn a_syn_ack_that_nobody_answers_is_given_up(#[case] seconds: u64, #[case] left: usize) {
    let mut world = World::ideal();
    world.drain = Duration::from_secs(seconds);
    let run = world.run(echo_server, |end| async move {
        let dial = tokio::time::timeout(Duration::from_millis(20), end.dial(0));
        dial.await.expect_err("the SYN is still on its way");
        end.nic.cut_power(crate::net::address::of_device(0));
    });
    assert_eq!(run.left, [left, 0]);
    assert_eq!(
        run.packets(|packet| packet.segment.syn && !packet.up).len(),
        6
    );
    assert_eq!(run.packets.len(), 7);
}

#[test]
fn every_connection_dials_from_a_fresh_port_until_none_is_left() {
    const PORTS: usize = (u16::MAX - EPHEMERAL_PORT_FIRST) as usize + 1;
    let mut world = World::ideal();
    world.window_bytes = 512;
    let run = world.run(
        |_| std::future::pending(),
        |end| async move {
            let mut dials = JoinSet::new();
            for _ in 0..PORTS {
                let end = end.clone();
                dials.spawn(async move { end.dial(0).await.err().map(|error| error.kind()) });
            }
            sleep(Duration::from_millis(5)).await;
            let start = end.clock.now();
            let beyond = end.dial(0).await.err().map(|error| error.kind());
            assert_eq!(beyond, Some(ErrorKind::AddrInUse));
            assert_eq!(end.clock.now(), start, "known at once");
            let neighbour = end.dial(1).await.err().map(|error| error.kind());
            assert_eq!(neighbour, Some(ErrorKind::ConnectionRefused));
            let refused = dials.join_all().await;
            assert!(
                refused
                    .iter()
                    .all(|kind| *kind == Some(ErrorKind::ConnectionRefused))
            );
            end.dial(0).await.expect_err("nobody listens");
        },
    );
    let mine = crate::net::address::of_device(0);
    let ports: Vec<u16> = run
        .packets(|packet| packet.segment.opens() && *packet.segment.source.ip() == mine)
        .iter()
        .map(|packet| packet.segment.source.port())
        .collect();
    let (first, again) = ports.split_at(PORTS);
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), PORTS);
    assert_eq!(
        again,
        [EPHEMERAL_PORT_FIRST],
        "after the last port comes the first"
    );
    assert_eq!(run.left, [0, 0]);
}
