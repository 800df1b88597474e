//! What happened to readings that nobody promised anything about: those of a
//! plain WebSocket, and of HTTP.
//!
//! The invariants that can be stated of any clients are applied to them as well,
//! and what they find is a measurement, not a failure. But one: whatever carries
//! it, what arrives was published.

use super::case::Case;
use super::judgement::Judgement;
use super::{Invariant, guarantee};
use squall_reports::{Guarantee, Verdict};

/// What is measured, and what it is called where there is no QoS.
const MEASURED: [(Invariant, &str, &str); 4] = [
    (Invariant::Qos0AtMostOnce, "at-most-once", "at most once"),
    (Invariant::Qos1AtLeastOnce, "at-least-once", "at least once"),
    (Invariant::Order, "order", "order"),
    (Invariant::Liveness, "liveness", "liveness"),
];

/// What a server's clients saw, in the order of reports. What there is nothing
/// to say of is left out.
pub(super) fn judge(case: &Case<'_>, protocol: &str) -> Vec<Guarantee> {
    let named = |id: &str, name: &str, judged: Guarantee| Guarantee {
        id: format!("{}-{id}", protocol.to_ascii_lowercase()),
        name: format!("{protocol}: {name}"),
        statement: None,
        ..judged
    };
    let fabrication = Invariant::NoFabrication;
    let judged = guarantee(fabrication, fabrication.judge(case));
    let mut found = vec![named(fabrication.id(), fabrication.name(), judged)];
    for (invariant, id, name) in MEASURED {
        if let Judgement::Judged { summary, .. } = invariant.judge(case) {
            let measured = Guarantee {
                verdict: Verdict::Measured,
                ..guarantee(invariant, Judgement::NotApplicable(summary))
            };
            found.push(named(id, name, measured));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::testing::{actor, all_judged, clean};
    use crate::scenario::Server;
    use squall_reports::Verdict;

    /// What is said of a listener of a hub, mark and all.
    fn said(trace: &str) -> Vec<String> {
        let cast = [clean("sensor"), actor("listener")];
        let found = all_judged(Server::Hub, &cast, trace).into_iter();
        let lines = found.map(|one| format!("{:?} {} {}", one.verdict, one.id, one.summary));
        lines.collect()
    }

    const BEFORE: &str = "
        1 sensor connects
        1 listener connects
        1 listener subscribes a/# qos1
        2 sensor publishes 1 a/x qos1
        3 sensor acknowledged 1
        3 sensor publishes 2 a/x qos1
        4 sensor acknowledged 2";

    #[test]
    fn what_mqtt_would_forbid_is_a_measurement() {
        let found = said(&format!("{BEFORE}\n5 listener received sensor.2 qos1"));
        assert_eq!(
            found,
            [
                "Held websocket-no-fabrication 1 delivery match a publish byte for byte",
                "Measured websocket-at-least-once 1 of 2 owed deliveries arrived, 1 lost",
                "Measured websocket-order 1 delivery in 1 sequence of publisher, topic, QoS and \
                 subscriber",
                "Measured websocket-liveness 1 of 2 deliveries not there 10 s after it was due",
            ]
        );
    }

    #[test]
    fn what_was_never_published_breaks_a_promise_even_so() {
        let cast = [clean("sensor"), actor("listener")];
        let trace = format!("{BEFORE}\n5 listener received sensor.1 qos1 corrupt");
        let found = all_judged(Server::Hub, &cast, &trace);
        assert_eq!(found[0].verdict, Verdict::Violated, "{found:#?}");
        let others = found[1..].iter();
        let verdicts: Vec<_> = others.map(|one| one.verdict).collect();
        assert!(verdicts.iter().all(|one| *one == Verdict::Measured));
    }

    #[test]
    fn what_there_is_nothing_to_say_of_is_left_out() {
        let said = said("1 sensor connects");
        assert_eq!(
            said,
            ["NotApplicable websocket-no-fabrication nothing was delivered"]
        );
    }
}
