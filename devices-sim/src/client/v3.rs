//! rumqttc's client for MQTT 3.1.1.

mod failure;
mod resume;

pub(super) use failure::reason;

use super::{Delivery, Packet, Seen, connector, queue_of};
use crate::device::Device;
use crate::fleet::{Publish, Qos, Subscribe};
use crate::names::Names;
use crate::outbox::Reading;
use crate::run::World;
use crate::strike::Inbox;
use resume::Resume;
use rumqttc::{
    AsyncClient, Event, EventLoop, Incoming, LastWill, MqttOptions, NetworkOptions, Outgoing,
    PublishOptions, SubscribeFilter, SubscribeReasonCode,
};
use std::sync::Arc;

pub(super) fn client(
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
        && let Some(resume) = Resume::of(fleet, device, names)
    {
        options.set_session_store(resume);
    }
    let dial = connector(world, device, inbox);
    options.set_socket_connector(move |_, _| dial());
    let (client, mut eventloop) = AsyncClient::builder(options)
        .capacity(queue_of(fleet))
        .build();
    let mut patience = NetworkOptions::new();
    patience.set_connection_timeout(mqtt.connect_timeout.as_secs());
    eventloop.set_network_options(patience);
    (client, eventloop)
}

pub(super) fn publish_options(reading: &Reading, publish: &Publish) -> PublishOptions {
    PublishOptions::new(reading.qos.into()).retain(publish.retain)
}

pub(super) fn subscription(filter: &str, wanted: &Subscribe) -> SubscribeFilter {
    SubscribeFilter::new(filter.to_owned(), wanted.qos.into())
}

pub(super) fn seen(event: Event) -> Seen {
    match event {
        Event::Incoming(Incoming::ConnAck(connack)) => Seen::Connected {
            session_present: connack.session_present,
        },
        Event::Outgoing(Outgoing::Disconnect) => Seen::Disconnected,
        event => Seen::Packet(packet(event)),
    }
}

fn packet(event: Event) -> Packet {
    match event {
        Event::Outgoing(Outgoing::Publish(packet_id)) => Packet::Sent(packet_id),
        Event::Incoming(Incoming::PubAck(ack)) => Packet::Acknowledged(ack.pkid),
        Event::Incoming(Incoming::PubRec(ack)) => Packet::Received(ack.pkid),
        Event::Incoming(Incoming::PubComp(ack)) => Packet::Acknowledged(ack.pkid),
        Event::Incoming(Incoming::PubRel(release)) => Packet::Released(release.pkid),
        Event::Incoming(Incoming::SubAck(ack)) => {
            let granted = ack.return_codes.iter().map(|code| match code {
                SubscribeReasonCode::Success(qos) => Some(Qos::from(*qos)),
                SubscribeReasonCode::Failure => None,
            });
            Packet::Subscribed(granted.collect())
        }
        Event::Incoming(Incoming::UnsubAck(_)) => Packet::Unsubscribed,
        Event::Incoming(Incoming::Publish(publish)) => Packet::Delivered(Delivery {
            packet_id: publish.pkid,
            topic: publish.topic,
            qos: publish.qos.into(),
            retain: publish.retain,
            dup: publish.dup,
            message_expiry_s: None,
            payload: publish.payload,
        }),
        _ => Packet::Other,
    }
}
