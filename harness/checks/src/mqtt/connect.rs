//! CONNECT (section 3.1 of both versions).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::Outcome;
use crate::packets;
use squall_broker::wire::ReasonCode;

checks! {
    "connect-reserved-flag" ["MQTT311-3.1.2-3", "MQTT5-3.1.2-3"] reserved_flag;
}

/// Where the connect flags are in a CONNECT of less than 128 bytes.
const FLAGS: usize = 9;

async fn reserved_flag(bench: Bench) -> Outcome {
    let mut client = bench.open("client").await?;
    let mut bytes = packets::encode_connect(&bench.connect_packet("client"));
    bytes[FLAGS] |= 0x01;
    client.send_bytes(&bytes).await?;
    client
        .closed(&[ReasonCode::MalformedPacket, ReasonCode::ProtocolError])
        .await
}
