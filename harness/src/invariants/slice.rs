//! The slice of trace that shows a violation: few events, in the order of their
//! times, in words.

use super::case::Case;
use super::history::{Content, Delivery, Fate, NEVER, Reading, Subscription};
use crate::net::Nanos;
use crate::trace::Message;
use squall_devices::{DeviceId, DropReason, Qos};
use squall_reports::figures;

/// Events of a trace, being collected.
pub(crate) struct Slice<'a> {
    case: &'a Case<'a>,
    events: Vec<(Nanos, String, String)>,
}

impl<'a> Slice<'a> {
    pub(super) fn new(case: &'a Case<'a>) -> Slice<'a> {
        Slice {
            case,
            events: Vec::new(),
        }
    }

    /// Adds an event, unless it never happened.
    pub(crate) fn event(mut self, at: Nanos, who: &str, what: impl Into<String>) -> Self {
        if at != NEVER {
            self.events.push((at, who.to_owned(), what.into()));
        }
        self
    }

    /// Adds what a device did or saw.
    pub(crate) fn device(self, at: Nanos, device: DeviceId, what: impl Into<String>) -> Self {
        let name = self.case.history.roster.name(device);
        self.event(at, name, what)
    }

    /// Adds a reading's life at its publisher.
    pub(crate) fn reading(self, reading: &Reading) -> Self {
        let id = reading.id;
        let sent = match reading.sends {
            0 | 1 => format!("sent {id}: {}", self.words(&reading.message)),
            sends => format!(
                "sent {id}, {sends} times in all: {}",
                self.words(&reading.message)
            ),
        };
        let fate = match reading.fate {
            Fate::Open => String::new(),
            Fate::Acknowledged => format!("got {id} acknowledged"),
            Fate::Dropped(reason) => format!("gave {id} up: {}", dropped(reason)),
        };
        self.device(reading.first_sent, id.device(), sent).device(
            reading.settled,
            id.device(),
            fate,
        )
    }

    /// Adds a delivery.
    pub(crate) fn delivery(self, delivery: &Delivery) -> Self {
        let history = self.case.history;
        let flags = flags(delivery);
        let what = match delivery.content {
            Content::Reading(index) => {
                format!("received {}{flags}", history.readings[index as usize].id)
            }
            Content::Stranger(_) => {
                let message = history.message(delivery);
                let topic = self.case.text(message.topic);
                format!("received {} B on {topic}{flags}", message.payload_bytes)
            }
        };
        let receiver = history.receiver(delivery);
        self.device(delivery.at, receiver, what)
    }

    /// Adds when a subscription began and ended.
    pub(crate) fn subscription(self, subscription: &Subscription) -> Self {
        let history = self.case.history;
        let session = &history.sessions[subscription.session as usize];
        let who = history.connections[session.connection as usize].device;
        let filter = self.case.text(subscription.filter).to_owned();
        let granted = match subscription.granted {
            Some(qos) => format!("subscribed to {filter}, granted QoS {}", qos as u8),
            None => format!("subscription to {filter} refused"),
        };
        let (until, gone) = (subscription.certainly_until, subscription.possibly_until);
        let over = session.ended == until;
        let asked = subscription.certainly_from == NEVER;
        let sent = if asked {
            subscription.possibly_from
        } else {
            NEVER
        };
        self.device(sent, who, format!("sent SUBSCRIBE to {filter}"))
            .device(subscription.certainly_from, who, granted)
            .device(
                if over { NEVER } else { until },
                who,
                format!("sent UNSUBSCRIBE from {filter}"),
            )
            .device(
                if over { NEVER } else { gone },
                who,
                format!("unsubscribed from {filter}"),
            )
    }

    /// Adds the beginning and the end of a device's connection.
    pub(crate) fn connection(self, index: u32) -> Self {
        let Some(connection) = self.case.history.connections.get(index as usize) else {
            return self;
        };
        let present = match connection.session_present {
            true => "connected, session present",
            false => "connected, no session present",
        };
        self.device(connection.accepted, connection.device, present)
            .device(connection.ended, connection.device, "connection ended")
    }

    /// The lines, a line an event.
    pub(crate) fn lines(mut self) -> Vec<String> {
        // Stable: what happened at one time stays as it was told.
        self.events.sort_by_key(|(at, ..)| *at);
        let mut events: Vec<(Nanos, String, String)> = Vec::new();
        for event in std::mem::take(&mut self.events) {
            if !events.contains(&event) {
                events.push(event);
            }
        }
        self.events = events;
        let times: Vec<String> = self.events.iter().map(|(at, ..)| clock(*at)).collect();
        let width = |texts: &mut dyn Iterator<Item = &str>| {
            texts.map(|text| text.chars().count()).max().unwrap_or(0)
        };
        let at_width = width(&mut times.iter().map(String::as_str));
        let who_width = width(&mut self.events.iter().map(|(_, who, _)| who.as_str()));
        let events = self.events.iter().zip(&times);
        events
            .map(|((_, who, what), at)| format!("{at:>at_width$}  {who:<who_width$}  {what}"))
            .collect()
    }

    fn words(&self, message: &Message) -> String {
        message_words(self.case, message)
    }
}

/// A message in words.
pub(crate) fn message_words(case: &Case<'_>, message: &Message) -> String {
    let retain = if message.retain { ", RETAIN" } else { "" };
    format!(
        "{} B on {}, QoS {}{retain}",
        message.payload_bytes,
        case.text(message.topic),
        message.qos as u8
    )
}

/// QoS and flags of a delivery, in words.
fn flags(delivery: &Delivery) -> String {
    let mut words = format!(" at QoS {}", delivery.qos as u8);
    if delivery.dup {
        words.push_str(", DUP");
    }
    if delivery.retain {
        words.push_str(", RETAIN");
    }
    words
}

fn dropped(reason: DropReason) -> &'static str {
    match reason {
        DropReason::OutboxFull => "its outbox was full",
        DropReason::SessionLost => "its session was gone",
        DropReason::Refused => "the broker refused it",
        DropReason::Forgotten => "its power was lost",
    }
}

/// A moment in words, to the millisecond.
pub(crate) fn clock(at: Nanos) -> String {
    let text = figures::clock(at);
    if text.contains('.') {
        text
    } else {
        text + ".000"
    }
}

/// A QoS as a number.
pub(crate) fn level(qos: Qos) -> usize {
    qos as usize
}
