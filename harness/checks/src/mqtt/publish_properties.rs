//! The properties of PUBLISH (section 3.3.2.3 of 5.0): which are refused, and
//! what becomes of them on the way.

use std::mem::discriminant;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Arrival;
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, data, frame, keeps_session, properties, text};
use squall_broker::wire::{Packet, PayloadFormat, Property, Publish, Qos, ReasonCode};

checks! {
    "payload-format-is-passed-on" ["MQTT5-3.3.2-4"] payload_format;
    "expired-message-is-not-sent" ["MQTT5-3.3.2-5"] expired;
    "expiry-is-counted-down" ["MQTT5-3.3.2-6"] counted_down;
    "response-topic-is-text" ["MQTT5-3.3.2-13"] response_topic_is_text;
    "response-topic-wildcard" ["MQTT5-3.3.2-14"] response_topic_wildcard;
    "response-topic-is-passed-on" ["MQTT5-3.3.2-15"] response_topic;
    "correlation-data-is-passed-on" ["MQTT5-3.3.2-16"] correlation_data;
    "user-properties-are-passed-on" ["MQTT5-3.3.2-17"] user_properties;
    "user-properties-keep-their-order" ["MQTT5-3.3.2-18"] user_properties_order;
    "content-type-is-text" ["MQTT5-3.3.2-19"] content_type_is_text;
    "content-type-is-passed-on" ["MQTT5-3.3.2-20"] content_type;
}

/// A PUBLISH with these bytes for properties has to end the connection.
pub(super) async fn refused(
    bench: &Bench,
    what: &str,
    properties: &[u8],
    also: ReasonCode,
) -> Outcome {
    let length = packets::variable(properties.len() as u32);
    let body = [&data(bench.topic("t")), &*length, properties, b"m"].concat();
    bench.refuses(what, &frame(0x30, &body), &[also]).await
}

/// Properties come as they were published: live, to a client that was away, and
/// retained. Others may come with them; that the message comes to each is other
/// statements'.
async fn passed_on(bench: &Bench, name: &str, all: &[Property]) -> Outcome {
    let offered = bench.capabilities().await?;
    let qos = offered.maximum_qos.min(Qos::AtLeastOnce);
    let topic = bench.topic(name);
    let mut publisher = bench.connect("publisher").await?;
    let mut client = bench.connect("client").await?;
    client.subscribe(&topic, Qos::AtMostOnce).await?;
    let away_name = format!("away{name}");
    let mut away = bench.connect_as(&away_name, keeps_session).await?;
    away.subscribe(&topic, qos).await?;
    away.leave().await?;
    let id = publisher.next_id();
    let publish = Publish {
        retain: offered.retain,
        properties: properties(all.iter().cloned()),
        ..packets::publish(&topic, "m", qos, id)
    };
    publisher.send_message(&publish).await?;
    same(&client.message().await?, all)?;
    if qos > Qos::AtMostOnce {
        let mut back = bench.connect_as(&away_name, keeps_session).await?;
        if let Arrival::Packet(Packet::Publish(message)) = back.next().await? {
            back.acknowledge(&message).await?;
            same(&message, all)?;
        }
    }
    if offered.retain {
        let mut late = bench.connect("late").await?;
        late.subscribe(&topic, Qos::AtMostOnce).await?;
        if let Arrival::Packet(Packet::Publish(message)) = late.next().await? {
            same(&message, all)?;
        }
    }
    Ok(())
}

/// All that were published came, in their order, with none of their kind beside
/// them but user properties that a broker adds.
fn same(message: &Publish, all: &[Property]) -> Outcome {
    let of_their_kind = |property: &Property| {
        all.iter()
            .any(|one| discriminant(one) == discriminant(property))
    };
    let came: Vec<_> = message.properties.iter().filter(of_their_kind).collect();
    let mut left = all.iter().peekable();
    let mut added = Vec::new();
    for property in &came {
        if left.next_if_eq(&property).is_none() {
            added.push(property);
        }
    }
    let is_right = left.peek().is_none()
        && added
            .iter()
            .all(|property| matches!(property, Property::UserProperty(..)));
    ensure(is_right, format!("{all:?}, unaltered"), format!("{came:?}"))
}

/// And none comes with a message that has none.
async fn payload_format(bench: Bench) -> Outcome {
    // To send 0 is equivalent to not sending it (section 3.3.2.3.2).
    let bytes = PayloadFormat::Unspecified;
    let none_sent = [vec![], vec![Property::PayloadFormatIndicator(bytes)]];
    for (name, sent) in ["none", "0"].into_iter().zip(none_sent) {
        let topic = bench.topic(name);
        let mut client = bench.connect(name).await?;
        client.subscribe(&topic, Qos::AtMostOnce).await?;
        let publish = Publish {
            properties: properties(sent),
            ..packets::publish(&topic, "m", Qos::AtMostOnce, 0)
        };
        client.send_message(&publish).await?;
        let message = client.message().await?;
        let is_text = |property| matches!(property, Property::PayloadFormatIndicator(format) if format != bytes);
        ensure(
            !message.properties.iter().any(is_text),
            "no payload format indicator, or 0, as published",
            "1 came",
        )?;
    }
    let text = Property::PayloadFormatIndicator(PayloadFormat::Utf8);
    passed_on(&bench, "1", &[text]).await
}

async fn response_topic(bench: Bench) -> Outcome {
    let answers = packets::topic(&bench.topic("answers"));
    passed_on(&bench, "t", &[Property::ResponseTopic(answers)]).await
}

/// Whatever its bytes are.
async fn correlation_data(bench: Bench) -> Outcome {
    let all = [Property::CorrelationData(Bytes::from_static(
        b"\x00\xff\xc3\x28",
    ))];
    passed_on(&bench, "t", &all).await
}

/// Also names that come twice, and empty values.
async fn user_properties(bench: Bench) -> Outcome {
    let all = [("a", "1"), ("a", "1"), ("b", "")];
    let all = all.map(|(name, value)| Property::UserProperty(text(name), text(value)));
    passed_on(&bench, "t", &all).await
}

async fn user_properties_order(bench: Bench) -> Outcome {
    let all = [("b", "1"), ("a", "2"), ("b", "3")];
    let all = all.map(|(name, value)| Property::UserProperty(text(name), text(value)));
    passed_on(&bench, "t", &all).await
}

async fn content_type(bench: Bench) -> Outcome {
    passed_on(&bench, "t", &[Property::ContentType(text("text/plain"))]).await
}

/// A message waits for this long for a client that comes back; what it gets.
async fn after(bench: &Bench, expiry_s: u32, wait: Duration) -> Outcome<(Vec<Publish>, Duration)> {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("t");
    let mut client = bench.connect_as("client", keeps_session).await?;
    client.subscribe(&topic, Qos::AtLeastOnce).await?;
    client.leave().await?;
    let mut publisher = bench.connect("publisher").await?;
    let id = publisher.next_id();
    let publish = Publish {
        properties: properties([Property::MessageExpiryInterval(expiry_s)]),
        ..packets::publish(&topic, "m", Qos::AtLeastOnce, id)
    };
    let since = Instant::now();
    publisher.send_message(&publish).await?;
    bench.wait(wait, "a message is to wait in the broker").await;
    let mut client = bench.connect_as("client", keeps_session).await?;
    // It follows what is queued, and has no expiry of its own.
    publisher
        .publishes(&topic, "last", Qos::AtLeastOnce)
        .await?;
    let mut messages = Vec::new();
    loop {
        let message = client.message().await?;
        if message.payload == "last" {
            return Ok((messages, since.elapsed()));
        }
        messages.push(message);
    }
}

async fn expired(bench: Bench) -> Outcome {
    let (messages, _) = after(&bench, 1, Duration::from_secs(3)).await?;
    ensure(
        messages.is_empty(),
        "no message whose expiry interval has passed",
        "it came 3 s after a message of 1 s was published",
    )
}

/// In whole seconds, of which one may have begun.
async fn counted_down(bench: Bench) -> Outcome {
    const INTERVAL_S: u32 = 60;
    let wait = Duration::from_secs(3);
    let (messages, took) = after(&bench, INTERVAL_S, wait).await?;
    let Some(message) = messages.first() else {
        return Err(Finding::fail(
            "the message that was queued",
            "it did not come",
        ));
    };
    let left = message
        .properties
        .iter()
        .find_map(|property| match property {
            Property::MessageExpiryInterval(left) => Some(u64::from(left)),
            _ => None,
        });
    let whole = u64::from(INTERVAL_S);
    let range = whole.saturating_sub(took.as_secs() + 2)..=whole - wait.as_secs() + 1;
    ensure(
        left.is_some_and(|left| range.contains(&left)),
        format!("an interval of {range:?} s, of 60 s published 3 s ago"),
        format!("{left:?}"),
    )
}

async fn response_topic_is_text(bench: Bench) -> Outcome {
    let what = "a response topic that is not UTF-8";
    refused(
        &bench,
        what,
        &[8, 0, 2, 0xc3, 0x28],
        ReasonCode::TopicNameInvalid,
    )
    .await
}

async fn response_topic_wildcard(bench: Bench) -> Outcome {
    for topic in ["a/+", "a/#"] {
        let properties = [vec![8], data(topic)].concat();
        let what = format!("the response topic {topic}");
        refused(&bench, &what, &properties, ReasonCode::TopicNameInvalid).await?;
    }
    Ok(())
}

async fn content_type_is_text(bench: Bench) -> Outcome {
    let what = "a content type that is not UTF-8";
    refused(
        &bench,
        what,
        &[3, 0, 2, 0xc3, 0x28],
        ReasonCode::MalformedPacket,
    )
    .await
}
