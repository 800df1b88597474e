//! The words and tables that the terminal and Markdown share.

use crate::{
    bytes::{Layer, per_reading},
    figures::{self, NONE, clock, count, counted, duration, exact_duration, percent},
    layout::clean,
    model::{
        Arrived, Connections, Counts, FaultSpan, Guarantee, Latency, PacketCounts, Report,
        SiteWeather, Verdict,
    },
    style::Tone,
    summary::{Outcome, Summary},
    table::{Cell, Column, Table},
};

pub(crate) mod claims;
pub(crate) mod comparison;
pub(crate) mod conformance;
pub(crate) mod diff;
pub(crate) mod tables;

/// How many devices at how many sites, and how many servers.
pub(crate) fn size(report: &Report) -> String {
    format!(
        "{}, {}, {}",
        counted(report.devices, "device"),
        counted(report.sites, "site"),
        counted(report.servers, "server")
    )
}

/// How much virtual time the run covers.
pub(crate) fn extent(report: &Report) -> String {
    let planned = exact_duration(report.duration_ns);
    if report.partial {
        format!("{} of {planned}", duration(report.ended_ns))
    } else {
        planned
    }
}

/// Whether it held, in one line.
pub(crate) fn verdict(report: &Report) -> String {
    let guarantees = |verdict| {
        let of_verdict = |guarantee: &&Guarantee| guarantee.verdict == verdict;
        report.guarantees.iter().filter(of_verdict).count() as u64
    };
    let (met, unmet): (Vec<_>, Vec<_>) = report
        .expectations
        .iter()
        .partition(|expectation| expectation.held);
    let (met, unmet) = (met.len() as u64, unmet.len() as u64);
    let mut wrong = Vec::new();
    match guarantees(Verdict::Violated) {
        0 => {}
        violated => wrong.push(format!("{} violated", counted(violated, "guarantee"))),
    }
    if unmet > 0 {
        let yet = if report.partial { " yet" } else { "" };
        wrong.push(format!("{} not met{yet}", counted(unmet, "expectation")));
    }
    let verdict = if wrong.is_empty() {
        all_held(guarantees(Verdict::Held), met)
    } else {
        wrong.join(", ")
    };
    if report.partial {
        let ended = clock(report.ended_ns);
        format!("interrupted at {ended}, up to then: {verdict}")
    } else {
        verdict
    }
}

fn all_held(guarantees: u64, expectations: u64) -> String {
    let held: Vec<String> = [(guarantees, "guarantee"), (expectations, "expectation")]
        .into_iter()
        .filter(|&(number, _)| number > 0)
        .map(|(number, noun)| counted(number, noun))
        .collect();
    if held.is_empty() {
        "nothing was checked".to_owned()
    } else {
        format!("all held: {}", held.join(", "))
    }
}

/// The mark of a verdict, and its tone.
pub(crate) fn mark(verdict: Verdict) -> (&'static str, Tone) {
    match verdict {
        Verdict::Held => ("✔", Tone::Good),
        Verdict::Violated => ("✘", Tone::Bad),
        Verdict::NotApplicable => (NONE, Tone::Dim),
        Verdict::Measured => ("≈", Tone::Plain),
    }
}

/// Faults that struck the same more often than this are one row.
const OCCURRENCES_MAX: usize = 4;

/// A fault in words, or one that came again and again.
pub(crate) struct FaultRow {
    /// When it was, from first to last.
    pub(crate) when: String,
    /// Its kind.
    pub(crate) kind: String,
    /// What it struck.
    pub(crate) target: String,
    /// What it did.
    pub(crate) effect: String,
}

/// The faults in the order of their beginning; one that came again and again
/// stands where it first began.
pub(crate) fn faults(faults: &[FaultSpan]) -> Vec<FaultRow> {
    let same =
        |one: &FaultSpan, other: &FaultSpan| one.kind == other.kind && one.target == other.target;
    let mut rows = Vec::new();
    for (index, fault) in faults.iter().enumerate() {
        let alike: Vec<&FaultSpan> = faults.iter().filter(|other| same(fault, other)).collect();
        if alike.len() <= OCCURRENCES_MAX {
            rows.push(FaultRow {
                when: when(fault),
                kind: fault.kind.clone(),
                target: fault.target.clone(),
                effect: fault.effect.clone(),
            });
        } else if !faults[..index].iter().any(|earlier| same(fault, earlier)) {
            rows.push(again_and_again(&alike));
        }
    }
    rows
}

fn again_and_again(alike: &[&FaultSpan]) -> FaultRow {
    let first = alike[0];
    let open = alike.iter().any(|fault| fault.ended_ns.is_none());
    let ended_ns = alike.iter().filter_map(|fault| fault.ended_ns).max();
    let lasted = alike
        .iter()
        .filter_map(|fault| Some(fault.ended_ns? - fault.began_ns))
        .sum();
    let times = format!("{} times", count(alike.len() as u64));
    FaultRow {
        when: when(&FaultSpan {
            ended_ns: ended_ns.filter(|_| !open),
            ..first.clone()
        }),
        kind: first.kind.clone(),
        target: first.target.clone(),
        effect: match lasted {
            0 => times,
            lasted => format!("{times}, {} in all", duration(lasted)),
        },
    }
}

/// When a fault was.
fn when(fault: &FaultSpan) -> String {
    let began = clock(fault.began_ns);
    match fault.ended_ns {
        None => format!("{began} ─ end of run"),
        Some(ended) if ended == fault.began_ns => began,
        Some(ended) => format!("{began} ─ {}", clock(ended)),
    }
}

/// What a site's links did to its packets in both directions: how many were
/// lost, then why, and what else befell them, one phrase each.
pub(crate) fn link_effect(site: &SiteWeather) -> (String, Vec<String>) {
    let sent = site.up.sent + site.down.sent;
    let lost = site.up.lost_total() + site.down.lost_total();
    let headline = if sent == 0 {
        "no packets".to_owned()
    } else if lost == 0 {
        format!("{}, none lost", counted(sent, "packet"))
    } else {
        format!(
            "{} of {} lost ({})",
            count(lost),
            counted(sent, "packet"),
            percent(lost, sent)
        )
    };
    let mut both = site.up.clone();
    for (cause, number) in &site.down.lost {
        *both.lost.entry(cause.clone()).or_default() += number;
    }
    both.duplicated += site.down.duplicated;
    both.reordered += site.down.reordered;
    let mut details = if both.lost.len() > 1 {
        causes(&both)
    } else {
        Vec::new()
    };
    for (number, what) in [
        (both.duplicated, "duplicated"),
        (both.reordered, "reordered"),
    ] {
        if number > 0 {
            details.push(format!("{} {what}", count(number)));
        }
    }
    (headline, details)
}

/// Why packets were lost, and how many for each reason.
pub(crate) fn causes(packets: &PacketCounts) -> Vec<String> {
    packets
        .lost
        .iter()
        .filter(|&(_, &number)| number > 0)
        .map(|(cause, &number)| format!("{} {}", clean(cause), count(number)))
        .collect()
}

/// How connecting went, a phrase each.
pub(crate) fn connections(connections: &Connections) -> Vec<String> {
    if connections.attempts == 0 {
        return vec!["none attempted".to_owned()];
    }
    let mut phrases = vec![format!(
        "{} of {} established",
        count(connections.established),
        counted(connections.attempts, "attempt")
    )];
    let mut some = |number: u64, what: &str| {
        if number > 0 {
            phrases.push(format!("{} {what}", count(number)));
        }
    };
    some(connections.refused, "refused");
    for (reason, &number) in &connections.failed {
        some(number, &clean(reason));
    }
    some(connections.taken_over, "taken over");
    some(connections.closed_by_keep_alive, "closed by keep-alive");
    some(connections.sessions_resumed, "resumed a session");
    phrases
}

/// What each subscribing fleet received, a phrase each.
pub(crate) fn receivers(arrived: &Arrived) -> Vec<String> {
    arrived
        .receivers
        .iter()
        .map(|receiver| {
            let mut phrase = format!("{} {}", clean(&receiver.fleet), count(receiver.received));
            let notable: Vec<String> = [
                (receiver.retained, "retained"),
                (receiver.duplicated, "repeated"),
            ]
            .into_iter()
            .filter(|&(number, _)| number > 0)
            .map(|(number, what)| format!("{} {what}", count(number)))
            .collect();
            if !notable.is_empty() {
                phrase.push_str(&format!(" ({})", notable.join(", ")));
            }
            phrase
        })
        .collect()
}

/// Readings per fleet and QoS, and their total if there is more than one row.
pub(crate) fn arrived_table(arrived: &Arrived) -> Table {
    let mut table = Table::new([
        Column::text("fleet"),
        Column::figure("QoS"),
        Column::figure("published"),
        Column::figure("acknowledged").optional(1),
        Column::figure("owed").optional(3),
        Column::figure("delivered"),
        Column::figure("lost"),
        Column::figure("twice").optional(2),
    ]);
    let mut row = |name: &str, qos: Option<u8>, counts: &Counts| {
        // At QoS 0 nothing is acknowledged, which is not the same as none.
        let acknowledged = match qos {
            Some(0) => NONE.to_owned(),
            _ => count(counts.acknowledged),
        };
        let lost = if counts.lost > 0 {
            Tone::Bad
        } else {
            Tone::Plain
        };
        table.row([
            Cell::plain(name),
            Cell::plain(qos.map_or(String::new(), |qos| qos.to_string())),
            Cell::plain(count(counts.published)),
            Cell::plain(acknowledged),
            Cell::plain(count(counts.owed)),
            Cell::plain(count(counts.delivered)),
            Cell::new(lost, count(counts.lost)),
            Cell::plain(count(counts.duplicated)),
        ]);
    };
    for flow in &arrived.flows {
        row(&flow.fleet, Some(flow.qos), &flow.counts);
    }
    if arrived.flows.len() > 1 {
        row("total", None, &arrived.total);
    }
    table
}

/// Latency per fleet and QoS, and of all if there is more than one row.
pub(crate) fn latency_table(arrived: &Arrived) -> Table {
    let mut table = Table::new([
        Column::text("fleet"),
        Column::figure("QoS"),
        Column::figure("min").optional(2),
        Column::figure("p50"),
        Column::figure("p95").optional(1),
        Column::figure("p99"),
        Column::figure("max"),
    ]);
    let mut row = |name: &str, qos: String, latency: &Option<Latency>| {
        let figure = |read: fn(&Latency) -> u64| {
            let text = latency.as_ref().map(|latency| duration(read(latency)));
            Cell::plain(text.unwrap_or_else(|| NONE.to_owned()))
        };
        table.row([
            Cell::plain(name),
            Cell::plain(qos),
            figure(|latency| latency.latency_ns_min),
            figure(|latency| latency.latency_ns_p50),
            figure(|latency| latency.latency_ns_p95),
            figure(|latency| latency.latency_ns_p99),
            figure(|latency| latency.latency_ns_max),
        ]);
    };
    for flow in &arrived.flows {
        row(&flow.fleet, flow.qos.to_string(), &flow.latency);
    }
    if arrived.flows.len() > 1 {
        row("all", String::new(), &arrived.latency);
    }
    table
}

/// What went over the wire in all, and per delivered reading.
pub(crate) fn bytes_headline(report: &Report) -> String {
    let bytes = &report.bytes;
    let all = format!(
        "{} in {}: {} up, {} down",
        figures::bytes(bytes.on_wire()),
        counted(bytes.packets(), "packet"),
        figures::bytes(bytes.on_wire_up),
        figures::bytes(bytes.on_wire_down)
    );
    match report.bytes_per_reading() {
        Some(each) => format!("{} B per delivered reading · {all}", count(each)),
        None => all,
    }
}

/// How long radios were on, per delivered reading and in all; `None` if there are
/// none.
pub(crate) fn radio_headline(report: &Report) -> Option<String> {
    let radio = report.radio_time()?;
    let all = format!(
        "{} in all: {} up, {} down",
        duration(radio.both_ns()),
        duration(radio.up_ns),
        duration(radio.down_ns)
    );
    Some(match report.radio_ns_per_reading() {
        Some(each) => format!("radio on {} per delivered reading · {all}", duration(each)),
        None => format!("radio on {all}"),
    })
}

/// The layers on which anything was spent.
pub(crate) fn layers(report: &Report) -> impl Iterator<Item = Layer> {
    Layer::ALL
        .into_iter()
        .filter(|&layer| report.bytes.both(layer) > 0)
}

/// What `layer` counts, in a phrase: of MQTT's packets alone where a run had no
/// WebSocket.
pub(crate) fn layer_explanation(report: &Report, layer: Layer) -> &'static str {
    if report.bytes.both(Layer::WebSocket) > 0 {
        return layer.explanation();
    }
    match layer {
        Layer::Acknowledgements => "PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK",
        Layer::Connecting => "CONNECT, CONNACK, AUTH, DISCONNECT",
        Layer::KeepAlive => "PINGREQ, PINGRESP",
        _ => layer.explanation(),
    }
}

/// Bytes of `layer` per delivered reading; of the whole run if none was delivered.
pub(crate) fn layer_cost(report: &Report, layer: Layer) -> String {
    let spent = report.bytes.both(layer);
    match per_reading(spent, report.arrived.total.delivered) {
        Some(0) if spent > 0 => "<1 B".to_owned(),
        Some(each) => format!("{} B", count(each)),
        None => figures::bytes(spent),
    }
}

/// How the runs of each scenario ended.
pub(crate) fn scenarios_table(summary: &Summary) -> Table {
    let mut table = Table::new([
        Column::text("scenario"),
        Column::figure("runs"),
        Column::figure("held"),
        Column::figure("violated"),
        Column::figure("interrupted").optional(1),
        Column::figure("error"),
    ]);
    for runs in summary.runs.chunk_by(|a, b| a.scenario == b.scenario) {
        let number = |outcome, tone| {
            let number = runs.iter().filter(|run| run.outcome == outcome).count();
            match number {
                0 => Cell::new(Tone::Dim, NONE),
                number => Cell::new(tone, count(number as u64)),
            }
        };
        table.row([
            Cell::plain(&runs[0].scenario),
            Cell::plain(count(runs.len() as u64)),
            number(Outcome::Held, Tone::Good),
            number(Outcome::Violated, Tone::Bad),
            number(Outcome::Partial, Tone::Plain),
            number(Outcome::Error, Tone::Bad),
        ]);
    }
    table
}

/// How many of the runs held, in one line.
pub(crate) fn summary_verdict(summary: &Summary) -> String {
    let number = |outcome| summary.count(outcome) as u64;
    let mut phrases = vec![format!(
        "{} of {} held",
        count(number(Outcome::Held)),
        counted(summary.planned, "run")
    )];
    let not_run = summary.planned.saturating_sub(summary.runs.len() as u64);
    for (number, what) in [
        (number(Outcome::Violated), "violated"),
        (number(Outcome::Error), "failed in the harness"),
        (number(Outcome::Partial), "interrupted"),
        (not_run, "not run"),
    ] {
        if number > 0 {
            phrases.push(format!("{} {what}", count(number)));
        }
    }
    phrases.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000_000;

    #[test]
    fn a_fault_that_comes_again_and_again_is_one_row() {
        let fault = |kind: &str, begins: u64, lasts: u64| FaultSpan {
            kind: kind.to_owned(),
            target: "valley".to_owned(),
            began_ns: begins * MINUTE,
            ended_ns: Some((begins + lasts) * MINUTE),
            effect: format!("effect at {begins}"),
        };
        let mut spans: Vec<FaultSpan> = (0..6)
            .map(|turn| fault("partition", 10 * turn + 5, 2))
            .collect();
        spans.insert(1, fault("reset", 12, 0));
        let rows: Vec<_> = faults(&spans)
            .into_iter()
            .map(|row| [row.when, row.kind, row.effect].join(" | "))
            .collect();
        let expected = [
            "0:05:00 ─ 0:57:00 | partition | 6 times, 12 min in all",
            "0:12:00 | reset | effect at 12",
        ];
        assert_eq!(rows, expected);
        assert_eq!(faults(&spans[..5]).len(), 5, "a few are told one by one");
    }
}
