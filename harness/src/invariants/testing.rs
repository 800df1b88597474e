//! Hand-written traces for the tests of invariants, a line an event:
//!
//! ```text
//! 1.5 sensor published 1 a/x qos1 retain
//! ```
//!
//! is what `sensor` saw at 1.5 s. Devices are named in [`Trace::cast`]. Events
//! of devices:
//!
//! - `connecting`, `connected`, `connected present`, `failed`, `connects` (the
//!   first two at once), `disconnected`, `vanished`, `lost`, `forgot`
//! - `subscribing FILTER`, `subscribed FILTER qosN`, `subscribes FILTER qosN`
//!   (both at once), `unsubscribing FILTER`, `unsubscribed FILTER`
//! - `published N TOPIC qosN [retain] [empty]`, `sent N [dup]`,
//!   `publishes ...` (both at once), `acknowledged N`, `dropped N`, `forgotten N`
//! - `received DEVICE.N qosN [dup] [retain] [corrupt] [elsewhere] [expiresSECONDS]`,
//!   `received will DEVICE qosN [dup] [retain]`
//!
//! Events of `broker`, about the connection with a number:
//!
//! - `opened C`, `got C CONNECT DEVICE`, `got C PACKET`, `sent C CONNACK`,
//!   `accepts C DEVICE` (all these), `closed C peer|keep-alive|takeover`
//! - `sent C PUBREL P`, `sent C PUBLISH P DEVICE.N [dup]`,
//!   `got C PUBLISH P DEVICE.N`, `got C PUBACK P`
//! - `full DEVICE DEVICE.N`: the queue of the first had no room for this
//!
//! Of `weather`: `began KIND`, `ended KIND`.

use super::case::{Case, Terms};
use super::history::{History, Role, Roster, Will};
use super::judgement::Judgement;
use super::{Invariant, judge};
use crate::net::{Nanos, SECOND};
use crate::scenario::Server;
use crate::trace::{
    ClientEvent, ClosedBy, Entry, Event, FaultEvent, Message, Packet, ServerEvent, SessionEvent,
    Texts,
};
use squall_broker::DropCause;
use squall_devices::{DeviceId, DropReason, MessageId, Qos};
use squall_reports::{Guarantee, Verdict};
use std::collections::BTreeMap;

/// One who takes part in a hand-written trace.
#[derive(Clone)]
pub(super) struct Actor {
    pub(super) name: &'static str,
    pub(super) client: &'static str,
    pub(super) clean: bool,
    pub(super) keep_alive_s: u64,
    pub(super) will: Option<(&'static str, Qos, bool)>,
    pub(super) will_delay_s: u64,
    pub(super) speaks_5_0: bool,
    pub(super) session_expiry_s: Option<u64>,
    pub(super) message_expiry_s: Option<u64>,
    pub(super) receive_maximum: Option<u16>,
}

/// A device of this name, with a session that lasts.
pub(super) const fn actor(name: &'static str) -> Actor {
    Actor {
        name,
        client: name,
        clean: false,
        keep_alive_s: 0,
        will: None,
        will_delay_s: 0,
        speaks_5_0: false,
        session_expiry_s: None,
        message_expiry_s: None,
        receive_maximum: None,
    }
}

/// A device of this name, with clean sessions.
pub(super) const fn clean(name: &'static str) -> Actor {
    Actor {
        clean: true,
        ..actor(name)
    }
}

/// What `invariant` says of a run of a minute in which this happened.
pub(super) fn judged(invariant: Invariant, cast: &[Actor], trace: &str) -> Guarantee {
    let found = all_judged(Server::Broker, cast, trace).into_iter();
    let mut found = found.filter(|guarantee| guarantee.id == invariant.id());
    found.next().expect("every invariant judges")
}

/// Everything that is said of a run of a minute in which this happened with the
/// clients of a server.
pub(super) fn all_judged(server: Server, cast: &[Actor], trace: &str) -> Vec<Guarantee> {
    let mut story = Story::new(server, cast);
    for line in trace.lines().map(str::trim).filter(|line| !line.is_empty()) {
        story.line(line);
    }
    let terms = Terms {
        ended: 60 * SECOND,
        settle: 10 * SECOND,
        tick: 0,
        exceptions: Vec::new(),
        command: "squall run x.toml --seed 1".to_owned(),
        trace: None,
    };
    judge(std::slice::from_ref(&story.history), &story.texts, &terms)
}

/// Expects that nothing in the trace contradicts `invariant`.
#[track_caller]
pub(super) fn holds(invariant: Invariant, cast: &[Actor], trace: &str) -> String {
    let guarantee = judged(invariant, cast, trace);
    assert_eq!(guarantee.verdict, Verdict::Held, "{guarantee:#?}");
    guarantee.summary
}

/// Expects that the trace contradicts `invariant`; the violations as a report
/// has them.
#[track_caller]
pub(super) fn violated(invariant: Invariant, cast: &[Actor], trace: &str) -> String {
    let guarantee = judged(invariant, cast, trace);
    assert_eq!(guarantee.verdict, Verdict::Violated, "{guarantee:#?}");
    let mut text = guarantee.summary;
    for violation in guarantee.violations {
        for line in violation.text {
            text.push_str(&format!("\n• {line}"));
        }
        for line in violation.statement.iter().chain(&violation.trace) {
            text.push_str(&format!("\n    {line}"));
        }
        if let Some(command) = violation.command {
            text.push_str(&format!("\n    {command}"));
        }
    }
    text
}

/// Expects that the trace gives `invariant` nothing to judge; the reason.
#[track_caller]
pub(super) fn not_applicable(invariant: Invariant, cast: &[Actor], trace: &str) -> String {
    let guarantee = judged(invariant, cast, trace);
    assert_eq!(guarantee.verdict, Verdict::NotApplicable, "{guarantee:#?}");
    guarantee.summary
}

struct Story {
    texts: Texts,
    history: History,
    devices: BTreeMap<&'static str, DeviceId>,
    wills: BTreeMap<&'static str, Message>,
    clients: BTreeMap<&'static str, &'static str>,
    published: BTreeMap<u64, Message>,
}

impl Story {
    fn new(server: Server, cast: &[Actor]) -> Story {
        let mut texts = Texts::default();
        let mut roster = Roster::default();
        let (mut devices, mut wills) = (BTreeMap::new(), BTreeMap::new());
        let mut clients = BTreeMap::new();
        for (actor, number) in cast.iter().zip(0..) {
            roster.fleet(Role {
                first_device: number,
                server,
                clean_session: actor.clean,
                keep_alive: actor.keep_alive_s * SECOND,
                speaks_5_0: actor.speaks_5_0,
                session_expiry: actor.session_expiry_s.map(|s| s * SECOND),
                message_expiry: actor.message_expiry_s.map(|s| s * SECOND),
                receive_maximum: actor.receive_maximum,
            });
            let will = actor.will.map(|(topic, qos, retain)| Will {
                topic: texts.id(topic),
                payload_bytes: 4,
                payload_hash: 0xDEAD,
                qos,
                retain,
                delay: actor.will_delay_s * SECOND,
                expires: false,
            });
            if let Some(will) = will {
                let message = Message {
                    topic: will.topic,
                    qos: will.qos,
                    retain: false,
                    payload_bytes: will.payload_bytes,
                    payload_hash: will.payload_hash,
                };
                wills.insert(actor.name, message);
            }
            let client = texts.id(actor.client);
            roster.device(actor.name.to_owned(), client, will);
            devices.insert(actor.name, DeviceId(number));
            clients.insert(actor.name, actor.client);
        }
        Story {
            texts,
            history: History::new(roster, server),
            devices,
            wills,
            clients,
            published: BTreeMap::new(),
        }
    }

    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [time, who, what, ref rest @ ..] = words[..] else {
            panic!("no event: {line}");
        };
        let at = (time.parse::<f64>().expect("a time") * 1e9) as Nanos;
        match who {
            "broker" => self.broker(at, what, rest),
            "weather" => self.weather(at, what, rest),
            device => {
                let device = *self.devices.get(device).expect("in the cast");
                self.device(at, device, what, rest);
            }
        }
    }

    fn see(&mut self, at: Nanos, event: Event) {
        self.history.see(&Entry { at, host: 0, event });
    }

    fn device(&mut self, at: Nanos, device: DeviceId, what: &str, rest: &[&str]) {
        let lost = self.texts.id("lost");
        let filter = rest.first().map_or(lost, |filter| self.texts.id(filter));
        let id = || {
            let sequence = rest[0].parse().expect("a number");
            MessageId::new(device, sequence)
        };
        let has = |word: &str| rest.contains(&word);
        let events = match what {
            "connecting" => vec![ClientEvent::Connecting { attempt: 1 }],
            "connected" => vec![ClientEvent::Connected {
                session_present: has("present"),
            }],
            "connects" => vec![
                ClientEvent::Connecting { attempt: 1 },
                ClientEvent::Connected {
                    session_present: has("present"),
                },
            ],
            "failed" => vec![ClientEvent::ConnectFailed { reason: lost }],
            "disconnected" => vec![ClientEvent::DisconnectedClean],
            "vanished" => vec![ClientEvent::DisconnectedVanished],
            "lost" => vec![ClientEvent::DisconnectedLost { reason: lost }],
            "forgot" => vec![ClientEvent::Forgot],
            "subscribing" => vec![ClientEvent::Subscribing {
                filter,
                qos: Qos::ExactlyOnce,
            }],
            "subscribed" => vec![ClientEvent::Subscribed {
                filter,
                granted: Some(qos(rest)),
            }],
            "subscribes" => vec![
                ClientEvent::Subscribing {
                    filter,
                    qos: qos(rest),
                },
                ClientEvent::Subscribed {
                    filter,
                    granted: Some(qos(rest)),
                },
            ],
            "unsubscribing" => vec![ClientEvent::Unsubscribing { filter }],
            "unsubscribed" => vec![ClientEvent::Unsubscribed { filter }],
            "published" | "publishes" => {
                let id = id();
                let empty = has("empty");
                let message = Message {
                    topic: self.texts.id(rest[1]),
                    qos: qos(rest),
                    retain: has("retain"),
                    payload_bytes: if empty { 0 } else { 20 },
                    payload_hash: if empty { 0 } else { id.0 },
                };
                self.published.insert(id.0, message);
                let mut events = vec![ClientEvent::Published { id, message }];
                if what == "publishes" {
                    events.push(ClientEvent::Sent { id, dup: false });
                }
                events
            }
            "sent" => vec![ClientEvent::Sent {
                id: id(),
                dup: has("dup"),
            }],
            "acknowledged" => vec![ClientEvent::Acknowledged { id: id() }],
            "dropped" => vec![ClientEvent::Dropped {
                id: id(),
                reason: DropReason::OutboxFull,
            }],
            "forgotten" => vec![ClientEvent::Dropped {
                id: id(),
                reason: DropReason::Forgotten,
            }],
            "received" => vec![self.received(rest)],
            other => panic!("no event of a device: {other}"),
        };
        for event in events {
            self.see(at, Event::Client(device, event));
        }
    }

    fn received(&mut self, rest: &[&str]) -> ClientEvent {
        let has = |word: &str| rest.contains(&word);
        let (id, message) = match rest {
            ["will", device, ..] => (None, self.wills[device]),
            [reading, ..] => {
                let id = self.id(reading);
                let unknown = Message {
                    topic: self.texts.id("unknown"),
                    qos: Qos::AtMostOnce,
                    retain: false,
                    payload_bytes: 20,
                    payload_hash: 0,
                };
                let message = self.published.get(&id.0).copied().unwrap_or(unknown);
                (Some(id), message)
            }
            [] => panic!("received what?"),
        };
        let topic = match has("elsewhere") {
            true => self.texts.id("elsewhere"),
            false => message.topic,
        };
        ClientEvent::Delivered {
            id: id.filter(|_| message.payload_bytes > 0),
            dup: has("dup"),
            message_expiry_s: rest
                .iter()
                .find_map(|word| word.strip_prefix("expires")?.parse().ok()),
            message: Message {
                topic,
                qos: qos(rest),
                retain: has("retain"),
                payload_hash: message.payload_hash ^ u64::from(has("corrupt")),
                ..message
            },
        }
    }

    /// `sensor.1`
    fn id(&self, reading: &str) -> MessageId {
        let (device, sequence) = reading.split_once('.').expect("DEVICE.N");
        let sequence = sequence.parse().expect("a number");
        MessageId::new(self.devices[device], sequence)
    }

    fn broker(&mut self, at: Nanos, what: &str, rest: &[&str]) {
        if what == "full" {
            let client = self.texts.id(self.clients[rest[0]]);
            let event = SessionEvent::MessageDropped {
                id: Some(self.id(rest[1])),
                cause: DropCause::QueueFull,
            };
            self.see(at, Event::Session(client, event));
            return;
        }
        let serial: u64 = rest[0].parse().expect("a connection");
        let packet = |name: &'static str| Packet {
            name,
            packet_id: rest.get(2).and_then(|id| id.parse().ok()),
            publish: None,
            client: None,
        };
        let events = match (what, rest) {
            ("opened", _) => vec![ServerEvent::Opened],
            ("accepts", [_, device]) => vec![
                ServerEvent::Opened,
                ServerEvent::Received(Packet {
                    client: Some(self.texts.id(self.clients[device])),
                    ..packet("CONNECT")
                }),
                ServerEvent::Sent(packet("CONNACK")),
            ],
            ("got", [_, "DISCONNECT"]) => vec![
                ServerEvent::Received(packet("DISCONNECT")),
                ServerEvent::Closed {
                    kind: ClosedBy::Disconnect,
                    reason: self.texts.id("DISCONNECT"),
                },
            ],
            ("got", [_, "PUBCOMP", ..]) => vec![ServerEvent::Received(packet("PUBCOMP"))],
            ("got", [_, "PUBACK", ..]) => vec![ServerEvent::Received(packet("PUBACK"))],
            ("sent", [_, "PUBREL", _]) => vec![ServerEvent::Sent(packet("PUBREL"))],
            (way, [_, "PUBLISH", _, reading, ..]) => {
                let id = self.id(reading);
                let message = self.published[&id.0];
                let publish = Packet {
                    publish: Some((Some(id), rest.contains(&"dup"), message)),
                    ..packet("PUBLISH")
                };
                match way {
                    "got" => vec![ServerEvent::Received(publish)],
                    _ => vec![ServerEvent::Sent(publish)],
                }
            }
            ("got", _) => vec![ServerEvent::Received(packet("PINGREQ"))],
            ("closed", [_, why]) => vec![ServerEvent::Closed {
                kind: match *why {
                    "keep-alive" => ClosedBy::KeepAlive,
                    "takeover" => ClosedBy::TakeOver,
                    "refused" => ClosedBy::Refusal,
                    _ => ClosedBy::Peer,
                },
                reason: self.texts.id(why),
            }],
            other => panic!("no event of the broker: {other:?}"),
        };
        for event in events {
            self.see(at, Event::Server(serial, event));
        }
    }

    fn weather(&mut self, at: Nanos, what: &str, rest: &[&str]) {
        let kind = match rest {
            ["partition"] => "partition",
            ["server-crash"] => "server-crash",
            ["server-pause"] => "server-pause",
            other => panic!("no fault: {other:?}"),
        };
        let target = self.texts.id(kind);
        let event = match what {
            "began" => FaultEvent::Began { target },
            _ => FaultEvent::Ended {
                target,
                effect: target,
            },
        };
        let fault = 0;
        self.see(at, Event::Fault { fault, kind, event });
    }
}

/// The word `qosN`.
fn qos(words: &[&str]) -> Qos {
    let mut words = words.iter();
    match words.find_map(|word| word.strip_prefix("qos")) {
        Some("0") => Qos::AtMostOnce,
        Some("2") => Qos::ExactlyOnce,
        _ => Qos::AtLeastOnce,
    }
}

#[test]
fn what_is_judged_shows_its_evidence() {
    let story = Story::new(Server::Broker, &[actor("sensor")]);
    let terms = Terms {
        ended: 0,
        settle: 0,
        tick: 0,
        exceptions: Vec::new(),
        command: String::new(),
        trace: Some("run.jsonl".to_owned()),
    };
    let case = Case::new(&story.history, &story.texts, &terms);
    for invariant in Invariant::ALL {
        let judgement = invariant.judge(&case);
        assert!(
            matches!(judgement, Judgement::NotApplicable(_)),
            "{invariant:?} judged a run without events: {judgement:?}"
        );
    }
}
