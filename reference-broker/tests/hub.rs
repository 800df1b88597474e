//! The sensor hub, over in-memory streams and on tokio's paused clock.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rstest::rstest;
use squall_broker::{Hub, HubConfig, HubLimits, UpgradeError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};

type Client = WebSocketStream<DuplexStream>;

const ACKNOWLEDGED: &str = "acknowledged.squall";

/// A stream whose other end the hub serves.
fn served(hub: &Hub) -> DuplexStream {
    let (client, stream) = tokio::io::duplex(1 << 20);
    let hub = hub.clone();
    tokio::spawn(async move {
        match hub.accept(stream).await {
            Ok(connection) => connection.serve().await,
            Err(UpgradeError::Refused { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    });
    client
}

async fn upgraded(hub: &Hub, path: &str, subprotocol: Option<&str>) -> Result<Client, Error> {
    let mut request = format!("ws://hub{path}").into_client_request()?;
    if let Some(offered) = subprotocol {
        let offered = HeaderValue::from_str(offered).expect("text");
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", offered);
    }
    let (client, _) = tokio_tungstenite::client_async(request, served(hub)).await?;
    Ok(client)
}

async fn plain(hub: &Hub, path: &str) -> Client {
    upgraded(hub, path, None).await.expect("upgraded")
}

async fn acknowledged(hub: &Hub, path: &str) -> Client {
    let client = upgraded(hub, path, Some(ACKNOWLEDGED)).await;
    client.expect("upgraded")
}

async fn send(client: &mut Client, text: &str) {
    client.send(Message::text(text)).await.expect("sent");
}

#[track_caller]
fn text(message: Option<Result<Message, Error>>) -> String {
    match message {
        Some(Ok(Message::Text(text))) => text.to_string(),
        other => panic!("no text: {other:?}"),
    }
}

/// The next text; one that is not under way by now never comes.
async fn next(client: &mut Client) -> String {
    let next = timeout(Duration::from_secs(1), client.next()).await;
    text(next.expect("something comes"))
}

/// Nothing comes: what the hub has sent before its answer to a ping is here.
async fn silent(client: &mut Client) {
    client.send(Message::Ping("?".into())).await.expect("sent");
    let next = client.next().await.expect("open").expect("a message");
    assert_eq!(next, Message::Pong("?".into()));
}

/// The code of the Close frame that comes, which is the last.
async fn closed(client: &mut Client) -> u16 {
    loop {
        match client.next().await {
            Some(Ok(Message::Close(Some(close)))) => {
                // A hub that was done with us does not take our answer.
                let next = client.next().await;
                assert!(!matches!(next, Some(Ok(_))), "{next:?} after {close:?}");
                return close.code.into();
            }
            Some(Ok(_)) => {}
            other => panic!("no Close frame: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn readings_reach_the_listeners_of_their_group_as_they_were_sent() {
    let hub = Hub::new(HubConfig::default());
    let mut sensor = plain(&hub, "/sensors/valley/t-1").await;
    let mut elsewhere = plain(&hub, "/groups/hill").await;
    send(&mut sensor, "20").await;
    silent(&mut sensor).await;
    let mut early = plain(&hub, "/groups/valley").await;
    assert_eq!(next(&mut early).await, "t-1\n20");
    let binary = Message::binary(vec![0xff, 0x00]);
    sensor.send(binary).await.expect("sent");
    let reading = early.next().await.expect("open").expect("a message");
    assert_eq!(reading, Message::binary(b"t-1\n\xff\x00".to_vec()));
    let mut late = plain(&hub, "/groups/valley").await;
    send(&mut sensor, "22").await;
    send(&mut sensor, "23").await;
    assert_eq!(next(&mut early).await, "t-1\n22");
    assert_eq!(next(&mut early).await, "t-1\n23");
    // What was the latest when it came, or as it came.
    while next_of(&mut late).await != "t-1\n23" {}
    silent(&mut elsewhere).await;
    assert_eq!(hub.counts().readings, 4);
    assert_eq!(hub.counts().connections, 4);
}

/// The next message, as text if it is.
async fn next_of(client: &mut Client) -> String {
    let message = client.next().await.expect("open").expect("a message");
    String::from_utf8_lossy(&message.into_data()).into_owned()
}

#[tokio::test(start_paused = true)]
async fn a_sensor_learns_what_has_arrived_and_sends_the_rest_again() {
    let hub = Hub::new(HubConfig::default());
    let mut listener = plain(&hub, "/groups/valley").await;
    let mut sensor = acknowledged(&hub, "/sensors/valley/t-1").await;
    assert_eq!(next(&mut sensor).await, "0");
    for reading in ["1 20.5", "2 20.6"] {
        send(&mut sensor, reading).await;
    }
    assert_eq!(next(&mut sensor).await, "1");
    // The second acknowledgement is lost with the connection.
    assert_eq!(next(&mut listener).await, "t-1\n20.5");
    assert_eq!(next(&mut listener).await, "t-1\n20.6");
    drop(sensor);
    let mut sensor = acknowledged(&hub, "/sensors/valley/t-1").await;
    assert_eq!(next(&mut sensor).await, "2");
    for (reading, up_to) in [("2 20.6", "2"), ("3 20.7", "3")] {
        send(&mut sensor, reading).await;
        assert_eq!(next(&mut sensor).await, up_to);
    }
    assert_eq!(next(&mut listener).await, "t-1\n20.7");
    assert_eq!(hub.counts().repeats, 1);
}

#[tokio::test(start_paused = true)]
async fn a_named_listener_gets_what_it_has_missed() {
    let hub = Hub::new(HubConfig::default());
    let mut sensor = plain(&hub, "/sensors/valley/t-1").await;
    let mut listener = acknowledged(&hub, "/groups/valley/recorder").await;
    silent(&mut listener).await;
    for reading in ["20", "21", "22"] {
        send(&mut sensor, reading).await;
    }
    for expected in ["1 t-1\n20", "2 t-1\n21", "3 t-1\n22"] {
        assert_eq!(next(&mut listener).await, expected);
    }
    send(&mut listener, "1").await;
    silent(&mut listener).await;
    drop(listener);
    send(&mut sensor, "23").await;
    silent(&mut sensor).await;
    let mut listener = acknowledged(&hub, "/groups/valley/recorder").await;
    for expected in ["2 t-1\n21", "3 t-1\n22", "4 t-1\n23"] {
        assert_eq!(next(&mut listener).await, expected);
    }
    send(&mut listener, "4").await;
    silent(&mut listener).await;
    let mut other = acknowledged(&hub, "/groups/valley/recorder").await;
    assert_eq!(closed(&mut listener).await, 1008);
    silent(&mut other).await;
}

#[rstest]
#[case::no_number("20.5")]
#[case::no_space("1")]
#[case::a_sign("+1 20.5")]
#[case::from_zero("0 20.5")]
#[case::too_large("18446744073709551616 20.5")]
#[tokio::test(start_paused = true)]
async fn a_reading_without_its_number_ends_the_connection(#[case] reading: &str) {
    let hub = Hub::new(HubConfig::default());
    let mut sensor = acknowledged(&hub, "/sensors/valley/t-1").await;
    send(&mut sensor, reading).await;
    assert_eq!(closed(&mut sensor).await, 1008);
    assert_eq!(hub.counts().readings, 0);
}

#[rstest]
#[case::no_resource("/sensors/valley", None, 404)]
#[case::a_named_listener_that_will_not_acknowledge("/groups/valley/recorder", None, 400)]
#[case::nor_this_one("/groups/valley/recorder", Some("other"), 400)]
#[tokio::test]
async fn what_the_hub_does_not_serve_is_refused(
    #[case] path: &str,
    #[case] subprotocol: Option<&str>,
    #[case] status: u16,
) {
    let hub = Hub::new(HubConfig::default());
    match upgraded(&hub, path, subprotocol).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), status),
        other => panic!("not refused: {other:?}"),
    }
}

/// A client that offers only what is not spoken, and insists on nothing.
#[tokio::test]
async fn a_subprotocol_nobody_speaks_is_not_agreed_upon() {
    let hub = Hub::new(HubConfig::default());
    let mut stream = served(&hub);
    let request = "GET /echo HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.expect("open"));
    }
    let answer = String::from_utf8(answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(!answer.contains("sec-websocket-protocol"), "{answer}");
}

#[tokio::test]
async fn an_echo_comes_back_as_it_was() {
    let hub = Hub::new(HubConfig::default());
    let mut client = plain(&hub, "/echo").await;
    for message in [Message::text("hällo"), Message::binary(vec![0; 60_000])] {
        client.send(message.clone()).await.expect("sent");
        let echo = client.next().await.expect("open").expect("a message");
        assert_eq!(echo, message);
    }
    client.close(None).await.expect("sent");
    let close = client.next().await.expect("open").expect("a message");
    assert_eq!(close, Message::Close(None));
    assert!(client.next().await.is_none());
}

fn limited(change: impl FnOnce(&mut HubLimits)) -> Hub {
    let mut config = HubConfig::default();
    change(&mut config.limits);
    Hub::new(config)
}

#[tokio::test(start_paused = true)]
async fn limits_hold() {
    let hub = limited(|limits| {
        limits.message_bytes = 10;
        limits.sensors = 1;
        limits.named_listeners = 1;
    });
    let mut sensor = plain(&hub, "/sensors/valley/t-1").await;
    send(&mut sensor, "0123456789").await;
    send(&mut sensor, "0123456789a").await;
    assert_eq!(closed(&mut sensor).await, 1009);
    let mut second = plain(&hub, "/sensors/valley/t-2").await;
    send(&mut second, "1").await;
    assert_eq!(closed(&mut second).await, 1013);
    let _listener = acknowledged(&hub, "/groups/valley/a").await;
    let mut second = acknowledged(&hub, "/groups/valley/b").await;
    assert_eq!(closed(&mut second).await, 1013);

    let hub = limited(|limits| limits.connections = 1);
    let client = plain(&hub, "/echo").await;
    match upgraded(&hub, "/echo", None).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 503),
        other => panic!("not refused: {other:?}"),
    }
    drop(client);
    // Whoever has a place gives it back once the hub has seen the end.
    tokio::time::sleep(Duration::from_secs(1)).await;
    plain(&hub, "/echo").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_pings_stays_and_a_silent_one_is_let_go() {
    let hub = Hub::new(HubConfig::default());
    let began = Instant::now();
    // A client that is read from answers pings.
    let mut talking = plain(&hub, "/groups/valley").await;
    let mut silent = plain(&hub, "/groups/valley").await;
    let hour = Duration::from_secs(3600);
    assert!(
        timeout(hour, async { while talking.next().await.is_some() {} })
            .await
            .is_err()
    );
    assert_eq!(began.elapsed(), hour);
    // It would answer the ping by reading it, so its stream is read instead: a
    // ping, a Close frame with code 1011, and the end.
    let mut bytes = Vec::new();
    let ended = silent.get_mut().read_to_end(&mut bytes).await;
    ended.expect("no failure");
    assert_eq!(bytes[..2], [0x89, 0]);
    assert_eq!(
        (bytes[2], &bytes[4..6]),
        (0x88, &1011_u16.to_be_bytes()[..])
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_takes_nothing_holds_up_nobody() {
    let hub = limited(|limits| limits.queue_messages = 100);
    // Its stream has room for a few readings of 1 KiB only.
    let (client, stream) = tokio::io::duplex(4096);
    let serving = hub.clone();
    tokio::spawn(async move {
        let connection = serving.accept(stream).await.expect("upgraded");
        connection.serve().await;
    });
    let stuck = tokio_tungstenite::client_async("ws://hub/groups/valley", client);
    let (_stuck, _) = stuck.await.expect("upgraded");
    let mut listener = plain(&hub, "/groups/valley").await;
    let mut sensor = plain(&hub, "/sensors/valley/t-1").await;
    for number in 0..1_000 {
        let reading = format!("{number:01024}");
        send(&mut sensor, &reading).await;
        assert_eq!(next(&mut listener).await, format!("t-1\n{reading}"));
    }
    let counts = hub.counts();
    assert_eq!(counts.readings, 1_000);
    assert!((800..900).contains(&counts.dropped), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_stops_says_so() {
    let hub = Hub::new(HubConfig::default());
    let mut sensor = plain(&hub, "/sensors/valley/t-1").await;
    silent(&mut sensor).await;
    hub.close_all();
    assert_eq!(closed(&mut sensor).await, 1001);
}

/// Whatever comes, the hub goes on for others.
#[tokio::test(start_paused = true)]
async fn garbage_ends_its_own_connection_only() {
    use rand::{RngExt as _, SeedableRng as _};
    let hub = Hub::new(HubConfig::default());
    let mut random = rand_pcg::Pcg64Mcg::seed_from_u64(1);
    let upgrade = "GET /sensors/valley/t-1 HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n";
    for round in 0..500 {
        let mut bytes = match round % 4 {
            0 => Vec::new(),
            _ => upgrade.as_bytes().to_vec(),
        };
        let length = random.random_range(1..200);
        bytes.extend(std::iter::repeat_with(|| random.random::<u8>()).take(length));
        let mut stream = served(&hub);
        stream.write_all(&bytes).await.expect("written");
        stream.shutdown().await.expect("shut down");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("it ends");
    }
    let mut client = plain(&hub, "/echo").await;
    silent(&mut client).await;
}
