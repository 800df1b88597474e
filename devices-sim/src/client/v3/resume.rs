//! Gives a new client the session of the one before it.
//!
//! A device builds its rumqttc client anew for every connection, so that
//! between two connections, and asleep, it holds nothing of it. rumqttc resumes
//! a session from a `SessionStore`, which it would also rewrite, whole, at every
//! packet. So the store here only answers the one load that precedes CONNECT;
//! the device keeps its own account of the session
//! ([`Outbox`](crate::outbox::Outbox)), and takes the store away once connected.

use crate::device::Device;
use crate::fleet::{Fleet, Qos};
use crate::names::Names;
use crate::network::BoxFuture;
use crate::outbox::Flight;
use rumqttc::{
    PersistedAckMode, PersistedIncomingQos2, PersistedPubRel, PersistedPublish, PersistedQoS,
    PersistedRequest, PersistedSession, SessionStore, SessionStoreError, SessionStoreKey,
};

#[derive(Debug)]
pub(super) struct Resume(PersistedSession);

impl Resume {
    /// `None` if there is nothing to resume on the client's side.
    pub(super) fn of(fleet: &Fleet, device: &Device, names: &Names) -> Option<Self> {
        let outbox = &device.outbox;
        if outbox.in_flight().next().is_none() && outbox.received().is_empty() {
            return None;
        }
        Some(Self(PersistedSession {
            format_version: 1,
            client_id: names.client_id.clone(),
            clean_session: false,
            max_inflight: fleet.mqtt.in_flight_max,
            ack_mode: PersistedAckMode::Automatic,
            last_pkid: outbox.last_packet_id(),
            // rumqttc sorts what it sends again by distance from here, and
            // indexes a table of max_inflight + 1 slots with it that it has not
            // grown yet: anything but a low figure can make it panic. 0 means
            // ascending packet identifiers.
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
        }))
    }
}

/// In the order of the flights: that in which they were first sent
/// [MQTT311-4.6.0-1].
fn request(flight: &Flight, fleet: &Fleet, names: &Names) -> PersistedRequest {
    let pkid = flight.packet_id;
    if flight.released {
        return PersistedRequest::PubRel(PersistedPubRel { pkid });
    }
    PersistedRequest::Publish(PersistedPublish {
        // [MQTT311-3.3.1-1]
        dup: true,
        qos: match flight.reading.qos {
            Qos::AtMostOnce => PersistedQoS::AtMostOnce,
            Qos::AtLeastOnce => PersistedQoS::AtLeastOnce,
            Qos::ExactlyOnce => PersistedQoS::ExactlyOnce,
        },
        retain: fleet.publish.as_ref().is_some_and(|publish| publish.retain),
        topic: names
            .topic_of(flight.reading.sequence)
            .into_owned()
            .into_bytes(),
        pkid,
        payload: flight.reading.payload.to_vec(),
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
