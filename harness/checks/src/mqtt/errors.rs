//! What a protocol violation leads to (section 4.8 of 3.1.1).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::Outcome;
use crate::packets::frame;

checks! {
    "reserved-packet-types" ["MQTT311-4.8.0-1"] reserved_types;
    "packets-that-only-a-server-sends" ["MQTT311-4.8.0-1"] server_packets;
}

/// In a connection that has been accepted.
async fn reserved_types(bench: Bench) -> Outcome {
    for first in [0x00, 0xf0] {
        let mut client = bench.connect("client").await?;
        client.send_bytes(&frame(first, &[])).await?;
        client.closed(&[]).await?;
    }
    Ok(())
}

async fn server_packets(bench: Bench) -> Outcome {
    let connack = frame(0x20, &[0, 0]);
    let suback = frame(0x90, &[0, 1, 0]);
    let unsuback = frame(0xb0, &[0, 1]);
    let pingresp = frame(0xd0, &[]);
    for bytes in [connack, suback, unsuback, pingresp] {
        let mut client = bench.connect("client").await?;
        client.send_bytes(&bytes).await?;
        client.closed(&[]).await?;
    }
    Ok(())
}
