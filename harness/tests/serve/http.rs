//! The REST server on real sockets.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::connect;
use crate::process::Broker;

#[tokio::test]
async fn a_reading_gets_from_a_sensor_to_who_waits_for_it() {
    let broker = Broker::start(&["--http", "127.0.0.1:0"], 1);
    assert!(broker.url("http").ends_with('/'), "{}", broker.url("http"));
    let address = broker.address("http");
    let mut waiting = connect(address).await;
    let poll = "GET /sensors/valley?wait=30 HTTP/1.1\r\nHost: server\r\n\r\n";
    waiting.write_all(poll.as_bytes()).await.expect("written");
    let mut sensor = connect(address).await;
    let post = "POST /sensor/valley.t-1 HTTP/1.1\r\nHost: server\r\nContent-Length: 4\r\n\
        Connection: close\r\n\r\n21.4";
    sensor.write_all(post.as_bytes()).await.expect("written");
    let mut taken = String::new();
    sensor.read_to_string(&mut taken).await.expect("read");
    assert!(taken.starts_with("HTTP/1.1 204 No Content\r\n"), "{taken}");
    // As an answer of a server with a clock must.
    assert!(taken.contains("\r\ndate: "), "{taken}");

    let mut answer = Vec::new();
    while !answer.ends_with(b"\n21.4") {
        answer.push(waiting.read_u8().await.expect("open"));
    }
    let answer = String::from_utf8(answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    // A server that is started again has later positions than this one.
    let feed = answer.split("\r\n\r\n").nth(1).expect("a body");
    let position: u64 = feed
        .split(' ')
        .next()
        .expect("a line")
        .parse()
        .expect("a number");
    assert!(position > 1_700_000_000_000_000, "{answer}");

    let long = "GET /sensors/hill?wait=30 HTTP/1.1\r\nHost: server\r\n\r\n";
    waiting.write_all(long.as_bytes()).await.expect("written");
    let mut idle = connect(address).await;
    broker.signal("TERM");
    let mut last = String::new();
    waiting.read_to_string(&mut last).await.expect("read");
    let stopped = last.is_empty() || last.starts_with("HTTP/1.1 204 No Content\r\n");
    assert!(stopped, "{last}");
    let mut nothing = String::new();
    idle.read_to_string(&mut nothing).await.expect("read");
    assert_eq!(nothing, "");
    drop((waiting, sensor, idle));
    let (status, stderr) = broker.wait();
    assert!(status.success(), "{stderr}");
    let end = "stopped; 3 connections served";
    assert_eq!(stderr.lines().last(), Some(end), "{stderr}");
}
