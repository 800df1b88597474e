//! One MQTT connection of a device: a rumqttc client over the stream it dials.
//!
//! Client and event loop live in the device's own task. `EventLoop::poll` is not
//! cancel-safe: while it waits for a full stream to take a write, or hands on a
//! replayed request, a packet exists in its future only. So a pending poll is
//! never dropped but to end the connection; timers run beside it, and speak to
//! it through the client's queue.

use crate::device::Device;
use crate::duty::Duty;
use crate::event::{DisconnectReason, DropReason, Event};
use crate::failure::reason;
use crate::fleet::{Fleet, Qos};
use crate::id::MessageId;
use crate::lifecycle::Ending;
use crate::payload::id_of;
use crate::resume::{Labels, Resume};
use crate::run::World;
use rumqttc::{
    AsyncClient, EventLoop, Incoming, LastWill, MqttOptions, NetworkOptions, Outgoing,
    PublishOptions, SubscribeFilter, SubscribeReasonCode,
};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// A device's texts, expanded once for each time awake.
pub(crate) struct Names {
    pub(crate) client_id: String,
    /// Empty for a fleet that publishes nothing.
    pub(crate) topic: String,
    pub(crate) filters: Vec<String>,
}

impl Names {
    pub(crate) fn new(fleet: &Fleet, index: u32) -> Self {
        let topic = fleet.publish.as_ref();
        let filters = fleet.subscribe.iter();
        Self {
            client_id: fleet.device_name(index),
            topic: topic.map_or(String::new(), |publish| fleet.expand(&publish.topic, index)),
            filters: filters.map(|s| fleet.expand(&s.filter, index)).collect(),
        }
    }
}

/// How an attempt to connect ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The duty is done: the device goes to sleep.
    Done,
    /// The connection was not accepted.
    Failed,
    /// The accepted connection was lost.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Online,
    /// DISCONNECT is on its way; the deadline bounds the wait for a stream that
    /// does not take it.
    Closing {
        deadline: Instant,
    },
}

struct Connection<'a> {
    world: &'a World,
    device: &'a mut Device,
    duty: &'a mut Duty,
    names: &'a Names,
    client: AsyncClient,
    phase: Phase,
}

/// Connects, and serves the connection until it ends.
pub(crate) async fn connect(
    world: &World,
    device: &mut Device,
    duty: &mut Duty,
    names: &Names,
) -> Outcome {
    let (client, mut eventloop) = client(world, device, names);
    let mut connection = Connection {
        world,
        device,
        duty,
        names,
        client,
        phase: Phase::Connecting,
    };
    let mut timer = pin!(sleep_until(Instant::now()));
    loop {
        let event = {
            let mut poll = pin!(eventloop.poll());
            loop {
                let deadline = connection.timer();
                if let Some(deadline) = deadline
                    && timer.deadline() != deadline
                {
                    timer.as_mut().reset(deadline);
                }
                tokio::select! {
                    biased;
                    event = &mut poll => break event,
                    () = &mut timer, if deadline.is_some() => {
                        if let ControlFlow::Break(outcome) = connection.advance() {
                            return outcome;
                        }
                    }
                }
            }
        };
        if let ControlFlow::Break(outcome) = connection.event(event, &mut eventloop) {
            return outcome;
        }
    }
}

fn client(world: &World, device: &Device, names: &Names) -> (AsyncClient, EventLoop) {
    let fleet = &world.fleet;
    let mqtt = &fleet.mqtt;
    // The address is never looked up: the connector below dials.
    let mut options = MqttOptions::new(names.client_id.as_str(), ("", 0));
    options
        .set_keep_alive(mqtt.keep_alive_s)
        .set_clean_session(mqtt.clean_session)
        .set_inflight(mqtt.in_flight_max)
        .set_max_packet_size(mqtt.packet_size_max, mqtt.packet_size_max)
        // Readings that are ready together leave together.
        .set_max_request_batch(usize::from(mqtt.in_flight_max));
    if let Some(will) = &mqtt.will {
        let topic = fleet.expand(&will.topic, device.index);
        let payload = fleet.expand(&will.payload, device.index);
        options.set_last_will(LastWill::new(topic, payload, will.qos.into(), will.retain));
    }
    match (&mqtt.username, &mqtt.password) {
        (Some(username), Some(password)) => {
            options.set_credentials(username, password.clone());
        }
        (Some(username), None) => {
            options.set_username(username);
        }
        (None, _) => {}
    }
    if !mqtt.clean_session
        && let Some(resume) = resume(fleet, device, names)
    {
        options.set_session_store(resume);
    }
    let (network, id) = (Arc::clone(&world.network), fleet.device(device.index));
    options.set_socket_connector(move |_, _| {
        let network = Arc::clone(&network);
        async move { network.dial(id).await }
    });
    let queue = usize::from(mqtt.in_flight_max);
    let (client, mut eventloop) = AsyncClient::builder(options).capacity(queue).build();
    let mut patience = NetworkOptions::new();
    patience.set_connection_timeout(mqtt.connect_timeout.as_secs());
    eventloop.set_network_options(patience);
    (client, eventloop)
}

fn resume(fleet: &Fleet, device: &Device, names: &Names) -> Option<Resume> {
    let publish = fleet.publish.as_ref();
    let labels = Labels {
        client_id: &names.client_id,
        topic: &names.topic,
        retain: publish.is_some_and(|publish| publish.retain),
        in_flight_max: fleet.mqtt.in_flight_max,
    };
    Resume::of(&device.outbox, &labels)
}

impl Connection<'_> {
    fn timer(&self) -> Option<Instant> {
        match self.phase {
            Phase::Connecting | Phase::Online => self.duty.timer(),
            Phase::Closing { deadline } => Some(deadline),
        }
    }

    /// Does what is due, and ends the connection when the duty is done.
    fn advance(&mut self) -> ControlFlow<Outcome> {
        let now = Instant::now();
        if let Phase::Closing { deadline } = self.phase {
            if now < deadline {
                return ControlFlow::Continue(());
            }
            return self.over(Outcome::Done, "DISCONNECT could not be written");
        }
        self.duty
            .perform(self.world, self.device, &self.names.topic, now);
        if self.duty.is_done(self.world, self.device, now) {
            return self.finish(now);
        }
        if self.phase == Phase::Online {
            self.hand_over();
        }
        ControlFlow::Continue(())
    }

    /// Goes down, in the fleet's way.
    fn finish(&mut self, now: Instant) -> ControlFlow<Outcome> {
        let world = self.world;
        match (world.fleet.lifecycle.ending(), self.phase) {
            (Ending::Vanish, phase) => {
                world.network.vanish(world.fleet.device(self.device.index));
                if phase == Phase::Connecting {
                    return self.over(Outcome::Done, "the device lost its power");
                }
                let reason = DisconnectReason::Vanished;
                world.record(self.device, Event::Disconnected { reason });
                ControlFlow::Break(Outcome::Done)
            }
            (Ending::Clean, Phase::Connecting) => {
                self.over(Outcome::Done, "the device's time awake was over")
            }
            (Ending::Clean, _) => {
                let deadline = now + world.fleet.mqtt.connect_timeout;
                self.phase = Phase::Closing { deadline };
                // This queue is unbounded, and lives as long as the event loop.
                let _ = self.client.try_disconnect_now();
                ControlFlow::Continue(())
            }
        }
    }

    /// Gives the client as many readings as may be on their way. A device that
    /// listens too has its subscriptions first, so that it misses no answer.
    fn hand_over(&mut self) {
        if !self.device.subscribed && !self.names.filters.is_empty() {
            return;
        }
        let Some(publish) = &self.world.fleet.publish else {
            return;
        };
        let window = usize::from(self.world.fleet.mqtt.in_flight_max);
        while let Some(reading) = self.device.outbox.hand_over(window) {
            let options = PublishOptions::new(reading.qos.into()).retain(publish.retain);
            // The queue has room for a whole window, and the fleet's check has
            // approved the topic: a refusal would be a bug, and shows as a
            // reading that is never sent.
            let topic = self.names.topic.as_str();
            let _ = self
                .client
                .try_publish(topic, reading.payload.clone(), options);
        }
    }

    fn event(
        &mut self,
        event: Result<rumqttc::Event, rumqttc::ConnectionError>,
        eventloop: &mut EventLoop,
    ) -> ControlFlow<Outcome> {
        match event {
            Ok(rumqttc::Event::Incoming(Incoming::ConnAck(connack))) => {
                self.connected(connack.session_present, eventloop);
            }
            Ok(rumqttc::Event::Outgoing(Outgoing::Disconnect)) => {
                let reason = DisconnectReason::Clean;
                self.world
                    .record(self.device, Event::Disconnected { reason });
                return ControlFlow::Break(Outcome::Done);
            }
            Ok(event) => self.packet(event),
            Err(error) => {
                // What arrived along with the end of the stream is still here,
                // and rumqttc would forget it.
                while let Some(event) = eventloop.state.events.pop_front() {
                    self.packet(event);
                }
                let outcome = match self.phase {
                    Phase::Connecting => Outcome::Failed,
                    Phase::Online => Outcome::Lost,
                    Phase::Closing { .. } => Outcome::Done,
                };
                return self.over(outcome, &reason(&error));
            }
        }
        self.advance()
    }

    /// Tells how the attempt, or the connection, failed.
    fn over(&self, outcome: Outcome, reason: &str) -> ControlFlow<Outcome> {
        let event = if self.phase == Phase::Connecting {
            Event::ConnectFailed { reason }
        } else {
            let reason = DisconnectReason::Lost(reason);
            Event::Disconnected { reason }
        };
        self.world.record(self.device, event);
        ControlFlow::Break(outcome)
    }

    fn connected(&mut self, session_present: bool, eventloop: &mut EventLoop) {
        let world = self.world;
        self.phase = Phase::Online;
        eventloop.mqtt_options.clear_session_store();
        // rumqttc makes room for 128 events, a tenth of all the client's memory.
        if eventloop.state.events.is_empty() {
            eventloop.state.events = VecDeque::new();
        }
        world.record(self.device, Event::Connected { session_present });
        self.duty.connected(Instant::now());
        if !session_present {
            self.device.subscribed = false;
            for sequence in self.device.outbox.session_lost() {
                let id = self.message(sequence);
                let reason = DropReason::SessionLost;
                world.record(self.device, Event::Dropped { id, reason });
            }
        }
        if !self.device.subscribed && !self.names.filters.is_empty() {
            let wanted = world.fleet.subscribe.iter();
            let filters = self.names.filters.iter().zip(wanted);
            for (filter, subscribe) in filters.clone() {
                let qos = subscribe.qos;
                world.record(self.device, Event::Subscribing { filter, qos });
            }
            // A queue that has just been made has room; the filters were checked.
            let _ = self.client.try_subscribe_many(
                filters.map(|(filter, s)| SubscribeFilter::new(filter.clone(), s.qos.into())),
            );
        }
    }

    fn packet(&mut self, event: rumqttc::Event) {
        let outbox = &mut self.device.outbox;
        match event {
            rumqttc::Event::Outgoing(Outgoing::Publish(packet_id)) => {
                if let Some((sequence, dup)) = outbox.sent(packet_id) {
                    let id = self.message(sequence);
                    self.world.record(self.device, Event::Sent { id, dup });
                }
            }
            rumqttc::Event::Incoming(Incoming::PubAck(ack)) => self.acknowledged(ack.pkid),
            rumqttc::Event::Incoming(Incoming::PubRec(ack)) => outbox.released(ack.pkid),
            rumqttc::Event::Incoming(Incoming::PubComp(ack)) => self.acknowledged(ack.pkid),
            rumqttc::Event::Incoming(Incoming::PubRel(release)) => {
                outbox.flow_completed(release.pkid);
            }
            rumqttc::Event::Incoming(Incoming::SubAck(ack)) => self.subscribed(&ack),
            rumqttc::Event::Incoming(Incoming::Publish(publish)) => self.delivered(&publish),
            _ => {}
        }
    }

    fn acknowledged(&mut self, packet_id: u16) {
        if let Some(sequence) = self.device.outbox.acknowledged(packet_id) {
            let id = self.message(sequence);
            self.world.record(self.device, Event::Acknowledged { id });
        }
    }

    fn subscribed(&mut self, ack: &rumqttc::SubAck) {
        self.device.subscribed = true;
        for (filter, code) in self.names.filters.iter().zip(&ack.return_codes) {
            let granted = match code {
                SubscribeReasonCode::Success(qos) => Some(Qos::from(*qos)),
                SubscribeReasonCode::Failure => None,
            };
            self.world
                .record(self.device, Event::Subscribed { filter, granted });
        }
    }

    fn delivered(&mut self, publish: &rumqttc::Publish) {
        let qos = Qos::from(publish.qos);
        if qos == Qos::ExactlyOnce {
            self.device.outbox.flow_received(publish.pkid);
        }
        self.world.record(
            self.device,
            Event::Delivered {
                id: id_of(&publish.payload),
                // rumqttc refuses a topic that is not UTF-8 [MQTT311-3.3.2-1].
                topic: std::str::from_utf8(&publish.topic).unwrap_or_default(),
                qos,
                retain: publish.retain,
                dup: publish.dup,
                payload: &publish.payload,
            },
        );
    }

    fn message(&self, sequence: u32) -> MessageId {
        MessageId::new(self.world.fleet.device(self.device.index), sequence)
    }
}
