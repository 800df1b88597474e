//! The MQTT client library, behind a seam: rumqttc's client for MQTT 3.1.1, or
//! its client for MQTT 5.0. What a device does ([`crate::mqtt`]) is written once
//! for both.
//!
//! The device builds its client anew for every connection, and gives it the
//! session of the one before it.

mod v3;
mod v5;

use crate::device::Device;
use crate::fleet::{Fleet, Publish, Qos, Subscribe, Version};
use crate::fuse::Fused;
use crate::names::Names;
use crate::outbox::Reading;
use crate::run::World;
use crate::strike::Inbox;
use bytes::Bytes;
use std::future::Future;
use std::io;
use std::sync::Arc;

/// Asks the client to write packets; kept by the device.
pub(crate) enum Requests {
    V3(rumqttc::AsyncClient),
    V5(rumqttc_v5::AsyncClient),
}

/// Reads and writes; [`EventLoop::poll`] is what makes it do so. Boxed, since
/// the two differ in size, and every device awake has room for either.
pub(crate) enum EventLoop {
    V3(Box<rumqttc::EventLoop>),
    V5(Box<v5::Watcher>),
}

/// What the client saw or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A CONNACK accepted the connection.
    Connected { session_present: bool },
    /// DISCONNECT is written.
    Disconnected,
    /// A packet of a session's business.
    Packet(Packet),
}

/// A packet read or written, as far as it matters to the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// PUBLISH was written, with packet identifier 0 at QoS 0.
    Sent(u16),
    /// PUBACK or PUBCOMP arrived.
    Acknowledged(u16),
    /// PUBACK or PUBREC refused the message (MQTT 5.0, reason code 0x80 or above).
    Refused(u16),
    /// PUBREC arrived.
    Received(u16),
    /// PUBREL arrived.
    Released(u16),
    /// SUBACK arrived, with the QoS granted for each filter, `None` if refused.
    Subscribed(Vec<Option<Qos>>),
    /// UNSUBACK arrived.
    Unsubscribed,
    /// PUBLISH arrived.
    Delivered(Delivery),
    /// Anything else.
    Other,
}

/// A PUBLISH that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) packet_id: u16,
    pub(crate) topic: Bytes,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    /// Message Expiry Interval, in seconds (MQTT 5.0).
    pub(crate) message_expiry_s: Option<u32>,
    pub(crate) payload: Bytes,
}

/// A client that is about to connect.
pub(crate) fn client(
    world: &World,
    device: &Device,
    names: &Names,
    inbox: &Arc<Inbox>,
) -> (Requests, EventLoop) {
    match world.fleet.mqtt.version {
        Version::V3_1_1 => {
            let (requests, eventloop) = v3::client(world, device, names, inbox);
            (Requests::V3(requests), EventLoop::V3(Box::new(eventloop)))
        }
        Version::V5_0 => {
            let (requests, watcher) = v5::client(world, device, names, inbox);
            (Requests::V5(requests), EventLoop::V5(Box::new(watcher)))
        }
    }
}

/// Room for all readings that may be in flight, and an UNSUBSCRIBE.
fn queue_of(fleet: &Fleet) -> usize {
    usize::from(fleet.mqtt.in_flight_max) + 1
}

/// Dials for `device`, whatever address the library asks for.
fn connector(
    world: &World,
    device: &Device,
    inbox: &Arc<Inbox>,
) -> impl Fn() -> Dialling + Clone + Send + Sync + 'static {
    let (network, id) = (Arc::clone(&world.network), world.fleet.device(device.index));
    let inbox = Arc::clone(inbox);
    move || {
        let (network, inbox) = (Arc::clone(&network), Arc::clone(&inbox));
        Box::pin(async move { Ok(Fused::of_mqtt(network.dial(id).await?, inbox)) })
    }
}

type Dialling = std::pin::Pin<Box<dyn Future<Output = io::Result<Fused>> + Send>>;

impl Requests {
    /// Publishes a reading. The queue has room for a whole window, and the
    /// fleet's check has approved the topic: a refusal would be a bug, and
    /// shows as a reading that is never sent.
    pub(crate) fn publish(&self, topic: &str, reading: &Reading, publish: &Publish) {
        let payload = reading.payload.clone();
        match self {
            Self::V3(client) => {
                let _ = client.try_publish(topic, payload, v3::publish_options(reading, publish));
            }
            Self::V5(client) => {
                let _ = client.try_publish(topic, payload, v5::publish_options(reading, publish));
            }
        }
    }

    /// Subscribes to all filters at once. A queue that has just been made has
    /// room; the filters were checked.
    pub(crate) fn subscribe<'a>(&self, filters: impl Iterator<Item = (&'a String, &'a Subscribe)>) {
        match self {
            Self::V3(client) => {
                let filters = filters.map(|(filter, wanted)| v3::subscription(filter, wanted));
                let _ = client.try_subscribe_many(filters);
            }
            Self::V5(client) => {
                let filters = filters.map(|(filter, wanted)| v5::subscription(filter, wanted));
                let _ = client.try_subscribe_many(filters);
            }
        }
    }

    /// Unsubscribes. The queue has room for it, and the filter was checked.
    pub(crate) fn unsubscribe(&self, filter: &str) {
        match self {
            Self::V3(client) => {
                let _ = client.try_unsubscribe(filter);
            }
            Self::V5(client) => {
                let _ = client.try_unsubscribe(filter);
            }
        }
    }

    /// Writes DISCONNECT next. Its queue is unbounded, and lives as long as the
    /// event loop.
    pub(crate) fn disconnect(&self) {
        match self {
            Self::V3(client) => {
                let _ = client.try_disconnect_now();
            }
            Self::V5(client) => {
                let _ = client.try_disconnect_now();
            }
        }
    }
}

impl EventLoop {
    /// Waits for something to happen. Not cancel-safe: while it waits for a full
    /// stream to take a write, or hands on a replayed request, a packet exists
    /// in its future only.
    ///
    /// # Errors
    ///
    /// Why the attempt, or the connection, failed: in words for people.
    pub(crate) async fn poll(&mut self) -> Result<Seen, String> {
        match self {
            Self::V3(eventloop) => match eventloop.poll().await {
                Ok(event) => Ok(v3::seen(event)),
                Err(error) => Err(v3::reason(&error)),
            },
            // Its future is twice as large as the other's, which every device
            // awake has room for.
            Self::V5(watcher) => match Box::pin(watcher.eventloop.poll()).await {
                Ok(event) => Ok(watcher.seen(event)),
                Err(error) => Err(v5::reason(&error)),
            },
        }
    }

    /// The next of what the client saw, and has not told yet.
    pub(crate) fn untold(&mut self) -> Option<Seen> {
        match self {
            Self::V3(eventloop) => eventloop.state.events.pop_front().map(v3::seen),
            Self::V5(watcher) => watcher.untold(),
        }
    }

    /// Connected: from here on the device keeps its account of the session
    /// itself, and rumqttc's room for 128 events, a tenth of all the client's
    /// memory and more, is given back.
    pub(crate) fn connected(&mut self) {
        match self {
            Self::V3(eventloop) => {
                eventloop.mqtt_options.clear_session_store();
                if eventloop.state.events.is_empty() {
                    eventloop.state.events.shrink_to_fit();
                }
            }
            Self::V5(watcher) => {
                let eventloop = &mut watcher.eventloop;
                eventloop.options.clear_session_store();
                if eventloop.state.events.is_empty() {
                    eventloop.state.events.shrink_to_fit();
                }
            }
        }
    }
}

// Both of its clients share this type.
impl From<rumqttc::QoS> for Qos {
    fn from(qos: rumqttc::QoS) -> Self {
        match qos {
            rumqttc::QoS::AtMostOnce => Self::AtMostOnce,
            rumqttc::QoS::AtLeastOnce => Self::AtLeastOnce,
            rumqttc::QoS::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}

impl From<Qos> for rumqttc::QoS {
    fn from(qos: Qos) -> Self {
        match qos {
            Qos::AtMostOnce => Self::AtMostOnce,
            Qos::AtLeastOnce => Self::AtLeastOnce,
            Qos::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}
