//! What arrives, what is lost and what comes twice.

use super::lab::{Error, Lab, MQTT, MQTT_QOS_1, MQTT_QOS_2, WEBSOCKET, WEBSOCKET_ACKED, Way};
use super::{Finding, ruling, table};
use squall_reports::claims::{Figure, Ruling};
use squall_reports::{Counts, figures};

/// Each kind of weather, and its scenario.
const WEATHER: [(&str, &str); 4] = [
    ("10 % loss", "weather-loss"),
    ("an outage of 2 min", "weather-outage"),
    ("a NAT that forgets", "weather-resets"),
    ("the server restarts", "weather-restart"),
];

/// What only acknowledgements meet with.
const LOST_ANSWERS: (&str, &str) = ("answers lost with their connection", "weather-answers");

/// Sessions that outlast their connections.
const PERSISTENT: &str = "fleet.*.mqtt.clean_session=false";

/// What became of the readings.
fn arrived(lab: &mut Lab<'_>, scenario: &str, way: Way, changes: &[&str]) -> Result<Counts, Error> {
    Ok(lab.run(scenario, way, changes)?.arrived.total)
}

/// Readings that are missing in the end: everything that was published has one
/// recorder that wants it.
fn missing(counts: &Counts) -> u64 {
    counts.published.saturating_sub(counts.delivered)
}

fn row(case: String, counts: &Counts) -> (String, Vec<Figure>) {
    let figures = vec![
        Figure::Count(counts.published),
        Figure::Count(counts.acknowledged),
        Figure::Count(counts.delivered),
        Figure::Count(missing(counts)),
        Figure::Count(counts.duplicated),
    ];
    (case, figures)
}

const HEADS: [&str; 6] = [
    "",
    "published",
    "acknowledged",
    "delivered",
    "missing",
    "twice",
];

pub(super) fn levels(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let mut rows = Vec::new();
    let mut totals = [Counts::default(); 3];
    for (weather, scenario) in WEATHER.into_iter().chain([LOST_ANSWERS]) {
        for (way, total) in [MQTT, MQTT_QOS_1, MQTT_QOS_2].into_iter().zip(&mut totals) {
            let counts = arrived(lab, scenario, way, &[PERSISTENT])?;
            rows.push(row(format!("{weather}: {}", way.name), &counts));
            *total += counts;
        }
    }
    let [first, second, third] = totals;
    let as_said = [
        missing(&first) > 0 && first.duplicated == 0,
        missing(&second) == 0 && second.duplicated > 0,
        missing(&third) == 0 && third.duplicated == 0,
    ];
    Ok(Finding {
        ruling: ruling(as_said == [true; 3], as_said.contains(&true)),
        condition: "one of the three is looked at alone".to_owned(),
        finding: format!(
            "With sessions that outlast a connection, QoS 0 missed {} of {} readings; QoS 1 missed \
             {} and delivered {} twice; QoS 2 missed {} and delivered {} twice.",
            figures::count(missing(&first)),
            figures::count(first.published),
            figures::count(missing(&second)),
            figures::count(second.duplicated),
            figures::count(missing(&third)),
            figures::count(third.duplicated),
        ),
        figures: vec![table("Twenty sensors for ten minutes", &HEADS, rows)],
        notes: Vec::new(),
    })
}

pub(super) fn in_flight(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let mut rows = Vec::new();
    let (mut plain, mut acked) = (Counts::default(), Counts::default());
    for (weather, scenario) in WEATHER {
        for (way, total) in [(WEBSOCKET, &mut plain), (WEBSOCKET_ACKED, &mut acked)] {
            let counts = arrived(lab, scenario, way, &[])?;
            rows.push(row(format!("{weather}: {}", way.name), &counts));
            *total += counts;
        }
    }
    Ok(Finding {
        ruling: ruling(missing(&plain) > 0, false),
        condition: String::new(),
        finding: format!(
            "{} of {} readings were lost. Where the application makes acknowledgements itself, and \
             sends again what lacks one, {} were, {} of them by a server that restarted and had \
             them in its memory only: the guarantee is the application's work.",
            figures::count(missing(&plain)),
            figures::count(plain.published),
            figures::count(missing(&acked)),
            figures::count(missing(&arrived(
                lab,
                "weather-restart",
                WEBSOCKET_ACKED,
                &[]
            )?)),
        ),
        figures: vec![table("Twenty sensors for ten minutes", &HEADS, rows)],
        notes: Vec::new(),
    })
}

pub(super) fn offline(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let cases: [(&str, Way, &[&str]); 6] = [
        ("MQTT, QoS 1, session kept", MQTT_QOS_1, &[PERSISTENT]),
        ("MQTT, QoS 1, clean session", MQTT_QOS_1, &[]),
        (
            "MQTT, QoS 0, session kept, broker queues it",
            MQTT,
            &[PERSISTENT, "broker.queue_qos0=true"],
        ),
        (
            "MQTT, QoS 0, session kept, broker does not",
            MQTT,
            &[PERSISTENT, "broker.queue_qos0=false"],
        ),
        ("WebSocket", WEBSOCKET, &[]),
        (
            "WebSocket, the hub keeps a queue for a name",
            WEBSOCKET_ACKED,
            &[],
        ),
    ];
    let mut rows = Vec::new();
    let mut lost = Vec::new();
    for (case, way, changes) in cases {
        let counts = arrived(lab, "away", way, changes)?;
        lost.push(missing(&counts));
        rows.push(row(case.to_owned(), &counts));
    }
    let queues = lost[0] == 0;
    let others_do_not = lost[1..5].iter().filter(|lost| **lost > 0).count();
    Ok(Finding {
        ruling: match (queues, others_do_not) {
            (true, 0) => Ruling::DoesNotHold,
            (true, _) => Ruling::HoldsWhen,
            (false, _) => Ruling::DoesNotHold,
        },
        condition: "the session outlives its connection and the message is of QoS 1 or 2"
            .to_owned(),
        finding: format!(
            "With both, {} readings were missing, and with a clean session {}. A plain WebSocket server missed \
             {}; one that keeps a queue for its listeners' names missed {}.",
            lost[0], lost[1], lost[4], lost[5]
        ),
        figures: vec![table(
            "A recorder that is away for five minutes of fourteen",
            &HEADS,
            rows,
        )],
        notes: vec!["Whether QoS 0 is queued is left to the broker [MQTT311-3.1.2-5].".to_owned()],
    })
}

pub(super) fn no_session(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let mut rows = Vec::new();
    let mut found = Vec::new();
    for (case, changes) in [
        ("session kept", &[PERSISTENT][..]),
        ("clean session", &[][..]),
    ] {
        let report = lab.run("away", MQTT_QOS_1, changes)?;
        let counts = report.arrived.total;
        found.push((missing(&counts), report.connections.sessions_resumed));
        rows.push((
            case.to_owned(),
            vec![
                Figure::Count(report.connections.established),
                Figure::Count(report.connections.sessions_resumed),
                Figure::Count(counts.delivered),
                Figure::Count(missing(&counts)),
            ],
        ));
    }
    let [(kept, resumed), (clean, _)] = [found[0], found[1]];
    Ok(Finding {
        ruling: match resumed > 0 && kept < clean {
            true => Ruling::DoesNotHold,
            false => Ruling::Holds,
        },
        condition: String::new(),
        finding: format!(
            "They do keep one, unless the client asks for a clean one. Of the recorder's, who came \
             back, {resumed} was resumed, and with it came what had been published meanwhile: \
             {kept} readings were missing, against {clean} without. Subscriptions, the queue and every unfinished handshake of QoS 1 and \
             2 are its content."
        ),
        figures: vec![table(
            "A recorder that comes back, QoS 1",
            &[
                "",
                "connections",
                "sessions resumed",
                "delivered",
                "missing",
            ],
            rows,
        )],
        notes: Vec::new(),
    })
}

pub(super) fn bad_links(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let ways: [(&str, Way, &[&str]); 4] = [
        ("MQTT, QoS 0", MQTT, &[]),
        ("MQTT, QoS 1, session kept", MQTT_QOS_1, &[PERSISTENT]),
        ("WebSocket", WEBSOCKET, &[]),
        ("WebSocket, acknowledged", WEBSOCKET_ACKED, &[]),
    ];
    let slow = ["site.field.link=nb-iot"];
    let mut rows = Vec::new();
    let mut lost = [[0; 3]; 4];
    for ((case, way, changes), lost) in ways.into_iter().zip(&mut lost) {
        let slowly: Vec<&str> = changes.iter().chain(&slow).copied().collect();
        let runs = [
            ("NB-IoT", "weather-loss", &slowly[..]),
            ("10 % loss", "weather-loss", changes),
            ("an outage of 2 min", "weather-outage", changes),
        ];
        for ((weather, scenario, changes), lost) in runs.into_iter().zip(lost) {
            let counts = arrived(lab, scenario, way, changes)?;
            *lost = missing(&counts);
            rows.push(row(format!("{weather}: {case}"), &counts));
        }
    }
    let [mqtt, kept, websocket, acked] = lost;
    let outage = 2;
    let better = kept[outage] < websocket[outage];
    let only_by_its_levels = mqtt[outage] > kept[outage] || acked[outage] < websocket[outage];
    Ok(Finding {
        ruling: ruling(better && !only_by_its_levels, better),
        condition: "the link is gone for a while, readings are of QoS 1 and the session is kept"
            .to_owned(),
        finding: format!(
            "It is those two that make the difference, not MQTT as such: an outage cost {} readings at QoS 1, {} at QoS 0, {} over WebSocket and {} \
             over one with acknowledgements of its own. Loss alone cost {}, {}, {} and {}: TCP \
             mends it for all of them.",
            kept[outage],
            mqtt[outage],
            websocket[outage],
            acked[outage],
            kept[1],
            mqtt[1],
            websocket[1],
            acked[1],
        ),
        figures: vec![table("Twenty sensors for ten minutes", &HEADS, rows)],
        notes: Vec::new(),
    })
}
