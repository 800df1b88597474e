//! What a broker keeps of what has been said, and for whom.

use super::lab::{Error, Lab, MQTT, WEBSOCKET, Way};
use super::{Finding, ruling, table};
use squall_reports::claims::{Figure, Ruling};
use squall_reports::{Receiver, Report};
use std::collections::BTreeSet;

const RETAINED: &str = "fleet.sensor.publish.retain=true";

/// Sensors in the scenario, and so topics.
const TOPICS: u64 = 10;

/// What a fleet received.
fn received(report: &Report, fleet: &str) -> (u64, u64) {
    let mut receivers = report.arrived.receivers.iter();
    let found = receivers.find(|receiver: &&Receiver| receiver.fleet == fleet);
    found.map_or((0, 0), |receiver| (receiver.received, receiver.retained))
}

pub(super) fn latest(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let mut rows = Vec::new();
    let mut handed = Vec::new();
    for (case, changes) in [("with RETAIN", &[RETAINED][..]), ("without", &[][..])] {
        let report = lab.run("late", MQTT, changes)?;
        let (all, retained) = received(&report, "dashboard");
        handed.push(retained);
        rows.push((
            case.to_owned(),
            vec![
                Figure::Count(TOPICS),
                Figure::Count(retained),
                Figure::Count(all - retained),
            ],
        ));
    }
    Ok(Finding {
        ruling: ruling(
            handed.iter().all(|handed| *handed == TOPICS),
            handed[0] == TOPICS,
        ),
        condition: "it was published with RETAIN".to_owned(),
        finding: format!(
            "A late subscriber was handed the latest value of {} of {TOPICS} topics, and of {} where \
             readings were published without.",
            handed[0], handed[1]
        ),
        figures: vec![table(
            "What a dashboard gets that comes after eleven minutes",
            &[
                "published",
                "topics",
                "latest values",
                "readings after that",
            ],
            rows,
        )],
        notes: vec![
            "The hub keeps each sensor's latest reading without being asked; most servers of \
             one's own keep what somebody thought of."
                .to_owned(),
        ],
    })
}

pub(super) fn no_history(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let report = lab.run("late", MQTT, &[RETAINED])?;
    let published = report.arrived.total.published;
    let (from_the_start, _) = received(&report, "recorder");
    let (all, retained) = received(&report, "dashboard");
    Ok(Finding {
        ruling: match retained {
            TOPICS => Ruling::Holds,
            _ => Ruling::DoesNotHold,
        },
        condition: String::new(),
        finding: format!(
            "Of {published} readings a late subscriber got {retained}, one for each topic, and \
             after that what came anew. What a broker queues for a session that is away is no \
             history either: it is for that session only, once."
        ),
        figures: vec![table(
            "Ten sensors that publish with RETAIN for twelve minutes",
            &["", "readings", "of them kept by the broker"],
            vec![
                (
                    "there from the start".to_owned(),
                    vec![Figure::Count(from_the_start), Figure::Count(0)],
                ),
                (
                    "comes after eleven minutes".to_owned(),
                    vec![Figure::Count(all), Figure::Count(retained)],
                ),
            ],
        )],
        notes: Vec::new(),
    })
}

pub(super) fn history(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    let mut rows = Vec::new();
    let mut shares = Vec::new();
    for way in [MQTT, WEBSOCKET] {
        let report = lab.run("late", way, retaining(way))?;
        let published = report.arrived.total.published;
        for (case, fleet) in [
            ("a client that stores from the start", "recorder"),
            ("one that comes late", "dashboard"),
        ] {
            let (received, _) = received(&report, fleet);
            shares.push((received, published));
            rows.push((
                format!("{}: {case}", way.name),
                vec![
                    Figure::Count(received),
                    Figure::Share {
                        part: received,
                        whole: published,
                    },
                ],
            ));
        }
    }
    let stored = |(received, published): (u64, u64)| received == published;
    Ok(Finding {
        ruling: ruling(
            stored(shares[0]) && !stored(shares[1]),
            stored(shares[0]) || !stored(shares[1]),
        ),
        condition: "the client is there from the start".to_owned(),
        finding: format!(
            "A client that subscribes from the start and stores has {} of {} readings; one that \
             comes late has {}, and nothing can be asked for the rest.",
            shares[0].0, shares[0].1, shares[1].0
        ),
        figures: vec![table(
            "Who has how much of what was published",
            &["", "readings", "of all"],
            rows,
        )],
        notes: Vec::new(),
    })
}

/// RETAIN, where there is such a thing.
fn retaining(way: Way) -> &'static [&'static str] {
    match way.name == MQTT.name {
        true => &[RETAINED],
        false => &[],
    }
}

pub(super) fn age(lab: &mut Lab<'_>) -> Result<Finding, Error> {
    const EXPIRY: &str = "fleet.sensor.publish.message_expiry=1h";
    let mut rows = Vec::new();
    let mut knows = Vec::new();
    for (case, changes) in [
        ("MQTT 3.1.1", &[RETAINED][..]),
        ("MQTT 5.0", &[RETAINED, "mqtt=\"5.0\""]),
        (
            "MQTT 5.0, published to expire in an hour",
            &[RETAINED, "mqtt=\"5.0\"", EXPIRY],
        ),
    ] {
        let trace = lab.trace("late", MQTT, changes)?;
        let handed = handed_with(&trace);
        let aged = handed.iter().flatten();
        let ages: BTreeSet<u64> = aged.map(|left| 3_600_u64.saturating_sub(*left)).collect();
        let told = handed.iter().filter(|left| left.is_some()).count() as u64;
        knows.push((handed.len() as u64, told));
        let second = 1_000_000_000;
        rows.push((
            case.to_owned(),
            vec![
                Figure::Count(handed.len() as u64),
                Figure::Count(told),
                ages.last()
                    .map_or(Figure::None, |oldest| Figure::Time(oldest * second)),
            ],
        ));
    }
    Ok(Finding {
        ruling: match (knows[0], knows[1], knows[2]) {
            ((_, 0), (_, 0), (handed, told)) if handed > 0 && told == handed => Ruling::HoldsWhen,
            ((_, 0), ..) => Ruling::DoesNotHold,
            _ => Ruling::Holds,
        },
        condition: "the publisher gives a Message Expiry Interval that the subscriber knows"
            .to_owned(),
        finding: format!(
            "The latest message, yes; no packet of MQTT carries a time. A late subscriber was \
             handed {} values, {} of them with anything about their age. Where the publisher gave \
             an interval, which is a property of MQTT 5.0, what was left of it was in {} of {}; \
             else the payload has to say it.",
            knows[0].0, knows[0].1, knows[2].1, knows[2].0
        ),
        figures: vec![table(
            "Latest values that a late subscriber is handed",
            &[
                "",
                "values",
                "with an interval that is left",
                "oldest, by it",
            ],
            rows,
        )],
        notes: Vec::new(),
    })
}

/// For each retained message that the dashboard was handed, what was left of its
/// Message Expiry Interval, in seconds, if it had one.
fn handed_with(trace: &str) -> Vec<Option<u64>> {
    let lines = trace.lines().filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_handed = line["event"] == "delivered"
            && line["device"] == "dashboard-1"
            && line["retain"] == true;
        is_handed.then(|| line["message_expiry_s"].as_u64())
    });
    lines.collect()
}
