//! Peers that fall silent: gone, without power, or only slow.

use super::fixture::*;
use crate::net::address::of_device;
use rstest::rstest;
use squall_reports::Layer;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::time::sleep;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A coarse tick, for tests that last hours.
fn patient() -> World {
    let mut world = World::ideal();
    world.network.tick = Duration::from_millis(50);
    world.limit = seconds(10_000);
    world
}

#[rstest]
#[case::as_linux(Duration::from_millis(924_600))]
#[case::impatient(seconds(20))]
fn unacknowledged_data_ends_a_connection_without_a_word(#[case] limit: Duration) {
    let mut world = patient();
    world.network.user_timeout = limit;
    let (tell, told) = oneshot::channel();
    let server = move |end: End| async move {
        let mut listener = end.listen();
        let mut stream = listener.accept().await;
        sleep(seconds(2)).await;
        let start = end.clock.now();
        stream.write_all(b"are you there?").await.expect("room");
        // A reader is told as well as a writer.
        let error = stream.read_u8().await.expect_err("nobody there").kind();
        let write = stream.write(b"x").await.map_err(|error| error.kind());
        tell.send((error, write, end.clock.now() - start)).ok();
        std::future::pending().await
    };
    let run = world.run(server, |end| async move {
        let stream = end.dial(0).await.expect("a connection");
        sleep(seconds(1)).await;
        end.nic.cut_power(of_device(0));
        drop(stream);
        told.await.expect("an end")
    });
    let (read, write, after) = run.answer;
    assert_eq!(
        (read, write),
        (ErrorKind::TimedOut, Err(ErrorKind::TimedOut))
    );
    assert_eq!(after / MS, limit.as_millis() as u64);
    assert!(
        !run.packets
            .iter()
            .any(|packet| packet.segment.rst || packet.segment.fin)
    );
}

#[test]
fn an_idle_connection_survives_any_silence() {
    let run = patient().run(echo_server, |end| async move {
        let stream = end.dial(0).await.expect("a connection");
        sleep(seconds(5_000)).await;
        echo(stream, pattern(100)).await.expect("an echo");
    });
    let quiet = |packet: &Captured| (SECOND..5_000 * SECOND).contains(&packet.at);
    assert_eq!(run.packets(quiet).len(), 0);
}

/// The peer acknowledges every probe of its closed window: it is there.
#[test]
fn a_slow_reader_is_not_timed_out() {
    let mut world = patient();
    world.network.user_timeout = seconds(60);
    let server = |end: End| async move {
        let mut listener = end.listen();
        let mut stream = listener.accept().await;
        sleep(seconds(2_000)).await;
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.expect("all of it");
        assert!(received == pattern(20_000));
        stream.write_all(b"ok").await.expect("room");
    };
    let run = world.run(server, |end| async move {
        let mut stream = end.dial(0).await.expect("a connection");
        stream.write_all(&pattern(20_000)).await.expect("time");
        stream.shutdown().await.expect("a FIN");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        (answer, end.clock.now())
    });
    assert_eq!(run.answer.0, b"ok");
    assert!(
        run.answer.1 < 2_070 * SECOND,
        "ended at {} ns",
        run.answer.1
    );
    let probing = |packet: &Captured| packet.up && packet.segment.payload_bytes == 1;
    let probes = run.packets(probing).len();
    assert!((30..100).contains(&probes), "{probes} probes in 2000 s");
}

/// A device that has gone dark neither sends nor answers; back on power, it
/// does not know the connections it had.
#[rstest]
fn a_device_without_power_is_silent_until_it_dials_again(#[values(false, true)] held: bool) {
    let server = |end: End| async move {
        let mut listener = end.listen();
        let mut first = listener.accept().await;
        sleep(seconds(2)).await;
        first.write_all(b"are you there?").await.expect("room");
        let mut second = listener.accept().await;
        let gone = first.read_u8().await.expect_err("a reset").kind();
        assert_eq!(gone, ErrorKind::ConnectionReset);
        second.write_all(b"yes").await.expect("room");
        std::future::pending().await
    };
    let run = World::ideal().run(server, move |end| async move {
        let mut first = Some(end.dial(0).await.expect("a connection"));
        sleep(seconds(1)).await;
        let stream = first.as_mut().expect("it is there");
        stream.write_all(b"not sent any more").await.expect("room");
        end.nic.cut_power(of_device(0));
        if !held {
            first = None;
        }
        sleep(seconds(20)).await;
        let mut second = end.dial(0).await.expect("a connection");
        let mut word = [0; 3];
        second.read_exact(&mut word).await.expect("the answer");
        assert_eq!(&word, b"yes");
        if let Some(mut first) = first {
            assert_eq!(
                first.read_u8().await.expect_err("dark").kind(),
                ErrorKind::TimedOut
            );
        }
    });
    let dark = |packet: &Captured| packet.up && (SECOND..21 * SECOND).contains(&packet.at);
    assert_eq!(run.packets(dark).len(), 0);
    let resets = run.packets(|packet| packet.segment.rst);
    assert_eq!(resets.len(), 1);
    assert_eq!(resets[0].segment.source.ip(), &of_device(0));
}

#[test]
fn a_server_without_power_loses_what_comes_and_knows_no_connection_afterwards() {
    let mut world = World::ideal();
    world.limit = seconds(2_000);
    let (at_server, at_client) = (Arc::clone(&world.power), Arc::clone(&world.power));
    let server = |end: End| async move {
        let mut listener = end.listen();
        let mut stream = listener.accept().await;
        stream.write_all(b"last words").await.expect("room");
        // They are with TCP, and have not left.
        at_server.cut();
        std::future::pending().await
    };
    let run = world.run(server, move |end| async move {
        let mut stream = end.dial(0).await.expect("a connection");
        sleep(seconds(1)).await;
        stream.write_all(b"are you there?").await.expect("room");
        sleep(seconds(9)).await;
        at_client.restore();
        stream.read_u8().await.expect_err("a reset").kind()
    });
    assert_eq!(run.answer, ErrorKind::ConnectionReset);
    let restored = 10 * SECOND;
    let dark = run.packets(|packet| !packet.up && (SECOND..restored).contains(&packet.at));
    assert!(dark.is_empty(), "it sends nothing: {dark:?}");
    let said = run.packets(|packet| packet.says("dropped: server down"));
    let lost = run.counts[0].lost["server down"];
    // The handshake's last packet, and the data repeatedly.
    assert!(lost >= 3 && said.len() as u64 == lost, "{lost} {said:?}");
    assert_eq!(run.bytes.down[Layer::Payload], 0);
}
