//! What a session costs to open, and when that pays.

use super::lab::{
    Error, HTTP, HTTP_FRESH, Lab, MQTT, MQTT_5_ALIAS, MQTT_QOS_1, MQTT_WS, WEBSOCKET,
    WEBSOCKET_ACKED, Way, each, of_fleet,
};
use super::{Finding, ruling, table};
use squall_reports::claims::{Figure, Figures, Ruling};
use squall_reports::{Layer, figures};

const SENSOR: &str = "sensor";

/// Readings in a session, from one to as many as an always-on sensor has in a
/// quarter of an hour or a day.
const READINGS: [u64; 4] = [1, 10, 100, 1_000];

/// Bytes on the wire of the sensors' sessions, and the readings in them.
fn cost(lab: &mut Lab<'_>, way: Way, readings: u64, more: &[&str]) -> Result<(u64, u64), Error> {
    let readings = format!("fleet.sensor.lifecycle.readings={readings}");
    let changes: Vec<&str> = [readings.as_str()].iter().chain(more).copied().collect();
    let report = lab.run("sessions", way, &changes)?;
    let bytes = of_fleet(&report, SENSOR).on_wire();
    Ok((bytes, report.arrived.total.published))
}

/// Whether a reading costs less one way than another.
fn cheaper(
    lab: &mut Lab<'_>,
    (one, other): (Way, Way),
    readings: u64,
    more: &[&str],
) -> Result<bool, Error> {
    let (a, b) = (
        cost(lab, one, readings, more)?,
        cost(lab, other, readings, more)?,
    );
    // a.0 / a.1 < b.0 / b.1, without a division.
    Ok(u128::from(a.0) * u128::from(b.1) < u128::from(b.0) * u128::from(a.1))
}

/// Bytes of a reading, for sessions of [`READINGS`].
fn by_readings(lab: &mut Lab<'_>, ways: &[Way], more: &[&str]) -> Result<Figures, Error> {
    let mut rows = Vec::new();
    for way in ways {
        let mut figures = Vec::new();
        for readings in READINGS {
            let (bytes, among) = cost(lab, *way, readings, more)?;
            figures.push(Figure::BytesEach { bytes, among });
        }
        rows.push((way.name.to_owned(), figures));
    }
    Ok(table(
        "Bytes on the wire for each reading of 20 B, both directions, connecting and closing \
         included, by readings in a session",
        &["", "1", "10", "100", "1,000"],
        rows,
    ))
}

/// From how many readings on WebSocket is cheaper.
fn crossing(lab: &mut Lab<'_>, mqtt: Way, more: &[&str]) -> Result<Option<u64>, Error> {
    lab.first(1..=1_000, |lab, readings| {
        cheaper(lab, (WEBSOCKET, mqtt), readings, more)
    })
}

pub(super) fn lighter(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let ways = [
        MQTT,
        MQTT_5_ALIAS,
        MQTT_QOS_1,
        WEBSOCKET,
        WEBSOCKET_ACKED,
        MQTT_WS,
    ];
    let figures = by_readings(lab, &ways, &[])?;
    let from = crossing(lab, MQTT, &[])?;
    let alias = crossing(lab, MQTT_5_ALIAS, &[])?;
    let told = |from: Option<u64>| match from {
        Some(1) => "WebSocket is cheaper from the first".to_owned(),
        Some(from) => format!("WebSocket is cheaper from {from} readings a session on"),
        None => "MQTT is cheaper up to a thousand readings a session and more".to_owned(),
    };
    let condition = match (from, alias) {
        (Some(from), Some(alias)) => format!(
            "a session has fewer than {from} readings, or {alias} with topic aliases of MQTT 5.0"
        ),
        (Some(from), None) => {
            format!("a session has fewer than {from} readings, or topics have aliases")
        }
        _ => "a session has few readings".to_owned(),
    };
    Ok(Finding {
        ruling: ruling(from.is_none() && alias.is_none(), from != Some(1)),
        condition,
        finding: format!(
            "Against MQTT at QoS 0 with a topic of 26 B, {}; \
             against topic aliases of MQTT 5.0, {}. Most of a small reading is TCP/IP either way.",
            told(from),
            told(alias)
        ),
        figures: vec![figures],
        notes: vec![
            "WebSocket says in its path, once, what MQTT says in the topic of each message. \
             Readings follow each other four a second: in a slower session both ping as well, \
             WebSocket twice as often."
                .to_owned(),
        ],
    })
}

pub(super) fn come_and_go(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let figures = by_readings(lab, &[MQTT, WEBSOCKET, HTTP, HTTP_FRESH], &[])?;
    let short = cheaper(lab, (MQTT, WEBSOCKET), 1, &[])?;
    let long = cheaper(lab, (WEBSOCKET, MQTT), 1_000, &[])?;
    let (one, of_one) = cost(lab, MQTT, 1, &[])?;
    let (http, of_http) = cost(lab, HTTP_FRESH, 1, &[])?;
    Ok(Finding {
        ruling: ruling(short && long, short || long),
        condition: "one of the two is looked at alone".to_owned(),
        finding: format!(
            "In bytes: for a visit with one reading MQTT is {}, for a thousand on one connection \
             WebSocket is {}. A visit with one reading costs {} B over MQTT, and {} B as one HTTP \
             request on a connection of its own.",
            if short { "the cheaper" } else { "the dearer" },
            if long { "the cheaper" } else { "the dearer" },
            figures::count(each(one, of_one)),
            figures::count(each(http, of_http)),
        ),
        figures: vec![figures],
        notes: Vec::new(),
    })
}

pub(super) fn opening(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let one = ["fleet.sensor.lifecycle.readings=1"];
    let secured = ["fleet.sensor.lifecycle.readings=1", "tls=true"];
    let cases: [(&str, Way, &[&str]); 5] = [
        ("MQTT", MQTT, &one),
        ("WebSocket", WEBSOCKET, &one),
        ("MQTT over WebSocket", MQTT_WS, &one),
        ("MQTT, TLS", MQTT, &secured),
        ("WebSocket, TLS", WEBSOCKET, &secured),
    ];
    let mut rows = Vec::new();
    let mut opened = Vec::new();
    for (case, way, changes) in cases {
        let report = lab.run("sessions", way, changes)?;
        let bytes = of_fleet(&report, SENSOR);
        let of = |layer| bytes.both(layer);
        // The recorder has one of the connections.
        let among = report.connections.established.saturating_sub(1);
        let (connecting, tls) = (of(Layer::Connecting), of(Layer::TlsHandshake));
        opened.push((each(connecting, among), each(tls, among)));
        rows.push((
            case.to_owned(),
            vec![
                Figure::BytesEach {
                    bytes: connecting,
                    among,
                },
                Figure::BytesEach { bytes: tls, among },
                Figure::BytesEach {
                    bytes: of(Layer::TcpHandshake),
                    among,
                },
            ],
        ));
    }
    let (mqtt, websocket, tls) = (opened[0].0, opened[1].0, opened[4].1);
    Ok(Finding {
        ruling: match (websocket > mqtt, websocket > tls) {
            (true, true) => Ruling::Holds,
            (true, false) => Ruling::HoldsWhen,
            (false, _) => Ruling::DoesNotHold,
        },
        condition: "connections are opened often, and there is no TLS around them".to_owned(),
        finding: format!(
            "The exchange is there: opening and closing a WebSocket takes {websocket} B, against \
             {mqtt} B of CONNECT, CONNACK and DISCONNECT. It is text that a client need not read, but \
             for the status and one header, and paid once for each connection; a TLS handshake, \
             which most devices have to bear, takes {} B.",
            figures::count(tls)
        ),
        figures: vec![table(
            "Bytes to open a connection and to close it, both directions, without TCP/IP's \
             headers but for the last column",
            &["", "opening and closing", "TLS handshake", "TCP handshake"],
            rows,
        )],
        notes: Vec::new(),
    })
}

pub(super) fn over_websocket(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let figures = by_readings(lab, &[MQTT, MQTT_WS], &[])?;
    let one = ["fleet.sensor.lifecycle.readings=1"];
    let report = lab.run("sessions", MQTT_WS, &one)?;
    let all_there = report.arrived.total.delivered == report.arrived.total.owed
        && report.arrived.total.delivered > 0;
    let (plain, of_plain) = cost(lab, MQTT, 1_000, &[])?;
    let (framed, of_framed) = cost(lab, MQTT_WS, 1_000, &[])?;
    let (first, of_first) = cost(lab, MQTT, 1, &[])?;
    let (first_framed, of_first_framed) = cost(lab, MQTT_WS, 1, &[])?;
    let price = each(framed, of_framed).saturating_sub(each(plain, of_plain));
    let opening = each(first_framed, of_first_framed).saturating_sub(each(first, of_first));
    Ok(Finding {
        ruling: ruling(all_there, false),
        condition: String::new(),
        finding: format!(
            "It opens as an HTTP request, and every reading arrived. Its price is {price} B for \
             each message in sessions of a thousand, and {} B for a session of one.",
            figures::count(opening)
        ),
        figures: vec![figures],
        notes: vec![
            "A proxy that inspects HTTP and does not know WebSocket stops it, unless there is TLS \
             around it."
                .to_owned(),
        ],
    })
}

pub(super) fn with_tls(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let ways = [MQTT, WEBSOCKET, HTTP, HTTP_FRESH];
    let plain = by_readings(lab, &ways, &[])?;
    let mut secured = by_readings(lab, &ways, &["tls=true"])?;
    secured.title = "The same with TLS 1.3".to_owned();
    let apart = |lab: &mut Lab<'_>, readings, more: &[&str]| -> Result<u64, Error> {
        let (mqtt, of_mqtt) = cost(lab, MQTT, readings, more)?;
        let (websocket, of_websocket) = cost(lab, WEBSOCKET, readings, more)?;
        let (mqtt, websocket) = (each(mqtt, of_mqtt), each(websocket, of_websocket));
        // In tenths of a percent of the cheaper one.
        Ok(each(mqtt.abs_diff(websocket) * 1_000, mqtt.min(websocket)))
    };
    let (open, sealed) = (apart(lab, 1, &[])?, apart(lab, 1, &["tls=true"])?);
    let (open_long, sealed_long) = (apart(lab, 1_000, &[])?, apart(lab, 1_000, &["tls=true"])?);
    let smaller = [sealed < open, sealed_long < open_long];
    let percent = |tenths: u64| figures::percent(tenths, 1_000);
    Ok(Finding {
        ruling: ruling(
            smaller == [true, true] && sealed < 100 && sealed_long < 100,
            smaller.contains(&true),
        ),
        condition: "sessions are short, and the handshake is most of what is sent".to_owned(),
        finding: format!(
            "Of a session of one reading, MQTT and WebSocket differ by {} without TLS and by {} \
             with it; of one of a thousand, by {} and {}.",
            percent(open),
            percent(sealed),
            percent(open_long),
            percent(sealed_long)
        ),
        figures: vec![plain, secured],
        notes: Vec::new(),
    })
}
