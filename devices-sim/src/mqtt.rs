//! One MQTT connection of a device: a rumqttc client over the stream it dials.
//!
//! Client and event loop live in the device's own task. `EventLoop::poll` is not
//! cancel-safe: while it waits for a full stream to take a write, or hands on a
//! replayed request, a packet exists in its future only. So a pending poll is
//! never dropped but to end the connection; timers run beside it, and speak to
//! it through the client's queue.

use crate::device::{Device, Leaving};
use crate::duty::Duty;
use crate::event::{DisconnectReason, DropReason, Event};
use crate::failure::reason;
use crate::fleet::{Fleet, Qos};
use crate::fuse::Fused;
use crate::id::MessageId;
use crate::lifecycle::Ending;
use crate::names::Names;
use crate::payload::id_of;
use crate::resume::{Labels, Resume};
use crate::run::World;
use crate::strike::{Blow, Dark, Inbox, Strike, prepare};
use rumqttc::{
    AsyncClient, EventLoop, Incoming, LastWill, MqttOptions, NetworkOptions, Outgoing,
    PublishOptions, SubscribeFilter, SubscribeReasonCode,
};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How an attempt to connect ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The duty is done: the device goes to sleep.
    Done,
    /// The connection was not accepted.
    Failed,
    /// The accepted connection was lost, or ended to be opened anew.
    Lost,
    /// The device connects again at once.
    Again,
    /// The device goes dark.
    Dark(Dark),
}

/// Time for the last bytes of a device that goes dark to leave it.
pub(crate) const LAST_BYTES_LEAVE: Duration = Duration::from_millis(1);

/// How the device ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It has ended, and that has been told.
    Over(Outcome),
    /// Silently.
    Vanish(Outcome),
    /// With a RST.
    Reset,
    /// As the operating system closes it for a process that ends.
    Restart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Online,
    /// DISCONNECT is on its way; the deadline bounds the wait for a stream that
    /// does not take it.
    Closing {
        deadline: Instant,
        then: Outcome,
    },
    /// The last bytes are on their way; then the device goes dark.
    LastBytes {
        until: Instant,
        dark: Dark,
    },
}

struct Connection<'a> {
    world: &'a World,
    device: &'a mut Device,
    duty: &'a mut Duty,
    names: &'a Names,
    inbox: &'a Arc<Inbox>,
    client: AsyncClient,
    phase: Phase,
    /// A CONNACK accepted it.
    accepted: bool,
    /// The filter whose UNSUBACK is awaited.
    unsubscribing: Option<usize>,
}

/// Connects, and serves the connection until it ends.
pub(crate) async fn connect(
    world: &World,
    device: &mut Device,
    duty: &mut Duty,
    names: &Names,
    inbox: &Arc<Inbox>,
) -> Outcome {
    let (client, mut eventloop) = client(world, device, names, inbox);
    let mut connection = Connection {
        world,
        device,
        duty,
        names,
        inbox,
        client,
        phase: Phase::Connecting,
        accepted: false,
        unsubscribing: None,
    };
    let mut timer = pin!(sleep_until(Instant::now()));
    loop {
        let turn = {
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
                    event = &mut poll, if !connection.is_dark() => break Turn::Event(event),
                    blow = inbox.next() => {
                        if let ControlFlow::Break(end) = connection.struck(blow) {
                            break Turn::End(end);
                        }
                    }
                    () = &mut timer, if deadline.is_some() => {
                        if let ControlFlow::Break(end) = connection.advance() {
                            break Turn::End(end);
                        }
                    }
                }
            }
        };
        let end = match turn {
            Turn::Event(event) => match connection.event(event, &mut eventloop) {
                ControlFlow::Continue(()) => continue,
                ControlFlow::Break(end) => end,
            },
            Turn::End(end) => end,
        };
        return connection.end(end, &mut eventloop);
    }
}

/// What a wait for the connection ends with.
enum Turn {
    Event(Result<rumqttc::Event, rumqttc::ConnectionError>),
    End(End),
}

fn client(
    world: &World,
    device: &Device,
    names: &Names,
    inbox: &Arc<Inbox>,
) -> (AsyncClient, EventLoop) {
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
    let inbox = Arc::clone(inbox);
    options.set_socket_connector(move |_, _| {
        let (network, inbox) = (Arc::clone(&network), Arc::clone(&inbox));
        async move { Ok(Fused::new(network.dial(id).await?, inbox)) }
    });
    // All readings that may be in flight, and an UNSUBSCRIBE.
    let queue = usize::from(mqtt.in_flight_max) + 1;
    let (client, mut eventloop) = AsyncClient::builder(options).capacity(queue).build();
    let mut patience = NetworkOptions::new();
    patience.set_connection_timeout(mqtt.connect_timeout.as_secs());
    eventloop.set_network_options(patience);
    (client, eventloop)
}

fn resume(fleet: &Fleet, device: &Device, names: &Names) -> Option<Resume> {
    let publish = fleet.publish.as_ref();
    let labels = Labels {
        names,
        retain: publish.is_some_and(|publish| publish.retain),
        in_flight_max: fleet.mqtt.in_flight_max,
    };
    Resume::of(&device.outbox, &labels)
}

impl Connection<'_> {
    fn timer(&self) -> Option<Instant> {
        match self.phase {
            Phase::Connecting => self.duty.timer(),
            Phase::Online => self.duty.timer().into_iter().chain(self.leave_at()).min(),
            Phase::Closing { deadline, .. } => Some(deadline),
            Phase::LastBytes { until, .. } => Some(until),
        }
    }

    /// Nothing is read or written any more.
    fn is_dark(&self) -> bool {
        matches!(self.phase, Phase::LastBytes { .. })
    }

    /// When to unsubscribe from the next filter.
    fn leave_at(&self) -> Option<Instant> {
        let leaving = self.device.leaving().iter().map(|leaving| leaving.due);
        leaving.min().filter(|_| self.unsubscribing.is_none())
    }

    /// Does what is due, and ends the connection when the duty is done.
    fn advance(&mut self) -> ControlFlow<End> {
        let now = Instant::now();
        match self.phase {
            Phase::Closing { deadline, then } if now >= deadline => {
                return self.over(then, "DISCONNECT could not be written");
            }
            Phase::LastBytes { until, dark } if now >= until => {
                return ControlFlow::Break(End::Vanish(Outcome::Dark(dark)));
            }
            Phase::Closing { .. } | Phase::LastBytes { .. } => return ControlFlow::Continue(()),
            Phase::Connecting | Phase::Online => {}
        }
        self.duty.perform(self.world, self.device, self.names, now);
        if self.duty.is_done(self.world, self.device, now) {
            return self.finish(now);
        }
        if self.phase == Phase::Online {
            self.unsubscribe(now);
            self.hand_over();
        }
        ControlFlow::Continue(())
    }

    /// A strike comes. The client's pending poll goes on unless the connection ends.
    fn struck(&mut self, blow: Blow) -> ControlFlow<End> {
        let now = Instant::now();
        let strike = match blow {
            Blow::LastBytes(dark) => {
                self.device.spent(dark);
                let until = now + LAST_BYTES_LEAVE;
                self.phase = Phase::LastBytes { until, dark };
                return ControlFlow::Continue(());
            }
            Blow::Strike(strike) => strike,
        };
        match prepare(self.world, self.device, strike) {
            Some(Strike::PowerOff { down }) => {
                let dark = Dark::NoPower(down);
                ControlFlow::Break(End::Vanish(Outcome::Dark(dark)))
            }
            Some(Strike::Reset) if !self.is_dark() => ControlFlow::Break(End::Reset),
            Some(Strike::Reconnect) if !self.is_dark() => ControlFlow::Break(End::Restart),
            Some(Strike::Disconnect) if self.phase == Phase::Online => {
                self.disconnect(now, Outcome::Lost);
                ControlFlow::Continue(())
            }
            Some(_) => ControlFlow::Continue(()),
            None => {
                self.inbox.arm(self.device.armed());
                self.duty.clock_changed(self.world, self.device);
                ControlFlow::Continue(())
            }
        }
    }

    /// Goes down, in the fleet's way.
    fn finish(&mut self, now: Instant) -> ControlFlow<End> {
        match self.world.fleet.lifecycle.ending() {
            Ending::Vanish => ControlFlow::Break(End::Vanish(Outcome::Done)),
            Ending::Clean if self.accepted => {
                self.disconnect(now, Outcome::Done);
                ControlFlow::Continue(())
            }
            Ending::Clean => self.over(Outcome::Done, "the device's time awake was over"),
        }
    }

    fn disconnect(&mut self, now: Instant, then: Outcome) {
        let deadline = now + self.world.fleet.mqtt.connect_timeout;
        self.phase = Phase::Closing { deadline, then };
        // This queue is unbounded, and lives as long as the event loop.
        let _ = self.client.try_disconnect_now();
    }

    /// Ends the connection, and tells how.
    fn end(&mut self, end: End, eventloop: &mut EventLoop) -> Outcome {
        if let End::Over(outcome) = end {
            return outcome;
        }
        self.drain(eventloop);
        let (network, id) = (
            &self.world.network,
            self.world.fleet.device(self.device.index),
        );
        let (outcome, reason, words) = match end {
            End::Over(outcome) => return outcome,
            End::Vanish(outcome) => {
                network.vanish(id);
                let words = match outcome {
                    Outcome::Dark(Dark::Asleep(_)) => "the device fell asleep",
                    _ => "the device lost its power",
                };
                (outcome, DisconnectReason::Vanished, words)
            }
            End::Reset => {
                network.reset(id);
                let outcome = match self.phase {
                    Phase::Connecting => Outcome::Failed,
                    Phase::Closing { then, .. } => then,
                    Phase::Online | Phase::LastBytes { .. } => Outcome::Lost,
                };
                let words = "the device reset the connection";
                (outcome, DisconnectReason::Reset, words)
            }
            End::Restart => {
                let words = "the device started its client anew";
                (Outcome::Again, DisconnectReason::Lost(words), words)
            }
        };
        let event = if self.accepted {
            Event::Disconnected { reason }
        } else {
            Event::ConnectFailed { reason: words }
        };
        self.world.record(self.device, event);
        outcome
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
            let topic = self.names.topic_of(reading.sequence);
            let _ = self
                .client
                .try_publish(&*topic, reading.payload.clone(), options);
        }
    }

    fn event(
        &mut self,
        event: Result<rumqttc::Event, rumqttc::ConnectionError>,
        eventloop: &mut EventLoop,
    ) -> ControlFlow<End> {
        match event {
            Ok(rumqttc::Event::Incoming(Incoming::ConnAck(connack))) => {
                self.connected(connack.session_present, eventloop);
            }
            Ok(rumqttc::Event::Outgoing(Outgoing::Disconnect)) => {
                let reason = DisconnectReason::Clean;
                self.world
                    .record(self.device, Event::Disconnected { reason });
                let outcome = match self.phase {
                    Phase::Closing { then, .. } => then,
                    _ => Outcome::Done,
                };
                return ControlFlow::Break(End::Over(outcome));
            }
            Ok(event) => self.packet(event),
            Err(error) => {
                self.drain(eventloop);
                let outcome = match self.phase {
                    Phase::Connecting => Outcome::Failed,
                    Phase::Online => Outcome::Lost,
                    Phase::Closing { then, .. } => then,
                    Phase::LastBytes { dark, .. } => Outcome::Dark(dark),
                };
                return self.over(outcome, &reason(&error));
            }
        }
        self.advance()
    }

    /// What was written last, and what arrived along with the end of the stream,
    /// is still in the client, which would forget it.
    fn drain(&mut self, eventloop: &mut EventLoop) {
        while let Some(event) = eventloop.state.events.pop_front() {
            self.packet(event);
        }
    }

    /// Tells how the attempt, or the connection, failed.
    fn over(&self, outcome: Outcome, reason: &str) -> ControlFlow<End> {
        let event = if self.accepted {
            let reason = DisconnectReason::Lost(reason);
            Event::Disconnected { reason }
        } else {
            Event::ConnectFailed { reason }
        };
        self.world.record(self.device, event);
        ControlFlow::Break(End::Over(outcome))
    }

    fn connected(&mut self, session_present: bool, eventloop: &mut EventLoop) {
        let world = self.world;
        self.phase = Phase::Online;
        self.accepted = true;
        eventloop.mqtt_options.clear_session_store();
        // rumqttc makes room for 128 events, a tenth of all the client's memory.
        if eventloop.state.events.is_empty() {
            eventloop.state.events = VecDeque::new();
        }
        world.record(self.device, Event::Connected { session_present });
        self.duty.connected(Instant::now());
        if !session_present {
            self.device.forget_subscriptions();
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
            rumqttc::Event::Incoming(Incoming::UnsubAck(_)) => self.unsubscribed(),
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
        self.device.forget_subscriptions();
        self.device.subscribed = true;
        let filters = self.names.filters.iter().zip(&ack.return_codes);
        for (index, (filter, code)) in filters.enumerate() {
            let granted = match code {
                SubscribeReasonCode::Success(qos) => Some(Qos::from(*qos)),
                SubscribeReasonCode::Failure => None,
            };
            self.world
                .record(self.device, Event::Subscribed { filter, granted });
            let stay = self.world.fleet.subscribe[index].stay;
            if let (Some(stay), Some(_)) = (stay, granted) {
                let due = Instant::now() + stay;
                let filter = index;
                self.device.rare().leaving.push(Leaving { filter, due });
            }
        }
    }

    /// Unsubscribes from the next filter that the device is to leave, one at a time.
    fn unsubscribe(&mut self, now: Instant) {
        if self.unsubscribing.is_some() {
            return;
        }
        let leaving = self.device.leaving().iter().find(|l| l.due <= now);
        let Some(filter) = leaving.map(|leaving| leaving.filter) else {
            return;
        };
        self.unsubscribing = Some(filter);
        let filter = self.names.filters[filter].as_str();
        self.world
            .record(self.device, Event::Unsubscribing { filter });
        // The queue has room for it, and the filter was checked.
        let _ = self.client.try_unsubscribe(filter);
    }

    fn unsubscribed(&mut self) {
        let Some(left) = self.unsubscribing.take() else {
            return;
        };
        self.device.rare().leaving.retain(|l| l.filter != left);
        let filter = self.names.filters[left].as_str();
        self.world
            .record(self.device, Event::Unsubscribed { filter });
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
