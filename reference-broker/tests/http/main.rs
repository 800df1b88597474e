//! The REST server, over in-memory streams and on tokio's paused clock.

mod hostile;

use std::time::Duration;

use rstest::rstest;
use squall_broker::{HttpConfig, HttpServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::Instant;

/// A stream whose other end the server serves.
fn served(server: &HttpServer) -> DuplexStream {
    served_with_room(server, 1 << 20)
}

fn served_with_room(server: &HttpServer, bytes: usize) -> DuplexStream {
    let (client, stream) = tokio::io::duplex(bytes);
    let server = server.clone();
    tokio::spawn(async move { server.serve(stream).await });
    client
}

/// A client that keeps its connection.
struct Client(DuplexStream);

#[derive(Debug, Eq, PartialEq)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Client {
    fn of(server: &HttpServer) -> Self {
        Self(served(server))
    }

    async fn send(&mut self, request: &str) {
        self.0.write_all(request.as_bytes()).await.expect("written");
    }

    /// The next answer.
    async fn answer(&mut self) -> Answer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("open"));
        }
        let head = String::from_utf8(head).expect("text");
        let length = header(&head, "content-length").unwrap_or("0");
        let mut body = vec![0; length.parse().expect("a number")];
        self.0.read_exact(&mut body).await.expect("open");
        Answer {
            status: head[9..12].parse().expect("a status"),
            body: String::from_utf8(body).expect("text"),
            head,
        }
    }

    async fn get(&mut self, url: &str, headers: &str) -> Answer {
        let request = format!("GET {url} HTTP/1.1\r\nHost: server\r\n{headers}\r\n");
        self.send(&request).await;
        self.answer().await
    }

    async fn post(&mut self, url: &str, payload: &str) -> Answer {
        self.send(&posting(url, payload)).await;
        self.answer().await
    }

    /// Everything up to the end of the stream.
    async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let ended = self.0.read_to_end(&mut rest).await;
        ended.expect("no failure");
        String::from_utf8(rest).expect("text")
    }
}

fn posting(url: &str, payload: &str) -> String {
    let length = payload.len();
    format!("POST {url} HTTP/1.1\r\nHost: server\r\nContent-Length: {length}\r\n\r\n{payload}")
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .next()
}

#[tokio::test(start_paused = true)]
async fn a_reading_is_there_as_it_was_posted() {
    let server = HttpServer::new(HttpConfig::default());
    let mut client = Client::of(&server);
    assert_eq!(client.get("/sensor/valley.t-1", "").await.status, 404);
    let request = "POST /sensor/valley.t-1 HTTP/1.1\r\nHost: server\r\n\
        Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\n{\"t\r\n7\r\n\":21.4}\r\n0\r\n\r\n";
    client.send(request).await;
    let taken = client.answer().await;
    // Not a byte more.
    assert_eq!(taken.head, "HTTP/1.1 204 No Content\r\n\r\n");
    let mut other = Client::of(&server);
    let latest = other.get("/sensor/valley.t-1", "").await;
    let expected = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\netag: \"1\"\r\n\
        content-length: 10\r\n\r\n";
    assert_eq!(latest.head, expected);
    assert_eq!(latest.body, "{\"t\":21.4}");
    let head = "HEAD /sensor/valley.t-1 HTTP/1.1\r\nHost: server\r\n\r\n";
    other.send(head).await;
    let mut answer = vec![0; expected.len()];
    other.0.read_exact(&mut answer).await.expect("open");
    assert_eq!(String::from_utf8_lossy(&answer), expected);
    // One connection serves them all.
    assert_eq!(
        other.get("/sensors/valley", "").await.body,
        "1 t-1 10\n{\"t\":21.4}"
    );
    let counts = server.counts();
    assert_eq!((counts.connections, counts.requests), (2, 5));
    assert_eq!((counts.readings, counts.deliveries), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_poll_says_what_it_has_and_is_told_what_is_new() {
    let server = HttpServer::new(HttpConfig::default());
    let mut client = Client::of(&server);
    client.post("/sensor/valley.t-1", "20").await;
    let known = "If-None-Match: \"1\"\r\n";
    let unchanged = client.get("/sensor/valley.t-1", known).await;
    assert_eq!(
        unchanged.head,
        "HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n"
    );
    assert_eq!(client.get("/sensors/valley?after=1", "").await.status, 204);
    assert_eq!(client.get("/sensors/hill", "").await.status, 204);
    client.post("/sensor/valley.t-2", "30").await;
    client.post("/sensor/valley.t-1", "21").await;
    let news = client.get("/sensor/valley.t-1", known).await;
    assert_eq!((news.status, news.body.as_str()), (200, "21"));
    let news = client.get("/sensors/valley?after=1", "").await;
    assert_eq!(news.body, "2 t-2 2\n303 t-1 2\n21");
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_comes_again_is_taken_once() {
    let server = HttpServer::new(HttpConfig::default());
    let mut client = Client::of(&server);
    for (number, payload) in [(1, "20"), (2, "21"), (2, "21"), (1, "20")] {
        let url = format!("/sensor/valley.t-1?n={number}");
        assert_eq!(client.post(&url, payload).await.status, 204);
    }
    assert_eq!(client.get("/sensor/valley.t-1", "").await.body, "21");
    let counts = server.counts();
    assert_eq!((counts.readings, counts.repeats), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_is_answered_with_the_next_reading() {
    let server = HttpServer::new(HttpConfig::default());
    let began = Instant::now();
    let polls = [
        ("/sensors/valley?wait=30", "", "1 t-1 2\n20"),
        ("/sensor/valley.t-1?wait=30", "", "20"),
    ];
    for (url, headers, expected) in polls {
        let server = server.clone();
        let mut poller = Client::of(&server);
        tokio::spawn(async move {
            let answer = poller.get(url, headers).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, expected));
            assert_eq!(began.elapsed(), Duration::from_secs(10));
            server.close_all();
        });
    }
    let mut sensor = Client::of(&server);
    // It is in another group.
    tokio::time::sleep(Duration::from_secs(5)).await;
    sensor.post("/sensor/hill.t-1", "10").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    sensor.post("/sensor/valley.t-1", "20").await;
    assert_eq!(sensor.rest().await, "");
    assert_eq!(server.counts().deliveries, 2);
}

#[rstest]
#[case::a_feed("/sensors/valley?after=1&wait=30", "", 30, 204)]
#[case::a_sensor("/sensor/valley.t-1?wait=30", "If-None-Match: \"1\"\r\n", 30, 304)]
#[case::a_sensor_without_reading("/sensor/valley.t-2?wait=30", "", 30, 404)]
#[case::longer_than_allowed("/sensors/valley?after=1&wait=86400", "", 300, 204)]
#[case::for_nothing("/sensors/valley?after=1&wait=0", "", 0, 204)]
#[tokio::test(start_paused = true)]
async fn a_long_poll_without_news_ends_in_time(
    #[case] url: &str,
    #[case] headers: &str,
    #[case] lasts_s: u64,
    #[case] status: u16,
) {
    let server = HttpServer::new(HttpConfig::default());
    let mut client = Client::of(&server);
    client.post("/sensor/valley.t-1", "20").await;
    let began = Instant::now();
    let answer = client.get(url, headers).await;
    assert_eq!(answer.status, status);
    assert_eq!(began.elapsed(), Duration::from_secs(lasts_s));
    // The connection has outlived it.
    assert_eq!(client.get("/sensor/valley.t-1", "").await.body, "20");
}

#[tokio::test(start_paused = true)]
async fn a_poller_that_is_gone_waits_no_more() {
    let server = HttpServer::new(HttpConfig::default());
    let mut poller = Client::of(&server);
    let request = "GET /sensors/valley?wait=30 HTTP/1.1\r\nHost: server\r\n\r\n";
    poller.send(request).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(poller);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut sensor = Client::of(&server);
    sensor.post("/sensor/valley.t-1", "20").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(server.counts().deliveries, 0);
}

#[tokio::test(start_paused = true)]
async fn what_may_be_done_instead_is_said() {
    let server = HttpServer::new(HttpConfig::default());
    let mut client = Client::of(&server);
    for (url, allowed) in [
        ("/sensor/a.b", "GET, HEAD, POST"),
        ("/sensors/a", "GET, HEAD"),
    ] {
        client
            .send(&format!("DELETE {url} HTTP/1.1\r\nHost: server\r\n\r\n"))
            .await;
        let answer = client.answer().await;
        assert_eq!(header(&answer.head, "allow"), Some(allowed));
        assert_eq!(
            answer.body,
            "readings are taken with POST and given with GET\n"
        );
    }
}

/// As `curl`, browsers and old clients have it.
#[rstest]
#[case::at_once("HTTP/1.1", "", true)]
#[case::when_asked("HTTP/1.1", "Connection: close\r\n", false)]
#[case::in_the_old_version("HTTP/1.0", "", false)]
#[case::which_can_stay_too("HTTP/1.0", "Connection: keep-alive\r\n", true)]
#[tokio::test(start_paused = true)]
async fn a_connection_stays_unless_it_is_to_close(
    #[case] version: &str,
    #[case] connection: &str,
    #[case] stays: bool,
) {
    let server = HttpServer::new(HttpConfig::default());
    let mut client = Client::of(&server);
    let request = format!("GET /sensors/a {version}\r\nHost: server\r\n{connection}\r\n");
    client.send(&request).await;
    assert_eq!(client.answer().await.status, 204);
    match stays {
        true => assert_eq!(client.get("/sensors/a", "").await.status, 204),
        false => assert_eq!(client.rest().await, ""),
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_answers_what_is_under_way() {
    let server = HttpServer::new(HttpConfig::default());
    let mut idle = Client::of(&server);
    idle.get("/sensors/valley", "").await;
    let mut silent = Client::of(&server);
    let mut waiting = Client::of(&server);
    waiting
        .send("GET /sensors/valley?wait=30 HTTP/1.1\r\nHost: server\r\n\r\n")
        .await;
    let mut late = Client::of(&server);
    late.send("GET /sensors/valley HTTP/1.1\r\n").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    server.close_all();
    assert_eq!(idle.rest().await, "");
    assert_eq!(silent.rest().await, "");
    assert_eq!(waiting.answer().await.status, 204);
    assert_eq!(waiting.rest().await, "");
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(late.rest().await, "");
    assert_eq!(began.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn a_date_is_said_only_if_asked_for() {
    for date in [false, true] {
        let server = HttpServer::new(HttpConfig {
            date,
            ..HttpConfig::default()
        });
        let answer = Client::of(&server).get("/sensors/valley", "").await;
        assert_eq!(header(&answer.head, "date").is_some(), date, "{answer:?}");
    }
}
