//! Who has which address in the simulated Internet.
//!
//! Devices count through `10.0.0.0/8` (16 million of them), servers through
//! the documentation prefix `192.0.2.0/24` (RFC 5737), so that a capture shows
//! at a glance which end is which. Addresses depend on nothing but the index:
//! device 7 has the same address in every run.

use std::net::Ipv4Addr;

/// The port an MQTT server listens on (IANA: `mqtt`, 1883/tcp).
pub const MQTT_PORT: u16 = 1883;

/// The port it listens on for TLS (IANA: `secure-mqtt`, 8883/tcp).
pub const MQTT_TLS_PORT: u16 = 8883;

/// The port it listens on for WebSocket, where it does.
pub const WEBSOCKET_PORT: u16 = 8083;

/// The port it listens on for WebSocket in TLS, where it does.
pub const WEBSOCKET_TLS_PORT: u16 = 8443;

/// The port the hub listens on, where there is one.
pub const HUB_PORT: u16 = 9001;

/// The port the hub listens on for TLS, where there is one.
pub const HUB_TLS_PORT: u16 = 9443;

/// The port the REST server listens on, where there is one (IANA: `http`,
/// 80/tcp).
pub const HTTP_PORT: u16 = 80;

/// The port the REST server listens on for TLS, where there is one (IANA:
/// `https`, 443/tcp).
pub const HTTP_TLS_PORT: u16 = 443;

/// What a server offers, each at a port of its own, and at another in TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// MQTT on TCP.
    Mqtt,
    /// MQTT in the frames of a WebSocket.
    MqttWebSocket,
    /// The plain WebSocket hub.
    Hub,
    /// The REST server.
    Http,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mqtt, Self::MqttWebSocket, Self::Hub, Self::Http];

    /// The port it is at, in TLS or without.
    #[must_use]
    pub const fn port(self, tls: bool) -> u16 {
        match (self, tls) {
            (Self::Mqtt, false) => MQTT_PORT,
            (Self::Mqtt, true) => MQTT_TLS_PORT,
            (Self::MqttWebSocket, false) => WEBSOCKET_PORT,
            (Self::MqttWebSocket, true) => WEBSOCKET_TLS_PORT,
            (Self::Hub, false) => HUB_PORT,
            (Self::Hub, true) => HUB_TLS_PORT,
            (Self::Http, false) => HTTP_PORT,
            (Self::Http, true) => HTTP_TLS_PORT,
        }
    }

    /// What is at a port, and whether in TLS, if anything can be.
    #[must_use]
    pub fn at(port: u16) -> Option<(Self, bool)> {
        let of = |tls| Self::ALL.into_iter().zip(std::iter::repeat(tls));
        let mut all = of(false).chain(of(true));
        all.find(|(service, tls)| service.port(*tls) == port)
    }
}

/// First port of the dynamic range a device dials from (RFC 6335, section 6).
pub(crate) const EPHEMERAL_PORT_FIRST: u16 = 49_152;

/// More devices than this do not fit into `10.0.0.0/8`.
pub const DEVICES_MAX: u32 = (1 << 24) - 2;

/// Servers beyond this do not fit into `192.0.2.0/24`.
pub const SERVERS_MAX: u16 = 253;

const DEVICE_PREFIX: u32 = u32::from_be_bytes([10, 0, 0, 0]);
const SERVER_PREFIX: u32 = u32::from_be_bytes([192, 0, 2, 0]);

/// The address of the device with this index.
///
/// # Panics
/// When `device` is beyond [`DEVICES_MAX`]: a scenario of that size is refused
/// long before.
pub fn of_device(device: u32) -> Ipv4Addr {
    assert!(device < DEVICES_MAX, "device {device} is beyond 10.0.0.0/8");
    Ipv4Addr::from(DEVICE_PREFIX + device + 1)
}

/// The device that has this address, if one can.
pub fn device_of(address: Ipv4Addr) -> Option<u32> {
    let offset = u32::from(address).checked_sub(DEVICE_PREFIX + 1)?;
    (offset < DEVICES_MAX).then_some(offset)
}

/// The address of the server with this index.
///
/// # Panics
/// When `server` is beyond [`SERVERS_MAX`].
pub fn of_server(server: u16) -> Ipv4Addr {
    assert!(
        server < SERVERS_MAX,
        "server {server} is beyond 192.0.2.0/24"
    );
    Ipv4Addr::from(SERVER_PREFIX + u32::from(server) + 1)
}

/// The server that has this address, if one can.
pub fn server_of(address: Ipv4Addr) -> Option<u16> {
    let offset = u32::from(address).checked_sub(SERVER_PREFIX + 1)?;
    (offset < u32::from(SERVERS_MAX)).then_some(offset as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_indices_are_each_others_inverse() {
        for device in [0, 1, 254, 255, 65_535, DEVICES_MAX - 1] {
            assert_eq!(device_of(of_device(device)), Some(device));
            assert_eq!(server_of(of_device(device)), None);
        }
        for server in [0, 1, SERVERS_MAX - 1] {
            assert_eq!(server_of(of_server(server)), Some(server));
            assert_eq!(device_of(of_server(server)), None);
        }
    }

    #[test]
    fn each_service_has_two_ports_of_its_own() {
        for service in Service::ALL {
            for tls in [false, true] {
                assert_eq!(Service::at(service.port(tls)), Some((service, tls)));
            }
        }
        assert_eq!(Service::at(EPHEMERAL_PORT_FIRST), None);
    }

    #[test]
    fn the_network_and_broadcast_addresses_are_nobodys() {
        assert_eq!(device_of(Ipv4Addr::new(10, 0, 0, 0)), None);
        assert_eq!(device_of(Ipv4Addr::new(10, 255, 255, 255)), None);
        assert_eq!(device_of(Ipv4Addr::new(9, 255, 255, 255)), None);
        assert_eq!(server_of(Ipv4Addr::new(192, 0, 2, 255)), None);
    }
}
