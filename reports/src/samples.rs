//! Reports to test the renderers on, made by hand.

use std::collections::BTreeMap;

use crate::{
    bytes::{Bytes, Layer, LayerBytes},
    model::{
        Arrived, Connections, Counts, Expectation, FORMAT, FaultSpan, FirstReading, FleetBytes,
        Flow, Guarantee, Latency, LatencyBucket, LatencyOverTime, LatencyPoint, PacketCounts,
        Receiver, Report, Setting, SiteWeather, Verdict, Violation, Weather,
    },
    summary::{Run, Summary},
};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const MINUTE: u64 = 60 * SECOND;

/// A run in which nothing happened: no device connected.
pub(crate) fn empty() -> Report {
    Report {
        format: FORMAT,
        version: "0.1.0".to_owned(),
        title: "Nothing at all".to_owned(),
        scenario: "scenarios/smoke/nothing.toml".to_owned(),
        seed: 0,
        duration_ns: 10 * SECOND,
        ended_ns: 10 * SECOND,
        partial: false,
        devices: 1,
        sites: 1,
        servers: 1,
        settings: Vec::new(),
        weather: Weather::default(),
        guarantees: Vec::new(),
        expectations: Vec::new(),
        arrived: Arrived::default(),
        latency_over_time: LatencyOverTime::default(),
        latency_curve: Vec::new(),
        first_reading: FirstReading::default(),
        bytes: Bytes::default(),
        fleets: Vec::new(),
        connections: Connections::default(),
        notes: Vec::new(),
        command: "squall run scenarios/smoke/nothing.toml --seed 0".to_owned(),
    }
}

/// A run in which everything held.
pub(crate) fn green() -> Report {
    let counts = Counts {
        published: 8_000,
        acknowledged: 8_000,
        owed: 8_000,
        delivered: 8_000,
        lost: 0,
        duplicated: 12,
    };
    let first = latency(1_000, [360, 1_800, 4_000, 6_100, 12_000]);
    let latency = latency(8_000, [120, 612, 1_900, 3_804, 9_412]);
    Report {
        title: "Lossy cell".to_owned(),
        scenario: "scenarios/faults/lossy-cell.toml".to_owned(),
        seed: 7,
        duration_ns: 20 * MINUTE,
        ended_ns: 20 * MINUTE + 3 * SECOND,
        devices: 1_001,
        sites: 2,
        settings: vec![setting("tick", "1 ms"), setting("TCP window", "4,096 B")],
        weather: Weather {
            sites: vec![
                site("valley", "nb-iot, 10 % loss", 206_275, &[("loss", 20_604)]),
                site("office", "ethernet", 16_840, &[]),
            ],
            faults: Vec::new(),
        },
        guarantees: vec![
            held(
                "no fabrication",
                "8,012 deliveries match a publish byte for byte",
            ),
            held(
                "QoS 1 at least once",
                "8,000 of 8,000 acknowledged readings delivered, 12 more than once",
            ),
            Guarantee {
                verdict: Verdict::NotApplicable,
                ..held("QoS 2 exactly once", "nothing was published at QoS 2")
            },
        ],
        expectations: vec![
            expectation("delivered", "100% of acknowledged", "100 %", true),
            expectation("latency_p99", "<= 3m", "3.8 s", true),
        ],
        arrived: Arrived {
            flows: vec![Flow {
                fleet: "thermometer".to_owned(),
                qos: 1,
                counts,
                latency: Some(latency),
            }],
            total: counts,
            latency: Some(latency),
            receivers: vec![Receiver {
                fleet: "recorder".to_owned(),
                received: 8_012,
                retained: 0,
                duplicated: 12,
            }],
        },
        latency_over_time: latency_over_time(),
        latency_curve: latency_curve(),
        first_reading: FirstReading {
            sent: Some(first),
            acknowledged: Some(first),
            delivered: Some(first),
        },
        bytes: bytes(),
        fleets: Vec::new(),
        connections: Connections {
            attempts: 4_120,
            established: 4_001,
            failed: BTreeMap::from([("timed out".to_owned(), 119)]),
            sessions_resumed: 3_000,
            ..Connections::default()
        },
        notes: vec![
            "TCP is smoltcp's: its retransmission timeout is at least 1 s, where Linux waits \
             200 ms, and it retransmits without SACK."
                .to_owned(),
        ],
        command: "squall run scenarios/faults/lossy-cell.toml --seed 7".to_owned(),
        ..empty()
    }
}

/// A run in which a guarantee and an expectation were violated, with faults,
/// several fleets and names of every width.
pub(crate) fn red() -> Report {
    let mut report = green();
    report.seed = u64::MAX;
    report.weather.faults = vec![
        FaultSpan {
            kind: "partition".to_owned(),
            target: "valley".to_owned(),
            began_ns: 6 * MINUTE,
            ended_ns: Some(6 * MINUTE + 90_250 * MS),
            effect: "1,000 devices cut off, 214 connections timed out".to_owned(),
        },
        FaultSpan {
            kind: "crash".to_owned(),
            target: "broker".to_owned(),
            began_ns: 9 * MINUTE,
            ended_ns: Some(9 * MINUTE),
            effect: String::new(),
        },
        FaultSpan {
            kind: "bursts".to_owned(),
            target: "東京湾の温度計群、冬の嵐の夜に繋がりにくくなるもの".to_owned(),
            began_ns: 12 * MINUTE,
            ended_ns: None,
            effect: "two packets of three lost for as long as the storm lasts, and then some more \
                     of them, one after another"
                .to_owned(),
        },
    ];
    report.weather.sites[0]
        .up
        .lost
        .insert("queue full".to_owned(), 31);
    report.weather.sites[0].down.duplicated = 40;
    report.weather.sites[0].up.reordered = 7;
    report.guarantees.push(violated());
    report.expectations[1] = expectation("latency_p99", "<= 3s", "3.8 s", false);
    report.expectations.push(expectation(
        "bytes_per_reading of a fleet with a long name",
        "<= 260",
        "301 B, of which 66 B connecting and 104 B TCP/IP headers",
        true,
    ));
    let flow = |fleet: &str, qos, published, lost, latency| Flow {
        fleet: fleet.to_owned(),
        qos,
        counts: Counts {
            published,
            acknowledged: if qos == 0 { 0 } else { published },
            owed: published,
            delivered: published - lost,
            lost,
            duplicated: 0,
        },
        latency,
    };
    report.arrived.flows.extend([
        flow("温度計", 0, 1_000, 97, report.arrived.latency),
        flow(
            "a-fleet-whose-name-is-longer-than-any-table-can-bear",
            2,
            1_234_567,
            1_234_567,
            None,
        ),
    ]);
    report.arrived.total = Counts::default();
    for flow in &report.arrived.flows {
        report.arrived.total += flow.counts;
    }
    report.fleets = fleets(&report.bytes);
    report.connections.refused = 3;
    report.connections.taken_over = 1;
    report.connections.closed_by_keep_alive = 214;
    report.command = "squall run scenarios/faults/lossy-cell.toml --set 'site.valley.link.loss=30 \
                      %' --set fleet.thermometer.count=1_000 --seed 18446744073709551615"
        .to_owned();
    report
}

/// A run that was interrupted before anything was delivered.
pub(crate) fn partial() -> Report {
    let mut report = green();
    let counts = Counts {
        published: 12,
        owed: 12,
        lost: 12,
        ..Counts::default()
    };
    report.partial = true;
    report.ended_ns = 61_234_567_890;
    report.arrived.flows[0].counts = counts;
    report.arrived.flows[0].latency = None;
    report.arrived.total = counts;
    report.arrived.latency = None;
    report.arrived.receivers.clear();
    report.latency_over_time = LatencyOverTime::default();
    report.latency_curve.clear();
    report.first_reading = FirstReading::default();
    report.guarantees.clear();
    report.expectations = vec![expectation("delivered", "100%", "0 %", false)];
    report
        .notes
        .push("Interrupted at 0:01:01.234: the figures are those up to then.".to_owned());
    report
}

/// A run whose every text tries to break out of its place.
pub(crate) fn hostile() -> Report {
    let text = "a|b `c` *d* <e>\u{1b}[31m\nf\u{202e}g ]]>";
    let mut report = red();
    report.title = text.to_owned();
    report.weather.sites[0].site = text.to_owned();
    report.weather.faults[0].effect = text.to_owned();
    report.guarantees[0].name = text.to_owned();
    report.guarantees[3].violations[0].text = vec![text.to_owned()];
    report.guarantees[3].violations[0].trace = vec![format!("``` {text}")];
    report.arrived.flows[0].fleet = text.to_owned();
    report.notes = vec![text.to_owned()];
    report
}

/// Five runs of two scenarios, in the order in which they happened to end.
pub(crate) fn summary() -> Summary {
    let seeded = |mut report: Report, seed: u64| {
        report.seed = seed;
        report.command = format!("squall run {} --seed {seed}", report.scenario);
        Run::from(&report)
    };
    let other = "scenarios/smoke/other.toml";
    let runs = vec![
        seeded(red(), 9),
        Run::failed(
            other,
            1,
            "squall run scenarios/smoke/other.toml --seed 1",
            "the layers add up to 7 B, but 8 B went over the wire\nthis is a defect of squall",
        ),
        seeded(red(), 2),
        seeded(green(), 3),
        seeded(partial(), 4),
    ];
    let scenarios = ["scenarios/faults/lossy-cell.toml", other].map(str::to_owned);
    Summary::new("0.1.0", 6, &scenarios, runs)
}

fn setting(name: &str, value: &str) -> Setting {
    Setting {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn site(site: &str, link: &str, sent: u64, lost: &[(&str, u64)]) -> SiteWeather {
    let packets = PacketCounts {
        sent,
        lost: lost
            .iter()
            .map(|&(cause, number)| (cause.to_owned(), number))
            .collect(),
        airtime_ns: 20 * MS * sent,
        ..PacketCounts::default()
    };
    SiteWeather {
        site: site.to_owned(),
        link: link.to_owned(),
        radio: link.starts_with("nb-iot"),
        up: packets.clone(),
        down: packets,
    }
}

fn held(name: &str, summary: &str) -> Guarantee {
    Guarantee {
        id: name.to_lowercase().replace(' ', "-"),
        name: name.to_owned(),
        verdict: Verdict::Held,
        summary: summary.to_owned(),
        statement: Some("MQTT311-4.3.2-1".to_owned()),
        violations_found: 0,
        violations: Vec::new(),
    }
}

fn violated() -> Guarantee {
    let violation = Violation {
        text: vec![
            "late-dashboard subscribed 0:08:10.412, got reading 3f2a of 0:05:58.003;".to_owned(),
            "reading 3f9c had been acknowledged at 0:07:41.118".to_owned(),
        ],
        statement: Some("MQTT311-3.3.1-5".to_owned()),
        trace: vec![
            "0:07:41.118  thermometer-12   PUBACK 3f9c".to_owned(),
            "0:08:10.412  late-dashboard   SUBSCRIBE valley/+/temperature".to_owned(),
            "0:08:10.611  late-dashboard   PUBLISH 3f2a RETAIN".to_owned(),
        ],
        command: Some("squall trace run.jsonl 3f9c".to_owned()),
    };
    Guarantee {
        verdict: Verdict::Violated,
        statement: Some("MQTT311-3.3.1-8".to_owned()),
        violations_found: 5,
        violations: vec![
            violation.clone(),
            violation.clone(),
            violation.clone(),
            violation,
        ],
        ..held("retained latest", "5 subscribers saw an older value")
    }
}

fn expectation(name: &str, bound: &str, actual: &str, held: bool) -> Expectation {
    Expectation {
        name: name.to_owned(),
        bound: bound.to_owned(),
        actual: actual.to_owned(),
        held,
    }
}

fn latency(count: u64, [min, p50, p95, p99, max]: [u64; 5]) -> Latency {
    Latency {
        count,
        latency_ns_min: min * MS,
        latency_ns_p50: p50 * MS,
        latency_ns_p95: p95 * MS,
        latency_ns_p99: p99 * MS,
        latency_ns_max: max * MS,
    }
}

fn latency_curve() -> Vec<LatencyPoint> {
    let points = [
        (0, 120),
        (250, 410),
        (500, 612),
        (750, 900),
        (950, 1_900),
        (990, 3_804),
        (1_000, 9_412),
    ];
    let point = |(per_mille, ms): (u64, u64)| LatencyPoint {
        per_mille,
        latency_ns: ms * MS,
    };
    points.map(point).to_vec()
}

fn latency_over_time() -> LatencyOverTime {
    let medians = [
        600, 610, 640, 590, 600, 620, 1_200, 4_000, 900, 610, 600, 605,
    ];
    let buckets = medians
        .iter()
        .zip(0..)
        .map(|(&median, index)| LatencyBucket {
            start_ns: index * 100 * SECOND,
            count: 600,
            latency_ns_p50: median * MS,
            latency_ns_max: 3 * median * MS,
        });
    LatencyOverTime {
        bucket_ns: 100 * SECOND,
        buckets: buckets.collect(),
    }
}

/// The bytes of a run, a third of each layer for the first of two fleets.
fn fleets(all: &Bytes) -> Vec<FleetBytes> {
    let (mut first, mut second) = (*all, *all);
    for layer in Layer::ALL {
        for (first, second) in [
            (&mut first.up[layer], &mut second.up[layer]),
            (&mut first.down[layer], &mut second.down[layer]),
        ] {
            *first /= 3;
            *second -= *first;
        }
    }
    for bytes in [&mut first, &mut second] {
        bytes.on_wire_up = bytes.up.total();
        bytes.on_wire_down = bytes.down.total();
    }
    first.packets_up /= 3;
    first.packets_down /= 3;
    second.packets_up -= first.packets_up;
    second.packets_down -= first.packets_down;
    let named = [("thermometer", first), ("温度計", second)];
    let fleets = named.map(|(fleet, bytes)| FleetBytes {
        fleet: fleet.to_owned(),
        bytes,
    });
    fleets.to_vec()
}

fn bytes() -> Bytes {
    let spent = [
        (Layer::Payload, 96_000),
        (Layer::Mqtt, 124_000),
        (Layer::Acknowledgements, 32_000),
        (Layer::Connecting, 264_000),
        (Layer::KeepAlive, 1_200),
        (Layer::TcpHandshake, 180_000),
        (Layer::TcpIp, 416_000),
        (Layer::PureAck, 90_000),
        (Layer::Retransmitted, 56_400),
    ];
    let mut up = LayerBytes::default();
    for (layer, bytes) in spent {
        up[layer] = bytes;
    }
    let mut down = up;
    down[Layer::Connecting] = 8_000;
    Bytes {
        up,
        down,
        on_wire_up: up.total(),
        on_wire_down: down.total(),
        packets_up: 206_275,
        packets_down: 206_276,
    }
}
