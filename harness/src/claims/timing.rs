//! Who waits for whom, and for how long.

use super::lab::{Error, Lab, MQTT, MQTT_QOS_1, MQTT_QOS_2, WEBSOCKET, WEBSOCKET_ACKED, Way};
use super::{Finding, ruling, table};
use squall_reports::claims::{Figure, Ruling};
use squall_reports::{Latency, Report, figures};

/// The share, in percent, by which two latencies may differ and still be called
/// the same.
const SAME_PERCENT: u64 = 5;

fn latency(report: &Report) -> Latency {
    report.arrived.latency.unwrap_or(Latency {
        count: 0,
        latency_ns_min: 0,
        latency_ns_p50: 0,
        latency_ns_p95: 0,
        latency_ns_p99: 0,
        latency_ns_max: 0,
    })
}

pub(super) fn pipelining(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let one = ["fleet.sensor.mqtt.inflight=1"];
    let cases: [(&str, Way, &[&str]); 7] = [
        ("MQTT, QoS 0", MQTT, &[]),
        ("MQTT, QoS 1, one under way", MQTT_QOS_1, &one),
        (
            "MQTT, QoS 1, ten",
            MQTT_QOS_1,
            &["fleet.sensor.mqtt.inflight=10"],
        ),
        (
            "MQTT, QoS 1, a hundred",
            MQTT_QOS_1,
            &["fleet.sensor.mqtt.inflight=100"],
        ),
        ("MQTT, QoS 2, one", MQTT_QOS_2, &one),
        ("WebSocket", WEBSOCKET, &[]),
        ("WebSocket, acknowledged", WEBSOCKET_ACKED, &[]),
    ];
    let mut rows = Vec::new();
    let mut last = Vec::new();
    for (case, way, changes) in cases {
        let report = lab.run("burst", way, changes)?;
        let all = latency(&report);
        last.push(all.latency_ns_max);
        rows.push((
            case.to_owned(),
            vec![
                Figure::Count(report.arrived.total.delivered),
                Figure::Time(all.latency_ns_p50),
                Figure::Time(all.latency_ns_max),
            ],
        ));
    }
    let (free, stop_and_wait, pipelined) = (last[0], last[1], last[3]);
    // Stop-and-wait takes a round trip for each; what is free takes one for all.
    let waits = |time: u64| time > stop_and_wait / 2;
    Ok(Finding {
        ruling: ruling(
            !last.iter().any(|time| waits(*time)),
            !waits(free) && !waits(pipelined),
        ),
        condition: "both sides allow several messages without an answer".to_owned(),
        finding: format!(
            "At QoS 0 nobody waits; above, a sender may have as many messages without an answer as \
             both sides allow. A hundred readings at once, 200 ms from the server and back: the last was there after {} at QoS 0 and \
             after {} at QoS 1 with a hundred under way, but after {} with one under way.",
            figures::duration(free),
            figures::duration(pipelined),
            figures::duration(stop_and_wait)
        ),
        figures: vec![table(
            "A hundred readings at once",
            &["", "delivered", "median", "the last"],
            rows,
        )],
        notes: vec![
            "In MQTT 5.0 the bound is Receive Maximum; in 3.1.1 it is the client's own.".to_owned(),
        ],
    })
}

pub(super) fn streams(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let mut rows = Vec::new();
    let mut pairs = Vec::new();
    for loss in ["0", "1%", "5%"] {
        let loss_of = format!("site.field.link.loss={loss}");
        let mut medians = Vec::new();
        for way in [MQTT, MQTT_QOS_1, WEBSOCKET, WEBSOCKET_ACKED] {
            let report = lab.run("stream", way, &[&loss_of])?;
            let all = latency(&report);
            medians.push(all.latency_ns_p50);
            rows.push((
                format!("{loss} loss: {}", way.name),
                vec![
                    Figure::Time(all.latency_ns_p50),
                    Figure::Time(all.latency_ns_p95),
                    Figure::Time(all.latency_ns_p99),
                ],
            ));
        }
        pairs.push((medians[0], medians[2]));
    }
    let lower = |&(mqtt, websocket): &(u64, u64)| {
        websocket * 100 < mqtt * (100 - SAME_PERCENT) && websocket > 0
    };
    Ok(Finding {
        ruling: ruling(pairs.iter().all(lower), pairs.iter().any(lower)),
        condition: "the link loses packets".to_owned(),
        finding: format!(
            "On an open connection both write a reading into TCP at once. Median at no loss: {} \
             over MQTT at QoS 0 and {} over WebSocket; at 5 % loss {} and {}. What delays a stream \
             is TCP's retransmission, which both have.",
            figures::duration(pairs[0].0),
            figures::duration(pairs[0].1),
            figures::duration(pairs[2].0),
            figures::duration(pairs[2].1),
        ),
        figures: vec![table(
            "Ten readings a second from each of ten sensors, 60 ms from the recorder",
            &["", "median", "p95", "p99"],
            rows,
        )],
        notes: Vec::new(),
    })
}

pub(super) fn priority(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let report = lab.run("priorities", MQTT, &[])?;
    let mut rows = Vec::new();
    let mut medians = Vec::new();
    for flow in &report.arrived.flows {
        let Some(all) = flow.latency else { continue };
        medians.push(all.latency_ns_p50);
        rows.push((
            format!("QoS {}", flow.qos),
            vec![
                Figure::Count(all.count),
                Figure::Time(all.latency_ns_p50),
                Figure::Time(all.latency_ns_p99),
            ],
        ));
    }
    let overtakes = match medians[..] {
        // A higher level that is delivered sooner.
        [first, second, third] => {
            let sooner = |high: u64, low: u64| high * 100 < low * (100 - SAME_PERCENT);
            sooner(third, first) || sooner(second, first) || sooner(third, second)
        }
        _ => false,
    };
    Ok(Finding {
        ruling: match overtakes {
            true => Ruling::HoldsWhen,
            false => Ruling::DoesNotHold,
        },
        condition: "levels are compared that are told below".to_owned(),
        finding: format!(
            "Messages of all levels wait in one stream of bytes. On a link that is too narrow for \
             them, their medians were {}: a higher level was never the sooner one.",
            medians
                .iter()
                .map(|ns| figures::duration(*ns))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        figures: vec![table(
            "Five sensors on 8 kbit/s each, at QoS 0, 1 and 2 in turn",
            &["", "delivered", "median", "p99"],
            rows,
        )],
        notes: Vec::new(),
    })
}
