//! One connection of a device to a sensor hub, over a plain WebSocket.
//!
//! The hub's protocol is documented where the hub is, in
//! `reference-broker/src/websocket/hub.rs`. A device that publishes is a sensor
//! there, and one that subscribes a listener; both tell the same events as a
//! client of MQTT. A reading counts as sent once the client library has it: what
//! an unacknowledged device has given away is lost with the connection, as it is
//! for whoever calls `send` on a WebSocket.

mod masked;
mod message;

use crate::connection::{Connection, End, Next, Outcome, Phase, Turn};
use crate::device::Device;
use crate::duty::Duty;
use crate::event::Event;
use crate::fleet::Qos;
use crate::fuse::Fused;
use crate::names::Names;
use crate::payload::id_of;
use crate::protocol::WebSocketSettings;
use crate::random::{Draw, Purpose};
use crate::resource;
use crate::run::World;
use crate::strike::Inbox;
use bytes::Bytes;
use data_encoding::BASE64;
use futures_util::{Sink as _, Stream as _};
use masked::Masked;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// The subprotocol of who acknowledges.
const ACKNOWLEDGED: &str = "acknowledged.squall";

/// What is read at once, in bytes; each connection keeps a buffer of this size.
const READ_BYTES: usize = 1024;

/// Written frames wait for each other up to this size, in bytes: readings that
/// are ready together leave together.
const WRITE_BYTES: usize = 4 * 1024;

/// What is said of a Close frame that took too long.
const UNSAID: &str = "the Close frame was not answered";

/// Connects, and serves the connection until it ends.
pub(crate) async fn connect(
    world: &World,
    device: &mut Device,
    duty: &mut Duty,
    names: &Names,
    inbox: &Arc<Inbox>,
    settings: &WebSocketSettings,
) -> Outcome {
    let patience = world.fleet.mqtt.connect_timeout;
    // Boxed: it is larger than all the rest, and gone once the WebSocket is open.
    let mut opening = Box::pin(timeout(
        patience,
        open(world, device, names, inbox, settings),
    ));
    let mut timer = pin!(sleep_until(Instant::now()));
    let mut connection = Connection::new(world, device, duty, names, inbox);
    let frames = loop {
        let opening = opening.as_mut();
        let failed = match connection.wait(timer.as_mut(), None, UNSAID, opening).await {
            ControlFlow::Continue(Turn::Event(Ok(Ok(frames)))) => break frames,
            ControlFlow::Continue(Turn::Event(Ok(Err(reason)))) => connection.failed(&reason),
            ControlFlow::Continue(Turn::Event(Err(_))) => {
                connection.failed("no answer to the upgrade in time")
            }
            // Nothing can be sent yet.
            ControlFlow::Continue(Turn::Next(_)) => ControlFlow::Continue(()),
            ControlFlow::Break(end) => ControlFlow::Break(end),
        };
        if let ControlFlow::Break(end) = failed {
            return connection.end(end);
        }
    };
    drop(opening);
    let mut client = Client {
        connection,
        settings,
        frames: Frames {
            stream: frames,
            unflushed: false,
            got: None,
            closed: false,
        },
        heard: Instant::now(),
        pinged: false,
        greeted: !settings.acknowledged,
        parting: None,
    };
    let mut ended = client.connected();
    loop {
        if let ControlFlow::Break(end) = ended {
            return client.connection.end(end);
        }
        let own = client.silent_at();
        let (connection, frames) = (&mut client.connection, &mut client.frames);
        let event = poll_fn(|cx| frames.poll(cx));
        let turn = connection.wait(timer.as_mut(), own, UNSAID, event).await;
        ended = match turn {
            ControlFlow::Continue(Turn::Event(seen)) => client.seen(seen),
            ControlFlow::Continue(Turn::Next(next)) => client.go_on(next),
            ControlFlow::Break(end) => ControlFlow::Break(end),
        };
    }
}

type WebSocket = WebSocketStream<Masked<Fused>>;

/// Dials, and asks for an upgrade at the device's own URL.
///
/// # Errors
///
/// Why there is no WebSocket: in words for people.
fn open(
    world: &World,
    device: &Device,
    names: &Names,
    inbox: &Arc<Inbox>,
    settings: &WebSocketSettings,
) -> impl Future<Output = Result<WebSocket, String>> + Send + use<> {
    let id = world.fleet.device(device.index);
    let count = u64::from(device.connects);
    let mut draw = Draw::new(world.fleet.seed, Purpose::WebSocket, id, count);
    let request = request(world, names, settings, &draw.bytes());
    let message_bytes_max = world.fleet.mqtt.packet_size_max;
    let (network, inbox) = (Arc::clone(&world.network), Arc::clone(inbox));
    async move {
        let stream = network.dial(id).await.map_err(|error| error.to_string())?;
        let stream = Masked::new(Fused::new(stream, inbox), draw);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(WRITE_BYTES)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        let opened = client_async_with_config(request?, stream, Some(config)).await;
        let (mut stream, _) = opened.map_err(|error| reason(&error))?;
        stream.get_mut().opened();
        Ok(stream)
    }
}

/// The request for an upgrade, with what RFC 6455 section 4.1 asks for and
/// nothing else.
fn request(
    world: &World,
    names: &Names,
    settings: &WebSocketSettings,
    key: &[u8; 16],
) -> Result<Request, String> {
    let path = match &world.fleet.publish {
        Some(_) => {
            let topic = names.topic_of(1);
            let (group, sensor) =
                resource::of_topic(&topic).ok_or("the topic is no sensor of a hub")?;
            format!("/sensors/{group}/{sensor}")
        }
        None => {
            let filter = names.filters.first().map_or("", String::as_str);
            let group = resource::group_of(filter).ok_or("the filter is of no group of a hub")?;
            match settings.acknowledged {
                true => format!("/groups/{group}/{}", names.client_id),
                false => format!("/groups/{group}"),
            }
        }
    };
    let authority = settings.authority.as_str();
    let mut request = Request::builder()
        .uri(format!("ws://{authority}{path}"))
        .header("Host", authority)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", BASE64.encode(key));
    if settings.acknowledged {
        request = request.header("Sec-WebSocket-Protocol", ACKNOWLEDGED);
    }
    request.body(()).map_err(|error| error.to_string())
}

/// Why a WebSocket failed: in words for people.
fn reason(error: &Error) -> String {
    match error {
        Error::Io(error) => error.to_string(),
        Error::Http(response) => format!("refused: {}", response.status()),
        Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::HandshakeIncomplete,
        ) => "closed by the hub".to_owned(),
        error => error.to_string(),
    }
}

/// Messages, in and out.
struct Frames {
    stream: WebSocket,
    /// Something that was written has not left.
    unflushed: bool,
    /// The number of the last reading that a listener has not acknowledged.
    got: Option<u64>,
    /// A Close frame was sent or received: nothing may follow it.
    closed: bool,
}

/// What the frames bring.
enum Seen {
    Message(Message),
    /// All that was written has left.
    Flushed,
    /// The stream has ended, or failed.
    Over(Option<Error>),
}

impl Frames {
    /// Reads as long as there is something to read, and then writes: one
    /// acknowledgement says that everything up to a reading is there. May be
    /// dropped at any time.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Seen> {
        match Pin::new(&mut self.stream).poll_next(cx) {
            Poll::Ready(Some(Ok(message))) => return Poll::Ready(Seen::Message(message)),
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Seen::Over(Some(error))),
            Poll::Ready(None) => return Poll::Ready(Seen::Over(None)),
            Poll::Pending => {}
        }
        if let Err(error) = self.acknowledge() {
            return Poll::Ready(Seen::Over(Some(error)));
        }
        if !self.unflushed {
            return Poll::Pending;
        }
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        self.unflushed = false;
        Poll::Ready(match flushed {
            Ok(()) => Seen::Flushed,
            Err(error) => Seen::Over(Some(error)),
        })
    }

    fn acknowledge(&mut self) -> Result<(), Error> {
        match self.got.take() {
            Some(sequence) if !self.closed => self.write(Message::text(sequence.to_string())),
            _ => Ok(()),
        }
    }

    /// Says farewell, once everything that came is acknowledged.
    fn close(&mut self) -> Result<(), Error> {
        self.acknowledge()?;
        self.closed = true;
        self.write(Message::Close(Some(CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        })))
    }

    /// Hands a message to the library. What a full stream does not take now
    /// waits there.
    fn write(&mut self, message: Message) -> Result<(), Error> {
        self.unflushed = true;
        Pin::new(&mut self.stream).start_send(message)
    }
}

struct Client<'a> {
    connection: Connection<'a>,
    settings: &'a WebSocketSettings,
    frames: Frames,
    /// When something was last heard of the hub.
    heard: Instant,
    pinged: bool,
    /// The hub has said which readings it has, if it does so.
    greeted: bool,
    /// Why the hub has closed the WebSocket.
    parting: Option<String>,
}

impl Client<'_> {
    /// Whoever listens is sent its group from here on.
    fn connected(&mut self) -> ControlFlow<End> {
        let qos = self.qos();
        let connection = &mut self.connection;
        let (world, names) = (connection.world, connection.names);
        let listens = !names.filters.is_empty();
        let known = listens && self.settings.acknowledged && connection.device.subscribed;
        connection.connected(known);
        for filter in names.filters.iter().filter(|_| !known) {
            let (device, granted) = (&mut *connection.device, Some(qos));
            world.record(device, Event::Subscribing { filter, qos });
            world.record(device, Event::Subscribed { filter, granted });
            device.subscribed = true;
        }
        let next = connection.advance(UNSAID)?;
        self.go_on(next)
    }

    fn qos(&self) -> Qos {
        match self.settings.acknowledged {
            true => Qos::AtLeastOnce,
            false => Qos::AtMostOnce,
        }
    }

    /// When to ping, or to give the connection up.
    fn silent_at(&self) -> Option<Instant> {
        let keep_alive = self.settings.keep_alive;
        let times = if self.pinged { 2 } else { 1 };
        (!keep_alive.is_zero()).then(|| self.heard + keep_alive * times)
    }

    fn go_on(&mut self, next: Next) -> ControlFlow<End> {
        let written = match next {
            Next::Wait => Ok(()),
            Next::Serve => {
                if self.silent_at().is_some_and(|at| at <= Instant::now()) {
                    if self.pinged || self.frames.closed {
                        return self.connection.failed("nothing was heard of the hub");
                    }
                    self.pinged = true;
                    // Nothing is heard while this leaves.
                    if let Err(error) = self.frames.write(Message::Ping(Bytes::new())) {
                        return self.connection.failed(&reason(&error));
                    }
                }
                self.hand_over()
            }
            Next::Close if self.frames.closed => Ok(()),
            Next::Close => self.frames.close(),
        };
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => self.connection.failed(&reason(&error)),
        }
    }

    /// Gives the library as many readings as may be on their way; none while a
    /// full stream holds others up.
    fn hand_over(&mut self) -> Result<(), Error> {
        if !self.greeted || self.frames.unflushed || self.frames.closed {
            return Ok(());
        }
        let window = usize::from(self.connection.world.fleet.mqtt.in_flight_max);
        loop {
            let outbox = &mut self.connection.device.outbox;
            let (packet_id, reading) = match outbox.to_resend() {
                Some(flight) => (flight.packet_id, &flight.reading),
                None => {
                    let packet_id = match self.settings.acknowledged {
                        true => outbox.free_packet_id(),
                        false => 0,
                    };
                    let Some(reading) = outbox.hand_over(window) else {
                        return Ok(());
                    };
                    (packet_id, reading)
                }
            };
            self.frames
                .write(message::of_sensor(self.settings, reading))?;
            if let Some((sequence, dup)) = outbox.sent(packet_id) {
                self.connection.sent(sequence, dup);
            }
        }
    }

    fn seen(&mut self, seen: Seen) -> ControlFlow<End> {
        match seen {
            Seen::Flushed => {}
            Seen::Message(message) => {
                self.heard = Instant::now();
                self.pinged = false;
                self.received(message)?;
            }
            Seen::Over(error) => return self.over(error),
        }
        let next = self.connection.advance(UNSAID)?;
        self.go_on(next)
    }

    fn over(&mut self, error: Option<Error>) -> ControlFlow<End> {
        let closing = matches!(self.connection.phase, Phase::Closing { .. });
        match (error, &self.parting) {
            (None, None) if closing => self.connection.closed(),
            (_, Some(parting)) => self.connection.failed(parting),
            (None, None) => self.connection.failed("closed by the hub"),
            (Some(error), None) => self.connection.failed(&reason(&error)),
        }
    }

    fn received(&mut self, message: Message) -> ControlFlow<End> {
        match message {
            Message::Text(_) | Message::Binary(_) => {}
            // tungstenite's answer lies ready.
            Message::Ping(_) => {
                self.frames.unflushed = true;
                return ControlFlow::Continue(());
            }
            Message::Close(close) => {
                self.frames.unflushed = true;
                self.frames.closed = true;
                if !matches!(self.connection.phase, Phase::Closing { .. }) {
                    self.parting = Some(match close {
                        Some(close) => format!("closed by the hub: {close}"),
                        None => "closed by the hub".to_owned(),
                    });
                }
                return ControlFlow::Continue(());
            }
            Message::Pong(_) | Message::Frame(_) => return ControlFlow::Continue(()),
        }
        let known = match self.connection.names.filters.is_empty() {
            true => self.acknowledged(&message),
            false => self.delivered(message),
        };
        match known {
            Some(()) => ControlFlow::Continue(()),
            None => self
                .connection
                .failed("the hub sent what is not of its protocol"),
        }
    }

    /// The hub says to a sensor up to which reading it has them.
    fn acknowledged(&mut self, message: &Message) -> Option<()> {
        if !self.settings.acknowledged {
            return None;
        }
        let sequence = message::sequence(message)?;
        self.greeted = true;
        for sequence in self.connection.device.outbox.acknowledged_up_to(sequence) {
            self.connection.acknowledged(sequence);
        }
        Some(())
    }

    /// A reading of the listener's group. What its filters do not match has been
    /// paid for, and is ignored.
    fn delivered(&mut self, message: Message) -> Option<()> {
        let delivery = message::to_listener(message, self.settings.acknowledged)?;
        self.frames.got = delivery.sequence.or(self.frames.got);
        let connection = &self.connection;
        let filters = &connection.names.filters;
        let group = resource::group_of(filters.first()?)?;
        let topic = resource::topic_of(group, &delivery.sensor);
        if !filters
            .iter()
            .any(|filter| rumqttc::matches(&topic, filter))
        {
            return Some(());
        }
        connection.world.record(
            connection.device,
            Event::Delivered {
                id: id_of(&delivery.payload),
                topic: &topic,
                qos: self.qos(),
                retain: false,
                dup: false,
                message_expiry_s: None,
                payload: &delivery.payload,
            },
        );
        Some(())
    }
}
