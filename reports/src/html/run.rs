//! One run of a scenario as a web page: its figures as tables and pictures, and
//! what happened in it, in the order of time.

mod messages;
mod timeline;

use serde::Serialize;

use super::chart::{Axes, Band, Bar, Chart, Ink, Line, Scale};
use super::page;
use crate::{
    bytes::{Layer, LayerBytes},
    figures::{self, clock, count, duration, percent},
    layout::clean,
    model::{Guarantee, Report, Verdict},
    story::Story,
    style::Tone,
    table::Html,
    words::{self, tables},
};
use messages::Messages;
use timeline::Timeline;

#[derive(Serialize)]
struct Page {
    title: String,
    lead: String,
    judgement: String,
    tone: &'static str,
    command: String,
    weather: Vec<Html>,
    guarantees: Option<Html>,
    violated: Vec<Violated>,
    expectations: Option<Html>,
    arrived: Vec<Html>,
    latency: Option<Latency>,
    bytes_headline: String,
    radio: Option<String>,
    bytes: Option<Picture>,
    fleets: Option<Html>,
    connections: Vec<String>,
    settings: Option<Html>,
    notes: Vec<String>,
    timeline: Timeline,
    messages: Messages,
}

/// A chart with its figures.
#[derive(Serialize)]
struct Picture {
    chart: Chart,
    table: Html,
}

#[derive(Serialize)]
struct Latency {
    table: Html,
    over_time: Option<Chart>,
    distribution: Option<Chart>,
}

/// A guarantee that was violated.
#[derive(Serialize)]
struct Violated {
    name: String,
    violations: Vec<Violation>,
}

#[derive(Serialize)]
struct Violation {
    /// Which of how many, where there are several.
    number: String,
    text: Vec<String>,
    statement: String,
    trace: String,
    command: String,
}

/// The run as one self-contained web page.
#[must_use]
pub fn render_run(report: &Report, story: &Story) -> String {
    let tone = match (report.held(), report.partial) {
        (false, _) => Tone::Bad,
        (true, true) => Tone::Dim,
        (true, false) => Tone::Good,
    };
    let arrived = match report.arrived.flows.is_empty() {
        true => None,
        false => Some(words::arrived_table(&report.arrived)),
    };
    let arrived = arrived
        .into_iter()
        .chain(tables::receivers(&report.arrived));
    let weather = [
        tables::faults(&report.weather),
        tables::sites(&report.weather),
    ];
    let violated = report.guarantees.iter();
    let violated = violated.filter(|guarantee| guarantee.verdict == Verdict::Violated);
    let content = Page {
        title: clean(&report.title),
        lead: format!(
            "seed {} · {} · {} · squall {}",
            report.seed,
            words::size(report),
            words::extent(report),
            clean(&report.version)
        ),
        judgement: words::verdict(report),
        tone: tone.class(),
        command: clean(&report.command),
        weather: weather.iter().flatten().map(|table| table.html()).collect(),
        guarantees: (!report.guarantees.is_empty())
            .then(|| tables::guarantees(&report.guarantees).html()),
        violated: violated.map(Violated::new).collect(),
        expectations: tables::expectations(report).map(|table| table.html()),
        arrived: arrived.map(|table| table.html()).collect(),
        latency: report.arrived.latency.is_some().then(|| Latency {
            table: words::latency_table(&report.arrived).html(),
            over_time: latency_over_time(report),
            distribution: latency_distribution(report),
        }),
        bytes_headline: words::bytes_headline(report),
        radio: words::radio_headline(report),
        fleets: tables::fleets(report).map(|table| table.html()),
        bytes: (report.bytes.on_wire() > 0).then(|| Picture {
            chart: bytes(report),
            table: tables::bytes(report).html(),
        }),
        connections: words::connections(&report.connections),
        settings: tables::settings(report).map(|table| table.html()),
        notes: report.notes.iter().map(|note| clean(note)).collect(),
        timeline: Timeline::new(report, story),
        messages: Messages::new(report, story),
    };
    page("run.html", content)
}

impl Violated {
    fn new(guarantee: &Guarantee) -> Self {
        let found = guarantee.violations_found;
        let violations = guarantee.violations.iter().zip(1u64..);
        let violations = violations.map(|(violation, number)| {
            let text = violation.text.iter();
            let trace: Vec<String> = violation.trace.iter().map(|event| clean(event)).collect();
            Violation {
                number: match found {
                    0 | 1 => String::new(),
                    found => format!("{} of {}", count(number), count(found)),
                },
                text: text.map(|line| clean(line)).collect(),
                statement: clean(violation.statement.as_deref().unwrap_or_default()),
                trace: trace.join("\n"),
                command: clean(violation.command.as_deref().unwrap_or_default()),
            }
        });
        Self {
            name: clean(&guarantee.name),
            violations: violations.collect(),
        }
    }
}

/// The parts of a bar of bytes, in the order of reports.
pub(super) fn parts(layers: &LayerBytes) -> Vec<(Ink, u64)> {
    let all = Layer::ALL.into_iter();
    all.map(|layer| (Ink::Layer(layer), layers[layer]))
        .collect()
}

/// Fleets that have bars of their own.
const FLEETS_MAX: usize = 8;

fn bytes(report: &Report) -> Chart {
    let bytes = &report.bytes;
    let fleets = match report.fleets.len() {
        2..=FLEETS_MAX => report.fleets.as_slice(),
        _ => &[],
    };
    let named = fleets.iter().map(|cost| (cost.fleet.as_str(), &cost.bytes));
    let named = std::iter::once(("all", bytes)).chain(named);
    let bars = named.flat_map(|(name, bytes)| {
        let bar = |way: &str, layers, total| Bar {
            name: match fleets.is_empty() {
                true => way.to_owned(),
                false => format!("{way}, {name}"),
            },
            parts: parts(layers),
            total: figures::bytes(total),
        };
        [
            bar("up", &bytes.up, bytes.on_wire_up),
            bar("down", &bytes.down, bytes.on_wire_down),
        ]
    });
    let bars: Vec<Bar> = bars.collect();
    let shares = words::layers(report).map(|layer| {
        let share = percent(bytes.both(layer), bytes.on_wire());
        format!("{} {share}", layer.name())
    });
    let shares: Vec<String> = shares.collect();
    let description = format!("Of all bytes: {}.", shares.join(", "));
    let legend = words::layers(report).map(|layer| (Ink::Layer(layer), layer.name().to_owned()));
    Chart::bars(
        "Bytes on the wire by layer, up and down",
        &description,
        &bars,
        legend,
        figures::bytes,
    )
}

fn latency_over_time(report: &Report) -> Option<Chart> {
    let over_time = &report.latency_over_time;
    let buckets = over_time.buckets.iter();
    let measured: Vec<_> = buckets.filter(|bucket| bucket.count > 0).collect();
    let lowest = measured.iter().map(|bucket| bucket.latency_ns_p50).min()?;
    let highest = measured.iter().map(|bucket| bucket.latency_ns_max).max()?;
    let last = measured.last()?.start_ns + over_time.bucket_ns;
    let line = |index, name: &str, read: fn(&crate::LatencyBucket) -> u64| Line {
        ink: Ink::Series(index),
        name: name.to_owned(),
        points: measured
            .iter()
            .map(|bucket| (bucket.start_ns + over_time.bucket_ns / 2, read(bucket)))
            .collect(),
        spread: Vec::new(),
    };
    let lines = [
        line(0, "median", |bucket| bucket.latency_ns_p50),
        line(1, "highest", |bucket| bucket.latency_ns_max),
    ];
    let axes = Axes {
        x: Scale::time(report.ended_ns.max(last), clock),
        y: Scale::durations(lowest, highest).reading(duration),
        x_title: "published at".to_owned(),
        y_title: "latency".to_owned(),
        names_at_end: true,
    };
    let mut description = format!(
        "Medians from {} up; the slowest reading took {}.",
        duration(lowest),
        duration(highest)
    );
    if !report.weather.faults.is_empty() {
        description.push_str(" Faults are shaded.");
    }
    let faults = report.weather.faults.iter();
    let bands = faults.map(|fault| Band {
        from: fault.began_ns.min(report.ended_ns),
        to: fault
            .ended_ns
            .map_or(report.ended_ns, |ended| ended.min(report.ended_ns)),
    });
    let bands: Vec<Band> = bands.collect();
    let title = "Latency of the readings published in each stretch of the run";
    Some(Chart::lines(
        title,
        &description,
        &lines,
        (&bands, &[]),
        &axes,
    ))
}

fn latency_distribution(report: &Report) -> Option<Chart> {
    let curve = &report.latency_curve;
    let (first, last) = (curve.first()?, curve.last()?);
    let points = curve
        .iter()
        .map(|point| (point.latency_ns, point.per_mille));
    let line = Line {
        ink: Ink::Series(0),
        name: "all deliveries".to_owned(),
        points: points.collect(),
        spread: Vec::new(),
    };
    let (from, to) = (duration(first.latency_ns), duration(last.latency_ns));
    Chart::distribution(&[line], &format!("From {from} to {to}."))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{samples, story::samples as story};

    #[rstest]
    #[case::empty("empty", samples::empty(), Story::default())]
    #[case::red("red", samples::red(), story::red())]
    #[case::hostile("hostile", samples::hostile(), story::hostile())]
    fn a_run(#[case] name: &str, #[case] report: Report, #[case] story: Story) {
        let page = render_run(&report, &story);
        // The style sheet and the scripts are files of their own.
        let body = page.split("<body>").nth(1).expect("a body");
        let (body, _) = body.split_once("<script>").expect("a script");
        insta::assert_snapshot!(format!("html_run_{name}"), body);
    }

    #[test]
    fn no_text_breaks_out_and_nothing_is_fetched() {
        let page = render_run(&samples::hostile(), &story::hostile());
        assert!(!page.contains("<e>") && !page.contains("]]></script>"));
        for fetches in ["src=", "url(", "@import", "<link", "http://", "https://"] {
            let found = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!found.contains(fetches), "{fetches}");
        }
        assert_eq!(page.matches("</script>").count(), 1);
    }
}
