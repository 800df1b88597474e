//! Messages with a lifetime, as the server's wire shows them (MQTT 5.0, section
//! 3.3.2.3.3): when the server received each, when it sent it on, and what it
//! said was left of its lifetime.

use super::{Content, History};
use crate::net::{Nanos, SECOND};
use crate::trace::ServerEvent;
use rustc_hash::FxHashMap;
use squall_devices::DeviceId;

/// A server may count in whole seconds.
const GRACE: Nanos = SECOND;

/// What happened to messages that expire.
#[derive(Debug, Default)]
pub(crate) struct Expiring {
    /// By reading: when the server received it first, and last.
    received: FxHashMap<u32, (Nanos, Nanos)>,
    /// By client and reading: when the server last sent it.
    sent: FxHashMap<(u32, u32), Nanos>,
    /// Times that a message began its way to a client within its lifetime.
    pub(crate) in_time: u64,
    pub(crate) late: Vec<SentLate>,
    pub(crate) wrong: Vec<WrongInterval>,
}

/// A message that was sent although it had expired.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentLate {
    pub(crate) at: Nanos,
    pub(crate) client: u32,
    pub(crate) reading: u32,
    /// When it had expired, at the latest.
    pub(crate) expired: Nanos,
}

/// A delivery whose Message Expiry Interval is not what was left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WrongInterval {
    pub(crate) delivery: u32,
    /// What it said, in seconds.
    pub(crate) found: Option<u32>,
    /// What was left when the server sent it, at the least and at the most.
    pub(crate) left: (Nanos, Nanos),
}

impl History {
    /// Takes what a server received or sent, if it is a message that expires.
    pub(super) fn see_expiring(&mut self, at: Nanos, serial: u64, event: &ServerEvent) {
        let (ServerEvent::Received(packet) | ServerEvent::Sent(packet)) = event else {
            return;
        };
        let Some((Some(id), dup, _)) = packet.publish else {
            return;
        };
        let Some(reading) = self.reading(id) else {
            return;
        };
        let Some(lifetime) = self.roster.message_expiry(id.device()) else {
            return;
        };
        let expiring = &mut self.expiring;
        if matches!(event, ServerEvent::Received(_)) {
            let received = expiring.received.entry(reading).or_insert((at, at));
            received.1 = at;
            return;
        }
        let (Some(client), Some((_, last))) =
            (self.wire.client_of(serial), expiring.received.get(&reading))
        else {
            return;
        };
        expiring.sent.insert((client, reading), at);
        let expired = last + lifetime;
        // What was begun in time goes on after it.
        if dup {
            return;
        }
        if at > expired + GRACE {
            expiring.late.push(SentLate {
                at,
                client,
                reading,
                expired,
            });
        } else {
            expiring.in_time += 1;
        }
    }

    /// Takes the Message Expiry Interval of the latest delivery, in seconds.
    pub(super) fn delivered_expiring(&mut self, device: DeviceId, found: Option<u32>) {
        let Some(delivery) = self.deliveries.last() else {
            return;
        };
        let Content::Reading(reading) = delivery.content else {
            return;
        };
        let publisher = self.readings[reading as usize].id.device();
        let Some(lifetime) = self.roster.message_expiry(publisher) else {
            return;
        };
        let client = self.roster.client_of(device);
        let expiring = &mut self.expiring;
        let (Some(sent), Some((first, last)), true) = (
            expiring.sent.get(&(client, reading)),
            expiring.received.get(&reading),
            self.roster.role(device).speaks_5_0,
        ) else {
            return;
        };
        let left = |received: Nanos| lifetime.saturating_sub(sent.saturating_sub(received));
        let left = (left(*first), left(*last));
        let right = found.is_some_and(|seconds| {
            let found = u64::from(seconds) * SECOND;
            left.0 <= found + GRACE && found <= left.1 + GRACE
        });
        if !right {
            expiring.wrong.push(WrongInterval {
                delivery: self.deliveries.len() as u32 - 1,
                found,
                left,
            });
        }
    }
}
