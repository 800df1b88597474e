//! What acknowledgements say beside their codes (sections 3.4.2.2, 3.5.2.2,
//! 3.6.2.2, 3.7.2.2, 3.9.2.1 and 3.11.2.1 of 5.0): a reason string and user
//! properties only as far as the client takes a packet of that size.
//!
//! Each is provoked twice: of a client that takes packets of any size, and of
//! one that takes a byte less than that answer had.

use std::num::NonZeroU32;

use crate::bench::Bench;
use crate::check::checks;
use crate::client::{Arrival, Client};
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, ack, encode, properties};
use squall_broker::wire::{Packet, Properties, Property, Qos, Version};

checks! {
    "puback-fits-the-client" ["MQTT5-3.4.2-2", "MQTT5-3.4.2-3"] puback;
    "pubrec-fits-the-client" ["MQTT5-3.5.2-2", "MQTT5-3.5.2-3"] pubrec;
    "pubrel-fits-the-client" ["MQTT5-3.6.2-2", "MQTT5-3.6.2-3"] pubrel;
    "pubcomp-fits-the-client" ["MQTT5-3.7.2-2", "MQTT5-3.7.2-3"] pubcomp;
    "suback-fits-the-client" ["MQTT5-3.9.2-1", "MQTT5-3.9.2-2"] suback;
    "unsuback-fits-the-client" ["MQTT5-3.11.2-1", "MQTT5-3.11.2-2"] unsuback;
}

/// An answer, and the statements on its reason string and its user properties.
struct Answer {
    name: &'static str,
    reason_string: &'static str,
    user_property: &'static str,
    /// Whether there has to be one, and no choice to end the connection.
    is_owed: bool,
}

async fn puback(bench: Bench) -> Outcome {
    let answer = Answer {
        name: "PUBACK",
        reason_string: "MQTT5-3.4.2-2",
        user_property: "MQTT5-3.4.2-3",
        is_owed: true,
    };
    published(&bench, Qos::AtLeastOnce, &answer).await
}

async fn pubrec(bench: Bench) -> Outcome {
    let answer = Answer {
        name: "PUBREC",
        reason_string: "MQTT5-3.5.2-2",
        user_property: "MQTT5-3.5.2-3",
        is_owed: true,
    };
    published(&bench, Qos::ExactlyOnce, &answer).await
}

/// To a topic that is not allowed, if one is known.
async fn published(bench: &Bench, qos: Qos, answer: &Answer) -> Outcome {
    bench.capabilities().await?.need_qos(qos)?;
    let denied = bench.fixtures().denied_publish.clone();
    let topic = denied.unwrap_or_else(|| bench.topic("unwanted"));
    let publish = packets::publish(&topic, "m", qos, 7);
    fits(bench, answer, &Packet::Publish(publish)).await
}

/// In answer to an identifier that is not known.
async fn pubrel(bench: Bench) -> Outcome {
    let answer = Answer {
        name: "PUBREL",
        reason_string: "MQTT5-3.6.2-2",
        user_property: "MQTT5-3.6.2-3",
        is_owed: false,
    };
    fits(&bench, &answer, &Packet::PubRec(ack(7))).await
}

/// The same.
async fn pubcomp(bench: Bench) -> Outcome {
    let answer = Answer {
        name: "PUBCOMP",
        reason_string: "MQTT5-3.7.2-2",
        user_property: "MQTT5-3.7.2-3",
        is_owed: false,
    };
    fits(&bench, &answer, &Packet::PubRel(ack(7))).await
}

/// To a filter that is not allowed, if one is known.
async fn suback(bench: Bench) -> Outcome {
    let answer = Answer {
        name: "SUBACK",
        reason_string: "MQTT5-3.9.2-1",
        user_property: "MQTT5-3.9.2-2",
        is_owed: true,
    };
    let denied = bench.fixtures().denied_subscribe.clone();
    let filter = denied.unwrap_or_else(|| bench.topic("t"));
    let subscribe = packets::subscribe(7, &[(&filter, Qos::AtMostOnce)]);
    fits(&bench, &answer, &Packet::Subscribe(subscribe)).await
}

/// Of a filter that nobody subscribed to.
async fn unsuback(bench: Bench) -> Outcome {
    let answer = Answer {
        name: "UNSUBACK",
        reason_string: "MQTT5-3.11.2-1",
        user_property: "MQTT5-3.11.2-2",
        is_owed: true,
    };
    let unsubscribe = packets::unsubscribe(7, &[&bench.topic("never")]);
    fits(&bench, &answer, &Packet::Unsubscribe(unsubscribe)).await
}

async fn fits(bench: &Bench, answer: &Answer, request: &Packet) -> Outcome {
    let (mut client, connack) = bench.connect_for("client", |_| {}).await?;
    let Some(free) = provoked(&mut client, answer, request).await? else {
        return Ok(());
    };
    client.leave().await?;
    let says_more = properties_of(&free).is_some_and(|properties| !properties.is_empty());
    // The client has to take CONNACK, too.
    let least = bytes_of(&Packet::ConnAck(connack));
    let limit = least.max(bytes_of(&free) - usize::from(says_more));
    let most = u32::try_from(limit).ok().and_then(NonZeroU32::new);
    let mut client = bench
        .connect_as("limited", |connect| {
            connect.properties = properties(most.map(Property::MaximumPacketSize));
        })
        .await?;
    let Some(limited) = provoked(&mut client, answer, request).await? else {
        return ensure(
            !answer.is_owed,
            format!("{} without what makes it too large", answer.name),
            "none came",
        );
    };
    let size = bytes_of(&limited);
    if size <= limit {
        return Ok(());
    }
    let is_user = |property: &Property| matches!(property, Property::UserProperty(..));
    let has_user = properties_of(&limited).is_some_and(|all| all.iter().any(|one| is_user(&one)));
    let (what, statement) = match has_user {
        true => ("user properties", answer.user_property),
        false => ("a reason string", answer.reason_string),
    };
    bench.deciding(&[statement]);
    Err(Finding::fail(
        format!(
            "{} of {limit} bytes at most, as the client takes",
            answer.name
        ),
        format!("one of {size} bytes, with {what}"),
    ))
}

/// The answer to a packet; none if the broker does without or ends the
/// connection.
async fn provoked(
    client: &mut Client,
    answer: &Answer,
    request: &Packet,
) -> Outcome<Option<Packet>> {
    client.send(request).await?;
    if !answer.is_owed {
        client.send(&Packet::PingReq).await?;
    }
    Ok(match client.next().await? {
        Arrival::Packet(packet) if packet.name() == answer.name => Some(packet),
        _ => None,
    })
}

fn properties_of(packet: &Packet) -> Option<&Properties> {
    match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            Some(&ack.properties)
        }
        Packet::SubAck(suback) => Some(&suback.properties),
        Packet::UnsubAck(unsuback) => Some(&unsuback.properties),
        _ => None,
    }
}

fn bytes_of(packet: &Packet) -> usize {
    encode(packet, Version::V5).len()
}
