//! What the specifications give as the least, against what the tap has counted:
//! headers of WebSocket frames (RFC 6455, section 5.2).

use super::fixture::*;
use crate::net::HUB_PORT;
use crate::scenario::Direction;
use futures_util::{SinkExt, StreamExt};
use rstest::rstest;
use squall_reports::{Layer, LayerBytes};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

/// Sends a message of so many bytes each way, so many times.
fn echoed(bytes: usize, times: usize) -> [LayerBytes; 2] {
    let server = |end: End| async move {
        let stream = end.listen_at(HUB_PORT).accept().await;
        let mut socket = tokio_tungstenite::accept_async(stream)
            .await
            .expect("a handshake");
        while let Some(Ok(message)) = socket.next().await {
            socket.send(message).await.expect("room");
        }
        std::future::pending().await
    };
    let world = World::new(Direction::ideal(Duration::from_millis(10)));
    let run = world.run(server, move |end| async move {
        let stream = end.dial_at(HUB_PORT, 0).await.expect("a connection");
        let handshake = tokio_tungstenite::client_async("ws://server/echo", stream);
        let (mut socket, _) = handshake.await.expect("a handshake");
        let message = Message::binary(vec![b'r'; bytes]);
        for _ in 0..times {
            socket.send(message.clone()).await.expect("room");
            let back = socket.next().await.expect("an echo").expect("a message");
            assert_eq!(back, message);
        }
    });
    [run.bytes.up, run.bytes.down]
}

#[rstest]
#[case::empty(0, 6, 2)]
#[case::short(125, 6, 2)]
#[case::medium(126, 8, 4)]
#[case::medium_too(0xFFFF, 8, 4)]
#[case::long(0x1_0000, 14, 10)]
fn a_frame_has_the_header_its_length_needs(
    #[case] payload: usize,
    #[case] from_client: u64,
    #[case] from_server: u64,
) {
    const TIMES: usize = 2;
    for (layers, header) in echoed(payload, TIMES)
        .iter()
        .zip([from_client, from_server])
    {
        assert_eq!(layers[Layer::WebSocket], TIMES as u64 * header);
        assert_eq!(layers[Layer::Payload], (TIMES * payload) as u64);
        assert_eq!(layers[Layer::Other], 0);
        // The opening is not among them, and counts for itself.
        assert!(layers[Layer::Connecting] > 100);
    }
}
