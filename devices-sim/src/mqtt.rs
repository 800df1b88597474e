//! One MQTT connection of a device: a client over the stream it dials.
//!
//! Client and event loop live in the device's own task. [`EventLoop::poll`] is
//! not cancel-safe, so a pending poll is never dropped but to end the connection;
//! timers run beside it, and speak to it through the client's queue.

use crate::client::{Delivery, EventLoop, Packet, Requests, Seen, client};
use crate::device::{Device, Leaving};
use crate::duty::Duty;
use crate::event::{DisconnectReason, DropReason, Event};
use crate::fleet::Qos;
use crate::id::MessageId;
use crate::lifecycle::Ending;
use crate::names::Names;
use crate::payload::id_of;
use crate::run::World;
use crate::strike::{Blow, Dark, Inbox, Strike, prepare};
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
    client: Requests,
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
                    seen = &mut poll, if !connection.is_dark() => break Turn::Seen(seen),
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
            Turn::Seen(seen) => match connection.seen(seen, &mut eventloop) {
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
    Seen(Result<Seen, String>),
    End(End),
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
        self.client.disconnect();
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
            let topic = self.names.topic_of(reading.sequence);
            self.client.publish(&topic, reading, publish);
        }
    }

    fn seen(&mut self, seen: Result<Seen, String>, eventloop: &mut EventLoop) -> ControlFlow<End> {
        match seen {
            Ok(Seen::Connected { session_present }) => self.connected(session_present, eventloop),
            Ok(Seen::Disconnected) => {
                let reason = DisconnectReason::Clean;
                self.world
                    .record(self.device, Event::Disconnected { reason });
                let outcome = match self.phase {
                    Phase::Closing { then, .. } => then,
                    _ => Outcome::Done,
                };
                return ControlFlow::Break(End::Over(outcome));
            }
            Ok(Seen::Packet(packet)) => self.packet(packet),
            Err(reason) => {
                self.drain(eventloop);
                let outcome = match self.phase {
                    Phase::Connecting => Outcome::Failed,
                    Phase::Online => Outcome::Lost,
                    Phase::Closing { then, .. } => then,
                    Phase::LastBytes { dark, .. } => Outcome::Dark(dark),
                };
                return self.over(outcome, &reason);
            }
        }
        self.advance()
    }

    /// What was written last, and what arrived along with the end of the stream,
    /// is still in the client, which would forget it.
    fn drain(&mut self, eventloop: &mut EventLoop) {
        while let Some(seen) = eventloop.untold() {
            if let Seen::Packet(packet) = seen {
                self.packet(packet);
            }
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
        eventloop.connected();
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
            self.client.subscribe(filters);
        }
    }

    fn packet(&mut self, packet: Packet) {
        let outbox = &mut self.device.outbox;
        match packet {
            Packet::Sent(packet_id) => {
                if let Some((sequence, dup)) = outbox.sent(packet_id) {
                    let id = self.message(sequence);
                    self.world.record(self.device, Event::Sent { id, dup });
                }
            }
            Packet::Acknowledged(packet_id) => self.acknowledged(packet_id),
            Packet::Refused(packet_id) => self.refused(packet_id),
            Packet::Received(packet_id) => outbox.released(packet_id),
            Packet::Released(packet_id) => outbox.flow_completed(packet_id),
            Packet::Subscribed(granted) => self.subscribed(&granted),
            Packet::Unsubscribed => self.unsubscribed(),
            Packet::Delivered(delivery) => self.delivered(&delivery),
            Packet::Other => {}
        }
    }

    fn acknowledged(&mut self, packet_id: u16) {
        if let Some(sequence) = self.device.outbox.acknowledged(packet_id) {
            let id = self.message(sequence);
            self.world.record(self.device, Event::Acknowledged { id });
        }
    }

    fn refused(&mut self, packet_id: u16) {
        if let Some(sequence) = self.device.outbox.acknowledged(packet_id) {
            let id = self.message(sequence);
            let reason = DropReason::Refused;
            self.world
                .record(self.device, Event::Dropped { id, reason });
        }
    }

    fn subscribed(&mut self, granted: &[Option<Qos>]) {
        self.device.forget_subscriptions();
        self.device.subscribed = true;
        let filters = self.names.filters.iter().zip(granted);
        for (index, (filter, &granted)) in filters.enumerate() {
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
        self.client.unsubscribe(filter);
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

    fn delivered(&mut self, delivery: &Delivery) {
        if delivery.qos == Qos::ExactlyOnce {
            self.device.outbox.flow_received(delivery.packet_id);
        }
        self.world.record(
            self.device,
            Event::Delivered {
                id: id_of(&delivery.payload),
                // rumqttc refuses a topic that is not UTF-8 [MQTT311-3.3.2-1].
                topic: std::str::from_utf8(&delivery.topic).unwrap_or_default(),
                qos: delivery.qos,
                retain: delivery.retain,
                dup: delivery.dup,
                message_expiry_s: delivery.message_expiry_s,
                payload: &delivery.payload,
            },
        );
    }

    fn message(&self, sequence: u32) -> MessageId {
        MessageId::new(self.world.fleet.device(self.device.index), sequence)
    }
}
