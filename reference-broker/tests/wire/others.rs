//! Two codecs that others have written. Each takes the bytes of one whole
//! packet, and gives them back as it writes them itself, if it accepts them.

use std::sync::Arc;

use bytes::BytesMut;
use mqtt_protocol_core::mqtt::packet::{v3_1_1, v5_0};
use squall_broker::wire::Version;

/// rumqttc's codec, one crate for each version.
pub(crate) fn rumqttc(version: Version, packet: &[u8]) -> Option<Vec<u8>> {
    let (mut input, mut output) = (BytesMut::from(packet), BytesMut::new());
    match version {
        Version::V5 => {
            let packet = rumqttc_v5::mqttbytes::v5::Packet::read(&mut input, None).ok()?;
            packet.write(&mut output, None).ok()?;
        }
        _ => {
            let packet = rumqttc::mqttbytes::v4::Packet::read(&mut input, usize::MAX).ok()?;
            packet.write(&mut output, usize::MAX).ok()?;
        }
    }
    Some(output.to_vec())
}

/// `mqtt-protocol-core`. Its packets' bodies are parsed without their header;
/// the flags, which its connection checks, are not looked at.
pub(crate) fn protocol_core(version: Version, packet: &[u8]) -> Option<Vec<u8>> {
    let header = 1 + packet[1..].iter().position(|byte| byte & 0x80 == 0)? + 1;
    let body = &packet[header..];
    let flags = packet[0] & 0x0f;
    /// Parses a body, all of which has to be taken.
    macro_rules! parse {
        ($packet:ty) => {{
            let (packet, taken) = <$packet>::parse(body).ok()?;
            (taken == body.len()).then(|| packet.to_continuous_buffer())
        }};
    }
    match (version, packet[0] >> 4) {
        (Version::V5, 1) => parse!(v5_0::Connect),
        (Version::V5, 2) => parse!(v5_0::Connack),
        (Version::V5, 3) => {
            let (packet, taken) = v5_0::Publish::parse(flags, Arc::from(body)).ok()?;
            (taken == body.len()).then(|| packet.to_continuous_buffer())
        }
        (Version::V5, 4) => parse!(v5_0::Puback),
        (Version::V5, 5) => parse!(v5_0::Pubrec),
        (Version::V5, 6) => parse!(v5_0::Pubrel),
        (Version::V5, 7) => parse!(v5_0::Pubcomp),
        (Version::V5, 8) => parse!(v5_0::Subscribe),
        (Version::V5, 9) => parse!(v5_0::Suback),
        (Version::V5, 10) => parse!(v5_0::Unsubscribe),
        (Version::V5, 11) => parse!(v5_0::Unsuback),
        (Version::V5, 12) => parse!(v5_0::Pingreq),
        (Version::V5, 13) => parse!(v5_0::Pingresp),
        (Version::V5, 14) => parse!(v5_0::Disconnect),
        (Version::V5, 15) => parse!(v5_0::Auth),
        (_, 1) => parse!(v3_1_1::Connect),
        (_, 2) => parse!(v3_1_1::Connack),
        (_, 3) => {
            let (packet, taken) = v3_1_1::Publish::parse(flags, Arc::from(body)).ok()?;
            (taken == body.len()).then(|| packet.to_continuous_buffer())
        }
        (_, 4) => parse!(v3_1_1::Puback),
        (_, 5) => parse!(v3_1_1::Pubrec),
        (_, 6) => parse!(v3_1_1::Pubrel),
        (_, 7) => parse!(v3_1_1::Pubcomp),
        (_, 8) => parse!(v3_1_1::Subscribe),
        (_, 9) => parse!(v3_1_1::Suback),
        (_, 10) => parse!(v3_1_1::Unsubscribe),
        (_, 11) => parse!(v3_1_1::Unsuback),
        (_, 12) => parse!(v3_1_1::Pingreq),
        (_, 13) => parse!(v3_1_1::Pingresp),
        (_, 14) => parse!(v3_1_1::Disconnect),
        _ => None,
    }
}
