//! RETAIN is set on what answers a SUBSCRIBE, and on nothing else.
//!
//! A message that was published after the subscription was established comes
//! with RETAIN 0, whatever its publisher set [MQTT311-3.3.1-9]. One that was
//! there before comes, because it is retained, with RETAIN 1 [MQTT311-3.3.1-8];
//! and only what was published with RETAIN 1 is retained [MQTT311-3.3.1-12].
//!
//! In MQTT 5.0 a subscriber may ask for the flag as it was published
//! [MQTT5-3.3.1-13], and for no retained messages [MQTT5-3.3.1-11]; a group gets
//! none, and its members what was there before they were.

use super::case::Case;
use super::history::{Content, Delivery, NEVER, Reading, Subscription};
use super::judgement::{Judgement, Violations, deliveries, of_deliveries};
use super::slice::{clock, message_words};
use crate::trace::TextId;
use rustc_hash::FxHashMap;
use squall_devices::RetainHandling;
use squall_reports::{Violation, figures::count};

const ESTABLISHED: &str = "MQTT311-3.3.1-9";
const ANSWER: &str = "MQTT311-3.3.1-8";
const NOT_RETAINED: &str = "MQTT311-3.3.1-12";
const AS_PUBLISHED: &str = "MQTT5-3.3.1-13";

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let history = case.history;
    let mut violations = Violations::default();
    let (mut judged, mut retained) = (0, 0);
    let mut answers: FxHashMap<(u32, TextId), usize> = FxHashMap::default();
    for delivery in &history.deliveries {
        let Content::Reading(index) = delivery.content else {
            // Of a will it is not known when it was published. But a SUBSCRIBE
            // is answered once.
            if delivery.retain && !delivery.dup {
                judged += 1;
                retained += 1;
                let session = history.session_of(delivery);
                let topic = history.message(delivery).topic;
                let answers = answers.entry((session, topic)).or_insert(0);
                *answers += 1;
                if *answers > case.requests(session, topic).count() {
                    violations.find(|| unasked(case, delivery));
                }
            }
            continue;
        };
        let reading = case.reading(index);
        if !reading.message.retain && !delivery.retain {
            continue;
        }
        judged += 1;
        retained += u64::from(delivery.retain);
        if let Some((statement, why)) = wrong(case, delivery, reading) {
            violations.find(|| violation(case, delivery, reading, statement, why));
        }
    }
    if judged == 0 {
        return Judgement::NotApplicable("no message to be retained was delivered".to_owned());
    }
    Judgement::of(violations, |found| match found {
        0 => format!(
            "{} with RETAIN set, in answer to a SUBSCRIBE, {} without",
            deliveries(retained),
            count(judged - retained)
        ),
        found => format!("{} have it wrong", of_deliveries(found, judged)),
    })
}

/// The statement that a delivery breaks, and what should have been.
fn wrong(
    case: &Case<'_>,
    delivery: &Delivery,
    reading: &Reading,
) -> Option<(&'static str, &'static str)> {
    let session = case.history.session_of(delivery);
    let as_published = |subscription: &Subscription| {
        case.options(session, subscription.filter)
            .retain_as_published
    };
    if !delivery.retain {
        // It was taken in for good before there was a subscription.
        let matching = || case.matching(session, reading.message.topic);
        matching().next()?;
        if reading.message.retain && matching().all(as_published) {
            return Some((
                AS_PUBLISHED,
                "it was published with RETAIN set, and the subscription is to tell",
            ));
        }
        if case.in_a_group(session, reading.message.topic) {
            return None;
        }
        let mut subscriptions = matching();
        let before =
            subscriptions.all(|subscription| subscription.possibly_from > reading.taken_in_by());
        return before.then_some((
            ANSWER,
            "it was there before the subscription, and was to come with RETAIN set",
        ));
    }
    if !reading.message.retain {
        return Some((NOT_RETAINED, "it was published without RETAIN"));
    }
    // It may answer a SUBSCRIBE that was not answered when it was sent.
    let mut matching = case.matching(session, reading.message.topic);
    if matching.any(as_published) {
        return None;
    }
    let mut requests = case.requests(session, reading.message.topic);
    let answers = requests.any(|request| {
        request.sent <= delivery.at
            && !case.is_shared(request.filter)
            && case.options(session, request.filter).retain_handling != RetainHandling::DoNotSend
            && (request.answered == NEVER || reading.first_sent <= request.answered)
    });
    (!answers).then_some((
        ESTABLISHED,
        "it was published after the subscription, and was to come without RETAIN",
    ))
}

fn violation(
    case: &Case<'_>,
    delivery: &Delivery,
    reading: &Reading,
    statement: &str,
    why: &str,
) -> Violation {
    let history = case.history;
    let receiver = history.roster.name(history.receiver(delivery));
    let session = history.session_of(delivery);
    let flag = u8::from(delivery.retain);
    let mut slice = case.slice().reading(reading).delivery(delivery);
    for subscription in case.matching(session, reading.message.topic) {
        slice = slice.subscription(subscription);
    }
    Violation {
        text: vec![
            format!(
                "{receiver} received reading {} at {} with RETAIN {flag}",
                reading.id,
                clock(delivery.at)
            ),
            why.to_owned(),
        ],
        statement: Some(statement.to_owned()),
        trace: slice.lines(),
        command: Some(case.trace_command(reading)),
    }
}

fn unasked(case: &Case<'_>, delivery: &Delivery) -> Violation {
    let history = case.history;
    let receiver = history.roster.name(history.receiver(delivery));
    let message = history.message(delivery);
    let mut slice = case.slice().delivery(delivery);
    for subscription in case.matching(history.session_of(delivery), message.topic) {
        slice = slice.subscription(subscription);
    }
    Violation {
        text: vec![
            format!(
                "{receiver} received {} at {} with RETAIN 1",
                message_words(case, message),
                clock(delivery.at)
            ),
            "every SUBSCRIBE had been answered already".to_owned(),
        ],
        statement: Some(ESTABLISHED.to_owned()),
        trace: slice.lines(),
        command: Some(case.run_command()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::testing::{Actor, actor, holds, violated};
    use rstest::rstest;
    use squall_devices::Qos;

    const INVARIANT: Invariant = Invariant::RetainFlag;

    fn cast() -> [Actor; 2] {
        let sensor = Actor {
            will: Some(("a/will", Qos::AtLeastOnce, true)),
            ..actor("sensor")
        };
        [sensor, actor("dashboard")]
    }

    fn trace(after: &str) -> String {
        format!("1 sensor connects\n1 dashboard connects\n{after}")
    }

    const ESTABLISHED: &str = "
        2 dashboard subscribes a/+ qos1
        3 sensor publishes 1 a/x qos1 retain
        4 sensor acknowledged 1";

    const NEW: &str = "
        3 sensor publishes 1 a/x qos1 retain
        4 sensor acknowledged 1
        5 dashboard subscribes a/+ qos1";

    const MEANWHILE: &str = "
        2 dashboard subscribing a/+ qos1
        3 sensor publishes 1 a/x qos1 retain
        4 sensor acknowledged 1
        5 dashboard subscribed a/+ qos1";

    #[rstest]
    #[case::established(ESTABLISHED, "6 dashboard received sensor.1 qos1")]
    #[case::new(NEW, "6 dashboard received sensor.1 qos1 retain")]
    #[case::meanwhile_without(MEANWHILE, "6 dashboard received sensor.1 qos1")]
    #[case::meanwhile_with(MEANWHILE, "6 dashboard received sensor.1 qos1 retain")]
    #[case::a_will_once(NEW, "6 dashboard received will sensor qos1 retain")]
    fn the_flag_as_it_should_be_holds(#[case] before: &str, #[case] after: &str) {
        holds(INVARIANT, &cast(), &trace(&format!("{before}\n{after}")));
    }

    #[test]
    fn retain_to_an_established_subscription_is_found() {
        let set = format!("{ESTABLISHED}\n6 dashboard received sensor.1 qos1 retain");
        insta::assert_snapshot!(violated(INVARIANT, &cast(), &trace(&set)));
    }

    #[test]
    fn no_retain_in_answer_to_a_subscribe_is_found() {
        let unset = format!("{NEW}\n6 dashboard received sensor.1 qos1");
        insta::assert_snapshot!(violated(INVARIANT, &cast(), &trace(&unset)));
    }

    #[rstest]
    #[case::of_what_is_not_retained(
        "3 sensor publishes 1 a/x qos1
         4 sensor acknowledged 1
         5 dashboard subscribes a/+ qos1
         6 dashboard received sensor.1 qos1 retain"
    )]
    #[case::of_a_will_again(
        "5 dashboard subscribes a/+ qos1
         6 dashboard received will sensor qos1 retain
         7 dashboard received will sensor qos1 retain"
    )]
    fn retain_where_it_has_no_place_is_found(#[case] after: &str) {
        violated(INVARIANT, &cast(), &trace(after));
    }
}
