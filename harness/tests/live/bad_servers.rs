//! Servers that are no brokers: each is told apart, soon, and without reading
//! more of it than a packet.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use squall::conform::Broker;
use squall::targets::{Address, Transport, Trust};
use squall_broker::wire::Version;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use super::started;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Runs a server that treats each connection like this.
async fn server<F>(treat: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(treat(stream));
        }
    });
    port
}

/// Why there is no broker at this port, which is to be found out soon.
async fn why_not(transport: Transport, port: u16) -> String {
    let address = Address::new(transport, "127.0.0.1", port);
    let trust = Trust::system().expect("TLS can be used");
    let began = Instant::now();
    let refused = Broker::at(address, trust, TIMEOUT).await;
    // Two versions, each with two answers to wait for, on a busy machine.
    assert!(began.elapsed() < TIMEOUT * 8, "{:?}", began.elapsed());
    let why = refused.expect_err("no broker").to_string();
    why.replace(&port.to_string(), "PORT")
}

/// Sends this again and again, and counts the bytes that were taken.
async fn flood(mut stream: TcpStream, first: &[u8], rest: &[u8], sent: &AtomicUsize) {
    if stream.write_all(first).await.is_err() {
        return;
    }
    while stream.write_all(rest).await.is_ok() {
        sent.fetch_add(rest.len(), Ordering::Relaxed);
    }
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let why = why_not(Transport::Tcp, port).await;
    let expected = "cannot reach mqtt://127.0.0.1:PORT: Connection refused";
    assert!(why.starts_with(expected), "{why}");
}

#[tokio::test]
async fn one_that_never_answers() {
    let port = server(|stream| async move {
        sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let why = why_not(Transport::Tcp, port).await;
    assert_eq!(why, "no CONNACK within 500ms");
    let why = why_not(Transport::Tls, port).await;
    assert_eq!(why, "no connection within 500ms");
    let why = why_not(Transport::WebSocket, port).await;
    assert_eq!(why, "no HTTP response within 500ms");
}

#[tokio::test]
async fn one_that_closes_at_once() {
    let port = server(|stream| async move { drop(stream) }).await;
    let why = why_not(Transport::Tcp, port).await;
    assert!(why.starts_with("the connection ended before CONN"), "{why}");
    let why = why_not(Transport::Tls, port).await;
    assert!(
        why.starts_with("no TLS with mqtts://127.0.0.1:PORT: "),
        "{why}"
    );
}

#[tokio::test]
async fn one_that_speaks_another_protocol() {
    let port = server(|mut stream| async move {
        let mut request = [0; 64];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    let why = why_not(Transport::Tcp, port).await;
    let expected = "what came instead of CONNACK is not MQTT: ";
    assert!(why.starts_with(expected), "{why}");
    let why = why_not(Transport::WebSocket, port).await;
    let expected = "no WebSocket for MQTT at /: HTTP/1.1 400 Bad Request";
    assert_eq!(why, expected);
}

#[tokio::test]
async fn one_that_never_stops() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    // A packet of 256 MB, or small packets without end.
    let huge = server(move |stream| {
        let sent = Arc::clone(&counted);
        async move { flood(stream, b"\x30\xff\xff\xff\x7f", &[0; 65_536], &sent).await }
    })
    .await;
    let why = why_not(Transport::Tcp, huge).await;
    let expected = "what came instead of CONNACK is not MQTT: ";
    assert!(why.starts_with(expected), "{why}");
    let counted = Arc::clone(&sent);
    let many = server(move |stream| {
        let sent = Arc::clone(&counted);
        async move { flood(stream, b"", &b"\xd0\x00".repeat(32_768), &sent).await }
    })
    .await;
    let why = why_not(Transport::Tcp, many).await;
    assert_eq!(why, "PINGRESP instead of CONNACK");
    // What the system buffers for four connections, and not what could be sent.
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent < 64 << 20, "{sent} bytes were taken");
}

#[tokio::test]
async fn tls_that_does_not_fit() {
    let broker = started("reference").await.expect("it is part of squall");
    let port = |transport| {
        let address = broker.address(transport, Version::V5);
        address.expect("it listens").port
    };
    // Its certificate is trusted by those who started it, and by nobody else.
    let why = why_not(Transport::Tls, port(Transport::Tls)).await;
    let expected = "no TLS with mqtts://127.0.0.1:PORT: invalid peer certificate: UnknownIssuer";
    assert_eq!(why, expected);
    let why = why_not(Transport::Tls, port(Transport::Tcp)).await;
    assert!(
        why.starts_with("no TLS with mqtts://127.0.0.1:PORT: "),
        "{why}"
    );
    let why = why_not(Transport::Tcp, port(Transport::Tls)).await;
    assert!(why.contains("CONNACK"), "{why}");
    broker.stop().await;
}
