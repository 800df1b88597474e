//! What an idle connection costs a server in memory, over how many there are:
//! MQTT's of the broker, plain WebSocket's of the hub, and Mosquitto's.

use crate::broker::{Broker, Kind};
use crate::memory::{at_rest, connect};
use squall_reports::claims::{Figure, Figures, Row};
use squall_reports::figures;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

/// How many connections there are, one after the other.
const CONNECTIONS: [u32; 4] = [100, 1_000, 3_000, 9_000];

/// Measures, prints and writes them.
pub(crate) fn write(file: &Path, mosquitto: bool) {
    let mut kinds = vec![("MQTT, squall serve", Kind::Squall)];
    kinds.push(("WebSocket, its hub", Kind::Hub));
    if mosquitto {
        kinds.push(("MQTT, Mosquitto", Kind::Mosquitto));
    }
    let rows = CONNECTIONS.map(|connections| {
        let each = |&(_, kind): &(&str, Kind)| Figure::Bytes(each(kind, connections));
        Row {
            case: figures::count(connections.into()),
            figures: kinds.iter().map(each).collect(),
        }
    });
    let heads = ["idle connections"].into_iter();
    let table = Figures {
        title: "Resident memory of the server for each, as one machine (Linux, 64 bits) had it \
                once"
            .to_owned(),
        heads: heads
            .chain(kinds.iter().map(|(name, _)| *name))
            .map(str::to_owned)
            .collect(),
        rows: rows.to_vec(),
    };
    let text = serde_json::to_string_pretty(&table).expect("JSON");
    println!("{text}");
    fs::write(file, text + "\n").expect("written");
}

/// Resident bytes for each connection.
fn each(kind: Kind, connections: u32) -> u64 {
    // A process for each, so that none uses what another has freed.
    let server = Broker::start(kind);
    let open = |number| match kind {
        Kind::Hub => listen(server.address),
        Kind::Squall | Kind::Mosquitto => connect(server.address, number, true),
    };
    // What the first needs is of none of them.
    let first = open(connections);
    let before = at_rest(&server);
    let streams: Vec<_> = (0..connections).map(open).collect();
    let bytes = (at_rest(&server) - before) / f64::from(connections);
    drop((first, streams));
    bytes.max(0.0).round() as u64
}

/// A WebSocket of a listener to a group in which nothing is said.
fn listen(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_nodelay(true).expect("set");
    let request = format!(
        "GET /groups/field HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("written");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        answer.extend(byte);
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 101 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    stream
}
