//! Gives a new client the session of the one before it.
//!
//! A device builds its rumqttc client anew for every connection, so that
//! between two connections, and asleep, it holds nothing of it. rumqttc resumes
//! a session from a `SessionStore`, which it would also rewrite, whole, at every
//! packet. So the store here only answers the one load that precedes CONNECT;
//! the device keeps its own account of the session ([`Outbox`]), and takes the
//! store away once connected.

use crate::fleet::Qos;
use crate::names::Names;
use crate::network::BoxFuture;
use crate::outbox::{Flight, Outbox};
use rumqttc::{
    PersistedAckMode, PersistedIncomingQos2, PersistedPubRel, PersistedPublish, PersistedQoS,
    PersistedRequest, PersistedSession, SessionStore, SessionStoreError, SessionStoreKey,
};

/// What all PUBLISH packets of a device share.
pub(crate) struct Labels<'a> {
    pub(crate) names: &'a Names,
    pub(crate) retain: bool,
    pub(crate) in_flight_max: u16,
}

#[derive(Debug)]
pub(crate) struct Resume(PersistedSession);

impl Resume {
    /// `None` if there is nothing to resume on the client's side.
    pub(crate) fn of(outbox: &Outbox, labels: &Labels<'_>) -> Option<Self> {
        if outbox.in_flight().next().is_none() && outbox.received().is_empty() {
            return None;
        }
        Some(Self(PersistedSession {
            format_version: 1,
            client_id: labels.names.client_id.clone(),
            clean_session: false,
            max_inflight: labels.in_flight_max,
            ack_mode: PersistedAckMode::Automatic,
            last_pkid: outbox.last_packet_id(),
            // rumqttc sorts what it sends again by distance from here, and
            // indexes a table of max_inflight + 1 slots with it that it has not
            // grown yet: anything but a low figure can make it panic. 0 means
            // ascending packet identifiers.
            last_puback: 0,
            replay: outbox
                .in_flight()
                .map(|flight| request(flight, labels))
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
fn request(flight: &Flight, labels: &Labels<'_>) -> PersistedRequest {
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
        retain: labels.retain,
        topic: labels
            .names
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
