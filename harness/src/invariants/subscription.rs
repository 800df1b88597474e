//! A session gets what it subscribed to, and at the QoS it was granted.
//!
//! A message that was first sent after the UNSUBACK had arrived must not come
//! any more [MQTT311-3.10.4-2]; one that was under way before it may
//! [MQTT311-3.10.4-3]. Its QoS is the lower of the published and a granted one
//! [MQTT311-3.8.4-6]. With No Local a client does not get its own
//! [MQTT5-3.8.3-3].

use super::case::Case;
use super::history::{Content, Delivery, Reading};
use super::judgement::{Judgement, Violations, deliveries, of_deliveries};
use super::slice::{clock, message_words};
use squall_devices::Qos;
use squall_reports::{Violation, figures::counted};

const UNSUBSCRIBED: &str = "MQTT311-3.10.4-2";
const QOS: &str = "MQTT311-3.8.4-6";

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let history = case.history;
    if history.deliveries.is_empty() {
        return Judgement::NotApplicable("nothing was delivered".to_owned());
    }
    let mut violations = Violations::default();
    for delivery in &history.deliveries {
        match entitled(case, delivery) {
            Entitled::Yes => {}
            Entitled::Never => violations.find(|| uncalled(case, delivery)),
            Entitled::NotAt(granted) => violations.find(|| wrong_qos(case, delivery, granted)),
        }
    }
    let total = history.deliveries.len() as u64;
    Judgement::of(violations, |found| match found {
        0 => format!(
            "{} to {}, at the QoS granted",
            deliveries(total),
            counted(history.subscriptions.len() as u64, "subscription")
        ),
        found => format!("{} were not subscribed to so", of_deliveries(found, total)),
    })
}

enum Entitled {
    Yes,
    /// No subscription was in force.
    Never,
    /// It was, but at this QoS.
    NotAt(Qos),
}

fn entitled(case: &Case<'_>, delivery: &Delivery) -> Entitled {
    let session = case.history.session_of(delivery);
    let message = case.history.message(delivery);
    let reading = match delivery.content {
        Content::Reading(index) => Some(case.reading(index)),
        Content::Stranger(_) => None,
    };
    let mut right_but_for_qos = None;
    for subscription in case.matching(session, message.topic) {
        let gone = reading.is_some_and(|reading| subscription.possibly_until < reading.first_sent);
        let own = reading.is_some_and(|reading| case.is_own(session, reading));
        if own && case.options(session, subscription.filter).no_local {
            continue;
        }
        if gone && !delivery.retain || subscription.possibly_from > delivery.at {
            continue;
        }
        let Some(granted) = subscription.granted else {
            return Entitled::Yes;
        };
        // What a will was published at is not known from its delivery.
        if reading.is_none() || delivery.qos == granted.min(message.qos) {
            return Entitled::Yes;
        }
        right_but_for_qos = Some(granted);
    }
    right_but_for_qos.map_or(Entitled::Never, Entitled::NotAt)
}

fn uncalled(case: &Case<'_>, delivery: &Delivery) -> Violation {
    let history = case.history;
    let message = history.message(delivery);
    let receiver = history.roster.name(history.receiver(delivery));
    let session = history.session_of(delivery);
    let mut slice = case
        .slice()
        .connection(delivery.connection)
        .delivery(delivery);
    let last = case
        .matching(session, message.topic)
        .max_by_key(|subscription| subscription.possibly_until);
    if let Some(subscription) = last {
        slice = slice.subscription(subscription);
    }
    let what = what(case, delivery);
    let text = match last {
        Some(subscription) => format!(
            "{receiver} received {what} at {}, but had unsubscribed from {} at {}",
            clock(delivery.at),
            case.text(subscription.filter),
            clock(subscription.possibly_until)
        ),
        None => format!(
            "{receiver} received {what} at {}, but had not subscribed to {}",
            clock(delivery.at),
            case.text(message.topic)
        ),
    };
    let reading = reading(case, delivery);
    if let Some(reading) = reading {
        slice = slice.reading(reading);
    }
    Violation {
        text: vec![text],
        statement: Some(UNSUBSCRIBED.to_owned()),
        trace: slice.lines(),
        command: Some(reading.map_or(case.run_command(), |reading| case.trace_command(reading))),
    }
}

fn wrong_qos(case: &Case<'_>, delivery: &Delivery, granted: Qos) -> Violation {
    let history = case.history;
    let receiver = history.roster.name(history.receiver(delivery));
    let published = history.message(delivery).qos;
    let mut slice = case.slice().delivery(delivery);
    let session = history.session_of(delivery);
    for subscription in case.matching(session, history.message(delivery).topic) {
        slice = slice.subscription(subscription);
    }
    let reading = reading(case, delivery);
    if let Some(reading) = reading {
        slice = slice.reading(reading);
    }
    Violation {
        text: vec![format!(
            "{receiver} received {} at QoS {}; it was published at QoS {}, and QoS {} granted",
            what(case, delivery),
            delivery.qos as u8,
            published as u8,
            granted as u8
        )],
        statement: Some(QOS.to_owned()),
        trace: slice.lines(),
        command: Some(reading.map_or(case.run_command(), |reading| case.trace_command(reading))),
    }
}

fn reading<'a>(case: &Case<'a>, delivery: &Delivery) -> Option<&'a Reading> {
    match delivery.content {
        Content::Reading(index) => Some(case.reading(index)),
        Content::Stranger(_) => None,
    }
}

fn what(case: &Case<'_>, delivery: &Delivery) -> String {
    match reading(case, delivery) {
        Some(reading) => format!("reading {}", reading.id),
        None => message_words(case, case.history.message(delivery)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::testing::{Actor, actor, clean, holds, violated};
    use rstest::rstest;

    const INVARIANT: Invariant = Invariant::Subscription;

    const BEFORE: &str = "
        1 sensor connects
        1 recorder connects
        1 recorder subscribes a/# qos1";

    fn cast() -> [Actor; 2] {
        [actor("sensor"), actor("recorder")]
    }

    fn trace(after: &str) -> String {
        format!("{BEFORE}\n{after}")
    }

    #[rstest]
    #[case::subscribed("2 sensor publishes 1 a/x qos1\n3 recorder received sensor.1 qos1")]
    #[case::at_the_lower_qos("2 sensor publishes 1 a/x qos0\n3 recorder received sensor.1 qos0")]
    #[case::under_way_before_it_unsubscribed(
        "2 sensor publishes 1 a/x qos1
         3 recorder unsubscribing a/#
         4 recorder unsubscribed a/#
         5 recorder received sensor.1 qos1"
    )]
    #[case::before_the_unsuback(
        "3 recorder unsubscribing a/#
         3.5 sensor publishes 1 a/x qos1
         4 recorder unsubscribed a/#
         5 recorder received sensor.1 qos1"
    )]
    #[case::subscribed_again(
        "3 recorder unsubscribing a/#
         4 recorder unsubscribed a/#
         5 recorder subscribes a/# qos1
         6 sensor publishes 1 a/x qos1
         7 recorder received sensor.1 qos1"
    )]
    fn what_was_subscribed_to_holds(#[case] after: &str) {
        holds(INVARIANT, &cast(), &trace(after));
    }

    #[test]
    fn what_was_unsubscribed_from_is_found() {
        insta::assert_snapshot!(violated(
            INVARIANT,
            &cast(),
            &trace(
                "3 recorder unsubscribing a/#
                 4 recorder unsubscribed a/#
                 5 sensor publishes 1 a/x qos1
                 6 recorder received sensor.1 qos1"
            )
        ));
    }

    #[rstest]
    #[case::never_subscribed("2 sensor publishes 1 b/x qos1\n3 recorder received sensor.1 qos1")]
    #[case::above_the_granted_qos(
        "2 sensor publishes 1 a/x qos2\n3 recorder received sensor.1 qos2"
    )]
    #[case::below_the_granted_qos(
        "2 sensor publishes 1 a/x qos1\n3 recorder received sensor.1 qos0"
    )]
    fn what_was_not_subscribed_to_so_is_found(#[case] after: &str) {
        violated(INVARIANT, &cast(), &trace(after));
    }

    #[test]
    fn a_clean_session_has_only_what_it_subscribed_to_itself() {
        let cast = [actor("sensor"), clean("recorder")];
        let again = trace(
            "2 recorder vanished
             3 recorder connects
             4 sensor publishes 1 a/x qos1
             5 recorder received sensor.1 qos1",
        );
        violated(INVARIANT, &cast, &again);
    }
}
