//! UNSUBSCRIBE and UNSUBACK (sections 3.10 and 3.11 of both versions).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{ack, data, frame, keeps_session, unsubscribe};
use squall_broker::wire::{Packet, Qos, ReasonCode};

checks! {
    "unsubscribe-flags" ["MQTT311-3.10.1-1", "MQTT5-3.10.1-1"] flags;
    "unsubscribe-filter-is-text" ["MQTT311-3.10.3-1", "MQTT5-3.10.3-1"] filter_is_text;
    "unsubscribe-has-a-filter" ["MQTT311-3.10.3-2", "MQTT5-3.10.3-2"] has_a_filter;
    "unsubscribe-compares-characters" ["MQTT311-3.10.4-1", "MQTT5-3.10.4-1"] compares_characters;
    "unsubscribe-ends-deliveries" ["MQTT311-3.10.4-2", "MQTT5-3.10.4-2"] ends_deliveries;
    "unsubscribe-finishes-deliveries" ["MQTT311-3.10.4-3", "MQTT5-3.10.4-3"] finishes_deliveries;
    "unsuback-has-the-packet-identifier" ["MQTT311-3.10.4-4", "MQTT5-3.10.4-5"] identifier;
    "unsubscribe-from-nothing" [
        "MQTT311-3.10.4-5", "MQTT5-3.10.4-4", "MQTT5-3.10.4-5",
    ] from_nothing;
    "unsubscribe-many-filters" ["MQTT311-3.10.4-6", "MQTT5-3.10.4-6"] many_filters;
    "unsuback-codes-are-in-order" ["MQTT5-3.11.3-1"] codes_in_order;
    "unsuback-codes-are-its-own" ["MQTT5-3.11.3-2"] codes;
}

/// An UNSUBSCRIBE of identifier 1, with this behind its properties.
fn bytes(bench: &Bench, first: u8, payload: &[u8]) -> Vec<u8> {
    let properties: &[u8] = if bench.is_v5() { &[0] } else { &[] };
    frame(first, &[&[0, 1], properties, payload].concat())
}

async fn flags(bench: Bench) -> Outcome {
    for first in [0xa0, 0xa3] {
        let bytes = bytes(&bench, first, &data(bench.topic("t")));
        let what = format!("an UNSUBSCRIBE that begins with {first:#04x}");
        bench.refuses(&what, &bytes, &[]).await?;
    }
    Ok(())
}

/// One whose length goes beyond the packet, and one that is not UTF-8.
async fn filter_is_text(bench: Bench) -> Outcome {
    let also = [ReasonCode::TopicFilterInvalid];
    for (what, payload) in [
        ("a filter that is cut short", &[0, 9, b't'][..]),
        ("a filter that is not UTF-8", &[0, 2, 0xc3, 0x28]),
    ] {
        bench
            .refuses(what, &bytes(&bench, 0xa2, payload), &also)
            .await?;
    }
    Ok(())
}

async fn has_a_filter(bench: Bench) -> Outcome {
    let bytes = bytes(&bench, 0xa2, &[]);
    let what = "an UNSUBSCRIBE without a filter";
    bench.refuses(what, &bytes, &[]).await
}

/// Filters that look alike or match the same end nothing; the same one does.
/// That each is answered is another statement's.
async fn compares_characters(bench: Bench) -> Outcome {
    let wildcards = bench.capabilities().await?.wildcards;
    let topic = bench.topic("a/b");
    let mut client = bench.connect("client").await?;
    client.subscribe(&topic, Qos::AtMostOnce).await?;
    for other in ["a/B", "a", "a/b/", "a/+", "a/#"] {
        if !wildcards && other.contains(['+', '#']) {
            continue;
        }
        let id = client.next_id();
        let packet = unsubscribe(id, &[&bench.topic(other)]);
        client.send(&Packet::Unsubscribe(packet)).await?;
        client.publishes(&topic, other, Qos::AtMostOnce).await?;
        let what = format!("deliveries of a/b to go on after {other} was unsubscribed from");
        let is_message = |packet: &Packet| matches!(packet, Packet::Publish(_));
        client.until(&what, is_message).await?;
    }
    let id = client.next_id();
    let packet = unsubscribe(id, &[&topic]);
    client.send(&Packet::Unsubscribe(packet)).await?;
    let is_its =
        |packet: &Packet| matches!(packet, Packet::UnsubAck(one) if one.packet_id.get() == id);
    client.until("an UNSUBACK", is_its).await?;
    client.publishes(&topic, "m", Qos::AtMostOnce).await?;
    client.until_ping_without(&topic).await
}

async fn ends_deliveries(bench: Bench) -> Outcome {
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    client.subscribe(&topic, Qos::AtMostOnce).await?;
    client.unsubscribe(&topic).await?;
    client.publishes(&topic, "m", Qos::AtMostOnce).await?;
    client.until_ping_without(&topic).await
}

/// A QoS 2 handshake that has begun goes on, and a QoS 1 message that was not
/// acknowledged comes again to a session that is resumed.
async fn finishes_deliveries(bench: Bench) -> Outcome {
    let most = bench.capabilities().await?;
    most.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("t");
    let mut client = bench.connect_as("client", keeps_session).await?;
    let mut publisher = bench.connect("publisher").await?;
    client.subscribe(&topic, Qos::ExactlyOnce).await?;
    if most.maximum_qos == Qos::ExactlyOnce {
        publisher.publishes(&topic, "2", Qos::ExactlyOnce).await?;
        let id = client.publish().await?.packet_id().map_or(0, |id| id.get());
        client.unsubscribe(&topic).await?;
        client.send(&Packet::PubRec(ack(id))).await?;
        client.pubrel(id).await?;
        client.send(&Packet::PubComp(ack(id))).await?;
        client.subscribe(&topic, Qos::ExactlyOnce).await?;
    }
    publisher.publishes(&topic, "1", Qos::AtLeastOnce).await?;
    client.publish().await?;
    client.unsubscribe(&topic).await?;
    client.vanish().await?;
    let mut client = bench.connect_as("client", keeps_session).await?;
    let message = client.message().await?;
    ensure(
        message.payload == "1",
        "the message that was under way when its client unsubscribed",
        "another message came",
    )
}

async fn identifier(bench: Bench) -> Outcome {
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    for id in [1, 0xabcd, 0xffff] {
        client.subscribe(&topic, Qos::AtMostOnce).await?;
        let packet = unsubscribe(id, &[&topic]);
        client.send(&Packet::Unsubscribe(packet)).await?;
        client.unsuback(id).await?;
    }
    Ok(())
}

async fn from_nothing(bench: Bench) -> Outcome {
    let mut client = bench.connect("client").await?;
    client.unsubscribe(&bench.topic("never")).await?;
    Ok(())
}

/// One UNSUBACK, and nothing comes any more of any.
async fn many_filters(bench: Bench) -> Outcome {
    let topics = ["a", "b", "c"].map(|name| bench.topic(name));
    let filters: Vec<_> = topics.iter().map(|topic| &**topic).collect();
    let mut client = bench.connect("client").await?;
    for topic in &topics {
        client.subscribe(topic, Qos::AtMostOnce).await?;
    }
    let id = client.next_id();
    let packet = unsubscribe(id, &filters);
    client.send(&Packet::Unsubscribe(packet)).await?;
    client.unsuback(id).await?;
    for topic in &topics {
        client.publishes(topic, "m", Qos::AtMostOnce).await?;
        client.until_ping_without(topic).await?;
    }
    Ok(())
}

/// Of one filter that is known and one that is not, each first once.
async fn codes_in_order(bench: Bench) -> Outcome {
    let (known, never) = (bench.topic("known"), bench.topic("never"));
    let mut client = bench.connect("client").await?;
    for (filters, right) in [
        ([&*known, &*never], [0x00, 0x11]),
        ([&never, &known], [0x11, 0x00]),
    ] {
        client.subscribe(&known, Qos::AtMostOnce).await?;
        let id = client.next_id();
        let packet = unsubscribe(id, &filters);
        client.send(&Packet::Unsubscribe(packet)).await?;
        let codes: Vec<_> = client.unsuback(id).await?.codes;
        let codes: Vec<_> = codes.into_iter().map(|code| code as u8).collect();
        let expected = format!("codes {right:02x?}, in the order of the filters");
        if codes == [0x00, 0x00] {
            // Not told apart, so that nothing is known of their order.
            return Err(Finding::non_strict(expected, format!("{codes:02x?}")));
        }
        ensure(codes == right, expected, format!("{codes:02x?}"))?;
    }
    Ok(())
}

/// One that is listed for each filter: the decoder takes no other.
async fn codes(bench: Bench) -> Outcome {
    let (known, never) = (bench.topic("known"), bench.topic("never"));
    let mut client = bench.connect("client").await?;
    client.subscribe(&known, Qos::AtMostOnce).await?;
    for filters in [&[&*known, &*never][..], &[&never]] {
        let id = client.next_id();
        let packet = unsubscribe(id, filters);
        client.send(&Packet::Unsubscribe(packet)).await?;
        let codes = client.unsuback(id).await?.codes.len();
        let expected = format!("{} codes", filters.len());
        ensure(
            codes == filters.len(),
            expected,
            format!("UNSUBACK has {codes}"),
        )?;
    }
    Ok(())
}
