//! What servers on the Internet have to expect: requests that are broken, too
//! long, too slow, too many or no requests at all.

use std::time::Duration;

use rstest::rstest;
use squall_broker::{HttpConfig, HttpLimits, HttpServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use crate::{Client, posting, served, served_with_room};

fn limited(change: impl FnOnce(&mut HttpLimits)) -> HttpServer {
    let mut config = HttpConfig::default();
    change(&mut config.limits);
    HttpServer::new(config)
}

#[rstest]
#[case::no_path("GET / HTTP/1.1\r\nHost: server\r\n\r\n", 404, true)]
#[case::another_method("PUT /sensor/a.b HTTP/1.1\r\nHost: server\r\n\r\n", 405, true)]
#[case::a_method_of_its_own("BREW /sensor/a.b HTTP/1.1\r\nHost: server\r\n\r\n", 405, true)]
#[case::a_query_that_is_none("GET /sensor/a.b?n HTTP/1.1\r\nHost: server\r\n\r\n", 400, true)]
#[case::no_host("GET /sensor/a.b HTTP/1.1\r\n\r\n", 400, true)]
#[case::two_hosts("GET /sensor/a.b HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, true)]
#[case::no_http("\u{10}\u{0}\r\n\r\n", 400, false)]
#[case::another_version("GET /sensor/a.b HTTP/2.0\r\nHost: server\r\n\r\n", 400, false)]
#[case::two_lengths(
    "POST /sensor/a.b HTTP/1.1\r\nHost: server\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12",
    400,
    false
)]
#[case::a_length_below_zero(
    "POST /sensor/a.b HTTP/1.1\r\nHost: server\r\nContent-Length: -1\r\n\r\n",
    400,
    false
)]
#[case::a_chunk_that_is_none(
    "POST /sensor/a.b HTTP/1.1\r\nHost: server\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    400,
    false
)]
#[tokio::test(start_paused = true)]
async fn a_bad_request_is_refused(#[case] request: &str, #[case] status: u16, #[case] stays: bool) {
    let server = HttpServer::new(HttpConfig::default());
    let mut client = Client::of(&server);
    client.send(request).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, status, "{answer:?}");
    match stays {
        true => assert_eq!(client.get("/sensors/a", "").await.status, 204),
        false => assert_eq!(client.rest().await, ""),
    }
    assert_eq!(server.counts().readings, 0);
}

/// Requests of which each breaks one limit, which is as small as it gets.
#[rstest]
#[case::a_long_reading(posting("/sensor/a.b", &"x".repeat(11)), 413)]
#[case::a_long_reading_in_chunks(
    "POST /sensor/a.b HTTP/1.1\r\nHost: server\r\nTransfer-Encoding: chunked\r\n\r\n\
        6\r\n123456\r\n5\r\n12345\r\n0\r\n\r\n".to_owned(),
    413
)]
#[case::an_endless_reading(
    "POST /sensor/a.b HTTP/1.1\r\nHost: server\r\nContent-Length: 9223372036854775807\r\n\r\n"
        .to_owned(),
    413
)]
#[case::a_long_url(format!("GET /{} HTTP/1.1\r\nHost: server\r\n\r\n", "x".repeat(100)), 414)]
#[case::many_headers(
    format!("GET /sensor/a.b HTTP/1.1\r\nHost: server\r\n{}\r\n", "a: b\r\n".repeat(4)),
    431
)]
#[case::a_long_head(
    format!("GET /sensor/a.b HTTP/1.1\r\nHost: server\r\nCookie: {}\r\n\r\n", "x".repeat(500)),
    431
)]
#[case::a_head_without_end(
    format!("GET /sensor/a.b HTTP/1.1\r\nHost: server\r\nCookie: {}", "x".repeat(20_000)),
    431
)]
#[case::a_long_content_type(
    format!("POST /sensor/a.b HTTP/1.1\r\nHost: server\r\nContent-Type: {}\r\n\r\n", "x".repeat(129)),
    400
)]
#[tokio::test(start_paused = true)]
async fn what_is_too_long_is_refused(#[case] request: String, #[case] status: u16) {
    let server = limited(|limits| {
        limits.reading_bytes = 10;
        limits.url_bytes = 100;
        limits.head_bytes = 400;
        limits.headers = 4;
    });
    let mut client = Client::of(&server);
    client.send(&request).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(server.counts().readings, 0);
    // What is as long as allowed is taken.
    let mut client = Client::of(&server);
    assert_eq!(client.post("/sensor/a.b", "0123456789").await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn at_its_limits_the_server_takes_nobody_new() {
    let server = limited(|limits| {
        limits.sensors = 1;
        limits.connections = 1;
    });
    let mut client = Client::of(&server);
    client.post("/sensor/valley.t-1", "20").await;
    assert_eq!(client.post("/sensor/valley.t-2", "20").await.status, 503);
    assert_eq!(client.post("/sensor/valley.t-1", "21").await.status, 204);
    let refused = Client::of(&server).rest().await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("connection: close\r\n"), "{refused}");
    drop(client);
    // Whoever has a place gives it back once the server has seen the end.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        Client::of(&server).get("/sensors/valley", "").await.status,
        200
    );
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_answered_in_their_order() {
    let server = HttpServer::new(HttpConfig::default());
    let mut client = Client::of(&server);
    let requests: String = (1..=100)
        .map(|number| {
            posting(
                &format!("/sensor/valley.t-1?n={number}"),
                &number.to_string(),
            )
        })
        .collect();
    let last = "GET /sensor/valley.t-1 HTTP/1.1\r\nHost: server\r\n\r\n";
    client.send(&format!("{requests}{last}")).await;
    for _ in 1..=100 {
        assert_eq!(client.answer().await.status, 204);
    }
    assert_eq!(client.answer().await.body, "100");
}

#[tokio::test(start_paused = true)]
async fn a_request_may_come_byte_by_byte_but_not_for_ever() {
    let server = HttpServer::new(HttpConfig::default());
    let mut client = Client::of(&server);
    // Each byte takes half a second.
    for byte in posting("/sensor/valley.t-1", "20").bytes() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        client.0.write_u8(byte).await.expect("open");
    }
    assert_eq!(client.answer().await.status, 204);

    let began = Instant::now();
    client
        .send("GET /sensor/valley.t-1 HTTP/1.1\r\nHost: ")
        .await;
    assert_eq!(client.rest().await, "");
    assert_eq!(began.elapsed(), Duration::from_secs(75));

    let began = Instant::now();
    let mut client = Client::of(&server);
    let request = posting("/sensor/valley.t-1", "21");
    client.send(&request[..request.len() - 1]).await;
    assert_eq!(client.answer().await.status, 408);
    assert_eq!(client.rest().await, "");
    assert_eq!(began.elapsed(), Duration::from_secs(60));
    assert_eq!(server.counts().readings, 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_let_go() {
    let server = HttpServer::new(HttpConfig::default());
    let began = Instant::now();
    assert_eq!(Client::of(&server).rest().await, "");
    assert_eq!(began.elapsed(), Duration::from_secs(75));
    let mut client = Client::of(&server);
    client.get("/sensors/valley", "").await;
    let began = Instant::now();
    assert_eq!(client.rest().await, "");
    assert_eq!(began.elapsed(), Duration::from_secs(75));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_let_go_and_holds_up_nobody() {
    let server = limited(|limits| limits.connections = 2);
    let mut sensor = Client::of(&server);
    sensor.post("/sensor/valley.t-1", &"x".repeat(60_000)).await;
    // Its stream has room for a part of the answer only.
    let mut stuck = Client(served_with_room(&server, 1024));
    stuck
        .send("GET /sensor/valley.t-1 HTTP/1.1\r\nHost: server\r\n\r\n")
        .await;
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!(sensor.post("/sensor/valley.t-1", "20").await.status, 204);
    assert!(
        Client::of(&server)
            .rest()
            .await
            .starts_with("HTTP/1.1 503 ")
    );
    tokio::time::sleep(Duration::from_secs(11)).await;
    // Its place is free again.
    assert_eq!(
        Client::of(&server).get("/sensors/valley", "").await.status,
        200
    );
}

/// Whatever comes, the server goes on for others.
#[tokio::test(start_paused = true)]
async fn garbage_ends_its_own_connection_only() {
    use rand::{RngExt as _, SeedableRng as _};
    let server = HttpServer::new(HttpConfig::default());
    let mut random = rand_pcg::Pcg64Mcg::seed_from_u64(1);
    let request = posting("/sensor/valley.t-1", "20");
    for round in 0..1_000 {
        let mut bytes = request.clone().into_bytes();
        match round % 4 {
            0 => bytes.clear(),
            1 => bytes.truncate(random.random_range(..bytes.len())),
            _ => {
                let place = random.random_range(..bytes.len());
                bytes[place] = random.random();
            }
        }
        let length = random.random_range(1..200);
        bytes.extend(std::iter::repeat_with(|| random.random::<u8>()).take(length));
        let mut stream = served(&server);
        stream.write_all(&bytes).await.expect("written");
        stream.shutdown().await.expect("shut down");
        let mut answer = Vec::new();
        let ended = timeout(Duration::from_secs(1), stream.read_to_end(&mut answer)).await;
        ended.expect("in time").expect("it ends");
    }
    let mut client = Client::of(&server);
    assert_eq!(client.post("/sensor/valley.t-1", "20").await.status, 204);
}
