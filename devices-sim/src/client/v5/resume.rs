//! Gives a new client the session of the one before it, as
//! `client::v3::resume` does for MQTT 3.1.1.

use crate::device::Device;
use crate::fleet::{Fleet, Qos};
use crate::names::Names;
use crate::network::BoxFuture;
use crate::outbox::Flight;
use rumqttc_v5::{
    PersistedAckMode, PersistedIncomingQos2, PersistedPubRel, PersistedPublish,
    PersistedPublishProperties, PersistedQoS, PersistedRequest, PersistedSession, SessionStore,
    SessionStoreError, SessionStoreKey,
};

#[derive(Debug)]
pub(super) struct Resume(PersistedSession);

impl Resume {
    pub(super) fn of(fleet: &Fleet, device: &Device, names: &Names) -> Self {
        let outbox = &device.outbox;
        Self(PersistedSession {
            format_version: 1,
            client_id: names.client_id.clone(),
            clean_start: false,
            session_expiry_interval: fleet.mqtt.session_expiry_interval_s(),
            outgoing_inflight_upper_limit: Some(fleet.mqtt.in_flight_max),
            ack_mode: PersistedAckMode::Automatic,
            last_pkid: outbox.last_packet_id(),
            last_puback: 0,
            replay: outbox
                .in_flight()
                .map(|flight| request(flight, fleet, names))
                .collect(),
            incoming_qos2: outbox
                .received()
                .iter()
                .map(|&pkid| PersistedIncomingQos2 { pkid })
                .collect(),
        })
    }
}

/// In the order of the flights: that in which they were first sent
/// [MQTT5-4.6.0-1].
fn request(flight: &Flight, fleet: &Fleet, names: &Names) -> PersistedRequest {
    let pkid = flight.packet_id;
    if flight.released {
        return PersistedRequest::PubRel(PersistedPubRel { pkid });
    }
    let publish = fleet.publish.as_ref();
    let expiry = publish.and_then(|publish| publish.message_expiry_s);
    PersistedRequest::Publish(PersistedPublish {
        // [MQTT5-3.3.1-1]
        dup: true,
        qos: match flight.reading.qos {
            Qos::AtMostOnce => PersistedQoS::AtMostOnce,
            Qos::AtLeastOnce => PersistedQoS::AtLeastOnce,
            Qos::ExactlyOnce => PersistedQoS::ExactlyOnce,
        },
        retain: publish.is_some_and(|publish| publish.retain),
        topic: names
            .topic_of(flight.reading.sequence)
            .into_owned()
            .into_bytes(),
        pkid,
        payload: flight.reading.payload.to_vec(),
        properties: expiry.map(|expiry| PersistedPublishProperties {
            payload_format_indicator: None,
            message_expiry_interval: Some(expiry),
            response_topic: None,
            correlation_data: None,
            user_properties: Vec::new(),
            subscription_identifiers: Vec::new(),
            content_type: None,
        }),
    })
}

impl SessionStore for Resume {
    fn load<'a>(
        &'a self,
        _: &'a SessionStoreKey,
    ) -> BoxFuture<'a, Result<Option<PersistedSession>, SessionStoreError>> {
        Box::pin(std::future::ready(Ok(Some(self.0.clone()))))
    }

    fn save<'a>(
        &'a self,
        _: &'a SessionStoreKey,
        _: &'a PersistedSession,
    ) -> BoxFuture<'a, Result<(), SessionStoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> BoxFuture<'a, Result<(), SessionStoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
