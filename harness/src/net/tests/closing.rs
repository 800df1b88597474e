//! How connections end: in order, half of them, or with a RST.

use super::fixture::*;
use crate::net::TcpStream;
use crate::net::address::of_device;
use rstest::rstest;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

/// Packets with a FIN and packets with a RST, each up and down.
fn endings<T>(run: &Outcome<T>) -> ([usize; 2], [usize; 2]) {
    let count = |up, which: fn(&Captured) -> bool| {
        run.packets(|packet| packet.up == up && which(packet)).len()
    };
    let (fin, rst) = (
        |packet: &Captured| packet.segment.fin,
        |packet: &Captured| packet.segment.rst,
    );
    (
        [count(true, fin), count(false, fin)],
        [count(true, rst), count(false, rst)],
    )
}

/// Runs a server that does something with its one connection, and then nothing.
async fn with_one<F: Future<Output = ()>>(end: End, serve: impl FnOnce(TcpStream) -> F) {
    let mut listener = end.listen();
    serve(listener.accept().await).await;
    std::future::pending().await
}

#[test]
fn a_half_closed_connection_carries_the_other_half_to_its_end() {
    let server = |end| {
        with_one(end, |mut stream| async move {
            let mut request = Vec::new();
            stream
                .read_to_end(&mut request)
                .await
                .expect("up to the FIN");
            assert_eq!(request, b"all of it");
            stream.write_all(&pattern(10_000)).await.expect("an answer");
        })
    };
    let run = World::ideal().run(server, |end| async move {
        let mut stream = end.dial(0).await.expect("a connection");
        stream.write_all(b"all of it").await.expect("room");
        stream.shutdown().await.expect("a FIN");
        let late = stream.write_all(b"and more").await;
        assert_eq!(
            late.map_err(|error| error.kind()),
            Err(ErrorKind::BrokenPipe)
        );
        let mut answer = Vec::new();
        stream
            .read_to_end(&mut answer)
            .await
            .expect("up to the FIN");
        assert!(answer == pattern(10_000));
        assert_eq!(stream.read(&mut [0; 10]).await.expect("still the end"), 0);
    });
    assert_eq!(endings(&run), ([1, 1], [0, 0]));
    assert_eq!(run.left, [0, 0]);
}

/// The end that closes first waits in TIME-WAIT (10 s in smoltcp), the other
/// is gone with the last acknowledgement.
#[rstest]
#[case::in_time_wait(1, [0, 1])]
#[case::over(15, [0, 0])]
fn time_wait_ends(#[case] seconds: u64, #[case] left: [usize; 2]) {
    let mut world = World::ideal();
    world.drain = Duration::from_secs(seconds);
    let run = world.run(echo_server, |end| async move {
        let stream = end.dial(0).await.expect("a connection");
        echo(stream, pattern(100)).await.expect("an echo");
    });
    assert_eq!(endings(&run), ([1, 1], [0, 0]));
    assert_eq!(run.left, left);
}

/// Like a kernel: a program that closes a socket without having read what came
/// tells its peer so.
#[rstest]
#[case::clean(false, ([1, 0], [0, 0]))]
#[case::unread(true, ([0, 0], [1, 0]))]
fn a_dropped_stream_says_fin_or_rst(
    #[case] unread: bool,
    #[case] expected: ([usize; 2], [usize; 2]),
) {
    let server = move |end| {
        with_one(end, move |mut stream| async move {
            if unread {
                stream.write_all(b"for nobody").await.expect("room");
            }
            let end = stream
                .read(&mut [0; 10])
                .await
                .map_err(|error| error.kind());
            assert_eq!(
                end,
                if unread {
                    Err(ErrorKind::ConnectionReset)
                } else {
                    Ok(0)
                }
            );
            // Not dropped, lest it says something too.
            std::future::pending().await
        })
    };
    let run = World::ideal().run(server, |end| async move {
        let stream = end.dial(0).await.expect("a connection");
        sleep(Duration::from_secs(1)).await;
        drop(stream);
    });
    assert_eq!(endings(&run), expected);
}

#[test]
fn after_a_reset_nothing_is_read_or_written() {
    let server = |end| with_one(end, |stream| async move { stream.reset() });
    let run = World::ideal().run(server, |end| async move {
        let mut stream = end.dial(0).await.expect("a connection");
        let read = stream
            .read(&mut [0; 10])
            .await
            .map_err(|error| error.kind());
        assert_eq!(read, Err(ErrorKind::ConnectionReset));
        let write = stream.write(b"x").await.map_err(|error| error.kind());
        assert!(matches!(
            write,
            Err(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
        ));
    });
    assert_eq!(endings(&run), ([0, 0], [0, 1]));
    assert_eq!(run.left, [0, 0]);
}

/// The connection that it closed before has said its goodbye already.
#[test]
fn a_device_resets_the_connection_it_holds() {
    let run = World::ideal().run(silent_server, |end| async move {
        drop(end.dial(0).await.expect("a connection"));
        sleep(Duration::from_secs(1)).await;
        let mut stream = end.dial(0).await.expect("a connection");
        end.nic.reset(of_device(1));
        stream.write_all(b"still here").await.expect("room");
        sleep(Duration::from_secs(1)).await;
        end.nic.reset(of_device(0));
        let error = stream.read_u8().await.expect_err("a reset").kind();
        assert_eq!(error, ErrorKind::ConnectionAborted);
    });
    assert_eq!(endings(&run), ([1, 0], [1, 0]));
}

/// A writer that waits for room in the send buffer learns of the RST at once.
#[test]
fn a_reset_wakes_a_blocked_writer() {
    let server = |end| {
        with_one(end, |stream| async move {
            sleep(Duration::from_secs(5)).await;
            stream.reset();
        })
    };
    let run = World::ideal().run(server, |end| async move {
        let mut stream = end.dial(0).await.expect("a connection");
        let error = stream
            .write_all(&pattern(100_000))
            .await
            .expect_err("a reset");
        (error.kind(), end.clock.now())
    });
    let (error, at) = run.answer;
    assert_eq!(error, ErrorKind::ConnectionReset);
    assert!((5_000 * MS..5_300 * MS).contains(&at), "woken at {at} ns");
}

/// As in Linux, where an orphan in FIN-WAIT-2 lasts 60 s (tcp(7),
/// `tcp_fin_timeout`) when its peer never closes.
#[rstest]
#[case::waiting(55, [1, 1])]
#[case::given_up(65, [1, 0])]
fn an_orphan_waits_a_minute_for_the_peers_fin(#[case] seconds: u64, #[case] left: [usize; 2]) {
    let mut world = World::ideal();
    world.drain = Duration::from_secs(seconds);
    let run = world.run(silent_server, |end| async move {
        drop(end.dial(0).await.expect("a connection"));
    });
    assert_eq!(endings(&run), ([1, 0], [0, 0]));
    assert_eq!(run.left, left);
}

/// A half-closed connection that a program still holds has no such limit.
#[test]
fn a_half_closed_connection_waits_as_long_as_it_is_held() {
    let server = |end| {
        with_one(end, |mut stream| async move {
            sleep(Duration::from_secs(300)).await;
            stream.write_all(b"at last").await.expect("room");
        })
    };
    World::ideal().run(server, |end| async move {
        let mut stream = end.dial(0).await.expect("a connection");
        stream.shutdown().await.expect("a FIN");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("the answer");
        assert_eq!(answer, b"at last");
    });
}

/// A server that has closed reads no more; a device that goes on sending learns
/// it by a RST (RFC 1122, 4.2.2.13), and not by a window that fills up.
#[test]
fn data_for_a_closed_socket_is_answered_with_a_reset() {
    let server = |end| with_one(end, |stream| async move { drop(stream) });
    let run = World::ideal().run(server, |end| async move {
        let mut stream = end.dial(0).await.expect("a connection");
        assert_eq!(stream.read(&mut [0; 10]).await.expect("the FIN"), 0);
        stream.write_all(b"are you there?").await.expect("room");
        sleep(Duration::from_millis(150)).await;
        stream.write_all(b"?").await.map_err(|error| error.kind())
    });
    assert_eq!(run.answer, Err(ErrorKind::ConnectionReset));
    assert_eq!(endings(&run), ([0, 1], [0, 1]));
    assert_eq!(run.left, [0, 0]);
}
