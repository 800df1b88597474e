//! Wills: what is published when a client is gone without saying so (section
//! 3.1.2.5).

use std::sync::Arc;
use std::time::Duration;

use crate::message::{self, Message};
use crate::observer::CloseReason;
use crate::wire::Will;

/// The message that a will becomes, retained only if it says so
/// [MQTT311-3.1.2-16] [MQTT311-3.1.2-17]. It expires some time after it is
/// published, not after it is said.
pub(crate) fn message(will: Will) -> Arc<Message> {
    let Will {
        topic,
        message,
        qos,
        retain,
        properties,
    } = will;
    let (properties, expiry) = message::kept(&properties, Duration::ZERO);
    Arc::new(Message {
        topic,
        payload: message,
        qos,
        retain,
        properties,
        expiry,
    })
}

/// Whether the will is published when a connection ends like this: always,
/// unless DISCONNECT has removed it [MQTT311-3.1.2-8] [MQTT311-3.14.4-3].
pub(crate) fn is_due(reason: &CloseReason) -> bool {
    *reason != CloseReason::Disconnect
}
