//! CONNACK says rightly whether there is a session (section 3.2.2.2).
//!
//! A session that was certainly stored is found again [MQTT311-3.2.2-2]: a
//! client was told of its connection without clean session, and none with this
//! client identifier has asked for a clean one since. None is found where there
//! can be none [MQTT311-3.2.2-3]: nobody asked for one that lasts. And none
//! ever with clean session set [MQTT311-3.2.2-1]. An attempt whose CONNACK did
//! not arrive leaves both open.
//!
//! In MQTT 5.0 a session may end by itself: it must not be found once it has
//! expired [MQTT5-4.1.0-2], and need not be if it may have.

use super::case::Case;
use super::history::{Connection, NEVER};
use super::judgement::{Judgement, Violations};
use super::slice::clock;
use crate::net::Nanos;
use squall_reports::{
    Violation,
    figures::{count, counted},
};

/// What the server keeps for a client identifier.
#[derive(Debug, Default, Clone, Copy)]
struct Stored {
    /// A session, certainly, since this connection was accepted.
    certainly: Option<u32>,
    /// Attempts without clean session since there certainly was none.
    attempts: u32,
    /// How often there certainly was none.
    cleared: u32,
}

/// A moment in the life of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Began,
    Accepted,
}

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let history = case.history;
    let mut stored = vec![Stored::default(); history.roster.clients()];
    // What was stored when each connection was begun.
    let mut before = vec![Stored::default(); history.connections.len()];
    let mut violations = Violations::default();
    let (mut accepted, mut resumed) = (0, 0);
    for (_, moment, index) in moments(&history.connections) {
        let connection = &history.connections[index as usize];
        let client = history.roster.client_of(connection.device);
        let clean = history.roster.role(connection.device).clean_session;
        let now = &mut stored[client as usize];
        match (moment, clean) {
            (Moment::Began, false) => {
                before[index as usize] = *now;
                now.attempts += 1;
            }
            (Moment::Began, true) => now.certainly = None,
            (Moment::Accepted, clean) => {
                accepted += 1;
                resumed += u64::from(connection.session_present);
                let then = before[index as usize];
                // What may have expired is not certainly there.
                let then = match connection.gap.expired {
                    Some(_) => Stored {
                        certainly: None,
                        ..then
                    },
                    None => then,
                };
                if let Some(wrong) = wrong(connection, clean, then, *now) {
                    violations.find(|| violation(case, index, wrong));
                }
                if clean {
                    now.attempts = 0;
                    now.cleared += 1;
                } else {
                    now.certainly = Some(index);
                }
            }
        }
    }
    if accepted == 0 {
        return Judgement::NotApplicable("no connection was accepted".to_owned());
    }
    Judgement::of(violations, |found| match found {
        0 => format!(
            "{}, {} with a session present, as it should be",
            counted(accepted, "connection"),
            count(resumed)
        ),
        found => format!(
            "{} of {} connections told wrongly whether there is a session",
            count(found),
            count(accepted)
        ),
    })
}

/// The beginnings and acceptances of all connections, in their order.
fn moments(connections: &[Connection]) -> Vec<(Nanos, Moment, u32)> {
    let began = connections.iter().zip(0u32..);
    let accepted = began.clone();
    let began = began.map(|(connection, index)| (connection.began, Moment::Began, index));
    let accepted = accepted
        .filter(|(connection, _)| connection.accepted != NEVER)
        .map(|(connection, index)| (connection.accepted, Moment::Accepted, index));
    let mut moments: Vec<_> = began.chain(accepted).collect();
    moments.sort_unstable();
    moments
}

#[derive(Debug, Clone, Copy)]
enum Wrong {
    /// One was found though a clean one was asked for.
    FoundClean,
    /// None was found though one was stored since this connection.
    NotFound(u32),
    /// One was found where none can be.
    Found,
    /// One was found that had expired at this time.
    Expired(Nanos),
}

fn wrong(connection: &Connection, clean: bool, then: Stored, now: Stored) -> Option<Wrong> {
    match (clean, connection.session_present) {
        (true, true) => Some(Wrong::FoundClean),
        (true, false) => None,
        (false, false) => {
            let lasted = then.certainly.filter(|_| now.certainly.is_some());
            lasted.map(Wrong::NotFound)
        }
        (false, true) if connection.gap.certain => connection.gap.expired.map(Wrong::Expired),
        (false, true) => {
            // Its own attempt, and no other's.
            let alone = then.attempts == 0 && now.attempts == 1 && then.cleared == now.cleared;
            alone.then_some(Wrong::Found)
        }
    }
}

fn violation(case: &Case<'_>, index: u32, wrong: Wrong) -> Violation {
    let history = case.history;
    let connection = &history.connections[index as usize];
    let name = history.roster.name(connection.device);
    let at = clock(connection.accepted);
    let slice = case
        .slice()
        .device(connection.began, connection.device, "began to connect")
        .connection(index);
    let (text, statement, slice) = match wrong {
        Wrong::FoundClean => (
            format!("{name} asked for a clean session, and was told at {at} that one is present"),
            "MQTT311-3.2.2-1",
            slice,
        ),
        Wrong::NotFound(before) => {
            let earlier = &history.connections[before as usize];
            (
                format!(
                    "{name} was told at {at} that it has no session; it had one since {}",
                    clock(earlier.accepted)
                ),
                "MQTT311-3.2.2-2",
                slice.connection(before),
            )
        }
        Wrong::Expired(expired) => (
            format!(
                "{name} was told at {at} of a session that had expired at {}",
                clock(expired)
            ),
            "MQTT5-4.1.0-2",
            slice,
        ),
        Wrong::Found => (
            format!("{name} was told at {at} of a session, and nobody had begun one"),
            "MQTT311-3.2.2-3",
            slice,
        ),
    };
    Violation {
        text: vec![text],
        statement: Some(statement.to_owned()),
        trace: slice.lines(),
        command: Some(case.run_command()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::testing::{Actor, actor, clean, holds, violated};
    use rstest::rstest;

    const INVARIANT: Invariant = Invariant::Session;

    fn cast() -> [Actor; 3] {
        let shared = |name| Actor {
            client: "sensor",
            ..clean(name)
        };
        [actor("sensor"), shared("twin"), clean("gauge")]
    }

    #[rstest]
    #[case::found_again("1 sensor connects\n2 sensor lost\n3 sensor connects present")]
    #[case::of_an_attempt_that_failed(
        "1 sensor connecting\n2 sensor failed\n3 sensor connects present"
    )]
    #[case::not_of_an_attempt_that_failed(
        "1 sensor connecting\n2 sensor failed\n3 sensor connects"
    )]
    #[case::ended_by_a_clean_one(
        "1 sensor connects\n2 sensor lost\n3 twin connects\n4 twin lost\n5 sensor connects"
    )]
    #[case::perhaps_ended_by_a_clean_one(
        "1 sensor connects\n2 sensor lost\n3 twin connecting\n4 twin failed\n5 sensor connects"
    )]
    #[case::clean_each_time("1 gauge connects\n2 gauge lost\n3 gauge connects")]
    fn what_is_there_is_found(#[case] trace: &str) {
        holds(INVARIANT, &cast(), trace);
    }

    /// Its session outlives a connection by 10 s.
    fn brief() -> [Actor; 1] {
        [Actor {
            session_expiry_s: Some(10),
            ..actor("sensor")
        }]
    }

    #[rstest]
    #[case::found_in_time(
        "1 broker accepts 1 sensor\n1 sensor connects
         2 broker closed 1 peer\n2 sensor lost
         8 broker accepts 2 sensor\n8 sensor connects present"
    )]
    #[case::not_found_later(
        "1 broker accepts 1 sensor\n1 sensor connects
         2 broker closed 1 peer\n2 sensor lost
         20 broker accepts 2 sensor\n20 sensor connects"
    )]
    #[case::at_the_very_time(
        "1 broker accepts 1 sensor\n1 sensor connects
         2 broker closed 1 peer\n2 sensor lost
         12 broker accepts 2 sensor\n12 sensor connects present"
    )]
    #[case::begun_anew_by_an_attempt_that_failed(
        "1 broker accepts 1 sensor\n1 sensor connects
         2 broker closed 1 peer\n2 sensor lost
         20 sensor connecting\n20 broker accepts 2 sensor
         21 broker closed 2 peer\n21 sensor failed
         22 broker accepts 3 sensor\n22 sensor connects present"
    )]
    fn a_session_lasts_until_it_expires(#[case] trace: &str) {
        holds(INVARIANT, &brief(), trace);
    }

    #[test]
    fn a_session_that_expired_too_early_is_found() {
        violated(
            INVARIANT,
            &brief(),
            "1 broker accepts 1 sensor\n1 sensor connects
             2 broker closed 1 peer\n2 sensor lost
             8 broker accepts 2 sensor\n8 sensor connects",
        );
    }

    #[test]
    fn a_session_that_does_not_expire_is_found() {
        insta::assert_snapshot!(violated(
            INVARIANT,
            &brief(),
            "1 broker accepts 1 sensor\n1 sensor connects
             2 broker closed 1 peer\n2 sensor lost
             20 broker accepts 2 sensor\n20 sensor connects present",
        ));
    }

    #[test]
    fn a_session_that_is_gone_is_found() {
        insta::assert_snapshot!(violated(
            INVARIANT,
            &cast(),
            "1 sensor connects
             2 sensor lost
             3 sensor connects"
        ));
    }

    #[rstest]
    #[case::never_begun("1 sensor connects present")]
    #[case::though_clean("1 gauge connects\n2 gauge lost\n3 gauge connects present")]
    #[case::after_a_clean_one(
        "1 sensor connects\n2 sensor lost\n3 twin connects\n4 twin lost\n5 sensor connects present"
    )]
    fn a_session_that_cannot_be_is_found(#[case] trace: &str) {
        violated(INVARIANT, &cast(), trace);
    }
}
