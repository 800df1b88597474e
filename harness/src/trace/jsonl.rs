//! A trace as JSON Lines: one object a line, in the order of the trace.
//!
//! The first line says what follows: `format` (the version of this format,
//! [`FORMAT`]), `squall`, `scenario`, `title` and `seed`. Every other line has
//!
//! - `t_ns`: virtual time in nanoseconds since the run began,
//! - `at`: the name of the host it happened on,
//! - `device`, `connection` or `session`: who saw it: a device by its name, a
//!   server on the connection with this number, or a server about the session
//!   of this client identifier,
//! - `event`: what, and of the following what the event has: `id` (a reading),
//!   `packet` (the name of an MQTT packet), `packet_id`, `topic`, `qos`,
//!   `retain`, `dup`, `payload_bytes`, `payload_hash`,
//!   `message_expiry_s` (what is left of it, MQTT 5.0), `filter`, `granted` (QoS,
//!   or null if refused), `session_present`, `attempt`, `reason`, `client`,
//!   `undelivered`, `until_ns`, `fault` (which of the scenario's, from 0),
//!   `kind` (of fault), `target`, `effect`.
//!
//! Events of a device: `woke`, `connecting`, `connected`, `connect failed`,
//! `subscribing` (handed to the client; `qos` is asked for), `subscribed`,
//! `unsubscribing`, `unsubscribed`, `published` (handed to the client), `sent`,
//! `acknowledged`, `dropped`, `delivered`, `forgot` (lost its power, and what it
//! kept in RAM), `disconnected`, `vanished`, `reset`, `connection lost`, `slept`. Of a connection at a server: `opened`, `received`, `sent`, `closed`.
//! Of a session: `session created`, `session resumed`, `session discarded`,
//! `message dropped`. Of the weather, which has none of the three: `fault began`,
//! `fault ended`.
//!
//! Fields and events may be added without a new version; what a field means stays.

use super::{
    ClientEvent, Entry, Event, FaultEvent, Message, Packet, ServerEvent, SessionEvent, TextId,
    Texts,
};
use serde::Serialize;
use squall_broker::DropCause;
use squall_devices::{DeviceId, DropReason, MessageId, Qos};
use std::io::{self, Write};

/// The version of the format.
pub const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Header<'a> {
    format: u32,
    squall: &'a str,
    scenario: &'a str,
    title: &'a str,
    seed: u64,
}

#[derive(Serialize, Default)]
struct Line<'a> {
    t_ns: u64,
    at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet_id: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qos: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retain: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dup: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_bytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_expiry_s: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted: Option<Option<u8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_present: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undelivered: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<&'a str>,
}

/// Writes a trace, line by line.
pub struct Writer<W: Write> {
    file: W,
}

impl<W: Write> Writer<W> {
    /// Begins a trace.
    ///
    /// # Errors
    /// What `file` answers to the first write.
    pub fn new(mut file: W, scenario: &str, title: &str, seed: u64) -> io::Result<Writer<W>> {
        let squall = env!("CARGO_PKG_VERSION");
        write_line(
            &mut file,
            &Header {
                format: FORMAT,
                squall,
                scenario,
                title,
                seed,
            },
        )?;
        Ok(Writer { file })
    }

    /// Writes one entry. `hosts` are the names of all hosts, `device_name` says
    /// how a device is called.
    ///
    /// # Errors
    /// What the file answers.
    pub fn write(
        &mut self,
        entry: &Entry,
        texts: &Texts,
        hosts: &[String],
        device_name: impl Fn(DeviceId) -> String,
    ) -> io::Result<()> {
        let name;
        let mut line = Line {
            t_ns: entry.at,
            at: &hosts[usize::from(entry.host)],
            ..Line::default()
        };
        match &entry.event {
            Event::Client(device, event) => {
                name = device_name(*device);
                line.device = Some(&name);
                line.client_event(event, texts);
            }
            Event::Server(connection, event) => {
                line.connection = Some(*connection);
                line.server_event(event, texts);
            }
            Event::Session(client, event) => {
                line.session = Some(texts.text(*client));
                line.session_event(event);
            }
            Event::Fault { fault, kind, event } => {
                line.fault = Some(*fault);
                line.kind = Some(kind);
                line.fault_event(event, texts);
            }
        }
        write_line(&mut self.file, &line)
    }

    /// Ends the trace.
    ///
    /// # Errors
    /// What the file answers to the last write.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn write_line(file: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *file, line)?;
    file.write_all(b"\n")
}

/// Why a client gave a reading up.
pub(crate) fn given_up(reason: DropReason) -> &'static str {
    match reason {
        DropReason::OutboxFull => "outbox full",
        DropReason::SessionLost => "session lost",
        DropReason::Refused => "refused",
        DropReason::Forgotten => "forgotten",
    }
}

/// Why a server dropped a message.
pub(crate) fn dropped(cause: DropCause) -> &'static str {
    match cause {
        DropCause::QueueFull => "queue full",
        DropCause::SlowSubscriber => "slow subscriber",
        DropCause::Offline => "offline",
        DropCause::NotAuthorized => "not authorized",
        DropCause::TopicTooDeep => "topic too deep",
        DropCause::Expired => "expired",
        DropCause::PacketTooLarge => "packet too large",
        DropCause::RetainedFull => "no room to retain",
    }
}

impl<'a> Line<'a> {
    fn client_event(&mut self, event: &ClientEvent, texts: &'a Texts) {
        let text = |id: TextId| Some(texts.text(id));
        self.event = match *event {
            ClientEvent::Woke => "woke",
            ClientEvent::Connecting { attempt } => {
                self.attempt = Some(attempt);
                "connecting"
            }
            ClientEvent::Connected { session_present } => {
                self.session_present = Some(session_present);
                "connected"
            }
            ClientEvent::ConnectFailed { reason } => {
                self.reason = text(reason);
                "connect failed"
            }
            ClientEvent::Subscribing { filter, qos } => {
                self.filter = text(filter);
                self.qos = Some(number(qos));
                "subscribing"
            }
            ClientEvent::Unsubscribing { filter } => {
                self.filter = text(filter);
                "unsubscribing"
            }
            ClientEvent::Unsubscribed { filter } => {
                self.filter = text(filter);
                "unsubscribed"
            }
            ClientEvent::Subscribed { filter, granted } => {
                self.filter = text(filter);
                self.granted = Some(granted.map(number));
                "subscribed"
            }
            ClientEvent::Published { id, message } => {
                self.message(Some(id), &message, texts);
                "published"
            }
            ClientEvent::Sent { id, dup } => {
                self.id = Some(id.to_string());
                self.dup = Some(dup);
                "sent"
            }
            ClientEvent::Acknowledged { id } => {
                self.id = Some(id.to_string());
                "acknowledged"
            }
            ClientEvent::Dropped { id, reason } => {
                self.id = Some(id.to_string());
                self.reason = Some(given_up(reason));
                "dropped"
            }
            ClientEvent::Delivered {
                id,
                dup,
                message,
                message_expiry_s,
            } => {
                self.message(id, &message, texts);
                self.dup = Some(dup);
                self.message_expiry_s = message_expiry_s;
                "delivered"
            }
            ClientEvent::Forgot => "forgot",
            ClientEvent::DisconnectedClean => "disconnected",
            ClientEvent::DisconnectedVanished => "vanished",
            ClientEvent::DisconnectedReset => "reset",
            ClientEvent::DisconnectedLost { reason } => {
                self.reason = text(reason);
                "connection lost"
            }
            ClientEvent::Slept { until } => {
                self.until_ns = until;
                "slept"
            }
        };
    }

    fn server_event(&mut self, event: &ServerEvent, texts: &'a Texts) {
        self.event = match event {
            ServerEvent::Opened => "opened",
            ServerEvent::Received(packet) => {
                self.packet(packet, texts);
                "received"
            }
            ServerEvent::Sent(packet) => {
                self.packet(packet, texts);
                "sent"
            }
            ServerEvent::Closed { reason, .. } => {
                self.reason = Some(texts.text(*reason));
                "closed"
            }
        };
    }

    fn session_event(&mut self, event: &SessionEvent) {
        self.event = match event {
            SessionEvent::Created => "session created",
            SessionEvent::Resumed => "session resumed",
            SessionEvent::Discarded { undelivered } => {
                self.undelivered = Some(*undelivered);
                "session discarded"
            }
            SessionEvent::MessageDropped { id, cause } => {
                self.id = id.map(|id| id.to_string());
                self.reason = Some(dropped(*cause));
                "message dropped"
            }
        };
    }

    fn fault_event(&mut self, event: &FaultEvent, texts: &'a Texts) {
        let (name, target) = match *event {
            FaultEvent::Began { target } => ("fault began", target),
            FaultEvent::Ended { target, effect } => {
                self.effect = Some(texts.text(effect));
                ("fault ended", target)
            }
        };
        self.event = name;
        self.target = Some(texts.text(target));
    }

    fn packet(&mut self, packet: &Packet, texts: &'a Texts) {
        self.packet = Some(packet.name);
        self.packet_id = packet.packet_id;
        self.client = packet.client.map(|client| texts.text(client));
        if let Some((id, dup, message)) = &packet.publish {
            self.message(*id, message, texts);
            self.dup = Some(*dup);
        }
    }

    fn message(&mut self, id: Option<MessageId>, message: &Message, texts: &'a Texts) {
        self.id = id.map(|id| id.to_string());
        self.topic = Some(texts.text(message.topic));
        self.qos = Some(number(message.qos));
        self.retain = Some(message.retain);
        self.payload_bytes = Some(message.payload_bytes);
        self.payload_hash = Some(format!("{:016x}", message.payload_hash));
    }
}

fn number(qos: Qos) -> u8 {
    match qos {
        Qos::AtMostOnce => 0,
        Qos::AtLeastOnce => 1,
        Qos::ExactlyOnce => 2,
    }
}
