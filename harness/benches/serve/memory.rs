//! What connections, sessions and waiting messages cost a broker in memory.

use crate::broker::{Broker, Kind};
use crate::load::{self, PAYLOAD_BYTES};
use squall_broker::wire::Qos;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Messages that wait in each stored session.
const WAITING: u32 = 10;

/// How long a broker has to come to rest.
const REST: Duration = Duration::from_millis(500);

/// Resident bytes for each, of one broker.
struct Footprint {
    connection: f64,
    session: f64,
    message: f64,
}

/// Measures and prints both brokers, one after the other.
pub(crate) fn print(kinds: &[Kind], clients: u32) {
    let sides: Vec<_> = kinds.iter().map(|kind| measure(*kind, clients)).collect();
    println!("memory, bytes, {clients} clients");
    let row = |name: &str, of: fn(&Footprint) -> f64| {
        let side = |side: usize| sides.get(side).map(of);
        let ratio = side(0).zip(side(1)).map(|(squall, other)| squall / other);
        crate::print_row(name, 0, side(0), side(1), ratio);
    };
    row("idle connection", |it| it.connection);
    row("stored session, 1 subscription", |it| it.session);
    row(&format!("waiting message of {PAYLOAD_BYTES} bytes"), |it| {
        it.message
    });
}

fn measure(kind: Kind, clients: u32) -> Footprint {
    // A process for each, so that none uses what another has freed.
    let broker = Broker::start(kind);
    let before = at_rest(&broker);
    let connections: Vec<_> = (0..clients)
        .map(|number| connect(broker.address, number, true))
        .collect();
    let connection = (at_rest(&broker) - before) / f64::from(clients);
    drop(connections);

    let broker = Broker::start(kind);
    // What the first of anything needs is no session's.
    store_session(broker.address, clients);
    let before = at_rest(&broker);
    for number in 0..clients {
        store_session(broker.address, number);
    }
    let stored = at_rest(&broker);
    let session = (stored - before) / f64::from(clients);
    let mut publisher = connect(broker.address, clients + 1, true);
    for number in 0..clients {
        let topic = format!("session/{number}");
        let publish = load::publish(topic, Qos::AtLeastOnce);
        for _ in 0..WAITING {
            publisher.write_all(&publish).expect("written");
            publisher.read_exact(&mut [0; 4]).expect("PUBACK");
        }
    }
    let message = (at_rest(&broker) - stored) / f64::from(clients * WAITING);
    Footprint {
        connection,
        session,
        message,
    }
}

pub(crate) fn at_rest(broker: &Broker) -> f64 {
    std::thread::sleep(REST);
    broker.resident_bytes() as f64
}

pub(crate) fn connect(address: SocketAddr, number: u32, clean_session: bool) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_nodelay(true).expect("set");
    let connect = load::connect(format!("client-{number}"), clean_session);
    stream.write_all(&connect).expect("written");
    stream.read_exact(&mut [0; 4]).expect("CONNACK");
    stream
}

/// Leaves a session behind, with a subscription at QoS 1.
fn store_session(address: SocketAddr, number: u32) {
    let mut stream = connect(address, number, false);
    let filter = format!("session/{number}");
    let subscribe = load::subscribe(filter, Qos::AtLeastOnce);
    stream.write_all(&subscribe).expect("written");
    stream.read_exact(&mut [0; 5]).expect("SUBACK");
    stream.write_all(&load::disconnect()).expect("written");
    assert_eq!(stream.read(&mut [0]).expect("closed"), 0);
}
