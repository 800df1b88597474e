//! MQTT over WebSocket, over in-memory streams: as a client of another
//! implementation speaks it, and frame by frame.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use rstest::rstest;
use squall_broker::{Config, MqttWebSocket, Server, Upgrade, UpgradeError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01a";
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
const SUBSCRIBE: &[u8] = b"\x82\x06\x00\x01\x00\x01t\x00";
const SUBACK: [u8; 5] = [0x90, 3, 0, 1, 0];
const PUBLISH: &[u8] = b"\x30\x05\x00\x01t21";
const DISCONNECT: &[u8] = &[0xe0, 0];

/// A stream whose other end is served, if its upgrade succeeds.
fn served(upgrade: Upgrade) -> DuplexStream {
    let (client, stream) = tokio::io::duplex(1 << 20);
    let server = Server::new(Config::default(), None);
    tokio::spawn(async move {
        match MqttWebSocket::accept(stream, &upgrade).await {
            Ok(stream) => server.serve(stream).await,
            Err(UpgradeError::Refused { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    });
    client
}

async fn opened() -> WebSocketStream<DuplexStream> {
    let mut request = "ws://broker/mqtt".into_client_request().expect("a request");
    let mqtt = HeaderValue::from_static("mqtt");
    request.headers_mut().insert("Sec-WebSocket-Protocol", mqtt);
    let stream = served(Upgrade::default());
    let (stream, response) = tokio_tungstenite::client_async(request, stream)
        .await
        .expect("upgraded");
    // [MQTT-6.0.0-4]
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "mqtt");
    stream
}

async fn send(stream: &mut WebSocketStream<DuplexStream>, bytes: &[u8]) {
    let message = Message::Binary(Bytes::copy_from_slice(bytes));
    stream.send(message).await.expect("sent");
}

/// So many bytes from binary messages, however they are split.
async fn receive(stream: &mut WebSocketStream<DuplexStream>, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        match stream.next().await {
            Some(Ok(Message::Binary(part))) => bytes.extend_from_slice(&part),
            other => panic!("{other:?} after {bytes:?}"),
        }
    }
    bytes
}

/// Packets and messages have nothing to do with each other. [MQTT-6.0.0-2]
#[rstest]
#[case::all_in_one(usize::MAX)]
#[case::byte_by_byte(1)]
#[case::across_packets(7)]
#[tokio::test]
async fn packets_may_be_split_and_packed_across_messages(#[case] most: usize) {
    let mut stream = opened().await;
    let bytes = [CONNECT, SUBSCRIBE, PUBLISH].concat();
    for part in bytes.chunks(most.min(bytes.len())) {
        send(&mut stream, part).await;
    }
    let expected = [&CONNACK[..], &SUBACK, PUBLISH].concat();
    assert_eq!(receive(&mut stream, expected.len()).await, expected);
    send(&mut stream, DISCONNECT).await;
    let last = stream.next().await;
    let Some(Ok(Message::Close(Some(close)))) = last else {
        panic!("{last:?}");
    };
    assert_eq!(u16::from(close.code), 1000);
}

#[tokio::test]
async fn a_ping_is_answered_and_an_empty_message_is_nothing() {
    let mut stream = opened().await;
    send(&mut stream, CONNECT).await;
    assert_eq!(receive(&mut stream, 4).await, CONNACK);
    send(&mut stream, b"").await;
    let there = Bytes::from_static(b"there?");
    stream
        .send(Message::Ping(there.clone()))
        .await
        .expect("sent");
    let answer = stream.next().await.expect("open").expect("a message");
    assert_eq!(answer, Message::Pong(there));
}

#[tokio::test]
async fn a_close_frame_is_answered_and_ends_the_session() {
    let mut stream = opened().await;
    send(&mut stream, CONNECT).await;
    assert_eq!(receive(&mut stream, 4).await, CONNACK);
    stream.close(None).await.expect("sent");
    assert_eq!(
        stream.next().await.expect("open").expect("a message"),
        Message::Close(None)
    );
    assert!(stream.next().await.is_none());
}

/// A masked frame with these two bytes of header, as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

/// The stream ends with a Close frame of this code.
#[rstest]
#[case::text(frame(0x81, b"hello"), 1003)]
#[case::unmasked([&[0x82, CONNECT.len() as u8], CONNECT].concat(), 1002)]
#[case::a_reserved_bit(frame(0xc2, CONNECT), 1002)]
#[case::a_reserved_opcode(frame(0x83, CONNECT), 1002)]
#[case::a_continuation_of_nothing(frame(0x80, CONNECT), 1002)]
#[case::a_fragmented_ping(frame(0x09, b"there?"), 1002)]
#[case::too_long(vec![0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], 1009)]
#[tokio::test]
async fn a_frame_that_is_not_allowed_ends_the_connection(
    #[case] bytes: Vec<u8>,
    #[case] code: u16,
) {
    let mut stream = served(Upgrade {
        message_bytes: 65_535,
        ..Upgrade::default()
    });
    let request = "GET /mqtt HTTP/1.1\r\nHost: broker\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("written");
    stream.write_all(&bytes).await.expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("ended");
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let frames = &answer[head.expect("an answer") + 4..];
    assert_eq!(frames.first(), Some(&0x88), "a Close frame: {frames:x?}");
    assert_eq!(frames[2..4], code.to_be_bytes(), "{frames:x?}");
}

#[tokio::test]
async fn whoever_asks_for_something_else_is_told_and_let_go() {
    let mut stream = served(Upgrade::default());
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n")
        .await
        .expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("ended");
    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
    assert!(
        answer.ends_with("\r\n\r\nnothing is served here\n"),
        "{answer}"
    );
}
