//! The network connection (sections 4.2 of both versions and 7.1.1 of 3.1.1).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Outcome, ensure};
use crate::packets::{self, encode};
use squall_broker::wire::{Packet, Qos};

checks! {
    "transport-is-ordered-and-lossless" ["MQTT311-7.1.1-1", "MQTT5-4.2.0-1"] ordered_and_lossless;
}

/// Payload that is sent there and back, in bytes.
const PAYLOAD_BYTES: usize = 32 * 1024;

/// What the rest of the packet may take, in bytes.
const AROUND: usize = 256;

/// The bytes that each piece of it has.
const PIECE_BYTES: usize = 1000;

/// Bytes of which no two neighbours are alike come back as they were sent, in
/// many pieces.
async fn ordered_and_lossless(bench: Bench) -> Outcome {
    let most = bench.capabilities().await?.maximum_packet_size;
    let most = most.map_or(usize::MAX, |most| most as usize);
    let bytes = PAYLOAD_BYTES.min(most.saturating_sub(AROUND));
    let payload: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    client.subscribe(&topic, Qos::AtMostOnce).await?;
    let publish = packets::publish(&topic, &payload, Qos::AtMostOnce, 0);
    let publish = encode(&Packet::Publish(publish), bench.version());
    client.send_in_pieces(&publish, PIECE_BYTES).await?;
    let came = client.publish().await?;
    ensure(
        came.payload == payload,
        format!("{bytes} bytes as they were sent"),
        format!("{} bytes that are others", came.payload.len()),
    )?;
    client.until_ping().await.map(|_| ())
}
