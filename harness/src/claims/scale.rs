//! Many listeners, many topics, many connections.

use super::lab::{Error, HTTP, Lab, MQTT, WEBSOCKET, each, of_fleet};
use super::{Finding, ruling, table};
use squall_reports::claims::{Figure, Ruling};
use squall_reports::{Layer, figures};

pub(super) fn fan_out(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let mut rows = Vec::new();
    let mut sensor = Vec::new();
    let mut listener = Vec::new();
    for way in [MQTT, WEBSOCKET] {
        for listeners in [1, 10, 100] {
            let listeners_of = format!("fleet.listener.count={listeners}");
            let report = lab.run("fan-out", way, &[&listeners_of])?;
            let published = report.arrived.total.published;
            let received: u64 = report.arrived.receivers.iter().map(|to| to.received).sum();
            let up = of_fleet(&report, "sensor").on_wire();
            let down = of_fleet(&report, "listener").on_wire();
            sensor.push(each(up, published));
            listener.push((each(down, received), received == published * listeners));
            rows.push((
                format!("{}, {listeners}", way.name),
                vec![
                    Figure::Count(received),
                    Figure::BytesEach {
                        bytes: up,
                        among: published,
                    },
                    Figure::BytesEach {
                        bytes: down,
                        among: received,
                    },
                    Figure::BytesEach {
                        bytes: up + down,
                        among: published,
                    },
                ],
            ));
        }
    }
    let reaches_all = listener[3..].iter().all(|(_, all)| *all);
    let one_price = sensor[3] == sensor[5];
    let (mqtt, websocket) = (listener[2].0, listener[5].0);
    Ok(Finding {
        ruling: ruling(!reaches_all, !one_price || mqtt < websocket),
        condition: "the bytes of a delivery decide".to_owned(),
        finding: format!(
            "A WebSocket connects two, as an MQTT connection does; what fans out is the server. \
             Through either, a reading reached each of a hundred listeners, and cost its sensor \
             {} B over MQTT and {} B over WebSocket, whether one listened or a hundred. A delivery \
             cost {mqtt} B and {websocket} B. What MQTT adds is that the server is there already.",
            sensor[2], sensor[5]
        ),
        figures: vec![table(
            "A reading of 20 B, by listeners",
            &[
                "",
                "deliveries",
                "sensor's, each reading",
                "listener's, each delivery",
                "the server's, each reading",
            ],
            rows,
        )],
        notes: vec!["Connections are included, spread over a hundred readings.".to_owned()],
    })
}

pub(super) fn new_topic(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let mut rows = Vec::new();
    let mut paid = Vec::new();
    for way in [MQTT, WEBSOCKET, HTTP] {
        let report = lab.run("groups", way, &[])?;
        let wanted = report.arrived.total.delivered;
        let bytes = of_fleet(&report, "recorder");
        let payload = bytes.down[Layer::Payload];
        paid.push(each(payload, wanted.max(1)));
        rows.push((
            way.name.to_owned(),
            vec![
                Figure::Count(wanted),
                Figure::BytesEach {
                    bytes: payload,
                    among: wanted,
                },
                Figure::BytesEach {
                    bytes: bytes.on_wire(),
                    among: wanted,
                },
            ],
        ));
    }
    let broker_filters = paid[0] == 20;
    let hub_does_not = paid[1] > 20;
    Ok(Finding {
        ruling: match (broker_filters, hub_does_not) {
            (true, true) => Ruling::Holds,
            (true, false) => Ruling::HoldsWhen,
            (false, _) => Ruling::DoesNotHold,
        },
        condition: "the filters of clients are what is meant".to_owned(),
        finding: format!(
            "A broker routes topics that it has never heard of, by filters that clients choose. A \
             server of one's own routes what its paths foresee: here groups, so that a recorder \
             who wants one kind of reading out of two paid for {} B of payload for each of 20 B \
             that it wanted, and with the broker for {}.",
            paid[1], paid[0]
        ),
        figures: vec![table(
            "A recorder that wants the thermometers of a field that has hygrometers too",
            &[
                "",
                "wanted readings",
                "payload for each",
                "on the wire for each",
            ],
            rows,
        )],
        notes: Vec::new(),
    })
}

pub(super) fn idle(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let mut rows = Vec::new();
    let mut hour = Vec::new();
    for way in [MQTT, WEBSOCKET] {
        for devices in [10_u64, 100, 1_000] {
            let devices_of = format!("fleet.sensor.count={devices}");
            let report = lab.run("idle", way, &[&devices_of])?;
            let bytes = of_fleet(&report, "sensor");
            let connecting = bytes.both(Layer::Connecting)
                + bytes.both(Layer::TcpHandshake)
                + bytes.both(Layer::Acknowledgements)
                + bytes.both(Layer::Mqtt);
            let idle = bytes.on_wire().saturating_sub(connecting);
            hour.push((
                each(idle, devices),
                report.connections.established == devices,
            ));
            rows.push((
                format!("{}, {}", way.name, figures::count(devices)),
                vec![
                    Figure::Count(report.connections.established),
                    Figure::BytesEach {
                        bytes: bytes.both(Layer::KeepAlive),
                        among: devices,
                    },
                    Figure::BytesEach {
                        bytes: idle,
                        among: devices,
                    },
                ],
            ));
        }
    }
    let memory = lab.published("idle.json")?;
    // Per connection, with the most of them: the broker's, then the hub's.
    let most = memory.rows.last().map(|row| row.figures.as_slice());
    let Some([Figure::Bytes(broker), Figure::Bytes(hub), ..]) = most else {
        return Err(Error::Published("idle.json"));
    };
    let in_memory = format!(
        "of memory the one took {} B and the other {} B",
        figures::count(*broker),
        figures::count(*hub)
    );
    let all_stay = hour.iter().all(|(_, all)| *all);
    Ok(Finding {
        ruling: match all_stay {
            true => Ruling::DoesNotHold,
            false => Ruling::HoldsWhen,
        },
        condition: "there are few enough of them".to_owned(),
        finding: format!(
            "Both are servers with a TCP connection for each client, and both held a thousand for \
             an hour. An idle connection cost {} B over MQTT and {} B over WebSocket in that time, \
             by the interval at which they make sure of each other, whether there were ten or a \
             thousand; {in_memory}, which is the implementation's.",
            figures::count(hour[2].0),
            figures::count(hour[5].0),
        ),
        figures: vec![
            table(
                "Connections that say nothing for 65 minutes, each",
                &["", "connections", "keep-alive", "on the wire"],
                rows,
            ),
            memory,
        ],
        notes: vec![
            "Memory is no figure of the simulator: it is measured by cargo bench -p squall --bench \
             serve -- --idle reports/published/idle.json, and differs from machine to machine."
                .to_owned(),
        ],
    })
}
