//! Handling errors (section 4.13 of 5.0).

use super::connect::{REFUSED_CONNECT_CODES, need_refusal, refused_connect};
use crate::bench::Bench;
use crate::check::checks;
use crate::client::Arrival;
use crate::finding::{Finding, Outcome};
use crate::packets::{data, frame};
use squall_broker::wire::{Packet, ReasonCode};

checks! {
    "violation-ends-connection" ["MQTT5-4.13.1-1"] violation;
    "failure-code-ends-connection" ["MQTT5-4.13.2-1"] failure_code;
}

/// Each in a connection that has been accepted.
async fn violation(bench: Bench) -> Outcome {
    let topic = data(bench.topic("t"));
    let publish = |properties: &[u8]| frame(0x30, &[&topic[..], properties].concat());
    let variants = [
        ("the reserved packet type 0", frame(0x00, &[])),
        ("a CONNACK", frame(0x20, &[0, 0, 0])),
        ("a SUBACK", frame(0x90, &[0, 1, 0, 0])),
        ("an UNSUBACK", frame(0xb0, &[0, 1, 0, 0])),
        ("a PINGRESP", frame(0xd0, &[])),
        ("properties beyond the packet", publish(&[9, 0x01])),
        ("a property that is not known", publish(&[2, 0x7f, 0])),
        ("a property of CONNACK in PUBLISH", publish(&[2, 0x24, 0])),
        ("a property twice", publish(&[4, 0x01, 0, 0x01, 0])),
    ];
    for (what, bytes) in variants {
        let mut client = bench.connect("client").await?;
        client.send_bytes(&bytes).await?;
        let codes = [ReasonCode::MalformedPacket, ReasonCode::ProtocolError];
        let end = client.closed(&codes).await;
        end.map_err(|finding| finding.after(what))?;
    }
    Ok(())
}

/// Of a CONNACK, and of a DISCONNECT, if there is one.
async fn failure_code(bench: Bench) -> Outcome {
    need_refusal(&bench).await?;
    let mut client = bench.open("client").await?;
    client.send_connect(&refused_connect(&bench)).await?;
    client.refused(REFUSED_CONNECT_CODES).await?;

    let mut client = bench.connect("client").await?;
    client.send_connect(&bench.connect_packet("client")).await?;
    match client.next().await? {
        Arrival::Packet(Packet::Disconnect(disconnect)) if disconnect.code.is_failure() => {
            client.closed(&[]).await
        }
        Arrival::Ended | Arrival::Reset => Ok(()),
        other => Err(Finding::fail(
            "a DISCONNECT, or the connection to end",
            client.in_words(&other),
        )),
    }
}
