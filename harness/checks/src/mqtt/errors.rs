//! What a protocol violation leads to (section 4.8 of 3.1.1).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Finding, Outcome};
use crate::packets::frame;

checks! {
    "reserved-packet-types" ["MQTT311-4.8.0-1"] reserved_types;
    "packets-that-only-a-server-sends" ["MQTT311-4.8.0-1"] server_packets;
}

/// In a connection that has been accepted.
async fn reserved_types(bench: Bench) -> Outcome {
    for (what, first) in [("packet type 0", 0x00), ("packet type 15", 0xf0)] {
        is_ended_by(&bench, what, &frame(first, &[])).await?;
    }
    Ok(())
}

async fn server_packets(bench: Bench) -> Outcome {
    let packets = [
        ("a CONNACK", frame(0x20, &[0, 0])),
        ("a SUBACK", frame(0x90, &[0, 1, 0])),
        ("an UNSUBACK", frame(0xb0, &[0, 1])),
        ("a PINGRESP", frame(0xd0, &[])),
    ];
    for (what, bytes) in packets {
        is_ended_by(&bench, what, &bytes).await?;
    }
    Ok(())
}

/// The broker ends a connection that brings these bytes.
async fn is_ended_by(bench: &Bench, what: &str, bytes: &[u8]) -> Outcome {
    let mut client = bench.connect("client").await?;
    client.send_bytes(bytes).await?;
    match client.closed(&[]).await {
        Err(Finding::Fail { expected, actual }) => {
            Err(Finding::fail(format!("{expected} after {what}"), actual))
        }
        outcome => outcome,
    }
}
