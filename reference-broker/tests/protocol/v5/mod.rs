//! What only MQTT 5.0 has.

mod authentication;
mod connecting;
mod ending;
mod flow;
mod messages;
mod model;
mod reasons;
mod restarts;
mod sharing;
mod subscribing;
mod wills;

use squall_broker::wire::{Connect, Packet, Properties, Property, Publish, Version};

use crate::world::persistent;

/// A CONNECT of 5.0 that takes up what there is of a session, which ends with the
/// connection.
fn connect(client_id: &str) -> Connect {
    Connect {
        version: Version::V5,
        ..persistent(client_id)
    }
}

/// The same, with these properties.
fn connect_with(client_id: &str, properties: impl IntoIterator<Item = Property>) -> Connect {
    Connect {
        properties: properties.into_iter().collect(),
        ..connect(client_id)
    }
}

/// The same, whose session is kept this long.
fn kept(client_id: &str, expiry_s: u32) -> Connect {
    connect_with(client_id, [Property::SessionExpiryInterval(expiry_s)])
}

fn list(properties: &Properties) -> Vec<Property> {
    properties.iter().collect()
}

/// The same PUBLISH with these properties.
fn saying(packet: Packet, properties: impl IntoIterator<Item = Property>) -> Packet {
    match packet {
        Packet::Publish(publish) => Packet::Publish(Publish {
            properties: properties.into_iter().collect(),
            ..publish
        }),
        other => panic!("{other:?} is no PUBLISH"),
    }
}
