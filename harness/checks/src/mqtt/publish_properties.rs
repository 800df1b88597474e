//! The properties of PUBLISH (section 3.3.2.3 of 5.0), and what becomes of them
//! on the way (section 3.3.4).

use std::num::NonZeroU16;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, data, frame, keeps_session, properties, text};
use squall_broker::wire::{PayloadFormat, Property, Publish, Qos, ReasonCode, SubscriptionId};

checks! {
    "payload-format-is-passed-on" ["MQTT5-3.3.2-4"] payload_format;
    "expired-message-is-not-sent" ["MQTT5-3.3.2-5"] expired;
    "expiry-is-counted-down" ["MQTT5-3.3.2-6"] counted_down;
    "topic-alias-0" ["MQTT5-3.3.2-8"] alias_0;
    "topic-alias-above-maximum" ["MQTT5-3.3.2-9"] alias_above_maximum;
    "response-topic-is-text" ["MQTT5-3.3.2-13"] response_topic_is_text;
    "response-topic-wildcard" ["MQTT5-3.3.2-14"] response_topic_wildcard;
    "response-topic-is-passed-on" ["MQTT5-3.3.2-15"] response_topic;
    "correlation-data-is-passed-on" ["MQTT5-3.3.2-16"] correlation_data;
    "user-properties-are-passed-on" ["MQTT5-3.3.2-17"] user_properties;
    "user-properties-keep-their-order" ["MQTT5-3.3.2-18"] user_properties_order;
    "content-type-is-text" ["MQTT5-3.3.2-19"] content_type_is_text;
    "content-type-is-passed-on" ["MQTT5-3.3.2-20"] content_type;
    "subscription-identifiers-of-all-matches" [
        "MQTT5-3.3.4-3", "MQTT5-3.3.4-4",
    ] subscription_identifiers;
    "publish-subscription-identifier" ["MQTT5-3.3.4-6"] identifier_in_publish;
}

/// A message with properties.
fn with(topic: &str, all: impl IntoIterator<Item = Property>) -> Publish {
    Publish {
        properties: properties(all),
        ..packets::publish(topic, "m", Qos::AtMostOnce, 0)
    }
}

/// A PUBLISH with these bytes for properties has to end the connection.
async fn refused(bench: &Bench, properties: &[u8], code: ReasonCode) -> Outcome {
    let mut client = bench.connect("client").await?;
    let length = packets::variable(properties.len() as u32);
    let body = [&data(bench.topic("t")), &*length, properties, b"m"].concat();
    client.send_bytes(&frame(0x30, &body)).await?;
    let codes = [ReasonCode::MalformedPacket, ReasonCode::ProtocolError, code];
    client.closed(&codes).await
}

/// Properties come as they were published: live, and retained if there is that.
async fn passed_on(bench: &Bench, name: &str, all: &[Property]) -> Outcome {
    let retain = bench.capabilities().await?.retain;
    let topic = bench.topic(name);
    let mut publisher = bench.connect("publisher").await?;
    let mut client = bench.connect("client").await?;
    client.subscribe(&topic, Qos::AtMostOnce).await?;
    let publish = Publish {
        retain,
        ..with(&topic, all.iter().cloned())
    };
    publisher.send_message(&publish).await?;
    same(&client.message().await?, all)?;
    if retain {
        let mut late = bench.connect("late").await?;
        late.subscribe(&topic, Qos::AtMostOnce).await?;
        same(&late.message().await?, all)?;
    }
    Ok(())
}

fn same(message: &Publish, all: &[Property]) -> Outcome {
    let came: Vec<_> = message.properties.iter().collect();
    ensure(
        came == all,
        format!("{all:?}, unaltered"),
        format!("{came:?}"),
    )
}

async fn payload_format(bench: Bench) -> Outcome {
    passed_on(&bench, "none", &[]).await?;
    let formats = [PayloadFormat::Unspecified, PayloadFormat::Utf8];
    for (name, format) in ["0", "1"].into_iter().zip(formats) {
        passed_on(&bench, name, &[Property::PayloadFormatIndicator(format)]).await?;
    }
    Ok(())
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

async fn alias_0(bench: Bench) -> Outcome {
    refused(&bench, &[0x23, 0, 0], ReasonCode::TopicAliasInvalid).await
}

/// One above what CONNACK says, which is 0 if it says nothing.
async fn alias_above_maximum(bench: Bench) -> Outcome {
    let most = bench.capabilities().await?.topic_alias_maximum;
    let Some(alias) = most.checked_add(1).and_then(NonZeroU16::new) else {
        return Err(Finding::skip("a topic alias that it does not take"));
    };
    let [high, low] = alias.get().to_be_bytes();
    refused(&bench, &[0x23, high, low], ReasonCode::TopicAliasInvalid).await
}

async fn response_topic_is_text(bench: Bench) -> Outcome {
    refused(&bench, &[8, 0, 2, 0xc3, 0x28], ReasonCode::MalformedPacket).await
}

async fn response_topic_wildcard(bench: Bench) -> Outcome {
    for topic in ["a/+", "a/#"] {
        let properties = [vec![8], data(topic)].concat();
        refused(&bench, &properties, ReasonCode::TopicNameInvalid).await?;
    }
    Ok(())
}

async fn content_type_is_text(bench: Bench) -> Outcome {
    refused(&bench, &[3, 0, 2, 0xc3, 0x28], ReasonCode::MalformedPacket).await
}

async fn identifier_in_publish(bench: Bench) -> Outcome {
    refused(&bench, &[0x0b, 1], ReasonCode::ProtocolError).await
}

/// In one copy or in several, which together say every one that matches.
async fn subscription_identifiers(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    offered.need_wildcards()?;
    offered.need_subscription_identifiers()?;
    let mut client = bench.connect("client").await?;
    for (number, filter) in [(1, "a/#"), (2, "a/b"), (3, "c")] {
        let id = client.next_id();
        let mut packet = packets::subscribe(id, &[(&bench.topic(filter), Qos::AtMostOnce)]);
        let number = SubscriptionId::new(number).map(Property::SubscriptionIdentifier);
        packet.properties = properties(number);
        client.subscribe_with(&packet).await?;
    }
    client
        .publishes(&bench.topic("a/b"), "m", Qos::AtMostOnce)
        .await?;
    let mut ids = Vec::new();
    // Each copy says at least one, so no more than two have to be read.
    while ids.len() < 2 {
        let message = client.message().await?;
        let said = message
            .properties
            .iter()
            .filter_map(|property| match property {
                Property::SubscriptionIdentifier(id) => Some(id.get()),
                _ => None,
            });
        let before = ids.len();
        ids.extend(said);
        let expected = "a subscription identifier with each copy";
        ensure(ids.len() > before, expected, "a copy has none")?;
    }
    ids.sort_unstable();
    ensure(
        ids == [1, 2],
        "identifiers 1 and 2",
        format!("identifiers {ids:?}"),
    )
}
