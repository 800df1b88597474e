//! What MQTT guarantees, judged on what happened.
//!
//! Each [`Invariant`] is one guarantee, in a file of its own: a pure function
//! from the history of a run (what every client saw, and what went over the
//! wire at the servers) to a verdict with its evidence. All run on every
//! scenario; one that cannot hold in a scenario is excepted there, with a
//! reason (`[expect] exceptions`), and one that a run gives nothing to judge
//! does not apply.
//!
//! Nothing rests on how long things took, but for the bound on liveness. What
//! may have happened in several ways is neither owed nor forbidden: a publish
//! without its acknowledgement, a subscription between SUBSCRIBE and SUBACK,
//! what a device has forgotten.
//!
//! What speaks another protocol than MQTT has been promised nothing. The same is
//! looked for there, as far as it can be stated, and what is found is a
//! measurement: see `measured`.
//!
//! A new guarantee is a file here and a line in [`Invariant::ALL`] and
//! `Invariant::judge`.

mod at_most_once;
mod case;
mod filters;
pub(crate) mod history;
mod judgement;
mod keep_alive;
mod liveness;
mod lost;
mod measured;
mod message_expiry;
mod no_fabrication;
mod order;
mod owed;
mod qos_0_at_most_once;
mod qos_1_at_least_once;
mod qos_2_exactly_once;
mod receive_maximum;
mod retain_flag;
mod retained_latest;
mod session;
mod shared_subscription;
mod slice;
mod subscription;
#[cfg(test)]
mod testing;
mod will;

pub(crate) use case::Terms;
pub(crate) use history::History;

use crate::trace::Texts;
use case::Case;
use judgement::Judgement;
use squall_reports::{Guarantee, Verdict};

/// A guarantee of MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// What arrives was published, byte for byte.
    NoFabrication,
    /// At QoS 0 a message arrives at most once.
    Qos0AtMostOnce,
    /// At QoS 1 an acknowledged message arrives at least once.
    Qos1AtLeastOnce,
    /// At QoS 2 an acknowledged message arrives exactly once.
    Qos2ExactlyOnce,
    /// Messages of one publisher, topic and QoS arrive in their order.
    Order,
    /// A new subscriber gets the latest retained value.
    RetainedLatest,
    /// RETAIN is set in answer to a SUBSCRIBE, and never else.
    RetainFlag,
    /// A session gets what it subscribed to, at the QoS granted.
    Subscription,
    /// A will is published when its client is gone without a DISCONNECT.
    Will,
    /// CONNACK says rightly whether there is a session.
    Session,
    /// An expired message is not sent any more.
    MessageExpiry,
    /// A message goes to one member of each group.
    SharedSubscription,
    /// No client gets more at once than it takes unacknowledged.
    ReceiveMaximum,
    /// A silent client is disconnected.
    KeepAlive,
    /// What is owed arrives in time, once the weather is clear.
    Liveness,
}

impl Invariant {
    /// Every invariant, in the order of reports.
    pub const ALL: [Self; 15] = [
        Self::NoFabrication,
        Self::Qos0AtMostOnce,
        Self::Qos1AtLeastOnce,
        Self::Qos2ExactlyOnce,
        Self::Order,
        Self::RetainedLatest,
        Self::RetainFlag,
        Self::Subscription,
        Self::Will,
        Self::Session,
        Self::MessageExpiry,
        Self::SharedSubscription,
        Self::ReceiveMaximum,
        Self::KeepAlive,
        Self::Liveness,
    ];

    /// Its name in scenarios and JSON, which never changes.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::NoFabrication => "no-fabrication",
            Self::Qos0AtMostOnce => "qos-0-at-most-once",
            Self::Qos1AtLeastOnce => "qos-1-at-least-once",
            Self::Qos2ExactlyOnce => "qos-2-exactly-once",
            Self::Order => "order",
            Self::RetainedLatest => "retained-latest",
            Self::RetainFlag => "retain-flag",
            Self::Subscription => "subscription",
            Self::Will => "will",
            Self::Session => "session",
            Self::MessageExpiry => "message-expiry",
            Self::SharedSubscription => "shared-subscription",
            Self::ReceiveMaximum => "receive-maximum",
            Self::KeepAlive => "keep-alive",
            Self::Liveness => "liveness",
        }
    }

    /// The invariant with this [`id`](Self::id).
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|invariant| invariant.id() == id)
    }

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoFabrication => "no fabrication",
            Self::Qos0AtMostOnce => "QoS 0 at most once",
            Self::Qos1AtLeastOnce => "QoS 1 at least once",
            Self::Qos2ExactlyOnce => "QoS 2 exactly once",
            Self::Order => "order",
            Self::RetainedLatest => "retained latest",
            Self::RetainFlag => "RETAIN flag",
            Self::Subscription => "subscriptions",
            Self::Will => "wills",
            Self::Session => "sessions",
            Self::MessageExpiry => "message expiry",
            Self::SharedSubscription => "shared subscriptions",
            Self::ReceiveMaximum => "receive maximum",
            Self::KeepAlive => "keep-alive",
            Self::Liveness => "liveness",
        }
    }

    /// The normative statement it rests on, such as `MQTT311-4.3.2-1`; `None`
    /// if it goes without saying.
    #[must_use]
    pub fn statement(self) -> Option<&'static str> {
        match self {
            Self::NoFabrication => None,
            Self::Qos0AtMostOnce => Some("MQTT311-4.3.1-1"),
            Self::Qos1AtLeastOnce => Some("MQTT311-4.3.2-1"),
            Self::Qos2ExactlyOnce => Some("MQTT311-4.3.3-1"),
            Self::Order => Some("MQTT311-4.6.0-6"),
            Self::RetainedLatest => Some("MQTT311-3.3.1-5"),
            Self::RetainFlag => Some("MQTT311-3.3.1-9"),
            Self::Subscription => Some("MQTT311-3.8.4-6"),
            Self::Will => Some("MQTT311-3.1.2-8"),
            Self::Session => Some("MQTT311-3.2.2-2"),
            Self::MessageExpiry => Some("MQTT5-3.3.2-5"),
            Self::SharedSubscription => Some("MQTT5-4.8.2-5"),
            Self::ReceiveMaximum => Some("MQTT5-3.3.4-9"),
            Self::KeepAlive => Some("MQTT311-3.1.2-24"),
            Self::Liveness => None,
        }
    }

    fn judge(self, case: &Case<'_>) -> Judgement {
        match self {
            Self::NoFabrication => no_fabrication::judge(case),
            Self::Qos0AtMostOnce => qos_0_at_most_once::judge(case),
            Self::Qos1AtLeastOnce => qos_1_at_least_once::judge(case),
            Self::Qos2ExactlyOnce => qos_2_exactly_once::judge(case),
            Self::Order => order::judge(case),
            Self::RetainedLatest => retained_latest::judge(case),
            Self::RetainFlag => retain_flag::judge(case),
            Self::Subscription => subscription::judge(case),
            Self::Will => will::judge(case),
            Self::Session => session::judge(case),
            Self::MessageExpiry => message_expiry::judge(case),
            Self::SharedSubscription => shared_subscription::judge(case),
            Self::ReceiveMaximum => receive_maximum::judge(case),
            Self::KeepAlive => keep_alive::judge(case),
            Self::Liveness => liveness::judge(case),
        }
    }
}

/// Judges a run: what went over the broker by every invariant, in their order,
/// and what went over another server by those that can be stated there.
pub(crate) fn judge(histories: &[History], texts: &Texts, terms: &Terms) -> Vec<Guarantee> {
    let judged = histories.iter().map(|history| {
        let case = Case::new(history, texts, terms);
        match history.server.protocol() {
            None => guarantees(&case, terms),
            Some(protocol) => measured::judge(&case, protocol),
        }
    });
    judged.flatten().collect()
}

fn guarantees(case: &Case<'_>, terms: &Terms) -> Vec<Guarantee> {
    Invariant::ALL
        .into_iter()
        .map(|invariant| {
            let mut exceptions = terms.exceptions.iter();
            let exception = exceptions.find(|exception| exception.invariant == invariant);
            let judgement = match exception {
                Some(exception) => Judgement::NotApplicable(format!("excepted: {}", exception.why)),
                None => invariant.judge(case),
            };
            guarantee(invariant, judgement)
        })
        .collect()
}

fn guarantee(invariant: Invariant, judgement: Judgement) -> Guarantee {
    let (verdict, summary, violations) = match judgement {
        Judgement::NotApplicable(reason) => (Verdict::NotApplicable, reason, None),
        Judgement::Judged {
            summary,
            violations,
        } if violations.found > 0 => (Verdict::Violated, summary, Some(violations)),
        Judgement::Judged { summary, .. } => (Verdict::Held, summary, None),
    };
    let violations = violations.unwrap_or_default();
    Guarantee {
        id: invariant.id().to_owned(),
        name: invariant.name().to_owned(),
        verdict,
        summary,
        statement: invariant.statement().map(str::to_owned),
        violations_found: violations.found,
        violations: violations.listed,
    }
}
