//! What goes on to expire while nothing is served, by the clock on the wall.

use std::time::Duration;

use squall::serve::{Endpoint, Settings, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use crate::{PATIENCE, connect, serving};

/// CONNECT of MQTT 5.0 that takes up the session of this client, a letter, which
/// is to be kept for so many seconds.
fn keeping(client: u8, seconds: u8) -> Vec<u8> {
    let session_expiry = [5, 0x11, 0, 0, 0, seconds];
    let head: &[u8] = b"\x10\x13\x00\x04MQTT\x05\x00\x00\x00";
    [head, &session_expiry, &[0, 1, client]].concat()
}

/// Serves for as long as two clients connect and leave; whether each found its
/// session.
async fn both_found_theirs(settings: Settings) -> [bool; 2] {
    let mut found = [false; 2];
    let clients = [keeping(b'a', 1), keeping(b'b', 200)];
    let all = found.iter_mut().zip(clients);
    serving(settings, |address| async move {
        for (found, connect_packet) in all {
            let mut stream = connect(address).await;
            stream.write_all(&connect_packet).await.expect("written");
            let mut connack = [0; 4];
            let read = timeout(PATIENCE, stream.read_exact(&mut connack)).await;
            read.expect("in time").expect("a CONNACK");
            assert_eq!((connack[0], connack[3]), (0x20, 0), "accepted");
            *found = connack[2] == 1;
            stream.write_all(&[0xe0, 0]).await.expect("DISCONNECT");
            // It is over once the server has closed the connection.
            let mut rest = Vec::new();
            let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
            read.expect("in time").expect("not reset");
        }
    })
    .await;
    found
}

/// [MQTT5-4.1.0-2]
#[tokio::test]
async fn a_session_expires_while_nothing_is_served() {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = Settings {
        endpoints: vec![Endpoint::new(Transport::Tcp, "127.0.0.1:0")],
        data: Some(directory.path().to_owned()),
        ..Settings::default()
    };
    assert_eq!(both_found_theirs(settings.clone()).await, [false, false]);
    sleep(Duration::from_millis(1100)).await;
    assert_eq!(both_found_theirs(settings).await, [false, true]);
}
