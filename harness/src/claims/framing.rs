//! What protocols put around a payload, and how they answer for it.

use super::lab::{
    Error, HTTP, Lab, MQTT, MQTT_5_ALIAS, MQTT_QOS_1, MQTT_QOS_2, WEBSOCKET, WEBSOCKET_ACKED, Way,
    each, of_fleet, sum,
};
use super::{Finding, ruling, table};
use squall_reports::claims::{Figure, Ruling};
use squall_reports::{Bytes, Layer, figures};

/// The fleet whose connections are looked at.
const SENSOR: &str = "sensor";

/// The topic of a scenario's sensors is `field/sensor-1/temperature`.
const TOPIC_BYTES: u64 = 26;

pub(super) fn mqtt_header(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let short = ["fleet.sensor.publish.topic=t"];
    let cases: [(&str, Way, &[&str]); 5] = [
        ("QoS 0, topic of 1 byte", MQTT, &short),
        ("QoS 0, topic of 26 bytes", MQTT, &[]),
        ("QoS 1, topic of 26 bytes", MQTT_QOS_1, &[]),
        (
            "MQTT 5.0, QoS 0, topic of 26 bytes",
            MQTT,
            &["mqtt=\"5.0\""],
        ),
        ("MQTT 5.0, QoS 0, topic alias", MQTT_5_ALIAS, &[]),
    ];
    let mut rows = Vec::new();
    for (case, way, changes) in cases {
        let report = lab.run("sessions", way, changes)?;
        let header = of_fleet(&report, SENSOR).up[Layer::Mqtt];
        rows.push((case, header, report.arrived.total.published));
    }
    let in_range = |&(_, header, among): &(&str, u64, u64)| (2..=5).contains(&each(header, among));
    let (least, most) = (rows[0].1, rows[1].1);
    let (least, most) = (each(least, rows[0].2), each(most, rows[1].2));
    let alias = each(rows[4].1, rows[4].2);
    Ok(Finding {
        ruling: ruling(rows.iter().all(in_range), rows.iter().any(in_range)),
        condition: "the topic has one byte".to_owned(),
        finding: format!(
            "It is the fixed header alone that is so small. A PUBLISH carries the topic and its \
             length too: {least} B with a topic of one byte, {most} B with one of \
             {TOPIC_BYTES}, {alias} B with a topic alias of MQTT 5.0."
        ),
        figures: vec![table(
            "MQTT's own bytes of a PUBLISH, its payload left out",
            &["a message", "PUBLISHes", "header each"],
            rows.iter()
                .map(|&(case, bytes, among)| {
                    let header = Figure::BytesEach { bytes, among };
                    (case.to_owned(), vec![Figure::Count(among), header])
                })
                .collect(),
        )],
        notes: Vec::new(),
    })
}

pub(super) fn websocket_header(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let mut rows = Vec::new();
    for payload in [20, 125, 126, 1_000, 65_535, 65_536] {
        let payload_of = format!("fleet.sensor.publish.payload.bytes={payload}");
        let changes = [&payload_of, "fleet.*.window=64KiB"];
        let report = lab.run("sessions", WEBSOCKET, &changes)?;
        let up = of_fleet(&report, SENSOR).up[Layer::WebSocket];
        rows.push((payload, up, report.arrived.total.published));
    }
    let header = |&(_, up, among): &(u64, u64, u64)| each(up, among);
    let (least, most) = (
        rows.iter().map(header).min().unwrap_or(0),
        rows.iter().map(header).max().unwrap_or(0),
    );
    let fits = |row: &(u64, u64, u64)| (2..=14).contains(&header(row));
    Ok(Finding {
        ruling: ruling(rows.iter().all(fits), rows.iter().any(fits)),
        condition: "a payload is short".to_owned(),
        finding: format!(
            "A client's frame has {least} B around a short payload and {most} B around the \
             longest, four of them its mask; a server masks nothing, and saves those."
        ),
        figures: vec![table(
            "Headers of a client's frames",
            &["payload", "frames", "header each"],
            rows.iter()
                .map(|&(payload, bytes, among)| {
                    let header = Figure::BytesEach { bytes, among };
                    let payload = format!("{} B", figures::count(payload));
                    (payload, vec![Figure::Count(among), header])
                })
                .collect(),
        )],
        notes: vec![
            "What a frame says about its content (which sensor, which kind of reading) is not in \
             it: a plain WebSocket says that once, in the path of its upgrade, or in the payload."
                .to_owned(),
        ],
    })
}

/// What some more readings in the same sessions cost: the difference between
/// sessions of twenty readings and of ten.
struct Marginal {
    readings: u64,
    sessions: u64,
    less: Bytes,
    more: Bytes,
}

impl Marginal {
    fn of(lab: &mut Lab<'_>, way: Way) -> Result<Self, Error> {
        let fewer = ["fleet.sensor.lifecycle.readings=10"];
        let less = lab.run("sessions", way, &fewer)?;
        let more = lab.run("sessions", way, &["fleet.sensor.lifecycle.readings=20"])?;
        let readings = more.arrived.total.published - less.arrived.total.published;
        Ok(Self {
            readings,
            sessions: readings / 10,
            less: of_fleet(&less, SENSOR),
            more: of_fleet(&more, SENSOR),
        })
    }

    fn bytes(&self) -> u64 {
        self.more.on_wire().saturating_sub(self.less.on_wire())
    }

    /// What the sessions cost beside their ten readings.
    fn connecting(&self) -> u64 {
        self.less.on_wire().saturating_sub(self.bytes())
    }

    fn packets(&self) -> u64 {
        self.more.packets().saturating_sub(self.less.packets())
    }

    fn layers(&self, layers: &[Layer]) -> u64 {
        let both = |bytes: &Bytes| sum(&bytes.up, layers) + sum(&bytes.down, layers);
        both(&self.more).saturating_sub(both(&self.less))
    }
}

pub(super) fn handshakes(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    // What is published of it elsewhere: bytes a message, without a payload, and
    // bytes to connect.
    let cases = [
        (MQTT, Some((42, 300))),
        (MQTT_QOS_1, Some((86, 300))),
        (MQTT_QOS_2, Some((174, 300))),
        (WEBSOCKET, Some((54, 600))),
        (WEBSOCKET_ACKED, None),
    ];
    let mut rows = Vec::new();
    let mut overheads = Vec::new();
    let mut acknowledgements = Vec::new();
    for (way, model) in cases {
        let price = Marginal::of(lab, way)?;
        let time = match [MQTT_QOS_1.name, MQTT_QOS_2.name].contains(&way.name) {
            true => {
                // Each reading waits for the one before.
                let waiting = lab.run("burst", way, &["fleet.sensor.mqtt.inflight=1"])?;
                let took = waiting.arrived.latency.map_or(0, |all| all.latency_ns_max);
                Figure::Time(took / waiting.arrived.total.published.max(1))
            }
            false => Figure::None,
        };
        let (model, model_to_connect) = match model {
            Some((message, connecting)) => (Figure::Bytes(message), Figure::Bytes(connecting)),
            None => (Figure::None, Figure::None),
        };
        let overhead = price.bytes() - price.layers(&[Layer::Payload]);
        overheads.push(each(overhead, price.readings));
        acknowledgements.push(each(
            price.layers(&[Layer::Acknowledgements]),
            price.readings,
        ));
        rows.push((
            way.name.to_owned(),
            vec![
                Figure::Each {
                    count: price.packets(),
                    among: price.readings,
                },
                Figure::BytesEach {
                    bytes: price.layers(&[Layer::Acknowledgements]),
                    among: price.readings,
                },
                Figure::BytesEach {
                    bytes: overhead,
                    among: price.readings,
                },
                model,
                time,
                Figure::BytesEach {
                    bytes: price.connecting(),
                    among: price.sessions,
                },
                model_to_connect,
            ],
        ));
    }
    // PUBREC, PUBREL and PUBCOMP have four bytes each, as PUBACK has.
    let four_steps = acknowledgements[2] == 12 && acknowledgements[1] == 4;
    Ok(Finding {
        ruling: ruling(four_steps, false),
        condition: String::new(),
        finding: format!(
            "PUBREC, PUBREL and PUBCOMP follow each PUBLISH: {} B of acknowledgements a message, \
             against {} B at QoS 1. On the wire a message costs {} B beside its payload at QoS 0, \
             {} B at QoS 1 and {} B at QoS 2; the published model of 42, 86 and 174 B leaves out the \
             topic and ACKs.",
            acknowledgements[2], acknowledgements[1], overheads[0], overheads[1], overheads[2],
        ),
        figures: vec![table(
            "One message more on an open connection, both directions, its payload of 20 B left \
             out, and the time it takes where each waits for the one before (round trip: 200 ms); \
             and what a connection takes from its first packet to its last, messages left out",
            &[
                "",
                "packets",
                "acknowledgements",
                "on the wire",
                "published model",
                "time",
                "to connect",
                "published model",
            ],
            rows,
        )],
        notes: vec![
            "The model counts 40 B of TCP/IP for each MQTT packet, none for a pure ACK, no topic, \
             and WebSocket's largest header. Here ACKs are delayed by 10 ms at most, so that one \
             that has data to travel with costs nothing."
                .to_owned(),
        ],
    })
}

pub(super) fn acknowledges(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let mut rows = Vec::new();
    let mut each_publish = Vec::new();
    for way in [MQTT, MQTT_QOS_1, MQTT_QOS_2] {
        let report = lab.run("sessions", way, &[])?;
        let sensor = of_fleet(&report, SENSOR).down[Layer::Acknowledgements];
        let recorder = of_fleet(&report, "recorder").down[Layer::Acknowledgements];
        let published = report.arrived.total.published;
        each_publish.push(each(sensor, published));
        rows.push((
            way.name.to_owned(),
            vec![
                Figure::Count(published),
                Figure::Count(report.arrived.total.acknowledged),
                Figure::BytesEach {
                    bytes: sensor,
                    among: published,
                },
                Figure::Bytes(recorder),
            ],
        ));
    }
    let answered = |bytes: &u64| *bytes > 0;
    Ok(Finding {
        ruling: ruling(
            each_publish.iter().all(answered),
            each_publish.iter().any(answered),
        ),
        condition: "it is of QoS 1 or 2, for a PUBLISH".to_owned(),
        finding: format!(
            "Every SUBSCRIBE is answered with SUBACK. A PUBLISH of QoS 0 is answered with {} B, \
             one of QoS 1 with {} B and one of QoS 2 with {} B.",
            each_publish[0], each_publish[1], each_publish[2]
        ),
        figures: vec![table(
            "Answers of the broker",
            &[
                "",
                "PUBLISHes",
                "acknowledged",
                "answer each",
                "to the recorder",
            ],
            rows,
        )],
        notes: vec![
            "To the recorder go the SUBACK and, at QoS 2, a PUBREL for each delivery.".to_owned(),
        ],
    })
}

pub(super) fn large(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let cases: [(Way, u64); 9] = [
        (MQTT, 100),
        (MQTT, 10_000),
        (WEBSOCKET, 10_000),
        (HTTP, 10_000),
        (MQTT, 60_000),
        (WEBSOCKET, 60_000),
        (HTTP, 60_000),
        (MQTT, 1_000_000),
        (MQTT, 10_000_000),
    ];
    let mut rows = Vec::new();
    let mut shares = Vec::new();
    for (way, payload) in cases {
        let payload_of = format!("fleet.sensor.publish.payload.bytes={payload}");
        let report = lab.run("large", way, &[&payload_of])?;
        let bytes = of_fleet(&report, SENSOR);
        let carried = bytes.up[Layer::Payload];
        let overhead = bytes.on_wire().saturating_sub(carried);
        let arrived = report.arrived.total;
        shares.push((way.name, payload, overhead, bytes.on_wire(), arrived));
        rows.push((
            format!("{}, {}", figures::bytes(payload), way.name),
            vec![
                Figure::Count(arrived.published),
                Figure::Count(arrived.delivered),
                Figure::Share {
                    part: overhead,
                    whole: bytes.on_wire(),
                },
                report
                    .arrived
                    .latency
                    .map_or(Figure::None, |all| Figure::Time(all.latency_ns_p50)),
            ],
        ));
    }
    let all_arrived = shares
        .iter()
        .all(|(.., arrived)| arrived.delivered == arrived.owed && arrived.owed > 0);
    let share =
        |&(_, _, overhead, whole, _): &(_, _, u64, u64, _)| figures::percent(overhead, whole);
    let (small, largest) = (share(&shares[0]), share(&shares[8]));
    Ok(Finding {
        ruling: match all_arrived {
            true => Ruling::DoesNotHold,
            false => Ruling::HoldsWhen,
        },
        condition: "a message is larger than what the broker or the link takes".to_owned(),
        finding: format!(
            "What is not payload falls from {small} of the bytes at 100 B to {largest} at 10 MB, \
             and each message arrives whole. What bounds it is set by people: the broker's \
             largest packet (MQTT itself allows 256 MB), its memory for every session that has \
             the message in its queue, and that nothing else gets past it on its connection.",
        ),
        figures: vec![table(
            "One camera on 8 Mbit/s",
            &[
                "a message",
                "sent",
                "delivered",
                "not payload",
                "median time",
            ],
            rows,
        )],
        notes: vec![
            "The hub and the REST server take 64 KiB at most unless told otherwise, as many do. \
             Whoever reads over HTTP polls every 5 s. Half an hour of pings is in the bytes."
                .to_owned(),
        ],
    })
}
