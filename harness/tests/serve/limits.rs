//! What one client may do to the sockets, and what it may not do to others.

use std::time::Duration;

use squall::serve::{Endpoint, Settings, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::{CONNACK, CONNECT, PATIENCE, connect, serving};

/// Less than any default timeout.
const SOON: Duration = Duration::from_millis(200);

fn settings(transport: Transport) -> Settings {
    Settings {
        endpoints: vec![Endpoint::new(transport, "127.0.0.1:0")],
        ..Settings::default()
    }
}

/// What comes until the stream's end.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    read.expect("in time").expect("not reset");
    bytes
}

#[tokio::test]
async fn whoever_does_not_connect_in_time_is_let_go() {
    use Transport::{SecureWebSocket, Tcp, Tls, WebSocket};
    for transport in [Tcp, Tls, WebSocket, SecureWebSocket] {
        let mut settings = settings(transport);
        settings.broker.limits.connect_timeout = SOON;
        serving(settings, |address| async move {
            let began = Instant::now();
            let mut stream = connect(address).await;
            // No packet, request or ClientHello, but the beginning of one.
            let beginning: &[u8] = match transport {
                Tcp => &CONNECT[..5],
                WebSocket => b"GET /mqtt HTTP/1.1\r\nHost: a\r\n",
                Tls | SecureWebSocket => &[22, 3, 1],
            };
            stream.write_all(beginning).await.expect("written");
            assert_eq!(rest(stream).await, b"");
            assert!(began.elapsed() >= SOON);
        })
        .await;
    }
}

#[tokio::test]
async fn a_refusal_arrives_though_the_client_goes_on_talking() {
    serving(settings(Transport::Tcp), |address| async move {
        let mut stream = connect(address).await;
        let mut bytes = CONNECT.to_vec();
        // No such protocol level: answered with return code 1, then the end.
        bytes[8] = 77;
        // More than is read before that, and less than the sockets hold.
        bytes.resize(100_000, 0);
        stream.write_all(&bytes).await.expect("written");
        let mut refusal = [0; 4];
        stream.read_exact(&mut refusal).await.expect("answered");
        assert_eq!(refusal, [0x20, 2, 0, 1]);
        // A reset would be answered to these.
        for _ in 0..5 {
            stream.write_all(&[0; 1_000]).await.expect("not reset");
            sleep(SOON / 10).await;
        }
        stream.shutdown().await.expect("not reset");
        assert_eq!(rest(stream).await, b"");
    })
    .await;
}

#[tokio::test]
async fn with_all_places_taken_the_next_waits_for_one() {
    let mut settings = settings(Transport::Tcp);
    settings.sockets = 1;
    let served = serving(settings, |address| async move {
        let mut first = connect(address).await;
        first.write_all(CONNECT).await.expect("written");
        let mut connack = [0; 4];
        first.read_exact(&mut connack).await.expect("answered");
        let mut second = connect(address).await;
        second.write_all(CONNECT).await.expect("written");
        assert!(timeout(SOON, second.read_u8()).await.is_err(), "no place");
        drop(first);
        let answer = timeout(PATIENCE, second.read_exact(&mut connack)).await;
        answer.expect("in time").expect("answered");
        assert_eq!(connack, CONNACK);
    })
    .await;
    assert_eq!(served.connections, 2);
}
