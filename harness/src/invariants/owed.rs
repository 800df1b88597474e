//! Which deliveries were owed, and what became of each.
//!
//! A delivery is owed for a reading that the broker acknowledged and a session
//! with a subscription that was certainly in force: its SUBACK had arrived
//! before the reading was first sent, and nothing had begun to end it when the
//! acknowledgement arrived. So the server had the subscription whenever it took
//! the reading in, whatever the network did. What was not acknowledged is
//! neither owed nor forbidden.
//!
//! That an owed delivery has not come is held against the broker when
//! - a later reading of the same publisher, topic and QoS did come: nothing
//!   overtakes [MQTT311-4.6.0-6];
//! - the broker let go of the session though nobody had ended it; or
//! - its client was connected for as long as the scenario allows, and the
//!   reading acknowledged and the weather clear.
//!
//! Otherwise it is left open, and counted as such. A message with a lifetime is
//! held against the broker only for what shows before the end of it, and what
//! goes to a group is not owed to any one of its members.

use super::case::Case;
use super::history::{BrokerDrop, Delivery, End, Fate, NEVER, NONE, Reading};
use super::slice::level;
use crate::net::Nanos;
use crate::trace::TextId;
use rustc_hash::FxHashMap;
use squall_devices::{DeviceId, DropReason, Qos};

/// Deliveries owed at one QoS.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) owed: u64,
    pub(crate) delivered: u64,
    /// Of the delivered, those that came more than once.
    pub(crate) repeated: u64,
    /// Neither delivered nor held against the broker.
    pub(crate) open: u64,
    /// Readings of this QoS that their devices forgot with their power: not
    /// owed, since nobody knows what the broker has of them.
    pub(crate) forgotten: u64,
    /// Readings of this QoS that the broker may have taken for others, since
    /// their devices had forgotten those: not owed either.
    pub(crate) mistakable: u64,
    /// Not delivered, and perhaps expired before they had to be.
    pub(crate) expired: u64,
    /// Dropped from a full queue, as the scenario's limits have it.
    pub(crate) queue_full: u64,
}

/// An owed delivery that should have come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Missing {
    pub(crate) pair: Pair,
    pub(crate) proof: Proof,
}

/// A reading owed to a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) reading: u32,
    pub(crate) session: u32,
    /// The subscription that entitles it.
    pub(crate) subscription: u32,
    /// The QoS it is owed at: the lower of the published and the granted
    /// [MQTT311-3.8.4-6].
    pub(crate) qos: Qos,
}

/// Why a delivery should have come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Proof {
    /// This delivery, of a later reading, came.
    Overtaken(u32),
    /// The session was lost at this time.
    SessionLost(Nanos),
    /// On this connection there was time enough, up to then.
    Waited(u32, Nanos),
}

/// An owed delivery that came after its time, or had not come by then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Late {
    pub(crate) pair: Pair,
    /// When it should have come, at the latest.
    pub(crate) due: Nanos,
    /// When it came, if it did.
    pub(crate) delivered: Option<Nanos>,
}

/// What was owed in a run.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    /// By QoS.
    pub(crate) tally: [Tally; 3],
    pub(crate) missing: Vec<Missing>,
    pub(crate) late: Vec<Late>,
    /// The longest that a delivery took once nothing stood in its way.
    pub(crate) slowest: Option<Nanos>,
}

impl Owed {
    /// What was owed at one QoS.
    pub(crate) fn at(&self, qos: Qos) -> Tally {
        self.tally[level(qos)]
    }

    pub(crate) fn of(case: &Case<'_>) -> Owed {
        let mut owed = Owed::default();
        let mut open = Vec::new();
        let dropped = sorted(&case.history.queue_full);
        for_each_pair(case, |case, pairs, arrived| {
            owed.compare(case, pairs, arrived, &dropped, &mut open);
        });
        owed.decide(case, open);
        for reading in &case.history.readings {
            let forgotten = reading.fate == Fate::Dropped(DropReason::Forgotten);
            let tally = &mut owed.tally[level(reading.message.qos)];
            tally.forgotten += u64::from(forgotten);
            tally.mistakable += u64::from(reading.mistakable);
        }
        owed
    }

    /// Compares whom a reading was owed to with whom it reached; both are in
    /// the order of sessions.
    fn compare(
        &mut self,
        case: &Case<'_>,
        pairs: &[Pair],
        arrived: &[(u32, u32)],
        dropped: &[BrokerDrop],
        open: &mut Vec<Pair>,
    ) {
        let mut arrived = arrived.iter().peekable();
        for pair in pairs {
            let tally = &mut self.tally[level(pair.qos)];
            tally.owed += 1;
            while arrived
                .next_if(|(session, _)| *session < pair.session)
                .is_some()
            {}
            let mut first = None;
            let mut copies = 0;
            while let Some((_, delivery)) = arrived.next_if(|(session, _)| *session == pair.session)
            {
                first.get_or_insert(*delivery);
                copies += 1;
            }
            match first {
                Some(first) => {
                    tally.delivered += 1;
                    tally.repeated += u64::from(copies > 1);
                    self.in_time(case, pair, case.delivery(first));
                }
                None => {
                    let drop = BrokerDrop {
                        reading: pair.reading,
                        client: case.history.sessions[pair.session as usize].client,
                    };
                    if dropped.binary_search(&drop).is_ok() {
                        tally.queue_full += 1;
                    } else {
                        open.push(*pair);
                    }
                }
            }
        }
    }

    /// Notes how long after it became due a delivery came.
    fn in_time(&mut self, case: &Case<'_>, pair: &Pair, delivery: &Delivery) {
        let reading = case.reading(pair.reading);
        let connection = &case.history.connections[delivery.connection as usize];
        let at = delivery.at;
        let due_from = reading.settled.max(case.cleared);
        let took = at.saturating_sub(due_from.max(connection.accepted));
        self.slowest = self.slowest.max(Some(took));
        // Almost all: nobody need look for when the client was there.
        if at <= due_from.saturating_add(case.terms.settle) {
            return;
        }
        if let Some((_, due)) = waited(case, pair)
            && at > due
        {
            let delivered = Some(at);
            let pair = *pair;
            self.late.push(Late {
                pair,
                due,
                delivered,
            });
        }
    }

    /// What became of the deliveries that have not come.
    fn decide(&mut self, case: &Case<'_>, open: Vec<Pair>) {
        let later = Later::of(case, &open);
        for pair in open {
            let session = &case.history.sessions[pair.session as usize];
            let waited = waited(case, &pair);
            if let Some((_, due)) = waited {
                self.late.push(Late {
                    pair,
                    due,
                    delivered: None,
                });
            }
            let expires = case.expires(case.reading(pair.reading));
            let overtaken = later
                .than(case, &pair)
                .filter(|delivery| case.delivery(*delivery).at < expires);
            let proof = match (overtaken, session.end, waited) {
                (Some(delivery), ..) => Proof::Overtaken(delivery),
                (None, End::Lost, _) if session.ended < expires => {
                    Proof::SessionLost(session.ended)
                }
                (None, _, Some((connection, due))) => Proof::Waited(connection, due),
                (None, _, None) => {
                    let tally = &mut self.tally[level(pair.qos)];
                    match expires {
                        NEVER => tally.open += 1,
                        _ => tally.expired += 1,
                    }
                    continue;
                }
            };
            self.missing.push(Missing { pair, proof });
        }
    }
}

/// Goes through the acknowledged readings in the order of their sending, with
/// whom each was owed to and the deliveries of it (session and delivery), both
/// in the order of sessions.
fn for_each_pair(case: &Case<'_>, mut each: impl FnMut(&Case<'_>, &[Pair], &[(u32, u32)])) {
    let history = case.history;
    let mut readings: Vec<u32> = (0..history.readings.len() as u32)
        .filter(|index| {
            let reading = case.reading(*index);
            // An empty payload has no id, so nobody can say which one arrived.
            reading.acknowledged().is_some()
                && reading.message.qos > Qos::AtMostOnce
                && reading.message.payload_bytes > 0
        })
        .collect();
    readings.sort_by_key(|index| case.reading(*index).first_sent);
    let mut subscriptions: Vec<u32> = (0..history.subscriptions.len() as u32)
        .filter(|index| {
            let subscription = &history.subscriptions[*index as usize];
            subscription.certainly_from != NEVER
                && subscription.granted > Some(Qos::AtMostOnce)
                && !case.is_shared(subscription.filter)
        })
        .collect();
    subscriptions.sort_by_key(|index| history.subscriptions[*index as usize].certainly_from);
    let mut coming = subscriptions.into_iter().peekable();
    // By filter: the subscriptions that are in force by now.
    let mut active: FxHashMap<TextId, Vec<u32>> = FxHashMap::default();
    let (mut pairs, mut arrived) = (Vec::new(), Vec::new());
    for index in readings {
        let reading = case.reading(index);
        while let Some(subscription) = coming.next_if(|subscription| {
            history.subscriptions[*subscription as usize].certainly_from <= reading.first_sent
        }) {
            let filter = history.subscriptions[subscription as usize].filter;
            active.entry(filter).or_default().push(subscription);
        }
        pairs.clear();
        for filter in case.filters(reading.message.topic) {
            let Some(active) = active.get_mut(filter) else {
                continue;
            };
            active.retain(|subscription| {
                let until = history.subscriptions[*subscription as usize].certainly_until;
                until >= reading.first_sent
            });
            pairs.extend(active.iter().filter_map(|subscription| {
                let facts = &history.subscriptions[*subscription as usize];
                let qos = facts.granted?.min(reading.message.qos);
                let own = case.is_own(facts.session, reading)
                    && case.options(facts.session, facts.filter).no_local;
                (facts.certainly_until >= reading.settled && !own).then_some(Pair {
                    reading: index,
                    session: facts.session,
                    subscription: *subscription,
                    qos,
                })
            }));
        }
        if pairs.is_empty() {
            continue;
        }
        // Overlapping subscriptions: the highest QoS counts [MQTT311-3.3.5-1].
        pairs.sort_unstable_by_key(|pair: &Pair| (pair.session, std::cmp::Reverse(pair.qos)));
        pairs.dedup_by_key(|pair| pair.session);
        arrived.clear();
        let deliveries = case.arrivals(index).iter();
        arrived.extend(
            deliveries
                .map(|delivery| (case.session(*delivery), *delivery))
                .filter(|(session, delivery)| {
                    !case.delivery(*delivery).retain || answers_nothing(case, *session, reading)
                }),
        );
        arrived.sort_unstable();
        each(case, &pairs, &arrived);
    }
}

/// Whether a copy of a reading with RETAIN set cannot answer a SUBSCRIBE of the
/// session: all had been answered before. So it is the owed delivery, though
/// its flag is wrong.
fn answers_nothing(case: &Case<'_>, session: u32, reading: &Reading) -> bool {
    let mut requests = case.requests(session, reading.message.topic);
    requests.all(|request| request.answered <= reading.first_sent)
}

/// The first connection of a pair's session on which there was time enough for
/// its delivery, and when that was over.
fn waited(case: &Case<'_>, pair: &Pair) -> Option<(u32, Nanos)> {
    let reading = case.reading(pair.reading);
    let from = reading.settled.max(case.cleared);
    let mut connections = case.connections_of(pair.session).iter();
    connections.find_map(|index| {
        let connection = &case.history.connections[*index as usize];
        let due = from
            .max(connection.accepted)
            .checked_add(case.terms.settle)?;
        let expires = case.expires(reading);
        let until = connection.ended.min(case.terms.ended).min(expires);
        (due <= until).then_some((*index, due))
    })
}

/// For each session, publisher, topic and QoS in question: the latest reading
/// that was delivered.
struct Later {
    latest: FxHashMap<Class, (Rank, u32)>,
}

/// A session, publisher, topic and QoS, within which nothing overtakes.
type Class = (u32, DeviceId, TextId, Qos);

/// A reading's place among those of its publisher.
pub(super) type Rank = (Nanos, u32);

pub(super) fn rank(reading: &Reading) -> Rank {
    (reading.first_sent, reading.id.sequence())
}

fn class(session: u32, reading: &Reading) -> Class {
    let message = &reading.message;
    (session, reading.id.device(), message.topic, message.qos)
}

impl Later {
    fn of(case: &Case<'_>, open: &[Pair]) -> Later {
        let mut latest: FxHashMap<Class, (Rank, u32)> = open
            .iter()
            .map(|pair| {
                (
                    class(pair.session, case.reading(pair.reading)),
                    ((0, 0), NONE),
                )
            })
            .collect();
        if latest.is_empty() {
            return Later { latest };
        }
        for (delivery, index) in case.history.deliveries.iter().zip(0..) {
            let super::history::Content::Reading(reading) = delivery.content else {
                continue;
            };
            if delivery.retain || delivery.qos == Qos::AtMostOnce {
                continue;
            }
            let reading = case.reading(reading);
            let session = case.history.session_of(delivery);
            if case.in_a_group(session, reading.message.topic) {
                continue;
            }
            let class = class(session, reading);
            if let Some(latest) = latest.get_mut(&class)
                && rank(reading) > latest.0
            {
                *latest = (rank(reading), index);
            }
        }
        Later { latest }
    }

    /// A delivery of a reading that came after the pair's, if there was one.
    fn than(&self, case: &Case<'_>, pair: &Pair) -> Option<u32> {
        let reading = case.reading(pair.reading);
        let (latest, delivery) = self.latest.get(&class(pair.session, reading))?;
        (*latest > rank(reading)).then_some(*delivery)
    }
}

fn sorted(drops: &[BrokerDrop]) -> Vec<BrokerDrop> {
    let mut drops = drops.to_vec();
    drops.sort_unstable();
    drops
}
