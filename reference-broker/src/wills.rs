//! Wills: what is published when a client is gone without saying so (section
//! 3.1.2.5).

use std::sync::Arc;
use std::time::Duration;

use crate::access::Rights;
use crate::message::{self, Message};
use crate::observer::CloseReason;
use crate::quirks::{Quirk, Quirks};
use crate::wire::{Property, Will};

/// The will of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Stated {
    pub(crate) message: Arc<Message>,
    /// How long it waits for the client to come back (section 3.1.3.2.2).
    pub(crate) delay: Duration,
}

/// A will that waits for its time, or for its client.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) will: Stated,
    /// Those of the client that stated it.
    pub(crate) rights: Rights,
}

/// What is published of a will, and when: retained only if it says so
/// [MQTT311-3.1.2-16] [MQTT311-3.1.2-17] [MQTT5-3.1.2-14] [MQTT5-3.1.2-15].
/// It expires some time after it is published, not after it is said.
pub(crate) fn stated(will: Will, quirks: Quirks) -> Stated {
    let Will {
        topic,
        message,
        qos,
        retain,
        properties,
    } = will;
    let retain =
        (retain || quirks.has(Quirk::RetainsEveryWill)) && !quirks.has(Quirk::RetainsNoWill);
    let delay_s = properties.iter().find_map(|property| match property {
        Property::WillDelayInterval(seconds) => Some(seconds),
        _ => None,
    });
    let (mut properties, expiry) = message::kept(&properties, Duration::ZERO, Quirks::default());
    if quirks.has(Quirk::ReversesWillProperties) {
        let mut all: Vec<_> = properties.iter().collect();
        all.reverse();
        properties = all.into_iter().collect();
    }
    let message = Arc::new(Message {
        topic,
        payload: message,
        qos,
        retain,
        properties,
        expiry,
    });
    let delay = Duration::from_secs(delay_s.unwrap_or(0).into());
    Stated { message, delay }
}

/// Whether the will is published when a connection ends like this: always,
/// unless DISCONNECT has removed it [MQTT311-3.1.2-8] [MQTT311-3.14.4-3]
/// [MQTT5-3.1.2-8] [MQTT5-3.14.4-3].
pub(crate) fn is_due(reason: &CloseReason, quirks: Quirks) -> bool {
    match reason {
        CloseReason::Disconnect => quirks.has(Quirk::WillAfterDisconnect),
        CloseReason::PeerClosed => !quirks.has(Quirk::ForgetsWillOfVanished),
        _ => !quirks.has(Quirk::PublishesWillOfVanishedOnly),
    }
}
