//! TLS at both ends of a connection: what it costs, and that nothing of it is
//! counted wrong. (That the layers add up is checked in every world.)

use super::fixture::*;
use crate::net::tls::{Client, Server};
use crate::net::{MQTT_PORT, MQTT_TLS_PORT};
use crate::scenario::{Direction, KeyExchange, Tls};
use rstest::rstest;
use squall_reports::{Bytes, Layer};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinSet;

/// PUBLISH, QoS 1, topic `t/1`, packet id 7, payload `reading`.
const PUBLISH: &[u8] = b"\x32\x0e\x00\x03t/1\x00\x07reading";
const PUBACK: &[u8] = b"\x40\x02\x00\x07";

/// How many of them a connection carries.
const PUBLISHED: usize = 3;

/// What TLS adds to a record: header, content type, tag.
const RECORD_BYTES: u64 = 5 + 1 + 16;

const PLAIN: Tls = Tls {
    resumption: true,
    key_exchange: KeyExchange::X25519,
};

const HYBRID: Tls = Tls {
    resumption: true,
    key_exchange: KeyExchange::X25519MlKem768,
};

/// Acknowledges every PUBLISH, to the client's end.
async fn acknowledge(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut packet = [0; PUBLISH.len()];
    loop {
        match stream.read_exact(&mut packet).await {
            Ok(_) => assert_eq!(packet, PUBLISH),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
        stream.write_all(PUBACK).await?;
        stream.flush().await?;
    }
    stream.shutdown().await
}

/// A broker, or as much of one as this takes, with and without TLS.
async fn broker(end: End) {
    let tls = Server::new(end.clock, 1, &end.tap);
    let (mut secure, mut open) = (end.listen_at(MQTT_TLS_PORT), end.listen());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            stream = secure.accept() => {
                let tls = tls.clone();
                connections.spawn(async move { acknowledge(tls.accept(stream).await?).await });
            }
            stream = open.accept() => {
                connections.spawn(acknowledge(stream));
            }
            Some(ended) = connections.join_next() => ended.expect("no panic").expect("a goodbye"),
        }
    }
}

async fn publish(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    for _ in 0..PUBLISHED {
        stream.write_all(PUBLISH).await?;
        stream.flush().await?;
        let mut answer = [0; PUBACK.len()];
        stream.read_exact(&mut answer).await?;
        assert_eq!(answer, PUBACK);
    }
    stream.shutdown().await?;
    assert_eq!(stream.read(&mut [0]).await?, 0);
    Ok(())
}

/// So many connections, one after another; which of them resumed a session.
fn connect(world: &World, settings: Tls, connections: usize) -> Outcome<Vec<bool>> {
    world.run(broker, move |end| async move {
        let client = Client::new(settings, end.clock, 1);
        let mut resumed = Vec::new();
        for _ in 0..connections {
            let stream = end.dial_at(MQTT_TLS_PORT, 0).await.expect("a connection");
            let stream = client.connect(0, stream).await.expect("a handshake");
            resumed.push(stream.is_resumed());
            publish(stream).await.expect("acknowledgements");
        }
        resumed
    })
}

/// Bytes of a layer, up and down.
fn both(bytes: &Bytes, layer: Layer) -> [u64; 2] {
    [bytes.up[layer], bytes.down[layer]]
}

#[test]
fn what_is_inside_counts_as_it_does_outside() {
    let inside = connect(&World::ideal(), PLAIN, 1);
    let outside = World::ideal().run(broker, |end| async move {
        let stream = end.dial_at(MQTT_PORT, 0).await.expect("a connection");
        publish(stream).await.expect("acknowledgements");
    });
    for layer in [Layer::Payload, Layer::Mqtt, Layer::Acknowledgements] {
        let bytes = both(&outside.bytes, layer);
        assert!(bytes[0] + bytes[1] > 0);
        assert_eq!(both(&inside.bytes, layer), bytes, "{}", layer.name());
    }
    let records = PUBLISHED as u64 * RECORD_BYTES;
    assert_eq!(both(&inside.bytes, Layer::Tls), [records; 2]);
    assert_eq!(both(&outside.bytes, Layer::Tls), [0; 2]);
    assert_eq!(inside.bytes.both(Layer::Other), 0);
}

/// Handshake, tickets and goodbye, up and down; of a session that is new, and of
/// one that is resumed.
fn handshakes(settings: Tls) -> [[u64; 2]; 2] {
    let once = connect(&World::ideal(), settings, 1);
    let twice = connect(&World::ideal(), settings, 2);
    assert_eq!(twice.answer, [false, settings.resumption]);
    let first = both(&once.bytes, Layer::TlsHandshake);
    let all = both(&twice.bytes, Layer::TlsHandshake);
    [first, [all[0] - first[0], all[1] - first[1]]]
}

#[rstest]
#[case::full_and_resumed(PLAIN, [[333, 2127], [526, 623]])]
#[case::with_the_post_quantum_hybrid(HYBRID, [[1555, 3215], [1748, 1711]])]
#[case::without_resumption(Tls { resumption: false, ..PLAIN }, [[333, 2127]; 2])]
fn a_handshake_has_its_size(#[case] settings: Tls, #[case] bytes: [[u64; 2]; 2]) {
    assert_eq!(handshakes(settings), bytes);
}

/// An ML-KEM-768 key goes up and a ciphertext comes down (FIPS 203, table 3), and
/// the client names a group more and frames a share more.
#[test]
fn the_hybrid_adds_its_shares_and_nothing_else() {
    for (plain, hybrid) in handshakes(PLAIN).iter().zip(handshakes(HYBRID)) {
        assert_eq!(hybrid[0] - plain[0], 1184 + 32 + 4 + 2);
        assert_eq!(hybrid[1] - plain[1], 1088);
    }
}

#[test]
fn two_runs_send_the_same_bytes() {
    let run = || connect(&World::ideal(), HYBRID, 2).file;
    assert!(run() == run(), "a seed decides every byte of TLS");
}

#[rstest]
fn records_survive_loss(#[values(1, 2, 3)] seed: u64) {
    const BYTES: usize = 50_000;
    let mut world = World::new(Direction {
        loss: 0.1,
        ..fifty_ms()
    });
    world.seed = seed;
    let server = |end: End| async move {
        let tls = Server::new(end.clock, 1, &end.tap);
        let stream = end.listen_at(MQTT_TLS_PORT).accept().await;
        let stream = tls.accept(stream).await.expect("a handshake");
        let (mut from, mut to) = tokio::io::split(stream);
        tokio::io::copy(&mut from, &mut to).await.expect("an end");
        to.shutdown().await.expect("a goodbye");
        std::future::pending().await
    };
    let run = world.run(server, |end| async move {
        let client = Client::new(PLAIN, end.clock, 1);
        let stream = end.dial_at(MQTT_TLS_PORT, 0).await.expect("a connection");
        let stream = client.connect(0, stream).await.expect("a handshake");
        echo(stream, pattern(BYTES)).await.expect("an echo")
    });
    assert_eq!(run.answer, pattern(BYTES));
    for layers in [&run.bytes.up, &run.bytes.down] {
        assert!(layers[Layer::Retransmitted] > 0);
        assert!(layers[Layer::Tls] > 0);
        // No MQTT, but all of it comes out of records that were declared: what is
        // in them is all that is other. (Fresh bytes in a repeated packet count
        // with it.)
        let other = layers[Layer::Other];
        assert!(
            (BYTES as u64 * 9 / 10..=BYTES as u64).contains(&other),
            "{other}"
        );
    }
}

#[test]
fn a_device_that_has_forgotten_begins_anew() {
    let run = World::ideal().run(broker, |end| async move {
        let client = Client::new(PLAIN, end.clock, 1);
        let mut resumed = Vec::new();
        for device in [0, 1, 0, 1] {
            let stream = end
                .dial_at(MQTT_TLS_PORT, device)
                .await
                .expect("a connection");
            let stream = client.connect(device, stream).await.expect("a handshake");
            resumed.push(stream.is_resumed());
            publish(stream).await.expect("acknowledgements");
            if device == 1 {
                client.forget(device);
            }
        }
        resumed
    });
    assert_eq!(run.answer, [false, false, true, false]);
}

#[test]
fn a_server_opens_no_tickets_from_before_its_start() {
    let server = |end: End| async move {
        let mut listener = end.listen_at(MQTT_TLS_PORT);
        loop {
            let stream = listener.accept().await;
            let tls = Server::new(end.clock, 1, &end.tap).accept(stream).await;
            acknowledge(tls.expect("a handshake"))
                .await
                .expect("a goodbye");
        }
    };
    let run = World::ideal().run(server, |end| async move {
        let client = Client::new(PLAIN, end.clock, 1);
        for _ in 0..2 {
            let stream = end.dial_at(MQTT_TLS_PORT, 0).await.expect("a connection");
            let stream = client.connect(0, stream).await.expect("a handshake");
            assert!(!stream.is_resumed());
            publish(stream).await.expect("acknowledgements");
        }
    });
    assert_eq!(run.bytes.both(Layer::Other), 0);
}

#[test]
fn whoever_speaks_no_tls_is_told_so() {
    let server = |end: End| async move {
        let mut stream = end.listen_at(MQTT_TLS_PORT).accept().await;
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .expect("room");
        std::future::pending().await
    };
    let run = World::ideal().run(server, |end| async move {
        let client = Client::new(PLAIN, end.clock, 1);
        let stream = end.dial_at(MQTT_TLS_PORT, 0).await.expect("a connection");
        let refused = client.connect(0, stream).await.expect_err("no TLS");
        (refused.kind(), refused.to_string())
    });
    let (kind, words) = run.answer;
    assert_eq!(kind, io::ErrorKind::InvalidData);
    assert!(words.starts_with("no TLS: "), "{words}");
}
