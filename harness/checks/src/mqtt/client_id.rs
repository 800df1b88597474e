//! Client identifiers (section 3.1.3.1 of both versions).

use crate::bench::Bench;
use crate::check::checks;
use crate::client::{Arrival, Client};
use crate::finding::{Finding, Outcome, ensure};
use crate::packets::{keeps_session, text};
use squall_broker::wire::{ConnAck, Connect, Packet, Property, Qos, ReasonCode};

checks! {
    "connect-client-id-of-23" ["MQTT311-3.1.3-5", "MQTT5-3.1.3-5"] of_23;
    "connect-empty-client-id" ["MQTT311-3.1.3-6", "MQTT5-3.1.3-6", "MQTT5-3.2.2-16"] empty;
    "connect-assigned-client-id" ["MQTT5-3.1.3-7"] assigned;
    "connect-empty-client-id-unclean" ["MQTT311-3.1.3-7", "MQTT311-3.1.3-8"] empty_unclean;
    "connect-rejected-client-id" ["MQTT311-3.1.3-9", "MQTT5-3.1.3-8"] rejected;
}

/// Identifiers of 23 bytes that have every letter and digit between them.
async fn of_23(bench: Bench) -> Outcome {
    let letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let own = bench.client_id("");
    let room = 23_usize.saturating_sub(own.len()).max(1);
    let mut rest = letters;
    while !rest.is_empty() {
        let (some, more) = rest.split_at(room.min(rest.len()));
        let id = format!("{own}{some:0<room$}");
        let change = |connect: &mut Connect| connect.client_id = text(&id);
        bench.connect_as("client", change).await?.leave().await?;
        rest = more;
    }
    Ok(())
}

/// A client that gives no identifier; skips if the broker does not let it.
async fn nameless(bench: &Bench, change: impl FnOnce(&mut Connect)) -> Outcome<(Client, ConnAck)> {
    let mut client = bench.open("nameless").await?;
    let mut connect = bench.connect_packet("nameless");
    connect.client_id = text("");
    change(&mut connect);
    client.send_connect(&connect).await?;
    let connack = client.connack().await?;
    match connack.code {
        ReasonCode::Success => Ok((client, connack)),
        ReasonCode::ClientIdentifierNotValid => {
            Err(Finding::skip("clients that give no identifier"))
        }
        other => Err(Finding::fail(
            "the connection to be accepted, or refused for its identifier",
            format!("CONNACK that means {other:?}"),
        )),
    }
}

/// The identifier that CONNACK assigns.
fn assigned_id(connack: &ConnAck) -> Outcome<String> {
    let assigned = connack
        .properties
        .iter()
        .find_map(|property| match property {
            Property::AssignedClientIdentifier(id) => Some(id.as_str().to_owned()),
            _ => None,
        });
    assigned.ok_or_else(|| {
        let expected = "a CONNACK with an Assigned Client Identifier";
        Finding::fail(expected, "it has none")
    })
}

/// Several at once are different clients, each of which is served.
async fn empty(bench: Bench) -> Outcome {
    let topic = bench.topic("t");
    let mut clients = Vec::new();
    let mut ids: Vec<String> = Vec::new();
    for _ in 0..5 {
        let (mut client, connack) = nameless(&bench, |_| {}).await?;
        if bench.is_v5() {
            bench.deciding(&["MQTT5-3.2.2-16"]);
            let id = assigned_id(&connack)?;
            let expected = "an identifier that no other session has";
            ensure(!ids.contains(&id), expected, format!("{id:?} again"))?;
            ids.push(id);
            bench.deciding(&["MQTT5-3.1.3-6"]);
        }
        client.subscribe(&topic, Qos::AtMostOnce).await?;
        clients.push(client);
    }
    let mut publisher = bench.connect("publisher").await?;
    publisher.publishes(&topic, "m", Qos::AtMostOnce).await?;
    for client in &mut clients {
        client
            .expect("the message, to each of the clients", |packet| {
                matches!(packet, Packet::Publish(_)).then_some(())
            })
            .await?;
    }
    Ok(())
}

/// The session is found again by it.
async fn assigned(bench: Bench) -> Outcome {
    let (client, connack) = nameless(&bench, keeps_session).await?;
    let id = assigned_id(&connack)?;
    client.vanish().await?;
    let change = |connect: &mut Connect| {
        keeps_session(connect);
        connect.client_id = text(&id);
    };
    let (_, connack) = bench.connect_for("nameless", change).await?;
    ensure(
        connack.session_present,
        "the session under the identifier that was assigned",
        "Session Present 0",
    )
}

/// An empty identifier without Clean Session gets return code 2, and the
/// connection ends.
async fn empty_unclean(bench: Bench) -> Outcome {
    let mut client = bench.open("client").await?;
    let connect = Connect {
        clean_session: false,
        client_id: text(""),
        ..bench.connect_packet("client")
    };
    client.send_connect(&connect).await?;
    let connack = client.connack().await?;
    ensure(
        connack.code == ReasonCode::ClientIdentifierNotValid,
        "CONNACK with return code 2",
        format!("CONNACK that means {:?}", connack.code),
    )?;
    client.closed(&[]).await
}

/// One that the target's file names, or else a long one. In 3.1.1 CONNACK says
/// so; in 5.0 it may.
async fn rejected(bench: Bench) -> Outcome {
    let named = bench.fixtures().denied_client_id.clone();
    let long = || format!("{}{}", bench.client_id(""), "x".repeat(1_000));
    let id = named.clone().unwrap_or_else(long);
    let mut client = bench.open("client").await?;
    let mut connect = bench.connect_packet("client");
    connect.client_id = text(&id);
    client.send_connect(&connect).await?;
    let answer = client.next().await?;
    let code = match &answer {
        Arrival::Packet(Packet::ConnAck(connack)) => Some(connack.code),
        _ => None,
    };
    match (code, &answer) {
        (Some(ReasonCode::Success), _) if named.is_none() => {
            return Err(Finding::skip("client identifiers that are refused"));
        }
        (Some(ReasonCode::ClientIdentifierNotValid), _) => {}
        (Some(code), _) if bench.is_v5() && code.is_failure() => {}
        (None, Arrival::Ended | Arrival::Reset) if bench.is_v5() => {}
        _ if bench.is_v5() => {
            let actual = client.in_words(&answer);
            return Err(Finding::fail("the connection to be refused", actual));
        }
        _ => {
            let actual = client.in_words(&answer);
            return Err(Finding::fail("CONNACK with return code 2", actual));
        }
    }
    client.closed(&[ReasonCode::ClientIdentifierNotValid]).await
}
