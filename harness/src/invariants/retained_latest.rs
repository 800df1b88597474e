//! A new subscriber gets of each topic the latest retained value, or one that
//! was being written as it subscribed: never an older or a cleared one.
//!
//! The retained message of a topic is a register. It is written by a PUBLISH
//! with RETAIN set, some time between its first sending and its
//! acknowledgement; an empty one clears it [MQTT311-3.3.1-10]
//! [MQTT311-3.3.1-11]. A write that is not acknowledged takes effect at any
//! time after, or never. The register is read between a SUBSCRIBE and its
//! SUBACK, and what it holds comes with RETAIN set [MQTT311-3.3.1-6].
//!
//! A value that was written at QoS 1 or 2 and acknowledged is there until the
//! next write; one written at QoS 0 may be gone at any time [MQTT311-3.3.1-7].

use super::case::Case;
use super::history::{Content, Delivery, NEVER, Reading, Request};
use super::judgement::{Judgement, Violations};
use super::slice::clock;
use crate::net::Nanos;
use crate::trace::TextId;
use rustc_hash::{FxHashMap, FxHashSet};
use squall_devices::{DeviceId, Qos, RetainHandling};
use squall_reports::{
    Violation,
    figures::{count, counted},
};

const LATEST: &str = "MQTT311-3.3.1-5";
const CLEARED: &str = "MQTT311-3.3.1-10";
const SENT: &str = "MQTT311-3.3.1-6";

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let registers = Registers::of(case);
    let mut violations = Violations::default();
    let mut read = 0u64;
    // Of each session and topic, when values came.
    let mut came: FxHashMap<(u32, TextId), Vec<Nanos>> = FxHashMap::default();
    for delivery in &case.history.deliveries {
        if !delivery.retain {
            continue;
        }
        read += 1;
        let session = case.history.session_of(delivery);
        let topic = case.history.message(delivery).topic;
        came.entry((session, topic)).or_default().push(delivery.at);
        if let Content::Reading(index) = delivery.content
            && let Some(newer) = registers.stale(case, delivery, case.reading(index))
        {
            violations.find(|| stale(case, delivery, case.reading(index), case.reading(newer)));
        }
    }
    let mut expected = 0u64;
    for request in &case.history.requests {
        let session = case.history.connections[request.connection as usize].session;
        for value in registers.certain(case, request) {
            expected += 1;
            let topic = case.reading(value).message.topic;
            let came = came.get(&(session, topic)).map_or(&[][..], Vec::as_slice);
            if !came.iter().any(|at| *at >= request.sent) {
                violations.find(|| missing(case, request, case.reading(value)));
            }
        }
    }
    if read == 0 && expected == 0 {
        return Judgement::NotApplicable("no subscriber met a retained value".to_owned());
    }
    Judgement::of(violations, |found| match found {
        0 => format!(
            "{} read, none out of date; {} certainly there, and none missing",
            counted(read, "value"),
            count(expected)
        ),
        found => format!(
            "{} out of date, cleared or missing",
            counted(found, "retained value")
        ),
    })
}

/// Who wrote it, to which register, at which QoS: writes that keep their order.
type Writer = (TextId, DeviceId, Qos);

/// The registers' writes.
#[derive(Default)]
struct Registers {
    /// By topic, placed by the time of their first sending.
    writes: FxHashMap<TextId, Latest>,
    /// By writer, placed by their number.
    by_writer: FxHashMap<Writer, Latest>,
    /// By topic: writes after which nothing need be there, by the time of their
    /// first sending, and until when any up to each may take effect.
    emptying: FxHashMap<TextId, Vec<(Nanos, Nanos)>>,
    /// Registers that are not judged for being empty: their will may empty
    /// them, or the broker had no room.
    unsure: FxHashSet<TextId>,
}

/// Writes that were certainly done.
#[derive(Default)]
struct Latest {
    /// When each was done, with the place and reading of the latest up to it.
    done: Vec<(Nanos, u64, u32)>,
}

impl Latest {
    /// Turns the place of each write into that of the latest up to it.
    fn finish(&mut self) {
        self.done.sort_unstable();
        let mut latest = None;
        for (_, place, reading) in &mut self.done {
            match latest {
                Some((other, which)) if other >= *place => (*place, *reading) = (other, which),
                _ => latest = Some((*place, *reading)),
            }
        }
    }

    /// Of the writes done by a time, the latest: its place and reading.
    fn by(&self, time: Nanos) -> Option<(u64, u32)> {
        let count = self.done.partition_point(|(done, ..)| *done <= time);
        let (_, place, reading) = self.done.get(count.checked_sub(1)?)?;
        Some((*place, *reading))
    }
}

impl Registers {
    fn of(case: &Case<'_>) -> Registers {
        let history = case.history;
        let mut registers = Registers::default();
        for (reading, index) in history.readings.iter().zip(0u32..) {
            if reading.message.retain {
                registers.write(reading, index);
            }
        }
        // Each by itself, so that the order of the maps does not matter.
        let latest = registers.writes.values_mut();
        latest
            .chain(registers.by_writer.values_mut())
            .for_each(Latest::finish);
        for emptying in registers.emptying.values_mut() {
            emptying.sort_unstable();
            let mut last = 0;
            for (_, until) in emptying {
                last = last.max(*until);
                *until = last;
            }
        }
        let wills = history.roster.wills().into_iter();
        let wills = wills.filter(|(_, will)| {
            will.retain && (will.qos == Qos::AtMostOnce || will.payload_bytes == 0)
        });
        registers.unsure.extend(wills.map(|(_, will)| will.topic));
        let no_room = history.not_retained.iter();
        let no_room = no_room.map(|reading| case.reading(*reading).message.topic);
        registers.unsure.extend(no_room);
        registers
    }

    fn write(&mut self, reading: &Reading, index: u32) {
        let message = &reading.message;
        let done = reading.certainly_in();
        if done != NEVER {
            let writes = self.writes.entry(message.topic).or_default();
            writes.done.push((done, reading.first_sent, index));
            let by_writer = self.by_writer.entry(writer(reading)).or_default();
            by_writer.done.push((done, number(reading), index));
        }
        if !stays(reading) {
            let emptying = self.emptying.entry(message.topic).or_default();
            // It may have been sent though its device did not live to tell.
            let sent = match reading.first_sent {
                NEVER => reading.published,
                sent => sent,
            };
            emptying.push((sent, reading.taken_in_by()));
        }
    }

    /// A write that had certainly replaced what was delivered before any
    /// SUBSCRIBE that the delivery may answer.
    fn stale(&self, case: &Case<'_>, delivery: &Delivery, reading: &Reading) -> Option<u32> {
        let session = case.history.session_of(delivery);
        let mut newer = None;
        for request in case.requests(session, reading.message.topic) {
            if request.sent <= delivery.at {
                newer = Some(self.replaced(reading, request.sent)?);
            }
        }
        newer
    }

    /// A write that had certainly replaced this one by a time.
    fn replaced(&self, reading: &Reading, by: Nanos) -> Option<u32> {
        let end = reading.taken_in_by();
        if end > by {
            return None;
        }
        // One that was begun after this one was over.
        let (sent, newer) = self.writes.get(&reading.message.topic)?.by(by)?;
        if sent > end {
            return Some(newer);
        }
        // One that the same publisher sent later, at the same QoS: they keep
        // their order [MQTT311-4.6.0-6].
        let (place, newer) = self.by_writer.get(&writer(reading))?.by(by)?;
        (place > number(reading)).then_some(newer)
    }

    /// The values that a SUBSCRIBE certainly has to bring, of one register
    /// each: that one or a newer one.
    fn certain(&self, case: &Case<'_>, request: &Request) -> Vec<u32> {
        let connection = &case.history.connections[request.connection as usize];
        let due = request
            .answered
            .max(case.cleared)
            .saturating_add(case.terms.settle);
        // At QoS 0 it may be lost; and its client has to be there for it.
        if request.granted.is_none_or(|qos| qos == Qos::AtMostOnce)
            || due > connection.ended.min(case.terms.ended)
            || !brings_retained(case, request)
        {
            return Vec::new();
        }
        let topics = case.topics(request.filter).iter();
        let values = topics.filter_map(|topic| {
            let (_, value) = self.writes.get(topic)?.by(request.sent)?;
            self.certainly_holds(case, case.reading(value), request)
                .then_some(value)
        });
        values.collect()
    }

    /// Whether a register, after this latest write, certainly held something
    /// until the SUBACK.
    fn certainly_holds(&self, case: &Case<'_>, latest: &Reading, request: &Request) -> bool {
        let topic = latest.message.topic;
        if !stays(latest)
            || latest.acknowledged().is_none()
            || self.unsure.contains(&topic)
            || case.expires(latest) <= request.answered
        {
            return false;
        }
        let Some(emptying) = self.emptying.get(&topic) else {
            return true;
        };
        let begun = emptying.partition_point(|(sent, _)| *sent <= request.answered);
        let until = begun.checked_sub(1).map_or(0, |last| emptying[last].1);
        until < latest.first_sent
    }
}

/// Whether a SUBSCRIBE certainly brings what is retained: not to a group
/// [MQTT5-3.8.4-4], and otherwise as Retain Handling says.
fn brings_retained(case: &Case<'_>, request: &Request) -> bool {
    let session = case.history.connections[request.connection as usize].session;
    let first = || {
        let connections = case.connections_of(session).iter();
        let mut requests = connections.flat_map(|one| case.history.requests_on(*one));
        requests.all(|other| other.filter != request.filter || other.sent >= request.sent)
    };
    let handling = case.options(session, request.filter).retain_handling;
    !case.is_shared(request.filter)
        && match handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => first(),
            RetainHandling::DoNotSend => false,
        }
}

fn writer(reading: &Reading) -> Writer {
    let message = &reading.message;
    (message.topic, reading.id.device(), message.qos)
}

fn number(reading: &Reading) -> u64 {
    u64::from(reading.id.sequence())
}

/// Whether a write leaves a value that stays until the next.
fn stays(reading: &Reading) -> bool {
    reading.message.qos > Qos::AtMostOnce && reading.message.payload_bytes > 0
}

fn stale(case: &Case<'_>, delivery: &Delivery, reading: &Reading, newer: &Reading) -> Violation {
    let history = case.history;
    let receiver = history.roster.name(history.receiver(delivery));
    let session = history.session_of(delivery);
    let mut requests: Vec<&Request> = case
        .requests(session, reading.message.topic)
        .filter(|request| request.sent <= delivery.at)
        .collect();
    requests.sort_by_key(|request| request.sent);
    let asked = requests.last().map_or(delivery.at, |request| request.sent);
    let cleared = newer.message.payload_bytes == 0;
    let (statement, replaced) = match cleared {
        true => (CLEARED, "it had been cleared by"),
        false => (LATEST, "it had been replaced by"),
    };
    let done = match newer.acknowledged() {
        Some(at) if at <= newer.first_seen => format!("acknowledged at {}", clock(at)),
        _ => format!("seen at {}", clock(newer.first_seen)),
    };
    Violation {
        text: vec![
            format!(
                "{receiver} subscribed at {}, and got reading {} of {}",
                clock(asked),
                reading.id,
                clock(reading.first_sent)
            ),
            format!("{replaced} {}, {done}", newer.id),
        ],
        statement: Some(statement.to_owned()),
        trace: case
            .slice()
            .reading(reading)
            .reading(newer)
            .device(asked, history.receiver(delivery), "sent SUBSCRIBE")
            .delivery(delivery)
            .lines(),
        command: Some(case.trace_command(newer)),
    }
}

fn missing(case: &Case<'_>, request: &Request, reading: &Reading) -> Violation {
    let history = case.history;
    let connection = &history.connections[request.connection as usize];
    let receiver = history.roster.name(connection.device);
    let filter = case.text(request.filter);
    Violation {
        text: vec![
            format!(
                "{receiver} subscribed to {filter} at {}, and got no retained value of {}",
                clock(request.sent),
                case.text(reading.message.topic)
            ),
            format!(
                "reading {} had been acknowledged at {}",
                reading.id,
                clock(reading.settled)
            ),
        ],
        statement: Some(SENT.to_owned()),
        trace: case
            .slice()
            .reading(reading)
            .device(
                request.sent,
                connection.device,
                format!("sent SUBSCRIBE to {filter}"),
            )
            .device(request.answered, connection.device, "got SUBACK")
            .connection(request.connection)
            .lines(),
        command: Some(case.trace_command(reading)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::testing::{Actor, actor, holds, judged, violated};
    use rstest::rstest;
    use squall_reports::Verdict;

    const INVARIANT: Invariant = Invariant::RetainedLatest;

    /// Reading 1, then 2, both acknowledged.
    const BEFORE: &str = "
        1 sensor connects
        2 sensor publishes 1 a/x qos1 retain
        3 sensor acknowledged 1
        4 sensor publishes 2 a/x qos1 retain
        5 sensor acknowledged 2";

    fn cast() -> [Actor; 2] {
        [actor("sensor"), actor("dashboard")]
    }

    fn trace(after: &str) -> String {
        format!("{BEFORE}\n{after}")
    }

    #[rstest]
    #[case::the_latest(
        "6 dashboard connects
         7 dashboard subscribes a/+ qos1
         8 dashboard received sensor.2 qos1 retain"
    )]
    #[case::one_being_written(
        "6 dashboard connects
         7 dashboard subscribing a/+ qos1
         7.1 sensor publishes 3 a/x qos1 retain
         7.2 sensor acknowledged 3
         7.3 dashboard subscribed a/+ qos1
         8 dashboard received sensor.3 qos1 retain"
    )]
    #[case::the_one_before_it(
        "6 dashboard connects
         7 dashboard subscribing a/+ qos1
         7.1 sensor publishes 3 a/x qos1 retain
         7.2 sensor acknowledged 3
         7.3 dashboard subscribed a/+ qos1
         8 dashboard received sensor.2 qos1 retain"
    )]
    #[case::one_that_was_never_acknowledged(
        "6 sensor publishes 3 a/x qos1 retain
         7 dashboard connects
         7 dashboard subscribes a/+ qos1
         8 dashboard received sensor.3 qos1 retain"
    )]
    #[case::gone_at_once(
        "6 dashboard connects
         7 dashboard subscribes a/+ qos1
         8 dashboard vanished"
    )]
    #[case::cleared(
        "5 sensor publishes 3 a/x qos1 retain empty
         5.5 sensor acknowledged 3
         6 dashboard connects
         7 dashboard subscribes a/+ qos1"
    )]
    #[case::being_cleared(
        "6 dashboard connects
         7 dashboard subscribing a/+ qos1
         7.1 sensor publishes 3 a/x qos1 retain empty
         7.3 dashboard subscribed a/+ qos1"
    )]
    #[case::discarded_for_one_at_qos_0(
        "6 sensor publishes 3 a/x qos0 retain
         7 dashboard connects
         7 dashboard subscribes a/+ qos1"
    )]
    #[case::at_qos_0_it_may_be_lost("7 dashboard connects\n7 dashboard subscribes a/+ qos0")]
    fn what_the_register_may_hold_is_right(#[case] after: &str) {
        let guarantee = judged(INVARIANT, &cast(), &trace(after));
        assert_ne!(guarantee.verdict, Verdict::Violated, "{guarantee:#?}");
    }

    #[test]
    fn a_value_before_the_latest_is_found() {
        insta::assert_snapshot!(violated(
            INVARIANT,
            &cast(),
            &trace(
                "6 dashboard connects
                 7 dashboard subscribes a/+ qos1
                 8 dashboard received sensor.1 qos1 retain"
            )
        ));
    }

    #[test]
    fn a_value_that_was_cleared_is_found() {
        insta::assert_snapshot!(violated(
            INVARIANT,
            &cast(),
            &trace(
                "5 sensor publishes 3 a/x qos1 retain empty
                 5.5 sensor acknowledged 3
                 6 dashboard connects
                 7 dashboard subscribes a/+ qos1
                 8 dashboard received sensor.2 qos1 retain"
            )
        ));
    }

    #[test]
    fn no_value_where_one_is_kept_is_found() {
        insta::assert_snapshot!(violated(
            INVARIANT,
            &cast(),
            &trace("6 dashboard connects\n7 dashboard subscribes a/+ qos1")
        ));
    }

    #[test]
    fn of_writes_in_a_row_the_first_is_out_of_date() {
        violated(
            INVARIANT,
            &cast(),
            "1 sensor connects
             2 sensor publishes 1 a/x qos1 retain
             2 sensor publishes 2 a/x qos1 retain
             3 sensor acknowledged 1
             3 sensor acknowledged 2
             6 dashboard connects
             7 dashboard subscribes a/+ qos1
             8 dashboard received sensor.1 qos1 retain",
        );
    }

    #[test]
    fn a_value_at_qos_0_is_done_when_somebody_saw_it() {
        let cast = [actor("sensor"), actor("dashboard"), actor("watcher")];
        let trace = |seen: &str| {
            format!(
                "1 sensor connects
                 1 watcher connects
                 1 watcher subscribes a/+ qos0
                 2 sensor publishes 1 a/x qos0 retain
                 3 watcher received sensor.1 qos0
                 4 sensor publishes 2 a/x qos0 retain
                 {seen}
                 6 dashboard connects
                 7 dashboard subscribes a/+ qos1
                 8 dashboard received sensor.1 qos0 retain"
            )
        };
        holds(INVARIANT, &cast, &trace(""));
        violated(INVARIANT, &cast, &trace("5 watcher received sensor.2 qos0"));
    }
}
