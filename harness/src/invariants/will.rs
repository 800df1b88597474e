//! A will is published when its client is gone without a DISCONNECT, and only
//! then (section 3.1.2.5).
//!
//! How a connection ended is known from the wire: whether a DISCONNECT reached
//! the server [MQTT311-3.14.4-3], and when it closed. Each connection that ended
//! in another way publishes its will once [MQTT311-3.1.2-8]; one that ended with
//! the server itself, or that the server refused, may or may not. Subscribers
//! must not have received a will more often than connections so ended by then,
//! and one with a subscription certainly in force, at QoS 1 or 2, must receive
//! it.

use super::case::Case;
use super::history::{Content, Delivery, NEVER, NONE, Will, WireConnection, WireEnd};
use super::judgement::{Judgement, Violations};
use super::slice::{Slice, clock};
use crate::net::Nanos;
use crate::trace::{ClosedBy, TextId};
use rustc_hash::FxHashMap;
use squall_devices::Qos;
use squall_reports::{
    Violation,
    figures::{count, counted},
};

const DUE: &str = "MQTT311-3.1.2-8";
const REMOVED: &str = "MQTT311-3.14.4-3";

/// A will's topic and payload, which is all that a delivery shows of it.
type Key = (TextId, u32, u64);

/// What is known of wills that look alike.
struct Kind {
    will: Will,
    clients: Vec<u32>,
    /// When connections with it ended, by index, ordered by time.
    ends: Vec<(Nanos, u32)>,
    /// Whether several wills of different QoS look alike.
    mixed: bool,
    /// Whether one of its clients has other wills too, or none on some of its
    /// devices: nobody can tell which of them a connection had.
    contested: bool,
}

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let history = case.history;
    let kinds = kinds(case);
    if kinds.is_empty() {
        return Judgement::NotApplicable("no client has a will".to_owned());
    }
    let mut came: FxHashMap<Key, Vec<u32>> = FxHashMap::default();
    for (delivery, index) in history.deliveries.iter().zip(0u32..) {
        if let Content::Stranger(stranger) = delivery.content {
            let message = &history.strangers[stranger as usize].message;
            let key = (message.topic, message.payload_bytes, message.payload_hash);
            came.entry(key).or_default().push(index);
        }
    }
    let mut violations = Violations::default();
    let (mut fired, mut removed, mut delivered, mut owed) = (0, 0, 0, 0);
    for (key, kind) in kinds.iter().filter(|(_, kind)| !kind.contested) {
        let came = came.get(key).map_or(&[][..], Vec::as_slice);
        let fresh = came.iter().filter(|index| !case.delivery(**index).retain);
        delivered += fresh.count() as u64;
        for (_, index) in &kind.ends {
            let connection = &history.wire.connections[*index as usize];
            fired += u64::from(fires(connection) == Fires::Yes);
            removed += u64::from(connection.end == WireEnd::Disconnect);
        }
        too_many(case, kind, came, &mut violations);
        owed += too_few(case, kind, came, &mut violations);
    }
    if fired + removed + delivered == 0 {
        return Judgement::NotApplicable("no connection with a will ended".to_owned());
    }
    Judgement::of(violations, |found| match found {
        0 => format!(
            "{} due, {} removed by DISCONNECT; {} of them certainly owed, {} delivered",
            counted(fired, "will"),
            count(removed),
            count(owed),
            count(delivered)
        ),
        found => format!(
            "{} missing, or published although not due",
            counted(found, "will")
        ),
    })
}

/// The wills, with how the connections that had them ended, in the order of
/// devices.
fn kinds(case: &Case<'_>) -> Vec<(Key, Kind)> {
    let history = case.history;
    let mut kinds: Vec<(Key, Kind)> = Vec::new();
    let mut places: FxHashMap<Key, usize> = FxHashMap::default();
    let mut by_client: FxHashMap<u32, usize> = FxHashMap::default();
    for (device, will) in history.roster.wills() {
        let key = (will.topic, will.payload_bytes, will.payload_hash);
        let place = *places.entry(key).or_insert_with(|| {
            kinds.push((
                key,
                Kind {
                    will,
                    clients: Vec::new(),
                    ends: Vec::new(),
                    mixed: false,
                    contested: false,
                },
            ));
            kinds.len() - 1
        });
        let kind = &mut kinds[place].1;
        kind.mixed |= kind.will.qos != will.qos || kind.will.retain != will.retain;
        let client = history.roster.client_of(device);
        kind.clients.push(client);
        by_client.insert(client, place);
    }
    for (_, kind) in &mut kinds {
        let here = |client: u32| kind.clients.iter().filter(|one| **one == client).count();
        let sharers = |client: u32| history.roster.sharers(client);
        let mut clients = kind.clients.iter();
        kind.contested =
            clients.any(|client| sharers(*client) > 1 && here(*client) != sharers(*client));
    }
    for (connection, index) in history.wire.connections.iter().zip(0u32..) {
        if connection.answered != NEVER
            && let Some(place) = by_client.get(&connection.client)
        {
            kinds[*place].1.ends.push((connection.ended, index));
        }
    }
    for (_, kind) in &mut kinds {
        kind.ends.sort_unstable();
    }
    kinds
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fires {
    Yes,
    No,
    Maybe,
}

/// Whether the end of a connection publishes its will.
fn fires(connection: &WireConnection) -> Fires {
    match connection.end {
        WireEnd::Open | WireEnd::Disconnect => Fires::No,
        WireEnd::ServerStopped | WireEnd::Closed(ClosedBy::Refusal) => Fires::Maybe,
        WireEnd::Closed(_) => Fires::Yes,
    }
}

/// Deliveries beyond what the connections that had ended by then give reason
/// for.
fn too_many(case: &Case<'_>, kind: &Kind, came: &[u32], violations: &mut Violations) {
    let mut by_session: FxHashMap<u32, (usize, usize)> = FxHashMap::default();
    for index in came {
        let delivery = case.delivery(*index);
        // It repeats one that may not have arrived, or answers a SUBSCRIBE.
        if delivery.dup || delivery.retain {
            continue;
        }
        let session = case.history.session_of(delivery);
        let (count, excess) = by_session.entry(session).or_default();
        *count += 1;
        let subscriptions = || case.matching(session, kind.will.topic);
        let since = subscriptions()
            .map(|subscription| subscription.possibly_from)
            .min()
            .unwrap_or(NEVER);
        let reasons = kind.ends.iter().filter(|(ended, end)| {
            (since..=delivery.at).contains(ended)
                && fires(&case.history.wire.connections[*end as usize]) != Fires::No
        });
        // Overlapping subscriptions may each have a copy (section 3.3.5).
        let allowed = reasons.count() * subscriptions().count().max(1) + *excess;
        if *count > allowed {
            *excess += 1;
            violations.find(|| uncalled(case, kind, delivery));
        }
    }
}

fn uncalled(case: &Case<'_>, kind: &Kind, delivery: &Delivery) -> Violation {
    let history = case.history;
    let receiver = history.roster.name(history.receiver(delivery));
    let mut ends = kind.ends.iter().rev();
    let removed = ends.find(|(ended, index)| {
        *ended <= delivery.at
            && history.wire.connections[*index as usize].end == WireEnd::Disconnect
    });
    let client = client(case, kind);
    let mut text = vec![format!(
        "{receiver} received the will of {client} at {}",
        clock(delivery.at)
    )];
    let mut slice = case.slice().delivery(delivery);
    let statement = match removed {
        Some((_, index)) => {
            let connection = &history.wire.connections[*index as usize];
            text.push(format!(
                "the DISCONNECT of {client} had reached the server at {}",
                clock(connection.last_received)
            ));
            slice = slice_of(slice, case, connection);
            REMOVED
        }
        None => {
            text.push("no connection that had it had ended".to_owned());
            DUE
        }
    };
    Violation {
        text,
        statement: Some(statement.to_owned()),
        trace: slice.lines(),
        command: Some(case.run_command()),
    }
}

/// Wills that were due, and certainly owed to a session that did not get them.
/// Returns how many were owed.
fn too_few(case: &Case<'_>, kind: &Kind, came: &[u32], violations: &mut Violations) -> u64 {
    let history = case.history;
    let mut owed = 0;
    if kind.mixed {
        return owed;
    }
    for session in sessions(case, kind) {
        let client = history.sessions[session as usize].client;
        if history.others_dropped.contains(&client) {
            continue;
        }
        let mut arrived = came
            .iter()
            .map(|index| case.delivery(*index))
            // With DUP too: the first one may have been lost on its way.
            .filter(|delivery| history.session_of(delivery) == session)
            .map(|delivery| delivery.at)
            .peekable();
        for (ended, index) in &kind.ends {
            let connection = &history.wire.connections[*index as usize];
            if fires(connection) != Fires::Yes || !entitled(case, kind, session, *ended) {
                continue;
            }
            owed += 1;
            while arrived.next_if(|at| at < ended).is_some() {}
            if arrived.next().is_none() {
                violations.find(|| missing(case, kind, session, connection));
            }
        }
    }
    owed
}

/// Sessions with a subscription that matches, each once.
fn sessions(case: &Case<'_>, kind: &Kind) -> Vec<u32> {
    let filters = case.filters(kind.will.topic).iter();
    let subscriptions = filters.flat_map(|filter| case.subscriptions_to(*filter));
    let mut sessions: Vec<u32> = subscriptions
        .map(|subscription| subscription.session)
        .collect();
    sessions.sort_unstable();
    sessions.dedup();
    sessions
}

/// Whether a will of this time is certainly owed to a session: subscribed to
/// from before until there was time enough to deliver it.
fn entitled(case: &Case<'_>, kind: &Kind, session: u32, ended: Nanos) -> bool {
    let history = case.history;
    let from = ended.max(case.cleared);
    let mut connections = case.connections_of(session).iter();
    let due = connections.find_map(|index| {
        let connection = &history.connections[*index as usize];
        let due = from
            .max(connection.accepted)
            .checked_add(case.terms.settle)?;
        (due <= connection.ended.min(case.terms.ended)).then_some(due)
    });
    let Some(due) = due else { return false };
    case.matching(session, kind.will.topic).any(|subscription| {
        subscription.granted.min(Some(kind.will.qos)) > Some(Qos::AtMostOnce)
            && subscription.certainly_from <= ended
            && subscription.certainly_until >= due
    })
}

fn missing(case: &Case<'_>, kind: &Kind, session: u32, connection: &WireConnection) -> Violation {
    let history = case.history;
    let facts = &history.sessions[session as usize];
    let receiver = history.connections[facts.connection as usize].device;
    let mut slice = slice_of(case.slice(), case, connection);
    for subscription in case.matching(session, kind.will.topic) {
        slice = slice.subscription(subscription);
    }
    Violation {
        text: vec![format!(
            "{} did not receive the will of {}, whose connection ended at {} without DISCONNECT",
            history.roster.name(receiver),
            client(case, kind),
            clock(connection.ended)
        )],
        statement: Some(DUE.to_owned()),
        trace: slice.connection(facts.connection).lines(),
        command: Some(case.run_command()),
    }
}

/// Whose will it is, in words.
fn client<'a>(case: &Case<'a>, kind: &Kind) -> &'a str {
    match kind.clients.first() {
        Some(client) if *client != NONE => case.text(case.history.roster.client_id(*client)),
        _ => "an unknown client",
    }
}

fn slice_of<'a>(slice: Slice<'a>, case: &Case<'_>, connection: &WireConnection) -> Slice<'a> {
    let client = case.text(case.history.roster.client_id(connection.client));
    let end = match connection.end {
        WireEnd::Disconnect => format!("received DISCONNECT of {client}"),
        WireEnd::Closed(ClosedBy::KeepAlive) => format!("closed {client} for its silence"),
        WireEnd::Closed(ClosedBy::TakeOver) => format!("closed {client}: it connected anew"),
        _ => format!("connection of {client} ended"),
    };
    let at = match connection.end {
        WireEnd::Disconnect => connection.last_received,
        _ => connection.ended,
    };
    slice
        .event(
            connection.connected,
            "broker",
            format!("received CONNECT of {client}, with a will"),
        )
        .event(at, "broker", end)
}

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::testing::{Actor, actor, clean, holds, judged, violated};
    use rstest::rstest;
    use squall_devices::Qos;
    use squall_reports::Verdict;

    const INVARIANT: Invariant = Invariant::Will;

    const BEFORE: &str = "
        1 watcher connects
        1 watcher subscribes status/# qos1
        2 sensor connects
        2 broker accepts 1 sensor";

    fn cast() -> [Actor; 2] {
        let sensor = Actor {
            will: Some(("status/sensor", Qos::AtLeastOnce, false)),
            ..actor("sensor")
        };
        [sensor, actor("watcher")]
    }

    fn trace(after: &str) -> String {
        format!("{BEFORE}\n{after}")
    }

    #[rstest]
    #[case::gone("5 broker closed 1 peer\n6 watcher received will sensor qos1")]
    #[case::silent("5 broker closed 1 keep-alive\n6 watcher received will sensor qos1")]
    #[case::taken_over("5 broker closed 1 takeover\n6 watcher received will sensor qos1")]
    #[case::goodbye("5 broker got 1 DISCONNECT")]
    #[case::lost_and_sent_again(
        "5 broker closed 1 peer
         6 watcher lost
         7 watcher connects present
         8 watcher received will sensor qos1 dup"
    )]
    #[case::repeated(
        "5 broker closed 1 peer
         6 watcher received will sensor qos1
         7 watcher received will sensor qos1 dup"
    )]
    fn a_will_in_its_time_holds(#[case] after: &str) {
        holds(INVARIANT, &cast(), &trace(after));
    }

    #[rstest]
    #[case::published("6 watcher received will sensor qos1")]
    #[case::not_published("")]
    fn a_crash_of_the_server_leaves_it_open(#[case] after: &str) {
        let crash = trace(&format!("5 weather began server-crash\n{after}"));
        let guarantee = judged(INVARIANT, &cast(), &crash);
        assert_ne!(guarantee.verdict, Verdict::Violated, "{guarantee:#?}");
    }

    #[test]
    fn a_will_after_disconnect_is_found() {
        let after = trace("5 broker got 1 DISCONNECT\n6 watcher received will sensor qos1");
        insta::assert_snapshot!(violated(INVARIANT, &cast(), &after));
    }

    #[test]
    fn a_will_that_does_not_come_is_found() {
        insta::assert_snapshot!(violated(
            INVARIANT,
            &cast(),
            &trace("5 broker closed 1 peer")
        ));
    }

    #[rstest]
    #[case::while_connected("6 watcher received will sensor qos1")]
    #[case::twice(
        "5 broker closed 1 peer
         6 watcher received will sensor qos1
         7 watcher received will sensor qos1"
    )]
    fn a_will_too_many_is_found(#[case] after: &str) {
        violated(INVARIANT, &cast(), &trace(after));
    }

    #[test]
    fn whose_will_it_is_when_devices_share_a_client_identifier_is_open() {
        let twin = Actor {
            name: "twin",
            will: Some(("status/twin", Qos::AtLeastOnce, false)),
            ..cast()[0].clone()
        };
        let [sensor, watcher] = cast();
        let after = trace("5 broker closed 1 peer\n6 watcher received will twin qos1");
        let guarantee = judged(INVARIANT, &[sensor, watcher, twin], &after);
        assert_ne!(guarantee.verdict, Verdict::Violated, "{guarantee:#?}");
    }

    #[test]
    fn a_watcher_that_leaves_is_not_owed_it() {
        let cast = [cast()[0].clone(), clean("watcher")];
        holds(
            INVARIANT,
            &cast,
            &trace("5 broker closed 1 peer\n5.1 watcher vanished"),
        );
    }
}
