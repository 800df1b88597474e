//! Brokers that are started, restarted and stopped: what they keep is theirs, and
//! nothing of them is left.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rstest::rstest;
use squall::targets::{Address, How, Instance, StartOptions, Target, Transport, Trust, dial};
use squall_broker::wire::Version;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

fn options() -> StartOptions {
    StartOptions {
        squall: env!("CARGO_BIN_EXE_squall").into(),
        ready_within: None,
    }
}

/// The target, unless its broker is not here.
#[expect(
    clippy::print_stderr,
    reason = "what was skipped must be seen, and libtest has no other way"
)]
async fn installed(name: &str) -> Option<Target> {
    let target = Target::load(name).expect("it is shipped");
    match target.installed(&options().squall).await {
        Ok(_) => Some(target),
        Err(why) => {
            eprintln!("skipped: {} is {why}", target.title);
            None
        }
    }
}

#[test]
fn every_shipped_target_is_listed_with_its_version_or_why_not() {
    let listed = Command::new(env!("CARGO_BIN_EXE_squall"))
        .arg("targets")
        .env("PATH", "")
        .env("SQUALL_BROKERS", "/nowhere")
        .output()
        .expect("squall starts");
    assert!(listed.status.success());
    let text = String::from_utf8(listed.stdout).expect("text");
    for target in Target::all().expect("all are valid") {
        assert!(text.contains(&format!("{} ", target.name)), "{text}");
    }
    let version = env!("CARGO_PKG_VERSION");
    let first = text.lines().next().expect("a line");
    let words: Vec<_> = first.split_whitespace().take(2).collect();
    assert_eq!(words, ["reference", version]);
    let why = "not installed: no `amqtt` on PATH; python3 -m venv";
    assert!(text.contains(why), "{text}");
}

/// Publishes to `a`, retained, QoS 1, and waits for the PUBACK.
const RETAIN: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x1e\x00\x01p\x33\x06\x00\x01a\x00\x07x";
const CONNACK: &[u8] = &[0x20, 2, 0, 0];

async fn exchange(address: &Address, trust: &Trust, sent: &[u8], awaited: &[&[u8]]) {
    let mut stream = dial(address, trust).await.expect("it is there");
    stream.write_all(sent).await.expect("written");
    let awaited = awaited.concat();
    let mut read = vec![0; awaited.len()];
    let reading = stream.read_exact(&mut read);
    let reading = timeout(Duration::from_secs(10), reading).await;
    reading.expect("in time").expect("answered");
    assert_eq!(read, awaited);
}

/// Waits until nobody listens at any of these addresses.
async fn closed(addresses: &[Address]) {
    for address in addresses {
        let gone = async {
            while TcpStream::connect(address.authority()).is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let gone = timeout(Duration::from_secs(10), gone).await;
        gone.unwrap_or_else(|_| panic!("{address} is still open"));
    }
}

/// Directories of this target's instances that have this port in their files:
/// those of other tests do not.
fn directories(name: &str, port: u16) -> Vec<PathBuf> {
    let prefix = format!("squall-{name}-");
    let all = std::fs::read_dir(std::env::temp_dir()).expect("it is there");
    let all = all.filter_map(|entry| Some(entry.ok()?.path()));
    let ours = all.filter(|path| {
        let stem = path.file_name().unwrap_or_default().to_string_lossy();
        let Ok(files) = std::fs::read_dir(path) else {
            return false;
        };
        stem.starts_with(&prefix)
            && files.flatten().any(|file| {
                let text = std::fs::read(file.path()).unwrap_or_default();
                String::from_utf8_lossy(&text).contains(&port.to_string())
            })
    });
    ours.collect()
}

#[rstest]
#[case("reference")]
#[case("mosquitto")]
#[tokio::test]
async fn a_broker_is_restarted_with_what_it_keeps_and_leaves_nothing(#[case] name: &str) {
    let Some(target) = installed(name).await else {
        return;
    };
    let mut broker = match Instance::start(&target, &options()).await {
        Ok(broker) => broker,
        Err(error) => panic!("{error}"),
    };
    let tcp = broker
        .address(Transport::Tcp, Version::V3_1_1)
        .expect("TCP");
    exchange(
        &tcp,
        broker.trust(),
        RETAIN,
        &[CONNACK, b"\x40\x02\x00\x07"],
    )
    .await;
    for how in [How::Graceful, How::Kill] {
        if how == How::Kill && name == "mosquitto" {
            // It stores what has changed once a second.
            sleep(Duration::from_millis(1_500)).await;
        }
        broker.restart(how).await.expect("it serves again");
        assert!(broker.is_alive());
        assert_eq!(
            broker.address(Transport::Tcp, Version::V3_1_1),
            Some(tcp.clone())
        );
        let subscribe =
            b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x1e\x00\x01s\x82\x06\x00\x01\x00\x01a\x00";
        let retained = b"\x31\x04\x00\x01ax";
        let answers: &[&[u8]] = &[CONNACK, b"\x90\x03\x00\x01\x00", retained];
        exchange(&tcp, broker.trust(), subscribe, answers).await;
    }
    let tls = broker.address(Transport::Tls, Version::V5).expect("TLS");
    let stranger = Trust::system().expect("TLS works");
    assert!(
        dial(&tls, &stranger).await.is_err(),
        "a certificate of nobody"
    );
    dial(&tls, broker.trust())
        .await
        .expect("its own certificate");
    let addresses: Vec<_> = broker.addresses().into_iter().map(|(one, _)| one).collect();
    assert_eq!(directories(name, tcp.port).len(), 1);
    broker.stop().await;
    closed(&addresses).await;
    assert_eq!(directories(name, tcp.port), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_dropped_instance_leaves_nothing() {
    let target = Target::load("reference").expect("shipped");
    let broker = Instance::start(&target, &options()).await.expect("started");
    let addresses: Vec<_> = broker.addresses().into_iter().map(|(one, _)| one).collect();
    assert_eq!(addresses.len(), 4);
    drop(broker);
    closed(&addresses).await;
    assert_eq!(
        directories("reference", addresses[0].port),
        Vec::<PathBuf>::new()
    );
}

/// `squall targets --start`, and where it listens.
fn started(name: &str) -> (Child, Vec<Address>) {
    let mut squall = Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(["targets", "--start", name])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("squall starts");
    let stdout = squall.stdout.take().expect("piped");
    let lines = BufReader::new(stdout).lines().take(4);
    let address = |line: std::io::Result<String>| {
        let line = line.expect("text");
        let url = line.split(' ').next().expect("a URL");
        url.parse().expect("an address")
    };
    (squall, lines.map(address).collect())
}

#[rstest]
#[case("INT", Some(0))]
#[case("TERM", Some(0))]
#[case("KILL", None)]
#[tokio::test]
async fn a_command_that_is_ended_leaves_nothing(#[case] signal: &str, #[case] code: Option<i32>) {
    let (mut squall, addresses) = started("reference");
    assert_eq!(addresses.len(), 4);
    let sent = Command::new("kill")
        .args(["-s", signal, &squall.id().to_string()])
        .status();
    assert!(sent.expect("kill starts").success());
    assert_eq!(squall.wait().expect("it ends").code(), code);
    closed(&addresses).await;
    let gone = async {
        while !directories("reference", addresses[0].port).is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let gone = timeout(Duration::from_secs(10), gone).await;
    gone.expect("the guard removes the directory");
}

#[tokio::test]
async fn a_broker_that_ends_at_once_says_why() {
    let text = r#"title = "Broken"
install = "not at all"
mqtt = ["3.1.1"]
[version]
command = ["sh", "-c", "echo 1.0"]
pattern = '(.+)'
[start]
command = ["sh", "-c", "echo it is broken; exit 3"]
[[listen]]
transport = "tcp"
"#;
    let target = Target::parse("broken.toml".as_ref(), text).expect("valid");
    let error = Instance::start(&target, &options())
        .await
        .expect_err("broken");
    assert_eq!(
        error.to_string(),
        "Broken ended before it was ready: exit status: 3\nit is broken"
    );
}

#[tokio::test]
async fn a_broker_that_says_nothing_is_not_ready() {
    let text = r#"title = "Silent"
install = "not at all"
mqtt = ["3.1.1"]
[version]
command = ["no-such-broker"]
pattern = '(.+)'
[start]
command = ["sh", "-c", "echo waiting; sleep 60 & sleep 60"]
ready_within = "300ms"
[[listen]]
transport = "tcp"
"#;
    let target = Target::parse("silent.toml".as_ref(), text).expect("valid");
    let why = target
        .installed(&options().squall)
        .await
        .expect_err("no command");
    assert_eq!(
        why.to_string(),
        "not installed: no `no-such-broker` on PATH; not at all"
    );
    let error = Instance::start(&target, &options())
        .await
        .expect_err("silent");
    let text = error.to_string();
    assert!(
        text.starts_with("Silent was not ready at mqtt://127.0.0.1:"),
        "{text}"
    );
    assert!(text.ends_with("\nwaiting"), "{text}");
}
