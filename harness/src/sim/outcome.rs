//! What a run found, put into the report's model.

use super::RunOptions;
use crate::invariants::Terms;
use crate::metrics::Metrics;
use crate::net::tls::chain_bytes;
use crate::net::{Nanos, Tap, nanos};
use crate::scenario::{self, CongestionControl, Metric, Scenario, Server, Unit, When, Whole};
use crate::trace::Texts;
use squall_reports::{
    Arrived, Counts, Expectation, FORMAT, FleetBytes, Guarantee, Report, Setting, SiteWeather,
    Verdict, Weather,
};
use squall_reports::{Bytes, Layer, figures};
use std::collections::BTreeSet;

/// The report of a run that ended at `ended`.
pub(super) fn report(
    scenario: &Scenario,
    options: &RunOptions,
    ended: Nanos,
    tap: &Tap,
    metrics: &mut Metrics,
    texts: &Texts,
) -> Report {
    let duration = nanos(scenario.duration);
    let mut report = Report {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: scenario.title.clone(),
        scenario: scenario.path.display().to_string(),
        seed: options.seed,
        duration_ns: duration,
        ended_ns: ended,
        partial: ended < duration,
        devices: scenario.device_count(),
        sites: scenario.sites.len() as u64,
        servers: 1,
        settings: settings(scenario),
        weather: weather(scenario, tap),
        guarantees: Vec::new(),
        expectations: Vec::new(),
        arrived: metrics.arrived(),
        latency_over_time: metrics.latency_over_time(),
        latency_curve: metrics.latency_curve(),
        first_reading: metrics.first_reading(),
        bytes: bytes(scenario, tap),
        fleets: fleets(scenario, tap),
        connections: metrics.connections(),
        notes: notes(scenario, ended),
        command: command(scenario, options),
    };
    let judged = scenario
        .expect
        .bounds
        .iter()
        .map(|bound| judge(bound, &report, metrics, texts));
    report.expectations = judged.collect();
    report
}

/// What the run's guarantees are judged by.
pub(super) fn terms(scenario: &Scenario, options: &RunOptions, report: &Report) -> Terms {
    let trace = options.trace.as_ref();
    let trace = trace.map(|path| match options.trace_name.as_str() {
        "" => path.display().to_string(),
        name => name.to_owned(),
    });
    Terms {
        ended: report.ended_ns,
        settle: nanos(scenario.expect.settle.unwrap_or(scenario.drain)),
        tick: nanos(scenario.network.tick),
        exceptions: scenario.expect.exceptions.clone(),
        command: report.command.clone(),
        trace,
    }
}

fn command(scenario: &Scenario, options: &RunOptions) -> String {
    if options.command.is_empty() {
        let (path, seed) = (scenario.path.display(), options.seed);
        return format!("squall run {path} --seed {seed}");
    }
    options.command.clone()
}

fn settings(scenario: &Scenario) -> Vec<Setting> {
    let network = &scenario.network;
    let setting = |name: &str, value: String| Setting {
        name: name.to_owned(),
        value,
    };
    let time = |duration| figures::exact_duration(nanos(duration));
    let derived = if network.tick_derived {
        " (from the fastest link)"
    } else {
        ""
    };
    let congestion = match network.congestion {
        CongestionControl::None => "none",
        CongestionControl::Reno => "Reno",
        CongestionControl::Cubic => "CUBIC",
    };
    let mut settings = vec![
        setting("tick", format!("{}{derived}", time(network.tick))),
        setting("TCP window", windows(scenario)),
        setting("TCP user timeout", time(network.user_timeout)),
        setting("TCP SYN timeout", time(network.syn_timeout)),
        setting(
            "TCP ACK delay",
            network.ack_delay.map_or("none".to_owned(), time),
        ),
        setting(
            "TCP no delay",
            if network.nodelay { "on" } else { "off" }.to_owned(),
        ),
        setting("congestion control", congestion.to_owned()),
    ];
    if scenario.fleets.iter().any(|fleet| fleet.tls.is_some()) {
        let bytes = figures::count(chain_bytes() as u64);
        settings.push(setting("TLS certificates", format!("{bytes} B")));
    }
    if let Some(takes) = scenario.broker.disk_sync {
        settings.push(setting("broker disk", format!("synced in {}", time(takes))));
    }
    settings
}

/// The TCP window of each fleet; once, where all have the same.
fn windows(scenario: &Scenario) -> String {
    let bytes =
        |fleet: &scenario::Fleet| format!("{} B", figures::count(fleet.window_bytes.into()));
    let (first, rest) = match scenario.fleets.split_first() {
        Some(fleets) => fleets,
        None => return figures::NONE.to_owned(),
    };
    if rest
        .iter()
        .all(|fleet| fleet.window_bytes == first.window_bytes)
    {
        return bytes(first);
    }
    let fleets = scenario
        .fleets
        .iter()
        .map(|fleet| format!("{} {}", fleet.name, bytes(fleet)));
    fleets.collect::<Vec<_>>().join(", ")
}

fn weather(scenario: &Scenario, tap: &Tap) -> Weather {
    let sites = scenario.sites.iter().enumerate().map(|(index, site)| {
        let (up, down) = tap.site_counts(index);
        SiteWeather {
            site: site.name.clone(),
            link: site.description.clone(),
            radio: site.radio,
            up,
            down,
        }
    });
    Weather {
        sites: sites.collect(),
        faults: Vec::new(),
    }
}

fn bytes(scenario: &Scenario, tap: &Tap) -> Bytes {
    let mut total = Bytes::default();
    for fleet in 0..scenario.fleets.len() {
        let bytes = tap.fleet_bytes(fleet);
        for layer in Layer::ALL {
            total.up[layer] += bytes.up[layer];
            total.down[layer] += bytes.down[layer];
        }
        total.on_wire_up += bytes.on_wire_up;
        total.on_wire_down += bytes.on_wire_down;
        total.packets_up += bytes.packets_up;
        total.packets_down += bytes.packets_down;
    }
    total
}

/// What each fleet's connections cost.
fn fleets(scenario: &Scenario, tap: &Tap) -> Vec<FleetBytes> {
    let fleets = scenario.fleets.iter().enumerate();
    let fleet = |(index, fleet): (usize, &scenario::Fleet)| FleetBytes {
        fleet: fleet.name.clone(),
        bytes: *tap.fleet_bytes(index),
    };
    fleets.map(fleet).collect()
}

/// What did not arrive of what nobody promised, a measurement for each protocol
/// that is not MQTT.
pub(super) fn lost(scenario: &Scenario, report: &Report) -> Vec<Guarantee> {
    let found = [Server::Hub, Server::Rest].map(|server| {
        let protocol = server.protocol()?;
        let fleets = scenario.fleets.iter();
        let of_server = fleets.filter(|fleet| fleet.protocol.server() == server);
        let names: BTreeSet<&str> = of_server.map(|fleet| fleet.name.as_str()).collect();
        let flows = report.arrived.flows.iter();
        let mut total = Counts::default();
        for flow in flows.filter(|flow| names.contains(flow.fleet.as_str())) {
            total += flow.counts;
        }
        (total.owed > 0).then(|| Guarantee {
            id: format!("{}-lost", protocol.to_ascii_lowercase()),
            name: format!("{protocol}: lost"),
            verdict: Verdict::Measured,
            summary: format!(
                "{} of {} owed deliveries; {} came twice",
                figures::count(total.lost),
                figures::count(total.owed),
                figures::count(total.duplicated)
            ),
            statement: None,
            violations_found: 0,
            violations: Vec::new(),
        })
    });
    found.into_iter().flatten().collect()
}

/// The faults that waited for a packet which never came, a sentence each;
/// `set_off` has the indices of those that struck.
pub(super) fn not_set_off(scenario: &Scenario, set_off: &BTreeSet<usize>) -> Vec<String> {
    let waiting = scenario.faults.iter().enumerate();
    let waiting = waiting.filter(|(index, _)| !set_off.contains(index));
    let sentences = waiting.filter_map(|(_, fault)| match &fault.when {
        When::On(trigger, _) => Some(format!(
            "The fault {} never struck: there was no {} number {} for it.",
            fault.kind.name(),
            trigger.packet.name(),
            trigger.nth
        )),
        _ => None,
    });
    sentences.collect()
}

fn notes(scenario: &Scenario, ended: Nanos) -> Vec<String> {
    let mut notes = Vec::new();
    for quirk in scenario.broker.quirks.iter() {
        notes.push(format!(
            "The broker is broken on purpose: it {} [{}].",
            quirk.summary(),
            quirk.statements().join(", ")
        ));
    }
    let unpromised = scenario.fleets.iter();
    let unpromised = unpromised.filter(|fleet| fleet.protocol.server() != Server::Broker);
    let unpromised: Vec<&str> = unpromised.map(|fleet| fleet.name.as_str()).collect();
    if !unpromised.is_empty() {
        notes.push(format!(
            "Guarantees are MQTT's, and judged for fleets that speak it. What happened to the \
             others is measured: {}.",
            unpromised.join(", ")
        ));
    }
    let asking = scenario.fleets.iter();
    let asking = asking
        .filter(|fleet| fleet.protocol.server() == Server::Rest && !fleet.subscribe.is_empty());
    let asking: Vec<&str> = asking.map(|fleet| fleet.name.as_str()).collect();
    if !asking.is_empty() {
        notes.push(format!(
            "Who asks over HTTP gets the latest reading of each sensor: one that was replaced \
             before that counts as lost ({}).",
            asking.join(", ")
        ));
    }
    if scenario.sites.iter().any(|site| site.link.is_lossy()) {
        notes.push(
            "TCP here is smoltcp's: its retransmission timeout is at least 1 s (Linux: 200 ms), \
             and it retransmits without SACK, so recovery from loss is slower than Linux's."
                .to_owned(),
        );
    }
    let latency_floor = |site: &scenario::Site| site.link.latency_floor();
    if scenario
        .sites
        .iter()
        .map(latency_floor)
        .any(|floor| floor < scenario.network.tick)
    {
        notes.push(format!(
            "A link is faster than the tick: its packets may be up to {} late.",
            figures::exact_duration(nanos(scenario.network.tick))
        ));
    }
    if cfg!(not(tokio_unstable)) {
        notes.push(
            "Built without `--cfg tokio_unstable`: the figures are right, but only a build with \
             it promises the same ones for the same seed."
                .to_owned(),
        );
    }
    if ended < nanos(scenario.duration) {
        notes.push(format!(
            "Interrupted at {}: the figures are those up to then.",
            figures::duration(ended)
        ));
    }
    notes
}

/// A bound, and what was measured.
fn judge(
    bound: &scenario::Expectation,
    report: &Report,
    metrics: &Metrics,
    texts: &Texts,
) -> Expectation {
    let actual = measured(bound, report, metrics, texts);
    Expectation {
        name: bound.metric.key().to_owned(),
        bound: bound.text.clone(),
        // A bound on something that never happened has not been kept: who asks
        // for a latency wants readings to arrive.
        held: actual
            .as_ref()
            .is_some_and(|actual| bound.relation.holds(actual.value, bound.limit)),
        actual: actual.map_or("nothing to measure".to_owned(), |actual| actual.text),
    }
}

/// A figure in its metric's base unit, and in words.
#[derive(Clone)]
struct Measured {
    value: f64,
    text: String,
}

fn measured(
    bound: &scenario::Expectation,
    report: &Report,
    metrics: &Metrics,
    texts: &Texts,
) -> Option<Measured> {
    let Arrived { total, latency, .. } = &report.arrived;
    let connections = &report.connections;
    match bound.metric {
        Metric::Delivered => match bound.of {
            Whole::Published => share(total.delivered, total.owed),
            Whole::Acknowledged => {
                let (delivered, owed) = metrics.acknowledged_share();
                share(delivered, owed)
            }
        },
        Metric::Acknowledged => share(total.acknowledged, metrics.published_for_acknowledgement()),
        Metric::Duplicated => share(total.duplicated, total.delivered + total.duplicated),
        Metric::LastValue => {
            let (ended_there, all) = metrics.last_value_share(texts);
            share(ended_there, all)
        }
        Metric::Published => Some(integer(total.published, Unit::Count)),
        Metric::LatencyP50 => {
            latency.map(|latency| integer(latency.latency_ns_p50, Unit::Nanoseconds))
        }
        Metric::LatencyP95 => {
            latency.map(|latency| integer(latency.latency_ns_p95, Unit::Nanoseconds))
        }
        Metric::LatencyP99 => {
            latency.map(|latency| integer(latency.latency_ns_p99, Unit::Nanoseconds))
        }
        Metric::LatencyMax => {
            latency.map(|latency| integer(latency.latency_ns_max, Unit::Nanoseconds))
        }
        Metric::BytesPerReading => {
            let text = figures::bytes(report.bytes_per_reading()?);
            let value = report.bytes.on_wire() as f64 / total.delivered as f64;
            Some(Measured { value, text })
        }
        Metric::BytesTotal => Some(integer(report.bytes.on_wire(), Unit::Bytes)),
        Metric::Connects => Some(integer(connections.attempts, Unit::Count)),
        Metric::ConnectFailures => Some(integer(metrics.connect_failures(), Unit::Count)),
    }
}

fn share(part: u64, whole: u64) -> Option<Measured> {
    if whole == 0 {
        return None;
    }
    let text = format!(
        "{} ({} of {})",
        figures::percent(part, whole),
        figures::count(part),
        figures::count(whole)
    );
    Some(Measured {
        value: part as f64 / whole as f64,
        text,
    })
}

fn integer(value: u64, unit: Unit) -> Measured {
    let text = match unit {
        Unit::Nanoseconds => figures::duration(value),
        Unit::Bytes => figures::bytes(value),
        Unit::Count | Unit::Share => figures::count(value),
    };
    Measured {
        value: value as f64,
        text,
    }
}
