//! The command: what it prints, how it stops, what it says of mistakes.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::process::Broker;
use rstest::rstest;

const ANY_PORT: &str = "127.0.0.1:0";

/// CONNECT of MQTT 3.1.1 with the client identifier `a`, clean, and its answer.
const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01a";
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

fn connected(broker: &Broker) -> TcpStream {
    let mut stream = TcpStream::connect(broker.address("mqtt")).expect("connected");
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).expect("set");
    stream.write_all(CONNECT).expect("written");
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).expect("answered");
    assert_eq!(connack, CONNACK);
    stream
}

#[test]
fn each_endpoint_is_a_line_and_a_signal_ends_all_in_good_order() {
    let broker = Broker::start(&["--tcp", ANY_PORT, "--ws", ANY_PORT], 2);
    assert!(broker.url("ws").ends_with("/mqtt"), "{}", broker.url("ws"));
    let mut client = connected(&broker);
    let mut nobody = TcpStream::connect(broker.address("mqtt")).expect("connected");
    broker.signal("TERM");
    for stream in [&mut client, &mut nobody] {
        assert_eq!(stream.read(&mut [0]).expect("closed"), 0);
    }
    drop((client, nobody));
    let (status, stderr) = broker.wait();
    assert_eq!(status.code(), Some(0), "{stderr}");
    let last = stderr.lines().last();
    assert_eq!(last, Some("stopped; 2 connections served"), "{stderr}");
    assert!(stderr.contains("CONNECT conn=1 client=\"a\""), "{stderr}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let broker = Broker::start(&["--tcp", ANY_PORT], 1);
    let mut client = connected(&broker);
    broker.signal("INT");
    // It has closed its side, and waits for the client to do the same.
    assert_eq!(client.read(&mut [0]).expect("closed"), 0);
    broker.signal("INT");
    let (status, stderr) = broker.wait();
    assert_eq!(status.code(), Some(130), "{stderr}");
    assert!(!stderr.contains("stopped"), "{stderr}");
}

#[test]
fn a_violation_is_a_warning_with_its_statement() {
    let broker = Broker::start(&["--tcp", ANY_PORT], 1);
    let mut client = connected(&broker);
    client.write_all(CONNECT).expect("written");
    assert_eq!(client.read(&mut [0]).expect("closed"), 0);
    drop(client);
    broker.signal("TERM");
    let (_, stderr) = broker.wait();
    let warning = stderr.lines().find(|line| line.contains(" WARN "));
    let warning = warning.unwrap_or_else(|| panic!("no warning in {stderr}"));
    assert!(
        warning.contains("conn=1 statement=\"MQTT311-3.1.0-2\""),
        "{warning}"
    );
}

#[rstest]
#[case::not_an_address("1883", 2, "`1883` is not an address")]
#[case::not_a_host(
    "no.such.host.invalid:1883",
    3,
    "cannot listen on no.such.host.invalid:1883"
)]
#[case::not_ours("192.0.2.1:1883", 3, "cannot listen on 192.0.2.1:1883 for mqtt")]
fn an_endpoint_that_cannot_be_opened(#[case] address: &str, #[case] code: i32, #[case] says: &str) {
    check_refused(address, code, says);
}

#[test]
fn an_address_in_use_is_the_environments_failure() {
    let taken = TcpListener::bind(ANY_PORT).expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    check_refused(&address, 3, "is another broker running?");
}

fn check_refused(address: &str, code: i32, says: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(["serve", "--tcp", address])
        .output()
        .expect("squall starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(says), "{stderr}");
    assert!(output.stdout.is_empty(), "it did not listen");
}
