//! One HTTP connection of a device, to a server that keeps the latest readings.
//!
//! The server's protocol is documented where the server is, in
//! `reference-broker/src/http.rs`. A device posts its readings, and polls sensors
//! or groups of them, one request after the other; both tell the same events as
//! a client of MQTT. A reading is acknowledged by an answer from 200 to 299; one
//! whose answer did not come is posted again on the next connection, with the
//! same number, by which the server knows it.
//!
//! A device without keep-alive has a connection for each request. Either kind
//! has none as long as it has nothing to ask for.

mod client;
mod feed;
mod request;

use crate::connection::{Connection, End, Next, Outcome, Phase, Turn};
use crate::device::Device;
use crate::duty::Duty;
use crate::event::{DropReason, Event};
use crate::fleet::Qos;
use crate::fuse::Fused;
use crate::names::Names;
use crate::payload::id_of;
use crate::protocol::{HttpReader, HttpSettings};
use crate::resource;
use crate::run::World;
use crate::strike::Inbox;
use bytes::Bytes;
use client::{Answer, Client, Seen};
use hyper::StatusCode;
use std::io;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

pub(crate) use request::is_of_many;

/// What is said of a farewell that takes too long: HTTP has none.
const UNSAID: &str = "the connection was closed";

/// What a poll gets is at most once the latest of its sensor: what a newer
/// reading has replaced by then is missed.
const QOS_OF_POLLS: Qos = Qos::AtMostOnce;

/// Connects, and serves the connection until it ends.
pub(crate) async fn connect(
    world: &World,
    device: &mut Device,
    duty: &mut Duty,
    names: &Names,
    inbox: &Arc<Inbox>,
    settings: &HttpSettings,
) -> Outcome {
    let patience = world.fleet.mqtt.connect_timeout;
    let (network, id) = (Arc::clone(&world.network), world.fleet.device(device.index));
    let stream_inbox = Arc::clone(inbox);
    let client = Client::new(async move {
        let dialled = timeout(patience, network.dial(id)).await;
        let stream = dialled.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok(Fused::new(stream, stream_inbox))
    });
    let mut talk = Talk {
        connection: Connection::new(world, device, duty, names, inbox),
        settings,
        client,
        asked: None,
    };
    let mut timer = pin!(sleep_until(Instant::now()));
    loop {
        let own = talk.due();
        let (connection, client) = (&mut talk.connection, &mut talk.client);
        let turn = connection.wait(timer.as_mut(), own, UNSAID, client.next());
        let ended = match turn.await {
            ControlFlow::Continue(Turn::Event(seen)) => talk.seen(seen),
            ControlFlow::Continue(Turn::Next(next)) => talk.go_on(next),
            ControlFlow::Break(end) => ControlFlow::Break(end),
        };
        if let ControlFlow::Break(end) = ended {
            return talk.connection.end(end);
        }
    }
}

struct Talk<'a> {
    connection: Connection<'a>,
    settings: &'a HttpSettings,
    client: Client,
    /// What is asked for, and until when an answer is waited for.
    asked: Option<(Asked, Instant)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// That the reading in flight by this packet identifier is taken.
    Post(u16),
    /// What is new for the filter of this number.
    Poll(usize),
}

impl Talk<'_> {
    /// When an answer has taken too long, or there is something to ask for.
    fn due(&self) -> Option<Instant> {
        match self.asked {
            Some((_, patience)) => Some(patience),
            None => self.connection.duty.poll_at(),
        }
    }

    fn seen(&mut self, seen: Result<Seen, String>) -> ControlFlow<End> {
        match seen {
            Ok(Seen::Connected) => {
                // What it has seen of its sensors is known to it still.
                let known = self.connection.device.subscribed;
                self.connection.connected(known);
            }
            Ok(Seen::Answered(answer)) => self.answered(&answer)?,
            // The server does so when it has heard nothing for a while.
            Err(reason) if self.is_idle() => return self.connection.over(Outcome::Again, &reason),
            Err(reason) => return self.connection.failed(&reason),
        }
        let next = self.connection.advance(UNSAID)?;
        self.go_on(next)
    }

    fn is_idle(&self) -> bool {
        self.connection.phase == Phase::Online && self.asked.is_none()
    }

    fn go_on(&mut self, next: Next) -> ControlFlow<End> {
        match next {
            Next::Wait => ControlFlow::Continue(()),
            Next::Close => self.connection.closed(),
            Next::Serve => self.serve(Instant::now()),
        }
    }

    /// Asks for the next thing that there is to ask for, or ends the connection
    /// if it is of no more use.
    fn serve(&mut self, now: Instant) -> ControlFlow<End> {
        match self.asked {
            Some((_, patience)) if patience <= now => {
                return self.connection.failed("no answer in time");
            }
            Some(_) => return ControlFlow::Continue(()),
            None => {}
        }
        // A device that listens too has asked for what there is first, so that it
        // misses no answer to its readings.
        let names = self.connection.names;
        let listens = names.filters.is_empty() || self.connection.device.subscribed;
        if listens && self.post(now) {
            return ControlFlow::Continue(());
        }
        if let Some(filter) = self.connection.duty.poll_due(now) {
            return self.poll(filter, now);
        }
        match self.settings.keep_alive {
            true => ControlFlow::Continue(()),
            false => self.close(now),
        }
    }

    fn close(&mut self, now: Instant) -> ControlFlow<End> {
        self.connection.close(now, Outcome::Again);
        self.connection.closed()
    }

    fn ask(&mut self, asked: Asked, request: client::Request, patience: Duration, now: Instant) {
        let patience = self.connection.world.fleet.mqtt.connect_timeout + patience;
        self.asked = Some((asked, now + patience));
        self.client.send(request);
    }

    /// Posts the next reading, if there is one.
    fn post(&mut self, now: Instant) -> bool {
        let connection = &mut self.connection;
        let (world, names) = (connection.world, connection.names);
        let Some(publish) = &world.fleet.publish else {
            return false;
        };
        let outbox = &mut connection.device.outbox;
        let (packet_id, reading) = match outbox.to_resend() {
            Some(flight) => (flight.packet_id, &flight.reading),
            None => {
                let packet_id = outbox.free_packet_id();
                match outbox.hand_over(1) {
                    Some(reading) => (packet_id, reading),
                    None => return false,
                }
            }
        };
        let topic = names.topic_of(reading.sequence);
        let Some(request) = request::post(self.settings, publish, &topic, reading) else {
            // `Fleet::check` lets no such topic through.
            return false;
        };
        if let Some((sequence, dup)) = outbox.sent(packet_id) {
            connection.sent(sequence, dup);
        }
        self.ask(Asked::Post(packet_id), request, Duration::ZERO, now);
        true
    }

    fn poll(&mut self, filter: usize, now: Instant) -> ControlFlow<End> {
        let connection = &mut self.connection;
        let (world, device) = (connection.world, &mut *connection.device);
        let wanted = connection.names.filters[filter].as_str();
        if !device.subscribed {
            let qos = QOS_OF_POLLS;
            let filter = wanted;
            world.record(device, Event::Subscribing { filter, qos });
        }
        // The first answer of all is not waited for.
        let wait = match self.settings.reader {
            HttpReader::LongPoll(wait) if device.subscribed => wait,
            HttpReader::LongPoll(_) | HttpReader::Poll(_) => Duration::ZERO,
        };
        let request = request::poll(self.settings, wanted, device.read(filter), wait);
        let Some(request) = request else {
            // `Fleet::check` lets no such filter through.
            return self.connection.failed("the filter is of no group");
        };
        self.ask(Asked::Poll(filter), request, wait, now);
        ControlFlow::Continue(())
    }

    fn answered(&mut self, answer: &Answer) -> ControlFlow<End> {
        let Some((asked, _)) = self.asked.take() else {
            return ControlFlow::Continue(());
        };
        let understood = match asked {
            Asked::Post(packet_id) => self.posted(packet_id, answer.status),
            Asked::Poll(filter) => self.polled(filter, answer).is_some(),
        };
        if !understood {
            let reason = format!("the server answered {}", answer.status);
            // It is left alone for longer each time.
            return self.connection.over(Outcome::Failed, &reason);
        }
        match answer.last || !self.settings.keep_alive {
            true => self.close(Instant::now()),
            false => ControlFlow::Continue(()),
        }
    }

    /// Whether the answer to a reading settles it.
    fn posted(&mut self, packet_id: u16, status: StatusCode) -> bool {
        const TRY_AGAIN: [StatusCode; 2] =
            [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        let refused = status.is_client_error() && !TRY_AGAIN.contains(&status);
        if !(refused || status.is_success()) {
            return false;
        }
        let connection = &mut self.connection;
        if let Some(sequence) = connection.device.outbox.acknowledged(packet_id) {
            match refused {
                false => connection.acknowledged(sequence),
                true => {
                    let (id, reason) = (connection.message(sequence), DropReason::Refused);
                    let dropped = Event::Dropped { id, reason };
                    connection.world.record(connection.device, dropped);
                }
            }
        }
        true
    }

    /// Takes the answer to a poll; `None` if it makes no sense.
    fn polled(&mut self, filter: usize, answer: &Answer) -> Option<()> {
        let names = self.connection.names;
        let wanted = names.filters[filter].as_str();
        let group = resource::group_of(wanted)?;
        match (answer.status, is_of_many(wanted)) {
            (StatusCode::OK, true) => {
                for entry in feed::entries(answer.body.clone()) {
                    let entry = entry?;
                    let topic = resource::topic_of(group, &entry.sensor);
                    self.delivered(wanted, &topic, &entry.payload);
                    self.connection
                        .device
                        .has_read(filter, entry.position.to_string());
                }
            }
            (StatusCode::OK, false) => {
                let etag = answer.etag.clone()?;
                self.delivered(wanted, wanted, &answer.body);
                self.connection.device.has_read(filter, etag);
            }
            (StatusCode::NO_CONTENT, true) => {}
            (StatusCode::NOT_MODIFIED | StatusCode::NOT_FOUND, false) => {}
            _ => return None,
        }
        let connection = &mut self.connection;
        let (world, device) = (connection.world, &mut *connection.device);
        if !device.subscribed {
            let (filter, granted) = (wanted, Some(QOS_OF_POLLS));
            world.record(device, Event::Subscribed { filter, granted });
        }
        let last = filter + 1 == names.filters.len();
        device.subscribed |= last;
        connection
            .duty
            .polled(last, self.settings.reader, Instant::now());
        Some(())
    }

    /// A reading of the group. What the filter does not match has been paid for,
    /// and is ignored.
    fn delivered(&self, filter: &str, topic: &str, payload: &Bytes) {
        if !rumqttc::matches(topic, filter) {
            return;
        }
        let delivered = Event::Delivered {
            id: id_of(payload),
            topic,
            qos: QOS_OF_POLLS,
            retain: false,
            dup: false,
            message_expiry_s: None,
            payload,
        };
        let connection = &self.connection;
        connection.world.record(connection.device, delivered);
    }
}
