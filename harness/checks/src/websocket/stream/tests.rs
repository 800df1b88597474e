use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::websocket::frame::CONTINUATION;

/// The answer to the request of [`MqttFrames::connect`].
const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Protocol: mqtt\r\n\r\n";

/// What comes of a server that answers with these bytes and ends, and that
/// server.
async fn answered(answer: &[u8]) -> (io::Result<MqttFrames<DuplexStream>>, DuplexStream) {
    let (near, mut far) = duplex(64 * 1024);
    far.write_all(answer).await.expect("it fits");
    far.shutdown().await.expect("ended");
    let connected = MqttFrames::connect(near, "broker:80", "/mqtt", Framing::default()).await;
    (connected, far)
}

/// A stream to a server, and the server with the request read.
async fn opened(framing: Framing) -> (MqttFrames<DuplexStream>, DuplexStream) {
    opened_with(framing, None).await
}

/// The same with a client's keys.
async fn opened_with(
    framing: Framing,
    keys: Option<Keys>,
) -> (MqttFrames<DuplexStream>, DuplexStream) {
    let (near, mut far) = duplex(64 * 1024);
    far.write_all(AGREED.as_bytes()).await.expect("it fits");
    let stream = MqttFrames::open(near, "broker:80", "/mqtt", framing, keys).await;
    let mut request = BytesMut::new();
    while !request.ends_with(b"\r\n\r\n") {
        far.read_buf(&mut request).await.expect("a request");
    }
    assert!(request.starts_with(b"GET /mqtt HTTP/1.1\r\nHost: broker:80\r\n"));
    (stream.expect("opened"), far)
}

/// The frames that have come, each with opcode, FIN and payload.
async fn frames(far: &mut DuplexStream, count: usize) -> Vec<(u8, bool, Vec<u8>)> {
    let mut bytes = BytesMut::new();
    let mut frames = Vec::new();
    while frames.len() < count {
        match Received::decode(&bytes, 1000).expect("short") {
            Some((frame, length)) => {
                bytes.advance(length);
                assert!(frame.masked, "a client masks");
                frames.push((frame.opcode, frame.last, frame.payload));
            }
            None => assert_ne!(far.read_buf(&mut bytes).await.expect("read"), 0),
        }
    }
    assert!(bytes.is_empty(), "more than {count} frames");
    frames
}

fn from_server(frame: Frame) -> Vec<u8> {
    frame.mask(None).encode()
}

#[rstest]
#[case::another_status(
    "HTTP/1.1 404 Not Found\r\n\r\n",
    "no WebSocket for MQTT at /mqtt: HTTP/1.1 404 Not Found"
)]
#[case::no_subprotocol(
    &AGREED.replace("Sec-WebSocket-Protocol: mqtt\r\n", ""),
    "no WebSocket for MQTT at /mqtt: it agrees to the subprotocol \"\", not mqtt"
)]
#[case::another_key(
    &AGREED.replace("s3pP", "S3pP"),
    "no WebSocket for MQTT at /mqtt: its Sec-WebSocket-Accept is \
     \"S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\", not \"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\""
)]
#[case::an_alert_of_tls(
    "\x15\x03\x01\0\x02\x02\x46",
    "/mqtt is answered with [15, 03, 01, 00, 02, 02, 46], not HTTP"
)]
#[case::half_an_answer(
    "HTTP/1.1 101",
    "the server ends the connection instead of opening a WebSocket at /mqtt"
)]
#[tokio::test]
async fn an_error_says_what_the_server_does_instead(#[case] answer: &str, #[case] says: &str) {
    let (connected, _far) = answered(answer.as_bytes()).await;
    let error = connected.expect_err("no WebSocket");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(error.to_string(), says);
}

#[rstest]
#[case(Framing::AsWritten, &[(BINARY, true, "packet")])]
#[case(Framing::Messages(4), &[(BINARY, true, "pack"), (BINARY, true, "et")])]
#[case(
    Framing::Fragments(2),
    &[(BINARY, false, "pa"), (CONTINUATION, false, "ck"), (CONTINUATION, true, "et")]
)]
#[tokio::test]
async fn bytes_are_divided_among_frames(
    #[case] framing: Framing,
    #[case] expected: &[(u8, bool, &str)],
) {
    let (mut stream, mut far) = opened(framing).await;
    stream.write_all(b"packet").await.expect("written");
    let expected: Vec<_> = expected
        .iter()
        .map(|(opcode, last, payload)| (*opcode, *last, payload.as_bytes().to_vec()))
        .collect();
    assert_eq!(frames(&mut far, expected.len()).await, expected);
}

/// Two PINGREQ, a PUBACK, and half of another.
#[rstest]
#[case(1, &[&[0xc0, 0][..], &[0xc0, 0], &[0x40, 2, 0, 1], &[0x40, 2]])]
#[case(2, &[&[0xc0, 0, 0xc0, 0][..], &[0x40, 2, 0, 1, 0x40, 2]])]
#[case(9, &[&[0xc0, 0, 0xc0, 0, 0x40, 2, 0, 1, 0x40, 2][..]])]
#[tokio::test]
async fn a_frame_has_so_many_packets(#[case] most: usize, #[case] expected: &[&[u8]]) {
    let (mut stream, mut far) = opened(Framing::Packets(most)).await;
    let written = stream.write_all(&[0xc0, 0, 0xc0, 0, 0x40, 2, 0, 1, 0x40, 2]);
    written.await.expect("written");
    let frames = frames(&mut far, expected.len()).await;
    let payloads: Vec<_> = frames.iter().map(|(_, _, payload)| &payload[..]).collect();
    assert_eq!(payloads, expected);
}

/// The example of RFC 6455 section 1.3, and masks that differ.
#[tokio::test]
async fn keys_are_those_that_are_given() {
    let (near, mut far) = duplex(64 * 1024);
    far.write_all(AGREED.as_bytes()).await.expect("it fits");
    let mut mask = [0; 4];
    let keys = Keys {
        handshake: *b"the sample nonce",
        masks: Box::new(move || {
            mask[3] += 1;
            mask
        }),
    };
    let framing = Framing::Messages(1);
    let stream = MqttFrames::connect_with(near, "broker:80", "/mqtt", framing, keys).await;
    let mut stream = stream.expect("opened");
    stream.write_all(b"ab").await.expect("written");
    let mut bytes = BytesMut::new();
    while !bytes.ends_with(&[0x82, 0x81, 0, 0, 0, 2, b'b']) {
        far.read_buf(&mut bytes).await.expect("a frame");
    }
    assert!(bytes.ends_with(&[0x82, 0x81, 0, 0, 0, 1, b'a', 0x82, 0x81, 0, 0, 0, 2, b'b']));
    let request = String::from_utf8_lossy(&bytes);
    assert!(request.contains("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
}

/// What comes with the answer, in fragments around a Ping, and before a Close.
#[tokio::test]
async fn bytes_are_read_from_frames_of_any_kind() {
    let (mut stream, mut far) = opened(Framing::default()).await;
    let sent = [
        Frame::new(BINARY, "one ").unfinished(),
        Frame::ping("there?"),
        Frame::new(CONTINUATION, "two "),
        Frame::new(BINARY, "three"),
        Frame::close(1001, ""),
    ];
    let sent: Vec<_> = sent.into_iter().flat_map(from_server).collect();
    for piece in sent.chunks(3) {
        far.write_all(piece).await.expect("it fits");
    }
    let mut read = String::new();
    stream
        .read_to_string(&mut read)
        .await
        .expect("read to the end");
    assert_eq!(read, "one two three");
    let answers = frames(&mut far, 2).await;
    assert_eq!(answers[0], (PONG, true, b"there?".to_vec()));
    assert_eq!(answers[1], (CLOSE, true, vec![3, 233]));
    let written = stream.write_all(b"too late").await;
    assert_eq!(
        written.expect_err("closed").kind(),
        io::ErrorKind::BrokenPipe
    );
}

#[rstest]
#[case(Frame::new(TEXT, "MQTT"), "MQTT in a text frame")]
#[case(Frame::new(BINARY, "MQTT").reserved(4), "Binary of 4 bytes, RSV 100")]
#[case(Frame::new(BINARY, "").claiming(1 << 40), "a frame of 1099511627776 bytes")]
#[tokio::test]
async fn what_carries_no_mqtt_is_an_error(#[case] frame: Frame, #[case] says: &str) {
    let (mut stream, mut far) = opened(Framing::default()).await;
    far.write_all(&from_server(frame)).await.expect("it fits");
    let error = stream.read(&mut [0]).await.expect_err("no MQTT");
    assert_eq!(error.to_string(), says);
}

#[tokio::test]
async fn a_shutdown_closes_the_websocket_and_the_stream() {
    let (mut stream, mut far) = opened(Framing::default()).await;
    stream.shutdown().await.expect("shut down");
    assert_eq!(frames(&mut far, 1).await, [(CLOSE, true, vec![3, 232])]);
    assert_eq!(far.read(&mut [0]).await.expect("the end"), 0);
    // The answer is the end, and is not answered.
    let close = from_server(Frame::close(1000, ""));
    far.write_all(&close).await.expect("it fits");
    assert_eq!(stream.read(&mut [0]).await.expect("the end"), 0);
}

fn keys() -> Option<Keys> {
    Some(Keys {
        handshake: *b"the sample nonce",
        masks: Box::new(|| [1, 2, 3, 4]),
    })
}

/// PINGREQ and DISCONNECT.
const GOODBYE: [u8; 4] = [0xc0, 0, 0xe0, 0];

#[tokio::test]
async fn a_client_closes_the_websocket_behind_disconnect_and_takes_the_answer() {
    let (mut stream, mut far) = opened_with(Framing::default(), keys()).await;
    // The payload of a PUBLISH is no packet, whatever it looks like.
    let publish = [0x30, 5, 0, 1, b't', 0xe0, 0];
    stream.write_all(&publish).await.expect("written");
    assert!(!stream.is_closing());
    stream.write_all(&GOODBYE).await.expect("written");
    assert!(stream.is_closing());
    let sent = [
        (BINARY, true, publish.to_vec()),
        (BINARY, true, GOODBYE.to_vec()),
        (CLOSE, true, vec![3, 232]),
    ];
    assert_eq!(frames(&mut far, 3).await, sent);
    let last = [Frame::new(BINARY, "late"), Frame::close(1000, "")];
    let last: Vec<_> = last.into_iter().flat_map(from_server).collect();
    far.write_all(&last).await.expect("it fits");
    // The server ends TCP first.
    let waiting = tokio::time::timeout(std::time::Duration::from_millis(50), stream.finish());
    assert!(waiting.await.is_err());
    assert!(!stream.is_closing());
    far.shutdown().await.expect("ended");
    stream.finish().await.expect("in order");
}

#[rstest]
#[case::as_a_check(&GOODBYE, None)]
#[case::cut_short(&GOODBYE[..3], keys())]
#[tokio::test]
async fn nothing_else_closes_the_websocket(#[case] written: &[u8], #[case] keys: Option<Keys>) {
    let (mut stream, mut far) = opened_with(Framing::default(), keys).await;
    stream.write_all(written).await.expect("written");
    assert!(!stream.is_closing());
    assert_eq!(
        frames(&mut far, 1).await,
        [(BINARY, true, written.to_vec())]
    );
}
