//! Of a shared subscription one member gets each message (MQTT 5.0, section
//! 4.8.2).
//!
//! What was acknowledged at QoS 1 or 2 is owed to a group if all its members
//! were there from before it was sent until long enough after: a member that is
//! away may have been given it. And no two members get it, unless the server had
//! closed the connection of one of them meanwhile, at QoS 1; at QoS 2 not even
//! then [MQTT5-4.8.2-5].
//!
//! Members that are subscribed to a topic in another way too are not judged for
//! it: nobody can tell which subscription brought a message.

use super::case::Case;
use super::history::{Reading, Subscription};
use super::judgement::{Judgement, Violations};
use super::slice::clock;
use crate::net::Nanos;
use crate::trace::TextId;
use rustc_hash::FxHashMap;
use squall_devices::Qos;
use squall_reports::{
    Violation,
    figures::{count, counted},
};

const GROUP: &str = "MQTT5-4.8.2-5";

#[derive(Debug, Default)]
struct Found {
    owed: u64,
    open: u64,
    repeated: u64,
    violations: Violations,
}

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let mut found = Found::default();
    let mut members: FxHashMap<TextId, Vec<Member>> = FxHashMap::default();
    let mut arrived = Vec::new();
    for index in 0..case.history.readings.len() as u32 {
        let reading = case.reading(index);
        for filter in case.filters(reading.message.topic) {
            if case.is_shared(*filter) {
                arrived.clear();
                arrived.extend(arrivals(case, index, *filter));
                let members = members.entry(*filter).or_insert_with(|| of(case, *filter));
                found.compare(case, reading, *filter, members, &arrived);
            }
        }
    }
    if found.owed + found.open == 0 {
        return Judgement::NotApplicable("no message met a shared subscription".to_owned());
    }
    let Found {
        owed,
        open,
        repeated,
        violations,
    } = found;
    Judgement::of(violations, |found| {
        let mut text = match found {
            0 => format!(
                "{} certainly owed to a group, each to one member",
                counted(owed, "message")
            ),
            found => format!(
                "{} missing, or given to several members",
                counted(found, "message")
            ),
        };
        if open > 0 {
            text.push_str(&format!("; {} open", count(open)));
        }
        if repeated > 0 {
            text.push_str(&format!(
                "; {} to a second one too, as may be",
                count(repeated)
            ));
        }
        text
    })
}

/// One who shares a subscription.
struct Member<'a> {
    subscription: &'a Subscription,
    /// Until when the server may take it for one: it does not see at once that a
    /// client is gone.
    until: Nanos,
    /// Its client's connections as the server saw them, from CONNECT to end.
    connections: Vec<(Nanos, Nanos)>,
}

/// The members of a group, past ones too.
fn of<'a>(case: &Case<'a>, filter: TextId) -> Vec<Member<'a>> {
    let history = case.history;
    let member = |subscription: &'a Subscription| {
        let session = &history.sessions[subscription.session as usize];
        let stays = match session.clean {
            true => 0,
            false => history.roster.session_expiry(session.client),
        };
        let gone = subscription.possibly_until;
        let connections = history.wire.connections.iter();
        let connections: Vec<(Nanos, Nanos)> = connections
            .filter(|one| one.client == session.client && one.connected <= gone)
            .map(|one| (one.connected, one.ended))
            .collect();
        let ends = connections.iter();
        let ends = ends.map(|(_, ended)| ended.saturating_add(stays));
        Member {
            subscription,
            until: ends.fold(gone, Nanos::max),
            connections,
        }
    };
    case.subscriptions_to(filter).map(member).collect()
}

/// The deliveries of a reading to members of a group that have no other
/// subscription to its topic.
fn arrivals(case: &Case<'_>, reading: u32, filter: TextId) -> impl Iterator<Item = u32> {
    let topic = case.reading(reading).message.topic;
    case.arrivals(reading)
        .iter()
        .copied()
        .filter(move |delivery| {
            let mut matching = case.matching(case.session(*delivery), topic).peekable();
            matching.peek().is_some() && matching.all(|one| one.filter == filter)
        })
}

impl Found {
    fn compare(
        &mut self,
        case: &Case<'_>,
        reading: &Reading,
        filter: TextId,
        members: &[Member<'_>],
        arrived: &[u32],
    ) {
        let qos = reading.message.qos;
        if let [first, others @ ..] = arrived {
            let session = case.session(*first);
            let second = others.iter().find(|other| case.session(**other) != session);
            if let Some(second) = second {
                let left = passed_on(case, reading, session, *second);
                self.repeated += u64::from(left);
                if !left {
                    self.violations
                        .find(|| twice(case, reading, *first, *second));
                }
            }
        }
        match due(case, reading, members) {
            Some(due) => {
                self.owed += 1;
                if arrived.is_empty() {
                    self.violations.find(|| missing(case, reading, filter, due));
                }
            }
            None => self.open += u64::from(qos > Qos::AtMostOnce),
        }
    }
}

/// Whether two members may have got a message at QoS 1: its publisher sent it
/// twice; or the server had closed the connection of one of them meanwhile, and
/// with it an acknowledgement was lost. Who got it last may have been given it
/// first, and the network been slow.
fn passed_on(case: &Case<'_>, reading: &Reading, from: u32, delivery: u32) -> bool {
    let members = [from, case.session(delivery)];
    let clients = members.map(|session| case.history.sessions[session as usize].client);
    let delivery = case.delivery(delivery);
    let meanwhile = reading.first_sent..=delivery.at;
    let mut connections = case.history.wire.connections.iter();
    reading.message.qos.min(delivery.qos) == Qos::AtLeastOnce
        && (reading.sends > 1
            || connections
                .any(|one| clients.contains(&one.client) && meanwhile.contains(&one.ended)))
}

/// When a group was to have a reading at the latest, if it certainly was.
fn due(case: &Case<'_>, reading: &Reading, members: &[Member<'_>]) -> Option<Nanos> {
    let acknowledged = reading.acknowledged()?;
    if reading.message.qos == Qos::AtMostOnce || reading.message.payload_bytes == 0 {
        return None;
    }
    let due = acknowledged
        .max(case.cleared)
        .checked_add(case.terms.settle)?;
    if due > case.terms.ended || due > case.expires(reading) {
        return None;
    }
    let topic = reading.message.topic;
    let mut there = 0;
    for member in members {
        let subscription = member.subscription;
        if member.until < reading.first_sent || subscription.possibly_from > due {
            continue;
        }
        let mut matching = case.matching(subscription.session, topic);
        // One that comes meanwhile may get it, too.
        if !was_there(case, member, reading.first_sent, due)
            || matching.any(|other| other.filter != subscription.filter)
        {
            return None;
        }
        there += 1;
    }
    (there > 0).then_some(due)
}

/// Whether a member was subscribed and connected for all of a time, as both it
/// and the server saw it, at a QoS at which nothing is lost.
fn was_there(case: &Case<'_>, member: &Member<'_>, from: Nanos, until: Nanos) -> bool {
    let subscription = member.subscription;
    let served = member.connections.iter();
    let mut served = served.filter(|(connected, ended)| *connected <= from && *ended >= until);
    let mut connections = case.connections_of(subscription.session).iter();
    subscription.certainly_from <= from
        && subscription.certainly_until >= until
        && subscription.granted > Some(Qos::AtMostOnce)
        && served.next().is_some()
        && connections.any(|index| {
            let connection = &case.history.connections[*index as usize];
            connection.accepted <= from && connection.ended >= until
        })
}

fn missing(case: &Case<'_>, reading: &Reading, filter: TextId, due: Nanos) -> Violation {
    let mut slice = case.slice().reading(reading);
    for subscription in case.subscriptions_to(filter) {
        slice = slice.subscription(subscription);
    }
    Violation {
        text: vec![format!(
            "nobody of {} received reading {}, acknowledged at {}, by {}",
            case.text(filter),
            reading.id,
            clock(reading.settled),
            clock(due)
        )],
        statement: Some("MQTT5-4.3.2-1".to_owned()),
        trace: slice.lines(),
        command: Some(case.trace_command(reading)),
    }
}

fn twice(case: &Case<'_>, reading: &Reading, first: u32, second: u32) -> Violation {
    let history = case.history;
    let (first, second) = (case.delivery(first), case.delivery(second));
    let name = |delivery| history.roster.name(history.receiver(delivery));
    Violation {
        text: vec![format!(
            "{} received reading {} at {}, and {} of the same group at {}",
            name(first),
            reading.id,
            clock(first.at),
            name(second),
            clock(second.at)
        )],
        statement: Some(GROUP.to_owned()),
        trace: case
            .slice()
            .reading(reading)
            .delivery(first)
            .delivery(second)
            .connection(first.connection)
            .lines(),
        command: Some(case.trace_command(reading)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::testing::{Actor, actor, clean, holds, not_applicable, violated};
    use rstest::rstest;

    const INVARIANT: Invariant = Invariant::SharedSubscription;

    fn cast() -> [Actor; 3] {
        [actor("sensor"), actor("left"), actor("right")]
    }

    const MEMBERS: &str = "
        1 sensor connects
        1 broker accepts 1 left
        1 left connects
        1 left subscribes $share/g/a/# qos2
        1 broker accepts 2 right
        1 right connects
        1 right subscribes $share/g/a/# qos2";

    fn trace(qos: u8, after: &str) -> String {
        format!("{MEMBERS}\n2 sensor publishes 1 a/x qos{qos}\n3 sensor acknowledged 1\n{after}")
    }

    #[rstest]
    #[case::to_one(
        "4 left received sensor.1 qos1",
        "1 message certainly owed to a group, each to one member"
    )]
    #[case::to_one_twice(
        "4 left received sensor.1 qos1\n5 left received sensor.1 qos1 dup",
        "1 message certainly owed to a group, each to one member"
    )]
    #[case::passed_on(
        "4 left received sensor.1 qos1\n5 broker closed 1 peer\n5 left lost\n6 right received sensor.1 qos1",
        "0 messages certainly owed to a group, each to one member; 1 open; 1 to a second one too, as may be"
    )]
    #[case::passed_on_by_one_whose_own_was_under_way(
        "3 broker closed 2 keep-alive\n4 left received sensor.1 qos1\n5 right received sensor.1 qos1\n5.1 right lost",
        "0 messages certainly owed to a group, each to one member; 1 open; 1 to a second one too, as may be"
    )]
    #[case::sent_twice_by_its_publisher(
        "2.5 sensor sent 1 dup\n4 left received sensor.1 qos1\n5 right received sensor.1 qos1",
        "1 message certainly owed to a group, each to one member; 1 to a second one too, as may be"
    )]
    #[case::with_one_whom_the_server_had_lost(
        "1.9 broker closed 2 keep-alive",
        "0 messages certainly owed to a group, each to one member; 1 open"
    )]
    #[case::with_one_who_was_away(
        "4 left lost",
        "0 messages certainly owed to a group, each to one member; 1 open"
    )]
    fn a_message_to_one_member_holds(#[case] after: &str, #[case] says: &str) {
        assert_eq!(holds(INVARIANT, &cast(), &trace(1, after)), says);
    }

    #[test]
    fn a_message_to_two_members_is_found() {
        let both = "4 left received sensor.1 qos1\n5 right received sensor.1 qos1";
        insta::assert_snapshot!(violated(INVARIANT, &cast(), &trace(1, both)));
    }

    #[test]
    fn what_is_passed_on_at_qos_2_is_found() {
        let after = "4 left received sensor.1 qos2\n5 left lost\n6 right received sensor.1 qos2";
        violated(INVARIANT, &cast(), &trace(2, after));
    }

    #[test]
    fn a_message_to_nobody_is_found() {
        insta::assert_snapshot!(violated(INVARIANT, &cast(), &trace(1, "")));
    }

    #[test]
    fn a_member_that_the_server_takes_to_be_there_may_have_it() {
        let cast = [actor("sensor"), clean("left"), actor("right")];
        let gone = |closed: u32| {
            format!(
                "{MEMBERS}
                 1.5 left vanished
                 {closed} broker closed 1 keep-alive
                 30 sensor publishes 1 a/x qos1
                 31 sensor acknowledged 1"
            )
        };
        let summary = holds(INVARIANT, &cast, &gone(40));
        assert!(summary.ends_with("1 open"), "{summary}");
        violated(INVARIANT, &cast, &gone(20));
    }

    #[test]
    fn a_subscription_alone_is_not_judged() {
        not_applicable(
            INVARIANT,
            &cast(),
            "1 sensor connects
             1 left connects
             1 left subscribes a/# qos1
             2 sensor publishes 1 a/x qos1
             3 sensor acknowledged 1",
        );
    }
}
