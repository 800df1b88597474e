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
//!
//! In MQTT 5.0 a will may have to wait: it is due once its delay is over or its
//! session, whichever comes first [MQTT5-3.1.2-8], and not at all if its client
//! is back by then [MQTT5-3.1.3-9]. One that waits while the server crashes may
//! or may not be published.

use super::case::Case;
use super::history::{Content, Delivery, NEVER, NONE, Will, WireConnection, WireEnd};
use super::judgement::{Judgement, Violations};
use super::slice::{Slice, clock};
use crate::net::{Nanos, SECOND};
use crate::trace::{ClosedBy, TextId};
use rustc_hash::FxHashMap;
use squall_devices::Qos;
use squall_reports::{
    Violation,
    figures::{count, counted},
};

const DUE: &str = "MQTT311-3.1.2-8";
const REMOVED: &str = "MQTT311-3.14.4-3";
const DELAYED: &str = "MQTT5-3.1.2-8";
const BACK: &str = "MQTT5-3.1.3-9";

/// A server may look at its clocks once a second.
const GRACE: Nanos = SECOND;

/// A will's topic and payload, which is all that a delivery shows of it.
type Key = (TextId, u32, u64);

/// What is known of wills that look alike.
struct Kind {
    will: Will,
    clients: Vec<u32>,
    /// The ends of connections with it, ordered by the time it was due.
    ends: Vec<End>,
    /// Whether several wills of different QoS look alike.
    mixed: bool,
    /// Whether one of its clients has other wills too, or none on some of its
    /// devices: nobody can tell which of them a connection had.
    contested: bool,
}

/// The end of a connection that had a will.
#[derive(Debug, Clone, Copy)]
struct End {
    /// When its will was due; the earliest, if that is open.
    due: Nanos,
    fires: Fires,
    /// Its index.
    connection: u32,
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
        for end in &kind.ends {
            let connection = &history.wire.connections[end.connection as usize];
            fired += u64::from(end.fires == Fires::Yes);
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
        kind.mixed |= kind.will.qos != will.qos
            || kind.will.retain != will.retain
            || kind.will.delay != will.delay
            || will.expires;
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
    let returns = returns(case);
    for (connection, index) in history.wire.connections.iter().zip(0u32..) {
        if connection.answered != NEVER
            && let Some(place) = by_client.get(&connection.client)
        {
            let kind = &mut kinds[*place].1;
            let returns = returns
                .get(&connection.client)
                .map_or(&[][..], Vec::as_slice);
            let end = end(case, connection, index, kind.will.delay, returns);
            kind.ends.push(end);
        }
    }
    for (_, kind) in &mut kinds {
        kind.ends.sort_by_key(|end| (end.due, end.connection));
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

/// When each client with a will connected, if any will has to wait.
fn returns(case: &Case<'_>) -> FxHashMap<u32, Vec<Nanos>> {
    let history = case.history;
    let mut returns: FxHashMap<u32, Vec<Nanos>> = FxHashMap::default();
    let wills = history.roster.wills();
    if wills.iter().all(|(_, will)| will.delay == 0) {
        return returns;
    }
    for connection in &history.wire.connections {
        if connection.answered != NEVER {
            let of_client = returns.entry(connection.client).or_default();
            of_client.push(connection.connected);
        }
    }
    returns.values_mut().for_each(|times| times.sort_unstable());
    returns
}

/// When the will of a connection was due, if at all.
fn end(
    case: &Case<'_>,
    connection: &WireConnection,
    index: u32,
    delay: Nanos,
    returns: &[Nanos],
) -> End {
    let history = case.history;
    let at_once = End {
        due: connection.ended,
        fires: fires(connection),
        connection: index,
    };
    if delay == 0 || at_once.fires != Fires::Yes {
        return at_once;
    }
    let due = connection.ended.saturating_add(delay);
    let mut crashes = history.faults.iter();
    if crashes.any(|fault| {
        fault.kind == "server-crash" && (connection.ended..=due).contains(&fault.began)
    }) {
        let fires = Fires::Maybe;
        return End { fires, ..at_once };
    }
    let back = returns.iter().find(|at| **at > connection.connected);
    match back.copied() {
        // A clean start ends the session that the will belongs to.
        Some(back) if back < due && history.roster.asks_for_clean(connection.client) => End {
            due: back,
            ..at_once
        },
        Some(back) if back.saturating_add(GRACE) < due => {
            let fires = Fires::No;
            End { fires, ..at_once }
        }
        Some(back) if back < due.saturating_add(GRACE) => {
            let fires = Fires::Maybe;
            End { fires, ..at_once }
        }
        _ => End { due, ..at_once },
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
        let reasons = kind
            .ends
            .iter()
            .filter(|end| (since..=delivery.at).contains(&end.due) && end.fires != Fires::No);
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
    let connection_of = |end: &End| &history.wire.connections[end.connection as usize];
    let over = || {
        let ends = kind.ends.iter().rev();
        ends.filter(|end| connection_of(end).ended <= delivery.at)
    };
    let removed = over().find(|end| connection_of(end).end == WireEnd::Disconnect);
    let waiting = over().find(|end| end.due > delivery.at);
    let back =
        over().find(|end| end.fires == Fires::No && connection_of(end).end != WireEnd::Disconnect);
    let client = client(case, kind);
    let mut text = vec![format!(
        "{receiver} received the will of {client} at {}",
        clock(delivery.at)
    )];
    let mut slice = case.slice().delivery(delivery);
    let statement = match (removed, waiting, back) {
        (_, Some(end), _) => {
            text.push(format!("it was to wait until {}", clock(end.due)));
            slice = slice_of(slice, case, connection_of(end));
            DELAYED
        }
        (_, _, Some(end)) => {
            text.push(format!("{client} was back before its delay was over"));
            slice = slice_of(slice, case, connection_of(end));
            BACK
        }
        (Some(end), ..) => {
            let connection = connection_of(end);
            text.push(format!(
                "the DISCONNECT of {client} had reached the server at {}",
                clock(connection.last_received)
            ));
            slice = slice_of(slice, case, connection);
            REMOVED
        }
        (None, None, None) => {
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
        for end in &kind.ends {
            let connection = &history.wire.connections[end.connection as usize];
            if end.fires != Fires::Yes || !entitled(case, kind, session, end.due) {
                continue;
            }
            owed += 1;
            while arrived.next_if(|at| *at < end.due).is_some() {}
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
fn entitled(case: &Case<'_>, kind: &Kind, session: u32, published: Nanos) -> bool {
    let history = case.history;
    let from = published.max(case.cleared);
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
            && !case.is_shared(subscription.filter)
            && subscription.certainly_from <= published
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

    /// A will that waits for 10 s.
    fn patient() -> [Actor; 2] {
        let [sensor, watcher] = cast();
        let sensor = Actor {
            will_delay_s: 10,
            ..sensor
        };
        [sensor, watcher]
    }

    #[rstest]
    #[case::after_its_delay("5 broker closed 1 peer\n15 watcher received will sensor qos1")]
    #[case::back_in_time("5 broker closed 1 peer\n8 broker accepts 2 sensor")]
    #[case::crashed_meanwhile("5 broker closed 1 peer\n8 weather began server-crash")]
    fn a_will_that_waited_holds(#[case] after: &str) {
        let guarantee = judged(INVARIANT, &patient(), &trace(after));
        assert_ne!(guarantee.verdict, Verdict::Violated, "{guarantee:#?}");
    }

    #[test]
    fn a_will_that_did_not_wait_is_found() {
        let early = trace("5 broker closed 1 peer\n6 watcher received will sensor qos1");
        insta::assert_snapshot!(violated(INVARIANT, &patient(), &early));
    }

    #[test]
    fn a_will_of_a_client_that_was_back_is_found() {
        let back = trace(
            "5 broker closed 1 peer
             8 broker accepts 2 sensor
             15 watcher received will sensor qos1",
        );
        insta::assert_snapshot!(violated(INVARIANT, &patient(), &back));
    }

    #[test]
    fn a_will_that_never_comes_after_its_delay_is_found() {
        violated(INVARIANT, &patient(), &trace("5 broker closed 1 peer"));
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
