//! The command: what it prints, how it stops, what it says of mistakes.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use rstest::rstest;

use crate::process::Broker;
use crate::{CONNACK, CONNECT, PATIENCE};

const ANY_PORT: &str = "127.0.0.1:0";

fn connected(broker: &Broker) -> TcpStream {
    let mut stream = TcpStream::connect(broker.address("mqtt")).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
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
    let output = squall(&["serve", "--tcp", address]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(says), "{stderr}");
    assert!(output.stdout.is_empty(), "it did not listen");
}

#[test]
fn a_store_that_cannot_be_opened_is_the_environments_failure() {
    let directory = tempfile::tempdir().expect("a directory");
    let check = |data: &str, says: &str| {
        let data = directory.path().join(data);
        let data = data.to_str().expect("a path in UTF-8");
        let output = squall(&["serve", "--tcp", ANY_PORT, "--data", data]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
    };
    let data = directory.path().join("data");
    let data = data.to_str().expect("a path in UTF-8");
    let broker = Broker::start(&["--tcp", ANY_PORT, "--data", data], 1);
    check("data", "is another broker using it?");
    broker.signal("TERM");
    assert!(broker.wait().0.success());

    let file = directory.path().join("data/broker.redb");
    std::fs::write(&file, "not a database").expect("written");
    check("data", "cannot open ");
    check("data/broker.redb", "cannot open ");
}

#[test]
fn quirks_are_listed_and_asked_for_by_name() {
    let listed = squall(&["quirks"]);
    assert!(listed.status.success());
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert_eq!(listed.lines().count(), squall_broker::Quirk::ALL.len());
    let line = listed
        .lines()
        .find(|line| line.starts_with("keeps-cleared-retained "));
    let words: Vec<_> = line.expect("listed").split_whitespace().collect();
    assert_eq!(words[1..3], ["MQTT311-3.3.1-10,", "MQTT5-3.3.1-6"]);

    let broker = Broker::start(&["--tcp", ANY_PORT, "--quirk", "keeps-cleared-retained"], 1);
    broker.signal("TERM");
    let (status, stderr) = broker.wait();
    assert!(status.success(), "{stderr}");
    assert!(
        stderr.starts_with("keeps-cleared-retained: it keeps "),
        "{stderr}"
    );

    let output = squall(&["serve", "--quirk", "keeps-clear-retained"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("tip: a similar value exists: 'keeps-cleared-retained'"),
        "{stderr}"
    );
}

#[test]
fn a_password_is_hashed() {
    let lines = [
        (&["password"][..], "open sesame\n", true),
        (&["password"], "open barley", false),
        (&["password", "--scram"], "open sesame\n", true),
        (&["password", "--scram"], "open barley", false),
    ];
    for (arguments, line, right) in lines {
        let mut child = Command::new(env!("CARGO_BIN_EXE_squall"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("squall starts");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(line.as_bytes()).expect("written");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let hash = String::from_utf8(output.stdout).expect("text");
        let hash: squall::serve::PasswordHash = hash.trim_end().parse().expect("a hash");
        assert_eq!(hash.verifies(b"open sesame"), right);
        assert_eq!(hash.scram_keys().is_some(), arguments.len() == 2);
    }
}

fn squall(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("squall starts")
}
