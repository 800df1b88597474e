//! rumqttc's client for MQTT 5.0.

mod failure;
mod resume;
mod watched;

pub(super) use failure::reason;

use super::{Delivery, Packet, Seen, connector, queue_of};
use crate::device::Device;
use crate::fleet::{MqttSettings, Publish, Qos, RetainHandling, Subscribe, Will};
use crate::names::Names;
use crate::outbox::Reading;
use crate::run::World;
use crate::strike::Inbox;
use resume::Resume;
use rumqttc_v5::{
    AsyncClient, ConnectProperties, Event, EventLoop, Incoming, IncomingPacketSizeLimit, LastWill,
    LastWillProperties, MqttOptions, Outgoing, PubAckReason, PubRecReason, PublishOptions,
    PublishProperties, RetainForwardRule, SubscribeFilter, SubscribeReasonCode, TopicAliasPolicy,
};
use std::sync::Arc;
use watched::{Watched, Written};

/// rumqttc's event loop, and what it would forget to tell.
pub(crate) struct Watcher {
    pub(super) eventloop: EventLoop,
    written: Written,
}

impl Watcher {
    /// The next event that the client has not told yet. On failure that is what
    /// was written; what was read with it, its answer was not.
    pub(super) fn untold(&mut self) -> Option<Seen> {
        let told = self.eventloop.state.events.pop_front();
        told.map(|event| self.seen(event))
            .or_else(|| Some(Seen::Packet(Packet::Sent(self.written.tell()?))))
    }

    pub(super) fn seen(&self, event: Event) -> Seen {
        if let Event::Outgoing(Outgoing::Publish(_)) = event {
            self.written.tell();
        }
        seen(event)
    }
}

pub(super) fn client(
    world: &World,
    device: &Device,
    names: &Names,
    inbox: &Arc<Inbox>,
) -> (AsyncClient, Watcher) {
    let fleet = &world.fleet;
    let mqtt = &fleet.mqtt;
    // The address is never looked up: the connector below dials.
    let mut options = MqttOptions::new(names.client_id.as_str(), ("", 0));
    let packet_size_max = u32::try_from(mqtt.packet_size_max).unwrap_or(u32::MAX);
    let announced = connect_properties(mqtt);
    if announced != ConnectProperties::new() {
        options.set_connect_properties(announced);
    }
    options
        .set_keep_alive(mqtt.keep_alive_s)
        .set_clean_start(mqtt.clean_session)
        .set_outgoing_inflight_upper_limit(mqtt.in_flight_max)
        .set_incoming_packet_size_limit(IncomingPacketSizeLimit::Bytes(packet_size_max))
        .set_connect_timeout(mqtt.connect_timeout)
        // If a read fails, what was read before it is not told: so it is told
        // before the next read.
        .set_read_batch_size(1)
        // Readings that are ready together leave together.
        .set_max_request_batch(usize::from(mqtt.in_flight_max));
    if fleet.publish.as_ref().is_some_and(|p| p.topic_alias) {
        options.set_topic_alias_policy(TopicAliasPolicy::Lru);
    }
    if let Some(will) = &mqtt.will {
        let topic = fleet.expand(&will.topic, device.index);
        let payload = fleet.expand(&will.payload, device.index);
        let (qos, properties) = (will.qos.into(), will_properties(will));
        options.set_last_will(LastWill::new(topic, payload, qos, will.retain, properties));
    }
    match (&mqtt.username, &mqtt.password) {
        (Some(username), Some(password)) => {
            options.set_credentials(username, password.clone());
        }
        (Some(username), None) => {
            options.set_username(username);
        }
        (None, Some(password)) => {
            options.set_password(password.clone());
        }
        (None, None) => {}
    }
    if !mqtt.clean_session {
        // Also an empty one: without it, rumqttc refuses a session of the broker's.
        options.set_session_store(Resume::of(fleet, device, names));
    }
    let dial = connector(world, device, inbox);
    let written = Written::default();
    let told = written.clone();
    options.set_socket_connector(move |_, _| {
        let (stream, written) = (dial(), written.clone());
        async move { Ok(Watched::new(stream.await?, written)) }
    });
    let builder = AsyncClient::builder(options).capacity(queue_of(fleet));
    let (client, eventloop) = builder.build();
    let watcher = Watcher {
        eventloop,
        written: told,
    };
    (client, watcher)
}

fn connect_properties(mqtt: &MqttSettings) -> ConnectProperties {
    let mut properties = ConnectProperties::new();
    properties.session_expiry_interval = mqtt.session_expiry_interval_s();
    properties.receive_maximum = mqtt.receive_maximum;
    properties.topic_alias_max = mqtt.topic_alias_maximum;
    properties
}

fn will_properties(will: &Will) -> Option<LastWillProperties> {
    let properties = LastWillProperties {
        delay_interval: will.delay_s,
        payload_format_indicator: None,
        message_expiry_interval: will.message_expiry_s,
        content_type: None,
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    };
    let says_something = will.delay_s.or(will.message_expiry_s).is_some();
    says_something.then_some(properties)
}

pub(super) fn publish_options(reading: &Reading, publish: &Publish) -> PublishOptions {
    let options = PublishOptions::new(reading.qos.into()).retain(publish.retain);
    match publish.message_expiry_s {
        None => options,
        expiry => options.properties(PublishProperties {
            message_expiry_interval: expiry,
            ..PublishProperties::default()
        }),
    }
}

pub(super) fn subscription(filter: &str, wanted: &Subscribe) -> SubscribeFilter {
    SubscribeFilter {
        path: filter.to_owned(),
        qos: wanted.qos.into(),
        nolocal: wanted.no_local,
        preserve_retain: wanted.retain_as_published,
        retain_forward_rule: match wanted.retain_handling {
            RetainHandling::Send => RetainForwardRule::OnEverySubscribe,
            RetainHandling::SendIfNew => RetainForwardRule::OnNewSubscribe,
            RetainHandling::DoNotSend => RetainForwardRule::Never,
        },
    }
}

fn seen(event: Event) -> Seen {
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
        Event::Incoming(Incoming::PubAck(ack)) => match ack.reason {
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => {
                Packet::Acknowledged(ack.pkid)
            }
            _ => Packet::Refused(ack.pkid),
        },
        Event::Incoming(Incoming::PubRec(ack)) => match ack.reason {
            PubRecReason::Success | PubRecReason::NoMatchingSubscribers => {
                Packet::Received(ack.pkid)
            }
            _ => Packet::Refused(ack.pkid),
        },
        Event::Incoming(Incoming::PubComp(ack)) => Packet::Acknowledged(ack.pkid),
        Event::Incoming(Incoming::PubRel(release)) => Packet::Released(release.pkid),
        Event::Incoming(Incoming::SubAck(ack)) => {
            let granted = ack.return_codes.iter().map(|code| match code {
                SubscribeReasonCode::Success(qos) => Some(Qos::from(*qos)),
                _ => None,
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
            message_expiry_s: publish.properties.and_then(|p| p.message_expiry_interval),
            payload: publish.payload,
        }),
        _ => Packet::Other,
    }
}
