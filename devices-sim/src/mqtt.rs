//! One MQTT connection of a device: a client over the stream it dials.
//!
//! Client and event loop live in the device's own task. [`EventLoop::poll`] is
//! not cancel-safe, so a pending poll is never dropped but to end the connection;
//! timers run beside it, and speak to it through the client's queue.

use crate::client::{Delivery, EventLoop, Packet, Requests, Seen, client};
use crate::connection::{Connection, End, Next, Outcome, Turn};
use crate::device::{Device, Leaving};
use crate::duty::Duty;
use crate::event::{DropReason, Event};
use crate::fleet::Qos;
use crate::id::MessageId;
use crate::names::Names;
use crate::payload::id_of;
use crate::run::World;
use crate::strike::Inbox;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// What is said of a DISCONNECT that took too long.
const UNSAID: &str = "DISCONNECT could not be written";

struct Client<'a> {
    connection: Connection<'a>,
    requests: Requests,
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
    let (requests, mut eventloop) = client(world, device, names, inbox);
    let mut client = Client {
        connection: Connection::new(world, device, duty, names, inbox),
        requests,
        unsubscribing: None,
    };
    let mut timer = pin!(sleep_until(Instant::now()));
    loop {
        let turn = {
            // It goes on, whatever else happens, unless the connection ends.
            let mut poll = pin!(eventloop.poll());
            loop {
                let (own, poll) = (client.leave_at(), poll.as_mut());
                let connection = &mut client.connection;
                match connection.wait(timer.as_mut(), own, UNSAID, poll).await {
                    ControlFlow::Continue(Turn::Event(seen)) => break ControlFlow::Continue(seen),
                    ControlFlow::Continue(Turn::Next(next)) => client.go_on(next),
                    ControlFlow::Break(end) => break ControlFlow::Break(end),
                }
            }
        };
        let ended = match turn {
            ControlFlow::Continue(seen) => client.seen(seen, &mut eventloop),
            ControlFlow::Break(end) => ControlFlow::Break(end),
        };
        if let ControlFlow::Break(end) = ended {
            if !matches!(end, End::Over(_)) {
                client.drain(&mut eventloop);
            }
            return client.connection.end(end);
        }
    }
}

impl Client<'_> {
    /// When to unsubscribe from the next filter.
    fn leave_at(&self) -> Option<Instant> {
        let leaving = self.connection.device.leaving().iter();
        let due = leaving.map(|leaving| leaving.due).min();
        due.filter(|_| self.unsubscribing.is_none())
    }

    fn go_on(&mut self, next: Next) {
        match next {
            Next::Wait => {}
            Next::Serve => {
                self.unsubscribe(Instant::now());
                self.hand_over();
            }
            Next::Close => self.requests.disconnect(),
        }
    }

    /// Gives the client as many readings as may be on their way. A device that
    /// listens too has its subscriptions first, so that it misses no answer.
    fn hand_over(&mut self) {
        let Connection {
            world,
            device,
            names,
            ..
        } = &mut self.connection;
        if !device.subscribed && !names.filters.is_empty() {
            return;
        }
        let Some(publish) = &world.fleet.publish else {
            return;
        };
        let window = usize::from(world.fleet.mqtt.in_flight_max);
        while let Some(reading) = device.outbox.hand_over(window) {
            let topic = names.topic_of(reading.sequence);
            self.requests.publish(&topic, reading, publish);
        }
    }

    fn seen(&mut self, seen: Result<Seen, String>, eventloop: &mut EventLoop) -> ControlFlow<End> {
        match seen {
            Ok(Seen::Connected { session_present }) => self.connected(session_present, eventloop),
            Ok(Seen::Disconnected) => return self.connection.closed(),
            Ok(Seen::Packet(packet)) => self.packet(packet),
            Err(reason) => {
                self.drain(eventloop);
                return self.connection.failed(&reason);
            }
        }
        let next = self.connection.advance(UNSAID)?;
        self.go_on(next);
        ControlFlow::Continue(())
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

    fn connected(&mut self, session_present: bool, eventloop: &mut EventLoop) {
        let connection = &mut self.connection;
        let world = connection.world;
        eventloop.connected();
        connection.connected(session_present);
        if !session_present {
            connection.device.forget_subscriptions();
            for sequence in connection.device.outbox.session_lost() {
                let id = connection.message(sequence);
                let reason = DropReason::SessionLost;
                world.record(connection.device, Event::Dropped { id, reason });
            }
        }
        if !connection.device.subscribed && !connection.names.filters.is_empty() {
            let wanted = world.fleet.subscribe.iter();
            let filters = connection.names.filters.iter().zip(wanted);
            for (filter, subscribe) in filters.clone() {
                let qos = subscribe.qos;
                world.record(connection.device, Event::Subscribing { filter, qos });
            }
            self.requests.subscribe(filters);
        }
    }

    fn packet(&mut self, packet: Packet) {
        let outbox = &mut self.connection.device.outbox;
        match packet {
            Packet::Sent(packet_id) => {
                if let Some((sequence, dup)) = outbox.sent(packet_id) {
                    self.connection.sent(sequence, dup);
                }
            }
            Packet::Acknowledged(packet_id) => {
                if let Some(sequence) = outbox.acknowledged(packet_id) {
                    self.connection.acknowledged(sequence);
                }
            }
            Packet::Refused(packet_id) => self.refused(packet_id),
            Packet::Received(packet_id) => outbox.released(packet_id),
            Packet::Released(packet_id) => outbox.flow_completed(packet_id),
            Packet::Subscribed(granted) => self.subscribed(&granted),
            Packet::Unsubscribed => self.unsubscribed(),
            Packet::Delivered(delivery) => self.delivered(&delivery),
            Packet::Other => {}
        }
    }

    fn refused(&mut self, packet_id: u16) {
        let Connection { world, device, .. } = &mut self.connection;
        if let Some(sequence) = device.outbox.acknowledged(packet_id) {
            let id = MessageId::new(world.fleet.device(device.index), sequence);
            let reason = DropReason::Refused;
            world.record(device, Event::Dropped { id, reason });
        }
    }

    fn subscribed(&mut self, granted: &[Option<Qos>]) {
        let Connection {
            world,
            device,
            names,
            ..
        } = &mut self.connection;
        device.forget_subscriptions();
        device.subscribed = true;
        let filters = names.filters.iter().zip(granted);
        for (index, (filter, &granted)) in filters.enumerate() {
            world.record(device, Event::Subscribed { filter, granted });
            let stay = world.fleet.subscribe[index].stay;
            if let (Some(stay), Some(_)) = (stay, granted) {
                let due = Instant::now() + stay;
                let filter = index;
                device.rare().leaving.push(Leaving { filter, due });
            }
        }
    }

    /// Unsubscribes from the next filter that the device is to leave, one at a time.
    fn unsubscribe(&mut self, now: Instant) {
        if self.unsubscribing.is_some() {
            return;
        }
        let Connection {
            world,
            device,
            names,
            ..
        } = &mut self.connection;
        let leaving = device.leaving().iter().find(|l| l.due <= now);
        let Some(filter) = leaving.map(|leaving| leaving.filter) else {
            return;
        };
        self.unsubscribing = Some(filter);
        let filter = names.filters[filter].as_str();
        world.record(device, Event::Unsubscribing { filter });
        self.requests.unsubscribe(filter);
    }

    fn unsubscribed(&mut self) {
        let Some(left) = self.unsubscribing.take() else {
            return;
        };
        let Connection {
            world,
            device,
            names,
            ..
        } = &mut self.connection;
        device.rare().leaving.retain(|l| l.filter != left);
        let filter = names.filters[left].as_str();
        world.record(device, Event::Unsubscribed { filter });
    }

    fn delivered(&mut self, delivery: &Delivery) {
        let Connection { world, device, .. } = &mut self.connection;
        if delivery.qos == Qos::ExactlyOnce {
            device.outbox.flow_received(delivery.packet_id);
        }
        world.record(
            device,
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
}
