//! The house of `squall demo light`: how it starts and ends, and what its web
//! server answers to what speaks HTTP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use rstest::rstest;
use serde_json::{Value, json};

use crate::PATIENCE;
use crate::process::Broker;

/// A house at free ports.
pub(crate) fn house() -> Broker {
    Broker::start_as(&["demo", "light"], &["--port", "0"], 3)
}

/// A request, and a connection that is at its answer.
fn ask(web: SocketAddr, request: &str, body: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(web).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let length = body.len();
    let rest =
        format!("Host: {web}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    let (first, headers) = request.split_once('\n').unwrap_or((request, ""));
    write!(stream, "{first} HTTP/1.1\r\n{headers}{rest}").expect("written");
    BufReader::new(stream)
}

/// Status and body of the answer to a request, such as `GET /`; a header may
/// follow in a line of its own.
fn answer(web: SocketAddr, request: &str, body: &str) -> (u16, String) {
    let mut text = String::new();
    let read = ask(web, request, body).read_to_string(&mut text);
    read.expect("an answer in UTF-8");
    let status = text.split(' ').nth(1).expect("a status line");
    let (_, body) = text.split_once("\r\n\r\n").expect("the headers end");
    (status.parse().expect("a number"), body.to_owned())
}

/// Looks at the house until it is as expected.
fn until(web: SocketAddr, mut expected: impl FnMut(&Value) -> bool) {
    let mut seen = String::new();
    for line in ask(web, "GET /house", "").lines() {
        let line = line.expect("the house can be seen");
        if let Some(sight) = line.strip_prefix("data: ") {
            seen = sight.to_owned();
            if expected(&serde_json::from_str(sight).expect("JSON")) {
                return;
            }
        }
    }
    panic!("it stayed at {seen}");
}

#[test]
fn it_says_where_the_page_and_the_broker_are_and_a_signal_ends_it() {
    let house = house();
    let (status, page) = answer(house.address("http"), "GET /", "");
    assert_eq!(status, 200);
    let port = house.address("ws").port();
    assert!(page.contains(&format!("content=\"{port}\"")), "{page}");
    until(house.address("http"), |sight| {
        let lamps = sight["lamps"].as_array().expect("lamps");
        lamps.len() == 3 && lamps.iter().all(|lamp| lamp["connected"] == true)
    });
    house.signal("INT");
    let (status, stderr) = house.wait();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert_eq!(stderr.lines().last(), Some("stopped"), "{stderr}");
    assert!(!stderr.contains(" WARN "), "{stderr}");
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(["demo", "light", "--port", &port])
        .output()
        .expect("squall starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    let says = format!("cannot listen on 127.0.0.1:{port} for the page");
    assert!(stderr.contains(&says), "{stderr}");
    assert!(
        stderr.contains("`--port 0` takes one that is free"),
        "{stderr}"
    );
}

#[rstest]
#[case::no_number(&["demo", "light", "--port", "http"])]
#[case::no_port(&["demo", "light", "--port", "65536"])]
#[case::no_demo(&["demo"])]
#[case::another_demo(&["demo", "night"])]
fn mistakes_on_the_command_line(#[case] arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(arguments)
        .output()
        .expect("squall starts");
    assert_eq!(output.status.code(), Some(2));
}

/// One after the other, against one house.
#[test]
fn what_its_web_server_answers() {
    let house = house();
    let web = house.address("http");
    let long = "9".repeat(1025);
    for (request, body, status, says) in [
        ("GET /nothing", "", 404, "there is nothing here"),
        ("PUT /lamps", "", 405, "GET or POST"),
        (
            "POST /lamps\nOrigin: http://example.org\r\n",
            "",
            403,
            "own page",
        ),
        ("POST /dimmer/101", "", 400, "from 0 to 100"),
        ("POST /motor/2/speed/50", "", 404, "there is motor 1"),
        ("POST /motor/1/speed/fast", "", 400, "from 0 to 100"),
        ("GET /sensor/kitchen", "", 400, "a group and a name"),
        ("GET /sensor/cellar.humidity", "", 404, "no value yet"),
        ("POST /sensor/cellar.+", "48", 400, "a group and a name"),
        (
            "POST /sensor/cellar.humidity",
            &long,
            413,
            "at most 1024 bytes",
        ),
        (
            "POST /sensor/cellar.humidity",
            "48",
            202,
            "the broker has it",
        ),
        ("POST /dimmer/30", "", 202, "the broker has it"),
        ("POST /lamps", "", 201, "lamp 4 is plugged in"),
        ("GET /readings/2020/april", "", 200, "[]"),
        ("GET /readings/2020/winter", "", 404, "/readings/2020/april"),
        ("GET /readings/then/april", "", 404, "/readings/2020/april"),
    ] {
        let (answered, text) = answer(web, request, body);
        assert_eq!(answered, status, "{request}: {text}");
        assert!(text.contains(says), "{request}: {text}");
    }
    // The bridge and the recorder have heard of it from the broker; and every
    // lamp has, the late one and the one behind the hub too.
    until(web, |sight| {
        let lamps = sight["lamps"].as_array().expect("lamps").iter();
        let mut lamps = lamps.chain([&sight["hub_lamp"]]);
        lamps.all(|lamp| lamp["percent"] == 30) && sight["recorded"].as_u64() >= Some(2)
    });
    let (status, latest) = answer(web, "GET /sensor/cellar.humidity", "");
    assert_eq!((status, latest.as_str()), (200, "48"));
    let now = time::OffsetDateTime::now_utc();
    let path = format!("GET /readings/{}/{}", now.year(), u8::from(now.month()));
    let (_, readings) = answer(web, &path, "");
    let readings: Vec<Value> = serde_json::from_str(&readings).expect("JSON");
    let recorded = |topic: &str, value: &str| {
        let mut readings = readings.iter();
        readings.any(|reading| reading["topic"] == topic && reading["value"] == value)
    };
    assert!(recorded("cellar/humidity", "48"), "{readings:?}");
    assert!(recorded("house/light", "30"), "{readings:?}");
}

#[test]
fn a_command_reaches_a_motor_that_sleeps() {
    let house = house();
    let web = house.address("http");
    // Its session is there once it was awake for the first time.
    until(web, |sight| sight["motor"]["awake"] == true);
    until(web, |sight| sight["motor"]["awake"] == false);
    let (status, text) = answer(web, "POST /motor/1/speed/100", "");
    assert_eq!(status, 202, "{text}");
    let mut woke = false;
    until(web, |sight| {
        let motor = &sight["motor"];
        woke |= motor["awake"] == true;
        assert!(
            woke || motor["percent"] == json!(null),
            "it was told in its sleep"
        );
        motor["percent"] == 100
    });
}

#[test]
fn a_dimmer_whose_broker_is_off_is_told_so_and_its_value_comes_later() {
    let house = house();
    let web = house.address("http");
    until(web, |sight| sight["lamps"][0]["connected"] == true);
    let (status, _) = answer(web, "POST /broker/off", "");
    assert_eq!(status, 200);
    until(web, |sight| sight["broker"] == false);
    let (status, text) = answer(web, "POST /dimmer/70", "");
    assert_eq!(status, 504, "{text}");
    let (status, _) = answer(web, "POST /broker/on", "");
    assert_eq!(status, 200);
    until(web, |sight| sight["lamps"][0]["percent"] == 70);
}
