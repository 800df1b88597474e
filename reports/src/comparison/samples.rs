//! Comparisons to test the renderers on, made by hand.

use super::{
    Anatomy, Axis, AxisUnit, COMPARISON_FORMAT, Cell, CellRun, Comparison, FailedRun, Point,
    Protocol,
};
use crate::{
    bytes::{Bytes, Layer},
    model::{Connections, Counts, FirstReading, Latency, LatencyPoint, RadioTime},
};

const MS: u64 = 1_000_000;

/// What a protocol costs in the samples: bytes of a session, of a reading beside
/// its payload, and what the former counts as.
struct Cost {
    token: &'static str,
    summary: &'static str,
    session: u64,
    reading: u64,
}

const COSTS: [Cost; 3] = [
    Cost {
        token: "mqtt",
        summary: "MQTT 3.1.1",
        session: 420,
        reading: 124,
    },
    Cost {
        token: "websocket",
        summary: "a plain WebSocket hub, readings unacknowledged",
        session: 900,
        reading: 90,
    },
    Cost {
        token: "http",
        summary: "HTTP/1.1, a connection for each reading",
        session: 0,
        reading: 610,
    },
];

/// Three protocols over readings per session, with crossovers.
pub(crate) fn sweep() -> Comparison {
    let point = |value: u64| Point {
        text: value.to_string(),
        value: Some(value),
    };
    let axis = Axis {
        key: "readings_per_session".to_owned(),
        name: "readings a session".to_owned(),
        unit: AxisUnit::Count,
        points: [1, 10, 100, 1_000].map(point).to_vec(),
    };
    let cell = |readings: u64, cost: &Cost| {
        let runs = [1, 2, 3].map(|seed| over_radio(run(cost, seed, 100, readings, 0)));
        let at = vec![readings.to_string()];
        Cell::new(cost.token, at, &command(cost), runs.to_vec(), Vec::new())
    };
    let cells = [1, 10, 100, 1_000].into_iter();
    let cells = cells.flat_map(|readings| COSTS.iter().map(move |cost| cell(readings, cost)));
    Comparison {
        format: COMPARISON_FORMAT,
        version: "0.1.0".to_owned(),
        title: "A hall of thermometers".to_owned(),
        scenario: "scenarios/overhead/readings.toml".to_owned(),
        command: "squall compare scenarios/overhead/readings.toml --protocols \
                  mqtt,websocket,http --sweep readings_per_session=1,10,100,1000 --seeds 1..3"
            .to_owned(),
        seeds: vec![1, 2, 3],
        planned: 36,
        partial: false,
        protocols: COSTS.iter().map(protocol).collect(),
        axes: vec![axis],
        cells: cells.collect(),
        crossovers: Vec::new(),
        notes: vec!["Key material of TLS is random: sizes are compared, bytes are not.".to_owned()],
    }
    .with_crossovers()
}

/// Three protocols over loss and QoS with one seed; runs failed, a cell has
/// none, and nothing was delivered in another.
pub(crate) fn grid() -> Comparison {
    let loss = Axis {
        key: "loss".to_owned(),
        name: "loss".to_owned(),
        unit: AxisUnit::PartsPerMillion,
        points: [("0", 0), ("5%", 50_000), ("20%", 200_000)]
            .map(|(text, value)| Point {
                text: text.to_owned(),
                value: Some(value),
            })
            .to_vec(),
    };
    let qos = Axis {
        key: "qos".to_owned(),
        name: "QoS".to_owned(),
        unit: AxisUnit::Name,
        points: ["0", "1"]
            .map(|text| Point {
                text: text.to_owned(),
                value: None,
            })
            .to_vec(),
    };
    let mut cells = Vec::new();
    for (number, share) in [("0", 0), ("5%", 50), ("20%", 200)] {
        for level in ["0", "1"] {
            for cost in &COSTS {
                let at = vec![number.to_owned(), level.to_owned()];
                let run = run(cost, 7, 100, 10, if level == "0" { share } else { 0 });
                cells.push(Cell::new(
                    cost.token,
                    at,
                    &command(cost),
                    vec![run],
                    Vec::new(),
                ));
            }
        }
    }
    let failed = FailedRun {
        seed: 7,
        error: "squall panicked: no message".to_owned(),
    };
    let worst = &mut cells[16];
    *worst = Cell::new(
        &worst.protocol,
        worst.at.clone(),
        &worst.command,
        Vec::new(),
        vec![failed],
    );
    let nothing = &mut cells[15];
    let mut run = nothing.runs[0].clone();
    run.counts.lost = run.counts.owed;
    run.counts.delivered = 0;
    run.latency = None;
    run.latency_curve.clear();
    run.first_reading = FirstReading::default();
    run.violated = vec!["qos-1-at-least-once".to_owned()];
    *nothing = Cell::new(
        &nothing.protocol,
        nothing.at.clone(),
        &nothing.command,
        vec![run],
        Vec::new(),
    );
    let mut comparison = Comparison {
        seeds: vec![7],
        planned: 18,
        axes: vec![loss, qos],
        cells,
        command: "squall compare scenarios/overhead/readings.toml --sweep loss=0,5%,20% --sweep \
                  qos=0,1 --seeds 7..7"
            .to_owned(),
        ..sweep()
    };
    comparison.protocols[1].dropped =
        vec!["RETAIN of fleet `thermometer`: a hub keeps the latest reading anyway.".to_owned()];
    comparison.with_crossovers()
}

/// One protocol in no sweep, interrupted, whose every text tries to break out of
/// its place.
pub(crate) fn hostile() -> Comparison {
    let text = "a|b `c` *d* <e>\u{1b}[31m\nf\u{202e}g ]]>";
    let mut comparison = sweep();
    comparison.title = text.to_owned();
    comparison.scenario = text.to_owned();
    comparison.axes[0].name = text.to_owned();
    comparison.axes[0].points[0].text = text.to_owned();
    comparison.protocols[0].token = text.to_owned();
    comparison.protocols[1].summary = text.to_owned();
    comparison.protocols[1].dropped = vec![text.to_owned()];
    comparison.protocols[2].anatomy = None;
    for cell in &mut comparison.cells {
        if cell.protocol == "mqtt" {
            cell.protocol = text.to_owned();
        }
        if cell.at[0] == "1" {
            cell.at[0] = text.to_owned();
        }
    }
    comparison.cells.truncate(5);
    comparison.partial = true;
    comparison.notes = vec![text.to_owned()];
    comparison.with_crossovers()
}

fn command(cost: &Cost) -> String {
    format!(
        "squall run scenarios/overhead/readings.toml --over {} --seed 1",
        cost.token
    )
}

fn protocol(cost: &Cost) -> Protocol {
    let part = |layers: &[(Layer, u64)]| {
        let mut bytes = Bytes::default();
        for &(layer, number) in layers {
            bytes.up[layer] = number;
            bytes.on_wire_up += number;
        }
        bytes.packets_up = layers.len() as u64;
        bytes
    };
    Protocol {
        token: cost.token.to_owned(),
        summary: cost.summary.to_owned(),
        dropped: Vec::new(),
        anatomy: Some(Anatomy {
            session: part(&[
                (Layer::TcpHandshake, cost.session / 2),
                (Layer::Connecting, cost.session - cost.session / 2),
            ]),
            reading: part(&[(Layer::Payload, 24), (Layer::TcpIp, cost.reading - 24)]),
            idle_hour: Some(part(&[(Layer::KeepAlive, 240), (Layer::TcpIp, 9_600)])),
            round_trips_before_reading: Some(2),
            round_trips_of_reading: (cost.token != "websocket").then_some(1),
        }),
    }
}

/// A run whose devices have a radio of 1 Mbit/s.
fn over_radio(run: CellRun) -> CellRun {
    let radio = RadioTime {
        up_ns: 8_000 * run.bytes.on_wire_up,
        down_ns: 8_000 * run.bytes.on_wire_down,
    };
    CellRun {
        radio: Some(radio),
        ..run
    }
}

/// `sessions` sessions of `readings` readings each, of which `lost` in a
/// thousand are lost.
fn run(cost: &Cost, seed: u64, sessions: u64, readings: u64, lost: u64) -> CellRun {
    let published = sessions * readings;
    let lost = published * lost / 1_000;
    let delivered = published - lost;
    let mut bytes = Bytes::default();
    bytes.up[Layer::Payload] = 24 * published;
    bytes.up[Layer::TcpIp] = (cost.reading - 24) * published;
    bytes.up[Layer::Connecting] = cost.session * sessions;
    // What only the seed decides.
    bytes.up[Layer::Retransmitted] = seed * 60;
    bytes.down[Layer::PureAck] = 40 * published;
    bytes.on_wire_up = bytes.up.total();
    bytes.on_wire_down = bytes.down.total();
    bytes.packets_up = published + sessions;
    bytes.packets_down = published;
    let slowest = (900 + 100 * seed) * MS;
    let latency = Latency {
        count: delivered,
        latency_ns_min: 80 * MS,
        latency_ns_p50: 120 * MS,
        latency_ns_p95: 480 * MS,
        latency_ns_p99: 800 * MS,
        latency_ns_max: slowest,
    };
    let curve = [(0, 80 * MS), (500, 120 * MS), (1_000, slowest)];
    CellRun {
        seed,
        bytes,
        radio: None,
        fleets: Vec::new(),
        counts: Counts {
            published,
            acknowledged: if cost.token == "websocket" {
                0
            } else {
                published
            },
            owed: published,
            delivered,
            lost,
            duplicated: seed,
        },
        latency: Some(latency),
        latency_curve: curve
            .map(|(per_mille, latency_ns)| LatencyPoint {
                per_mille,
                latency_ns,
            })
            .to_vec(),
        first_reading: FirstReading {
            sent: Some(latency),
            acknowledged: Some(latency),
            delivered: Some(latency),
        },
        connections: Connections {
            attempts: sessions,
            established: sessions,
            ..Connections::default()
        },
        violated: Vec::new(),
    }
}
