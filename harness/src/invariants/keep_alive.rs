//! A client that is silent for one and a half times its keep-alive time is
//! disconnected [MQTT311-3.1.2-24].
//!
//! Judged by when packets reached the server, which no client can know. A
//! server may look at its clocks once a second.

use super::case::Case;
use super::history::{NEVER, NONE, Silence, WireConnection, WireEnd};
use super::judgement::{Judgement, Violations};
use super::slice::clock;
use crate::net::{Nanos, SECOND};
use crate::trace::ClosedBy;
use squall_reports::{
    Violation,
    figures::{count, counted, duration, exact_duration},
};

/// How much later than due a server may notice.
const GRACE: Nanos = SECOND;

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let history = case.history;
    let mut violations = Violations::default();
    let (mut judged, mut closed, mut longest) = (0, 0, 0);
    for connection in &history.wire.connections {
        let Some(keep_alive) = keep_alive(case, connection) else {
            continue;
        };
        judged += 1;
        closed += u64::from(connection.end == WireEnd::Closed(ClosedBy::KeepAlive));
        let silence = longest_silence(case, connection);
        let bound = keep_alive + keep_alive / 2;
        let late = bound + GRACE + case.terms.tick;
        if silence.length() > late && !server_was_away(case, silence) {
            violations.find(|| violation(case, connection, silence, keep_alive));
        }
        longest = longest.max(silence.length());
    }
    if judged == 0 {
        return Judgement::NotApplicable("no connection had a keep-alive time".to_owned());
    }
    Judgement::of(violations, |found| match found {
        0 => format!(
            "{}, {} closed for their silence; the longest was {}",
            counted(judged, "connection"),
            count(closed),
            duration(longest)
        ),
        found => format!(
            "{} of {} connections silent for too long and not closed",
            count(found),
            count(judged)
        ),
    })
}

/// The keep-alive time that a connection must be held to.
fn keep_alive(case: &Case<'_>, connection: &WireConnection) -> Option<Nanos> {
    if connection.client == NONE || connection.answered == NEVER {
        return None;
    }
    case.history.roster.keep_alive(connection.client)
}

fn longest_silence(case: &Case<'_>, connection: &WireConnection) -> Silence {
    // One that is still open at the end has been silent since its last packet.
    let last = Silence {
        from: connection.last_received,
        until: case.terms.ended,
    };
    let open = connection.end == WireEnd::Open && connection.ended == NEVER;
    if open && last.length() > connection.silence.length() {
        last
    } else {
        connection.silence
    }
}

/// Whether the server was stopped or paused during a silence.
fn server_was_away(case: &Case<'_>, silence: Silence) -> bool {
    let mut faults = case.history.faults.iter();
    faults.any(|fault| {
        matches!(fault.kind, "server-crash" | "server-pause")
            && fault.began <= silence.until
            && silence.from <= fault.ended
    })
}

fn violation(
    case: &Case<'_>,
    connection: &WireConnection,
    silence: Silence,
    keep_alive: Nanos,
) -> Violation {
    let client = case.text(case.history.roster.client_id(connection.client));
    let slice = case
        .slice()
        .event(
            connection.connected,
            "broker",
            format!("received CONNECT of {client}"),
        )
        .event(
            silence.from,
            "broker",
            format!("received a packet of {client}, and then none"),
        );
    let slice = match connection.ended {
        NEVER => slice.event(case.terms.ended, "broker", "end of the run, not closed"),
        ended => slice.event(
            ended,
            "broker",
            format!("closed the connection of {client}"),
        ),
    };
    Violation {
        text: vec![
            format!(
                "{client} was silent from {} to {}, for {}",
                clock(silence.from),
                clock(silence.until),
                duration(silence.length())
            ),
            format!(
                "its keep-alive time is {}: it was to be disconnected after {}",
                exact_duration(keep_alive),
                exact_duration(keep_alive + keep_alive / 2)
            ),
        ],
        statement: None,
        trace: slice.lines(),
        command: Some(case.run_command()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::testing::{Actor, actor, holds, not_applicable, violated};
    use rstest::rstest;

    const INVARIANT: Invariant = Invariant::KeepAlive;

    fn cast() -> [Actor; 2] {
        let sensor = Actor {
            keep_alive_s: 10,
            ..actor("sensor")
        };
        [sensor, actor("recorder")]
    }

    #[rstest]
    #[case::closed("1 broker accepts 1 sensor\n16 broker closed 1 keep-alive")]
    #[case::closed_a_little_late("1 broker accepts 1 sensor\n16.9 broker closed 1 keep-alive")]
    #[case::never_silent(
        "1 broker accepts 1 sensor
         14 broker got 1 PINGREQ
         28 broker got 1 PINGREQ
         29 broker got 1 DISCONNECT"
    )]
    #[case::while_the_server_was_paused(
        "1 broker accepts 1 sensor
         10 weather began server-pause
         40 weather ended server-pause
         41 broker closed 1 keep-alive"
    )]
    #[case::ended_with_the_server("1 broker accepts 1 sensor\n10 weather began server-crash")]
    fn a_client_heard_in_time_or_closed_holds(#[case] trace: &str) {
        holds(INVARIANT, &cast(), trace);
    }

    #[test]
    fn silence_to_the_end_is_found() {
        insta::assert_snapshot!(violated(INVARIANT, &cast(), "1 broker accepts 1 sensor"));
    }

    #[test]
    fn silence_between_two_packets_is_found() {
        let late = "1 broker accepts 1 sensor\n20 broker got 1 PINGREQ\n21 broker got 1 DISCONNECT";
        violated(INVARIANT, &cast(), late);
    }

    #[test]
    fn without_keep_alive_a_client_may_be_silent() {
        not_applicable(INVARIANT, &cast(), "1 broker accepts 1 recorder");
    }
}
