//! PINGREQ and PINGRESP (sections 3.12 and 3.13 of both versions).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::Outcome;
use squall_broker::wire::{Connect, Packet};

checks! {
    "pingreq-is-answered" ["MQTT311-3.12.4-1", "MQTT5-3.12.4-1"] pingreq_is_answered;
}

/// Whatever the client's keep-alive is.
async fn pingreq_is_answered(bench: Bench) -> Outcome {
    for keep_alive_s in [60, 0] {
        let change = |connect: &mut Connect| connect.keep_alive_s = keep_alive_s;
        let mut client = match bench.connect_as("client", change).await {
            // That this is accepted is for another check to say.
            Err(_) if keep_alive_s == 0 => break,
            connected => connected?,
        };
        client.send(&Packet::PingReq).await?;
        client.pingresp().await?;
    }
    Ok(())
}
