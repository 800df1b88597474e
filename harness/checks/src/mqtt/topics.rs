//! Topic names and topic filters (section 4.7 of both versions).

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Arrival;
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{self, data, encode_connect, frame};
use squall_broker::wire::{Packet, Qos, ReasonCode, SubscribeCode};

checks! {
    "topic-name-wildcard" ["MQTT311-4.7.1-1", "MQTT5-4.7.0-1"] name_wildcard;
    "filter-misplaced-hash" ["MQTT311-4.7.1-2", "MQTT5-4.7.1-1"] misplaced_hash;
    "filter-misplaced-plus" ["MQTT311-4.7.1-3", "MQTT5-4.7.1-2"] misplaced_plus;
    "wildcards-miss-dollar-topics" ["MQTT311-4.7.2-1", "MQTT5-4.7.2-1"] dollar_topics, alone;
    "topic-of-no-characters" ["MQTT311-4.7.3-1", "MQTT5-4.7.3-1"] empty;
    "topic-with-nul" ["MQTT311-4.7.3-2", "MQTT5-4.7.3-2"] nul;
    "topics-are-compared-as-they-are" ["MQTT311-4.7.3-4", "MQTT5-4.7.3-4"] as_they_are;
}

/// Malformed, or not allowed.
const REFUSED: [ReasonCode; 4] = [
    ReasonCode::MalformedPacket,
    ReasonCode::ProtocolError,
    ReasonCode::TopicNameInvalid,
    ReasonCode::TopicFilterInvalid,
];

/// The body of a packet behind its topic, or before its filters: no properties.
fn no_properties(bench: &Bench) -> &'static [u8] {
    if bench.is_v5() { &[0] } else { &[] }
}

/// A PUBLISH at QoS 0.
fn publish(bench: &Bench, topic: &[u8]) -> Vec<u8> {
    frame(0x30, &[&data(topic), no_properties(bench), b"m"].concat())
}

/// A SUBSCRIBE of packet identifier 1.
pub(crate) fn subscribe(bench: &Bench, filter: &[u8]) -> Vec<u8> {
    let body = [&[0, 1], no_properties(bench), &data(filter), &[0]].concat();
    frame(0x82, &body)
}

/// An UNSUBSCRIBE of packet identifier 1.
fn unsubscribe(bench: &Bench, filter: &[u8]) -> Vec<u8> {
    frame(
        0xa2,
        &[&[0, 1], no_properties(bench), &data(filter)].concat(),
    )
}

/// The packets of a kind that names a topic or filter, with this one in it.
fn with(bench: &Bench, topic: &[u8]) -> [(&'static str, Vec<u8>); 3] {
    [
        ("PUBLISH", publish(bench, topic)),
        ("SUBSCRIBE", subscribe(bench, topic)),
        ("UNSUBSCRIBE", unsubscribe(bench, topic)),
    ]
}

/// A packet that the broker must not act upon: it has to end the connection, or
/// in 5.0 may answer it with a failure. In 3.1.1 a SUBACK with a failure is less
/// than what section 4.8 asks for.
pub(crate) async fn refused(bench: &Bench, what: &str, bytes: &[u8]) -> Outcome {
    let mut client = bench.connect("client").await?;
    client.send_bytes(bytes).await?;
    let expected = format!("the broker not to accept {what}");
    match client.next().await? {
        Arrival::Packet(Packet::SubAck(suback)) => match suback.codes.first() {
            Some(SubscribeCode::Refused(_)) if bench.is_v5() => Ok(()),
            Some(SubscribeCode::Refused(_)) => Err(Finding::non_strict(
                "the broker to end the connection",
                "a SUBACK with a failure",
            )),
            _ => Err(Finding::fail(expected, "a SUBACK that grants it")),
        },
        Arrival::Packet(Packet::UnsubAck(unsuback))
            if unsuback.codes.iter().any(|code| code.is_failure()) =>
        {
            Ok(())
        }
        Arrival::Packet(Packet::Disconnect(_)) | Arrival::Ended | Arrival::Reset => {
            client.closed(&REFUSED).await
        }
        other => Err(Finding::fail(expected, client.in_words(&other))),
    }
}

/// In a PUBLISH, of which nothing is passed on, and in a will.
async fn name_wildcard(bench: Bench) -> Outcome {
    let wild = [
        bench.topic("#"),
        bench.topic("a/+"),
        bench.topic("+/a"),
        bench.topic("a+"),
    ];
    let mut watcher = bench.connect("watcher").await?;
    if bench.capabilities().await?.wildcards {
        let filter = bench.topic("#");
        watcher.subscribe(&filter, Qos::AtMostOnce).await?;
    }
    for topic in &wild {
        let mut client = bench.connect("client").await?;
        client
            .send_bytes(&publish(&bench, topic.as_bytes()))
            .await?;
        client.closed(&REFUSED).await?;
    }
    if let Some(packet) = watcher.until_ping().await?.into_iter().next() {
        let came = watcher.in_words(&Arrival::Packet(packet));
        return Err(Finding::fail("nothing to be passed on", came));
    }
    for topic in &wild {
        let mut connect = bench.connect_packet("client");
        // As long as the wild one, which replaces it in the bytes.
        let plain = topic.replace(['#', '+'], "x");
        connect.will = Some(packets::will(&plain, "m"));
        let mut bytes = encode_connect(&connect);
        let at = bytes
            .windows(plain.len())
            .position(|part| part == plain.as_bytes());
        let at = at.ok_or_else(|| Finding::Error("the will topic is not there".to_owned()))?;
        bytes[at..at + topic.len()].copy_from_slice(topic.as_bytes());
        let mut client = bench.open("client").await?;
        client.send_bytes(&bytes).await?;
        client.closed(&REFUSED).await?;
    }
    Ok(())
}

/// Not alone at the end; where it may stand it is granted.
async fn misplaced_hash(bench: Bench) -> Outcome {
    misplaced(bench, ["a#", "a/#/b", "a/b#", "##", "#/a"], ["a/#", "a//#"]).await
}

/// Beside other characters; where it may stand it is granted.
async fn misplaced_plus(bench: Bench) -> Outcome {
    let granted = ["+", "+/a/+", "a/+/#"];
    misplaced(bench, ["a+", "+a/b", "a/b+", "++", "a/+b/c"], granted).await
}

async fn misplaced<const N: usize>(bench: Bench, wrong: [&str; 5], granted: [&str; N]) -> Outcome {
    bench.capabilities().await?.need_wildcards()?;
    let mut lenient = Ok(());
    for filter in wrong {
        let filter = bench.topic(filter);
        let subscribe = subscribe(&bench, filter.as_bytes());
        match refused(&bench, &format!("the filter {filter}"), &subscribe).await {
            Err(finding @ Finding::NonStrict { .. }) => lenient = Err(finding),
            outcome => outcome?,
        }
    }
    let mut client = bench.connect("client").await?;
    for filter in granted {
        client
            .subscribe(&bench.topic(filter), Qos::AtMostOnce)
            .await?;
    }
    lenient
}

/// A filter that begins with a wildcard sees neither what is published there nor
/// what the broker says of itself. That the broker refuses such a message is as
/// good. It runs alone: what all the others publish may be more than a broker
/// keeps for one client.
async fn dollar_topics(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_wildcards()?;
    let name = bench.topic("x");
    let dollar = format!("$test/{name}");
    let mut watcher = bench.connect("watcher").await?;
    for filter in ["#".to_owned(), format!("+/{name}"), "+/#".to_owned()] {
        let id = watcher.next_id();
        let subscribe = packets::subscribe(id, &[(&filter, Qos::AtMostOnce)]);
        watcher.send(&Packet::Subscribe(subscribe)).await?;
        // What others retain and publish may come before it.
        let is_suback = |packet: &Packet| matches!(packet, Packet::SubAck(_));
        let (before, suback) = watcher.until("a SUBACK", is_suback).await?;
        none_of_dollar(&before)?;
        if let Packet::SubAck(suback) = suback
            && let [SubscribeCode::Refused(_)] = suback.codes[..]
        {
            return Err(Finding::skip(format!("subscriptions to {filter}")));
        }
    }
    let mut publisher = bench.connect("publisher").await?;
    publisher.publishes(&dollar, "m", Qos::AtMostOnce).await?;
    if publisher.until_ping().await.is_err() {
        publisher = bench.connect("publisher").await?;
    }
    publisher.publishes(&name, "last", Qos::AtMostOnce).await?;
    let is_last = |packet: &Packet| match packet {
        Packet::Publish(publish) => publish.topic.as_str() == name,
        _ => false,
    };
    let (before, _) = watcher
        .until("the message to another topic", is_last)
        .await?;
    none_of_dollar(&before)
}

fn none_of_dollar(packets: &[Packet]) -> Outcome {
    for packet in packets {
        if let Packet::Publish(publish) = packet {
            let topic = &publish.topic;
            ensure(
                !topic.as_str().starts_with('$'),
                "no topic that begins with $ for a filter that begins with a wildcard",
                format!("a message of {topic}"),
            )?;
        }
    }
    Ok(())
}

/// In PUBLISH, without an alias, SUBSCRIBE and UNSUBSCRIBE.
async fn empty(bench: Bench) -> Outcome {
    for (name, bytes) in with(&bench, b"") {
        let what = format!("{name} with an empty topic");
        refused(&bench, &what, &bytes).await?;
    }
    Ok(())
}

async fn nul(bench: Bench) -> Outcome {
    let topic = bench.topic("a\0b");
    for (name, bytes) in with(&bench, topic.as_bytes()) {
        let what = format!("{name} with U+0000 in its topic");
        refused(&bench, &what, &bytes).await?;
    }
    Ok(())
}

/// A filter, and a topic that only some normalisation would make of it.
const UNLIKE: [(&str, &str); 8] = [
    // One character, and a letter with a combining accent.
    ("caf\u{e9}", "cafe\u{301}"),
    ("Case", "case"),
    ("a/b", "a//b"),
    ("a", "a/"),
    ("b", "/b"),
    ("c d", "c  d"),
    ("e", "e "),
    // Full width, and plain.
    ("\u{ff41}", "a"),
];

/// Topics are passed on byte by byte, and match nothing that is not identical,
/// either way round.
async fn as_they_are(bench: Bench) -> Outcome {
    let mut refused = Vec::new();
    for (number, (one, other)) in UNLIKE.into_iter().enumerate() {
        for (at, (wanted, published)) in [(one, other), (other, one)].into_iter().enumerate() {
            let case = format!("{number}/{at}");
            let wanted = bench.topic(&format!("{case}/{wanted}"));
            let published = bench.topic(&format!("{case}/{published}"));
            let mut client = bench.connect("client").await?;
            if client.subscribe(&wanted, Qos::AtMostOnce).await.is_err() {
                refused.push(wanted);
                continue;
            }
            let mut publisher = bench.connect("publisher").await?;
            publisher
                .publishes(&published, "no", Qos::AtMostOnce)
                .await?;
            publisher.publishes(&wanted, "yes", Qos::AtMostOnce).await?;
            let message = client.publish().await?;
            ensure(
                message.topic.as_str() == wanted,
                format!("a message of {wanted:?} and no other"),
                format!("a message of {:?}", message.topic.as_str()),
            )?;
            client.leave().await?;
            publisher.leave().await?;
        }
    }
    // To refuse a topic is not to normalise it.
    if refused.is_empty() {
        return Ok(());
    }
    Err(Finding::non_strict(
        "every topic of characters that a topic may have",
        format!("no subscription to {refused:?}"),
    ))
}
