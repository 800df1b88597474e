//! Wills (sections 3.1.2.5 to 3.1.2.7 of both versions, 3.1.3.2 of 5.0).

use std::time::Duration;

use tokio::time::Instant;

use super::keep_alive;
use crate::bench::Bench;
use crate::check::checks;
use crate::client::{Arrival, Client};
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{data, frame, keeps_session, properties, text, will};
use squall_broker::wire::{Connect, Disconnect, Packet, Property, Publish, Qos, ReasonCode};

checks! {
    "will-of-a-vanished-client" ["MQTT311-3.1.2-8", "MQTT5-3.1.2-7"] of_a_vanished_client;
    "will-of-a-violator" ["MQTT311-3.1.2-8", "MQTT5-3.1.2-8"] of_a_violator;
    "will-of-a-silent-client" ["MQTT311-3.1.2-8", "MQTT5-3.1.2-8"] of_a_silent_client;
    "will-at-takeover" ["MQTT311-3.1.2-8", "MQTT5-3.1.2-8"] at_takeover;
    "will-asked-for-in-disconnect" ["MQTT5-3.1.2-8"] asked_for;
    "will-waits-for-its-delay" ["MQTT5-3.1.2-8"] waits;
    "will-at-the-end-of-the-session" ["MQTT5-3.1.2-8"] at_the_sessions_end;
    "will-of-a-client-that-returns" ["MQTT5-3.1.3-9"] of_a_client_that_returns;
    "will-is-published-once" ["MQTT311-3.1.2-10", "MQTT311-3.1.2-12", "MQTT5-3.1.2-10"] once;
    "will-without-retain" ["MQTT311-3.1.2-16", "MQTT5-3.1.2-14"] without_retain;
    "will-with-retain" ["MQTT311-3.1.2-17", "MQTT5-3.1.2-15"] with_retain;
    "will-user-properties" ["MQTT5-3.1.3-10"] user_properties;
    "connect-payload-in-order" ["MQTT311-3.1.3-1", "MQTT5-3.1.3-1"] payload_in_order;
}

/// The will delay that is tried, and how much of it has to pass at least: a
/// broker may count in whole seconds.
const DELAY_S: u32 = 2;
const DELAY_AT_LEAST: Duration = Duration::from_secs(1);

/// A client that subscribes to the topic of the will.
async fn watcher(bench: &Bench, topic: &str) -> Outcome<Client> {
    let mut watcher = bench.connect("watcher").await?;
    watcher.subscribe(topic, Qos::ExactlyOnce).await?;
    Ok(watcher)
}

/// A client with a will, whose CONNECT is changed first.
async fn mortal(bench: &Bench, topic: &str, change: impl FnOnce(&mut Connect)) -> Outcome<Client> {
    let dies = |connect: &mut Connect| {
        connect.will = Some(will(topic, "gone"));
        change(connect);
    };
    bench.connect_as("mortal", dies).await
}

/// The will comes, and only once.
async fn comes(bench: &Bench, watcher: &mut Client, topic: &str) -> Outcome<Publish> {
    let came = watcher.message().await?;
    is_will(&came)?;
    comes_not(bench, watcher, topic).await?;
    Ok(came)
}

fn is_will(message: &Publish) -> Outcome {
    let actual = format!("the message {:?}", message.payload);
    ensure(message.payload == "gone", "the will", actual)
}

/// No will comes before a message that is published now.
async fn comes_not(bench: &Bench, watcher: &mut Client, topic: &str) -> Outcome {
    let mut marks = bench.connect("marks").await?;
    marks.publishes(topic, "marker", Qos::AtMostOnce).await?;
    let next = watcher.message().await?;
    let actual = format!("the message {:?}", next.payload);
    ensure(next.payload == "marker", "no will any more", actual)?;
    marks.leave().await
}

async fn of_a_vanished_client(bench: Bench) -> Outcome {
    let topic = bench.topic("will");
    let mut watcher = watcher(&bench, &topic).await?;
    mortal(&bench, &topic, |_| {}).await?.vanish().await?;
    comes(&bench, &mut watcher, &topic).await.map(|_| ())
}

/// The broker ends the connection of a client that sends a malformed packet: a
/// PUBLISH of QoS 3. One that does not has nothing to publish a will for.
async fn of_a_violator(bench: Bench) -> Outcome {
    let topic = bench.topic("will");
    let mut watcher = watcher(&bench, &topic).await?;
    let mut client = mortal(&bench, &topic, |_| {}).await?;
    let body = [&data(&topic), &[0, 1, 0][..]].concat();
    client.send_bytes(&frame(0x36, &body)).await?;
    let malformed = [ReasonCode::MalformedPacket, ReasonCode::ProtocolError];
    if client.closed(&malformed).await.is_err() {
        let what = "an end of the connection for a PUBLISH of QoS 3";
        return Err(Finding::skip(what));
    }
    comes(&bench, &mut watcher, &topic).await.map(|_| ())
}

/// And of one that is silent for longer than its keep-alive time.
async fn of_a_silent_client(bench: Bench) -> Outcome {
    let period_s = keep_alive::period_s(&bench, 1).await?;
    let topic = bench.topic("will");
    let mut watcher = watcher(&bench, &topic).await?;
    let _silent = mortal(&bench, &topic, |connect| connect.keep_alive_s = period_s).await?;
    let silence = Duration::from_secs(period_s.into()) * 3 / 2;
    bench.waits(silence, "one and a half keep-alive times");
    arrives_within(&bench, &mut watcher, silence).await
}

/// The will comes within a time, and the time for an answer.
async fn arrives_within(bench: &Bench, watcher: &mut Client, time: Duration) -> Outcome {
    match watcher.next_within(time + bench.timeout()).await? {
        Arrival::Packet(Packet::Publish(publish)) => is_will(&publish),
        other => Err(Finding::fail("the will", watcher.in_words(&other))),
    }
}

/// Of 5.0 as well, since it has no delay.
async fn at_takeover(bench: Bench) -> Outcome {
    let topic = bench.topic("will");
    let mut watcher = watcher(&bench, &topic).await?;
    let _old = mortal(&bench, &topic, |_| {}).await?;
    let _new = bench.connect("mortal").await?;
    comes(&bench, &mut watcher, &topic).await.map(|_| ())
}

/// By reason code 0x04.
async fn asked_for(bench: Bench) -> Outcome {
    let topic = bench.topic("will");
    let mut watcher = watcher(&bench, &topic).await?;
    let mut client = mortal(&bench, &topic, |_| {}).await?;
    let disconnect = Disconnect {
        code: ReasonCode::DisconnectWithWill,
        ..Disconnect::default()
    };
    client.send(&Packet::Disconnect(disconnect)).await?;
    // A client has to close the connection then, and a broker need not be first.
    // [MQTT5-3.14.4-1]
    client.vanish().await?;
    comes(&bench, &mut watcher, &topic).await.map(|_| ())
}

/// Has a will wait for so many seconds, and the session longer.
fn delayed(connect: &mut Connect, delay_s: u32) {
    keeps_session(connect);
    if let Some(will) = &mut connect.will {
        will.properties = properties([Property::WillDelayInterval(delay_s)]);
    }
}

async fn waits(bench: Bench) -> Outcome {
    let topic = bench.topic("will");
    let mut watcher = watcher(&bench, &topic).await?;
    let client = mortal(&bench, &topic, |connect| delayed(connect, DELAY_S)).await?;
    let began = Instant::now();
    client.vanish().await?;
    let delay = Duration::from_secs(DELAY_S.into());
    bench.waits(delay, "a will delay");
    arrives_within(&bench, &mut watcher, delay).await?;
    let waited = began.elapsed();
    ensure(
        waited >= DELAY_AT_LEAST,
        format!("the will after its delay of {DELAY_S} s"),
        format!("it came after {:.1} s", waited.as_secs_f64()),
    )
}

/// Although its delay is longer than the session is kept.
async fn at_the_sessions_end(bench: Bench) -> Outcome {
    let topic = bench.topic("will");
    let mut watcher = watcher(&bench, &topic).await?;
    let change = |connect: &mut Connect| {
        delayed(connect, 3600);
        connect.properties = properties([Property::SessionExpiryInterval(1)]);
    };
    mortal(&bench, &topic, change).await?.vanish().await?;
    let expiry = Duration::from_secs(1);
    bench.waits(expiry, "a session's expiry");
    arrives_within(&bench, &mut watcher, expiry).await
}

/// In time for the will not to be published.
async fn of_a_client_that_returns(bench: Bench) -> Outcome {
    let topic = bench.topic("will");
    let mut watcher = watcher(&bench, &topic).await?;
    let change = |connect: &mut Connect| delayed(connect, DELAY_S);
    mortal(&bench, &topic, change).await?.vanish().await?;
    let _back = bench.connect_as("mortal", keeps_session).await?;
    let delay = Duration::from_secs(u64::from(DELAY_S) + 1);
    bench.wait(delay, "a will delay").await;
    comes_not(&bench, &mut watcher, &topic).await
}

/// The session's next connections have no will: not one that vanishes after it
/// was published, and not one that vanishes after a DISCONNECT.
async fn once(bench: Bench) -> Outcome {
    let qos = bench.qos_up_to(Qos::AtLeastOnce).await?;
    let topic = bench.topic("will");
    let mut watcher = watcher(&bench, &topic).await?;
    let change = |connect: &mut Connect| {
        keeps_session(connect);
        if let Some(will) = &mut connect.will {
            will.qos = qos;
        }
    };
    mortal(&bench, &topic, change).await?.vanish().await?;
    comes(&bench, &mut watcher, &topic).await?;
    let again = bench.connect_as("mortal", keeps_session).await?;
    again.vanish().await?;
    comes_not(&bench, &mut watcher, &topic).await?;

    mortal(&bench, &topic, change).await?.leave().await?;
    let again = bench.connect_as("mortal", keeps_session).await?;
    again.vanish().await?;
    comes_not(&bench, &mut watcher, &topic).await
}

async fn without_retain(bench: Bench) -> Outcome {
    let topic = bench.topic("will");
    let mut present = watcher(&bench, &topic).await?;
    mortal(&bench, &topic, |_| {}).await?.vanish().await?;
    let came = present.message().await?;
    is_will(&came)?;
    ensure(!came.retain, "the will with RETAIN 0", "it has RETAIN 1")?;
    let mut late = bench.connect("late").await?;
    late.subscribe(&topic, Qos::AtMostOnce).await?;
    late.until_ping_without(&topic).await
}

async fn with_retain(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_retain()?;
    let topic = bench.topic("will");
    let mut present = watcher(&bench, &topic).await?;
    let change = |connect: &mut Connect| {
        if let Some(will) = &mut connect.will {
            will.retain = true;
        }
    };
    mortal(&bench, &topic, change).await?.vanish().await?;
    is_will(&present.message().await?)?;
    let mut late = bench.connect("late").await?;
    late.subscribe(&topic, Qos::AtMostOnce).await?;
    let came = late.message().await?;
    is_will(&came)?;
    ensure(came.retain, "the will with RETAIN 1", "it has RETAIN 0")
}

/// In the order in which CONNECT has them, repeats included.
async fn user_properties(bench: Bench) -> Outcome {
    let topic = bench.topic("will");
    let mut watcher = watcher(&bench, &topic).await?;
    let pairs = [("b", "1"), ("a", "2"), ("b", "3")];
    let pairs = pairs.map(|(name, value)| Property::UserProperty(text(name), text(value)));
    let said = pairs.to_vec();
    let change = |connect: &mut Connect| {
        if let Some(will) = &mut connect.will {
            will.properties = properties(pairs);
        }
    };
    mortal(&bench, &topic, change).await?.vanish().await?;
    let came = watcher.message().await?;
    is_will(&came)?;
    let is_user = |property: &Property| matches!(property, Property::UserProperty(..));
    let came: Vec<_> = came.properties.iter().filter(is_user).collect();
    // A broker may add some of its own, to say from whom the message is.
    let mut others = came.iter();
    ensure(
        said.iter().all(|one| others.any(|other| other == one)),
        "the user properties of the will in their order",
        format!("{came:?}"),
    )
}

/// Every field there can be, and each is taken for what it is: the client is
/// logged in, and its will has its topic, its message and its properties.
async fn payload_in_order(bench: Bench) -> Outcome {
    let topic = bench.topic("will");
    let mut watcher = watcher(&bench, &topic).await?;
    let content = || Property::ContentType(text("content"));
    let is_v5 = bench.is_v5();
    let change = |connect: &mut Connect| {
        if let Some(will) = &mut connect.will
            && is_v5
        {
            will.properties = properties([content()]);
        }
    };
    mortal(&bench, &topic, change).await?.vanish().await?;
    let came = watcher.message().await?;
    is_will(&came)?;
    let right = !is_v5 || came.properties.iter().any(|property| property == content());
    let actual = format!("{:?}", came.properties);
    ensure(right, "the content type of the will", actual)
}
