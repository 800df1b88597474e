//! What one client may do to the sockets, and what it may not do to others.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use squall::serve::{Endpoint, Listening, Served, Settings, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Less than any default timeout.
const SOON: Duration = Duration::from_millis(200);

const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01a";
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// Serves one endpoint with these settings while `test` runs.
async fn serving<F: Future<Output = ()>>(
    transport: Transport,
    change: impl FnOnce(&mut Settings),
    test: impl FnOnce(SocketAddr) -> F,
) -> Served {
    let mut settings = Settings {
        endpoints: vec![Endpoint::new(transport, "127.0.0.1:0")],
        ..Settings::default()
    };
    change(&mut settings);
    let listening = Listening::bind(settings).await.expect("it listens");
    let url = listening.urls().remove(0);
    let address = url.split(['/', '?']).nth(2).expect("an address");
    let address = address.parse().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(listening.serve(async {
        let _ = stopped.await;
    }));
    test(address).await;
    drop(stop);
    serving.await.expect("no panic")
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("connected")
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
    for transport in [Transport::Tcp, Transport::WebSocket] {
        let quick = |settings: &mut Settings| settings.broker.limits.connect_timeout = SOON;
        serving(transport, quick, |address| async move {
            let began = Instant::now();
            let mut stream = connect(address).await;
            // Neither an HTTP request nor a packet, but the beginning of one.
            let beginning: &[u8] = match transport {
                Transport::Tcp => &CONNECT[..5],
                Transport::WebSocket => b"GET /mqtt HTTP/1.1\r\nHost: a\r\n",
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
    serving(
        Transport::Tcp,
        |_| {},
        |address| async move {
            let mut stream = connect(address).await;
            let mut bytes = CONNECT.to_vec();
            // No such protocol level: answered with return code 1, then the end.
            bytes[8] = 77;
            // More than is read before that, and less than the sockets hold.
            bytes.resize(100_000, 0);
            stream.write_all(&bytes).await.expect("written");
            assert_eq!(rest(stream).await, [0x20, 2, 0, 1]);
        },
    )
    .await;
}

#[tokio::test]
async fn with_all_places_taken_the_next_waits_for_one() {
    let one = |settings: &mut Settings| settings.sockets = 1;
    let served = serving(Transport::Tcp, one, |address| async move {
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
