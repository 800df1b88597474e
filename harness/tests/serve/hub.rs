//! The hub on real sockets.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::connect;
use crate::process::Broker;

#[tokio::test]
async fn a_reading_gets_from_a_sensor_to_a_listener() {
    let broker = Broker::start(&["--hub", "127.0.0.1:0"], 1);
    assert!(broker.url("ws").ends_with('/'), "{}", broker.url("ws"));
    let client = async |path: &str| {
        let stream = connect(broker.address("ws")).await;
        let url = format!("ws://hub{path}");
        let upgraded = tokio_tungstenite::client_async(url, stream).await;
        upgraded.expect("upgraded").0
    };
    let mut listener = client("/groups/valley").await;
    let mut sensor = client("/sensors/valley/t-1").await;
    sensor.send(Message::text("21.4")).await.expect("sent");
    let reading = listener.next().await.expect("open").expect("a message");
    assert_eq!(reading, Message::text("t-1\n21.4"));

    broker.signal("TERM");
    let last = listener.next().await;
    let Some(Ok(Message::Close(Some(close)))) = last else {
        panic!("{last:?}");
    };
    assert_eq!(u16::from(close.code), 1001);
    drop((listener, sensor));
    let (status, stderr) = broker.wait();
    assert!(status.success(), "{stderr}");
    let end = "stopped; 2 connections served";
    assert_eq!(stderr.lines().last(), Some(end), "{stderr}");
}
