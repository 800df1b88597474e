//! MQTT over WebSocket (chapter 6 of both versions).

use squall_broker::wire::{Packet, Qos, Version};

use super::Serves;
use super::frame::{BINARY, CONTINUATION, Frame, TEXT};
use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Finding, Outcome, ensure};
use crate::packets;
use crate::websocket::handshake::Response;

checks! {
    "mqtt-in-text-frames" ["MQTT-6.0.0-1"] text_frames;
    "mqtt-comes-in-binary-frames" ["MQTT-6.0.0-1"] binary_frames;
    "mqtt-packets-and-frames" ["MQTT-6.0.0-2"] packets_and_frames;
    "mqtt-subprotocol" ["MQTT-6.0.0-4"] subprotocol;
}

fn needs_mqtt(bench: &Bench) -> Outcome {
    match bench.endpoint()?.serves {
        Serves::Mqtt => Ok(()),
        Serves::Echo | Serves::Other => Err(Finding::skip("MQTT behind the WebSocket")),
    }
}

/// Instead of the CONNECT, and after it.
async fn text_frames(bench: Bench) -> Outcome {
    needs_mqtt(&bench)?;
    let broken = "MQTT comes in a text frame";
    let mut socket = bench.open_websocket("client").await?;
    let connect = packets::encode_connect(&bench.connect_packet("client"));
    socket.send(&Frame::new(TEXT, connect)).await?;
    socket.until_failed(broken).await?;
    let mut app = bench.open_app("app").await?;
    app.socket.send(&Frame::new(TEXT, [0xc0, 0])).await?;
    app.socket.until_failed(broken).await?;
    Ok(())
}

async fn binary_frames(bench: Bench) -> Outcome {
    needs_mqtt(&bench)?;
    let mut app = bench.open_app("client").await?;
    let frames = app.round_trip(b"back in a binary frame").await?;
    let wrong = frames
        .iter()
        .find(|frame| frame.is_data() && ![BINARY, CONTINUATION].contains(&frame.opcode));
    match wrong {
        None => Ok(()),
        Some(frame) => Err(Finding::fail("binary frames", format!("{frame} came"))),
    }
}

/// A packet in many frames, many packets in one, and packets across frames.
async fn packets_and_frames(bench: Bench) -> Outcome {
    needs_mqtt(&bench)?;
    let mut app = bench.open_app("client").await?;
    let message = app.message("in frames of one byte");
    for byte in &message {
        app.send(&[*byte]).await?;
    }
    app.answer(&message).await?;
    let pingreq = packets::encode(&Packet::PingReq, Version::V3_1_1);
    let pingresp = packets::encode(&Packet::PingResp, Version::V3_1_1);
    let topic = bench.topic("other");
    let subscribe = packets::subscribe(2, &[(&topic, Qos::AtMostOnce)]);
    let subscribe = Packet::Subscribe(subscribe);
    let subscribe = packets::encode(&subscribe, Version::V3_1_1);
    let (begin, end) = message.split_at(message.len() / 2);
    app.send(&[&subscribe, &pingreq, begin].concat()).await?;
    app.answer(&[&[0x90, 3, 0, 2, 0][..], &pingresp].concat())
        .await?;
    // Alone: whether a message or a PINGRESP comes first is the broker's choice.
    app.send(end).await?;
    app.answer(&message).await?;
    Ok(())
}

async fn subprotocol(bench: Bench) -> Outcome {
    needs_mqtt(&bench)?;
    // The name before 3.1.1 comes last: who would rather have it means MQTT 3.1.
    for offered in ["mqtt", "squall.invalid, mqtt", "mqtt, mqttv3.1"] {
        let request = bench.endpoint()?.request();
        let request = request.with("Sec-WebSocket-Protocol", offered);
        let (_, response) = bench.ask("client", &request).await?;
        let opened = response.as_ref().filter(|response| response.opens());
        let agreed: Vec<_> = opened
            .iter()
            .flat_map(|response: &&Response| response.values("sec-websocket-protocol"))
            .collect();
        ensure(
            agreed == ["mqtt"],
            format!("the subprotocol mqtt, which is on offer: {offered}"),
            match opened {
                Some(_) => format!("{agreed:?}"),
                None => "no WebSocket".to_owned(),
            },
        )?;
    }
    Ok(())
}
