//! The flags and the topic of PUBLISH (sections 3.3.1 and 3.3.2.1 of both
//! versions).

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Arrival;
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, data, frame, keeps_session};
use squall_broker::wire::{Packet, Publish, Qos, ReasonCode};

checks! {
    "redelivery-has-dup" ["MQTT311-3.3.1-1", "MQTT5-3.3.1-1"] redelivery;
    "qos-0-has-no-dup" ["MQTT311-3.3.1-2", "MQTT5-3.3.1-2"] qos_0;
    "first-delivery-has-no-dup" ["MQTT311-3.3.1-3", "MQTT5-3.3.1-3"] first_delivery;
    "publish-qos-3" ["MQTT311-3.3.1-4", "MQTT5-3.3.1-4"] qos_3;
    "publish-topic-is-text" ["MQTT311-3.3.2-1", "MQTT5-3.3.2-1"] topic_is_text;
    "publish-topic-wildcard" ["MQTT311-3.3.2-2", "MQTT5-3.3.2-2"] topic_wildcard;
    "delivered-topic-matches" ["MQTT311-3.3.2-3", "MQTT5-3.3.2-3"] matches;
}

/// What stands between a PUBLISH's topic and payload when there is nothing.
fn no_properties(bench: &Bench) -> &'static [u8] {
    if bench.is_v5() { &[0] } else { &[] }
}

/// At QoS 1: its PUBACK does not come before the connection is gone. That it is
/// sent again at all is another statement's.
async fn redelivery(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("t");
    let mut client = bench.connect_as("client", keeps_session).await?;
    let mut publisher = bench.connect("publisher").await?;
    client.subscribe(&topic, Qos::AtLeastOnce).await?;
    publisher.publishes(&topic, "m", Qos::AtLeastOnce).await?;
    let first = client.publish().await?;
    client.vanish().await?;
    let mut client = bench.connect_as("client", keeps_session).await?;
    let Arrival::Packet(Packet::Publish(again)) = client.next().await? else {
        let lacks = "a message that is sent again as soon as its client is back";
        return Err(Finding::skip(lacks));
    };
    ensure(
        again.delivery == first.delivery,
        format!("the message again, with {:?}", first.delivery),
        format!("{:?}", again.delivery),
    )?;
    ensure(again.dup, "DUP 1 on a message that is sent again", "DUP 0")
}

/// Sent by the broker, whatever was published; and the broker takes none. In 5.0
/// what it does then is not spelled out, so staying connected is no failure.
async fn qos_0(bench: Bench) -> Outcome {
    let most = bench.capabilities().await?.maximum_qos;
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    let mut publisher = bench.connect("publisher").await?;
    client.subscribe(&topic, Qos::AtMostOnce).await?;
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
        if qos <= most {
            publisher.publishes(&topic, "m", qos).await?;
            // The decoder takes none with DUP.
            client.message().await?;
        }
    }
    let body = [&data(&topic), no_properties(&bench), b"m"].concat();
    match bench
        .refuses("QoS 0 with DUP 1", &frame(0x38, &body), &[])
        .await
    {
        Err(Finding::Fail { expected, actual }) if bench.is_v5() => {
            Err(Finding::NonStrict { expected, actual })
        }
        outcome => outcome,
    }
}

/// Neither the publisher's DUP shows, nor that the message waited.
async fn first_delivery(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("t");
    let mut client = bench.connect_as("client", keeps_session).await?;
    let mut publisher = bench.connect("publisher").await?;
    client.subscribe(&topic, Qos::AtLeastOnce).await?;
    let id = publisher.next_id();
    let repeated = Publish {
        dup: true,
        ..packets::publish(&topic, "m", Qos::AtLeastOnce, id)
    };
    publisher.send(&Packet::Publish(repeated)).await?;
    let message = client.message().await?;
    ensure(!message.dup, "DUP 0, whatever the publisher's was", "DUP 1")?;
    client.until_ping().await?;
    client.vanish().await?;
    publisher.puback(id).await?;
    publisher
        .publishes(&topic, "queued", Qos::AtLeastOnce)
        .await?;
    let mut client = bench.connect_as("client", keeps_session).await?;
    // That it comes at all is another statement's, and that the first one does
    // not come again.
    while let Arrival::Packet(packet) = client.next().await? {
        if let Packet::Publish(message) = packet
            && message.payload == "queued"
        {
            let expected = "DUP 0 on a message that was not sent before";
            return ensure(!message.dup, expected, "DUP 1");
        }
    }
    Ok(())
}

/// It ends the connection, and nobody gets it.
async fn qos_3(bench: Bench) -> Outcome {
    let topic = bench.topic("t");
    let mut watcher = bench.connect("watcher").await?;
    watcher.subscribe(&topic, Qos::AtMostOnce).await?;
    let body = [&data(&topic), &[0, 1][..], no_properties(&bench), b"m"].concat();
    bench.refuses("QoS 3", &frame(0x36, &body), &[]).await?;
    watcher.until_ping_without(&topic).await
}

/// One whose length goes beyond the packet, and one that is not UTF-8.
async fn topic_is_text(bench: Bench) -> Outcome {
    let also = [ReasonCode::TopicNameInvalid];
    for (what, body) in [
        ("a topic that is cut short", &[0, 9, b't'][..]),
        ("a topic that is not UTF-8", &[0, 2, 0xc3, 0x28, 0]),
    ] {
        bench.refuses(what, &frame(0x30, body), &also).await?;
    }
    Ok(())
}

async fn topic_wildcard(bench: Bench) -> Outcome {
    let also = [ReasonCode::TopicNameInvalid];
    for name in ["+", "a/#"] {
        let topic = data(bench.topic(name));
        let body = [&topic, no_properties(&bench), b"m"].concat();
        let what = format!("a message of a topic that ends in {name}");
        bench.refuses(&what, &frame(0x30, &body), &also).await?;
    }
    Ok(())
}

/// The broker may give a message another topic, but none that the filter does
/// not match.
async fn matches(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    let all = ["a/b", "A/b", "a/+", "A/#", "+/b", "a/b/#"];
    let mut clients = Vec::new();
    for (number, name) in all.iter().enumerate() {
        if name.contains(['+', '#']) && !offered.wildcards {
            continue;
        }
        let name = bench.topic(name);
        let mut client = bench.connect(&format!("client{number}")).await?;
        client.subscribe(&name, Qos::AtMostOnce).await?;
        client
            .subscribe(&bench.topic("end"), Qos::AtMostOnce)
            .await?;
        clients.push((client, packets::filter(&name)));
    }
    let mut publisher = bench.connect("publisher").await?;
    let qos = offered.maximum_qos.min(Qos::AtLeastOnce);
    for name in [
        "a", "a/b", "A/b", "a/B", "a/b/c", "A", "aa/b", "a/bb", "/a/b", "end",
    ] {
        publisher.publishes(&bench.topic(name), "m", qos).await?;
    }
    let end = packets::topic(&bench.topic("end"));
    for (client, filter) in &mut clients {
        loop {
            let topic = client.message().await?.topic;
            if topic == end {
                break;
            }
            ensure(
                filter.matches(&topic),
                format!("topics that match {}", filter.as_str()),
                format!("a message of {}", topic.as_str()),
            )?;
        }
    }
    Ok(())
}
