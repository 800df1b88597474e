//! Topic aliases (section 3.3.2.3.4 of 5.0), both ways.

use std::num::NonZeroU16;

use super::publish_properties::refused;
use crate::bench::Bench;
use crate::check::checks;
use crate::client::Client;
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, keeps_session, properties};
use squall_broker::wire::{Packet, Property, Publish, Qos, ReasonCode, TopicName};

checks! {
    "topic-aliases-end-with-the-connection" ["MQTT5-3.3.2-7"] end_with_the_connection;
    "topic-alias-0" ["MQTT5-3.3.2-8"] alias_0;
    "topic-alias-above-maximum" ["MQTT5-3.2.2-17", "MQTT5-3.2.2-18", "MQTT5-3.3.2-9"] above_maximum;
    "topic-aliases-of-the-broker" ["MQTT5-3.1.2-26", "MQTT5-3.1.2-27", "MQTT5-3.3.2-11"] of_the_broker;
    "topic-aliases-up-to-the-maximum" ["MQTT5-3.3.2-12"] up_to_the_maximum;
}

/// A message whose topic is said with an alias, and then with that alone.
fn aliased(topic: &str, alias: NonZeroU16) -> [Packet; 2] {
    let said = Publish {
        properties: properties([Property::TopicAlias(alias)]),
        ..packets::publish(topic, "m", Qos::AtMostOnce, 0)
    };
    let alone = Publish {
        topic: TopicName::ALIASED,
        ..said.clone()
    };
    [Packet::Publish(said), Packet::Publish(alone)]
}

/// Neither to a client that comes back, nor to one that takes its own
/// connection over.
async fn end_with_the_connection(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_topic_aliases(1)?;
    let topic = bench.topic("t");
    let [said, alone] = aliased(&topic, NonZeroU16::MIN);
    let mut watcher = bench.connect("watcher").await?;
    watcher.subscribe(&topic, Qos::AtMostOnce).await?;
    for takes_over in [false, true] {
        let mut before = bench.connect_as("client", keeps_session).await?;
        before.send(&said).await?;
        watcher.message().await?;
        let mut kept = None;
        if takes_over {
            kept = Some(before);
        } else {
            before.leave().await?;
        }
        let mut client = bench.connect_as("client", keeps_session).await?;
        client.send(&alone).await?;
        let codes = [
            ReasonCode::ProtocolError,
            ReasonCode::TopicAliasInvalid,
            ReasonCode::MalformedPacket,
        ];
        let what = match takes_over {
            true => "an alias of the connection that it took over",
            false => "an alias of its client's last connection",
        };
        let closed = client.closed(&codes).await;
        closed.map_err(|finding| finding.after(what))?;
        watcher.until_ping_without(&topic).await?;
        drop(kept);
    }
    Ok(())
}

async fn alias_0(bench: Bench) -> Outcome {
    let invalid = ReasonCode::TopicAliasInvalid;
    refused(&bench, "topic alias 0", &[0x23, 0, 0], invalid).await
}

/// One above what CONNACK says, which is 0 if it says nothing.
async fn above_maximum(bench: Bench) -> Outcome {
    let most = bench.capabilities().await?.topic_alias_maximum;
    let Some(alias) = most.checked_add(1) else {
        return Err(Finding::skip("a topic alias that it does not take"));
    };
    bench.deciding(match most {
        0 => &["MQTT5-3.2.2-18", "MQTT5-3.3.2-9"],
        _ => &["MQTT5-3.2.2-17", "MQTT5-3.3.2-9"],
    });
    let [high, low] = alias.to_be_bytes();
    let what = format!("topic alias {alias}, where {most} is the maximum");
    let invalid = ReasonCode::TopicAliasInvalid;
    refused(&bench, &what, &[0x23, high, low], invalid).await
}

/// More topics than the client takes aliases for, each twice.
async fn of_the_broker(bench: Bench) -> Outcome {
    let topics = ["a", "b", "c", "d"].map(|name| bench.topic(name));
    let mut publisher = bench.connect("publisher").await?;
    for most in [0, 2] {
        bench.deciding(match most {
            0 => &["MQTT5-3.1.2-27", "MQTT5-3.3.2-11"],
            _ => &["MQTT5-3.1.2-26", "MQTT5-3.3.2-11"],
        });
        let change = |connect: &mut squall_broker::wire::Connect| {
            if most > 0 {
                connect.properties = properties([Property::TopicAliasMaximum(most)]);
            }
        };
        let mut client = bench.connect_as("client", change).await?;
        for topic in &topics {
            client.subscribe(topic, Qos::AtMostOnce).await?;
        }
        for topic in topics.iter().chain(&topics) {
            publisher.publishes(topic, "m", Qos::AtMostOnce).await?;
            let alias = alias_of(&client.message().await?);
            ensure(
                alias <= most,
                format!("no topic alias above {most}, the client's maximum"),
                format!("topic alias {alias}"),
            )?;
        }
    }
    Ok(())
}

/// The topic alias of a message; 0 for none.
fn alias_of(message: &Publish) -> u16 {
    let mut each = message.properties.iter();
    let alias = each.find_map(|property| match property {
        Property::TopicAlias(alias) => Some(alias.get()),
        _ => None,
    });
    alias.unwrap_or(0)
}

/// The lowest and the highest, each for a topic of its own.
async fn up_to_the_maximum(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    offered.need_topic_aliases(1)?;
    let highest = NonZeroU16::new(offered.topic_alias_maximum);
    let lowest = (offered.topic_alias_maximum > 1).then_some(NonZeroU16::MIN);
    let each: Vec<_> = [lowest, highest].into_iter().flatten().collect();
    let mut watcher = bench.connect("watcher").await?;
    let mut client = bench.connect("client").await?;
    for alias in &each {
        let topic = bench.topic(&alias.to_string());
        watcher.subscribe(&topic, Qos::AtMostOnce).await?;
    }
    for alone in [false, true] {
        for alias in &each {
            let topic = bench.topic(&alias.to_string());
            let packet = &aliased(&topic, *alias)[usize::from(alone)];
            client.send(packet).await?;
            arrives(&mut watcher, &topic, *alias).await?;
        }
    }
    Ok(())
}

/// The next message is of this topic.
async fn arrives(watcher: &mut Client, topic: &str, alias: NonZeroU16) -> Outcome {
    let what = format!("a message of {topic}, which was published with topic alias {alias}");
    let is_it = |packet: &Packet| match packet {
        Packet::Publish(publish) => (publish.topic.as_str() == topic).then_some(()),
        _ => None,
    };
    watcher.expect(&what, is_it).await
}
