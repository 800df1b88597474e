//! Clients that others wrote, against `squall serve` over TCP and WebSocket:
//! each subscribes, publishes at every QoS and something larger than a segment,
//! and receives what it published.
//!
//! Those that are not written in Rust are used where they are installed;
//! otherwise the test says what it skipped:
//! - `mosquitto_pub` and `mosquitto_sub` on the path (Debian's
//!   mosquitto-clients), which speak no WebSocket,
//! - paho-mqtt for the Python named by `SQUALL_TEST_PAHO`, `python3` unless given,
//! - `curl` on the path, which posts to the REST server instead and polls it,
//! - MQTT.js in the `node_modules` of the directory named by
//!   `SQUALL_TEST_MQTTJS`, for the `node` on the path.
//!
//! With `SQUALL_TEST_CLIENTS=required`, one that is missing is a failure.

use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use futures_util::{SinkExt as _, StreamExt as _};
use rstest::rstest;
use tokio::io::{AsyncRead, AsyncWrite, join};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};

use crate::process::Broker;
use crate::{PATIENCE, say};

/// What each client receives: topic, QoS and length of the payload, in order of
/// the topics.
const RECEIVED: &str = "client/0 0 10\nclient/1 1 10\nclient/2 2 10\nclient/large 1 100000";

fn broker() -> Broker {
    Broker::start(&["--tcp", "127.0.0.1:0", "--ws", "127.0.0.1:0"], 2)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/serve")
        .join(name)
}

/// Whether a client is there: the command succeeds. If not, says so.
fn installed(client: &str, command: &mut Command) -> bool {
    let tried = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = tried.is_ok_and(|status| status.success());
    if !there {
        let required = std::env::var_os("SQUALL_TEST_CLIENTS").is_some_and(|it| it == "required");
        assert!(!required, "{client} is not installed");
        say(&format!("skipped: {client} is not installed"));
    }
    there
}

/// Runs a client, and returns what it printed; what the broker made of it is in
/// the message if it fails.
fn run(command: &mut Command, broker: Broker) -> String {
    let output = command.output().expect("the client starts");
    broker.signal("TERM");
    let (_, log) = broker.wait();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    assert!(
        output.status.success(),
        "{}\n{}\nthe broker:\n{log}",
        output.status,
        text(&output.stderr)
    );
    assert!(!log.contains(" WARN "), "{log}");
    text(&output.stdout)
}

#[rstest]
fn of_paho(#[values("mqtt", "ws")] scheme: &str, #[values("3.1.1", "5.0")] version: &str) {
    let python = std::env::var("SQUALL_TEST_PAHO").unwrap_or_else(|_| "python3".to_owned());
    let mut import = Command::new(&python);
    if !installed("paho-mqtt", import.args(["-c", "import paho.mqtt.enums"])) {
        return;
    }
    let broker = broker();
    let transport = if scheme == "mqtt" {
        "tcp"
    } else {
        "websockets"
    };
    let address = broker.address(scheme);
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let mut command = Command::new(&python);
    command
        .arg(script("paho_client.py"))
        .args([transport, &host, &port, version]);
    assert_eq!(run(&mut command, broker), RECEIVED);
}

#[rstest]
fn of_mqtt_js(#[values("mqtt", "ws")] scheme: &str, #[values("3.1.1", "5.0")] version: &str) {
    let directory = std::env::var("SQUALL_TEST_MQTTJS").unwrap_or_default();
    let modules = Path::new(&directory).join("node_modules");
    let node = || {
        let mut node = Command::new("node");
        node.env("NODE_PATH", &modules);
        node
    };
    if !installed("MQTT.js", node().args(["-e", "require('mqtt')"])) {
        return;
    }
    let broker = broker();
    let mut command = node();
    command
        .arg(script("mqttjs_client.js"))
        .args([broker.url(scheme), version]);
    assert_eq!(run(&mut command, broker), RECEIVED);
}

#[rstest]
#[case::of_3_1_1("mqttv311")]
#[case::of_5_0("mqttv5")]
fn of_mosquitto(#[case] version: &str) {
    let mut there = Command::new("sh");
    there.args(["-c", "command -v mosquitto_pub && command -v mosquitto_sub"]);
    if !installed("mosquitto-clients", &mut there) {
        return;
    }
    let broker = broker();
    let port = broker.address("mqtt").port().to_string();
    let at = ["-h", "127.0.0.1", "-p", &port, "-V", version];
    // Line by line, so that "Subscribed" is seen when it is said.
    let mut subscriber = Command::new("stdbuf")
        .args(["-oL", "mosquitto_sub"])
        .args(at)
        .args(["-d", "-q", "2", "-t", "client/#", "-C", "4", "-W", "20"])
        .args(["-F", "%t %q %l"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(subscriber.stdout.take().expect("piped")).lines();
    let mut lines = lines.map(|line| line.expect("text"));
    assert!(
        lines.any(|line| line.starts_with("Subscribed")),
        "it did not subscribe"
    );
    for (topic, qos, payload) in [
        ("client/0", "0", "hello at 0".to_owned()),
        ("client/1", "1", "hello at 1".to_owned()),
        ("client/2", "2", "hello at 2".to_owned()),
        ("client/large", "1", "x".repeat(100_000)),
    ] {
        let published = Command::new("mosquitto_pub")
            .args(at)
            .args(["-t", topic, "-q", qos, "-m", &payload])
            .status();
        assert!(published.expect("it starts").success());
    }
    let mut received: Vec<_> = lines.filter(|line| line.starts_with("client/")).collect();
    received.sort();
    assert!(subscriber.wait().expect("it ends").success());
    assert_eq!(received.join("\n"), RECEIVED);
    broker.signal("TERM");
    let (_, log) = broker.wait();
    assert!(!log.contains(" WARN "), "{log}");
}

#[test]
fn of_curl() {
    if !installed("curl", Command::new("curl").arg("--version")) {
        return;
    }
    let broker = Broker::start(&["--http", "127.0.0.1:0"], 1);
    let url = |path: &str| format!("{}{path}", broker.url("http"));
    let reading = "x".repeat(60_000);
    let mut command = Command::new("curl");
    command
        .args(["-sS", "--http1.1", "-w", "%{http_code}\n", "--data-binary"])
        .args([&reading, &url("sensor/valley.t-1?n=1")])
        .args(["--next", "-sS", "-w", "\n%{http_code} %{num_connects}\n"])
        .arg(url("sensor/valley.t-1"))
        .args(["--next", "-sS", "-w", "%{http_code}\n"])
        .arg(url("sensors/valley?after=18446744073709551615&wait=1"))
        .args(["--next", "-sS", "-w", "%{http_code}\n"])
        .arg(url("sensors/hill?wait=1"));
    let received = run(&mut command, broker);
    let (taken, rest) = received.split_once('\n').expect("lines");
    assert_eq!(taken, "204");
    let (latest, rest) = rest.split_once('\n').expect("lines");
    assert_eq!(latest, reading);
    // The second request came on the connection of the first.
    let (status, rest) = rest.split_once('\n').expect("lines");
    assert_eq!(status, "200 0");
    let (feed, waited) = rest.split_once('\n').expect("lines");
    assert!(feed.ends_with(" t-1 60000"), "{feed}");
    assert_eq!(waited, format!("{reading}200\n204"));
}

/// The exchange of a client of the rumqttc family, of whichever version: the
/// same names, other types.
macro_rules! rumqttc_exchange {
    ($options:expr, $client:ident) => {{
        use $client::{AsyncClient, Event, Packet, PublishOptions, QoS};
        let (client, mut events) = AsyncClient::builder($options).capacity(10).build();
        let asked = client.subscribe("client/#", QoS::ExactlyOnce).await;
        asked.expect("a queue");
        let mut received = Vec::new();
        while received.len() < 4 {
            match events.poll().await.expect("no error") {
                Event::Incoming(Packet::SubAck(_)) => {
                    let levels = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
                    for (number, qos) in levels.into_iter().enumerate() {
                        let (topic, payload) =
                            (format!("client/{number}"), format!("hello at {number}"));
                        let options = PublishOptions::new(qos);
                        let sent = client.publish(topic, payload, options).await;
                        sent.expect("a queue");
                    }
                    let options = PublishOptions::new(QoS::AtLeastOnce);
                    let sent = client.publish("client/large", vec![0; 100_000], options);
                    sent.await.expect("a queue");
                }
                Event::Incoming(Packet::Publish(publish)) => {
                    let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                    let (qos, length) = (publish.qos as u8, publish.payload.len());
                    received.push(format!("{topic} {qos} {length}"));
                }
                _ => {}
            }
        }
        received
    }};
}

#[rstest]
#[tokio::test]
async fn of_rumqttc(#[values("mqtt", "ws")] scheme: &str, #[values("3.1.1", "5.0")] version: &str) {
    let broker = broker();
    let url = broker.url(scheme).to_owned();
    let dial = move |_, _| dial(url.clone());
    let exchange = async {
        if version == "3.1.1" {
            let mut options = rumqttc::MqttOptions::new("client", "broker");
            options.set_max_packet_size(200_000, 200_000);
            options.set_socket_connector(dial);
            rumqttc_exchange!(options, rumqttc)
        } else {
            let mut options = rumqttc_v5::MqttOptions::new("client", "broker");
            options.set_max_packet_size(Some(200_000));
            options.set_socket_connector(dial);
            rumqttc_exchange!(options, rumqttc_v5)
        }
    };
    let mut received = timeout(PATIENCE, exchange).await.expect("in time");
    received.sort();
    assert_eq!(received.join("\n"), RECEIVED);
}

/// Anything that MQTT's bytes go over.
trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

/// Opens a TCP connection or a WebSocket.
async fn dial(url: String) -> io::Result<Box<dyn Stream>> {
    let address = url.split('/').nth(2).unwrap_or_default();
    let socket = TcpStream::connect(address).await?;
    if url.starts_with("mqtt:") {
        return Ok(Box::new(socket));
    }
    let mut request = url.into_client_request().map_err(io::Error::other)?;
    let mqtt = HeaderValue::from_static("mqtt");
    request.headers_mut().insert("Sec-WebSocket-Protocol", mqtt);
    let upgraded = client_async(request, socket).await;
    let (socket, _) = upgraded.map_err(io::Error::other)?;
    let (sink, messages) = socket.split();
    let bytes = messages.map(|message| message.map(Message::into_data).map_err(io::Error::other));
    let sink = sink.with(async |bytes| Ok::<_, Error>(Message::Binary(bytes)));
    let sink = CopyToBytes::new(sink.sink_map_err(io::Error::other));
    Ok(Box::new(join(
        StreamReader::new(bytes),
        SinkWriter::new(Box::pin(sink)),
    )))
}
