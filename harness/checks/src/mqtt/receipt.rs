//! Whom a message reaches (section 4.5 of both versions).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Outcome, ensure};
use crate::packets::keeps_session;
use squall_broker::wire::Qos;

checks! {
    "every-match-gets-the-message" ["MQTT311-4.5.0-1", "MQTT5-4.5.0-1"] every_match;
}

/// Filters below the check's own prefix that all match `a/b/c`.
const MATCHES: [&str; 8] = [
    "a/b/c", "a/+/c", "+/b/c", "a/b/+", "+/+/+", "a/#", "a/b/c/#", "#",
];

/// Each filter in a session of its own, the client of every other one away;
/// without wildcards the same filter in all.
async fn every_match(bench: Bench) -> Outcome {
    let offered = bench.capabilities().await?;
    offered.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("a/b/c");
    let qos = offered.maximum_qos;
    let mut clients = Vec::new();
    for (number, filter) in MATCHES.into_iter().enumerate() {
        let name = format!("s{number}");
        let filter = if offered.wildcards {
            filter
        } else {
            MATCHES[0]
        };
        let mut client = bench.connect_as(&name, keeps_session).await?;
        client.subscribe(&bench.topic(filter), qos).await?;
        let there = if number % 2 == 0 {
            Some(client)
        } else {
            client.vanish().await?;
            None
        };
        clients.push((name, filter, there));
    }
    let mut publisher = bench.connect("publisher").await?;
    let payloads = ["1", "2"];
    for payload in payloads {
        publisher.publishes(&topic, payload, qos).await?;
    }
    publisher.publishes(&topic, "last", qos).await?;
    for (name, filter, there) in clients {
        let mut client = match there {
            Some(client) => client,
            None => bench.connect_as(&name, keeps_session).await?,
        };
        let messages = client.messages_until("last").await?;
        let got: Vec<_> = messages
            .iter()
            .map(|message| &message.payload[..])
            .collect();
        ensure(
            got == payloads.map(str::as_bytes),
            format!("both messages for a subscription to {filter}"),
            format!("{} of them", got.len()),
        )?;
    }
    Ok(())
}
