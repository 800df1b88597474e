//! SUBSCRIBE and SUBACK (sections 3.8 and 3.9 of both versions).

use std::collections::BTreeSet;

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Client;
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{EACH_QOS, data, frame, packet_id, properties, subscribe, subscription_ids};
use squall_broker::wire::{
    Packet, Property, Qos, ReasonCode, SubAck, SubscribeCode, SubscriptionId,
};

checks! {
    "subscribe-flags" ["MQTT311-3.8.1-1", "MQTT5-3.8.1-1"] flags;
    "subscribe-filter-is-text" ["MQTT311-3.8.3-1", "MQTT5-3.8.3-1"] filter_is_text;
    "subscribe-wildcards-work-or-are-refused" ["MQTT311-3.8.3-2"] wildcards;
    "subscribe-has-a-filter" ["MQTT311-3.8.3-3", "MQTT5-3.8.3-2"] has_a_filter;
    "subscribe-reserved-option-bits" ["MQTT311-3.8.3-4", "MQTT5-3.8.3-5"] reserved_bits;
    "subscribe-no-local" ["MQTT5-3.8.3-3"] no_local;
    "subscribe-no-local-share" ["MQTT5-3.8.3-4"] no_local_share;
    "subscribe-is-answered" ["MQTT311-3.8.4-1", "MQTT5-3.8.4-1"] is_answered;
    "suback-has-the-packet-identifier" ["MQTT311-3.8.4-2", "MQTT5-3.8.4-2"] identifier;
    "subscribe-again-replaces" ["MQTT311-3.8.4-3", "MQTT5-3.8.4-3"] replaces;
    "subscribe-again-resends-retained" ["MQTT311-3.8.4-3", "MQTT5-3.8.4-4"] resends_retained;
    "subscribe-many-filters" ["MQTT311-3.8.4-4", "MQTT5-3.8.4-5"] many_filters;
    "suback-has-a-code-for-each-filter" ["MQTT311-3.8.4-5", "MQTT5-3.8.4-6"] code_for_each;
    "suback-code-is-kept" ["MQTT5-3.8.4-7"] code_is_kept;
    "delivery-at-the-lower-qos" ["MQTT311-3.8.4-6", "MQTT5-3.8.4-8"] lower_qos;
    "suback-codes-are-in-order" ["MQTT311-3.9.3-1", "MQTT5-3.9.3-1"] codes_in_order;
    "suback-codes-are-its-own" ["MQTT311-3.9.3-2", "MQTT5-3.9.3-2"] codes;
}

/// The body of a SUBSCRIBE of identifier 1, with this behind its properties.
fn body(bench: &Bench, payload: &[u8]) -> Vec<u8> {
    let properties: &[u8] = if bench.is_v5() { &[0] } else { &[] };
    [&[0, 1], properties, payload].concat()
}

/// A filter and its options.
fn pair(filter: &str, options: u8) -> Vec<u8> {
    [data(filter), vec![options]].concat()
}

async fn flags(bench: Bench) -> Outcome {
    let body = body(&bench, &pair(&bench.topic("t"), 0));
    for first in [0x80, 0x83] {
        let what = format!("a SUBSCRIBE that begins with {first:#04x}");
        bench.refuses(&what, &frame(first, &body), &[]).await?;
    }
    Ok(())
}

/// One whose length goes beyond the packet, and one that is not UTF-8.
async fn filter_is_text(bench: Bench) -> Outcome {
    let also = [ReasonCode::TopicFilterInvalid];
    for (what, payload) in [
        ("a filter that is cut short", &[0, 9, b't', 0][..]),
        ("a filter that is not UTF-8", &[0, 2, 0xc3, 0x28, 0]),
    ] {
        let bytes = frame(0x82, &body(&bench, payload));
        bench.refuses(what, &bytes, &also).await?;
    }
    Ok(())
}

/// A broker without wildcards says so in SUBACK; one that grants them has them.
async fn wildcards(bench: Bench) -> Outcome {
    let filter = bench.topic("+");
    let mut client = bench.connect("client").await?;
    let id = client.next_id();
    let packet = subscribe(id, &[(&filter, Qos::AtMostOnce)]);
    client.send(&Packet::Subscribe(packet)).await?;
    let suback = client.suback(id).await?;
    if matches!(suback.codes[..], [SubscribeCode::Refused(_)]) {
        return Ok(());
    }
    let topic = bench.topic("t");
    client.publishes(&topic, "m", Qos::AtMostOnce).await?;
    let what = "messages that match the wildcard subscription that was granted";
    let is_message = |packet: &Packet| matches!(packet, Packet::Publish(_));
    client.until(what, is_message).await?;
    Ok(())
}

/// Neither no filter at all, nor one without the byte that belongs to it.
async fn has_a_filter(bench: Bench) -> Outcome {
    for (what, payload) in [
        ("a SUBSCRIBE without a filter", vec![]),
        ("a filter without its last byte", data(bench.topic("t"))),
    ] {
        let bytes = frame(0x82, &body(&bench, &payload));
        bench.refuses(what, &bytes, &[]).await?;
    }
    Ok(())
}

/// In 3.1.1 all but the QoS, which may not be 3 either.
async fn reserved_bits(bench: Bench) -> Outcome {
    let options: &[u8] = match bench.is_v5() {
        true => &[0x40, 0x80],
        false => &[0x03, 0x04, 0x80],
    };
    for options in options {
        let body = body(&bench, &pair(&bench.topic("t"), *options));
        let what = format!("a filter with {options:#04x} behind it");
        bench.refuses(&what, &frame(0x82, &body), &[]).await?;
    }
    Ok(())
}

/// Its own message does not come, another's does.
async fn no_local(bench: Bench) -> Outcome {
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    let mut other = bench.connect("other").await?;
    let id = client.next_id();
    let mut packet = subscribe(id, &[(&topic, Qos::AtMostOnce)]);
    packet.subscriptions[0].options.no_local = true;
    client.subscribe_with(&packet).await?;
    client.publishes(&topic, "own", Qos::AtMostOnce).await?;
    client.until_ping_without(&topic).await?;
    other.publishes(&topic, "other", Qos::AtMostOnce).await?;
    let message = client.message().await?;
    ensure(
        message.payload == "other",
        "no message of the client's own",
        "its own message came",
    )
}

async fn no_local_share(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_shared_subscriptions()?;
    let filter = bench.share("t");
    let bytes = frame(0x82, &body(&bench, &pair(&filter, 0x04)));
    let what = "a shared subscription with No Local";
    bench.refuses(what, &bytes, &[]).await
}

/// The first time, and when it is said again.
async fn is_answered(bench: Bench) -> Outcome {
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    for _ in 0..2 {
        client.subscribe(&topic, Qos::AtMostOnce).await?;
    }
    Ok(())
}

/// Of several that are sent at once. The answers may come in any order.
async fn identifier(bench: Bench) -> Outcome {
    let ids = [1, 0x1234, 0xffff];
    let mut client = bench.connect("client").await?;
    for id in ids {
        let topic = bench.topic(&id.to_string());
        let packet = subscribe(id, &[(&topic, Qos::AtMostOnce)]);
        client.send(&Packet::Subscribe(packet)).await?;
    }
    let mut left = BTreeSet::from(ids.map(packet_id));
    while !left.is_empty() {
        let what = format!("a SUBACK of each of {left:?}");
        let taken = &mut left;
        client
            .expect(&what, |packet| match packet {
                Packet::SubAck(suback) => taken.remove(&suback.packet_id).then_some(()),
                _ => None,
            })
            .await?;
    }
    Ok(())
}

/// One copy comes, as the second subscription has it.
async fn replaces(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    offered.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    let mut publisher = bench.connect("publisher").await?;
    let with_ids = bench.is_v5() && offered.subscription_identifiers;
    for (number, qos) in [(1, Qos::AtMostOnce), (2, Qos::AtLeastOnce)] {
        let id = client.next_id();
        let mut packet = subscribe(id, &[(&topic, qos)]);
        if with_ids {
            let id = SubscriptionId::new(number).map(Property::SubscriptionIdentifier);
            packet.properties = properties(id);
        }
        client.subscribe_with(&packet).await?;
    }
    for payload in ["first", "last"] {
        publisher
            .publishes(&topic, payload, Qos::AtLeastOnce)
            .await?;
    }
    for payload in ["first", "last"] {
        let message = client.message().await?;
        let actual = format!("{payload:?} came at QoS {}", message.qos() as u8);
        let expected = "one copy of each message, at the QoS granted last";
        ensure(message.payload == payload, expected, "another copy came")?;
        ensure(message.qos() == Qos::AtLeastOnce, expected, actual)?;
        let ids = subscription_ids(&message);
        ensure(
            !with_ids || ids == [2],
            "the identifier of the subscription that replaced the first",
            format!("subscription identifiers {ids:?}"),
        )?;
    }
    client.until_ping_without(&topic).await
}

/// And nothing of what is published meanwhile is lost.
async fn resends_retained(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    offered.need_qos(Qos::AtLeastOnce)?;
    offered.need_retain()?;
    let topic = bench.topic("t");
    let mut client = bench.connect("client").await?;
    let mut publisher = bench.connect("publisher").await?;
    publisher.retains(&topic, "kept", Qos::AtLeastOnce).await?;
    client.subscribe(&topic, Qos::AtLeastOnce).await?;
    let kept = client.message().await?;
    ensure(
        kept.payload == "kept",
        "the retained message",
        "another came",
    )?;
    let numbers: BTreeSet<_> = (0..10).map(|number: u8| number.to_string()).collect();
    for number in &numbers {
        if number == "5" {
            let id = client.next_id();
            let packet = subscribe(id, &[(&topic, Qos::AtLeastOnce)]);
            client.send(&Packet::Subscribe(packet)).await?;
        }
        publisher
            .publishes(&topic, number, Qos::AtLeastOnce)
            .await?;
    }
    let mut missing: BTreeSet<_> = numbers.iter().map(String::as_bytes).collect();
    missing.insert(b"kept");
    while !missing.is_empty() {
        let count = missing.len();
        match client
            .packet(&format!("{count} more messages, one of them retained"))
            .await?
        {
            Packet::Publish(message) => {
                client.acknowledge(&message).await?;
                missing.remove(&*message.payload);
            }
            Packet::SubAck(_) => {}
            other => {
                return Err(Finding::fail(
                    "the messages",
                    format!("{} came", other.name()),
                ));
            }
        }
    }
    Ok(())
}

/// One SUBACK, and a subscription to each.
async fn many_filters(bench: Bench) -> Outcome {
    let topics = ["a", "b", "c", "d", "e"].map(|name| bench.topic(name));
    let filters: Vec<_> = topics
        .iter()
        .map(|topic| (&**topic, Qos::AtMostOnce))
        .collect();
    let mut client = bench.connect("client").await?;
    let mut publisher = bench.connect("publisher").await?;
    let id = client.next_id();
    let suback = client.subscribe_with(&subscribe(id, &filters)).await?;
    counts(&suback, filters.len())?;
    for topic in &topics {
        publisher.publishes(topic, "m", Qos::AtMostOnce).await?;
        let what = format!("the message of {topic}, one of five filters of a SUBSCRIBE");
        client
            .expect(&what, |packet| match packet {
                Packet::Publish(publish) => (publish.topic.as_str() == topic).then_some(()),
                _ => None,
            })
            .await?;
    }
    Ok(())
}

fn counts(suback: &SubAck, filters: usize) -> Outcome {
    let codes = suback.codes.len();
    ensure(
        codes == filters,
        format!("{filters} codes for {filters} filters"),
        format!("SUBACK has {codes}"),
    )
}

/// Also of a filter that is named twice, and of one that is not allowed if one
/// is known.
async fn code_for_each(bench: Bench) -> Outcome {
    let (one, other) = (bench.topic("one"), bench.topic("other"));
    let mut client = bench.connect("client").await?;
    let filters = [&*one, &other, &one].map(|filter| (filter, Qos::AtMostOnce));
    for filters in [&filters[..1], &filters[..2], &filters[..]] {
        let id = client.next_id();
        let packet = subscribe(id, filters);
        client.send(&Packet::Subscribe(packet)).await?;
        counts(&client.suback(id).await?, filters.len())?;
    }
    if let Some(denied) = &bench.fixtures().denied_subscribe {
        let id = client.next_id();
        let filters = [&*one, denied, &other].map(|filter| (filter, Qos::AtMostOnce));
        client
            .send(&Packet::Subscribe(subscribe(id, &filters)))
            .await?;
        counts(&client.suback(id).await?, filters.len())?;
    }
    Ok(())
}

/// It says the QoS that messages are delivered at, none above what was asked.
async fn code_is_kept(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    let mut publisher = bench.connect("publisher").await?;
    for asked in EACH_QOS {
        let topic = bench.topic(&format!("{}", asked as u8));
        let mut client = bench.connect("client").await?;
        let said = granted(&client.subscribe(&topic, asked).await?)?;
        let expected = format!("QoS {} at most to be granted", asked as u8);
        ensure(said <= asked, expected, format!("QoS {} was", said as u8))?;
        publisher
            .publishes(&topic, "m", offered.maximum_qos)
            .await?;
        let came = client.message().await?.qos();
        ensure(
            came == said.min(offered.maximum_qos),
            format!("delivery at QoS {}, as SUBACK says", said as u8),
            format!("delivery at QoS {}", came as u8),
        )?;
    }
    Ok(())
}

fn granted(suback: &SubAck) -> Outcome<Qos> {
    match suback.codes[..] {
        [SubscribeCode::Granted(qos)] => Ok(qos),
        _ => Err(Finding::fail(
            "one QoS granted",
            format!("{:?}", suback.codes),
        )),
    }
}

/// Each published with each granted.
async fn lower_qos(bench: Bench) -> Outcome {
    let most = bench.capabilities().await?.maximum_qos;
    let mut publisher = bench.connect("publisher").await?;
    for asked in EACH_QOS {
        let topic = bench.topic(&format!("{}", asked as u8));
        let mut client = bench.connect("client").await?;
        let granted = granted(&client.subscribe(&topic, asked).await?)?;
        for published in EACH_QOS.into_iter().filter(|qos| *qos <= most) {
            publisher.publishes(&topic, "m", published).await?;
            let came = client.message().await?.qos();
            let (published_level, granted_level) = (published as u8, granted as u8);
            ensure(
                came == published.min(granted),
                format!("the lower of QoS {published_level} published and {granted_level} granted"),
                format!("delivery at QoS {}", came as u8),
            )?;
        }
    }
    Ok(())
}

/// What is granted may be less than was asked, but not for the wrong filter.
async fn codes_in_order(bench: Bench) -> Outcome {
    let asked = [Qos::ExactlyOnce, Qos::AtMostOnce, Qos::AtLeastOnce];
    let topics = ["a", "b", "c"].map(|name| bench.topic(name));
    let mut client: Client = bench.connect("client").await?;
    let id = client.next_id();
    let filters: Vec<_> = topics.iter().map(|topic| &**topic).zip(asked).collect();
    let suback = client.subscribe_with(&subscribe(id, &filters)).await?;
    counts(&suback, asked.len())?;
    let is_right = |(code, asked): (&SubscribeCode, Qos)| match code {
        SubscribeCode::Granted(qos) => *qos <= asked,
        SubscribeCode::Refused(_) => true,
    };
    ensure(
        suback.codes.iter().zip(asked).all(is_right),
        format!("codes for {asked:?} at most, in that order"),
        format!("{:?}", suback.codes),
    )
}

/// Of filters that are granted at each QoS, and of such as are refused: the
/// decoder takes no codes but those that are listed. The connection may be ended
/// over a filter that is not allowed.
async fn codes(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    let mut client = bench.connect("client").await?;
    for qos in EACH_QOS {
        client.subscribe(&bench.topic("t"), qos).await?;
    }
    // 5.0 says beforehand what it refuses, and ends the connection over it.
    if offered.wildcards || !bench.is_v5() {
        let id = client.next_id();
        let packet = subscribe(id, &[(&bench.topic("+"), Qos::AtMostOnce)]);
        client.send(&Packet::Subscribe(packet)).await?;
        client.suback(id).await?;
    }
    if let Some(denied) = &bench.fixtures().denied_subscribe {
        let id = client.next_id();
        let packet = subscribe(id, &[(denied, Qos::AtMostOnce)]);
        client.send(&Packet::Subscribe(packet)).await?;
        client.next().await?;
    }
    Ok(())
}
