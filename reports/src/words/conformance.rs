//! The words for a conformance run that its renderers share.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    conformance::{
        Case, Closing, Conclusion, Conformance, Decision, Exchange, ExchangeEvent, KnownFailure,
        LeftOut, Protocol, Standing, Tally,
    },
    figures::{self, NONE, count, counted},
    style::Tone,
};

/// Nanoseconds of a microsecond.
const US: u64 = 1_000;

/// The mark of a standing, and its tone.
pub(crate) fn standing_mark(standing: Standing) -> (&'static str, Tone) {
    match standing {
        Standing::Pass => ("✔", Tone::Good),
        Standing::Fail => ("✘", Tone::Bad),
        Standing::Known => ("✘", Tone::Dim),
        Standing::NonStrict => ("≈", Tone::Plain),
        Standing::Skip => (NONE, Tone::Dim),
        Standing::Error => ("!", Tone::Bad),
    }
}

/// What was tested: the target, and its version if it tells one.
pub(crate) fn tested(run: &Conformance) -> String {
    of_version(&run.target, &run.target_version)
}

fn of_version(target: &str, version: &str) -> String {
    match version {
        "" => target.to_owned(),
        version => format!("{target} {version}"),
    }
}

/// A broker that is not set beside the others, and why.
pub(crate) fn left_out(left_out: &LeftOut) -> String {
    let broker = of_version(&left_out.target, &left_out.target_version);
    format!("{broker} is left out: {}", left_out.why)
}

/// The protocols of the run: `MQTT 3.1.1 and 5.0`.
pub(crate) fn protocols(protocols: &[Protocol]) -> String {
    match protocols {
        [] => "no protocol".to_owned(),
        [Protocol::Mqtt311, Protocol::Mqtt5] => "MQTT 3.1.1 and 5.0".to_owned(),
        some => {
            let titles: Vec<_> = some.iter().map(|protocol| protocol.title()).collect();
            titles.join(", ")
        }
    }
}

/// How many checks the run has, in each protocol counted anew.
pub(crate) fn extent(run: &Conformance) -> String {
    let ended = run.cases.len() as u64;
    if run.partial {
        format!("{} of {}", count(ended), counted(run.planned, "check"))
    } else {
        counted(ended, "check")
    }
}

/// How many cases stand where, a phrase each; only those there are.
pub(crate) fn tally(tally: &Tally) -> Vec<(Tone, String)> {
    let phrase = |standing: Standing| {
        let number = tally.count(standing);
        let (mark, tone) = standing_mark(standing);
        let name = match standing {
            Standing::Pass | Standing::Fail => String::new(),
            Standing::Error if number != 1 => " errors".to_owned(),
            Standing::Skip => " skipped".to_owned(),
            other => format!(" {}", other.name()),
        };
        (number > 0).then(|| (tone, format!("{:>3} {mark}{name}", count(number))))
    };
    Standing::ALL.into_iter().filter_map(phrase).collect()
}

/// How many cases came to what, in words.
pub(crate) fn totals(tally: &Tally) -> String {
    let fails = tally.count(Standing::Fail) + tally.count(Standing::Known);
    let mut phrases = Vec::new();
    for standing in Standing::ALL {
        let number = match standing {
            Standing::Fail => fails,
            Standing::Known => 0,
            other => tally.count(other),
        };
        if number == 0 {
            continue;
        }
        let known = match (standing, tally.count(Standing::Known)) {
            (Standing::Fail, 1..) if number == tally.count(Standing::Known) => {
                " (known)".to_owned()
            }
            (Standing::Fail, known @ 1..) => format!(" ({} known)", count(known)),
            _ => String::new(),
        };
        phrases.push(format!("{} {}{known}", count(number), standing.name()));
    }
    phrases.join(" · ")
}

/// Whether there is news, in one line.
pub(crate) fn judgement(run: &Conformance) -> (Tone, String) {
    let tally = run.tally();
    let mut news = Vec::new();
    for (number, what) in [
        (tally.count(Standing::Fail), "new failure"),
        (run.fixed.len() as u64, "known failure"),
        (tally.count(Standing::Error), "check"),
    ] {
        let told = match what {
            "known failure" if number == 1 => "1 known failure is gone: strike it off".to_owned(),
            "known failure" => format!("{} are gone: strike them off", counted(number, what)),
            "check" => format!("{} could not be carried through", counted(number, what)),
            what => counted(number, what),
        };
        if number > 0 {
            news.push(told);
        }
    }
    let told = match (news.is_empty(), tally.count(Standing::Known)) {
        _ if run.cases.is_empty() => "nothing was checked".to_owned(),
        (true, 0) => "no failure".to_owned(),
        (true, _) => "no new failure".to_owned(),
        (false, _) => news.join(", "),
    };
    let tone = match (news.is_empty(), run.partial || run.cases.is_empty()) {
        (false, _) => Tone::Bad,
        (true, true) => Tone::Strong,
        (true, false) => Tone::Good,
    };
    if run.partial {
        let extent = extent(run);
        (
            tone,
            format!("interrupted after {extent}, up to then: {told}"),
        )
    } else {
        (tone, told)
    }
}

/// How a broker ended a connection that it had to end.
pub(crate) fn closing(closing: Closing) -> String {
    match closing {
        Closing::RightCode { code } => format!("reason code 0x{code:02x}, which fits"),
        Closing::WrongCode { code } => format!("reason code 0x{code:02x}, which does not fit"),
        Closing::NoCode => "no reason code, FIN".to_owned(),
        Closing::Reset => "no reason code, RST".to_owned(),
        Closing::StaysOpen => "the connection stays open".to_owned(),
    }
}

/// What a case that did not pass came to, a name and a text each.
pub(crate) fn findings(case: &Case) -> Vec<(&'static str, String)> {
    let mut findings = match &case.verdict {
        Conclusion::Pass => Vec::new(),
        Conclusion::Fail {
            expected, actual, ..
        }
        | Conclusion::NonStrict { expected, actual } => {
            vec![("expected", expected.clone()), ("actual", actual.clone())]
        }
        Conclusion::Skip { lacks } => vec![("lacks", lacks.clone())],
        Conclusion::Error { what } => vec![("error", what.clone())],
    };
    if let (Some(how), Conclusion::Fail { .. } | Conclusion::NonStrict { .. }) =
        (case.closing, &case.verdict)
    {
        findings.push(("closing", closing(how)));
    }
    if let Some(known) = &case.expected {
        findings.push(("known", known.reason.clone()));
    }
    findings
}

/// What a line of a list of known failures names.
pub(crate) fn known_failure(known: &KnownFailure) -> String {
    let named = [known.statement.as_deref(), known.check.as_deref()];
    named.into_iter().flatten().collect::<Vec<_>>().join(" in ")
}

/// A case that did not pass in one line: what was found, then what was expected.
pub(crate) fn in_short(case: &Case) -> String {
    match &case.verdict {
        Conclusion::Pass => String::new(),
        Conclusion::Fail {
            expected, actual, ..
        }
        | Conclusion::NonStrict { expected, actual } => {
            format!("{actual}; expected: {expected}")
        }
        Conclusion::Skip { lacks } => format!("the broker lacks {lacks}"),
        Conclusion::Error { what } => what.clone(),
    }
}

/// One step of a transcript, ready to be laid out.
pub(crate) struct Step {
    /// Seconds since the check began, to the microsecond.
    pub(crate) at: String,
    /// Who, with the number of the connection if the check has several of that
    /// name.
    pub(crate) client: String,
    /// `→` to the broker, `←` from it, `·` neither.
    pub(crate) arrow: &'static str,
    /// What happened, or what the bytes say.
    pub(crate) says: String,
    /// The bytes; empty if none were sent.
    pub(crate) hex: String,
}

/// The steps of a case.
pub(crate) fn steps(transcript: &[Exchange]) -> Vec<Step> {
    let mut connections: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for exchange in transcript {
        let of_name = connections.entry(&exchange.client).or_default();
        of_name.insert(exchange.connection);
    }
    let step = |exchange: &Exchange| {
        let of_name = connections.get(exchange.client.as_str());
        let client = match of_name.is_some_and(|connections| connections.len() > 1) {
            true => format!("{} #{}", exchange.client, exchange.connection),
            false => exchange.client.clone(),
        };
        let bytes = |hex: &str, bytes: u64, says: &str| {
            let says = match says {
                "" => "bytes",
                says => says,
            };
            (
                format!("{says} · {}", figures::bytes(bytes)),
                hex.to_owned(),
            )
        };
        let (arrow, (says, hex)) = match &exchange.event {
            ExchangeEvent::Sent {
                hex,
                bytes: n,
                says,
            } => ("→", bytes(hex, *n, says)),
            ExchangeEvent::Received {
                hex,
                bytes: n,
                says,
            } => ("←", bytes(hex, *n, says)),
            event => {
                let (arrow, says) = plain(event);
                (arrow, (says.to_owned(), String::new()))
            }
        };
        Step {
            at: seconds(exchange.at_ns),
            client,
            arrow,
            says,
            hex,
        }
    };
    transcript.iter().map(step).collect()
}

/// A step without bytes.
fn plain(event: &ExchangeEvent) -> (&'static str, &'static str) {
    match event {
        ExchangeEvent::Sent { .. } | ExchangeEvent::Received { .. } => ("·", "bytes"),
        ExchangeEvent::Opened => ("→", "opens the connection"),
        ExchangeEvent::Ended => ("←", "the broker ends the connection (FIN)"),
        ExchangeEvent::Reset => ("←", "the connection is reset (RST)"),
        ExchangeEvent::Closed => ("→", "ends the connection"),
        ExchangeEvent::Restarted => ("·", "the broker is restarted"),
    }
}

/// An instant of a check, in seconds to the microsecond.
fn seconds(at_ns: u64) -> String {
    let us = at_ns / US;
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// The steps of a case, a line each, and one for the bytes of those that have
/// any.
pub(crate) fn transcript(case: &Case) -> Vec<String> {
    let steps = steps(&case.transcript);
    let lines = steps.iter().flat_map(|step| {
        let Step {
            at,
            client,
            arrow,
            says,
            hex,
        } = step;
        let bytes = (!hex.is_empty()).then(|| format!("{:>12}{hex}", ""));
        [format!("{at:>10}  {client} {arrow} {says}")]
            .into_iter()
            .chain(bytes)
    });
    lines.collect()
}

/// The mark of a decision on a statement, and what it means.
pub(crate) fn decision(decision: Decision) -> (&'static str, &'static str) {
    match decision {
        Decision::Pass => ("✔", "kept"),
        Decision::NonStrict => ("≈", "kept, and not as it should be"),
        Decision::Fail => ("✘", "broken"),
        Decision::Skip => (NONE, "the broker lacks what it is about"),
        Decision::Error => ("!", "the check could not be carried through"),
        Decision::Open => ("?", "undecided"),
    }
}

/// Cases that waited because the specification says so, the longest first: for
/// how long, which, and for what.
pub(crate) fn waits(run: &Conformance) -> Vec<(u64, &Case, &str)> {
    let cases = run.cases.iter();
    let mut waits: Vec<_> = cases
        .flat_map(|case| {
            let waits = case.waits.iter();
            waits.map(move |wait| (wait.for_ns, case, wait.why.as_str()))
        })
        .collect();
    waits.sort_by_key(|(for_ns, ..)| std::cmp::Reverse(*for_ns));
    waits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::samples;

    #[test]
    fn the_judgement_says_what_is_new() {
        let mut run = samples::mosquitto();
        assert_eq!(
            judgement(&run).1,
            "1 new failure, 1 known failure is gone: strike it off, 1 check could not be carried \
             through"
        );
        assert_eq!(judgement(&samples::reference()).1, "no failure");
        run.fixed.clear();
        run.cases
            .retain(|case| case.expected.is_some() || matches!(case.verdict, Conclusion::Pass));
        assert_eq!(judgement(&run).1, "no new failure");
        run.cases.clear();
        assert_eq!(judgement(&run).1, "nothing was checked");
        assert_eq!(
            judgement(&samples::partial()).1,
            "interrupted after 2 of 7 checks, up to then: no failure"
        );
    }

    #[test]
    fn totals_say_how_many_failures_were_known() {
        assert_eq!(
            totals(&samples::mosquitto().tally()),
            "2 pass · 2 fail (1 known) · 1 non-strict · 1 skip · 1 error"
        );
        assert_eq!(totals(&samples::reference().tally()), "7 pass");
    }

    #[test]
    fn connections_of_one_name_are_told_apart() {
        let mut transcript = samples::mosquitto().cases[3].transcript.clone();
        assert_eq!(steps(&transcript)[0].client, "publisher");
        transcript[5].client = "publisher".to_owned();
        let clients: Vec<_> = steps(&transcript)
            .into_iter()
            .map(|step| step.client)
            .collect();
        assert_eq!(
            (&*clients[0], &*clients[5]),
            ("publisher #1", "publisher #2")
        );
    }
}
