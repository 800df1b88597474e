//! CONNACK: Session Present, and refusals (section 3.2 of both versions), with
//! what they say of sessions (section 3.1.2.4).

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Client;
use crate::finding::{Outcome, ensure};
use crate::packets::{keeps_session, properties, text};
use squall_broker::wire::{ConnAck, Property, Qos, ReasonCode};

checks! {
    "connack-session-present" ["MQTT311-3.2.2-2", "MQTT311-3.2.2-3", "MQTT5-3.1.2-6", "MQTT5-3.2.2-3"] session_present;
    "connack-after-clean-start" ["MQTT311-3.2.2-1", "MQTT5-3.2.2-2"] after_clean_start;
    "connack-refusal-has-no-session" ["MQTT311-3.2.2-4", "MQTT5-3.2.2-6"] refusal_has_no_session;
    "connack-refusal-ends-connection" ["MQTT311-3.2.2-5", "MQTT5-3.2.2-7"] refusal_ends_connection;
    "session-outlives-connection" ["MQTT311-3.1.2-4", "MQTT311-3.1.2-5", "MQTT5-3.1.2-5"] outlives_connection;
}

fn says(connack: &ConnAck, present: bool) -> Outcome {
    ensure(
        connack.session_present == present,
        format!("CONNACK with Session Present {}", u8::from(present)),
        format!("Session Present {}", u8::from(connack.session_present)),
    )
}

/// Not for an identifier that was never used, but when it comes back.
async fn session_present(bench: Bench) -> Outcome {
    let (client, connack) = bench.connect_for("client", keeps_session).await?;
    says(&connack, false)?;
    client.vanish().await?;
    if bench.is_v5() {
        bench.deciding(&["MQTT5-3.2.2-3"]);
    } else {
        bench.deciding(&["MQTT311-3.2.2-2"]);
    }
    let (_, connack) = bench.connect_for("client", keeps_session).await?;
    says(&connack, true)
}

/// Although there is a session, it is not present to whoever starts afresh.
async fn after_clean_start(bench: Bench) -> Outcome {
    let client = bench.connect_as("client", keeps_session).await?;
    client.vanish().await?;
    let (_, connack) = bench.connect_for("client", |_| {}).await?;
    says(&connack, false)
}

/// A subscription and what it matches wait for the client, be its connection
/// gone or taken over.
async fn outlives_connection(bench: Bench) -> Outcome {
    bench.capabilities().await?.need_qos(Qos::AtLeastOnce)?;
    let topic = bench.topic("a");
    let mut subscriber = bench.connect_as("subscriber", keeps_session).await?;
    subscriber.subscribe(&topic, Qos::AtLeastOnce).await?;
    subscriber.vanish().await?;
    let mut publisher = bench.connect("publisher").await?;
    publisher
        .publishes(&topic, "absent", Qos::AtLeastOnce)
        .await?;
    let mut back = bench.connect_as("subscriber", keeps_session).await?;
    let message = back.message().await?;
    ensure(
        &message.payload[..] == b"absent",
        "the message that was published meanwhile",
        format!("{:?}", message.payload),
    )?;
    // Nothing is subscribed to again.
    let _taken_over = back;
    let mut again = bench.connect_as("subscriber", keeps_session).await?;
    publisher
        .publishes(&topic, "present", Qos::AtLeastOnce)
        .await?;
    let first = again.message().await?;
    // Its acknowledgement may have been lost with the connection.
    let last = match first.dup {
        true => again.message().await?,
        false => first,
    };
    ensure(
        &last.payload[..] == b"present",
        "the message that was published after the takeover",
        format!("{:?}", last.payload),
    )
}

/// A connection whose CONNECT any broker refuses: of 3.1.1 one without an
/// identifier that is not clean `[MQTT311-3.1.3-8]`, of 5.0 one with an
/// authentication method that nobody knows `[MQTT5-4.12.0-1]`.
async fn refused(bench: &Bench) -> Outcome<Client> {
    let mut client = bench.open("client").await?;
    let mut connect = bench.connect_packet("client");
    connect.clean_session = false;
    if bench.is_v5() {
        let method = Property::AuthenticationMethod(text("squall-no-such-method"));
        connect.properties = properties([method]);
    } else {
        connect.client_id = text("");
    }
    client.send_connect(&connect).await?;
    Ok(client)
}

/// 5.0 lets a server end the connection without a CONNACK.
async fn refusal_has_no_session(bench: Bench) -> Outcome {
    let keeper = bench.connect_as("client", keeps_session).await?;
    keeper.vanish().await?;
    let mut client = refused(&bench).await?;
    // A refusal that says otherwise is no CONNACK that a server may send.
    client.refused(&[ReasonCode::BadAuthenticationMethod]).await
}

async fn refusal_ends_connection(bench: Bench) -> Outcome {
    let mut client = refused(&bench).await?;
    client
        .refused(&[
            ReasonCode::BadAuthenticationMethod,
            ReasonCode::NotAuthorized,
            ReasonCode::ClientIdentifierNotValid,
        ])
        .await
}
