//! Two codecs that others have written, against this one: on packets as they
//! should be, and on packets with some bytes changed. What both accept they read
//! alike. Where one accepts what the other does not, a table here says why.

use std::collections::BTreeSet;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use squall_broker::wire::{Decoder, Disconnect, Packet, Properties, Sender, Version, WireError};

use crate::others::{protocol_core, rumqttc};
use crate::packets::packet;

/// Packets of each side and version, each of them also damaged this often.
const PACKETS: usize = 3000;
const DAMAGED: usize = 4;

/// Takes a whole packet and gives it back as it writes it itself.
type Codec = fn(Version, &[u8]) -> Option<Vec<u8>>;

/// Where another codec differs from this one.
struct Differences {
    /// The rules it does not enforce, as this codec names them. Each of them is
    /// seen to be broken.
    not_enforced: &'static [&'static str],
    /// What says that a packet is good which it does not take.
    refused: fn(&Packet) -> Option<&'static str>,
    /// Packets that it takes for others.
    misread: fn(&Packet) -> bool,
}

#[test]
fn rumqttc_agrees_but_for() {
    let differences = Differences {
        not_enforced: &[
            "MQTT311 section 3.14.1",
            "MQTT311-3.10.3-2",
            "MQTT311-4.7.1-2",
            "MQTT311-4.7.1-3",
            "MQTT311-4.8.0-1",
            "MQTT5 section 2.1.4",
            "MQTT5 section 2.2.2.2",
            "MQTT5 section 3.1.3.2.3",
            "MQTT5 section 3.14.1",
            "MQTT5 section 3.15.1",
            "MQTT5 section 3.15.2.2.2",
            "MQTT5 section 3.2.1",
            "MQTT5 section 3.2.2.3.11",
            "MQTT5 section 3.2.2.3.13",
            "MQTT5 section 3.2.2.3.4",
            "MQTT5-1.5.5-1",
            "MQTT5-3.10.3-2",
            "MQTT5-3.14.2-1",
            "MQTT5-3.15.2-1",
            "MQTT5-3.2.2-6",
            "MQTT5-3.3.2-2",
            "MQTT5-4.13.1-1",
            "MQTT5-4.7.1-1",
            "MQTT5-4.7.1-2",
            "MQTT5-4.8.2-2",
        ],
        refused: |packet| match packet {
            // It must be answered with return code 2.
            Packet::Connect(connect)
                if connect.version == Version::V3_1_1
                    && connect.client_id.is_empty()
                    && !connect.clean_session =>
            {
                Some("MQTT311-3.1.3-8")
            }
            // A reason without properties needs no property length.
            Packet::Disconnect(disconnect) if disconnect.properties.is_empty() => {
                Some("MQTT5 section 3.14.2.2.1")
            }
            // Nor does a success need anything at all.
            Packet::Auth(auth) if auth.properties.is_empty() => Some("MQTT5 section 3.15.2.1"),
            _ => None,
        },
        // rumqttc-v5-next 0.34 counts a byte too many for each subscription
        // identifier of a PUBLISH, so that behind two of them a property may be
        // left in the payload.
        misread: |packet| {
            let Packet::Publish(publish) = packet else {
                return false;
            };
            let identifiers = publish.properties.iter();
            identifiers.filter(|property| property.id() == 0x0b).count() > 1
        },
    };
    compare(rumqttc, &differences);
}

#[test]
fn protocol_core_agrees_but_for() {
    let differences = Differences {
        not_enforced: &[
            "MQTT311 section 3.2.2.1",
            "MQTT311 sections 3.4.1 to 3.7.1",
            "MQTT311-1.5.3-2",
            "MQTT311-2.3.1-1",
            "MQTT311-3.1.2-13",
            "MQTT311-3.1.2-3",
            "MQTT311-3.2.2-4",
            "MQTT311-3.3.1-2",
            "MQTT311-3.8.3-4",
            "MQTT311-4.7.1-2",
            "MQTT311-4.7.1-3",
            "MQTT5-1.5.4-2",
            "MQTT5-1.5.7-1",
            "MQTT5-3.1.2-3",
            "MQTT5-3.14.2-1",
            "MQTT5-3.15.2-1",
            "MQTT5-3.2.2-1",
            "MQTT5-3.2.2-6",
            "MQTT5-3.3.1-2",
            "MQTT5-3.3.2-2",
            "MQTT5-4.7.1-1",
            "MQTT5-4.7.1-2",
        ],
        refused: |packet| match packet {
            // Since 5.0, a password needs no user name.
            Packet::Connect(connect)
                if connect.version == Version::V5
                    && connect.password.is_some()
                    && connect.user_name.is_none() =>
            {
                Some("MQTT5 section 3.1.2.9")
            }
            _ => None,
        },
        misread: |_| false,
    };
    compare(protocol_core, &differences);
}

fn compare(codec: Codec, differences: &Differences) {
    let mut let_pass = BTreeSet::new();
    for version in [Version::V3_1_1, Version::V5] {
        for sender in [Sender::Client, Sender::Server] {
            each_packet(version, sender, |bytes| {
                match (decode(version, sender, bytes), codec(version, bytes)) {
                    (Ok(ours), Some(_)) if (differences.misread)(&ours) => {}
                    (Ok(ours), Some(theirs)) => {
                        let theirs = decode(version, sender, &theirs);
                        assert_eq!(theirs.map(in_order), Ok(in_order(ours)), "{bytes:02x?}");
                    }
                    (Ok(ours), None) => {
                        let reason = (differences.refused)(&ours);
                        assert!(reason.is_some(), "only we take {ours:?}: {bytes:02x?}");
                    }
                    (Err(error), Some(_)) => {
                        let_pass.insert(error.rule().expect("a rule"));
                    }
                    (Err(_), None) => {}
                }
            });
        }
    }
    let known: BTreeSet<_> = differences.not_enforced.iter().copied().collect();
    assert_eq!(let_pass, known);
}

/// Whole packets whose header says their length, good ones and damaged ones.
fn each_packet(version: Version, sender: Sender, mut check: impl FnMut(&[u8])) {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut random = Pcg32::seed_from_u64(u64::from(version.level()));
    let packets = packet(version, sender);
    for _ in 0..PACKETS {
        let packet = packets.new_tree(&mut runner).expect("a packet").current();
        let mut bytes = Vec::new();
        packet.encode(version, &mut bytes);
        check(&bytes);
        for _ in 0..DAMAGED {
            check(&damaged(&bytes, &mut random));
        }
    }
}

/// Changes up to two bytes of a packet's body, or its length, and says the new
/// length in its header.
fn damaged(packet: &[u8], random: &mut Pcg32) -> Vec<u8> {
    let last = packet[1..].iter().position(|byte| byte & 0x80 == 0);
    let mut body = packet[last.expect("a header") + 2..].to_vec();
    let mut first = packet[0];
    if first >> 4 == 3 {
        first ^= (random.next_u32() % 16) as u8;
    }
    match random.next_u32() % 8 {
        0 => body.truncate(random.next_u32() as usize % (body.len() + 1)),
        1 => body.push(random.next_u32() as u8),
        _ => {}
    }
    for _ in 0..random.next_u32() % 3 {
        if !body.is_empty() {
            let at = random.next_u32() as usize % body.len();
            body[at] = match random.next_u32() % 3 {
                0 => random.next_u32() as u8,
                1 => body[at] ^ (1 << (random.next_u32() % 8)),
                _ => (random.next_u32() % 4) as u8,
            };
        }
    }
    let mut bytes = vec![first];
    let mut rest = body.len();
    while rest >= 128 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes.extend(body);
    bytes
}

fn decode(version: Version, sender: Sender, mut bytes: &[u8]) -> Result<Packet, WireError> {
    let packet = Decoder::new(version, sender, usize::MAX).decode(&mut bytes)?;
    assert!(bytes.is_empty(), "the header says the length");
    Ok(packet.expect("a whole packet"))
}

/// The same packet, its properties in the order of their identifiers: the order
/// of user properties among themselves is all that counts [MQTT5-3.3.2-18].
fn in_order(mut packet: Packet) -> Packet {
    fn sort(properties: &mut Properties) {
        let mut all: Vec<_> = properties.iter().collect();
        all.sort_by_key(squall_broker::wire::Property::id);
        *properties = all.into_iter().collect();
    }
    match &mut packet {
        Packet::Connect(connect) => {
            sort(&mut connect.properties);
            if let Some(will) = &mut connect.will {
                sort(&mut will.properties);
            }
        }
        Packet::ConnAck(connack) => sort(&mut connack.properties),
        Packet::Publish(publish) => sort(&mut publish.properties),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            sort(&mut ack.properties);
        }
        Packet::Subscribe(subscribe) => sort(&mut subscribe.properties),
        Packet::SubAck(suback) => sort(&mut suback.properties),
        Packet::Unsubscribe(unsubscribe) => sort(&mut unsubscribe.properties),
        Packet::UnsubAck(unsuback) => sort(&mut unsuback.properties),
        Packet::Disconnect(Disconnect { properties, .. }) => sort(properties),
        Packet::Auth(auth) => sort(&mut auth.properties),
        Packet::PingReq | Packet::PingResp => {}
    }
    packet
}
